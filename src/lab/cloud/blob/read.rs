//! Get Blob and Get Blob Properties: a file, whole or a range of it.

use std::fs::Metadata;
use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use futures::TryStreamExt as _;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::answer::{Answer, Refusal, empty, http_time, put};

/// What a blob's headers tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
    /// Changes with its content.
    pub tag: String,
}

impl About {
    /// By its file.
    pub fn of(meta: &Metadata) -> Self {
        let nanoseconds = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
        About {
            size: meta.len(),
            modified: Timestamp::from_second(meta.mtime()).unwrap_or_default(),
            tag: format!("0x{:X}", nanoseconds.unsigned_abs() ^ (meta.len() << 1)),
        }
    }

    fn headers(&self, headers: &mut HeaderMap) {
        put(headers, LAST_MODIFIED, &http_time(self.modified));
        put(headers, ETAG, &format!("\"{}\"", self.tag));
        put(headers, CONTENT_TYPE, "application/octet-stream");
        put(headers, ACCEPT_RANGES, "bytes");
        for (name, value) in [
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-lease-status", "unlocked"),
            ("x-ms-lease-state", "available"),
            ("x-ms-server-encrypted", "true"),
            ("x-ms-creation-time", http_time(self.modified).as_str()),
        ] {
            put(headers, HeaderName::from_static(name), value);
        }
    }

    /// What the request's conditions say to a blob that is so.
    fn meets(&self, request: &Parts) -> Result<(), Refusal> {
        let text = |name: HeaderName| request.headers.get(name).and_then(|v| v.to_str().ok());
        let named = |tags: &str| tags.split(',').map(|t| t.trim().trim_matches('"')).any(|t| t == "*" || t == self.tag);
        let time = |name: HeaderName| text(name).and_then(|t| rfc2822::parse(t).ok()).map(|at| at.timestamp());
        let failed = text(IF_MATCH).is_some_and(|tags| !named(tags))
            || time(IF_UNMODIFIED_SINCE).is_some_and(|at| self.modified > at);
        let same =
            text(IF_NONE_MATCH).is_some_and(named) || time(IF_MODIFIED_SINCE).is_some_and(|at| self.modified <= at);
        let message = "The condition specified using HTTP conditional header(s) is not met.";
        match (failed, same) {
            (true, _) => Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "ConditionNotMet", message)),
            (false, true) => Err(Refusal::new(StatusCode::NOT_MODIFIED, "ConditionNotMet", message)),
            _ => Ok(()),
        }
    }
}

/// Answers `GET` or `HEAD` of a blob.
///
/// # Errors
/// No such blob, a condition that does not hold, a range that it has not.
pub async fn read(file: &Path, request: &Parts) -> Result<Answer, Refusal> {
    let opened = File::open(file).await.map_err(|_| Refusal::no_blob())?;
    let meta = opened.metadata().await.map_err(|e| Refusal::internal(&e))?;
    if !meta.is_file() {
        return Err(Refusal::no_blob());
    }
    let about = About::of(&meta);
    about.meets(request)?;
    if request.method == Method::HEAD {
        let mut answer = empty();
        about.headers(answer.headers_mut());
        put(answer.headers_mut(), CONTENT_LENGTH, &about.size.to_string());
        return Ok(answer);
    }
    let asked = [&request.headers.get("x-ms-range"), &request.headers.get("range")].into_iter().find_map(|h| *h);
    let range = asked.and_then(|value| value.to_str().ok()).and_then(range);
    let (from, to) = match range {
        None => (0, about.size),
        Some((from, _)) if from >= about.size => return Err(beyond(about.size)),
        Some((from, to)) => (from, to.map_or(about.size, |to| about.size.min(to.saturating_add(1)))),
    };
    let mut answer = content(opened, from, to).await.map_err(|e| Refusal::internal(&e))?;
    about.headers(answer.headers_mut());
    put(answer.headers_mut(), CONTENT_LENGTH, &(to - from).to_string());
    if range.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        put(answer.headers_mut(), CONTENT_RANGE, &format!("bytes {from}-{}/{}", to.saturating_sub(1), about.size));
    }
    Ok(answer)
}

fn beyond(size: u64) -> Refusal {
    let message = "The range specified is invalid for the current size of the resource.";
    Refusal { size: Some(size), ..Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message) }
}

/// `bytes=5-9` or `bytes=5-`. Azure has no other form, and takes what it can't read for no range.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (from, to) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let from = from.parse().ok()?;
    let to = if to.is_empty() { None } else { Some(to.parse().ok().filter(|to| *to >= from)?) };
    Some((from, to))
}

async fn content(mut file: File, from: u64, to: u64) -> std::io::Result<Answer> {
    file.seek(SeekFrom::Start(from)).await?;
    let stream = ReaderStream::with_capacity(file.take(to - from), 64 * 1024).map_ok(Frame::data);
    Ok(Response::new(StreamBody::new(stream).boxed_unsync()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn ranges_as_azure_has_them() {
        assert_eq!(range("bytes=5-9"), Some((5, Some(9))));
        assert_eq!(range("bytes=5-"), Some((5, None)));
        for text in ["bytes=-5", "bytes=9-5", "bytes=a-b", "lines=1-2", ""] {
            assert_eq!(range(text), None, "{text}");
        }
    }

    #[test]
    fn conditions_hold_or_not() {
        let modified: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let about = About { size: 1, modified, tag: "0xA".to_owned() };
        let status = |name: &str, value: &str| {
            let parts = Request::get("/").header(name, value).body(()).unwrap().into_parts().0;
            about.meets(&parts).err().map(|refusal| refusal.status.as_u16())
        };
        assert_eq!(status("if-match", "\"0xA\""), None);
        assert_eq!(status("if-match", "\"0xB\""), Some(412));
        assert_eq!(status("if-none-match", "\"0xA\""), Some(304));
        assert_eq!(status("if-none-match", "\"0xB\""), None);
        assert_eq!(status("if-modified-since", "Sat, 21 Nov 2026 09:00:00 GMT"), Some(304));
        assert_eq!(status("if-unmodified-since", "Sat, 21 Nov 2026 08:00:00 GMT"), Some(412));
    }
}
