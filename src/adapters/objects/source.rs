//! Tells of the stores of the clusters on screen: one source per cluster that has an archive.
//!
//! It begins when a cluster is looked at, not with a page of a fleet ([`CLUSTERS`]), and goes on at a slow pace when nobody
//! looks any more, so that whoever comes back sees the last word at once. Everything is listed first, then what is new,
//! and from time to time everything again: what was removed shows only then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::find;
use super::reader::Reader;
use crate::adapters::inbox::Outbox;
use crate::adapters::kubernetes::client::Clients;
use crate::adapters::kubernetes::gather::Pictures;
use crate::adapters::kubernetes::probes::Focus;
use crate::adapters::postgres::sampler::CLUSTERS;
use crate::adapters::supervisor::{Ended, Pulse, Source, Wakers, supervise};
use crate::domain::backup::StoreListing;
use crate::domain::cluster::Cluster;
use crate::domain::facts::Fact;
use crate::domain::names::ClusterKey;
use crate::domain::source::SourceId;

/// How often what is new is listed while nobody looks.
const SELDOM: Duration = Duration::from_secs(600);
/// What is new is listed this soon after the last listing where a backup of the cluster began, went on or ended.
const SOON: Duration = Duration::from_secs(2);
/// Everything is listed again after this time, and after this many times of what it takes.
const EVERYTHING: Duration = Duration::from_secs(900);
const TIMES: u32 = 20;
/// How far a long listing is, is told no more often than this.
const TOLD: Duration = Duration::from_millis(500);

/// The stores of one context.
pub struct Stores {
    /// The context's client.
    pub clients: Clients,
    /// Its clusters.
    pub pictures: watch::Receiver<Pictures>,
    /// What is on screen.
    pub focus: watch::Receiver<Focus>,
    /// Where listings go.
    pub outbox: Outbox,
    /// Wakes sources that wait.
    pub wakers: Wakers,
    /// How often what is new is listed of a cluster on screen.
    pub every: Duration,
}

/// What an archive is known by: another one is another source.
type Whose = (String, Option<String>, Option<String>);

/// Whose archive a cluster has; `None`: it has none.
fn whose(cluster: &Cluster) -> Option<Whose> {
    let archiving = &cluster.archiving;
    let server = archiving.server_name.clone()?;
    Some((cluster.uid.clone(), Some(server), archiving.destination.clone()))
}

impl Stores {
    /// Tells until dropped.
    pub async fn run(mut self) {
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<ClusterKey, (Whose, AbortHandle)> = BTreeMap::new();
        loop {
            let pictures = self.pictures.borrow_and_update().clone();
            let focus = self.focus.borrow_and_update().clone();
            let now = |key: &ClusterKey| pictures.get(key).and_then(|c| whose(c));
            running.retain(|key, (then, task)| {
                let keep = now(key).as_ref() == Some(then);
                if !keep {
                    task.abort();
                }
                keep
            });
            for key in focus.iter().filter(|_| focus.len() <= CLUSTERS) {
                let Some(whose) = now(key).filter(|_| !running.contains_key(key)) else { continue };
                let source = self.source(key);
                let task = tasks.spawn(supervise(source, self.outbox.clone(), self.wakers.clone()));
                running.insert(key.clone(), (whose, task));
            }
            let changed = tokio::select! {
                changed = self.pictures.changed() => changed,
                changed = self.focus.changed() => changed,
                Some(_) = tasks.join_next() => Ok(()),
            };
            if changed.is_err() {
                return;
            }
        }
    }

    fn source(&self, key: &ClusterKey) -> StoreSource {
        StoreSource {
            key: key.clone(),
            clients: self.clients.clone(),
            pictures: self.pictures.clone(),
            focus: self.focus.clone(),
            outbox: self.outbox.clone(),
            wakers: self.wakers.clone(),
            every: self.every,
            reader: None,
        }
    }
}

/// The store of one cluster.
struct StoreSource {
    key: ClusterKey,
    clients: Clients,
    pictures: watch::Receiver<Pictures>,
    focus: watch::Receiver<Focus>,
    outbox: Outbox,
    wakers: Wakers,
    every: Duration,
    reader: Option<Reader>,
}

/// How far each backup is, by name.
type Stage = Vec<(String, Option<String>)>;

impl StoreSource {
    fn stage(&mut self) -> Stage {
        let pictures = self.pictures.borrow_and_update();
        let objects = pictures.get(&self.key).into_iter().flat_map(|c| &c.backups.objects);
        objects.map(|o| (o.name.clone(), o.phase.clone())).collect()
    }

    /// Waits until it is time to list again.
    async fn pause(&mut self, waker: &tokio::sync::Notify, before: &Stage) {
        let looked = tokio::time::Instant::now();
        loop {
            let on_screen = self.focus.borrow_and_update().contains(&self.key);
            let pause = match on_screen {
                true if self.stage() != *before => SOON.min(self.every),
                true => self.every,
                false => self.every.max(SELDOM),
            };
            let changed = tokio::select! {
                () = tokio::time::sleep_until(looked + pause) => return,
                () = waker.notified() => return,
                changed = self.focus.changed() => changed,
                changed = self.pictures.changed() => changed,
            };
            if changed.is_err() {
                // The context is let go, and this with it.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Source for StoreSource {
    fn id(&self) -> SourceId {
        SourceId::Store(self.key.clone())
    }

    fn late_after(&self) -> Duration {
        // A store that does not answer fails by its own times; this is for one that answers ever so slowly.
        SELDOM.max(self.every) + Duration::from_secs(120)
    }

    fn pauses(&self) -> (Duration, Duration) {
        // Each try reads the spec and its secrets anew.
        (Duration::from_secs(2), Duration::from_secs(60))
    }

    async fn tell(&mut self, pulse: &Pulse) -> Ended {
        let (store, place) = match find::opened(&self.clients, &self.key).await {
            Ok(opened) => opened,
            Err(problem) => return Ended::Failed(problem),
        };
        match &mut self.reader {
            Some(reader) => reader.through(store, place),
            None => self.reader = Some(Reader::new(store, place)),
        }
        let waker = self.wakers.of(&self.id());
        loop {
            let before = self.stage();
            let told = Teller { key: &self.key, outbox: &self.outbox, pulse };
            let Some(reader) = &mut self.reader else { return Ended::Absent("it was not opened".into()) };
            if let Err(problem) = told.list(reader).await {
                return Ended::Failed(problem);
            }
            self.pause(&waker, &before).await;
        }
    }
}

/// Where a listing is told.
struct Teller<'a> {
    key: &'a ClusterKey,
    outbox: &'a Outbox,
    pulse: &'a Pulse,
}

impl Teller<'_> {
    /// Lists what is new, or everything where that is due. On the way only a first listing is told: a later one would
    /// know less than the one before it.
    async fn list(&self, reader: &mut Reader) -> Result<(), crate::problem::Problem> {
        let due = reader.whole().is_none_or(|(ago, took)| ago >= EVERYTHING.max(took.saturating_mul(TIMES)));
        let first = reader.known().is_none();
        let mut last = Instant::now();
        let on_the_way = |listing: &StoreListing| {
            self.pulse.proven();
            if first && last.elapsed() >= TOLD {
                last = Instant::now();
                self.tell(listing);
            }
        };
        let listing = if due { reader.everything(on_the_way).await? } else { reader.news(on_the_way).await? };
        self.pulse.proven();
        self.tell(listing);
        Ok(())
    }

    fn tell(&self, listing: &StoreListing) {
        self.outbox.publish(Fact::Store(self.key.clone(), Arc::new(listing.clone())));
    }
}
