//! The journal's entries: what a run has done and seen, in order. The run is a fold over them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::order::Request;
use super::plan::{Plan, StepId};
use crate::domain::facts::Facts;
use crate::domain::health::Level;
use crate::domain::heartbeat::Tally;
use crate::domain::names::ClusterKey;
use crate::domain::trial::Learned;
use crate::problem::Problem;

/// A run's name and its journal's: when, what, where, and a few letters of chance:
/// `20261121-031500-failover-drill-pg-primary-k3f9`. Fit for a file name and for part of an object's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RunId {
    fn from(name: &str) -> Self {
        RunId(crate::text::clean(name))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The first line: the whole plan.
    Opened {
        /// The run's name.
        run: RunId,
        /// What will be done.
        plan: Box<Plan>,
        /// Who.
        by: By,
    },
    /// A person or a flag let a step through its gate.
    Granted {
        /// Which.
        step: StepId,
        /// How: `yes`, `typed pg-primary`, `done by hand`, `--yes`.
        how: String,
    },
    /// The step begins. Written, and on the disk, before anything is sent.
    Began {
        /// Which.
        step: StepId,
        /// What is sent, where anything is.
        request: Option<Request>,
    },
    /// The order was taken.
    Accepted {
        /// Which.
        step: StepId,
        /// What came back.
        answer: Answer,
    },
    /// The run was interrupted, or an answer did not come: the world was asked what became of the step.
    Found {
        /// Which.
        step: StepId,
        /// Of taking it back, not of doing it.
        undo: bool,
        /// What the world shows.
        found: Found,
    },
    /// The heartbeat, which ended with the process that wrote it, was begun again after the run was taken up.
    Revived {
        /// Which step had begun it.
        step: StepId,
        /// `None`: it beats again.
        problem: Option<Problem>,
    },
    /// The order was refused, or it is known not to have arrived. Nothing was changed by it.
    Refused {
        /// Which.
        step: StepId,
        /// Why.
        problem: Problem,
    },
    /// The check holds.
    Proven {
        /// Which.
        step: StepId,
        /// What was seen, each with its witness.
        evidence: Vec<String>,
    },
    /// The check did not hold in time, or can't hold any more.
    Failed {
        /// Which.
        step: StepId,
        /// What was seen instead.
        problem: Problem,
    },
    /// A person decided how a step that is stuck goes on.
    Decided {
        /// Which.
        step: StepId,
        /// How.
        decision: Decision,
        /// Why, where they said.
        reason: Option<String>,
    },
    /// Taking a step back begins.
    UndoBegan {
        /// Which.
        step: StepId,
        /// What is sent.
        request: Request,
    },
    /// A step was taken back, or could not be.
    Undone {
        /// Which.
        step: StepId,
        /// `None`: well.
        problem: Option<Problem>,
    },
    /// Something that a drill measures was seen: its name and when it happened.
    Observed {
        /// `target-cleared`, `pending`, `elected`, `promoted`, `rw-empty`, `rw-moved`, …
        mark: String,
        /// When, as howdah saw it.
        seen: Timestamp,
        /// In words, with the witness.
        text: String,
    },
    /// A person's note.
    Noted {
        /// The step it belongs to, if to one.
        step: Option<StepId>,
        /// The text.
        text: String,
    },
    /// Another process took the run up.
    Resumed {
        /// Who.
        by: By,
    },
    /// A person asked it to end before its end.
    Aborted {
        /// Take back what can be taken back.
        undo: bool,
    },
    /// The last line.
    Closed {
        /// How it ended.
        outcome: Outcome,
    },
}

/// Who runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The account on this machine.
    pub user: String,
    /// This machine.
    pub host: String,
    /// howdah's version.
    pub howdah: String,
    /// Through which surface: `console`, `command line`.
    pub through: String,
    /// Versions of what was met: Kubernetes, operator, PostgreSQL.
    pub versions: BTreeMap<String, String>,
}

