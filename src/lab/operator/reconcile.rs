//! A pass over a cluster, in the order of CloudNativePG's own loop.
//!
//! It has three parts, because the world changes in between: [`setup`] makes the objects around the cluster, then the
//! world is read again; [`observe`] brings the status up to it; then the instances are asked, and [`conclude`] acts on
//! their answers. Each part that returns a [`Next`] ends the pass.

use serde_json::{Map, Value, json};

use super::act::Next;
use super::admission::set_defaults;
use super::pass::{Pass, set_or_drop};
use super::report::Reports;
use super::status::fingerprint;
use super::words::{OPERATOR_IMAGE, annotation, label, phase, role};
use super::world::ClusterObject;
use super::{hibernation, instances, objects, primary, status};
use crate::lab::api::resources::{CLUSTERS, PODS, PVCS};
use crate::lab::instance::manager::NO_ROOM;
use crate::lab::object::{
    self, ConditionText, is_pod_active, is_pod_finished, is_pod_ready, list, merge_diff, name, set_condition, text,
};

/// Makes what must be around the cluster.
pub fn setup(pass: &mut Pass<'_>) -> Option<Next> {
    if pass.cluster.annotated(annotation::RECONCILIATION_LOOP) == Some("disabled") {
        return Some(Next::OnChange);
    }
    defaults(pass);
    images(pass);
    if let Err(why) = objects::ensure(pass) {
        pass.register_phase("Unable to create required cluster objects", &why);
        return Some(Next::millis(5000));
    }
    None
}

/// For a Cluster that came past the webhook.
fn defaults(pass: &mut Pass<'_>) {
    let mut whole = pass.cluster.clone();
    set_defaults(&mut whole);
    if let Some(patch) = merge_diff(&pass.cluster["spec"], &whole["spec"]) {
        let name = pass.name().to_owned();
        pass.merge(&CLUSTERS, &name, json!({"spec": patch}));
        pass.cluster["spec"] = whole["spec"].take();
    }
}

fn images(pass: &mut Pass<'_>) {
    let mut status = pass.status();
    if text(&status, "/operatorCertificateFingerprint").is_empty() {
        status["operatorCertificateFingerprint"] = fingerprint(&format!("{OPERATOR_IMAGE} client")).into();
        pass.write_status(status, false);
        status = pass.status();
    }
    let image = pass.cluster.image().to_owned();
    if text(&status, "/image") != image {
        status["image"] = image.clone().into();
    }
    if status.get("pgDataImageInfo").is_none()
        && let Some(major) = pass.cluster.major_version()
    {
        status["pgDataImageInfo"] = json!({"image": image, "majorVersion": major});
    }
    pass.write_status(status, false);
}

/// Brings the status up to the objects. While a switchover or failover is under way, nothing else is done.
pub fn observe(pass: &mut Pass<'_>) -> Option<Next> {
    status::refresh(pass);
    let current = pass.cluster.current_primary().to_owned();
    if current.is_empty() || current == pass.cluster.target_primary() {
        return None;
    }
    mark_unhealthy(pass, &current);
    Some(Next::millis(500))
}

/// Takes the old primary out of the services until it has found its new role.
pub fn mark_unhealthy(pass: &mut Pass<'_>, instance: &str) {
    let Some(pod) = pass.world.pods.iter().find(|pod| name(pod) == instance) else { return };
    if object::label(pod, label::INSTANCE_ROLE) != Some(role::UNHEALTHY) {
        label_role(pass, instance, role::UNHEALTHY);
    }
}

fn label_role(pass: &mut Pass<'_>, pod: &str, role: &str) {
    pass.merge(&PODS, pod, json!({"metadata": {"labels": {label::ROLE: role, label::INSTANCE_ROLE: role}}}));
}

