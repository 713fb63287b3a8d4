//! Could it lose an instance now: all there, all streaming from who leads, and the promise of synchronous commit kept.

use super::Proof;
use super::asked::{Asked, Told, missing};
use crate::domain::names::InstanceName;
use crate::domain::replication::SyncState;
use crate::domain::sample::SqlSample;

/// As many instances as asked for are ready, every standby streams, the promise is met.
pub(super) fn fully(a: &Asked<'_>, wanted: u32) -> Told {
    a.watched("clusters")?;
    a.watched("pods")?;
    let mut evidence = vec![all_ready(a, wanted)?];
    let (primary, text) = leader(a)?;
    evidence.push(text);
    for standby in standbys(a, primary) {
        evidence.push(streams(a, primary, standby)?);
    }
    evidence.extend(promise(a, primary, wanted)?);
    Ok(evidence)
}

/// This instance answers for itself, and leads or streams.
pub(super) fn serves(a: &Asked<'_>, name: &InstanceName) -> Told {
    a.watched("pods")?;
    a.ready_pod(name)?;
    leads_or_streams(a, name)
}

/// Its own word that it leads, or witnesses that it streams from who leads.
pub(super) fn leads_or_streams(a: &Asked<'_>, name: &InstanceName) -> Told {
    let word = a.word(name).ok_or_else(|| Proof::NotYet(a.silence(name)))?;
    if word.primary {
        return Ok(vec![word.text]);
    }
    let (primary, text) = leader(a)?;
    Ok(vec![text, streams(a, primary, name)?])
}

/// The one that leads by its own word.
pub(super) fn leader<'a>(a: &Asked<'a>) -> Result<(&'a InstanceName, String), Proof> {
    let mut claims = a.cluster.instances.iter().filter_map(|i| Some((&i.name, a.word(&i.name)?)));
    let Some((name, word)) = claims.by_ref().find(|(_, w)| w.primary) else {
        return match &a.cluster.primary {
            Some(named) => missing(a.word(named).map_or_else(|| a.silence(named), |w| w.text)),
            None => missing("cluster status: no primary is named"),
        };
    };
    match claims.find(|(_, w)| w.primary) {
        Some((_, other)) => missing(format!("two say they are primary: {}", other.text)),
        None => Ok((name, word.text)),
    }
}

/// Exactly that many pods, all ready and none going.
fn all_ready(a: &Asked<'_>, wanted: u32) -> Result<String, Proof> {
    let there = a.cluster.instances.iter().filter(|i| i.pod.is_some());
    let names: Vec<&InstanceName> = there.map(|i| &i.name).collect();
    for name in &names {
        a.ready_pod(name)?;
    }
    if u32::try_from(names.len()) != Ok(wanted) {
        return missing(format!("{} of {wanted} instances have a pod", names.len()));
    }
    if let Some(ready) = a.cluster.ready.filter(|r| *r < wanted) {
        return missing(format!("cluster status: {ready} of {wanted} instances are ready"));
    }
    let all: Vec<_> = names.iter().map(|n| n.as_str()).collect();
    Ok(format!("pods {} are ready", all.join(", ")))
}

fn standbys<'a>(a: &Asked<'a>, primary: &'a InstanceName) -> impl Iterator<Item = &'a InstanceName> {
    a.cluster.instances.iter().filter(|i| i.pod.is_some()).map(|i| &i.name).filter(move |n| *n != primary)
}

/// Every witness says that it streams, and it follows the timeline that the primary writes.
pub(super) fn streams(a: &Asked<'_>, primary: &InstanceName, name: &InstanceName) -> Result<String, Proof> {
    let mut told = a.streams(primary, name).into_iter();
    let Some(first) = told.next() else {
        return missing(format!("whether {name} streams is not known: {}", a.silence(name)));
    };
    let rest: Vec<_> = told.collect();
    if let Some(no) = std::iter::once(&first).chain(&rest).find(|s| !s.flows) {
        return missing(&no.text);
    }
    let sql = |name| a.sql(name).and_then(|(answer, _)| answer.ok());
    let follows = sql(name).and_then(|s: &SqlSample| s.receiver.as_ref()?.timeline);
    if let (Some(follows), Some(writes)) = (follows, sql(primary).and_then(|s| s.timeline))
        && follows != writes
    {
        return missing(format!("{name} follows timeline {follows}, {primary} writes {writes}"));
    }
    let all: Vec<_> = std::iter::once(first.text).chain(rest.into_iter().map(|s| s.text)).collect();
    Ok(all.join("; "))
}

/// As many standbys as promised confirm commits. In the running server's words where it can be asked, else in the spec's.
fn promise(a: &Asked<'_>, primary: &InstanceName, wanted: u32) -> Told {
    let rule = match a.sql(primary) {
        Some((Ok(s), _)) => s.sync_rule.as_ref().and_then(|r| r.as_ref().ok()),
        _ => None,
    };
    let sync = &a.cluster.sync;
    let live = rule.map_or(0, |r| r.as_ref().map_or(0, |r| r.number));
    let mut number = live.max(sync.number);
    if sync.preferred {
        number = number.min(wanted.saturating_sub(1));
    }
    if number == 0 {
        return Ok(Vec::new());
    }
    let Some((rows, true, witness)) = a.rows(primary) else {
        return missing(format!("who confirms commits is hidden: pg_stat_replication on {primary}"));
    };
    let named = |name: &str| rule.and_then(|r| r.as_ref()).is_none_or(|rule| rule.names(name));
    let confirming: Vec<_> = rows
        .iter()
        .filter(|r| r.state.as_deref() == Some("streaming") && named(&r.name))
        .filter(|r| matches!(r.sync, Some(SyncState::Sync | SyncState::Quorum)))
        .map(|r| r.name.as_str())
        .collect();
    let text = format!("{witness}: {} of {number} needed confirm commits", confirming.len());
    if confirming.len() < number as usize {
        missing(text)
    } else {
        Ok(vec![format!("{text}: {}", confirming.join(", "))])
    }
}
