//! A cluster that is made out of a backup: is it there, how far is it, does it lead a way of its own?
//!
//! The Cluster's status says nothing of a recovery that fails: its Job does.

use super::Proof;
use super::asked::{Asked, Told, missing};
use super::leads::later;
use crate::domain::cluster::Job;
use crate::domain::wal::Timeline;

/// Its object is there.
pub(super) fn there(a: &Asked<'_>) -> Told {
    a.watched("clusters")?;
    if a.cluster.deleting.is_some() {
        return Err(Proof::Never(format!("{} is being deleted", a.cluster.key)));
    }
    Ok(vec![format!("Cluster/{} is there (uid {})", a.cluster.key.name, a.cluster.uid)])
}

/// Its data is recovered: the Job has ended well, or is cleared away and an instance has been made of it.
pub(super) fn recovered(a: &Asked<'_>) -> Told {
    let mut evidence = there(a)?;
    if !a.unreadable("jobs") {
        a.watched("jobs")?;
    }
    let cluster = a.cluster;
    match cluster.jobs.iter().find(|j| j.is_recovery()) {
        Some(job) if job.done => {
            let attempts = match job.failed {
                0 => String::new(),
                1 => ", after 1 attempt that failed".into(),
                n => format!(", after {n} attempts that failed"),
            };
            evidence.push(format!("Job/{} has ended well{attempts}", job.name));
            Ok(evidence)
        }
        Some(job) if job.gave_up => Err(Proof::Never(told(job, "was given up"))),
        Some(job) if job.failed > 0 => missing(told(job, "is tried again")),
        Some(job) => missing(told(job, "runs")),
        None => {
            a.watched("pods")?;
            let Some(pod) = cluster.instances.iter().find(|i| i.pod.is_some()) else {
                return missing(waits(a));
            };
            evidence.push(format!("Pod/{} is made of it, and no recovery job is left", pod.name));
            Ok(evidence)
        }
    }
}

/// Whoever leads is out of recovery by its own word, on a later timeline than the base backup's.
pub(super) fn leads_on(a: &Asked<'_>, after: Option<Timeline>) -> Told {
    a.watched("clusters")?;
    let Some(leader) = &a.cluster.primary else { return missing("cluster status: no primary is named yet") };
    later(a, leader, after)
}

fn told(job: &Job, state: &str) -> String {
    let failed = match job.failed {
        0 => String::new(),
        1 => ", 1 attempt failed".into(),
        n => format!(", {n} attempts failed"),
    };
    let trouble = job.trouble.as_ref().map(|t| format!(": {t}")).unwrap_or_default();
    format!("Job/{} {state}{failed}{trouble}", job.name)
}

/// Nothing is made yet: what the operator says, and what stands in the way.
fn waits(a: &Asked<'_>) -> String {
    let phase = a.cluster.phase.as_ref();
    let reason = phase.and_then(|p| p.reason.as_ref()).map(|r| format!(" ({r})")).unwrap_or_default();
    let phase =
        phase.map_or_else(|| "the operator has not begun".to_owned(), |p| format!("cluster status: {}", p.text));
    let complaint = a.cluster.complaints.first();
    let complaint = complaint.map(|c| format!("; {} {}: {}", c.object, c.reason, c.message)).unwrap_or_default();
    format!("{phase}{reason}{complaint}")
}
