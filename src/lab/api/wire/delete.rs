//! Deleting one object or many.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Wire;
use super::answer::{self, Answer};
use super::body::{self, content_type};
use super::path::Query;
use super::read::{selector, stored};
use super::render::{self, Carry};
use super::write::Sent;
use super::writer::{Writer, dry_run};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::Resource;
use crate::lab::api::store::{DeleteOptions, Preconditions, Propagation};

/// The Status of what went well.
pub(super) fn success(code: u16) -> Value {
    let mut status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success" });
    if code != 200 {
        status["code"] = json!(code);
    }
    status
}

/// Reads a `DeleteOptions` object; null means none.
pub(super) fn options(sent: &Value) -> Result<DeleteOptions, ApiError> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let grace = match &sent["gracePeriodSeconds"] {
        Value::Null => None,
        value => Some(value.as_i64().ok_or_else(|| ApiError::bad_request("gracePeriodSeconds must be an integer"))?),
    };
    let propagation = match (sent["propagationPolicy"].as_str(), sent["orphanDependents"].as_bool()) {
        (Some(policy), _) => propagation(policy)?,
        (None, Some(true)) => Propagation::Orphan,
        (None, _) => Propagation::Background,
    };
    Ok(DeleteOptions {
        // A negative grace means the shortest there is.
        grace: grace.map(|g| u64::try_from(g).unwrap_or(1)),
        preconditions: Preconditions {
            uid: text(&sent["preconditions"]["uid"]),
            resource_version: text(&sent["preconditions"]["resourceVersion"]),
        },
        propagation,
    })
}

fn propagation(policy: &str) -> Result<Propagation, ApiError> {
    match policy {
        "Background" => Ok(Propagation::Background),
        "Foreground" => Ok(Propagation::Foreground),
        "Orphan" => Ok(Propagation::Orphan),
        other => Err(ApiError::bad_request(format!(
            "invalid DeleteOptions: propagationPolicy: Unsupported value: \"{other}\": supported values: \
             \"Background\", \"Foreground\", \"Orphan\""
        ))),
    }
}

impl Wire {
    /// DELETE of one object.
    pub(super) fn delete(&self, sent: &Sent) -> Result<Answer, ApiError> {
        let (writer, options) = self.deleting(sent)?;
        let (resource, at) = (sent.at.resource, sent.at);
        let last = writer.store.delete(stored(resource), at.namespace(), at.object(), &options)?;
        if returns_object(resource) || last["metadata"]["deletionTimestamp"].is_string() {
            return sent.answer(200, &last, &[]);
        }
        let mut status = success(200);
        let mut details = json!({ "name": at.object() });
        if !resource.group.is_empty() {
            details["group"] = json!(resource.group);
        }
        details["kind"] = json!(resource.plural);
        details["uid"] = last["metadata"]["uid"].clone();
        status["details"] = details;
        Ok(answer::json(200, &status))
    }

    /// DELETE of a collection.
    pub(super) fn delete_all(&self, sent: &Sent) -> Result<Answer, ApiError> {
        let (writer, options) = self.deleting(sent)?;
        let (resource, at) = (sent.at.resource, sent.at);
        if resource.namespaced && at.ns.is_none() {
            return Err(super::not_allowed());
        }
        let listing = self.store.list(stored(resource), at.ns.as_deref(), &selector(at, sent.query)?);
        let mut gone = Vec::new();
        for object in listing.items {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            // One that is gone by now is what was wanted.
            match writer.store.delete(stored(resource), at.namespace(), name, &options) {
                Ok(last) => gone.push(last),
                Err(e) if e.is_not_found() => {}
                Err(e) => return Err(e),
            }
        }
        let meta = json!({ "resourceVersion": self.store.resource_version().to_string() });
        let gone: Vec<Arc<Value>> = gone.iter().map(|o| super::events::shown(resource, o)).collect();
        render::list(resource, &gone, meta, sent.wanted, Carry::default())
    }

    /// Options come in the body (JSON or YAML), in the query, or both; the body of a typed client is protobuf, and
    /// then only the query counts.
    fn deleting(&self, sent: &Sent) -> Result<(Writer, DeleteOptions), ApiError> {
        let mut writer = Writer::of(&self.store, sent.at, sent.query, sent.headers)?;
        let protobuf = content_type(sent.headers) == "application/vnd.kubernetes.protobuf";
        let body = match sent.body.is_empty() || protobuf {
            true => Value::Null,
            false => body::object(sent.headers, &sent.body)?,
        };
        let values = body["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if dry_run(sent.at, values)? {
            writer.store = writer.store.dry_run(true);
        }
        let mut options = options(&body)?;
        query_options(sent.query, &mut options)?;
        Ok((writer, options))
    }
}

fn query_options(query: &Query, options: &mut DeleteOptions) -> Result<(), ApiError> {
    if let Some(grace) = query.number::<i64>("gracePeriodSeconds")? {
        options.grace = Some(u64::try_from(grace).unwrap_or(1));
    }
    if let Some(policy) = query.get("propagationPolicy") {
        options.propagation = propagation(policy)?;
    }
    Ok(())
}

/// Kinds whose deletion is answered with the object as it was.
fn returns_object(resource: &Resource) -> bool {
    resource.group.is_empty()
        && matches!(
            resource.plural,
            "pods" | "services" | "serviceaccounts" | "persistentvolumeclaims" | "persistentvolumes"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let read = options(
            &json!({"gracePeriodSeconds": 1, "propagationPolicy": "Foreground", "preconditions": {"uid": "u"}}),
        );
        let read = read.expect("good");
        assert_eq!(
            (read.grace, read.propagation, read.preconditions.uid.as_deref()),
            (Some(1), Propagation::Foreground, Some("u"))
        );
        assert_eq!(options(&Value::Null), Ok(DeleteOptions::default()));
        assert_eq!(options(&json!({"orphanDependents": true})).map(|o| o.propagation), Ok(Propagation::Orphan));
        assert_eq!(options(&json!({"propagationPolicy": "x"})).map_err(|e| e.code), Err(400));
        assert_eq!(options(&json!({"gracePeriodSeconds": "x"})).map_err(|e| e.code), Err(400));
    }
}
