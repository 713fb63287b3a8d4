//! A byte stream to a port of a pod, through the API server.
//!
//! The websocket of a port-forward is pumped here and not by kube's own forwarder, which cuts what is written into frames
//! where its buffer happens to end. A question that leaves in two frames waits between them for the acknowledgement of the
//! first (some 40 ms: TCP's delayed acknowledgement against Nagle's algorithm); here one write is one frame.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{SplitSink, SplitStream};
use futures::{Future, FutureExt, SinkExt, StreamExt};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use super::client::get;
use super::trouble::Trouble;

/// PostgreSQL's port in every pod of CNPG and PGO.
pub const POSTGRES: u16 = 5432;
/// How long the API server may take to open a tunnel.
const OPEN: Duration = Duration::from_secs(3);
/// How long the far end's own words are waited for when a connection fails: they say more than "connection closed".
const WORDS: Duration = Duration::from_millis(150);

/// The first byte of a frame: whose it is. A port has two channels; each begins with a frame that holds the port.
const DATA: u8 = 0;
const ERROR: u8 = 1;
/// What one frame may carry. More than any question, and little enough for every proxy in between.
const FRAME: usize = 32 * 1024;

/// A tunnel. Dropped, it closes.
pub struct Tunnel(AbortHandle);

/// What the far end may say about a failure.
pub struct Words(Option<BoxFuture<'static, Option<String>>>);

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a tunnel to a port of a pod. Nothing has been sent yet: whether something listens there is seen later.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn open(
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<(Tunnel, Words, DuplexStream), Trouble> {
    let request = get(&format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}"));
    let socket = match timeout(OPEN, client.connect(request)).await {
        Ok(opened) => opened?.into_stream(),
        Err(_) => return Err(Trouble::timed_out(OPEN.as_secs_f64())),
    };
    let (ours, theirs) = tokio::io::duplex(2 * FRAME);
    let (words, said) = oneshot::channel();
    let pump = tokio::spawn(pump(socket, theirs, words));
    Ok((Tunnel(pump.abort_handle()), Words(Some(said.map(Result::ok).boxed())), ours))
}

/// Carries bytes both ways until either end closes.
async fn pump<S>(socket: WebSocketStream<S>, end: DuplexStream, words: oneshot::Sender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, frames) = socket.split();
    let (read, write) = tokio::io::split(end);
    // Whichever way ends first ends both: PostgreSQL has no use for half a connection.
    tokio::select! {
        _ = there(read, &mut sink) => {}
        _ = back(frames, write, words) => {}
    }
    drop(timeout(WORDS, sink.close()).await);
}

/// One write is one frame.
async fn there<S>(
    mut from: impl AsyncRead + Unpin,
    sink: &mut SplitSink<WebSocketStream<S>, Message>,
) -> Result<(), tungstenite::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut frame = vec![DATA; FRAME + 1];
    loop {
        let n = from.read(&mut frame[1..]).await?;
        if n == 0 {
            return Ok(());
        }
        sink.send(Message::Binary(Bytes::copy_from_slice(&frame[..=n]))).await?;
    }
}

async fn back<S>(
    mut frames: SplitStream<WebSocketStream<S>>,
    mut to: impl AsyncWrite + Unpin,
    words: oneshot::Sender<String>,
) -> Result<(), tungstenite::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut begun, mut words) = ([false; 2], Some(words));
    while let Some(frame) = frames.next().await {
        let Message::Binary(frame) = frame? else { continue };
        let Some((channel, bytes)) = frame.split_first() else { continue };
        let Some(begun) = begun.get_mut(usize::from(*channel)) else { continue };
        if !std::mem::replace(begun, true) {
            // The port, as asked for.
            continue;
        }
        match *channel {
            DATA => to.write_all(bytes).await?,
            ERROR => {
                if let Some(words) = words.take() {
                    // Nobody listens where the connection had been closed already.
                    let _ = words.send(String::from_utf8_lossy(bytes).into_owned());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl Words {
    /// What it said, where it says so soon.
    pub async fn heard(self) -> Option<String> {
        within(self.0?).await
    }
}

async fn within(said: impl Future<Output = Option<String>>) -> Option<String> {
    let text = timeout(WORDS, said).await.ok()??;
    // "error forwarding port 5432 to pod …: failed to connect to localhost:5432 inside namespace …: connect: connection
    // refused …": the part after the last "connect: " is what went wrong.
    let short = text.split("connect: ").nth(1).map_or(text.as_str(), |t| t.split(" IPv6").next().unwrap_or(t));
    Some(short.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kubelets_words_are_cut_to_the_point() {
        let real = "error forwarding port 5999 to pod 8a07, uid : failed to execute portforward in network namespace \
                    \"/var/run/netns/cni-2\": failed to connect to localhost:5999 inside namespace \"8a07\", IPv4: dial tcp4 \
                    127.0.0.1:5999: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found ";
        assert_eq!(within(async { Some(real.to_owned()) }).await.as_deref(), Some("connection refused"));
        assert_eq!(within(async { Some("lost".to_owned()) }).await.as_deref(), Some("lost"));
        assert_eq!(within(std::future::pending()).await, None);
    }
}
