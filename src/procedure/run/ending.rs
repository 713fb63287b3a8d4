//! How a run ends: needs, taking back in reverse order, cleaning up, the outcome.

use super::super::entry::{Found, Outcome, What};
use super::super::order::Order;
use super::super::plan::{Step, StepId};
use super::next::Look;
use super::{Progress, Run, State, Todo};
use crate::problem::Problem;

impl Run {
    /// Everything that the step waits for is there.
    pub(super) fn due(&self, step: &Step) -> bool {
        let well = |id: &StepId| self.state(id).well();
        let in_turn = !step.cleanup || self.needed_by_main(step);
        if in_turn && self.aborted.is_none() && step.needs.iter().all(well) {
            return true;
        }
        step.cleanup && self.main_over() && self.cleanups_before(step).all(|s| self.ended(s))
    }

    /// A step of the main part waits for this one that cleans up.
    fn needed_by_main(&self, step: &Step) -> bool {
        self.plan.steps.iter().any(|s| !s.cleanup && s.needs.contains(&step.id))
    }

    fn cleanups_before<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = &'a Step> {
        self.plan.steps.iter().filter(|s| s.cleanup && step.needs.contains(&s.id))
    }

    /// A step that cleans up and has nothing to clean up, now that the main part is over.
    pub(super) fn needless(&self, step: &Step) -> bool {
        let began = |id: &StepId| self.steps.get(id).is_some_and(|p| p.began.is_some());
        let mut after = self.plan.steps.iter().filter(|s| !s.cleanup);
        let anything = match step.needs.iter().any(|id| self.plan.step(id).is_some_and(|s| !s.cleanup)) {
            true => after.any(|s| step.needs.contains(&s.id) && began(&s.id)),
            false => after.any(|s| began(&s.id)),
        };
        step.cleanup && !anything && self.main_over()
    }

    /// Nothing more comes of this step.
    fn ended(&self, step: &Step) -> bool {
        let given_up = self.steps.get(&step.id).is_some_and(|p| p.given_up);
        let state = self.state(&step.id);
        match state {
            State::Refused { .. } | State::Failed { .. } => given_up,
            state => state.over() || given_up,
        }
    }

    /// The part that isn't cleaning up is over: all is well, or it was ended and everything is taken back that will be.
    pub(super) fn main_over(&self) -> bool {
        let mut main = self.plan.steps.iter().filter(|s| !s.cleanup).map(|s| self.steps.get(&s.id).map(|p| &p.state));
        match self.aborted {
            None => main.all(|state| state.is_none_or(State::well)),
            Some(undo) => {
                let moving = main.any(|s| matches!(s, Some(State::Began { .. } | State::UndoBegan { .. })));
                !moving && (!undo || self.to_take_back().next().is_none())
            }
        }
    }

    pub(super) fn all_over(&self) -> bool {
        self.main_over() && self.plan.steps.iter().filter(|s| s.cleanup).all(|s| self.ended(s))
    }

    /// Steps that are to be taken back, the last one first.
    fn to_take_back(&self) -> impl Iterator<Item = &Step> {
        self.begun.iter().rev().filter_map(|id| self.plan.step(id)).filter(|step| {
            let acted = self.steps.get(&step.id).is_some_and(Progress::acted);
            let state = self.steps.get(&step.id).map(|p| &p.state);
            let taken = matches!(state, Some(State::Undone | State::Kept { .. }));
            step.undo.is_some() && !step.cleanup && acted && !taken
        })
    }

    /// The next step to take back, when the run is ended so: one after the other, and nothing while a step of the main
    /// part is under way.
    pub(super) fn take_back(&self, look: Look<'_>) -> Option<Todo> {
        let moving = self.plan.steps.iter().filter(|s| !s.cleanup).any(|s| {
            let state = self.steps.get(&s.id).map(|p| &p.state);
            look.busy.contains(&s.id) || matches!(state, Some(State::Began { .. } | State::UndoBegan { .. }))
        });
        if self.aborted != Some(true) || moving {
            return None;
        }
        let step = self.to_take_back().next()?;
        let harmless = step.undo.as_ref().is_some_and(Order::harmless_again);
        let kept = |why: String| {
            let problem = Problem::new(format!("{} could not be taken back", step.title)).because(why);
            Some(Todo::Write(What::Undone { step: step.id.clone(), problem: Some(problem) }))
        };
        match self.steps.get(&step.id).map(|p| &p.state) {
            Some(State::UndoLooked { found: Found::CantTell(why) }) => kept(why.clone()),
            Some(State::UndoLooked { .. }) if !harmless => kept("it was interrupted and shows no trace".into()),
            _ => Some(Todo::TakeBack { step: step.id.clone() }),
        }
    }

    /// How it ended, or would end now, as far as the steps tell. A drill's objectives may say worse.
    pub fn outcome(&self) -> Outcome {
        let states: Vec<_> = self.plan.steps.iter().map(|s| self.state(&s.id)).collect();
        let acted = self.plan.steps.iter().any(|s| self.steps.get(&s.id).is_some_and(Progress::acted));
        let would = self.plan.steps.iter().any(|s| s.order.is_some());
        let any = |f: fn(&State) -> bool| states.iter().any(f);
        let cut = |s: &Step| self.steps.get(&s.id).is_some_and(|p| p.cut);
        let failed = self.plan.steps.iter().zip(&states).any(|(step, state)| match state {
            State::Failed { .. } | State::Kept { .. } => true,
            State::Refused { .. } => !cut(step),
            _ => false,
        });
        match self.aborted {
            Some(_) if would && !acted => Outcome::Refused,
            _ if any(|s| matches!(s, State::Kept { .. })) => Outcome::Failed,
            Some(true) => Outcome::Undone,
            _ if failed => Outcome::Failed,
            Some(false) => Outcome::Left,
            None => Outcome::Passed,
        }
    }
}
