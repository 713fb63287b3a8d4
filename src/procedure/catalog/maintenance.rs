//! The node maintenance window: what the operator does with instances whose node is drained.

use super::cnpg;
use super::guards::Needs;
use super::making::{Making, SOON};
use crate::domain::source::Witness;
use crate::problem::{Exit, Problem};
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step, Weight};

pub(super) fn plan(m: &mut Making<'_>, open: bool, reuse_volumes: Option<bool>) -> Result<Plan, Problem> {
    // The operator's own default is to reuse them.
    let before = m.cluster.reuse_volumes.unwrap_or(true);
    let reuse = reuse_volumes.unwrap_or(before);
    let words = if open { "open" } else { "closed" };
    if m.cluster.maintenance == open && reuse == before {
        return Err(
            Problem::refused(format!("the maintenance window of {} is {words} already", m.cluster.key)).exit(Exit::No)
        );
    }
    m.guard(Needs { awake: false, settled: false, ..Needs::USUAL });
    if open {
        effect(m, reuse);
    }
    let (title, why) = if open {
        (
            "open the maintenance window",
            if reuse {
                "Instances of a drained node wait for their volumes and come back with the node."
            } else {
                "Instances of a drained node are given up with their data and cloned anew on another one."
            },
        )
    } else {
        ("close the maintenance window", "The operator keeps and repairs instances as usual again.")
    };
    let mut step = Step::new("window", title, format!("{why} Waits up to {SOON:#} for the object to say so."))
        .gated(Gate::Approve)
        .does(cnpg::maintenance(m.cluster, open, reuse))
        .proven_by(Check::Maintenance(open), SOON);
    if m.cluster.maintenance != open {
        step = step.undone_by(cnpg::maintenance(m.cluster, !open, before));
    }
    let mut plan = m.plan(Kind::Maintenance, format!("{title} of {}", m.name()), vec![step]);
    plan.parameters.insert("window".into(), words.into());
    plan.parameters.insert("reuse-volumes".into(), reuse.to_string());
    Ok(plan)
}

fn effect(m: &mut Making<'_>, reuse: bool) {
    if m.wanted() == 1 {
        let text = if reuse {
            "it has one instance: a drain of its node is an outage until the node is back"
        } else {
            "it has one instance: without reusing its volume it can't be drained"
        };
        m.found_by("redundancy", Weight::Justify, text, &Witness::ClusterObject);
    }
    if !reuse {
        let text = "volumes are not reused: a drained standby's data is thrown away and cloned anew";
        m.found("volumes", Weight::Justify, text);
    }
}
