//! Creating, replacing and patching objects.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use super::accept::Wanted;
use super::answer::{self, Answer};
use super::body::{self, content_type};
use super::path::{Objects, Query};
use super::read::stored;
use super::render::{self, Carry};
use super::valid::Came;
use super::writer::Writer;
use super::{Wire, events, valid};
use crate::lab::api::error::{ApiError, Cause};
use crate::lab::api::patch::managed::Who;
use crate::lab::api::patch::{self, apply, strategic};
use crate::lab::api::resources::{NAMESPACES, Resource};
use crate::lab::api::store::{self, Part};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A writing request with its body.
pub(super) struct Sent<'a> {
    pub at: &'a Objects,
    pub query: &'a Query,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    pub wanted: Wanted,
}

impl Sent<'_> {
    /// Which half of the object the path means.
    fn part(&self) -> Part {
        if self.at.sub.as_deref() == Some("status") { Part::Status } else { Part::Main }
    }

    pub(super) fn answer(&self, code: u16, object: &Arc<Value>, warnings: &[String]) -> Result<Answer, ApiError> {
        let carry = Carry::of(self.query.get("includeObject"))?;
        let shown = events::shown(self.at.resource, object);
        let mut made = render::object(code, self.at.resource, &shown, self.wanted, carry)?;
        answer::warn(&mut made, warnings);
        Ok(made)
    }
}

impl Wire {
    /// POST to a collection.
    pub(super) fn create(&self, sent: &Sent) -> Result<Answer, ApiError> {
        let at = sent.at;
        let object = body::object(sent.headers, &sent.body)?;
        let writer = Writer::of(&self.store, at, sent.query, sent.headers)?;
        if at.resource.namespaced && at.ns.is_none() {
            return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
        }
        if object["metadata"]["resourceVersion"].as_str().is_some_and(|v| !v.is_empty()) {
            return Err(ApiError::new(500, "", "resourceVersion should not be set on objects to be created"));
        }
        let (made, warnings) = self.make(at, &writer, object)?;
        sent.answer(201, &made, &warnings)
    }

    /// Checks and stores a new object.
    fn make(&self, at: &Objects, writer: &Writer, mut object: Value) -> Result<(Arc<Value>, Vec<String>), ApiError> {
        let resource = at.resource;
        check_identity(at, &object)?;
        self.namespace_open(at)?;
        let warnings = valid::fields(resource, &mut object, writer.strictness, Came::Whole)?;
        valid::name(resource, &object)?;
        if resource.status
            && let Some(map) = object.as_object_mut()
        {
            map.remove("status");
        }
        let mut object = events::kept(resource, object);
        if object["metadata"]["namespace"].is_null() && resource.namespaced {
            object["metadata"]["namespace"] = json!(at.namespace());
        }
        writer.store.admission(resource, None, &mut object)?;
        Ok((writer.store.create(stored(resource), at.namespace(), object)?, warnings))
    }

    fn namespace_open(&self, at: &Objects) -> Result<(), ApiError> {
        let Some(ns) = &at.ns else { return Ok(()) };
        let found = self.store.get(&NAMESPACES, "", ns).ok_or_else(|| ApiError::not_found(&NAMESPACES, ns))?;
        if found["metadata"]["deletionTimestamp"].is_string() || found["status"]["phase"] == "Terminating" {
            let why = format!("unable to create new content in namespace {ns} because it is being terminated");
            return Err(ApiError::forbidden(at.resource, at.object(), why));
        }
        Ok(())
    }

    /// PUT.
    pub(super) fn update(&self, sent: &Sent) -> Result<Answer, ApiError> {
        let at = sent.at;
        let mut object = body::object(sent.headers, &sent.body)?;
        let writer = Writer::of(&self.store, at, sent.query, sent.headers)?;
        check_identity(at, &object)?;
        if object["metadata"]["name"] != at.object() {
            return Err(wrong_name(&object, at));
        }
        let resource = at.resource;
        if resource.custom && object["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) {
            let cause = Cause {
                reason: "FieldValueInvalid",
                message: "Invalid value: 0x0: must be specified for an update".into(),
                field: "metadata.resourceVersion".into(),
            };
            return Err(ApiError::invalid(resource, at.object(), &[cause]));
        }
        let warnings = valid::fields(resource, &mut object, writer.strictness, Came::Whole)?;
        let object = events::kept(resource, object);
        let done = writer.store.change(stored(resource), at.namespace(), at.object(), sent.part(), |live| {
            let before = std::mem::replace(live, object.clone());
            self.settled(sent, &writer, &before, live)
        })?;
        sent.answer(200, &done, &warnings)
    }

