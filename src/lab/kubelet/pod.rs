//! What a node knows about one pod it runs, and the `status` it reports for it.
//!
//! Pure: facts in, JSON out. The shapes and their order are those of a kubelet 1.36 with CNPG 1.30 pods.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::lab::object::seconds;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit code of its main process; 128 + signal when a signal ended it.
    pub code: i32,
    /// `Completed`, `Error`, …
    pub reason: &'static str,
    /// When it had started.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The id it had.
    pub id: String,
}

/// What a container does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not running: `PodInitializing`, `CrashLoopBackOff`, …
    Waiting {
        /// The one-word reason.
        reason: &'static str,
        /// The sentence that goes with it, if any.
        message: Option<String>,
    },
    /// Running since.
    Running(Timestamp),
    /// Ended.
    Terminated(Ended),
}

/// One container of the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name in the pod's spec.
    pub name: String,
    /// Its image, as the spec has it.
    pub image: String,
    /// What it does now.
    pub state: State,
    /// How its previous run ended.
    pub last: Option<Ended>,
    /// How often it was started again.
    pub restarts: u32,
    /// Whether its readiness probe holds.
    pub ready: bool,
    /// Whether its startup probe has held.
    pub started: bool,
    /// `containerd://…` of this run.
    pub id: String,
    /// The spec's volume mounts, repeated in the status.
    pub mounts: Value,
}

impl Container {
    /// A container of `spec` that waits for the pod to initialize.
    pub fn waiting(spec: &Value) -> Self {
        let text = |key: &str| spec[key].as_str().unwrap_or_default().to_owned();
        Container {
            name: text("name"),
            image: text("image"),
            state: State::Waiting { reason: "PodInitializing", message: None },
            last: None,
            restarts: 0,
            ready: false,
            started: false,
            id: String::new(),
            mounts: spec.get("volumeMounts").cloned().unwrap_or_else(|| json!([])),
        }
    }

    /// Marks it as running from `now` under a new id.
    pub fn run(&mut self, now: Timestamp, id: String) {
        if let State::Terminated(ended) = &self.state {
            self.last = Some(ended.clone());
            self.restarts += 1;
        }
        self.id = id;
        self.state = State::Running(now);
        (self.ready, self.started) = (false, false);
    }

    /// Marks it as ended.
    pub fn end(&mut self, now: Timestamp, code: i32) {
        let started = match &self.state {
            State::Running(since) => *since,
            _ => now,
        };
        let reason = if code == 0 { "Completed" } else { "Error" };
        self.state = State::Terminated(Ended { code, reason, started, finished: now, id: self.id.clone() });
        (self.ready, self.started) = (false, false);
    }

    /// Moves a container that has ended into its back-off.
    pub fn back_off(&mut self, message: String) {
        if let State::Terminated(ended) = &self.state {
            self.last = Some(ended.clone());
            self.restarts += 1;
            self.state = State::Waiting { reason: "CrashLoopBackOff", message: Some(message) };
        }
    }

    fn ended_well(&self) -> bool {
        matches!(&self.state, State::Terminated(e) if e.code == 0)
    }

    fn to_json(&self) -> Value {
        let mut out = json!({
            "name": self.name, "state": state_json(&self.state),
            "lastState": self.last.as_ref().map_or_else(|| json!({}), |e| json!({"terminated": ended_json(e)})),
            "ready": self.ready, "restartCount": self.restarts, "image": self.image,
            "imageID": "", "started": self.started, "volumeMounts": self.mounts,
        });
        if !self.id.is_empty() {
            out["containerID"] = json!(self.id);
            out["imageID"] = json!(image_id(&self.image));
            out["resources"] = json!({});
        }
        out
    }
}

fn state_json(state: &State) -> Value {
    match state {
        State::Waiting { reason, message: None } => json!({"waiting": {"reason": reason}}),
        State::Waiting { reason, message: Some(message) } => {
            json!({"waiting": {"reason": reason, "message": message}})
        }
        State::Running(since) => json!({"running": {"startedAt": seconds(*since)}}),
        State::Terminated(ended) => json!({"terminated": ended_json(ended)}),
    }
}

fn ended_json(e: &Ended) -> Value {
    json!({"exitCode": e.code, "reason": e.reason, "startedAt": seconds(e.started),
           "finishedAt": seconds(e.finished), "containerID": e.id})
}

/// A stable id for an image's name, in the form a container runtime gives.
fn image_id(image: &str) -> String {
    format!("sha256:{}", hex_of(image))
}

/// 64 hexadecimal digits that depend on `text` alone (FNV-1a, stretched). Not for security.
pub fn hex_of(text: &str) -> String {
    let mut out = String::with_capacity(64);
    for round in 0u8..4 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325 ^ u64::from(round).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        out.push_str(&format!("{hash:016x}"));
    }
    out
}

