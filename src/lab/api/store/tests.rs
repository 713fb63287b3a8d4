//! The store's promises, one by one.

use serde_json::{Value, json};

use super::*;
use crate::lab::api::resources::{CLUSTERS, CONFIGMAPS, EVENTS, NODES, PODS};

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"nodeName": "n1", "terminationGracePeriodSeconds": 1800}})
}

#[test]
fn a_new_object_gets_its_identity() {
    let store = Store::new();
    let made = store.create(&CLUSTERS, "db", json!({"metadata": {"generateName": "demo-"}, "spec": {}})).expect("new");
    assert!(meta::text(&made, "name").starts_with("demo-") && meta::text(&made, "name").len() == 10);
    assert_eq!(meta::text(&made, "uid").len(), 36);
    assert_eq!((made["kind"].as_str(), made["metadata"]["generation"].as_u64()), (Some("Cluster"), Some(1)));
    let twice = store.create(&CLUSTERS, "db", json!({"metadata": {"name": meta::text(&made, "name")}}));
    assert_eq!(twice.map_err(|e| e.reason), Err("AlreadyExists"));
    assert_eq!(store.create(&CLUSTERS, "db", json!({})).map_err(|e| e.code), Err(422));
}

#[test]
fn halves_are_apart_and_generation_follows_spec() {
    let store = Store::new();
    store.create(&CLUSTERS, "db", json!({"metadata": {"name": "c"}, "spec": {"instances": 3}})).expect("new");
    let both = |o: &mut Value| {
        o["spec"]["instances"] = json!(2);
        o["status"]["phase"] = json!("x");
        Ok(())
    };
    let status = store.change(&CLUSTERS, "db", "c", Part::Status, both).expect("status");
    assert_eq!((&status["spec"]["instances"], &status["status"]["phase"]), (&json!(3), &json!("x")));
    assert_eq!(status["metadata"]["generation"], 1);
    let main = store.change(&CLUSTERS, "db", "c", Part::Main, both).expect("main");
    assert_eq!((&main["spec"]["instances"], &main["metadata"]["generation"]), (&json!(2), &json!(2)));
    let before = store.resource_version();
    store.change(&CLUSTERS, "db", "c", Part::Main, both).expect("nothing");
    assert_eq!(store.resource_version(), before, "a change that changes nothing is no write");
    let stale = store.change(&CLUSTERS, "db", "c", Part::Main, |o| {
        o["metadata"]["resourceVersion"] = json!("7");
        Ok(())
    });
    assert_eq!(stale.map_err(|e| e.reason), Err("Conflict"));
}

#[test]
fn a_pod_ends_with_grace_and_other_things_at_once() {
    let store = Store::new();
    store.create(&PODS, "db", pod("p")).expect("new");
    let marked = store.delete(&PODS, "db", "p", &DeleteOptions::default()).expect("marked");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 1800);
    let shorter = DeleteOptions { grace: Some(1), ..DeleteOptions::default() };
    let marked = store.delete(&PODS, "db", "p", &shorter).expect("shorter");
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 1);
    assert!(store.remove(&PODS, "db", "p").is_some() && store.get(&PODS, "db", "p").is_none());
    store.create(&CONFIGMAPS, "db", json!({"metadata": {"name": "c"}})).expect("new");
    store.delete(&CONFIGMAPS, "db", "c", &DeleteOptions::default()).expect("gone");
    assert!(store.get(&CONFIGMAPS, "db", "c").is_none());
}

#[test]
fn finalizers_hold_and_preconditions_are_checked() {
    let store = Store::new();
    store.create(&CONFIGMAPS, "db", json!({"metadata": {"name": "c", "finalizers": ["x/y"]}})).expect("new");
    let wrong = Preconditions { uid: Some("other".into()), ..Preconditions::default() };
    let refused = store.delete(&CONFIGMAPS, "db", "c", &DeleteOptions { preconditions: wrong, ..Default::default() });
    assert_eq!(refused.map_err(|e| e.code), Err(409));
    store.delete(&CONFIGMAPS, "db", "c", &DeleteOptions::default()).expect("marked");
    assert!(store.get(&CONFIGMAPS, "db", "c").is_some_and(|c| meta::terminating(&c)));
    store
        .change(&CONFIGMAPS, "db", "c", Part::Main, |o| {
            o["metadata"]["finalizers"] = json!([]);
            Ok(())
        })
        .expect("released");
    assert!(store.get(&CONFIGMAPS, "db", "c").is_none());
}

