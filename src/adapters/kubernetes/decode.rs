//! Objects as JSON → what is kept of them.
//!
//! One function per kind; each keeps only what is shown or judged, so that ten thousand pods fit into a few megabytes.
//! Labels tell whose an object is (`cnpg.io/cluster`); where an older operator sets none, the owner or the selector does.

use serde_json::Value;
use std::sync::Arc;

use super::kinds::Kind;
use super::pods::{self, PodPart};
use super::read::{annotation, count, fields, flag, label, list, message, name, owner, raw, text, time};
use super::shelves::Id;
use super::{cnpg, workloads};
use crate::domain::cluster::*;
use crate::domain::names::InstanceName;
use crate::text::clean;

/// What is kept of an object: the cluster it belongs to, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    cluster: Option<Arc<str>>,
    pub(super) said: Said,
}

/// What an object says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Cluster(Box<cnpg::spec::Own>),
    Backup(Arc<BackupObject>),
    Schedule(Box<Schedule>),
    Pooler(Box<Pooler>),
    Quorum(Box<FailoverQuorum>),
    Store(Box<cnpg::store::ObjectStore>),
    Pod(Box<PodPart>),
    Service(Box<Service>),
    Endpoints(Box<Endpoints>),
    Volume(Arc<Volume>),
    Node(Box<Node>),
    Lease(Box<Lease>),
    Job(Box<Job>),
    Complaint(Box<Complained>),
    Operator(Box<OperatorState>),
    Snapshot(Arc<Snapshot>),
}

/// Which service, and the pods that get its traffic.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Endpoints {
    pub(super) service: Arc<str>,
    pub(super) pods: Box<[InstanceName]>,
}

/// A complaint, and the kind and name of the object it is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Complained {
    pub(super) of: Kind,
    pub(super) name: Arc<str>,
    pub(super) complaint: Complaint,
}

impl Part {
    pub(super) fn cluster(&self) -> Option<Arc<str>> {
        self.cluster.clone()
    }

    /// Shares the name of its cluster with the other objects of it: tens of thousands have the name of a few.
    pub(super) fn share_cluster(&mut self, name: &Arc<str>) {
        if self.cluster.as_deref() == Some(&**name) {
            self.cluster = Some(name.clone());
        }
    }

    pub(super) fn node(&self) -> Option<&Node> {
        if let Said::Node(n) = &self.said { Some(n) } else { None }
    }

    pub(super) fn pod(&self) -> Option<&PodPart> {
        if let Said::Pod(p) = &self.said { Some(p) } else { None }
    }

    pub(super) fn operator(&self) -> Option<&OperatorState> {
        if let Said::Operator(o) = &self.said { Some(o) } else { None }
    }

    /// The object it is about, where that one knows the cluster.
    pub(super) fn about(&self) -> Option<(Kind, Arc<str>)> {
        match &self.said {
            Said::Endpoints(e) => Some((Kind::Service, e.service.clone())),
            Said::Complaint(c) => Some((c.of, c.name.clone())),
            _ => None,
        }
    }
}

/// An object as a watch hands it on: decoded to what is kept of it by whoever received it, so that its text is never
/// anybody else's work.
#[derive(Debug)]
pub struct Object {
    pub(super) part: Option<(Id, Part)>,
    /// What the timeline tells of it, where it is an event.
    pub(super) event: Option<Box<cnpg::KubeEvent>>,
}

impl Object {
    /// What is kept of this object.
    pub fn read(kind: Kind, v: &Value) -> Self {
        let event = if kind == Kind::Event { cnpg::KubeEvent::read(v).map(Box::new) } else { None };
        Object { part: part(kind, v), event }
    }
}

/// Namespace and name of an object.
pub(super) fn id(v: &Value) -> Option<Id> {
    Some((name(v, &["metadata", "namespace"]).unwrap_or_else(|| "".into()), name(v, &["metadata", "name"])?))
}

