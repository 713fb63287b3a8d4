//! Nodes that fall silent, and nodes that come back: what the node lifecycle controller and the taint eviction controller
//! do, with shorter times.
//!
//! A node whose lease is too old is `Unknown` and tainted, its pods are not ready any more, and after a while they are
//! deleted (which nobody there can confirm). One that renews again is itself again.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{LEASES, NODES, PODS};
use crate::lab::api::store::Part;
use crate::lab::api::{DeleteOptions, EventType, Resource, Selector, Store};
use crate::lab::object::{condition, is_deleting, is_pod_finished, list, name, namespace, seconds, text};
use crate::lab::world::node_conditions;

const COMPONENT: &str = "node-controller";
const TAINT: &str = "node.kubernetes.io/unreachable";
/// How old a node's lease may become. A real one's is 40 s (50 s since 1.32).
const GRACE: SignedDuration = SignedDuration::from_secs(20);
/// How long pods bear the taint before they are deleted. A real one's is 300 s.
const TOLERATED: SignedDuration = SignedDuration::from_secs(90);
/// How often a node is looked at.
const LOOK: Duration = Duration::from_secs(1);

pub struct NodeLifecycle;

impl Controller for NodeLifecycle {
    fn name(&self) -> &'static str {
        "kube-controller-manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 1] = [&NODES];
        &WATCHED
    }

    fn concerns(&self, _: &Store, _: &'static Resource, object: &Value) -> Vec<Key> {
        vec![key_of(object)]
    }

    fn sync(&self, store: &Store, (_, node): &Key) -> Option<Duration> {
        let node = store.get(&NODES, "", node)?;
        let now = Timestamp::now();
        let silent = is_silent(store, &node, now);
        let ready = condition(&node, "Ready").map(|c| text(c, "/status").to_owned()).unwrap_or_default();
        match (silent, ready.as_str()) {
            (true, "Unknown") => evict(store, &node, now),
            (true, _) => lose(store, &node, now),
            (false, "Unknown") => welcome(store, &node, now),
            (false, _) => {}
        }
        Some(LOOK)
    }
}

fn is_silent(store: &Store, node: &Value, now: Timestamp) -> bool {
    let lease = store.get(&LEASES, "kube-node-lease", name(node));
    let renewed = lease.and_then(|lease| text(&lease, "/spec/renewTime").parse::<Timestamp>().ok());
    renewed.is_some_and(|at| now.duration_since(at) > GRACE)
}

fn pods_of(store: &Store, node: &Value) -> Vec<Arc<Value>> {
    let all = store.list(&PODS, None, &Selector::everything()).items;
    all.into_iter().filter(|pod| text(pod, "/spec/nodeName") == name(node) && !is_pod_finished(pod)).collect()
}

/// Nobody hears of it any more.
fn lose(store: &Store, node: &Value, now: Timestamp) {
    let unknown = |node: &mut Value| {
        for condition in node["status"]["conditions"].as_array_mut().into_iter().flatten() {
            condition["status"] = json!("Unknown");
            condition["reason"] = json!("NodeStatusUnknown");
            condition["message"] = json!("Kubelet stopped posting node status.");
            condition["lastTransitionTime"] = json!(seconds(now));
        }
        Ok(())
    };
    drop(store.change(&NODES, "", name(node), Part::Status, unknown));
    let taint = |node: &mut Value| {
        let mut taints: Vec<Value> = others(node);
        taints.extend(
            ["NoSchedule", "NoExecute"]
                .map(|effect| json!({"key": TAINT, "effect": effect, "timeAdded": seconds(now)})),
        );
        node["spec"]["taints"] = json!(taints);
        Ok(())
    };
    drop(store.change(&NODES, "", name(node), Part::Main, taint));
    let said = format!("Node {} status is now: NodeNotReady", name(node));
    drop(store.event(node, EventType::Normal, "NodeNotReady", &said, COMPONENT));
    for pod in pods_of(store, node) {
        let unready = |pod: &mut Value| {
            for condition in pod["status"]["conditions"].as_array_mut().into_iter().flatten() {
                if condition["type"] == "Ready" && condition["status"] == "True" {
                    condition["status"] = json!("False");
                    condition["lastTransitionTime"] = json!(seconds(now));
                }
            }
            Ok(())
        };
        drop(store.change(&PODS, namespace(&pod), name(&pod), Part::Status, unready));
        drop(store.event(&pod, EventType::Warning, "NodeNotReady", "Node is not ready", COMPONENT));
    }
}

