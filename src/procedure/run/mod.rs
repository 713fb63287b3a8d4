//! A run: how far a plan has come, as a fold over its journal.
//!
//! [`Run::absorb`] takes an entry in, [`Run::next`] says what is to be done. Both are pure: the same journal and the same
//! facts at the same time give the same answer, so a run that was killed is the same run when its journal is read again.
//! It must not know who writes the journal, who sends the requests, or on which surface a person is asked.

mod ending;
mod fold;
mod markdown;
mod next;
mod report;
mod state;
#[cfg(test)]
mod tests;
mod todo;

pub use next::Judge;
pub use report::StepReport;
pub use state::{Progress, State};
pub use todo::{Choice, Question, Todo};

use jiff::Timestamp;
use std::collections::BTreeMap;

use super::entry::{By, Entry, Found, Outcome, RunId, What};
use super::plan::{Gate, Plan, Step, StepId};
use crate::problem::Problem;

/// How far a plan has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// What is done.
    pub plan: Plan,
    /// Who runs it: who began it, then each who took it up.
    pub by: Vec<By>,
    /// When it began.
    pub opened: Timestamp,
    /// When it was last taken up by another process.
    pub resumed: Option<Timestamp>,
    /// It is ended before its end; `true`: what can be is taken back.
    pub aborted: Option<bool>,
    /// How it ended, and when.
    pub closed: Option<(Timestamp, Outcome)>,
    /// Every entry, oldest first.
    pub entries: Vec<Entry>,
    steps: BTreeMap<StepId, Progress>,
    /// Steps in the order in which they first began.
    begun: Vec<StepId>,
}

impl Run {
    /// A run from its first entry.
    ///
    /// # Errors
    /// The entry doesn't open a run, or its plan can't be followed.
    pub fn open(first: Entry) -> Result<Run, Problem> {
        let What::Opened { run, plan, by } = &first.what else {
            return Err(Problem::new("this is no journal of a run").because("its first line opens no run"));
        };
        if let Some(mistake) = plan.mistake() {
            return Err(Problem::new(format!("the plan of {run} can't be followed")).because(mistake));
        }
        Ok(Run {
            id: run.clone(),
            plan: (**plan).clone(),
            by: vec![by.clone()],
            opened: first.at,
            resumed: None,
            aborted: None,
            closed: None,
            steps: plan.steps.iter().map(|s| (s.id.clone(), Progress::default())).collect(),
            begun: Vec::new(),
            entries: vec![first],
        })
    }

    /// A run from its journal.
    ///
    /// # Errors
    /// It is empty, or its first entry doesn't open a run.
    pub fn fold(entries: impl IntoIterator<Item = Entry>) -> Result<Run, Problem> {
        let mut entries = entries.into_iter();
        let empty = || Problem::new("this is no journal of a run").because("it is empty");
        let mut run = Run::open(entries.next().ok_or_else(empty)?)?;
        entries.for_each(|entry| run.absorb(entry));
        Ok(run)
    }

    /// Where a step stands. A step that the plan doesn't have is left out.
    pub fn state(&self, id: &StepId) -> State {
        let (Some(step), Some(progress)) = (self.plan.step(id), self.steps.get(id)) else { return State::Skipped };
        match &progress.state {
            State::Waiting if self.needless(step) => State::Skipped,
            State::Waiting if !self.due(step) => State::Waiting,
            State::Waiting if self.gate(step).is_some() => State::AtGate,
            State::Waiting => State::ToDo,
            other => other.clone(),
        }
    }

    /// What the journal says of a step.
    pub fn progress(&self, id: &StepId) -> Option<&Progress> {
        self.steps.get(id)
    }

    /// The gate that a step still stands before.
    fn gate<'a>(&self, step: &'a Step) -> Option<&'a Gate> {
        let granted = self.steps.get(&step.id).is_some_and(|p| p.granted.is_some());
        (step.gate != Gate::None && !granted && !step.cleanup).then_some(&step.gate)
    }

    /// A change of the cluster was taken, or may have been.
    pub fn changed(&self) -> bool {
        self.plan.steps.iter().any(|s| {
            s.order.as_ref().is_some_and(super::Order::changes_cluster)
                && self.steps.get(&s.id).is_some_and(Progress::acted)
        })
    }

    /// When the next deadline ends: somebody must ask [`Run::next`] then, news or not.
    pub fn wake(&self) -> Option<Timestamp> {
        self.plan.steps.iter().filter_map(|step| self.deadline(step)).min()
    }

    /// Until when the step's check is waited for.
    fn deadline(&self, step: &Step) -> Option<Timestamp> {
        match self.steps.get(&step.id)?.state {
            State::Proving { until, .. } => Some(until),
            State::Looked { until, found: Found::CantTell(_), .. } if step.check.is_some() => Some(until),
            _ => None,
        }
    }
}
