//! The life of one pod on its node: sandbox, init containers, containers, restarts, end.
//!
//! One container per pod has a program of its own (the first); the lab's pods have no others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Kubelet;
use super::backoff::BackOff;
use super::events::Recorder;
use super::handle::Handle;
use super::pod::{Container, Pod, State, hex_of};
use super::probe::{Kind, Verdict};
use super::program::{has_image, image};
use super::supervise::{News, Process, grace};
use crate::lab::api::resources::PODS;
use crate::lab::api::{ApiError, DeleteOptions, EventType, Part, Preconditions};
use crate::lab::object::{is_deleting, list, text, uid};

/// Between the end of a pod's processes and the end of its object, and between a Job's end and its pod's success.
const TEARDOWN: Duration = Duration::from_millis(300);
/// What a runtime takes for a sandbox, an init container and the start of a container. Shorter than in any real cluster, but
/// long enough that whoever is waiting for one step sees it before the next.
const SANDBOX: Duration = Duration::from_millis(400);
const CONTAINER: Duration = Duration::from_millis(80);
/// How long controllers and operator may take for their answer to a step before the next one comes anyway. An operator's pass
/// takes as long as the slowest instance it asks, two seconds, and what it finds may make it look again.
pub(super) const SETTLED: Duration = Duration::from_secs(15);
/// How long a container that fails its liveness probe has to end.
const LIVENESS_GRACE: Duration = Duration::from_secs(30);
/// Between two attempts to pull an image that is not there.
const PULL_AGAIN: Duration = Duration::from_secs(15);

/// Why a container's run is over.
enum Over {
    /// It ended by itself, or was made to: it may be started again.
    Ended(i32),
    /// The pod is being deleted, and its processes have ended.
    Deleted(i32),
}

/// Runs one pod.
pub struct Worker {
    kubelet: Arc<Kubelet>,
    handle: Arc<Handle>,
    object: Arc<Value>,
    latest: watch::Receiver<Option<Arc<Value>>>,
    pod: Pod,
    events: Recorder,
    backoff: BackOff,
    runs: u32,
}

impl Worker {
    /// A worker for a pod that was just bound to a node whose address is `host`.
    pub fn new(
        kubelet: Arc<Kubelet>,
        handle: Arc<Handle>,
        object: Arc<Value>,
        latest: watch::Receiver<Option<Arc<Value>>>,
        host: &str,
    ) -> Self {
        let pod = Pod::new(&object, host, Timestamp::now());
        Worker {
            kubelet,
            handle,
            object,
            latest,
            pod,
            events: Recorder::default(),
            backoff: BackOff::default(),
            runs: 0,
        }
    }

    /// The whole life, after its first [`Worker::report`].
    pub async fn run(mut self) {
        if self.prepare().await {
            self.live().await;
        }
        self.finish().await;
    }

    /// Writes the pod's status. A pod that is gone or another needs none.
    pub fn report(&self) {
        if !self.kubelet.reaches_api(&self.handle.node) {
            self.handle.miss();
            return;
        }
        let now = Timestamp::now();
        let done =
            self.kubelet.store.change(&PODS, &self.handle.namespace, &self.handle.name, Part::Status, |object| {
                if uid(object) != self.handle.uid {
                    return Err(ApiError::new(404, "NotFound", "another pod of that name"));
                }
                object["status"] = self.pod.status(&object["status"], now);
                Ok(())
            });
        if let Err(why) = done
            && why.code != 404
        {
            tracing::warn!(pod = self.handle.name, why = why.message, "the pod's status could not be written");
        }
    }

    fn say(&mut self, field: &str, kind: EventType, reason: &str, message: &str) {
        if !self.kubelet.reaches_api(&self.handle.node) {
            return;
        }
        self.events.say(&self.kubelet.store, &self.object, field, kind, reason, message);
    }

    /// Takes the newest version of the object in. Whether the pod is to go.
    fn is_going(&mut self) -> bool {
        match self.latest.borrow_and_update().clone() {
            Some(object) => {
                self.object = object;
                is_deleting(&self.object)
            }
            None => true,
        }
    }

    /// Sandbox and init containers. Whether the containers can be started.
    async fn prepare(&mut self) -> bool {
        let store = self.kubelet.store.clone();
        // The operator goes on meanwhile: it has seen the new pod before that has an address.
        tokio::join!(self.sleep(SANDBOX), store.quiet(SETTLED));
        self.pod.sandbox = true;
        self.report();
        let object = Arc::clone(&self.object);
        for (index, spec) in list(&object, "/spec/initContainers").iter().enumerate() {
            let field = field_path("initContainers", spec);
            if !self.pull(spec, &field).await {
                return false;
            }
            self.begin(&field);
            self.pod.pod_ip = Some(self.handle.ip.clone());
            let id = self.container_id();
            self.pod.init[index].run(Timestamp::now(), id);
            self.report();
            self.sleep(CONTAINER).await;
            // What CNPG's init container does, copying the manager's executable, needs no doing here.
            self.pod.init[index].end(Timestamp::now(), 0);
            self.pod.init[index].ready = true;
            self.report();
            self.sleep(CONTAINER).await;
        }
        self.pod.pod_ip = Some(self.handle.ip.clone());
        !self.is_going()
    }

