//! What CloudNativePG is told, and how: the same writes as its own plugin makes (kubectl-cnpg 1.30, recorded), with
//! identities and resource versions added where a repeat or a stranger's change could do harm.
//!
//! Sources: cloudnative-pg `internal/cmd/plugin/{promote,restart,reload,fence,hibernate,maintenance,destroy}`,
//! `pkg/resources/status`, `pkg/utils/labels_annotations.go`.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::domain::cluster::{Cluster, Fenced};
use crate::domain::detail::ObjectRef;
use crate::domain::names::{InstanceName, NodeName};
use crate::procedure::order::{Delete, Form, Order, Patch, Target};
use crate::procedure::refresh::{Refresh, escaped, list};

pub(super) const FENCED: &str = "cnpg.io/fencedInstances";
pub(super) const HIBERNATION: &str = "cnpg.io/hibernation";
pub(super) const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
pub(super) const RELOADED: &str = "cnpg.io/reloadedAt";
const UNRECOVERABLE: &str = "alpha.cnpg.io/unrecoverable";

/// `status.targetPrimary`: another instance shall lead.
pub(super) fn promote(c: &Cluster, to: &InstanceName) -> Order {
    status(
        c,
        json!({"phase": "Switchover in progress", "phaseReason": format!("Switching over to {to}"),
            "targetPrimary": to.as_str()}),
        vec![not_ready(), Refresh::Now { pointer: "/status/targetPrimaryTimestamp".into() }],
        vec![("/status/targetPrimary".into(), to.as_str().into())],
    )
}

/// The primary is restarted where it is. Nothing stays in the object by which this very write is known again.
pub(super) fn restart_primary(c: &Cluster) -> Order {
    let phase = "Primary instance is being restarted in-place";
    let body = json!({"phase": phase, "phaseReason": "Requested by the user"});
    status(c, body, vec![not_ready()], Vec::new())
}

/// All instances are restarted, one after the other.
pub(super) fn restart(c: &Cluster, value: &str) -> Order {
    annotate(c, RESTARTED, value.into())
}

/// Settings are read anew.
pub(super) fn reload(c: &Cluster, value: &str) -> Order {
    annotate(c, RELOADED, value.into())
}

/// Hibernated, or awake.
pub(super) fn hibernation(c: &Cluster, on: bool) -> Order {
    annotate(c, HIBERNATION, if on { "on" } else { "off" }.into())
}

/// `spec.instances`.
pub(super) fn scale(c: &Cluster, instances: u32) -> Order {
    spec(c, json!({"instances": instances}), vec![("/spec/instances".into(), instances.into())])
}

/// `spec.nodeMaintenanceWindow`.
pub(super) fn maintenance(c: &Cluster, open: bool, reuse_volumes: bool) -> Order {
    let window = json!({"inProgress": open, "reusePVC": reuse_volumes});
    let mark = vec![
        ("/spec/nodeMaintenanceWindow/inProgress".into(), open.into()),
        ("/spec/nodeMaintenanceWindow/reusePVC".into(), reuse_volumes.into()),
    ];
    spec(c, json!({"nodeMaintenanceWindow": window}), mark)
}

/// These are fenced beside those that are; or no longer. The list is put together from what is there when it is sent.
pub(super) fn fence(c: &Cluster, add: &BTreeSet<String>, remove: &BTreeSet<String>) -> Order {
    let mut names = fenced(c);
    names.retain(|n| !remove.contains(n));
    names.extend(add.iter().cloned());
    let refresh = Refresh::List { annotation: FENCED.into(), add: add.clone(), remove: remove.clone() };
    let mut patch = annotation(c, FENCED, list(&names));
    patch.lock = true;
    patch.refresh = vec![refresh];
    Order::Patch(patch)
}

/// Exactly these are fenced, whoever was before.
pub(super) fn fence_exactly(c: &Cluster, names: &BTreeSet<String>) -> Order {
    Order::Patch(Patch { lock: true, ..annotation(c, FENCED, list(names)) })
}

/// Who is fenced now, as the annotation lists it.
pub(super) fn fenced(c: &Cluster) -> BTreeSet<String> {
    match &c.fenced {
        Fenced::None => BTreeSet::new(),
        Fenced::All => BTreeSet::from(["*".to_owned()]),
        Fenced::Some(names) => names.iter().map(ToString::to_string).collect(),
    }
}

/// The operator takes the instance's pod and volumes away and clones it anew (1.28 and later). The identity in the body
/// makes the API refuse where the pod is another one by now.
pub(super) fn unrecoverable(c: &Cluster, name: &InstanceName, uid: &str) -> Order {
    let pointer = format!("/metadata/annotations/{}", escaped(UNRECOVERABLE));
    Order::Patch(Patch {
        target: target(c, "v1", "Pod", "pods", name.as_str(), None),
        form: Form::Merge,
        body: json!({"metadata": {"uid": uid, "annotations": {UNRECOVERABLE: "true"}}}),
        refresh: Vec::new(),
        lock: false,
        mark: vec![("/metadata/uid".into(), uid.into()), (pointer, "true".into())],
    })
}

