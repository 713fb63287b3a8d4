//! A container's log as text.

use std::convert::Infallible;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::container;
use crate::lab::api::error::{ApiError, Cause};
use crate::lab::api::resources::PODS;
use crate::lab::api::runtime::{LogLine, LogRequest};
use crate::lab::api::wire::Wire;
use crate::lab::api::wire::answer::{self, Answer};
use crate::lab::api::wire::path::{Objects, Query};

/// Which lines, and how.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cut {
    tail: Option<usize>,
    since: Option<Timestamp>,
    timestamps: bool,
    limit: Option<usize>,
}

impl Wire {
    pub(super) async fn log(&self, at: &Objects, query: &Query, stop: CancellationToken) -> Result<Answer, ApiError> {
        let pod = self.find_pod(at)?;
        let cut = cut(at.object(), query, Timestamp::now())?;
        let request = LogRequest {
            container: container(&pod, query.get("container"))?,
            previous: query.flag("previous"),
            follow: query.flag("follow"),
        };
        let logs = self.runtime.logs(pod, request).await?;
        let past = cut.past(logs.past);
        let left = cut.limit.map(|limit| limit.saturating_sub(past.len()));
        let Some(coming) = logs.coming.filter(|_| left != Some(0)) else {
            return Ok(answer::whole(200, "text/plain", past));
        };
        let coming = coming.map(move |line| cut.line(&line)).take_until(stop.cancelled_owned());
        let lines = stream::iter([past]).chain(coming).map(|text| Ok::<_, Infallible>(Frame::data(text)));
        let mut answer = answer::whole(200, "text/plain", Bytes::new());
        *answer.body_mut() = StreamBody::new(lines).boxed_unsync();
        Ok(answer)
    }
}

fn cut(pod: &str, query: &Query, now: Timestamp) -> Result<Cut, ApiError> {
    let positive = |field: &str| -> Result<Option<i64>, ApiError> {
        let value = query.number::<i64>(field)?;
        match value {
            Some(n) if n < 0 || (n == 0 && field != "tailLines") => {
                let why =
                    if field == "tailLines" { "must be greater than or equal to 0" } else { "must be greater than 0" };
                Err(ApiError::invalid(&PODS, pod, &[Cause::value(field, &n.into(), why)]))
            }
            other => Ok(other),
        }
    };
    let since = match (positive("sinceSeconds")?, query.get("sinceTime")) {
        (Some(seconds), _) => Some(now.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)),
        (None, Some(text)) => {
            let bad = |e| ApiError::bad_request(format!("invalid value for sinceTime: {e}"));
            Some(text.parse().map_err(bad)?)
        }
        (None, None) => None,
    };
    let size = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(Cut {
        tail: positive("tailLines")?.map(size),
        since,
        timestamps: query.flag("timestamps"),
        limit: positive("limitBytes")?.map(size),
    })
}

impl Cut {
    /// The end of what was written, then what of it is young enough.
    fn past(&self, lines: Vec<LogLine>) -> Bytes {
        let skip = self.tail.map_or(0, |n| lines.len().saturating_sub(n));
        let mut text = BytesMut::new();
        for line in &lines[skip..] {
            text.extend_from_slice(&self.line(line));
        }
        if let Some(limit) = self.limit {
            text.truncate(limit);
        }
        text.freeze()
    }

    /// Empty for a line that is too old.
    fn line(&self, line: &LogLine) -> Bytes {
        if self.since.is_some_and(|since| line.at < since) {
            return Bytes::new();
        }
        let mut text = BytesMut::with_capacity(line.text.len() + 32);
        if self.timestamps {
            text.extend_from_slice(line.at.to_string().as_bytes());
            text.put_u8(b' ');
        }
        text.extend_from_slice(&line.text);
        text.put_u8(b'\n');
        text.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_by_number_time_and_size() {
        let now: Timestamp = "2026-11-20T23:00:10Z".parse().expect("time");
        let line = |second: i64, text: &'static str| LogLine {
            at: now - SignedDuration::from_secs(10 - second),
            text: Bytes::from_static(text.as_bytes()),
        };
        let lines = vec![line(1, "one"), line(5, "two"), line(9, "three")];
        let shown = |query: &str| {
            let cut = cut("p", &Query::parse(Some(query)), now).expect("good");
            String::from_utf8(cut.past(lines.clone()).to_vec()).expect("text")
        };
        assert_eq!(shown(""), "one\ntwo\nthree\n");
        assert_eq!(shown("tailLines=2"), "two\nthree\n");
        assert_eq!(shown("tailLines=0"), "");
        assert_eq!(shown("sinceSeconds=2"), "three\n");
        assert_eq!(
            shown("sinceTime=2026-11-20T23:00:05Z&timestamps=true&tailLines=2"),
            "2026-11-20T23:00:05Z two\n2026-11-20T23:00:09Z three\n"
        );
        assert_eq!(shown("limitBytes=5"), "one\nt");
        for (bad, code) in [("tailLines=-1", 422), ("sinceSeconds=0", 422), ("sinceTime=x", 400), ("tailLines=x", 400)]
        {
            assert_eq!(cut("p", &Query::parse(Some(bad)), now).map_err(|e| e.code), Err(code), "{bad}");
        }
    }
}
