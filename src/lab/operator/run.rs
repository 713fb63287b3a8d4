//! The operator at work: one worker per cluster, woken by changes of what it looks at.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::act::{Act, Next, StatusWrite};
use super::pass::{Pass, apply_status};
use super::world::{ClusterObject, World};
use super::{InstanceStatusReader, reconcile};
use crate::lab::api::resources::{
    BACKUPS, CLUSTERS, CONFIGMAPS, FAILOVERQUORUMS, JOBS, LEASES, NODES, PDBS, PODS, PVCS, ROLEBINDINGS, ROLES,
    SECRETS, SERVICEACCOUNTS, SERVICES,
};
use crate::lab::api::store::{Follower, Part};
use crate::lab::api::{ApiError, Change, DeleteOptions, EventType, Propagation, Resource, Selector, Store, WatchEvent};
use crate::lab::described::is_described;
use crate::lab::object::{controller, is_controlled_by, name, namespace, text};

/// Who the operator is, in events and managed fields.
const COMPONENT: &str = "cloudnative-pg";
/// How long after a quiet pass it looks again anyway.
const QUIET: Duration = Duration::from_secs(30);

/// How long Kubernetes' controllers may take for their answer to what was written, before they are not waited for.
pub(super) const SETTLED: Duration = Duration::from_secs(5);
/// How long changes are gathered before a pass, and how long each write takes: about what informers and requests take
/// in life. Others then see one state after the other, as they do there.
const GATHER: Duration = Duration::from_millis(20);
const WRITE: Duration = Duration::from_millis(4);

/// A cluster's namespace and name.
pub(super) type Key = (String, String);

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
    pub(super) store: Store,
    pub(super) reader: Arc<dyn InstanceStatusReader>,
    pub(super) options: OperatorOptions,
    workers: Mutex<HashMap<Key, Arc<Worker>>>,
    /// The resource version that the last pass over each cluster began with.
    looked: Mutex<HashMap<Key, u64>>,
    stop: CancellationToken,
}

/// Who looks after one cluster.
struct Worker {
    notify: Notify,
    follower: Follower,
}

impl Worker {
    fn wake(&self) {
        self.follower.wake();
        self.notify.notify_one();
    }
}

/// A running operator. Dropping it stops it without waiting.
pub struct OperatorHandle {
    operator: Arc<Operator>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl OperatorHandle {
    /// Whether a whole pass over that cluster has begun at this resource version or later, and is over.
    pub fn has_looked(&self, namespace: &str, cluster: &str, at: u64) -> bool {
        let looked = self.operator.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.get(&(namespace.to_owned(), cluster.to_owned())).is_some_and(|upto| *upto >= at)
    }

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
            looked: Mutex::default(),
            stop: stop.clone(),
        });
        let task = tokio::spawn(Arc::clone(&operator).watch());
        OperatorHandle { operator, stop, task }
    }

    /// Follows everything that can concern a cluster.
    async fn watch(self: Arc<Self>) {
        static KINDS: [&Resource; 8] = [&CLUSTERS, &PODS, &JOBS, &PVCS, &SERVICES, &PDBS, &SECRETS, &NODES];
        let followers: Vec<JoinHandle<()>> = KINDS
            .chunks(1)
            .map(|kind| {
                let operator = Arc::clone(&self);
                tokio::spawn(async move { operator.follow(kind).await })
            })
            .collect();
        drop(join_all(followers).await);
    }

    async fn follow(self: Arc<Self>, kinds: &'static [&'static Resource]) {
        let [kind] = kinds else { return };
        let kind: &'static Resource = kind;
        let mut watch = self.store.watch(kind, None);
        let follower = self.store.swift(kinds);
        let mut schedulable: HashMap<String, Value> = HashMap::new();
        loop {
            let upto = self.store.resource_version();
            let event = match watch.try_next() {
                Some(event) => event,
                None => {
                    follower.acted(upto);
                    tokio::select! {
                        event = watch.next() => event,
                        () = self.stop.cancelled() => return,
                    }
                }
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

    fn workers(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Worker>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, namespace: &str, cluster: &str) {
        if let Some(worker) = self.workers().get(&(namespace.to_owned(), cluster.to_owned())) {
            worker.wake();
        }
    }

    fn wake_all(&self) {
        self.workers().values().for_each(|worker| worker.wake());
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
            worker.wake();
        } else if event.kind != Change::Deleted {
            let woken = Arc::new(Worker { notify: Notify::new(), follower: self.store.slow() });
            woken.wake();
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

    async fn work(self: Arc<Self>, key: Key, woken: Arc<Worker>) {
        let mut look_again = Duration::ZERO;
        loop {
            tokio::select! {
                () = woken.notify.notified() => {}
                () = tokio::time::sleep(look_again) => {}
                () = self.stop.cancelled() => return,
            }
            let next = tokio::select! {
                next = async {
                    tokio::join!(tokio::time::sleep(GATHER), self.store.settled(SETTLED));
                    let (begin, wakes) = (self.store.resource_version(), woken.follower.wakes());
                    let next = self.pass(&key).await;
                    woken.follower.acted(wakes);
                    self.looked.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), begin);
                    next
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
                        self.looked.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                        return;
                    }
                    Duration::ZERO
                }
            };
        }
    }

    /// One pass. `None`: there is no such cluster.
    async fn pass(&self, key: &Key) -> Option<Next> {
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
        let reports = self.ask_all(key, &world, &cluster).await;
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
    fn moved_on(&self, key: &Key, cluster: &Value) -> bool {
        let Some(now) = self.store.get(&CLUSTERS, &key.0, &key.1) else { return true };
        let decided = ["/status/currentPrimary", "/status/targetPrimary", "/status/phase", "/metadata/uid"];
        decided.iter().any(|at| text(&now, at) != text(cluster, at))
            || now["metadata"]["generation"] != cluster["metadata"]["generation"]
            || now["metadata"].get("annotations") != cluster["metadata"].get("annotations")
    }

    fn read(&self, key: &Key) -> Option<World> {
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
        let kinds: [&'static Resource; 10] = [
            &BACKUPS,
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
