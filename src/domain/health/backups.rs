//! Recoverability, second half: is there a base backup, young enough and whole?

use jiff::Timestamp;

use super::evidence::Evidence;
use super::{Level, Reason, ReasonCode, archive};
use crate::domain::cluster::BackupObject;
use crate::domain::quantity;
use crate::domain::wal::{DEFAULT_SEGMENT, WalName};
use crate::text::shorten;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    let b = &e.cluster.backups;
    let promised = e.cluster.archiving.by.is_some() || !b.schedules.is_empty() || !b.objects.is_empty();
    if !promised {
        return; // told by the rule on archiving: nothing is configured at all
    }
    let done = |o: &&BackupObject| o.is_completed();
    let completed: Vec<&BackupObject> = b.objects.iter().map(|o| &**o).filter(done).collect();
    let by_objects = completed.iter().filter_map(|o| o.stopped.or(o.started)).max();
    match b.last_successful.max(by_objects) {
        Some(last) => age(e, last, out),
        None if b.listed || b.first_recoverability_point.is_some() => {
            // A cluster that was just made can't have one; soon after, it must.
            let young = e.cluster.created.is_some_and(|t| e.age(t) <= e.limits.setup_time);
            let (level, yet) = if young { (Level::Warn, " yet") } else { (Level::Bad, "") };
            let text = format!("there is no base backup{yet}: WAL alone brings nothing back");
            out.push(e.by_cluster(ReasonCode::NoBackup, level, text));
        }
        None => {
            let text = "whether there is a base backup can't be told: backups can't be listed";
            out.push(e.by_cluster(ReasonCode::CantBeAsked, Level::Unknown, text));
        }
    }
    failed(e, b.last_successful.max(by_objects), out);
    restorable(e, &completed, out);
}

fn age(e: &Evidence, last: Timestamp, out: &mut Vec<Reason>) {
    let old = e.age(last);
    let level = if old >= e.limits.backup_age_bad {
        Level::Bad
    } else if old >= e.limits.backup_age_warn {
        Level::Warn
    } else {
        return;
    };
    let text = format!("the last good backup is {} old", quantity::age(last, e.now));
    out.push(e.by_cluster(ReasonCode::BackupTooOld, level, text));
}

/// The newest attempt failed, or can't begin.
fn failed(e: &Evidence, last_good: Option<Timestamp>, out: &mut Vec<Reason>) {
    // One that can't begin has no time but that of its making.
    let at = |o: &BackupObject| o.stopped.or(o.started).or(o.created);
    let bad = |o: &&BackupObject| o.is_failing();
    let object = e.cluster.backups.objects.iter().map(|o| &**o).filter(bad).max_by_key(|o| at(o));
    if let Some(o) = object.filter(|o| at(o) > last_good) {
        let why = o.error.as_ref().map(|w| format!(": {}", shorten(w, 120))).unwrap_or_default();
        let since = at(o).map(|t| quantity::age(t, e.now));
        let text = match (o.is_held(), since) {
            (true, since) => {
                let since = since.map(|s| format!(" for {s}")).unwrap_or_default();
                format!("backup {} has waited{since} and can't begin: WAL archiving fails{why}", o.name)
            }
            (false, Some(ago)) => format!("backup {} failed {ago} ago{why}", o.name),
            (false, None) => format!("backup {} failed{why}", o.name),
        };
        out.push(e.by_object(format!("Backup/{}", o.name), ReasonCode::BackupFailed, Level::Warn, text));
    } else if let Some(at) = e.cluster.backups.last_failed.filter(|t| Some(*t) > last_good) {
        let text = format!("the last backup failed {} ago", quantity::age(at, e.now));
        out.push(e.by_cluster(ReasonCode::BackupFailed, Level::Warn, text));
    }
}

/// A backup that says "completed" can't be restored before its last WAL segment is in the archive.
fn restorable(e: &Evidence, completed: &[&BackupObject], out: &mut Vec<Reason>) {
    let Some(newest) = completed.iter().max_by_key(|o| o.stopped.or(o.started)) else { return };
    let Some(reading) = archive::reading(e) else { return };
    let Some(end) = newest.end_wal.as_deref().and_then(|w| w.parse::<WalName>().ok()) else { return };
    let Some(done) = reading.last.as_ref().and_then(|(w, _)| w.parse::<WalName>().ok()) else { return };
    // Another timeline's archive says nothing about this one's: its end was archived before the switch, or never.
    let missing = end.timeline == done.timeline && end.number(DEFAULT_SEGMENT) > done.number(DEFAULT_SEGMENT);
    if !missing {
        return;
    }
    let late = newest.stopped.is_some_and(|t| e.age(t) > e.limits.archive_age_warn);
    let only = completed.len() == 1;
    let level = if late && only { Level::Bad } else { Level::Warn };
    let text = format!("backup {} can't be restored yet: its last WAL {end} is not archived", newest.name);
    out.push(e.by(reading.witness, reading.at, ReasonCode::BackupNotRestorable, level, text));
}
