//! The live executor: orders to the Kubernetes API and to PostgreSQL, over the wires that are there.

use futures::future::{BoxFuture, FutureExt};
use std::collections::BTreeMap;
use std::time::Duration;

use super::executor::{Deed, Executor, Refusal};
use super::kubernetes::acts::{Acts, Ground, Patience};
use super::kubernetes::trial::{recover, tear_down};
use super::postgres::heartbeat::{Around, Hearts};
use super::postgres::trial as sql;
use super::runs::Store;
use crate::domain::cluster::Operator;
use crate::domain::detail::ObjectRef;
use crate::domain::names::{ClusterKey, Context};
use crate::domain::trial::Learned;
use crate::problem::Problem;
use crate::procedure::order::Target;
use crate::procedure::trial::{Part, Trial};
use crate::procedure::{Answer, Found, Order, Premise, Rehearsal, Right};

/// How long a part of a restore drill may take, where its step does not say.
const TRIAL: Duration = Duration::from_secs(120);

/// Does orders to the live world. Dropped, its heartbeats end.
pub struct Hands {
    wires: BTreeMap<Context, Wire>,
    hearts: Hearts,
    store: Store,
}

/// What is held of one context.
struct Wire {
    acts: Acts,
    around: Around,
}

impl Hands {
    /// Hands in these contexts. A heartbeat's book is kept beside its run's journal.
    pub fn new(contexts: impl IntoIterator<Item = (Context, Around)>, store: Store) -> Hands {
        let wires = contexts.into_iter().map(|(context, around)| {
            let acts = Acts::new(around.clients.clone(), Patience::default());
            (context, Wire { acts, around })
        });
        Hands { wires: wires.collect(), hearts: Hearts::default(), store }
    }

    fn wire(&self, context: &Context) -> Result<&Wire, Problem> {
        self.wires.get(context).ok_or_else(|| {
            Problem::new(format!("context {context} is not looked at"))
                .try_this("begin howdah with --context, or with a kubeconfig that has it")
        })
    }

    async fn do_it(&self, deed: Deed<'_>) -> Result<Answer, Refusal> {
        let wire = self.wire(context(deed)).map_err(Refusal::Nothing)?;
        let around = || wire.around.clone();
        let beats = || self.store.folder(deed.run).join("beats");
        match deed.order {
            Order::Heartbeat(heart) => self.hearts.begin(heart, around(), &beats()).await,
            Order::Count(heart) => self.hearts.count(heart, around(), &beats()).await,
            Order::Sweep(heart) => self.hearts.sweep(heart, around()).await,
            Order::Trial(trial) => self.trial(deed, wire, trial).await,
            order => {
                let cluster = wire.cluster(&deed.plan.cluster);
                let ground = deed.premise.map(|premise| Ground { premise, cluster: &cluster });
                wire.acts.perform(order, ground, time(deed)).await
            }
        }
    }

    /// A part of a restore drill.
    async fn trial(&self, deed: Deed<'_>, wire: &Wire, trial: &Trial) -> Result<Answer, Refusal> {
        let time = time(deed).unwrap_or(TRIAL);
        let around = &wire.around;
        let learned = |l: Learned| Answer::Learned(Box::new(l));
        match trial.part {
            Part::Make { .. } => {
                let cluster = wire.cluster(&deed.plan.cluster);
                let ground = deed.premise.map(|premise| Ground { premise, cluster: &cluster });
                let Some(create) = trial.object(deed.answers) else {
                    return Err(Refusal::Nothing(Problem::refused("there is nothing to make")));
                };
                wire.acts.perform(&Order::Create(create), ground, None).await
            }
            Part::Recover => match recover(&around.clients, trial, time).await {
                Ok(recovered) => Ok(learned(Learned::Recovered(sql::answers(trial, around, recovered, time).await?))),
                Err(problem) => Err(Refusal::Nothing(problem)),
            },
            Part::TearDown => tear_down(&around.clients, trial, time).await.map(|t| learned(Learned::TornDown(t))),
            _ => sql::perform(trial, around, deed.answers, time).await,
        }
    }
}

