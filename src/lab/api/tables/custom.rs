//! CNPG's kinds and the lab's own: the printer columns of their definitions.

use jiff::Timestamp;
use serde_json::Value;

use super::{Cells, Column, Printer, age, column, number};

/// Columns of a custom kind are JSON paths; what is absent is null.
pub(super) fn printer(plural: &str) -> Printer {
    let (columns, cells): (&'static [Column], Cells) = match plural {
        "clusters" => (CLUSTERS, |o, now| {
            let status = &o["status"];
            let rest = ["instances", "readyInstances", "phase", "currentPrimary"].map(|f| status[f].clone());
            with_age(o, now, &rest)
        }),
        "backups" => (BACKUPS, |o, now| {
            let (spec, status) = (&o["spec"], &o["status"]);
            let rest =
                [&spec["cluster"]["name"], &spec["method"], &status["phase"], &status["error"]].map(Value::clone);
            with_age(o, now, &rest)
        }),
        "scheduledbackups" => (SCHEDULED, |o, now| {
            let last = &o["status"]["lastScheduleTime"];
            let last = if last.is_string() { age::since(last, now) } else { Value::Null };
            with_age(o, now, &[o["spec"]["cluster"]["name"].clone(), last])
        }),
        "poolers" => {
            (POOLERS, |o, now| with_age(o, now, &[o["spec"]["cluster"]["name"].clone(), o["spec"]["type"].clone()]))
        }
        "databases" | "publications" | "subscriptions" => (DATABASES, |o, now| {
            let (spec, status) = (&o["spec"], &o["status"]);
            let rest =
                [&spec["cluster"]["name"], &spec["name"], &status["applied"], &status["message"]].map(Value::clone);
            with_age(o, now, &rest)
        }),
        "faults" => (FAULTS, |o, now| {
            let rest = [&o["spec"]["kind"], &o["status"]["target"], &o["status"]["state"]].map(Value::clone);
            rest.into_iter().chain([age::since_creation(o, now)]).collect()
        }),
        _ => (&[AGE], |o, now| with_age(o, now, &[])),
    };
    Printer { columns, cells }
}

fn with_age(object: &Value, now: Timestamp, rest: &[Value]) -> Vec<Value> {
    std::iter::once(age::since_creation(object, now)).chain(rest.iter().cloned()).collect()
}

const AGE: Column = Column {
    kind: "date",
    ..column("Age", "Custom resource definition column (in JSONPath format): .metadata.creationTimestamp")
};

const CLUSTERS: &[Column] = &[
    AGE,
    number("Instances", "Number of instances"),
    number("Ready", "Number of ready instances"),
    column("Status", "Cluster current status"),
    column("Primary", "Primary pod"),
];

const CLUSTER: Column = column("Cluster", "Custom resource definition column (in JSONPath format): .spec.cluster.name");

const BACKUPS: &[Column] = &[
    AGE,
    CLUSTER,
    column("Method", "Custom resource definition column (in JSONPath format): .spec.method"),
    column("Phase", "Custom resource definition column (in JSONPath format): .status.phase"),
    column("Error", "Custom resource definition column (in JSONPath format): .status.error"),
];

const FAULTS: &[Column] = &[
    column("Kind", "What kind of fault it is."),
    column("Target", "What it is done to."),
    column("State", "How far it is."),
    AGE,
];

const SCHEDULED: &[Column] = &[
    AGE,
    CLUSTER,
    Column {
        kind: "date",
        ..column("Last Backup", "Custom resource definition column (in JSONPath format): .status.lastScheduleTime")
    },
];

const POOLERS: &[Column] =
    &[AGE, CLUSTER, column("Type", "Custom resource definition column (in JSONPath format): .spec.type")];

const DATABASES: &[Column] = &[
    AGE,
    CLUSTER,
    column("PG Name", "Custom resource definition column (in JSONPath format): .spec.name"),
    Column {
        kind: "boolean",
        ..column("Applied", "Custom resource definition column (in JSONPath format): .status.applied")
    },
    column("Message", "Latest reconciliation message"),
];
