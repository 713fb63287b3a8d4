//! What is told of a Backup while a run waits for it: each phase and each event, once, into the run's journal.

use jiff::Timestamp;

use super::check::{Check, stage_of};
use super::entry::What;
use super::plan::{Plan, StepId};
use super::run::Run;
use crate::domain::event::{Happening, What as Happened};
use crate::domain::facts::Facts;
use crate::domain::source::SourceId;
use crate::text::shorten;

/// Words of the journal for a phase, and for an event.
const PHASE: &str = "backup-phase";
const EVENT: &str = "backup-event";
/// Entries kept of one backup: one that is tried again and again does not fill its journal.
const MOST: usize = 200;

/// Watches the Backup of a plan.
#[derive(Clone, Debug)]
pub(super) struct Watching {
    step: StepId,
    backup: String,
}

impl Watching {
    /// The first step of this plan that waits for a Backup.
    pub fn of(plan: &Plan) -> Option<Watching> {
        plan.steps.iter().find_map(|step| {
            let backup = named(step.check.as_ref()?)?;
            Some(Watching { step: step.id.clone(), backup: backup.to_owned() })
        })
    }

    /// What was seen since it was last asked: to be written.
    pub fn look(&self, run: &Run, heard: &[Happening], facts: &Facts) -> Vec<What> {
        let begun = run.progress(&self.step).filter(|p| p.ended.is_none()).and_then(|p| p.began);
        let Some(begun) = begun.filter(|_| told(run).count() < MOST) else { return Vec::new() };
        let object = format!("Backup/{}", self.backup);
        let events = heard.iter().filter(|h| h.cluster.as_ref() == Some(&run.plan.cluster));
        let events = events.filter_map(|h| match &h.what {
            Happened::Kubernetes { object: about, reason, message, .. } if *about == object => {
                Some((EVENT, h.at, shorten(&format!("{reason}: {message}"), 200)))
            }
            _ => None,
        });
        let mut new: Vec<(&str, Timestamp, String)> = Vec::new();
        for (mark, at, text) in self.phase(run, facts).into_iter().chain(events) {
            let again = |m: &str, t: &str| m == mark && t == text;
            if !told(run).any(|(m, t)| again(m, t)) && !new.iter().any(|(m, _, t)| again(m, t)) {
                new.push((mark, at, text));
            }
        }
        // Events are told in whole seconds: none of them was before the request.
        let observed = |(mark, seen, text): (&str, Timestamp, String)| What::Observed {
            mark: mark.into(),
            seen: seen.max(begun),
            text,
        };
        new.into_iter().map(observed).collect()
    }

    /// How far it is, and when that was last heard of.
    fn phase(&self, run: &Run, facts: &Facts) -> Option<(&'static str, Timestamp, String)> {
        let cluster = facts.clusters.get(&run.plan.cluster)?;
        let stage = stage_of(facts, cluster, &self.backup)?;
        let context = cluster.key.context.clone();
        let watch = facts.sources.get(&SourceId::Watch(context.clone(), "backups".into()));
        let at = watch.or_else(|| facts.sources.get(&SourceId::Kubernetes(context))).and_then(|h| h.proven);
        Some((PHASE, at.unwrap_or(run.opened), format!("Backup {} {stage}", self.backup)))
    }
}

fn told(run: &Run) -> impl Iterator<Item = (&str, &str)> {
    run.entries.iter().filter_map(|e| match &e.what {
        What::Observed { mark, text, .. } if mark == PHASE || mark == EVENT => Some((mark.as_str(), text.as_str())),
        _ => None,
    })
}

fn named(check: &Check) -> Option<&str> {
    match check {
        Check::BackupDone { backup } => Some(backup),
        Check::All(all) => all.iter().find_map(named),
        _ => None,
    }
}
