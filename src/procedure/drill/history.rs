//! The drills of a cluster over time: is it getting better or worse?

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::report::Report;
use crate::domain::names::ClusterKey;
use crate::domain::quantity::span;
use crate::domain::trial::Counts;
use crate::procedure::entry::{Outcome, RunId};
use crate::procedure::kind::Kind;

/// One past drill, short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The run.
    pub run: RunId,
    /// What was drilled.
    pub kind: Kind,
    /// Where.
    pub cluster: ClusterKey,
    /// When it began.
    pub began: Timestamp,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The outage, in milliseconds.
    pub rto_ms: Option<i64>,
    /// Acknowledged writes lost.
    pub rpo: Option<u64>,
    /// From the blow to full redundancy, in milliseconds.
    pub redundant_ms: Option<i64>,
    /// From making a cluster out of backups until it took writes, in milliseconds: no outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_ms: Option<i64>,
    /// How what was restored compares with its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Counts>,
}

/// The drills of a cluster, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The drills.
    pub past: Vec<Past>,
}

/// Where the outages go, of drills of one kind that were measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    /// Which kind.
    pub kind: Kind,
    /// How many were measured.
    pub drills: usize,
    /// The outages, or of a restore drill the times of the restores, in milliseconds, oldest first, the last twenty.
    pub rto_ms: Vec<i64>,
    /// The middle one of those before the last; `None` with fewer than two.
    pub usual_ms: Option<i64>,
    /// In words: `4.1 s, usually 3.8 s`.
    pub text: String,
}

impl From<&Report> for Past {
    fn from(r: &Report) -> Past {
        Past {
            run: r.run.clone(),
            kind: r.kind,
            cluster: r.cluster.clone(),
            began: r.began,
            outcome: r.outcome,
            rto_ms: r.rto_ms,
            rpo: r.rpo,
            redundant_ms: r.spans.last().and_then(|s| s.ms),
            restored_ms: r.restored.as_ref().and_then(|r| r.rto_ms),
            compared: r.restored.as_ref().and_then(|r| r.counts),
        }
    }
}

impl Past {
    /// What its kind is measured by: the outage, or how long the restore took.
    pub fn time(&self) -> Option<i64> {
        if self.kind == Kind::RestoreDrill { self.restored_ms } else { self.rto_ms }
    }

    /// Of a restore drill, what came of it: `5.3 s, 12 tables the same`. `None`: no restore, or one
    /// that took no writes.
    pub fn restored(&self) -> Option<String> {
        let took = span(SignedDuration::from_millis(self.restored_ms?));
        let compared = self.compared.map_or_else(|| "not compared".to_owned(), Counts::short);
        Some(format!("{took}, {compared}"))
    }
}

impl History {
    /// The drills of one cluster among these reports.
    pub fn of<'r>(cluster: &ClusterKey, reports: impl IntoIterator<Item = &'r Report>) -> History {
        let mut past: Vec<Past> = reports.into_iter().filter(|r| r.cluster == *cluster).map(Past::from).collect();
        past.sort_by_key(|p| p.began);
        History { past }
    }

    /// Where the outages of this kind go.
    pub fn trend(&self, kind: Kind) -> Option<Trend> {
        let all: Vec<i64> = self.past.iter().filter(|p| p.kind == kind).filter_map(Past::time).collect();
        let (last, before) = all.split_last()?;
        let mut sorted = before.to_vec();
        sorted.sort_unstable();
        let usual = sorted.get(sorted.len() / 2).copied();
        let words = |ms: i64| span(SignedDuration::from_millis(ms));
        let text = match usual {
            Some(usual) => format!("{}, usually {}", words(*last), words(usual)),
            None => words(*last),
        };
        let rto_ms = all[all.len().saturating_sub(20)..].to_vec();
        Some(Trend { kind, drills: all.len(), rto_ms, usual_ms: usual, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(began: i64, rto_ms: Option<i64>) -> Past {
        Past {
            run: RunId::from("r"),
            kind: Kind::FailoverDrill,
            cluster: ClusterKey::new("aks", "pg", "orders"),
            began: Timestamp::from_second(began).unwrap(),
            outcome: Some(Outcome::Passed),
            rto_ms,
            rpo: Some(0),
            redundant_ms: None,
            restored_ms: None,
            compared: None,
        }
    }

    #[test]
    fn a_restore_in_words() {
        let counts = |same, counted, different| Some(Counts { same, counted, different, ..Counts::default() });
        let restore = Past { kind: Kind::RestoreDrill, restored_ms: Some(5_300), ..past(1, None) };
        let words = |compared| Past { compared, ..restore.clone() }.restored();
        assert_eq!(words(counts(11, 1, 0)).as_deref(), Some("5.3 s, 12 tables the same"));
        assert_eq!(words(counts(11, 0, 1)).as_deref(), Some("5.3 s, 1 table different"));
        let changed = Counts { changed: 1, ..Counts::default() };
        assert_eq!(words(Some(changed)).as_deref(), Some("5.3 s, no table different"));
        assert_eq!(words(Some(Counts::default())).as_deref(), Some("5.3 s, no table compared"));
        assert_eq!(words(None).as_deref(), Some("5.3 s, not compared"));
        assert_eq!(past(1, Some(4_000)).restored(), None);
    }

    /// How long a restore took is no outage, and has a trend of its own.
    #[test]
    fn restores_are_kept_apart() {
        let restore = |began, ms| Past { kind: Kind::RestoreDrill, restored_ms: Some(ms), ..past(began, None) };
        let history = History { past: vec![past(1, Some(4_000)), restore(2, 90_000), restore(3, 80_000)] };
        assert_eq!(history.trend(Kind::FailoverDrill).unwrap().rto_ms, [4_000]);
        assert_eq!(history.trend(Kind::RestoreDrill).unwrap().rto_ms, [90_000, 80_000]);
    }

    #[test]
    fn the_last_against_the_usual() {
        let history =
            History { past: vec![past(1, Some(3_800)), past(2, None), past(3, Some(4_000)), past(4, Some(4_100))] };
        let trend = history.trend(Kind::FailoverDrill).unwrap();
        assert_eq!((trend.drills, trend.usual_ms), (3, Some(4_000)));
        assert_eq!(trend.text, "4.1 s, usually 4.0 s");
        assert_eq!(history.trend(Kind::ZoneLossDrill), None);
        assert_eq!(History { past: vec![past(1, Some(10))] }.trend(Kind::FailoverDrill).unwrap().usual_ms, None);
    }
}
