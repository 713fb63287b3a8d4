//! Switchover: another instance shall lead, and the old one follows it.

use jiff::SignedDuration;
use serde_json::Value;

use super::candidates::candidates;
use super::cnpg;
use super::guards::{self, Needs};
use super::making::{Making, POD, names};
use crate::domain::cluster::Cluster;
use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::domain::quorum::Quorum;
use crate::domain::source::Witness;
use crate::domain::wal::Timeline;
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Candidate, Finding, Gate, Plan, Step, Weight};

/// The old primary shuts down first: its clients are cut off and its WAL goes out. Seconds as recorded (3.3 s), longer
/// under load; the operator itself would wait up to `spec.maxSwitchoverDelay`.
pub const HANDOVER: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn plan(m: &mut Making<'_>, to: Option<&InstanceName>) -> Result<Plan, Problem> {
    let from = m.leader().cloned().ok_or_else(|| {
        Problem::refused(format!("there is nobody in {} to switch over from", m.cluster.key))
            .because("no primary is named, and none says that it leads")
    })?;
    let all = candidates(m);
    let to = choose(m, &from, to, &all)?;
    // Its status is written, which no webhook is asked for.
    m.guard(Needs { webhook: false, disturbs_backup: true, ..Needs::USUAL });
    m.primary_answers(Weight::Justify);
    candidate(m, &all, &to);
    zone(m, &from, &to);
    commits(m, &from, &to);
    quorum(m, &from);
    guards::archiver(m);
    guards::fencing(m, Weight::Justify);
    purpose(m);
    let title = format!("switch over from {from} to {to}");
    let steps = steps(m, &from, &to);
    let mut plan = m.plan(Kind::Switchover, title, steps);
    plan.premise = m.premise(&premise(&from));
    plan.parameters.insert("from".into(), from.to_string());
    plan.parameters.insert("to".into(), to.to_string());
    plan.candidates = all;
    Ok(plan)
}

