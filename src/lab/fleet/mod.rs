//! A fleet: many clusters as objects only, for scale. Nothing runs in their pods; what they would say to `/pg/status`
//! follows from the objects and the clock ([`answer`]).
//!
//! Every object carries the label of [`super::described`], so that operator, controllers and kubelet leave it alone. A
//! seed gives the same fleet again. A few clusters change each second, slowly and plausibly.

mod answers;
mod moods;
mod objects;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::api::resources::{CLUSTERS, NAMESPACES, NODES, PODS, PVCS};
use super::api::store::Part;
use super::api::{DeleteOptions, Resource, Selector, Store};
use super::object::{is_pod_ready, label, list, name, namespace};
use moods::Mood;
use plan::Plan;

pub use answers::answer;

/// How often some of them change.
const TICK: Duration = Duration::from_secs(1);

/// A described fleet that goes on changing. Dropping it ends the changes; the objects stay.
pub struct FleetHandle {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl FleetHandle {
    /// Ends the changes.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // A task that panicked has stopped too.
        drop((&mut self.task).await);
    }
}

impl Drop for FleetHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The clusters, and how each of them is.
pub struct Fleet {
    store: Store,
    nodes: Vec<String>,
    random: StdRng,
    clusters: Vec<(Plan, Mood)>,
}

impl Fleet {
    /// Describes `count` clusters in the store.
    pub fn describe(store: &Store, count: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let nodes = store.list(&NODES, None, &Selector::everything()).items;
        let mut chosen: Vec<String> =
            nodes.iter().filter(|n| label(n, "workload") == Some("postgres")).map(|n| name(n).to_owned()).collect();
        if chosen.is_empty() {
            chosen = nodes.iter().map(|n| name(n).to_owned()).collect();
        }
        let now = Timestamp::now();
        let clusters: Vec<(Plan, Mood)> = (0..count)
            .map(|index| {
                let plan = Plan::draw(&mut random, index, count, now);
                let mood = Mood::draw(&mut random, &plan);
                (plan, mood)
            })
            .collect();
        let fleet = Self { store: store.clone(), nodes: chosen, random, clusters };
        for index in 0..fleet.clusters.len() {
            fleet.found(index);
        }
        fleet
    }

    /// Lets it change, until the handle is stopped or dropped. Must be called within a tokio runtime.
    pub fn start(mut self) -> FleetHandle {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(TICK) => self.tick(),
                    () = stopped.cancelled() => return,
                }
            }
        });
        FleetHandle { stop, task }
    }

    /// One step: about one cluster in two hundred changes its mood, those in the middle of something go on.
    pub fn tick(&mut self) {
        let changes = self.clusters.len() / 200 + usize::from(self.random.random_bool(0.2));
        for _ in 0..changes {
            let index = self.random.random_range(0..self.clusters.len().max(1));
            let Some((plan, mood)) = self.clusters.get_mut(index) else { return };
            *mood = mood.next(&mut self.random, plan);
            self.write(index);
        }
        let busy: Vec<usize> =
            self.clusters.iter().enumerate().filter(|(_, (_, mood))| mood.is_passing()).map(|(i, _)| i).collect();
        for index in busy {
            let (plan, mood) = &mut self.clusters[index];
            *mood = mood.go_on(plan);
            self.write(index);
        }
    }

    /// Makes a cluster's fixed objects, and the rest.
    fn found(&self, index: usize) {
        let (plan, _) = &self.clusters[index];
        // The namespace is shared; later clusters find it made.
        drop(self.store.create(&NAMESPACES, "", objects::namespace(plan)));
        for (kind, object) in objects::fixed(plan) {
            drop(self.store.create(kind, &plan.namespace, object));
        }
        if self.store.create(&CLUSTERS, &plan.namespace, objects::cluster(plan)).is_ok() {
            self.write(index);
        }
    }

    /// Brings the objects of a cluster to how it is.
    fn write(&self, index: usize) {
        let (plan, mood) = &self.clusters[index];
        let scene = objects::scene(plan, mood, &self.nodes, Timestamp::now());
        for serial in 1..=plan.instances {
            let instance = plan.instance(serial);
            let pod = scene.pods.iter().find(|pod| name(pod) == instance);
            self.put(&PODS, &plan.namespace, &instance, pod);
            let claims = scene.claims.iter().filter(|c| label(c, "cnpg.io/instanceName") == Some(&instance));
            for claim in claims {
                self.put(&PVCS, &plan.namespace, name(claim), Some(claim));
            }
        }
        for (kind, object) in &scene.others {
            self.put(kind, namespace(object), name(object), Some(object));
        }
        let annotations = scene.annotations.clone();
        let annotate = |cluster: &mut Value| {
            json_patch::merge(&mut cluster["metadata"]["annotations"], &annotations);
            Ok(())
        };
        drop(self.store.change(&CLUSTERS, &plan.namespace, &plan.name, Part::Main, annotate));
        let tell = |cluster: &mut Value| {
            cluster["status"] = scene.status.clone();
            Ok(())
        };
        drop(self.store.change(&CLUSTERS, &plan.namespace, &plan.name, Part::Status, tell));
    }

    fn put(&self, kind: &'static Resource, ns: &str, called: &str, wanted: Option<&Value>) {
        let standing = self.store.get(kind, ns, called);
        let Some(wanted) = wanted else {
            if standing.is_some() {
                let now = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
                drop(self.store.delete(kind, ns, called, &now));
            }
            return;
        };
        if standing.is_none() {
            drop(self.store.create(kind, ns, wanted.clone()));
            return;
        }
        for part in [Part::Main, Part::Status] {
            let edit = |object: &mut Value| {
                json_patch::merge(object, wanted);
                Ok(())
            };
            drop(self.store.change(kind, ns, called, part, edit));
        }
    }
}

/// What a described pod answers on a port over HTTP: a status code, a content type and a body.
pub fn serve(store: &Store, pod: &Arc<Value>, tls: bool, port: u16, path: &str) -> (u16, &'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    let speaks_tls = list(pod, "/spec/containers/0/command").iter().any(|word| word == "--status-port-tls");
    if port == 8000 && tls != speaks_tls {
        return (400, TEXT, "Client sent an HTTP request to an HTTPS server.\n".to_owned());
    }
    match (port, path) {
        (8000, "/pg/status") => match answer(store, pod, Timestamp::now()) {
            Ok(body) => (200, "application/json", body.to_string()),
            Err(why) => (500, TEXT, format!("{why}\n")),
        },
        (9187, "/metrics") if is_pod_ready(pod) => (200, TEXT, "cnpg_collector_up 1\n".to_owned()),
        (8000, "/healthz" | "/readyz" | "/startupz") => (200, TEXT, "OK".to_owned()),
        _ => (404, TEXT, "404 page not found\n".to_owned()),
    }
}

#[cfg(test)]
mod tests;
