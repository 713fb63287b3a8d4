//! What a kind of run adds to following it.

use jiff::Timestamp;

use crate::cli::args::Output;
use crate::cli::drill;
use crate::cli::output::Style;
use crate::domain::event::Happening;
use crate::domain::facts::Facts;
use crate::problem::Problem;
use crate::procedure::{Outcome, Plan, Run, What};

/// What a kind of run adds: a drill sees marks, judges objectives and has a report of its own.
pub trait Companion: Send {
    /// Looks at each news: what happened since it was last asked, and everything known now. What it gives is written into
    /// the journal, and absorbed before it is asked again.
    fn observe(&mut self, _run: &Run, _heard: &[Happening], _facts: &Facts) -> Vec<What> {
        Vec::new()
    }

    /// How the run ended, where the steps alone say `outcome`.
    fn outcome(&self, _run: &Run, outcome: Outcome) -> Outcome {
        outcome
    }

    /// A line of progress, shown about once a second while a step is under way.
    fn progress(&self, _run: &Run, _facts: &Facts, _now: Timestamp) -> Option<String> {
        None
    }

    /// The result in a form of its own; `None`: the steps as every run tells them.
    fn result(&self, _run: &Run, _form: Output, _style: Style) -> Option<Result<String, Problem>> {
        None
    }
}

/// Nothing added.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Companion for Plain {}

/// What a plan's kind adds.
pub fn companion_of(plan: &Plan) -> Box<dyn Companion> {
    if plan.kind.is_drill() { Box::new(drill::Watching::new(plan)) } else { Box::new(Plain) }
}
