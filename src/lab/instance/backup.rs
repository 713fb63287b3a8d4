//! A base backup, as the instance manager takes it: the Backup object from running to its end, its events, and what the
//! Cluster tells of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Instance;
use crate::lab::api::resources::{BACKUPS, CLUSTERS};
use crate::lab::api::{ApiError, EventType, Part};
use crate::lab::object::{ConditionText, seconds, set_condition, text};
use crate::lab::postgres::backup::base_backup;
use crate::lab::postgres::{BackupInfo, Store};
use crate::problem::Problem;

/// Whose name the instance manager's events carry.
const COMPONENT: &str = "local-webserver";

impl Instance {
    /// Takes the backup that the Backup object of that name asks for.
    ///
    /// # Errors
    /// When the backup fails; the object says so too.
    pub async fn back_up(&self, name: &str) -> Result<BackupInfo, Problem> {
        let setup = &self.setup;
        let cluster = setup.store.get(&CLUSTERS, &setup.namespace, &setup.cluster);
        let cluster = cluster.as_deref().unwrap_or(&Value::Null);
        let store = &cluster["spec"]["backup"]["barmanObjectStore"];
        let server = Some(text(store, "/serverName")).filter(|s| !s.is_empty()).unwrap_or(&setup.cluster).to_owned();
        let running = json!({
            "phase": "running", "backupName": format!("backup-{}", stamp(Timestamp::now())), "serverName": server,
            "destinationPath": store["destinationPath"], "azureCredentials": store["azureCredentials"],
        });
        self.tell(name, &running, EventType::Normal, "Starting", "Backup started");
        self.backup_condition(false, "BackupStarted", "New Backup starting up");
        let place = Store { root: setup.machine.store_dir(), server };
        let taken = if place.unreachable().exists() || !setup.reaches_store() {
            // What barman-cloud-backup says of a store that does not answer, as recorded.
            Err(Problem::new("exit status 2"))
        } else {
            base_backup(&self.server, &place, text(&running, "/backupName")).await
        };
        match taken {
            Ok(info) => {
                self.tell(name, &completed(&info), EventType::Normal, "Completed", "Backup completed");
                self.backup_condition(true, "LastBackupSucceeded", "Backup was successful");
                self.recoverable(&info);
                Ok(info)
            }
            Err(problem) => {
                let failed = json!({"phase": "failed", "error": problem.line()});
                self.tell(name, &failed, EventType::Warning, "Failed", "Backup failed");
                self.backup_condition(false, "LastBackupFailed", &problem.line());
                Err(problem)
            }
        }
    }

    fn tell(&self, name: &str, status: &Value, kind: EventType, reason: &str, message: &str) {
        let setup = &self.setup;
        let done = setup.store.change(&BACKUPS, &setup.namespace, name, Part::Status, |backup| {
            json_patch::merge(&mut backup["status"], status);
            Ok::<(), ApiError>(())
        });
        match done {
            // An event that can't be written is lost, as in a real cluster.
            Ok(backup) => drop(setup.store.event(&backup, kind, reason, message, COMPONENT)),
            Err(why) => setup.log.error("Error while updating the backup's status", &why.message),
        }
    }

    fn backup_condition(&self, holds: bool, reason: &str, message: &str) {
        let text = ConditionText::new("LastBackupSucceeded", holds, reason, message);
        self.setup.write(|status, now| {
            set_condition(status, &text, now);
        });
    }

    /// What the cluster can be brought back to.
    fn recoverable(&self, info: &BackupInfo) {
        let at = seconds(info.end_time);
        self.setup.write(|status, _| {
            if text(status, "/firstRecoverabilityPoint").is_empty() {
                status["firstRecoverabilityPoint"] = json!(at);
                status["firstRecoverabilityPointByMethod"] = json!({"barmanObjectStore": at});
            }
            status["lastSuccessfulBackup"] = json!(at);
            status["lastSuccessfulBackupByMethod"] = json!({"barmanObjectStore": at});
        });
    }
}

/// `20261120225645`.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S").to_string()
}

fn completed(info: &BackupInfo) -> Value {
    json!({
        "phase": "completed", "backupId": info.id, "beginLSN": info.begin_lsn, "beginWal": info.begin_wal.to_string(),
        "endLSN": info.end_lsn, "endWal": info.end_wal.to_string(), "startedAt": seconds(info.begin_time),
        "stoppedAt": seconds(info.end_time), "reconciliationTerminatedAt": seconds(Timestamp::now()),
    })
}
