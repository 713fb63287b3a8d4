//! Backups, schedules and the Barman Cloud plugin's object stores.

use jiff::Timestamp;
use serde_json::Value;

use crate::adapters::kubernetes::read::{fields, flag, message, text, time};
use crate::domain::cluster::{BackupObject, Schedule};
use crate::text::clean;

/// The plugin's ObjectStore: where to, and what it says of each server in it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::adapters) struct ObjectStore {
    /// Where it is, without credentials.
    pub destination: Option<String>,
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
    ObjectStore { destination: text(v, &["spec", "configuration", "destinationPath"]), windows }
}

pub(in crate::adapters) fn backup(v: &Value) -> Option<BackupObject> {
    let status = |field| text(v, &["status", field]);
    let error = message(v, &["status", "error"]);
    Some(BackupObject {
        name: text(v, &["metadata", "name"])?,
        phase: status("phase"),
        method: status("method").or_else(|| text(v, &["spec", "method"])),
        started: time(v, &["status", "startedAt"]).or_else(|| time(v, &["status", "reconciliationStartedAt"])),
        stopped: time(v, &["status", "stoppedAt"]).or_else(|| time(v, &["status", "reconciliationTerminatedAt"])),
        begin_wal: status("beginWal"),
        end_wal: status("endWal"),
        error: (!error.is_empty()).then_some(error),
    })
}

pub(in crate::adapters) fn schedule(v: &Value) -> Option<Schedule> {
    Some(Schedule {
        name: text(v, &["metadata", "name"])?,
        cron: text(v, &["spec", "schedule"]).unwrap_or_default(),
        suspended: flag(v, &["spec", "suspend"]),
        last: time(v, &["status", "lastScheduleTime"]),
        next: time(v, &["status", "nextScheduleTime"]),
    })
}
