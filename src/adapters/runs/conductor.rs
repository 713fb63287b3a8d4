//! Does what a run says is to be done, and writes it down before and after.

use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::audit::{Audit, Done, Of};
use super::journal::Journal;
use crate::adapters::executor::{Deed, Executor, Refusal};
use crate::problem::Problem;
use crate::procedure::trial::{Answers, answered};
use crate::procedure::{By, Decision, Entry, Found, Order, Plan, Request, RunId, Step, StepId, Todo, What};

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
    answers: Mutex<Answers>,
    /// The run is ended before its end: what only waits is left.
    ended: watch::Sender<bool>,
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
        let (answers, ended) = (Mutex::default(), watch::Sender::new(false));
        Conductor { run, plan, who, ledger: Mutex::new(ledger), executor, clock, told, answers, ended }
    }

    /// Goes on where these entries of the journal end.
    #[must_use]
    pub fn after(self, entries: &[Entry]) -> Conductor {
        self.answers().extend(answered(entries));
        self.ended.send_replace(entries.iter().any(|e| self.ends(&e.what)));
        self
    }

    /// It ends the run before its end.
    fn ends(&self, what: &What) -> bool {
        match what {
            What::Aborted { .. } => true,
            What::Decided { step, decision: Decision::Undo | Decision::Leave, .. } => {
                self.plan.step(step).is_some_and(|s| !s.cleanup)
            }
            _ => false,
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an entry and tells it.
    ///
    /// # Errors
    /// The journal can't be written: nothing more may be done.
    pub fn write(&self, what: What) -> Result<(), Problem> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry { at: (self.clock)(), what };
        ledger.append(&entry)?;
        self.answers().extend(answered([&entry]));
        if self.ends(&entry.what) {
            self.ended.send_replace(true);
        }
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
        let answers = self.answers().clone();
        let request = order.request_after(&answers);
        self.write(What::Began { step: id.clone(), request: Some(request.clone()) })?;
        let premise = premise.then_some(&self.plan.premise);
        let deed = Deed { premise, ..self.deed(order, &answers) };
        let performed = tokio::select! {
            biased;
            performed = self.executor.perform(deed) => performed,
            () = self.left(step, order) => Err(Refusal::Nothing(left(step))),
        };
        match performed {
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
        let answers = self.answers().clone();
        let (outcome, problem) = match self.executor.perform(self.deed(order, &answers)).await {
            Ok(_) => ("undone: taken", None),
            Err(Refusal::Nothing(problem)) => ("undone: refused", Some(problem)),
            Err(Refusal::Unknown(_)) => return self.record(step, request, "undone: unknown"),
        };
        self.record(step, request, outcome)?;
        self.write(What::Undone { step: id.clone(), problem })
    }

    async fn find(&self, id: &StepId, undo: bool) -> Result<(), Problem> {
        let Some((step, order)) = self.order(id, undo) else { return Ok(()) };
        let answers = self.answers().clone();
        let found = self.executor.find(self.deed(order, &answers)).await;
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
        let answers = self.answers().clone();
        let problem =
            self.executor.perform(self.deed(order, &answers)).await.err().map(|refusal| refusal.problem().clone());
        self.write(What::Revived { step: id.clone(), problem })
    }

    fn order(&self, id: &StepId, undo: bool) -> Option<(&Step, &Order)> {
        let step = self.plan.step(id)?;
        let order = if undo { step.undo.as_ref() } else { step.order.as_ref() };
        Some((step, order?))
    }

    fn deed<'a>(&'a self, order: &'a Order, answers: &'a Answers) -> Deed<'a> {
        Deed { run: &self.run, plan: &self.plan, order, premise: None, answers }
    }

    /// Returns when the run is ended and this order of it only waits.
    async fn left(&self, step: &Step, order: &Order) {
        if step.cleanup || !order.only_waits() {
            std::future::pending::<()>().await;
        }
        // The sender is this conductor's own.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
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

fn left(step: &Step) -> Problem {
    Problem::new(format!("{} was left", step.title)).because("the run was ended meanwhile; nothing was changed by it")
}
