//! Backup and ScheduledBackup objects as kubectl-cnpg and CNPG's own samples write them.
//!
//! Sources: cloudnative-pg `internal/cmd/plugin/backup/cmd.go`, `api/v1/{backup,scheduledbackup}_types.go`; the recorded
//! request. One annotation of our own tells the moment of the plan: so a repeat knows its own object from a stranger's.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Method, Take};
use crate::domain::cluster::{Cluster, Schedule};
use crate::procedure::catalog::cnpg::{micros, target};
use crate::procedure::order::{Create, Delete, Form, Order, Patch, Target};

/// Which plan asked for it.
const PLANNED: &str = "howdah/planned";
const API: &str = "postgresql.cnpg.io/v1";

/// `kubectl cnpg backup`: a Backup of this name.
pub(crate) fn backup(c: &Cluster, name: &str, method: Method, take: &Take, made: Timestamp) -> Order {
    let mut spec = json!({"cluster": {"name": &*c.key.name}});
    how(&mut spec, c, method, take.from.map(super::TakenFrom::word));
    let online = [("immediateCheckpoint", take.immediate_checkpoint), ("waitForArchive", take.wait_for_archive)];
    for (field, value) in online {
        if let Some(value) = value {
            spec["onlineConfiguration"][field] = value.into();
        }
    }
    let body = json!({"apiVersion": API, "kind": "Backup", "metadata": {"name": name, "namespace": &*c.key.namespace,
        "labels": {"cnpg.io/cluster": &*c.key.name}, "annotations": {PLANNED: micros(made)}}, "spec": spec});
    Order::Create(Create { target: target(c, API, "Backup", "backups", name, None), body })
}

/// Method and target, as both kinds of object say them.
fn how(spec: &mut Value, c: &Cluster, method: Method, from: Option<&str>) {
    spec["method"] = method.word().into();
    if let (Method::Plugin, Some(plugin)) = (method, &c.backups.methods.plugin) {
        spec["pluginConfiguration"] = json!({"name": plugin});
    }
    if let Some(from) = from {
        spec["target"] = from.into();
    }
}

/// A new schedule.
pub(crate) struct NewSchedule<'a> {
    /// Its name.
    pub name: &'a str,
    /// Six fields.
    pub cron: &'a str,
    /// It makes no backups yet.
    pub suspended: bool,
    /// It makes one at once.
    pub immediate: bool,
    /// How.
    pub method: Method,
    /// From where.
    pub from: Option<super::TakenFrom>,
}

/// A ScheduledBackup. `backupOwnerReference: none` is the CRD's default, written down: with `self`, as in the guides' samples,
/// deleting the schedule deletes every Backup object it made (recorded).
pub(crate) fn schedule(c: &Cluster, new: &NewSchedule<'_>, made: Timestamp) -> Order {
    let mut spec = json!({"cluster": {"name": &*c.key.name}, "schedule": new.cron, "backupOwnerReference": "none"});
    how(&mut spec, c, new.method, new.from.map(super::TakenFrom::word));
    if new.immediate {
        spec["immediate"] = true.into();
    }
    if new.suspended {
        spec["suspend"] = true.into();
    }
    let metadata = json!({"name": new.name, "namespace": &*c.key.namespace, "annotations": {PLANNED: micros(made)}});
    let body = json!({"apiVersion": API, "kind": "ScheduledBackup", "metadata": metadata, "spec": spec});
    Order::Create(Create { target: scheduled(c, new.name), body })
}

/// These fields of its spec. The identity in the body makes the API refuse where it is another one by now.
pub(crate) fn change_schedule(c: &Cluster, there: &Schedule, spec: &Value) -> Order {
    let fields = spec.as_object().into_iter().flatten();
    let mut body = json!({"spec": spec});
    if !there.uid.is_empty() {
        body["metadata"]["uid"] = there.uid.as_str().into();
    }
    Order::Patch(Patch {
        target: scheduled(c, &there.name),
        form: Form::Merge,
        body,
        refresh: Vec::new(),
        lock: true,
        mark: fields.map(|(field, value)| (format!("/spec/{field}"), value.clone())).collect(),
    })
}

/// The schedule goes; empty `uid`: whichever has the name.
pub(crate) fn delete_schedule(c: &Cluster, name: &str, uid: &str) -> Order {
    Order::Delete(Delete { target: scheduled(c, name), uid: uid.into(), grace: None })
}

fn scheduled(c: &Cluster, name: &str) -> Target {
    target(c, API, "ScheduledBackup", "scheduledbackups", name, None)
}
