//! What the quorum promises, and what would be lost if a zone went now.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::facts::Facts;
use super::lsn::Lsn;
use super::names::{InstanceName, ZoneName};
use super::source::Witness;

/// The answer to "if this zone were lost now".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIf {
    /// The zone asked about.
    pub zone: ZoneName,
    /// Instances that would go with it.
    pub lost: Vec<InstanceName>,
    /// Who would lead.
    pub leader: Leader,
    /// Is the promise of synchronous commit kept by those who stay?
    pub promise: Promise,
    /// Acknowledged writes that could be lost.
    pub risk: Risk,
    /// What each service would lead to.
    pub services: Vec<ServiceAfter>,
    /// How long it usually takes until writes go on; `None` where nobody could lead or nothing changes.
    pub usual: Option<UsualTime>,
    /// What all this is based on.
    pub basis: Vec<Basis>,
}

/// Who would lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leader {
    /// The primary is not in that zone: it goes on.
    Stays(InstanceName),
    /// This standby would be promoted.
    Candidate(InstanceName),
    /// Nobody is left.
    Nobody,
    /// Can't be told, in words.
    Unknown(String),
}

/// Does R + W > N hold?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// The primary stays, so nothing is promoted and no quorum is asked.
    NotNeeded,
    /// It holds, or does not, with these numbers.
    Quorum(Quorum),
    /// Commits wait for nobody: nothing is promised.
    None,
    /// Can't be told, in words.
    Unknown(String),
}

/// R, W and N of the quorum rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// R: candidates that could still be asked, of those that could have confirmed.
    pub r: u32,
    /// W: how many had to confirm each commit.
    pub w: u32,
    /// N: how many could have confirmed.
    pub n: u32,
}

impl Quorum {
    /// R + W > N: among those asked there is one that confirmed every acknowledged commit.
    pub fn holds(self) -> bool {
        u64::from(self.r) + u64::from(self.w) > u64::from(self.n)
    }
}

/// Acknowledged writes that could be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// None.
    None,
    /// Up to this many bytes: between these positions.
    UpTo {
        /// How many.
        bytes: u64,
        /// Where the primary writes.
        primary: Lsn,
        /// What the candidate has safe.
        candidate: Lsn,
    },
    /// Everything since the last archived WAL: no instance is left.
    All,
    /// Can't be told, in words.
    Unknown(String),
}

/// What a service would lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAfter {
    /// Its name.
    pub name: String,
    /// The pods it leads to now that would go.
    pub loses: Vec<InstanceName>,
    /// The pods it would still lead to, before any promotion.
    pub keeps: Vec<InstanceName>,
}

/// How long it usually takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsualTime {
    /// At best.
    pub from: SignedDuration,
    /// At worst.
    pub to: SignedDuration,
    /// Of what kind of loss: `node loss`.
    pub of: String,
}

/// One thing the answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The statement, with its figures.
    pub statement: String,
    /// Who says so.
    pub witness: Witness,
    /// When.
    pub seen: Timestamp,
}

/// What would happen if every node of `zone` were lost at `now`. What can't be told stays unknown.
pub fn if_zone_lost(_facts: &Facts, cluster: &Cluster, zone: &ZoneName, _now: Timestamp) -> WhatIf {
    let why = || "the evidence is not weighed yet".to_owned();
    WhatIf {
        zone: zone.clone(),
        lost: cluster.instances.iter().filter(|i| i.zone.as_ref() == Some(zone)).map(|i| i.name.clone()).collect(),
        leader: Leader::Unknown(why()),
        promise: Promise::Unknown(why()),
        risk: Risk::Unknown(why()),
        services: Vec::new(),
        usual: None,
        basis: Vec::new(),
    }
}
