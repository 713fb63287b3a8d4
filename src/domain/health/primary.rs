//! Is there one primary, does it answer, and do writes lead to it?

use jiff::{SignedDuration, Timestamp};

use super::evidence::{Evidence, Voice};
use super::{Level, Reason, ReasonCode};
use crate::domain::cluster::{ServicePurpose, Target};
use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::domain::sample::SilenceKind;
use crate::domain::source::Witness;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    if e.hibernating() {
        return;
    }
    answers(e, out);
    pod(e, out);
    moving(e, out);
    lease(e, out);
    writes(e, out);
}

/// PostgreSQL itself must say that it is primary; the operator's word is not enough.
fn answers(e: &Evidence, out: &mut Vec<Reason>) {
    let claims = e.claims();
    if claims.len() > 1 {
        let names: Vec<_> = claims.iter().map(|a| a.name.as_str()).collect();
        let (witness, seen) = claims[0].source();
        let text = format!("{} all say they are primary", names.join(", "));
        out.push(e.by(witness, seen, ReasonCode::TwoPrimaries, Level::Bad, text));
    }
    let Some(named) = &e.cluster.primary else {
        if claims.is_empty() {
            let level = if e.being_set_up() { Level::Warn } else { Level::Bad };
            out.push(e.by_cluster(ReasonCode::NoPrimary, level, "there is no primary yet"));
        }
        return;
    };
    if e.cluster.fenced.covers(named) {
        return; // told by the rule on fencing, with its own words
    }
    if let Some(other) = claims.iter().find(|a| a.name != named) {
        if claims.len() == 1 {
            let (witness, seen) = other.source();
            let text = format!("{} took over; the operator still names {named}", other.name);
            out.push(Reason {
                instance: Some(other.name.clone()),
                ..e.by(witness, seen, ReasonCode::FailingOver, Level::Warn, text)
            });
        }
        return;
    }
    if claims.is_empty() && !follows_another(e, named) {
        out.push(Reason { instance: Some(named.clone()), ..no_answer(e, named) });
    }
}

/// A replica cluster's leader serves and follows: that is what it is for.
fn follows_another(e: &Evidence, named: &InstanceName) -> bool {
    let Some(instance) = e.cluster.instance(named) else { return false };
    e.cluster.replica_of.as_ref().is_some_and(|r| r.enabled)
        && matches!(e.voice(&instance.name), Voice::Serves(a) if a.is_primary() == Some(false))
}

/// Why the primary that the operator names can't be believed to serve.
fn no_answer(e: &Evidence, named: &InstanceName) -> Reason {
    let Some(name) = e.cluster.instance(named).filter(|i| i.pod.is_some()).map(|i| &i.name) else {
        return e.by_cluster(ReasonCode::NoPrimary, Level::Bad, format!("the primary {named} has no pod"));
    };
    let unknown = |text: String, witness, at| e.by(witness, at, ReasonCode::CantBeAsked, Level::Unknown, text);
    match e.voice(name) {
        Voice::Serves(a) => {
            let (witness, at) = a.source();
            // It serves and does not say what it is, or says it follows.
            match a.is_primary() {
                Some(_) => {
                    let text = format!("{named} is named primary and follows");
                    e.by(witness, at, ReasonCode::NoPrimary, Level::Bad, text)
                }
                None => unknown(format!("{named} does not say whether it is primary"), witness, at),
            }
        }
        Voice::Down { why, witness, at } => {
            let text = format!("PostgreSQL on {named} does not serve: {why}");
            e.by(witness, at, ReasonCode::PrimaryNotAnswering, Level::Bad, text)
        }
        Voice::Silent { kind, why, witness, at, spoke } => match silence(e, name, kind, spoke) {
            Some(level) => {
                let text = format!("the primary {named} {}: {why}", for_how_long(e, name, at));
                e.by(witness, at, ReasonCode::PrimaryNotAnswering, level, text)
            }
            None => unknown(format!("{named} can't be asked: {why}"), witness, at),
        },
        Voice::Closed { why, witness, at } => {
            let who = if all_closed(e) { "no instance can".into() } else { format!("{named} can't") };
            unknown(format!("{who} be asked: {why}"), witness, at)
        }
        Voice::Stale { witness, at } => {
            let text = format!("the last answer of {named} is {} old", quantity::age(at, e.now));
            e.by(witness, at, ReasonCode::Stale, Level::Unknown, text)
        }
        Voice::Unasked => {
            let who = if all_closed(e) { "no instance has".into() } else { format!("{named} has not") };
            unknown(format!("{who} been asked"), Witness::Sources, e.now)
        }
    }
}

