//! What a restore drill tells beside other drills: read off the journal, as all of a report.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::objectives::Result as Objective;
use super::report::Span;
use crate::domain::quantity::{span, tenths};
use crate::domain::trial::{Archived, Checked, Compared, Counts, Learned, TornDown};
use crate::procedure::entry::{Answer, Entry, What};
use crate::procedure::order::Order;
use crate::procedure::plan::Plan;
use crate::procedure::trial::{answered, printed};

/// The step that makes the scratch cluster.
pub const MADE: &str = "scratch";
/// The step that follows its recovery.
pub const RECOVERED: &str = "recovered";
/// The step that deletes it.
pub const TORN_DOWN: &str = "teardown";
/// The step that drops the markers.
pub const SWEPT: &str = "sweep";

/// What was restored, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    /// The scratch cluster.
    pub scratch: String,
    /// The base backup that was really taken, as the recovery's log tells it; else the one that was asked for.
    pub base: Option<String>,
    /// The moment that was recovered to.
    pub target: Option<Timestamp>,
    /// From making the cluster until it took writes, in milliseconds.
    pub rto_ms: Option<i64>,
    /// From making the cluster until it was compared.
    pub verified_ms: Option<i64>,
    /// The parts of the recovery.
    pub spans: Vec<Span>,
    /// Attempts that failed before.
    pub failed: u32,
    /// WAL that was replayed, in bytes.
    pub wal_bytes: Option<u64>,
    /// The segment of the last marker, and how it got into the archive.
    pub archived: Option<Archived>,
    /// The point that was really reached.
    pub reached: Option<Reached>,
    /// Who read the source, and who read what was restored.
    pub by: (Option<String>, Option<String>),
    /// How many tables came to which verdict.
    pub counts: Option<Counts>,
    /// Tables by name.
    pub tables: BTreeMap<String, Compared>,
    /// Databases that were restored and not compared.
    pub elsewhere: Vec<String>,
    /// Data files and indexes.
    pub checked: Option<Checked>,
    /// What was torn down.
    pub torn_down: Option<TornDown>,
    /// The table of the markers is dropped.
    pub swept: bool,
}

/// The point that a recovery really reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The newest marker that is there.
    pub newest_marker: Option<Timestamp>,
    /// Why it is not the right one. `None`: it is.
    pub wrong: Option<String>,
    /// When the last transaction was committed that was replayed, as PostgreSQL's log has it.
    pub last_transaction: Option<String>,
    /// Before or after what it stopped, as PostgreSQL's log has it.
    pub stopped: Option<String>,
    /// Where it left the source's timeline, as its history file has it.
    pub left: Option<String>,
}

impl Restored {
    /// Reads it off a journal.
    pub fn of(plan: &Plan, entries: &[Entry]) -> Option<Restored> {
        let trial = plan.steps.iter().find_map(|s| match &s.order {
            Some(Order::Trial(trial)) => Some(trial),
            _ => None,
        })?;
        let answers = answered(entries);
        let mut r = Restored {
            scratch: trial.scratch.to_string(),
            base: plan.parameters.get("base backup").cloned(),
            swept: answers.contains_key(&SWEPT.into()),
            ..Restored::default()
        };
        if let Some(p) = printed(&answers) {
            (r.target, r.by.0, r.elsewhere) = (Some(p.target), Some(p.by.clone()), p.elsewhere.clone());
        }
        let began = entries.iter().find_map(|e| match &e.what {
            What::Began { step, .. } if step.as_str() == MADE => Some(e.at),
            _ => None,
        });
        for entry in entries {
            let What::Accepted { answer: Answer::Learned(learned), .. } = &entry.what else { continue };
            let since = began.map(|began| millis(entry.at.duration_since(began)));
            r.learn(learned, since);
        }
        Some(r)
    }

