//! The zone-loss drill: everything of the cluster in one zone goes at once.
//!
//! On a real Kubernetes the zone's nodes are cordoned and its pods evicted, as gently as its budgets ask for: a rehearsal
//! of the move, not of the power cut. In the lab the zone is really taken away, by a fault that is an object of its API.

use serde_json::json;

use super::super::cnpg;
use super::super::making::{Making, POD};
use super::{DrillWish, TAKEOVER, back, first_write, framed, healthy, leader, made};
use crate::domain::detail::ObjectRef;
use crate::domain::names::{InstanceName, NodeName, ZoneName};
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::drill::{REDUNDANT, STRIKE};
use crate::procedure::kind::Kind;
use crate::procedure::order::{Create, Delete, Order, Target};
use crate::procedure::plan::{Gate, Plan, Step, Weight};

pub(super) fn plan(m: &mut Making<'_>, wish: &DrillWish, zone: Option<&ZoneName>, lab: bool) -> Result<Plan, Problem> {
    let first = leader(m)?;
    let zone = choose(m, &first, zone)?;
    let gone: Vec<InstanceName> =
        m.cluster.instances.iter().filter(|i| i.zone.as_ref() == Some(&zone)).map(|i| i.name.clone()).collect();
    healthy(m, wish);
    survivors(m, &zone, &gone);
    let hit = gone.contains(&first);
    let mut blow = if lab { taken_away(m, &zone) } else { emptied(m, &zone, &gone)? };
    let moved = match hit {
        true => Check::All(vec![
            Check::ZoneLeft { zone: zone.clone() },
            Check::AnotherLeads { than: first.clone(), after: m.timeline() },
        ]),
        false => Check::ZoneLeft { zone: zone.clone() },
    };
    if let Some(strike) = blow.iter_mut().find(|s| s.id.as_str() == STRIKE) {
        *strike = strike.clone().proven_by(moved, TAKEOVER);
    }
    blow.push(first_write());
    let mut last = REDUNDANT;
    if hit && wish.back {
        blow.extend(back(m, &first));
        last = "redundant-back";
    }
    let steps = framed(m, wish, blow, last);
    let title = format!("zone-loss drill of {}: {zone} goes with {}", m.name(), super::super::making::names(&gone));
    let mut plan = made(m, Kind::ZoneLossDrill, title, &first, steps);
    plan.parameters.insert("zone".into(), zone.to_string());
    Ok(plan)
}

fn choose(m: &Making<'_>, first: &InstanceName, zone: Option<&ZoneName>) -> Result<ZoneName, Problem> {
    let zones = m.cluster.zones();
    let all = || zones.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match zone {
        Some(zone) if zones.contains(zone) => Ok(zone.clone()),
        Some(zone) => {
            Err(Problem::usage(format!("{} has nothing in {zone}", m.cluster.key))
                .try_this(format!("it is in {}", all())))
        }
        None => m.cluster.instance(first).and_then(|i| i.zone.clone()).ok_or_else(|| {
            Problem::refused("no zone can be lost").because(format!("it is not known which zone {first} is in"))
        }),
    }
}

/// Somebody must be left, and the promise should be kept.
fn survivors(m: &mut Making<'_>, zone: &ZoneName, gone: &[InstanceName]) {
    let left = m.cluster.instances.len() - gone.len();
    match left {
        0 => m.found("zones", Weight::Blocks, format!("every instance is in {zone}: nobody would be left")),
        n => m.good("zones", format!("{n} instances are in other zones")),
    }
    m.commits_without(&gone.iter().collect::<Vec<_>>());
}

