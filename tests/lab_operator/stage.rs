//! A small cluster of Kubernetes in memory, and the waiting.

use std::sync::Arc;
use std::time::Duration;

use howdah::lab::api::resources::{CLUSTERS, JOBS, NAMESPACES, NODES, PODS, STORAGECLASSES};
use howdah::lab::api::store::Part;
use howdah::lab::api::{DeleteOptions, Selector, Store};
use howdah::lab::controllers::{Controllers, ControllersHandle};
use howdah::lab::object::label;
use howdah::lab::operator::world::ClusterObject;
use howdah::lab::operator::{Operator, OperatorHandle, OperatorOptions, admission};
use howdah::lab::postgres::Network;
use serde_json::{Value, json};

use super::film::{Change, taken};
use super::pretend::{NAMESPACE, Pretend};
use crate::until::eventually;

pub const HEALTHY: &str = "Cluster in healthy state";

/// Everything that runs in a test.
pub struct Stage {
    pub store: Store,
    pub pretend: Arc<Pretend>,
    since: u64,
    operator: OperatorHandle,
    controllers: ControllersHandle,
}

impl Stage {
    /// Three zones with two nodes each, and no cluster yet.
    pub fn set() -> Self {
        let store = Store::new();
        store.create(&NAMESPACES, "", json!({"metadata": {"name": NAMESPACE}})).expect("a namespace");
        for zone in 1..=3 {
            for kind in ["system", "postgres"] {
                let labels = json!({"topology.kubernetes.io/zone": format!("zone-{zone}"), "workload": kind});
                let node = json!({"metadata": {"name": format!("{kind}-{zone}"), "labels": labels}, "spec": {}});
                store.create(&NODES, "", node).expect("a node");
            }
        }
        let class = json!({"metadata": {"name": "manual"}, "provisioner": "p", "volumeBindingMode": "Immediate"});
        store.create(&STORAGECLASSES, "", class).expect("a class");
        let controllers = Controllers::start(&store, &Network::default());
        let pretend = Pretend::start(&store);
        let reader = Arc::clone(&pretend) as Arc<dyn howdah::lab::operator::InstanceStatusReader>;
        let operator = Operator::start(&store, reader, OperatorOptions::default());
        Self { since: store.resource_version(), store, pretend, operator, controllers }
    }

    /// What `kubectl apply` does, past the webhook.
    pub fn apply(&self, name: &str, instances: u32) {
        let cluster = json!({
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "instances": instances, "imageName": "localhost/postgresql:17.11",
                "storage": {"size": "1Gi", "storageClass": "manual"},
                "affinity": {"nodeSelector": {"workload": "postgres"}},
            },
        });
        let admitted = admission::admit(cluster, None).expect("it is right");
        self.store.create(&CLUSTERS, NAMESPACE, admitted.object).expect("a cluster");
    }

    /// With a healthy cluster `demo` of three, and the film starting now.
    pub async fn with_demo() -> Self {
        let mut stage = Self::set();
        stage.apply("demo", 3);
        stage.until_healthy("demo", 3).await;
        stage.roll();
        stage
    }

    pub fn cluster(&self, name: &str) -> Arc<Value> {
        self.store.get(&CLUSTERS, NAMESPACE, name).expect("the cluster is there")
    }

    /// Changes the cluster as a client does.
    pub fn edit(&self, name: &str, part: Part, patch: &Value) {
        let edit = |cluster: &mut Value| {
            json_patch::merge(cluster, patch);
            Ok(())
        };
        self.store.change(&CLUSTERS, NAMESPACE, name, part, edit).expect("the cluster is there");
    }

    pub fn annotate(&self, name: &str, key: &str, value: Option<&str>) {
        self.edit(name, Part::Main, &json!({"metadata": {"annotations": {key: value}}}));
    }

    pub fn delete_pod(&self, pod: &str) {
        self.store.delete(&PODS, NAMESPACE, pod, &DeleteOptions::default()).expect("the pod is there");
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Store) -> bool) {
        let film = || taken(&self.store, self.since).iter().map(|c| format!("{c:?}\n")).collect();
        eventually(what, Duration::from_secs(15), async || holds(&self.store), film).await;
    }

    /// Waits until the cluster is healthy, and everything that follows from it (jobs cleared away, budgets counted) done.
    pub async fn until_healthy(&self, name: &str, instances: usize) {
        let healthy = |store: &Store| {
            let jobs = store.list(&JOBS, Some(NAMESPACE), &Selector::everything()).items;
            let pods = store.list(&PODS, Some(NAMESPACE), &Selector::everything()).items;
            let of_jobs = pods.iter().any(|pod| label(pod, "cnpg.io/jobRole").is_some());
            let cluster = store.get(&CLUSTERS, NAMESPACE, name);
            let whole = cluster.is_some_and(|cluster| {
                cluster.phase() == HEALTHY
                    && cluster.ready_instances() == instances
                    && cluster.instances() == instances
                    && cluster.current_primary() == cluster.target_primary()
                    && cluster.pointer("/status/phaseReason").is_none()
            });
            whole && jobs.is_empty() && !of_jobs
        };
        self.until("a healthy cluster", healthy).await;
        self.store.settled(Duration::from_secs(15)).await;
    }

    /// Waits until the operator has looked at everything as it is now.
    pub async fn until_looked(&self, name: &str) {
        let now = self.store.resource_version();
        self.until("a pass of the operator", |_| self.operator.has_looked(NAMESPACE, name, now)).await;
    }

    /// Starts the film anew.
    pub fn roll(&mut self) {
        self.since = self.store.resource_version();
    }

    /// Ends everything, and shows what happened.
    pub async fn cut(self) -> Vec<Change> {
        self.operator.stop().await;
        self.controllers.stop().await;
        taken(&self.store, self.since)
    }
}
