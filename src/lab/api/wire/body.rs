//! Reading request bodies.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use crate::lab::api::error::ApiError;

/// As much as a real API server takes.
const LIMIT: usize = 3 * 1024 * 1024;

/// The whole body.
///
/// # Errors
/// 413 when it is too large, 400 when it breaks off.
pub(crate) async fn read(body: Incoming) -> Result<Bytes, ApiError> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {LIMIT}");
            Err(ApiError::new(413, "RequestEntityTooLarge", message).with(serde_json::json!({})))
        }
        Err(e) => Err(ApiError::bad_request(format!("the body could not be read: {e}"))),
    }
}

/// The content type without its parameters, in small letters; empty when there is none.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// An object in JSON or YAML.
///
/// # Errors
/// 415 for another type, 400 for what can't be read.
pub(crate) fn object(headers: &HeaderMap, body: &[u8]) -> Result<Value, ApiError> {
    let value = match content_type(headers).as_str() {
        "" | "application/json" | "text/plain" => json(body)?,
        "application/yaml" | "application/x-yaml" | "text/yaml" => yaml(body)?,
        other => return Err(unsupported(other, "application/json, application/yaml")),
    };
    if value.is_object() {
        return Ok(value);
    }
    Err(ApiError::bad_request("couldn't get version/kind; json parse error: the body is not a JSON object"))
}

/// JSON of any shape.
///
/// # Errors
/// 400.
pub(crate) fn json(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|e| ApiError::bad_request(format!("the object provided is unrecognized (must be of type JSON): {e}")))
}

/// YAML of any shape; JSON is YAML too.
///
/// # Errors
/// 400.
pub(crate) fn yaml(body: &[u8]) -> Result<Value, ApiError> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let refuse = |e: String| ApiError::bad_request(format!("error converting YAML to JSON: {e}"));
    let text = std::str::from_utf8(body).map_err(|e| refuse(e.to_string()))?;
    // A name such as `y` or `on` is a text, as clients' own readers take it.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|e| {
        let text = e.to_string();
        refuse(text.lines().next().unwrap_or_default().to_owned())
    })
}

/// 415. Protobuf gets a word of its own: typed clients send nothing else.
pub(crate) fn unsupported(content_type: &str, accepted: &str) -> ApiError {
    let why = if content_type == "application/vnd.kubernetes.protobuf" {
        " (the lab's API does not read protobuf: use a client that sends JSON, such as kubectl apply or create -f)"
    } else {
        ""
    };
    ApiError::new(
        415,
        "UnsupportedMediaType",
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}{why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(content_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().expect("header"));
        headers
    }

    #[test]
    fn json_yaml_and_nothing_else() {
        let wanted = serde_json::json!({"spec": {"instances": 3, "on": "yes"}});
        let yaml = b"spec:\n  instances: 3\n  \"on\": \"yes\"\n";
        assert_eq!(object(&typed("application/yaml"), yaml), Ok(wanted.clone()));
        assert_eq!(object(&typed("application/json; charset=utf-8"), wanted.to_string().as_bytes()), Ok(wanted));
        assert_eq!(object(&HeaderMap::new(), b"[1]").map_err(|e| e.code), Err(400));
        assert_eq!(object(&HeaderMap::new(), b"{").map_err(|e| e.code), Err(400));
        let protobuf = object(&typed("application/vnd.kubernetes.protobuf"), b"k8s\0");
        assert_eq!(protobuf.map_err(|e| e.code), Err(415));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_not_feared(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&typed("application/yaml"), &body);
            let _ = object(&typed("application/json"), &body);
        }
    }
}
