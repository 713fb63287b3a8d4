//! Everything known now, one value per key: facts replace.
//!
//! Sources publish [`Fact`]s; the console and the command line absorb them into [`Facts`] and read only that.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::backup::catalog::{Catalog, Kept, Witnesses};
use super::backup::{SeenAgain, StoreListing};
use super::cluster::{Cluster, Node, OperatorState};
use super::fault::Standing;
use super::heartbeat::Pulse;
use super::names::{ClusterKey, Context, InstanceName};
use super::replication::Standby;
use super::sample::{InstanceStatus, MetricsSample, Probe, SqlSample};
use super::source::{SourceHealth, SourceId};
use super::wal::WalName;

/// Something learned. A later fact of the same key replaces an earlier one, read or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// How a source is doing.
    Source(SourceId, SourceHealth),
    /// The picture of a cluster.
    Cluster(Arc<Cluster>),
    /// The cluster is gone.
    ClusterGone(ClusterKey),
    /// All nodes of a context.
    Nodes(Context, Arc<Vec<Node>>),
    /// The operators of a context. An empty list: none found; no fact: not known.
    Operators(Context, Arc<Vec<OperatorState>>),
    /// An answer of `/pg/status`.
    Status(ClusterKey, InstanceName, Arc<Probe<InstanceStatus>>),
    /// An answer of `/metrics`.
    Metrics(ClusterKey, InstanceName, Arc<Probe<MetricsSample>>),
    /// An answer by SQL.
    Sql(ClusterKey, InstanceName, Arc<Probe<SqlSample>>),
    /// A drill's heartbeat so far. At most ten a second while it beats; the last one stays.
    Heartbeat(ClusterKey, Arc<Pulse>),
    /// The faults that stand in a context that is a lab. No fact: it is none, as far as is known.
    Faults(Context, Arc<Vec<Standing>>),
    /// What a cluster's object store held when it was last listed. No fact: it is not known; the health of
    /// [`SourceId::Store`] says why.
    Store(ClusterKey, Arc<StoreListing>),
    /// The store was listed again and holds what it held. Only recordings tell it so: it follows the listing it is about.
    StoreAgain(ClusterKey, SeenAgain),
}

/// What a fact is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKey {
    /// See [`Fact::Source`].
    Source(SourceId),
    /// See [`Fact::Cluster`] and [`Fact::ClusterGone`].
    Cluster(ClusterKey),
    /// See [`Fact::Nodes`].
    Nodes(Context),
    /// See [`Fact::Operators`].
    Operators(Context),
    /// See [`Fact::Status`].
    Status(ClusterKey, InstanceName),
    /// See [`Fact::Metrics`].
    Metrics(ClusterKey, InstanceName),
    /// See [`Fact::Sql`].
    Sql(ClusterKey, InstanceName),
    /// See [`Fact::Heartbeat`].
    Heartbeat(ClusterKey),
    /// See [`Fact::Faults`].
    Faults(Context),
    /// See [`Fact::Store`].
    Store(ClusterKey),
}

impl Fact {
    /// What it is about.
    pub fn key(&self) -> FactKey {
        match self {
            Fact::Source(id, _) => FactKey::Source(id.clone()),
            Fact::Cluster(c) => FactKey::Cluster(c.key.clone()),
            Fact::ClusterGone(k) => FactKey::Cluster(k.clone()),
            Fact::Nodes(c, _) => FactKey::Nodes(c.clone()),
            Fact::Operators(c, _) => FactKey::Operators(c.clone()),
            Fact::Status(k, i, _) => FactKey::Status(k.clone(), i.clone()),
            Fact::Metrics(k, i, _) => FactKey::Metrics(k.clone(), i.clone()),
            Fact::Sql(k, i, _) => FactKey::Sql(k.clone(), i.clone()),
            Fact::Heartbeat(k, _) => FactKey::Heartbeat(k.clone()),
            Fact::Faults(c, _) => FactKey::Faults(c.clone()),
            Fact::Store(k, _) | Fact::StoreAgain(k, _) => FactKey::Store(k.clone()),
        }
    }