/// What came back of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The API took it: the object's resourceVersion and uid afterwards.
    Taken {
        /// `metadata.resourceVersion`.
        version: String,
        /// `metadata.uid`.
        uid: String,
    },
    /// It had been done already: nothing was sent.
    Already(String),
    /// It began: the heartbeat beats.
    Begun,
    /// It was done.
    Done,
    /// The heartbeat was counted.
    Counted(Box<Tally>),
    /// A part of a restore drill was done, and this was learned.
    Learned(Box<Learned>),
}

/// What the world shows of an order that was begun and whose answer is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It was done; what was seen.
    Done(String),
    /// It was not done.
    NotDone,
    /// It can't be told, and why.
    CantTell(String),
}

/// How a person goes on with a step that is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Once more.
    Retry,
    /// It is taken as done: a person has looked.
    TakenAsDone,
    /// Without it.
    Skip,
    /// Wait longer for its check; of a step whose end is not known: look again.
    Wait,
    /// End the run and take back what can be taken back.
    Undo,
    /// End the run and leave things as they are. Of a step that cleans up: give it up alone.
    Leave,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step is proven; of a drill: every objective was met.
    Passed,
    /// A step failed, or an objective was missed.
    Failed,
    /// A person ended it, and what could be was taken back.
    Undone,
    /// A person ended it and left things as they were.
    Left,
    /// Nothing was ever sent: refused, not confirmed.
    Refused,
}

impl By {
    /// Versions of what was met: the operator's and PostgreSQL's, where they are known.
    pub fn met(facts: &Facts, cluster: &ClusterKey) -> BTreeMap<String, String> {
        let Some(cluster) = facts.clusters.get(cluster) else { return BTreeMap::new() };
        let operator = cluster.operator_version.clone().map(|v| ("operator".to_owned(), v));
        let postgres = cluster.postgres_version.clone().map(|v| ("postgresql".to_owned(), v));
        operator.into_iter().chain(postgres).collect()
    }
}

impl Decision {
    /// The words shown.
    pub fn word(self) -> &'static str {
        match self {
            Decision::Retry => "once more",
            Decision::TakenAsDone => "taken as done",
            Decision::Skip => "skipped",
            Decision::Wait => "waited longer",
            Decision::Undo => "ended, taken back",
            Decision::Leave => "ended, left as it is",
        }
    }
}

impl What {
    /// The step it is about, if about one.
    pub fn step(&self) -> Option<&StepId> {
        match self {
            What::Granted { step, .. }
            | What::Began { step, .. }
            | What::Accepted { step, .. }
            | What::Found { step, .. }
            | What::Revived { step, .. }
            | What::Refused { step, .. }
            | What::Proven { step, .. }
            | What::Failed { step, .. }
            | What::Decided { step, .. }
            | What::UndoBegan { step, .. }
            | What::Undone { step, .. } => Some(step),
            What::Noted { step, .. } => step.as_ref(),
            What::Opened { .. }
            | What::Observed { .. }
            | What::Resumed { .. }
            | What::Aborted { .. }
            | What::Closed { .. } => None,
        }
    }
}

impl Answer {
    /// In words, as evidence.
    pub fn words(&self) -> String {
        match self {
            Answer::Taken { version, .. } if version.is_empty() => "the API took it".into(),
            Answer::Taken { version, .. } => format!("the API took it: resourceVersion {version}"),
            Answer::Already(what) => format!("it had been done already: {what}"),
            Answer::Begun => "it began".into(),
            Answer::Done => "it was done".into(),
            Answer::Learned(learned) => learned.words(),
            Answer::Counted(tally) => {
                format!("{} acknowledged writes were counted, {} of them are lost", tally.acknowledged, tally.lost)
            }
        }
    }
}

impl Outcome {
    /// How bad it is; of a run that has not ended it can't be told.
    pub fn level(outcome: Option<Outcome>) -> Level {
        match outcome {
            Some(Outcome::Passed) => Level::Ok,
            Some(Outcome::Failed) => Level::Bad,
            Some(Outcome::Undone | Outcome::Left | Outcome::Refused) => Level::Warn,
            None => Level::Unknown,
        }
    }

    /// As journals and tables say it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Undone => "undone",
            Outcome::Left => "left",
            Outcome::Refused => "refused",
        }
    }
}
