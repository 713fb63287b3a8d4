//! What is done from this console: which clusters are armed, the plan that is looked at, the runs under way.
//!
//! The app changes it, panes only look. It must not know how a journal is written or a request is sent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::rights::Rights;
use crate::command::Command;
use crate::domain::event::Happening;
use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::catalog::drills::{self, DrillWish, RestoreDrill};
use crate::procedure::catalog::restore::{self, Ground, RestoreWish};
use crate::procedure::catalog::{self, View, Wish};
use crate::procedure::drill::Objectives;
use crate::procedure::question::{Asked, Replies};
use crate::procedure::runbook::{Hearing, Runbooks, Walk};
use crate::procedure::{
    Arming, Choice, Decision, Followed, Gate, Kind, Plan, Protected, Question, Run, RunId, State, Summary, Tried,
};

/// What is done from this console.
#[derive(Default)]
pub struct Doing {
    /// Which clusters may be changed.
    pub arming: Arming,
    /// Contexts whose clusters are armed by typing their name.
    pub protected: Protected,
    /// What a drill must reach.
    pub objectives: Objectives,
    /// The runbooks there are.
    pub runbooks: Runbooks,
    /// What this account may do.
    pub rights: Rights,
    /// The plan that is looked at.
    pub proposal: Option<Proposal>,
    /// Runs that this console drives, or drove.
    pub runs: BTreeMap<RunId, Driven>,
    /// The run that the Runs pane shows.
    pub shown: Option<RunId>,
    /// Journals that were read to be looked at.
    pub read: BTreeMap<RunId, Run>,
    /// Every run on this machine, the newest first; `None`: it was not asked yet.
    pub listed: Option<Vec<Summary>>,
    /// What could not be read of them.
    pub damaged: Vec<Problem>,
    /// What instances replied to the questions of a walk, by its run.
    pub replies: BTreeMap<RunId, Replies>,
    /// Questions of a walk that are on their way, by its run.
    pub asking: BTreeMap<RunId, BTreeSet<Asked>>,
    /// The walk that the Runbooks pane shows.
    pub walking: Option<RunId>,
}

/// What was asked for: from it the plan can be made anew when the world has moved.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// An act.
    Act(Wish),
    /// A drill.
    Drill(DrillWish),
    /// What is made from another cluster's objects, with what was read of them.
    Restore(Box<FromSource>, Box<Ground>),
}

/// What can be planned only once the objects of the cluster it is made from were read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromSource {
    /// A restore under a new name.
    Restore(RestoreWish),
    /// A restore drill.
    Drill(RestoreDrill),
}

impl FromSource {
    /// Out of which cluster's archive.
    pub fn cluster(&self) -> &ClusterKey {
        match self {
            FromSource::Restore(wish) => &wish.cluster,
            FromSource::Drill(wish) => &wish.cluster,
        }
    }

    /// What the new cluster is called; empty: its plan finds a name that nobody bears.
    pub fn name(&self) -> &str {
        match self {
            FromSource::Restore(wish) => &wish.name,
            FromSource::Drill(_) => "",
        }
    }

    fn plan(&self, ground: &Ground, view: View<'_>) -> Result<Plan, Problem> {
        match self {
            FromSource::Restore(wish) => restore::plan(wish, ground, view),
            FromSource::Drill(wish) => drills::restore(wish, &ground.source, view),
        }
    }

    fn because(&mut self, why: String) {
        match self {
            FromSource::Restore(wish) => wish.because = Some(why),
            FromSource::Drill(wish) => wish.because = Some(why),
        }
    }
}

impl Wanted {
    /// Its plan by what is known now.
    ///
    /// # Errors
    /// It means nothing here.
    pub fn plan(&self, view: View<'_>) -> Result<Plan, Problem> {
        match self {
            Wanted::Act(wish) => catalog::plan(wish, view),
            Wanted::Drill(wish) => drills::plan(wish, view),
            Wanted::Restore(wish, ground) => wish.plan(ground, view),
        }
    }

    /// Of which cluster.
    pub fn cluster(&self) -> &ClusterKey {
        match self {
            Wanted::Act(wish) => &wish.cluster,
            Wanted::Drill(wish) => &wish.cluster,
            Wanted::Restore(wish, _) => wish.cluster(),
        }
    }

    /// The same, for this reason.
    #[must_use]
    pub fn because(mut self, why: String) -> Wanted {
        match &mut self {
            Wanted::Act(wish) => wish.because = Some(why),
            Wanted::Drill(wish) => wish.because = Some(why),
            Wanted::Restore(wish, _) => wish.because(why),
        }
        self
    }
}

/// A plan before it begins.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What was asked for.
    pub wanted: Wanted,
    /// Tells an answer that came late for another plan.
    pub number: u64,
    /// What would be done.
    pub plan: Plan,
    /// What the API said to it.
    pub tried: Trial,
}

