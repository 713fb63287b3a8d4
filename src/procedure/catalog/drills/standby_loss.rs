//! The standby-loss drill: a standby's pod is deleted. Writes must go on, and the standby must come back.

use super::super::cnpg;
use super::super::making::{Making, POD};
use super::{DrillWish, first_write, framed, healthy, leader, made, redundant};
use crate::domain::names::InstanceName;
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::drill::STRIKE;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step};

const GRACE: u32 = 1;

pub(super) fn plan(m: &mut Making<'_>, wish: &DrillWish, which: Option<&InstanceName>) -> Result<Plan, Problem> {
    let first = leader(m)?;
    let standby = choose(m, &first, which)?;
    healthy(m, wish);
    m.commits_without(&[&standby]);
    let pod = m
        .instance(&standby)?
        .pod
        .clone()
        .ok_or_else(|| Problem::refused(format!("the pod of {standby} can't be deleted")).because("it has none"))?;
    let strike = Step::new(
        STRIKE,
        format!("delete the pod of {standby}"),
        "A standby goes hard. The primary must go on taking writes, within the promise of synchronous commit.",
    )
    .after(&["beat"])
    .gated(Gate::Approve)
    .does(cnpg::kill_pod(m.cluster, &standby, &pod.uid, GRACE))
    .proven_by(Check::PodReplaced { instance: standby.clone(), uid: pod.uid.clone() }, POD);
    let blow = vec![strike, first_write(), redundant(m, "first-write")];
    let steps = framed(m, wish, blow, "redundant");
    let title = format!("standby-loss drill of {}: {standby} is killed", m.name());
    let mut plan = made(m, Kind::StandbyLossDrill, title, &first, steps);
    plan.parameters.insert("instance".into(), standby.to_string());
    Ok(plan)
}

fn choose(m: &Making<'_>, first: &InstanceName, which: Option<&InstanceName>) -> Result<InstanceName, Problem> {
    if let Some(name) = which {
        m.instance(name)?;
        if name == first {
            return Err(Problem::usage(format!("{name} is the primary"))
                .because("this drill is about a standby")
                .try_this(format!("howdah drill failover {}", m.cluster.key)));
        }
        return Ok(name.clone());
    }
    m.streaming().into_iter().max().cloned().ok_or_else(|| {
        Problem::refused(format!("{} has no standby to lose", m.cluster.key)).because("none streams from the primary")
    })
}
