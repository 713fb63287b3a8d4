//! Events in their newer words: `events.k8s.io/v1` shows the same objects as core/v1.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::lab::api::resources::{EVENTS_V1, Resource};

/// Old word, new word.
const WORDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The object as this kind shows it.
pub(super) fn shown(resource: &Resource, object: &Arc<Value>) -> Arc<Value> {
    if resource != &EVENTS_V1 {
        return Arc::clone(object);
    }
    let mut newer = rename(object, |(old, new)| (*old, *new));
    newer["apiVersion"] = json!("events.k8s.io/v1");
    Arc::new(newer)
}

/// The object as it is kept.
pub(super) fn kept(resource: &Resource, object: Value) -> Value {
    if resource != &EVENTS_V1 {
        return object;
    }
    let mut older = rename(&object, |(old, new)| (*new, *old));
    older["apiVersion"] = json!("v1");
    older
}

fn rename(object: &Value, way: fn(&(&'static str, &'static str)) -> (&'static str, &'static str)) -> Value {
    let fields = object.as_object().into_iter().flatten().map(|(key, value)| {
        let found = WORDS.iter().map(way).find(|(from, _)| from == key);
        (found.map_or(key.as_str(), |(_, to)| to).to_owned(), value.clone())
    });
    Value::Object(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::resources::EVENTS;

    #[test]
    fn there_and_back() {
        let old =
            Arc::new(json!({"apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "x"}, "message": "m",
            "reportingComponent": "c", "count": 2, "reason": "r"}));
        let new = shown(&EVENTS_V1, &old);
        assert_eq!(
            (&new["regarding"]["name"], &new["note"], &new["deprecatedCount"]),
            (&json!("x"), &json!("m"), &json!(2))
        );
        assert_eq!(kept(&EVENTS_V1, Value::clone(&new)), *old);
        assert!(Arc::ptr_eq(&shown(&EVENTS, &old), &old));
    }
}