/// Deletes a pod, of this identity alone; it goes with its own grace period.
pub(super) fn delete_pod(c: &Cluster, name: &InstanceName, uid: &str) -> Order {
    delete(target(c, "v1", "Pod", "pods", name.as_str(), None), uid)
}

/// The same in this many seconds, whether it has come to its end or not.
pub(super) fn kill_pod(c: &Cluster, name: &InstanceName, uid: &str, grace: u32) -> Order {
    Order::Delete(Delete { grace: Some(grace), ..removal(target(c, "v1", "Pod", "pods", name.as_str(), None), uid) })
}

/// Asks Kubernetes to evict a pod, of this identity alone.
pub(super) fn evict_pod(c: &Cluster, name: &InstanceName, uid: &str) -> Order {
    Order::Evict(removal(target(c, "v1", "Pod", "pods", name.as_str(), None), uid))
}

/// The node takes no new pods, or does.
pub(super) fn cordon(c: &Cluster, node: &NodeName, yes: bool) -> Order {
    let mut target = target(c, "v1", "Node", "nodes", node.as_str(), None);
    target.object.namespace = String::new();
    // Kubernetes drops the field where it is false.
    let value = if yes { Value::Bool(true) } else { Value::Null };
    Order::Patch(Patch {
        target,
        form: Form::Merge,
        body: json!({"spec": {"unschedulable": value.clone()}}),
        refresh: Vec::new(),
        lock: false,
        mark: vec![("/spec/unschedulable".into(), value)],
    })
}

/// Deletes a volume claim, of this identity alone.
pub(super) fn delete_claim(c: &Cluster, name: &str, uid: &str) -> Order {
    delete(target(c, "v1", "PersistentVolumeClaim", "persistentvolumeclaims", name, None), uid)
}

/// Deletes a job, of this identity alone, with its pods.
pub(super) fn delete_job(c: &Cluster, name: &str, uid: &str) -> Order {
    delete(target(c, "batch/v1", "Job", "jobs", name, None), uid)
}

fn delete(target: Target, uid: &str) -> Order {
    Order::Delete(removal(target, uid))
}

fn removal(target: Target, uid: &str) -> Delete {
    Delete { target, uid: uid.into(), grace: None }
}

/// `Ready` as the plugin sets it beside a phase that is not healthy.
fn not_ready() -> Refresh {
    Refresh::Condition {
        kind: "Ready".into(),
        status: false,
        reason: "ClusterIsNotReady".into(),
        message: "Cluster Is Not Ready".into(),
    }
}

fn status(c: &Cluster, status: Value, refresh: Vec<Refresh>, mark: Vec<(String, Value)>) -> Order {
    let target = own(c, Some("status"));
    Order::Patch(Patch { target, form: Form::Merge, body: json!({"status": status}), refresh, lock: true, mark })
}

fn spec(c: &Cluster, spec: Value, mark: Vec<(String, Value)>) -> Order {
    let body = json!({"spec": spec});
    Order::Patch(Patch { target: own(c, None), form: Form::Merge, body, refresh: Vec::new(), lock: true, mark })
}

fn annotate(c: &Cluster, key: &str, value: Value) -> Order {
    Order::Patch(annotation(c, key, value))
}

fn annotation(c: &Cluster, key: &str, value: Value) -> Patch {
    Patch {
        target: own(c, None),
        form: Form::Merge,
        body: json!({"metadata": {"annotations": {key: value.clone()}}}),
        refresh: Vec::new(),
        lock: false,
        mark: vec![(format!("/metadata/annotations/{}", escaped(key)), value)],
    }
}

fn own(c: &Cluster, subresource: Option<&str>) -> Target {
    target(c, "postgresql.cnpg.io/v1", "Cluster", "clusters", &c.key.name, subresource)
}

pub(super) fn target(
    c: &Cluster,
    api: &str,
    kind: &str,
    plural: &str,
    name: &str,
    subresource: Option<&str>,
) -> Target {
    let object = ObjectRef {
        context: c.key.context.clone(),
        api_version: api.into(),
        kind: kind.into(),
        namespace: c.key.namespace.to_string(),
        name: name.into(),
    };
    Target { object, plural: plural.into(), subresource: subresource.map(str::to_owned) }
}

/// The operator's version as major and minor, where it is known.
pub(super) fn version(c: &Cluster) -> Option<(u32, u32)> {
    let mut parts = c.operator_version.as_deref()?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// A time as the plugin writes it into `restartedAt`: RFC 3339 in whole seconds.
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// A time as the plugin writes it into `reloadedAt`: RFC 3339 with microseconds.
pub(super) fn micros(at: Timestamp) -> String {
    format!("{at:.6}")
}