/// One pod as its node sees it.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its init containers, in order.
    pub init: Vec<Container>,
    /// Its containers.
    pub main: Vec<Container>,
    /// The node's address.
    pub host_ip: String,
    /// The pod's address, once its sandbox runs.
    pub pod_ip: Option<String>,
    /// When the kubelet first saw it.
    pub seen: Timestamp,
    /// Whether the sandbox is up (and not torn down again).
    pub sandbox: bool,
    /// Whether its phase is final: all containers have ended and will not be started again.
    pub finished: bool,
    /// Whether containers are started again when they end (`restartPolicy: Always`).
    pub always: bool,
    /// `metadata.generation`.
    pub generation: i64,
    /// Quality of service, which only depends on the spec.
    pub qos: &'static str,
}

impl Pod {
    /// A pod that was just bound to the node.
    pub fn new(object: &Value, host_ip: &str, now: Timestamp) -> Self {
        let list = |key: &str| {
            let specs = object["spec"][key].as_array().map(Vec::as_slice).unwrap_or_default();
            specs.iter().map(Container::waiting).collect::<Vec<_>>()
        };
        Pod {
            init: list("initContainers"),
            main: list("containers"),
            host_ip: host_ip.to_owned(),
            pod_ip: None,
            seen: now,
            sandbox: false,
            finished: false,
            always: object["spec"]["restartPolicy"].as_str().unwrap_or("Always") == "Always",
            generation: object["metadata"]["generation"].as_i64().unwrap_or(1),
            qos: quality(&object["spec"]),
        }
    }

    /// `status.phase`.
    pub fn phase(&self) -> &'static str {
        if self.finished {
            return if self.main.iter().all(Container::ended_well) { "Succeeded" } else { "Failed" };
        }
        let begun = |c: &Container| !matches!(c.state, State::Waiting { reason: "PodInitializing", .. });
        if self.main.iter().any(begun) { "Running" } else { "Pending" }
    }

    /// The pod's status, with transition times taken over from `before` (its status so far) where nothing changed.
    pub fn status(&self, before: &Value, now: Timestamp) -> Value {
        let mut out = json!({
            "observedGeneration": self.generation, "phase": self.phase(),
            "conditions": self.conditions(&before["conditions"], now),
            "hostIP": self.host_ip, "hostIPs": [{"ip": self.host_ip}], "startTime": seconds(self.seen),
            "initContainerStatuses": self.init.iter().map(Container::to_json).collect::<Vec<_>>(),
            "containerStatuses": self.main.iter().map(Container::to_json).collect::<Vec<_>>(),
            "qosClass": self.qos,
        });
        if let Some(ip) = &self.pod_ip {
            out["podIP"] = json!(ip);
            out["podIPs"] = json!([{"ip": ip}]);
        }
        if self.init.is_empty() {
            out.as_object_mut().map(|o| o.remove("initContainerStatuses"));
        }
        out
    }

    fn conditions(&self, before: &Value, now: Timestamp) -> Value {
        let names = |list: &[Container], pick: fn(&Container) -> bool| {
            list.iter().filter(|c| pick(c)).map(|c| c.name.as_str()).collect::<Vec<_>>().join(" ")
        };
        let uninitialized = names(&self.init, |c| !c.ended_well());
        let unready = names(&self.main, |c| !c.ready);
        let ended = self.main.iter().all(|c| matches!(c.state, State::Terminated(_)));
        let done = self.finished || (ended && !self.always);
        let well = self.main.iter().all(Container::ended_well);
        let initialized = match (uninitialized.is_empty(), done) {
            (true, true) => (true, well.then_some("PodCompleted"), None),
            (true, false) => (true, None, None),
            (false, _) => {
                let message = format!("containers with incomplete status: [{uninitialized}]");
                (false, Some("ContainersNotInitialized"), Some(message))
            }
        };
        let ready = match (unready.is_empty(), done) {
            (true, _) => (true, None, None),
            (false, true) => (false, Some(if well { "PodCompleted" } else { "PodFailed" }), None),
            (false, false) => {
                let message = format!("containers with unready status: [{unready}]");
                (false, Some("ContainersNotReady"), Some(message))
            }
        };
        let rows = [
            ("PodReadyToStartContainers", (self.sandbox && !self.finished, None, None)),
            ("Initialized", initialized),
            ("Ready", ready.clone()),
            ("ContainersReady", ready),
            ("PodScheduled", (true, None, None)),
        ];
        rows.into_iter().map(|(kind, row)| self.condition(kind, row, before, now)).collect()
    }

    fn condition(
        &self,
        kind: &str,
        (holds, reason, message): (bool, Option<&str>, Option<String>),
        before: &Value,
        now: Timestamp,
    ) -> Value {
        let status = if holds { "True" } else { "False" };
        let same = before.as_array().into_iter().flatten().find(|c| c["type"] == kind && c["status"] == status);
        let since = same.and_then(|c| c["lastTransitionTime"].as_str().map(str::to_owned));
        let mut out = json!({
            "type": kind, "status": status, "lastProbeTime": null, "observedGeneration": self.generation,
            "lastTransitionTime": since.unwrap_or_else(|| seconds(now)),
        });
        if let Some(reason) = reason {
            out["reason"] = json!(reason);
        }
        if let Some(message) = message {
            out["message"] = json!(message);
        }
        out
    }
}

