//! Instances and their pods.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::domain::names::{InstanceName, NodeName, ZoneName};

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
    /// Its pod, where one exists. Shared with whoever watches it: ten thousand of them are kept once, and a new picture
    /// of a cluster copies none.
    pub pod: Option<Arc<Pod>>,
    /// The zone of its pod's node, joined through the node's label.
    pub zone: Option<ZoneName>,
}

/// What is shown and judged of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Limits of the PostgreSQL container as written: `cpu 2, memory 8Gi`.
    #[serde(default)]
    pub limits: Option<Box<str>>,
}
