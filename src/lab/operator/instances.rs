//! Instances: made from nothing, made again on their claims, joined, taken away.

use serde_json::{Value, json};

use super::act::Next;
use super::objects::{claims, instance, jobs};
use super::pass::Pass;
use super::report::Reports;
use super::rollout;
use super::status::job_is_complete;
use super::words::{annotation, instance_name, label, phase};
use super::world::{ClusterObject, is_labelled_primary, serial};
use crate::lab::api::resources::{BACKUPS, JOBS, PODS, PVCS};
use crate::lab::object::{
    self, annotation as noted, claims as claims_of_spec, condition, condition_is_true, is_deleting, is_pod_active,
    is_pod_ready, list, name, text,
};

/// Decides about pods, jobs and claims when all pods are active and no job runs. `None`: nothing to do.
pub fn reconcile(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    mark_ready_after_jobs(pass);
    if let Some(next) = recreate(pass, reports) {
        return Some(next);
    }
    mark_ready_when_mounted(pass);
    if pass.cluster.instances() == 0 {
        return Some(create_first(pass));
    }
    if let Some(next) = remove_unrecoverable(pass) {
        return Some(next);
    }
    let patient = !(pass.cluster.maintenance() && pass.cluster.reuses_pvc());
    if patient && reports.reporting() < pass.cluster.instances() {
        return Some(Next::millis(1000));
    }
    if let Some(next) = join_missing(pass, reports) {
        return Some(next);
    }
    if pass.cluster.instances() > pass.cluster.wanted() {
        scale_down(pass);
    }
    let ready = pass.cluster.ready_instances();
    if ready != pass.cluster.instances() || ready != reports.len() || !reports.is_complete() {
        return Some(Next::millis(1000));
    }
    if reports.configuration_is_uniform() == Some(false) {
        return Some(Next::millis(1000));
    }
    rollout::step(pass, reports)
}

fn mark_ready(pass: &mut Pass<'_>, claim: &str) {
    pass.merge(&PVCS, claim, json!({"metadata": {"annotations": {annotation::PVC_STATUS: "ready"}}}));
}

fn is_marked_ready(pvc: &Value) -> bool {
    noted(pvc, annotation::PVC_STATUS) == Some("ready")
}

/// A job that has succeeded leaves a claim that can be run.
fn mark_ready_after_jobs(pass: &mut Pass<'_>) {
    let world = pass.world;
    for job in world.jobs.iter().filter(|job| job_is_complete(job)) {
        let Some(spec) = job.pointer("/spec/template/spec") else { continue };
        for claim in claims_of_spec(spec) {
            if world.pvcs.iter().any(|pvc| name(pvc) == claim && !is_marked_ready(pvc)) {
                mark_ready(pass, claim);
            }
        }
    }
}

fn mark_ready_when_mounted(pass: &mut Pass<'_>) {
    let world = pass.world;
    let healthy: Vec<&str> = list(&world.cluster, "/status/healthyPVC").iter().filter_map(Value::as_str).collect();
    for pvc in world.pvcs.iter().filter(|pvc| healthy.contains(&name(pvc)) && !is_marked_ready(pvc)) {
        mark_ready(pass, name(pvc));
    }
}

/// A claim of the instance that is on its way out.
fn terminating_claim(pass: &Pass<'_>, instance: &str) -> Option<String> {
    let expected = pass.cluster.claims_of(instance);
    let mut going = pass.world.pvcs.iter().filter(|pvc| is_deleting(pvc));
    going.find(|pvc| expected.iter().any(|e| e == name(pvc))).map(|pvc| name(pvc).to_owned())
}

/// Makes the pod of an instance that has claims and no pod; the primary's first.
fn recreate(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    let pvc = missing_pod(pass)?;
    let serial = serial(&pvc)?;
    let instance = instance_name(pass.name(), serial);
    if terminating_claim(pass, &instance).is_some() {
        return Some(Next::millis(500));
    }
    if !pass.cluster.maintenance() && reports.reporting() != pass.cluster.ready_instances() {
        return Some(Next::millis(1000));
    }
    let expected = pass.cluster.claims_of(&instance);
    let done_now: Vec<&str> = pass
        .world
        .jobs
        .iter()
        .filter(|job| job_is_complete(job))
        .filter_map(|job| job.pointer("/spec/template/spec"))
        .flat_map(claims_of_spec)
        .collect();
    let unready =
        pass.world.pvcs.iter().any(|pvc| {
            expected.iter().any(|e| e == name(pvc)) && !is_marked_ready(pvc) && !done_now.contains(&name(pvc))
        });
    if unready {
        return Some(Next::millis(1000));
    }
    let pod = instance::pod(&pass.cluster, serial);
    pass.create(&PODS, pod);
    Some(Next::millis(500))
}

