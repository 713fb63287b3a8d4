//! Everything that happens to the console, as plain data: a session is a list of these, and can be recorded.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::domain::detail::News;
use crate::domain::facts::Fact;
use crate::domain::health::Limits;
use crate::domain::names::ClusterKey;
use crate::panes::doing::FromSource;
use crate::problem::Problem;
use crate::procedure::catalog::restore::Ground;
use crate::procedure::drill::Objectives;
use crate::procedure::question::{Asked, Reply};
use crate::procedure::{Entry, Protected, Right, RunId, StepId, Summary, Tried};
use crate::ui::input::Input;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Msg {
    /// The person at the terminal did something.
    Input(Input),
    /// It is this time now. Sent before other messages when it moved on by a second, and alone while an age is shown.
    Clock(Timestamp),
    /// What was learned since the last time, all of it at once: one batch, one judgement.
    Facts(Vec<Fact>),
    /// What adds, in order.
    News(Vec<News>),
    /// Settings, themes and keymaps were read anew.
    Reloaded(Box<Taste>),
    /// An effect was performed.
    Done(Done),
    /// Something went wrong outside.
    Problem(Problem),
    /// What came of an effect for a run.
    Run(RunNews),
    /// Leave: a signal, or the terminal went away.
    Quit,
}

/// A person's taste: what the settings say about looks and keys, with the person's own files as text, so that a
/// recording holds all that its keys meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Taste {
    /// The theme to use; empty is the default.
    pub theme: String,
    /// The keymap to use; empty is the default.
    pub keymap: String,
    /// Own themes, as path and text.
    pub themes: Vec<(String, String)>,
    /// Own keymaps, as path and text.
    pub keymaps: Vec<(String, String)>,
    /// Plain ASCII marks.
    pub ascii: bool,
    /// Times in UTC instead of local.
    pub utc: bool,
    /// Ring the bell when a verdict changes.
    pub bell: bool,
    /// Where a figure becomes a warning.
    pub limits: Limits,
    /// Nothing can be armed.
    pub read_only: bool,
    /// Contexts whose clusters are armed by typing their name.
    pub protected: Protected,
    /// What a drill must reach to pass.
    pub objectives: Objectives,
    /// Own runbooks, as path and text.
    pub runbooks: Vec<(String, String)>,
    /// What was wrong with the settings file itself.
    pub problems: Vec<Problem>,
}

/// What came of an effect for a run, in the order in which it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunNews {
    /// Of these rights that were asked, those that are missing.
    Rights(ClusterKey, BTreeSet<Right>, Result<Vec<Right>, Problem>),
    /// What the API said to the plan of this number.
    Tried(u64, Result<Vec<Tried>, Problem>),
    /// A run is driven from here on; its journal so far.
    Open(RunId, Vec<Entry>),
    /// An entry was written.
    Entry(RunId, Entry),
    /// A note that was being typed when the console that drove it ended.
    Draft(RunId, String),
    /// What was asked to be written is written.
    Wrote(RunId),
    /// What was under way for this step is over; what came of it was told as entries.
    Ended(RunId, StepId),
    /// The journal can't be written: nothing more is done.
    Broken(RunId, Problem),
    /// Every run on this machine, the newest first, and what could not be read.
    Listed(Vec<Summary>, Vec<Problem>),
    /// A journal that was read to be looked at.
    Read(RunId, Result<Vec<Entry>, Problem>),
    /// An instance's reply to a walk's question.
    Reply(RunId, Asked, Reply),
    /// What this is planned from.
    Ground(Box<FromSource>, Result<Box<Ground>, Problem>),
}

/// An effect was performed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// The clipboard was set.
    Copied,
    /// A file was written here.
    Exported(String),
    /// `psql` ended, well or with this.
    Psql(Option<Problem>),
    /// The console is back from the shell.
    Resumed,
}
