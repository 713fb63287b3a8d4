//! The report of a drill, read off its journal.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::marks::{Mark, Observer};
use super::objectives::Result as ObjectiveResult;
use super::phases::{Phases, Seen};
use super::restored::Restored;
use crate::domain::heartbeat::{Outage, Tally};
use crate::domain::names::{ClusterKey, InstanceName};
use crate::procedure::entry::{Answer, By, Entry, Outcome, RunId, What};
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Finding, Plan};
use crate::procedure::run::{Run, StepReport};

/// The step whose order is the blow; every drill's plan has one of this name.
pub const STRIKE: &str = "strike";
/// The step that hands back to the first primary.
pub const BACK: &str = "back";
/// The step that is proven when everything is as redundant as before.
pub const REDUNDANT: &str = "redundant";
/// The cluster object's field that names the primary, as a premise holds it.
pub const LEADER: &str = "/status/currentPrimary";

/// Everything that is told of a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// What was drilled.
    pub kind: Kind,
    /// Where.
    pub cluster: ClusterKey,
    /// In a line.
    pub title: String,
    /// Who, from where, with which versions.
    pub by: By,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; `None`: it has not.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What was chosen.
    pub parameters: BTreeMap<String, String>,
    /// What was looked at beforehand.
    pub findings: Vec<Finding>,
    /// Who led before the blow, and who after it.
    pub leader: (Option<InstanceName>, Option<InstanceName>),
    /// When each phase ended.
    pub phases: Phases,
    /// How long each phase took, in milliseconds; `None`: not seen.
    pub spans: Vec<Span>,
    /// What was to be reached, and was or not.
    pub objectives: Vec<ObjectiveResult>,
    /// The longest time without an acknowledged write that the blow brought, in milliseconds.
    pub rto_ms: Option<i64>,
    /// Acknowledged writes that are not there.
    pub rpo: Option<u64>,
    /// The heartbeat, counted.
    pub tally: Option<Tally>,
    /// What was restored, where that was drilled. Its times are no outages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// The steps.
    pub steps: Vec<StepReport>,
    /// What was seen, with the milliseconds since the blow.
    pub marks: Vec<MarkLine>,
    /// What people wrote down.
    pub notes: Vec<(Timestamp, String)>,
}

/// How long a phase took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// `detect`, `elect`, `promote`, `first write`, `full redundancy`.
    pub phase: String,
    /// Milliseconds.
    pub ms: Option<i64>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkLine {
    /// When.
    pub at: Timestamp,
    /// Milliseconds since the blow; `None` before it.
    pub since_blow_ms: Option<i64>,
    /// Which mark.
    pub mark: String,
    /// In words, with the witness.
    pub text: String,
}

impl Report {
    /// Reads a journal. `None` when it has no first line that says what was to be done.
    pub fn of(entries: &[Entry]) -> Option<Report> {
        let (began, run, plan, by) = entries.iter().find_map(|e| match &e.what {
            What::Opened { run, plan, by } => Some((e.at, run, plan, by)),
            _ => None,
        })?;
        let steps = Run::fold(entries.iter().cloned()).ok()?.steps();
        let tally = tally(entries);
        let before = plan.premise.values.get(LEADER).and_then(|v| v.as_str()).map(InstanceName::from);
        let struck = began_at(entries, STRIKE);
        // What handing back brings is counted, and is not the blow's doing.
        let back = began_at(entries, BACK);
        let of_the_blow: Vec<_> = seen(entries).into_iter().filter(|m| back.is_none_or(|back| m.at < back)).collect();
        let mut phases = struck.map(|at| Phases::of(at, before.as_ref(), &of_the_blow)).unwrap_or_default();
        phases.redundant = proven_at(entries, REDUNDANT);
        let measured = tally.as_ref().filter(|_| struck.is_some());
        let blow = struck.zip(measured).and_then(|(struck, tally)| outage_of(tally, struck, back));
        phases.first_write = blow.and_then(|o| o.to);
        let rto = blow.and_then(|o| Some(o.to?.duration_since(o.from)));
        let rto = rto.or_else(|| measured.filter(|t| blow.is_none() && unnoticed(t)).map(|_| SignedDuration::ZERO));
        let spans = phases.spans().into_iter().map(|(phase, took)| Span { phase: phase.into(), ms: took.map(millis) });
        let closed = entries.iter().rev().find_map(|e| match e.what {
            What::Closed { outcome } => Some((e.at, outcome)),
            _ => None,
        });
        let restored = (plan.kind == Kind::RestoreDrill).then(|| Restored::of(plan, entries)).flatten();
        let objectives = match &restored {
            Some(restored) => restored.objectives(plan.objectives.map(|o| o.rto)),
            None => plan.objectives.map(|o| o.judge(measured, rto)).unwrap_or_default(),
        };
        Some(Report {
            run: run.clone(),
            kind: plan.kind,
            cluster: plan.cluster.clone(),
            title: plan.title.clone(),
            by: by.clone(),
            began,
            ended: closed.map(|(at, _)| at),
            outcome: closed.map(|(_, outcome)| outcome),
            parameters: plan.parameters.clone(),
            findings: plan.findings.clone(),
            leader: (before, phases.leader.clone()),
            spans: if restored.is_some() { Vec::new() } else { spans.collect() },
            phases,
            objectives,
            rto_ms: rto.map(millis),
            rpo: tally.as_ref().filter(|t| t.acknowledged > 0).map(|t| t.lost),
            tally,
            restored,
            steps,
            marks: marks(entries, struck),
            notes: notes(entries),
        })
    }