    fn learn(&mut self, learned: &Learned, since: Option<i64>) {
        match learned {
            Learned::Archived(archived) => self.archived = Some(archived.clone()),
            Learned::Recovered(recovered) => {
                self.rto_ms = since;
                self.failed = recovered.failed;
                let part =
                    |(phase, took): (&str, Option<SignedDuration>)| Span { phase: phase.into(), ms: took.map(millis) };
                self.spans = recovered.spans().into_iter().map(part).collect();
                let story = &recovered.story;
                self.base = story.base.clone().or(self.base.take());
                self.wal_bytes = story.replayed_bytes();
                let reached = self.reached.get_or_insert_default();
                reached.last_transaction.clone_from(&story.last_transaction);
                reached.stopped.clone_from(&story.stopped);
            }
            Learned::Compared(compared) => {
                self.verified_ms = since;
                self.by.1 = Some(compared.by.clone());
                self.counts = Some(compared.counts());
                self.tables.clone_from(&compared.tables);
                let reached = self.reached.get_or_insert_default();
                (reached.newest_marker, reached.wrong) = (compared.newest, compared.missed());
                reached.left.clone_from(&compared.left);
            }
            Learned::Checked(checked) => self.checked = Some(checked.clone()),
            Learned::TornDown(torn) => self.torn_down = Some(torn.clone()),
            Learned::Marked(_) | Learned::Printed(_) => {}
        }
    }

    /// What it had to show, and did or not.
    pub fn objectives(&self, rto: Option<SignedDuration>) -> Vec<Objective> {
        let mut all = vec![self.recovered(rto), self.moment(), self.contents()];
        if let Some(Checked { well: Some(well), how, found }) = &self.checked {
            let text = match well {
                true => format!("nothing is damaged, {how}"),
                false => format!("damage was found, {how}: {}", found.join("; ")),
            };
            all.push(Objective { name: "data files".into(), met: Some(*well), text });
        }
        all.push(self.nothing_left());
        all
    }

    fn recovered(&self, rto: Option<SignedDuration>) -> Objective {
        let took = self.rto_ms.map(SignedDuration::from_millis);
        let asked = rto.map(|rto| format!("; asked was {} at most", span(rto))).unwrap_or_default();
        let text = match took {
            Some(took) => format!("{} s until it took writes{asked}", tenths(took)),
            None => format!("it never took writes{asked}"),
        };
        Objective { name: "RTO".into(), met: Some(took.is_some_and(|took| rto.is_none_or(|rto| took <= rto))), text }
    }

    fn moment(&self) -> Objective {
        let reached = self.reached.as_ref().filter(|_| self.counts.is_some());
        let (met, text) = match reached {
            None => (None, "the markers were not read".to_owned()),
            Some(Reached { wrong: Some(wrong), .. }) => (Some(false), wrong.clone()),
            Some(reached) => {
                let newest = reached.newest_marker.map(|at| format!(", the newest marker of {at}")).unwrap_or_default();
                (Some(true), format!("it ends at the right moment{newest}"))
            }
        };
        Objective { name: "point reached".into(), met, text }
    }

    fn contents(&self) -> Objective {
        let (met, text) = match self.counts {
            None => (None, "no table was compared".to_owned()),
            Some(counts) => (Some(counts.different == 0), counts.words()),
        };
        Objective { name: "contents".into(), met, text }
    }

    fn nothing_left(&self) -> Objective {
        let (met, text) = match &self.torn_down {
            _ if !self.swept => (Some(false), "the table of the markers may be left".to_owned()),
            None => (Some(false), format!("{} may be left", self.scratch)),
            Some(torn) if !torn.unseen.is_empty() => {
                (None, format!("not known of {}, which may not be listed", torn.unseen.join(", ")))
            }
            Some(torn) => {
                (Some(true), format!("objects that are gone: {}; so is the table of the markers", torn.gone.len()))
            }
        };
        Objective { name: "nothing left".into(), met, text }
    }
}

fn millis(d: SignedDuration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}
