//! Jobs: a pod until one succeeds, again with growing waits when it fails, no more after `backoffLimit` failures.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{JOBS, PODS};
use crate::lab::api::store::{Part, Ref};
use crate::lab::api::{EventType, Resource, Selector, Store};
use crate::lab::object::{
    condition_is_true, controller, is_controlled_by, is_deleting, is_pod_finished, is_pod_ready, list, name, number,
    seconds, text, uid,
};

const COMPONENT: &str = "job-controller";
/// Holds a pod until the job has counted it.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The first wait before another try; each failure doubles it.
const FIRST_WAIT: i64 = 10;
const LONGEST_WAIT: i64 = 600;

pub struct Jobs;

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "kube-controller-manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&JOBS, &PODS];
        &WATCHED
    }

    fn concerns(&self, _: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &JOBS {
            return vec![key_of(object)];
        }
        let owner = controller(object).filter(|(kind, _)| *kind == "Job");
        owner.map(|(_, job)| (text(object, "/metadata/namespace").to_owned(), job.to_owned())).into_iter().collect()
    }

    fn sync(&self, store: &Store, (namespace, job): &Key) -> Option<Duration> {
        let pods: Vec<Arc<Value>> = store
            .list(&PODS, Some(namespace), &Selector::everything())
            .items
            .into_iter()
            .filter(|pod| is_controlled_by(pod, "Job", job))
            .collect();
        let Some(job) = store.get(&JOBS, namespace, job).filter(|job| !is_deleting(job)) else {
            // Nobody counts them any more.
            pods.iter().for_each(|pod| release(store, pod));
            return None;
        };
        identify(store, &job);
        if condition_is_true(&job, "Complete") || condition_is_true(&job, "Failed") {
            pods.iter().for_each(|pod| release(store, pod));
            return None;
        }
        advance(store, &job, &pods)
    }
}

/// What the API server adds to a job when it is made: a selector by its uid.
fn identify(store: &Store, job: &Value) {
    if job.pointer("/spec/selector").is_some() {
        return;
    }
    let (id, job_name) = (uid(job).to_owned(), name(job).to_owned());
    let edit = |job: &mut Value| {
        job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": id}});
        let labels = &mut job["spec"]["template"]["metadata"]["labels"];
        put_job_labels(labels, &id, &job_name);
        Ok(())
    };
    drop(store.change(&JOBS, text(job, "/metadata/namespace"), name(job), Part::Main, edit));
}

fn put_job_labels(labels: &mut Value, id: &str, job: &str) {
    if !labels.is_object() {
        *labels = json!({});
    }
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", id),
        ("controller-uid", id),
        ("batch.kubernetes.io/job-name", job),
        ("job-name", job),
    ] {
        labels[key] = value.into();
    }
}

fn advance(store: &Store, job: &Value, pods: &[Arc<Value>]) -> Option<Duration> {
    let namespace = text(job, "/metadata/namespace");
    let count = |phase: &str| pods.iter().filter(|pod| text(pod, "/status/phase") == phase).count();
    let active: Vec<&Arc<Value>> = pods.iter().filter(|pod| !is_pod_finished(pod) && !is_deleting(pod)).collect();
    let ready = active.iter().filter(|pod| is_pod_ready(pod)).count();
    let succeeded = count("Succeeded");
    let failed = i64::try_from(count("Failed")).unwrap_or(i64::MAX);
    let limit = number(job, "/spec/backoffLimit").unwrap_or(6);
    if succeeded > 0 {
        complete(store, job, pods, failed);
        return None;
    }
    if failed > limit {
        give_up(store, job, pods, failed);
        return None;
    }
    let mut running = active.len();
    let mut wait = None;
    if running == 0 && number(job, "/spec/parallelism").unwrap_or(1) > 0 {
        wait = time_to_wait(pods, failed);
        if wait.is_none() {
            start_pod(store, job);
            running = 1;
        }
    }
    let edit = |job: &mut Value| {
        let status = &mut job["status"];
        if !status.is_object() {
            *status = json!({});
        }
        if status.get("startTime").is_none() {
            status["startTime"] = seconds(Timestamp::now()).into();
        }
        put(status, "active", running);
        put(status, "failed", usize::try_from(failed).unwrap_or(0));
        status["ready"] = ready.into();
        status["terminating"] = 0.into();
        status["uncountedTerminatedPods"] = json!({});
        Ok(())
    };
    drop(store.change(&JOBS, namespace, name(job), Part::Status, edit));
    wait
}

fn put(status: &mut Value, key: &str, count: usize) {
    if count > 0 {
        status[key] = count.into();
    } else if let Some(status) = status.as_object_mut() {
        status.remove(key);
    }
}