fn missing_pod(pass: &Pass<'_>) -> Option<Value> {
    let lists = ["/status/danglingPVC", "/status/unusablePVC"];
    let waiting = lists.iter().flat_map(|at| list(&pass.cluster, at)).filter_map(Value::as_str);
    let mut chosen: Option<&Value> = None;
    for claim in waiting {
        let pvc = pass.world.pvcs.iter().find(|pvc| name(pvc) == claim)?;
        let instance = instance_name(pass.name(), serial(pvc)?);
        if pass.world.pods.iter().any(|pod| name(pod) == instance) {
            continue;
        }
        if is_labelled_primary(pvc) {
            return Some((**pvc).clone());
        }
        chosen = chosen.or(Some(pvc));
    }
    chosen.cloned()
}

/// The first instance: claims, then the target, then the job.
fn create_first(pass: &mut Pass<'_>) -> Next {
    if condition_is_true(&pass.cluster, "Initialized") {
        pass.register_phase(
            phase::UNRECOVERABLE,
            "One or more instances were previously created, but no PersistentVolumeClaims (PVCs) exist. The cluster is \
             in an unrecoverable state. To resolve this, restore the cluster from a recent backup.",
        );
        return Next::OnChange;
    }
    let FirstJob { told, job } = match first_job(pass) {
        Ok(found) => found,
        Err(next) => return next,
    };
    let serial = free_serial(pass);
    for claim in claims::claims(&pass.cluster, serial) {
        pass.create(&PVCS, claim);
    }
    pass.event("CreatingInstance", told);
    let instance = instance_name(pass.name(), serial);
    pass.set_target(&instance);
    pass.register_phase(phase::FIRST_PRIMARY, &format!("Creating primary instance {instance}"));
    let job = job(&pass.cluster, serial);
    pass.create(&JOBS, job);
    Next::millis(5000)
}

/// How the first instance comes to its data: what the event says, and the job.
struct FirstJob {
    told: &'static str,
    job: fn(&Value, u32) -> Value,
}

/// By the cluster's bootstrap method. `Err`: it can't yet, or never.
fn first_job(pass: &mut Pass<'_>) -> Result<FirstJob, Next> {
    let bootstrap = &pass.cluster["spec"]["bootstrap"];
    if bootstrap.get("initdb").is_some() {
        return Ok(FirstJob { told: "Primary instance (initdb)", job: jobs::initdb });
    }
    if bootstrap.get("recovery").is_none_or(|recovery| recovery.get("volumeSnapshots").is_some()) {
        let why = "This lab bootstraps clusters with initdb or by recovery from an object store only";
        pass.register_phase("Invalid cluster definition", why);
        return Err(Next::OnChange);
    }
    wait_for_backup(pass)?;
    Ok(FirstJob { told: "Primary instance (from backup)", job: jobs::recovery })
}

/// A Backup that is to be recovered from must be there, and completed.
fn wait_for_backup(pass: &mut Pass<'_>) -> Result<(), Next> {
    let wanted = text(&pass.cluster, "/spec/bootstrap/recovery/backup/name").to_owned();
    if wanted.is_empty() {
        return Ok(());
    }
    let Some(backup) = pass.world.get(&BACKUPS, &wanted) else {
        let missing = format!("Backup object \"{}/{wanted}\" is missing", pass.cluster.namespace());
        pass.warning("ErrorNoBackup", missing);
        return Err(Next::millis(60_000));
    };
    if text(backup, "/status/phase") == "completed" { Ok(()) } else { Err(Next::millis(60_000)) }
}

/// The lowest serial that no instance uses: serials are used again since 1.30.
fn free_serial(pass: &Pass<'_>) -> u32 {
    let names = pass.cluster.instance_names();
    (1..).find(|serial| !names.contains(&instance_name(pass.name(), *serial).as_str())).unwrap_or(1)
}

fn join_missing(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    let instances = pass.cluster.instances();
    if instances >= pass.cluster.wanted() || reports.reporting() != instances {
        return None;
    }
    let serial = free_serial(pass);
    let instance = instance_name(pass.name(), serial);
    if let Some(claim) = terminating_claim(pass, &instance) {
        let reason = format!("Waiting for PVC \"{claim}\" to be removed before recreating instance \"{instance}\"");
        pass.register_phase(phase::CREATING_REPLICA, &reason);
        return Some(Next::millis(500));
    }
    pass.event("CreatingInstance", format!("Creating instance {instance}"));
    let job = jobs::join(&pass.cluster, serial);
    pass.register_phase(phase::CREATING_REPLICA, &format!("Creating replica {}", name(&job)));
    pass.create(&JOBS, job);
    for claim in claims::claims(&pass.cluster, serial) {
        pass.create(&PVCS, claim);
    }
    Some(Next::millis(5000))
}

