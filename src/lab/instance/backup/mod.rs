//! A base backup, as the instance manager takes it: the Backup object from running to its end, its events, and what the
//! Cluster tells of it. The order of all that is the recorded one.
//!
//! [`place`] says where it goes; [`upkeep`] is what follows: retention, and what can be recovered by now.

mod place;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Instance;
use crate::lab::api::resources::{BACKUPS, CLUSTERS};
use crate::lab::api::{ApiError, EventType, Part};
use crate::lab::object::{ConditionText, condition, seconds, set_condition, text};
use crate::lab::operator::backups;
use crate::lab::postgres::backup::base_backup;
use crate::lab::postgres::{BackupInfo, Store};
use crate::problem::Problem;

use place::{Form, Place};

pub use place::server_name;

/// Whose name the instance manager's events carry.
const COMPONENT: &str = "local-webserver";
/// How often it looks whether WAL is being archived, and how many times before it says that it is not. (CNPG:
/// `retryUntilWalArchiveWorking`.)
const ARCHIVE_EVERY: Duration = Duration::from_secs(60);
const ARCHIVE_TRIES: u32 = 10;

/// What an instance manager has been asked for and has not begun.
#[derive(Debug)]
pub struct Asked {
    tell: mpsc::UnboundedSender<String>,
    hear: tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>,
}

impl Default for Asked {
    fn default() -> Self {
        let (tell, hear) = mpsc::unbounded_channel();
        Asked { tell, hear: tokio::sync::Mutex::new(hear) }
    }
}

impl Instance {
    /// Has the backup taken that the Backup object of that name asks for, once those before it are done.
    pub fn begin_backup(&self, name: &str) {
        // The receiver lives as long as this instance.
        let _ = self.asked.tell.send(name.to_owned());
    }

    /// Takes backups as they are asked for, for ever.
    pub(super) async fn keep_backing_up(self: Arc<Self>) {
        let mut asked = self.asked.hear.lock().await;
        while let Some(name) = asked.recv().await {
            self.back_up(&name).await;
        }
    }

    async fn back_up(&self, name: &str) {
        let setup = &self.setup;
        let (Some(backup), Some(cluster)) = (
            setup.store.get(&BACKUPS, &setup.namespace, name),
            setup.store.get(&CLUSTERS, &setup.namespace, &setup.cluster),
        ) else {
            return;
        };
        match Place::of(&setup.store, &cluster, &backup) {
            Ok(place) if place.form == Form::InTree => self.back_up_in_tree(name, &place).await,
            Ok(place) => self.back_up_by_plugin(name, &cluster, &place).await,
            Err(why) => self.failed(name, &why),
        }
    }

    async fn back_up_in_tree(&self, name: &str, place: &Place) {
        let mut running = place.shown.clone();
        running["phase"] = json!("running");
        running["backupName"] = json!(backup_name());
        self.tell(name, &running);
        if !self.archive_works().await {
            self.tell(name, &json!({"phase": "walArchivingFailing"}));
            return;
        }
        self.event(name, "Starting", "Backup started");
        self.backup_condition(true, "BackupStarted", "New Backup starting up");
        match self.take(text(&running, "/backupName"), &place.store(&self.setup)).await {
            Ok(info) => {
                self.event(name, "Completed", "Backup completed");
                self.tell(name, &completed(&info));
                self.backup_condition(false, "LastBackupSucceeded", "Backup was successful");
            }
            Err(problem) => self.failed(name, &problem.line()),
        }
        self.keep_up(place).await;
    }

    async fn back_up_by_plugin(&self, name: &str, cluster: &Value, place: &Place) {
        self.event(name, "Starting", "Backup started");
        self.backup_condition(true, "BackupStarted", "New Backup starting up");
        match self.take(&backup_name(), &place.store(&self.setup)).await {
            Ok(info) => {
                self.tell_window(place).await;
                self.event(name, "Completed", "Backup completed");
                let mut status = completed(&info);
                status["backupName"] = json!(info.name);
                status["online"] = json!(true);
                status["pluginMetadata"] = place::metadata(cluster, &info);
                self.tell(name, &status);
                self.backup_condition(false, "LastBackupSucceeded", "Backup was successful");
            }
            Err(problem) => {
                self.tell_failure(place);
                self.failed(name, &problem.line());
            }
        }
    }

    /// Whether WAL is being archived: by what the primary tells of it, which is asked again for a while.
    async fn archive_works(&self) -> bool {
        let setup = &self.setup;
        for attempt in 1..=ARCHIVE_TRIES {
            let cluster = setup.store.get(&CLUSTERS, &setup.namespace, &setup.cluster).unwrap_or_default();
            let told = condition(&cluster, "ContinuousArchiving").map(|c| text(c, "/status") != "False");
            if told.unwrap_or(true) {
                return true;
            }
            setup.log.info("WAL archiving is not working", &[]);
            if attempt < ARCHIVE_TRIES {
                sleep(ARCHIVE_EVERY).await;
            }
        }
        false
    }

    /// The copy itself. A store that does not answer is tried for as long as its mark says, as Barman's tools try.
    async fn take(&self, name: &str, store: &Store) -> Result<BackupInfo, Problem> {
        if !self.setup.reaches_store() || !store.answers().await {
            // What barman-cloud-backup says of it, as recorded.
            return Err(Problem::new("exit status 2"));
        }
        base_backup(&self.server, store, name).await
    }

    fn tell(&self, name: &str, status: &Value) {
        let setup = &self.setup;
        let done = setup.store.change(&BACKUPS, &setup.namespace, name, Part::Status, |backup| {
            json_patch::merge(&mut backup["status"], status);
            Ok::<(), ApiError>(())
        });
        if let Err(why) = done {
            setup.log.error("Error while updating the backup's status", &why.message);
        }
    }

    fn event(&self, name: &str, reason: &str, message: &str) {
        let setup = &self.setup;
        if let Some(backup) = setup.store.get(&BACKUPS, &setup.namespace, name) {
            // An event that can't be written is lost, as in a real cluster.
            drop(setup.store.event(&backup, EventType::Normal, reason, message, COMPONENT));
        }
    }

    fn failed(&self, name: &str, why: &str) {
        let setup = &self.setup;
        setup.log.error("Backup failed", why);
        self.event(name, "Failed", "Backup failed");
        if let Some(backup) = setup.store.get(&BACKUPS, &setup.namespace, name) {
            backups::fail(&setup.store, &backup, why);
        }
    }

    /// The condition `LastBackupSucceeded`.
    fn backup_condition(&self, begins: bool, reason: &str, message: &str) {
        let text = ConditionText::new("LastBackupSucceeded", !begins, reason, message);
        self.setup.write(|status, now| {
            set_condition(status, &text, now);
        });
    }
}

/// `20261120225645`.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S").to_string()
}

fn backup_name() -> String {
    format!("backup-{}", stamp(Timestamp::now()))
}

fn completed(info: &BackupInfo) -> Value {
    json!({
        "phase": "completed", "backupId": info.id, "beginLSN": info.begin_lsn, "beginWal": info.begin_wal.to_string(),
        "endLSN": info.end_lsn, "endWal": info.end_wal.to_string(), "startedAt": seconds(info.begin_time),
        "stoppedAt": seconds(info.end_time), "reconciliationTerminatedAt": seconds(Timestamp::now()),
    })
}
