//! Reading Kubernetes objects as plain JSON: the few questions that controllers, operator and kubelet all ask.
//!
//! Every answer tolerates a missing field; a name that isn't there is the empty string.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The text at a JSON pointer, or "".
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a JSON pointer.
pub fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The truth at a JSON pointer; absent is false.
pub fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The list at a JSON pointer; absent is empty.
pub fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

/// Whether deletion has begun.
pub fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null())
}

/// The owner that controls the object, as (kind, name).
pub fn controller(object: &Value) -> Option<(&str, &str)> {
    list(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| flag(owner, "/controller"))
        .map(|owner| (text(owner, "/kind"), text(owner, "/name")))
}

/// Whether an object of this kind and name controls it.
pub fn is_controlled_by(object: &Value, kind: &str, owner: &str) -> bool {
    controller(object) == Some((kind, owner))
}

/// The status of a condition: "True", "False", "Unknown", or nothing.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|c| text(c, "/type") == kind)
}

/// Whether a condition stands and is "True".
pub fn condition_is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|c| text(c, "/status") == "True")
}

/// A pod whose `Ready` condition is true. Deletion doesn't change it: the kubelet does.
pub fn is_pod_ready(pod: &Value) -> bool {
    condition_is_true(pod, "Ready")
}

/// A pod that runs and isn't about to go.
pub fn is_pod_active(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Running" && !is_deleting(pod)
}

/// A pod that has ended, well or not.
pub fn is_pod_finished(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// The claims a pod spec mounts.
pub fn claims(pod_spec: &Value) -> impl Iterator<Item = &str> {
    list(pod_spec, "/volumes").iter().map(|v| text(v, "/persistentVolumeClaim/claimName")).filter(|c| !c.is_empty())
}

/// Whether `labels` has every pair of `wanted`; a selector without pairs matches nothing here, as for services.
pub fn labels_match(object: &Value, wanted: &Value) -> bool {
    let Some(wanted) = wanted.as_object().filter(|w| !w.is_empty()) else { return false };
    wanted.iter().all(|(key, value)| value.as_str().is_some() && label(object, key) == value.as_str())
}

/// A moment as the API writes it: whole seconds.
pub fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A moment as CloudNativePG and leases write it: microseconds.
pub fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// What must be merged into `old` (RFC 7386) to make it `new`; `None` when nothing.
pub fn merge_diff(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut patch = Map::new();
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                patch.insert(key.clone(), Value::Null);
            }
            for (key, value) in new {
                let part = match old.get(key) {
                    Some(before) => merge_diff(before, value),
                    None => Some(value.clone()),
                };
                if let Some(part) = part {
                    patch.insert(key.clone(), part);
                }
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        _ if old == new => None,
        _ => Some(new.clone()),
    }
}

/// What a condition should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionText {
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
}

impl ConditionText {
    pub fn new(kind: &str, status: bool, reason: &str, message: &str) -> Self {
        let status = if status { "True" } else { "False" };
        Self { kind: kind.into(), status: status.into(), reason: reason.into(), message: message.into() }
    }
}

/// Puts a condition into `status.conditions` (given the status object). The transition time moves only with the
/// condition's status. Returns whether anything changed.
pub fn set_condition(status: &mut Value, wanted: &ConditionText, now: Timestamp) -> bool {
    let Some(status) = status.as_object_mut() else { return false };
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else { return false };
    let fresh = json!({
        "lastTransitionTime": seconds(now), "message": wanted.message, "reason": wanted.reason,
        "status": wanted.status, "type": wanted.kind,
    });
    let Some(standing) = conditions.iter_mut().find(|c| text(c, "/type") == wanted.kind) else {
        conditions.push(fresh);
        return true;
    };
    let mut updated = fresh;
    if text(standing, "/status") == wanted.status {
        updated["lastTransitionTime"] = standing["lastTransitionTime"].clone();
    }
    let changed = *standing != updated;
    *standing = updated;
    changed
}

/// Takes a condition out. Returns whether it was there.
pub fn remove_condition(status: &mut Value, kind: &str) -> bool {
    let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) else { return false };
    let before = conditions.len();
    conditions.retain(|c| text(c, "/type") != kind);
    conditions.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_difference_makes_the_new_from_the_old() {
        let old = json!({"a": 1, "b": {"c": [1], "d": 2}, "gone": true});
        let new = json!({"a": 1, "b": {"c": [1, 2], "d": 2}, "new": {"x": 1}});
        let patch = merge_diff(&old, &new).expect("they differ");
        assert_eq!(patch, json!({"b": {"c": [1, 2]}, "gone": null, "new": {"x": 1}}));
        let mut made = old;
        json_patch::merge(&mut made, &patch);
        assert_eq!(made, new);
        assert_eq!(merge_diff(&new, &new), None);
    }

    #[test]
    fn a_condition_keeps_its_transition_time_while_its_status_stands() {
        let mut status = json!({});
        let early: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let late: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        assert!(set_condition(&mut status, &ConditionText::new("Ready", false, "A", "a"), early));
        assert!(set_condition(&mut status, &ConditionText::new("Ready", false, "B", "b"), late));
        assert_eq!(text(&status, "/conditions/0/lastTransitionTime"), "2026-01-01T00:00:00Z");
        assert!(!set_condition(&mut status, &ConditionText::new("Ready", false, "B", "b"), late));
        assert!(set_condition(&mut status, &ConditionText::new("Ready", true, "C", "c"), late));
        assert_eq!(text(&status, "/conditions/0/lastTransitionTime"), "2026-01-01T00:01:00Z");
        assert!(remove_condition(&mut status, "Ready"));
        assert!(!remove_condition(&mut status, "Ready"));
    }

    #[test]
    fn moments_are_written_as_the_api_writes_them() {
        let at: Timestamp = "2026-11-20T22:49:56.650537123Z".parse().expect("a time");
        assert_eq!(seconds(at), "2026-11-20T22:49:56Z");
        assert_eq!(micros(at), "2026-11-20T22:49:56.650537Z");
    }
}
