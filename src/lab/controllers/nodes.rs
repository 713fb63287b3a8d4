//! The leases by which nodes say that they live. A node that can't reach the API renews nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{LEASES, NODES};
use crate::lab::api::store::Part;
use crate::lab::api::{Resource, Store};
use crate::lab::kubelet::roads::api_server;
use crate::lab::object::{label, micros, name, text, uid};
use crate::lab::postgres::{Network, Place};

const NAMESPACE: &str = "kube-node-lease";
/// How long a lease is good for, and how often it is renewed.
const DURATION: i64 = 40;
const PERIOD: Duration = Duration::from_secs(10);

/// How often a node that could not renew its lease tries again.
const AGAIN: Duration = Duration::from_secs(1);

pub struct NodeLeases {
    /// Between the nodes and the API.
    pub network: Network,
}

impl Controller for NodeLeases {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 1] = [&NODES];
        &WATCHED
    }

    fn concerns(&self, _: &Store, _: &'static Resource, object: &Value) -> Vec<Key> {
        vec![key_of(object)]
    }

    fn sync(&self, store: &Store, (_, node): &Key) -> Option<Duration> {
        let node = store.get(&NODES, "", node)?;
        let zone = label(&node, "topology.kubernetes.io/zone").map(str::to_owned);
        if !self.network.passes(&Place { name: name(&node).to_owned(), zone }, &api_server()) {
            return Some(AGAIN);
        }
        let lease = store.get(&LEASES, NAMESPACE, name(&node));
        let renewed = lease.and_then(|lease| text(&lease, "/spec/renewTime").parse::<Timestamp>().ok());
        let age = renewed.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        if let Some(age) = age.filter(|age| *age < PERIOD) {
            return Some(PERIOD - age);
        }
        let now = micros(Timestamp::now());
        let renew = |lease: &mut Value| {
            lease["spec"]["renewTime"] = now.clone().into();
            Ok(())
        };
        if store.change(&LEASES, NAMESPACE, name(&node), Part::Main, renew).is_err() {
            let lease = json!({
                "metadata": {"name": name(&node), "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Node", "name": name(&node), "uid": uid(&node)},
                ]},
                "spec": {"holderIdentity": name(&node), "leaseDurationSeconds": DURATION, "renewTime": now},
            });
            drop(store.create(&LEASES, NAMESPACE, lease));
        }
        Some(PERIOD)
    }
}
