//! Answers and refusals in the words of Azure Blob Storage.

use std::io;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use jiff::Timestamp;

/// What goes back.
pub type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
/// The protocol's version where the client names none.
const DEFAULT_VERSION: &str = "2021-12-02";

/// A request that is not granted: the codes and texts are the service's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error code.
    pub code: &'static str,
    /// What it means.
    pub message: &'static str,
    /// More about it, for those who ask why.
    pub detail: Option<String>,
    /// The size of the blob whose range can't be served.
    pub size: Option<u64>,
}

impl Refusal {
    /// A refusal with these words.
    pub fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Refusal { status, code, message, detail: None, size: None }
    }

    /// With more about it.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// No such blob.
    pub fn no_blob() -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")
    }

    /// No such container.
    pub fn no_container() -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "ContainerNotFound", "The specified container does not exist.")
    }

    /// Not who it says, or nobody.
    pub fn unknown() -> Self {
        let message = "Server failed to authenticate the request. Make sure the value of Authorization header is formed \
                       correctly including the signature.";
        Refusal::new(StatusCode::FORBIDDEN, "AuthenticationFailed", message)
    }

    /// Known, and not allowed to do that: here nobody may write.
    pub fn forbidden() -> Self {
        let message = "This request is not authorized to perform this operation using this permission.";
        Refusal::new(StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch", message)
    }

    /// A parameter that can't be.
    pub fn bad_parameter(name: &str) -> Self {
        let message = "Value for one of the query parameters specified in the request URI is invalid.";
        Refusal::new(StatusCode::BAD_REQUEST, "InvalidQueryParameterValue", message).because(name)
    }

    /// A request of another kind than this service knows.
    pub fn unsupported() -> Self {
        let message = "The resource doesn't support specified Http Verb.";
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", message)
    }

    /// The files can't be read.
    pub fn internal(why: &io::Error) -> Self {
        let message = "The server encountered an internal error. Please retry the request.";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message).because(why.to_string())
    }

    /// As it goes over the wire; `HEAD` has no body.
    pub fn answer(&self, method: &Method) -> Answer {
        let detail = self
            .detail
            .as_deref()
            .map(|d| format!("<AuthenticationErrorDetail>{}</AuthenticationErrorDetail>", escape(d)));
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}\nTime:{}</Message>{}</Error>",
            self.code,
            escape(self.message),
            Timestamp::now(),
            detail.unwrap_or_default(),
        );
        let mut answer = if method == Method::HEAD { empty() } else { xml(text) };
        *answer.status_mut() = self.status;
        answer.headers_mut().insert(ERROR_CODE, HeaderValue::from_static(self.code));
        if let Some(size) = self.size {
            put(answer.headers_mut(), CONTENT_RANGE, &format!("bytes */{size}"));
        }
        answer
    }
}

/// An answer without a body.
pub fn empty() -> Answer {
    Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync())
}

/// An XML document.
pub fn xml(text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer
}

/// Puts a header; a value that can't be one is left out.
pub fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What every answer carries.
pub fn sign_off(answer: &mut Answer, asked: &HeaderMap) {
    let version = asked.get(&VERSION).cloned().unwrap_or(HeaderValue::from_static(DEFAULT_VERSION));
    answer.headers_mut().insert(VERSION, version);
    put(answer.headers_mut(), REQUEST_ID, &format!("{:032x}", rand::random::<u128>()));
}

/// Text inside an XML element.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

/// The form of times in headers: `Sat, 21 Nov 2026 09:39:44 GMT`.
pub fn http_time(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
