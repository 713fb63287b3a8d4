//! Which instance a backup is taken from.

use std::sync::Arc;

use serde_json::Value;

use crate::lab::api::resources::PODS;
use crate::lab::api::{Selector, Store};
use crate::lab::object::{is_controlled_by, is_pod_ready, label, list, name, namespace, text};

/// The first instance that is ready and fits what is asked: by the Backup, else by its Cluster, else a standby. Where none
/// fits, the primary, ready or not.
pub fn target(store: &Store, cluster: &Value, backup: &Value) -> Option<Arc<Value>> {
    let asked = [text(backup, "/spec/target"), text(cluster, "/spec/backup/target")];
    let asked = asked.into_iter().find(|target| !target.is_empty()).unwrap_or("prefer-standby");
    let primary = text(cluster, "/status/targetPrimary");
    let pods = store.list(&PODS, Some(namespace(cluster)), &Selector::everything()).items;
    let instances: Vec<&Arc<Value>> = pods
        .iter()
        .filter(|pod| is_controlled_by(pod, "Cluster", name(cluster)))
        .filter(|pod| label(pod, "cnpg.io/podRole") == Some("instance"))
        .collect();
    let fits = |pod: &&&Arc<Value>| (name(pod) == primary) == (asked == "primary") && is_pod_ready(pod);
    let found = instances.iter().find(fits).or_else(|| instances.iter().find(|pod| name(pod) == primary));
    found.map(|pod| Arc::clone(pod))
}

/// The id of the pod's PostgreSQL container, as its runtime gave it.
pub fn container_id(pod: &Value) -> &str {
    let containers = list(pod, "/status/containerStatuses");
    let postgres = containers.iter().find(|container| text(container, "/name") == "postgres");
    postgres.map(|container| text(container, "/containerID")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_standby_unless_the_primary_is_asked_for_and_the_primary_where_there_is_none() {
        let cluster = json!({"metadata": {"name": "shop", "namespace": "pg"}, "status": {"targetPrimary": "shop-1"},
                             "spec": {"backup": {"target": "prefer-standby"}}});
        let chosen = |ready: &[bool], asked: Value| {
            let store = Store::new();
            for (number, ready) in ready.iter().enumerate() {
                let status = if *ready { "True" } else { "False" };
                let pod = json!({
                    "metadata": {"name": format!("shop-{}", number + 1), "labels": {"cnpg.io/podRole": "instance"},
                        "ownerReferences": [{"kind": "Cluster", "name": "shop", "controller": true, "uid": "1",
                                             "apiVersion": "postgresql.cnpg.io/v1"}]},
                    "status": {"conditions": [{"type": "Ready", "status": status}]}});
                store.create(&PODS, "pg", pod).unwrap();
            }
            target(&store, &cluster, &json!({"spec": asked})).map(|pod| name(&pod).to_owned())
        };
        assert_eq!(chosen(&[true, true, true], json!({})).as_deref(), Some("shop-2"));
        assert_eq!(chosen(&[true, false, true], json!({})).as_deref(), Some("shop-3"));
        assert_eq!(chosen(&[true, true], json!({"target": "primary"})).as_deref(), Some("shop-1"));
        assert_eq!(chosen(&[false, false], json!({})).as_deref(), Some("shop-1"));
        assert_eq!(chosen(&[], json!({})), None);
    }
}
