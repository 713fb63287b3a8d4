//! Hands: orders as requests to the Kubernetes API, and what came of them.
//!
//! What is sent is the order's own [`Request`](crate::procedure::Request), as it was shown, with what only the object read last
//! can tell ([`Patch::filled`]). A 4xx changed nothing and is refused; an answer that did not come is unknown. It must not
//! know steps, journals or panes, and it does nothing of its own accord.

mod ask;
mod create;
mod find;
mod ground;
mod patch;
mod rehearse;
mod remove;
mod rights;
#[cfg(test)]
mod tests;
mod words;

pub use ground::ground;
pub use remove::erase;

use backon::{BackoffBuilder, ExponentialBuilder};
use serde_json::Value;
use std::time::Duration;

use self::ask::Fault;
use self::rights::Known;
use super::client::Clients;
use crate::adapters::executor::Refusal;
use crate::domain::detail::ObjectRef;
use crate::problem::Problem;
use crate::procedure::Rehearsal;
use crate::procedure::order::Target;
use crate::procedure::{Answer, Found, Order, Premise, Right};

#[cfg(doc)]
use crate::procedure::order::Patch;

/// How long answers may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To a question.
    pub read: Duration,
    /// To a change: admission webhooks are asked before it is answered.
    pub write: Duration,
    /// How long an eviction is tried while a disruption budget says no, where nothing else is said.
    pub budget: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Patience { read: seconds(5), write: seconds(15), budget: seconds(60) }
    }
}

/// The hands of one context.
pub struct Acts {
    clients: Clients,
    patience: Patience,
    rights: Known,
}

/// A premise and the cluster object that it is asked of.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// What must hold.
    pub premise: &'a Premise,
    /// Of what.
    pub cluster: &'a Target,
}

impl Acts {
    /// Hands on a context's client.
    pub fn new(clients: Clients, patience: Patience) -> Self {
        Acts { clients, patience, rights: Known::default() }
    }

    /// Does an order. An eviction is tried for `time` while a disruption budget says no. Orders of SQL are not for these
    /// hands.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn perform(
        &self,
        order: &Order,
        ground: Option<Ground<'_>>,
        time: Option<Duration>,
    ) -> Result<Answer, Refusal> {
        if let Some(ground) = ground
            && !reads_cluster(order, ground)
        {
            self.holds(ground).await.map_err(Refusal::Nothing)?;
        }
        match order {
            Order::Patch(patch) => self.patch(patch, ground).await,
            Order::Create(create) => self.create(create).await,
            Order::Delete(delete) => self.delete(order, delete).await,
            Order::Evict(delete) => self.evict(order, delete, time.unwrap_or(self.patience.budget)).await,
            Order::Heartbeat(_) | Order::Count(_) | Order::Sweep(_) | Order::Trial(_) => {
                Err(Refusal::Nothing(Problem::refused("this is no request to Kubernetes")))
            }
        }
    }

    /// Finds out what became of an order.
    pub async fn find(&self, order: &Order) -> Found {
        match order {
            Order::Patch(patch) => self.find_patch(patch).await,
            Order::Create(create) => self.find_created(create).await,
            Order::Delete(delete) | Order::Evict(delete) => self.find_deleted(delete).await,
            Order::Heartbeat(_) | Order::Count(_) | Order::Sweep(_) | Order::Trial(_) => {
                Found::CantTell("this is no request to Kubernetes".into())
            }
        }
    }

    /// Has the API try an order without doing it.
    ///
    /// # Errors
    /// The API would refuse it, or is out of reach.
    pub async fn rehearse(&self, order: &Order, ground: Option<Ground<'_>>) -> Result<Rehearsal, Problem> {
        if let Some(ground) = ground {
            self.holds(ground).await?;
        }
        match order {
            Order::Patch(patch) => self.rehearse_patch(patch).await,
            Order::Create(create) => self.rehearse_create(create).await,
            Order::Delete(delete) | Order::Evict(delete) => self.rehearse_delete(order, delete).await,
            Order::Heartbeat(_) | Order::Count(_) | Order::Sweep(_) | Order::Trial(_) => {
                Ok(Rehearsal::None("SQL has no dry run".into()))
            }
        }
    }

    /// Which of these rights are missing.
    ///
    /// # Errors
    /// It can't be asked.
    pub async fn may(&self, rights: &[Right]) -> Result<Vec<Right>, Problem> {
        self.rights.missing(&self.clients, rights, self.patience.read).await
    }

    /// The world is still the one the plan was shown for.
    ///
    /// # Errors
    /// What moved, or the cluster is out of reach.
    pub async fn holds(&self, ground: Ground<'_>) -> Result<(), Problem> {
        let object = self.read(ground.cluster).await.map_err(|fault| fault.problem("can't look", ground.cluster))?;
        ground.asked_of(&object)
    }

    /// An object as it is now.
    async fn read(&self, target: &Target) -> Result<Value, Fault> {
        let plain = Target { subresource: None, ..target.clone() };
        ask::ask(&self.clients, ask::get(&plain.path()), self.patience.read).await
    }
}

impl Ground<'_> {
    /// Asks the premise of the cluster object.
    fn asked_of(&self, object: &Value) -> Result<(), Problem> {
        match self.premise.moved(object) {
            moved if moved.is_empty() => Ok(()),
            moved => Err(Problem::refused("the world moved since the plan was made, and nothing was sent")
                .because(moved.join("; "))
                .try_this("look again, and make a new plan")),
        }
    }
}

/// The order reads the very object that the premise is asked of.
fn reads_cluster(order: &Order, ground: Ground<'_>) -> bool {
    match order {
        Order::Patch(patch) => patch.needs_object() && same(&patch.target.object, &ground.cluster.object),
        _ => false,
    }
}

fn same(a: &ObjectRef, b: &ObjectRef) -> bool {
    (&a.kind, &a.namespace, &a.name) == (&b.kind, &b.namespace, &b.name)
}

/// Pauses between tries, growing, with jitter.
fn pauses(first: Duration, longest: Duration) -> ExponentialBuilder {
    ExponentialBuilder::default().with_jitter().with_factor(2.0).with_min_delay(first).with_max_delay(longest)
}

/// A few pauses for a change that others get in the way of.
fn few() -> impl Iterator<Item = Duration> {
    pauses(Duration::from_millis(50), Duration::from_millis(800)).with_max_times(5).build()
}
