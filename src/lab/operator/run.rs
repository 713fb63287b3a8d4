//! The operator at work: one worker per cluster, woken by changes of what it looks at.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::act::{Act, Next, StatusWrite};
use super::pass::{Pass, apply_status};
use super::report::{Report, Reports};
use super::words::phase;
use super::world::{ClusterObject, World};
use super::{InstanceStatusReader, reconcile};
use crate::lab::api::resources::{
    CLUSTERS, CONFIGMAPS, FAILOVERQUORUMS, JOBS, LEASES, NODES, PDBS, PODS, PVCS, ROLEBINDINGS, ROLES, SECRETS,
    SERVICEACCOUNTS, SERVICES,
};
use crate::lab::api::store::Part;
use crate::lab::api::{ApiError, Change, DeleteOptions, EventType, Propagation, Resource, Selector, Store, WatchEvent};
use crate::lab::described::is_described;
use crate::lab::object::{controller, is_controlled_by, is_pod_active, name, namespace, text};

/// Who the operator is, in events and managed fields.
const COMPONENT: &str = "cloudnative-pg";
/// How long after a quiet pass it looks again anyway.
const QUIET: Duration = Duration::from_secs(30);

/// How long a look in the middle of a failover takes to ask, at least and at most. Asking takes its time in life, where
/// the instances are busy with losing their primary; without it the operator would decide over and over while WAL
/// receivers are still ending.
const SECOND_LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(1200));

/// The waits before an instance that doesn't answer is asked again (the real ones are 10, 50, 250 and 1250 ms).
const RETRIES: [u64; 4] = [10, 50, 250, 500];
/// How long changes are gathered before a pass, and how long each write takes: about what informers and requests take
/// in life. Others then see one state after the other, as they do there.
const GATHER: Duration = Duration::from_millis(20);
const WRITE: Duration = Duration::from_millis(4);

/// How the operator works.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// How long one instance has to answer `/pg/status`.
    pub status_timeout: Duration,
}

impl Default for OperatorOptions {
    fn default() -> Self {
        Self { status_timeout: Duration::from_secs(2) }
    }
}

/// The operator. See [`Operator::start`].
pub struct Operator {
    store: Store,
    reader: Arc<dyn InstanceStatusReader>,
    options: OperatorOptions,
    workers: Mutex<HashMap<(String, String), Arc<Notify>>>,
    stop: CancellationToken,
}

/// A running operator. Dropping it stops it without waiting.
pub struct OperatorHandle {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl OperatorHandle {
    /// Stops after the writes under way.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // A task that panicked has stopped too.
        drop((&mut self.task).await);
    }
}

impl Drop for OperatorHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Operator {
    /// Starts the operator on an API store. Must be called within a tokio runtime.
    pub fn start(store: &Store, reader: Arc<dyn InstanceStatusReader>, options: OperatorOptions) -> OperatorHandle {
        let stop = CancellationToken::new();
        let operator = Arc::new(Self {
            store: store.as_manager("manager"),
            reader,
            options,
            workers: Mutex::default(),
            stop: stop.clone(),
        });
        let task = tokio::spawn(operator.watch());
        OperatorHandle { stop, task }
    }

