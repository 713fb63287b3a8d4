//! The node's side: pods become processes.
//!
//! A pod that is bound to a node is run here: its Job's work or its instance manager, container states and conditions,
//! probes, restarts, graceful ends, events; and what the API server asks a node for: logs, commands, ports. This folder
//! must not know what an operator decides.

pub mod backoff;
pub mod events;
pub mod exec;
pub mod handle;
pub mod logbook;
pub mod pod;
pub mod probe;
pub mod program;
pub mod roads;
pub mod runtime;
mod supervise;
pub mod volumes;
mod worker;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::api::resources::{NODES, PODS, PVCS};
use super::api::{Change, Resource, Selector, Store};
use super::described::is_described;
use super::object::{label, list, name, namespace, text, uid};
use super::postgres::{Machine, Place};

use handle::Handle;
use roads::Roads;

/// All nodes' kubelets of a lab in one.
pub struct Kubelet {
    store: Store,
    machine: Arc<Machine>,
    roads: Roads,
    pods: Mutex<HashMap<String, Entry>>,
    addresses: AtomicU32,
    /// Zones without power.
    dark: watch::Sender<BTreeSet<String>>,
}

/// What it acts on at once.
const FOLLOWED: [&Resource; 1] = [&PODS];

/// A pod that is being run.
struct Entry {
    handle: Arc<Handle>,
    latest: watch::Sender<Option<Arc<Value>>>,
}

impl Kubelet {
    /// A kubelet over these objects and this machine.
    pub fn new(store: &Store, machine: Arc<Machine>) -> Arc<Self> {
        let roads = Roads::new(machine.network.clone());
        Arc::new(Kubelet {
            store: store.as_manager("kubelet"),
            machine,
            roads,
            pods: Mutex::default(),
            addresses: AtomicU32::new(2),
            dark: watch::Sender::default(),
        })
    }

    /// The roads to instances.
    pub fn roads(&self) -> &Roads {
        &self.roads
    }

