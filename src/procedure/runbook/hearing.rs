//! What happens to the cluster during a walk: events and transitions that go into its journal, each once.

use jiff::{SignedDuration, Timestamp};

use super::record::happened;
use crate::domain::event::{Happening, Transition, What as Happened};
use crate::domain::happenings::Happenings;
use crate::domain::words::words;
use crate::procedure::entry::What;
use crate::procedure::run::Run;

/// Events of this time before a walk belong to its record: what led here began before.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// How much of what happened a walk's journal has.
#[derive(Clone, Debug, PartialEq)]
pub struct Hearing {
    /// The first happening that was not looked at yet.
    unheard: u64,
    /// What happened before that is no part of the record, or stands in it already.
    since: Timestamp,
}

impl Hearing {
    /// Of a walk as it was opened or taken up just now: of one that is taken up, what came after its last entry is new.
    pub fn new(run: &Run) -> Hearing {
        let since = match run.resumed {
            None => run.opened - BEFORE,
            Some(_) => run.entries.iter().rev().nth(1).map_or(run.opened, |e| e.at),
        };
        Hearing { unheard: 0, since }
    }

    /// What is to be written of what happened to the walk's cluster since this was last asked.
    pub fn take(&mut self, run: &Run, all: &Happenings) -> Vec<What> {
        let from = std::mem::replace(&mut self.unheard, all.version());
        if from == self.unheard {
            return Vec::new();
        }
        let new = all.numbered().filter(|(number, h)| *number >= from && self.belongs(run, h));
        new.map(|(_, h)| {
            let w = words(h);
            let about = if w.object.is_empty() { String::new() } else { format!(" {}", w.object) };
            happened(h.at, &format!("{}{about}: {}", w.what, w.text))
        })
        .collect()
    }

    /// A change of the verdict is howdah's own opinion: the walk says itself what of it led here and whether it is gone.
    fn belongs(&self, run: &Run, h: &Happening) -> bool {
        let opinion = matches!(&h.what, Happened::Transition(Transition::Verdict { .. }));
        h.at >= self.since && h.cluster.as_ref() == Some(&run.plan.cluster) && !opinion
    }
}
