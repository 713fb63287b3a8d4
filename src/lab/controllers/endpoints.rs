//! EndpointSlices, and the older Endpoints, of services with a selector.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::run::{Controller, Key, key_of};
use crate::lab::api::resources::{ENDPOINTS, ENDPOINTSLICES, PODS, SERVICES};
use crate::lab::api::store::{Part, Ref};
use crate::lab::api::{DeleteOptions, Resource, Selector, Store};
use crate::lab::object::{
    is_deleting, is_pod_finished, is_pod_ready, label, labels_match, list, name, number, seconds, text, uid,
};

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const LAST_CHANGE: &str = "endpoints.kubernetes.io/last-change-trigger-time";

pub struct Endpoints;

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpointslice-controller"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&SERVICES, &PODS];
        &WATCHED
    }

    fn concerns(&self, store: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &SERVICES {
            return vec![key_of(object)];
        }
        // A pod that has left a service (by its labels) is still in that service's endpoints: look at all of them.
        let services = store.list(&SERVICES, Some(text(object, "/metadata/namespace")), &Selector::everything());
        services.items.iter().map(|service| key_of(service)).collect()
    }

    fn sync(&self, store: &Store, (namespace, service): &Key) -> Option<Duration> {
        let service = store.get(&SERVICES, namespace, service)?;
        let selector = service.pointer("/spec/selector").filter(|s| s.is_object())?;
        let pods: Vec<Arc<Value>> = store
            .list(&PODS, Some(namespace), &Selector::everything())
            .items
            .into_iter()
            .filter(|pod| {
                labels_match(pod, selector) && !is_pod_finished(pod) && !text(pod, "/status/podIP").is_empty()
            })
            .collect();
        write_slice(store, &service, &pods);
        write_endpoints(store, &service, &pods);
        if store.get(&SERVICES, namespace, name(&service)).is_none() {
            // It went meanwhile, and what was just made for it was not there yet to go with it.
            take_away(store, namespace, name(&service));
        }
        None
    }
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": text(pod, "/metadata/namespace"), "name": name(pod), "uid": uid(pod)})
}

/// Known endpoints keep their place, new ones come last.
fn in_known_order<'a>(pods: &'a [Arc<Value>], known: &[&str]) -> Vec<&'a Arc<Value>> {
    let mut ordered: Vec<&Arc<Value>> = pods.iter().collect();
    ordered.sort_by_key(|pod| known.iter().position(|uid_| *uid_ == uid(pod)).unwrap_or(usize::MAX));
    ordered
}

fn ports(service: &Value) -> Vec<Value> {
    let port = |port: &Value| {
        let target = number(port, "/targetPort").or_else(|| number(port, "/port")).unwrap_or_default();
        let mut said = json!({"protocol": text(port, "/protocol"), "port": target});
        if !text(port, "/name").is_empty() {
            said["name"] = text(port, "/name").into();
        }
        said
    };
    list(service, "/spec/ports").iter().map(port).collect()
}