/// The lab's own fault: an object that is there as long as the zone is away.
fn taken_away(m: &Making<'_>, zone: &ZoneName) -> Vec<Step> {
    let object = ObjectRef {
        context: m.cluster.key.context.clone(),
        api_version: "lab.howdah.dev/v1".into(),
        kind: "Fault".into(),
        namespace: m.cluster.key.namespace.to_string(),
        name: format!("zone-loss-{}", m.now().strftime("%Y%m%d-%H%M%S")),
    };
    let body = json!({
        "apiVersion": object.api_version, "kind": object.kind,
        "metadata": {"name": object.name, "namespace": object.namespace},
        "spec": {"kind": "zone-loss", "cluster": &*m.cluster.key.name, "zone": zone.as_str()},
    });
    let target = Target { object, plural: "faults".into(), subresource: None };
    let strike = Step::new(
        STRIKE,
        format!("take {zone} away"),
        "The lab stops every process of the zone and cuts its links; nobody is warned.",
    )
    .after(&["beat"])
    .gated(Gate::Approve)
    .does(Order::Create(Create { target: target.clone(), body }));
    // It goes back whatever became of the run; the name is this run's own, so no identity is needed.
    let again = Step::new("restore", format!("give {zone} back"), "The zone comes back and its instances rejoin.")
        .after(&["first-write"])
        .does(Order::Delete(Delete { target, uid: String::new(), grace: None }))
        .cleans_up();
    vec![strike, again, m.redundant_again(m.wanted(), "restore", m.clone_time())]
}

/// Cordon and evict.
fn emptied(m: &Making<'_>, zone: &ZoneName, gone: &[InstanceName]) -> Result<Vec<Step>, Problem> {
    let nodes: Vec<NodeName> = m
        .view
        .facts
        .nodes
        .get(&m.cluster.key.context)
        .map(|nodes| nodes.iter().filter(|n| n.zone.as_ref() == Some(zone)).map(|n| n.name.clone()).collect())
        .unwrap_or_default();
    if nodes.is_empty() {
        return Err(Problem::refused(format!("{zone} can't be emptied")).because("its nodes are not known"));
    }
    let mut steps = Vec::new();
    let cordon = |node: &NodeName| format!("cordon-{node}");
    for node in &nodes {
        let why = "Whatever is evicted must not come back to the same zone at once.";
        let step = Step::new(&cordon(node), format!("cordon {node}"), why)
            .after(&["beat"])
            .gated(Gate::Approve)
            .does(cnpg::cordon(m.cluster, node, true))
            .proven_by(Check::Cordoned { node: node.clone(), yes: true }, POD);
        steps.push(step);
    }
    let cordons: Vec<String> = nodes.iter().map(cordon).collect();
    let needs: Vec<&str> = cordons.iter().map(String::as_str).collect();
    let mut evicted = Vec::new();
    for (n, name) in gone.iter().enumerate() {
        let pod = m
            .instance(name)?
            .pod
            .clone()
            .ok_or_else(|| Problem::refused(format!("{name} can't be evicted")).because("it has no pod"))?;
        // The first eviction is the blow: the time counts from there.
        let id = if n == 0 { STRIKE.to_owned() } else { format!("evict-{name}") };
        let why = "Kubernetes is asked to evict it; a budget may hold it until the primary has moved.";
        steps.push(
            Step::new(&id, format!("evict {name}"), why)
                .after(&needs)
                .gated(Gate::Approve)
                .does(cnpg::evict_pod(m.cluster, name, &pod.uid))
                .proven_by(Check::PodGone { instance: name.clone(), uid: pod.uid.clone() }, POD),
        );
        evicted.push(id);
    }
    let mut before: Vec<&str> = evicted.iter().map(String::as_str).collect();
    before.push("first-write");
    let uncordons: Vec<String> = nodes.iter().map(|node| format!("uncordon-{node}")).collect();
    for (node, id) in nodes.iter().zip(&uncordons) {
        let mut after = before.clone();
        let cordoned = cordon(node);
        after.push(&cordoned);
        let why = "The zone takes pods again, and what was waiting for its volume comes back.";
        steps.push(
            Step::new(id, format!("uncordon {node}"), why)
                .after(&after)
                .does(cnpg::cordon(m.cluster, node, false))
                .proven_by(Check::Cordoned { node: node.clone(), yes: false }, POD)
                .cleans_up(),
        );
    }
    let mut again = m.redundant_again(m.wanted(), "first-write", m.clone_time());
    again = again.after(&uncordons.iter().map(String::as_str).collect::<Vec<_>>());
    steps.push(again);
    Ok(steps)
}