impl Executor for Hands {
    fn perform<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Result<Answer, Refusal>> {
        self.do_it(deed).boxed()
    }

    fn find<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Found> {
        async move {
            let wire = match self.wire(context(deed)) {
                Ok(wire) => wire,
                Err(problem) => return Found::CantTell(problem.line()),
            };
            match deed.order {
                Order::Heartbeat(heart) => self.hearts.find(heart),
                // Counting changes nothing: it is counted again.
                Order::Count(_) => Found::NotDone,
                Order::Sweep(heart) => self.hearts.swept(heart, wire.around.clone()).await,
                Order::Trial(trial) => match trial.object(deed.answers) {
                    Some(create) => wire.acts.find(&Order::Create(create)).await,
                    None => sql::find(trial, &wire.around).await,
                },
                order => wire.acts.find(order).await,
            }
        }
        .boxed()
    }

    fn rehearse<'a>(&'a self, deed: Deed<'a>) -> BoxFuture<'a, Result<Rehearsal, Problem>> {
        async move {
            let wire = self.wire(context(deed))?;
            let cluster = wire.cluster(&deed.plan.cluster);
            let ground = deed.premise.map(|premise| Ground { premise, cluster: &cluster });
            match deed.order {
                Order::Trial(trial) => match trial.object(deed.answers) {
                    Some(create) => wire.acts.rehearse(&Order::Create(create), ground).await,
                    None => wire.acts.rehearse(deed.order, ground).await,
                },
                order => wire.acts.rehearse(order, ground).await,
            }
        }
        .boxed()
    }

    fn may<'a>(&'a self, cluster: &'a ClusterKey, rights: &'a [Right]) -> BoxFuture<'a, Result<Vec<Right>, Problem>> {
        async move { self.wire(&cluster.context)?.acts.may(rights).await }.boxed()
    }

    fn holds<'a>(&'a self, cluster: &'a ClusterKey, premise: &'a Premise) -> BoxFuture<'a, Result<(), Problem>> {
        async move {
            let wire = self.wire(&cluster.context)?;
            wire.acts.holds(Ground { premise, cluster: &wire.cluster(cluster) }).await
        }
        .boxed()
    }
}

impl Wire {
    /// The cluster's own object.
    fn cluster(&self, key: &ClusterKey) -> Target {
        let operator = self.around.pictures.borrow().get(key).map_or(Operator::Cnpg, |c| c.operator);
        let (api_version, kind, plural) = match operator {
            Operator::Cnpg => ("postgresql.cnpg.io/v1", "Cluster", "clusters"),
            Operator::Pgo => ("postgres-operator.crunchydata.com/v1beta1", "PostgresCluster", "postgresclusters"),
        };
        let object = ObjectRef {
            context: key.context.clone(),
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
        };
        Target { object, plural: plural.into(), subresource: None }
    }
}

/// The context that an order is for.
fn context<'a>(deed: Deed<'a>) -> &'a Context {
    match deed.order {
        Order::Patch(patch) => &patch.target.object.context,
        Order::Create(create) => &create.target.object.context,
        Order::Delete(delete) | Order::Evict(delete) => &delete.target.object.context,
        Order::Heartbeat(heart) | Order::Count(heart) | Order::Sweep(heart) => &heart.cluster.context,
        Order::Trial(trial) => &trial.source.context,
    }
}

/// How long the order's step may take.
fn time(deed: Deed<'_>) -> Option<Duration> {
    let is = |order: &Option<Order>| order.as_ref() == Some(deed.order);
    let step = deed.plan.steps.iter().find(|s| is(&s.order) || is(&s.undo))?;
    Duration::try_from(step.within).ok().filter(|within| !within.is_zero())
}