    /// What a reader must know of how it was measured, in a sentence.
    pub fn viewpoint(&self) -> Option<String> {
        let tally = self.tally.as_ref()?;
        Some(format!(
            "Seen by one client {}: a shorter outage than {} can't be seen, and what the way itself adds is counted in.",
            tally.via,
            crate::domain::quantity::span(tally.resolution)
        ))
    }
}

fn millis(d: SignedDuration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

/// The longest outage that was not over when the blow fell, and that had begun before anybody handed back.
fn outage_of(tally: &Tally, struck: Timestamp, back: Option<Timestamp>) -> Option<Outage> {
    let of_the_blow = |o: &&Outage| o.to.is_none_or(|to| to >= struck) && back.is_none_or(|back| o.from < back);
    let length = |o: &Outage| o.to.map_or(SignedDuration::MAX, |to| to.duration_since(o.from));
    tally.outages.iter().filter(of_the_blow).copied().max_by_key(length)
}

/// A blow that no client noticed took no longer than could be seen.
fn unnoticed(tally: &Tally) -> bool {
    tally.acknowledged > 0 && tally.unmeasured.is_empty()
}

fn tally(entries: &[Entry]) -> Option<Tally> {
    entries.iter().rev().find_map(|e| match &e.what {
        What::Accepted { answer: Answer::Counted(tally), .. } => Some((**tally).clone()),
        _ => None,
    })
}

/// When a step was begun that was not refused: what was refused changed nothing, and is no blow.
fn began_at(entries: &[Entry], step: &str) -> Option<Timestamp> {
    entries.iter().fold(None, |began, e| match &e.what {
        What::Began { step: s, .. } if s.as_str() == step => began.or(Some(e.at)),
        What::Refused { step: s, .. } if s.as_str() == step => None,
        _ => began,
    })
}

fn proven_at(entries: &[Entry], step: &str) -> Option<Timestamp> {
    entries.iter().find_map(|e| match &e.what {
        What::Proven { step: s, .. } if s.as_str() == step => Some(e.at),
        _ => None,
    })
}

fn seen(entries: &[Entry]) -> Vec<Seen<'_>> {
    entries.iter().filter_map(mark_of).collect()
}

fn mark_of(entry: &Entry) -> Option<Seen<'_>> {
    match &entry.what {
        What::Observed { mark, seen, text } => Some(Seen { mark: Mark::named(mark)?, at: *seen, text }),
        _ => None,
    }
}

fn marks(entries: &[Entry], struck: Option<Timestamp>) -> Vec<MarkLine> {
    let line = |e: &Entry| match &e.what {
        What::Observed { mark, seen, text } => Some(MarkLine {
            at: *seen,
            since_blow_ms: struck.filter(|s| s <= seen).map(|s| millis(seen.duration_since(s))),
            mark: mark.clone(),
            text: text.clone(),
        }),
        _ => None,
    };
    entries.iter().filter_map(line).collect()
}

fn notes(entries: &[Entry]) -> Vec<(Timestamp, String)> {
    let note = |e: &Entry| match &e.what {
        What::Noted { text, .. } => Some((e.at, text.clone())),
        _ => None,
    };
    entries.iter().filter_map(note).collect()
}

impl Report {
    /// An observer that goes on where this journal ends: for a run that is resumed.
    pub fn observer(plan: &Plan, timeline: Option<crate::domain::wal::Timeline>) -> Observer {
        let leader = plan.premise.values.get(LEADER).and_then(|v| v.as_str()).map(InstanceName::from);
        Observer::new(&plan.cluster, leader, timeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn at(second: i64, what: What) -> Entry {
        Entry { at: Timestamp::from_second(second).unwrap(), what }
    }

    fn began(second: i64) -> Entry {
        at(second, What::Began { step: STRIKE.into(), request: None })
    }

    #[test]
    fn a_blow_that_was_refused_is_none() {
        let refused = at(2, What::Refused { step: STRIKE.into(), problem: Problem::refused("the world moved since") });
        assert_eq!(began_at(&[began(1)], STRIKE), Some(Timestamp::from_second(1).unwrap()));
        assert_eq!(began_at(&[began(1), refused.clone()], STRIKE), None, "nothing was sent");
        let again = [began(1), refused, began(3), began(4)];
        assert_eq!(began_at(&again, STRIKE), Some(Timestamp::from_second(3).unwrap()), "the first that was taken");
    }
}
