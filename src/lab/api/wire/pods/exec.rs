//! Commands in a container, over a websocket with channels for each stream.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::channels::{self, Reader, Socket};
use super::{container, upgrade};
use crate::lab::api::error::ApiError;
use crate::lab::api::runtime::{ExecExit, ExecRequest, ExecSession, TerminalSize};
use crate::lab::api::wire::Wire;
use crate::lab::api::wire::answer::Answer;
use crate::lab::api::wire::path::{Objects, Query};

const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
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
        match upgrade(request.headers()).as_deref() {
            Some("websocket") => {}
            Some(other) if other.starts_with("spdy/") => return Err(channels::no_spdy()),
            _ => return Err(ApiError::bad_request("Upgrade request required")),
        }
        let protocol = channels::protocol(request.headers(), PROTOCOLS)?;
        let session = self.runtime.exec(Arc::clone(&pod), wanted).await?;
        let (answer, socket) = channels::accept(request, protocol)?;
        tokio::spawn(async move {
            let run = async {
                if let Some(socket) = socket.await {
                    serve(socket, session).await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = run => {}
            }
        });
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
    let (sender, receiver) = mpsc::channel(64);
    // As a real server does: the first frame says that it begins.
    let _ = sender.send(channels::message(STDOUT, b"")).await;
    let ExecSession { stdin, stdout, stderr, resize, exit } = session;
    let command = async move {
        let streams = async {
            tokio::join!(
                channels::pump(stdout, STDOUT, sender.clone()),
                channels::pump(stderr, STDERR, sender.clone())
            );
        };
        tokio::pin!(streams, exit);
        let ended = tokio::select! {
            () = &mut streams => exit.await,
            ended = &mut exit => {
                // Output may still be on its way; a child that kept the stream open must not hold the answer up.
                let _ = tokio::time::timeout(Duration::from_secs(2), streams).await;
                ended
            }
        };
        let _ = sender.send(channels::message(STATUS, status(&ended).to_string().as_bytes())).await;
        // Dropping the sender ends the writing.
    };
    let writing = channels::send_all(to_client, receiver);
    let reading = input(from_client, stdin, resize);
    tokio::pin!(reading);
    let output = async { tokio::join!(command, writing) };
    tokio::select! {
        _ = output => {}
        () = &mut reading => {}
    }
}

/// Feeds the command until the client is gone. Without a client nobody waits for the rest.
async fn input(
    mut from: Reader,
    mut stdin: Option<Box<dyn tokio::io::AsyncWrite + Send + Unpin>>,
    resize: Option<mpsc::Sender<TerminalSize>>,
) {
    while let Some((channel, payload)) = channels::next(&mut from).await {
        match channel {
            0 => {
                if let Some(to) = &mut stdin
                    && (to.write_all(&payload).await.is_err() || to.flush().await.is_err())
                {
                    stdin = None;
                }
            }
            4 => {
                if let (Some(to), Some(size)) = (&resize, size(&payload)) {
                    let _ = to.send(size).await;
                }
            }
            // v5: the client has no more to say on a channel.
            255 if payload.first() == Some(&0) => stdin = None,
            _ => {}
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
