//! Changes of key fields: read from a recording, or taken from a store's history in the same shape.

use std::collections::BTreeMap;

use howdah::lab::api::resources::{
    CLUSTERS, ENDPOINTS, ENDPOINTSLICES, EVENTS, JOBS, LEASES, PDBS, PODS, PVCS, SECRETS, SERVICEACCOUNTS, SERVICES,
};
use howdah::lab::api::{Resource, Store};
use howdah::lab::object::{condition, flag, is_deleting, label, list, name, number, text};
use serde_json::Value;

/// One field of one object took a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Milliseconds in a recording, resource version in a store.
    pub at: i64,
    pub object: String,
    pub field: String,
    pub value: String,
    /// The value it had when it was first seen.
    pub first: bool,
}

/// Reads a recording.
pub fn recorded(text: &str) -> Vec<Change> {
    let line = |line: &str| {
        let parts: Vec<Value> = serde_json::from_str(line).expect("a line of a recording");
        let word = |i: usize| parts[i].as_str().expect("a word").to_owned();
        Change {
            at: parts[0].as_i64().expect("a time"),
            object: word(1),
            field: word(2),
            value: word(3),
            first: parts.len() > 4,
        }
    };
    text.lines().map(line).collect()
}

/// Everything that changed in a store since a resource version.
pub fn taken(store: &Store, since: u64) -> Vec<Change> {
    let kinds: [&'static Resource; 12] = [
        &CLUSTERS,
        &PODS,
        &LEASES,
        &ENDPOINTSLICES,
        &ENDPOINTS,
        &PDBS,
        &PVCS,
        &JOBS,
        &EVENTS,
        &SECRETS,
        &SERVICES,
        &SERVICEACCOUNTS,
    ];
    let mut changes = Vec::new();
    for kind in kinds {
        let mut seen: BTreeMap<String, BTreeMap<&'static str, String>> = BTreeMap::new();
        for step in store.past(kind, since).expect("the history reaches back").0 {
            let at = i64::try_from(step.version).expect("a version");
            let object = step.object.as_ref().or(step.before.as_ref()).expect("one of them");
            if kind == &EVENTS {
                if text(object, "/involvedObject/kind") == "Cluster" && step.object.is_some() {
                    changes.push(change(at, "Event", text(object, "/reason"), text(object, "/message")));
                }
                continue;
            }
            let called = format!("{}/{}", kind.kind, short(kind, name(object)));
            let Some(after) = &step.object else {
                changes.push(change(at, &called, "exists", "no"));
                seen.remove(name(object));
                continue;
            };
            if step.before.is_none() {
                changes.push(change(at, &called, "exists", "yes"));
                seen.insert(name(object).to_owned(), BTreeMap::new());
            }
            let known = seen.entry(name(object).to_owned()).or_insert_with(|| {
                let before = step.before.as_ref().map(|before| project(kind, before)).unwrap_or_default();
                for (field, value) in &before {
                    changes.push(Change { first: true, ..change(at, &called, field, value) });
                }
                before
            });
            let now = project(kind, after);
            for (field, value) in &now {
                if known.get(field).map_or("-", String::as_str) != value {
                    changes.push(change(at, &called, field, value));
                }
            }
            *known = now;
        }
    }
    changes.sort_by_key(|change| change.at);
    changes
}

fn change(at: i64, object: &str, field: &str, value: &str) -> Change {
    Change { at, object: object.into(), field: field.into(), value: value.into(), first: false }
}

/// Names without their random ends.
fn short(kind: &Resource, name: &str) -> String {
    let random = kind == &ENDPOINTSLICES || (kind == &PODS && (name.contains("-initdb-") || name.contains("-join-")));
    if random { name.rsplit_once('-').map_or(name, |(base, _)| base).to_owned() } else { name.to_owned() }
}

fn said(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(names)) if names.is_empty() => "-".to_owned(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    }
}

/// The key fields of an object, as the recordings were trimmed to.
fn project(kind: &Resource, object: &Value) -> BTreeMap<&'static str, String> {
    let at = |pointer: &str| said(object.pointer(pointer));
    let deleting = || if is_deleting(object) { "yes".to_owned() } else { "-".to_owned() };
    let mut fields = BTreeMap::new();
    match kind.kind {
        "Cluster" => {
            for (field, pointer) in [
                ("phase", "/status/phase"),
                ("reason", "/status/phaseReason"),
                ("target", "/status/targetPrimary"),
                ("current", "/status/currentPrimary"),
                ("timeline", "/status/timelineID"),
                ("instances", "/status/instances"),
                ("ready", "/status/readyInstances"),
                ("healthyPVC", "/status/healthyPVC"),
                ("danglingPVC", "/status/danglingPVC"),
                ("initializingPVC", "/status/initializingPVC"),
            ] {
                fields.insert(field, at(pointer));
            }
            for kind in ["Initialized", "ConsistentSystemID", "Ready", "ContinuousArchiving", "cnpg.io/hibernation"] {
                let said = condition(object, kind)
                    .map_or_else(|| "-".to_owned(), |c| format!("{}/{}", text(c, "/status"), text(c, "/reason")));
                fields.insert(kind, said);
            }
        }
        "Pod" => {
            fields.insert("phase", at("/status/phase"));
            let ready = condition(object, "Ready").map_or("-", |c| text(c, "/status"));
            fields.insert("Ready", ready.to_owned());
            fields.insert("role", label(object, "role").unwrap_or("-").to_owned());
            fields.insert("deleting", deleting());
        }
        "Lease" => drop(fields.insert("holder", at("/spec/holderIdentity"))),
        "EndpointSlice" => drop(fields.insert("endpoints", endpoints(object))),
        "Endpoints" => drop(fields.insert("addresses", addresses(object))),
        "PodDisruptionBudget" => {
            let count = |field: &str| number(object, &format!("/status/{field}")).unwrap_or(0);
            let [healthy, desired] = [count("currentHealthy"), count("desiredHealthy")];
            let [allowed, expected] = [count("disruptionsAllowed"), count("expectedPods")];
            fields.insert("counts", format!("{healthy}/{desired} allowed {allowed} of {expected}"));
        }
        "PersistentVolumeClaim" => {
            fields.insert("phase", at("/status/phase"));
            fields.insert("status", at("/metadata/annotations/cnpg.io~1pvcStatus"));
            fields.insert("deleting", deleting());
        }
        "Job" => {
            fields.insert("active", at("/status/active"));
            fields.insert("succeeded", at("/status/succeeded"));
        }
        _ => {}
    }
    fields
}

fn endpoints(slice: &Value) -> String {
    let mut all: Vec<String> = list(slice, "/endpoints")
        .iter()
        .map(|endpoint| {
            let ready = if flag(endpoint, "/conditions/ready") { "R" } else { "-" };
            let going = if flag(endpoint, "/conditions/terminating") { "T" } else { "" };
            format!("{}:{ready}{going}", text(endpoint, "/targetRef/name"))
        })
        .collect();
    all.sort();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}

fn addresses(endpoints: &Value) -> String {
    let subsets = list(endpoints, "/subsets");
    let mut all: Vec<&str> =
        subsets.iter().flat_map(|s| list(s, "/addresses")).map(|a| text(a, "/targetRef/name")).collect();
    all.sort_unstable();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}
