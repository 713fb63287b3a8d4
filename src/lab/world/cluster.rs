//! The cluster of the guide (B5), with today's form of synchronous replication and only the settings a laptop can bear.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::STORAGE_CLASS;

/// The cluster's name and namespace.
pub const CLUSTER: &str = "pg-primary";
/// See [`CLUSTER`].
pub const NAMESPACE: &str = "cnpg-database";
/// The secret with the application user's password.
pub const APP_SECRET: &str = "db-user-pass";

/// The secret of the guide's step B1.
pub fn app_secret(password: &str) -> Value {
    json!({
        "metadata": {"name": APP_SECRET, "labels": {"cnpg.io/reload": "true"}},
        "type": "kubernetes.io/basic-auth",
        "data": {"username": STANDARD.encode("app"), "password": STANDARD.encode(password)},
    })
}

/// The secret with the name and the key of the account that backups go to.
pub const BACKUP_SECRET: &str = "backup-creds";

/// What opens the object store, as the operator's documentation has it for Azure.
pub fn backup_secret(account: &str, key: &str) -> Value {
    json!({
        "metadata": {"name": BACKUP_SECRET}, "type": "Opaque",
        "data": {"storageAccount": STANDARD.encode(account), "storageKey": STANDARD.encode(key)},
    })
}

/// The manifest. `version` is that of the PostgreSQL on this machine: no image is pulled, so it names what really runs.
/// `destination` is the object store's address.
pub fn cluster(instances: u32, version: &str, destination: &str) -> Value {
    let credential = |key: &str| json!({"name": BACKUP_SECRET, "key": key});
    let volume = json!({"size": "2Gi", "pvcTemplate": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}},
        "storageClassName": STORAGE_CLASS}});
    json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
        "metadata": {"name": CLUSTER, "namespace": NAMESPACE},
        "spec": {
            "inheritedMetadata": {"labels": {"azure.workload.identity/use": "true"}},
            "imageName": format!("ghcr.io/cloudnative-pg/postgresql:{version}"),
            "instances": instances, "startDelay": 30, "stopDelay": 30,
            "replicationSlots": {"highAvailability": {"enabled": true}, "updateInterval": 30},
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"cnpg.io/cluster": CLUSTER}}}],
            "affinity": {"nodeSelector": {"workload": "postgres"}},
            "resources": {"requests": {"memory": "8Gi", "cpu": 2}, "limits": {"memory": "8Gi", "cpu": 2}},
            "bootstrap": {"initdb": {
                "database": "app", "owner": "app", "secret": {"name": APP_SECRET}, "dataChecksums": true}},
            "storage": volume, "walStorage": volume,
            "postgresql": {"synchronous": {"method": "any", "number": 1}, "parameters": parameters()},
            "serviceAccountTemplate": {"metadata": {"labels": {"azure.workload.identity/use": "true"}}},
            "backup": {"retentionPolicy": "7d", "barmanObjectStore": {
                "destinationPath": destination,
                "azureCredentials": {
                    "storageAccount": credential("storageAccount"), "storageKey": credential("storageKey")}}},
        },
    })
}

/// The guide's settings, but for memory and WAL: three servers share this machine.
fn parameters() -> Value {
    json!({
        "archive_timeout": "5min", "auto_explain.log_min_duration": "10s", "checkpoint_completion_target": "0.9",
        "checkpoint_timeout": "15min", "shared_buffers": "32MB", "effective_cache_size": "512MB",
        "pg_stat_statements.max": "1000", "pg_stat_statements.track": "all", "max_connections": "400",
        "max_prepared_transactions": "400", "max_parallel_workers": "32", "max_parallel_maintenance_workers": "8",
        "max_parallel_workers_per_gather": "8", "max_replication_slots": "32", "max_worker_processes": "32",
        "wal_keep_size": "128MB", "max_wal_size": "256MB",
    })
}