/// How bad it is that the primary is silent; `None`: nothing can be said. One question without an answer may be the way
/// to it. Others that say the same, or a door that is shut where one was open, leave no such doubt.
fn silence(e: &Evidence, name: &InstanceName, kind: SilenceKind, spoke: bool) -> Option<Level> {
    let lasts = || e.age(silent_since(e, name, e.now)) > e.limits.silence_bad;
    match (corroborated(e, name), kind, spoke) {
        (true, ..) | (_, SilenceKind::Unreachable, true) => Some(Level::Bad),
        (false, _, true) => Some(if lasts() { Level::Bad } else { Level::Warn }),
        (false, _, false) => None,
    }
}

fn silent_since(e: &Evidence, name: &InstanceName, at: Timestamp) -> Timestamp {
    e.samples(name).and_then(|s| s.silent_since).unwrap_or(at)
}

/// `has not answered for 14s`; the first second has no number worth saying.
fn for_how_long(e: &Evidence, name: &InstanceName, at: Timestamp) -> String {
    let since = silent_since(e, name, at);
    if e.age(since) < SignedDuration::from_secs(1) {
        return "does not answer".into();
    }
    format!("has not answered for {}", quantity::age(since, e.now))
}

/// Nobody at all can be, or was, asked: one reason says it for all.
pub(super) fn all_closed(e: &Evidence) -> bool {
    e.serving().all(|i| matches!(e.voice(&i.name), Voice::Closed { .. } | Voice::Unasked))
}

/// Somebody else also says that the primary is gone: its pod, its node, its lease, its service, or standbys that lost it.
fn corroborated(e: &Evidence, name: &InstanceName) -> bool {
    let pod_down = e
        .cluster
        .instance(name)
        .and_then(|i| i.pod.as_ref())
        .is_none_or(|p| !p.ready || !p.running || p.deleting.is_some());
    let left = e.standbys().filter(|s| *s != name).any(|s| match e.voice(s) {
        Voice::Serves(a) => a.status.is_some_and(|(s, _)| s.receiver_active == Some(false)),
        _ => false,
    });
    let node_down = e.facts.node_of(e.cluster, name).is_some_and(|n| n.ready != Some(true));
    pod_down || node_down || left || lease_ran_out(e).is_some()
}

/// The primary's pod.
fn pod(e: &Evidence, out: &mut Vec<Reason>) {
    let leads = e.primary().map(|a| a.name);
    let Some(name) = leads.or(e.cluster.primary.as_ref()) else { return };
    let Some(pod) = e.cluster.instance(name).and_then(|i| i.pod.as_ref()) else { return };
    if pod.deleting.is_some() {
        out.push(e.by_pod(
            name,
            ReasonCode::PrimaryNotReady,
            Level::Bad,
            format!("the primary's pod {name} is being deleted"),
        ));
    } else if !pod.running {
        let why = pod.trouble.clone().unwrap_or_else(|| "its PostgreSQL container does not run".into());
        out.push(e.by_pod(name, ReasonCode::PrimaryNotReady, Level::Bad, format!("the primary's pod {name}: {why}")));
    } else if !pod.ready {
        let since = pod.ready_since.map(|t| format!(" for {}", quantity::age(t, e.now))).unwrap_or_default();
        out.push(e.by_pod(
            name,
            ReasonCode::PrimaryNotReady,
            Level::Bad,
            format!("the primary's pod {name} is not ready{since}"),
        ));
    }
}

