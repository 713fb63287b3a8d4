//! A drill's heartbeat as it is watched and as it is counted.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What became of the attempts in one slice of time. Ordered: the larger one is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beat {
    /// No attempt.
    #[default]
    Idle,
    /// Every attempt was acknowledged.
    Acknowledged,
    /// An answer did not come: it may have been done.
    Unknown,
    /// Refused, or nobody could be reached.
    Refused,
}

/// The length of one slice of [`Pulse::slices`].
pub const SLICE: SignedDuration = SignedDuration::from_millis(100);

/// The heartbeat so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// When it began.
    pub since: Timestamp,
    /// When this was said.
    pub at: Timestamp,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that were refused or found nobody.
    pub refused: u64,
    /// Writes whose answer did not come.
    pub unknown: u64,
    /// Reads that were answered, and that failed.
    pub reads: (u64, u64),
    /// The newest acknowledged write.
    pub last: Option<Timestamp>,
    /// The last two minutes in slices of [`SLICE`], oldest first; the last one is the newest.
    pub slices: Vec<Beat>,
    /// Times without an acknowledged write, longer than the pause between writes explains. An open one has no end.
    pub outages: Vec<Outage>,
    /// The last failure, in words.
    pub trouble: Option<String>,
    /// The database user it writes as and the way it goes, in words: `app through a port-forward`.
    pub via: String,
}

/// A time without an acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The last acknowledged write before it.
    pub from: Timestamp,
    /// The first one after it.
    pub to: Option<Timestamp>,
}

/// The heartbeat, counted against the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged writes that are not there: lost.
    pub lost: u64,
    /// The first lost ones, as `writer/number`, at most a hundred.
    pub lost_names: Vec<String>,
    /// Writes whose answer did not come, and that are there.
    pub unknown_there: u64,
    /// Writes whose answer did not come, and that are not there.
    pub unknown_gone: u64,
    /// Rows that are there more than once, or that nobody wrote.
    pub duplicated: u64,
    /// Writes that were refused or found nobody.
    pub refused: u64,
    /// Reads that were answered, and that failed.
    pub reads: (u64, u64),
    /// Times without an acknowledged write, as a client saw them.
    pub outages: Vec<Outage>,
    /// The longest of them.
    pub longest: SignedDuration,
    /// Times in which nobody measured: howdah itself was not running.
    pub unmeasured: Vec<Outage>,
    /// No outage shorter than this can be seen.
    pub resolution: SignedDuration,
    /// The way the writes went, in words.
    pub via: String,
}
