use super::*;
use crate::lab::world;

/// A world with a cluster of three whose first instance leads, in zone 1.
fn store() -> Store {
    let store = Store::new();
    world::populate(&store).unwrap();
    let ns = world::NAMESPACE;
    let status = json!({"currentPrimary": "pg-primary-1",
        "instanceNames": ["pg-primary-1", "pg-primary-2", "pg-primary-3"]});
    let mut cluster = world::cluster(3, "17.5", "http://127.0.0.1:1/lab/backups");
    cluster["status"] = status;
    store.create(&CLUSTERS, ns, cluster).unwrap();
    let nodes = store.list(&NODES, None, &Selector::everything()).items;
    let node = nodes.iter().find(|n| label(n, ZONE) == Some("westus3-1")).map(|n| name(n).to_owned()).unwrap();
    let pod = json!({"metadata": {"name": "pg-primary-1"}, "spec": {"nodeName": node}});
    store.create(&PODS, ns, pod).unwrap();
    store
}

fn fault(spec: Value) -> Value {
    json!({"metadata": {"name": "f", "namespace": world::NAMESPACE}, "spec": spec})
}

fn admitted(spec: Value) -> Value {
    let mut fault = fault(spec);
    admit(&store(), None, &mut fault).unwrap();
    fault
}

/// Field and message of the first thing that is wrong.
fn refused(spec: Value) -> (String, String) {
    let why = admit(&store(), None, &mut fault(spec)).unwrap_err();
    assert_eq!(why.code, 422);
    let cause = &why.details.unwrap()["causes"][0];
    (text(cause, "/field").to_owned(), text(cause, "/message").to_owned())
}

#[test]
fn a_bare_kind_is_completed() {
    let fault = admitted(json!({"kind": "freeze-standby"}));
    assert_eq!(fault["spec"], json!({"kind": "freeze-standby", "cluster": "pg-primary", "instance": "pg-primary-2"}));
    assert_eq!(fault["metadata"]["finalizers"], json!([FINALIZER]));
    assert_eq!(admitted(json!({"kind": "kill-primary"}))["spec"]["instance"], "pg-primary-1");
    assert_eq!(admitted(json!({"kind": "zone-loss"}))["spec"]["zone"], "westus3-1");
    assert_eq!(admitted(json!({"kind": "api-outage"}))["spec"]["seconds"], 30);
    let slow = Wish::read(&admitted(json!({"kind": "slow-standby", "bytesPerSecond": 50000}))).unwrap();
    assert_eq!((slow.number("bytesPerSecond"), slow.number("writeMib"), slow.number("nothing")), (50_000, 96, 0));
    let cut = Wish::read(&admitted(json!({"kind": "link-cut", "to": "pg-primary-3"}))).unwrap();
    assert_eq!((cut.target().as_str(), cut.word("how")), ("pg-primary-1 - pg-primary-3", "drop"));
}

#[test]
fn a_mistake_is_told_with_its_field_and_the_nearest_name() {
    let says = |spec: Value, field: &str, words: &str| {
        let (at, why) = refused(spec);
        assert!(at == field && why.contains(words), "{at}: {why}");
    };
    says(json!({"kind": "kil-primary"}), "spec.kind", "did you mean kill-primary?");
    says(json!({"kind": "freeze-standby", "cluster": "pg-primry"}), "spec.cluster", "did you mean pg-primary?");
    says(json!({"kind": "freeze-standby", "instance": "pg-primary-22"}), "spec.instance", "did you mean pg-primary-2?");
    says(json!({"kind": "freeze-standby", "instance": "pg-primary-1"}), "spec.instance", "it is the primary");
    says(json!({"kind": "kill-primary", "instance": "pg-primary-2"}), "spec.instance", "pg-primary-1 is");
    says(json!({"kind": "kill-primary", "zone": "westus3-1"}), "spec.zone", "not to a zone");
    says(json!({"kind": "zone-loss", "zone": "westus3-9"}), "spec.zone", "did you mean westus3-");
    says(json!({"kind": "slow-standby", "bytesPerSecond": 1}), "spec.bytesPerSecond", "between 49152 and");
    says(json!({"kind": "replay-paused", "percent": 5}), "spec.percent", "nothing but its target");
    says(json!({"kind": "link-cut", "to": "pg-primary-1"}), "spec.to", "itself");
    says(json!({"kind": "link-cut", "how": "melt"}), "spec.how", "one of drop, refuse");
    says(json!({"kind": "api-outage", "seconds": 0}), "spec.seconds", "between 1 and");
}

#[test]
fn a_fault_elsewhere_is_told_where_clusters_are() {
    let mut fault = fault(json!({"kind": "kill-primary"}));
    fault["metadata"]["namespace"] = json!("default");
    let why = admit(&store(), None, &mut fault).unwrap_err();
    assert!(why.message.contains("there is one in cnpg-database"), "{why}");
}

#[test]
fn it_stays_as_it_is_and_alone_in_its_place() {
    let store = store();
    let mut first = fault(json!({"kind": "zone-cut"}));
    admit(&store, None, &mut first).unwrap();
    let first = store.create(&FAULTS, world::NAMESPACE, first).unwrap();
    let mut changed = Value::clone(&first);
    changed["spec"]["zone"] = json!("westus3-2");
    assert!(admit(&store, Some(&first), &mut changed).unwrap_err().message.contains("can't be changed"));
    assert!(admit(&store, Some(&first), &mut Value::clone(&first)).is_ok());
    let mut second = fault(json!({"kind": "zone-loss", "zone": "westus3-1"}));
    assert!(admit(&store, None, &mut second).unwrap_err().message.contains("stands in its place"));
    second["spec"]["zone"] = json!("westus3-2");
    assert!(admit(&store, None, &mut second).is_ok());
}
