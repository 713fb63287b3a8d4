//! The control socket of a lab: one JSON request a line, one JSON answer a line.
//!
//! `{"api":"stop"}` and `{"api":"start"}` stop and start the API alone; the world goes on. `"load"` asks which rows of the
//! load were acknowledged. Faults are objects of that API ([`super::faults`]).

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use super::api::server::ServerHandle;
use super::awake::People;
use super::postgres::Ledger;
use crate::problem::Problem;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The API server.
    Api(Switch),
    /// The load's account of its rows.
    Load,
}

/// Off or on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Off.
    Stop,
    /// On.
    Start,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is done.
    Done,
    /// The load's account, as of now.
    Load(Ledger),
    /// It is not.
    Failed(Problem),
}

/// What the requests act on.
pub struct Controlled {
    pub(super) api: Arc<ServerHandle>,
    pub(super) people: Arc<People>,
}

/// Serves the socket until the task is dropped.
///
/// # Errors
/// When the socket can't be made.
pub fn listen(socket: &Path, lab: Arc<Controlled>) -> Result<JoinHandle<()>, Problem> {
    let trouble = |e: std::io::Error| {
        Problem::new(format!("the lab's control socket {} can't be made", socket.display()))
            .because(e)
            .try_this("choose a folder with a shorter path for --dir")
    };
    let listener = UnixListener::bind(socket).map_err(trouble)?;
    let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(socket, owner).map_err(trouble)?;
    Ok(tokio::spawn(async move {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(clients.spawn(serve(stream, Arc::clone(&lab)))),
                    // Out of descriptors: the next may fare better.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                },
                Some(_) = clients.join_next() => {}
            }
        }
    }))
}

async fn serve(stream: UnixStream, lab: Arc<Controlled>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let reply = match serde_json::from_str(&line) {
            Ok(request) => perform(request, &lab).await,
            Err(why) => Reply::Failed(Problem::usage("the request can't be read").because(why)),
        };
        let Ok(text) = serde_json::to_string(&reply) else { return };
        if write.write_all(format!("{text}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn perform(request: Request, lab: &Controlled) -> Reply {
    match request {
        Request::Api(Switch::Stop) => lab.api.stop().await,
        Request::Api(Switch::Start) => {
            if let Err(why) = lab.api.start().await {
                return Reply::Failed(Problem::new("the API can't be started again").because(why));
            }
        }
        Request::Load => {
            let none =
                || Problem::new("this lab has no load").because("it was started without --load, or is not ready");
            return lab.people.ledger().map_or_else(|| Reply::Failed(none()), Reply::Load);
        }
    }
    Reply::Done
}

/// Asks the lab in `dir`.
///
/// # Errors
/// When no lab runs there, or it says no.
pub async fn ask(dir: &Path, request: Request) -> Result<Reply, Problem> {
    let none = |e: std::io::Error| {
        Problem::new(format!("no lab answers in {}", dir.display())).because(e).try_this("howdah lab serve --dir …")
    };
    let stream = UnixStream::connect(dir.join("control.sock")).await.map_err(none)?;
    let (read, mut write) = stream.into_split();
    let broken = |e: &dyn std::fmt::Display| Problem::new("the lab gave no answer").because(e);
    let line = serde_json::to_string(&request).map_err(|e| broken(&e))?;
    write.write_all(format!("{line}\n").as_bytes()).await.map_err(|e| broken(&e))?;
    let answer = BufReader::new(read).lines().next_line().await.map_err(|e| broken(&e))?.unwrap_or_default();
    match serde_json::from_str(&answer).map_err(|e| broken(&e))? {
        Reply::Failed(problem) => Err(problem),
        reply => Ok(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_short_json() {
        assert_eq!(serde_json::to_string(&Request::Api(Switch::Stop)).unwrap(), r#"{"api":"stop"}"#);
        assert_eq!(serde_json::from_str::<Request>(r#"{"api":"start"}"#).unwrap(), Request::Api(Switch::Start));
        assert_eq!(serde_json::to_string(&Request::Load).unwrap(), r#""load""#);
        assert_eq!(serde_json::to_string(&Reply::Done).unwrap(), r#""done""#);
    }
}