/// How long to wait yet before another try, by the last failure and how many there were.
fn time_to_wait(pods: &[Arc<Value>], failed: i64) -> Option<Duration> {
    let ended = |pod: &Value| -> Option<Timestamp> {
        let containers = list(pod, "/status/containerStatuses");
        containers.iter().filter_map(|c| text(c, "/state/terminated/finishedAt").parse().ok()).max()
    };
    let last = pods.iter().filter(|pod| text(pod, "/status/phase") == "Failed").filter_map(|pod| ended(pod)).max()?;
    let doubled = u32::try_from(failed - 1).ok().and_then(|n| FIRST_WAIT.checked_shl(n)).unwrap_or(LONGEST_WAIT);
    let passed = Timestamp::now().duration_since(last).as_secs();
    let left = doubled.clamp(FIRST_WAIT, LONGEST_WAIT) - passed;
    u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_secs)
}

fn start_pod(store: &Store, job: &Value) {
    let template = &job["spec"]["template"];
    let mut metadata = json!({
        "generateName": format!("{}-", name(job)),
        "labels": template["metadata"]["labels"].clone(),
        "annotations": template["metadata"].get("annotations").cloned().unwrap_or_else(|| json!({})),
        "ownerReferences": [Ref::controller(&JOBS, job)],
        "finalizers": [TRACKING],
    });
    put_job_labels(&mut metadata["labels"], uid(job), name(job));
    let pod = json!({
        "metadata": metadata,
        "spec": super::pod_defaults::with_defaults(template["spec"].clone()),
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    });
    match store.create(&PODS, text(job, "/metadata/namespace"), pod) {
        Ok(pod) => {
            let message = format!("Created pod: {}", name(&pod));
            drop(store.event(job, EventType::Normal, "SuccessfulCreate", &message, COMPONENT));
        }
        Err(error) => {
            let message = format!("Error creating: {}", error.message);
            drop(store.event(job, EventType::Warning, "FailedCreate", &message, COMPONENT));
        }
    }
}

/// Lets a counted pod go when it is deleted.
fn release(store: &Store, pod: &Value) {
    let edit = |pod: &mut Value| {
        let finalizers = pod.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut);
        let empty = finalizers.is_some_and(|finalizers| {
            finalizers.retain(|f| f != TRACKING);
            finalizers.is_empty()
        });
        if let Some(metadata) = pod["metadata"].as_object_mut().filter(|_| empty) {
            metadata.remove("finalizers");
        }
        Ok(())
    };
    drop(store.change(&PODS, text(pod, "/metadata/namespace"), name(pod), Part::Main, edit));
}

fn condition(kind: &str, reason: &str, message: &str) -> Value {
    let now = seconds(Timestamp::now());
    json!({
        "type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now,
        "reason": reason, "message": message,
    })
}

/// Two writes, as recorded: the pods are counted between them.
fn complete(store: &Store, job: &Value, pods: &[Arc<Value>], failed: i64) {
    const WHY: &str = "Reached expected number of succeeded pods";
    let namespace = text(job, "/metadata/namespace");
    let ended: Vec<&str> =
        pods.iter().filter(|pod| text(pod, "/status/phase") == "Succeeded").map(|pod| uid(pod)).collect();
    let met = |job: &mut Value| {
        let status = &mut job["status"];
        put(status, "active", 0);
        status["ready"] = 0.into();
        status["uncountedTerminatedPods"] = json!({"succeeded": ended});
        status["conditions"] = json!([condition("SuccessCriteriaMet", "CompletionsReached", WHY)]);
        Ok(())
    };
    drop(store.change(&JOBS, namespace, name(job), Part::Status, met));
    pods.iter().for_each(|pod| release(store, pod));
    let done = |job: &mut Value| {
        let status = &mut job["status"];
        status["uncountedTerminatedPods"] = json!({});
        status["succeeded"] = 1.into();
        put(status, "failed", usize::try_from(failed).unwrap_or(0));
        status["completionTime"] = seconds(Timestamp::now()).into();
        if let Some(conditions) = status["conditions"].as_array_mut() {
            conditions.push(condition("Complete", "CompletionsReached", WHY));
        }
        Ok(())
    };
    drop(store.change(&JOBS, namespace, name(job), Part::Status, done));
    drop(store.event(job, EventType::Normal, "Completed", "Job completed", COMPONENT));
}

fn give_up(store: &Store, job: &Value, pods: &[Arc<Value>], failed: i64) {
    const WHY: &str = "Job has reached the specified backoff limit";
    let edit = |job: &mut Value| {
        let status = &mut job["status"];
        put(status, "active", 0);
        status["failed"] = failed.into();
        status["conditions"] = json!([
            condition("FailureTarget", "BackoffLimitExceeded", WHY),
            condition("Failed", "BackoffLimitExceeded", WHY),
        ]);
        Ok(())
    };
    drop(store.change(&JOBS, text(job, "/metadata/namespace"), name(job), Part::Status, edit));
    pods.iter().for_each(|pod| release(store, pod));
    drop(store.event(job, EventType::Warning, "BackoffLimitExceeded", WHY, COMPONENT));
}
