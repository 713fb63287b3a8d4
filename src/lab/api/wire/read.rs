//! Getting and listing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Wire;
use super::accept::Wanted;
use super::answer::Answer;
use super::events;
use super::path::{Objects, Query};
use super::render::{self, Carry};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::{EVENTS, EVENTS_V1, Resource};
use crate::lab::api::selector::Selector;
use crate::lab::api::store::Listing;

impl Wire {
    /// One object.
    pub(super) fn get(&self, at: &Objects, query: &Query, wanted: Wanted) -> Result<Answer, ApiError> {
        let resource = at.resource;
        let found = self.store.get(stored(resource), at.namespace(), at.object());
        let found = found.ok_or_else(|| ApiError::not_found(resource, at.object()))?;
        render::object(200, resource, &events::shown(resource, &found), wanted, Carry::of(query.get("includeObject"))?)
    }

    /// A collection, or a page of it.
    pub(super) async fn list(&self, at: &Objects, query: &Query, wanted: Wanted) -> Result<Answer, ApiError> {
        let resource = at.resource;
        let selector = selector(at, query)?;
        let carry = Carry::of(query.get("includeObject"))?;
        self.reach(query).await?;
        let Listing { mut items, resource_version } = self.store.list(stored(resource), at.ns.as_deref(), &selector);
        let mut meta = json!({ "resourceVersion": resource_version.to_string() });
        if let Some(token) = query.get("continue") {
            let (after, version) = resume(token)?;
            items.retain(|o| place(o) > after);
            meta["resourceVersion"] = json!(version);
        }
        if let Some(limit) = query.number::<usize>("limit")?.filter(|n| *n > 0 && *n < items.len()) {
            let rest = items.len() - limit;
            items.truncate(limit);
            let (ns, name) = items.last().map(|o| place(o)).unwrap_or_default();
            let token = json!({ "v": "meta.k8s.io/v1", "rv": meta["resourceVersion"], "ns": ns, "start": name });
            meta["continue"] = json!(URL_SAFE_NO_PAD.encode(token.to_string()));
            if selector.is_empty() {
                meta["remainingItemCount"] = json!(rest);
            }
        }
        let items: Vec<_> = items.iter().map(|o| events::shown(resource, o)).collect();
        render::list(resource, &items, meta, wanted, carry)
    }

    /// Resource versions of a list: not older than, or exactly. What is not reached within three seconds is refused,
    /// as a real server does it.
    async fn reach(&self, query: &Query) -> Result<(), ApiError> {
        let matching = query.get("resourceVersionMatch");
        let Some(asked) = query.get("resourceVersion") else {
            return match matching {
                Some(_) if query.get("continue").is_none() => Err(ApiError::bad_request(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
                )),
                _ => Ok(()),
            };
        };
        let asked = version(asked)?;
        match matching {
            Some("Exact") if asked == self.store.resource_version() => return Ok(()),
            Some("Exact") if asked < self.store.resource_version() => {
                return Err(ApiError::expired(asked, self.store.resource_version()));
            }
            None | Some("Exact" | "NotOlderThan") => {}
            Some(other) => {
                return Err(ApiError::bad_request(format!(
                    "resourceVersionMatch: Unsupported value: \"{other}\": supported values: \"Exact\", \"NotOlderThan\""
                )));
            }
        }
        for _ in 0..30 {
            if asked <= self.store.resource_version() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(too_large(asked, self.store.resource_version()))
    }
}

/// The kind under which a kind's objects are kept.
pub(super) fn stored(resource: &'static Resource) -> &'static Resource {
    if resource == &EVENTS_V1 { &EVENTS } else { resource }
}

/// 504: that version is not here yet.
pub(super) fn too_large(asked: u64, current: u64) -> ApiError {
    ApiError::new(504, "Timeout", format!("Timeout: Too large resource version: {asked}, current: {current}"))
        .with(json!({ "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
                "retryAfterSeconds": 1 }))
}

/// A resource version as a number.
pub(super) fn version(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "invalid resource version \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        ))
    })
}

fn place(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

fn resume(token: &str) -> Result<((String, String), String), ApiError> {
    let bad = || ApiError::bad_request("continue key is not valid");
    let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).map_err(|_| bad())?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let text = |field: &str| token[field].as_str().map(str::to_owned).ok_or_else(bad);
    Ok(((text("ns")?, text("start")?), text("rv")?))
}

/// The selectors of a request. A name in the path of a watch counts as one.
pub(super) fn selector(at: &Objects, query: &Query) -> Result<Selector, ApiError> {
    let mut selector = Selector::labels(query.get("labelSelector").unwrap_or_default())?;
    let fields = query.get("fieldSelector").unwrap_or_default();
    selector = selector.and_fields(fields)?;
    for path in selector.field_paths() {
        if !indexed(at.resource, path) {
            return Err(ApiError::bad_request(format!("field label not supported: {path}")));
        }
    }
    let selector =
        if at.name.is_some() { selector.and_fields(&format!("metadata.name={}", at.object()))? } else { selector };
    Ok(selector)
}

/// Whether a kind can be selected by this field.
fn indexed(resource: &Resource, path: &str) -> bool {
    let own: &[&str] = match (resource.group, resource.plural) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "namespaces") => &["status.phase"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "events") | ("events.k8s.io", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("batch", "jobs") => &["status.successful"],
        ("apps", "replicasets") => &["status.replicas"],
        _ => &[],
    };
    matches!(path, "metadata.name" | "metadata.namespace") || own.contains(&path)
}
