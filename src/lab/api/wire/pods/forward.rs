//! Port-forward. Over a websocket, for the port number i of the request, channel 2i carries data and 2i+1 errors.

use std::sync::Arc;

use futures::StreamExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::channels::{self, Heard, Say, Socket};
use super::{streams, until, upgrade};
use crate::lab::api::error::ApiError;
use crate::lab::api::runtime::{Connection, PodRuntime};
use crate::lab::api::wire::Wire;
use crate::lab::api::wire::answer::Answer;
use crate::lab::api::wire::path::{Objects, Query};

/// A real server answers v4 even to clients that offer v5 first.
const PROTOCOLS: &[&str] = &["v4.channel.k8s.io"];
const STREAM_PROTOCOL: &str = "portforward.k8s.io";

type Writers = Vec<Option<WriteHalf<Box<dyn Connection>>>>;

impl Wire {
    pub(super) fn forward(
        &self,
        at: &Objects,
        query: &Query,
        request: Request<Incoming>,
        stop: CancellationToken,
    ) -> Result<Answer, ApiError> {
        let pod = self.find_pod(at)?;
        let spdy = match upgrade(request.headers()).as_deref() {
            Some("websocket") => false,
            Some("spdy/3.1") => true,
            _ => return Err(ApiError::bad_request("Upgrade request required")),
        };
        if pod["status"]["phase"] != "Running" {
            let phase = pod["status"]["phase"].as_str().unwrap_or("Unknown");
            return Err(ApiError::bad_request(format!(
                "unable to forward port because pod is not running. Current status={phase}"
            )));
        }
        let runtime = Arc::clone(&self.runtime);
        if spdy {
            let (answer, connection) = streams::accept(request, STREAM_PROTOCOL)?;
            tokio::spawn(until(stop, async move {
                if let Some(connection) = connection.await {
                    streams::forward(connection, runtime, pod).await;
                }
            }));
            return Ok(answer);
        }
        let protocol = channels::protocol(request.headers(), PROTOCOLS)?;
        let ports = ports(query)?;
        let (answer, socket) = channels::accept(request, protocol)?;
        tokio::spawn(until(stop, async move {
            if let Some(socket) = socket.await {
                serve(socket, runtime, pod, ports).await;
            }
        }));
        Ok(answer)
    }
}

fn ports(query: &Query) -> Result<Vec<u16>, ApiError> {
    let asked: Vec<&str> = query.all("ports").flat_map(|p| p.split(',')).filter(|p| !p.is_empty()).collect();
    if asked.is_empty() {
        return Err(ApiError::bad_request("query parameter \"ports\" is required"));
    }
    if asked.len() > 64 {
        return Err(ApiError::bad_request("at most 64 ports can be forwarded at once"));
    }
    let port = |text: &&str| match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(ApiError::bad_request(format!("unable to parse \"{text}\" as a port"))),
    };
    asked.iter().map(port).collect()
}

async fn serve(socket: Socket, runtime: Arc<dyn PodRuntime>, pod: Arc<Value>, ports: Vec<u16>) {
    let (to_client, from_client) = socket.split();
    let (say, said) = mpsc::channel(64);
    let (hear, mut heard) = mpsc::channel(16);
    let forwarding = async move {
        let mut writers: Writers = Vec::new();
        let mut readers = Vec::new();
        for (i, port) in ports.iter().enumerate() {
            // At most 64 ports: a channel number always fits.
            let channel = u8::try_from(i * 2).unwrap_or(u8::MAX - 1);
            for begin in [channel, channel + 1] {
                let _ = say.send(Say { channel: begin, data: port.to_le_bytes().to_vec() }).await;
            }
            match runtime.dial(Arc::clone(&pod), *port).await {
                Ok(connection) => {
                    let (read, write) = tokio::io::split(connection);
                    writers.push(Some(write));
                    readers.push(channels::pump(Some(read), channel, say.clone()));
                }
                Err(e) => {
                    let data = failed(*port, &pod, &e).into_bytes();
                    let _ = say.send(Say { channel: channel + 1, data }).await;
                    writers.push(None);
                }
            }
        }
        drop(say);
        let feeding = async {
            while let Some(said) = heard.recv().await {
                if let Heard::Data(channel, payload) = said {
                    feed(&mut writers, channel, &payload).await;
                }
            }
            // The client's end is told by the reader; the pod may still have something to say.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = futures::future::join_all(readers) => {}
            () = feeding => {}
        }
    };
    tokio::select! {
        _ = async { tokio::join!(channels::send_all(to_client, said), forwarding) } => {}
        () = channels::hear_all(from_client, hear) => {}
    }
}

async fn feed(writers: &mut Writers, channel: u8, payload: &[u8]) {
    let Some(slot) = writers.get_mut(usize::from(channel / 2)) else { return };
    if channel.is_multiple_of(2)
        && let Some(to) = slot
        && (to.write_all(payload).await.is_err() || to.flush().await.is_err())
    {
        *slot = None;
    }
}

/// What a client is told about a port that nobody listens at.
pub(super) fn failed(port: u16, pod: &Value, why: &std::io::Error) -> String {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    format!(
        "error forwarding port {port} to pod {uid}, uid : failed to execute portforward: failed to connect to \
         localhost:{port} inside the pod: {why}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers() {
        let of = |text: &str| ports(&Query::parse(Some(text))).map_err(|e| e.code);
        assert_eq!(of("ports=5432&ports=8000,9187"), Ok(vec![5432, 8000, 9187]));
        for bad in ["", "ports=", "ports=0", "ports=x", "ports=70000"] {
            assert_eq!(of(bad), Err(400), "{bad}");
        }
    }
}
