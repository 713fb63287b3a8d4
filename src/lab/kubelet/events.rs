//! The kubelet's Events: about a container of a pod, from a node, folded by count as its recorder does.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;

use crate::lab::api::resources::EVENTS;
use crate::lab::api::{EventType, Part, Store, store::Ref};
use crate::lab::object::{name, namespace, seconds, text};

/// Writes Events about one pod and remembers which it has written.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Field path, reason and message → the Event's name.
    known: HashMap<(String, String, String), String>,
}

impl Recorder {
    /// Says something about a pod. `field` is the container's path in the spec, `spec.containers{postgres}`.
    pub fn say(&mut self, store: &Store, pod: &Value, field: &str, kind: EventType, reason: &str, message: &str) {
        let key = (field.to_owned(), reason.to_owned(), message.to_owned());
        let now = Timestamp::now();
        if let Some(known) = self.known.get(&key) {
            let again = store.change(&EVENTS, namespace(pod), known, Part::Main, |event| {
                event["count"] = json!(event["count"].as_u64().unwrap_or(1) + 1);
                event["lastTimestamp"] = json!(seconds(now));
                Ok(())
            });
            if again.is_ok() {
                return;
            }
        }
        let mut about = Ref::involved(pod);
        about["fieldPath"] = json!(field);
        let event_name = format!("{}.{:016x}", name(pod), now.as_nanosecond());
        let host = text(pod, "/spec/nodeName");
        let event = json!({
            "metadata": {"name": event_name}, "involvedObject": about, "type": kind.as_str(), "reason": reason,
            "message": message, "source": {"component": "kubelet", "host": host}, "count": 1,
            "firstTimestamp": seconds(now), "lastTimestamp": seconds(now), "eventTime": null,
            "reportingComponent": "kubelet", "reportingInstance": host,
        });
        // An Event that can't be written is lost, as in a real cluster.
        if store.create(&EVENTS, namespace(pod), event).is_ok() {
            self.known.insert(key, event_name);
        }
    }
}
