//! A PostgreSQL cluster as the watched Kubernetes objects describe it, in the field's terms.
//!
//! CNPG and PGO each have one adapter that fills these types; nothing here says which. Every field is optional where an
//! older operator or a missing right may leave it out: `None` is "not told", never a default. What instances say of
//! themselves (`/pg/status`, metrics, SQL) is in [`super::sample`]; how fresh all this is, in [`super::source`].

mod around;
mod backup;
mod instance;
mod platform;
mod promise;

pub use around::*;
pub use backup::*;
pub use instance::*;
pub use platform::*;
pub use promise::*;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::{ClusterKey, InstanceName, ZoneName};
use super::wal::Timeline;

/// Everything the watched objects of one cluster say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Where it is and what it is called.
    pub key: ClusterKey,
    /// The object's identity: a new one means a new cluster under an old name.
    pub uid: String,
    /// The watched object's `resourceVersion` as a number where it is one: which picture is newer.
    pub resource_version: Option<u64>,
    /// Who runs it.
    pub operator: Operator,
    /// The operator's version that last touched it.
    pub operator_version: Option<String>,
    /// PostgreSQL's version as the image or the status names it, such as `17.4`.
    pub postgres_version: Option<String>,
    /// When the object was made.
    pub created: Option<Timestamp>,
    /// Deletion was asked for at this time.
    pub deleting: Option<Timestamp>,
    /// The operator's own summary, word for word. One witness among several.
    pub phase: Option<Phase>,
    /// The operator's conditions.
    pub conditions: Vec<Condition>,
    /// Instances asked for (`spec.instances`).
    pub wanted: Option<u32>,
    /// Instances the operator counts as ready (`status.readyInstances`; absent is not zero).
    pub ready: Option<u32>,
    /// The primary as the operator last confirmed it.
    pub primary: Option<InstanceName>,
    /// Since when.
    pub primary_since: Option<Timestamp>,
    /// The primary as the operator wants it to be.
    pub target: Option<Target>,
    /// Since when.
    pub target_since: Option<Timestamp>,
    /// The timeline in the status. Late in a failover: comes after the promotion.
    pub timeline: Option<Timeline>,
    /// PostgreSQL's system identifier.
    pub system_id: Option<String>,
    /// The instances, from pods and from the status's names, ordered by name.
    pub instances: Vec<Instance>,
    /// What the spec promises about synchronous commit.
    pub sync: SyncPromise,
    /// Which instances are fenced (PostgreSQL down on purpose, pod kept).
    pub fenced: Fenced,
    /// Asked to hibernate, and how far that has come.
    pub hibernation: Option<Hibernation>,
    /// The operator was told to leave this cluster alone (`cnpg.io/reconciliationLoop=disabled`, PGO `spec.paused`).
    pub reconciliation_disabled: bool,
    /// A node maintenance window is open.
    pub maintenance: bool,
    /// In a maintenance window an instance waits for its volume instead of being built anew elsewhere (`reusePVC`).
    #[serde(default)]
    pub reuse_volumes: Option<bool>,
    /// How the primary is restarted when its settings or image change.
    #[serde(default)]
    pub primary_update: PrimaryUpdate,
    /// What was last asked of the operator by annotation: `kubectl.kubernetes.io/restartedAt`, `cnpg.io/reloadedAt`.
    #[serde(default)]
    pub requests: BTreeMap<String, String>,
    /// High-availability slots: their name prefix where they are on (`_cnpg_`).
    pub slot_prefix: Option<String>,
    /// Services that lead to it, with the pods they lead to now.
    pub services: Vec<Service>,
    /// Persistent volume claims of its instances. Shared, as pods are.
    pub volumes: Vec<Arc<Volume>>,
    /// The leader lease (CNPG 1.30) or the Patroni leader record.
    pub lease: Option<Lease>,
    /// Certificates the operator watches, with their end.
    pub certificates: Vec<Certificate>,
    /// How WAL is archived and what the objects say about it.
    pub archiving: Archiving,
    /// Backups as objects know them.
    pub backups: Backups,
    /// Connection poolers in front of it.
    pub poolers: Vec<Pooler>,
    /// Where it follows another cluster instead of taking writes.
    pub replica_of: Option<ReplicaCluster>,
    /// Jobs that build instances (initdb, join, recovery), running or failed.
    pub jobs: Vec<Job>,
    /// Failure-domain keys the spec asks to spread over; the zone key among them means zone spread is promised.
    pub spread_over_zones: Option<SpreadRule>,
    /// The failover-quorum object (CNPG 1.27), where kept.
    pub quorum: Option<FailoverQuorum>,
    /// PostgreSQL parameters of the spec worth showing. Never secrets.
    pub parameters: BTreeMap<String, String>,
    /// Secrets by role, names only: `superuser`, `app`, `ca`. What a tunnel may log in with.
    pub secrets: BTreeMap<String, String>,
    /// What the operator itself complained about: failing pods' reasons, claims that can't be bound, in words.
    pub complaints: Vec<Complaint>,
}

/// The operator's phase and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Word for word.
    pub text: String,
    /// Its reason, where given.
    pub reason: Option<String>,
}

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// `Ready`, `ContinuousArchiving`, …
    pub kind: String,
    /// `True`, `False`, or `Unknown` as `None`.
    pub status: Option<bool>,
    /// The one-word reason.
    pub reason: String,
    /// The message.
    pub message: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Who shall be primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// CNPG's marker `pending`: a failover is decided and the candidate is not.
    Pending,
    /// This instance.
    Instance(InstanceName),
}

impl Cluster {
    /// A cluster of which nothing but its name is known: the start for adapters and tests.
    pub fn named(key: ClusterKey, operator: Operator) -> Self {
        Cluster {
            key,
            uid: String::new(),
            resource_version: None,
            operator,
            operator_version: None,
            postgres_version: None,
            created: None,
            deleting: None,
            phase: None,
            conditions: Vec::new(),
            wanted: None,
            ready: None,
            primary: None,
            primary_since: None,
            target: None,
            target_since: None,
            timeline: None,
            system_id: None,
            instances: Vec::new(),
            sync: SyncPromise::default(),
            fenced: Fenced::None,
            hibernation: None,
            reconciliation_disabled: false,
            maintenance: false,
            reuse_volumes: None,
            primary_update: PrimaryUpdate::default(),
            requests: BTreeMap::new(),
            slot_prefix: None,
            services: Vec::new(),
            volumes: Vec::new(),
            lease: None,
            certificates: Vec::new(),
            archiving: Archiving::default(),
            backups: Backups::default(),
            poolers: Vec::new(),
            replica_of: None,
            jobs: Vec::new(),
            spread_over_zones: None,
            quorum: None,
            parameters: BTreeMap::new(),
            secrets: BTreeMap::new(),
            complaints: Vec::new(),
        }
    }

    /// The instance of that name.
    pub fn instance(&self, name: &InstanceName) -> Option<&Instance> {
        self.instances.iter().find(|i| &i.name == name)
    }

    /// The name of the high-availability slot kept for an instance, where such slots are on: CNPG's prefix and the name
    /// with `-` as `_` (cloudnative-pg `GetSlotNameFromInstanceName`).
    pub fn slot_of(&self, name: &InstanceName) -> Option<String> {
        let prefix = self.slot_prefix.as_ref()?;
        Some(format!("{prefix}{}", name.as_str().to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")))
    }

    /// The condition of that kind.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.kind == kind)
    }

    /// Zones its instances are in now.
    pub fn zones(&self) -> BTreeSet<&ZoneName> {
        self.instances.iter().filter_map(|i| i.zone.as_ref()).collect()
    }
}
