//! Facts from the live adapters, until enough has answered.

use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use super::args::Global;
use super::wishes;
use crate::adapters::executor::Executor;
use crate::adapters::inbox::{Inbox, Incoming, inbox};
use crate::adapters::kubernetes::kubeconfig::nearest;
use crate::adapters::postgres::sampler;
use crate::adapters::runs::Store;
use crate::adapters::{Adapters, Config, Handle};
use crate::domain::backup::StoreListing;
use crate::domain::cluster::Cluster;
use crate::domain::detail::News;
use crate::domain::event::Happening;
use crate::domain::facts::Facts;
use crate::domain::happenings::Happenings;
use crate::domain::health::Limits;
use crate::domain::history::Histories;
use crate::domain::names::{ClusterKey, Context};
use crate::domain::source::{SourceId, SourceState};
use crate::problem::Problem;
use crate::procedure::Plan;
use crate::procedure::catalog::restore::Ground;
use crate::procedure::question::{Asked, Reply};
use crate::settings::Settings;

/// Happenings kept for whoever asks: more than any failover brings.
const HEARD: usize = 4_096;

/// The live world and what it has told so far.
pub struct Live {
    /// Everything known now.
    pub facts: Facts,
    /// What was seen over time, for rates.
    pub histories: Histories,
    /// What happened since it is looked at.
    pub happenings: Happenings,
    /// Where a figure becomes a warning.
    pub limits: Limits,
    /// The person's settings.
    pub settings: Settings,
    handle: Handle,
    inbox: Inbox,
    heard: VecDeque<Happening>,
    /// Stores are looked into.
    stores: bool,
}

impl Live {
    /// Starts to look: once, or for as long as it is held.
    ///
    /// # Errors
    /// No kubeconfig, an unknown context.
    pub fn start(global: &Global, once: bool) -> Result<Live, Problem> {
        Live::begin(global, |config| Config { once, stores: None, ..config })
    }

    /// The same, and looks into the object stores of the clusters that are looked at closely, where the settings have it so.
    ///
    /// # Errors
    /// As [`Live::start`].
    pub fn with_stores(global: &Global, once: bool) -> Result<Live, Problem> {
        Live::begin(global, |config| Config { once, ..config })
    }

    fn begin(global: &Global, how: impl FnOnce(Config) -> Config) -> Result<Live, Problem> {
        let (outbox, inbox) = inbox();
        let settings = wishes::settings(global)?;
        let config = how(wishes::world(global, &settings));
        let stores = config.stores.is_some();
        let handle = Adapters::start(config, outbox)?;
        let (facts, histories, limits) = (Facts::default(), Histories::default(), settings.limits.clone());
        let (happenings, heard) = (Happenings::default(), VecDeque::new());
        Ok(Live { facts, histories, happenings, limits, settings, handle, inbox, heard, stores })
    }

