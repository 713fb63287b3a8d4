//! The counts of PodDisruptionBudgets: evictions are answered by them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{PDBS, PODS};
use crate::lab::api::store::Part;
use crate::lab::api::{EventType, Resource, Selector, Store};
use crate::lab::object::{is_deleting, is_pod_ready, name, number, seconds, text};

pub struct Disruption;

impl Controller for Disruption {
    fn name(&self) -> &'static str {
        "kube-controller-manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&PDBS, &PODS];
        &WATCHED
    }

    fn concerns(&self, store: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &PDBS {
            return vec![key_of(object)];
        }
        // Only budgets that want the pod as it is now: one that it has left by its labels is not looked at, as in life.
        let budgets = store.list(&PDBS, Some(text(object, "/metadata/namespace")), &Selector::everything()).items;
        let wants = |budget: &Value| Selector::object(&budget["spec"]["selector"]).matches(object);
        budgets.iter().filter(|budget| wants(budget)).map(|budget| key_of(budget)).collect()
    }

    fn sync(&self, store: &Store, (namespace, budget): &Key) -> Option<Duration> {
        let budget = store.get(&PDBS, namespace, budget)?;
        let selector = Selector::object(&budget["spec"]["selector"]);
        let pods = store.list(&PODS, Some(namespace), &selector).items;
        let healthy = pods.iter().filter(|pod| is_pod_ready(pod) && !is_deleting(pod)).count();
        let first_look = number(&budget, "/status/observedGeneration").is_none();
        if first_look && pods.is_empty() {
            drop(store.event(&budget, EventType::Normal, "NoPods", "No matching pods found", "controllermanager"));
        }
        let edit = |budget: &mut Value| {
            let status = status(budget, pods.len(), healthy);
            budget["status"] = status;
            Ok(())
        };
        drop(store.change(&PDBS, namespace, name(&budget), Part::Status, edit));
        None
    }
}

/// The status of a budget over `expected` pods, of which so many are well.
fn status(budget: &Value, expected: usize, healthy: usize) -> Value {
    let expected_count = i64::try_from(expected).unwrap_or(i64::MAX);
    let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
    let desired = match budget.pointer("/spec/minAvailable") {
        Some(Value::Number(_)) => number(budget, "/spec/minAvailable").unwrap_or(0),
        Some(Value::String(percent)) => share(percent, expected_count),
        _ => {
            let most = budget.pointer("/spec/maxUnavailable").map_or(0, |most| match most {
                Value::String(percent) => share(percent, expected_count),
                number => number.as_i64().unwrap_or(0),
            });
            (expected_count - most).max(0)
        }
    };
    let allowed = if expected == 0 { 0 } else { (healthy - desired).max(0) };
    let (standing, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let generation = budget["metadata"]["generation"].clone();
    let before = crate::lab::object::condition(budget, "DisruptionAllowed");
    let since = match before.filter(|c| text(c, "/status") == standing) {
        Some(condition) => condition["lastTransitionTime"].clone(),
        None => seconds(Timestamp::now()).into(),
    };
    json!({
        "observedGeneration": generation,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": [{
            "type": "DisruptionAllowed", "status": standing, "observedGeneration": generation,
            "lastTransitionTime": since, "reason": reason, "message": "",
        }],
    })
}

/// A percentage of a count, rounded up.
fn share(percent: &str, of: i64) -> i64 {
    let percent: i64 = percent.trim_end_matches('%').parse().unwrap_or(0);
    (of * percent + 99) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_as_the_recorded_ones() {
        let counts = |budget: &Value, expected, healthy| {
            let s = status(budget, expected, healthy);
            let get = |key: &str| s[key].as_i64().expect("a number");
            [get("currentHealthy"), get("desiredHealthy"), get("disruptionsAllowed"), get("expectedPods")]
        };
        let budget = json!({"metadata": {"generation": 1}, "spec": {"minAvailable": 1}});
        assert_eq!(counts(&budget, 0, 0), [0, 1, 0, 0]);
        assert_eq!(counts(&budget, 1, 1), [1, 1, 0, 1]);
        assert_eq!(counts(&budget, 2, 2), [2, 1, 1, 2]);
        assert_eq!(counts(&budget, 2, 1), [1, 1, 0, 2]);
        let percent = json!({"metadata": {}, "spec": {"maxUnavailable": "50%"}});
        assert_eq!(counts(&percent, 3, 3), [3, 1, 2, 3]);
    }
}
