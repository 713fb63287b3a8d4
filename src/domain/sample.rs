//! What instances say of themselves when asked: `/pg/status`, `/metrics`, SQL.
//!
//! A sample is one answer at one moment. [`Probe`] is that answer or the reason why there is none, so "can't be asked"
//! never looks like "nothing wrong".

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cluster::VolumePurpose;
use super::lsn::Lsn;
use super::replication::{Slot, Standby, SyncRule};
use super::wal::Timeline;

/// An answer, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe<T> {
    /// When the question was asked.
    pub at: Timestamp,
    /// How long the answer, or its absence, took.
    pub took: SignedDuration,
    /// The answer.
    pub answer: Result<T, Silence>,
}

impl<T> Probe<T> {
    /// The answer, where there is one.
    pub fn value(&self) -> Option<&T> {
        self.answer.as_ref().ok()
    }
}

/// Why an instance did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// What kind of silence.
    pub kind: SilenceKind,
    /// In words, cleaned.
    pub why: String,
}

/// Kinds of silence that are judged differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SilenceKind {
    /// We may not ask: 401, 403, no credentials.
    Forbidden,
    /// Nothing came in time.
    TimedOut,
    /// Refused, reset, no route, proxy error.
    Unreachable,
    /// The server answered that it can't: starting up, shutting down, fenced (HTTP 500 with PostgreSQL's error).
    NotServing,
    /// An answer that can't be read.
    Garbled,
}

/// CNPG's `/pg/status`. Source: cloudnative-pg `pkg/postgres/status.go`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// It takes writes.
    pub is_primary: Option<bool>,
    /// Where the primary writes now.
    pub current: Option<Lsn>,
    /// Received by a standby.
    pub received: Option<Lsn>,
    /// Replayed by a standby.
    pub replayed: Option<Lsn>,
    /// `timeLineID`. Stays old on a healthy standby after a failover, until its next restartpoint: never judge by it.
    pub timeline: Option<Timeline>,
    /// System identifier.
    pub system_id: Option<String>,
    /// Replay is paused.
    pub replay_paused: bool,
    /// A parameter waits for a restart.
    pub pending_restart: bool,
    /// The WAL receiver runs.
    pub receiver_active: Option<bool>,
    /// pg_rewind runs.
    pub rewinding: bool,
    /// The instance manager is up and PostgreSQL may not be; with the hidden error.
    pub might_be_unavailable: Option<String>,
    /// Archiver: last success is newer than last failure. True for one that merely stalls.
    pub is_archiving: Option<bool>,
    /// Last archived WAL file and when.
    pub last_archived: Option<(String, Option<Timestamp>)>,
    /// Last WAL file that failed and when.
    pub last_failed: Option<(String, Option<Timestamp>)>,
    /// The segment written now.
    pub current_wal: Option<String>,
    /// WAL files waiting to be archived.
    pub ready_wal_files: Option<u64>,
    /// Rows of `pg_stat_replication`; `None` where the field was missing, empty where it was empty.
    pub standbys: Option<Vec<Standby>>,
    /// Rows of `pg_replication_slots`.
    pub slots: Option<Vec<Slot>>,
    /// The instance manager's version.
    pub manager_version: Option<String>,
    /// Clones being taken from it.
    pub cloning: u32,
}

