//! The verdict of a cluster, from evidence.
//!
//! Two questions, answered apart: can it be used now (**availability**), and could it be brought back
//! (**recoverability**)? Each answer lists its reasons, and each reason names its witness and that witness's age. A phase
//! that says "healthy" is one witness and never outvotes another. What can't be seen is unknown, never ok.

mod limits;

pub use limits::Limits;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::facts::Facts;
use super::history::History;
use super::names::InstanceName;
use super::source::Witness;

/// How bad it is. Ordered: the larger one wins.
///
/// A warning outweighs "unknown" because it is something one can act on now; "unknown" outweighs "ok" because what
/// can't be seen is never green.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Evidence says yes.
    Ok,
    /// Can't be told.
    #[default]
    Unknown,
    /// Works, and will not for long, or less well than promised.
    Warn,
    /// Does not work, or would not.
    Bad,
}

impl Level {
    /// The word shown beside the mark and the colour.
    pub fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Unknown => "unknown",
            Level::Warn => "warn",
            Level::Bad => "bad",
        }
    }
}

/// A reason of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What it is about: runbooks and filters go by this.
    pub code: ReasonCode,
    /// How much it weighs.
    pub level: Level,
    /// In words, short, with figures and units: `pg-orders-3 does not stream`.
    pub text: String,
    /// The instance it is about.
    pub instance: Option<InstanceName>,
    /// Who says so.
    pub witness: Witness,
    /// When the witness said so: its age is `now - seen`.
    pub seen: Timestamp,
}

/// What a reason is about. Stable names: runbooks apply by them, JSON carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation; each has its rule beside it in this folder")]
pub enum ReasonCode {
    // availability
    NoPrimary,
    PrimaryNotAnswering,
    PrimaryNotReady,
    TwoPrimaries,
    FailingOver,
    SwitchingOver,
    WritesLeadNowhere,
    InstancesMissing,
    InstanceNotReady,
    InstanceNotAnswering,
    InstanceNotServing,
    PodTrouble,
    StandbyNotStreaming,
    StandbyOnOtherTimeline,
    StandbyLagging,
    StandbyLagRising,
    ReplayPaused,
    SyncPromiseNotMet,
    SyncNotPromised,
    SlotInactive,
    SlotLost,
    ZoneSpreadBroken,
    NodeNotReady,
    OperatorNotRunning,
    WebhookFailing,
    ReconciliationDisabled,
    Fenced,
    Hibernated,
    MaintenanceOpen,
    PendingRestart,
    PhaseNotHealthy,
    ConditionFalse,
    SettingUp,
    JobFailing,
    DiskFilling,
    CertificateExpiring,
    ConnectionsNearLimit,
    WraparoundNear,
    LongTransaction,
    Deleting,
    // recoverability
    ArchiveFailing,
    ArchiveStalled,
    ArchiveNotConfigured,
    NoBackup,
    BackupTooOld,
    BackupFailed,
    BackupNotRestorable,
    BackupCertificate,
    // both
    CantBeAsked,
    Stale,
}

/// One of the two answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The worst of its reasons; `ok` only when evidence says so.
    pub level: Level,
    /// Worst first, and among equals what matters most first.
    pub reasons: Vec<Reason>,
}

/// Both answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Can it be used now, and would it survive the loss of an instance?
    pub availability: Verdict,
    /// Could it be brought back, and to when?
    pub recoverability: Verdict,
}

impl Health {
    /// The worse of the two.
    pub fn headline(&self) -> Level {
        self.availability.level.max(self.recoverability.level)
    }

    /// All reasons, worst first; of equals, availability first.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        let mut all: Vec<_> = self.availability.reasons.iter().chain(&self.recoverability.reasons).collect();
        all.sort_by_key(|r| std::cmp::Reverse(r.level));
        all.into_iter()
    }
}

/// Both verdicts of a cluster, from everything known at `now`.
pub fn judge(
    _facts: &Facts,
    _cluster: &Cluster,
    _history: Option<&History>,
    _limits: &Limits,
    _now: Timestamp,
) -> Health {
    Health::default()
}
