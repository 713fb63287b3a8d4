//! The initial world: what is there before anybody has done anything.
//!
//! The objects of the guides' AKS cluster: six nodes in three zones, namespaces, a storage class, CloudNativePG's kinds
//! and its Deployment, and the manifest of one cluster. Plain objects; everything that happens to them is others' doing.

mod cluster;
mod nodes;

use serde_json::{Value, json};

use super::api::resources::{CRDS, DEPLOYMENTS, NAMESPACES, SERVICEACCOUNTS, SERVICES, STORAGECLASSES};
use super::api::{ApiError, Resource, Store, fault_spec};
use super::operator::words::{OPERATOR_IMAGE, VERSION};
use crate::domain::fault;

pub use cluster::{APP_SECRET, BACKUP_SECRET, CLUSTER, NAMESPACE, app_secret, backup_secret, cluster};
pub use nodes::conditions as node_conditions;

/// Where the operator is.
pub const OPERATOR_NAMESPACE: &str = "cnpg-system";
/// The class of all volumes.
pub const STORAGE_CLASS: &str = "managed-csi-premium";

/// Puts everything in place but the cluster itself.
///
/// # Errors
/// When an object is refused, which only a mistake in this room can bring about.
pub fn populate(store: &Store) -> Result<(), ApiError> {
    for namespace in ["default", "kube-system", "kube-public", "kube-node-lease", OPERATOR_NAMESPACE, NAMESPACE] {
        let labels = json!({"kubernetes.io/metadata.name": namespace});
        let object = json!({"metadata": {"name": namespace, "labels": labels},
                            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        put(store, &NAMESPACES, "", object)?;
        put(store, &SERVICEACCOUNTS, namespace, json!({"metadata": {"name": "default"}}))?;
    }
    nodes::populate(store)?;
    put(store, &STORAGECLASSES, "", storage_class())?;
    for kind in KINDS {
        put(store, &CRDS, "", definition(kind))?;
    }
    put(store, &CRDS, "", object_stores())?;
    put(store, &CRDS, "", faults())?;
    put(store, &SERVICES, "default", kubernetes_service())?;
    put(store, &SERVICEACCOUNTS, OPERATOR_NAMESPACE, json!({"metadata": {"name": "cnpg-manager"}}))?;
    put(store, &DEPLOYMENTS, OPERATOR_NAMESPACE, operator())
}

fn put(store: &Store, resource: &'static Resource, ns: &str, object: Value) -> Result<(), ApiError> {
    store.create(resource, ns, object).map(drop)
}

fn storage_class() -> Value {
    json!({
        "metadata": {"name": STORAGE_CLASS,
                     "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "disk.csi.azure.com", "parameters": {"skuName": "Premium_LRS"},
        "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true,
    })
}

/// CloudNativePG's kinds: kind, plural, singular, short names.
const KINDS: &[(&str, &str, &str, &[&str])] = &[
    ("Backup", "backups", "backup", &[]),
    ("ClusterImageCatalog", "clusterimagecatalogs", "clusterimagecatalog", &[]),
    ("Cluster", "clusters", "cluster", &[]),
    ("Database", "databases", "database", &[]),
    ("FailoverQuorum", "failoverquorums", "failoverquorum", &[]),
    ("ImageCatalog", "imagecatalogs", "imagecatalog", &[]),
    ("Pooler", "poolers", "pooler", &[]),
    ("Publication", "publications", "publication", &[]),
    ("ScheduledBackup", "scheduledbackups", "scheduledbackup", &[]),
    ("Subscription", "subscriptions", "subscription", &[]),
];

fn definition((kind, plural, singular, short): &(&str, &str, &str, &[&str])) -> Value {
    let scope = if *kind == "ClusterImageCatalog" { "Cluster" } else { "Namespaced" };
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let names = json!({"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular,
                       "shortNames": short});
    definition_of("postgresql.cnpg.io", &names, scope, &schema, None)
}

/// The kind of the barman-cloud plugin.
fn object_stores() -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let names = json!({"kind": "ObjectStore", "listKind": "ObjectStoreList", "plural": "objectstores",
                       "singular": "objectstore"});
    definition_of("barmancloud.cnpg.io", &names, "Namespaced", &open, None)
}

/// The lab's own kind: the table of faults as a definition.
fn faults() -> Value {
    let names = json!({"kind": fault::KIND, "listKind": "FaultList", "plural": fault::PLURAL, "singular": "fault"});
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": fault_spec(), "status": open}});
    let column = |name: &str, path: &str| json!({"name": name, "type": "string", "jsonPath": path});
    let columns = json!([
        column("Kind", ".spec.kind"), column("Target", ".status.target"), column("State", ".status.state"),
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]);
    definition_of(fault::GROUP, &names, "Namespaced", &schema, Some(columns))
}

fn definition_of(group: &str, names: &Value, scope: &str, schema: &Value, columns: Option<Value>) -> Value {
    let established = |kind: &str| json!({"type": kind, "status": "True", "reason": "InitialNamesAccepted"});
    let mut version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
                             "subresources": {"status": {}}});
    if let Some(columns) = columns {
        version["additionalPrinterColumns"] = columns;
    }
    json!({
        "metadata": {"name": format!("{}.{group}", names["plural"].as_str().unwrap_or_default())},
        "spec": {"group": group, "names": names, "scope": scope, "versions": [version]},
        "status": {"acceptedNames": names, "storedVersions": ["v1"],
                   "conditions": [established("NamesAccepted"), established("Established")]},
    })
}