/// What is kept of an object; `None` when nothing is.
pub(super) fn part(kind: Kind, v: &Value) -> Option<(Id, Part)> {
    let id = id(v)?;
    let said = match kind {
        Kind::Cluster => Said::Cluster(Box::new(cnpg::spec::own(v)?)),
        Kind::Backup => Said::Backup(Arc::new(cnpg::store::backup(v)?)),
        Kind::ScheduledBackup => Said::Schedule(Box::new(cnpg::store::schedule(v)?)),
        Kind::Pooler => Said::Pooler(Box::new(pooler(v)?)),
        Kind::FailoverQuorum => Said::Quorum(Box::new(quorum(v))),
        Kind::ObjectStore => Said::Store(Box::new(cnpg::store::object_store(v))),
        Kind::Pod => Said::Pod(Box::new(pods::pod(v)?)),
        Kind::Service => Said::Service(Box::new(service(v)?)),
        Kind::Endpoints => Said::Endpoints(Box::new(Endpoints { service: id.1.clone(), pods: addresses(v) })),
        Kind::EndpointSlice => {
            let service = name(v, &["metadata", "labels", "kubernetes.io/service-name"])?;
            Said::Endpoints(Box::new(Endpoints { service, pods: endpoints(v) }))
        }
        Kind::Pvc => Said::Volume(Arc::new(workloads::volume(v)?)),
        Kind::Node => Said::Node(Box::new(workloads::node(v)?)),
        Kind::Lease => Said::Lease(Box::new(lease(v))),
        Kind::Job => Said::Job(Box::new(workloads::job(v)?)),
        Kind::Event => Said::Complaint(Box::new(complaint(v)?)),
        Kind::Deployment => Said::Operator(Box::new(workloads::operator(v)?)),
        Kind::VolumeSnapshot => Said::Snapshot(Arc::new(cnpg::store::volume_snapshot(v)?)),
    };
    let cluster = cluster(kind, v).map(|c| clean(c).into());
    // A pod, claim, lease, … of nobody we know is not worth its memory.
    let kept = cluster.is_some()
        || matches!(
            kind,
            Kind::Cluster
                | Kind::Node
                | Kind::Deployment
                | Kind::ObjectStore
                | Kind::Event
                | Kind::Endpoints
                | Kind::EndpointSlice
        );
    kept.then_some((id, Part { cluster, said }))
}

/// The cluster an object says it belongs to.
fn cluster(kind: Kind, v: &Value) -> Option<&str> {
    match kind {
        Kind::Cluster | Kind::Node | Kind::Deployment | Kind::ObjectStore => None,
        Kind::Backup | Kind::ScheduledBackup | Kind::Pooler => raw(v, &["spec", "cluster", "name"]),
        Kind::FailoverQuorum => raw(v, &["metadata", "name"]),
        Kind::Service => raw(v, &["spec", "selector", "cnpg.io/cluster"])
            .or_else(|| label(v, "cnpg.io/cluster"))
            .or_else(|| owner(v, "Cluster")),
        Kind::Event => {
            let about = v.get("involvedObject").or_else(|| v.get("regarding"))?;
            (raw(about, &["kind"]) == Some("Cluster")
                && raw(about, &["apiVersion"])?.starts_with("postgresql.cnpg.io/"))
            .then(|| raw(about, &["name"]))?
        }
        Kind::Pod
        | Kind::Endpoints
        | Kind::EndpointSlice
        | Kind::Pvc
        | Kind::Lease
        | Kind::Job
        | Kind::VolumeSnapshot => label(v, "cnpg.io/cluster").or_else(|| owner(v, "Cluster")),
    }
}

fn pooler(v: &Value) -> Option<Pooler> {
    Some(Pooler {
        name: text(v, &["metadata", "name"])?,
        kind: text(v, &["spec", "type"]).unwrap_or_else(|| "rw".into()),
        wanted: count(v, &["spec", "instances"]),
        ready: count(v, &["status", "instances"]),
        mode: text(v, &["spec", "pgbouncer", "poolMode"]),
        paused: flag(v, &["spec", "pgbouncer", "paused"]),
    })
}

fn quorum(v: &Value) -> FailoverQuorum {
    FailoverQuorum {
        method: text(v, &["status", "method"]).unwrap_or_default(),
        number: count(v, &["status", "standbyNumber"]).unwrap_or(0),
        standbys: list(v, &["status", "standbyNames"])
            .iter()
            .filter_map(|n| n.as_str())
            .map(InstanceName::from)
            .collect(),
        primary: raw(v, &["status", "primary"]).map(InstanceName::from),
    }
}