/// Acts on what the instances say.
pub fn conclude(pass: &mut Pass<'_>, reports: &Reports) -> Next {
    put_reports(pass, reports);
    if reports.primaries() > 1 {
        // The old one comes back and has yet to see that it leads no more.
        return Next::millis(1000);
    }
    label_claims(pass);
    label_pods(pass);
    if reports.all_ready_are_silent() {
        pass.register_phase(
            phase::STATUS_UNREACHABLE,
            "Communication issue detected: The operator was unable to receive the status from all the ready \
             instances. This may be due to network restrictions such as NetworkPolicy and/or any other network \
             plugin setting. Please verify your network configuration.",
        );
        return Next::millis(2000);
    }
    if let Some(next) = disk_space(pass, reports) {
        return next;
    }
    if let Some(next) = readiness(pass, reports) {
        return next;
    }
    if let Some(next) = hibernation::step(pass) {
        return next;
    }
    if let Some(next) = primary::elect(pass, reports) {
        return next;
    }
    if let Some(next) = resources(pass, reports) {
        return next;
    }
    if pass.cluster.phase() != phase::HEALTHY || !text(&pass.cluster, "/status/phaseReason").is_empty() {
        pass.register_phase(phase::HEALTHY, "");
    }
    instances::clean_up_jobs(pass);
    Next::OnChange
}

/// The part of the status that follows from the instances' answers.
fn put_reports(pass: &mut Pass<'_>, reports: &Reports) {
    let mut status = pass.status();
    let reported: Map<String, Value> = reports
        .iter()
        .map(|report| {
            let mut said = json!({"isPrimary": report.is_primary});
            set_or_drop(&mut said, "ip", text(&report.pod, "/status/podIP"));
            if let Some(timeline) = report.timeline {
                said["timeLineID"] = timeline.into();
            }
            (report.name().to_owned(), said)
        })
        .collect();
    if reported.is_empty() {
        drop(status.as_object_mut().map(|s| s.remove("instancesReportedState")));
    } else {
        status["instancesReportedState"] = Value::Object(reported);
    }
    if let Some(timeline) = reports.iter().filter(|r| r.is_primary).filter_map(|r| r.timeline).next_back() {
        status["timelineID"] = timeline.into();
    }
    system_id(&mut status, reports, pass.world.now);
    pass.write_status(status, false);
}

fn system_id(status: &mut Value, reports: &Reports, now: jiff::Timestamp) {
    const KIND: &str = "ConsistentSystemID";
    let mut ids: Vec<&str> = reports.iter().map(|r| r.system_id.as_str()).filter(|id| !id.is_empty()).collect();
    ids.sort_unstable();
    ids.dedup();
    let said = match ids.as_slice() {
        [] if reports.is_empty() => {
            let why = "No instances are present in the cluster to report a system ID.";
            ConditionText::new(KIND, false, "NotFound", why)
        }
        [] => {
            let why = "Instances are present, but none have reported a system ID.";
            ConditionText::new(KIND, false, "NotFound", why)
        }
        [_] => {
            let why = "A single, unique system ID was found across reporting instances.";
            ConditionText::new(KIND, true, "Unique", why)
        }
        many => {
            let why = format!("Multiple differing system IDs reported by instances: {many:?}");
            ConditionText::new(KIND, false, "Mismatch", &why)
        }
    };
    set_or_drop(status, "systemID", if let [id] = ids.as_slice() { id } else { "" });
    set_condition(status, &said, now);
}

/// Claims are labelled by the instance's role, and keep it while there is no pod: the primary's comes back first.
fn label_claims(pass: &mut Pass<'_>) {
    let current = pass.cluster.current_primary().to_owned();
    if current.is_empty() {
        return;
    }
    for pvc in &pass.world.pvcs {
        let Some(instance) = object::label(pvc, label::INSTANCE_NAME) else { continue };
        let role = if instance == current { role::PRIMARY } else { role::REPLICA };
        if object::label(pvc, label::INSTANCE_ROLE) != Some(role) {
            let labels = json!({label::ROLE: role, label::INSTANCE_ROLE: role});
            pass.merge(&PVCS, name(pvc), json!({"metadata": {"labels": labels}}));
        }
    }
}

/// Active pods are labelled by role. An `unhealthy` one gets here only when the change of primary is over.
fn label_pods(pass: &mut Pass<'_>) {
    let current = pass.cluster.current_primary().to_owned();
    if current.is_empty() {
        return;
    }
    for pod in pass.world.pods.iter().filter(|pod| is_pod_active(pod)) {
        let role = if name(pod) == current { role::PRIMARY } else { role::REPLICA };
        if object::label(pod, label::INSTANCE_ROLE) != Some(role) || object::label(pod, label::ROLE) != Some(role) {
            label_role(pass, name(pod), role);
        }
    }
}

