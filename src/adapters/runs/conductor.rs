//! Does what a run says is to be done, and writes it down before and after.

use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

use super::audit::{Audit, Done, Of};
use super::journal::Journal;
use crate::adapters::executor::{Deed, Executor, Refusal};
use crate::problem::Problem;
use crate::procedure::{By, Entry, Found, Order, Plan, Request, RunId, Step, StepId, Todo, What};

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where entries are kept. When `append` returns well, the entry outlives this process.
pub trait Ledger: Send {
    /// Appends an entry.
    ///
    /// # Errors
    /// It is not known to be kept: nothing may be done on the strength of it.
    fn append(&mut self, entry: &Entry) -> Result<(), Problem>;

    /// Adds a line to the audit trail.
    ///
    /// # Errors
    /// It is not known to be kept.
    fn done(&mut self, done: &Done) -> Result<(), Problem>;
}

impl Ledger for (Journal, Audit) {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        self.0.append(entry)
    }

    fn done(&mut self, done: &Done) -> Result<(), Problem> {
        self.1.append(done)
    }
}

/// Drives one run: writes its journal and its line of the audit trail, and has orders done in between.
///
/// It may be shared between tasks: todos of several steps are performed side by side.
pub struct Conductor {
    run: RunId,
    plan: Plan,
    who: String,
    ledger: Mutex<Box<dyn Ledger>>,
    executor: Arc<dyn Executor>,
    clock: Clock,
    told: UnboundedSender<Entry>,
}

impl Conductor {
    /// Drives this run. Each entry that was written is told through `told`, in the journal's order.
    pub fn new(
        (run, plan, by): (RunId, Plan, &By),
        ledger: Box<dyn Ledger>,
        executor: Arc<dyn Executor>,
        clock: Clock,
        told: UnboundedSender<Entry>,
    ) -> Conductor {
        let who = format!("{}@{}", by.user, by.host);
        Conductor { run, plan, who, ledger: Mutex::new(ledger), executor, clock, told }
    }

    /// Writes an entry and tells it.
    ///
    /// # Errors
    /// The journal can't be written: nothing more may be done.
    pub fn write(&self, what: What) -> Result<(), Problem> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry { at: (self.clock)(), what };
        ledger.append(&entry)?;
        // Told under the lock: in the order of the journal. A listener that went needs nothing any more.
        let _ = self.told.send(entry);
        Ok(())
    }

    /// Does a todo and writes what came of it. An answer that did not come leaves no entry: the step stays begun, and the
    /// run asks to find out. A question is not answered here.
    ///
    /// # Errors
    /// The journal or the audit trail can't be written: nothing more may be done.
    pub async fn perform(&self, todo: &Todo) -> Result<(), Problem> {
        match todo {
            Todo::Perform { step, premise } => self.act(step, *premise).await,
            Todo::TakeBack { step } => self.take_back(step).await,
            Todo::Find { step, undo } => self.find(step, *undo).await,
            Todo::Revive { step } => self.revive(step).await,
            Todo::Write(what) => self.write(what.clone()),
            Todo::Ask(_) => Ok(()),
        }
    }

    async fn act(&self, id: &StepId, premise: bool) -> Result<(), Problem> {
        let Some((step, order)) = self.order(id, false) else { return Ok(()) };
        let request = order.request();
        self.write(What::Began { step: id.clone(), request: Some(request.clone()) })?;
        let mut deed = self.deed(order);
        deed.premise = premise.then_some(&self.plan.premise);
        match self.executor.perform(deed).await {
            Ok(answer) => {
                self.record(step, request, "taken")?;
                self.write(What::Accepted { step: id.clone(), answer })
            }
            Err(Refusal::Nothing(problem)) => {
                self.record(step, request, "refused")?;
                self.write(What::Refused { step: id.clone(), problem })
            }
            Err(Refusal::Unknown(_)) => self.record(step, request, "unknown"),
        }
    }

    async fn take_back(&self, id: &StepId) -> Result<(), Problem> {
        let Some((step, order)) = self.order(id, true) else { return Ok(()) };
        let request = order.request();
        self.write(What::UndoBegan { step: id.clone(), request: request.clone() })?;
        let (outcome, problem) = match self.executor.perform(self.deed(order)).await {
            Ok(_) => ("undone: taken", None),
            Err(Refusal::Nothing(problem)) => ("undone: refused", Some(problem)),
            Err(Refusal::Unknown(_)) => return self.record(step, request, "undone: unknown"),
        };
        self.record(step, request, outcome)?;
        self.write(What::Undone { step: id.clone(), problem })
    }

    async fn find(&self, id: &StepId, undo: bool) -> Result<(), Problem> {
        let Some((step, order)) = self.order(id, undo) else { return Ok(()) };
        let found = self.executor.find(self.deed(order)).await;
        let outcome = match (&found, undo) {
            (Found::Done(_), false) => "found done",
            (Found::Done(_), true) => "undone: found done",
            (Found::NotDone, false) => "found not done",
            (Found::NotDone, true) => "undone: found not done",
            (Found::CantTell(_), false) => "can't be told",
            (Found::CantTell(_), true) => "undone: can't be told",
        };
        self.record(step, order.request(), outcome)?;
        self.write(What::Found { step: id.clone(), undo, found })
    }

    async fn revive(&self, id: &StepId) -> Result<(), Problem> {
        let Some((_, order)) = self.order(id, false) else { return Ok(()) };
        let problem = self.executor.perform(self.deed(order)).await.err().map(|refusal| refusal.problem().clone());
        self.write(What::Revived { step: id.clone(), problem })
    }

    fn order(&self, id: &StepId, undo: bool) -> Option<(&Step, &Order)> {
        let step = self.plan.step(id)?;
        let order = if undo { step.undo.as_ref() } else { step.order.as_ref() };
        Some((step, order?))
    }

    fn deed<'a>(&'a self, order: &'a Order) -> Deed<'a> {
        Deed { run: &self.run, plan: &self.plan, order, premise: None }
    }

    /// Into the audit trail, before the journal: a line too many is better than one too few.
    fn record(&self, step: &Step, request: Request, outcome: &str) -> Result<(), Problem> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.done(&Done {
            at: (self.clock)(),
            by: self.who.clone(),
            context: self.plan.cluster.context.to_string(),
            cluster: self.plan.cluster.to_string(),
            of: Of::Step { run: self.run.clone(), step: step.id.clone() },
            request,
            outcome: outcome.into(),
        })
    }
}
