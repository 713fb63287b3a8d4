//! Making, joining, scaling, restarting instances.

use super::*;

#[test]
fn a_pod_is_made_again_on_its_claim_and_the_primarys_comes_first() {
    let mut small = Small::healthy();
    small.pods.clear();
    let (acts, _, _) = small.look();
    assert_eq!(created(&acts), [(&PODS, "c-1")]);
    let mut small = Small::healthy();
    small.pods.remove(1);
    assert_eq!(created(&small.look().0), [(&PODS, "c-2")]);
    small.pvcs[1]["metadata"]["annotations"]["cnpg.io/pvcStatus"] = "initializing".into();
    assert!(created(&small.look().0).is_empty(), "no data in it yet");
}

#[test]
fn a_missing_instance_is_joined_under_the_lowest_free_number() {
    let mut small = Small::healthy();
    small.pods.remove(1);
    small.pvcs.remove(1);
    let (acts, _, cluster) = small.look();
    assert_eq!(created(&acts), [(&JOBS, "c-2-join"), (&PVCS, "c-2")]);
    assert_eq!(cluster.phase(), "Creating a new replica");
    let mut going = pvc(2);
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    small.pvcs.push(going);
    let (acts, _, cluster) = small.look();
    assert!(created(&acts).is_empty(), "its old claim is not gone yet");
    assert!(text(&cluster, "/status/phaseReason").starts_with("Waiting for PVC"));
}

#[test]
fn scaling_down_takes_the_highest_number_that_does_not_lead() {
    let mut small = Small::healthy();
    small.cluster["spec"]["instances"] = 2.into();
    let (acts, _, _) = small.look();
    assert_eq!(told(&acts), ["ScaleDown"]);
    assert_eq!(deleted(&acts), [(&PVCS, "c-3"), (&PODS, "c-3")], "the claim before the pod");
}

#[test]
fn an_instance_beyond_repair_is_removed_unless_it_leads() {
    let mut small = Small::healthy();
    for pod in &mut small.pods {
        pod["metadata"]["annotations"]["alpha.cnpg.io/unrecoverable"] = "true".into();
    }
    let (acts, _, _) = small.look();
    assert_eq!(deleted(&acts), [(&PVCS, "c-2"), (&PODS, "c-2")], "one after the other");
}

#[test]
fn a_new_configuration_restarts_replicas_then_the_primary_in_place() {
    let mut small = Small::healthy();
    for instance in ["c-1", "c-2", "c-3"] {
        small.answer(instance, "pendingRestart", true.into());
    }
    let (acts, _, cluster) = small.look();
    assert_eq!(cluster.phase(), "Applying configuration");
    assert!(deleted(&acts).is_empty(), "all of them may load it first");
    small.cluster = cluster;
    let (acts, _, cluster) = small.look();
    assert_eq!(deleted(&acts), [(&PODS, "c-3")]);
    assert_eq!(cluster.phase(), "Upgrading cluster");
    small.answer("c-2", "pendingRestart", false.into());
    small.answer("c-3", "pendingRestart", false.into());
    let (acts, _, cluster) = small.look();
    assert_eq!(cluster.phase(), "Primary instance is being restarted in-place");
    assert!(deleted(&acts).is_empty());
}

#[test]
fn a_lower_setting_is_lowered_on_the_primary_first() {
    let mut small = Small::healthy();
    for instance in ["c-1", "c-2", "c-3"] {
        small.answer(instance, "pendingRestart", true.into());
        small.answer(instance, "pendingRestartForDecrease", true.into());
    }
    let (acts, _, cluster) = small.look();
    assert_eq!(cluster.phase(), "Primary instance is being restarted in-place");
    assert!(deleted(&acts).is_empty());
    small.cluster["status"]["phase"] = "Applying configuration".into();
    small.answer("c-1", "pendingRestart", false.into());
    small.answer("c-1", "pendingRestartForDecrease", false.into());
    assert_eq!(deleted(&small.look().0), [(&PODS, "c-3")]);
    small.answer("c-3", "replayLsn", "0/4000000".into());
    assert!(deleted(&small.look().0).is_empty(), "it has not seen the primary's new value");
}

#[test]
fn a_supervised_primary_waits_for_its_user() {
    let mut small = Small::healthy();
    small.cluster["spec"]["primaryUpdateStrategy"] = "supervised".into();
    small.cluster["status"]["phase"] = "Applying configuration".into();
    small.answer("c-1", "pendingRestart", true.into());
    let (acts, next, cluster) = small.look();
    assert_eq!(cluster.phase(), "Waiting for user action");
    assert_eq!((deleted(&acts).len(), next), (0, Next::OnChange));
}

#[test]
fn a_switchover_method_promotes_before_it_restarts() {
    let mut small = Small::healthy();
    small.cluster["spec"]["primaryUpdateMethod"] = "switchover".into();
    small.cluster["status"]["phase"] = "Applying configuration".into();
    small.answer("c-1", "pendingRestart", true.into());
    let (acts, _, cluster) = small.look();
    assert_eq!(told(&acts), ["Switchover"]);
    assert_eq!(cluster.target_primary(), "c-2");
}

#[test]
fn a_job_that_gave_up_is_told_in_the_phase() {
    let mut small = Small::healthy();
    small.jobs.push(json!({
        "metadata": {"name": "c-4-join"},
        "status": {"conditions": [{"type": "Failed", "status": "True"}]},
    }));
    let (_, _, cluster) = small.look();
    assert_eq!(cluster.phase(), "Cluster is unrecoverable and needs manual intervention");
}
