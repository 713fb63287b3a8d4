//! What the operator says, and what was done on purpose: phase, conditions, fencing, hibernation, set-up.
//!
//! A phase that says "healthy" proves nothing and is never heard here; one that says otherwise is a witness.

use super::evidence::Evidence;
use super::{Level, Reason, ReasonCode};
use crate::domain::cluster::{Fenced, Operator};
use crate::domain::quantity;
use crate::text::shorten;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    hibernation(e, out);
    fencing(e, out);
    if let Some(at) = e.cluster.deleting {
        let text = format!("being deleted, asked {} ago", quantity::age(at, e.now));
        out.push(e.by_cluster(ReasonCode::Deleting, Level::Bad, text));
    }
    if e.cluster.reconciliation_disabled {
        let text = "the operator was told to leave it alone: no failover";
        out.push(e.by_cluster(ReasonCode::ReconciliationDisabled, Level::Warn, text));
    }
    if e.cluster.maintenance {
        out.push(e.by_cluster(ReasonCode::MaintenanceOpen, Level::Warn, "a node maintenance window is open"));
    }
    if !e.hibernating() {
        phase(e, out);
        conditions(e, out);
    }
    complaints(e, out);
    operator(e, out);
    certificates(e, out);
}

/// Off on purpose. A warning, since nothing is broken; never ok, since nobody can use it.
fn hibernation(e: &Evidence, out: &mut Vec<Reason>) {
    if e.hibernated() {
        out.push(e.by_cluster(ReasonCode::Hibernated, Level::Warn, "hibernated on purpose: no instance runs"));
    } else if e.hibernating() {
        let left = e.cluster.instances.iter().filter(|i| i.pod.is_some()).count();
        let text = format!("is being hibernated on purpose: {left} pods left");
        out.push(e.by_cluster(ReasonCode::Hibernated, Level::Warn, text));
    }
}

/// Fencing stops PostgreSQL and leaves pod, readiness and phase as they were: the annotation is the witness.
fn fencing(e: &Evidence, out: &mut Vec<Reason>) {
    match &e.cluster.fenced {
        Fenced::None => {}
        Fenced::All => {
            out.push(e.by_cluster(
                ReasonCode::Fenced,
                Level::Bad,
                "all instances are fenced: PostgreSQL is stopped on purpose",
            ));
        }
        Fenced::Some(names) => {
            for name in names {
                let primary = e.cluster.primary.as_ref() == Some(name);
                let (level, text) = if primary {
                    (Level::Bad, format!("the primary {name} is fenced: writes are stopped on purpose, no failover"))
                } else {
                    (Level::Warn, format!("{name} is fenced: its PostgreSQL is stopped on purpose"))
                };
                out.push(Reason { instance: Some(name.clone()), ..e.by_cluster(ReasonCode::Fenced, level, text) });
            }
        }
    }
}

/// CNPG's phases (`api/v1/cluster_types.go`). An unknown phase is unknown.
fn phase(e: &Evidence, out: &mut Vec<Reason>) {
    let Some(phase) = &e.cluster.phase else {
        if e.cluster.operator == Operator::Cnpg {
            out.push(e.by_cluster(ReasonCode::SettingUp, Level::Warn, "the operator has not begun with it"));
        }
        return;
    };
    let why = phase.reason.as_ref().map(|r| format!(": {}", shorten(r, 120))).unwrap_or_default();
    let text = format!("phase {}{why}", phase.text);
    let (code, level) = match phase.text.as_str() {
        "Cluster in healthy state" => return,
        "Setting up primary" => (ReasonCode::SettingUp, setting_up(e)),
        // Told with both names by the rule on moving.
        "Failing over" | "Switchover in progress" if e.moving() => return,
        // A phase can also be worse than the truth: writes may work again long before the operator is content.
        "Failing over" => (ReasonCode::FailingOver, if e.writes_work() { Level::Warn } else { Level::Bad }),
        "Switchover in progress" => (ReasonCode::SwitchingOver, Level::Warn),
        "Creating a new replica"
        | "Upgrading cluster"
        | "Upgrading Postgres major version"
        | "Cluster upgrade delayed"
        | "Waiting for user action"
        | "Primary instance is being restarted in-place"
        | "Primary instance is being restarted without a switchover"
        | "Waiting for the instances to become active"
        | "Online upgrade in progress"
        | "Applying configuration"
        | "Promoting to primary cluster" => (ReasonCode::PhaseNotHealthy, Level::Warn),
        "Unable to create required cluster objects"
        | "Invalid cluster definition"
        | "Cluster is unrecoverable and needs manual intervention"
        | "Cluster has incomplete or invalid image catalog"
        | "Cluster cannot proceed to reconciliation due to an unknown plugin being required"
        | "Cluster cannot proceed to reconciliation due to an error while interacting with plugins"
        | "Cluster cannot execute instance online upgrade due to missing architecture binary" => {
            (ReasonCode::PhaseNotHealthy, Level::Bad)
        }
        _ => (ReasonCode::PhaseNotHealthy, Level::Unknown),
    };
    out.push(e.by_cluster(code, level, text));
}

