//! What happens to the cluster during a walk: events, transitions and changes of its verdict that go into its journal, each
//! once.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

use super::record::happened;
use super::walked::observed;
use crate::domain::event::{Happening, Transition, What as Happened};
use crate::domain::happenings::Happenings;
use crate::domain::health::Health;
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
    /// The word of each verdict when it was last looked at, by what it is about.
    judged: BTreeMap<String, String>,
}

/// How the mark of a verdict begins; what it is about and its word follow.
const VERDICT: &str = "verdict:";

impl Hearing {
    /// Of a walk as it was opened or taken up just now: of one that is taken up, what came after its last entry is new.
    pub fn new(run: &Run) -> Hearing {
        let since = match run.resumed {
            None => run.opened - BEFORE,
            Some(_) => run.entries.iter().rev().nth(1).map_or(run.opened, |e| e.at),
        };
        let told = observed(run, VERDICT).filter_map(|(_, rest, _)| rest.split_once(':'));
        let judged = told.map(|(about, word)| (about.to_owned(), word.to_owned())).collect();
        Hearing { unheard: 0, since, judged }
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

    /// What is to be written of the verdicts as they are now: those that changed while the walk went on.
    pub fn judge(&mut self, health: &Health, now: Timestamp) -> Vec<What> {
        let both = [("availability", &health.availability), ("recoverability", &health.recoverability)];
        let changed = both.into_iter().filter_map(|(about, verdict)| {
            let word = verdict.level.word();
            let before = self.judged.insert(about.to_owned(), word.to_owned()).filter(|before| before != word)?;
            let reason = verdict.reasons.first().map(|r| format!(": {}", r.text)).unwrap_or_default();
            let text = crate::text::shorten(&format!("{about} {before} → {word}{reason}"), 300);
            Some(What::Observed { mark: format!("{VERDICT}{about}:{word}"), seen: now, text })
        });
        changed.collect()
    }

    /// A console's own transition of the verdict is no event: [`Hearing::judge`] tells it, wherever the walk is walked.
    fn belongs(&self, run: &Run, h: &Happening) -> bool {
        let opinion = matches!(&h.what, Happened::Transition(Transition::Verdict { .. }));
        h.at >= self.since && h.cluster.as_ref() == Some(&run.plan.cluster) && !opinion
    }
}
