//! Our writes beside those of kubectl-cnpg 1.30, field by field (`tests/fixtures/kubectl-cnpg.jsonl`, recorded).

use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::domain::cluster::{Cluster, Operator};
use crate::domain::names::ClusterKey;
use crate::procedure::catalog::backup::{Method, Take, writes};
use crate::procedure::catalog::cnpg;
use crate::procedure::order::{Order, Patch};

const RECORDED: &str = include_str!("../../../../tests/fixtures/kubectl-cnpg.jsonl");

/// The last line of a command that changes something.
fn recorded(command: &str) -> Value {
    let lines = RECORDED.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    let mut writes = lines.filter(|l| l["command"] == command && l["method"] != "GET");
    writes.next_back().unwrap_or_else(|| panic!("{command} was not recorded"))
}

fn body(line: &Value) -> Value {
    serde_json::from_str(line["body"].as_str().unwrap()).unwrap()
}

fn demo() -> Cluster {
    Cluster::named(ClusterKey::new("recorded", "pg", "demo"), Operator::Cnpg)
}

/// Same method, path and type; gives the patch.
fn same_way<'o>(order: &'o Order, line: &Value) -> &'o Patch {
    let request = order.request();
    assert_eq!(request.method, line["method"]);
    assert_eq!(request.path, format!("{}?fieldManager=howdah", line["path"].as_str().unwrap()));
    assert_eq!(request.content_type.as_deref(), line["content_type"].as_str());
    let Order::Patch(patch) = order else { panic!("{order:?}") };
    patch
}

/// The object as it was before that write: ready, with that resourceVersion.
fn before(sent: &Value) -> Value {
    let mut conditions = sent["status"]["conditions"].clone();
    let ready = conditions.as_array_mut().unwrap().iter_mut().find(|c| c["type"] == "Ready").unwrap();
    *ready = json!({"type": "Ready", "status": "True", "reason": "ClusterIsReady", "message": "Cluster is Ready",
        "lastTransitionTime": "2026-11-20T22:00:00Z"});
    json!({"metadata": sent["metadata"], "status": {"conditions": conditions, "phase": "Cluster in healthy state"}})
}

#[test]
fn promote() {
    let line = recorded("promote");
    let sent = body(&line);
    let order = cnpg::promote(&demo(), &"demo-1".into());
    let now = sent["status"]["targetPrimaryTimestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(same_way(&order, &line).filled(&before(&sent), now), sent);
}

#[test]
fn restart_of_the_primary() {
    let line = recorded("restart-primary");
    let sent = body(&line);
    let ready = sent["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
    let now = ready["lastTransitionTime"].as_str().unwrap().parse().unwrap();
    let order = cnpg::restart_primary(&demo());
    assert_eq!(same_way(&order, &line).filled(&before(&sent), now), sent);
}

/// The plugin does not lock these; a list that is merged is.
#[test]
fn annotations() {
    let annotated = |line: &Value| body(line)["metadata"]["annotations"].clone();
    let c = demo();
    let restart = recorded("restart-cluster");
    let at = annotated(&restart)[cnpg::RESTARTED].as_str().unwrap().to_owned();
    assert_eq!(cnpg::seconds(at.parse().unwrap()), at);
    assert_eq!(same_way(&cnpg::restart(&c, &at), &restart).body["metadata"]["annotations"], annotated(&restart));
    let reload = recorded("reload");
    let at = annotated(&reload)[cnpg::RELOADED].as_str().unwrap().to_owned();
    assert_eq!(cnpg::micros(at.parse().unwrap()), at);
    assert_eq!(same_way(&cnpg::reload(&c, &at), &reload).body["metadata"]["annotations"], annotated(&reload));
    for (command, on) in [("hibernate-on", true), ("hibernate-off", false)] {
        let line = recorded(command);
        assert_eq!(same_way(&cnpg::hibernation(&c, on), &line).body, body(&line));
    }
    let (two, none) = (BTreeSet::from(["demo-2".to_owned()]), BTreeSet::new());
    let on = recorded("fencing-on");
    assert_eq!(same_way(&cnpg::fence(&c, &two, &none), &on).body, body(&on));
    let off = recorded("fencing-off");
    let fenced = Cluster { fenced: crate::domain::cluster::Fenced::Some(["demo-2".into()].into()), ..c };
    assert_eq!(same_way(&cnpg::fence(&fenced, &none, &two), &off).body, body(&off));
}

/// The plugin deletes with empty options; ours say of which identity.
#[test]
fn restart_of_a_standby() {
    let line = recorded("restart-instance");
    let request = cnpg::delete_pod(&demo(), &"demo-2".into(), "u-2").request();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("DELETE", line["path"].as_str().unwrap()));
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u-2"}});
    assert_eq!(request.body, Some(options));
}

/// The plugin leaves the method to the default of the CRD and writes an empty status that the API drops; ours says what was
/// chosen, and of which plan it is.
#[test]
fn a_backup() {
    let line = recorded("backup");
    let mut cluster = Cluster::named(ClusterKey::new("recorded", "pg", "shop"), Operator::Cnpg);
    cluster.backups.methods.barman = true;
    let made = "2026-11-20T22:56:45Z".parse().unwrap();
    let order = writes::backup(&cluster, "shop-20261120225645", Method::Barman, &Take::default(), made);
    let request = order.request();
    assert_eq!((request.method.as_str(), request.content_type.as_deref()), ("POST", line["content_type"].as_str()));
    assert_eq!(request.path, format!("{}?fieldManager=howdah", line["path"].as_str().unwrap()));
    let mut ours = request.body.unwrap();
    assert_eq!(ours["spec"].as_object_mut().unwrap().remove("method"), Some("barmanObjectStore".into()));
    let annotations = ours["metadata"].as_object_mut().unwrap().remove("annotations");
    assert_eq!(annotations, Some(json!({"howdah/planned": "2026-11-20T22:56:45.000000Z"})));
    let mut sent = body(&line);
    assert_eq!(sent.as_object_mut().unwrap().remove("status"), Some(json!({"snapshotBackupStatus": {}})));
    assert_eq!(ours, sent);
}
