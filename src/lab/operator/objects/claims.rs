//! The instances' persistent volume claims.

use serde_json::{Value, json};

use super::{inherited, owner};
use crate::lab::object::text;
use crate::lab::operator::words::{MANAGER, VERSION, annotation, instance_name, label};
use crate::lab::operator::world::ClusterObject;

/// The claims of a new instance: PGDATA, and WAL when it has a volume of its own.
pub fn claims(cluster: &Value, serial: u32) -> Vec<Value> {
    let instance = instance_name(cluster.name(), serial);
    let mut claims = vec![claim(cluster, serial, &instance, "PG_DATA", &cluster["spec"]["storage"])];
    if cluster.has_wal_storage() {
        let name = format!("{instance}-wal");
        claims.push(claim(cluster, serial, &name, "PG_WAL", &cluster["spec"]["walStorage"]));
    }
    claims
}

fn claim(cluster: &Value, serial: u32, name: &str, pvc_role: &str, storage: &Value) -> Value {
    let mut labels = inherited(cluster, "labels");
    let fixed = [
        ("app.kubernetes.io/component", "database"),
        ("app.kubernetes.io/managed-by", MANAGER),
        ("app.kubernetes.io/name", "postgresql"),
        (label::CLUSTER, cluster.name()),
        (label::INSTANCE_NAME, &instance_name(cluster.name(), serial)),
        (label::PVC_ROLE, pvc_role),
    ];
    labels.extend(fixed.map(|(key, value)| (key.to_owned(), Value::from(value))));
    let mut spec = storage.get("pvcTemplate").filter(|t| t.is_object()).cloned().unwrap_or_else(|| json!({}));
    let defaults = [("accessModes", json!(["ReadWriteOnce"])), ("volumeMode", json!("Filesystem"))];
    for (key, value) in defaults {
        if spec.get(key).is_none() {
            spec[key] = value;
        }
    }
    if !text(storage, "/size").is_empty() {
        spec["resources"] = json!({"requests": {"storage": text(storage, "/size")}});
    }
    if !text(storage, "/storageClass").is_empty() {
        spec["storageClassName"] = text(storage, "/storageClass").into();
    }
    json!({
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {
                annotation::NODE_SERIAL: serial.to_string(),
                annotation::OPERATOR_VERSION: VERSION,
                annotation::PVC_STATUS: "initializing",
            },
            "ownerReferences": [owner(cluster)],
            "finalizers": ["kubernetes.io/pvc-protection"],
        },
        "spec": spec,
        "status": {"phase": "Pending"},
    })
}
