//! What stands around the instances: services, volumes, the lease, certificates, poolers, jobs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::names::{InstanceName, ZoneName};

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
    /// Its identity.
    #[serde(default)]
    pub uid: String,
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

/// A job that builds an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Its identity.
    #[serde(default)]
    pub uid: String,
    /// The instance it builds, where its labels say so.
    #[serde(default)]
    pub instance: Option<InstanceName>,
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
    /// A pod of it waits or runs.
    #[serde(default)]
    pub active: bool,
    /// It failed for good: no further pod is made.
    #[serde(default)]
    pub gave_up: bool,
    /// The pod of it that failed last. It is kept when the pod is gone.
    #[serde(default)]
    pub attempt: Option<Attempt>,
}

impl Job {
    /// It brings a new cluster up from a backup.
    pub fn is_recovery(&self) -> bool {
        matches!(self.role.as_str(), "full-recovery" | "snapshot-recovery")
    }
}

/// A pod of a job that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which attempt it was, from 1.
    pub number: u32,
    /// The pod's name.
    pub pod: String,
    /// The pod's identity.
    pub uid: String,
    /// The container that failed.
    pub container: String,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended, as its pod says: mostly an exit code.
    pub how: String,
    /// What it said of the cause before it ended, or why that is not known. `None`: nobody has looked.
    pub words: Option<Result<String, String>>,
}

impl Attempt {
    /// The cause in words, as far as it is known: its own words, else how it ended.
    pub fn cause(&self) -> String {
        match &self.words {
            Some(Ok(words)) => words.clone(),
            Some(Err(why)) => format!("{} ({why})", self.how),
            None => self.how.clone(),
        }
    }
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
