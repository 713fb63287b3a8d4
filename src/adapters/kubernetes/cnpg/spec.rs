//! The Cluster object by itself.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use crate::adapters::kubernetes::decode::{json_list, texts};
use crate::adapters::kubernetes::read::{
    annotation, at, count, fields, flag, list, message, parse_time, raw, text, time, truth,
};
use crate::adapters::kubernetes::workloads::tag;
use crate::domain::cluster::*;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::text::clean;

/// What the Cluster object says; instances' pods, services, volumes, … are joined in later.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::adapters) struct Own {
    /// The cluster without what other objects say.
    pub cluster: Cluster,
    /// `status.instanceNames`.
    pub names: Vec<InstanceName>,
    /// `status.danglingPVC`.
    pub dangling: BTreeSet<String>,
    /// The plugin's ObjectStore by name, and the server name in it.
    pub store: Option<(String, String)>,
}

/// PostgreSQL parameters worth keeping: what verdicts and panes read.
const PARAMETERS: [&str; 16] = [
    "archive_timeout",
    "checkpoint_timeout",
    "hot_standby_feedback",
    "max_connections",
    "max_replication_slots",
    "max_slot_wal_keep_size",
    "max_standby_streaming_delay",
    "max_wal_size",
    "recovery_min_apply_delay",
    "shared_buffers",
    "synchronous_commit",
    "wal_keep_size",
    "wal_level",
    "wal_receiver_timeout",
    "wal_sender_timeout",
    "work_mem",
];

/// The plugin that backs up into object stores.
const BARMAN_CLOUD: &str = "barman-cloud.cloudnative-pg.io";

/// Annotations by which something is asked of the operator.
const REQUESTS: [&str; 2] = ["kubectl.kubernetes.io/restartedAt", "cnpg.io/reloadedAt"];

pub(in crate::adapters) fn own(v: &Value) -> Option<Own> {
    let name = raw(v, &["metadata", "name"])?;
    // The context is the world's: `picture` puts it in.
    let key = ClusterKey::new("", &clean(raw(v, &["metadata", "namespace"]).unwrap_or_default()), &clean(name));
    let mut c = Cluster::named(key, Operator::Cnpg);
    identity(v, &mut c);
    state(v, &mut c);
    promises(v, &mut c);
    let store = archiving(v, &mut c);
    secrets(v, &mut c);
    let names =
        list(v, &["status", "instanceNames"]).iter().filter_map(Value::as_str).map(InstanceName::from).collect();
    let dangling = list(v, &["status", "danglingPVC"]).iter().filter_map(Value::as_str).map(clean).collect();
    Some(Own { cluster: c, names, dangling, store })
}

fn identity(v: &Value, c: &mut Cluster) {
    c.uid = text(v, &["metadata", "uid"]).unwrap_or_default();
    c.resource_version = raw(v, &["metadata", "resourceVersion"]).and_then(|r| r.parse().ok());
    c.created = time(v, &["metadata", "creationTimestamp"]);
    c.deleting = time(v, &["metadata", "deletionTimestamp"]);
    let image = raw(v, &["status", "image"]).or_else(|| raw(v, &["spec", "imageName"]));
    c.postgres_version = image.and_then(tag).or_else(|| {
        at(v, &["status", "pgDataImageInfo", "majorVersion"]).and_then(Value::as_u64).map(|n| n.to_string())
    });
    c.system_id = text(v, &["status", "systemID"]);
    c.timeline = count(v, &["status", "timelineID"]).filter(|t| *t > 0);
}

