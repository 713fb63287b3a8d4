//! What is wrong with a backup, or worth saying of it: a word and a sentence each.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::{Retention, Witnesses};
use crate::domain::backup::continuity::Restorable;
use crate::domain::backup::info::BackupStatus;
use crate::domain::health::Level;
use crate::domain::quantity::age;
use crate::text::shorten;

/// A base backup that began this long ago and is not done is left behind, not under way.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// How long the last segment of a backup may take to the archive before that is worth a warning as such.
const SETTLES: SignedDuration = SignedDuration::from_mins(10);

/// What a flag is about. Stable names: JSON carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlagKind {
    /// It can't be restored: WAL it needs is not in the archive.
    NotRestorable,
    /// Its last segment is not in the archive yet.
    Awaits,
    /// A Backup says it is completed; the store does not have it.
    NotInStore,
    /// It failed.
    Failed,
    /// It was begun and never ended.
    Abandoned,
    /// It is under way.
    Unfinished,
    /// Its files can't be understood.
    Unreadable,
    /// Retention no longer needs it.
    Expired,
    /// It lies in the store and no Backup tells of it.
    NoObject,
    /// A schedule did not do what it says.
    Behind,
    /// A schedule is suspended.
    Suspended,
}

impl FlagKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            FlagKind::NotRestorable => "not restorable",
            FlagKind::Awaits => "awaits WAL",
            FlagKind::NotInStore => "not in store",
            FlagKind::Failed => "failed",
            FlagKind::Abandoned => "abandoned",
            FlagKind::Unfinished => "running",
            FlagKind::Unreadable => "unreadable",
            FlagKind::Expired => "expired",
            FlagKind::NoObject => "no Backup",
            FlagKind::Behind => "behind",
            FlagKind::Suspended => "suspended",
        }
    }
}

/// A flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// What it is about.
    pub kind: FlagKind,
    /// How much it weighs; `Ok` is only worth saying.
    pub level: Level,
    /// In a sentence.
    pub reason: String,
}

impl Flag {
    pub(super) fn new(kind: FlagKind, level: Level, reason: impl Into<String>) -> Self {
        Flag { kind, level, reason: reason.into() }
    }
}

/// All flags of an entry but expiry, worst first.
pub(super) fn of(entry: &Entry, w: &Witnesses<'_>, now: Timestamp) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    flags.extend(outcome(entry, now));
    flags.extend(store(entry, w));
    flags.extend(snapshots(entry, w));
    flags.extend(wal(entry, w, now));
    if let Some(why) = entry.stored.as_ref().and_then(|s| s.unread.as_ref()).filter(|_| entry.object.is_none()) {
        flags.push(Flag::new(FlagKind::Unreadable, Level::Warn, why.clone()));
    }
    if entry.object.is_none() && w.objects.listed {
        let text = match entry.snapshots.first() {
            Some(_) => "no Backup object tells of its volume snapshots: a restore names them",
            None => "it lies in the store and no Backup object tells of it: a restore names it by its id",
        };
        flags.push(Flag::new(FlagKind::NoObject, Level::Ok, text));
    }
    sort(&mut flags);
    flags
}

pub(super) fn sort(flags: &mut [Flag]) {
    flags.sort_by(|a, b| (b.level, a.kind).cmp(&(a.level, b.kind)));
}

/// How it went, as the object and backup.info tell it.
fn outcome(entry: &Entry, now: Timestamp) -> Option<Flag> {
    let info = entry.stored.as_ref().and_then(|s| s.info.as_ref());
    let object = entry.object.as_deref();
    let failed = object.is_some_and(|o| o.is_failed()) || info.is_some_and(|i| i.status == BackupStatus::Failed);
    if failed {
        let why = object.and_then(|o| o.error.as_ref()).or(info.and_then(|i| i.error.as_ref()));
        let why = why.map_or_else(|| "nobody says why".to_owned(), |w| shorten(w, 160));
        return Some(Flag::new(FlagKind::Failed, Level::Warn, format!("it failed: {why}")));
    }
    let began = entry.started();
    let stale = began.is_some_and(|t| now.duration_since(t) > STALE);
    let since = began.map(|t| format!(" {} ago", age(t, now))).unwrap_or_default();
    match object {
        Some(o) if o.is_completed() => None,
        Some(o) => {
            let phase = o.phase.as_deref().unwrap_or("asked for");
            Some(match stale {
                true => Flag::new(FlagKind::Abandoned, Level::Warn, format!("it began{since} and still says {phase}")),
                false if o.is_held() => {
                    let text = format!("it began{since} and waits: WAL archiving fails");
                    Flag::new(FlagKind::Unfinished, Level::Warn, text)
                }
                false => Flag::new(FlagKind::Unfinished, Level::Ok, format!("it began{since} and says {phase}")),
            })
        }
        None => match info.map(|i| &i.status) {
            Some(BackupStatus::Done) | None => None,
            Some(status) => Some(match stale {
                true => Flag::new(
                    FlagKind::Abandoned,
                    Level::Warn,
                    format!("its backup.info says {} since it began{since}", status.word()),
                ),
                false => {
                    let text = format!("it began{since}, its backup.info says {}", status.word());
                    Flag::new(FlagKind::Unfinished, Level::Ok, text)
                }
            }),
        },
    }
}