/// Being set up is no fault until it takes too long.
fn setting_up(e: &Evidence) -> Level {
    let late = e.cluster.created.is_some_and(|t| e.age(t) > e.limits.setup_time);
    if late { Level::Bad } else { Level::Warn }
}

/// Only conditions whose meaning is known: of others, not even the good direction is.
fn conditions(e: &Evidence, out: &mut Vec<Reason>) {
    let phase_healthy = e.cluster.phase.as_ref().is_some_and(|p| p.text == "Cluster in healthy state");
    for c in e.cluster.conditions.iter().filter(|c| c.status == Some(false)) {
        let level = match c.kind.as_str() {
            // With another phase it only repeats that.
            "Ready" if phase_healthy => Level::Warn,
            // NotFound: no instance runs, which others tell. Anything else: instances of different clusters.
            "ConsistentSystemID" if c.reason == "NotFound" => continue,
            "ConsistentSystemID" => Level::Bad,
            "SyncReplicationTopologySatisfied" => Level::Warn,
            _ => continue,
        };
        let since = c.since.map(|t| format!(" for {}", quantity::age(t, e.now))).unwrap_or_default();
        let message = if c.message.is_empty() { &c.reason } else { &c.message };
        let text = format!("{} is false{since}: {}", c.kind, shorten(message, 120));
        out.push(e.by_cluster(ReasonCode::ConditionFalse, level, text));
    }
}

/// Warning events about claims, and refusals of the webhook. What pods suffer from is told by the pods themselves.
fn complaints(e: &Evidence, out: &mut Vec<Reason>) {
    let recent = |at: Option<jiff::Timestamp>| at.is_some_and(|t| e.age(t) <= e.limits.complaint_age);
    for c in e.cluster.complaints.iter().filter(|c| recent(c.at)) {
        let (code, level) = if c.message.contains("failed calling webhook") {
            (ReasonCode::WebhookFailing, Level::Warn)
        } else if c.object.starts_with("PersistentVolumeClaim/") {
            let unbound = c
                .object
                .split_once('/')
                .is_some_and(|(_, n)| e.cluster.volumes.iter().any(|v| v.name == n && v.phase != "Bound"));
            (ReasonCode::PodTrouble, if unbound { Level::Bad } else { Level::Warn })
        } else {
            continue;
        };
        let text = format!("{}: {} {}", c.object, c.reason, shorten(&c.message, 120));
        let witness = crate::domain::source::Witness::Object(c.object.clone());
        out.push(e.by(witness, c.at.unwrap_or(e.now).min(e.now), code, level, text));
    }
}

/// Without its operator a cluster runs on, and nobody would fail it over. No fact: not known, and not held against it.
fn operator(e: &Evidence, out: &mut Vec<Reason>) {
    let Some(all) = e.facts.operators.get(&e.cluster.key.context) else { return };
    let ours: Vec<_> = all.iter().filter(|o| o.operator == e.cluster.operator).collect();
    let word = e.cluster.operator.short();
    if ours.is_empty() {
        let text = format!("no {word} operator found in this context: nobody would fail it over");
        out.push(e.by_object("Deployment/?".into(), ReasonCode::OperatorNotRunning, Level::Warn, text));
        return;
    }
    if ours.iter().all(|o| o.available == 0) {
        let o = ours[0];
        let text = format!(
            "the operator {} has no running pod ({} wanted): nobody would fail it over",
            o.deployment, o.wanted
        );
        out.push(e.by_object(
            format!("Deployment/{}", o.deployment),
            ReasonCode::OperatorNotRunning,
            Level::Warn,
            text,
        ));
    }
    for o in ours {
        if let Some(trouble) = &o.webhook_trouble {
            let text = format!("the operator's webhook fails: {trouble}");
            out.push(e.by_object(
                format!("Deployment/{}", o.deployment),
                ReasonCode::WebhookFailing,
                Level::Warn,
                text,
            ));
        }
    }
}

fn certificates(e: &Evidence, out: &mut Vec<Reason>) {
    for c in &e.cluster.certificates {
        let left = c.expires.duration_since(e.now);
        let (level, text) = if left.is_negative() || left.is_zero() {
            (Level::Bad, format!("certificate {} expired {} ago", c.name, quantity::age(c.expires, e.now)))
        } else if left < e.limits.certificate_bad {
            (Level::Bad, format!("certificate {} expires in {}", c.name, quantity::age_of(left)))
        } else if left < e.limits.certificate_warn {
            (Level::Warn, format!("certificate {} expires in {}", c.name, quantity::age_of(left)))
        } else {
            continue;
        };
        out.push(e.by_cluster(ReasonCode::CertificateExpiring, level, text));
    }
}
