//! What goes wrong at the API, in the shape Kubernetes gives it: a `Status` object with code, reason and details.

use std::fmt;

use serde_json::{Value, json};

use super::resources::Resource;

/// A refused request. In-process callers look at [`ApiError::reason`]; the wire sends [`ApiError::status`].
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// The HTTP code.
    pub code: u16,
    /// Kubernetes' machine-readable reason, such as `NotFound`. Empty when it has none.
    pub reason: &'static str,
    pub message: String,
    /// `details` of the Status object: name, group, kind, causes.
    pub details: Option<Value>,
}

/// One cause of an invalid object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub reason: &'static str,
    pub message: String,
    pub field: String,
}

impl Cause {
    /// A value that is not allowed. `shown` is the value as JSON.
    pub fn value(field: impl Into<String>, shown: &Value, why: impl fmt::Display) -> Self {
        Cause { reason: "FieldValueInvalid", message: format!("Invalid value: {shown}: {why}"), field: field.into() }
    }

    /// A missing value.
    pub fn required(field: impl Into<String>, why: &str) -> Self {
        let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        Cause { reason: "FieldValueRequired", message, field: field.into() }
    }
}

fn named(resource: &Resource, name: &str) -> Value {
    let mut details = json!({ "name": name });
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    details["kind"] = json!(resource.plural);
    details
}

impl ApiError {
    /// Any code and reason, without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        ApiError { code, reason, message: message.into(), details: None }
    }

    /// The same with details.
    #[must_use]
    pub fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// 404: no such object.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified())).with(named(resource, name))
    }

    /// 409: an object of that name is there already.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()))
            .with(named(resource, name))
    }

    /// 409: somebody else was faster, or a precondition does not hold.
    pub fn conflict(resource: &Resource, name: &str, why: impl fmt::Display) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified()),
        )
        .with(named(resource, name))
    }

    /// 409: the resource version sent is not the stored one.
    pub fn stale(resource: &Resource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 422: the object breaks a rule.
    pub fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Self {
        let each: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        let text = match each.len() {
            1 => each[0].clone(),
            _ => format!("[{}]", each.join(", ")),
        };
        let mut details = json!({ "name": name });
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        details["kind"] = json!(resource.kind);
        details["causes"] =
            causes.iter().map(|c| json!({ "reason": c.reason, "message": c.message, "field": c.field })).collect();
        Self::new(422, "Invalid", format!("{} \"{name}\" is invalid: {text}", resource.qualified_kind())).with(details)
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 403.
    pub fn forbidden(resource: &Resource, name: &str, why: impl fmt::Display) -> Self {
        let subject =
            if name.is_empty() { resource.qualified() } else { format!("{} \"{name}\"", resource.qualified()) };
        let mut details = named(resource, name);
        if name.is_empty()
            && let Some(map) = details.as_object_mut()
        {
            map.remove("name");
        }
        Self::new(403, "Forbidden", format!("{subject} is forbidden: {why}")).with(details)
    }

    /// 410: that resource version is no longer remembered.
    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// 500.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {message}"))
            .with(json!({ "causes": [{ "message": message.to_string() }] }))
    }

    /// 503: a pod does not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// Whether it says that the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    /// Whether it says that another writer was faster.
    pub fn is_conflict(&self) -> bool {
        self.reason == "Conflict"
    }

    /// The Status object.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status["code"] = json!(self.code);
        status
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
