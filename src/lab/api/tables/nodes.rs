//! Nodes and namespaces.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, Column, Printer, age, column, each, joined, or_none, text, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    match plural {
        "nodes" => Some(Printer { columns: NODES, cells: node }),
        "namespaces" => Some(Printer { columns: NAMESPACES, cells: namespace }),
        _ => None,
    }
}

const NODES: &[Column] = &[
    column("Status", "The status of the node."),
    column("Roles", "The roles of the node."),
    AGE,
    column("Version", "Kubelet version reported by the node."),
    wide("Internal-IP", "Internal address of the node."),
    wide("External-IP", "External address of the node."),
    wide("OS-Image", "OS image reported by the node."),
    wide("Kernel-Version", "Kernel version reported by the node."),
    wide("Container-Runtime", "Container runtime version reported by the node."),
];

fn node(node: &Value, now: Timestamp) -> Vec<Value> {
    let info = &node["status"]["nodeInfo"];
    let known = |value: &Value| match text(value) {
        "" => json!("<unknown>"),
        some => json!(some),
    };
    vec![
        json!(status(node)),
        roles(&node["metadata"]["labels"]),
        age::since_creation(node, now),
        info["kubeletVersion"].clone(),
        address(node, "InternalIP"),
        address(node, "ExternalIP"),
        known(&info["osImage"]),
        known(&info["kernelVersion"]),
        known(&info["containerRuntimeVersion"]),
    ]
}

fn status(node: &Value) -> String {
    let ready = each(&node["status"]["conditions"]).find(|c| c["type"] == "Ready");
    let mut status = match ready.map(|c| text(&c["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(labels: &Value) -> Value {
    joined(labels.as_object().into_iter().flatten().filter_map(|(key, value)| {
        key.strip_prefix("node-role.kubernetes.io/").or_else(|| (key == "kubernetes.io/role").then(|| text(value)))
    }))
}

fn address(node: &Value, kind: &str) -> Value {
    let found = each(&node["status"]["addresses"]).find(|a| a["type"] == kind);
    found.map_or(json!("<none>"), |a| or_none(&a["address"]))
}

const NAMESPACES: &[Column] = &[column("Status", "The status of the namespace"), AGE];

fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![object["status"]["phase"].clone(), age::since_creation(object, now)]
}
