//! A backup and what it takes to be one: the object says completed, and its last WAL segment is in the archive.
//!
//! "completed" comes first (recorded: seconds to minutes before the last segment is archived), so it proves nothing alone.
//! Who can tell of the archive: a listing of the store, and the primary's archiver, which goes in order. Where neither can
//! be asked, that is said and not made up.

use super::Proof;
use super::asked::{Asked, Told, missing};
use crate::domain::cluster::{BackupObject, Cluster};
use crate::domain::facts::Facts;
use crate::domain::names::InstanceName;
use crate::domain::quantity::{span, storage};
use crate::domain::sample::{Silence, SilenceKind};
use crate::domain::wal::WalName;
use crate::text::shorten;

/// The longest error that is told.
const LONGEST: usize = 300;

/// The Backup of that name is done, and could be restored as far as anybody can tell.
pub(super) fn done(a: &Asked<'_>, name: &str) -> Told {
    let (object, mut evidence) = said(a, name)?;
    evidence.push(arrived(a, object)?);
    evidence.extend(size(a, object));
    Ok(evidence)
}

/// It says that it is completed; its last segment may still be on its way.
pub(super) fn completed(a: &Asked<'_>, name: &str) -> Told {
    said(a, name).map(|(_, evidence)| evidence)
}

/// The object, where it says completed, and what it tells.
fn said<'a>(a: &Asked<'a>, name: &str) -> Result<(&'a BackupObject, Vec<String>), Proof> {
    if a.unreadable("backups") {
        return missing(format!("Backup {name} can't be read here: a right to list backups is missing"));
    }
    a.watched("backups")?;
    let Some(object) = find(a.cluster, name) else { return missing(format!("Backup {name} is not seen yet")) };
    if object.is_failed() || object.phase.as_deref() == Some("walArchivingFailing") {
        return Err(Proof::Never(format!("Backup {name} {}", failed(object))));
    }
    if !object.is_completed() {
        return missing(format!("Backup {name} {}", stage(object)));
    }
    let mut evidence = vec![taken(object)];
    evidence.extend(segments(object));
    Ok((object, evidence))
}

fn find<'a>(cluster: &'a Cluster, name: &str) -> Option<&'a BackupObject> {
    cluster.backups.objects.iter().map(|b| &**b).find(|b| b.name == *name)
}

/// How far the Backup of that name is, in words; `None`: it is not seen.
pub fn stage_of(facts: &Facts, cluster: &Cluster, name: &str) -> Option<String> {
    facts.clusters.get(&cluster.key).and_then(|c| find(c, name)).map(stage)
}

fn stage(object: &BackupObject) -> String {
    let on = object.instance.as_ref().map(|i| format!(" on {i}")).unwrap_or_default();
    match object.phase.as_deref() {
        None => "is asked for, and the operator has not looked at it yet".into(),
        Some("pending") => "is pending: it waits for another backup, or for an instance that can take it".into(),
        Some("started") => format!("is started{on}: the instance was told to begin"),
        Some("running") => format!("is running{on}"),
        Some("finalizing") => format!("is being finalized{on}: its files are there, what is told of it is not"),
        Some("completed") => match &object.end_wal {
            Some(wal) => format!("says completed; its last WAL {wal} must be in the archive, too"),
            None => "says completed".into(),
        },
        Some("failed" | "invalid backup definition" | "walArchivingFailing") => failed(object),
        Some(other) => format!("says {other}{on}"),
    }
}

fn failed(object: &BackupObject) -> String {
    let why = object.error.as_ref().map_or_else(|| "nobody says why".to_owned(), |e| shorten(e, LONGEST));
    match object.phase.as_deref() {
        Some("walArchivingFailing") => format!("can't be completed, WAL archiving fails: {why}"),
        Some("invalid backup definition") => format!("is not valid: {why}"),
        _ => format!("failed: {why}"),
    }
}

fn taken(object: &BackupObject) -> String {
    let id = object.backup_id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
    let on = object.instance.as_ref().map(|i| format!(", from {i}")).unwrap_or_default();
    // Told in whole seconds.
    let took = object.started.zip(object.stopped).map(|(from, to)| to.duration_since(from));
    let took = took.map(|took| match took.as_secs() {
        0 => ", within a second".to_owned(),
        _ => format!(", in {}", span(took)),
    });
    format!("Backup {}: completed{id}{on}{}", object.name, took.unwrap_or_default())
}

