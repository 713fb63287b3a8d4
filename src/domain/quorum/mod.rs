//! What the quorum promises, and what would be lost if a zone went now.
//!
//! The rule: a commit was acknowledged after W of N named standbys had confirmed it. Asking R of these N finds one that
//! confirmed it for certain exactly when R + W > N. Nothing here knows an operator's objects or a screen.

#[cfg(test)]
mod tests;
mod what_if;

pub use what_if::if_zone_lost;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod arithmetic {
    use super::Quorum;

    /// Every way in which the commits of a small world can have been confirmed: whichever R of the N standbys are left,
    /// one of them has every acknowledged commit if and only if R + W > N. Standbys receive in order, so having a commit
    /// is having all before it.
    #[test]
    fn the_rule_is_exact_in_every_small_world() {
        const COMMITS: u32 = 3;
        for n in 1u32..=4 {
            for w in 0..=n {
                // How far each standby has confirmed: 0 to COMMITS, one digit each.
                let worlds = (COMMITS + 1).pow(n);
                let far = |world: u32, standby: u32| world / (COMMITS + 1).pow(standby) % (COMMITS + 1);
                // The client was told of as many commits as some W standbys have. With W 0 it was told of all.
                let acknowledged = |world: u32| {
                    let mut all: Vec<u32> = (0..n).map(|s| far(world, s)).collect();
                    all.sort_unstable_by(|a, b| b.cmp(a));
                    if w == 0 { COMMITS } else { all[w as usize - 1] }
                };
                for r in 0..=n {
                    let safe = (0..1u32 << n).filter(|left| left.count_ones() == r).all(|left| {
                        (0..worlds).all(|world| {
                            let best =
                                (0..n).filter(|s| left & (1 << s) != 0).map(|s| far(world, s)).max().unwrap_or(0);
                            best >= acknowledged(world)
                        })
                    });
                    assert_eq!(Quorum { r, w, n }.holds(), safe, "R {r} W {w} N {n}");
                }
            }
        }
    }

    #[test]
    fn no_overflow() {
        assert!(Quorum { r: u32::MAX, w: u32::MAX, n: u32::MAX }.holds());
        assert!(!Quorum { r: 0, w: 0, n: 0 }.holds());
    }
}
