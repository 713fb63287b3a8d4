//! `howdah act`: one guarded change of a cluster, followed to its proven end.
//!
//! It says what a person may ask for on the command line and makes the plan; [`conduct`](super::conduct) shows it, asks,
//! and follows it. Nothing here knows what an act does.

#[cfg(test)]
mod tests;
mod wish;

pub use wish::{ActArgs, ActCommand, At};

use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

use super::args::Global;
use super::collect::{Live, ahead};
use super::conduct::{conduct, store};
use crate::adapters::runs::Store;
use crate::domain::names::ClusterKey;
use crate::problem::{Exit, Problem};
use crate::procedure::Plan;
use crate::procedure::catalog::{self, View, Wish};

/// How long a lag is watched for its rate, where that decides something.
const RATE: Duration = Duration::from_secs(4);

/// Runs it.
///
/// # Errors
/// What can't even begin, a cluster that is not there, or what is refused.
pub async fn run(global: &Global, args: &ActArgs) -> Result<Exit, Problem> {
    let command = &args.act;
    let at = command.at();
    let mut live = Live::start(global, false)?;
    let key = at.look(&mut live).await?;
    let wish = Wish { cluster: key.clone(), act: command.act()?, because: at.following.because.clone() };
    let mut plan = made(&live, &wish)?;
    if lags(&plan) {
        live.until(Instant::now() + RATE, |_| false).await;
        plan = made(&live, &wish)?;
    }
    let store = store(global)?;
    let run = Store::name(plan.kind, &key, plan.made);
    let executor = live.executor(&store);
    conduct(global, &at.following, live, executor, (run, plan)).await
}

impl At {
    /// Waits for everything that answers within the time, and gives the cluster that is meant.
    ///
    /// # Errors
    /// A cluster that is not there, or more than one.
    pub(super) async fn look(&self, live: &mut Live) -> Result<ClusterKey, Problem> {
        let deadline = ahead(self.timeout);
        live.settle(deadline).await;
        let key = one(live, &self.cluster)?;
        live.focus(std::slice::from_ref(&key), deadline).await;
        Ok(key)
    }
}

fn made(live: &Live, wish: &Wish) -> Result<Plan, Problem> {
    let history = live.histories.of(&wish.cluster);
    catalog::plan(wish, View { facts: &live.facts, history, limits: &live.limits, now: Timestamp::now() })
}

/// Some candidate is behind, and when it would be there is not known yet.
fn lags(plan: &Plan) -> bool {
    plan.candidates.iter().any(|c| c.lag.is_some_and(|bytes| bytes > 0) && c.eta.is_none())
}

/// The one cluster that a name means.
pub(super) fn one(live: &Live, name: &str) -> Result<ClusterKey, Problem> {
    let mut keys = live.choose(Some(name))?;
    match (keys.len(), keys.pop()) {
        (1, Some(key)) => Ok(key),
        (_, last) => {
            let all = keys.iter().chain(&last).map(|k| format!("{}:{k}", k.context)).collect::<Vec<_>>().join(", ");
            Err(Problem::usage(format!("{name} means more than one cluster")).try_this(format!("name one of {all}")))
        }
    }
}
