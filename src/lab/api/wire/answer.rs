//! Answers: JSON, plain text, Status objects, streams.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;

use crate::lab::api::error::ApiError;

/// What goes back.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A whole body of some type.
pub(crate) fn whole(code: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

/// JSON.
pub(crate) fn json(code: u16, value: &Value) -> Answer {
    let mut text = value.to_string();
    text.push('\n');
    whole(code, "application/json", text)
}

/// A Status object.
pub(crate) fn error(error: &ApiError) -> Answer {
    json(error.code, &error.status())
}

/// Adds `Warning` headers, as kubectl shows them.
pub(crate) fn warn(answer: &mut Answer, warnings: &[String]) {
    for warning in warnings {
        let text: String = warning.chars().filter(|c| !c.is_control()).collect();
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{text}\"")) {
            answer.headers_mut().append(header::WARNING, value);
        }
    }
}

/// What Kubernetes says to a path that leads nowhere.
pub(crate) fn not_found_path() -> Answer {
    whole(404, "text/plain; charset=utf-8", "404 page not found\n")
}