    /// Puts a question to an instance.
    pub fn ask(&self, cluster: &ClusterKey, asked: Asked) -> impl Future<Output = Reply> + Send + 'static {
        self.handle.ask(cluster, asked)
    }

    /// Takes in what arrives until `enough` holds or the time is over.
    pub async fn until(&mut self, deadline: Instant, enough: impl Fn(&Facts) -> bool) -> bool {
        loop {
            for incoming in self.inbox.drain(usize::MAX) {
                self.take(incoming);
            }
            if enough(&self.facts) {
                return true;
            }
            match timeout_at(deadline, self.inbox.recv()).await {
                Ok(Some(incoming)) => self.take(incoming),
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// Lists everything in a cluster's archive, once. `told` hears how far it is after each page.
    ///
    /// # Errors
    /// It has none, or it is out of reach, with why.
    pub fn archive(
        &self,
        cluster: &ClusterKey,
        told: impl FnMut(&StoreListing) + Send + 'static,
    ) -> impl Future<Output = Result<StoreListing, Problem>> + Send + 'static {
        self.handle.archive(cluster, told)
    }

    /// Reads what a restore of a cluster under a new name is planned from.
    ///
    /// # Errors
    /// The cluster's object can't be read.
    pub async fn ground(&self, cluster: &ClusterKey, new: &str) -> Result<Ground, Problem> {
        self.handle.ground(cluster, new).await
    }

    /// Looks closely at everything that a plan asks of, also at what is not there yet.
    pub fn attend(&self, plan: &Plan) {
        self.handle.focus(plan.clusters().into_iter().cloned().collect());
    }

    /// What does orders in these contexts. Nothing is changed by making it.
    pub fn executor(&self, store: &Store) -> Arc<dyn Executor> {
        Arc::new(self.handle.hands(store.clone()))
    }

    /// Takes in the next thing that arrives, with everything else that is there. `false`: nothing came until then.
    pub async fn news(&mut self, deadline: Instant) -> bool {
        match timeout_at(deadline, self.inbox.recv()).await {
            Ok(Some(incoming)) => self.take(incoming),
            // Nobody tells anything any more; the caller's own time still runs.
            Ok(None) => {
                tokio::time::sleep_until(deadline).await;
                return false;
            }
            Err(_) => return false,
        }
        for incoming in self.inbox.drain(usize::MAX) {
            self.take(incoming);
        }
        true
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Fact(fact) => {
                self.facts.absorb(fact.clone());
                self.histories.observe(&self.facts, &fact, Timestamp::now());
            }
            Incoming::News(News::Happening(happening)) => {
                if self.heard.len() == HEARD {
                    self.heard.pop_front();
                }
                self.happenings.add(happening.clone());
                self.heard.push_back(happening);
            }
            Incoming::News(News::Detail(..)) => {}
        }
    }

    /// What happened since this was last asked, oldest first; the newest [`HEARD`] of it.
    pub fn heard(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.heard).into()
    }

    /// The API of this context serves this group and version.
    pub async fn serves(&self, context: &Context, group_version: &str) -> bool {
        self.handle.serves(context, group_version).await
    }

    /// Waits until every context has told of its clusters, or why it can't.
    pub async fn settle(&mut self, deadline: Instant) {
        let contexts: Vec<_> = self.handle.contexts().cloned().collect();
        self.until(deadline, |facts| {
            contexts.iter().all(|context| {
                let failing = facts
                    .sources
                    .get(&SourceId::Kubernetes(context.clone()))
                    .is_some_and(|h| matches!(h.state, SourceState::Failing { .. } | SourceState::Absent(_)));
                facts.nodes.contains_key(context) || failing
            })
        })
        .await;
    }

    /// Looks at these clusters closely and waits until each of their instances has answered every question, or why not.
    pub async fn focus(&mut self, keys: &[ClusterKey], deadline: Instant) {
        self.handle.focus(keys.to_vec());
        let keys = keys.to_vec();
        let by_sql = keys.len() <= sampler::CLUSTERS;
        self.until(deadline, |facts| {
            keys.iter().all(|key| facts.clusters.get(key).is_none_or(|cluster| answered(facts, cluster, by_sql)))
        })
        .await;
    }

    /// Waits until the stores of these clusters were listed, or why not: for as long as a person would, an archive of years
    /// takes longer.
    pub async fn listed(&mut self, keys: &[ClusterKey], deadline: Instant) {
        const PATIENCE: Duration = Duration::from_secs(3);
        if !self.stores || keys.len() > sampler::CLUSTERS {
            return;
        }
        let keys = keys.to_vec();
        self.until(deadline.min(Instant::now() + PATIENCE), |facts| {
            let told = |key: &ClusterKey| {
                let has_one = facts.clusters.get(key).is_some_and(|c| c.archiving.server_name.is_some());
                let state = facts.sources.get(&SourceId::Store(key.clone())).map(|h| &h.state);
                let ended = matches!(state, Some(SourceState::Failing { .. } | SourceState::Absent(_)));
                !has_one || ended || facts.stores.get(key).is_some_and(|s| s.whole)
            };
            keys.iter().all(told)
        })
        .await;
    }

    /// The clusters that a name on the command line means; all of them without one.
    ///
    /// # Errors
    /// No such cluster (with the nearest names), or nothing could be asked.
    pub fn choose(&self, name: Option<&str>) -> Result<Vec<ClusterKey>, Problem> {
        let all: Vec<&ClusterKey> = self.facts.clusters.keys().collect();
        let chosen: Vec<ClusterKey> =
            all.iter().filter(|key| name.is_none_or(|name| means(name, key))).map(|key| (*key).clone()).collect();
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        if let Some(problem) = self.trouble() {
            return Err(problem);
        }
        let Some(name) = name else {
            return Err(Problem::new("no PostgreSQL cluster was found")
                .because("no CNPG cluster is in the namespaces that were looked at")
                .try_this("-A looks into all namespaces, --context into another Kubernetes"));
        };
        let short = name.rsplit('/').next().unwrap_or(name);
        let names: Vec<&str> = all.iter().map(|k| &*k.name).collect();
        let near = nearest(short, names.iter().copied());
        let near: Vec<String> =
            all.iter().filter(|k| near.contains(&&*k.name)).take(3).map(ToString::to_string).collect();
        let hint = match (near.is_empty(), all.len()) {
            (false, _) => format!("did you mean {}?", near.join(" or ")),
            (true, 0) => "there are none; -A looks into all namespaces".to_owned(),
            (true, _) => {
                let some: Vec<_> = all.iter().take(8).map(ToString::to_string).collect();
                format!("there are: {}", some.join(", "))
            }
        };
        Err(Problem::usage(format!("no such cluster: {name}"))
            .because("no cluster of that name was seen")
            .try_this(hint))
    }

    /// Why a context could not be asked.
    fn trouble(&self) -> Option<Problem> {
        const LOOK: &str = "kubectl get clusters.postgresql.cnpg.io -A says more";
        for (id, health) in &self.facts.sources {
            let (SourceId::Kubernetes(context) | SourceId::Watch(context, _)) = id else { continue };
            let clusters =
                matches!(id, SourceId::Kubernetes(_)) || matches!(id, SourceId::Watch(_, kind) if kind == "clusters");
            let (why, hint) = match &health.state {
                SourceState::Failing { why, try_this, .. } => (why.as_str(), try_this.as_deref()),
                SourceState::Absent(why) => (why.as_str(), None),
                SourceState::Connecting => ("no answer in time", Some("--timeout gives it more time")),
                SourceState::Live | SourceState::Late(_) => continue,
            };
            if clusters {
                let problem = Problem::new(format!("the clusters of {context} are not known"));
                return Some(problem.because(why).try_this(hint.unwrap_or(LOOK)));
            }
        }
        None
    }
}

