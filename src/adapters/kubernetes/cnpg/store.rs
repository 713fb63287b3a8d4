//! Backups, schedules and the Barman Cloud plugin's object stores.

use jiff::Timestamp;
use serde_json::Value;

use crate::adapters::kubernetes::read::{
    annotation, at, fields, flag, label, list, message, parse_time, raw, text, time,
};
use crate::domain::cluster::{BackupObject, Schedule, Snapshot, SnapshotElement};
use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::text::clean;

/// The plugin's ObjectStore: where to, and what it says of each server in it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::adapters) struct ObjectStore {
    /// Where it is, without credentials.
    pub destination: Option<String>,
    /// Its retention policy, word for word.
    pub retention: Option<String>,
    /// Recovery windows by server name.
    pub windows: Vec<Window>,
}

/// `status.serverRecoveryWindow` of one server.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::adapters) struct Window {
    pub server: String,
    pub first: Option<Timestamp>,
    pub last_good: Option<Timestamp>,
    pub last_failed: Option<Timestamp>,
}

pub(in crate::adapters) fn object_store(v: &Value) -> ObjectStore {
    let windows = fields(v, &["status", "serverRecoveryWindow"])
        .map(|(server, w)| Window {
            server: clean(server),
            first: time(w, &["firstRecoverabilityPoint"]),
            last_good: time(w, &["lastSuccessfulBackupTime"]).or_else(|| time(w, &["lastSuccessfulBackup"])),
            last_failed: time(w, &["lastFailedBackupTime"]),
        })
        .collect();
    ObjectStore {
        destination: text(v, &["spec", "configuration", "destinationPath"]),
        retention: text(v, &["spec", "retentionPolicy"]),
        windows,
    }
}

pub(in crate::adapters) fn backup(v: &Value) -> Option<BackupObject> {
    let status = |field| text(v, &["status", field]);
    let error = message(v, &["status", "error"]);
    let lsn = |field| raw(v, &["status", field]).and_then(|l| l.parse().ok());
    let elements = list(v, &["status", "snapshotBackupStatus", "elements"]);
    Some(BackupObject {
        name: text(v, &["metadata", "name"])?,
        phase: status("phase"),
        method: status("method").or_else(|| text(v, &["spec", "method"])),
        started: time(v, &["status", "startedAt"]).or_else(|| time(v, &["status", "reconciliationStartedAt"])),
        stopped: time(v, &["status", "stoppedAt"]).or_else(|| time(v, &["status", "reconciliationTerminatedAt"])),
        begin_wal: status("beginWal"),
        end_wal: status("endWal"),
        error: (!error.is_empty()).then_some(error),
        created: time(v, &["metadata", "creationTimestamp"]),
        backup_id: status("backupId"),
        backup_name: status("backupName"),
        server_name: status("serverName"),
        destination: status("destinationPath"),
        begin_lsn: lsn("beginLSN"),
        end_lsn: lsn("endLSN"),
        online: at(v, &["status", "online"]).or_else(|| at(v, &["spec", "online"])).and_then(Value::as_bool),
        instance: raw(v, &["status", "instanceID", "podName"]).map(InstanceName::from),
        schedule: label(v, "cnpg.io/scheduled-backup").map(clean),
        snapshots: elements.iter().filter_map(snapshot).collect(),
    })
}

/// A VolumeSnapshot, as CNPG labels it (cloudnative-pg `pkg/utils/labels_annotations.go`).
pub(in crate::adapters) fn volume_snapshot(v: &Value) -> Option<Snapshot> {
    let said = |field| annotation(v, field).and_then(parse_time);
    let error = message(v, &["status", "error", "message"]);
    Some(Snapshot {
        name: text(v, &["metadata", "name"])?,
        backup: label(v, "cnpg.io/backupName").map(clean),
        kind: label(v, "cnpg.io/pvcRole").or_else(|| annotation(v, "cnpg.io/pvcRole")).map(clean).unwrap_or_default(),
        created: time(v, &["metadata", "creationTimestamp"]),
        ready: at(v, &["status", "readyToUse"]).and_then(Value::as_bool),
        bytes: raw(v, &["status", "restoreSize"]).and_then(quantity::kubernetes).map(|n| n as u64),
        error: (!error.is_empty()).then_some(error),
        began: said("cnpg.io/backupStartTime").or_else(|| said("cnpg.io/snapshotStartTime")),
        ended: said("cnpg.io/backupEndTime").or_else(|| said("cnpg.io/snapshotEndTime")),
        begin_wal: annotation(v, "cnpg.io/backupStartWAL").map(clean),
        end_wal: annotation(v, "cnpg.io/backupEndWAL").map(clean),
    })
}

fn snapshot(v: &Value) -> Option<SnapshotElement> {
    Some(SnapshotElement {
        name: text(v, &["name"])?,
        kind: text(v, &["type"]).unwrap_or_default(),
        tablespace: text(v, &["tablespaceName"]),
    })
}

