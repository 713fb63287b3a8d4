//! Who can talk to whom now.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::relay::Relay;
use crate::problem::Problem;

/// An end of a link: an instance (its pod's name) or one of the outside, and the zone it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// `pg-primary-1`, `clients`, `operator`.
    pub name: String,
    /// Its zone, where it has one.
    pub zone: Option<String>,
}

impl Place {
    /// A place in a zone.
    pub fn new(name: &str, zone: &str) -> Place {
        Place { name: name.to_owned(), zone: Some(zone.to_owned()) }
    }

    /// A place in no zone: clients, the operator.
    pub fn outside(name: &str) -> Place {
        Place { name: name.to_owned(), zone: None }
    }
}

/// What happens to the bytes of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// They pass.
    #[default]
    Pass,
    /// They pass late, and no faster than that.
    Slow {
        /// Added to each way.
        delay: Duration,
        /// At most so many bytes a second, each way and connection. 0: no bound.
        bytes_per_second: u64,
    },
    /// Nothing passes and nobody is told: connections open and hang, those that were open stand still. What was sent
    /// arrives when the policy is lifted, as TCP would send it again.
    Blackhole,
    /// Connections are refused and those that were open are reset.
    Cut,
}

impl Policy {
    /// Both at once: the longer delay and the lower rate, and what stops everything wins.
    fn and(self, other: Policy) -> Policy {
        match (self, other) {
            (Policy::Cut, _) | (_, Policy::Cut) => Policy::Cut,
            (Policy::Blackhole, _) | (_, Policy::Blackhole) => Policy::Blackhole,
            (Policy::Pass, policy) | (policy, Policy::Pass) => policy,
            (
                Policy::Slow { delay, bytes_per_second },
                Policy::Slow { delay: other_delay, bytes_per_second: other_rate },
            ) => {
                let rates = [bytes_per_second, other_rate].into_iter().filter(|rate| *rate > 0);
                Policy::Slow { delay: delay.max(other_delay), bytes_per_second: rates.min().unwrap_or(0) }
            }
        }
    }
}

/// Which links a policy is for. Both directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Between two places by name.
    Link(String, String),
    /// Everything to and from one place by name.
    Place(String),
    /// Between two zones.
    Zones(String, String),
    /// Everything across the border of a zone.
    Zone(String),
}

impl Scope {
    fn holds(&self, a: &Place, b: &Place) -> bool {
        let pair = |x: &str, y: &str, p: Option<&str>, q: Option<&str>| {
            (p == Some(x) && q == Some(y)) || (p == Some(y) && q == Some(x))
        };
        let (zone_a, zone_b) = (a.zone.as_deref(), b.zone.as_deref());
        match self {
            Scope::Link(x, y) => pair(x, y, Some(&a.name), Some(&b.name)),
            Scope::Place(name) => a.name != b.name && (a.name == *name || b.name == *name),
            Scope::Zones(x, y) => pair(x, y, zone_a, zone_b),
            Scope::Zone(zone) => (zone_a == Some(zone)) != (zone_b == Some(zone)),
        }
    }
}

/// Where a relay leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Who is there.
    pub place: Place,
    /// Where that listens.
    pub address: SocketAddr,
}

/// Policies by who asked for them and scope; scopes that are not listed pass.
pub type Policies = BTreeMap<(String, Scope), Policy>;

/// The weather, and where relays come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Network {
    policies: Arc<watch::Sender<Policies>>,
}

impl Default for Network {
    fn default() -> Self {
        Network { policies: Arc::new(watch::Sender::new(Policies::new())) }
    }
}

impl Network {
    /// Sets (or with `Policy::Pass` lifts) the policy of a scope. Open connections feel it at once.
    pub fn set(&self, scope: Scope, policy: Policy) {
        self.hold("", scope, policy);
    }

    /// As [`Network::set`], in the name of `who`: what one has set is not lifted by another.
    pub fn hold(&self, who: &str, scope: Scope, policy: Policy) {
        self.policies.send_modify(|policies| {
            let key = (who.to_owned(), scope);
            if policy == Policy::Pass {
                policies.remove(&key);
            } else {
                policies.insert(key, policy);
            }
        });
    }

    /// Lifts all that `who` holds.
    pub fn lift(&self, who: &str) {
        self.policies.send_modify(|policies| policies.retain(|(holder, _), _| holder != who));
    }

