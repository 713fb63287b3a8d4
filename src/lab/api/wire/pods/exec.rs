//! Commands in a container, with a channel for each of their streams.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::channels::{self, Heard, Say, Socket};
use super::streams::{self, Streams};
use super::{container, until, upgrade};
use crate::lab::api::error::ApiError;
use crate::lab::api::runtime::{ExecExit, ExecRequest, ExecSession, TerminalSize};
use crate::lab::api::wire::Wire;
use crate::lab::api::wire::answer::Answer;
use crate::lab::api::wire::path::{Objects, Query};

pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
pub(super) const STATUS: u8 = 3;
pub(super) const RESIZE: u8 = 4;
const STREAM_PROTOCOL: &str = "v4.channel.k8s.io";
const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];

impl Wire {
    pub(super) async fn exec(
        &self,
        at: &Objects,
        query: &Query,
        request: Request<Incoming>,
        stop: CancellationToken,
    ) -> Result<Answer, ApiError> {
        let pod = self.find_pod(at)?;
        let wanted = wanted(&pod, query)?;
        let spdy = match upgrade(request.headers()).as_deref() {
            Some("websocket") => false,
            Some("spdy/3.1") => true,
            _ => return Err(ApiError::bad_request("Upgrade request required")),
        };
        if spdy {
            let streams = Streams::of(&wanted);
            let (answer, connection) = streams::accept(request, STREAM_PROTOCOL)?;
            let session = self.runtime.exec(Arc::clone(&pod), wanted).await?;
            tokio::spawn(until(stop, async move {
                if let Some(connection) = connection.await {
                    streams::serve(connection, streams, |heard, say| run(session, heard, say)).await;
                }
            }));
            return Ok(answer);
        }
        let protocol = channels::protocol(request.headers(), PROTOCOLS)?;
        let session = self.runtime.exec(Arc::clone(&pod), wanted).await?;
        let (answer, socket) = channels::accept(request, protocol)?;
        tokio::spawn(until(stop, async move {
            if let Some(socket) = socket.await {
                serve(socket, session).await;
            }
        }));
        Ok(answer)
    }
}

fn wanted(pod: &Value, query: &Query) -> Result<ExecRequest, ApiError> {
    let command: Vec<String> = query.all("command").map(str::to_owned).collect();
    if command.is_empty() {
        return Err(ApiError::bad_request("you must specify at least one command for the container"));
    }
    let tty = query.flag("tty");
    let request = ExecRequest {
        container: container(pod, query.get("container"))?,
        command,
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        // With a terminal both streams are one.
        stderr: query.flag("stderr") && !tty,
        tty,
    };
    if !(request.stdin || request.stdout || request.stderr) {
        return Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        let phase = pod["status"]["phase"].as_str().unwrap_or_default();
        return Err(ApiError::bad_request(format!(
            "cannot exec into a container in a completed pod; current phase is {phase}"
        )));
    }
    Ok(request)
}

async fn serve(socket: Socket, session: ExecSession) {
    let (to_client, from_client) = socket.split();
    let (say, said) = mpsc::channel(64);
    let (hear, heard) = mpsc::channel(16);
    // As a real server does: the first frame says that it begins.
    let _ = say.send(Say { channel: STDOUT, data: Vec::new() }).await;
    let command = async { tokio::join!(run(session, heard, say), channels::send_all(to_client, said)) };
    tokio::select! {
        _ = command => {}
        // Without a client nobody waits for the rest.
        () = channels::hear_all(from_client, hear) => {}
    }
}

/// Runs a command to its end: its output, then how it ended.
async fn run(session: ExecSession, heard: mpsc::Receiver<Heard>, say: mpsc::Sender<Say>) {
    let ExecSession { stdin, stdout, stderr, resize, exit } = session;
    let command = async {
        let streams = async {
            tokio::join!(channels::pump(stdout, STDOUT, say.clone()), channels::pump(stderr, STDERR, say.clone()));
        };
        tokio::pin!(streams, exit);
        tokio::select! {
            () = &mut streams => exit.await,
            ended = &mut exit => {
                // Output may still be on its way; a child that kept the stream open must not hold the answer up.
                let _ = tokio::time::timeout(Duration::from_secs(2), streams).await;
                ended
            }
        }
    };
    let feeding = feed(heard, stdin, resize);
    tokio::pin!(command, feeding);
    let ended = tokio::select! {
        ended = &mut command => ended,
        () = &mut feeding => command.await,
    };
    let _ = say.send(Say { channel: STATUS, data: status(&ended).to_string().into_bytes() }).await;
}

/// Feeds the command what the client says.
async fn feed(
    mut from: mpsc::Receiver<Heard>,
    mut stdin: Option<Box<dyn tokio::io::AsyncWrite + Send + Unpin>>,
    resize: Option<mpsc::Sender<TerminalSize>>,
) {
    while let Some(heard) = from.recv().await {
        match heard {
            Heard::Data(STDIN, payload) => {
                if let Some(to) = &mut stdin
                    && (to.write_all(&payload).await.is_err() || to.flush().await.is_err())
                {
                    stdin = None;
                }
            }
            Heard::Data(RESIZE, payload) => {
                if let (Some(to), Some(size)) = (&resize, size(&payload)) {
                    let _ = to.send(size).await;
                }
            }
            Heard::End(STDIN) => stdin = None,
            Heard::Data(..) | Heard::End(_) => {}
        }
    }
}

fn size(payload: &[u8]) -> Option<TerminalSize> {
    let size: Value = serde_json::from_slice(payload).ok()?;
    let side = |name: &str| size[name].as_u64().and_then(|n| u16::try_from(n).ok());
    Some(TerminalSize { width: side("Width")?, height: side("Height")? })
}

/// How the command ended, as the Status on channel 3.
fn status(ended: &ExecExit) -> Value {
    match ended {
        ExecExit::Code(0) => json!({ "metadata": {}, "status": "Success" }),
        ExecExit::Code(code) => json!({ "metadata": {}, "status": "Failure",
            "message": format!("command terminated with non-zero exit code: command terminated with exit code {code}"),
            "reason": "NonZeroExitCode",
            "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] } }),
        ExecExit::Failed(why) => json!({ "metadata": {}, "status": "Failure",
            "message": format!("Internal error occurred: {why}"), "reason": "InternalError",
            "details": { "causes": [{ "message": why }] }, "code": 500 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_checked() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "postgres"}]}});
        let of = |text: &str| wanted(&pod, &Query::parse(Some(text)));
        let got = of("command=sh&command=-c&stdout=true&stderr=true&tty=true&stdin=1&container=postgres");
        let got = got.expect("good");
        assert_eq!((got.command.len(), got.stderr, got.tty, got.stdin), (2, false, true, true));
        assert_eq!(of("stdout=true").map_err(|e| e.code), Err(400));
        assert_eq!(of("command=a").map_err(|e| e.code), Err(400));
    }

    #[test]
    fn ends_as_recorded() {
        assert_eq!(status(&ExecExit::Code(0)).to_string(), r#"{"metadata":{},"status":"Success"}"#);
        let three = status(&ExecExit::Code(3));
        assert_eq!(three["details"]["causes"][0], json!({"reason": "ExitCode", "message": "3"}));
        assert_eq!(size(br#"{"Width":120,"Height":40}"#), Some(TerminalSize { width: 120, height: 40 }));
        assert_eq!(size(b"{}"), None);
    }
}
