//! The roads to instances: relays that follow services and pods.
//!
//! What kube-proxy and the pod network do in a real cluster. A relay to a service leads to the instances its Endpoints
//! name; a relay to a pod leads to that pod's PostgreSQL. Two manners differ on purpose: a standby's road to `-rw` keeps its old end
//! while the service has none, because an established connection outlives its endpoint in a real cluster too, and a primary that
//! shuts down sends its last WAL over it; a client's road does not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;

use crate::lab::api::resources::ENDPOINTS;
use crate::lab::api::{Change, Store};
use crate::lab::object::{list, name, namespace, text};
use crate::lab::postgres::{Network, Place, Relay, Target};
use crate::problem::Problem;

/// Where the API server is in the network: outside every zone.
pub fn api_server() -> Place {
    Place::outside("kubernetes")
}

/// Where the operator is in the network.
pub fn operator() -> Place {
    Place::outside("operator")
}

/// Where the object store is in the network.
pub fn object_store() -> Place {
    Place::outside("object-store")
}

/// Namespace and name.
type Key = (String, String);

/// What a relay follows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Follows {
    /// The ready endpoints of a service; `keeps` its last end while there are none.
    Service { key: Key, keeps: bool },
    /// One pod.
    Pod(Key),
}

#[derive(Debug, Default)]
struct Map {
    /// Where each pod's PostgreSQL is.
    ends: HashMap<Key, Target>,
    /// The pods behind each service.
    services: HashMap<Key, Vec<String>>,
    relays: Vec<(Follows, Weak<Relay>)>,
}

/// All roads of a lab. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Roads {
    network: Network,
    map: Arc<Mutex<Map>>,
}

impl Roads {
    /// Roads over this network.
    pub fn new(network: Network) -> Self {
        Roads { network, map: Arc::default() }
    }

    /// The network below.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Says where a pod's PostgreSQL listens now, or that it is gone.
    pub fn set_end(&self, ns: &str, pod: &str, end: Option<Target>) {
        let key = (ns.to_owned(), pod.to_owned());
        self.with(|map| match end {
            Some(end) => drop(map.ends.insert(key, end)),
            None => drop(map.ends.remove(&key)),
        });
    }

    /// The instances of a namespace whose servers are known, with their zones.
    pub fn zones(&self, ns: &str) -> Vec<(String, Option<String>)> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let here = map.ends.iter().filter(|(key, _)| key.0 == ns);
        here.map(|(key, end)| (key.1.clone(), end.place.zone.clone())).collect()
    }

    /// A relay from `from` to a service. A standby's road to its primary `keeps` its end; a client's does not.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to_service(&self, ns: &str, service: &str, from: Place, keeps: bool) -> Result<Arc<Relay>, Problem> {
        let follows = Follows::Service { key: (ns.to_owned(), service.to_owned()), keeps };
        self.open(&format!("{} to {service}", from.name), from, follows).await
    }

    /// A relay from `from` to one pod.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to_pod(&self, ns: &str, pod: &str, from: Place) -> Result<Arc<Relay>, Problem> {
        self.open(&format!("{} to {pod}", from.name), from, Follows::Pod((ns.to_owned(), pod.to_owned()))).await
    }

    async fn open(&self, title: &str, from: Place, follows: Follows) -> Result<Arc<Relay>, Problem> {
        let relay = Arc::new(self.network.relay(title, from).await?);
        self.with(|map| map.relays.push((follows, Arc::downgrade(&relay))));
        Ok(relay)
    }

    /// Follows the Endpoints of all services, for ever.
    pub async fn follow(&self, store: &Store) {
        let mut endpoints = store.watch(&ENDPOINTS, None);
        loop {
            let event = endpoints.next().await;
            let key = (namespace(&event.object).to_owned(), name(&event.object).to_owned());
            let pods = if event.kind == Change::Deleted { Vec::new() } else { pods_behind(&event.object) };
            self.with(|map| drop(map.services.insert(key, pods)));
        }
    }

    /// Changes the map and leads every relay to where it belongs afterwards.
    fn with(&self, change: impl FnOnce(&mut Map)) {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut map);
        map.relays.retain(|(_, relay)| relay.strong_count() > 0);
        for (follows, relay) in &map.relays {
            let Some(relay) = relay.upgrade() else { continue };
            if let Some(targets) = targets(&map, follows)
                && targets != relay.targets()
            {
                relay.lead_to(targets);
            }
        }
    }
}

/// Where a relay has to lead; `None` leaves it as it is.
fn targets(map: &Map, follows: &Follows) -> Option<Vec<Target>> {
    match follows {
        Follows::Pod(key) => Some(map.ends.get(key).cloned().into_iter().collect()),
        Follows::Service { key, keeps } => {
            let pods = map.services.get(key).map(Vec::as_slice).unwrap_or_default();
            let ends = pods.iter().filter_map(|pod| map.ends.get(&(key.0.clone(), pod.clone())).cloned());
            let ends: Vec<Target> = ends.collect();
            (!ends.is_empty() || !keeps).then_some(ends)
        }
    }
}

/// The pods that an Endpoints object names as ready.
fn pods_behind(endpoints: &Value) -> Vec<String> {
    list(endpoints, "/subsets")
        .iter()
        .flat_map(|subset| list(subset, "/addresses"))
        .map(|address| text(address, "/targetRef/name").to_owned())
        .filter(|pod| !pod.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(behind: &[&str]) -> Map {
        let end = |pod: &str, port| Target {
            place: Place { name: pod.to_owned(), zone: None },
            address: ([127, 0, 0, 1], port).into(),
        };
        let key = |n: &str| ("pg".to_owned(), n.to_owned());
        Map {
            ends: HashMap::from([(key("demo-1"), end("demo-1", 1)), (key("demo-2"), end("demo-2", 2))]),
            services: HashMap::from([(key("demo-rw"), behind.iter().map(|p| (*p).to_owned()).collect())]),
            relays: Vec::new(),
        }
    }

    #[test]
    fn only_ready_pods_are_behind_a_service() {
        let endpoints = json!({"subsets": [{"addresses": [{"ip": "10.0.0.1", "targetRef": {"name": "demo-1"}}],
                                            "notReadyAddresses": [{"targetRef": {"name": "demo-2"}}]}]});
        assert_eq!(pods_behind(&endpoints), ["demo-1"]);
        assert!(pods_behind(&json!({})).is_empty());
    }

    #[test]
    fn a_standbys_road_keeps_its_end_while_the_service_has_none() {
        let road = |keeps| Follows::Service { key: ("pg".to_owned(), "demo-rw".to_owned()), keeps };
        assert_eq!(targets(&map(&["demo-2"]), &road(true)).unwrap()[0].place.name, "demo-2");
        assert_eq!(targets(&map(&[]), &road(true)), None);
        assert_eq!(targets(&map(&[]), &road(false)), Some(Vec::new()));
    }
}
