//! What a person asks to look at closely: an object's YAML or description, a pod's log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

use super::event::Happening;
use super::names::Context;
use crate::problem::Problem;

/// One Kubernetes object anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The context it is in.
    pub context: Context,
    /// Group and version: `v1`, `postgresql.cnpg.io/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for cluster-wide objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.to_lowercase(), self.name)
    }
}

/// What is asked for. Watched until it is let go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The object as YAML, without managed fields; secrets' data hidden.
    Yaml(ObjectRef),
    /// The object in words with its events, as `kubectl describe` tells it.
    Describe(ObjectRef),
    /// The log of a pod's container, followed.
    Logs {
        /// The pod.
        pod: ObjectRef,
        /// The container.
        container: String,
        /// The log of the container before its last restart.
        previous: bool,
    },
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its own time, else the container runtime's.
    pub at: Option<Timestamp>,
    /// `info`, `warning`, `error`, `fatal`, …, lower case.
    pub level: Option<String>,
    /// Who wrote it: `postgres`, `instance-manager`, `wal-archive`, …
    pub logger: Option<String>,
    /// The message; CNPG's JSON is decoded, everything else stays as it came. Cleaned.
    pub text: String,
}

/// News of a [`Subject`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetailNews {
    /// The whole text now.
    Text(String),
    /// More lines.
    Lines(Vec<LogLine>),
    /// It ended: `None` well.
    Ended(Option<Problem>),
}

/// What adds instead of replacing: every one arrives, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// Something happened.
    Happening(Happening),
    /// Something that was asked for.
    Detail(Subject, DetailNews),
}
