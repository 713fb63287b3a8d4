//! Deleting objects: at once, with grace (pods), or when the last finalizer lets go.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Store, key, meta};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::{PODS, Resource};

/// What happens to the objects that the deleted one owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// Which object is meant exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    pub uid: Option<String>,
    pub resource_version: Option<String>,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds a pod has to end by itself; without it the pod's own `terminationGracePeriodSeconds` counts.
    pub grace: Option<u64>,
    pub preconditions: Preconditions,
    pub propagation: Propagation,
}

impl Store {
    /// Deletes an object, or marks it as being deleted: a pod on a node until the kubelet calls [`Store::remove`], an
    /// object with finalizers until the last one is taken off. Returns it as it was last.
    ///
    /// # Errors
    /// 404 without such an object, 409 when a precondition does not hold.
    pub fn delete(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Arc<Value>, ApiError> {
        let key = key(resource, ns, name);
        let mut world = self.world();
        let before = world.table(resource).objects.get(&key).cloned();
        let before = before.ok_or_else(|| ApiError::not_found(resource, name))?;
        check(resource, name, &before, &options.preconditions)?;
        let mut after = Value::clone(&before);
        finalize(&mut after, options.propagation);
        let grace = grace(resource, &before, options.grace);
        if self.hand.dry {
            return Ok(before);
        }
        if !meta::held(&after) && grace == 0 {
            let last = world.take(resource, &key).unwrap_or(before);
            drop(world);
            self.collect(resource, &last);
            return Ok(last);
        }
        mark(resource, &mut after, grace);
        let marked = if after == *before { before } else { world.put(resource, key, after) };
        drop(world);
        if meta::held(&marked) {
            self.collect_before(resource, &marked);
        }
        Ok(marked)
    }

    /// Takes an object away now, as the kubelet does when a pod's processes have ended. Finalizers still hold it.
    pub fn remove(&self, resource: &'static Resource, ns: &str, name: &str) -> Option<Arc<Value>> {
        let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
        self.delete(resource, ns, name, &options).ok()
    }
}

fn check(resource: &Resource, name: &str, object: &Value, wanted: &Preconditions) -> Result<(), ApiError> {
    for (field, label, wanted) in
        [("uid", "UID", &wanted.uid), ("resourceVersion", "ResourceVersion", &wanted.resource_version)]
    {
        let Some(wanted) = wanted else { continue };
        let is = meta::text(object, field);
        if wanted != is {
            let why = format!("Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {is}");
            return Err(ApiError::conflict(resource, name, why));
        }
    }
    Ok(())
}

/// Foreground and orphan deletion are finalizers that the garbage collector takes off.
fn finalize(object: &mut Value, propagation: Propagation) {
    let own = match propagation {
        Propagation::Background => return,
        Propagation::Foreground => "foregroundDeletion",
        Propagation::Orphan => "orphan",
    };
    if !object["metadata"]["finalizers"].is_array() {
        object["metadata"]["finalizers"] = json!([]);
    }
    if let Some(list) = object["metadata"]["finalizers"].as_array_mut()
        && !list.iter().any(|f| f == own)
    {
        list.push(json!(own));
    }
}

/// Seconds to wait. Only a pod that runs on a node has any.
fn grace(resource: &Resource, object: &Value, asked: Option<u64>) -> u64 {
    let runs = resource == &PODS
        && object["spec"]["nodeName"].is_string()
        && !matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !runs {
        return 0;
    }
    let own = object["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
    let grace = asked.unwrap_or(own);
    // A deletion under way can only be made shorter.
    match object["metadata"]["deletionGracePeriodSeconds"].as_u64() {
        Some(running) => grace.min(running),
        None => grace,
    }
}

fn mark(resource: &Resource, object: &mut Value, grace: u64) {
    let metadata = &mut object["metadata"];
    let first = !metadata["deletionTimestamp"].is_string();
    if !first && metadata["deletionGracePeriodSeconds"].as_u64() == Some(grace) {
        return;
    }
    let seconds = i64::try_from(grace).unwrap_or(i64::MAX / 4).min(1_000_000_000);
    let at = Timestamp::now().saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    metadata["deletionTimestamp"] = json!(meta::stamp(at));
    metadata["deletionGracePeriodSeconds"] = json!(grace);
    if first && resource.generation {
        metadata["generation"] = json!(metadata["generation"].as_u64().unwrap_or(1) + 1);
    }
}
