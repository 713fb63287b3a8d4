//! The base backup a recovery begins with.
//!
//! CloudNativePG takes the newest finished one that ended at or before the time, or before the position, on whatever
//! timeline, and asks nothing of the WAL behind it (`barman-cloud:pkg/catalog/catalog.go`, `FindBackupInfo`). Here it is the
//! newest from which the target can be reached; the manifest names it, so that no other is taken.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

use super::{RecoveryTarget, Refused};
use crate::domain::backup::catalog::{Catalog, Entry};
use crate::domain::backup::continuity::{Continuity, Restorable, Window};
use crate::domain::lsn::Lsn;
use crate::domain::quantity::{bytes, count};
use crate::domain::wal::{Timeline, WalName};

/// How a target will be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plotted {
    /// Where it ends.
    pub target: RecoveryTarget,
    /// What it begins with.
    pub base: ChosenBase,
    /// What can be recovered with that one.
    pub window: Window,
    /// The WAL in between.
    pub replay: Replay,
    /// The timeline that has to be named, where the base backup is off the way to the newest one.
    pub lead_to: Option<Timeline>,
    /// The base backup that CloudNativePG would take by itself, where that is another one.
    pub by_itself: Option<String>,
}

/// The base backup that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenBase {
    /// The store's name for it.
    pub id: String,
    /// The Backup object's name, where there is one.
    pub object: Option<String>,
    /// The timeline it was taken on.
    pub timeline: Option<Timeline>,
    /// When it ended: the oldest moment it can be led to.
    pub ended: Option<Timestamp>,
    /// Where it is consistent.
    pub reached: Option<Lsn>,
    /// Bytes in the store.
    pub stored: Option<u64>,
    /// Bytes of the data directory when it was taken.
    pub data: Option<u64>,
    /// PostgreSQL's version number when it was taken.
    pub version: Option<u32>,
    /// Tablespaces in it.
    pub tablespaces: Vec<String>,
}

/// The WAL that will be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The first segment, where it is known.
    pub first: Option<WalName>,
    /// Segments.
    pub segments: u64,
    /// Their bytes, unpacked.
    pub bytes: u64,
    /// It may be less: where in the WAL the target lies is not known before it is read.
    pub at_most: bool,
}

impl Replay {
    /// `at most 3 segments of WAL (50 MB)`.
    pub fn words(&self) -> String {
        let most = if self.at_most { "at most " } else { "" };
        let segments = if self.segments == 1 { "segment" } else { "segments" };
        format!("{most}{} {segments} of WAL ({})", count(self.segments), bytes(self.bytes))
    }
}

impl Plotted {
    /// How far the target is from the last WAL in the archive; `None`: it is no time, or the archive's end is not known.
    pub fn to_the_end(&self) -> Option<SignedDuration> {
        Some(self.window.until?.duration_since(self.target.time()?))
    }
}

/// A base backup that can be restored, and how far.
#[derive(Clone, Copy)]
struct Usable<'a> {
    entry: &'a Entry,
    id: &'a str,
    window: &'a Window,
}

/// How a target will be reached: from that base backup (its id, or its Backup's name), else from the newest that leads to it.
///
/// # Errors
/// It can't be; why, by name.
pub fn choose(catalog: &Catalog, target: &RecoveryTarget, backup: Option<&str>) -> Result<Plotted, Refused> {
    let continuity = catalog.continuity.as_ref().filter(|_| catalog.whole).ok_or(Refused::Unlisted)?;
    let usable = usable(catalog, continuity);
    let chosen = match (backup, target) {
        (Some(name), _) => {
            asked_for(catalog, &usable, name).and_then(|one| reaches(one, target, continuity, &usable).map(|()| one))?
        }
        (None, RecoveryTarget::Xid(_) | RecoveryTarget::Name(_)) => return Err(Refused::WhichBase),
        (None, _) => newest(catalog, &usable, target, continuity)?,
    };
    let own = by_itself(catalog, target).filter(|own| own != chosen.id);
    Ok(Plotted {
        target: target.clone(),
        base: base(chosen),
        window: chosen.window.clone(),
        replay: replay(catalog, chosen, target, continuity.segment_size),
        lead_to: lead_to(chosen, continuity),
        by_itself: own,
    })
}