    /// The cluster it tells of, where it tells of one.
    pub fn cluster(&self) -> Option<&ClusterKey> {
        match self {
            Fact::Cluster(c) => Some(&c.key),
            Fact::ClusterGone(k)
            | Fact::Status(k, ..)
            | Fact::Metrics(k, ..)
            | Fact::Sql(k, ..)
            | Fact::Heartbeat(k, _)
            | Fact::Store(k, _)
            | Fact::StoreAgain(k, _) => Some(k),
            Fact::Source(id, _) if id.cluster().is_some() => id.cluster(),
            Fact::Source(..) | Fact::Nodes(..) | Fact::Operators(..) | Fact::Faults(..) => None,
        }
    }
}

/// What instances of one cluster last said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// `/pg/status`.
    pub status: Option<Arc<Probe<InstanceStatus>>>,
    /// `/metrics`.
    pub metrics: Option<Arc<Probe<MetricsSample>>>,
    /// SQL.
    pub sql: Option<Arc<Probe<SqlSample>>>,
    /// The last `/pg/status` that was an answer: the newest one, or what it said before it fell silent.
    pub last_status: Option<Arc<Probe<InstanceStatus>>>,
    /// The last SQL that was an answer.
    pub last_sql: Option<Arc<Probe<SqlSample>>>,
    /// Since when every question was left without an answer; `None` while one is answered, or none was asked.
    pub silent_since: Option<Timestamp>,
    /// When a primary last counted it among those that stream.
    pub streamed: Option<Timestamp>,
    /// Since when WAL waits for the archive and none leaves, and which segment left last. `None`: none waits.
    pub unarchived: Option<(Timestamp, Option<String>)>,
}

impl Samples {
    /// WAL waits behind the segment that was archived last, or none waits. What waits behind another one than before has
    /// only begun to.
    fn archives(&mut self, at: Timestamp, waits: bool, last: Option<&str>) {
        let since = self.unarchived.take().filter(|(_, before)| before.as_deref() == last).map(|(since, _)| since);
        self.unarchived = waits.then(|| (since.unwrap_or(at), last.map(str::to_owned)));
    }

    fn heard(&mut self, at: Timestamp, answered: bool) {
        self.silent_since = if answered { None } else { self.silent_since.or(Some(at)) };
    }
}

/// Everything known now.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Clusters by key.
    pub clusters: BTreeMap<ClusterKey, Arc<Cluster>>,
    /// What instances said, by cluster and instance.
    pub samples: BTreeMap<ClusterKey, BTreeMap<InstanceName, Samples>>,
    /// Nodes by context.
    pub nodes: BTreeMap<Context, Arc<Vec<Node>>>,
    /// Operators by context.
    pub operators: BTreeMap<Context, Arc<Vec<OperatorState>>>,
    /// How each source is doing.
    pub sources: BTreeMap<SourceId, SourceHealth>,
    /// Heartbeats of drills, by cluster.
    pub heartbeats: BTreeMap<ClusterKey, Arc<Pulse>>,
    /// Faults that stand, by context; an entry says that the context is a lab.
    pub faults: BTreeMap<Context, Arc<Vec<Standing>>>,
    /// Object stores as last listed, by cluster.
    pub stores: BTreeMap<ClusterKey, Arc<StoreListing>>,
    catalogs: Kept,
}

