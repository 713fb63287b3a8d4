//! Who leads: failover, the way off a node that is being drained, and when to leave things as they are.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::act::Next;
use super::pass::{Pass, set_or_drop};
use super::reconcile::mark_unhealthy;
use super::report::{Report, Reports};
use super::words::{PENDING, phase};
use super::world::ClusterObject;
use crate::lab::api::resources::FAILOVERQUORUMS;
use crate::lab::object::{list, micros, number, text};

/// Elects another primary when the current one can't lead. `None`: it can, go on.
pub fn elect(pass: &mut Pass<'_>, reports: &Reports) -> Option<Next> {
    let current = pass.cluster.current_primary().to_owned();
    let excused = reports.get(&current).is_some_and(|r| r.might_be_unavailable);
    if pass.cluster.is_fenced(&current) || excused {
        return None;
    }
    if pass.cluster.phase() == phase::RESTARTING_PRIMARY_POD {
        if pass.cluster.ready_instances() == pass.cluster.wanted() {
            pass.register_phase(phase::HEALTHY, "");
        }
        return None;
    }
    let first = reports.first()?.clone();
    let leads = first.is_primary && first.name() == current && pass.cluster.target_primary() == current;
    if leads && pass.world.is_unschedulable(first.node()) {
        return leave_node(pass, reports, &first);
    }
    let next = fail_over(pass, reports, &first);
    if next.is_none() {
        forget_failing_since(pass);
    }
    next
}

fn forget_failing_since(pass: &mut Pass<'_>) {
    let mut status = pass.status();
    set_or_drop(&mut status, "currentPrimaryFailingSinceTimestamp", "");
    pass.write_status(status, false);
}

fn fail_over(pass: &mut Pass<'_>, reports: &Reports, candidate: &Report) -> Option<Next> {
    let target = pass.cluster.target_primary().to_owned();
    if target == candidate.name() || !candidate.answered() {
        return None;
    }
    if still_patient(pass) {
        return Some(Next::millis(500));
    }
    let current = pass.cluster.current_primary().to_owned();
    if target == current && pass.cluster.wants_quorum() && !quorum_holds(pass, reports) {
        return None;
    }
    // Nobody is promoted while a standby may still receive what the old primary has. The marker tells the old primary
    // to shut down, and the receivers end.
    if target == current {
        let message = format!("Current primary isn't healthy, initiating a failover from {current}");
        pass.event("FailingOver", message);
        pass.register_phase(phase::FAILING_OVER, &format!("Initiating a failover from {current}"));
        pass.set_target(PENDING);
        mark_unhealthy(pass, &current);
    }
    if !reports.wal_receivers_are_down(&current) {
        return Some(Next::millis(500));
    }
    let chosen = candidate.name();
    if pass.cluster.target_primary() == PENDING {
        let message = format!("Failing over from {current} to {chosen}");
        pass.event("FailoverTarget", message.clone());
        pass.register_phase(phase::FAILING_OVER, &message);
    } else {
        let message = format!("Target primary isn't healthy, switching target from {target} to {chosen}");
        pass.event("FailingOver", message);
        pass.register_phase(phase::SWITCHOVER, &format!("Switching over to {chosen}"));
    }
    pass.set_target(chosen);
    Some(Next::millis(500))
}

/// Whether `spec.failoverDelay` has not passed yet. Notes since when the primary fails.
fn still_patient(pass: &mut Pass<'_>) -> bool {
    let delay = number(&pass.cluster, "/spec/failoverDelay").unwrap_or(0);
    if delay <= 0 {
        return false;
    }
    let now = pass.world.now;
    let since: Option<Timestamp> = text(&pass.cluster, "/status/currentPrimaryFailingSinceTimestamp").parse().ok();
    let Some(since) = since else {
        let mut status = pass.status();
        status["currentPrimaryFailingSinceTimestamp"] = micros(now).into();
        pass.write_status(status, false);
        return true;
    };
    now.duration_since(since) < SignedDuration::from_secs(delay)
}

/// Whether some promotable standby surely has every acknowledged transaction: R + W > N.
fn quorum_holds(pass: &Pass<'_>, reports: &Reports) -> bool {
    let Some(quorum) = pass.world.get(&FAILOVERQUORUMS, pass.name()) else { return false };
    let synchronous: BTreeSet<&str> = list(quorum, "/status/standbyNames").iter().filter_map(Value::as_str).collect();
    let written = usize::try_from(number(quorum, "/status/standbyNumber").unwrap_or(0)).unwrap_or(0);
    if written == 0 || synchronous.is_empty() {
        return false;
    }
    let promotable = reports.iter().filter(|r| r.answered() && r.is_ready()).map(Report::name).collect();
    let readable = synchronous.intersection(&promotable).count();
    readable + written > synchronous.len()
}

/// Moves the primary off a node that takes no pods any more, once all replicas are elsewhere and well.
fn leave_node(pass: &mut Pass<'_>, reports: &Reports, primary: &Report) -> Option<Next> {
    let elsewhere: Vec<Report> =
        reports.iter().filter(|r| r.name() != primary.name() && r.node() != primary.node()).cloned().collect();
    let someone_failed = !list(&pass.cluster, "/status/instancesStatus/failed").is_empty();
    let wanted = pass.cluster.wanted();
    let all_is_well = pass.cluster.ready_instances() == wanted && elsewhere.len() + 1 >= wanted;
    if !someone_failed && !all_is_well {
        return None;
    }
    let world = pass.world;
    let candidate =
        elsewhere.iter().find(|r| !world.is_unschedulable(r.node()) && r.is_ready() && r.wal_receiver_active)?;
    let (from, node, to) = (primary.name(), primary.node(), candidate.name());
    let message =
        format!("Current primary is running on unschedulable node {node}, switching over from {from} to {to}");
    pass.event("SwitchingOver", message);
    let reason = format!("Switching over to {to}, because primary instance was running on unschedulable node {node}");
    pass.register_phase(phase::SWITCHOVER, &reason);
    pass.set_target(to);
    Some(Next::millis(500))
}
