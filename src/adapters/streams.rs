//! Who began or ceased to stream, seen between two answers of one primary.
//!
//! Only `/pg/status` speaks here: SQL tells the same list, and one change shall be told once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::event::{Happening, Transition, What};
use crate::domain::facts::Fact;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::sample::{InstanceStatus, Probe};

/// Each cluster's primary with the last list it gave.
#[derive(Debug, Default)]
pub struct Streams(BTreeMap<ClusterKey, (InstanceName, Arc<Probe<InstanceStatus>>)>);

impl Streams {
    /// Takes an answer in and says what is different from the primary's answer before.
    pub fn heard(&mut self, fact: &Fact) -> Vec<Happening> {
        let Fact::Status(key, name, probe) = fact else { return Vec::new() };
        let Some(now) = listing(probe) else { return Vec::new() };
        let before = self.0.insert(key.clone(), (name.clone(), probe.clone()));
        // A new primary's list is no change in the old one's.
        let Some((_, before)) = before.filter(|(primary, _)| primary == name) else { return Vec::new() };
        let then = listing(&before).unwrap_or_default();
        let at = probe.at.saturating_add(probe.took).unwrap_or(probe.at);
        Transition::streaming(then, now)
            .into_iter()
            .map(|t| Happening {
                at,
                context: key.context.clone(),
                cluster: Some(key.clone()),
                what: What::Transition(t),
            })
            .collect()
    }

    /// Forgets the clusters that are gone.
    pub fn keep(&mut self, known: impl Fn(&ClusterKey) -> bool) {
        self.0.retain(|key, _| known(key));
    }
}

/// The list of a primary; one without a standby leaves it out.
fn listing(probe: &Probe<InstanceStatus>) -> Option<&[crate::domain::replication::Standby]> {
    let status = probe.value().filter(|s| s.is_primary == Some(true))?;
    Some(status.standbys.as_deref().unwrap_or_default())
}