fn family(store: &Store) {
    let owner = store.create(&CLUSTERS, "db", json!({"metadata": {"name": "c"}})).expect("owner");
    let reference = Ref::controller(&CLUSTERS, &owner);
    let mut child = pod("c-1");
    child["metadata"]["ownerReferences"] = json!([reference]);
    store.create(&PODS, "db", child).expect("child");
}

#[test]
fn what_is_owned_goes_after_before_or_not_at_all() {
    let with = |propagation| DeleteOptions { propagation, ..DeleteOptions::default() };
    let store = Store::new();
    family(&store);
    store.delete(&CLUSTERS, "db", "c", &with(Propagation::Background)).expect("gone");
    assert!(store.get(&CLUSTERS, "db", "c").is_none());
    assert!(store.get(&PODS, "db", "c-1").is_some_and(|p| meta::terminating(&p)));

    let store = Store::new();
    family(&store);
    store.delete(&CLUSTERS, "db", "c", &with(Propagation::Foreground)).expect("waits");
    assert!(store.get(&CLUSTERS, "db", "c").is_some_and(|c| meta::terminating(&c)));
    // The pod got the collector's finalizer too, but owns nothing: the kubelet's removal ends both.
    store.remove(&PODS, "db", "c-1");
    assert!(store.get(&PODS, "db", "c-1").is_none() && store.get(&CLUSTERS, "db", "c").is_none());

    let store = Store::new();
    family(&store);
    store.delete(&CLUSTERS, "db", "c", &with(Propagation::Orphan)).expect("gone");
    assert!(store.get(&CLUSTERS, "db", "c").is_none());
    let orphan = store.get(&PODS, "db", "c-1").expect("stays");
    assert!(orphan["metadata"]["ownerReferences"].is_null() && !meta::terminating(&orphan));
}

#[tokio::test]
async fn a_watch_starts_with_the_state_and_survives_a_cut_history() {
    let store = Store::new();
    store.create(&NODES, "", json!({"metadata": {"name": "a"}})).expect("new");
    let mut watch = store.watch(&NODES, None);
    assert_eq!(watch.next().await.kind, Change::Added);
    assert!(watch.try_next().is_none());
    for round in 0..HISTORY + 10 {
        store
            .change(&NODES, "", "a", Part::Main, |o| {
                o["metadata"]["labels"] = json!({"round": round.to_string()});
                Ok(())
            })
            .expect("changed");
    }
    store.create(&NODES, "", json!({"metadata": {"name": "b"}})).expect("new");
    let (first, second) = (watch.next().await, watch.next().await);
    assert_eq!((first.kind, second.kind), (Change::Modified, Change::Added));
    assert_eq!(first.object["metadata"]["labels"]["round"], (HISTORY + 9).to_string());
    store.delete(&NODES, "", "a", &DeleteOptions::default()).expect("gone");
    assert_eq!(watch.next().await.kind, Change::Deleted);
    assert_eq!(store.past(&NODES, 1).map_err(|e| e.reason).err(), Some("Expired"));
}

#[test]
fn the_same_event_counts_up() {
    let store = Store::new();
    let about = store.create(&PODS, "db", pod("p")).expect("new");
    for _ in 0..3 {
        store.event(&about, EventType::Normal, "Started", "Started container postgres", "kubelet").expect("event");
    }
    store.event(&about, EventType::Warning, "BackOff", "again", "kubelet").expect("event");
    let events = store.list(&EVENTS, Some("db"), &Selector::everything()).items;
    assert_eq!(events.iter().map(|e| e["count"].as_u64()).collect::<Vec<_>>(), [Some(3), Some(1)]);
}
