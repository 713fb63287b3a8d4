//! What changed between two pictures of a cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::cluster::*;
use crate::domain::event::Transition;
use crate::domain::names::InstanceName;

/// What changed from `old` to `new`, in the order in which a person would tell it.
pub fn transitions(old: &Cluster, new: &Cluster) -> Vec<Transition> {
    let mut out = Vec::new();
    let phase = |c: &Cluster| c.phase.as_ref().map(|p| p.text.clone());
    if phase(old) != phase(new) {
        out.push(Transition::Phase { from: phase(old), to: phase(new) });
    }
    if old.target != new.target {
        out.push(Transition::Target { from: old.target.as_ref().map(word), to: new.target.as_ref().map(word) });
    }
    out.extend(lease(old.lease.as_ref(), new.lease.as_ref()));
    if old.primary != new.primary {
        out.push(Transition::Primary { from: old.primary.clone(), to: new.primary.clone() });
    }
    if old.timeline != new.timeline {
        out.push(Transition::Timeline { from: old.timeline, to: new.timeline });
    }
    services(old, new, &mut out);
    instances(old, new, &mut out);
    if old.ready != new.ready {
        out.push(Transition::Ready { from: old.ready, to: new.ready });
    }
    conditions(old, new, &mut out);
    if old.fenced != new.fenced {
        out.push(Transition::Fencing { now: fenced(&new.fenced) });
    }
    if old.hibernation != new.hibernation {
        let now = match new.hibernation {
            Some(Hibernation::Going) => "asked",
            Some(Hibernation::Hibernated) => "done",
            None => "off",
        };
        out.push(Transition::Hibernation { now: now.into() });
    }
    jobs(old, new, &mut out);
    backups(old, new, &mut out);
    out
}

/// Attempts that failed, and what was heard of them later.
fn jobs(old: &Cluster, new: &Cluster, out: &mut Vec<Transition>) {
    for job in &new.jobs {
        let Some(attempt) = &job.attempt else { continue };
        let before = old.jobs.iter().find(|j| j.name == job.name).and_then(|j| j.attempt.as_ref());
        if before.is_none_or(|b| b.uid != attempt.uid || b.words != attempt.words) {
            let (job, role, why) = (job.name.clone(), job.role.clone(), attempt.cause());
            out.push(Transition::Job { job, role, attempt: attempt.number, why });
        }
    }
}

/// Backups that were made or came to another phase.
fn backups(old: &Cluster, new: &Cluster, out: &mut Vec<Transition>) {
    for backup in &new.backups.objects {
        let before = old.backups.objects.iter().find(|b| b.name == backup.name);
        let same =
            before.is_some_and(|b| Arc::ptr_eq(b, backup) || (b.phase == backup.phase && b.error == backup.error));
        let Some(phase) = backup.phase.clone().filter(|_| !same) else { continue };
        let (name, failing) = (backup.name.clone(), backup.is_failing());
        out.push(Transition::Backup { name, phase, failing, why: backup.error.clone() });
    }
}

/// Who holds the lease, where that changed.
pub(super) fn lease(old: Option<&Lease>, new: Option<&Lease>) -> Option<Transition> {
    let holder = |l: Option<&Lease>| l.and_then(|l| l.holder.clone());
    (holder(old) != holder(new)).then(|| Transition::Lease { from: holder(old), to: holder(new) })
}

fn word(target: &Target) -> String {
    match target {
        Target::Pending => "pending".into(),
        Target::Instance(name) => name.to_string(),
    }
}

fn fenced(fenced: &Fenced) -> Vec<String> {
    match fenced {
        Fenced::None => Vec::new(),
        Fenced::Some(names) => names.iter().map(ToString::to_string).collect(),
        Fenced::All => vec!["*".into()],
    }
}

fn services(old: &Cluster, new: &Cluster, out: &mut Vec<Transition>) {
    // The operator's own service speaks for all of its purpose: one story, not one per load balancer.
    let writes = |c: &Cluster| {
        let own = format!("{}-rw", c.key.name);
        let of = |s: &&Service| s.purpose == ServicePurpose::ReadWrite;
        let service = c.services.iter().find(|s| s.name == own).or_else(|| c.services.iter().find(of));
        service.and_then(|s| s.leads_to.clone())
    };
    if let (Some(from), Some(to)) = (writes(old), writes(new))
        && from != to
    {
        out.push(Transition::ReadWrite { from, to });
    }
}

fn instances(old: &Cluster, new: &Cluster, out: &mut Vec<Transition>) {
    let names: BTreeSet<&InstanceName> = old.instances.iter().chain(&new.instances).map(|i| &i.name).collect();
    for name in names {
        instance(name, old.instance(name), new.instance(name), out);
    }
}

/// What changed of one instance.
pub(super) fn instance(
    name: &InstanceName,
    before: Option<&Instance>,
    now: Option<&Instance>,
    out: &mut Vec<Transition>,
) {
    fn pod(i: Option<&Instance>) -> Option<&Pod> {
        i.and_then(|i| i.pod.as_deref())
    }
    for change in pod_changes(pod(before), pod(now)) {
        out.push(Transition::Pod { instance: name.clone(), change: change.into() });
    }
    let role = |i: Option<&Instance>| i.and_then(|i| i.role).map(role_word);
    // A pod that is gone has no role: its going is told already.
    if role(before) != role(now) && now.is_some_and(|i| i.pod.is_some()) {
        let text = |r: Option<&'static str>| r.map(str::to_owned);
        out.push(Transition::Role { instance: name.clone(), from: text(role(before)), to: text(role(now)) });
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Primary => "primary",
        Role::Replica => "replica",
        Role::Unhealthy => "unhealthy",
        Role::Other => "other",
    }
}

fn pod_changes(before: Option<&Pod>, now: Option<&Pod>) -> Vec<&'static str> {
    match (before, now) {
        (None, None) => vec![],
        (None, Some(p)) => {
            if p.ready {
                vec!["created", "ready"]
            } else {
                vec!["created"]
            }
        }
        (Some(_), None) => vec!["gone"],
        (Some(b), Some(n)) if b.uid != n.uid => {
            let mut out = vec!["gone", "created"];
            out.extend(n.ready.then_some("ready"));
            out
        }
        (Some(b), Some(n)) => {
            let mut out = Vec::new();
            out.extend((b.deleting.is_none() && n.deleting.is_some()).then_some("deleting"));
            out.extend((b.restarts < n.restarts).then_some("restarted"));
            out.extend((b.ready && !n.ready).then_some("not ready"));
            out.extend((!b.ready && n.ready).then_some("ready"));
            out
        }
    }
}

fn conditions(old: &Cluster, new: &Cluster, out: &mut Vec<Transition>) {
    for c in &new.conditions {
        let before = old.condition(&c.kind);
        if before.is_none_or(|b| b.status != c.status || (b.reason != c.reason && c.status == Some(false))) {
            out.push(Transition::Condition { kind: c.kind.clone(), status: c.status, reason: c.reason.clone() });
        }
    }
    for c in old.conditions.iter().filter(|c| new.condition(&c.kind).is_none()) {
        out.push(Transition::Condition { kind: c.kind.clone(), status: None, reason: "Removed".into() });
    }
}
