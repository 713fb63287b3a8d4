//! What taking and scheduling share: whose, and how the plan is made and followed. The store is listed beside it, where
//! that is wanted at all: it tells best what came of a backup.

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use crate::adapters::runs::Store;
use crate::cli::act::one;
use crate::cli::args::{Global, time};
use crate::cli::collect::{Live, ahead};
use crate::cli::conduct::{Following, conduct, store};

use crate::domain::names::ClusterKey;
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::{self, Act, View, Wish};

/// Whose backups, and how what is done is followed.
#[derive(Clone, Debug, Args)]
pub struct At {
    /// The cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// How it is shown, confirmed and justified.
    #[command(flatten)]
    pub following: Following,
    /// How long to wait for everything to answer before the plan is made; what has not by then is unknown
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = time)]
    pub timeout: SignedDuration,
}

impl At {
    /// Everything that answers within the time, and which cluster is meant.
    ///
    /// # Errors
    /// What can't even begin, or a cluster that is not there.
    pub(super) async fn look(&self, global: &Global) -> Result<(Live, ClusterKey), Problem> {
        let mut live = Live::with_stores(global, false)?;
        let deadline = ahead(self.timeout);
        live.settle(deadline).await;
        let key = one(&live, &self.cluster)?;
        live.focus(std::slice::from_ref(&key), deadline).await;
        Ok((live, key))
    }
}

/// Plans an act and follows it to its end.
///
/// # Errors
/// What can't even begin, a cluster that is not there, or what is refused.
pub(super) async fn act(global: &Global, at: &At, act: Act) -> Result<Exit, Problem> {
    let (live, key) = at.look(global).await?;
    let wish = Wish { cluster: key.clone(), act, because: at.following.because.clone() };
    let history = live.histories.of(&key);
    let view = View { facts: &live.facts, history, limits: &live.limits, now: Timestamp::now() };
    let plan = catalog::plan(&wish, view)?;
    let store = store(global)?;
    let run = Store::name(plan.kind, &key, plan.made);
    let executor = live.executor(&store);
    conduct(global, &at.following, live, executor, (run, plan)).await
}
