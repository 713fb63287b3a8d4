//! What was asked for on purpose: fencing, hibernation, a maintenance window, a request to the operator, a heartbeat.
//!
//! The phase says "healthy" through fencing and hibernation: the annotation and the servers themselves are the witnesses.

use std::collections::BTreeSet;

use super::Proof;
use super::asked::{Asked, Told, missing};
use super::leads::leads;
use super::redundant::leader;
use crate::domain::cluster::{Fenced, Hibernation};
use crate::domain::heartbeat::{Beat, SLICE};
use crate::domain::names::InstanceName;
use crate::domain::sample::SilenceKind;

/// Exactly these are fenced and their PostgreSQL is down; none: nobody is fenced and all answer.
pub(super) fn fenced(a: &Asked<'_>, instances: &[String]) -> Told {
    a.watched("clusters")?;
    let all = instances.iter().any(|n| n == "*");
    let wanted = match instances {
        _ if all => Fenced::All,
        [] => Fenced::None,
        names => Fenced::Some(names.iter().map(InstanceName::from).collect::<BTreeSet<_>>()),
    };
    let annotated = match &a.cluster.fenced {
        Fenced::None => "nobody is fenced".to_owned(),
        Fenced::All => "all are fenced".to_owned(),
        Fenced::Some(names) => {
            let names: Vec<_> = names.iter().map(InstanceName::as_str).collect();
            format!("{} fenced", names.join(", "))
        }
    };
    if a.cluster.fenced != wanted {
        return missing(format!("cluster annotation: {annotated}"));
    }
    let mut evidence = vec![format!("cluster annotation: {annotated}")];
    // Pods stay as they are, so their watch has nothing to tell: each instance answers for itself.
    for name in a.cluster.instances.iter().filter(|i| i.pod.is_some()).map(|i| &i.name) {
        if wanted.covers(name) {
            evidence.push(down(a, name)?);
        } else if wanted == Fenced::None {
            let word = a.word(name).ok_or_else(|| Proof::NotYet(a.silence(name)))?;
            evidence.push(word.text);
        }
    }
    Ok(evidence)
}

/// PostgreSQL of this instance is down, by the instance manager's word or a refused connection.
fn down(a: &Asked<'_>, name: &InstanceName) -> Result<String, Proof> {
    let status = a.status(name).and_then(|(answer, at)| match answer {
        Ok(s) if s.might_be_unavailable.is_some() => {
            Some((at, true, format!("/pg/status of {name}: PostgreSQL is down")))
        }
        Ok(_) => Some((at, false, format!("/pg/status of {name}: PostgreSQL answers"))),
        Err(s) if s.kind == SilenceKind::NotServing => Some((at, true, format!("/pg/status of {name}: {}", s.why))),
        Err(_) => None,
    });
    let sql = a.sql(name).and_then(|(answer, at)| match answer {
        Ok(_) => Some((at, false, format!("SQL on {name}: PostgreSQL answers"))),
        Err(s) if matches!(s.kind, SilenceKind::NotServing | SilenceKind::Unreachable) => {
            Some((at, true, format!("SQL on {name}: {}", s.why)))
        }
        Err(_) => None,
    });
    match [sql, status].into_iter().flatten().max_by_key(|(at, ..)| *at) {
        Some((_, true, text)) => Ok(text),
        Some((_, false, text)) => missing(text),
        None => missing(a.silence(name)),
    }
}

/// No pod is left, and the operator says that this is meant; or ready again.
pub(super) fn hibernated(a: &Asked<'_>, yes: bool) -> Told {
    a.watched("clusters")?;
    a.watched("pods")?;
    let pods: Vec<_> = a.cluster.instances.iter().filter(|i| i.pod.is_some()).map(|i| &i.name).collect();
    if yes {
        if let Some(left) = pods.first() {
            return missing(format!("{} pods are left, {left} among them", pods.len()));
        }
        return match a.cluster.hibernation {
            Some(Hibernation::Hibernated) => {
                Ok(vec!["cluster condition: hibernated".into(), "no pod of an instance is left".into()])
            }
            _ => missing("cluster condition: not yet hibernated"),
        };
    }
    if a.cluster.hibernation.is_some() {
        return missing("cluster condition: still hibernated");
    }
    let wanted = a.cluster.wanted.unwrap_or(1);
    if u32::try_from(pods.len()).unwrap_or(u32::MAX) < wanted {
        return missing(format!("{} of {wanted} instances have a pod", pods.len()));
    }
    for name in &pods {
        a.ready_pod(name)?;
    }
    let (primary, _) = leader(a)?;
    let mut evidence = vec![format!("{} of {wanted} pods are ready", pods.len())];
    evidence.extend(leads(a, primary)?);
    Ok(evidence)
}

/// The maintenance window is open, or not.
pub(super) fn maintenance(a: &Asked<'_>, open: bool) -> Told {
    a.watched("clusters")?;
    let text = |open| format!("cluster spec: the maintenance window is {}", if open { "open" } else { "closed" });
    if a.cluster.maintenance == open { Ok(vec![text(open)]) } else { missing(text(!open)) }
}

/// The cluster object carries this request.
pub(super) fn requested(a: &Asked<'_>, annotation: &str, value: &str) -> Told {
    a.watched("clusters")?;
    match a.cluster.requests.get(annotation) {
        Some(there) if there == value => Ok(vec![format!("cluster annotation: {annotation} is {value}")]),
        Some(other) => missing(format!("cluster annotation: {annotation} is {other}")),
        None => missing(format!("cluster annotation: no {annotation}")),
    }
}

/// The heartbeat has had that many more acknowledged writes. Each slice of time that shows one had at least one.
pub(super) fn beats(a: &Asked<'_>, more: u64) -> Told {
    let Some(pulse) = a.facts.heartbeats.get(&a.cluster.key) else { return missing("no heartbeat is heard") };
    let slices = pulse.slices.iter().rev().zip(1..).take_while(|(_, n)| pulse.at - SLICE * *n >= a.since);
    let in_slices = slices.filter(|(beat, _)| **beat == Beat::Acknowledged).count() as u64;
    let seen = if pulse.since > a.since { pulse.acknowledged.max(in_slices) } else { in_slices };
    let text = format!("heartbeat: {seen} acknowledged writes at least");
    if seen >= more {
        return Ok(vec![text]);
    }
    let trouble = pulse.trouble.as_ref().map(|t| format!(" ({t})")).unwrap_or_default();
    missing(format!("{text}, {more} are waited for{trouble}"))
}
