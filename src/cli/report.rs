//! What `status` says, as data: the same for people and for programs. Stable names; nothing that is not known is a default.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::cluster::{Hibernation, ServicePurpose};
use crate::domain::health::{Level, ReasonCode};
use crate::domain::lsn::Lsn;
use crate::domain::sample::Route;

/// Everything that is said of the chosen clusters.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// The worst of all verdicts.
    pub level: Level,
    /// The clusters, worst first.
    pub clusters: Vec<ClusterReport>,
    /// Sources that do not answer as they should.
    pub sources: Vec<SourceReport>,
}

/// One cluster.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterReport {
    pub context: String,
    pub namespace: String,
    pub name: String,
    pub level: Level,
    pub availability: VerdictReport,
    pub recoverability: VerdictReport,
    pub operator: &'static str,
    pub operator_version: Option<String>,
    pub postgres_version: Option<String>,
    pub phase: Option<String>,
    pub wanted: Option<u32>,
    pub ready: Option<u32>,
    pub zones: Vec<String>,
    pub primary: Option<String>,
    pub target: Option<String>,
    pub timeline: Option<u32>,
    pub fenced: Vec<String>,
    pub hibernation: Option<Hibernation>,
    pub sync: SyncReport,
    pub instances: Vec<InstanceReport>,
    pub archiving: ArchivingReport,
    pub backups: BackupsReport,
    pub services: Vec<ServiceReport>,
}

/// One verdict.
#[derive(Clone, Debug, Serialize)]
pub struct VerdictReport {
    /// The verdict.
    pub level: Level,
    /// Why.
    pub reasons: Vec<ReasonReport>,
}

/// One reason.
#[derive(Clone, Debug, Serialize)]
pub struct ReasonReport {
    pub code: ReasonCode,
    pub level: Level,
    pub text: String,
    pub instance: Option<String>,
    pub witness: String,
    pub seen: Timestamp,
    pub age_s: i64,
    /// The runbook that leads out of it.
    pub runbook: Option<String>,
}

/// What synchronous commit waits for.
#[derive(Clone, Debug, Serialize)]
pub struct SyncReport {
    /// What the spec promises: `ANY 1`, `FIRST 2`, `1 to 2`; nothing when asynchronous.
    pub promised: Option<String>,
    /// The live `synchronous_standby_names`.
    pub live: Option<String>,
    /// Standbys that commits wait for now.
    pub standbys: Option<u32>,
}

/// One instance.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceReport {
    pub name: String,
    pub role: Option<&'static str>,
    /// Who says which role it has: `sql`, `status`, or `label`.
    pub role_by: Option<&'static str>,
    pub zone: Option<String>,
    pub node: Option<String>,
    pub ready: Option<bool>,
    pub restarts: Option<u32>,
    pub lsn: Option<Lsn>,
    pub timeline: Option<u32>,
    pub state: Option<String>,
    pub sync: Option<&'static str>,
    pub lag_bytes: Option<u64>,
    /// `lag_bytes` is a lower bound, taken from its slot: the standby's own row is gone.
    pub lag_at_least: bool,
    pub write_lag_s: Option<f64>,
    pub flush_lag_s: Option<f64>,
    pub replay_lag_s: Option<f64>,
    /// By which way SQL was asked.
    pub sql_by: Option<Route>,
    /// SQL shows everything to this user.
    pub sees_all: Option<bool>,
    /// Why it can't be asked.
    pub silent: Option<String>,
}

/// How WAL leaves.
#[derive(Clone, Debug, Serialize)]
pub struct ArchivingReport {
    pub by: Option<String>,
    pub destination: Option<String>,
    /// The last success is newer than the last failure.
    pub working: Option<bool>,
    pub last_wal: Option<String>,
    pub last_at: Option<Timestamp>,
    pub last_age_s: Option<i64>,
    pub failed_wal: Option<String>,
    pub failed_at: Option<Timestamp>,
    pub ready_wal_files: Option<u64>,
}

/// What a restore could use.
#[derive(Clone, Debug, Serialize)]
pub struct BackupsReport {
    pub listed: bool,
    pub count: usize,
    pub first_recoverability_point: Option<Timestamp>,
    pub last_successful: Option<Timestamp>,
    pub last_successful_age_s: Option<i64>,
    pub last_failed: Option<Timestamp>,
    pub schedules: Vec<String>,
}

/// Where a service leads.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceReport {
    pub name: String,
    pub purpose: ServicePurpose,
    pub leads_to: Option<Vec<String>>,
}

/// A source that does not answer as it should.
#[derive(Clone, Debug, Serialize)]
pub struct SourceReport {
    /// Which.
    pub source: String,
    /// `late`, `failing`, `absent` or `connecting`.
    pub state: &'static str,
    /// Why.
    pub why: Option<String>,
    /// When it last answered.
    pub proven: Option<Timestamp>,
    /// The API it reads is not installed: nothing is wrong.
    pub not_installed: bool,
}