    /// Whether anything at all passes between two places now.
    pub fn passes(&self, from: &Place, to: &Place) -> bool {
        matches!(self.between(from, to), Policy::Pass | Policy::Slow { .. })
    }

    /// Lifts every policy.
    pub fn clear(&self) {
        self.policies.send_modify(Policies::clear);
    }

    /// What holds between two places now: the worst of all scopes that fit.
    pub fn between(&self, from: &Place, to: &Place) -> Policy {
        worst(&self.policies.borrow(), from, to)
    }

    /// All policies that are set.
    pub fn policies(&self) -> Vec<(Scope, Policy)> {
        self.policies.borrow().iter().map(|((_, scope), policy)| (scope.clone(), *policy)).collect()
    }

    /// Tells each change of the weather: for calls between places that go through no relay.
    pub fn changes(&self) -> watch::Receiver<Policies> {
        self.policies.subscribe()
    }

    /// Opens a relay for connections that come from `from`, on a port of its own. It leads nowhere yet: connections are
    /// reset until [`Relay::lead_to`].
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn relay(&self, name: &str, from: Place) -> Result<Relay, Problem> {
        Relay::open(name, from, self.clone()).await
    }
}

/// The worst of all policies whose scope holds between the two.
pub(super) fn worst(policies: &Policies, a: &Place, b: &Place) -> Policy {
    policies
        .iter()
        .filter(|((_, scope), _)| scope.holds(a, b))
        .fold(Policy::Pass, |worst, (_, policy)| worst.and(*policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> (Place, Place, Place) {
        (Place::new("pg-1", "zone-1"), Place::new("pg-2", "zone-2"), Place::outside("clients"))
    }

    #[test]
    fn the_worst_policy_holds_in_both_directions() {
        let network = Network::default();
        let (one, two, clients) = places();
        let slow = Policy::Slow { delay: Duration::from_millis(5), bytes_per_second: 0 };
        network.set(Scope::Link("pg-2".into(), "pg-1".into()), slow);
        assert_eq!((network.between(&one, &two), network.between(&two, &one)), (slow, slow));
        network.set(Scope::Zone("zone-2".into()), Policy::Cut);
        assert_eq!(network.between(&one, &two), Policy::Cut);
        assert_eq!(network.between(&clients, &two), Policy::Cut, "clients are outside every zone");
        assert_eq!(network.between(&clients, &one), Policy::Pass);
        network.set(Scope::Zone("zone-2".into()), Policy::Pass);
        assert_eq!(network.policies().len(), 1);
    }

    #[test]
    fn what_one_holds_another_does_not_lift() {
        let network = Network::default();
        let (one, two, _) = places();
        let link = || Scope::Link("pg-1".into(), "pg-2".into());
        let slow = Policy::Slow { delay: Duration::ZERO, bytes_per_second: 9 };
        network.hold("a", link(), Policy::Blackhole);
        network.hold("b", link(), slow);
        assert!(!network.passes(&one, &two));
        network.lift("a");
        assert_eq!((network.between(&one, &two), network.passes(&one, &two)), (slow, true));
        network.lift("b");
        assert_eq!(network.between(&one, &two), Policy::Pass);
    }

    #[test]
    fn slow_links_add_up_to_the_slower_of_each() {
        let slow = |ms, rate| Policy::Slow { delay: Duration::from_millis(ms), bytes_per_second: rate };
        assert_eq!(slow(5, 0).and(slow(3, 1000)), slow(5, 1000));
        assert_eq!(slow(5, 2000).and(slow(9, 1000)), slow(9, 1000));
        assert_eq!(slow(5, 0).and(Policy::Blackhole), Policy::Blackhole);
    }

    #[test]
    fn a_zone_talks_with_itself_and_two_zones_may_be_parted() {
        let network = Network::default();
        let (one, two, clients) = places();
        let beside = Place::new("pg-4", "zone-1");
        network.set(Scope::Zone("zone-1".into()), Policy::Blackhole);
        assert_eq!(network.between(&one, &beside), Policy::Pass);
        network.clear();
        network.set(Scope::Zones("zone-2".into(), "zone-1".into()), Policy::Cut);
        assert_eq!(network.between(&beside, &two), Policy::Cut);
        assert_eq!(network.between(&clients, &one), Policy::Pass);
    }
}
