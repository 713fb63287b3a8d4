//! A PostgreSQL cluster as the watched Kubernetes objects describe it, in the field's terms.
//!
//! CNPG and PGO each have one adapter that fills these types; nothing here says which. Every field is optional where an
//! older operator or a missing right may leave it out: `None` is "not told", never a default. What instances say of
//! themselves (`/pg/status`, metrics, SQL) is in [`super::sample`]; how fresh all this is, in [`super::source`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::names::{ClusterKey, Context, InstanceName, NodeName, ZoneName};
use super::wal::Timeline;

/// Who runs the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// CloudNativePG.
    Cnpg,
    /// Crunchy Postgres for Kubernetes.
    Pgo,
}

impl Operator {
    /// The short name shown in tables.
    pub fn short(self) -> &'static str {
        match self {
            Operator::Cnpg => "cnpg",
            Operator::Pgo => "pgo",
        }
    }
}

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
    /// High-availability slots: their name prefix where they are on (`_cnpg_`).
    pub slot_prefix: Option<String>,
    /// Services that lead to it, with the pods they lead to now.
    pub services: Vec<Service>,
    /// Persistent volume claims of its instances.
    pub volumes: Vec<Volume>,
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

/// What a label or the operator says an instance is. Not what it is: that is asked of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Takes writes.
    Primary,
    /// Follows.
    Replica,
    /// CNPG 1.30: was primary, is being taken down.
    Unhealthy,
    /// Another word.
    Other,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: InstanceName,
    /// The role its pod is labelled with.
    pub role: Option<Role>,
    /// Its pod, where one exists.
    pub pod: Option<Pod>,
    /// The zone of its pod's node, joined through the node's label.
    pub zone: Option<ZoneName>,
}

/// What is shown and judged of a pod.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its identity: a pod made again under the same name is another one.
    pub uid: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// The Ready condition.
    pub ready: bool,
    /// Since when it is (not) ready.
    pub ready_since: Option<Timestamp>,
    /// The PostgreSQL container is running.
    pub running: bool,
    /// Restarts of the PostgreSQL container.
    pub restarts: u32,
    /// Why it waits or ended: `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`, with the message.
    pub trouble: Option<String>,
    /// The node it is on.
    pub node: Option<NodeName>,
    /// Its address.
    pub ip: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When the PostgreSQL container started.
    pub started: Option<Timestamp>,
    /// Deletion was asked for: the time it must be gone by.
    pub deleting: Option<Timestamp>,
    /// The container that holds PostgreSQL (`postgres`, `database`).
    pub container: String,
    /// `/pg/status` speaks TLS.
    pub status_tls: bool,
    /// `/metrics` speaks TLS.
    pub metrics_tls: bool,
    /// Memory and CPU limit of the PostgreSQL container, as written.
    pub limits: BTreeMap<String, String>,
}

/// What the spec promises about synchronous commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPromise {
    /// `ANY` or `FIRST`; `None` without a promise or in the old min/max form.
    pub method: Option<String>,
    /// Standbys that must confirm (`number`; in the old form `minSyncReplicas`). 0: asynchronous.
    pub number: u32,
    /// `dataDurability: preferred`, or the old form: falls back to asynchronous when standbys are missing.
    pub preferred: bool,
    /// A failover asks for a quorum first (`failoverQuorum`).
    pub failover_quorum: bool,
}

/// Which instances are fenced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fenced {
    /// None.
    #[default]
    None,
    /// These.
    Some(BTreeSet<InstanceName>),
    /// `*`: all.
    All,
}

impl Fenced {
    /// Is this instance fenced?
    pub fn covers(&self, name: &InstanceName) -> bool {
        match self {
            Fenced::None => false,
            Fenced::Some(names) => names.contains(name),
            Fenced::All => true,
        }
    }
}

/// How far hibernation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hibernation {
    /// Asked for; pods are still going.
    Going,
    /// Done: no pod runs, on purpose.
    Hibernated,
}

/// A service and where it leads now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: ServicePurpose,
    /// `ClusterIP`, `LoadBalancer`, …
    pub kind: String,
    /// Addresses from outside, for load balancers.
    pub external: Vec<String>,
    /// Ports.
    pub ports: Vec<u16>,
    /// Pods that get its traffic now (ready endpoints). `None`: endpoints can't be read.
    pub leads_to: Option<Vec<InstanceName>>,
}

/// What a service is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServicePurpose {
    /// `-rw`, `-primary`: writes.
    ReadWrite,
    /// `-ro`, `-replicas`: standbys only.
    ReadOnly,
    /// `-r`: any instance.
    Read,
    /// A pooler or another one.
    Other,
}

/// A persistent volume claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The claim's name.
    pub name: String,
    /// The instance it belongs to.
    pub instance: Option<InstanceName>,
    /// What is on it.
    pub purpose: VolumePurpose,
    /// Bytes asked for.
    pub requested: Option<u64>,
    /// Bytes given.
    pub capacity: Option<u64>,
    /// `Bound`, `Pending`, `Lost`.
    pub phase: String,
    /// Its storage class.
    pub class: Option<String>,
    /// No instance uses it (`status.danglingPVC`).
    pub dangling: bool,
    /// The zone it is bound to, where its volume says so.
    pub zone: Option<ZoneName>,
}

/// What is on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumePurpose {
    /// The data directory.
    Data,
    /// `pg_wal` on a volume of its own.
    Wal,
    /// A tablespace, a repository or something else.
    Other,
}

