//! What is to be done now.

use jiff::Timestamp;
use std::collections::BTreeSet;

use super::super::check::Proof;
use super::super::entry::{Decision, Found, What};
use super::super::order::Order;
use super::super::plan::{Gate, Step, StepId};
use super::{Choice, Progress, Question, Run, State, Todo};
use crate::domain::facts::Facts;
use crate::problem::Problem;

/// What the world says to a step's check, by what was confirmed after the given time.
pub type Judge<'a> = &'a dyn Fn(&Step, Timestamp) -> Proof;

/// What a step is looked at with.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub judge: Judge<'a>,
    pub now: Timestamp,
    pub busy: &'a BTreeSet<StepId>,
}

impl Run {
    /// Everything that is to be done now, in the plan's order: side by side where needs allow. Empty: something is waited
    /// for (news, or [`Run::wake`]), or the run is closed.
    ///
    /// `busy`: steps with a todo under way; nothing is said of them. A step that began and is not busy was interrupted.
    pub fn next(&self, facts: &Facts, now: Timestamp, busy: &BTreeSet<StepId>) -> Vec<Todo> {
        let judge = |step: &Step, since: Timestamp| match &step.check {
            Some(check) => check.judge(facts, &self.plan.cluster, since),
            None => Proof::NotYet("nothing proves it".into()),
        };
        self.next_by(&judge, now, busy)
    }

    /// [`Run::next`], where somebody else than the facts answers what is asked of a step that has a check.
    pub fn next_by(&self, judge: Judge<'_>, now: Timestamp, busy: &BTreeSet<StepId>) -> Vec<Todo> {
        if self.closed.is_some() {
            return Vec::new();
        }
        let look = Look { judge, now, busy };
        let mut todos: Vec<Todo> = self.plan.steps.iter().filter_map(|step| self.step(step, look)).collect();
        self.first_alone(&mut todos);
        todos.extend(self.take_back(look));
        if todos.is_empty() && busy.is_empty() && self.all_over() {
            todos.push(Todo::Write(What::Closed { outcome: self.outcome() }));
        }
        todos
    }

    /// The first change of a run goes alone: one beside it would already see a world that the plan was not shown for.
    fn first_alone(&self, todos: &mut Vec<Todo>) {
        let changes =
            |id: &StepId| self.plan.step(id).and_then(|s| s.order.as_ref()).is_some_and(Order::changes_cluster);
        let begun = |p: &Progress| matches!(p.state, State::Began { .. });
        // One that was interrupted and is simply done again stands in nobody's way, least of all its own.
        let again = |id: &StepId| todos.iter().any(|t| matches!(t, Todo::Perform { step, .. } if step == id));
        let mut one = self.steps.iter().any(|(id, p)| changes(id) && begun(p) && !again(id));
        todos.retain(|todo| match todo {
            Todo::Perform { premise: true, .. } => !std::mem::replace(&mut one, true),
            _ => true,
        });
    }

    /// What is to be done for one step.
    fn step(&self, step: &Step, look: Look<'_>) -> Option<Todo> {
        if look.busy.contains(&step.id) {
            return None;
        }
        let ending = self.aborted.is_some() && !step.cleanup;
        let given_up = self.steps.get(&step.id).is_some_and(|p| p.given_up);
        match self.state(&step.id) {
            State::Began { .. } => Some(self.interrupted(step, look)),
            State::UndoBegan { .. } => Some(Todo::Find { step: step.id.clone(), undo: true }),
            _ if ending || given_up => None,
            State::AtGate => self.gate(step).map(|gate| Todo::Ask(at_gate(step, gate))),
            State::ToDo => Some(self.begin_with(step, look)),
            State::Looked { began, found: Found::CantTell(why), until } if step.check.is_some() => {
                prove(step, look, began, until, &format!("whether it was done can't be told ({why}), and "))
            }
            State::Looked { found, .. } => Some(self.looked(step, &found)),
            State::Proving { since, until } => prove(step, look, since, until, ""),
            State::Refused { problem } => Some(Todo::Ask(self.stuck(step, &problem.line(), false))),
            State::Failed { problem } => Some(Todo::Ask(self.stuck(step, &problem.line(), true))),
            State::Proven { .. } if self.fell_silent(step) => Some(Todo::Revive { step: step.id.clone() }),
            _ => None,
        }
    }

    fn begin_with(&self, step: &Step, look: Look<'_>) -> Todo {
        let id = step.id.clone();
        if step.already
            && step.check.is_some()
            && let Proof::Yes(evidence) = (look.judge)(step, self.last_act())
        {
            return Todo::Write(What::Proven { step: id, evidence });
        }
        match (&step.order, &step.check) {
            (Some(_), _) => self.perform(step),
            (None, Some(_)) => Todo::Write(What::Began { step: id, request: None }),
            (None, None) => {
                let how = self.steps.get(&id).and_then(|p| p.granted.clone());
                Todo::Write(What::Proven { step: id, evidence: how.into_iter().collect() })
            }
        }
    }

