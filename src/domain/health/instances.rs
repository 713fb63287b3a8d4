//! Are all instances there, ready, answering, and spread as promised?

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, Voice};
use super::{Level, Reason, ReasonCode, primary, replication};
use crate::domain::cluster::{self, Instance};
use crate::domain::names::{InstanceName, ZoneName};
use crate::domain::quantity;
use crate::domain::source::Witness;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    if e.hibernating() {
        return;
    }
    missing(e, out);
    let leads = e.primary().map(|a| a.name.clone()).or_else(|| e.cluster.primary.clone());
    let told_for_all = primary::all_closed(e) && e.cluster.primary.is_some();
    for i in &e.cluster.instances {
        node(e, i, out);
        if Some(&i.name) != leads.as_ref() {
            pod(e, i, out);
            if !e.cluster.fenced.covers(&i.name) && !told_for_all {
                answers(e, &i.name, out);
            }
        }
        pending_restart(e, &i.name, out);
    }
    zones(e, out);
}

/// As many pods as asked for.
fn missing(e: &Evidence, out: &mut Vec<Reason>) {
    let Some(wanted) = e.cluster.wanted else {
        let text = "how many instances are asked for is not told";
        out.push(e.by_cluster(ReasonCode::CantBeAsked, Level::Unknown, text));
        return;
    };
    let there = e.cluster.instances.iter().filter(|i| i.pod.as_ref().is_some_and(|p| p.deleting.is_none())).count();
    let there = u32::try_from(there).unwrap_or(u32::MAX);
    if there < wanted {
        let level = if there == 0 && !e.being_set_up() { Level::Bad } else { Level::Warn };
        out.push(e.by_cluster(
            ReasonCode::InstancesMissing,
            level,
            format!("{there} of {wanted} instances have a pod"),
        ));
    }
}

/// A standby's pod. The primary's has a rule of its own.
fn pod(e: &Evidence, i: &Instance, out: &mut Vec<Reason>) {
    let Some(pod) = &i.pod else { return };
    if pod.deleting.is_some() {
        out.push(e.by_pod(
            &i.name,
            ReasonCode::InstanceNotReady,
            Level::Warn,
            format!("pod {} is being deleted", i.name),
        ));
    } else if let Some(why) = &pod.trouble {
        out.push(e.by_pod(&i.name, ReasonCode::PodTrouble, Level::Warn, format!("pod {}: {why}", i.name)));
    } else if !pod.ready {
        let since = pod.ready_since.map(|t| format!(" for {}", quantity::age(t, e.now))).unwrap_or_default();
        out.push(e.by_pod(
            &i.name,
            ReasonCode::InstanceNotReady,
            Level::Warn,
            format!("{} is not ready{since}", i.name),
        ));
    }
}

/// A standby must answer, too: a ready pod is kubelet's word of some seconds ago.
fn answers(e: &Evidence, name: &InstanceName, out: &mut Vec<Reason>) {
    let Some(name) = e.cluster.instance(name).filter(|i| i.pod.is_some()).map(|i| &i.name) else { return };
    let (code, level, text, witness, seen) = match e.voice(name) {
        Voice::Serves(_) => return,
        Voice::Down { why, witness, at } => (
            ReasonCode::InstanceNotServing,
            Level::Warn,
            format!("PostgreSQL on {name} does not serve: {why}"),
            witness,
            at,
        ),
        Voice::Silent { why, witness, at, spoke: true, .. } => {
            let since = e.samples(name).and_then(|s| s.silent_since).unwrap_or(at);
            // One lost question is no news while the primary sees it stream.
            if e.age(since) <= e.limits.silence_excused && replication::seen_streaming(e, name) {
                return;
            }
            let text = format!("{name} has not answered for {}: {why}", quantity::age(since, e.now));
            (ReasonCode::InstanceNotAnswering, Level::Warn, text, witness, at)
        }
        Voice::Silent { why, witness, at, .. } | Voice::Closed { why, witness, at } => {
            (ReasonCode::CantBeAsked, Level::Unknown, format!("{name} can't be asked: {why}"), witness, at)
        }
        Voice::Stale { witness, at } => {
            let text = format!("the last answer of {name} is {} old", quantity::age(at, e.now));
            (ReasonCode::Stale, Level::Unknown, text, witness, at)
        }
        Voice::Unasked => {
            (ReasonCode::CantBeAsked, Level::Unknown, format!("{name} has not been asked"), Witness::Sources, e.now)
        }
    };
    out.push(Reason { instance: Some(name.clone()), ..e.by(witness, seen, code, level, text) });
}

fn node(e: &Evidence, i: &Instance, out: &mut Vec<Reason>) {
    let Some(node) = e.facts.node_of(e.cluster, &i.name) else { return };
    let mut say = |level, text| {
        let r = e.by(Witness::Node(node.name.to_string()), e.proven, ReasonCode::NodeNotReady, level, text);
        out.push(Reason { instance: Some(i.name.clone()), ..r });
    };
    match node.ready {
        Some(true) => {}
        Some(false) => say(Level::Warn, format!("node {} of {} is not ready", node.name, i.name)),
        None => say(Level::Warn, format!("node {} of {} no longer reports", node.name, i.name)),
    }
    if !node.pressure.is_empty() {
        say(Level::Warn, format!("node {} of {}: {}", node.name, i.name, node.pressure.join(", ")));
    }
}

fn pending_restart(e: &Evidence, name: &InstanceName, out: &mut Vec<Reason>) {
    let Some((name, Voice::Serves(a))) = e.cluster.instance(name).map(|i| (&i.name, e.voice(&i.name))) else { return };
    if let Some((_, at)) = a.status.filter(|(s, _)| s.pending_restart) {
        let text = format!("{name} waits for a restart to take over its settings");
        let r = e.by(Witness::Status(name.clone()), at, ReasonCode::PendingRestart, Level::Warn, text);
        out.push(Reason { instance: Some(name.clone()), ..r });
    }
}

/// Judged only where the spec promises it: a cluster without zones has broken nothing.
fn zones(e: &Evidence, out: &mut Vec<Reason>) {
    if e.cluster.spread_over_zones.is_none() {
        return;
    }
    let Some(nodes) = e.facts.nodes.get(&e.cluster.key.context) else { return };
    // Zones that have nodes of the kind its instances run on: a zone of system nodes only is none for it.
    let kinds: BTreeSet<_> = e
        .cluster
        .instances
        .iter()
        .filter_map(|i| e.facts.node_of(e.cluster, &i.name))
        .map(|n| n.workload.as_deref())
        .collect();
    let fitting = nodes.iter().filter(|n| kinds.contains(&n.workload.as_deref()));
    let known = cluster::zones(fitting).len();
    let mut in_zone: BTreeMap<&ZoneName, Vec<&str>> = BTreeMap::new();
    for i in &e.cluster.instances {
        if let Some(zone) = &i.zone {
            in_zone.entry(zone).or_default().push(i.name.as_str());
        }
    }
    let placed: usize = in_zone.values().map(Vec::len).sum();
    let wanted = usize::try_from(e.cluster.wanted.unwrap_or(0)).unwrap_or(usize::MAX);
    let target = wanted.min(known);
    if placed < wanted || in_zone.len() >= target || placed < 2 {
        return;
    }
    let crowded = in_zone.iter().max_by_key(|(_, names)| names.len());
    let Some((zone, names)) = crowded else { return };
    let text = format!("{} zones instead of {target}: {} share {zone}", in_zone.len(), names.join(", "));
    out.push(e.by(Witness::Node("labels".into()), e.proven, ReasonCode::ZoneSpreadBroken, Level::Warn, text));
}