/// `Guaranteed` when every container limits what it requests, `BestEffort` when none asks for anything.
fn quality(spec: &Value) -> &'static str {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let section = |c: &Value, key: &str| c["resources"][key].as_object().cloned().unwrap_or_default();
    if containers.iter().all(|c| section(c, "requests").is_empty() && section(c, "limits").is_empty()) {
        return "BestEffort";
    }
    let guaranteed = containers.iter().all(|c| {
        let (requests, limits) = (section(c, "requests"), section(c, "limits"));
        ["cpu", "memory"]
            .iter()
            .all(|r| limits.contains_key(*r) && requests.get(*r).unwrap_or(&limits[*r]) == &limits[*r])
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn object(policy: &str) -> Value {
        json!({"metadata": {"generation": 1}, "spec": {"restartPolicy": policy,
            "initContainers": [{"name": "bootstrap-controller", "image": "cnpg"}],
            "containers": [{"name": "postgres", "image": "postgresql", "volumeMounts": [{"name": "pgdata"}]}]}})
    }

    fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
        status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == kind).unwrap()
    }

    /// Runs a pod up to the point where its container is ready.
    fn up(policy: &str) -> (Pod, Value) {
        let mut pod = Pod::new(&object(policy), "10.0.0.1", at(0));
        let mut status = pod.status(&Value::Null, at(0));
        assert_eq!((pod.phase(), condition(&status, "Initialized")["status"].as_str()), ("Pending", Some("False")));
        pod.sandbox = true;
        pod.pod_ip = Some("10.244.0.2".to_owned());
        pod.init[0].run(at(1), "containerd://i".to_owned());
        pod.init[0].end(at(1), 0);
        status = pod.status(&status, at(1));
        assert_eq!((pod.phase(), condition(&status, "Initialized")["status"].as_str()), ("Pending", Some("True")));
        pod.main[0].run(at(2), "containerd://a".to_owned());
        (pod.main[0].started, pod.main[0].ready) = (true, true);
        status = pod.status(&status, at(3));
        assert_eq!((pod.phase(), condition(&status, "Ready")["status"].as_str()), ("Running", Some("True")));
        (pod, status)
    }

    #[test]
    fn a_container_that_ends_is_started_again_and_remembers() {
        let (mut pod, status) = up("Always");
        pod.main[0].end(at(10), 0);
        let status = pod.status(&status, at(10));
        assert_eq!(status["phase"], "Running");
        assert_eq!(condition(&status, "Ready")["reason"], "ContainersNotReady");
        assert_eq!(status["containerStatuses"][0]["state"]["terminated"]["reason"], "Completed");
        pod.main[0].run(at(11), "containerd://b".to_owned());
        let status = pod.status(&status, at(11));
        let container = &status["containerStatuses"][0];
        assert_eq!((&container["restartCount"], &container["started"]), (&json!(1), &json!(false)));
        assert_eq!(container["lastState"]["terminated"]["containerID"], "containerd://a");
    }

    #[test]
    fn a_jobs_pod_is_completed_before_it_succeeds() {
        let (mut pod, status) = up("Never");
        pod.main[0].end(at(10), 0);
        let status = pod.status(&status, at(10));
        assert_eq!(
            (&status["phase"], &condition(&status, "Ready")["reason"]),
            (&json!("Running"), &json!("PodCompleted"))
        );
        pod.finished = true;
        assert_eq!(pod.status(&status, at(11))["phase"], "Succeeded");
        pod.main[0].state = State::Running(at(12));
        pod.main[0].end(at(13), 1);
        let status = pod.status(&status, at(13));
        assert_eq!((&status["phase"], &condition(&status, "Ready")["reason"]), (&json!("Failed"), &json!("PodFailed")));
    }

    #[test]
    fn transition_times_move_only_with_the_status() {
        let (pod, before) = up("Always");
        let after = pod.status(&before, at(60));
        assert_eq!(condition(&after, "Ready")["lastTransitionTime"], condition(&before, "Ready")["lastTransitionTime"]);
    }

    #[test]
    fn quality_of_service_follows_from_requests_and_limits() {
        let spec = |r: Value| json!({"containers": [{"resources": r}]});
        assert_eq!(quality(&spec(json!({}))), "BestEffort");
        let both = json!({"cpu": 2, "memory": "8Gi"});
        assert_eq!(quality(&spec(json!({"requests": both, "limits": both}))), "Guaranteed");
        assert_eq!(quality(&spec(json!({"requests": both}))), "Burstable");
    }
}
