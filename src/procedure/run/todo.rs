//! What is to be done next, as data.

use super::super::entry::{Decision, What};
use super::super::plan::{Gate, StepId};

/// Something to do now. Whoever holds the journal does it; what came of it comes back as entries.
#[derive(Clone, Debug, PartialEq)]
pub enum Todo {
    /// Write that the step begins, do its order, write what came of it.
    Perform {
        /// Which.
        step: StepId,
        /// The run has changed nothing yet: the plan's premise must still hold.
        premise: bool,
    },
    /// Ask the world what became of an order whose answer is not known, and write what it shows.
    Find {
        /// Whose.
        step: StepId,
        /// Of the order that takes the step back.
        undo: bool,
    },
    /// Write that taking the step back begins, do that, write what came of it.
    TakeBack {
        /// Which.
        step: StepId,
    },
    /// Begin the step's heartbeat again, after the process that wrote it ended, and write that.
    Revive {
        /// Which.
        step: StepId,
    },
    /// Write this: nothing is sent.
    Write(What),
    /// Ask a person. The answer is [`Question::answer`], written.
    Ask(Question),
}

impl Todo {
    /// The step it is about; `None`: the run.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            Todo::Perform { step, .. } | Todo::Find { step, .. } | Todo::TakeBack { step } | Todo::Revive { step } => {
                Some(step)
            }
            Todo::Write(what) => what.step(),
            Todo::Ask(question) => Some(&question.step),
        }
    }
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The step that waits for the answer.
    pub step: StepId,
    /// The gate it stands at; `None`: it is stuck.
    pub gate: Option<Gate>,
    /// Why it is asked: what was seen.
    pub why: String,
    /// The answers there are, the most natural one first.
    pub choices: Vec<Choice>,
}

/// An answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Let it through its gate.
    Grant,
    /// Go on like this.
    Decide(Decision),
}

impl Choice {
    /// In words, for a line of choices.
    pub fn words(self) -> &'static str {
        match self {
            Choice::Grant => "go on",
            Choice::Decide(Decision::Retry) => "do it once more",
            Choice::Decide(Decision::TakenAsDone) => "take it as done: I have looked",
            Choice::Decide(Decision::Skip) => "go on without it",
            Choice::Decide(Decision::Wait) => "wait longer, look again",
            Choice::Decide(Decision::Undo) => "end the run and take back what can be taken back",
            Choice::Decide(Decision::Leave) => "end the run and leave things as they are",
        }
    }

    /// One letter for a prompt.
    pub fn letter(self) -> char {
        match self {
            Choice::Grant => 'y',
            Choice::Decide(Decision::Retry) => 'r',
            Choice::Decide(Decision::TakenAsDone) => 'd',
            Choice::Decide(Decision::Skip) => 's',
            Choice::Decide(Decision::Wait) => 'w',
            Choice::Decide(Decision::Undo) => 'u',
            Choice::Decide(Decision::Leave) => 'l',
        }
    }
}

impl Question {
    /// The entry that answers it. `said`: how a gate was passed (`yes`, `typed pg-primary`), or why it was decided so.
    pub fn answer(&self, choice: Choice, said: Option<String>) -> What {
        let step = self.step.clone();
        match choice {
            Choice::Grant => What::Granted { step, how: said.unwrap_or_else(|| "yes".into()) },
            Choice::Decide(decision) => What::Decided { step, decision, reason: said },
        }
    }
}