impl Facts {
    /// Takes a fact in. Says whether anything is different now.
    pub fn absorb(&mut self, fact: Fact) -> bool {
        match fact {
            Fact::Source(id, health) => self.sources.insert(id, health.clone()).as_ref() != Some(&health),
            Fact::Cluster(c) => self.cluster(c),
            Fact::ClusterGone(key) => {
                self.samples.remove(&key);
                self.heartbeats.remove(&key);
                self.stores.remove(&key);
                self.catalogs.forget(&key);
                self.sources.retain(|id, _| id.cluster() != Some(&key));
                self.clusters.remove(&key).is_some()
            }
            Fact::Heartbeat(key, pulse) => self.heartbeats.insert(key, pulse.clone()).as_ref() != Some(&pulse),
            Fact::Store(key, listing) => self.stores.insert(key, listing.clone()).as_ref() != Some(&listing),
            Fact::StoreAgain(key, again) => {
                let Some(known) = self.stores.get_mut(&key) else { return false };
                *known = Arc::new(known.seen_again(&again));
                true
            }
            Fact::Faults(context, all) => self.faults.insert(context, all.clone()).as_ref() != Some(&all),
            Fact::Nodes(context, nodes) => self.nodes.insert(context, nodes.clone()).as_ref() != Some(&nodes),
            Fact::Operators(context, ops) => self.operators.insert(context, ops.clone()).as_ref() != Some(&ops),
            Fact::Status(k, i, probe) => self.status(&k, i, probe),
            Fact::Metrics(k, i, probe) => {
                let Some(slot) = self.slot(k, i) else { return false };
                slot.metrics = Some(probe);
                true
            }
            Fact::Sql(k, i, probe) => self.sql(&k, i, probe),
        }
    }

    fn cluster(&mut self, c: Arc<Cluster>) -> bool {
        let old = self.clusters.get(&c.key);
        if old.is_some_and(|old| old.uid != c.uid) {
            // A new cluster under an old name: what the old one's instances said is not about it.
            self.samples.remove(&c.key);
        }
        if let Some(samples) = self.samples.get_mut(&c.key) {
            let pod =
                |c: &Cluster, name: &InstanceName| c.instance(name).and_then(|i| i.pod.as_ref()).map(|p| p.uid.clone());
            // A pod made again under an old name is another one: what the old one said is not about it.
            samples
                .retain(|name, _| c.instance(name).is_some() && old.is_none_or(|old| pod(old, name) == pod(&c, name)));
        }
        self.clusters.insert(c.key.clone(), c.clone()).as_ref() != Some(&c)
    }

    fn status(&mut self, key: &ClusterKey, instance: InstanceName, probe: Arc<Probe<InstanceStatus>>) -> bool {
        let Some(slot) = self.slot(key.clone(), instance) else { return false };
        slot.heard(probe.at, probe.answer.is_ok());
        if probe.answer.is_ok() {
            slot.last_status = Some(probe.clone());
        }
        slot.status = Some(probe.clone());
        if let Some((s, ready)) = probe.value().and_then(|s| Some((s, s.ready_wal_files?)))
            && s.is_primary == Some(true)
        {
            slot.archives(probe.at, ready > 0, s.last_archived.as_ref().map(|(wal, _)| wal.as_str()));
        }
        if let Some(s) = probe.value().filter(|s| s.is_primary == Some(true)) {
            self.streaming(key, probe.at, s.standbys.as_deref().unwrap_or_default());
        }
        true
    }

    fn sql(&mut self, key: &ClusterKey, instance: InstanceName, probe: Arc<Probe<SqlSample>>) -> bool {
        let Some(slot) = self.slot(key.clone(), instance) else { return false };
        slot.heard(probe.at, probe.answer.is_ok());
        if probe.answer.is_ok() {
            slot.last_sql = Some(probe.clone());
        }
        slot.sql = Some(probe.clone());
        if let Some((a, ready)) = probe.value().and_then(|s| s.archiver.as_ref()).and_then(|a| Some((a, a.ready?))) {
            slot.archives(probe.at, ready > 0, a.last_archived.as_ref().map(|(wal, _)| wal.as_str()));
        }
        if let Some(s) = probe.value().filter(|s| !s.in_recovery) {
            self.streaming(key, probe.at, &s.standbys);
        }
        true
    }

    /// The samples of an instance that exists: an answer that comes after its instance went is dropped.
    fn slot(&mut self, key: ClusterKey, instance: InstanceName) -> Option<&mut Samples> {
        self.clusters.get(&key)?.instance(&instance)?;
        Some(self.samples.entry(key).or_default().entry(instance).or_default())
    }

    /// A primary counted its standbys: remembers who streamed when.
    fn streaming(&mut self, key: &ClusterKey, at: Timestamp, rows: &[Standby]) {
        for row in rows.iter().filter(|r| r.state.as_deref() == Some("streaming")) {
            if let Some(slot) = self.slot(key.clone(), InstanceName::from(&row.name)) {
                slot.streamed = slot.streamed.max(Some(at));
            }
        }
    }