/// The taints that are not this controller's.
fn others(node: &Value) -> Vec<Value> {
    list(node, "/spec/taints").iter().filter(|t| text(t, "/key") != TAINT).cloned().collect()
}

/// Its pods have borne it long enough.
fn evict(store: &Store, node: &Value, now: Timestamp) {
    let mine = |taint: &&Value| text(taint, "/key") == TAINT && text(taint, "/effect") == "NoExecute";
    let since = list(node, "/spec/taints").iter().find(mine).map(|taint| text(taint, "/timeAdded"));
    let since: Option<Timestamp> = since.and_then(|at| at.parse().ok());
    if since.is_none_or(|at| now.duration_since(at) < TOLERATED) {
        return;
    }
    for pod in pods_of(store, node).iter().filter(|pod| !is_deleting(pod)) {
        let said = format!("Marking for deletion Pod {}/{}", namespace(pod), name(pod));
        drop(store.event(pod, EventType::Normal, "TaintManagerEviction", &said, "taint-eviction-controller"));
        drop(store.delete(&PODS, namespace(pod), name(pod), &DeleteOptions::default()));
    }
}

/// It reports again.
fn welcome(store: &Store, node: &Value, now: Timestamp) {
    let known = |node: &mut Value| {
        node["status"]["conditions"] = node_conditions(now);
        Ok(())
    };
    drop(store.change(&NODES, "", name(node), Part::Status, known));
    let clean = |node: &mut Value| {
        let rest = others(node);
        if rest.is_empty() {
            drop(node["spec"].as_object_mut().map(|spec| spec.remove("taints")));
        } else {
            node["spec"]["taints"] = json!(rest);
        }
        Ok(())
    };
    drop(store.change(&NODES, "", name(node), Part::Main, clean));
    let said = format!("Node {} status is now: NodeReady", name(node));
    drop(store.event(node, EventType::Normal, "NodeReady", &said, "kubelet"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::object::{condition_is_true, is_pod_ready, micros};

    fn node(store: &Store) -> Arc<Value> {
        store.get(&NODES, "", "n-1").unwrap()
    }

    fn renewed(store: &Store, ago: i64) {
        let at = Timestamp::now() - SignedDuration::from_secs(ago);
        let renew = |lease: &mut Value| {
            lease["spec"]["renewTime"] = json!(micros(at));
            Ok(())
        };
        store.change(&LEASES, "kube-node-lease", "n-1", Part::Main, renew).unwrap();
    }

    fn look(store: &Store) {
        NodeLifecycle.sync(store, &(String::new(), "n-1".to_owned()));
    }

    #[test]
    fn a_silent_node_is_lost_its_pods_deleted_in_the_end_and_welcomed_when_it_speaks() {
        let store = Store::new();
        let own = json!([{"key": "mine", "effect": "NoSchedule"}]);
        let object = json!({"metadata": {"name": "n-1"}, "spec": {"taints": own},
                            "status": {"conditions": node_conditions(Timestamp::now())}});
        store.create(&NODES, "", object).unwrap();
        store.create(&LEASES, "kube-node-lease", json!({"metadata": {"name": "n-1"}, "spec": {}})).unwrap();
        let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n-1"}, "status": {"phase": "Running",
                         "conditions": [{"type": "Ready", "status": "True"}]}});
        store.create(&PODS, "pg", pod).unwrap();
        renewed(&store, 19);
        look(&store);
        assert!(condition_is_true(&node(&store), "Ready"));
        renewed(&store, 21);
        look(&store);
        assert_eq!(text(condition(&node(&store), "Ready").unwrap(), "/status"), "Unknown");
        assert_eq!(list(&node(&store), "/spec/taints").len(), 3);
        let pod = || store.get(&PODS, "pg", "p").unwrap();
        assert!(!is_pod_ready(&pod()) && !is_deleting(&pod()));
        evict(&store, &node(&store), Timestamp::now() + TOLERATED);
        assert!(is_deleting(&pod()));
        renewed(&store, 0);
        look(&store);
        assert!(condition_is_true(&node(&store), "Ready"));
        assert_eq!(node(&store)["spec"]["taints"], own);
    }
}