fn state(v: &Value, c: &mut Cluster) {
    let status = |field| text(v, &["status", field]);
    c.phase = status("phase").map(|text| Phase { text, reason: status("phaseReason") });
    c.conditions = list(v, &["status", "conditions"]).iter().filter_map(condition).collect();
    c.wanted = count(v, &["spec", "instances"]);
    c.ready = count(v, &["status", "readyInstances"]);
    c.primary = raw(v, &["status", "currentPrimary"]).map(InstanceName::from);
    c.primary_since = time(v, &["status", "currentPrimaryTimestamp"]);
    c.target = raw(v, &["status", "targetPrimary"]).map(|t| match t {
        "pending" => Target::Pending,
        name => Target::Instance(name.into()),
    });
    c.target_since = time(v, &["status", "targetPrimaryTimestamp"]);
    c.fenced = match json_list(v, "cnpg.io/fencedInstances") {
        names if names.iter().any(|n| n == "*") => Fenced::All,
        names if names.is_empty() => Fenced::None,
        names => Fenced::Some(names.iter().map(InstanceName::from).collect()),
    };
    let asked = annotation(v, "cnpg.io/hibernation") == Some("on") || flag(v, &["spec", "hibernation"]);
    let done = c.condition("cnpg.io/hibernation").and_then(|h| h.status);
    c.hibernation = match (asked, done) {
        (_, Some(true)) => Some(Hibernation::Hibernated),
        (true, _) => Some(Hibernation::Going),
        (false, _) => None,
    };
    c.reconciliation_disabled = annotation(v, "cnpg.io/reconciliationLoop") == Some("disabled");
    c.maintenance = flag(v, &["spec", "nodeMaintenanceWindow", "inProgress"]);
    c.reuse_volumes = at(v, &["spec", "nodeMaintenanceWindow", "reusePVC"]).and_then(Value::as_bool);
    c.primary_update = PrimaryUpdate {
        supervised: raw(v, &["spec", "primaryUpdateStrategy"]) == Some("supervised"),
        method: text(v, &["spec", "primaryUpdateMethod"]),
    };
    c.requests = REQUESTS.iter().filter_map(|r| Some(((*r).to_owned(), clean(annotation(v, r)?)))).collect();
    c.certificates = texts(v, &["status", "certificates", "expirations"])
        .filter_map(|(name, at)| Some(Certificate { name: clean(name), expires: parse_time(at)? }))
        .collect();
    c.replica_of = replica_of(v);
}

fn condition(v: &Value) -> Option<Condition> {
    Some(Condition {
        kind: text(v, &["type"])?,
        status: truth(v, &["status"]),
        reason: text(v, &["reason"]).unwrap_or_default(),
        message: message(v, &["message"]),
        since: time(v, &["lastTransitionTime"]),
    })
}

/// A replica cluster: `enabled` in the old form, `primary` against the own name (`self`) in the new one (1.24).
fn replica_of(v: &Value) -> Option<ReplicaCluster> {
    let source = text(v, &["spec", "replica", "source"])?;
    let enabled = match (
        at(v, &["spec", "replica", "enabled"]).and_then(Value::as_bool),
        raw(v, &["spec", "replica", "primary"]),
    ) {
        (Some(enabled), _) => enabled,
        (None, Some(primary)) => {
            let own = raw(v, &["spec", "replica", "self"]).or_else(|| raw(v, &["metadata", "name"]));
            own != Some(primary)
        }
        (None, None) => false,
    };
    Some(ReplicaCluster { source, enabled })
}

fn promises(v: &Value, c: &mut Cluster) {
    let new = at(v, &["spec", "postgresql", "synchronous"]);
    c.sync = match new {
        Some(s) => SyncPromise {
            method: text(s, &["method"]).map(|m| m.to_uppercase()),
            number: count(s, &["number"]).unwrap_or(0),
            preferred: raw(s, &["dataDurability"]) == Some("preferred"),
            failover_quorum: flag(s, &["failoverQuorum"])
                || annotation(v, "alpha.cnpg.io/failoverQuorum").is_some_and(|a| a == "true" || a == "t" || a == "1"),
        },
        None => SyncPromise {
            method: None,
            number: count(v, &["spec", "minSyncReplicas"]).unwrap_or(0),
            preferred: true,
            failover_quorum: false,
        },
    };
    let slots = &["spec", "replicationSlots", "highAvailability"];
    let on = at(v, slots).is_some_and(|s| at(s, &["enabled"]).and_then(Value::as_bool) != Some(false));
    c.slot_prefix =
        on.then(|| text(v, &[slots.as_slice(), &["slotPrefix"]].concat()).unwrap_or_else(|| "_cnpg_".into()));
    c.spread_over_zones = spread(v);
    c.parameters = texts(v, &["spec", "postgresql", "parameters"])
        .filter(|(k, _)| PARAMETERS.contains(k))
        .map(|(k, v)| (k.to_owned(), clean(v)))
        .collect::<BTreeMap<_, _>>();
}

