//! What is kept of a pod.

use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

use super::read::{annotation, at, condition, count, flag, label, list, message, name, owner, raw, text, time, truth};
use crate::domain::cluster::{Pod, Role};
use crate::domain::names::InstanceName;
use crate::text::clean;

/// A pod and what it is for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::adapters) struct PodPart {
    /// The instance it runs, where it runs one.
    pub instance: Option<InstanceName>,
    /// The job it belongs to.
    pub job: Option<Arc<str>>,
    /// Its role label.
    pub role: Option<Role>,
    /// The operator's version that made it.
    pub operator_version: Option<String>,
    /// How the pod of a job failed.
    pub ended: Option<Box<EndedPart>>,
    /// The pod.
    pub pod: Arc<Pod>,
}

/// The container of a job's pod that failed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::adapters) struct EndedPart {
    /// Its name.
    pub container: Arc<str>,
    /// When it ended.
    pub at: Option<Timestamp>,
}

/// States of a container that are no trouble: they pass by themselves.
const PASSING: [&str; 2] = ["PodInitializing", "ContainerCreating"];

pub(super) fn pod(v: &Value) -> Option<PodPart> {
    let pod_name = text(v, &["metadata", "name"])?;
    let job = owner(v, "Job").or_else(|| label(v, "batch.kubernetes.io/job-name")).or_else(|| label(v, "job-name"));
    // CNPG before 1.22 set no `podRole`; its instances' pods are owned by the Cluster itself.
    let is_instance = match label(v, "cnpg.io/podRole") {
        Some(role) => role == "instance",
        None => owner(v, "Cluster").is_some() && job.is_none(),
    };
    let instance = (is_instance && job.is_none())
        .then(|| InstanceName::from(label(v, "cnpg.io/instanceName").unwrap_or(&pod_name)));
    let role = label(v, "cnpg.io/instanceRole").or_else(|| label(v, "role")).map(role);
    Some(PodPart {
        instance,
        job: job.map(|j| clean(j).into()),
        role,
        operator_version: annotation(v, "cnpg.io/operatorVersion").map(clean),
        ended: job.and_then(|_| ended(v)).map(Box::new),
        pod: Arc::new(body(v, pod_name)),
    })
}

fn role(word: &str) -> Role {
    match word {
        "primary" | "master" => Role::Primary,
        "replica" => Role::Replica,
        "unhealthy" => Role::Unhealthy,
        _ => Role::Other,
    }
}

fn body(v: &Value, pod_name: String) -> Pod {
    let statuses = list(v, &["status", "containerStatuses"]);
    let main = ["postgres", "database"];
    let postgres =
        statuses.iter().find(|s| raw(s, &["name"]).is_some_and(|n| main.contains(&n))).or_else(|| statuses.first());
    let container = postgres.and_then(|s| text(s, &["name"])).unwrap_or_else(|| "postgres".into());
    let spec = list(v, &["spec", "containers"]).iter().find(|c| raw(c, &["name"]) == Some(&container));
    // Where the command can't be seen, TLS is the newer form (CNPG 1.24).
    let has =
        |flag: &str| spec.map(|c| list(c, &["command"])).is_none_or(|c| c.is_empty() || c.iter().any(|a| a == flag));
    let ready = condition(v, "Ready");
    Pod {
        name: pod_name,
        uid: text(v, &["metadata", "uid"]).unwrap_or_default(),
        phase: text(v, &["status", "phase"]).unwrap_or_default(),
        ready: ready.and_then(|c| truth(c, &["status"])) == Some(true),
        ready_since: ready.and_then(|c| time(c, &["lastTransitionTime"])),
        running: postgres.is_some_and(|s| at(s, &["state", "running"]).is_some()),
        restarts: postgres.and_then(|s| count(s, &["restartCount"])).unwrap_or(0),
        trouble: trouble(v),
        node: raw(v, &["spec", "nodeName"]).map(Into::into),
        ip: text(v, &["status", "podIP"]),
        created: time(v, &["metadata", "creationTimestamp"]),
        started: postgres.and_then(|s| time(s, &["state", "running", "startedAt"])),
        deleting: time(v, &["metadata", "deletionTimestamp"]),
        status_tls: has("--status-port-tls"),
        metrics_tls: spec.is_some_and(|c| list(c, &["command"]).iter().any(|a| a == "--metrics-port-tls")),
        limits: spec.and_then(limits),
        container,
    }
}

/// A pod of a job is never started again: one container that ends in error is its end.
fn ended(v: &Value) -> Option<EndedPart> {
    let statuses = ["initContainerStatuses", "containerStatuses"].into_iter().flat_map(|f| list(v, &["status", f]));
    let code = |s: &Value| at(s, &["state", "terminated", "exitCode"]).and_then(Value::as_i64);
    let failed = statuses.clone().find(|s| code(s).is_some_and(|c| c != 0));
    let failed = failed.or_else(|| statuses.last().filter(|_| raw(v, &["status", "phase"]) == Some("Failed")))?;
    let container = name(failed, &["name"])?;
    Some(EndedPart { container, at: time(failed, &["state", "terminated", "finishedAt"]) })
}

fn limits(container: &Value) -> Option<Box<str>> {
    let all = at(container, &["resources", "limits"])?.as_object()?;
    let texts = all.iter().filter_map(|(what, limit)| Some(format!("{} {}", clean(what), clean(limit.as_str()?))));
    let text = texts.collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then(|| text.into())
}

/// Why a pod does not come up or went down, in words.
fn trouble(v: &Value) -> Option<String> {
    let status = v.get("status")?;
    if let Some(reason) = text(status, &["reason"]) {
        return Some(with(reason, message(status, &["message"])));
    }
    let scheduled = condition(v, "PodScheduled");
    if let Some(c) = scheduled.filter(|c| truth(c, &["status"]) == Some(false)) {
        return Some(with(text(c, &["reason"]).unwrap_or_else(|| "Unschedulable".into()), message(c, &["message"])));
    }
    let containers = ["initContainerStatuses", "containerStatuses"].into_iter().flat_map(|f| list(status, &[f]));
    containers.filter_map(container_trouble).next()
}

fn container_trouble(s: &Value) -> Option<String> {
    if let Some(reason) = text(s, &["state", "waiting", "reason"]) {
        return (!PASSING.contains(&reason.as_str()))
            .then(|| with(reason, message(s, &["state", "waiting", "message"])));
    }
    let ended = at(s, &["state", "terminated"])?;
    let code = at(ended, &["exitCode"]).and_then(Value::as_i64).unwrap_or(0);
    if code == 0 || flag(s, &["ready"]) {
        return None;
    }
    let container = name(s, &["name"]).unwrap_or_else(|| "container".into());
    let reason = text(ended, &["reason"]).unwrap_or_else(|| "Error".into());
    Some(with(format!("{reason}: {container} ended with exit code {code}"), message(ended, &["message"])))
}

fn with(reason: String, message: String) -> String {
    if message.is_empty() { reason } else { format!("{reason}: {message}") }
}
