//! How WAL leaves the cluster and which backups the objects know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::domain::lsn::Lsn;
use crate::domain::names::InstanceName;

/// How WAL leaves the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archiving {
    /// By what: `None` means no object says that WAL goes anywhere.
    pub by: Option<Archiver>,
    /// `cnpg.io/skipWalArchiving=enabled`.
    pub skipped: bool,
    /// Where to, without credentials.
    pub destination: Option<String>,
    /// The server name in the store.
    pub server_name: Option<String>,
}

/// The program that archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archiver {
    /// CNPG's in-tree `barmanObjectStore`.
    InTreeBarman,
    /// A CNPG-I plugin, by name.
    Plugin(String),
    /// pgBackRest.
    PgBackRest,
}

/// Backups as the objects know them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backups {
    /// The earliest moment a restore can reach, as told.
    pub first_recoverability_point: Option<Timestamp>,
    /// When the last good one ended.
    pub last_successful: Option<Timestamp>,
    /// When the last failed one ended.
    pub last_failed: Option<Timestamp>,
    /// Backup objects, newest first, at most the 50 newest.
    pub objects: Vec<Arc<BackupObject>>,
    /// Schedules.
    pub schedules: Vec<Schedule>,
    /// The retention promised for the store, word for word (`30d`), where one is.
    #[serde(default)]
    pub retention: Option<String>,
    /// The objects above could be listed. `false`: forbidden or missing, so "no backup" is not known.
    pub listed: bool,
    /// Volume snapshots that carry this cluster's label, by name.
    #[serde(default)]
    pub snapshots: Vec<Arc<Snapshot>>,
    /// Volume snapshots could be listed.
    #[serde(default)]
    pub snapshots_listed: bool,
}

/// A VolumeSnapshot object of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// The Backup it belongs to.
    pub backup: Option<String>,
    /// What it holds: `PG_DATA`, `PG_WAL`, `PG_TABLESPACE`.
    pub kind: String,
    /// When the object was made.
    pub created: Option<Timestamp>,
    /// The storage says that it can be restored from; `None`: it says nothing yet.
    pub ready: Option<bool>,
    /// Bytes a volume made of it needs.
    pub bytes: Option<u64>,
    /// What the storage complains of.
    pub error: Option<String>,
    /// When its backup began.
    pub began: Option<Timestamp>,
    /// When its backup ended.
    pub ended: Option<Timestamp>,
    /// First WAL segment its backup needs.
    pub begin_wal: Option<String>,
    /// Last WAL segment its backup needs.
    pub end_wal: Option<String>,
}

/// One backup object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupObject {
    /// Its name.
    pub name: String,
    /// Its phase, word for word (`completed`, `failed`, `walArchivingFailing`, …).
    pub phase: Option<String>,
    /// `barmanObjectStore`, `volumeSnapshot`, `plugin`, …
    pub method: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub stopped: Option<Timestamp>,
    /// First WAL segment it needs.
    pub begin_wal: Option<String>,
    /// Last WAL segment it needs: without it in the archive, it can't be restored.
    pub end_wal: Option<String>,
    /// The error, where it failed.
    pub error: Option<String>,
    /// When the object was made.
    pub created: Option<Timestamp>,
    /// The store's name for it: what joins it with `base/<id>`.
    pub backup_id: Option<String>,
    /// The name it was given in the store, told before its id is.
    pub backup_name: Option<String>,
    /// The server's folder it went to.
    pub server_name: Option<String>,
    /// Where the store is, without credentials.
    pub destination: Option<String>,
    /// Where it began.
    pub begin_lsn: Option<Lsn>,
    /// Where it ended.
    pub end_lsn: Option<Lsn>,
    /// PostgreSQL went on meanwhile; `None`: not told.
    pub online: Option<bool>,
    /// The instance it was taken from.
    pub instance: Option<InstanceName>,
    /// The schedule that made it.
    pub schedule: Option<String>,
    /// Volume snapshots it consists of.
    pub snapshots: Vec<SnapshotElement>,
}

/// A volume snapshot of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotElement {
    /// The VolumeSnapshot's name.
    pub name: String,
    /// What it holds: `PG_DATA`, `PG_WAL`, `PG_TABLESPACE`.
    pub kind: String,
    /// Which tablespace.
    pub tablespace: Option<String>,
}

impl BackupObject {
    /// Where it stands in time: its end, else its begin, else its making.
    pub fn at(&self) -> Option<Timestamp> {
        self.stopped.or(self.started).or(self.created)
    }

    /// It is over, well or not. A phase that is not known is not.
    pub fn is_over(&self) -> bool {
        self.is_completed() || self.is_failed()
    }

    /// It says that it went well.
    pub fn is_completed(&self) -> bool {
        self.phase.as_deref() == Some("completed")
    }

    /// It says that it failed.
    pub fn is_failed(&self) -> bool {
        matches!(self.phase.as_deref(), Some("failed" | "invalid backup definition"))
    }

    /// It can't begin: WAL archiving fails, and its operator waits for that, some minutes, before it gives the backup up
    /// (cloudnative-pg `pkg/management/postgres/backup.go`).
    pub fn is_held(&self) -> bool {
        self.phase.as_deref() == Some("walArchivingFailing")
    }

    /// It failed or is about to: no good end of it is in sight.
    pub fn is_failing(&self) -> bool {
        self.is_failed() || self.is_held()
    }

    /// It is under way. A phase that is not told is not.
    pub fn is_running(&self) -> bool {
        self.stopped.is_none() && self.phase.is_some() && !self.is_over() && !self.is_held()
    }
}

/// A backup schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// The cron expression (CNPG: six fields, seconds first; PGO: five).
    pub cron: String,
    /// Not running now, on purpose.
    pub suspended: bool,
    /// When it last made a backup.
    pub last: Option<Timestamp>,
    /// When it will make the next one.
    pub next: Option<Timestamp>,
    /// When the object was made.
    pub created: Option<Timestamp>,
    /// The operator last looked at it.
    pub checked: Option<Timestamp>,
    /// It makes one as soon as it is made.
    pub immediate: bool,
    /// What its backups are: `barmanObjectStore`, `volumeSnapshot`, `plugin`.
    pub method: Option<String>,
    /// The operator's complaint about it.
    pub error: Option<String>,
}
