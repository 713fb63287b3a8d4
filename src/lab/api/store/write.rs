//! Creating and changing objects.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Key, Store, key, meta};
use crate::lab::api::defaults;
use crate::lab::api::error::ApiError;
use crate::lab::api::patch::managed::{self, Who};
use crate::lab::api::resources::Resource;

/// Which half of an object a write means, for kinds whose status is a subresource. For other kinds both mean all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Everything but `status`.
    #[default]
    Main,
    /// Only `status` (and, as Kubernetes allows, metadata's labels and annotations stay as they are).
    Status,
}

impl Store {
    /// Puts a new object in place: name from `generateName`, uid, creation time, generation, resource version.
    ///
    /// # Errors
    /// 409 when the name is taken, 422 without a name.
    pub fn create(&self, resource: &'static Resource, ns: &str, object: Value) -> Result<Arc<Value>, ApiError> {
        let mut object = prepare(resource, ns, object)?;
        if !self.hand.owns {
            self.track(resource, &json!({ "metadata": {} }), &mut object);
        }
        let key = key(resource, ns, meta::text(&object, "name"));
        let mut world = self.world();
        if world.table(resource).objects.contains_key(&key) {
            return Err(ApiError::already_exists(resource, &key.1));
        }
        if self.hand.dry {
            return Ok(Arc::new(object));
        }
        Ok(world.put(resource, key, object))
    }

    /// Reads, changes and writes an object as one step. `edit` may run again when another writer was faster, so it
    /// must only compute. A change that changes nothing is no write. Identity (name, uid, creation time) can't be
    /// changed; a resource version set by `edit` must be the stored one.
    ///
    /// # Errors
    /// 404 without such an object, 409 for a stale resource version, and what `edit` returns.
    pub fn change(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        part: Part,
        mut edit: impl FnMut(&mut Value) -> Result<(), ApiError>,
    ) -> Result<Arc<Value>, ApiError> {
        if part == Part::Status && resource.status && self.hand.subresource.is_empty() {
            return self.through("status").change(resource, ns, name, part, edit);
        }
        let key = key(resource, ns, name);
        loop {
            let before = self.get(resource, ns, name).ok_or_else(|| ApiError::not_found(resource, name))?;
            let mut after = Value::clone(&before);
            edit(&mut after)?;
            settle(resource, part, &before, &mut after)?;
            if after == *before {
                return Ok(before);
            }
            if !self.hand.owns {
                self.track(resource, &before, &mut after);
            }
            if self.hand.dry {
                return Ok(Arc::new(after));
            }
            if let Some(done) = self.replace(resource, &key, &before, after) {
                return Ok(done);
            }
        }
    }

    /// Keeps the owners of fields. Where nobody has claimed anything, a writer without a name doesn't begin.
    fn track(&self, resource: &'static Resource, before: &Value, after: &mut Value) {
        let manager = self.hand.manager.as_deref();
        if manager.is_none() && before["metadata"]["managedFields"].is_null() {
            return;
        }
        let who = Who { manager: manager.unwrap_or("howdah-lab"), applies: false, subresource: self.hand.subresource };
        managed::update(resource, before, after, who, &meta::now());
    }

    /// Writes when the stored object is still `before`; `None` when it is not.
    fn replace(&self, resource: &'static Resource, key: &Key, before: &Arc<Value>, after: Value) -> Option<Arc<Value>> {
        let mut world = self.world();
        if !world.table(resource).objects.get(key).is_some_and(|stored| Arc::ptr_eq(stored, before)) {
            return None;
        }
        // A pod that still has time to end is the kubelet's to remove.
        let over = after["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0) == 0;
        let finished = meta::terminating(before) && over && !meta::held(&after) && meta::held(before);
        let done = world.put(resource, key.clone(), after);
        if !finished {
            return Some(done);
        }
        // The last finalizer is gone: so is the object.
        let last = world.take(resource, key);
        drop(world);
        if let Some(last) = &last {
            self.collect(resource, last);
        }
        last.or(Some(done))
    }
}

/// Makes an object that can be stored out of one that was sent.
pub(crate) fn prepare(resource: &'static Resource, ns: &str, mut object: Value) -> Result<Value, ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request(format!("{} must be an object", resource.kind)));
    }
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    if !object["metadata"].is_object() {
        object["metadata"] = Value::Object(Map::new());
    }
    if meta::text(&object, "name").is_empty() {
        let base = meta::text(&object, "generateName");
        if base.is_empty() {
            let cause = crate::lab::api::error::Cause::required("metadata.name", "name or generateName is required");
            return Err(ApiError::invalid(resource, "", &[cause]));
        }
        object["metadata"]["name"] = json!(format!("{base}{}", meta::suffix()));
    }
    let metadata = &mut object["metadata"];
    metadata["uid"] = json!(meta::uid());
    metadata["creationTimestamp"] = json!(meta::now());
    if resource.namespaced {
        metadata["namespace"] = json!(ns);
    }
    if let Some(metadata) = metadata.as_object_mut() {
        for never in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
            metadata.remove(never);
        }
        if !resource.namespaced {
            metadata.remove("namespace");
        }
        if resource.generation {
            metadata.insert("generation".into(), json!(1));
        }
    }
    defaults::complete(resource, &mut object);
    Ok(object)
}

/// Holds a changed object to the rules: identity stays, the other half stays, generation follows spec.
pub(crate) fn settle(
    resource: &'static Resource,
    part: Part,
    before: &Value,
    after: &mut Value,
) -> Result<(), ApiError> {
    let name = meta::text(before, "name");
    if !after.is_object() || !after["metadata"].is_object() {
        return Err(ApiError::bad_request("the object must keep its metadata"));
    }
    let version = meta::text(after, "resourceVersion");
    if !version.is_empty() && version != meta::text(before, "resourceVersion") {
        return Err(ApiError::stale(resource, name));
    }
    let uid = meta::text(after, "uid");
    if !uid.is_empty() && uid != meta::text(before, "uid") {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::text(before, "uid")
        );
        return Err(ApiError::conflict(resource, name, why));
    }
    if resource.status {
        match part {
            Part::Main => keep(before, after, "status"),
            Part::Status => {
                let status = after.get("status").cloned();
                let managed = after["metadata"].get("managedFields").cloned();
                *after = before.clone();
                put_or_drop(after, "status", status);
                put_or_drop(&mut after["metadata"], "managedFields", managed);
            }
        }
    }
    after["apiVersion"] = before["apiVersion"].clone();
    after["kind"] = before["kind"].clone();
    for own in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let value = before["metadata"].get(own).cloned();
        put_or_drop(&mut after["metadata"], own, value);
    }
    if resource.generation && before.get("spec") != after.get("spec") {
        after["metadata"]["generation"] = json!(before["metadata"]["generation"].as_u64().unwrap_or(1) + 1);
    }
    Ok(())
}

fn keep(before: &Value, after: &mut Value, field: &str) {
    let value = before.get(field).cloned();
    put_or_drop(after, field, value);
}

fn put_or_drop(object: &mut Value, field: &str, value: Option<Value>) {
    match (object.as_object_mut(), value) {
        (Some(map), Some(value)) => drop(map.insert(field.to_owned(), value)),
        (Some(map), None) => drop(map.remove(field)),
        (None, _) => {}
    }
}
