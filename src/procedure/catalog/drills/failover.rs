//! The failover drill (guide step B15): the primary's pod is deleted and somebody else must take over.

use super::super::cnpg;
use super::super::making::Making;
use super::{DrillWish, TAKEOVER, back, first_write, framed, healthy, leader, made, redundant};
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::drill::STRIKE;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step};

/// The guide's `--grace-period=1`: as hard as Kubernetes itself can be asked to be.
const GRACE: u32 = 1;

pub(super) fn plan(m: &mut Making<'_>, wish: &DrillWish) -> Result<Plan, Problem> {
    let first = leader(m)?;
    healthy(m, wish);
    let pod = m
        .instance(&first)?
        .pod
        .clone()
        .ok_or_else(|| Problem::refused(format!("the pod of {first} can't be deleted")).because("it has none"))?;
    let strike = Step::new(
        STRIKE,
        format!("delete the pod of {first}"),
        format!(
            "The primary goes with {GRACE} s of grace, as in the guide; the operator must notice, elect and promote another \
             one. Writes fail until then."
        ),
    )
    .after(&["beat"])
    .gated(Gate::Approve)
    .does(cnpg::kill_pod(m.cluster, &first, &pod.uid, GRACE))
    .proven_by(Check::AnotherLeads { than: first.clone(), after: m.timeline() }, TAKEOVER);
    let mut blow = vec![strike, first_write(), redundant(m, "first-write")];
    let mut last = "redundant";
    if wish.back {
        blow.extend(back(m, &first));
        last = "redundant-back";
    }
    let steps = framed(m, wish, blow, last);
    Ok(made(m, Kind::FailoverDrill, format!("failover drill of {}: {first} is killed", m.name()), &first, steps))
}
