//! The same over SPDY, for those who speak nothing else: kubectl's port-forward, and its exec before 1.30.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderName, HeaderValue};
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::channels::{Heard, Say};
use super::exec::{RESIZE, STATUS, STDERR, STDIN, STDOUT};
use super::forward::failed;
use crate::lab::api::error::ApiError;
use crate::lab::api::runtime::{ExecRequest, PodRuntime};
use crate::lab::api::wire::answer::{self, Answer};
use crate::lab::api::wire::spdy::{self, Ear, Headers, Said, Voice};

type Connection = TokioIo<Upgraded>;

const VERSION: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// The answer that turns the connection into streams, and what it turns into.
pub(super) fn accept(
    request: Request<Incoming>,
    protocol: &'static str,
) -> Result<(Answer, impl Future<Output = Option<Connection>> + Send + use<>), ApiError> {
    let offered = request.headers().get_all(VERSION).iter().filter_map(|v| v.to_str().ok());
    if !offered.flat_map(|v| v.split(',')).any(|v| v.trim() == protocol) {
        return Err(ApiError::new(
            403,
            "Forbidden",
            format!("unable to upgrade: unable to negotiate protocol: server supports {protocol}"),
        ));
    }
    let mut answer = answer::whole(101, "", Bytes::new());
    let headers = answer.headers_mut();
    headers.clear();
    headers.insert(UPGRADE, HeaderValue::from_static("SPDY/3.1"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(VERSION, HeaderValue::from_static(protocol));
    Ok((answer, async move { hyper::upgrade::on(request).await.ok().map(TokioIo::new) }))
}

/// The streams of a command, by what they carry: which are expected, and which came.
pub(super) struct Streams {
    expected: Vec<(&'static str, u8)>,
    came: HashMap<u32, u8>,
}

impl Streams {
    pub fn of(request: &ExecRequest) -> Self {
        let all = [
            ("error", STATUS, true),
            ("stdin", STDIN, request.stdin),
            ("stdout", STDOUT, request.stdout),
            ("stderr", STDERR, request.stderr),
            ("resize", RESIZE, request.tty),
        ];
        let expected = all.into_iter().filter(|(_, _, wanted)| *wanted).map(|(name, channel, _)| (name, channel));
        Streams { expected: expected.collect(), came: HashMap::new() }
    }

    fn open(&mut self, stream: u32, headers: &Headers) {
        let kind = headers.get("streamtype").unwrap_or_default();
        if let Some((_, channel)) = self.expected.iter().find(|(name, _)| *name == kind) {
            self.came.insert(stream, *channel);
        }
    }

    fn complete(&self) -> bool {
        self.expected.iter().all(|(_, channel)| self.came.values().any(|c| c == channel))
    }

    fn stream(&self, channel: u8) -> Option<u32> {
        self.came.iter().find(|(_, c)| **c == channel).map(|(stream, _)| *stream)
    }
}

/// Waits for the expected streams and runs something on them.
pub(super) async fn serve<F: Future<Output = ()>>(
    connection: Connection,
    mut streams: Streams,
    run: impl FnOnce(mpsc::Receiver<Heard>, mpsc::Sender<Say>) -> F,
) {
    let (mut ear, voice, writing) = spdy::begin(connection);
    let conversation = async move {
        let mut early = Vec::new();
        let opened = tokio::time::timeout(Duration::from_secs(30), open(&mut ear, &mut streams, &mut early)).await;
        if opened != Ok(true) {
            return;
        }
        let (say, said) = mpsc::channel(64);
        let (hear, heard) = mpsc::channel(16);
        let streams = &streams;
        tokio::select! {
            ((), ()) = async { tokio::join!(run(heard, say), speak(&voice, streams, said)) } => {}
            () = listen(&mut ear, streams, early, hear) => {}
        }
    };
    // The writing ends when the conversation has let go of its voices.
    tokio::join!(conversation, writing);
}

async fn open<R: AsyncRead + Unpin>(ear: &mut Ear<R>, streams: &mut Streams, early: &mut Vec<Said>) -> bool {
    while !streams.complete() {
        match ear.next().await {
            Some(Said::Opened(stream, headers)) => streams.open(stream, &headers),
            Some(other) => early.push(other),
            None => return false,
        }
    }
    true
}

async fn speak(voice: &Voice, streams: &Streams, mut said: mpsc::Receiver<Say>) {
    while let Some(say) = said.recv().await {
        let Some(stream) = streams.stream(say.channel).filter(|_| !say.data.is_empty()) else { continue };
        if voice.data(stream, &say.data).await.is_err() {
            return;
        }
    }
    for channel in [STDOUT, STDERR, STATUS] {
        if let Some(stream) = streams.stream(channel) {
            let _ = voice.end(stream).await;
        }
    }
    let _ = voice.goodbye().await;
}

async fn listen<R: AsyncRead + Unpin>(
    ear: &mut Ear<R>,
    streams: &Streams,
    early: Vec<Said>,
    hear: mpsc::Sender<Heard>,
) {
    let mut early = early.into_iter();
    loop {
        let said = match early.next() {
            Some(said) => Some(said),
            None => ear.next().await,
        };
        let heard = match said {
            Some(Said::Data(stream, data)) => streams.came.get(&stream).map(|c| Heard::Data(*c, data)),
            Some(Said::End(stream)) => streams.came.get(&stream).map(|c| Heard::End(*c)),
            Some(Said::Opened(..)) => None,
            None => return,
        };
        if let Some(heard) = heard {
            // Nobody may listen any more; the client's leaving still counts.
            let _ = hear.send(heard).await;
        }
    }
}

/// Forwards ports: each connection is a pair of streams, one for data and one for errors, with one request id.
pub(super) async fn forward(connection: Connection, runtime: Arc<dyn PodRuntime>, pod: Arc<Value>) {
    let (mut ear, voice, writing) = spdy::begin(connection);
    let conversation = async move {
        let mut pairs: HashMap<String, (Option<u32>, Option<u32>)> = HashMap::new();
        let mut writers: HashMap<u32, mpsc::Sender<Bytes>> = HashMap::new();
        let mut tunnels = JoinSet::new();
        while let Some(said) = ear.next().await {
            while tunnels.try_join_next().is_some() {}
            match said {
                Said::Opened(stream, headers) => {
                    let id = headers.get("requestid").unwrap_or_default().to_owned();
                    let pair = pairs.entry(id.clone()).or_default();
                    match headers.get("streamtype") {
                        Some("error") => pair.0 = Some(stream),
                        _ => pair.1 = Some(stream),
                    }
                    if let (Some(errors), Some(data)) = *pair {
                        pairs.remove(&id);
                        let port = headers.get("port").and_then(|p| p.parse().ok()).unwrap_or_default();
                        let (to, from) = mpsc::channel(64);
                        writers.insert(data, to);
                        let ends = Ends { voice: voice.clone(), data, errors, port };
                        tunnels.spawn(tunnel(Arc::clone(&runtime), Arc::clone(&pod), ends, from));
                    }
                }
                Said::Data(stream, bytes) => {
                    if let Some(to) = writers.get(&stream) {
                        let _ = to.send(bytes).await;
                    }
                }
                Said::End(stream) => drop(writers.remove(&stream)),
            }
        }
    };
    tokio::join!(conversation, writing);
}

/// The client's end of a tunnel.
struct Ends {
    voice: Voice,
    data: u32,
    errors: u32,
    port: u16,
}

async fn tunnel(runtime: Arc<dyn PodRuntime>, pod: Arc<Value>, ends: Ends, mut from: mpsc::Receiver<Bytes>) {
    let Ends { voice, data, errors, port } = ends;
    match runtime.dial(Arc::clone(&pod), port).await {
        Ok(connection) => {
            let (mut read, mut write) = tokio::io::split(connection);
            let feeding = async {
                while let Some(bytes) = from.recv().await {
                    if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
                        return;
                    }
                }
                let _ = write.shutdown().await;
            };
            let reading = async {
                let mut buffer = vec![0; 32 * 1024];
                while let Ok(n @ 1..) = read.read(&mut buffer).await {
                    if voice.data(data, &buffer[..n]).await.is_err() {
                        return;
                    }
                }
            };
            tokio::pin!(feeding, reading);
            tokio::select! {
                () = &mut reading => {}
                () = &mut feeding => reading.await,
            }
        }
        Err(e) => {
            let _ = voice.data(errors, failed(port, &pod, &e).as_bytes()).await;
        }
    }
    for stream in [data, errors] {
        let _ = voice.end(stream).await;
    }
}
