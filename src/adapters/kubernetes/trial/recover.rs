//! A recovery as it goes on: the cluster's object, its recovery job, the job's log.
//!
//! The operator clears the job away once the cluster is healthy, and with it the only word on how far the recovery got:
//! so the log is read while it is written.

use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

use super::{ANSWER, belonging, cluster, read};
use crate::adapters::kubernetes::client::{Clients, get};
use crate::adapters::kubernetes::read::{count, list, raw, time};
use crate::adapters::kubernetes::trouble::Trouble;
use crate::domain::trial::{Recovered, Story};
use crate::problem::Problem;
use crate::procedure::trial::Trial;
use crate::text::{clean, shorten};

/// How often it is looked at.
const AGAIN: Duration = Duration::from_secs(1);
/// The most that is read of a log.
const MOST: u64 = 2 * 1024 * 1024;

/// What was seen so far.
#[derive(Default)]
struct Seen {
    recovered: Recovered,
    /// Why the last attempt that failed did.
    reason: Option<String>,
    /// What is waited for.
    waits: String,
}

/// Follows a recovery until the operator calls the cluster healthy. Whether it is out of recovery is for SQL to say.
///
/// # Errors
/// It failed as often as it may, or did not come to its end in time; with the reason as its log tells it.
pub async fn recover(clients: &Clients, trial: &Trial, patience: Duration) -> Result<Recovered, Problem> {
    let what = format!("{} was not recovered", trial.scratch.name);
    let end = Instant::now() + patience;
    let mut seen = Seen::default();
    loop {
        match look(clients, trial, &mut seen).await {
            Ok(true) => return Ok(seen.recovered),
            Ok(false) => {}
            Err(trouble) => seen.waits = trouble.why,
        }
        if seen.recovered.failed >= trial.attempts {
            let why = seen.reason.unwrap_or_else(|| "its log says nothing, or may not be read".into());
            return Err(Problem::new(what).because(format!("{} attempts failed: {why}", seen.recovered.failed)));
        }
        if Instant::now() >= end {
            let last = seen.reason.map(|r| format!("; the last attempt failed: {r}")).unwrap_or_default();
            return Err(Problem::new(what).because(format!("after {} s: {}{last}", patience.as_secs(), seen.waits)));
        }
        sleep(AGAIN).await;
    }
}

/// Whether it is there. What is learned on the way is kept.
async fn look(clients: &Clients, trial: &Trial, seen: &mut Seen) -> Result<bool, Trouble> {
    let key = &trial.scratch;
    let Some(object) = read(clients, &cluster(key)).await? else {
        seen.waits = "there is no such cluster".into();
        return Ok(false);
    };
    seen.recovered.made = time(&object, &["metadata", "creationTimestamp"]);
    let jobs = read(clients, &belonging(key, "batch/v1", "jobs")).await?.unwrap_or_default();
    let pods = read(clients, &belonging(key, "v1", "pods")).await?.unwrap_or_default();
    let job = list(&jobs, &["items"]).iter().find(|j| role(j) == Some("full-recovery"));
    if let Some(job) = job {
        seen.recovered.failed = count(job, &["status", "failed"]).unwrap_or_default();
    }
    let mut tried: Vec<&Value> = list(&pods, &["items"]).iter().filter(|p| role(p) == Some("full-recovery")).collect();
    tried.sort_by_key(|p| time(p, &["metadata", "creationTimestamp"]));
    for pod in tried.iter().rev().take(2).rev() {
        attempt(clients, trial, pod, seen).await;
    }
    let phase = raw(&object, &["status", "phase"]).unwrap_or_default();
    let ready = count(&object, &["status", "readyInstances"]).unwrap_or_default();
    seen.waits = waits(phase, list(&pods, &["items"]));
    if phase != "Cluster in healthy state" || ready == 0 {
        return Ok(false);
    }
    let instance = |p: &&Value| role(p).is_none() && is_ready(p);
    seen.recovered.ready = list(&pods, &["items"]).iter().find(instance).and_then(ready_since);
    Ok(true)
}

/// One attempt's log.
async fn attempt(clients: &Clients, trial: &Trial, pod: &Value, seen: &mut Seen) {
    let (Some(name), phase) = (raw(pod, &["metadata", "name"]), raw(pod, &["status", "phase"]).unwrap_or_default())
    else {
        return;
    };
    if phase == "Pending" {
        return;
    }
    let container =
        list(pod, &["spec", "containers"]).first().and_then(|c| raw(c, &["name"])).unwrap_or("full-recovery");
    let Ok(log) = log(clients, &trial.scratch.namespace, name, container).await else { return };
    let story = Story::of(&log);
    if phase == "Failed" {
        seen.reason = story.trouble.clone().or(seen.reason.take());
    } else {
        // A successful attempt's complaints were none in the end.
        seen.recovered.story = Story { trouble: None, ..story };
    }
}

async fn log(clients: &Clients, namespace: &str, pod: &str, container: &str) -> Result<String, Trouble> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&limitBytes={MOST}");
    let client = clients.get().await.client;
    match timeout(ANSWER, client.request_text(get(&path))).await {
        Ok(text) => text.map_err(|e| Trouble::from(&e)),
        Err(_) => Err(Trouble::timed_out(ANSWER.as_secs_f64())),
    }
}

fn role(object: &Value) -> Option<&str> {
    raw(object, &["metadata", "labels", "cnpg.io/jobRole"])
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    list(pod, &["status", "conditions"]).iter().find(|c| raw(c, &["type"]) == Some(kind))
}

fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").and_then(|c| raw(c, &["status"])) == Some("True")
}

fn ready_since(pod: &Value) -> Option<jiff::Timestamp> {
    time(condition(pod, "Ready")?, &["lastTransitionTime"])
}

/// What keeps it: the phase, and what its pods wait for.
fn waits(phase: &str, pods: &[Value]) -> String {
    let kept = pods.iter().find_map(|pod| {
        let unscheduled = condition(pod, "PodScheduled").filter(|c| raw(c, &["status"]) == Some("False"));
        let statuses = list(pod, &["status", "initContainerStatuses"]).iter();
        let mut statuses = statuses.chain(list(pod, &["status", "containerStatuses"]));
        let waiting = statuses.find_map(|s| raw(s, &["state", "waiting", "reason"]));
        let why = unscheduled.and_then(|c| raw(c, &["message"])).or(waiting)?;
        Some(format!("{} waits: {why}", raw(pod, &["metadata", "name"]).unwrap_or("a pod")))
    });
    let phase = if phase.is_empty() { "the operator has said nothing of it" } else { phase };
    shorten(&clean(&[Some(phase.to_owned()), kept].into_iter().flatten().collect::<Vec<_>>().join("; ")), 300)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_keeps_it_is_told() {
        let pod = json!({"metadata": {"name": "a-1"}, "status": {"containerStatuses": [
            {"state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});
        assert_eq!(waits("Setting up primary", &[pod]), "Setting up primary; a-1 waits: ImagePullBackOff");
        assert_eq!(waits("", &[]), "the operator has said nothing of it");
    }
}
