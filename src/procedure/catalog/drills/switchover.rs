//! The switchover drill: the primary hands over in order, and what that costs is measured.

use super::super::making::Making;
use super::super::switchover;
use super::{DrillWish, back, first_write, framed, healthy, leader, made, redundant};
use crate::domain::names::InstanceName;
use crate::problem::Problem;
use crate::procedure::drill::STRIKE;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan};

pub(super) fn plan(m: &mut Making<'_>, wish: &DrillWish, to: Option<&InstanceName>) -> Result<Plan, Problem> {
    let first = leader(m)?;
    // Who may lead is the switchover's own question: its findings and its candidates are those of this plan.
    let inner = switchover::plan(m, to)?;
    let to: InstanceName = inner
        .parameters
        .get("to")
        .map(InstanceName::from)
        .ok_or_else(|| Problem::new("the switchover names nobody").because("its plan has no parameter `to`"))?;
    healthy(m, wish);
    let strike =
        switchover::hand_over(m.cluster, STRIKE, &first, &to, m.timeline()).after(&["beat"]).gated(Gate::Approve);
    let mut blow = vec![strike, first_write(), redundant(m, "first-write")];
    let mut last = "redundant";
    if wish.back {
        blow.extend(back(m, &first));
        last = "redundant-back";
    }
    let steps = framed(m, wish, blow, last);
    let title = format!("switchover drill of {}: from {first} to {to}", m.name());
    let mut plan = made(m, Kind::SwitchoverDrill, title, &first, steps);
    for finding in inner.findings {
        if !plan.findings.contains(&finding) {
            plan.findings.push(finding);
        }
    }
    plan.parameters.insert("to".into(), to.to_string());
    plan.candidates = inner.candidates;
    Ok(plan)
}
