//! A fleet in an empty store.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::lab::api::resources::{CLUSTERS, LEASES};
use crate::lab::described::is_described;
use crate::lab::object::{number, text};

fn store() -> Store {
    let store = Store::new();
    for zone in 1..=3 {
        let labels = json!({"workload": "postgres", "topology.kubernetes.io/zone": format!("z{zone}")});
        store
            .create(&NODES, "", json!({"metadata": {"name": format!("pg-{zone}"), "labels": labels}}))
            .expect("a node");
    }
    store
}

#[test]
fn a_seed_gives_the_same_fleet_again() {
    let names = |seed| {
        let store = store();
        drop(Fleet::describe(&store, 50, seed));
        let clusters = store.list(&CLUSTERS, None, &Selector::everything()).items;
        clusters
            .iter()
            .map(|c| (namespace(c).to_owned(), name(c).to_owned(), c["status"]["phase"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(7).len(), 50);
    assert_eq!(names(7), names(7));
    assert_ne!(names(7), names(8));
}

#[test]
fn clusters_are_of_many_shapes_and_all_described() {
    let store = store();
    drop(Fleet::describe(&store, 200, 1));
    let clusters = store.list(&CLUSTERS, None, &Selector::everything()).items;
    assert!(clusters.iter().all(|c| is_described(c)));
    let pods = store.list(&PODS, None, &Selector::everything()).items;
    assert!(pods.iter().all(|p| is_described(p) && text(p, "/spec/nodeName").starts_with("pg-")));
    let legacy = clusters.iter().filter(|c| number(c, "/spec/minSyncReplicas").is_some()).count();
    let declared = clusters.iter().filter(|c| c.pointer("/spec/postgresql/synchronous").is_some()).count();
    assert!(legacy > 5 && declared > 5, "{legacy} old, {declared} new");
    let phases: BTreeSet<&str> = clusters.iter().map(|c| text(c, "/status/phase")).collect();
    assert!(phases.len() >= 4, "{phases:?}");
    let tls =
        pods.iter().filter(|p| list(p, "/spec/containers/0/command").iter().any(|w| w == "--status-port-tls")).count();
    assert!(tls > 0 && tls < pods.len());
    let leases = store.list(&LEASES, None, &Selector::everything()).items.len();
    assert!(leases > 0 && leases < clusters.len(), "only 1.30 has leases");
}

#[test]
fn instances_answer_as_their_objects_say() {
    let store = store();
    drop(Fleet::describe(&store, 100, 3));
    let now: Timestamp = "2026-11-20T22:00:00Z".parse().expect("a time");
    let later: Timestamp = "2026-11-20T22:00:10Z".parse().expect("a time");
    let mut primaries = 0;
    for pod in store.list(&PODS, None, &Selector::everything()).items {
        let Ok(said) = answer(&store, &pod, now) else { continue };
        if said["isPrimary"] == true {
            primaries += 1;
            let lsn = |said: &Value| text(said, "/currentLsn").parse::<crate::domain::lsn::Lsn>().expect("an LSN");
            assert!(lsn(&answer(&store, &pod, later).expect("still")) > lsn(&said), "WAL goes on");
            assert_eq!(text(&said, "/currentWAL").len(), 24);
        }
    }
    assert!(primaries > 60, "{primaries}");
}

#[test]
fn a_fleet_changes_slowly_and_fails_over() {
    let store = store();
    let mut fleet = Fleet::describe(&store, 60, 5);
    let timelines = |store: &Store| -> Vec<Option<i64>> {
        let clusters = store.list(&CLUSTERS, None, &Selector::everything()).items;
        clusters.iter().map(|c| number(c, "/status/timelineID")).collect()
    };
    let (before, since) = (timelines(&store), store.resource_version());
    for _ in 0..200 {
        fleet.tick();
    }
    let higher = before.iter().zip(timelines(&store)).filter(|(b, a)| b.is_some() && a > *b).count();
    assert!(higher > 0, "somebody has failed over");
    let changes = store.past(&CLUSTERS, since).expect("the history reaches back").0.len();
    assert!(changes > 20 && changes < 1500, "{changes} changes");
}
