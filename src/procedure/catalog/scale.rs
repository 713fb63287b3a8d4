//! Scale: more instances, or fewer.

use std::collections::BTreeSet;

use super::cnpg;
use super::guards::Needs;
use super::making::{Making, POD, names};
use crate::domain::cluster::Instance;
use crate::domain::names::{InstanceName, ZoneName};
use crate::domain::source::Witness;
use crate::problem::{Exit, Problem};
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step, Weight};

pub(super) fn plan(m: &mut Making<'_>, instances: u32) -> Result<Plan, Problem> {
    let Some(now) = m.cluster.wanted else {
        return Err(Problem::new(format!("how many instances {} asks for is not known", m.cluster.key)));
    };
    if instances == 0 {
        return Err(Problem::refused("a cluster can't have no instance")
            .try_this(format!("howdah act hibernate {} takes its pods away and keeps the data", m.cluster.key)));
    }
    if instances == now {
        return Err(Problem::refused(format!("{} has {now} instances already", m.cluster.key)).exit(Exit::No));
    }
    m.guard(Needs { disturbs_backup: instances < now, ..Needs::USUAL });
    allowed(m, instances);
    let steps = if instances > now { up(m, now, instances) } else { down(m, now, instances) };
    let mut plan = m.plan(Kind::Scale, format!("scale {} from {now} to {instances} instances", m.name()), steps);
    let mut premise = m.same_primary();
    premise.values.insert("/spec/instances".into(), now.into());
    plan.premise = premise;
    plan.parameters.insert("instances".into(), instances.to_string());
    Ok(plan)
}

/// CNPG refuses what its synchronous commit could never keep (`validateSynchronousReplicaConfiguration`).
fn allowed(m: &mut Making<'_>, instances: u32) {
    let number = m.cluster.sync.number;
    if number > 0 && number >= instances {
        let text =
            format!("{number} synchronous standbys are asked for: the operator refuses fewer than {}", number + 1);
        m.found_by("synchronous commit", Weight::Blocks, text, &Witness::ClusterObject);
    }
}

fn up(m: &mut Making<'_>, now: u32, instances: u32) -> Vec<Step> {
    m.primary_answers(Weight::Blocks);
    let free: BTreeSet<&ZoneName> = free_zones(m);
    if m.cluster.spread_over_zones.is_some() && !free.is_empty() {
        let free: Vec<_> = free.iter().map(|z| z.as_str()).collect();
        m.good("zones", format!("zones without an instance: {}", free.join(", ")));
    }
    let clones = i32::try_from(instances - now).unwrap_or(100).clamp(1, 100);
    let within = m.clone_time() * clones;
    let step = Step::new(
        "scale",
        format!("have {instances} instances"),
        format!(
            "Each new one is cloned from the primary, one after the other. Waits up to {within:#}: for each a copy of the \
             volume at 20 MiB a second, and the pod's own start."
        ),
    )
    .gated(Gate::Approve)
    .does(cnpg::scale(m.cluster, instances))
    .undone_by(cnpg::scale(m.cluster, now))
    .proven_by(Check::FullyRedundant { instances }, within);
    vec![step]
}

fn down(m: &mut Making<'_>, now: u32, instances: u32) -> Vec<Step> {
    let going = going(m, usize::try_from(now - instances).unwrap_or(usize::MAX));
    m.found_by("goes", Weight::Good, format!("{}, with its data", names(&going)), &Witness::ClusterObject);
    m.primary_answers(Weight::Justify);
    m.commits_without(&going.iter().collect::<Vec<_>>());
    if instances == 1 {
        m.found("redundancy", Weight::Justify, "one instance is left: nobody could take over from it");
    }
    zones(m, &going);
    quorum(m, &going, instances);
    let step = Step::new(
        "scale",
        format!("have {instances} instances"),
        format!(
            "The operator deletes {} with pod and volumes; what is on them is gone. Waits up to {POD:#} for the pod's end and \
             for the others to be counted again.",
            names(&going)
        ),
    )
    .gated(Gate::TypeName(m.name().to_owned()))
    .does(cnpg::scale(m.cluster, instances))
    .undone_by(cnpg::scale(m.cluster, now))
    .proven_by(Check::FullyRedundant { instances }, POD);
    vec![step]
}

/// The operator takes the highest numbers that are not primary (`findDeletableInstance`).
fn going(m: &Making<'_>, how_many: usize) -> Vec<InstanceName> {
    let mut all: Vec<&Instance> = m.cluster.instances.iter().filter(|i| !m.leads_or_shall(&i.name)).collect();
    let number = |i: &Instance| i.name.as_str().rsplit('-').next().and_then(|n| n.parse::<u32>().ok());
    all.sort_by_key(|i| std::cmp::Reverse(number(i)));
    all.into_iter().take(how_many).map(|i| i.name.clone()).collect()
}

/// Zones that have an instance now and would have none.
fn zones(m: &mut Making<'_>, going: &[InstanceName]) {
    let zones = |keep: bool| -> BTreeSet<&ZoneName> {
        m.cluster.instances.iter().filter(|i| keep != going.contains(&i.name)).filter_map(|i| i.zone.as_ref()).collect()
    };
    let (kept, left) = (zones(true), zones(false));
    let lost: Vec<_> = left.difference(&kept).map(|z| z.as_str().to_owned()).collect();
    let kept = kept.len();
    if lost.is_empty() {
        return;
    }
    let weight = if kept < 2 { Weight::Justify } else { Weight::Good };
    let text = format!("no instance is left in {}: {kept} zones remain", lost.join(", "));
    m.found_by("zones", weight, text, &Witness::Node("labels".into()));
}

fn free_zones<'a>(m: &Making<'a>) -> BTreeSet<&'a ZoneName> {
    let used = m.cluster.zones();
    let nodes = m.view.facts.nodes.get(&m.cluster.key.context);
    let zones = nodes.into_iter().flat_map(|all| all.iter()).filter_map(|n| n.zone.as_ref());
    zones.filter(|z| !used.contains(z)).collect()
}

/// A failover asks R + W > N first: with one standby down, could anybody still be promoted?
fn quorum(m: &mut Making<'_>, going: &[InstanceName], instances: u32) {
    if !m.cluster.sync.failover_quorum {
        return;
    }
    let (n, w) = (instances.saturating_sub(1), m.cluster.sync.number);
    let q = crate::domain::quorum::Quorum { r: n.saturating_sub(1), w, n };
    if !q.holds() {
        let text = format!(
            "without {} a failover is refused as soon as one standby is down: R {} + W {w} ≤ N {n}",
            names(going),
            q.r
        );
        m.found_by("failover quorum", Weight::Justify, text, &Witness::ClusterObject);
    }
}