/// What must still be so: it leads, and nobody else is meant to.
pub fn premise(from: &InstanceName) -> [(&'static str, Value); 2] {
    [("/status/currentPrimary", from.as_str().into()), ("/status/targetPrimary", from.as_str().into())]
}

/// The step that hands over, for whoever composes a run of several: `to` leads afterwards, on a later timeline than
/// `after`.
pub fn hand_over(c: &Cluster, id: &str, from: &InstanceName, to: &InstanceName, after: Option<Timeline>) -> Step {
    Step::new(
        id,
        format!("make {to} lead"),
        format!(
            "{from} shuts down cleanly and {to} is promoted; writes fail in between, usually for some seconds. Waits up to \
             {HANDOVER:#} for the shutdown of a busy server."
        ),
    )
    .does(cnpg::promote(c, to))
    .proven_by(
        Check::All(vec![
            Check::Leads { instance: to.clone() },
            Check::AnotherLeads { than: from.clone(), after },
        ]),
        HANDOVER,
    )
}

fn steps(m: &Making<'_>, from: &InstanceName, to: &InstanceName) -> Vec<Step> {
    let promote = hand_over(m.cluster, "promote", from, to, m.timeline()).gated(Gate::Approve);
    vec![promote, m.redundant_again(m.wanted(), "promote", POD)]
}

/// The one that was named, or the best one.
fn choose(
    m: &Making<'_>,
    from: &InstanceName,
    to: Option<&InstanceName>,
    all: &[Candidate],
) -> Result<InstanceName, Problem> {
    if let Some(to) = to {
        m.instance(to)?;
        if to == from {
            return Err(Problem::refused(format!("{to} leads already")).exit(crate::problem::Exit::No));
        }
        return Ok(to.clone());
    }
    match all.first() {
        Some(best) if best.weight < Weight::Blocks => Ok(best.instance.clone()),
        Some(_) => {
            let why = all.iter().map(|c| format!("{}: {}", c.instance, said(&c.against)));
            Err(Problem::refused(format!("nobody in {} can take over", m.cluster.key))
                .because(why.collect::<Vec<_>>().join(". ")))
        }
        None => Err(Problem::refused(format!("nobody in {} can take over", m.cluster.key))
            .because(format!("{from} is its only instance"))
            .try_this(format!("howdah act scale {} --instances 2", m.cluster.key))),
    }
}

fn said(against: &[Finding]) -> String {
    against.iter().map(|f| f.text.as_str()).collect::<Vec<_>>().join("; ")
}

/// What speaks against the candidate is a finding of the plan.
fn candidate(m: &mut Making<'_>, all: &[Candidate], to: &InstanceName) {
    let Some(c) = all.iter().find(|c| c.instance == *to) else { return };
    for f in &c.against {
        m.found(&f.about, f.weight, format!("{to}: {}", f.text));
    }
    if c.weight == Weight::Good {
        let sync = c.sync.as_deref().unwrap_or("unknown sync state");
        let lag = c.lag.map_or("unknown".into(), quantity::bytes);
        m.good("candidate", format!("{to} streams ({sync}), {lag} behind"));
    }
    let better: Vec<_> = all.iter().filter(|other| other.weight < c.weight).map(|c| &c.instance).collect();
    if !better.is_empty() {
        m.good("candidate", format!("less speaks against {}", names(better)));
    }
}

fn zone(m: &mut Making<'_>, from: &InstanceName, to: &InstanceName) {
    let of = |name: &InstanceName| m.cluster.instance(name).and_then(|i| i.zone.clone());
    match (of(from), of(to)) {
        (Some(a), Some(b)) if a == b => m.good("zone", format!("the primary stays in {a}")),
        (Some(a), Some(b)) => m.good("zone", format!("the primary moves from {a} to {b}")),
        _ => {}
    }
}

/// While the old primary is away it confirms nothing either.
fn commits(m: &mut Making<'_>, from: &InstanceName, to: &InstanceName) {
    let Some(c) = m.confirming_without(&[to]) else {
        m.found("synchronous commit", Weight::Unknown, "who confirms commits can't be told");
        return;
    };
    if c.needed == 0 || c.stay >= c.needed {
        let text = match c.needed {
            0 => "commits wait for no standby".to_owned(),
            n => format!("standbys left to confirm commits: {}, needed: {n}", c.stay),
        };
        m.found_by("synchronous commit", Weight::Good, text, &c.witness);
        return;
    }
    let then = if c.hangs { "writes hang" } else { "commits are not confirmed" };
    let text = format!("{} of {} needed standbys are left: {then} until {from} follows", c.stay, c.needed);
    m.found_by("synchronous commit", Weight::Justify, text, &c.witness);
}

/// Should the old primary fail half way: does one of those left have every acknowledged commit?
fn quorum(m: &mut Making<'_>, from: &InstanceName) {
    let Some(primary) = m.e.primary() else { return };
    let Some((sql, _)) = primary.sql else { return };
    let Some(Ok(Some(rule))) = &sql.sync_rule else { return };
    let standbys = || m.cluster.instances.iter().map(|i| &i.name).filter(|n| *n != from && rule.names(n.as_str()));
    let streaming = m.streaming();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let n = count(standbys().count());
    let r = count(standbys().filter(|n| streaming.contains(n)).count());
    let w = if m.cluster.sync.preferred { 0 } else { rule.number };
    let q = Quorum { r, w, n };
    let witness = Witness::Sql(primary.name.clone(), "synchronous_standby_names".into());
    let sum = format!("R {r} + W {w} {} N {n}", if q.holds() { ">" } else { "≤" });
    if q.holds() {
        let text = format!("{sum}: should {from} fail half way, no acknowledged commit is lost");
        m.found_by("quorum", Weight::Good, text, &witness);
    } else {
        let text = format!("{sum}: should {from} fail half way, acknowledged commits may be lost");
        m.found_by("quorum", Weight::Justify, text, &witness);
    }
}

fn purpose(m: &mut Making<'_>) {
    if let Some(source) = m.cluster.replica_of.as_ref().filter(|r| r.enabled).map(|r| r.source.clone()) {
        let text = format!("it follows {source} and takes no writes: only who receives its WAL changes");
        m.found_by("replica cluster", Weight::Justify, text, &Witness::ClusterObject);
    }
}