    fn begin(&mut self, field: &str) {
        self.say(field, EventType::Normal, "Created", "Container created");
        self.say(field, EventType::Normal, "Started", "Container started");
    }

    /// Waits until the container's image is there. False when the pod goes first.
    async fn pull(&mut self, spec: &Value, field: &str) -> bool {
        let wanted = image(spec).to_owned();
        if has_image(&wanted) {
            let message =
                format!("Container image \"{wanted}\" already present on machine and can be accessed by the pod");
            self.say(field, EventType::Normal, "Pulled", &message);
            return true;
        }
        let name = text(spec, "/name").to_owned();
        loop {
            let why = format!("failed to resolve reference \"{wanted}\": not found");
            self.say(field, EventType::Normal, "Pulling", &format!("Pulling image \"{wanted}\""));
            self.say(field, EventType::Warning, "Failed", &format!("Failed to pull image \"{wanted}\": {why}"));
            self.say(field, EventType::Warning, "Failed", "Error: ErrImagePull");
            self.wait_in(&name, "ErrImagePull", &why);
            let waiting = format!("Back-off pulling image \"{wanted}\"");
            self.say(field, EventType::Normal, "BackOff", &waiting);
            self.say(field, EventType::Warning, "Failed", "Error: ImagePullBackOff");
            self.wait_in(&name, "ImagePullBackOff", &waiting);
            if self.sleep(PULL_AGAIN).await {
                return false;
            }
        }
    }

    fn wait_in(&mut self, container: &str, reason: &'static str, message: &str) {
        let mut all = self.pod.init.iter_mut().chain(self.pod.main.iter_mut());
        if let Some(container) = all.find(|c| c.name == container) {
            container.state = State::Waiting { reason, message: Some(message.to_owned()) };
        }
        self.report();
    }

    /// Sleeps, unless the pod has to go: then true.
    async fn sleep(&mut self, time: Duration) -> bool {
        let until = tokio::time::Instant::now() + time;
        loop {
            if self.is_going() {
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep_until(until) => return false,
                changed = self.latest.changed() => if changed.is_err() { return true },
            }
        }
    }

    /// The containers, until the pod has ended or goes.
    async fn live(&mut self) {
        let object = Arc::clone(&self.object);
        let Some(spec) = list(&object, "/spec/containers").first().cloned() else { return };
        let field = field_path("containers", &spec);
        loop {
            self.kubelet.powered(&self.handle.place).await;
            if !self.pull(&spec, &field).await {
                return;
            }
            let id = self.container_id();
            self.kubelet.store.settled(SETTLED).await;
            self.begin(&field);
            let process = self.kubelet.launch(&self.handle, &object, &spec, &session(&id));
            let now = Timestamp::now();
            self.pod.main.iter_mut().for_each(|c| c.run(now, id.clone()));
            self.report();
            let (code, going) = match self.supervise(process, &spec, &field).await {
                Over::Ended(code) => (code, false),
                Over::Deleted(code) => (code, true),
            };
            let now = Timestamp::now();
            self.pod.main.iter_mut().for_each(|c| c.end(now, code));
            if going {
                return;
            }
            self.report();
            if !self.pod.always {
                self.sleep(TEARDOWN).await;
                return;
            }
            if !self.back_off(&field).await {
                return;
            }
        }
    }

    /// Waits until the container may be started again. False when the pod goes first.
    async fn back_off(&mut self, field: &str) -> bool {
        let wait = self.backoff.after_end(Instant::now());
        if wait.is_zero() {
            return !self.is_going();
        }
        let name = &self.pod.main[0].name;
        let message = format!(
            "back-off {}s restarting failed container={name} pod={}_{}({})",
            wait.as_secs(),
            self.handle.name,
            self.handle.namespace,
            self.handle.uid
        );
        let said = format!("Back-off restarting failed container {name} in pod {}", self.handle.name);
        self.say(field, EventType::Warning, "BackOff", &said);
        self.pod.main.iter_mut().for_each(|c| c.back_off(message.clone()));
        self.report();
        !self.sleep(wait).await
    }

