//! Hibernation: all pods go and the volumes stay; and back.

use jiff::SignedDuration;
use serde_json::Value;
use std::sync::Arc;

use super::cnpg;
use super::guards::{self, Needs};
use super::making::{Making, POD};
use crate::domain::cluster::Hibernation;
use crate::domain::quantity;
use crate::domain::source::Witness;
use crate::problem::{Exit, Problem};
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step, Weight};
use crate::procedure::refresh::escaped;

pub(super) fn hibernate(m: &mut Making<'_>) -> Result<Plan, Problem> {
    if m.cluster.hibernation.is_some() {
        return Err(Problem::refused(format!("{} is hibernated already", m.cluster.key)).exit(Exit::No));
    }
    m.guard(Needs { awake: false, disturbs_backup: true, ..Needs::USUAL });
    if let Some(p) = m.primary_answers(Weight::Justify)
        && let Some((used, _)) = p.sql.and_then(|(s, _)| s.connections)
    {
        let witness = Witness::Sql(p.name.clone(), "pg_stat_activity".into());
        m.found_by("connections", Weight::Good, format!("{used} connections will be cut off"), &witness);
    }
    last_backup(m);
    for pooler in m.cluster.poolers.clone() {
        let text = format!("pooler {} stays and will have no server", pooler.name);
        m.found_by("poolers", Weight::Good, text, &Witness::Object(format!("Pooler/{}", pooler.name)));
    }
    let within = for_all_pods(m);
    let step = Step::new(
        "hibernate",
        "take all pods away, keep the volumes",
        format!(
            "Nobody can use the cluster until it is woken; no backup runs and nobody fails over. The operator deletes the \
             primary's pod first and waits for each: up to {within:#}."
        ),
    )
    .gated(Gate::TypeName(m.name().to_owned()))
    .does(cnpg::hibernation(m.cluster, true))
    .undone_by(cnpg::hibernation(m.cluster, false))
    .proven_by(Check::Hibernated(true), within);
    let title = format!("hibernate {}", m.name());
    let mut plan = m.plan(Kind::Hibernate, title, vec![step]);
    plan.premise = m.same_primary();
    Ok(plan)
}

/// Volumes are kept, and nothing else is: what a backup is worth matters more while it sleeps.
fn last_backup(m: &mut Making<'_>) {
    if m.cluster.archiving.by.is_none() {
        return;
    }
    let about = "last backup";
    match m.cluster.backups.last_successful {
        Some(at) => m.good(about, format!("the last good backup is {} old", quantity::age(at, m.now()))),
        None if m.cluster.backups.listed => m.found(about, Weight::Justify, "there is no good backup"),
        None => m.found(about, Weight::Unknown, "whether there is a good backup is not known"),
    }
}

fn for_all_pods(m: &Making<'_>) -> SignedDuration {
    POD * i32::try_from(m.wanted()).unwrap_or(100).clamp(1, 100)
}

pub(super) fn wake(m: &mut Making<'_>) -> Result<Plan, Problem> {
    match m.cluster.hibernation {
        None => return Err(Problem::refused(format!("{} is awake", m.cluster.key)).exit(Exit::No)),
        Some(Hibernation::Going) => {
            let left = m.cluster.instances.iter().filter(|i| i.pod.is_some()).count();
            let text = format!("it is still on its way to hibernation: {left} pods are left");
            m.found_by("hibernation", Weight::Justify, text, &Witness::ClusterObject);
        }
        Some(Hibernation::Hibernated) => {
            m.found_by("hibernation", Weight::Good, "hibernated, no pod is left", &Witness::ClusterObject);
        }
    }
    m.guard(Needs { awake: false, settled: false, ..Needs::USUAL });
    guards::fencing(m, Weight::Justify);
    volumes(m);
    let within = for_all_pods(m);
    let wake = Step::new(
        "wake",
        "bring the pods back",
        format!("The operator makes each pod again on its volume, the primary first. Waits up to {within:#} for all."),
    )
    .gated(Gate::Approve)
    .does(cnpg::hibernation(m.cluster, false))
    .proven_by(Check::Hibernated(false), within);
    let steps = vec![wake, m.redundant_again(m.wanted(), "wake", POD)];
    let title = format!("wake {}", m.name());
    let mut plan = m.plan(Kind::Wake, title, steps);
    let pointer = format!("/metadata/annotations/{}", escaped(cnpg::HIBERNATION));
    plan.premise = m.premise(&[(pointer.as_str(), Value::from("on"))]);
    Ok(plan)
}

/// Every instance needs its volumes to come back.
fn volumes(m: &mut Making<'_>) {
    let about = "volumes";
    let data = |v: &&Arc<crate::domain::cluster::Volume>| v.purpose == crate::domain::cluster::VolumePurpose::Data;
    let (there, bound) = (
        m.cluster.volumes.iter().filter(data).count(),
        m.cluster.volumes.iter().filter(data).filter(|v| v.phase == "Bound").count(),
    );
    let wanted = usize::try_from(m.wanted()).unwrap_or(usize::MAX);
    match (there, bound) {
        (0, _) => m.found(about, Weight::Unknown, "no volume claim of an instance is seen"),
        (_, bound) if bound >= wanted => m.good(about, format!("{bound} data volumes are bound")),
        (_, bound) => {
            m.found(about, Weight::Justify, format!("{bound} of {wanted} data volumes are bound"));
        }
    }
}
