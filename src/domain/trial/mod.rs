//! What a restore drill learns: marker rows, fingerprints of tables, how a recovery went, what is left afterwards.
//!
//! Fingerprints are counts and checksums, never contents. It must not know how they are asked for.

mod compare;
mod story;

pub use compare::{Compared, Comparison, Counts, Verdict, compare};
pub use story::{Line, Story};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::lsn::Lsn;
use crate::domain::quantity::span;

/// Rows of each batch of markers.
pub const ROWS: u64 = 10;

/// A batch of marker rows that was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// 1: before everything. 2: right before the moment that is recovered to. 3: right after it.
    pub batch: u8,
    /// When it was written, by the server's clock.
    pub at: Timestamp,
    /// Where the server wrote WAL once it was committed.
    pub lsn: Lsn,
}

/// A table as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// Its rows; `None`: it could not be read, or there is nothing to compare.
    pub rows: Option<u64>,
    /// The sum of its rows' hashes, whatever their order.
    pub sum: Option<String>,
    /// Why there is no checksum, or nothing at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
}

/// Tables by name, as SQL writes it: `public.orders`.
pub type Prints = BTreeMap<String, Print>;

/// The source, looked at on both sides of the moment that is recovered to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Printed {
    /// Who was asked, and how.
    pub by: String,
    /// The moment, by the server's clock.
    pub target: Timestamp,
    /// Batches 2 and 3.
    pub marks: Vec<Mark>,
    /// The tables before it, in one snapshot.
    pub before: Prints,
    /// And after it.
    pub after: Prints,
    /// Other databases of the server, which are restored but not compared.
    pub elsewhere: Vec<String>,
}

/// WAL up to the last marker is in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The segment that holds the last marker.
    pub wal: String,
    /// How that is known, and whether a segment was ended for it.
    pub how: String,
}

/// A recovery that came to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovered {
    /// When the scratch cluster was made, by the API server's clock.
    pub made: Option<Timestamp>,
    /// What its job's log told.
    pub story: Story,
    /// Attempts of the job that failed before.
    pub failed: u32,
    /// When its pod became ready.
    pub ready: Option<Timestamp>,
    /// Who says that it is out of recovery.
    pub by: String,
}

/// Data files and indexes, looked through in the restored cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Nothing was found. `None`: it was not looked through.
    pub well: Option<bool>,
    /// How it was looked through, or why not.
    pub how: String,
    /// What was found, at most twenty lines.
    pub found: Vec<String>,
}

/// The scratch cluster after it was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TornDown {
    /// What was there and is gone, by kind and name.
    pub gone: Vec<String>,
    /// Of these, what nobody had collected and was deleted one by one.
    pub by_hand: Vec<String>,
    /// Kinds that may not be listed: whether any is left is not known.
    pub unseen: Vec<String>,
}

/// What one part of a restore drill learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Learned {
    /// The first markers are committed.
    Marked(Mark),
    /// The source's tables.
    Printed(Printed),
    /// The archive has the last marker.
    Archived(Archived),
    /// The scratch cluster is recovered.
    Recovered(Recovered),
    /// Its tables against the source's.
    Compared(Comparison),
    /// Its data files.
    Checked(Checked),
    /// It is gone.
    TornDown(TornDown),
}

impl Recovered {
    /// How long each part took, in order; `None`: not seen.
    pub fn spans(&self) -> Vec<(&'static str, Option<SignedDuration>)> {
        let s = &self.story;
        let all = [
            ("start", s.began),
            ("base backup", s.unpacked),
            ("WAL replay", s.replayed),
            ("promotion", s.promoted),
            ("ready", self.ready),
        ];
        let mut last = self.made;
        let part = |(name, end): (&'static str, Option<Timestamp>)| {
            let took = last.zip(end).map(|(from, to)| to.duration_since(from).max(SignedDuration::ZERO));
            last = end.or(last);
            (name, took)
        };
        all.map(part).into()
    }
}

impl Learned {
    /// In words, as evidence.
    pub fn words(&self) -> String {
        match self {
            Learned::Marked(m) => format!("{ROWS} marker rows are committed, WAL is at {}", m.lsn),
            Learned::Printed(p) => {
                let read = p.before.values().filter(|p| p.rows.is_some()).count();
                format!("{} read twice by {}; recovered to will be {}", many(read, "table"), p.by, p.target)
            }
            Learned::Archived(a) => format!("{} is archived: {}", a.wal, a.how),
            Learned::Recovered(r) => recovered(r),
            Learned::Compared(c) => c.words(),
            Learned::Checked(c) => match c.well {
                Some(true) => format!("nothing is damaged, {}", c.how),
                Some(false) => format!("damage was found, {}: {}", c.how, c.found.join("; ")),
                None => format!("not looked through: {}", c.how),
            },
            Learned::TornDown(t) => torn_down(t),
        }
    }
}

/// `1 table`, `3 tables`.
fn many(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn recovered(r: &Recovered) -> String {
    let base = r.story.base.as_ref().map(|b| format!(" from base backup {b}")).unwrap_or_default();
    let tries = match r.failed {
        0 => String::new(),
        n => format!(", at attempt {}", n + 1),
    };
    let parts: Vec<_> = r.spans().into_iter().filter_map(|(n, t)| Some(format!("{n} {}", span(t?)))).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("recovered{base}{tries}, {}{parts}", r.by)
}

fn torn_down(t: &TornDown) -> String {
    let mut words = match t.gone.len() {
        0 => "nothing was there".to_owned(),
        1 => "1 object is gone".to_owned(),
        n => format!("{n} objects are gone"),
    };
    if !t.by_hand.is_empty() {
        words.push_str(&format!(", {} of them deleted one by one: {}", t.by_hand.len(), t.by_hand.join(", ")));
    }
    if !t.unseen.is_empty() {
        words.push_str(&format!("; not known of {}, which may not be listed", t.unseen.join(", ")));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn parts_of_a_recovery_follow_one_another() {
        let story = Story { began: at(12), unpacked: at(15), promoted: at(19), ..Story::default() };
        let r = Recovered { made: at(10), story, ready: at(30), ..Recovered::default() };
        let spans: Vec<_> = r.spans().into_iter().map(|(n, t)| (n, t.map(|t| t.as_secs()))).collect();
        let expected = [
            ("start", Some(2)),
            ("base backup", Some(3)),
            ("WAL replay", None),
            ("promotion", Some(4)),
            ("ready", Some(11)),
        ];
        assert_eq!(spans, expected);
    }

    #[test]
    fn what_is_gone_is_told() {
        let torn = TornDown {
            gone: vec!["Cluster/a".into(), "PersistentVolumeClaim/a-1".into()],
            by_hand: vec!["PersistentVolumeClaim/a-1".into()],
            unseen: vec!["secrets".into()],
        };
        assert_eq!(
            Learned::TornDown(torn).words(),
            "2 objects are gone, 1 of them deleted one by one: PersistentVolumeClaim/a-1; not known of secrets, which may \
             not be listed"
        );
    }
}
