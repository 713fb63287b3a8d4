//! Nodes, claims, jobs and operators' deployments: what is kept of them.

use serde_json::Value;

use super::read::{condition, count, flag, label, list, raw, text, time, truth};
use crate::domain::cluster::{Job, Node, Operator, OperatorState, Volume, VolumePurpose};
use crate::domain::names::{Context, InstanceName};
use crate::domain::quantity;

pub(super) fn volume(v: &Value) -> Option<Volume> {
    let bytes = |path: &[&str]| raw(v, path).and_then(quantity::kubernetes).map(|n| n as u64);
    Some(Volume {
        name: text(v, &["metadata", "name"])?,
        uid: text(v, &["metadata", "uid"]).unwrap_or_default(),
        instance: label(v, "cnpg.io/instanceName").map(InstanceName::from),
        purpose: match label(v, "cnpg.io/pvcRole") {
            Some("PG_DATA") => VolumePurpose::Data,
            Some("PG_WAL") => VolumePurpose::Wal,
            _ => VolumePurpose::Other,
        },
        requested: bytes(&["spec", "resources", "requests", "storage"]),
        capacity: bytes(&["status", "capacity", "storage"]),
        phase: text(v, &["status", "phase"]).unwrap_or_default(),
        class: text(v, &["spec", "storageClassName"]),
        dangling: false,
        zone: label(v, "topology.kubernetes.io/zone").map(Into::into),
    })
}

pub(super) fn node(v: &Value) -> Option<Node> {
    let zone = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
    let pool =
        ["kubernetes.azure.com/agentpool", "agentpool", "eks.amazonaws.com/nodegroup", "cloud.google.com/gke-nodepool"];
    let first = |labels: &[&str]| labels.iter().find_map(|l| label(v, l));
    Some(Node {
        name: text(v, &["metadata", "name"])?.into(),
        zone: first(&zone).map(Into::into),
        ready: condition(v, "Ready").and_then(|c| truth(c, &["status"])),
        unschedulable: flag(v, &["spec", "unschedulable"]),
        workload: label(v, "workload").map(crate::text::clean),
        version: text(v, &["status", "nodeInfo", "kubeletVersion"]),
        pressure: list(v, &["status", "conditions"])
            .iter()
            .filter(|c| truth(c, &["status"]) == Some(true))
            .filter_map(|c| text(c, &["type"]))
            .filter(|t| t != "Ready")
            .collect(),
        pool: first(&pool).map(crate::text::clean),
    })
}

pub(super) fn job(v: &Value) -> Option<Job> {
    Some(Job {
        name: text(v, &["metadata", "name"])?,
        uid: text(v, &["metadata", "uid"]).unwrap_or_default(),
        instance: label(v, "cnpg.io/instanceName").map(InstanceName::from),
        role: label(v, "cnpg.io/jobRole").map(crate::text::clean).unwrap_or_default(),
        failed: count(v, &["status", "failed"]).unwrap_or(0),
        done: count(v, &["status", "succeeded"]).unwrap_or(0) > 0
            || condition(v, "Complete").and_then(|c| truth(c, &["status"])) == Some(true),
        trouble: condition(v, "Failed")
            .filter(|c| truth(c, &["status"]) == Some(true))
            .and_then(|c| text(c, &["message"]).or_else(|| text(c, &["reason"]))),
        created: time(v, &["metadata", "creationTimestamp"]),
        active: count(v, &["status", "active"]).unwrap_or(0) > 0,
        gave_up: condition(v, "Failed").and_then(|c| truth(c, &["status"])) == Some(true),
        attempt: None,
    })
}

/// An operator's deployment; `None` for every other deployment.
pub(super) fn operator(v: &Value) -> Option<OperatorState> {
    let containers = list(v, &["spec", "template", "spec", "containers"]);
    let image = |part: &str| containers.iter().filter_map(|c| raw(c, &["image"])).find(|i| i.contains(part));
    // Poolers' deployments carry images of the same project: the operator alone runs `controller`.
    let runs_controller = containers.iter().any(|c| list(c, &["args"]).iter().any(|a| a == "controller"));
    let is_cnpg = label(v, "app.kubernetes.io/name") == Some("cloudnative-pg") || image("cloudnative-pg").is_some();
    let (operator, image) = if is_cnpg && runs_controller {
        (Operator::Cnpg, image("cloudnative-pg").or_else(|| containers.first().and_then(|c| raw(c, &["image"]))))
    } else if label(v, "postgres-operator.crunchydata.com/control-plane").is_some()
        || image("postgres-operator").is_some()
    {
        (Operator::Pgo, image("postgres-operator"))
    } else {
        return None;
    };
    Some(OperatorState {
        operator,
        context: Context::from(""),
        deployment: format!("{}/{}", text(v, &["metadata", "namespace"])?, text(v, &["metadata", "name"])?),
        version: image.and_then(tag),
        wanted: count(v, &["spec", "replicas"]).unwrap_or(1),
        available: count(v, &["status", "availableReplicas"]).unwrap_or(0),
        webhook_trouble: None,
    })
}

/// The version in an image's tag: `ghcr.io/x/y:17.4-standard@sha256:…` → `17.4`.
pub(super) fn tag(image: &str) -> Option<String> {
    let image = image.split('@').next()?;
    let (path, tag) = image.rsplit_once(':')?;
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let version: String = tag.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    (!path.is_empty() && !tag.contains('/') && version.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| version.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn versions_in_image_tags() {
        let version = |s| tag(s).unwrap_or_default();
        assert_eq!(version("localhost/postgresql:17.11"), "17.11");
        assert_eq!(version("ghcr.io/cloudnative-pg/postgresql:16.3-bookworm@sha256:ab12"), "16.3");
        assert_eq!(version("registry:5000/postgres"), "");
        assert_eq!(version("x/y:v1.30.0"), "1.30.0");
        assert_eq!(version("x/y:latest"), "");
    }
}
