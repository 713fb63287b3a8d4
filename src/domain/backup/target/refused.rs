//! Why a target can't be reached, by name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::RecoveryTarget;
use crate::domain::backup::continuity::Gap;
use crate::domain::lsn::Lsn;
use crate::domain::wal::{Timeline, WalName};
use crate::problem::Problem;

/// Why a target can't be reached from what the archive holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// The store was not listed, or not to its end.
    Unlisted,
    /// Nothing in it can be restored; why the newest can't, where there is one.
    Nothing(Option<String>),
    /// It lies before anything that can be restored.
    Before {
        /// When the oldest one ended.
        first: Option<Timestamp>,
        /// Where.
        lsn: Option<Lsn>,
    },
    /// WAL between every base backup and the target is missing.
    BeyondGap {
        /// What is missing.
        gap: Gap,
        /// How far one gets before it.
        until: Option<Timestamp>,
        /// From when on one gets anywhere again.
        again: Option<Timestamp>,
    },
    /// It lies behind what was archived so far.
    BeyondEnd {
        /// The last segment that is there.
        last: WalName,
        /// When that one was stored.
        stored: Option<Timestamp>,
        /// Seconds from then to the target, where it is a time.
        seconds: Option<i64>,
    },
    /// The WAL goes on in a timeline that no recovery gets to.
    Unreachable {
        /// Which.
        timeline: Timeline,
        /// Why.
        why: String,
    },
    /// That base backup is not in the store.
    NoSuchBase(String),
    /// That base backup can't be restored.
    BadBase {
        /// Which.
        id: String,
        /// Why.
        why: String,
    },
    /// That base backup ended after the target.
    BaseTooLate {
        /// Which.
        id: String,
        /// When it ended.
        ended: Option<Timestamp>,
        /// Where.
        lsn: Option<Lsn>,
    },
    /// Where a transaction or a restore point lies is known to nobody: the base backup has to be named.
    WhichBase,
}

impl Refused {
    /// In two or three words, for where there is no place for a sentence.
    pub fn word(&self) -> &'static str {
        match self {
            Refused::Unlisted => "not known",
            Refused::Nothing(_) => "nothing to restore",
            Refused::Before { .. } => "before the first",
            Refused::BeyondGap { .. } => "beyond a gap",
            Refused::BeyondEnd { .. } => "not archived",
            Refused::Unreachable { .. } => "out of reach",
            Refused::NoSuchBase(_) => "no such backup",
            Refused::BadBase { .. } => "backup not usable",
            Refused::BaseTooLate { .. } => "backup too late",
            Refused::WhichBase => "from which backup?",
        }
    }

    /// What to try instead.
    fn instead(&self) -> Option<String> {
        match self {
            Refused::Before { first, .. } => first.map(|at| format!("the oldest moment is {at}")),
            Refused::BeyondGap { until, again, .. } => {
                let until = until.map(|at| format!("up to {at:.0}"));
                let again = again.map(|at| format!("from {at} on"));
                let both: Vec<_> = until.into_iter().chain(again).collect();
                (!both.is_empty()).then(|| both.join(", or "))
            }
            Refused::BeyondEnd { stored, .. } => {
                let until = stored.map(|at| format!("up to {at:.0}; ")).unwrap_or_default();
                Some(format!(
                    "{until}where the cluster still runs: select pg_switch_wal(), and wait until it is archived"
                ))
            }
            Refused::Unlisted => Some("howdah backups check".into()),
            Refused::WhichBase => Some("name one that ended before it; howdah backups list tells them".into()),
            Refused::NoSuchBase(_) => Some("howdah backups list tells them".into()),
            _ => None,
        }
    }

    /// As a refusal (exit 3).
    pub fn problem(&self, target: &RecoveryTarget) -> Problem {
        let problem = Problem::refused(format!("can't restore to {target}")).because(self.to_string());
        match self.instead() {
            Some(try_this) => problem.try_this(try_this),
            None => problem,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unlisted => {
                f.write_str("the object store was not listed to its end: what can be restored is not known")
            }
            Refused::Nothing(None) => f.write_str("there is no base backup in the store"),
            Refused::Nothing(Some(why)) => write!(f, "no base backup can be restored; of the newest: {why}"),
            Refused::Before { first: Some(at), .. } => {
                write!(f, "the first base backup that can be restored ended at {at}")
            }
            Refused::Before { lsn: Some(at), .. } => {
                write!(f, "the first base backup that can be restored ended at {at}")
            }
            Refused::Before { .. } => f.write_str("no base backup that can be restored ended before it"),
            Refused::BeyondGap { gap, .. } if gap.count == 1 => {
                write!(f, "it lies beyond a gap: WAL {} is not in the archive", gap.first)
            }
            Refused::BeyondGap { gap, .. } => write!(
                f,
                "it lies beyond a gap: {} segments from {} to {} are not in the archive",
                gap.count, gap.first, gap.last
            ),
            Refused::BeyondEnd { last, stored, seconds } => {
                let stored = stored.map(|at| format!(", stored at {at:.0}")).unwrap_or_default();
                let by = seconds.map(|s| format!(" by {s} s")).unwrap_or_default();
                write!(f, "it lies beyond the last WAL in the archive{by}: {last}{stored}")
            }
            Refused::Unreachable { timeline, why } => {
                write!(f, "the WAL goes on in timeline {timeline}, and {why}")
            }
            Refused::NoSuchBase(id) => write!(f, "base backup {id} is not in the store"),
            Refused::BadBase { id, why } => write!(f, "base backup {id} can't be restored: {why}"),
            Refused::BaseTooLate { id, ended: Some(at), .. } => write!(f, "base backup {id} ended after it, at {at}"),
            Refused::BaseTooLate { id, lsn: Some(at), .. } => write!(f, "base backup {id} ended after it, at {at}"),
            Refused::BaseTooLate { id, .. } => write!(f, "when base backup {id} ended is not known"),
            Refused::WhichBase => f.write_str(
                "the archive does not tell where a transaction or a restore point lies: a base backup has to be named",
            ),
        }
    }
}