/// Base backups in the store that can be restored, newest first.
fn usable<'a>(catalog: &'a Catalog, continuity: &'a Continuity) -> Vec<Usable<'a>> {
    let usable = catalog.entries.iter().filter_map(|entry| {
        let id = entry.id.as_deref().filter(|_| is_in_store(entry) && entry.restorable == Some(Restorable::Yes))?;
        let window = continuity.windows.iter().find(|w| w.bases.iter().any(|b| b == id))?;
        Some(Usable { entry, id, window })
    });
    let mut usable: Vec<_> = usable.collect();
    usable.sort_by_key(|u| Reverse((u.entry.ended(), u.entry.begin_wal())));
    usable
}

fn is_in_store(entry: &Entry) -> bool {
    entry.stored.is_some() && !entry.is_snapshot()
}

fn asked_for<'a>(catalog: &Catalog, usable: &[Usable<'a>], name: &str) -> Result<Usable<'a>, Refused> {
    let named = |e: &&Entry| e.id.as_deref() == Some(name) || e.object.as_ref().is_some_and(|o| o.name == name);
    let entry = catalog.entries.iter().find(named).ok_or_else(|| Refused::NoSuchBase(name.to_owned()))?;
    let id = entry.id.as_deref().unwrap_or(name);
    let found = usable.iter().find(|u| u.id == id).copied();
    found.ok_or_else(|| Refused::BadBase { id: id.to_owned(), why: why_not(entry) })
}

/// Why a base backup can't be restored.
fn why_not(entry: &Entry) -> String {
    if entry.is_snapshot() {
        return "it consists of volume snapshots, and this restores from the object store".into();
    }
    match &entry.restorable {
        Some(Restorable::Misses(gap)) if gap.count == 1 => format!("WAL {} is not in the archive", gap.first),
        Some(Restorable::Misses(gap)) => {
            format!("{} segments of WAL from {} to {} are not in the archive", gap.count, gap.first, gap.last)
        }
        Some(Restorable::Awaits(end)) => format!("its last WAL {end} is not in the archive yet"),
        Some(Restorable::Unfinished(status)) => format!("it is not finished: {status}"),
        Some(Restorable::Failed) => "it failed".into(),
        Some(Restorable::Unknown(why)) => why.clone(),
        Some(Restorable::Yes) => "no WAL follows it".into(),
        None => entry.flags.first().map_or_else(|| "it is not in the store".into(), |flag| flag.reason.clone()),
    }
}

fn newest<'a>(
    catalog: &Catalog,
    usable: &[Usable<'a>],
    target: &RecoveryTarget,
    continuity: &Continuity,
) -> Result<Usable<'a>, Refused> {
    let Some(first) = usable.first() else {
        let newest = catalog.entries.iter().find(|e| is_in_store(e));
        return Err(Refused::Nothing(newest.map(|e| format!("{}: {}", e.name(), why_not(e)))));
    };
    let mut refused: Option<(Option<Timestamp>, Refused)> = None;
    for one in usable {
        match reaches(*one, target, continuity, usable) {
            Ok(()) => return Ok(*one),
            Err(Refused::BaseTooLate { .. }) => {}
            // Of those that don't get there, the one that gets furthest tells why.
            Err(why) if refused.as_ref().is_none_or(|(until, _)| one.window.until > *until) => {
                refused = Some((one.window.until, why));
            }
            Err(_) => {}
        }
    }
    let oldest = usable.last().unwrap_or(first);
    let before = Refused::Before { first: oldest.entry.ended(), lsn: oldest.entry.reached() };
    Err(refused.map_or(before, |(_, why)| why))
}