    /// Runs the pods of all nodes, for ever. Dropping it drops what runs in them.
    pub async fn run(self: Arc<Self>) {
        let mut workers = JoinSet::new();
        let mut pods = self.store.watch(&PODS, None);
        let mut claims = self.store.watch(&PVCS, None);
        let roads = self.roads.clone();
        let follow = roads.follow(&self.store);
        let mut weather = roads.network().changes();
        tokio::pin!(follow);
        let follower = self.store.swift(&FOLLOWED);
        loop {
            let upto = follower.take_in(|| match pods.try_next() {
                Some(event) => {
                    self.news(event.kind, event.object, &mut workers);
                    true
                }
                None => false,
            });
            follower.acted(upto);
            tokio::select! {
                () = &mut follow => return,
                Some(_) = workers.join_next() => {}
                event = pods.next() => self.news(event.kind, event.object, &mut workers),
                Ok(()) = weather.changed() => self.catch_up(&mut workers),
                event = claims.next() => {
                    if event.kind == Change::Deleted {
                        self.reclaim(&event.object);
                    }
                }
            }
        }
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The running pod of that object.
    pub fn handle(&self, pod: &Value) -> Option<Arc<Handle>> {
        self.pods().get(uid(pod)).map(|entry| Arc::clone(&entry.handle))
    }

    /// The running pod of that name.
    pub fn named(&self, ns: &str, pod: &str) -> Option<Arc<Handle>> {
        let pods = self.pods();
        let found = pods.values().find(|e| e.handle.namespace == ns && e.handle.name == pod);
        found.map(|entry| Arc::clone(&entry.handle))
    }

    fn news(self: &Arc<Self>, kind: Change, object: Arc<Value>, workers: &mut JoinSet<()>) {
        if is_described(&object) {
            return;
        }
        if !self.hears(&object) {
            return;
        }
        let id = uid(&object).to_owned();
        let mut pods = self.pods();
        if kind == Change::Deleted {
            if let Some(entry) = pods.remove(&id) {
                entry.latest.send_replace(None);
            }
            return;
        }
        if let Some(entry) = pods.get(&id) {
            entry.latest.send_replace(Some(object));
            return;
        }
        let finished = matches!(text(&object, "/status/phase"), "Succeeded" | "Failed");
        if text(&object, "/spec/nodeName").is_empty() || finished {
            return;
        }
        let handle = Arc::new(self.new_handle(&object));
        let (latest, reader) = watch::channel(Some(Arc::clone(&object)));
        pods.insert(id, Entry { handle: Arc::clone(&handle), latest });
        let host = self.host_address(text(&object, "/spec/nodeName"));
        drop(pods);
        let worker = worker::Worker::new(Arc::clone(self), handle, object, reader, &host);
        worker.report();
        workers.spawn(worker.run());
    }

    fn new_handle(&self, pod: &Value) -> Handle {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        let zone = self.node_place(text(pod, "/spec/nodeName")).zone;
        Handle::new(
            pod,
            Place { name: name(pod).to_owned(), zone },
            format!("10.244.{}.{}", number / 250, number % 250),
        )
    }

    fn host_address(&self, node: &str) -> String {
        let node = self.store.get(&NODES, "", node);
        let addresses = node.as_deref().map(|n| list(n, "/status/addresses")).unwrap_or_default();
        let internal = addresses.iter().find(|a| text(a, "/type") == "InternalIP");
        internal.map_or_else(|| "10.224.0.1".to_owned(), |a| text(a, "/address").to_owned())
    }

    /// Whether a node can talk with the API now: what it can't hear of does not happen on it.
    pub fn reaches_api(&self, node: &Place) -> bool {
        self.roads.network().passes(node, &roads::api_server())
    }

    /// Whether the node of a pod hears of what happens to its object. If not, it will when its way is open again.
    fn hears(&self, pod: &Value) -> bool {
        let node = text(pod, "/spec/nodeName");
        if node.is_empty() || self.reaches_api(&self.node_place(node)) {
            return true;
        }
        if let Some(handle) = self.handle(pod) {
            handle.miss();
        }
        false
    }

    fn node_place(&self, node: &str) -> Place {
        let object = self.store.get(&NODES, "", node);
        let zone = object.as_deref().and_then(|n| label(n, "topology.kubernetes.io/zone")).map(str::to_owned);
        Place { name: node.to_owned(), zone }
    }

    /// The network has changed: nodes that hear again take over what they have missed.
    fn catch_up(self: &Arc<Self>, workers: &mut JoinSet<()>) {
        let now = self.store.list(&PODS, None, &Selector::everything()).items;
        let gone: Vec<String> = {
            let pods = self.pods();
            let known = |id: &str| now.iter().any(|pod| uid(pod) == id);
            let heard = |e: &Entry| self.reaches_api(&e.handle.node);
            pods.iter().filter(|(id, e)| !known(id) && heard(e)).map(|(id, _)| id.clone()).collect()
        };
        for id in gone {
            if let Some(entry) = self.pods().remove(&id) {
                entry.latest.send_replace(None);
            }
        }
        for pod in now {
            self.news(Change::Modified, pod, workers);
        }
    }

    /// Takes the power from a zone, or gives it back. All that runs there is dead at once.
    pub fn set_power(&self, zone: &str, on: bool) {
        self.dark.send_if_modified(|dark| if on { dark.remove(zone) } else { dark.insert(zone.to_owned()) });
        if !on {
            for entry in self.pods().values().filter(|e| e.handle.place.zone.as_deref() == Some(zone)) {
                entry.handle.kill();
            }
        }
    }

    /// Waits until a place has power.
    pub(super) async fn powered(&self, place: &Place) {
        let mut dark = self.dark.subscribe();
        // The sender lives as long as this kubelet.
        let _ = dark.wait_for(|dark| place.zone.as_ref().is_none_or(|zone| !dark.contains(zone))).await;
    }

    /// A volume was given up: its data goes, as `reclaimPolicy: Delete` has it.
    fn reclaim(&self, claim: &Value) {
        let home = self.machine.servers_dir().join(volume(namespace(claim), name(claim)));
        if let Err(why) = std::fs::remove_dir_all(&home)
            && why.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(claim = name(claim), %why, "the volume's folder could not be removed");
        }
    }
}

/// The name of a claim's folder: claims of different namespaces may have the same name.
pub fn volume(ns: &str, claim: &str) -> String {
    format!("{ns}.{claim}")
}
