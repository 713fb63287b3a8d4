//! The leases by which nodes say that they live. A node whose kubelet stopped (annotation
//! `lab.howdah.dev/silent: "true"`) renews nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{LEASES, NODES};
use crate::lab::api::store::Part;
use crate::lab::api::{Resource, Store};
use crate::lab::object::{annotation, micros, name, uid};

const NAMESPACE: &str = "kube-node-lease";
/// How long a lease is good for, and how often it is renewed.
const DURATION: i64 = 40;
const PERIOD: Duration = Duration::from_secs(10);

pub struct NodeLeases;

impl Controller for NodeLeases {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 1] = [&NODES];
        &WATCHED
    }

    fn concerns(&self, store: &Store, _: &'static Resource, object: &Value) -> Vec<Key> {
        // Only a new node starts a series of renewals: each renewal brings the next.
        let known = store.get(&LEASES, NAMESPACE, name(object)).is_some();
        if known { Vec::new() } else { vec![key_of(object)] }
    }

    fn sync(&self, store: &Store, (_, node): &Key) -> Option<Duration> {
        let node = store.get(&NODES, "", node)?;
        if annotation(&node, "lab.howdah.dev/silent") == Some("true") {
            return Some(PERIOD);
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
