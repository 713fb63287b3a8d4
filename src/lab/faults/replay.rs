//! Replay that is paused.

use futures::future::BoxFuture;

use super::{Fault, Ground, Kept, PATIENCE, Wish};
use crate::problem::Problem;

/// `pg_wal_replay_pause()`, held: a standby that was started again is paused again.
pub(super) struct ReplayPaused {
    ground: Ground,
    wish: Wish,
}

const PAUSE: &str = "select case when pg_is_in_recovery() then pg_wal_replay_pause() end";
const RESUME: &str = "select case when pg_is_in_recovery() then pg_wal_replay_resume() end";

impl ReplayPaused {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        ReplayPaused { ground, wish }
    }

    async fn ask(&self, statement: &str) -> Result<Option<String>, Problem> {
        let instance = self.ground.instance(&self.wish.namespace, self.wish.instance())?;
        instance.server().sql().value("postgres", statement, PATIENCE).await
    }
}

impl Fault for ReplayPaused {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            self.ask(PAUSE).await?;
            Ok(format!("replay is paused on {}", self.wish.instance()))
        })
    }

    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async {
            let state = "select case when not pg_is_in_recovery() then 'leads' \
                         when pg_is_wal_replay_paused() then 'paused' else 'replays' end";
            // One that can't be asked now is asked again in a moment.
            match self.ask(state).await.ok().flatten().as_deref() {
                Some("leads") => Kept::Says(format!("{} leads now: nothing is paused", self.wish.instance())),
                Some("replays") => {
                    let _ = self.ask(PAUSE).await;
                    Kept::Same
                }
                _ => Kept::Same,
            }
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            let instance = self.ground.instance(&self.wish.namespace, self.wish.instance());
            // A pause does not outlive its process.
            if instance.is_err() || instance.is_ok_and(|i| i.server().pid().is_none()) {
                return Ok(());
            }
            self.ask(RESUME).await.map(drop)
        })
    }
}
