//! Deployments and ReplicaSets: enough for the operator's own.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{DEPLOYMENTS, PODS, REPLICASETS};
use crate::lab::api::store::{Part, Ref};
use crate::lab::api::{DeleteOptions, EventType, Resource, Selector, Store};
use crate::lab::object::{
    condition, controller, is_controlled_by, is_deleting, is_pod_finished, is_pod_ready, name, namespace, number,
    seconds, text,
};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

fn owned(store: &Store, kind: &'static Resource, ns: &str, owner: (&str, &str)) -> Vec<Arc<Value>> {
    let all = store.list(kind, Some(ns), &Selector::everything()).items;
    all.into_iter().filter(|object| is_controlled_by(object, owner.0, owner.1)).collect()
}

fn owner_key(object: &Value, kind: &str) -> Vec<Key> {
    let owner = controller(object).filter(|(k, _)| *k == kind);
    owner.map(|(_, name)| (namespace(object).to_owned(), name.to_owned())).into_iter().collect()
}

pub struct Deployments;

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "kube-controller-manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&DEPLOYMENTS, &REPLICASETS];
        &WATCHED
    }

    fn concerns(&self, _: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &DEPLOYMENTS { vec![key_of(object)] } else { owner_key(object, "Deployment") }
    }

    fn sync(&self, store: &Store, (ns, deployment): &Key) -> Option<Duration> {
        let deployment = store.get(&DEPLOYMENTS, ns, deployment).filter(|d| !is_deleting(d))?;
        let sets = owned(store, &REPLICASETS, ns, ("Deployment", name(&deployment)));
        let hash = template_hash(&deployment["spec"]["template"]);
        let replicas = number(&deployment, "/spec/replicas").unwrap_or(1);
        let current = sets.iter().find(|set| crate::lab::object::label(set, HASH) == Some(&hash));
        let Some(current) = current else {
            create_set(store, &deployment, &hash, replicas, sets.len() + 1);
            return None;
        };
        scale(store, current, replicas);
        // The old pods stay until the new ones can take over.
        if number(current, "/status/availableReplicas").unwrap_or(0) >= replicas {
            sets.iter().filter(|set| name(set) != name(current)).for_each(|set| scale(store, set, 0));
        }
        let count =
            |field: &str| -> i64 { sets.iter().map(|set| number(set, &format!("/status/{field}")).unwrap_or(0)).sum() };
        let edit = |deployment: &mut Value| {
            let status = status(deployment, current, &count, replicas);
            deployment["status"] = status;
            Ok(())
        };
        drop(store.change(&DEPLOYMENTS, ns, name(&deployment), Part::Status, edit));
        None
    }
}

fn template_hash(template: &Value) -> String {
    let hash = template.to_string().bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    format!("{hash:010}")
}

