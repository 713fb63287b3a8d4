//! What each entry of a journal changes.

use jiff::Timestamp;

use super::super::entry::{Answer, Decision, Entry, Found, What};
use super::super::order::Order;
use super::super::plan::StepId;
use super::{Run, State};

impl Run {
    /// Takes an entry in. An entry about a step that the plan doesn't have changes nothing.
    pub fn absorb(&mut self, entry: Entry) {
        let at = entry.at;
        match &entry.what {
            What::Opened { .. } | What::Observed { .. } | What::Noted { .. } => {}
            What::Resumed { by } => {
                self.by.push(by.clone());
                self.resume(at);
            }
            What::Aborted { undo } => self.aborted = Some(*undo),
            What::Closed { outcome } => self.closed = Some((at, *outcome)),
            What::Decided { step, decision, reason } => {
                let (step, decision, reason) = (step.clone(), *decision, reason.clone());
                self.decide(&step, decision, reason, at);
            }
            What::Began { step, .. } => {
                let step = step.clone();
                self.begin(&step, at);
            }
            what => self.answer(what, at),
        }
        self.entries.push(entry);
    }

    fn begin(&mut self, id: &StepId, at: Timestamp) {
        let Some(step) = self.plan.step(id) else { return };
        let (waits_only, until) = (step.order.is_none(), at + step.within);
        let Some(progress) = self.steps.get_mut(id) else { return };
        progress.began.get_or_insert(at);
        progress.since = Some(at);
        progress.ended = None;
        progress.state = if waits_only { State::Proving { since: at, until } } else { State::Began { at } };
        if !self.begun.contains(id) {
            self.begun.push(id.clone());
        }
    }

    /// What came of a step, or of taking it back.
    fn answer(&mut self, what: &What, at: Timestamp) {
        let Some(id) = what.step() else { return };
        let Some(step) = self.plan.step(id) else { return };
        let (proof, acts, until) = (step.check.is_some(), step.order.is_some(), at + step.within);
        let beats = matches!(step.order, Some(Order::Heartbeat(_)));
        let ending = self.aborted.is_some() && !step.cleanup;
        let Some(progress) = self.steps.get_mut(id) else { return };
        let since = progress.since.unwrap_or(at);
        progress.state = match what {
            What::Granted { how, .. } => {
                progress.granted = Some(how.clone());
                return;
            }
            // Tried, well or not: it is not tried again until the run is taken up anew.
            What::Revived { .. } => {
                progress.beating = Some(at);
                return;
            }
            What::Accepted { answer, .. } => {
                progress.taken |= !matches!(answer, Answer::Already(_));
                progress.beating = beats.then_some(at);
                progress.answer = Some(answer.clone());
                match proof {
                    true => State::Proving { since, until },
                    false => State::Proven { at, evidence: vec![answer.words()] },
                }
            }
            // Nothing can be found of what never began.
            What::Found { undo: false, .. } if progress.began.is_none() => return,
            What::Found { undo: false, found, .. } => {
                progress.doubted = *found != Found::NotDone;
                match found {
                    Found::Done(_) if proof => State::Proving { since, until },
                    _ => State::Looked { began: since, found: found.clone(), until },
                }
            }
            What::Found { undo: true, found, .. } => match found {
                Found::Done(_) => State::Undone,
                _ => State::UndoLooked { found: found.clone() },
            },
            What::Refused { problem, .. } => {
                progress.cut = ending;
                State::Refused { problem: problem.clone() }
            }
            What::Proven { evidence, .. } => {
                // Its answer never came, and yet it shows.
                progress.taken |= matches!(progress.state, State::Began { .. }) && acts;
                State::Proven { at, evidence: evidence.clone() }
            }
            What::Failed { problem, .. } => State::Failed { problem: problem.clone() },
            What::UndoBegan { .. } => State::UndoBegan { at },
            What::Undone { problem: None, .. } => State::Undone,
            What::Undone { problem: Some(problem), .. } => State::Kept { problem: problem.clone() },
            _ => return,
        };
        progress.ended = progress.state.over().then_some(at);
    }

    fn decide(&mut self, id: &StepId, decision: Decision, reason: Option<String>, at: Timestamp) {
        let Some(step) = self.plan.step(id) else { return };
        let (within, cleanup, acts) = (step.within, step.cleanup, step.order.is_some());
        let ends = matches!(decision, Decision::Undo | Decision::Leave);
        let Some(progress) = self.steps.get_mut(id) else { return };
        match decision {
            Decision::Retry => {
                // Whoever says so has seen that it was not done.
                progress.doubted = false;
                progress.state = State::Waiting;
            }
            Decision::TakenAsDone => {
                let why = reason.map(|r| format!(": {r}")).unwrap_or_default();
                progress.taken |= acts && progress.began.is_some();
                progress.state = State::Proven { at, evidence: vec![format!("taken as done by a person{why}")] };
            }
            Decision::Skip => progress.state = State::Skipped,
            Decision::Wait => {
                progress.state = match (&progress.state, progress.since) {
                    (State::Looked { began, .. }, _) => State::Began { at: *began },
                    // Nothing was accepted: there is nothing to wait for but a better moment.
                    (State::Refused { .. }, _) if acts => State::Waiting,
                    (_, since) => State::Proving { since: since.unwrap_or(at), until: at + within },
                };
            }
            Decision::Undo | Decision::Leave if cleanup => progress.given_up = true,
            Decision::Undo => self.aborted = Some(true),
            Decision::Leave => self.aborted = Some(false),
        }
        if cleanup && ends && self.aborted.is_none() && !self.main_over() {
            // Others wait for it that will never begin now.
            self.aborted = Some(decision == Decision::Undo);
        }
        if let Some(progress) = self.steps.get_mut(id) {
            progress.ended = (progress.state.over() || progress.given_up).then_some(at);
        }
    }

    /// Nobody watched while the run lay still: what is to be proven gets its whole time again, and
    /// what could not be told is looked at again.
    fn resume(&mut self, at: Timestamp) {
        self.resumed = Some(at);
        for step in &self.plan.steps {
            let Some(progress) = self.steps.get_mut(&step.id) else { continue };
            match &mut progress.state {
                State::Proving { until, .. } => *until = at + step.within,
                State::Looked { began, found: Found::CantTell(_), .. } => progress.state = State::Began { at: *began },
                _ => {}
            }
        }
    }
}
