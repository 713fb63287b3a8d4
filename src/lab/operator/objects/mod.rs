//! The objects around a cluster, as CloudNativePG 1.30 shapes them (recorded in 1-create), and what is missing of them.

pub mod claims;
pub mod disruption;
pub mod instance;
pub mod jobs;
pub mod rbac;
pub mod secrets;
pub mod services;

use serde_json::{Map, Value, json};

use super::pass::Pass;
use super::words::{API_VERSION, MANAGER, VERSION, annotation, label};
use super::world::ClusterObject;
use crate::lab::api::resources::{CONFIGMAPS, FAILOVERQUORUMS, LEASES};
use crate::lab::object::{flag, list, text, uid};

/// Creates what is missing, in the operator's order, and takes away what isn't wanted any more.
///
/// # Errors
/// When certificates can't be made; the text says why.
pub fn ensure(pass: &mut Pass<'_>) -> Result<(), String> {
    secrets::ensure(pass)?;
    services::ensure(pass);
    disruption::ensure(pass);
    rbac::ensure(pass);
    monitoring(pass);
    quorum(pass);
    lease(pass);
    Ok(())
}

/// The default monitoring queries: one map per namespace, owned by nobody.
fn monitoring(pass: &mut Pass<'_>) {
    const NAME: &str = "cnpg-default-monitoring";
    let wanted =
        list(&pass.cluster, "/spec/monitoring/customQueriesConfigMap").iter().any(|m| text(m, "/name") == NAME);
    if !wanted || flag(&pass.cluster, "/spec/monitoring/disableDefaultQueries") || pass.world.has(&CONFIGMAPS, NAME) {
        return;
    }
    let object = json!({
        "metadata": {
            "name": NAME,
            "labels": {"app.kubernetes.io/managed-by": MANAGER, label::RELOAD: "true"},
            "annotations": {annotation::OPERATOR_VERSION: VERSION},
        },
        "data": {"queries": QUERIES},
    });
    pass.create(&CONFIGMAPS, object);
}

/// A few of the queries the real map holds; instance managers here measure by themselves.
const QUERIES: &str = "pg_replication:
  query: \"SELECT CASE WHEN (NOT pg_catalog.pg_is_in_recovery() OR pg_catalog.pg_last_wal_receive_lsn() = \
pg_catalog.pg_last_wal_replay_lsn()) THEN 0 ELSE GREATEST (0, EXTRACT(EPOCH FROM (now() - \
pg_catalog.pg_last_xact_replay_timestamp()))) END AS lag, pg_catalog.pg_is_in_recovery() AS in_recovery\"
  metrics:
    - lag:
        usage: \"GAUGE\"
        description: \"Replication lag behind primary in seconds\"
    - in_recovery:
        usage: \"GAUGE\"
        description: \"Whether the instance is in recovery\"
";

fn quorum(pass: &mut Pass<'_>) {
    let name = pass.name().to_owned();
    let there = pass.world.has(&FAILOVERQUORUMS, &name);
    if pass.cluster.wants_quorum() && !there {
        let object = json!({"metadata": plain(&pass.cluster, &name), "status": {}});
        pass.create(&FAILOVERQUORUMS, object);
    } else if !pass.cluster.wants_quorum() && there {
        pass.delete(&FAILOVERQUORUMS, &name);
    }
}

/// The primary's lease. The operator makes it without a holder; instance managers take it.
fn lease(pass: &mut Pass<'_>) {
    let name = pass.name().to_owned();
    if !pass.world.has(&LEASES, &name) {
        let object = json!({"metadata": plain(&pass.cluster, &name), "spec": {}});
        pass.create(&LEASES, object);
    }
}

/// Owned by the cluster.
pub fn owner(cluster: &Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": "Cluster", "name": cluster.name(), "uid": uid(cluster), "controller": true})
}

/// Owned by the cluster, which waits for it when it goes in the foreground.
pub fn blocking_owner(cluster: &Value) -> Value {
    let mut owner = owner(cluster);
    owner["blockOwnerDeletion"] = true.into();
    owner
}

/// Metadata with the cluster's label alone.
fn plain(cluster: &Value, name: &str) -> Value {
    let mut labels = inherited(cluster, "labels");
    labels.insert(label::CLUSTER.into(), cluster.name().into());
    json!({
        "name": name,
        "labels": labels,
        "annotations": {annotation::OPERATOR_VERSION: VERSION},
        "ownerReferences": [owner(cluster)],
    })
}

/// Metadata with the application's labels (the recommended ones of Kubernetes), as services and budgets carry it.
pub fn metadata(cluster: &Value, name: &str) -> Value {
    let mut labels = app_labels(cluster);
    labels.insert(label::CLUSTER.into(), cluster.name().into());
    json!({
        "name": name,
        "labels": labels,
        "annotations": {annotation::OPERATOR_VERSION: VERSION},
        "ownerReferences": [owner(cluster)],
    })
}

/// The recommended labels, and those the spec wants everything to inherit.
pub fn app_labels(cluster: &Value) -> Map<String, Value> {
    let mut labels = inherited(cluster, "labels");
    let fixed = [
        ("app.kubernetes.io/component", "database"),
        ("app.kubernetes.io/instance", cluster.name()),
        ("app.kubernetes.io/managed-by", MANAGER),
        ("app.kubernetes.io/name", "postgresql"),
    ];
    labels.extend(fixed.map(|(key, value)| (key.to_owned(), Value::from(value))));
    if let Some(major) = cluster.major_version() {
        labels.insert("app.kubernetes.io/version".into(), major.to_string().into());
    }
    labels
}

/// `spec.inheritedMetadata.{labels,annotations}`.
pub fn inherited(cluster: &Value, what: &str) -> Map<String, Value> {
    let given = cluster.pointer(&format!("/spec/inheritedMetadata/{what}"));
    given.and_then(Value::as_object).cloned().unwrap_or_default()
}