/// Takes an instance away, its claims first.
fn remove(pass: &mut Pass<'_>, instance: &str) {
    let world = pass.world;
    for pvc in world.pvcs.iter().filter(|pvc| object::label(pvc, label::INSTANCE_NAME) == Some(instance)) {
        pass.delete(&PVCS, name(pvc));
    }
    if world.pods.iter().any(|pod| name(pod) == instance) {
        pass.delete(&PODS, instance);
    }
    for job in world.jobs.iter().filter(|job| object::label(job, label::INSTANCE_NAME) == Some(instance)) {
        pass.delete(&JOBS, name(job));
    }
}

/// An instance whose pod is marked as beyond repair; never the primary.
fn remove_unrecoverable(pass: &mut Pass<'_>) -> Option<Next> {
    let marked = |pod: &Value| noted(pod, annotation::UNRECOVERABLE).is_some_and(|v| matches!(v, "true" | "1" | "t"));
    let protected = [pass.cluster.current_primary(), pass.cluster.target_primary()];
    let pod = pass.world.pods.iter().find(|pod| marked(pod) && !protected.contains(&name(pod)))?;
    remove(pass, name(pod));
    Some(Next::millis(1000))
}

/// Takes the instance with the highest serial away; one without a pod before all.
fn scale_down(pass: &mut Pass<'_>) {
    let pods = &pass.world.pods;
    let idle = pass.cluster.instance_names().into_iter().rfind(|i| !pods.iter().any(|pod| name(pod) == *i));
    let sacrificed = idle.map(str::to_owned).or_else(|| {
        let expendable = pods.iter().filter(|pod| is_pod_ready(pod) && is_pod_active(pod) && !is_labelled_primary(pod));
        expendable.max_by_key(|pod| serial(pod)).map(|pod| name(pod).to_owned())
    });
    let Some(instance) = sacrificed else { return };
    pass.event("ScaleDown", format!("Scaling down - removing instance: {instance}"));
    remove(pass, &instance);
}

/// Pods that no node takes: made again when their spec is old, given up in a maintenance window without reuse.
pub fn unschedulable(pass: &mut Pass<'_>) -> Option<Next> {
    let world = pass.world;
    let stuck = |pod: &Value| {
        !is_deleting(pod)
            && text(pod, "/status/phase") == "Pending"
            && condition(pod, "PodScheduled").is_some_and(|c| text(c, "/reason") == "Unschedulable")
    };
    for pod in world.pods.iter().filter(|pod| stuck(pod)) {
        let pod_name = name(pod);
        if rollout::pod_is_outdated(pod, &pass.cluster).is_some() {
            rollout::replace_pod(pass, pod_name);
            return Some(Next::millis(1000));
        }
        if !pass.cluster.maintenance() || pass.cluster.reuses_pvc() {
            continue;
        }
        remove(pass, pod_name);
        pass.event("DeletePod", format!("Deleted unschedulable pod {pod_name}"));
        pass.event("DeletePVCs", format!("Deleted unschedulable pod {pod_name} PVCs"));
        return Some(Next::millis(1000));
    }
    None
}

/// Asks for larger volumes when the spec does.
pub fn resize(pass: &mut Pass<'_>) {
    let world = pass.world;
    for pvc in &world.pvcs {
        let at = if object::label(pvc, label::PVC_ROLE) == Some("PG_WAL") { "walStorage" } else { "storage" };
        let wanted = text(&pass.cluster, &format!("/spec/{at}/size")).to_owned();
        let standing = text(pvc, "/spec/resources/requests/storage");
        if super::admission::is_larger(&wanted, standing) {
            let patch = json!({"spec": {"resources": {"requests": {"storage": wanted}}}});
            pass.merge(&PVCS, name(pvc), patch);
        }
    }
}

/// Completed jobs are kept until the whole cluster is healthy.
pub fn clean_up_jobs(pass: &mut Pass<'_>) {
    let world = pass.world;
    for job in world.jobs.iter().filter(|job| job_is_complete(job) && !is_deleting(job)) {
        pass.delete(&JOBS, name(job));
    }
}
