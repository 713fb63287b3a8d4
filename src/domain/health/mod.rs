//! The verdict of a cluster, from evidence.
//!
//! Two questions, answered apart: can it be used now (**availability**), and could it be brought back
//! (**recoverability**)? Each answer lists its reasons, and each reason names its witness and that witness's age. A phase
//! that says "healthy" is one witness and never outvotes another. What can't be seen is unknown, never ok.

mod archive;
#[cfg(test)]
mod archive_tests;
mod backups;
mod codes;
pub(crate) mod evidence;
mod freshness;
mod instances;
mod jobs;
mod limits;
mod primary;
mod purpose;
mod replication;
#[cfg(test)]
pub(crate) mod scene;
mod server;
#[cfg(test)]
mod tests;

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
    RecoveryFailing,
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
    ArchiveGap,
    NoBackup,
    NothingRestorable,
    BackupTooOld,
    ScheduleBehind,
    BackupFailed,
    BackupNotRestorable,
    BackupCertificate,
    // both
    CantBeAsked,
    Stale,
}

impl ReasonCode {
    /// Somebody wanted it so.
    pub fn on_purpose(self) -> bool {
        matches!(self, ReasonCode::Fenced | ReasonCode::Hibernated | ReasonCode::Deleting)
    }
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

    /// All reasons, worst first; of equals, availability first. What speaks against both is said once.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        let again = |r: &&Reason| !self.availability.reasons.contains(r);
        let mut all: Vec<_> = self.availability.reasons.iter().collect();
        all.extend(self.recoverability.reasons.iter().filter(again));
        all.sort_by_key(|r| std::cmp::Reverse(r.level));
        all.into_iter()
    }
}

/// Both verdicts of a cluster, from everything known at `now`.
///
/// It is ok only when nothing speaks against it *and* nothing that matters is unknown: every rule that needs an answer and
/// has none adds a reason of level unknown. So PostgreSQL itself must have said lately that it is primary, and each standby
/// must have been seen to stream. Off on purpose is a warning (hibernated) or bad (a fenced primary), never ok.
pub fn judge(facts: &Facts, cluster: &Cluster, history: Option<&History>, limits: &Limits, now: Timestamp) -> Health {
    let e = evidence::Evidence::new(facts, cluster, history, limits, now);
    let verdict = |rules: &[fn(&evidence::Evidence, &mut Vec<Reason>)]| {
        let mut reasons = Vec::new();
        for rule in rules {
            rule(&e, &mut reasons);
        }
        // Worst first; of equals what was done on purpose, which explains the rest; then in the order of the codes.
        let weight = |r: &Reason| (std::cmp::Reverse(r.level), !r.code.on_purpose(), r.code);
        reasons.sort_by(|a, b| weight(a).cmp(&weight(b)).then_with(|| a.instance.cmp(&b.instance)));
        Verdict { level: reasons.iter().map(|r| r.level).max().unwrap_or(Level::Ok), reasons }
    };
    Health {
        availability: verdict(&[
            freshness::picture,
            primary::rules,
            instances::rules,
            replication::rules,
            purpose::rules,
            jobs::rules,
            server::rules,
        ]),
        recoverability: verdict(&[freshness::picture, archive::rules, backups::rules, backups::store]),
    }
}