/// No failover where an instance has no room for its WAL: the next one would fill up as well.
fn disk_space(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    if reports.iter().all(|report| has_room(&report.pod)) {
        return None;
    }
    pass.register_phase(
        phase::NO_DISK_SPACE,
        "Insufficient disk space detected in one or more pods is preventing PostgreSQL from running.Please verify your \
         storage settings. Further information inside .status.instancesReportedState",
    );
    Some(Next::millis(10_000))
}

/// Whether the instance's container did not end for want of room.
fn has_room(pod: &Value) -> bool {
    let Some(container) = list(pod, "/status/containerStatuses").iter().find(|c| text(c, "/name") == "postgres") else {
        return true;
    };
    let ended = |state: &str| container[state]["terminated"]["exitCode"] == NO_ROOM;
    !(ended("state") || (container["ready"] != true && ended("lastState")))
}

/// Waits while the kubelet's word and the instances' own don't agree: nobody is promoted that Kubernetes would not
/// send clients to, and nobody is deposed over a hiccup of the network between operator and pod.
fn readiness(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    let first = reports.first()?;
    if first.answered() && !first.is_ready() {
        return Some(Next::millis(1000));
    }
    let current = pass.cluster.current_primary().to_owned();
    if current.is_empty() || current != pass.cluster.target_primary() {
        return None;
    }
    let primary = reports.get(&current)?;
    if primary.is_ready() && !primary.answered() {
        pass.warning(
            "PrimaryStatusCheckFailed",
            format!(
                "Primary pod {current} is Ready but the operator's /pg/status check failed; failover deferred until \
                 Kubernetes marks the primary as not Ready. See operator logs for the underlying error."
            ),
        );
        return Some(Next::millis(2000));
    }
    None
}

/// Pods, jobs and claims. `None`: all are as wanted.
fn resources(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    let failed: Vec<&str> =
        pass.world.jobs.iter().filter(|job| object::condition_is_true(job, "Failed")).map(|job| name(job)).collect();
    if !failed.is_empty() {
        let reason = format!(
            "Instance creation failed for the following jobs: {}. Check the job logs to investigate the cause of the \
             failure.",
            failed.join(", ")
        );
        pass.register_phase(phase::UNRECOVERABLE, &reason);
        return Some(Next::millis(5000));
    }
    if pass.world.jobs.iter().any(|job| !status::job_is_complete(job)) {
        return Some(Next::millis(5000));
    }
    if delete_finished_pods(pass) {
        return Some(Next::millis(500));
    }
    if let Some(next) = instances::unschedulable(pass) {
        return Some(next);
    }
    if pass.world.pods.iter().any(|pod| !is_pod_active(pod)) {
        if !matches!(pass.cluster.phase(), phase::RESTARTING_IN_PLACE | phase::RESTARTING_PRIMARY_POD) {
            let why = "Some instances are not yet active. Please wait.";
            pass.register_phase(phase::WAITING_FOR_INSTANCES, why);
        }
        return Some(Next::millis(1000));
    }
    instances::resize(pass);
    if let Some(next) = instances::reconcile(pass, reports) {
        return Some(next);
    }
    let nobody_is_alive = pass.world.pods.iter().all(|pod| !is_pod_active(pod) || is_crash_looping(pod));
    if !pass.world.pods.is_empty() && nobody_is_alive {
        pass.register_phase(phase::UNRECOVERABLE, "No pods are active, the cluster needs manual intervention ");
        return Some(Next::millis(1000));
    }
    // The instance manager itself says when the restart in place is over.
    if reports.reporting() != pass.cluster.wanted() || pass.cluster.phase() == phase::RESTARTING_IN_PLACE {
        return Some(Next::millis(1000));
    }
    None
}

fn is_crash_looping(pod: &Value) -> bool {
    list(pod, "/status/containerStatuses")
        .iter()
        .any(|c| text(c, "/state/waiting/reason") == "CrashLoopBackOff" && !is_pod_ready(pod))
}

/// Deletes instance pods that have ended by themselves, to make them again.
fn delete_finished_pods(pass: &mut Pass<'_>) -> bool {
    let finished: Vec<(String, String)> = pass
        .world
        .pods
        .iter()
        .filter(|pod| !object::is_deleting(pod) && is_pod_finished(pod))
        .map(|pod| (name(pod).to_owned(), text(pod, "/status/phase").to_owned()))
        .collect();
    for (pod, phase) in &finished {
        pass.delete(&PODS, pod);
        pass.event("DeletePod", format!("Deleted '{phase}' pod: '{pod}'"));
    }
    !finished.is_empty()
}
