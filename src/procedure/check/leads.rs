//! Who leads: the operator's word, the server's own word, and where writes go. All three, or it is not proven.

use super::Proof;
use super::asked::{Asked, Told, missing};
use crate::domain::cluster::{ServicePurpose, Target};
use crate::domain::names::InstanceName;
use crate::domain::wal::Timeline;

/// This instance leads.
pub(super) fn leads(a: &Asked<'_>, name: &InstanceName) -> Told {
    let mut evidence = vec![named(a, name)?];
    let word = a.word(name).ok_or_else(|| Proof::NotYet(a.silence(name)))?;
    if !word.primary {
        return missing(word.text);
    }
    evidence.push(word.text);
    for other in a.cluster.instances.iter().filter(|i| i.name != *name) {
        if let Some(claim) = a.word(&other.name).filter(|w| w.primary) {
            return missing(format!("two say they are primary: {}", claim.text));
        }
    }
    evidence.extend(lease(a, name)?);
    evidence.extend(writes(a, name)?);
    Ok(evidence)
}

/// Another one leads than before, on a later timeline.
pub(super) fn another(a: &Asked<'_>, than: &InstanceName, after: Option<Timeline>) -> Told {
    a.watched("clusters")?;
    let leader = match &a.cluster.primary {
        Some(leader) if leader != than => leader,
        Some(_) => return missing(format!("cluster status: {than} is still named primary")),
        None => return missing("cluster status: no primary is named"),
    };
    later(a, leader, after)
}

/// It leads, on a later timeline.
pub(super) fn later(a: &Asked<'_>, leader: &InstanceName, after: Option<Timeline>) -> Told {
    let mut evidence = leads(a, leader)?;
    let Some(after) = after else { return Ok(evidence) };
    let own = a.word(leader).and_then(|w| w.timeline);
    match own.max(a.cluster.timeline) {
        Some(now) if now > after => {
            if own != Some(now) {
                evidence.push(format!("cluster status: timeline {now}"));
            }
            Ok(evidence)
        }
        Some(now) => missing(format!("{leader} leads and still tells timeline {now}")),
        None => missing(format!("the timeline of {leader} is not known")),
    }
}

/// The operator has it as primary and wants no other. `pending` and an old name come and go in a failover, so both must
/// name it.
fn named(a: &Asked<'_>, name: &InstanceName) -> Result<String, Proof> {
    a.watched("clusters")?;
    let c = a.cluster;
    if c.primary.as_ref() != Some(name) {
        let who = c.primary.as_ref().map_or("nobody", InstanceName::as_str);
        return missing(format!("cluster status: the primary is {who}"));
    }
    match &c.target {
        Some(Target::Pending) => missing("cluster status: the target is pending"),
        Some(Target::Instance(target)) if target != name => missing(format!("cluster status: the target is {target}")),
        Some(Target::Instance(_)) => Ok(format!("cluster status: {name} is primary and target")),
        None => Ok(format!("cluster status: {name} is primary")),
    }
}

/// A lease that another one renewed since speaks against it. An old one, of an operator that keeps none any more, does not.
fn lease(a: &Asked<'_>, name: &InstanceName) -> Result<Option<String>, Proof> {
    let Some(lease) = &a.cluster.lease else { return Ok(None) };
    match &lease.holder {
        Some(holder) if holder == name => Ok(Some(format!("Lease/{}: held by {name}", a.cluster.key.name))),
        Some(holder) if lease.renewed.is_some_and(|t| t > a.since) => {
            missing(format!("Lease/{}: held by {holder}", a.cluster.key.name))
        }
        _ => Ok(None),
    }
}

/// The read-write services lead to it. Where endpoints can't be read at all, that is said.
pub(super) fn writes(a: &Asked<'_>, name: &InstanceName) -> Told {
    let slices = !a.unreadable("endpointslices");
    if !slices && a.unreadable("endpoints") {
        return Ok(vec!["where services lead can't be read here".into()]);
    }
    a.watched(if slices { "endpointslices" } else { "endpoints" })?;
    let mut evidence = Vec::new();
    for service in a.cluster.services.iter().filter(|s| s.purpose == ServicePurpose::ReadWrite) {
        match service.leads_to.as_deref() {
            Some([only]) if only == name => {
                evidence.push(format!("endpoints of {} lead to {name}", service.name));
            }
            Some([]) => return missing(format!("endpoints of {} lead nowhere", service.name)),
            Some(others) => {
                let names: Vec<_> = others.iter().map(InstanceName::as_str).collect();
                return missing(format!("endpoints of {} lead to {}", service.name, names.join(", ")));
            }
            None => return missing(format!("no endpoints of {} have been seen", service.name)),
        }
    }
    if evidence.is_empty() {
        return missing("no service for writes has been seen");
    }
    Ok(evidence)
}
