//! The recorded scenarios, played again.

use howdah::lab::api::DeleteOptions;
use howdah::lab::api::resources::{CLUSTERS, PODS, PVCS};
use howdah::lab::api::store::Part;
use howdah::lab::operator::world::ClusterObject;
use serde_json::json;

use super::film::{Change, recorded};
use super::order::{broken_pairs, differences, events, renamed};
use super::pretend::{NAMESPACE, now};
use super::stage::{HEALTHY, Stage};

/// Fields that are not the operator's: how claims are bound depends on the storage, and when `Ready` of a job's pod is
/// first said on the kubelet.
const NOT_OURS: [(&str, &str); 2] = [("Pod/demo-2-join", "Ready"), ("Pod/demo-3-join", "Ready")];

fn same(recorded: &[Change], taken: &[Change], but: &[(&str, &str)]) {
    let found = differences(recorded, taken, but);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

fn same_events(recorded: &[Change], taken: &[Change]) {
    assert_eq!(events(taken), events(recorded));
}

fn with(but: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    NOT_OURS.iter().chain(but).copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creation() {
    let film = recorded(include_str!("../fixtures/lab/recorded/1-create.jsonl"));
    let stage = Stage::set();
    stage.apply("demo", 3);
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    same(&film, &taken, &with(&[]));
    same_events(&film, &taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failover() {
    let first = recorded(include_str!("../fixtures/lab/recorded/2-failover.jsonl"));
    let second = recorded(include_str!("../fixtures/lab/recorded/2b-failover-default-grace.jsonl"));
    let stage = Stage::with_demo().await;
    stage.pretend.favour("demo-3");
    stage.delete_pod("demo-1");
    stage
        .until("another primary", |store| {
            store.get(&CLUSTERS, NAMESPACE, "demo").is_some_and(|c| c.current_primary() == "demo-3")
        })
        .await;
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    same(&first, &taken, &with(&[]));
    same_events(&first, &taken);
    // The two recordings and the film with the instances called by what they are.
    let named = [("demo-1", "old"), ("demo-3", "new"), ("demo-2", "other")];
    let second_named = [("demo-1", "old"), ("demo-2", "new"), ("demo-3", "other")];
    let recordings = [renamed(&first, &named), renamed(&second, &second_named)];
    let (held, broken) = broken_pairs(&recordings, &renamed(&taken, &named), 40, &[]);
    assert!(broken.is_empty(), "{} of {} pairs broken:\n{}", broken.len(), held, broken.join("\n"));
    assert!(held > 300, "only {held} pairs were compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switchover() {
    let film = recorded(include_str!("../fixtures/lab/recorded/3-switchover.jsonl"));
    let stage = Stage::with_demo().await;
    promote(&stage, "demo-3");
    stage.until_healthy("demo", 3).await;
    let mut stage = stage;
    stage.roll();
    promote(&stage, "demo-1");
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    same(&film, &taken, &with(&[("Cluster/demo", "timeline")]));
}

/// What kubectl-cnpg writes for `promote`.
fn promote(stage: &Stage, instance: &str) {
    let cluster = stage.cluster("demo");
    let mut conditions = cluster["status"]["conditions"].clone();
    for condition in conditions.as_array_mut().into_iter().flatten().filter(|c| c["type"] == "Ready") {
        condition["status"] = "False".into();
        condition["reason"] = "ClusterIsNotReady".into();
    }
    let patch = json!({"status": {
        "targetPrimary": instance, "targetPrimaryTimestamp": now(), "phase": "Switchover in progress",
        "phaseReason": format!("Switching over to {instance}"), "conditions": conditions,
    }});
    stage.edit("demo", Part::Status, &patch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fencing() {
    let film = recorded(include_str!("../fixtures/lab/recorded/4a-fencing.jsonl"));
    let stage = Stage::with_demo().await;
    stage.annotate("demo", "cnpg.io/fencedInstances", Some("[\"demo-2\"]"));
    stage.until_looked("demo").await;
    stage.annotate("demo", "cnpg.io/fencedInstances", Some("[\"*\"]"));
    stage.until_looked("demo").await;
    stage.annotate("demo", "cnpg.io/fencedInstances", None);
    stage.until_looked("demo").await;
    let taken = stage.cut().await;
    // Nothing that these films show changes: the fence is only in the annotation and in /pg/status.
    let named: Vec<Change> =
        renamed(&film, &[]).into_iter().filter(|c| c.field != "current" && c.field != "target").collect();
    same(&named, &taken, &[("Cluster/demo", "timeline"), ("Lease", "holder")]);
    assert!(taken.iter().all(|c| c.first || c.field == "timeline"), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hibernation() {
    let film = recorded(include_str!("../fixtures/lab/recorded/4b-hibernation.jsonl"));
    let stage = Stage::with_demo().await;
    stage.annotate("demo", "cnpg.io/hibernation", Some("on"));
    stage
        .until("no pods", |store| {
            let cluster = store.get(&CLUSTERS, NAMESPACE, "demo").expect("it stays");
            howdah::lab::object::condition_is_true(&cluster, "cnpg.io/hibernation")
        })
        .await;
    assert_eq!(stage.cluster("demo").phase(), HEALTHY, "the phase tells nothing");
    stage.until_looked("demo").await;
    stage.annotate("demo", "cnpg.io/hibernation", Some("off"));
    stage.until("a phase", |store| store.get(&CLUSTERS, NAMESPACE, "demo").is_some_and(|c| c.phase() != HEALTHY)).await;
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    same(&film, &taken, &with(&[("Cluster/demo", "timeline")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_instance_is_joined_again_under_its_number() {
    let film = recorded(include_str!("../fixtures/lab/recorded/5a-destroy.jsonl"));
    let stage = Stage::with_demo().await;
    let gone = DeleteOptions::default();
    stage.store.delete(&PODS, NAMESPACE, "demo-3", &gone).expect("the pod");
    stage.store.delete(&PVCS, NAMESPACE, "demo-3", &gone).expect("the claim");
    stage.until("its going", |store| store.get(&PVCS, NAMESPACE, "demo-3").is_none()).await;
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    same(&film, &taken, &with(&[("Cluster/demo", "timeline")]));
    same_events(&film, &taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_takes_replicas_first_and_the_primary_last() {
    let film = recorded(include_str!("../fixtures/lab/recorded/5b-restart.jsonl"));
    let stage = Stage::with_demo().await;
    stage.pretend.favour("demo-2");
    stage.annotate("demo", "kubectl.kubernetes.io/restartedAt", Some(&now()));
    stage.until("a phase", |store| store.get(&CLUSTERS, NAMESPACE, "demo").is_some_and(|c| c.phase() != HEALTHY)).await;
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    same(&film, &taken, &with(&[("Cluster/demo", "timeline")]));
    same_events(&film, &taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_primary_in_place() {
    let film = recorded(include_str!("../fixtures/lab/recorded/5c-restart-primary.jsonl"));
    let film = renamed(&film, &[("demo-2", "demo-1")]);
    let stage = Stage::with_demo().await;
    let patch = json!({"status": {
        "phase": "Primary instance is being restarted in-place", "phaseReason": "Requested by the user",
    }});
    stage.edit("demo", Part::Status, &patch);
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    let film: Vec<Change> =
        film.into_iter().filter(|c| matches!(c.field.as_str(), "phase" | "reason" | "ready")).collect();
    same(&film, &taken, &[("Pod", "*")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scaling_takes_and_gives_the_highest_number() {
    let film = recorded(include_str!("../fixtures/lab/recorded/9a-scale.jsonl"));
    let stage = Stage::with_demo().await;
    stage.edit("demo", Part::Main, &json!({"spec": {"instances": 2}}));
    stage.until("its going", |store| store.get(&PVCS, NAMESPACE, "demo-3").is_none()).await;
    stage.until_healthy("demo", 2).await;
    stage.edit("demo", Part::Main, &json!({"spec": {"instances": 3}}));
    stage.until_healthy("demo", 3).await;
    let taken = stage.cut().await;
    same(
        &film,
        &taken,
        &with(&[("Cluster/demo", "timeline"), ("Cluster/demo", "current"), ("Cluster/demo", "target")]),
    );
    same_events(&film, &taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_cluster_goes_before_its_pods() {
    let film = recorded(include_str!("../fixtures/lab/recorded/9e-delete-cluster.jsonl"));
    let mut stage = Stage::set();
    stage.apply("shop", 2);
    stage.until_healthy("shop", 2).await;
    stage.roll();
    stage.store.delete(&CLUSTERS, NAMESPACE, "shop", &DeleteOptions::default()).expect("the cluster");
    stage.until("the last pod's end", |store| store.get(&PVCS, NAMESPACE, "shop-1").is_none()).await;
    let taken = stage.cut().await;
    let film: Vec<Change> = film.into_iter().filter(|c| !c.first).collect();
    same(&film, &taken, &[]);
    let at = |object: &str| taken.iter().find(|c| c.object == object && c.value == "no").map(|c| c.at);
    assert!(at("Cluster/shop") < at("Pod/shop-1"), "the cluster is gone first");
}