pub(in crate::adapters) fn schedule(v: &Value) -> Option<Schedule> {
    Some(Schedule {
        name: text(v, &["metadata", "name"])?,
        cron: text(v, &["spec", "schedule"]).unwrap_or_default(),
        suspended: flag(v, &["spec", "suspend"]),
        last: time(v, &["status", "lastScheduleTime"]),
        next: time(v, &["status", "nextScheduleTime"]),
        created: time(v, &["metadata", "creationTimestamp"]),
        checked: time(v, &["status", "lastCheckTime"]),
        immediate: flag(v, &["spec", "immediate"]),
        method: text(v, &["spec", "method"]),
        error: text(v, &["status", "error"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_backup_of_the_in_tree_barman() {
        let b = backup(&json!({
            "metadata": {"name": "shop-every-minute-1", "creationTimestamp": "2026-11-20T22:58:20Z",
                "labels": {"cnpg.io/cluster": "shop", "cnpg.io/scheduled-backup": "shop-every-minute"}},
            "spec": {"cluster": {"name": "shop"}, "method": "barmanObjectStore"},
            "status": {"backupId": "20261120T225822", "backupName": "backup-20261120225820", "phase": "completed",
                "beginLSN": "0/3000028", "beginWal": "000000010000000000000003", "endLSN": "0/7000060",
                "endWal": "000000010000000000000007", "serverName": "shop", "destinationPath": "http://store/backups",
                "instanceID": {"podName": "shop-2"}, "startedAt": "2026-11-20T22:58:22Z",
                "stoppedAt": "2026-11-20T22:58:26Z"}
        }))
        .unwrap();
        assert_eq!(b.backup_id.as_deref(), Some("20261120T225822"));
        assert_eq!((b.server_name.as_deref(), b.schedule.as_deref()), (Some("shop"), Some("shop-every-minute")));
        assert_eq!(b.end_lsn.unwrap().to_string(), "0/7000060");
        assert_eq!(b.instance.clone().unwrap(), "shop-2");
        assert_eq!(b.backup_name.as_deref(), Some("backup-20261120225820"));
        assert!(b.is_completed() && b.is_over() && b.snapshots.is_empty() && b.online.is_none());
        assert_eq!(b.destination.as_deref(), Some("http://store/backups"));
    }

    #[test]
    fn a_backup_of_volume_snapshots_and_one_that_only_began() {
        let b = backup(&json!({
            "metadata": {"name": "snap"}, "spec": {"method": "volumeSnapshot", "online": true},
            "status": {"phase": "completed", "method": "volumeSnapshot", "snapshotBackupStatus": {"elements": [
                {"name": "snap-1", "type": "PG_DATA"}, {"name": "snap-1-hot", "type": "PG_TABLESPACE", "tablespaceName": "hot"}
            ]}}
        }))
        .unwrap();
        assert_eq!(b.online, Some(true));
        assert_eq!(b.snapshots.iter().map(|s| s.kind.as_str()).collect::<Vec<_>>(), ["PG_DATA", "PG_TABLESPACE"]);
        assert_eq!(b.snapshots[1].tablespace.as_deref(), Some("hot"));
        let bare = backup(&json!({"metadata": {"name": "b"}, "status": {"phase": "walArchivingFailing"}})).unwrap();
        assert!(!bare.is_over() && !bare.is_failed() && bare.backup_id.is_none());
    }

    #[test]
    fn a_schedule_and_a_stores_retention() {
        let s = schedule(&json!({
            "metadata": {"name": "hourly", "creationTimestamp": "2026-11-20T22:57:20Z"},
            "spec": {"schedule": "0 15 * ? * *", "immediate": true, "method": "plugin"},
            "status": {"lastCheckTime": "2026-11-20T22:58:20Z", "lastScheduleTime": "2026-11-20T22:58:00Z"}
        }))
        .unwrap();
        assert_eq!((s.cron.as_str(), s.immediate, s.method.as_deref()), ("0 15 * ? * *", true, Some("plugin")));
        assert!(s.created.is_some() && s.checked > s.last && s.error.is_none());
        let store = object_store(&json!({"spec": {"retentionPolicy": "30d"}}));
        assert_eq!(store.retention.as_deref(), Some("30d"));
    }

    #[test]
    fn a_volume_snapshot() {
        let s = volume_snapshot(&json!({
            "metadata": {"name": "b-1", "creationTimestamp": "2026-11-21T02:00:00Z",
                "labels": {"cnpg.io/cluster": "shop", "cnpg.io/backupName": "b", "cnpg.io/pvcRole": "PG_WAL"},
                "annotations": {"cnpg.io/backupStartWAL": "000000010000000000000003",
                    "cnpg.io/backupEndWAL": "000000010000000000000004",
                    "cnpg.io/backupStartTime": "2026-11-21T02:00:01Z", "cnpg.io/backupEndTime": "2026-11-21T02:00:09Z"}},
            "status": {"readyToUse": false, "restoreSize": "10Gi", "error": {"message": "no room\u{1b}"}}
        }))
        .unwrap();
        assert_eq!(
            (s.backup.as_deref(), s.kind.as_str(), s.ready, s.bytes),
            (Some("b"), "PG_WAL", Some(false), Some(10 << 30))
        );
        assert_eq!(s.end_wal.as_deref(), Some("000000010000000000000004"));
        assert_eq!((s.error.as_deref(), s.began < s.ended), (Some("no room\u{fffd}"), true));
        let bare = volume_snapshot(&json!({"metadata": {"name": "x"}})).unwrap();
        assert_eq!((bare.ready, bare.backup, bare.bytes), (None, None, None));
    }
}
