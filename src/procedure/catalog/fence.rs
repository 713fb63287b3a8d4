//! Fencing: PostgreSQL down on purpose with the pod kept; and letting it start again.

use std::collections::BTreeSet;

use super::guards::{self, Needs};
use super::making::{Making, POD, SOON};
use super::{Chosen, cnpg};
use crate::domain::cluster::Fenced;
use crate::domain::names::InstanceName;
use crate::domain::source::Witness;
use crate::problem::{Exit, Problem};
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::order::Order;
use crate::procedure::plan::{Gate, Plan, Step, Weight};

/// The instances read the annotation themselves: no operator is needed, the webhook is asked all the same.
const NEEDS: Needs = Needs { operator: false, webhook: true, awake: true, settled: false, disturbs_backup: false };

pub(super) fn fence(m: &mut Making<'_>, chosen: &Chosen) -> Result<Plan, Problem> {
    let who = known(m, chosen)?;
    let already = match &m.cluster.fenced {
        Fenced::All => true,
        now => !matches!(chosen, Chosen::All) && who.iter().all(|n| now.covers(n)),
    };
    if already {
        return Err(Problem::refused(format!("{} is fenced already", words(chosen))).exit(Exit::No));
    }
    m.guard(NEEDS);
    guards::fencing(m, Weight::Good);
    let primary = who.iter().find(|n| m.leads_or_shall(n)).cloned();
    if let Some(primary) = &primary {
        let text = format!("{primary} leads: writes stop, and nobody fails over until it is unfenced");
        m.found("primary", Weight::Justify, text);
    } else {
        let gone: Vec<&InstanceName> = who.iter().collect();
        m.commits_without(&gone);
    }
    let before = cnpg::fenced(m.cluster);
    let (order, undo, after) = match chosen {
        Chosen::All => {
            let all = BTreeSet::from(["*".to_owned()]);
            (cnpg::fence_exactly(m.cluster, &all), cnpg::fence_exactly(m.cluster, &before), all)
        }
        Chosen::These(_) => {
            let add: BTreeSet<String> = who.iter().map(ToString::to_string).filter(|n| !before.contains(n)).collect();
            let none = BTreeSet::new();
            let after = before.union(&add).cloned().collect();
            (cnpg::fence(m.cluster, &add, &none), cnpg::fence(m.cluster, &none, &add), after)
        }
    };
    let gate = if primary.is_some() { Gate::TypeName(m.name().to_owned()) } else { Gate::Approve };
    let step = Step::new(
        "fence",
        format!("stop PostgreSQL of {}", words(chosen)),
        format!(
            "The instance manager shuts PostgreSQL down and keeps the pod and its volume; phase and readiness do not tell. \
             Waits up to {SOON:#} for the shutdown."
        ),
    )
    .gated(gate)
    .does(order)
    .undone_by(undo)
    .proven_by(Check::Fenced { instances: after.into_iter().collect() }, SOON);
    Ok(finish(m, Kind::Fence, format!("fence {}", words(chosen)), step, chosen))
}

pub(super) fn unfence(m: &mut Making<'_>, chosen: &Chosen) -> Result<Plan, Problem> {
    // A name may still be fenced whose instance is gone.
    let who = match chosen {
        Chosen::These(names) if !names.is_empty() => names.clone(),
        _ => known(m, chosen)?,
    };
    let before = cnpg::fenced(m.cluster);
    can_be_unfenced(m, chosen, &who)?;
    m.guard(NEEDS);
    guards::fencing(m, Weight::Good);
    let (order, undo, after): (Order, Order, BTreeSet<String>) = match chosen {
        Chosen::All => {
            let none = BTreeSet::new();
            (cnpg::fence_exactly(m.cluster, &none), cnpg::fence_exactly(m.cluster, &before), none)
        }
        Chosen::These(_) => {
            let remove: BTreeSet<String> = who.iter().map(ToString::to_string).collect();
            let none = BTreeSet::new();
            let after = before.difference(&remove).cloned().collect();
            (cnpg::fence(m.cluster, &none, &remove), cnpg::fence(m.cluster, &remove, &none), after)
        }
    };
    let mut proofs = vec![Check::Fenced { instances: after.into_iter().collect() }];
    let freed = who.iter().filter(|n| m.cluster.fenced.covers(n) && m.cluster.instance(n).is_some());
    proofs.extend(freed.map(|n| Check::Serves { instance: n.clone() }));
    let step = Step::new(
        "unfence",
        format!("let PostgreSQL of {} start", words(chosen)),
        format!(
            "The instance manager starts PostgreSQL again; a standby then catches up from its slot or the archive. Waits up \
             to {POD:#}: a pod that became unready is probed every 10 s."
        ),
    )
    .gated(Gate::Approve)
    .does(order)
    .undone_by(undo)
    .proven_by(Check::All(proofs), POD);
    Ok(finish(m, Kind::Unfence, format!("unfence {}", words(chosen)), step, chosen))
}

/// # Errors
/// Nobody is fenced, or not these alone.
fn can_be_unfenced(m: &Making<'_>, chosen: &Chosen, who: &[InstanceName]) -> Result<(), Problem> {
    match (&m.cluster.fenced, chosen) {
        (Fenced::None, _) => {
            return Err(Problem::refused(format!("nobody in {} is fenced", m.cluster.key)).exit(Exit::No));
        }
        (Fenced::All, Chosen::These(_)) => {
            return Err(Problem::refused("one of them can't be unfenced alone")
                .because("all instances are fenced by `*`, not by their names")
                .try_this(format!("howdah act unfence {} --all", m.cluster.key)));
        }
        (Fenced::Some(now), Chosen::These(_)) => {
            if let Some(free) = who.iter().find(|n| !now.contains(n)) {
                return Err(Problem::refused(format!("{free} is not fenced")).exit(Exit::No));
            }
        }
        (_, Chosen::All) => {}
    }
    Ok(())
}

fn finish(m: &mut Making<'_>, kind: Kind, title: String, step: Step, chosen: &Chosen) -> Plan {
    let mut plan = m.plan(kind, title, vec![step]);
    plan.premise = m.same_primary();
    plan.parameters.insert("instances".into(), words(chosen));
    if m.cluster.reconciliation_disabled {
        let text = "the operator was told to leave the cluster alone; the instances heed the annotation all the same";
        let about = "reconciliation".to_owned();
        let text = format!("{text} ({})", Witness::ClusterObject);
        plan.findings.push(crate::procedure::plan::Finding { about, weight: Weight::Good, text });
    }
    plan
}

/// The instances that are meant.
fn known(m: &Making<'_>, chosen: &Chosen) -> Result<Vec<InstanceName>, Problem> {
    match chosen {
        Chosen::All => Ok(m.cluster.instances.iter().map(|i| i.name.clone()).collect()),
        Chosen::These(names) if names.is_empty() => {
            Err(Problem::usage("no instance was named").try_this("--instance NAME, or --all"))
        }
        Chosen::These(names) => names.iter().map(|n| m.instance(n).map(|i| i.name.clone())).collect(),
    }
}

fn words(chosen: &Chosen) -> String {
    match chosen {
        Chosen::All => "all instances".into(),
        Chosen::These(all) => super::making::names(all),
    }
}
