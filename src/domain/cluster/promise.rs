//! What was promised or decided: synchronous commit, fencing, hibernation, spread, quorum.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::domain::names::InstanceName;

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

/// How the operator updates the primary, after the standbys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimaryUpdate {
    /// `primaryUpdateStrategy: supervised`: it waits for a person to switch over or to restart it.
    pub supervised: bool,
    /// `primaryUpdateMethod`: `restart` or `switchover`; `None`: as this operator's version does by itself.
    pub method: Option<String>,
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

/// A cluster that follows another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaCluster {
    /// The name of its source.
    pub source: String,
    /// It follows now; `false` while it is being promoted or after.
    pub enabled: bool,
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
