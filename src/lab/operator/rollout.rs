//! Rolling restarts: replicas first, the most lagging of them before all, the primary last.

use serde_json::{Value, json};

use super::act::Next;
use super::objects::instance;
use super::pass::Pass;
use super::report::{Report, Reports};
use super::words::{annotation, phase};
use super::world::{ClusterObject, major_of};
use crate::lab::api::resources::PODS;
use crate::lab::object::{annotation as noted, claims, name, text};

/// Why an instance must be restarted, and whether PostgreSQL can be restarted within its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    pub reason: String,
    pub in_place: bool,
}

/// Restarts one instance that needs it. `None`: none does.
pub fn step(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    let current = pass.cluster.current_primary().to_owned();
    let primary = reports.get(&current)?;
    if primary.pending_restart_for_decrease {
        return lower_on_the_primary(pass, primary);
    }
    if pass.cluster.phase() == phase::RESTARTING_IN_PLACE {
        // The primary says when it is done. A standby restarted meanwhile could be lower than what it still has to replay.
        return Some(Next::millis(1000));
    }
    for report in reports.iter().rev().filter(|r| r.name() != current) {
        if pass.cluster.is_fenced(report.name()) {
            continue;
        }
        let Some(needed) = needs(report, &pass.cluster) else { continue };
        if needed.in_place && !configuration_has_arrived(pass, report) {
            return Some(Next::millis(700));
        }
        let message = format!("Restarting instance {}, because: {}", report.name(), needed.reason);
        pass.register_phase(phase::UPGRADING, &message);
        replace_pod(pass, report.name());
        return Some(Next::millis(1000));
    }
    if pass.cluster.is_fenced(&current) {
        return None;
    }
    let needed = needs(primary, &pass.cluster)?;
    if needed.in_place && !configuration_has_arrived(pass, primary) {
        return Some(Next::millis(700));
    }
    Some(restart_primary(pass, reports, primary, &needed))
}

/// Lowering a setting that standbys must not have lower than their primary: the primary goes first, in place.
fn lower_on_the_primary(pass: &mut Pass<'_>, primary: &Report) -> Option<Next> {
    if pass.cluster.is_fenced(primary.name()) {
        return None;
    }
    pass.register_phase(phase::RESTARTING_IN_PLACE, "decrease of hot standby sensitive parameters");
    Some(Next::millis(1000))
}

/// Whether the instances have had the time to load a new configuration, each of them: the phase says that it is being
/// applied, and a standby that must not be lower than its primary has seen the primary's new value.
fn configuration_has_arrived(pass: &mut Pass<'_>, report: &Report) -> bool {
    if pass.cluster.phase() == phase::HEALTHY {
        pass.register_phase(phase::APPLYING, "PostgreSQL configuration changed");
        return false;
    }
    !report.pending_restart_for_decrease || report.wal_receiver_active && report.received == report.replayed
}

fn restart_primary(pass: &mut Pass<'_>, reports: &Reports, primary: &Report, needed: &Needed) -> Next {
    let name = primary.name().to_owned();
    if text(&pass.cluster, "/spec/primaryUpdateStrategy") == "supervised" {
        pass.register_phase(phase::WAITING_FOR_USER, "User must issue a supervised switchover");
        return Next::OnChange;
    }
    if text(&pass.cluster, "/spec/primaryUpdateMethod") != "switchover" {
        if needed.in_place {
            if let Some(at) = pass.cluster.annotated(annotation::RESTARTED_AT).map(str::to_owned)
                && noted(&primary.pod, annotation::RESTARTED_AT) != Some(&at)
            {
                pass.merge(&PODS, &name, json!({"metadata": {"annotations": {annotation::RESTARTED_AT: at}}}));
            }
            pass.register_phase(phase::RESTARTING_IN_PLACE, &needed.reason);
        } else {
            pass.register_phase(phase::RESTARTING_PRIMARY_POD, &needed.reason);
            replace_pod(pass, &name);
        }
        return Next::millis(1000);
    }
    match reports.iter().find(|r| r.name() != name) {
        // The promotion waits for the WAL receiver to end: without one nothing would be safe.
        Some(heir) if !heir.wal_receiver_active => Next::millis(5000),
        Some(heir) => {
            let heir = heir.name().to_owned();
            pass.event("Switchover", format!("Initiating switchover to {heir} to upgrade {name}"));
            pass.register_phase(phase::UPGRADING, &needed.reason);
            pass.set_target(&heir);
            Next::millis(500)
        }
        None => {
            let reason = format!("The primary instance needs to be restarted: {name}, reason: {}", needed.reason);
            pass.register_phase(phase::UPGRADING, &reason);
            replace_pod(pass, &name);
            Next::millis(1000)
        }
    }
}

/// Deletes a pod; the next passes make it again on the same claims.
pub fn replace_pod(pass: &mut Pass<'_>, pod: &str) {
    pass.event("UpgradingInstance", format!("Upgrading instance {pod}"));
    pass.delete(&PODS, pod);
}

fn needs(report: &Report, cluster: &Value) -> Option<Needed> {
    if !report.is_ready() || report.might_be_unavailable {
        return None;
    }
    if let Some(reason) = pod_is_outdated(&report.pod, cluster) {
        return Some(Needed { reason, in_place: false });
    }
    let reason = "Postgres needs a restart to apply some configuration changes".to_owned();
    report.pending_restart.then_some(Needed { reason, in_place: true })
}

/// Why a pod isn't what the cluster wants any more.
pub fn pod_is_outdated(pod: &Value, cluster: &Value) -> Option<String> {
    let mounted: Vec<&str> = pod.get("spec").into_iter().flat_map(claims).collect();
    if cluster.claims_of(name(pod)).iter().any(|claim| !mounted.contains(&claim.as_str())) {
        return Some("attaching a new PVC to the instance Pod".into());
    }
    let (runs, wanted) = (text(pod, "/spec/containers/0/image"), cluster.image());
    // Another major version needs a job of its own, which this lab doesn't have.
    if runs != wanted && major_of(runs) == major_of(wanted) {
        return Some(format!("the instance is using a different image: {runs} -> {wanted}"));
    }
    let asked = cluster.annotated(annotation::RESTARTED_AT);
    if asked.is_some() && asked != noted(pod, annotation::RESTARTED_AT) {
        return Some("cluster has been explicitly restarted via annotation".into());
    }
    if cluster.annotated(annotation::RECONCILE_POD_SPEC) == Some("disabled") {
        return None;
    }
    let remembered: Value = serde_json::from_str(noted(pod, annotation::POD_SPEC)?).ok()?;
    let wanted = instance::spec(cluster, name(pod));
    differing_part(&remembered, &wanted).map(|part| format!("original and target PodSpec differ in {part}"))
}

/// The first part in which two specs differ, as the operator calls it. The bootstrap container doesn't count.
fn differing_part(old: &Value, new: &Value) -> Option<&'static str> {
    const PARTS: [(&str, &str); 9] = [
        ("volumes", "volumes"),
        ("containers", "containers"),
        ("securityContext", "security-context"),
        ("affinity", "affinity"),
        ("tolerations", "tolerations"),
        ("nodeSelector", "node-selector"),
        ("topologySpreadConstraints", "topology-spread-constraints"),
        ("serviceAccountName", "service-account-name"),
        ("terminationGracePeriodSeconds", "termination-grace-period"),
    ];
    PARTS.iter().find(|(key, _)| old.get(key) != new.get(key)).map(|(_, part)| *part)
}