fn segments(object: &BackupObject) -> Option<String> {
    let (begin, end) = (object.begin_wal.as_deref()?, object.end_wal.as_deref()?);
    Some(format!("it needs WAL {begin} to {end}"))
}

/// Its last segment is in the archive, and who says so.
fn arrived(a: &Asked<'_>, object: &BackupObject) -> Result<String, Proof> {
    let archiving = &a.cluster.archiving;
    if archiving.by.is_none() || archiving.skipped {
        return Ok("no WAL is archived: none is waited for".into());
    }
    let Some(end) = object.end_wal.as_deref().and_then(|w| w.parse::<WalName>().ok()) else {
        return Ok("it tells of no last WAL segment: none is waited for".into());
    };
    if let Some(listing) = a.facts.stores.get(&a.cluster.key)
        && listing.archive.holds(end)
    {
        return Ok(format!("the store's listing of {:.0}: {end} is there", listing.asked));
    }
    let Some(primary) = &a.cluster.primary else { return missing(format!("it waits for {end}: nobody leads")) };
    match archiver(a, primary) {
        Archiver::Says(witness, last) if last.timeline == end.timeline => {
            if last < end {
                return missing(waits(a, end, &format!("{witness}: the last one is {last}")));
            }
            let later = if last > end { format!(", the last one is {last}") } else { String::new() };
            Ok(format!("{witness}: {end} is archived{later}"))
        }
        Archiver::Says(witness, last) => {
            let text = format!("{witness}: it archives another timeline by now, {last}; only the store can tell");
            missing(waits(a, end, &text))
        }
        Archiver::Nothing(witness) => missing(waits(a, end, &format!("{witness}: it tells of nothing archived"))),
        Archiver::Silent(why) => missing(format!("it says completed; whether {end} is archived is asked: {why}")),
        Archiver::Mute(why) => Ok(format!("whether its last WAL {end} is in the archive can't be told: {why}")),
    }
}

fn waits(a: &Asked<'_>, end: WalName, told: &str) -> String {
    let timeout = a.cluster.parameters.get("archive_timeout").map(|t| format!(" of {t}")).unwrap_or_default();
    format!(
        "it says completed; its last WAL {end} is not in the archive yet, and comes when it is full or after \
         archive_timeout{timeout} ({told})"
    )
}

enum Archiver {
    /// Who says it, and the last segment it archived.
    Says(String, WalName),
    /// It answers, and has archived nothing since it started.
    Nothing(String),
    /// No answer yet.
    Silent(String),
    /// Nobody may be asked.
    Mute(String),
}

/// What the primary says of its archiver, asked since the step began: by SQL, else by `/pg/status`.
fn archiver(a: &Asked<'_>, primary: &InstanceName) -> Archiver {
    let (sql, status) = (a.sql(primary), a.status(primary));
    if let Some((Ok(s), _)) = &sql
        && let Some(reading) = &s.archiver
    {
        let witness = format!("pg_stat_archiver on {primary}");
        let last = reading.last_archived.as_ref().and_then(|(wal, _)| wal.parse().ok());
        return last.map_or(Archiver::Nothing(witness.clone()), |last| Archiver::Says(witness, last));
    }
    let witness = format!("/pg/status of {primary}");
    match (sql, status) {
        (_, Some((Ok(s), _))) => match s.last_archived.as_ref().and_then(|(wal, _)| wal.parse().ok()) {
            Some(last) => Archiver::Says(witness, last),
            None if s.is_archiving.is_some() => Archiver::Nothing(witness),
            None => Archiver::Mute(format!("{witness} hides the archiver, and the store was not listed")),
        },
        (sql, Some((Err(silence), _))) if silence.kind == SilenceKind::Forbidden && !pending(sql.map(|(s, _)| s)) => {
            Archiver::Mute(format!("{witness}: {}; and the store was not listed", silence.why))
        }
        _ => Archiver::Silent(a.silence(primary)),
    }
}

/// SQL may yet answer.
fn pending<T>(sql: Option<Result<T, &Silence>>) -> bool {
    matches!(sql, Some(Err(silence)) if silence.kind != SilenceKind::Forbidden)
}

/// What lies in the store of it.
fn size(a: &Asked<'_>, object: &BackupObject) -> Option<String> {
    let listing = a.facts.stores.get(&a.cluster.key)?;
    let base = listing.archive.bases.get(object.backup_id.as_deref()?).filter(|b| b.files > 0)?;
    let files = if base.files == 1 { "a file".to_owned() } else { format!("{} files", base.files) };
    Some(format!("the store has {} of it in {files}", storage(base.bytes)))
}