fn create_set(store: &Store, deployment: &Value, hash: &str, replicas: i64, revision: usize) {
    let set_name = format!("{}-{hash}", name(deployment));
    let mut template = deployment["spec"]["template"].clone();
    let mut selector = deployment["spec"]["selector"].clone();
    template["metadata"]["labels"][HASH] = hash.into();
    selector["matchLabels"][HASH] = hash.into();
    let labels = template["metadata"]["labels"].clone();
    let set = json!({
        "metadata": {
            "name": set_name,
            "labels": labels,
            "annotations": {REVISION: revision.to_string()},
            "ownerReferences": [Ref::controller(&DEPLOYMENTS, deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
        "status": {"replicas": 0},
    });
    if store.create(&REPLICASETS, namespace(deployment), set).is_ok() {
        let message = format!("Scaled up replica set {set_name} from 0 to {replicas}");
        drop(store.event(deployment, EventType::Normal, "ScalingReplicaSet", &message, "deployment-controller"));
    }
    let edit = |deployment: &mut Value| {
        deployment["metadata"]["annotations"][REVISION] = revision.to_string().into();
        Ok(())
    };
    drop(store.change(&DEPLOYMENTS, namespace(deployment), name(deployment), Part::Main, edit));
}

fn scale(store: &Store, set: &Value, replicas: i64) {
    let edit = |set: &mut Value| {
        set["spec"]["replicas"] = replicas.into();
        Ok(())
    };
    drop(store.change(&REPLICASETS, namespace(set), name(set), Part::Main, edit));
}

fn status(deployment: &Value, current: &Value, count: &dyn Fn(&str) -> i64, wanted: i64) -> Value {
    let available = count("availableReplicas");
    let enough = available >= wanted;
    let now = seconds(Timestamp::now());
    let said = |kind: &str, good: bool, reason: &str, message: String| {
        let standing = if good { "True" } else { "False" };
        let before = condition(deployment, kind).filter(|c| text(c, "/status") == standing);
        let since = before.map_or_else(|| now.clone().into(), |c| c["lastTransitionTime"].clone());
        json!({
            "type": kind, "status": standing, "lastUpdateTime": since.clone(), "lastTransitionTime": since,
            "reason": reason, "message": message,
        })
    };
    let availability = if enough {
        said("Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability.".into())
    } else {
        let why = "Deployment does not have minimum availability.";
        said("Available", false, "MinimumReplicasUnavailable", why.into())
    };
    let set = name(current);
    let progress = if enough {
        said(
            "Progressing",
            true,
            "NewReplicaSetAvailable",
            format!("ReplicaSet \"{set}\" has successfully progressed."),
        )
    } else {
        said("Progressing", true, "ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
    };
    let mut status = json!({
        "observedGeneration": deployment["metadata"]["generation"].clone(),
        "conditions": [availability, progress],
    });
    let updated = number(current, "/status/replicas").unwrap_or(0);
    let counts = [
        ("replicas", count("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", count("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (wanted - available).max(0)),
    ];
    for (field, number) in counts.into_iter().filter(|(_, number)| *number > 0) {
        status[field] = number.into();
    }
    status
}

pub struct ReplicaSets;

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        "kube-controller-manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&REPLICASETS, &PODS];
        &WATCHED
    }

    fn concerns(&self, _: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &REPLICASETS { vec![key_of(object)] } else { owner_key(object, "ReplicaSet") }
    }

    fn sync(&self, store: &Store, (ns, set): &Key) -> Option<Duration> {
        let set = store.get(&REPLICASETS, ns, set).filter(|s| !is_deleting(s))?;
        let pods = owned(store, &PODS, ns, ("ReplicaSet", name(&set)));
        let live: Vec<&Arc<Value>> = pods.iter().filter(|pod| !is_deleting(pod) && !is_pod_finished(pod)).collect();
        let wanted = usize::try_from(number(&set, "/spec/replicas").unwrap_or(1)).unwrap_or(0);
        for _ in live.len()..wanted {
            start_pod(store, &set);
        }
        // The youngest and least useful go first.
        let mut spare: Vec<&&Arc<Value>> = live.iter().collect();
        spare.sort_by_key(|pod| {
            (is_pod_ready(pod), std::cmp::Reverse(text(pod, "/metadata/creationTimestamp").to_owned()))
        });
        for pod in spare.into_iter().take(live.len().saturating_sub(wanted)) {
            drop(store.delete(&PODS, ns, name(pod), &DeleteOptions::default()));
        }
        let ready = live.iter().filter(|pod| is_pod_ready(pod)).count();
        let edit = |set: &mut Value| {
            let mut status = json!({
                "replicas": live.len(),
                "observedGeneration": set["metadata"]["generation"].clone(),
            });
            for field in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
                let count = if field == "fullyLabeledReplicas" { live.len() } else { ready };
                if count > 0 {
                    status[field] = count.into();
                }
            }
            set["status"] = status;
            Ok(())
        };
        drop(store.change(&REPLICASETS, ns, name(&set), Part::Status, edit));
        None
    }
}

fn start_pod(store: &Store, set: &Value) {
    let template = &set["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    metadata["generateName"] = format!("{}-", name(set)).into();
    metadata["ownerReferences"] = json!([Ref::controller(&REPLICASETS, set)]);
    let pod = json!({
        "metadata": metadata,
        "spec": super::pod_defaults::with_defaults(template["spec"].clone()),
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    });
    if let Ok(pod) = store.create(&PODS, namespace(set), pod) {
        let message = format!("Created pod: {}", name(&pod));
        drop(store.event(set, EventType::Normal, "SuccessfulCreate", &message, "replicaset-controller"));
    }
}