/// One set of readings by SQL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SqlSample {
    /// How it was asked.
    pub via: Route,
    /// As whom.
    pub user: String,
    /// That user has `pg_monitor` (or is superuser): nothing below is hidden.
    pub sees_all: bool,
    /// `server_version`.
    pub version: Option<String>,
    /// `pg_is_in_recovery()`.
    pub in_recovery: bool,
    /// The timeline written (primary) or followed (standby: the receiver's `received_tli`).
    pub timeline: Option<Timeline>,
    /// System identifier.
    pub system_id: Option<String>,
    /// When the postmaster started.
    pub started: Option<Timestamp>,
    /// Where it writes now (primary).
    pub current: Option<Lsn>,
    /// Received (standby).
    pub received: Option<Lsn>,
    /// Replayed (standby).
    pub replayed: Option<Lsn>,
    /// Commit time of the last replayed transaction (standby).
    pub replayed_commit: Option<Timestamp>,
    /// Replay is paused (standby).
    pub replay_paused: Option<bool>,
    /// The WAL receiver (standby). `Some` with `status: None` is "no receiver"; `None` is "hidden or not asked".
    pub receiver: Option<Receiver>,
    /// `synchronous_standby_names`, parsed (`Ok(None)`: asynchronous) or why it can't be read.
    pub sync_rule: Option<Result<Option<SyncRule>, String>>,
    /// `synchronous_commit`.
    pub synchronous_commit: Option<String>,
    /// Rows of `pg_stat_replication`.
    pub standbys: Vec<Standby>,
    /// Rows of `pg_replication_slots`.
    pub slots: Vec<Slot>,
    /// `pg_stat_archiver` (primary). Boxed: most instances are standbys.
    pub archiver: Option<Box<ArchiverReading>>,
    /// Bytes of WAL written since the server's statistics began (`pg_stat_wal.wal_bytes`): rates are differences of `current`.
    pub wal_bytes: Option<u64>,
    /// WAL segment size in bytes.
    pub segment_size: Option<u64>,
    /// Connections used and allowed.
    pub connections: Option<(u32, u32)>,
    /// Age of the oldest running transaction that can be seen: without `pg_monitor`, one of the user's own.
    pub oldest_transaction: Option<SignedDuration>,
    /// Largest `age(datfrozenxid)`.
    pub frozen_xid_age: Option<u64>,
}

/// How SQL reached the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// A port-forward tunnel with TLS.
    #[default]
    Tunnel,
    /// A connection string of the settings.
    Dsn,
    /// `psql` inside the pod, as the cnpg plugin does.
    Exec,
}

/// `pg_stat_wal_receiver`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// `streaming`, …; `None`: no receiver runs.
    pub status: Option<String>,
    /// The timeline it receives.
    pub timeline: Option<Timeline>,
    /// Whom it follows.
    pub sender: Option<String>,
    /// Through which slot.
    pub slot: Option<String>,
    /// Flushed so far.
    pub flushed: Option<Lsn>,
    /// Last word from the sender.
    pub last_message: Option<Timestamp>,
}

/// `pg_stat_archiver`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiverReading {
    /// Files archived.
    pub archived: u64,
    /// The last one and when.
    pub last_archived: Option<(String, Timestamp)>,
    /// Attempts that failed.
    pub failed: u64,
    /// The last one and when.
    pub last_failed: Option<(String, Timestamp)>,
    /// Files waiting (`pg_ls_archive_statusdir()`, `.ready`).
    pub ready: Option<u64>,
}

/// What is read of `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsSample {
    /// `cnpg_collector_up`.
    pub up: Option<bool>,
    /// `cnpg_collector_fencing_on`.
    pub fenced: Option<bool>,
    /// `cnpg_pg_replication_in_recovery`.
    pub in_recovery: Option<bool>,
    /// `cnpg_pg_replication_is_wal_receiver_up`.
    pub receiver_up: Option<bool>,
    /// `cnpg_pg_replication_lag`: seconds since the last replayed commit. Grows while idle, so it is a hint only.
    pub replay_age: Option<SignedDuration>,
    /// `cnpg_pg_replication_streaming_replicas`.
    pub streaming_replicas: Option<u32>,
    /// `cnpg_pg_stat_archiver_seconds_since_last_archival`.
    pub since_last_archival: Option<SignedDuration>,
    /// `cnpg_collector_pg_wal_archive_status{value="ready"}`.
    pub ready_wal_files: Option<u64>,
    /// `cnpg_collector_sync_replicas{value="expected"}` and `observed`.
    pub sync_replicas: Option<(u32, u32)>,
    /// Volumes with bytes used and in all, and which figure said so.
    pub disks: Vec<DiskReading>,
}

/// How full a volume is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskReading {
    /// Which volume.
    pub purpose: VolumePurpose,
    /// Bytes used.
    pub used: u64,
    /// Bytes in all.
    pub size: u64,
    /// Who says so: a metric's name, `kubelet stats`, `df in the pod`.
    pub source: String,
}