/// Whether a base backup can be led to a target.
fn reaches(
    one: Usable<'_>,
    target: &RecoveryTarget,
    continuity: &Continuity,
    all: &[Usable<'_>],
) -> Result<(), Refused> {
    let (entry, window) = (one.entry, one.window);
    let late = || Refused::BaseTooLate { id: one.id.to_owned(), ended: entry.ended(), lsn: entry.reached() };
    match target {
        RecoveryTarget::Time(at) if entry.ended().is_none_or(|end| end > *at) => Err(late()),
        // Stores tell the second in which something was stored, and no more.
        RecoveryTarget::Time(at) if window.until.is_none_or(|until| until.as_second() < at.as_second()) => {
            Err(beyond(window, Some(*at), continuity, all))
        }
        RecoveryTarget::Lsn(at) if entry.reached().is_none_or(|end| end >= *at) => {
            let Refused::BaseTooLate { id, lsn, .. } = late() else { return Err(late()) };
            Err(Refused::BaseTooLate { id, ended: None, lsn })
        }
        RecoveryTarget::Lsn(at)
            if at.0 >= (window.last.number(continuity.segment_size) + 1) * continuity.segment_size =>
        {
            Err(beyond(window, None, continuity, all))
        }
        RecoveryTarget::Latest
            if !window.is_open() || !continuity.unreachable.is_empty() || lead_to(one, continuity).is_some() =>
        {
            Err(beyond(window, None, continuity, all))
        }
        _ => Ok(()),
    }
}

/// What lies between the end of a window and a target behind it.
fn beyond(window: &Window, at: Option<Timestamp>, continuity: &Continuity, all: &[Usable<'_>]) -> Refused {
    if let Some(gap) = &window.gap {
        let again = all.iter().filter(|u| u.window.last > window.last).filter_map(|u| u.entry.ended()).min();
        return Refused::BeyondGap { gap: gap.clone(), until: window.until, again };
    }
    if let Some((timeline, why)) = continuity.unreachable.iter().find(|(t, _)| **t > window.timeline) {
        return Refused::Unreachable { timeline: *timeline, why: why.clone() };
    }
    let seconds = at.zip(window.until).map(|(at, until)| at.as_second() - until.as_second());
    Refused::BeyondEnd { last: window.last, stored: window.until, seconds }
}

/// The timeline to be named: a base backup that was taken on a piece of a timeline that the newest one does not come from
/// is led to the end of that piece, or PostgreSQL refuses ("is not a child of this server's history").
fn lead_to(one: Usable<'_>, continuity: &Continuity) -> Option<Timeline> {
    let own = one.entry.timeline()?;
    let on_the_way = continuity.way.iter().any(|leg| {
        leg.timeline == own && leg.left.is_none_or(|left| one.entry.reached().is_none_or(|reached| reached <= left))
    });
    (!on_the_way).then_some(one.window.timeline)
}

/// CloudNativePG's own choice.
fn by_itself(catalog: &Catalog, target: &RecoveryTarget) -> Option<String> {
    use crate::domain::backup::BackupStatus;
    let done =
        |e: &&Entry| e.stored.as_ref().and_then(|s| s.info.as_ref()).is_some_and(|i| i.status == BackupStatus::Done);
    let fits = |e: &&Entry| match target {
        RecoveryTarget::Time(at) => e.ended().is_some_and(|end| end <= *at),
        RecoveryTarget::Lsn(at) => e.reached().is_some_and(|end| end < *at),
        _ => true,
    };
    catalog.entries.iter().filter(done).filter(fits).max_by_key(|e| e.ended()).and_then(|e| e.id.clone())
}

fn base(one: Usable<'_>) -> ChosenBase {
    let entry = one.entry;
    let info = entry.stored.as_ref().and_then(|s| s.info.as_ref());
    ChosenBase {
        id: one.id.to_owned(),
        object: entry.object.as_ref().map(|o| o.name.clone()),
        timeline: entry.timeline(),
        ended: entry.ended(),
        reached: entry.reached(),
        stored: entry.bytes(),
        data: info.and_then(|i| i.cluster_size),
        version: info.and_then(|i| i.version),
        tablespaces: info.map(|i| i.tablespaces.iter().map(|t| t.name.clone()).collect()).unwrap_or_default(),
    }
}

fn replay(catalog: &Catalog, one: Usable<'_>, target: &RecoveryTarget, size: u64) -> Replay {
    let number = |wal: WalName| wal.number(size);
    let (last, at_most) = match target {
        RecoveryTarget::Latest => (number(one.window.last), false),
        RecoveryTarget::Lsn(at) => (at.0 / size, false),
        RecoveryTarget::Immediate => (one.entry.end_wal().map_or_else(|| number(one.window.last), number), false),
        RecoveryTarget::Xid(_) | RecoveryTarget::Name(_) => (number(one.window.last), true),
        RecoveryTarget::Time(at) => {
            // A base backup that began later ended behind it.
            let later =
                catalog.entries.iter().filter(|e| is_in_store(e) && e.started().is_some_and(|began| began >= *at));
            let later = later.filter_map(Entry::end_wal).map(number).min();
            (later.unwrap_or(u64::MAX).min(number(one.window.last)), true)
        }
    };
    let first = one.entry.begin_wal();
    let segments = first.map_or(0, |first| (last + 1).saturating_sub(number(first)));
    Replay { first, segments, bytes: segments.saturating_mul(size), at_most }
}
