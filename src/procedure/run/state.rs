//! Where a step stands.

use jiff::Timestamp;

use crate::problem::Problem;
use crate::procedure::entry::{Answer, Found};

/// Where a step stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// A step that it needs has not ended well yet.
    #[default]
    Waiting,
    /// A person must let it through.
    AtGate,
    /// It can begin.
    ToDo,
    /// It began, and what became of it is not known: it is under way, or was interrupted.
    Began {
        /// When.
        at: Timestamp,
    },
    /// It was interrupted, and the world was asked.
    Looked {
        /// When it had begun.
        began: Timestamp,
        /// What the world shows.
        found: Found,
        /// Where that can't be told: how long its check is waited for.
        until: Timestamp,
    },
    /// Its order was accepted; its check is not seen yet.
    Proving {
        /// Only facts confirmed later count.
        since: Timestamp,
        /// When the check must have held.
        until: Timestamp,
    },
    /// Done.
    Proven {
        /// When it was seen.
        at: Timestamp,
        /// What was seen, each with its witness.
        evidence: Vec<String>,
    },
    /// Its order was refused, or did not arrive: nothing was changed by it.
    Refused {
        /// Why.
        problem: Problem,
    },
    /// Its check did not hold in time, or can't hold any more.
    Failed {
        /// What was seen instead.
        problem: Problem,
    },
    /// Left out: a person said so, or there was nothing to clean up.
    Skipped,
    /// Taking it back began; what became of that is not known.
    UndoBegan {
        /// When.
        at: Timestamp,
    },
    /// Taking it back was interrupted, and the world was asked.
    UndoLooked {
        /// What the world shows.
        found: Found,
    },
    /// It was taken back.
    Undone,
    /// It could not be taken back.
    Kept {
        /// Why.
        problem: Problem,
    },
}

impl State {
    /// What needs it may begin.
    pub fn well(&self) -> bool {
        matches!(self, State::Proven { .. } | State::Skipped)
    }

    /// Nothing more comes of it by itself.
    pub fn over(&self) -> bool {
        matches!(
            self,
            State::Proven { .. }
                | State::Refused { .. }
                | State::Failed { .. }
                | State::Skipped
                | State::Undone
                | State::Kept { .. }
        )
    }

    /// One word for tables.
    pub fn word(&self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::AtGate => "at its gate",
            State::ToDo => "to do",
            State::Began { .. } => "begun",
            State::Looked { .. } => "interrupted",
            State::Proving { .. } => "accepted",
            State::Proven { .. } => "done",
            State::Refused { .. } => "refused",
            State::Failed { .. } => "failed",
            State::Skipped => "left out",
            State::UndoBegan { .. } | State::UndoLooked { .. } => "being undone",
            State::Undone => "undone",
            State::Kept { .. } => "not undone",
        }
    }
}

/// What the journal says of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Where it stands, as far as that doesn't hang on other steps.
    pub(super) state: State,
    /// How it was let through its gate.
    pub granted: Option<String>,
    /// When it first began.
    pub began: Option<Timestamp>,
    /// When it last began: only facts confirmed later count for its check.
    pub(super) since: Option<Timestamp>,
    /// When it ended, however.
    pub ended: Option<Timestamp>,
    /// What came back of its order, the last time.
    pub answer: Option<Answer>,
    /// Its order was taken.
    pub(super) taken: bool,
    /// Its order may have been taken: the world, asked after an interruption, shows no clear no.
    pub(super) doubted: bool,
    /// Its order came to nothing after the run was ended: that is the end's doing, and no failure.
    pub(super) cut: bool,
    /// A person gave it up.
    pub(super) given_up: bool,
    /// When its heartbeat was last begun.
    pub(super) beating: Option<Timestamp>,
}

impl Progress {
    /// Its order was taken, or may have been.
    pub(super) fn acted(&self) -> bool {
        self.taken || self.doubted
    }
}