/// A Backup says completed; is it in the store?
fn store(entry: &Entry, w: &Witnesses<'_>) -> Option<Flag> {
    let object = entry.object.as_deref().filter(|o| o.is_completed())?;
    let listing = w.store.filter(|l| l.whole)?;
    if entry.is_snapshot() || entry.stored.is_some() || !w.is_here(object) || object.backup_id.is_none() {
        return None;
    }
    // One that ended after the listing was begun may be there by now.
    if object.stopped.is_some_and(|t| t >= listing.asked) {
        return None;
    }
    let text = format!("Backup {} says completed, but the store does not have it: it can't be restored", object.name);
    Some(Flag::new(FlagKind::NotInStore, Level::Bad, text))
}

/// A Backup by snapshots is worth what its VolumeSnapshot objects are.
fn snapshots(entry: &Entry, w: &Witnesses<'_>) -> Option<Flag> {
    if !entry.is_snapshot() || !w.objects.snapshots_listed {
        return None;
    }
    let done = entry.object.as_deref().filter(|o| o.is_completed());
    let gone = done.and_then(|o| o.snapshots.iter().find(|s| !entry.snapshots.iter().any(|seen| seen.name == s.name)));
    if let Some(gone) = gone {
        let text = format!("it can't be restored: its VolumeSnapshot {} is gone", gone.name);
        return Some(Flag::new(FlagKind::NotRestorable, Level::Bad, text));
    }
    if done.is_some() && entry.snapshots.is_empty() {
        let text = "it can't be restored: none of its VolumeSnapshots is there";
        return Some(Flag::new(FlagKind::NotRestorable, Level::Bad, text));
    }
    let open = entry.snapshots.iter().find(|s| s.ready != Some(true))?;
    let (level, kind) = match (&open.error, done) {
        (_, Some(_)) => (Level::Bad, FlagKind::NotRestorable),
        (Some(_), None) => (Level::Warn, FlagKind::Unfinished),
        (None, None) => (Level::Ok, FlagKind::Unfinished),
    };
    let why = open.error.as_ref().map(|e| format!(": {}", shorten(e, 160))).unwrap_or_default();
    Some(Flag::new(kind, level, format!("its VolumeSnapshot {} is not ready{why}", open.name)))
}

/// Is the WAL it needs there?
fn wal(entry: &Entry, w: &Witnesses<'_>, now: Timestamp) -> Option<Flag> {
    let though = match entry.object.as_deref().filter(|o| o.is_completed()) {
        Some(o) => format!(", though Backup {} says completed", o.name),
        None => String::new(),
    };
    match entry.restorable.as_ref()? {
        Restorable::Misses(gap) if w.store.is_some_and(|s| gap.is_young(s.asked)) => {
            let text = format!("it can't be restored yet: {} is not in the archive, later WAL is", gap.first);
            Some(Flag::new(FlagKind::Awaits, Level::Warn, text))
        }
        Restorable::Misses(gap) if gap.count == 1 => {
            let text = format!("it can't be restored: {} is not in the archive{though}", gap.first);
            Some(Flag::new(FlagKind::NotRestorable, Level::Bad, text))
        }
        Restorable::Misses(gap) => {
            let (count, first, last) = (gap.count, gap.first, gap.last);
            let text = format!("it can't be restored: {count} segments from {first} to {last} are missing{though}");
            Some(Flag::new(FlagKind::NotRestorable, Level::Bad, text))
        }
        Restorable::Awaits(end) => {
            let late = entry.ended().is_some_and(|t| now.duration_since(t) > SETTLES);
            let text = format!("it can't be restored yet: its last WAL {end} is not in the archive{though}");
            Some(match late {
                true => Flag::new(FlagKind::NotRestorable, Level::Bad, text),
                false => Flag::new(FlagKind::Awaits, Level::Warn, text),
            })
        }
        _ => None,
    }
}

/// Marks what retention no longer needs.
pub(super) fn expiry(entries: &mut [Entry], retention: Option<(Retention, &str)>, now: Timestamp) {
    let Some((retention, words)) = retention else { return };
    let mut done: Vec<(usize, Timestamp)> = entries
        .iter()
        .enumerate()
        .filter(|(_, e)| e.is_done() && !e.is_snapshot())
        .filter_map(|(n, e)| Some((n, e.ended()?)))
        .collect();
    done.sort_by_key(|(_, end)| std::cmp::Reverse(*end));
    let ends: Vec<Timestamp> = done.iter().map(|(_, end)| *end).collect();
    for ((place, _), expired) in done.iter().zip(retention.expired(&ends, now)) {
        let entry = &mut entries[*place];
        if !expired || entry.stored.as_ref().is_some_and(|s| s.kept) {
            continue;
        }
        // Gone because it had expired: nothing is wrong with that.
        if let Some(gone) = entry.flags.iter_mut().find(|f| f.kind == FlagKind::NotInStore) {
            let reason = format!("it was older than the retention of {words} asks for, and is gone from the store");
            *gone = Flag::new(FlagKind::NotInStore, Level::Unknown, reason);
        } else {
            let text = format!("it is older than the retention of {words} needs: it will be removed");
            entry.flags.push(Flag::new(FlagKind::Expired, Level::Ok, text));
        }
        sort(&mut entry.flags);
    }
}