fn kubernetes_service() -> Value {
    json!({
        "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
                 "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}]},
        "status": {"loadBalancer": {}},
    })
}

/// The operator's Deployment, as the release manifest names it. Its pod only stands there: its work is [`super::operator`].
fn operator() -> Value {
    let labels = json!({"app.kubernetes.io/name": "cloudnative-pg"});
    let container = json!({
        "name": "manager", "image": OPERATOR_IMAGE,
        "command": ["/manager"], "args": ["controller", "--leader-elect", "--config-map-name=cnpg-controller-manager-config"],
        "ports": [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"},
                  {"name": "webhook-server", "containerPort": 9443, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "100m", "memory": "200Mi"}, "requests": {"cpu": "100m", "memory": "100Mi"}},
    });
    json!({
        "metadata": {"name": "cnpg-controller-manager",
                     "labels": {"app.kubernetes.io/name": "cloudnative-pg", "app.kubernetes.io/version": VERSION}},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels},
                         "spec": {"serviceAccountName": "cnpg-manager", "terminationGracePeriodSeconds": 10,
                                  "containers": [container]}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::resources::{CLUSTERS, NODES};
    use crate::lab::api::selector::Selector;
    use crate::lab::object::{label, text};
    use crate::lab::operator::admission;

    #[test]
    fn three_nodes_for_postgresql_in_three_zones() {
        let store = Store::new();
        populate(&store).unwrap();
        let nodes = store.list(&NODES, None, &Selector::labels("workload=postgres").unwrap()).items;
        let mut zones: Vec<&str> = nodes.iter().filter_map(|n| label(n, "topology.kubernetes.io/zone")).collect();
        zones.sort_unstable();
        assert_eq!(zones, ["westus3-1", "westus3-2", "westus3-3"]);
        assert_eq!(store.list(&NODES, None, &Selector::everything()).items.len(), 6);
    }

    #[test]
    fn the_clusters_manifest_is_one_that_the_webhooks_admit() {
        let admitted =
            admission::admit(cluster(3, "17.5", "http://127.0.0.1:1/lab/backups"), None).expect("admitted").object;
        assert_eq!(text(&admitted, "/spec/postgresql/synchronous/method"), "any");
        assert_eq!(admitted["spec"]["instances"], 3);
        let store = Store::new();
        store.create(&CLUSTERS, NAMESPACE, admitted).unwrap();
    }
}
