//! Events, configuration, leases, budgets, rights and extensions.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, Cells, Column, Printer, age, column, each, int, joined, number, text, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    let (columns, cells): (&'static [Column], Cells) = match plural {
        "events" => (EVENTS, event),
        "configmaps" => {
            (CONFIGMAPS, |o, now| vec![json!(count(&o["data"]) + count(&o["binaryData"])), age::since_creation(o, now)])
        }
        "secrets" => {
            (SECRETS, |o, now| vec![json!(text(&o["type"])), json!(count(&o["data"])), age::since_creation(o, now)])
        }
        "serviceaccounts" => (ACCOUNTS, |o, now| vec![json!(each(&o["secrets"]).len()), age::since_creation(o, now)]),
        "leases" => (LEASES, |o, now| vec![json!(text(&o["spec"]["holderIdentity"])), age::since_creation(o, now)]),
        "poddisruptionbudgets" => (BUDGETS, budget),
        "roles" | "customresourcedefinitions" => (CREATED, |o, _| vec![o["metadata"]["creationTimestamp"].clone()]),
        "rolebindings" => (BINDINGS, binding),
        "validatingwebhookconfigurations" | "mutatingwebhookconfigurations" => {
            (WEBHOOKS, |o, now| vec![json!(each(&o["webhooks"]).len()), age::since_creation(o, now)])
        }
        _ => return None,
    };
    Some(Printer { columns, cells })
}

const CONFIGMAPS: &[Column] = &[number("Data", "Number of entries."), AGE];
const SECRETS: &[Column] = &[
    column("Type", "Used to facilitate programmatic handling of secret data."),
    number("Data", "Number of entries."),
    AGE,
];
const ACCOUNTS: &[Column] = &[number("Secrets", "Number of secrets."), AGE];
const LEASES: &[Column] = &[column("Holder", "The identity of the holder of the lease."), AGE];
const CREATED: &[Column] = &[Column { kind: "date", ..column("Created At", "When the object was created.") }];
const WEBHOOKS: &[Column] =
    &[number("Webhooks", "Webhooks indicates total number of webhooks defined in this configuration"), AGE];

fn count(map: &Value) -> usize {
    map.as_object().map_or(0, serde_json::Map::len)
}

const EVENTS: &[Column] = &[
    column("Last Seen", "The time at which the most recent occurrence of this event was recorded."),
    column("Type", "Type of this event (Normal, Warning), new types could be added in the future"),
    column("Reason", "A short, machine understandable string that gives the reason for this event."),
    column("Object", "The object that this event is about."),
    wide("Subobject", "The part of the object that this event is about."),
    wide("Source", "The component reporting this event."),
    column("Message", "A human-readable description of the status of this operation."),
    wide("First Seen", "The time at which the event was first recorded."),
    Column { kind: "integer", ..wide("Count", "The number of times this event has occurred.") },
    wide("Name", "The event's name."),
];

fn event(event: &Value, now: Timestamp) -> Vec<Value> {
    // The same object in its old words or its newer ones.
    let word = |old: &str, new: &str| if event[old].is_null() { &event[new] } else { &event[old] };
    let series = &event["series"];
    let or_event_time = |stamp: &'_ Value| if stamp.is_string() { stamp.clone() } else { event["eventTime"].clone() };
    let first = or_event_time(word("firstTimestamp", "deprecatedFirstTimestamp"));
    let last = if series.is_object() {
        series["lastObservedTime"].clone()
    } else {
        word("lastTimestamp", "deprecatedLastTimestamp").clone()
    };
    let last = if last.is_string() { last } else { first.clone() };
    let count = if series.is_object() { int(&series["count"]) } else { int(word("count", "deprecatedCount")).max(1) };
    let about = word("involvedObject", "regarding");
    let object = match text(&about["kind"]) {
        "" => text(&about["name"]).to_owned(),
        kind => format!("{}/{}", kind.to_lowercase(), text(&about["name"])),
    };
    let from = word("source", "deprecatedSource");
    let source = [text(&from["component"]), text(&from["host"])];
    let source = match text(&from["component"]) {
        "" => json!(text(word("reportingComponent", "reportingController"))),
        _ => json!(source.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(", ")),
    };
    vec![
        age::since(&last, now),
        event["type"].clone(),
        event["reason"].clone(),
        json!(object),
        json!(text(&about["fieldPath"])),
        source,
        json!(text(word("message", "note")).trim()),
        age::since(&first, now),
        json!(count),
        event["metadata"]["name"].clone(),
    ]
}

const BUDGETS: &[Column] = &[
    column("Min Available", "The minimum number of pods that must be available."),
    column("Max Unavailable", "The maximum number of pods that may be unavailable."),
    number("Allowed Disruptions", "Number of pod disruptions that are currently allowed."),
    AGE,
];

fn budget(object: &Value, now: Timestamp) -> Vec<Value> {
    let bound = |value: &Value| match value {
        Value::Number(n) => json!(n.to_string()),
        Value::String(s) => json!(s),
        _ => json!("N/A"),
    };
    vec![
        bound(&object["spec"]["minAvailable"]),
        bound(&object["spec"]["maxUnavailable"]),
        json!(int(&object["status"]["disruptionsAllowed"])),
        age::since_creation(object, now),
    ]
}

const BINDINGS: &[Column] = &[
    column("Role", "The role the subjects get."),
    AGE,
    wide("Users", "Users in the roleBinding"),
    wide("Groups", "Groups in the roleBinding"),
    wide("ServiceAccounts", "ServiceAccounts in the roleBinding"),
];

fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let role = &object["roleRef"];
    let of = |kind: &'static str| each(&object["subjects"]).filter(move |s| s["kind"] == kind);
    let blank = |shown: Value| if shown == "<none>" { json!("") } else { shown };
    let accounts: Vec<String> =
        of("ServiceAccount").map(|s| format!("{}/{}", text(&s["namespace"]), text(&s["name"]))).collect();
    vec![
        json!(format!("{}/{}", text(&role["kind"]), text(&role["name"]))),
        age::since_creation(object, now),
        blank(joined(of("User").map(|s| text(&s["name"])))),
        blank(joined(of("Group").map(|s| text(&s["name"])))),
        blank(joined(accounts.iter().map(String::as_str))),
    ]
}
