//! Rebuild: a standby's data is thrown away and cloned anew from the primary.

use super::cnpg;
use super::guards::Needs;
use super::making::{Making, POD, names};
use crate::domain::cluster::Pod;
use crate::domain::names::InstanceName;
use crate::domain::source::Witness;
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step, Weight};

/// The first version that heeds the annotation.
const BY_ANNOTATION: (u32, u32) = (1, 28);

pub(super) fn plan(m: &mut Making<'_>, name: &InstanceName) -> Result<Plan, Problem> {
    let instance = m.instance(name)?;
    if m.leads_or_shall(name) {
        return Err(Problem::refused(format!("{name} can't be rebuilt"))
            .because("it leads, or is meant to: its data is the data")
            .try_this(format!("howdah act switchover {}", m.cluster.key)));
    }
    let pod = instance.pod.clone().ok_or_else(|| {
        Problem::refused(format!("{name} can't be rebuilt"))
            .because("it has no pod by which the operator could be told")
    })?;
    m.guard(Needs { disturbs_backup: true, ..Needs::USUAL });
    another_copy(m, name);
    m.commits_without(&[name]);
    if let Some(node) = m.view.facts.node_of(m.cluster, name).filter(|n| n.unschedulable || n.ready != Some(true)) {
        let text = format!("node {} takes no pods: the new one is made elsewhere, if anywhere", node.name);
        m.found_by("node", Weight::Justify, text, &Witness::Node(node.name.to_string()));
    }
    let steps = match cnpg::version(m.cluster) {
        Some(version) if version >= BY_ANNOTATION => vec![by_annotation(m, name, &pod)],
        known => {
            let told = known.map_or("its version is not known".into(), |(a, b)| format!("it is {a}.{b}"));
            m.found("operator", Weight::Good, format!("{told}: volumes and pod are deleted one by one"));
            by_hand(m, name, &pod)
        }
    };
    let last = steps.last().map(|s| s.id.as_str().to_owned()).unwrap_or_default();
    let mut steps = steps;
    steps.push(m.redundant_again(m.wanted(), &last, POD));
    let mut plan = m.plan(Kind::Rebuild, format!("rebuild {name}: its data is deleted and cloned anew"), steps);
    plan.premise = m.same_primary();
    plan.parameters.insert("instance".into(), name.to_string());
    Ok(plan)
}

/// What is deleted must be somewhere else, and be read from there.
fn another_copy(m: &mut Making<'_>, name: &InstanceName) {
    if m.primary_answers(Weight::Blocks).is_none() {
        return;
    }
    let others: Vec<_> = m.streaming().into_iter().filter(|n| *n != name).collect();
    if others.is_empty() {
        let text = "no other standby streams: until the clone is done, the primary has the only copy";
        m.found("other copies", Weight::Justify, text);
    } else {
        m.good("other copies", format!("streaming beside it: {}", names(others)));
    }
}

fn by_annotation(m: &Making<'_>, name: &InstanceName, pod: &Pod) -> Step {
    let within = m.clone_time();
    Step::new(
        "rebuild",
        format!("delete {name} with its data and clone it anew"),
        format!(
            "The operator takes pod and volumes away and copies the primary's data into new ones. Waits up to {within:#}: a \
             copy of the volume at 20 MiB a second, and the pod's own start."
        ),
    )
    .gated(Gate::TypeName(m.name().to_owned()))
    .does(cnpg::unrecoverable(m.cluster, name, &pod.uid))
    .proven_by(Check::PodReplaced { instance: name.clone(), uid: pod.uid.clone() }, within)
}

/// Volumes first, so that the operator can't take them up again, then the pod, then jobs (`cnpg destroy`).
fn by_hand(m: &Making<'_>, name: &InstanceName, pod: &Pod) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let claims = m.cluster.volumes.iter().filter(|v| v.instance.as_ref() == Some(name) && !v.uid.is_empty());
    for claim in claims {
        let mut step = Step::new(
            &format!("volume-{}", claim.name),
            format!("delete volume claim {}", claim.name),
            "It stays as long as its pod uses it, and goes with it.",
        )
        .does(cnpg::delete_claim(m.cluster, &claim.name, &claim.uid));
        step.needs = steps.last().map(|s| s.id.clone()).into_iter().collect();
        steps.push(step);
    }
    let prefix = format!("{name}-");
    let jobs = m.cluster.jobs.iter().filter(|j| !j.uid.is_empty());
    let jobs = jobs.filter(|j| match &j.instance {
        Some(of) => of == name,
        None => j.name.starts_with(&prefix),
    });
    for job in jobs {
        let mut step = Step::new(
            &format!("job-{}", job.name),
            format!("delete job {}", job.name),
            "A job that built it before would keep the operator from making another one.",
        )
        .does(cnpg::delete_job(m.cluster, &job.name, &job.uid));
        step.needs = steps.last().map(|s| s.id.clone()).into_iter().collect();
        steps.push(step);
    }
    let within = m.clone_time();
    let mut step = Step::new(
        "pod",
        format!("delete pod {name}, and have it cloned anew"),
        format!(
            "With its volumes gone the operator makes new ones and copies the primary's data. Waits up to {within:#}: a copy \
             of the volume at 20 MiB a second, and the pod's own start."
        ),
    )
    .does(cnpg::delete_pod(m.cluster, name, &pod.uid))
    .proven_by(Check::PodReplaced { instance: name.clone(), uid: pod.uid.clone() }, within);
    step.needs = steps.last().map(|s| s.id.clone()).into_iter().collect();
    steps.push(step);
    if let Some(first) = steps.first_mut() {
        first.gate = Gate::TypeName(m.name().to_owned());
    }
    steps
}
