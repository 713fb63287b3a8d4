//! What a drill adds to following a run: marks into the journal, a stopwatch, objectives, the report.

use jiff::Timestamp;

use super::told;
use crate::cli::args::Output;
use crate::cli::conduct::Companion;
use crate::cli::output::Style;
use crate::domain::event::Happening;
use crate::domain::facts::Facts;
use crate::domain::quantity::span;
use crate::problem::Problem;
use crate::procedure::drill::{Observer, Report, STRIKE};
use crate::procedure::{Outcome, Plan, Run, StepId, What};

/// Watches a drill.
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
}

impl Companion for Watching {
    fn observe(&mut self, run: &Run, heard: &[Happening], facts: &Facts) -> Vec<What> {
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

    fn outcome(&self, run: &Run, outcome: Outcome) -> Outcome {
        let missed = || Report::of(&run.entries).is_none_or(|r| r.objectives.iter().any(|o| o.met != Some(true)));
        match outcome {
            Outcome::Passed if missed() => Outcome::Failed,
            other => other,
        }
    }

    fn progress(&self, run: &Run, facts: &Facts, now: Timestamp) -> Option<String> {
        let pulse = facts.heartbeats.get(&run.plan.cluster)?;
        let since = run.progress(&self.strike).and_then(|p| p.began);
        let clock = since.map(|at| format!("{} since the blow, ", span(now.duration_since(at)))).unwrap_or_default();
        let state = match pulse.outages.last().filter(|o| o.to.is_none()) {
            Some(outage) => format!("no write for {}", span(now.duration_since(outage.from))),
            None => "writes are acknowledged".to_owned(),
        };
        let (answered, failed) = pulse.reads;
        Some(format!(
            "          {clock}{state}: {} acknowledged, {} refused, {} unknown; {answered} reads, {failed} failed",
            pulse.acknowledged, pulse.refused, pulse.unknown
        ))
    }

    fn result(&self, run: &Run, form: Output, style: Style) -> Option<Result<String, Problem>> {
        let report = Report::of(&run.entries)?;
        Some(told::report(&report, form, style))
    }
}