/// What the API said to a plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Trial {
    /// It was not asked: the cluster is not armed.
    Not,
    /// It is being asked.
    UnderWay,
    /// It would take these.
    Taken(Vec<Tried>),
    /// It would not, or could not be asked.
    Refused(Problem),
}

/// A run that this console drives.
#[derive(Clone, Debug)]
pub struct Driven {
    /// How far it has come.
    pub followed: Followed,
    /// What a person is asked.
    pub asked: Vec<Question>,
    /// Entries on their way to the disk: nothing new is begun before they are there.
    pub writing: usize,
    /// What happened to its cluster and was not looked at yet.
    pub heard: Vec<Happening>,
    /// Of a walk: how much of what happened to its cluster is journaled.
    pub hearing: Option<Hearing>,
    /// Why nothing more can be done: the journal can't be written.
    pub broken: Option<Problem>,
}

impl Driven {
    /// Follows a run from where its journal ends.
    pub fn new(run: Run) -> Driven {
        let hearing = (run.plan.kind == Kind::Runbook).then(|| Hearing::new(&run));
        let followed = Followed::new(run);
        Driven { followed, asked: Vec::new(), writing: 0, heard: Vec::new(), hearing, broken: None }
    }

    /// Its run.
    pub fn run(&self) -> &Run {
        &self.followed.run
    }

    /// It is a walk of a runbook: a person's, that changes nothing and can be left open.
    pub fn is_walk(&self) -> bool {
        self.run().plan.kind == Kind::Runbook
    }

    /// It goes on.
    pub fn open(&self) -> bool {
        self.run().closed.is_none() && self.broken.is_none()
    }
}

impl Doing {
    /// Until when a cluster may be changed; `None`: it may not.
    pub fn armed(&self, cluster: &ClusterKey, now: Timestamp) -> Option<Timestamp> {
        self.arming.until(cluster, now)
    }

    /// The run of this name: driven here, or read.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.get(id).map(Driven::run).or_else(|| self.read.get(id))
    }

    /// The walk of this name, with its runbook.
    pub fn walk(&self, id: &RunId) -> Option<Walk<'_>> {
        let run = self.run(id)?;
        Some(Walk { runbook: self.runbooks.of(run)?, run })
    }

    /// The runs under way here, the oldest first.
    pub fn under_way(&self) -> impl Iterator<Item = &Driven> {
        self.runs.values().filter(|d| d.open())
    }

    /// The run under way here on this cluster that changes it.
    pub fn on(&self, cluster: &ClusterKey) -> Option<&Driven> {
        self.under_way().filter(|d| !d.is_walk()).find(|d| d.run().plan.cluster == *cluster)
    }
}

/// The name that has to be typed to let a step through, where that is asked.
pub fn name_to_type(question: &Question) -> Option<&str> {
    match &question.gate {
        Some(Gate::TypeName(name)) => Some(name),
        _ => None,
    }
}

/// Which step a reader's eye belongs on: the one that asks, else what is under way, else the last that ended.
pub fn current(run: &Run) -> usize {
    let states: Vec<_> = run.plan.steps.iter().map(|s| run.state(&s.id)).collect();
    let first = |wanted: &dyn Fn(&State) -> bool| states.iter().position(wanted);
    first(&|s| matches!(s, State::AtGate | State::Refused { .. } | State::Failed { .. }))
        .or_else(|| first(&|s| matches!(s, State::Began { .. } | State::Looked { .. } | State::Proving { .. })))
        .or_else(|| first(&|s| matches!(s, State::UndoBegan { .. } | State::UndoLooked { .. })))
        .or_else(|| first(&|s| matches!(s, State::ToDo)))
        .or_else(|| states.iter().rposition(State::over))
        .unwrap_or(0)
}

/// The commands that answer what a run asks.
const ANSWERS: [(Command, Choice); 7] = [
    (Command::Grant, Choice::Grant),
    (Command::Wait, Choice::Decide(Decision::Wait)),
    (Command::Retry, Choice::Decide(Decision::Retry)),
    (Command::TakenAsDone, Choice::Decide(Decision::TakenAsDone)),
    (Command::Skip, Choice::Decide(Decision::Skip)),
    (Command::UndoRun, Choice::Decide(Decision::Undo)),
    (Command::LeaveRun, Choice::Decide(Decision::Leave)),
];

/// The answer that a command gives.
pub fn choice_of(command: Command) -> Option<Choice> {
    ANSWERS.iter().find(|(c, _)| *c == command).map(|(_, choice)| *choice)
}

/// The command that gives an answer.
pub fn answer(choice: Choice) -> Command {
    ANSWERS.iter().find(|(_, c)| *c == choice).map_or(Command::EndRun, |(command, _)| *command)
}
