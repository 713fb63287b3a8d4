//! Claims that a pod still uses wait before they go.

use std::time::Duration;

use serde_json::Value;

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{PODS, PVCS};
use crate::lab::api::store::Part;
use crate::lab::api::{Resource, Selector, Store};
use crate::lab::object::{claims, is_deleting, text};

/// The finalizer that holds a claim.
const FINALIZER: &str = "kubernetes.io/pvc-protection";

pub struct ClaimProtection;

impl Controller for ClaimProtection {
    fn name(&self) -> &'static str {
        "kube-controller-manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&PVCS, &PODS];
        &WATCHED
    }

    fn concerns(&self, _: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &PVCS {
            return vec![key_of(object)];
        }
        let namespace = text(object, "/metadata/namespace");
        object.get("spec").into_iter().flat_map(claims).map(|c| (namespace.to_owned(), c.to_owned())).collect()
    }

    fn sync(&self, store: &Store, (namespace, claim): &Key) -> Option<Duration> {
        let pvc = store.get(&PVCS, namespace, claim).filter(|pvc| is_deleting(pvc))?;
        let pods = store.list(&PODS, Some(namespace), &Selector::everything()).items;
        let uses = |pod: &Value| pod.get("spec").is_some_and(|spec| claims(spec).any(|c| c == claim));
        // A pod that was never placed can't use anything; one that has ended holds its claims until it is gone.
        if pods.iter().any(|pod| uses(pod) && !text(pod, "/spec/nodeName").is_empty()) {
            return None;
        }
        let release = |pvc: &mut Value| {
            if let Some(finalizers) = pvc.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
                finalizers.retain(|f| f != FINALIZER);
            }
            Ok(())
        };
        drop(store.change(&PVCS, namespace, text(&pvc, "/metadata/name"), Part::Main, release));
        None
    }
}
