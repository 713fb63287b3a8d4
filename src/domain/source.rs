//! Where truth comes from and how old it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::names::{ClusterKey, Context, InstanceName};

/// A source of facts. Its health is itself a fact.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceId {
    /// The watches of one context.
    Kubernetes(Context),
    /// One kind's watch in one context, such as `pods` or `leases`.
    Watch(Context, String),
    /// `/pg/status` of one cluster.
    Status(ClusterKey),
    /// `/metrics` of one cluster.
    Metrics(ClusterKey),
    /// SQL in one cluster.
    Sql(ClusterKey),
    /// The object store of one cluster.
    Store(ClusterKey),
    /// Something named: a recording, a lab.
    Other(String),
}

impl SourceId {
    /// The one cluster it tells of; `None` where it tells of more.
    pub fn cluster(&self) -> Option<&ClusterKey> {
        match self {
            SourceId::Status(k) | SourceId::Metrics(k) | SourceId::Sql(k) | SourceId::Store(k) => Some(k),
            SourceId::Kubernetes(_) | SourceId::Watch(..) | SourceId::Other(_) => None,
        }
    }
}

/// How a source is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHealth {
    /// Its state.
    pub state: SourceState,
    /// The last moment it was proven alive: an answer, an event, a bookmark. An unchanged object sends nothing, so a
    /// watched value is as fresh as this.
    pub proven: Option<Timestamp>,
}

/// States of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    /// Not yet answered.
    Connecting,
    /// Answers.
    Live,
    /// Should have answered and has not, since this time.
    Late(Timestamp),
    /// Fails, for this reason, and is tried again at that time.
    Failing {
        /// In words, cleaned.
        why: String,
        /// The next attempt.
        again_at: Timestamp,
        /// What a person could do about it, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        try_this: Option<String>,
    },
    /// Can't be had here: a missing right or API, in words. Tried again seldom, or when asked.
    Absent(String),
}

/// How the reason of a kind begins that this Kubernetes does not know: nothing is wrong with that.
pub const NOT_INSTALLED: &str = "this Kubernetes has no";

impl SourceState {
    /// It is of something that is not installed here.
    pub fn is_not_installed(&self) -> bool {
        matches!(self, SourceState::Absent(why) if why.starts_with(NOT_INSTALLED))
    }
}

/// Who said something. Every reason of a verdict names one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// The watched cluster object: its status, spec or annotations.
    ClusterObject,
    /// A watched pod.
    Pod(InstanceName),
    /// Another watched object, as `Kind/name`.
    Object(String),
    /// A node.
    Node(String),
    /// `/pg/status` of an instance.
    Status(InstanceName),
    /// `/metrics` of an instance.
    Metrics(InstanceName),
    /// SQL on an instance, naming the view.
    Sql(InstanceName, String),
    /// The object store, listed: the server's folder in it.
    Store(String),
    /// howdah's own sources: nobody else could be asked.
    Sources,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Witness::ClusterObject => f.write_str("cluster status"),
            Witness::Pod(name) => write!(f, "pod {name}"),
            Witness::Object(name) => f.write_str(name),
            Witness::Node(name) => write!(f, "node {name}"),
            Witness::Status(name) => write!(f, "/pg/status of {name}"),
            Witness::Metrics(name) => write!(f, "metrics of {name}"),
            Witness::Sql(name, view) => write!(f, "{view} on {name}"),
            Witness::Store(server) => write!(f, "object store, {server}"),
            Witness::Sources => f.write_str("howdah's sources"),
        }
    }
}
