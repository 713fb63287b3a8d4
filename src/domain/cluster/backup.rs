//! How WAL leaves the cluster and which backups the objects know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
    /// The objects above could be listed. `false`: forbidden or missing, so "no backup" is not known.
    pub listed: bool,
}

/// One backup object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// A backup schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}
