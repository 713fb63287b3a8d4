//! The scheduler: gives each pod a node, once its claims can be there.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use super::scheduling::{Scene, place};
use crate::lab::api::resources::{NODES, PODS, PVCS, PVS, STORAGECLASSES};
use crate::lab::api::store::Part;
use crate::lab::api::{EventType, Resource, Selector, Store};
use crate::lab::described::is_described;
use crate::lab::object::{
    annotation, claims, condition, is_deleting, is_pod_finished, list, name, namespace, seconds, text,
};

const COMPONENT: &str = "default-scheduler";
/// On a claim: the node its first consumer will run on.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

pub struct Scheduler;

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        "kube-scheduler"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 4] = [&PODS, &NODES, &PVCS, &PVS];
        &WATCHED
    }

    fn concerns(&self, store: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &PODS && is_waiting(object) {
            return vec![key_of(object)];
        }
        if kind == &PODS && !is_deleting(object) && !is_pod_finished(object) {
            return Vec::new();
        }
        // Something that held others up may have changed.
        let pods = store.list(&PODS, None, &Selector::everything()).items;
        pods.iter().filter(|pod| is_waiting(pod)).map(|pod| key_of(pod)).collect()
    }

    fn sync(&self, store: &Store, (namespace, pod): &Key) -> Option<Duration> {
        const RETRY: Option<Duration> = Some(Duration::from_secs(5));
        let pod = store.get(&PODS, namespace, pod).filter(|pod| is_waiting(pod))?;
        let nodes = store.list(&NODES, None, &Selector::everything()).items;
        let nodes: Vec<Arc<Value>> = nodes.into_iter().filter(|node| !is_described(node)).collect();
        let needs = match claims_of(store, &pod) {
            Ok(needs) => needs,
            Err(why) => {
                // Word for word what a real scheduler says, to the odd ending.
                fail(store, &pod, &format!("0/{} nodes are available: {why}. not found", nodes.len()));
                return RETRY;
            }
        };
        let pods = store.list(&PODS, None, &Selector::everything()).items;
        let pods: Vec<Arc<Value>> = pods.into_iter().filter(|pod| !is_described(pod)).collect();
        match place(&pod, &Scene { nodes: &nodes, pods: &pods, volumes: &needs.volumes }) {
            Err(why) => {
                fail(store, &pod, &why);
                RETRY
            }
            Ok(node) if needs.unbound.is_empty() => {
                bind(store, &pod, &node);
                None
            }
            Ok(node) => {
                for claim in &needs.unbound {
                    select_node(store, namespace, claim, &node);
                }
                Some(Duration::from_millis(200))
            }
        }
    }
}

fn is_waiting(pod: &Value) -> bool {
    text(pod, "/spec/nodeName").is_empty() && !is_deleting(pod) && !is_pod_finished(pod) && !is_described(pod)
}

/// What a pod's claims mean for its place.
struct Needs {
    volumes: Vec<Arc<Value>>,
    /// Claims that wait for their first consumer.
    unbound: Vec<String>,
}

fn claims_of(store: &Store, pod: &Value) -> Result<Needs, String> {
    let mut needs = Needs { volumes: Vec::new(), unbound: Vec::new() };
    for claim in pod.get("spec").into_iter().flat_map(claims) {
        let Some(pvc) = store.get(&PVCS, namespace(pod), claim) else {
            return Err(format!("persistentvolumeclaim \"{claim}\" not found"));
        };
        if is_deleting(&pvc) {
            return Err(format!("persistentvolumeclaim \"{claim}\" is being deleted"));
        }
        let bound = text(&pvc, "/status/phase") == "Bound";
        if let Some(volume) = store.get(&PVS, "", text(&pvc, "/spec/volumeName")).filter(|_| bound) {
            needs.volumes.push(volume);
        } else if waits_for_consumer(store, &pvc) {
            needs.unbound.push(claim.to_owned());
        } else {
            return Err("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    Ok(needs)
}

fn waits_for_consumer(store: &Store, pvc: &Value) -> bool {
    let class = store.get(&STORAGECLASSES, "", text(pvc, "/spec/storageClassName"));
    class.is_some_and(|class| text(&class, "/volumeBindingMode") == "WaitForFirstConsumer")
}

fn select_node(store: &Store, namespace: &str, claim: &str, node: &str) {
    let edit = |pvc: &mut Value| {
        if annotation(pvc, SELECTED_NODE).is_none() {
            pvc["metadata"]["annotations"][SELECTED_NODE] = node.into();
        }
        Ok(())
    };
    drop(store.change(&PVCS, namespace, claim, Part::Main, edit));
}

fn put_scheduled(pod: &mut Value, condition: Value) {
    if !pod.get("status").is_some_and(Value::is_object) {
        pod["status"] = json!({"phase": "Pending"});
    }
    let status = &mut pod["status"];
    if !status.get("conditions").is_some_and(Value::is_array) {
        status["conditions"] = json!([]);
    }
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.retain(|c| text(c, "/type") != "PodScheduled");
        conditions.push(condition);
    }
}

fn fail(store: &Store, pod: &Value, why: &str) {
    let standing = condition(pod, "PodScheduled");
    if standing.is_some_and(|c| text(c, "/message") == why) {
        return;
    }
    let since = standing.filter(|c| text(c, "/status") == "False").map(|c| c["lastTransitionTime"].clone());
    let said = json!({
        "type": "PodScheduled", "status": "False",
        "lastTransitionTime": since.unwrap_or_else(|| seconds(Timestamp::now()).into()),
        "reason": "Unschedulable", "message": why,
    });
    let edit = |pod: &mut Value| {
        put_scheduled(pod, said.clone());
        Ok(())
    };
    drop(store.change(&PODS, namespace(pod), name(pod), Part::Status, edit));
    drop(store.event(pod, EventType::Warning, "FailedScheduling", why, COMPONENT));
}

fn bind(store: &Store, pod: &Value, node: &str) {
    let (ns, pod_name) = (namespace(pod), name(pod));
    let assign = |pod: &mut Value| {
        pod["spec"]["nodeName"] = node.into();
        Ok(())
    };
    if store.change(&PODS, ns, pod_name, Part::Main, assign).is_err() {
        return;
    }
    let said = json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": seconds(Timestamp::now())});
    let tell = |pod: &mut Value| {
        // The kubelet may have taken over already.
        let known = list(pod, "/status/conditions")
            .iter()
            .any(|c| text(c, "/type") == "PodScheduled" && text(c, "/status") == "True");
        if !known {
            put_scheduled(pod, said.clone());
        }
        Ok(())
    };
    drop(store.change(&PODS, ns, pod_name, Part::Status, tell));
    let message = format!("Successfully assigned {ns}/{pod_name} to {node}");
    drop(store.event(pod, EventType::Normal, "Scheduled", &message, COMPONENT));
}