    /// Follows everything that can concern a cluster.
    async fn watch(self: Arc<Self>) {
        let kinds: [&'static Resource; 8] = [&CLUSTERS, &PODS, &JOBS, &PVCS, &SERVICES, &PDBS, &SECRETS, &NODES];
        let followers: Vec<JoinHandle<()>> = kinds
            .into_iter()
            .map(|kind| {
                let operator = Arc::clone(&self);
                tokio::spawn(async move { operator.follow(kind).await })
            })
            .collect();
        drop(join_all(followers).await);
    }

    async fn follow(self: Arc<Self>, kind: &'static Resource) {
        let mut watch = self.store.watch(kind, None);
        let mut schedulable: HashMap<String, Value> = HashMap::new();
        loop {
            let event = tokio::select! {
                event = watch.next() => event,
                () = self.stop.cancelled() => return,
            };
            if kind == &CLUSTERS {
                self.cluster_changed(&event);
            } else if kind == &NODES {
                // A node's heartbeat is not a reason to look at every cluster.
                let spec = event.object.get("spec").cloned().unwrap_or_default();
                if schedulable.insert(name(&event.object).to_owned(), spec.clone()) != Some(spec) {
                    self.wake_all();
                }
            } else if let Some(("Cluster", owner)) = controller(&event.object) {
                self.wake(namespace(&event.object), owner);
            }
        }
    }

    fn workers(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Arc<Notify>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, namespace: &str, cluster: &str) {
        if let Some(worker) = self.workers().get(&(namespace.to_owned(), cluster.to_owned())) {
            worker.notify_one();
        }
    }

    fn wake_all(&self) {
        self.workers().values().for_each(|worker| worker.notify_one());
    }

    fn cluster_changed(self: &Arc<Self>, event: &WatchEvent) {
        let object = &event.object;
        if is_described(object) {
            return;
        }
        let key = (namespace(object).to_owned(), name(object).to_owned());
        if event.kind == Change::Deleted {
            self.forget_monitoring(&key.0);
        }
        let mut workers = self.workers();
        if let Some(worker) = workers.get(&key) {
            worker.notify_one();
        } else if event.kind != Change::Deleted {
            let woken = Arc::new(Notify::new());
            woken.notify_one();
            workers.insert(key.clone(), Arc::clone(&woken));
            let operator = Arc::clone(self);
            tokio::spawn(async move { operator.work(key, woken).await });
        }
    }

    /// The last cluster of a namespace takes the default monitoring queries with it.
    fn forget_monitoring(&self, namespace: &str) {
        let left = self.store.list(&CLUSTERS, Some(namespace), &Selector::everything()).items;
        if left.is_empty() {
            // Absent is as good as deleted.
            drop(self.store.delete(&CONFIGMAPS, namespace, "cnpg-default-monitoring", &DeleteOptions::default()));
        }
    }

    async fn work(self: Arc<Self>, key: (String, String), woken: Arc<Notify>) {
        let mut look_again = Duration::ZERO;
        loop {
            tokio::select! {
                () = woken.notified() => {}
                () = tokio::time::sleep(look_again) => {}
                () = self.stop.cancelled() => return,
            }
            let next = tokio::select! {
                next = async {
                    tokio::time::sleep(GATHER).await;
                    self.pass(&key).await
                } => next,
                () = self.stop.cancelled() => return,
            };
            look_again = match next {
                Some(Next::After(wait)) => wait,
                Some(Next::OnChange) => QUIET,
                None => {
                    let mut workers = self.workers();
                    // Made again in the meantime: the name is the same, so is the worker.
                    if self.store.get(&CLUSTERS, &key.0, &key.1).is_none() {
                        workers.remove(&key);
                        return;
                    }
                    Duration::ZERO
                }
            };
        }
    }

    /// One pass. `None`: there is no such cluster.
    async fn pass(&self, key: &(String, String)) -> Option<Next> {
        const AGAIN: Option<Next> = Some(Next::After(Duration::from_millis(20)));
        let mut world = self.read(key)?;
        let mut pass = Pass::new(&world);
        let end = reconcile::setup(&mut pass);
        let acts = pass.acts;
        if self.perform(&world, &acts).await.is_err() {
            return AGAIN;
        }
        if end.is_some() {
            return end;
        }
        if !acts.is_empty() {
            world = self.read(key)?;
        }
        let mut pass = Pass::new(&world);
        let end = reconcile::observe(&mut pass);
        let (acts, cluster) = (pass.acts, pass.cluster);
        if self.perform(&world, &acts).await.is_err() {
            return AGAIN;
        }
        if end.is_some() {
            return end;
        }
        let led_by_nobody = !world.pods.iter().any(|pod| is_pod_active(pod) && name(pod) == cluster.current_primary());
        let reports = if cluster.phase() == phase::FAILING_OVER && led_by_nobody {
            self.ask_until_receivers_end(&world.pods, cluster.current_primary()).await
        } else {
            self.ask(&world.pods).await
        };
        if self.moved_on(key, &cluster) {
            return AGAIN;
        }
        let mut pass = Pass::resumed(&world, cluster);
        let next = reconcile::conclude(&mut pass, &reports);
        match self.perform(&world, &pass.acts).await {
            Ok(()) => Some(next),
            Err(_) => AGAIN,
        }
    }

    /// Whether somebody decided something while the instances were asked: then the answers are to another question.
    fn moved_on(&self, key: &(String, String), cluster: &Value) -> bool {
        let Some(now) = self.store.get(&CLUSTERS, &key.0, &key.1) else { return true };
        let decided = ["/status/currentPrimary", "/status/targetPrimary", "/status/phase", "/metadata/uid"];
        decided.iter().any(|at| text(&now, at) != text(cluster, at))
            || now["metadata"]["generation"] != cluster["metadata"]["generation"]
            || now["metadata"].get("annotations") != cluster["metadata"].get("annotations")
    }

    fn read(&self, key: &(String, String)) -> Option<World> {
        let (namespace, name_) = (key.0.as_str(), key.1.as_str());
        let cluster = self.store.get(&CLUSTERS, namespace, name_)?;
        if crate::lab::object::is_deleting(&cluster) {
            return None;
        }
        let all = Selector::everything();
        let mine = |kind: &'static Resource| -> Vec<Arc<Value>> {
            let listed = self.store.list(kind, Some(namespace), &all).items;
            listed.into_iter().filter(|object| is_controlled_by(object, "Cluster", name_)).collect()
        };
        let nodes = self.store.list(&NODES, None, &all).items;
        let mut around = BTreeMap::new();
        let kinds: [&'static Resource; 9] = [
            &SECRETS,
            &CONFIGMAPS,
            &SERVICES,
            &SERVICEACCOUNTS,
            &ROLES,
            &ROLEBINDINGS,
            &PDBS,
            &LEASES,
            &FAILOVERQUORUMS,
        ];
        for kind in kinds {
            for object in self.store.list(kind, Some(namespace), &all).items {
                around.insert((kind.plural, name(&object).to_owned()), object);
            }
        }
        Some(World {
            now: Timestamp::now(),
            cluster,
            pods: mine(&PODS),
            pvcs: mine(&PVCS),
            jobs: mine(&JOBS),
            nodes: nodes.into_iter().map(|node| (name(&node).to_owned(), node)).collect(),
            around,
        })
    }

