//! SPDY/3.1, as much of it as kubectl needs: streams with headers, data, and an end. kubectl's port-forward speaks
//! nothing else, and its exec did so before 1.30. Flow control is left to TCP, as Kubernetes' own implementation does.

mod headers;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

pub(super) use headers::Headers;
use headers::Inflater;

/// Larger frames than clients ever send end the connection.
const LIMIT: usize = 1 << 20;
const FIN: u8 = 1;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;

/// What the other side said.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Opened(u32, Headers),
    Data(u32, Bytes),
    /// It has no more to say on this stream.
    End(u32),
}

/// Speaks on the streams of a connection.
#[derive(Clone)]
pub(super) struct Voice(mpsc::Sender<Vec<u8>>);

impl Voice {
    /// Data on a stream. Errs when the other side is gone.
    pub async fn data(&self, stream: u32, data: &[u8]) -> Result<(), ()> {
        self.frame(&stream.to_be_bytes(), 0, data).await
    }

    /// No more data on a stream.
    pub async fn end(&self, stream: u32) -> Result<(), ()> {
        self.frame(&stream.to_be_bytes(), FIN, &[]).await
    }

    /// No more streams at all.
    pub async fn goodbye(&self) -> Result<(), ()> {
        self.control(GOAWAY, &[0; 8]).await
    }

    async fn reply(&self, stream: u32, first: bool) -> Result<(), ()> {
        let mut body = stream.to_be_bytes().to_vec();
        body.extend_from_slice(&headers::none(first));
        self.control(SYN_REPLY, &body).await
    }

    async fn control(&self, kind: u16, body: &[u8]) -> Result<(), ()> {
        let [high, low] = kind.to_be_bytes();
        self.frame(&[0x80, 3, high, low], 0, body).await
    }

    async fn frame(&self, head: &[u8; 4], flags: u8, body: &[u8]) -> Result<(), ()> {
        let length = u32::try_from(body.len()).map_err(|_| ())?.to_be_bytes();
        let mut frame = Vec::with_capacity(body.len() + 8);
        frame.extend_from_slice(head);
        frame.push(flags);
        frame.extend_from_slice(&length[1..]);
        frame.extend_from_slice(body);
        self.0.send(frame).await.map_err(|_| ())
    }
}

/// Hears what the other side says, and answers what needs no thought (pings, new streams).
pub(super) struct Ear<R> {
    from: R,
    buffer: BytesMut,
    inflater: Inflater,
    voice: Voice,
    replied: bool,
    ready: Option<Said>,
}

/// Takes a connection apart into an ear, a voice, and the work of writing, which ends with the last voice.
pub(super) fn begin<S: AsyncRead + AsyncWrite + Send + Unpin>(
    stream: S,
) -> (Ear<tokio::io::ReadHalf<S>>, Voice, impl Future<Output = ()>) {
    let (from, mut to) = tokio::io::split(stream);
    let (sender, mut frames) = mpsc::channel::<Vec<u8>>(64);
    let voice = Voice(sender);
    let writing = async move {
        while let Some(frame) = frames.recv().await {
            if to.write_all(&frame).await.is_err() || (frames.is_empty() && to.flush().await.is_err()) {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    let inflater = Inflater::new();
    (Ear { from, buffer: BytesMut::new(), inflater, voice: voice.clone(), replied: false, ready: None }, voice, writing)
}

impl<R: AsyncRead + Unpin> Ear<R> {
    /// The next thing; none when the other side is gone or makes no sense.
    pub async fn next(&mut self) -> Option<Said> {
        loop {
            if let Some(said) = self.ready.take() {
                return Some(said);
            }
            while self.buffer.len() < 8 {
                self.fill().await?;
            }
            let length =
                usize::from(self.buffer[5]) << 16 | usize::from(self.buffer[6]) << 8 | usize::from(self.buffer[7]);
            if length > LIMIT {
                return None;
            }
            while self.buffer.len() < 8 + length {
                self.fill().await?;
            }
            let head = self.buffer.split_to(8);
            let body = self.buffer.split_to(length).freeze();
            let fin = head[4] & FIN != 0;
            if head[0] & 0x80 == 0 {
                let stream = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
                match (body.is_empty(), fin) {
                    (true, true) => return Some(Said::End(stream)),
                    (true, false) => {}
                    (false, _) => {
                        self.ready = fin.then_some(Said::End(stream));
                        return Some(Said::Data(stream, body));
                    }
                }
                continue;
            }
            if let Some(said) = self.control(u16::from_be_bytes([head[2], head[3]]), body, fin).await? {
                return Some(said);
            }
        }
    }

    /// A control frame: something to tell, nothing, or (outer none) the end.
    async fn control(&mut self, kind: u16, mut body: Bytes, fin: bool) -> Option<Option<Said>> {
        match kind {
            SYN_STREAM if body.len() >= 10 => {
                let stream = body.get_u32() & 0x7fff_ffff;
                body.advance(6);
                let headers = self.inflater.read(&body)?;
                let first = !std::mem::replace(&mut self.replied, true);
                self.voice.reply(stream, first).await.ok()?;
                self.ready = fin.then_some(Said::End(stream));
                Some(Some(Said::Opened(stream, headers)))
            }
            // Read for the sake of the compression, which remembers.
            SYN_REPLY | HEADERS if body.len() >= 4 => {
                body.advance(4);
                self.inflater.read(&body)?;
                Some(None)
            }
            RST_STREAM if body.len() >= 4 => Some(Some(Said::End(body.get_u32() & 0x7fff_ffff))),
            PING => {
                self.voice.control(PING, &body).await.ok()?;
                Some(None)
            }
            GOAWAY => None,
            _ => Some(None),
        }
    }

    async fn fill(&mut self) -> Option<()> {
        match self.from.read_buf(&mut self.buffer).await {
            Ok(1..) => Some(()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_recorded_conversation() {
        let (mut near, far) = tokio::io::duplex(4096);
        let (mut ear, voice, writing) = begin(far);
        tokio::spawn(writing);
        // As kubectl 1.32 sent it: the error stream of a port-forward, and its end.
        let block = hex(
            "78f9e3c6a7c202253a060606ce2248fc6482d22da30138e59514a526e6420b17d65450d0430aea22709e3035313602000000ffff",
        );
        let mut sent = vec![0x80, 3, 0, 1, 0, 0, 0, 0x3e, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        sent.extend(block);
        sent.extend([0, 0, 0, 1, 1, 0, 0, 0]);
        sent.extend([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 9]);
        near.write_all(&sent).await.expect("sent");
        let Some(Said::Opened(1, headers)) = ear.next().await else { panic!("a stream") };
        assert_eq!(
            (headers.get("streamtype"), headers.get("port"), headers.get("requestid")),
            (Some("error"), Some("5432"), Some("0"))
        );
        assert_eq!(ear.next().await, Some(Said::End(1)));
        voice.data(1, b"hi").await.expect("said");
        let mut answer = [0; 8];
        near.read_exact(&mut answer).await.expect("reply");
        assert_eq!(answer[..4], [0x80, 3, 0, 2]);
        let mut rest = vec![0; usize::from(answer[7])];
        near.read_exact(&mut rest).await.expect("reply");
        let mut data = [0; 10];
        near.read_exact(&mut data).await.expect("data");
        assert_eq!(data, [0, 0, 0, 1, 0, 0, 0, 2, b'h', b'i']);
        near.shutdown().await.expect("closed");
        assert_eq!(ear.next().await, None);
        near.read_exact(&mut [0; 12]).await.expect("the ping came back");
    }

    pub(super) fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap_or(0)).collect()
    }
}