/// The spec asks to spread over zones: by topology spread constraints, or by pod anti-affinity on the zone key.
fn spread(v: &Value) -> Option<SpreadRule> {
    let zone = |t: Option<&str>| t == Some("topology.kubernetes.io/zone");
    let constraint =
        list(v, &["spec", "topologySpreadConstraints"]).iter().find(|c| zone(raw(c, &["topologyKey"]))).map(|c| {
            if raw(c, &["whenUnsatisfiable"]) == Some("ScheduleAnyway") {
                SpreadRule::Preferred
            } else {
                SpreadRule::Required
            }
        });
    let affinity = zone(raw(v, &["spec", "affinity", "topologyKey"])).then(|| {
        match raw(v, &["spec", "affinity", "podAntiAffinityType"]) {
            Some("required") => SpreadRule::Required,
            _ => SpreadRule::Preferred,
        }
    });
    let off = at(v, &["spec", "affinity", "enablePodAntiAffinity"]).and_then(Value::as_bool) == Some(false);
    constraint.or(affinity.filter(|_| !off))
}

/// Says how WAL leaves the cluster; returns the plugin's ObjectStore and server name.
fn archiving(v: &Value, c: &mut Cluster) -> Option<(String, String)> {
    c.archiving.skipped = annotation(v, "cnpg.io/skipWalArchiving") == Some("enabled");
    c.backups.first_recoverability_point =
        time(v, &["status", "firstRecoverabilityPoint"]).or_else(|| earliest(v, "firstRecoverabilityPointByMethod"));
    c.backups.last_successful =
        time(v, &["status", "lastSuccessfulBackup"]).or_else(|| latest(v, "lastSuccessfulBackupByMethod"));
    c.backups.last_failed = time(v, &["status", "lastFailedBackup"]);
    c.backups.retention = text(v, &["spec", "backup", "retentionPolicy"]);
    c.backups.methods = methods(v);
    let own_name = || c.key.name.to_string();
    let plugin = list(v, &["spec", "plugins"])
        .iter()
        .filter(|p| at(p, &["enabled"]).and_then(Value::as_bool) != Some(false))
        .find(|p| flag(p, &["isWALArchiver"]) || raw(p, &["name"]) == Some(BARMAN_CLOUD));
    if let Some(p) = plugin {
        let parameter = |k| text(p, &["parameters", k]);
        let server = parameter("serverName").unwrap_or_else(own_name);
        c.archiving.by = flag(p, &["isWALArchiver"]).then(|| Archiver::Plugin(text(p, &["name"]).unwrap_or_default()));
        c.archiving.server_name = Some(server.clone());
        return parameter("barmanObjectName").map(|store| (store, server));
    }
    if let Some(store) = at(v, &["spec", "backup", "barmanObjectStore"]) {
        c.archiving.server_name = Some(text(store, &["serverName"]).unwrap_or_else(own_name));
        c.archiving.by = Some(Archiver::InTreeBarman);
        c.archiving.destination = text(store, &["destinationPath"]);
    }
    None
}

/// What base backups can be taken by.
fn methods(v: &Value) -> Methods {
    let plugin = list(v, &["spec", "plugins"]).iter().find(|p| raw(p, &["name"]) == Some(BARMAN_CLOUD));
    let off = plugin.is_some_and(|p| at(p, &["enabled"]).and_then(Value::as_bool) == Some(false));
    let has = |field| at(v, &["spec", "backup", field]).is_some_and(Value::is_object);
    Methods {
        plugin: plugin.filter(|_| !off).map(|_| BARMAN_CLOUD.to_owned()),
        plugin_disabled: off,
        barman: has("barmanObjectStore"),
        snapshot: has("volumeSnapshot"),
        target: text(v, &["spec", "backup", "target"]),
    }
}

fn earliest(v: &Value, field: &str) -> Option<jiff::Timestamp> {
    fields(v, &["status", field]).filter_map(|(_, t)| parse_time(t.as_str()?)).min()
}

fn latest(v: &Value, field: &str) -> Option<jiff::Timestamp> {
    fields(v, &["status", field]).filter_map(|(_, t)| parse_time(t.as_str()?)).max()
}

fn secrets(v: &Value, c: &mut Cluster) {
    let name = c.key.name.clone();
    let or = |path: &[&str], suffix: &str| text(v, path).unwrap_or_else(|| format!("{name}-{suffix}"));
    c.secrets.insert("app".into(), or(&["spec", "bootstrap", "initdb", "secret", "name"], "app"));
    c.secrets.insert("ca".into(), or(&["status", "certificates", "serverCASecret"], "ca"));
    if flag(v, &["spec", "enableSuperuserAccess"]) {
        c.secrets.insert("superuser".into(), or(&["spec", "superuserSecret", "name"], "superuser"));
    }
}