    /// Asks all active instances at once, each with its own time-out.
    async fn ask(&self, pods: &[Arc<Value>]) -> Reports {
        let active = pods.iter().filter(|pod| is_pod_active(pod));
        let questions = active.map(|pod| async {
            let answer = tokio::time::timeout(self.options.status_timeout, self.ask_one(pod)).await;
            let late = || Err(format!("no answer within {} ms", self.options.status_timeout.as_millis()));
            Report::new(Arc::clone(pod), answer.unwrap_or_else(|_| late()))
        });
        Reports::new(join_all(questions).await)
    }

    async fn ask_until_receivers_end(&self, pods: &[Arc<Value>], primary: &str) -> Reports {
        let begin = Instant::now();
        loop {
            tokio::time::sleep(SECOND_LOOK.0).await;
            let reports = self.ask(pods).await;
            if reports.wal_receivers_are_down(primary) || begin.elapsed() > SECOND_LOOK.1 {
                return reports;
            }
        }
    }

    async fn ask_one(&self, pod: &Arc<Value>) -> Result<Value, String> {
        for wait in RETRIES {
            let answer = self.reader.read(Arc::clone(pod)).await;
            if answer.is_ok() {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        self.reader.read(Arc::clone(pod)).await
    }

    /// Does what was decided, in order; ends at the first conflict, with the world to be read again.
    async fn perform(&self, world: &World, acts: &[Act]) -> Result<(), ApiError> {
        for act in acts {
            tokio::time::sleep(WRITE).await;
            match self.do_one(world, act) {
                Err(error) if error.is_conflict() => return Err(error),
                // What is gone already need not be changed or deleted.
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    tracing::warn!(cluster = world.cluster.name(), "the operator's write failed: {}", error.message)
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn do_one(&self, world: &World, act: &Act) -> Result<(), ApiError> {
        let namespace = world.cluster.namespace();
        match act {
            Act::Create { resource, object } => match self.store.create(resource, namespace, object.clone()) {
                Err(error) if error.reason == "AlreadyExists" => Ok(()),
                done => done.map(drop),
            },
            Act::Merge { resource, name, patch } => {
                let merge = |object: &mut Value| {
                    json_patch::merge(object, patch);
                    Ok(())
                };
                self.store.change(resource, namespace, name, Part::Main, merge).map(drop)
            }
            Act::Delete { resource, name } => {
                let propagation = if *resource == &JOBS { Propagation::Foreground } else { Propagation::Background };
                let options = DeleteOptions { propagation, ..DeleteOptions::default() };
                self.store.delete(resource, namespace, name, &options).map(drop)
            }
            Act::Status(write) => self.write_status(world, write),
            Act::Event { warning, reason, message } => {
                let kind = if *warning { EventType::Warning } else { EventType::Normal };
                self.store.event(&world.cluster, kind, reason, message, COMPONENT).map(drop)
            }
        }
    }

    fn write_status(&self, world: &World, write: &StatusWrite) -> Result<(), ApiError> {
        let cluster = &world.cluster;
        let version = &cluster["metadata"]["resourceVersion"];
        let edit = |object: &mut Value| {
            if write.only_if_unchanged && object["metadata"]["resourceVersion"] != *version {
                return Err(ApiError::stale(&CLUSTERS, cluster.name()));
            }
            apply_status(object, write, Timestamp::now());
            Ok(())
        };
        self.store.change(&CLUSTERS, cluster.namespace(), cluster.name(), Part::Status, edit).map(drop)
    }
}