fn service(v: &Value) -> Option<Service> {
    let name = text(v, &["metadata", "name"])?;
    let selector = |key| raw(v, &["spec", "selector", key]);
    let role = selector("cnpg.io/instanceRole").or_else(|| selector("role"));
    let purpose = match (role, selector("cnpg.io/poolerName"), selector("cnpg.io/podRole")) {
        (_, Some(_), _) => ServicePurpose::Other,
        (Some("primary"), ..) => ServicePurpose::ReadWrite,
        (Some("replica"), ..) => ServicePurpose::ReadOnly,
        (None, None, Some("instance")) => ServicePurpose::Read,
        (None, ..) if name.ends_with("-rw") => ServicePurpose::ReadWrite,
        (None, ..) if name.ends_with("-ro") => ServicePurpose::ReadOnly,
        (None, ..) if name.ends_with("-r") => ServicePurpose::Read,
        _ => ServicePurpose::Other,
    };
    let external = list(v, &["status", "loadBalancer", "ingress"])
        .iter()
        .filter_map(|i| text(i, &["ip"]).or_else(|| text(i, &["hostname"])))
        .collect();
    let ports = list(v, &["spec", "ports"]).iter().filter_map(|p| count(p, &["port"])?.try_into().ok()).collect();
    let kind = text(v, &["spec", "type"]).unwrap_or_else(|| "ClusterIP".into());
    Some(Service { name, purpose, kind, external, ports, leads_to: None })
}

/// Pods of an Endpoints object that get traffic.
fn addresses(v: &Value) -> Box<[InstanceName]> {
    let ready = list(v, &["subsets"]).iter().flat_map(|s| list(s, &["addresses"]));
    ready.filter_map(|a| raw(a, &["targetRef", "name"])).map(InstanceName::from).collect()
}

/// Pods of an EndpointSlice that get traffic. No `ready` means ready (discovery/v1).
fn endpoints(v: &Value) -> Box<[InstanceName]> {
    let ready = |e: &&Value| e.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false);
    let all = list(v, &["endpoints"]).iter().filter(ready);
    all.filter_map(|e| raw(e, &["targetRef", "name"])).map(InstanceName::from).collect()
}

fn lease(v: &Value) -> Lease {
    Lease {
        holder: raw(v, &["spec", "holderIdentity"]).map(InstanceName::from),
        duration_s: count(v, &["spec", "leaseDurationSeconds"]).unwrap_or(0),
        acquired: time(v, &["spec", "acquireTime"]),
        renewed: time(v, &["spec", "renewTime"]),
        transitions: count(v, &["spec", "leaseTransitions"]),
    }
}

/// A warning event, as a complaint about an object of a kind that belongs to clusters.
fn complaint(v: &Value) -> Option<Complained> {
    if raw(v, &["type"]) != Some("Warning") {
        return None;
    }
    let about = v.get("involvedObject").or_else(|| v.get("regarding"))?;
    let word = raw(about, &["kind"])?;
    let of = Kind::ALL.into_iter().find(|k| k.api().3 == word)?;
    let name = name(about, &["name"])?;
    let complaint = Complaint {
        object: clean(&format!("{word}/{name}")),
        reason: text(v, &["reason"]).unwrap_or_default(),
        message: if v.get("message").is_some() { message(v, &["message"]) } else { message(v, &["note"]) },
        at: event_time(v),
    };
    Some(Complained { of, name, complaint })
}

/// When an event was last said.
pub(super) fn event_time(v: &Value) -> Option<jiff::Timestamp> {
    time(v, &["series", "lastObservedTime"])
        .or_else(|| time(v, &["lastTimestamp"]))
        .or_else(|| time(v, &["deprecatedLastTimestamp"]))
        .or_else(|| time(v, &["eventTime"]))
        .or_else(|| time(v, &["metadata", "creationTimestamp"]))
}

/// Values of an annotation that holds a JSON list of texts.
pub(super) fn json_list(v: &Value, key: &str) -> Vec<String> {
    annotation(v, key).and_then(|a| serde_json::from_str::<Vec<String>>(a).ok()).unwrap_or_default()
}

/// Text fields of the object at a path.
pub(super) fn texts<'a>(v: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    fields(v, path).filter_map(|(k, v)| Some((k, v.as_str()?)))
}
