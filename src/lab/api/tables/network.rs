//! Services and where they lead.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, Column, Printer, age, column, each, int, joined, or_none, pairs, text, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    match plural {
        "services" => Some(Printer { columns: SERVICES, cells: service }),
        "endpoints" => Some(Printer { columns: ENDPOINTS, cells: endpoints }),
        "endpointslices" => Some(Printer { columns: SLICES, cells: slice }),
        _ => None,
    }
}

const SERVICES: &[Column] = &[
    column("Type", "How the service is exposed."),
    column("Cluster-IP", "The address of the service inside the cluster."),
    column("External-IP", "The addresses of the service outside."),
    column("Port(s)", "The ports of the service."),
    AGE,
    wide("Selector", "Route service traffic to pods with these labels."),
];

fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let ports: Vec<String> = each(&spec["ports"])
        .map(|p| {
            let protocol = if text(&p["protocol"]).is_empty() { "TCP" } else { text(&p["protocol"]) };
            match int(&p["nodePort"]) {
                0 => format!("{}/{protocol}", int(&p["port"])),
                node => format!("{}:{node}/{protocol}", int(&p["port"])),
            }
        })
        .collect();
    vec![
        spec["type"].clone(),
        or_none(&spec["clusterIP"]),
        external(object),
        joined(ports.iter().map(String::as_str)),
        age::since_creation(object, now),
        pairs(&spec["selector"]),
    ]
}

fn external(object: &Value) -> Value {
    let spec = &object["spec"];
    let ingress = each(&object["status"]["loadBalancer"]["ingress"]);
    let mut found: Vec<&str> = each(&spec["externalIPs"]).map(text).collect();
    found.extend(ingress.map(|i| if text(&i["ip"]).is_empty() { text(&i["hostname"]) } else { text(&i["ip"]) }));
    match (text(&spec["type"]), found.is_empty()) {
        ("ExternalName", _) => or_none(&spec["externalName"]),
        ("LoadBalancer", true) => json!("<pending>"),
        _ => joined(found.into_iter()),
    }
}

const ENDPOINTS: &[Column] = &[column("Endpoints", "Addresses and ports behind the service."), AGE];

/// At most three, as kubectl shows them.
fn few(all: &[String]) -> Value {
    match all.len() {
        0 => json!("<none>"),
        1..=3 => json!(all.join(",")),
        n => json!(format!("{} + {} more...", all[..3].join(","), n - 3)),
    }
}

fn endpoints(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in each(&object["subsets"]) {
        for address in each(&subset["addresses"]) {
            let ip = text(&address["ip"]);
            match each(&subset["ports"]).len() {
                0 => all.push(ip.to_owned()),
                _ => all.extend(each(&subset["ports"]).map(|p| format!("{ip}:{}", int(&p["port"])))),
            }
        }
    }
    vec![few(&all), age::since_creation(object, now)]
}

const SLICES: &[Column] = &[
    column("AddressType", "addressType specifies the type of address carried by this EndpointSlice."),
    column("Ports", "ports specifies the list of network ports exposed by each endpoint in this slice."),
    column("Endpoints", "endpoints is a list of unique endpoints in this slice."),
    AGE,
];

fn slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = each(&object["ports"]).map(|p| int(&p["port"]).to_string()).collect();
    let addresses: Vec<String> = each(&object["endpoints"])
        .flat_map(|e| each(&e["addresses"]).map(|a| text(a).to_owned()).collect::<Vec<_>>())
        .collect();
    let unset = |shown: Value| if shown == "<none>" { json!("<unset>") } else { shown };
    vec![object["addressType"].clone(), unset(few(&ports)), unset(few(&addresses)), age::since_creation(object, now)]
}
