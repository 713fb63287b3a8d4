//! One pass over a cluster: a working copy of it, and the acts decided so far.

use serde_json::{Map, Value, json};

use super::act::{Act, StatusWrite};
use super::words::phase;
use super::world::{ClusterObject, World};
use crate::lab::api::Resource;
use crate::lab::object::{ConditionText, merge_diff, micros, remove_condition, set_condition, text};

/// Decides. Every decision is put into the working copy as well, so that later ones see it.
pub struct Pass<'w> {
    pub world: &'w World,
    /// The cluster as it will be once the acts so far are done.
    pub cluster: Value,
    pub acts: Vec<Act>,
}

impl<'w> Pass<'w> {
    pub fn new(world: &'w World) -> Self {
        Self { world, cluster: (*world.cluster).clone(), acts: Vec::new() }
    }

    /// Goes on with a cluster as an earlier part of the same pass left it.
    pub fn resumed(world: &'w World, cluster: Value) -> Self {
        Self { world, cluster, acts: Vec::new() }
    }

    pub fn name(&self) -> &str {
        self.cluster.name()
    }

    pub fn event(&mut self, reason: &'static str, message: impl Into<String>) {
        self.acts.push(Act::Event { warning: false, reason, message: message.into() });
    }

    pub fn warning(&mut self, reason: &'static str, message: impl Into<String>) {
        self.acts.push(Act::Event { warning: true, reason, message: message.into() });
    }

    pub fn create(&mut self, resource: &'static Resource, object: Value) {
        self.acts.push(Act::Create { resource, object });
    }

    pub fn merge(&mut self, resource: &'static Resource, name: &str, patch: Value) {
        self.acts.push(Act::Merge { resource, name: name.into(), patch });
    }

    pub fn delete(&mut self, resource: &'static Resource, name: &str) {
        self.acts.push(Act::Delete { resource, name: name.into() });
    }

    /// The status as the pass has it so far.
    pub fn status(&self) -> Value {
        self.cluster.get("status").cloned().unwrap_or_else(|| json!({}))
    }

    /// Makes `new` the status: writes what differs, conditions one by one.
    pub fn write_status(&mut self, new: Value, only_if_unchanged: bool) {
        let old = self.status();
        let write = difference(&old, &new, only_if_unchanged);
        if let Some(write) = write {
            self.acts.push(Act::Status(write));
            self.cluster["status"] = new;
        }
    }

    /// Writes phase and reason, and the `Ready` condition that goes with them.
    pub fn register_phase(&mut self, phase: &str, reason: &str) {
        let mut status = self.status();
        status["phase"] = phase.into();
        set_or_drop(&mut status, "phaseReason", reason);
        let ready = phase == phase::HEALTHY;
        let condition = if ready {
            ConditionText::new("Ready", true, "ClusterIsReady", "Cluster is Ready")
        } else {
            ConditionText::new("Ready", false, "ClusterIsNotReady", "Cluster Is Not Ready")
        };
        set_condition(&mut status, &condition, self.world.now);
        self.write_status(status, false);
    }

    /// Asks for another primary.
    pub fn set_target(&mut self, target: &str) {
        let mut status = self.status();
        status["targetPrimary"] = target.into();
        status["targetPrimaryTimestamp"] = micros(self.world.now).into();
        self.write_status(status, false);
    }
}

/// Sets a text, or takes the field away when it is empty (as Go's `omitempty` does).
pub fn set_or_drop(object: &mut Value, key: &str, value: &str) {
    if value.is_empty() {
        if let Some(map) = object.as_object_mut() {
            map.remove(key);
        }
    } else {
        object[key] = value.into();
    }
}

fn difference(old: &Value, new: &Value, only_if_unchanged: bool) -> Option<StatusWrite> {
    let without = |status: &Value| {
        let mut fields = status.as_object().cloned().unwrap_or_default();
        fields.remove("conditions");
        Value::Object(fields)
    };
    let conditions = |status: &Value| -> Map<String, Value> {
        let list = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        list.into_iter().map(|c| (text(&c, "/type").to_owned(), c)).collect()
    };
    let patch = merge_diff(&without(old), &without(new));
    let (before, after) = (conditions(old), conditions(new));
    let set: Vec<ConditionText> = new
        .get("conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|c| before.get(text(c, "/type")) != Some(c))
        .map(|c| ConditionText {
            kind: text(c, "/type").into(),
            status: text(c, "/status").into(),
            reason: text(c, "/reason").into(),
            message: text(c, "/message").into(),
        })
        .collect();
    let remove: Vec<String> = before.keys().filter(|kind| !after.contains_key(*kind)).cloned().collect();
    let write = StatusWrite { patch, set, remove, only_if_unchanged };
    let nothing = write.patch.is_none() && write.set.is_empty() && write.remove.is_empty();
    (!nothing).then_some(write)
}

/// Does a status write to a cluster object. Returns whether anything changed.
pub fn apply_status(cluster: &mut Value, write: &StatusWrite, now: jiff::Timestamp) -> bool {
    let before = cluster.get("status").cloned();
    let mut status = before.clone().filter(Value::is_object).unwrap_or_else(|| json!({}));
    if let Some(patch) = &write.patch {
        json_patch::merge(&mut status, patch);
    }
    for condition in &write.set {
        set_condition(&mut status, condition, now);
    }
    for kind in &write.remove {
        remove_condition(&mut status, kind);
    }
    let changed = before.as_ref() != Some(&status);
    cluster["status"] = status;
    changed
}
