//! A base backup, taken now and followed until it could be restored.

use jiff::SignedDuration;

use super::writes;
use super::{Method, Take, named};
use crate::domain::cluster::VolumePurpose;
use crate::domain::picture::Picture;
use crate::domain::quantity;
use crate::domain::source::Witness;
use crate::problem::Problem;
use crate::procedure::catalog::guards::{self, Needs};
use crate::procedure::catalog::making::{Making, names};
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step, Weight};
use crate::text::shorten;

/// CNPG's own `archive_timeout`: so long may the last segment of a backup wait in a cluster that writes little.
const ARCHIVE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);
/// A volume this full may be full before the archive is caught up with.
const FULL: f64 = 0.9;

pub(in crate::procedure::catalog) fn plan(m: &mut Making<'_>, take: &Take) -> Result<Plan, Problem> {
    let method = super::method(m.cluster, take.method)?;
    let name = match &take.name {
        Some(name) => name.trim().to_owned(),
        None => format!("{}-{}", m.name(), m.now().strftime("%Y%m%d%H%M%S")),
    };
    named(&name)?;
    free(m, &name)?;
    online(method, take)?;
    m.guard(Needs::USUAL);
    m.good("method", chosen(m, method, take));
    from(m, take);
    archive(m, method);
    let within = queue(m) + m.clone_time() + ARCHIVE_TIMEOUT;
    last(m);
    disks(m);
    let done = Check::BackupDone { backup: name.clone() };
    let why = format!(
        "The operator chooses the instance and has it copy its data. It is done when the Backup says completed and its last \
         WAL is in the archive: before that nothing can be restored from it. Waits up to {within:#}: a copy of the volume at \
         20 MiB a second, and the last segment's archive_timeout."
    );
    let step = step(m, take, &name, method, why).gated(Gate::Approve).proven_by(done, within);
    let mut plan = m.plan(Kind::TakeBackup, format!("take a base backup of {}", m.name()), vec![step]);
    plan.parameters.insert("backup".into(), name);
    plan.parameters.insert("method".into(), method.word().into());
    if let Some(from) = take.from {
        plan.parameters.insert("target".into(), from.word().into());
    }
    Ok(plan)
}

/// The step that takes it.
fn step(m: &Making<'_>, take: &Take, name: &str, method: Method, why: String) -> Step {
    Step::new("backup", format!("take base backup {name}"), why).does(writes::backup(
        m.cluster,
        name,
        method,
        take,
        m.now(),
    ))
}

/// One of this name within a larger plan, as the cluster is set up. It ends with the Backup's own word: whatever needs its
/// WAL in the archive waits for that itself.
///
/// # Errors
/// No method is set up, or the name is taken.
pub(in crate::procedure::catalog) fn within(m: &mut Making<'_>, name: &str) -> Result<Step, Problem> {
    let method = super::method(m.cluster, None)?;
    free(m, name)?;
    let within = queue(m) + m.clone_time();
    let why = "The operator chooses the instance and has it copy its data. The first markers lie in it. It is a backup like \
               any other, and stays.";
    let done = Check::BackupCompleted { backup: name.to_owned() };
    Ok(step(m, &Take::default(), name, method, why.into()).proven_by(done, within))
}

/// No other Backup has this name, as far as is seen; the API has the last word.
fn free(m: &Making<'_>, name: &str) -> Result<(), Problem> {
    if m.cluster.backups.objects.iter().all(|b| b.name != *name) {
        return Ok(());
    }
    Err(Problem::refused(format!("there is a Backup {name} already"))
        .because("a Backup is of one moment: it is never taken again")
        .try_this("choose another name, or none: then it is named after the moment"))
}

/// These belong to snapshots; a Barman backup has them from the cluster's own object.
fn online(method: Method, take: &Take) -> Result<(), Problem> {
    let asked = take.immediate_checkpoint.is_some() || take.wait_for_archive.is_some();
    if method == Method::Snapshot || !asked {
        return Ok(());
    }
    let (why, hint) = match method {
        Method::Plugin => {
            ("the plugin has it from its ObjectStore", "spec.configuration.data.immediateCheckpoint there")
        }
        _ => ("Barman has it from the cluster", "spec.backup.barmanObjectStore.data.immediateCheckpoint there"),
    };
    Err(Problem::usage("the checkpoint and the wait for the archive are chosen for volume snapshots only")
        .because(format!("{} backup: {why}", method.word()))
        .try_this(hint))
}

fn chosen(m: &Making<'_>, method: Method, take: &Take) -> String {
    let why = match (method, take.method) {
        (_, Some(_)) => "as you chose",
        (Method::Plugin, _) => "the Barman Cloud plugin is in spec.plugins",
        (Method::Barman, _) => "by spec.backup.barmanObjectStore",
        (Method::Snapshot, _) => "by spec.backup.volumeSnapshot",
    };
    let old = match method {
        Method::Barman if super::super::cnpg::version(m.cluster).is_some_and(|v| v >= (1, 26)) => {
            "; CNPG gives its own Barman up for the plugin (deprecated since 1.26)"
        }
        _ => "",
    };
    let to = m.cluster.archiving.destination.as_deref().filter(|_| method != Method::Snapshot);
    let to = to.map(|to| format!(", to {}", shorten(to, 80))).unwrap_or_default();
    format!("{}: {why}{to}{old}", method.word())
}