/// The operator moves, or wants to move, the primary.
fn moving(e: &Evidence, out: &mut Vec<Reason>) {
    if !e.moving() {
        return;
    }
    let since = e.cluster.target_since.map(|t| format!(", since {}", quantity::age(t, e.now))).unwrap_or_default();
    match (&e.cluster.primary, &e.cluster.target) {
        (Some(now), Some(Target::Pending)) => {
            let text = format!("failover from {now}: no successor yet{since}");
            out.push(e.by_cluster(ReasonCode::FailingOver, Level::Bad, text));
        }
        (Some(now), Some(Target::Instance(next))) => {
            let (code, word, level) = match e.cluster.phase.as_ref().map(|p| p.text.as_str()) {
                Some("Failing over") => (ReasonCode::FailingOver, "failover", Level::Bad),
                _ => (ReasonCode::SwitchingOver, "switchover", Level::Warn),
            };
            out.push(e.by_cluster(code, level, format!("{word} from {now} to {next}{since}")));
        }
        _ => {}
    }
}

/// A released or lapsed lease: whoever held it no longer leads.
fn lease(e: &Evidence, out: &mut Vec<Reason>) {
    let Some(lease) = &e.cluster.lease else { return };
    let object = format!("Lease/{}", e.cluster.key.name);
    if lease.holder.is_none() && lease.renewed.is_some() && e.cluster.primary.is_some() {
        out.push(e.by_object(
            object,
            ReasonCode::NoPrimary,
            Level::Bad,
            "the primary's lease was given up: nobody leads",
        ));
    } else if let Some(ago) = lease_ran_out(e) {
        let holder = lease.holder.as_ref().map_or("nobody", |h| h.as_str());
        let text = format!("the lease of {holder} ran out {} ago", quantity::age_of(ago));
        out.push(e.by_object(object, ReasonCode::PrimaryNotAnswering, Level::Warn, text));
    }
}

/// How long ago the lease ran out. A few seconds are allowed for clocks that differ. Only time up to the last proof that
/// leases are watched counts: after that a renewal would not have been heard, and silence accuses nobody.
fn lease_ran_out(e: &Evidence) -> Option<SignedDuration> {
    const CLOCKS: SignedDuration = SignedDuration::from_secs(5);
    let lease = e.cluster.lease.as_ref()?;
    lease.holder.as_ref()?;
    let end: Timestamp = lease.renewed?.checked_add(SignedDuration::from_secs(lease.duration_s.into())).ok()?;
    let unheard = e.proven_of("leases").duration_since(end);
    (unheard > CLOCKS && lease.duration_s > 0).then(|| e.now.duration_since(end))
}

/// The read-write service must lead to the primary.
fn writes(e: &Evidence, out: &mut Vec<Reason>) {
    let leads = e.primary().map(|a| a.name);
    for s in e.cluster.services.iter().filter(|s| s.purpose == ServicePurpose::ReadWrite) {
        let Some(to) = &s.leads_to else { continue };
        let object = format!("Service/{}", s.name);
        if to.is_empty() {
            let text = format!("{} leads nowhere: writes are refused", s.name);
            let level = if e.being_set_up() { Level::Warn } else { Level::Bad };
            out.push(e.by_object(object, ReasonCode::WritesLeadNowhere, level, text));
        } else if let Some(primary) = leads
            && !to.contains(primary)
        {
            let names: Vec<_> = to.iter().map(InstanceName::as_str).collect();
            let text = format!("{} leads to {}, and {primary} is primary", s.name, names.join(", "));
            out.push(e.by_object(object, ReasonCode::WritesLeadNowhere, Level::Bad, text));
        }
    }
}
