//! Arming: read-only until someone says, of one cluster and for a while, that it may be changed.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

use crate::domain::names::ClusterKey;
use crate::problem::Problem;

/// How long an armed cluster stays armed.
pub const ARMED: SignedDuration = SignedDuration::from_mins(15);

/// Which clusters may be changed now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arming {
    until: BTreeMap<ClusterKey, Timestamp>,
    /// Nothing can be armed (`--read-only`).
    pub locked: bool,
}

impl Arming {
    /// Arms a cluster for [`ARMED`] from now.
    ///
    /// # Errors
    /// This session is read-only.
    pub fn arm(&mut self, cluster: &ClusterKey, now: Timestamp) -> Result<(), Problem> {
        if self.locked {
            return Err(Problem::refused(format!("{cluster} can't be armed"))
                .because("this session is read-only")
                .try_this("start howdah without --read-only"));
        }
        self.until.insert(cluster.clone(), now + ARMED);
        Ok(())
    }

    /// Takes it back.
    pub fn disarm(&mut self, cluster: &ClusterKey) {
        self.until.remove(cluster);
    }

    /// Until when it is armed; `None`: it is not.
    pub fn until(&self, cluster: &ClusterKey, now: Timestamp) -> Option<Timestamp> {
        self.until.get(cluster).copied().filter(|until| *until > now)
    }

    /// Every cluster armed now, with the end.
    pub fn all(&self, now: Timestamp) -> impl Iterator<Item = (&ClusterKey, Timestamp)> {
        self.until.iter().map(|(key, until)| (key, *until)).filter(move |(_, until)| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armed_for_a_while_and_never_when_read_only() {
        let (key, now) = (ClusterKey::new("aks", "pg", "orders"), Timestamp::UNIX_EPOCH);
        let mut arming = Arming::default();
        assert_eq!(arming.until(&key, now), None);
        arming.arm(&key, now).unwrap();
        assert_eq!(arming.until(&key, now), Some(now + ARMED));
        assert_eq!(arming.until(&key, now + ARMED), None);
        arming.disarm(&key);
        assert_eq!(arming.all(now).count(), 0);
        let mut locked = Arming { locked: true, ..Arming::default() };
        assert_eq!(locked.arm(&key, now).unwrap_err().exit.code(), 3);
    }
}