    /// What an instance last said.
    pub fn sample(&self, key: &ClusterKey, instance: &InstanceName) -> Option<&Samples> {
        self.samples.get(key)?.get(instance)
    }

    /// The catalog of a cluster's backups. `archived`: the last segment its primary says it archived, and when.
    pub fn catalog(
        &self,
        cluster: &Cluster,
        archived: Option<(WalName, Option<Timestamp>)>,
        now: Timestamp,
    ) -> Arc<Catalog> {
        let known = self.clusters.get(&cluster.key).filter(|known| std::ptr::eq(Arc::as_ptr(known), cluster));
        // Of half a listing nothing can be told.
        let listing = self.stores.get(&cluster.key).filter(|l| l.whole);
        let own = Witnesses { archived, ..Witnesses::of(cluster, listing.map(Arc::as_ref)) };
        match (known, listing) {
            (Some(cluster), Some(listing)) => self.catalogs.get(cluster, listing, &own, now),
            _ => Arc::new(Catalog::assemble(&own, now)),
        }
    }

    /// The node an instance's pod is on.
    pub fn node_of(&self, cluster: &Cluster, instance: &InstanceName) -> Option<&Node> {
        let name = cluster.instance(instance)?.pod.as_ref()?.node.as_ref()?;
        let nodes = self.nodes.get(&cluster.key.context)?;
        // A watch tells them by name; whoever else does may not.
        let place = nodes.binary_search_by(|n| n.name.cmp(name)).ok();
        place.and_then(|place| nodes.get(place)).or_else(|| nodes.iter().find(|n| n.name == *name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cluster::{Instance, Operator};
    use super::*;
    use jiff::SignedDuration;

    fn cluster(uid: &str, instances: &[&str]) -> Arc<Cluster> {
        let mut c = Cluster::named(ClusterKey::new("lab", "pg", "demo"), Operator::Cnpg);
        c.uid = uid.into();
        c.instances =
            instances.iter().map(|n| Instance { name: n.into(), role: None, pod: None, zone: None }).collect();
        Arc::new(c)
    }

    fn status(c: &Cluster, instance: &str) -> Fact {
        let probe =
            Probe { at: Timestamp::UNIX_EPOCH, took: SignedDuration::ZERO, answer: Ok(InstanceStatus::default()) };
        Fact::Status(c.key.clone(), instance.into(), Arc::new(probe))
    }

    #[test]
    fn the_same_fact_changes_nothing() {
        let mut facts = Facts::default();
        assert!(facts.absorb(Fact::Cluster(cluster("a", &["demo-1"]))));
        assert!(!facts.absorb(Fact::Cluster(cluster("a", &["demo-1"]))));
    }

    #[test]
    fn answers_of_vanished_instances_are_dropped() {
        let mut facts = Facts::default();
        let c = cluster("a", &["demo-1", "demo-2"]);
        facts.absorb(Fact::Cluster(c.clone()));
        assert!(facts.absorb(status(&c, "demo-2")));
        facts.absorb(Fact::Cluster(cluster("a", &["demo-1"])));
        assert!(facts.sample(&c.key, &"demo-2".into()).is_none());
        assert!(!facts.absorb(status(&c, "demo-2")));
    }

    #[test]
    fn a_new_cluster_under_an_old_name_starts_without_samples() {
        let mut facts = Facts::default();
        let c = cluster("a", &["demo-1"]);
        facts.absorb(Fact::Cluster(c.clone()));
        facts.absorb(status(&c, "demo-1"));
        facts.absorb(Fact::Cluster(cluster("b", &["demo-1"])));
        assert!(facts.sample(&c.key, &"demo-1".into()).is_none());
    }

    #[test]
    fn a_cluster_and_its_going_share_a_key() {
        let c = cluster("a", &[]);
        assert_eq!(Fact::Cluster(c.clone()).key(), Fact::ClusterGone(c.key.clone()).key());
    }
}
