//! The lab's network: every TCP connection to a server goes through a relay, and relays obey the weather.

use std::{net::SocketAddr, time::Duration};

use crate::problem::Problem;

/// An end of a link: an instance (its pod's name) or one of the outside, and the zone it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// `pg-primary-1`, `clients`, `operator`.
    pub name: String,
    /// Its zone, where it has one.
    pub zone: Option<String>,
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
        /// At most so many bytes a second.
        bytes_per_second: Option<u64>,
    },
    /// Nothing passes and nobody is told: connections open and hang, those that were open stand still.
    Blackhole,
    /// Connections are refused and those that were open are reset.
    Cut,
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

/// Where a relay leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Who is there.
    pub place: Place,
    /// Where that listens.
    pub address: SocketAddr,
}

/// All relays and the weather over them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Network {}

/// A listening port on loopback that leads to its targets in turn. Dropping it closes the port and its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
}

impl Network {
    /// Sets (or with `Policy::Pass` lifts) the policy of a scope. Open connections feel it at once.
    pub fn set(&self, scope: Scope, policy: Policy) {
        let _ = (scope, policy);
    }

    /// What holds between two places now: the worst of all scopes that fit.
    pub fn between(&self, from: &Place, to: &Place) -> Policy {
        let _ = (from, to);
        Policy::Pass
    }

    /// All policies that are set.
    pub fn policies(&self) -> Vec<(Scope, Policy)> {
        Vec::new()
    }

    /// Opens a relay for connections that come from `from`, on a port of its own. It leads nowhere yet: connections are
    /// reset until [`Relay::lead_to`].
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn relay(&self, name: &str, from: Place) -> Result<Relay, Problem> {
        let _ = from;
        Err(Problem::new(format!("relay {name}: not built yet")))
    }
}

impl Relay {
    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go to these in turn; connections to anything else are reset.
    pub fn lead_to(&self, targets: Vec<Target>) {
        let _ = targets;
    }

    /// Where it leads now.
    pub fn targets(&self) -> Vec<Target> {
        Vec::new()
    }

    /// Connections that are open through it.
    pub fn open_connections(&self) -> usize {
        0
    }
}
