//! What an instance manager reads from its server: the facts of CNPG's `/pg/status`.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::Server;
use crate::{domain::lsn::Lsn, domain::wal::Timeline, problem::Problem};

/// Everything `/pg/status` says about the server itself. Source: `cnpg:pkg/postgres/status.go`, filled as
/// `cnpg:pkg/management/postgres/probes.go` does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Reading {
    /// `pg_control`'s system identifier.
    pub system_id: String,
    /// Not in recovery.
    pub is_primary: bool,
    /// `pg_current_wal_lsn()`; on the primary.
    pub current_lsn: Option<Lsn>,
    /// `pg_last_wal_receive_lsn()`; on a standby.
    pub received_lsn: Option<Lsn>,
    /// `pg_last_wal_replay_lsn()`; on a standby.
    pub replay_lsn: Option<Lsn>,
    /// `pg_is_wal_replay_paused()`.
    pub replay_paused: bool,
    /// A changed setting waits for a restart.
    pub pending_restart: bool,
    /// … and one of the five that must not be lower than on the primary was decreased.
    pub pending_restart_for_decrease: bool,
    /// A row in `pg_stat_wal_receiver`.
    pub wal_receiver_active: bool,
    /// The receiver's timeline (not in `/pg/status`; for metrics).
    pub received_timeline: Option<Timeline>,
    /// `pg_control_checkpoint().timeline_id`: on a standby it is old until the next restartpoint.
    pub timeline: Timeline,
    /// `pg_walfile_name(pg_current_wal_lsn())`; on the primary.
    pub current_wal: Option<String>,
    /// The archiver (`pg_stat_archiver`).
    pub archiver: Archiver,
    /// `.ready` files in `pg_wal/archive_status`.
    pub ready_wal_files: u64,
    /// Standbys that stream from here.
    pub replication: Vec<Sender>,
    /// Slots; on the primary.
    pub slots: Vec<SlotReading>,
    /// `pg_stat_progress_basebackup`: standbys being cloned from here.
    pub base_backups: Vec<BaseBackupProgress>,
}

/// `pg_stat_archiver`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Archiver {
    /// Successful so far.
    pub archived_count: u64,
    /// The last file that went.
    pub last_archived_wal: Option<String>,
    /// When.
    pub last_archived_time: Option<Timestamp>,
    /// Failed so far.
    pub failed_count: u64,
    /// The last file that did not go.
    pub last_failed_wal: Option<String>,
    /// When.
    pub last_failed_time: Option<Timestamp>,
    /// The last attempt succeeded.
    pub is_archiving: bool,
}

/// A row of `pg_stat_replication`. Lags are PostgreSQL's interval texts: `00:00:00.000123`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Sender {
    /// The standby's name.
    pub application_name: String,
    /// `streaming`, `catchup`, …
    pub state: String,
    /// `sent_lsn` (called receivedLsn in `/pg/status`).
    pub sent_lsn: Option<Lsn>,
    /// Written by the standby.
    pub write_lsn: Option<Lsn>,
    /// Flushed by the standby.
    pub flush_lsn: Option<Lsn>,
    /// Replayed by the standby.
    pub replay_lsn: Option<Lsn>,
    /// Until written; empty when idle for long.
    pub write_lag: String,
    /// Until flushed.
    pub flush_lag: String,
    /// Until replayed.
    pub replay_lag: String,
    /// `quorum`, `sync`, `potential`, `async`.
    pub sync_state: String,
    /// 0 for asynchronous ones.
    pub sync_priority: i32,
}

/// A row of `pg_replication_slots`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SlotReading {
    /// Its name.
    pub name: String,
    /// The output plugin of a logical slot.
    pub plugin: Option<String>,
    /// `physical` or `logical`.
    pub slot_type: String,
    /// The database of a logical slot.
    pub database: Option<String>,
    /// The oldest WAL it keeps.
    pub restart_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved`, `lost`.
    pub wal_status: Option<String>,
    /// Bytes until it is lost.
    pub safe_wal_size: Option<i64>,
    /// Someone streams from it.
    pub active: bool,
}

/// A row of `pg_stat_progress_basebackup`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct BaseBackupProgress {
    /// The sender's role.
    pub usename: String,
    /// `pg-primary-3-join`.
    pub application_name: String,
    /// When its session began.
    pub backend_start: Option<Timestamp>,
    /// `streaming database files`, …
    pub phase: String,
    /// Bytes in all, when known.
    pub backup_total: Option<i64>,
    /// Bytes sent.
    pub backup_streamed: Option<i64>,
    /// Tablespaces in all.
    pub tablespaces_total: Option<i64>,
    /// Tablespaces sent.
    pub tablespaces_streamed: Option<i64>,
}

/// Reads it, in one round trip. `cluster` filters senders as CNPG does (`<cluster>-<number>` by `streaming_replica`).
///
/// # Errors
/// When the server does not answer within the time, or not as expected.
pub async fn read(server: &Server, cluster: &str, within: Duration) -> Result<Reading, Problem> {
    let pattern = format!("^{}-[0-9]+$", cluster.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "."));
    let answer = server.sql().value("postgres", &QUESTION.replace("$CLUSTER", &pattern), within).await?;
    let unreadable = || Problem::new(format!("{}: the status has no known form", server.spec().instance));
    serde_json::from_str(&answer.ok_or_else(unreadable)?).map_err(|e| unreadable().because(e))
}

const QUESTION: &str = include_str!("status.sql");