/// `NAME`, `NAMESPACE/NAME` or `CONTEXT:NAMESPACE/NAME`.
pub fn means(said: &str, key: &ClusterKey) -> bool {
    said == &*key.name || said == key.to_string() || said == format!("{}:{key}", key.context)
}

/// Every instance that can be asked has answered, or it is known why not.
fn answered(facts: &Facts, cluster: &Cluster, by_sql: bool) -> bool {
    let told = |id: SourceId| facts.sources.get(&id).is_some_and(|h| matches!(h.state, SourceState::Absent(_)));
    let sql_absent = told(SourceId::Sql(cluster.key.clone()));
    if cluster.jobs.iter().any(|j| !j.done && j.attempt.as_ref().is_some_and(|a| a.words.is_none())) {
        return false;
    }
    cluster.instances.iter().filter(|i| i.pod.as_ref().is_some_and(|p| p.phase == "Running")).all(|instance| {
        let sample = facts.sample(&cluster.key, &instance.name);
        let running = instance.pod.as_ref().is_some_and(|p| p.running);
        sample.is_some_and(|s| {
            s.status.is_some() && s.metrics.is_some() && (!by_sql || !running || sql_absent || s.sql.is_some())
        })
    })
}

/// A moment this far ahead.
pub fn ahead(time: SignedDuration) -> Instant {
    Instant::now() + Duration::try_from(time).unwrap_or(Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_name_a_cluster() {
        let key = ClusterKey::new("aks", "pg", "orders");
        for said in ["orders", "pg/orders", "aks:pg/orders"] {
            assert!(means(said, &key), "{said}");
        }
        for said in ["order", "x/orders", "eks:pg/orders", "pg/", ""] {
            assert!(!means(said, &key), "{said}");
        }
    }
}
