//! Restarts: a standby by its pod, the primary where it is, the whole cluster by the operator.

use super::cnpg;
use super::guards::{self, Needs};
use super::making::{Making, POD, SOON, names};
use crate::domain::names::InstanceName;
use crate::domain::source::Witness;
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step, Weight};

/// Restarts one instance.
pub(super) fn instance(m: &mut Making<'_>, name: &InstanceName) -> Result<Plan, Problem> {
    m.instance(name)?;
    if m.cluster.primary.as_ref() == Some(name) { primary(m, name) } else { standby(m, name) }
}

/// The pod of a standby is deleted; the operator makes it again on the same volume.
fn standby(m: &mut Making<'_>, name: &InstanceName) -> Result<Plan, Problem> {
    let pod = m.instance(name)?.pod.clone().ok_or_else(|| {
        Problem::refused(format!("{name} can't be restarted")).because("it has no pod").try_this("howdah status")
    })?;
    m.guard(Needs { webhook: false, ..Needs::USUAL });
    if m.leads_or_shall(name) {
        let text = format!("{name} says that it leads, or is meant to: a restart of its pod would fail it over");
        m.found("role", Weight::Blocks, text);
    }
    backup_from(m);
    m.commits_without(&[name]);
    readers(m, name);
    if m.cluster.maintenance {
        m.found_by("maintenance", Weight::Justify, "a maintenance window is open", &Witness::ClusterObject);
    }
    let step = Step::new(
        "restart",
        format!("restart {name}"),
        format!(
            "Its pod is deleted and made again on the same volume; it catches up from its slot or the archive. Waits up to \
             {POD:#} for the pod and its first probe."
        ),
    )
    .gated(Gate::Approve)
    .does(cnpg::delete_pod(m.cluster, name, &pod.uid))
    .proven_by(Check::PodReplaced { instance: name.clone(), uid: pod.uid.clone() }, POD);
    let mut plan = m.plan(Kind::RestartInstance, format!("restart {name}, a standby"), vec![step]);
    plan.premise = m.same_primary();
    plan.parameters.insert("instance".into(), name.to_string());
    Ok(plan)
}

/// A base backup is taken from a standby where there is one.
fn backup_from(m: &mut Making<'_>) {
    if let Some(b) = guards::running_backup(m) {
        let text = format!("backup {} runs, and may be taken from it", b.name);
        m.found_by("running backup", Weight::Justify, text, &Witness::Object(format!("Backup/{}", b.name)));
    } else if m.cluster.backups.listed {
        m.good("running backup", "no backup runs");
    }
}

/// The read-only service without it.
fn readers(m: &mut Making<'_>, name: &InstanceName) {
    use crate::domain::cluster::ServicePurpose::ReadOnly;
    let ro = m.cluster.services.iter().find(|s| s.purpose == ReadOnly);
    let Some((service, Some(to))) = ro.map(|s| (s, &s.leads_to)) else { return };
    if to.as_slice() == std::slice::from_ref(name) {
        let text = format!("{} leads to {name} alone: reads there fail meanwhile", service.name);
        m.found_by("reads", Weight::Justify, text, &Witness::Object(format!("Service/{}", service.name)));
    }
}

/// PostgreSQL of the primary is restarted in its pod, without a failover.
fn primary(m: &mut Making<'_>, name: &InstanceName) -> Result<Plan, Problem> {
    m.guard(Needs { webhook: false, disturbs_backup: true, ..Needs::USUAL });
    m.primary_answers(Weight::Justify);
    guards::fencing(m, Weight::Justify);
    m.found("writes", Weight::Good, "writes fail while it restarts, usually for some seconds; nobody fails over");
    let step = Step::new(
        "restart",
        format!("restart PostgreSQL on {name} where it is"),
        format!(
            "The instance manager stops and starts PostgreSQL in its pod; clients are cut off. Waits up to {SOON:#} for the \
             shutdown's checkpoint and the recovery."
        ),
    )
    .gated(Gate::Approve)
    .does(cnpg::restart_primary(m.cluster))
    .proven_by(
        Check::All(vec![
            Check::RestartedSince { instance: name.clone(), since: m.started(name) },
            Check::Leads { instance: name.clone() },
        ]),
        SOON,
    );
    let steps = vec![step, m.redundant_again(m.wanted(), "restart", POD)];
    let mut plan = m.plan(Kind::RestartInstance, format!("restart {name}, the primary, where it is"), steps);
    plan.premise = m.same_primary();
    plan.parameters.insert("instance".into(), name.to_string());
    Ok(plan)
}

/// Every instance, standbys first, by the operator.
pub(super) fn cluster(m: &mut Making<'_>) -> Result<Plan, Problem> {
    m.guard(Needs { disturbs_backup: true, ..Needs::USUAL });
    m.primary_answers(Weight::Justify);
    guards::fencing(m, Weight::Justify);
    let all: Vec<InstanceName> =
        m.cluster.instances.iter().filter(|i| i.pod.is_some()).map(|i| i.name.clone()).collect();
    if all.is_empty() {
        return Err(Problem::refused(format!("{} has no pod to restart", m.cluster.key)));
    }
    let standbys: Vec<&InstanceName> = all.iter().filter(|n| m.leader() != Some(*n)).collect();
    // One at a time: the worst is the one whose word counts most.
    if let Some(worst) = standbys.iter().find(|n| m.confirming_without(&[n]).is_none_or(|c| c.stay < c.needed)) {
        m.commits_without(&[worst]);
    }
    how_the_primary(m);
    let value = cnpg::seconds(m.now());
    let mut proofs: Vec<Check> =
        all.iter().map(|n| Check::RestartedSince { instance: n.clone(), since: m.started(n) }).collect();
    proofs.push(Check::FullyRedundant { instances: m.wanted() });
    let within = POD * i32::try_from(all.len()).unwrap_or(i32::MAX / 1000).min(100);
    let step = Step::new(
        "restart",
        "restart every instance, the primary last",
        format!(
            "The operator makes pod after pod again and waits for each; the primary comes last. Waits up to {within:#}: \
             {:#} for each of {} instances.",
            POD,
            all.len()
        ),
    )
    .gated(Gate::Approve)
    .does(cnpg::restart(m.cluster, &value))
    .proven_by(Check::All(proofs), within);
    let mut plan = m.plan(Kind::RestartCluster, format!("restart {}: {}", m.name(), names(&all)), vec![step]);
    plan.premise = m.same_primary();
    Ok(plan)
}

/// `primaryUpdateMethod` and `primaryUpdateStrategy`.
fn how_the_primary(m: &mut Making<'_>) {
    let update = m.cluster.primary_update.clone();
    if update.supervised {
        let text = "primaryUpdateStrategy is supervised: the operator restarts the standbys and then waits for you to \
                    switch over or to restart the primary";
        m.found_by("primary", Weight::Justify, text, &Witness::ClusterObject);
        return;
    }
    let text = match update.method.as_deref() {
        Some("switchover") => "the primary hands over before it is restarted (primaryUpdateMethod: switchover)",
        Some("restart") => "the primary is restarted without a switchover (primaryUpdateMethod: restart)",
        _ => "how the primary is restarted is the operator's default",
    };
    m.found_by("primary", Weight::Good, text, &Witness::ClusterObject);
}
