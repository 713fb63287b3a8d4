//! Events live an hour.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::EVENTS;
use crate::lab::api::{Resource, Store};
use crate::lab::object::text;

const LIFETIME: Duration = Duration::from_secs(3600);

pub struct EventAging;

impl Controller for EventAging {
    fn name(&self) -> &'static str {
        "kube-apiserver"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 1] = [&EVENTS];
        &WATCHED
    }

    fn concerns(&self, _: &Store, _: &'static Resource, object: &Value) -> Vec<Key> {
        vec![key_of(object)]
    }

    fn sync(&self, store: &Store, (namespace, event): &Key) -> Option<Duration> {
        let event = store.get(&EVENTS, namespace, event)?;
        let left = time_left(&event, Timestamp::now());
        if left.is_zero() {
            drop(store.remove(&EVENTS, namespace, text(&event, "/metadata/name")));
            return None;
        }
        Some(left)
    }
}

/// How long an event lives yet, by the last time it was seen.
fn time_left(event: &Value, now: Timestamp) -> Duration {
    let times = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    let seen: Option<Timestamp> = times.iter().find_map(|at| text(event, at).parse().ok());
    let Some(seen) = seen else { return LIFETIME };
    let age = Duration::try_from(now.duration_since(seen)).unwrap_or_default();
    LIFETIME.saturating_sub(age)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_dies_an_hour_after_it_was_last_seen() {
        let now: Timestamp = "2026-11-20T23:00:00Z".parse().expect("a time");
        let left = |last: &str| time_left(&json!({"lastTimestamp": last}), now).as_secs();
        assert_eq!(left("2026-11-20T23:00:00Z"), 3600);
        assert_eq!(left("2026-11-20T22:30:00Z"), 1800);
        assert_eq!(left("2026-11-20T21:30:00Z"), 0);
    }
}