    /// One run of the container: follows its process, its probes and the pod's object.
    async fn supervise(&mut self, mut process: Process, spec: &Value, field: &str) -> Over {
        let (sender, mut news) = mpsc::channel(8);
        let kubelet = Arc::clone(&self.kubelet);
        // A set, so that they end with this future however it ends.
        let mut probes = JoinSet::new();
        probes.spawn(kubelet.probe(Arc::clone(&self.handle), spec.clone(), sender));
        let mut going = false;
        let mut deadline = None;
        let code = loop {
            if !going && self.is_going() {
                going = true;
                probes.abort_all();
                let name = text(spec, "/name");
                self.say(field, EventType::Normal, "Killing", &format!("Stopping container {name}"));
                process.term.cancel();
            }
            if going {
                // A shorter grace period that is asked for later counts.
                let gone = self.latest.borrow().is_none();
                let end = if gone { Duration::ZERO } else { grace(&self.object) };
                let end = tokio::time::Instant::now() + end;
                deadline = Some(deadline.map_or(end, |d: tokio::time::Instant| d.min(end)));
            }
            tokio::select! {
                code = &mut process.code => break code.unwrap_or(1),
                changed = self.latest.changed() => {
                    if changed.is_err() {
                        process.kill.cancel();
                    }
                    self.is_going();
                    if self.handle.take_missed() {
                        self.report();
                    }
                }
                Some(found) = news.recv(), if !going => {
                    if self.probed(found, field) {
                        process.term.cancel();
                        deadline = Some(tokio::time::Instant::now() + LIVENESS_GRACE);
                    }
                }
                () = until(deadline) => process.kill.cancel(),
            }
        };
        probes.abort_all();
        if going { Over::Deleted(code) } else { Over::Ended(code) }
    }

    /// Takes a probe's news in. Whether the container has to be restarted.
    fn probed(&mut self, news: News, field: &str) -> bool {
        if let Some(why) = &news.failure {
            let message = format!("{} probe failed: {why}", news.kind.title());
            self.say(field, EventType::Warning, "Unhealthy", &message);
        }
        let change = |container: &mut Container| match (news.kind, news.verdict) {
            (Kind::Startup, Verdict::Holds) => container.started = true,
            (Kind::Readiness, Verdict::Holds) => container.ready = true,
            (Kind::Readiness, Verdict::Fails) => container.ready = false,
            _ => {}
        };
        let before = self.pod.main.clone();
        self.pod.main.iter_mut().for_each(change);
        if before != self.pod.main {
            self.report();
        }
        let fatal = news.verdict == Verdict::Fails && news.kind != Kind::Readiness;
        if fatal {
            let name = self.pod.main[0].name.clone();
            let probe = news.kind.title().to_lowercase();
            let message = format!("Container {name} failed {probe} probe, will be restarted");
            self.say(field, EventType::Normal, "Killing", &message);
        }
        fatal
    }

    /// The last status; and when the pod is being deleted, the end of its object.
    async fn finish(mut self) {
        self.pod.finished = true;
        for container in &mut self.pod.main {
            if !matches!(container.state, State::Terminated(_)) {
                container.run(self.pod.seen, String::new());
                container.end(Timestamp::now(), 137);
            }
        }
        self.report();
        loop {
            if self.latest.borrow().is_none() {
                return;
            }
            if self.is_going() {
                break;
            }
            if self.latest.changed().await.is_err() {
                return;
            }
        }
        // The operator has drawn its conclusions from the end of the processes by then.
        self.kubelet.store.quiet(SETTLED).await;
        tokio::time::sleep(TEARDOWN).await;
        while !self.kubelet.reaches_api(&self.handle.node) {
            tokio::time::sleep(TEARDOWN).await;
        }
        let exactly = Preconditions { uid: Some(self.handle.uid.clone()), resource_version: None };
        let options = DeleteOptions { grace: Some(0), preconditions: exactly, ..DeleteOptions::default() };
        if let Err(why) = self.kubelet.store.delete(&PODS, &self.handle.namespace, &self.handle.name, &options)
            && why.code != 404
            && why.code != 409
        {
            tracing::warn!(pod = self.handle.name, why = why.message, "the pod's object could not be removed");
        }
    }

    /// A new id for a container's run.
    fn container_id(&mut self) -> String {
        self.runs += 1;
        format!("containerd://{}", hex_of(&format!("{}/{}", self.handle.uid, self.runs)))
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn field_path(kind: &str, container: &Value) -> String {
    format!("spec.{kind}{{{}}}", text(container, "/name"))
}

/// A UUID-shaped text for a run of the instance manager, made from its container's id.
fn session(id: &str) -> String {
    let hex: String = id.chars().rev().filter(char::is_ascii_hexdigit).take(32).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}