    fn perform(&self, step: &Step) -> Todo {
        let changes = step.order.as_ref().is_some_and(Order::changes_cluster);
        Todo::Perform { step: step.id.clone(), premise: changes && !self.changed() }
    }

    /// A step that began and whose end nobody wrote.
    fn interrupted(&self, step: &Step, look: Look<'_>) -> Todo {
        let since = self.steps.get(&step.id).and_then(|p| p.since).unwrap_or(self.opened);
        if step.check.is_some()
            && let Proof::Yes(evidence) = (look.judge)(step, since)
        {
            return Todo::Write(What::Proven { step: step.id.clone(), evidence });
        }
        match &step.order {
            // The heartbeat touches its own table alone, and its account is needed: it is simply gone on with.
            // So is a restore drill: what it makes bears a name of its own, and is made once.
            Some(order) if !order.changes_cluster() || matches!(order, Order::Trial(_)) => self.perform(step),
            _ => Todo::Find { step: step.id.clone(), undo: false },
        }
    }

    /// The world was asked what became of an interrupted step.
    fn looked(&self, step: &Step, found: &Found) -> Todo {
        let harmless = step.order.as_ref().is_some_and(Order::harmless_again);
        let why = match found {
            // It never arrived, it has a real check, and even if it arrives yet, the repeat changes nothing.
            Found::NotDone if harmless && step.check.is_some() => return self.perform(step),
            Found::NotDone => "it was interrupted; the world shows no trace of it".to_owned(),
            Found::Done(seen) => {
                format!("it was interrupted; the world shows that it was done ({seen}), but no check proves it")
            }
            Found::CantTell(why) => format!("it was interrupted, and whether it was done can't be told: {why}"),
        };
        let first = match found {
            Found::Done(_) => Decision::TakenAsDone,
            Found::NotDone => Decision::Retry,
            Found::CantTell(_) => Decision::Wait,
        };
        let mut choices = vec![first];
        choices.extend([Decision::Wait, Decision::Retry, Decision::TakenAsDone].into_iter().filter(|d| *d != first));
        Todo::Ask(self.question(step, why, choices))
    }

    /// A question about a step that is refused or failed.
    fn stuck(&self, step: &Step, why: &str, accepted: bool) -> Question {
        let choices = match (accepted, step.order.is_some()) {
            (true, true) => vec![Decision::Wait, Decision::Retry, Decision::TakenAsDone],
            (true, false) => vec![Decision::Wait, Decision::TakenAsDone],
            (false, _) => vec![Decision::Retry],
        };
        self.question(step, why.to_owned(), choices)
    }

    fn question(&self, step: &Step, why: String, mut choices: Vec<Decision>) -> Question {
        choices.push(Decision::Skip);
        if !step.cleanup && self.plan.steps.iter().any(|s| s.undo.is_some()) {
            choices.push(Decision::Undo);
        }
        choices.push(Decision::Leave);
        let choices = choices.into_iter().map(Choice::Decide).collect();
        Question { step: step.id.clone(), gate: None, why, choices }
    }

    /// The heartbeat that this step began ended with an earlier process, and is not counted yet.
    fn fell_silent(&self, step: &Step) -> bool {
        let Some(Order::Heartbeat(beat)) = &step.order else { return false };
        let counted = self.plan.steps.iter().any(|s| {
            matches!(&s.order, Some(Order::Count(c)) if c.table == beat.table)
                && self.steps.get(&s.id).is_some_and(|p| p.began.is_some())
        });
        let since = self.steps.get(&step.id).and_then(|p| p.beating);
        !counted && self.aborted.is_none() && since < self.resumed
    }

    /// The last time something was sent; a fact confirmed later knows of it.
    fn last_act(&self) -> Timestamp {
        self.steps.values().filter_map(|p| p.since).max().unwrap_or(self.opened)
    }
}

/// Waits for the step's check. `unsure`: what is not known besides.
fn prove(step: &Step, look: Look<'_>, since: Timestamp, until: Timestamp, unsure: &str) -> Option<Todo> {
    let id = step.id.clone();
    let failed = |problem| Some(Todo::Write(What::Failed { step: id.clone(), problem }));
    let what = Problem::new(format!("{} did not come to its end", step.title));
    match (look.judge)(step, since) {
        Proof::Yes(evidence) => Some(Todo::Write(What::Proven { step: id, evidence })),
        Proof::Never(why) => failed(what.because(why)),
        Proof::NotYet(missing) if look.now >= until => {
            failed(what.because(format!("{unsure}after {:#}: {missing}", step.within)))
        }
        Proof::NotYet(_) => None,
    }
}

fn at_gate(step: &Step, gate: &Gate) -> Question {
    let why = match gate {
        Gate::ByHand(words) => words.clone(),
        Gate::TypeName(name) => format!("{}: type {name} to go on", step.title),
        Gate::None | Gate::Approve => step.title.clone(),
    };
    let mut choices = vec![Choice::Grant, Choice::Decide(Decision::Leave)];
    if matches!(gate, Gate::ByHand(_)) {
        choices.insert(1, Choice::Decide(Decision::Skip));
    }
    Question { step: step.id.clone(), gate: Some(gate.clone()), why, choices }
}
