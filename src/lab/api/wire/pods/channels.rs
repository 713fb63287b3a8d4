//! Kubernetes' channels: over a websocket each binary message begins with the number of its channel, over SPDY each is
//! a stream of its own (see `streams`). What runs on them knows only numbers.

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, HeaderValue};
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use crate::lab::api::error::ApiError;
use crate::lab::api::wire::answer::{self, Answer};

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Reader = SplitStream<Socket>;
type Writer = SplitSink<Socket, Message>;

/// The first of our protocols that the client offers too.
pub(super) fn protocol(headers: &HeaderMap, ours: &[&'static str]) -> Result<Option<&'static str>, ApiError> {
    let offered: Vec<&str> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .collect();
    if offered.is_empty() {
        return Ok(None);
    }
    match ours.iter().find(|o| offered.contains(o)) {
        Some(found) => Ok(Some(found)),
        None => Err(ApiError::bad_request(format!(
            "unable to upgrade: {} is not among the protocols the server speaks: {}",
            offered.join(", "),
            ours.join(", ")
        ))),
    }
}

/// The answer that turns the connection into a websocket, and what it turns into.
pub(super) fn accept(
    request: Request<Incoming>,
    protocol: Option<&'static str>,
) -> Result<(Answer, impl Future<Output = Option<Socket>> + Send + use<>), ApiError> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(|k| derive_accept_key(k.as_bytes()));
    let key = key.and_then(|k| HeaderValue::from_str(&k).ok());
    let key = key.ok_or_else(|| ApiError::bad_request("the websocket handshake has no key"))?;
    let mut answer = answer::whole(101, "", Bytes::new());
    let headers = answer.headers_mut();
    headers.clear();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    if let Some(protocol) = protocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    let socket = async move {
        let upgraded = hyper::upgrade::on(request).await.ok()?;
        Some(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await)
    };
    Ok((answer, socket))
}

/// What is to be said to the client.
#[derive(Debug)]
pub(super) struct Say {
    pub channel: u8,
    pub data: Vec<u8>,
}

/// What the client said.
#[derive(Debug)]
pub(super) enum Heard {
    Data(u8, Bytes),
    /// It has no more to say on a channel.
    End(u8),
}

/// Reads a stream to its end into a channel.
pub(super) async fn pump(from: Option<impl AsyncRead + Unpin>, channel: u8, to: mpsc::Sender<Say>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                if to.send(Say { channel, data: buffer[..n].to_vec() }).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Sends what comes until there is no more, then closes in order (clients take any other end for a failure).
pub(super) async fn send_all(mut to: Writer, mut from: mpsc::Receiver<Say>) {
    while let Some(say) = from.recv().await {
        let mut bytes = Vec::with_capacity(say.data.len() + 1);
        bytes.push(say.channel);
        bytes.extend_from_slice(&say.data);
        if to.feed(Message::Binary(bytes.into())).await.is_err() {
            return;
        }
        if from.is_empty() && to.flush().await.is_err() {
            return;
        }
    }
    let end = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let _ = to.send(Message::Close(Some(end))).await;
    let _ = to.close().await;
}

/// Passes on what the client says until it is gone.
pub(super) async fn hear_all(mut from: Reader, to: mpsc::Sender<Heard>) {
    while let Some(heard) = next(&mut from).await {
        if to.send(heard).await.is_err() {
            // Nobody listens any more; the client's leaving still counts.
            while next(&mut from).await.is_some() {}
        }
    }
}

/// The next message; none when the client is gone. On channel 255 (v5) it says which channel is at its end.
async fn next(from: &mut Reader) -> Option<Heard> {
    loop {
        match from.next().await? {
            Ok(Message::Binary(bytes)) => match bytes.as_ref() {
                [255, channel] => return Some(Heard::End(*channel)),
                [channel, ..] => return Some(Heard::Data(*channel, bytes.slice(1..))),
                [] => {}
            },
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
