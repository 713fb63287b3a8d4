//! Runbooks: what to do in an incident, as data. `runbooks/README.md` documents the files.
//!
//! A [`Runbook`] says when it applies (reasons of the verdict) and has steps: words, live [`values`], checks that are
//! read-only, commands and acts. A [`walk`] goes through it: it is a run of the one engine, with a person at every gate, so
//! pane and command line leave the same journal. Here everything is a pure function of facts and replies; who asks PostgreSQL
//! ([`super::question`]) and who draws a step is not known here.

pub mod answer;
mod file;
mod hearing;
pub mod language;
mod placeholders;
pub mod queries;
pub mod record;
mod set;
mod sql;
#[cfg(test)]
mod tests;
pub mod values;
mod view;
pub mod walk;
mod walked;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::kind::Kind;
use super::question::Question;
use crate::domain::cluster::Operator;
use crate::domain::health::ReasonCode;
use language::{Against, Comparison};

pub use answer::{Answer, Judged, judge};
pub use hearing::Hearing;
pub use placeholders::{PLACEHOLDERS, about, fill, for_shell};
pub use set::Runbooks;
pub use values::Sight;
pub use view::{Line, Offer, Shown, StepView, step_view};
pub use walk::Walk;
pub use walked::{Walked, observed, walked};

/// A runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// Its file's name without `.toml`.
    pub name: String,
    /// What it is about, in a line.
    pub title: String,
    /// What it leads to, in two or three lines.
    pub summary: String,
    /// Reasons of a verdict it is for, the one it fits best first.
    pub when: Vec<ReasonCode>,
    /// The steps, in the order of the file.
    pub steps: Vec<Step>,
    /// A person's own, not one that came with howdah.
    pub own: bool,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, unique in the runbook: given, or `step-3`.
    pub name: String,
    /// What to do, in a line.
    pub title: String,
    /// How and why: short paragraphs.
    pub words: Vec<String>,
    /// Names of live values to show.
    pub values: Vec<String>,
    /// Checks. The first that can be true or false decides where to go, unless the person is asked.
    pub look: Vec<Look>,
    /// What the person is asked: then no check decides.
    pub question: Option<String>,
    /// Command lines that help.
    pub commands: Vec<Command>,
    /// A change that howdah itself makes, guarded, when asked.
    pub act: Option<Act>,
    /// Where to go then.
    pub next: Next,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// What is true when it holds.
    pub title: String,
    /// How it is found out.
    pub how: How,
}

/// How a check is found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By a live value.
    Value(Comparison),
    /// By asking an instance.
    Ask {
        /// What.
        question: Question,
        /// Whom.
        on: On,
        /// What the answer is held against; `None`: it is only shown.
        holds: Option<Holds>,
    },
}

/// Whom a question is put to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// Who leads now.
    #[default]
    Primary,
    /// The instance this walk is about.
    Instance,
}

/// What an answer is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// The first column of the first row, or the metric.
    Value(Against),
    /// The number of rows.
    Rows(Against),
}

/// A command line for a person to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// It changes something.
    pub change: bool,
    /// The line, with placeholders.
    pub text: String,
    /// What it is for.
    pub why: Option<String>,
    /// Only with this operator.
    pub operator: Option<Operator>,
}

/// A change that howdah offers to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Which.
    pub kind: Kind,
    /// What is filled in beforehand, with placeholders.
    pub parameters: BTreeMap<String, String>,
}

/// Where a step leads to, by its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// The check holds.
    pub yes: Target,
    /// It does not.
    pub no: Target,
    /// It can't be told.
    pub unknown: Target,
}

/// A place in a runbook. Always further down, so that every walk ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The step below.
    #[default]
    Following,
    /// That step.
    Step(String),
    /// The end.
    Done,
}

/// What a step may offer, by the name `howdah act` knows it by.
const ACTS: [(&str, Kind); 11] = [
    ("switchover", Kind::Switchover),
    ("restart", Kind::RestartInstance),
    ("restart", Kind::RestartCluster),
    ("reload", Kind::Reload),
    ("fence", Kind::Fence),
    ("unfence", Kind::Unfence),
    ("hibernate", Kind::Hibernate),
    ("wake", Kind::Wake),
    ("rebuild", Kind::Rebuild),
    ("scale", Kind::Scale),
    ("maintenance", Kind::Maintenance),
];

/// The name `howdah act` knows an act by; empty for what is none.
fn act_name(kind: Kind) -> &'static str {
    ACTS.iter().find(|(_, k)| *k == kind).map_or("", |(name, _)| name)
}

impl Runbook {
    /// It speaks of one instance: a walk of it wants to know of which.
    pub fn names_instance(&self) -> bool {
        let named = |text: &str| {
            placeholders::places(text).iter().any(|(_, name)| matches!(*name, "instance" | "node" | "zone"))
        };
        let value = |name: &str| name.starts_with("instance.");
        self.steps.iter().any(|step| {
            let texts = step.words.iter().chain([&step.title]).chain(step.question.iter());
            let texts = texts.chain(step.commands.iter().map(|c| &c.text));
            let asks = |look: &Look| match &look.how {
                How::Value(comparison) => value(&comparison.name),
                How::Ask { on, .. } => *on == On::Instance,
            };
            texts.chain(step.act.iter().flat_map(|a| a.parameters.values())).any(|text| named(text))
                || step.values.iter().any(|name| value(name))
                || step.look.iter().any(asks)
        })
    }

    /// Where a step stands.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|s| s.name == name)
    }

    /// The step after this one when its answer is that; `None`: the end.
    pub fn after(&self, index: usize, answer: &Answer) -> Option<usize> {
        let next = &self.steps.get(index)?.next;
        let target = match answer {
            Answer::Yes => &next.yes,
            Answer::No => &next.no,
            Answer::Unknown(_) => &next.unknown,
        };
        match target {
            Target::Following => (index + 1 < self.steps.len()).then_some(index + 1),
            Target::Step(name) => self.index(name),
            Target::Done => None,
        }
    }
}

impl Step {
    /// Its answer leads to different places.
    pub fn branches(&self) -> bool {
        self.next.yes != self.next.no || self.next.yes != self.next.unknown
    }

    /// The check that decides where to go; `None`: the person does.
    pub fn decides(&self) -> Option<usize> {
        // A question to the person is another one than the check's: its answer must not stand in for theirs.
        self.look.iter().position(Look::decides).filter(|_| self.question.is_none())
    }
}

impl Look {
    /// It can be true or false: it is not only for showing.
    pub fn decides(&self) -> bool {
        !matches!(self.how, How::Ask { holds: None, .. })
    }
}
