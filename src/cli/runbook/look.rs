//! What a walk sees: the live world, the verdict made of it now, and the replies to its questions.

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cli::args::Global;
use crate::cli::collect::{Live, ahead};
use crate::domain::cluster::Cluster;
use crate::domain::health::{Health, judge};
use crate::domain::names::{ClusterKey, InstanceName};
use crate::problem::Problem;
use crate::procedure::question::{Asked, Replies};
use crate::procedure::runbook::{Runbook, Sight, about};

/// Questions that are asked at once: each may need a tunnel of its own.
const AT_ONCE: usize = 3;

/// One cluster, looked at.
pub struct Looked {
    /// The world.
    pub live: Live,
    /// Which cluster.
    pub key: ClusterKey,
    /// The instance the walk is about.
    pub about: Option<InstanceName>,
    /// Replies so far.
    pub replies: Replies,
}

/// The cluster and its verdict at one moment.
pub struct Moment {
    /// What its objects say.
    pub cluster: Arc<Cluster>,
    /// Its verdicts.
    pub health: Health,
    /// When.
    pub now: Timestamp,
}

impl Looked {
    /// Looks at a cluster until everything has answered, or the time is over.
    ///
    /// # Errors
    /// No such cluster, several of that name, or Kubernetes is out of reach.
    pub async fn at(global: &Global, name: &str, once: bool, patience: SignedDuration) -> Result<Looked, Problem> {
        let mut live = Live::start(global, once)?;
        let deadline = ahead(patience);
        live.settle(deadline).await;
        let keys = live.choose(Some(name))?;
        let [key] = keys.as_slice() else {
            let names: Vec<_> = keys.iter().map(|k| format!("{}:{k}", k.context)).collect();
            return Err(Problem::usage(format!("{} clusters are called {name}", keys.len()))
                .because(names.join(", "))
                .try_this("say more of its name"));
        };
        let key = key.clone();
        live.focus(std::slice::from_ref(&key), deadline).await;
        Ok(Looked { live, key, about: None, replies: Replies::new() })
    }

    /// Chooses the instance the walk is about: the one that was named, else the one the verdict names.
    ///
    /// # Errors
    /// The cluster is gone, or has no such instance.
    pub fn choose(&mut self, runbook: &Runbook, named: Option<InstanceName>) -> Result<(), Problem> {
        let moment = self.moment()?;
        if let Some(name) = &named
            && moment.cluster.instance(name).is_none()
        {
            let there: Vec<_> = moment.cluster.instances.iter().map(|i| i.name.as_str()).collect();
            return Err(Problem::usage(format!("{} has no instance {name}", self.key))
                .because(format!("there are {}", there.join(", "))));
        }
        self.about = named.or_else(|| about(&self.sight(&moment), &runbook.when));
        Ok(())
    }

    /// The cluster and its verdict now.
    ///
    /// # Errors
    /// The cluster is gone.
    pub fn moment(&self) -> Result<Moment, Problem> {
        let gone = || Problem::new(format!("{} is gone", self.key));
        let cluster = self.live.facts.clusters.get(&self.key).cloned().ok_or_else(gone)?;
        let now = Timestamp::now();
        let health = judge(&self.live.facts, &cluster, None, &self.live.limits, now);
        Ok(Moment { cluster, health, now })
    }

    /// What a walk sees of it.
    pub fn sight<'a>(&'a self, moment: &'a Moment) -> Sight<'a> {
        Sight {
            facts: &self.live.facts,
            cluster: &moment.cluster,
            health: &moment.health,
            happenings: Some(&self.live.happenings),
            limits: &self.live.limits,
            about: self.about.as_ref(),
            now: moment.now,
        }
    }

    /// Puts questions, a few at once, and keeps what comes back. The news that come meanwhile are taken in.
    pub async fn ask(&mut self, questions: Vec<Asked>) {
        let distinct: BTreeSet<Asked> = questions.into_iter().collect();
        let asks = distinct.into_iter().map(|asked| {
            let reply = self.live.ask(&self.key, asked.clone());
            async move { (asked, reply.await) }
        });
        // All are made first: asking borrows nothing of the live world.
        let asks: Vec<_> = asks.collect();
        let mut replies = std::pin::pin!(futures::stream::iter(asks).buffer_unordered(AT_ONCE));
        loop {
            tokio::select! {
                reply = replies.next() => match reply {
                    Some((asked, reply)) => {
                        self.replies.insert(asked, reply);
                    }
                    None => return,
                },
                _ = self.live.news(ahead(SignedDuration::from_secs(1))) => {}
            }
        }
    }
}
