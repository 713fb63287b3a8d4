//! A run while it is followed: what a surface holds between one piece of news and the next.
//!
//! The command line and the console both follow runs by this, so they do the same and leave the same journal. It knows the
//! run, which of its steps have something under way, and what a drill or a backup watches. It must not know how a thing is
//! shown or asked, and writes nothing: it says what is to be written.

use jiff::Timestamp;
use std::collections::BTreeSet;

use super::backup;
use super::drill::Watching;
use super::entry::{Entry, What};
use super::kind::Kind;
use super::plan::StepId;
use super::run::{Run, Todo};
use crate::domain::event::Happening;
use crate::domain::facts::Facts;

/// A run under way.
#[derive(Clone, Debug)]
pub struct Followed {
    /// How far it has come.
    pub run: Run,
    busy: BTreeSet<StepId>,
    watching: Option<Watching>,
    backup: Option<backup::Watching>,
}

impl Followed {
    /// Follows a run from where it stands.
    pub fn new(run: Run) -> Followed {
        let watching = run.plan.kind.is_drill().then(|| Watching::new(&run.plan));
        let backup = backup::Watching::of(&run.plan);
        Followed { run, busy: BTreeSet::new(), watching, backup }
    }

    /// Takes in an entry that was written.
    pub fn absorb(&mut self, entry: Entry) {
        self.run.absorb(entry);
    }

    /// Looks at what happened since it last looked and at everything known now. What it gives is to be written before it is
    /// asked for what is [next](Followed::next).
    pub fn look(&mut self, heard: &[Happening], facts: &Facts) -> Vec<What> {
        if self.run.closed.is_some() {
            return Vec::new();
        }
        let drilled = self.watching.as_mut().map(|watching| watching.look(&self.run, heard, facts));
        let backed_up = self.backup.as_ref().map(|watching| watching.look(&self.run, heard, facts));
        drilled.into_iter().chain(backed_up).flatten().collect()
    }

    /// What is to be done now. What has to be performed counts as under way from here on, until [`Followed::ended`].
    ///
    /// A walk of a runbook is a person's: nothing is ever to be done for them.
    pub fn next(&mut self, facts: &Facts, now: Timestamp) -> Vec<Todo> {
        if self.run.plan.kind == Kind::Runbook {
            return Vec::new();
        }
        let mut todos = self.run.next(facts, now, &self.busy);
        for todo in &mut todos {
            match todo {
                Todo::Write(What::Closed { outcome }) => {
                    if let Some(watching) = &self.watching {
                        *outcome = watching.outcome(&self.run, *outcome);
                    }
                }
                Todo::Write(_) | Todo::Ask(_) => {}
                Todo::Perform { step, .. }
                | Todo::Find { step, .. }
                | Todo::TakeBack { step }
                | Todo::Revive { step } => {
                    self.busy.insert(step.clone());
                }
            }
        }
        todos
    }

    /// Nothing is under way any more for this step.
    pub fn ended(&mut self, step: &StepId) {
        self.busy.remove(step);
    }

    /// Something is under way.
    pub fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }
}
