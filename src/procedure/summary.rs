//! A run in a line, as lists show it, and who drives it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry::{Outcome, RunId};
use super::kind::Kind;
use crate::domain::names::ClusterKey;
use crate::text::clean;

/// A run in a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub run: RunId,
    /// What it is.
    pub kind: Kind,
    /// Which cluster.
    pub cluster: ClusterKey,
    /// Its plan in a line.
    pub title: String,
    /// Who began it: `ann@laptop`.
    pub by: String,
    /// When it began.
    pub opened: Timestamp,
    /// Its newest entry.
    pub last: Timestamp,
    /// How it ended; `None`: it is under way, or was interrupted.
    pub outcome: Option<Outcome>,
    /// Who drives it now.
    pub holder: Option<Holder>,
}

/// Who drives a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The account.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub process: u32,
    /// Through which surface.
    pub through: String,
    /// Since when.
    pub since: Timestamp,
}

impl Holder {
    /// In words: `ann on laptop (process 4711, console) since 2026-11-21T03:15:00Z`.
    pub fn words(&self) -> String {
        let Holder { user, host, process, through, since } = self;
        clean(&format!("{user} on {host} (process {process}, {through}) since {since:.0}"))
    }
}

impl Summary {
    /// Where it stands: how it ended, who drives it, or that it was interrupted.
    pub fn state(&self) -> String {
        match (self.outcome, &self.holder) {
            (Some(outcome), _) => outcome.word().to_owned(),
            (None, Some(holder)) => format!("under way: {}", holder.words()),
            (None, None) => "interrupted".to_owned(),
        }
    }
}