    /// PATCH, in one of four ways.
    pub(super) fn patch(&self, sent: &Sent) -> Result<Answer, ApiError> {
        let (at, kind) = (sent.at, content_type(sent.headers));
        let resource = at.resource;
        let writer = Writer::of(&self.store, at, sent.query, sent.headers)?;
        let way: fn(&Resource, &mut Value, &Value) -> Result<(), ApiError> = match kind.as_str() {
            APPLY => return self.apply(sent, &writer),
            JSON_PATCH => |_, object, patch| patch::json(object, patch),
            MERGE_PATCH => |_, object, patch| {
                patch::merge(object, patch);
                Ok(())
            },
            STRATEGIC if !resource.custom => strategic::merge,
            other => return Err(body::unsupported(other, &accepted(resource))),
        };
        let patch = body::json(&sent.body)?;
        if kind == MERGE_PATCH && !patch.is_object() {
            return Err(ApiError::bad_request("a merge patch must be a JSON object"));
        }
        let mut warnings = Vec::new();
        let done = writer.store.change(stored(resource), at.namespace(), at.object(), sent.part(), |live| {
            let before = live.clone();
            let mut shown = Value::clone(&events::shown(resource, &Arc::new(live.clone())));
            way(resource, &mut shown, &patch)?;
            if shown["metadata"]["name"] != at.object() {
                return Err(wrong_name(&shown, at));
            }
            warnings = valid::fields(resource, &mut shown, writer.strictness, Came::Patched)?;
            *live = events::kept(resource, shown);
            self.settled(sent, &writer, &before, live)
        })?;
        sent.answer(200, &done, &warnings)
    }

    /// What every change to an object over the wire goes through.
    fn settled(&self, sent: &Sent, writer: &Writer, before: &Value, after: &mut Value) -> Result<(), ApiError> {
        if sent.part() == Part::Status || before == after {
            return Ok(());
        }
        let resource = sent.at.resource;
        if resource.status {
            // Hooks must see the object as it will be stored.
            after["status"] = before["status"].clone();
            if after["status"].is_null()
                && let Some(map) = after.as_object_mut()
            {
                map.remove("status");
            }
        }
        writer.store.admission(resource, Some(before), after)
    }

    /// Server-side apply. What is not there is made.
    fn apply(&self, sent: &Sent, writer: &Writer) -> Result<Answer, ApiError> {
        let at = sent.at;
        let resource = at.resource;
        let mut config = body::yaml(&sent.body)?;
        if sent.query.get("fieldManager").is_none() {
            let cause = Cause::required("fieldManager", "is required for apply patch");
            return Err(ApiError::invalid(resource, "", &[cause]));
        }
        if !config.is_object() || config["kind"].is_null() || config["apiVersion"].is_null() {
            return Err(ApiError::bad_request("apply patch: the body must be an object with apiVersion and kind"));
        }
        check_identity(at, &config)?;
        if !config["metadata"]["managedFields"].is_null() {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        let named = config["metadata"]["name"].as_str();
        if named.is_some_and(|n| n != at.object()) {
            return Err(wrong_name(&config, at));
        }
        config["metadata"]["name"] = json!(at.object());
        let warnings = valid::fields(resource, &mut config, writer.strictness, Came::Applied)?;
        if resource.status
            && let Some(map) = config.as_object_mut()
        {
            match sent.part() {
                Part::Main => drop(map.remove("status")),
                Part::Status => map.retain(|k, _| matches!(k.as_str(), "apiVersion" | "kind" | "metadata" | "status")),
            }
        }
        let config = events::kept(resource, config);
        let subresource = at.sub.as_deref().unwrap_or_default();
        let who = Who { manager: &writer.manager, applies: true, subresource };
        let now = store::now();
        let owning = writer.store.owning();
        let done = owning.change(stored(resource), at.namespace(), at.object(), sent.part(), |live| {
            let before = live.clone();
            *live = apply::apply(resource, &before, &config, who, writer.force, &now)?;
            self.settled(sent, writer, &before, live)
        });
        match done {
            Err(e) if e.is_not_found() && at.sub.is_none() => {
                let version = config["metadata"]["resourceVersion"].as_str().unwrap_or_default();
                if !version.is_empty() {
                    return Err(e);
                }
                let fresh = apply::apply(resource, &json!({}), &config, who, true, &now)?;
                let owning = Writer { store: owning, ..Writer::of(&self.store, at, sent.query, sent.headers)? };
                let (made, _) = self.make(at, &owning, fresh)?;
                sent.answer(201, &made, &warnings)
            }
            other => sent.answer(200, &other?, &warnings),
        }
    }
}

fn accepted(resource: &Resource) -> String {
    let mut all = vec![JSON_PATCH, MERGE_PATCH, APPLY];
    if !resource.custom {
        all.insert(2, STRATEGIC);
    }
    all.join(", ")
}

fn wrong_name(object: &Value, at: &Objects) -> ApiError {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    ApiError::bad_request(format!(
        "the name of the object ({name}) does not match the name on the URL ({})",
        at.object()
    ))
}

/// An object must be what its path says.
fn check_identity(at: &Objects, object: &Value) -> Result<(), ApiError> {
    let resource = at.resource;
    let (version, kind) = (&object["apiVersion"], &object["kind"]);
    let wrong = |is: &Value, wanted: &str| !is.is_null() && is != "" && is != wanted;
    if wrong(version, &resource.api_version()) {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({})",
            version.as_str().unwrap_or_default(),
            resource.api_version()
        )));
    }
    if wrong(kind, resource.kind) {
        let (kind, version) = (kind.as_str().unwrap_or_default(), resource.version);
        let message = format!("{kind} in version \"{version}\" cannot be handled as a {}", resource.kind);
        return Err(ApiError::bad_request(message));
    }
    if !matches!(object["metadata"], Value::Null | Value::Object(_)) {
        return Err(ApiError::bad_request("json: cannot unmarshal metadata into Go value of type v1.ObjectMeta"));
    }
    let ns = object["metadata"]["namespace"].as_str().unwrap_or_default();
    if resource.namespaced && !ns.is_empty() && ns != at.namespace() {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}