/// Whom it burdens.
fn from(m: &mut Making<'_>, take: &Take) {
    let about = "instance";
    let asked = take.from.map(super::TakenFrom::word).or(m.cluster.backups.methods.target.as_deref());
    let leader = m.leader().map_or("the primary", |l| l.as_str()).to_owned();
    if asked == Some(super::TakenFrom::Primary.word()) {
        m.good(about, format!("{leader}, which leads: clients share its disk and network with the copy"));
        return;
    }
    let ready =
        |i: &&crate::domain::cluster::Instance| i.pod.as_ref().is_some_and(|p| p.ready) && Some(&i.name) != m.leader();
    let standbys: Vec<_> = m.cluster.instances.iter().filter(ready).map(|i| &i.name).collect();
    let text = match standbys.is_empty() {
        true => format!("no standby is ready: the operator takes it from {leader}, which leads"),
        false => format!("a standby that is ready: {}", names(standbys)),
    };
    m.good(about, text);
}

/// A backup without the WAL that was written meanwhile can't be restored.
fn archive(m: &mut Making<'_>, method: Method) {
    let about = "WAL archiving";
    let archiving = &m.cluster.archiving;
    if archiving.skipped || archiving.by.is_none() {
        let why = if archiving.skipped { "switched off by an annotation" } else { "not set up" };
        let then = match method {
            Method::Snapshot => "only snapshots of a stopped instance could be restored",
            _ => "without the WAL written meanwhile it can't be restored",
        };
        m.found_by(about, Weight::Justify, format!("{why}: {then}"), &Witness::ClusterObject);
        return;
    }
    let failing = m.cluster.condition("ContinuousArchiving").filter(|c| c.status == Some(false));
    if let Some(c) = failing {
        let text = format!(
            "it fails: {}; a backup can't be completed, or restored, before it works",
            shorten(&c.message, 120)
        );
        m.found_by(about, Weight::Justify, text, &Witness::ClusterObject);
        return;
    }
    let picture = Picture::of(m.view.facts, m.cluster);
    let (a, limit) = (&picture.archiver, m.e.limits.ready_wal_warn);
    let (weight, text) = match (a.working, a.ready) {
        (Some(false), _) => {
            let wal = a.failed.map(|(wal, _)| format!(" on {wal}")).unwrap_or_default();
            (
                Weight::Justify,
                format!("the last attempt failed{wal}: a backup can't be completed, or restored, before it works"),
            )
        }
        (_, Some(n)) if n >= limit => {
            (Weight::Justify, format!("{n} WAL files wait: those of this backup wait behind them"))
        }
        (Some(true), Some(n)) => (Weight::Good, format!("it works; {n} files wait")),
        (Some(true), None) => (Weight::Good, "it works".to_owned()),
        (None, Some(0)) => (Weight::Good, "no file waits".to_owned()),
        (None, _) => (Weight::Unknown, "whether WAL is archived is not known: the primary does not say".to_owned()),
    };
    m.found(about, weight, text);
}

/// The operator takes one at a time. Gives how long the one before may take yet.
fn queue(m: &mut Making<'_>) -> SignedDuration {
    let about = "other backups";
    if !m.cluster.backups.listed {
        let text = "whether one runs is not known, and neither how this one goes: backups can't be listed";
        m.found(about, Weight::Unknown, text);
        return SignedDuration::ZERO;
    }
    let Some(other) = guards::running_backup(m) else {
        m.good(about, "none runs");
        return SignedDuration::ZERO;
    };
    let since = other.started.map(|t| format!(" since {}", quantity::age(t, m.now()))).unwrap_or_default();
    let text = format!("{} runs{since}: the operator takes one at a time, and this one waits for it", other.name);
    m.found_by(about, Weight::Good, text, &Witness::Object(format!("Backup/{}", other.name)));
    m.clone_time()
}

fn last(m: &mut Making<'_>) {
    let about = "last backup";
    let b = &m.cluster.backups;
    let done = b.objects.iter().filter(|o| o.is_completed()).filter_map(|o| o.stopped).max();
    let text = match b.last_successful.max(done) {
        Some(at) => format!("the last good one is {} old", quantity::age(at, m.now())),
        None if b.listed => "there is none: this is the first one".to_owned(),
        None => return,
    };
    m.good(about, text);
}

/// Where the archive is behind, WAL piles up on the primary; a full volume stops it.
fn disks(m: &mut Making<'_>) {
    let Some(name) = m.leader() else { return };
    let Some(metrics) = m.e.samples(name).and_then(|s| s.metrics.as_ref()?.value()) else { return };
    let full = |d: &&crate::domain::sample::DiskReading| {
        matches!(d.purpose, VolumePurpose::Data | VolumePurpose::Wal)
            && d.size > 0
            && d.used as f64 >= FULL * d.size as f64
    };
    for disk in metrics.disks.iter().filter(full) {
        let volume = if disk.purpose == VolumePurpose::Wal { "WAL volume" } else { "data volume" };
        let percent = disk.used.saturating_mul(100) / disk.size;
        let text = format!("the {volume} of {name} is {percent}% full, and a checkpoint and WAL come with a backup");
        m.found_by("disk", Weight::Justify, text, &Witness::Metrics(name.clone()));
    }
}
