//! Defaults: those of the resource definition's schema, then those of the defaulting webhook.

use serde_json::{Value, json};

use super::parameters;
use crate::lab::object::{flag, list, text};
use crate::lab::operator::world::ClusterObject;

/// The image when none is asked for.
const IMAGE: &str = "ghcr.io/cloudnative-pg/postgresql:17.5";

/// Fills in what a Cluster leaves unsaid.
pub fn set_defaults(cluster: &mut Value) {
    if !cluster.get("spec").is_some_and(Value::is_object) {
        cluster["spec"] = json!({});
    }
    schema(&mut cluster["spec"]);
    webhook(cluster);
}

fn put(object: &mut Value, key: &str, value: Value) {
    if object.get(key).is_none_or(Value::is_null) {
        object[key] = value;
    }
}

/// The object at a key, made when missing.
fn part<'a>(object: &'a mut Value, key: &str) -> &'a mut Value {
    if !object.get(key).is_some_and(Value::is_object) {
        object[key] = json!({});
    }
    &mut object[key]
}

fn schema(spec: &mut Value) {
    let plain = [
        ("instances", json!(1)),
        ("enablePDB", json!(true)),
        ("enableSuperuserAccess", json!(false)),
        ("failoverDelay", json!(0)),
        ("maxSyncReplicas", json!(0)),
        ("minSyncReplicas", json!(0)),
        ("postgresGID", json!(26)),
        ("postgresUID", json!(26)),
        ("primaryUpdateMethod", json!("restart")),
        ("primaryUpdateStrategy", json!("unsupervised")),
        ("smartShutdownTimeout", json!(180)),
        ("startDelay", json!(3600)),
        ("stopDelay", json!(1800)),
        ("switchoverDelay", json!(3600)),
    ];
    for (key, value) in plain {
        put(spec, key, value);
    }
    for storage in ["storage", "walStorage"] {
        if let Some(storage) = spec.get_mut(storage).filter(|s| s.is_object()) {
            put(storage, "resizeInUseVolumes", json!(true));
        }
    }
    let slots = part(spec, "replicationSlots");
    put(slots, "updateInterval", json!(30));
    let ha = part(slots, "highAvailability");
    put(ha, "enabled", json!(true));
    put(ha, "slotPrefix", json!("_cnpg_"));
    put(part(slots, "synchronizeReplicas"), "enabled", json!(true));
    let monitoring = part(spec, "monitoring");
    put(monitoring, "disableDefaultQueries", json!(false));
    put(monitoring, "enablePodMonitor", json!(false));
    put(spec, "resources", json!({}));
    if let Some(window) = spec.get_mut("nodeMaintenanceWindow").filter(|w| w.is_object()) {
        put(window, "inProgress", json!(false));
        put(window, "reusePVC", json!(true));
    }
}

fn webhook(cluster: &mut Value) {
    let archiving = cluster.annotated("cnpg.io/skipWalArchiving") != Some("enabled");
    let spec = &mut cluster["spec"];
    if spec.get("imageCatalogRef").is_none() {
        put(spec, "imageName", json!(IMAGE));
    }
    bootstrap(part(spec, "bootstrap"));
    let affinity = part(spec, "affinity");
    if affinity.get("enablePodAntiAffinity").and_then(Value::as_bool).unwrap_or(true) {
        put(affinity, "podAntiAffinityType", json!("preferred"));
    }
    if let Some(backup) = spec.get_mut("backup").filter(|b| b.is_object()) {
        put(backup, "target", json!("prefer-standby"));
    }
    put(spec, "logLevel", json!("info"));
    monitoring(part(spec, "monitoring"));
    let postgresql = part(spec, "postgresql");
    parameters::set_defaults(part(postgresql, "parameters"), archiving);
    put(part(postgresql, "syncReplicaElectionConstraint"), "enabled", json!(false));
    if let Some(synchronous) = postgresql.get_mut("synchronous").filter(|s| s.is_object()) {
        put(synchronous, "dataDurability", json!("required"));
        put(synchronous, "failoverQuorum", json!(false));
    }
    let liveness = part(part(spec, "probes"), "liveness");
    let usual = json!({"connectionTimeout": 1000, "enabled": true, "requestTimeout": 1000});
    put(liveness, "isolationCheck", usual);
    alpha_quorum(cluster);
}

/// The annotation of before 1.28 becomes the field.
fn alpha_quorum(cluster: &mut Value) {
    let asked = cluster.annotated(crate::lab::operator::words::annotation::FAILOVER_QUORUM) == Some("true");
    if let Some(synchronous) = cluster.pointer_mut("/spec/postgresql/synchronous").filter(|_| asked) {
        synchronous["failoverQuorum"] = true.into();
    }
}

fn bootstrap(bootstrap: &mut Value) {
    for other in ["recovery", "pg_basebackup"] {
        if let Some(method) = bootstrap.get_mut(other).filter(|m| m.is_object()) {
            put(method, "database", json!("app"));
            let owner = method["database"].clone();
            put(method, "owner", owner);
            return;
        }
    }
    let initdb = part(bootstrap, "initdb");
    put(initdb, "database", json!("app"));
    let owner = initdb["database"].clone();
    put(initdb, "owner", owner);
    put(initdb, "encoding", json!("UTF8"));
    put(initdb, "localeCollate", json!("C"));
    put(initdb, "localeCType", json!("C"));
}

fn monitoring(monitoring: &mut Value) {
    const NAME: &str = "cnpg-default-monitoring";
    if flag(monitoring, "/disableDefaultQueries")
        || list(monitoring, "/customQueriesConfigMap").iter().any(|m| text(m, "/name") == NAME)
    {
        return;
    }
    let mut maps = vec![json!({"key": "queries", "name": NAME})];
    maps.extend(list(monitoring, "/customQueriesConfigMap").iter().cloned());
    monitoring["customQueriesConfigMap"] = Value::Array(maps);
}
