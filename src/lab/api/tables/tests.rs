//! Rows against what kubectl shows on a real cluster.

use serde_json::{Value, json};

use super::*;
use crate::lab::api::resources::{self, ALL, CLUSTERS, NODES, PODS, PVCS, SERVICES};

fn now() -> Timestamp {
    "2026-11-20T23:08:04Z".parse().expect("time")
}

fn cells(resource: &Resource, object: &Value) -> Vec<Value> {
    row(resource, object, now(), Value::Null)["cells"].as_array().cloned().unwrap_or_default()
}

#[test]
fn every_kind_has_as_many_cells_as_columns() {
    for resource in ALL {
        let object = json!({"metadata": {"name": "x", "creationTimestamp": "2026-11-20T22:49:56Z"}});
        let columns = definitions(resource).as_array().map(Vec::len);
        assert_eq!(columns, Some(cells(resource, &object).len()), "{}", resource.qualified());
    }
}

#[test]
fn ages_grow_coarser() {
    let shown: Vec<String> =
        [-5, -1, 0, 119, 120, 406, 600, 1080, 11_000, 30_000, 200_000, 700_000, 90_000_000, 300_000_000]
            .map(age::human)
            .into();
    let wanted =
        ["<invalid>", "0s", "0s", "119s", "2m", "6m46s", "10m", "18m", "3h3m", "8h", "2d7h", "8d", "2y311d", "9y"];
    assert_eq!(shown, wanted);
}

#[test]
fn a_cluster_as_recorded() {
    let demo = json!({"metadata": {"name": "demo", "creationTimestamp": "2026-11-20T22:49:56Z"}, "status": {
        "instances": 3, "readyInstances": 3, "phase": "Cluster in healthy state", "currentPrimary": "demo-1"}});
    assert_eq!(
        cells(&CLUSTERS, &demo),
        json!(["demo", "18m", 3, 3, "Cluster in healthy state", "demo-1"]).as_array().cloned().unwrap_or_default()
    );
    let backup = json!({"metadata": {"name": "b", "creationTimestamp": "2026-11-20T22:59:14Z"}, "spec": {
        "cluster": {"name": "shop"}, "method": "barmanObjectStore"}, "status": {"phase": "completed"}});
    let shown = cells(&resources::BACKUPS, &backup);
    assert_eq!(json!(shown), json!(["b", "8m50s", "shop", "barmanObjectStore", "completed", null]));
}

#[test]
fn pods_say_how_they_are() {
    let base = |status: Value| {
        json!({"metadata": {"name": "demo-1", "creationTimestamp": "2026-11-20T23:01:18Z"},
            "spec": {"nodeName": "node1", "containers": [{"name": "postgres"}], "initContainers": [{"name": "b"}]}, "status": status})
    };
    let shown = |status: Value| {
        let cells = cells(&PODS, &base(status));
        (text(&cells[1]).to_owned(), text(&cells[2]).to_owned(), text(&cells[3]).to_owned())
    };
    let ok = json!({"phase": "Running", "podIP": "10.244.0.24", "containerStatuses": [{"ready": true,
        "restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": {"finishedAt": "2026-11-20T23:07:00Z"}}}]});
    assert_eq!(shown(ok.clone()), ("1/1".into(), "Running".into(), "1 (64s ago)".into()));
    let init = json!({"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]});
    assert_eq!(shown(init), ("0/1".into(), "Init:0/1".into(), "0".into()));
    let waiting = json!({"phase": "Running", "containerStatuses": [{"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]});
    assert_eq!(shown(waiting), ("0/1".into(), "CrashLoopBackOff".into(), "3".into()));
    let done = json!({"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]});
    assert_eq!(shown(done), ("0/1".into(), "Completed".into(), "0".into()));
    let mut going = base(ok);
    going["metadata"]["deletionTimestamp"] = json!("2026-11-20T23:08:10Z");
    assert_eq!(cells(&PODS, &going)[2], "Terminating");
    assert_eq!(json!(cells(&PODS, &going)[5..]), json!(["10.244.0.24", "node1", "<none>", "<none>"]));
}

#[test]
fn nodes_services_and_claims() {
    let node = json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/agent": "", "zone": "1"}},
        "spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {"kubeletVersion": "v1.33.1"}, "addresses": [{"type": "InternalIP", "address": "10.0.0.4"}]}});
    let shown = cells(&NODES, &node);
    assert_eq!(json!(shown[1..6]), json!(["Ready,SchedulingDisabled", "agent", "<unknown>", "v1.33.1", "10.0.0.4"]));
    let service = json!({"metadata": {"name": "demo-rw"}, "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.9",
        "ports": [{"port": 5432, "protocol": "TCP"}], "selector": {"role": "primary"}}});
    assert_eq!(json!(cells(&SERVICES, &service)[1..5]), json!(["ClusterIP", "10.0.0.9", "<none>", "5432/TCP"]));
    let claim = json!({"metadata": {"name": "demo-1", "creationTimestamp": "2026-11-20T22:49:56Z"}, "spec": {
        "volumeName": "pv6", "storageClassName": "manual", "volumeMode": "Filesystem"}, "status": {
        "phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}});
    let wanted = json!(["demo-1", "Bound", "pv6", "1Gi", "RWO", "manual", "<unset>", "18m", "Filesystem"]);
    assert_eq!(json!(cells(&PVCS, &claim)), wanted);
}