/// The leader's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it; empty is released.
    pub holder: Option<InstanceName>,
    /// Seconds it is good for.
    pub duration_s: u32,
    /// Since when this holder.
    pub acquired: Option<Timestamp>,
    /// Last renewed.
    pub renewed: Option<Timestamp>,
    /// How often it changed hands.
    pub transitions: Option<u32>,
}

/// A certificate and its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The secret that holds it.
    pub name: String,
    /// When it stops being valid.
    pub expires: Timestamp,
}

/// How WAL leaves the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archiving {
    /// By what: `None` means no object says that WAL goes anywhere.
    pub by: Option<Archiver>,
    /// `cnpg.io/skipWalArchiving=enabled`.
    pub skipped: bool,
    /// Where to, without credentials.
    pub destination: Option<String>,
    /// The server name in the store.
    pub server_name: Option<String>,
}

/// The program that archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archiver {
    /// CNPG's in-tree `barmanObjectStore`.
    InTreeBarman,
    /// A CNPG-I plugin, by name.
    Plugin(String),
    /// pgBackRest.
    PgBackRest,
}

/// Backups as the objects know them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backups {
    /// The earliest moment a restore can reach, as told.
    pub first_recoverability_point: Option<Timestamp>,
    /// When the last good one ended.
    pub last_successful: Option<Timestamp>,
    /// When the last failed one ended.
    pub last_failed: Option<Timestamp>,
    /// Backup objects, newest first, at most the 50 newest.
    pub objects: Vec<BackupObject>,
    /// Schedules.
    pub schedules: Vec<Schedule>,
    /// The objects above could be listed. `false`: forbidden or missing, so "no backup" is not known.
    pub listed: bool,
}

/// One backup object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupObject {
    /// Its name.
    pub name: String,
    /// Its phase, word for word (`completed`, `failed`, `walArchivingFailing`, …).
    pub phase: Option<String>,
    /// `barmanObjectStore`, `volumeSnapshot`, `plugin`, …
    pub method: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub stopped: Option<Timestamp>,
    /// First WAL segment it needs.
    pub begin_wal: Option<String>,
    /// Last WAL segment it needs: without it in the archive, it can't be restored.
    pub end_wal: Option<String>,
    /// The error, where it failed.
    pub error: Option<String>,
}

/// A backup schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// The cron expression (CNPG: six fields, seconds first; PGO: five).
    pub cron: String,
    /// Not running now, on purpose.
    pub suspended: bool,
    /// When it last made a backup.
    pub last: Option<Timestamp>,
    /// When it will make the next one.
    pub next: Option<Timestamp>,
}

/// A connection pooler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pooler {
    /// Its name.
    pub name: String,
    /// `rw`, `ro`, `r`.
    pub kind: String,
    /// Instances asked for.
    pub wanted: Option<u32>,
    /// Instances ready.
    pub ready: Option<u32>,
    /// `session` or `transaction`.
    pub mode: Option<String>,
    /// Connections are held back (`spec.pgbouncer.paused`).
    pub paused: bool,
}

/// A cluster that follows another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaCluster {
    /// The name of its source.
    pub source: String,
    /// It follows now; `false` while it is being promoted or after.
    pub enabled: bool,
}

/// A job that builds an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// `initdb`, `join`, `full-recovery`, …
    pub role: String,
    /// Pods of it that failed so far.
    pub failed: u32,
    /// It has ended well.
    pub done: bool,
    /// Why its pod waits or failed.
    pub trouble: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// Spread over zones, as the spec asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpreadRule {
    /// A pod that would break it is not scheduled.
    Required,
    /// Best effort.
    Preferred,
}

/// CNPG's `FailoverQuorum` object: the state the operator would decide a failover on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverQuorum {
    /// `ANY` or `FIRST`.
    pub method: String,
    /// W: standbys that confirm a commit.
    pub number: u32,
    /// The candidates.
    pub standbys: Vec<InstanceName>,
    /// The primary it was written by.
    pub primary: Option<InstanceName>,
}

/// Something an object says is wrong, in words: an event-like complaint with its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// The object, as `Kind/name`.
    pub object: String,
    /// The short reason (`FailedScheduling`, `ErrImageNeverPull`).
    pub reason: String,
    /// The message, cleaned and cut.
    pub message: String,
    /// When it was last said.
    pub at: Option<Timestamp>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Its zone.
    pub zone: Option<ZoneName>,
    /// Its Ready condition; `None` is Unknown (the kubelet no longer reports).
    pub ready: Option<bool>,
    /// Cordoned.
    pub unschedulable: bool,
    /// `workload=postgres` and other labels worth telling nodes apart by.
    pub workload: Option<String>,
    /// The kubelet's version.
    pub version: Option<String>,
    /// Pressure conditions that are true (`DiskPressure`, …).
    pub pressure: Vec<String>,
    /// The AKS or EKS pool it belongs to.
    pub pool: Option<String>,
}

/// An operator's own deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorState {
    /// Which operator.
    pub operator: Operator,
    /// The context it runs in.
    pub context: Context,
    /// Namespace and name of its deployment.
    pub deployment: String,
    /// Its version, from the image's tag.
    pub version: Option<String>,
    /// Pods wanted and available.
    pub wanted: u32,
    /// Available now.
    pub available: u32,
    /// Its webhook refuses or does not answer, in words.
    pub webhook_trouble: Option<String>,
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

    /// The condition of that kind.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.kind == kind)
    }

    /// Zones its instances are in now.
    pub fn zones(&self) -> BTreeSet<&ZoneName> {
        self.instances.iter().filter_map(|i| i.zone.as_ref()).collect()
    }
}
