//! A small cluster of Kubernetes in memory, and the waiting.

use std::sync::Arc;
use std::time::Duration;

use howdah::lab::api::resources::{CLUSTERS, NAMESPACES, NODES, PODS, STORAGECLASSES};
use howdah::lab::api::store::Part;
use howdah::lab::api::{DeleteOptions, Store};
use howdah::lab::controllers::{Controllers, ControllersHandle};
use howdah::lab::operator::world::ClusterObject;
use howdah::lab::operator::{Operator, OperatorHandle, OperatorOptions, admission};
use howdah::lab::postgres::Network;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::film::{Change, taken};
use super::pretend::{NAMESPACE, Pretend};

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
        let begin = Instant::now();
        while !holds(&self.store) {
            let film: Vec<String> = if begin.elapsed() > Duration::from_secs(15) {
                taken(&self.store, self.since).iter().map(|c| format!("{c:?}")).collect()
            } else {
                Vec::new()
            };
            assert!(begin.elapsed() <= Duration::from_secs(15), "waited for {what}:\n{}", film.join("\n"));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn until_healthy(&self, name: &str, instances: usize) {
        let healthy = |store: &Store| {
            store.get(&CLUSTERS, NAMESPACE, name).is_some_and(|cluster| {
                cluster.phase() == HEALTHY
                    && cluster.ready_instances() == instances
                    && cluster.instances() == instances
                    && cluster.current_primary() == cluster.target_primary()
                    && cluster.pointer("/status/phaseReason").is_none()
            })
        };
        self.until("a healthy cluster", healthy).await;
        // What follows from it (jobs cleaned up, budgets counted) is done at once.
        tokio::time::sleep(Duration::from_millis(100)).await;
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
