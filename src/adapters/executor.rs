//! Who does an [`Order`] to the world: the live wires, or a pretended world.
//!
//! An executor knows nothing of journals and steps. It answers honestly: what was refused changed nothing, and an answer
//! that did not come is unknown, never "failed". It never repeats a request that may have arrived; whether to try again is
//! decided by the run, from what [`Executor::find`] saw.

use futures::future::BoxFuture;
use std::fmt;

use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::trial::Answers;
use crate::procedure::{Answer, Found, Order, Plan, Premise, Rehearsal, Right, RunId};

/// An order with what it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// The run, from which names are derived and beside whose journal a heartbeat keeps its account.
    pub run: &'a RunId,
    /// The plan it is part of.
    pub plan: &'a Plan,
    /// What to do.
    pub order: &'a Order,
    /// What must still hold of the cluster object: given until the run's first change was taken. An executor that locks an
    /// object by its resourceVersion asks it of that very object; else it reads the cluster right before.
    pub premise: Option<&'a Premise>,
    /// What earlier steps of the run answered.
    pub answers: &'a Answers,
}

/// Why an order was not answered well.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// Refused, or known not to have arrived: nothing was changed by it.
    Nothing(Problem),
    /// The answer did not come: it may have been done.
    Unknown(Problem),
}

/// Does orders. Every method returns within a time of its own: a wire that hangs is an answer that did not come.
pub trait Executor: Send + Sync {
    /// Does an order.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn perform<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Result<Answer, Refusal>>;

    /// Finds out from the world what became of an order that was begun. Looks only.
    fn find<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Found>;

    /// Has the API try an order without doing it.
    ///
    /// # Errors
    /// The API would refuse it, or is out of reach.
    fn rehearse<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Result<Rehearsal, Problem>>;

    /// Which of these rights are missing.
    ///
    /// # Errors
    /// It can't be asked.
    fn may<'a>(&'a self, cluster: &'a ClusterKey, rights: &'a [Right]) -> BoxFuture<'a, Result<Vec<Right>, Problem>>;

    /// The world is still the one the plan was shown for.
    ///
    /// # Errors
    /// What moved (exit 3), or the cluster is out of reach (exit 4).
    fn holds<'a>(&'a self, cluster: &'a ClusterKey, premise: &'a Premise) -> BoxFuture<'a, Result<(), Problem>>;
}

impl Refusal {
    /// What went wrong, whichever it is.
    pub fn problem(&self) -> &Problem {
        match self {
            Refusal::Nothing(problem) | Refusal::Unknown(problem) => problem,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}
