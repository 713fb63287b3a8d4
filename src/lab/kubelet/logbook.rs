//! What a container wrote: the last lines, and those to come.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::lab::api::runtime::{LogLine, Logs};

/// Lines that are kept of one run of a container.
const KEPT: usize = 5_000;
/// Lines a follower may be behind before it loses some.
const BEHIND: usize = 4_096;

/// The log of one run of a container. Cheap to clone; followers end when it is closed.
#[derive(Clone, Debug)]
pub struct LogBook {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    past: VecDeque<LogLine>,
    coming: Option<broadcast::Sender<LogLine>>,
}

impl Default for LogBook {
    fn default() -> Self {
        let coming = Some(broadcast::channel(BEHIND).0);
        LogBook { inner: Arc::new(Mutex::new(Inner { past: VecDeque::new(), coming })) }
    }
}

impl LogBook {
    /// Writes a line.
    pub fn write(&self, at: Timestamp, text: String) {
        let line = LogLine { at, text: Bytes::from(text) };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.past.len() == KEPT {
            inner.past.pop_front();
        }
        inner.past.push_back(line.clone());
        if let Some(coming) = &inner.coming {
            // Nobody listens: that is no error.
            let _ = coming.send(line);
        }
    }

    /// Ends it: the container has ended.
    pub fn close(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).coming = None;
    }

    /// The lines so far, and when `follow`, those to come. No line is in both, none is between.
    pub fn read(&self, follow: bool) -> Logs {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = inner.coming.as_ref().filter(|_| follow).map(|sender| {
            let lines = BroadcastStream::new(sender.subscribe());
            lines.filter_map(|line| std::future::ready(line.ok())).boxed()
        });
        Logs { past: inner.past.iter().cloned().collect(), coming }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn past_and_coming_lines_meet_without_gap() {
        let book = LogBook::default();
        let line = |n: i64| Timestamp::from_second(n).unwrap();
        book.write(line(1), "one".to_owned());
        let logs = book.read(true);
        book.write(line(2), "two".to_owned());
        book.close();
        let coming: Vec<_> = logs.coming.unwrap().collect().await;
        assert_eq!((logs.past.len(), logs.past[0].text.as_ref()), (1, b"one".as_ref()));
        assert_eq!((coming.len(), coming[0].text.as_ref()), (1, b"two".as_ref()));
        assert!(book.read(true).coming.is_none());
        assert_eq!(book.read(false).past.len(), 2);
    }
}