fn labels(service: &Value, more: &[(&str, &str)]) -> Value {
    let mut labels: Map<String, Value> =
        service.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    labels.extend(more.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    Value::Object(labels)
}

fn endpoint(pod: &Value) -> Value {
    let (serving, terminating) = (is_pod_ready(pod), is_deleting(pod));
    json!({
        "addresses": [text(pod, "/status/podIP")],
        "conditions": {"ready": serving && !terminating, "serving": serving, "terminating": terminating},
        "targetRef": target(pod),
        "nodeName": text(pod, "/spec/nodeName"),
    })
}

fn write_slice(store: &Store, service: &Value, pods: &[Arc<Value>]) {
    let namespace = text(service, "/metadata/namespace");
    let mine = |slice: &Arc<Value>| label(slice, SERVICE_NAME) == Some(name(service));
    let slices = store.list(&ENDPOINTSLICES, Some(namespace), &Selector::everything()).items;
    let standing = slices.into_iter().find(mine);
    let known: Vec<&str> = standing
        .iter()
        .flat_map(|slice| list(slice, "/endpoints"))
        .map(|endpoint| text(endpoint, "/targetRef/uid"))
        .collect();
    let endpoints: Vec<Value> = in_known_order(pods, &known).into_iter().map(|pod| endpoint(pod)).collect();
    let fill = |slice: &mut Value| {
        let changed = list(slice, "/endpoints") != endpoints;
        put_list(slice, "endpoints", &endpoints);
        let ports = if endpoints.is_empty() { Vec::new() } else { ports(service) };
        put_list(slice, "ports", &ports);
        if changed {
            slice["metadata"]["annotations"][LAST_CHANGE] = seconds(Timestamp::now()).into();
        }
    };
    match standing {
        Some(slice) => {
            let edit = |slice: &mut Value| {
                fill(slice);
                Ok(())
            };
            // Deleted in between: the service is gone too.
            drop(store.change(&ENDPOINTSLICES, namespace, name(&slice), Part::Main, edit));
        }
        None => {
            let managed = [(MANAGED_BY, "endpointslice-controller.k8s.io"), (SERVICE_NAME, name(service))];
            let mut slice = json!({
                "metadata": {
                    "generateName": format!("{}-", name(service)),
                    "labels": labels(service, &managed),
                    "annotations": {LAST_CHANGE: seconds(Timestamp::now())},
                    "ownerReferences": [Ref::controller(&SERVICES, service)],
                },
                "addressType": "IPv4",
            });
            fill(&mut slice);
            drop(store.create(&ENDPOINTSLICES, namespace, slice));
        }
    }
}

fn write_endpoints(store: &Store, service: &Value, pods: &[Arc<Value>]) {
    let namespace = text(service, "/metadata/namespace");
    let standing = store.get(&ENDPOINTS, namespace, name(service));
    let known: Vec<&str> = standing
        .iter()
        .flat_map(|e| list(e, "/subsets"))
        .flat_map(|subset| list(subset, "/addresses").iter().chain(list(subset, "/notReadyAddresses")))
        .map(|address| text(address, "/targetRef/uid"))
        .collect();
    let address = |pod: &&Arc<Value>| json!({"ip": text(pod, "/status/podIP"), "nodeName": text(pod, "/spec/nodeName"), "targetRef": target(pod)});
    let there: Vec<&Arc<Value>> = in_known_order(pods, &known).into_iter().filter(|pod| !is_deleting(pod)).collect();
    let (ready, unready): (Vec<&Arc<Value>>, Vec<&Arc<Value>>) = there.into_iter().partition(|pod| is_pod_ready(pod));
    let mut subset = json!({});
    put_list(&mut subset, "addresses", &ready.iter().map(address).collect::<Vec<_>>());
    put_list(&mut subset, "notReadyAddresses", &unready.iter().map(address).collect::<Vec<_>>());
    let subsets = if subset.as_object().is_some_and(Map::is_empty) {
        Vec::new()
    } else {
        subset["ports"] = Value::Array(ports(service));
        vec![subset]
    };
    let fill = |endpoints: &mut Value| {
        if list(endpoints, "/subsets") != subsets {
            endpoints["metadata"]["annotations"][LAST_CHANGE] = seconds(Timestamp::now()).into();
        }
        put_list(endpoints, "subsets", &subsets);
    };
    if standing.is_some() {
        let edit = |endpoints: &mut Value| {
            fill(endpoints);
            Ok(())
        };
        drop(store.change(&ENDPOINTS, namespace, name(service), Part::Main, edit));
        return;
    }
    let managed = [("endpoints.kubernetes.io/managed-by", "endpoint-controller")];
    let mut endpoints = json!({"metadata": {
        "name": name(service),
        "labels": labels(service, &managed),
        "annotations": {LAST_CHANGE: seconds(Timestamp::now())},
        // The real ones have no owner: the API's own controller deletes them with their service.
        "ownerReferences": [Ref::controller(&SERVICES, service)],
    }});
    fill(&mut endpoints);
    drop(store.create(&ENDPOINTS, namespace, endpoints));
}

/// Everything of a service that is gone. What is absent is as good as deleted.
fn take_away(store: &Store, namespace: &str, service: &str) {
    let options = DeleteOptions::default();
    drop(store.delete(&ENDPOINTS, namespace, service, &options));
    let slices = store.list(&ENDPOINTSLICES, Some(namespace), &Selector::everything()).items;
    for slice in slices.iter().filter(|slice| label(slice, SERVICE_NAME) == Some(service)) {
        drop(store.delete(&ENDPOINTSLICES, namespace, name(slice), &options));
    }
}

fn put_list(object: &mut Value, key: &str, list: &[Value]) {
    let Some(map) = object.as_object_mut() else { return };
    if list.is_empty() {
        map.remove(key);
    } else {
        map.insert(key.into(), Value::Array(list.to_vec()));
    }
}
