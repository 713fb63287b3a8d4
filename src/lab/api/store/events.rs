//! Core/v1 Events, folded as Kubernetes' recorder folds them: the same again counts up instead of being added.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Part, Ref, Selector, Store, meta};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::EVENTS;

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    Normal,
    Warning,
}

impl EventType {
    /// As it stands in `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

impl Store {
    /// Records an Event about an object, in that object's namespace (`default` for kinds without one).
    ///
    /// # Errors
    /// None in practice: names are unique by time.
    pub fn event(
        &self,
        involved: &Value,
        kind: EventType,
        reason: &str,
        message: &str,
        component: &str,
    ) -> Result<Arc<Value>, ApiError> {
        let ns = match meta::text(involved, "namespace") {
            "" => "default",
            ns => ns,
        };
        let about = Ref::involved(involved);
        let same = |e: &Value| {
            e["involvedObject"]["uid"] == about["uid"]
                && e["involvedObject"]["kind"] == about["kind"]
                && e["reason"] == reason
                && e["message"] == message
                && e["type"] == kind.as_str()
                && e["source"]["component"] == component
        };
        let known = self.list(&EVENTS, Some(ns), &Selector::everything()).items.into_iter().find(|e| same(e));
        if let Some(known) = known {
            let again = self.change(&EVENTS, ns, meta::text(&known, "name"), Part::Main, |e| {
                e["count"] = json!(e["count"].as_u64().unwrap_or(1) + 1);
                e["lastTimestamp"] = json!(meta::now());
                Ok(())
            });
            if again.is_ok() {
                return again;
            }
        }
        let at = Timestamp::now();
        let name = format!("{}.{:016x}", meta::text(involved, "name"), at.as_nanosecond());
        let stamp = meta::stamp(at);
        let event = json!({
            "metadata": { "name": name }, "involvedObject": about, "type": kind.as_str(), "reason": reason,
            "message": message, "source": { "component": component }, "reportingComponent": component,
            "reportingInstance": "", "firstTimestamp": stamp, "lastTimestamp": stamp, "eventTime": null, "count": 1,
        });
        self.create(&EVENTS, ns, event)
    }
}
