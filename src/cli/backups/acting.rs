//! What taking and scheduling share: whose, and how the plan is made and followed. The store is listed beside it, where
//! that is wanted at all: it tells best what came of a backup.

use jiff::Timestamp;

use crate::adapters::runs::Store;
use crate::cli::act::At;
use crate::cli::args::Global;
use crate::cli::collect::Live;
use crate::cli::conduct::{conduct, store};
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::{self, Act, View, Wish};

/// Plans an act and follows it to its end.
///
/// # Errors
/// What can't even begin, a cluster that is not there, or what is refused.
pub(super) async fn act(global: &Global, at: &At, act: Act) -> Result<Exit, Problem> {
    let mut live = Live::with_stores(global, false)?;
    let key = at.look(&mut live).await?;
    let wish = Wish { cluster: key.clone(), act, because: at.following.because.clone() };
    let history = live.histories.of(&key);
    let view = View { facts: &live.facts, history, limits: &live.limits, now: Timestamp::now() };
    let plan = catalog::plan(&wish, view)?;
    let store = store(global)?;
    let run = Store::name(plan.kind, &key, plan.made);
    let executor = live.executor(&store);
    conduct(global, &at.following, live, executor, (run, plan)).await
}
