//! Port-forward over a websocket: for the port number i of the request, channel 2i carries data and 2i+1 errors.

use std::sync::Arc;

use futures::StreamExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, WriteHalf};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::channels::{self, Socket};
use super::upgrade;
use crate::lab::api::error::ApiError;
use crate::lab::api::runtime::{Connection, PodRuntime};
use crate::lab::api::wire::Wire;
use crate::lab::api::wire::answer::Answer;
use crate::lab::api::wire::path::{Objects, Query};

/// A real server answers v4 even to clients that offer v5 first.
const PROTOCOLS: &[&str] = &["v4.channel.k8s.io"];

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
        match upgrade(request.headers()).as_deref() {
            Some("websocket") => {}
            Some(other) if other.starts_with("spdy/") => return Err(channels::no_spdy()),
            _ => return Err(ApiError::bad_request("Upgrade request required")),
        }
        let protocol = channels::protocol(request.headers(), PROTOCOLS)?;
        let ports = ports(query)?;
        if pod["status"]["phase"] != "Running" {
            let phase = pod["status"]["phase"].as_str().unwrap_or("Unknown");
            return Err(ApiError::bad_request(format!(
                "unable to forward port because pod is not running. Current status={phase}"
            )));
        }
        let (answer, socket) = channels::accept(request, protocol)?;
        let runtime = Arc::clone(&self.runtime);
        tokio::spawn(async move {
            let run = async {
                if let Some(socket) = socket.await {
                    serve(socket, runtime, pod, ports).await;
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
    let (to_client, mut from_client) = socket.split();
    let (sender, receiver) = mpsc::channel(64);
    let writing = channels::send_all(to_client, receiver);
    let forwarding = async move {
        let mut writers: Writers = Vec::new();
        let mut readers = Vec::new();
        for (i, port) in ports.iter().enumerate() {
            // At most 64 ports: a channel number always fits.
            let channel = u8::try_from(i * 2).unwrap_or(u8::MAX - 1);
            for begin in [channel, channel + 1] {
                let _ = sender.send(channels::message(begin, &port.to_le_bytes())).await;
            }
            match runtime.dial(Arc::clone(&pod), *port).await {
                Ok(connection) => {
                    let (read, write) = tokio::io::split(connection);
                    writers.push(Some(write));
                    readers.push(channels::pump(Some(read), channel, sender.clone()));
                }
                Err(e) => {
                    let _ = sender.send(failed(channel + 1, *port, &pod, &e)).await;
                    writers.push(None);
                }
            }
        }
        drop(sender);
        let reading = futures::future::join_all(readers);
        let feeding = async {
            while let Some((channel, payload)) = channels::next(&mut from_client).await {
                feed(&mut writers, channel, &payload).await;
            }
        };
        tokio::select! {
            _ = reading => {}
            () = feeding => {}
        }
    };
    tokio::join!(writing, forwarding);
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

fn failed(channel: u8, port: u16, pod: &Value, why: &std::io::Error) -> Message {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let text = format!(
        "error forwarding port {port} to pod {uid}, uid : failed to execute portforward: failed to connect to \
         localhost:{port} inside the pod: {why}"
    );
    channels::message(channel, text.as_bytes())
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
