//! Faults of an application: a transaction it forgets, connections it does not give back.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Fault, Ground, Kept, PATIENCE, Wish};
use crate::lab::instance::Instance;
use crate::lab::postgres::Guest;
use crate::problem::Problem;

/// More than this are never opened, whatever the server allows: each is a process.
const MOST: usize = 1_000;

/// The instance that leads now: an application follows the primary.
fn leader(ground: &Ground, wish: &Wish) -> Result<Arc<Instance>, Problem> {
    ground.instance(&wish.namespace, &ground.primary(&wish.namespace, &wish.cluster))
}

/// A transaction that stays open.
pub(super) struct LongTransaction {
    ground: Ground,
    wish: Wish,
    session: Option<Guest>,
}

impl LongTransaction {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        LongTransaction { ground, wish, session: None }
    }
}

impl Fault for LongTransaction {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            let leader = leader(&self.ground, &self.wish)?;
            let session = Guest::connect(leader.server(), PATIENCE).await?;
            // Repeatable read keeps the snapshot, and with it the horizon of vacuum.
            session.run("begin isolation level repeatable read; select pg_current_xact_id()").await?;
            self.session = Some(session);
            Ok(format!(
                "a session of {} is idle in a transaction on {}",
                crate::lab::postgres::guests::APPLICATION,
                leader.name()
            ))
        })
    }

    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async {
            match self.session.as_ref().is_some_and(Guest::is_closed) {
                true => Kept::Says("its session was ended: no transaction is open".to_owned()),
                false => Kept::Same,
            }
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            self.session = None;
            Ok(())
        })
    }
}

/// All connections but the reserved ones.
pub(super) struct ConnectionsExhausted {
    ground: Ground,
    wish: Wish,
    sessions: Vec<Guest>,
    /// The last word on them.
    said: String,
}

impl ConnectionsExhausted {
    pub(super) fn new(ground: Ground, wish: Wish) -> Self {
        ConnectionsExhausted { ground, wish, sessions: Vec::new(), said: String::new() }
    }

    /// Opens what is free and closes nothing: one that others gave back in the meantime is taken too.
    async fn fill(&mut self) -> Result<(), Problem> {
        let leader = leader(&self.ground, &self.wish)?;
        self.sessions.retain(|session| !session.is_closed());
        let ask = "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
                   - (select count(*) from pg_stat_activity where backend_type = 'client backend')::int as free";
        let free = leader.server().sql().value("postgres", ask, PATIENCE).await?;
        let free: i64 = free.and_then(|n| n.parse().ok()).unwrap_or(0);
        let wanted = free - i64::try_from(self.wish.number("leave")).unwrap_or(0);
        for _ in 0..wanted.max(0) {
            if self.sessions.len() >= MOST {
                break;
            }
            match Guest::connect(leader.server(), PATIENCE).await {
                Ok(session) => self.sessions.push(session),
                // Others were faster: nothing is free, which is what is wanted.
                Err(_) if !self.sessions.is_empty() => break,
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    fn words(&self) -> String {
        format!("the application holds {} connections", self.sessions.len())
    }
}

impl Fault for ConnectionsExhausted {
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>> {
        Box::pin(async {
            self.fill().await?;
            self.said = self.words();
            Ok(self.said.clone())
        })
    }

    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async {
            // A primary that can't be asked now is asked again in a moment.
            let _ = self.fill().await;
            if self.words() == self.said {
                return Kept::Same;
            }
            self.said = self.words();
            Kept::Says(self.said.clone())
        })
    }

    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>> {
        Box::pin(async {
            self.sessions.clear();
            Ok(())
        })
    }
}
