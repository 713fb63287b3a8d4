//! Bytes from one side to the other and back, in bounded buffers, interruptible without losing any.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::{Instant, sleep_until},
};

use super::weather::Policy;

/// Per direction. Two of them are what a connection costs.
const BUFFER: usize = 32 * 1024;

/// Both directions of one connection.
#[derive(Default)]
pub(super) struct Pump {
    up: Way,
    down: Way,
}

impl Pump {
    pub(super) fn set(&mut self, policy: Policy) {
        let (delay, rate) = match policy {
            Policy::Slow { delay, bytes_per_second } => (delay, bytes_per_second),
            Policy::Pass | Policy::Blackhole | Policy::Cut => (Duration::ZERO, 0),
        };
        for way in [&mut self.up, &mut self.down] {
            (way.delay, way.rate) = (delay, rate);
        }
    }

    /// Until both sides have ended, or one has failed. Can be dropped and called again at any point.
    pub(super) async fn run(&mut self, client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        tokio::try_join!(
            self.up.run(&mut from_client, &mut to_server),
            self.down.run(&mut from_server, &mut to_client)
        )?;
        Ok(())
    }
}

/// One direction: what was read and not yet written stays here when [`Way::run`] is dropped.
struct Way {
    buffer: Box<[u8]>,
    held: std::ops::Range<usize>,
    ended: bool,
    /// Earliest time the held bytes may go on.
    not_before: Option<Instant>,
    delay: Duration,
    /// Bytes a second, 0: no bound.
    rate: u64,
}

impl Default for Way {
    fn default() -> Self {
        Way {
            buffer: vec![0; BUFFER].into(),
            held: 0..0,
            ended: false,
            not_before: None,
            delay: Duration::ZERO,
            rate: 0,
        }
    }
}

impl Way {
    /// `read` and `write` either do something or nothing when they are dropped, and the state between is in `self`.
    async fn run(&mut self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> io::Result<()> {
        while !self.ended {
            if self.held.is_empty() {
                let n = from.read(&mut self.buffer).await?;
                self.held = 0..n;
                self.ended = n == 0;
                self.not_before = self.pause(n).map(|pause| Instant::now() + pause);
            }
            if let Some(until) = self.not_before {
                sleep_until(until).await;
                self.not_before = None;
            }
            while !self.held.is_empty() {
                self.held.start += to.write(&self.buffer[self.held.clone()]).await?;
            }
        }
        to.shutdown().await
    }

    fn pause(&self, bytes: usize) -> Option<Duration> {
        let sending = match self.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs_f64(bytes as f64 / rate as f64),
        };
        Some(self.delay + sending).filter(|pause| !pause.is_zero())
    }
}
