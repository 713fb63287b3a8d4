//! What a drill adds to a run that is followed: marks into the journal, and objectives that decide its outcome.

use super::{Observer, Report, STRIKE};
use crate::domain::event::Happening;
use crate::domain::facts::Facts;
use crate::procedure::entry::{Outcome, What};
use crate::procedure::plan::{Plan, StepId};
use crate::procedure::run::Run;

/// Watches a drill.
#[derive(Clone, Debug)]
pub struct Watching {
    observer: Observer,
    strike: StepId,
    /// The timeline and the leader were taken from what is known at the beginning.
    begun: bool,
}

impl Watching {
    /// Watches a run of this plan.
    pub fn new(plan: &Plan) -> Watching {
        Watching { observer: Report::observer(plan, None), strike: STRIKE.into(), begun: false }
    }

    /// What was seen: to be written, and absorbed by the run before it is looked at again.
    pub fn look(&mut self, run: &Run, heard: &[Happening], facts: &Facts) -> Vec<What> {
        if !self.begun
            && let Some(cluster) = facts.clusters.get(&run.plan.cluster)
        {
            // Of a run that is taken up, the journal knows who led; of a new one both say the same.
            let timeline = Observer::of(facts, cluster).timeline();
            self.observer = Report::observer(&run.plan, timeline);
            self.begun = true;
        }
        // Before the blow nothing is measured.
        if run.progress(&self.strike).is_none_or(|p| p.began.is_none()) {
            return Vec::new();
        }
        let mut seen: Vec<What> = heard.iter().filter_map(|h| self.observer.hear(h)).collect();
        seen.extend(self.observer.look(facts));
        seen
    }

    /// How it ended, where the steps alone say `outcome`: a missed objective is a failure.
    pub fn outcome(&self, run: &Run, outcome: Outcome) -> Outcome {
        let missed = || Report::of(&run.entries).is_none_or(|r| r.objectives.iter().any(|o| o.met != Some(true)));
        match outcome {
            Outcome::Passed if missed() => Outcome::Failed,
            other => other,
        }
    }
}
