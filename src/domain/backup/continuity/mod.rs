//! What the archive can bring back: is every segment there from the oldest usable base backup to now?
//!
//! It follows PostgreSQL's recovery. A recovery reads a segment of the newest timeline of its way that had begun by
//! then: the segment in which a timeline was left is read of its successor, which holds a copy of its beginning.
//! Therefore the `.partial` that the last primary of the old timeline leaves there is never asked for (`restore_command`
//! is given plain segment names alone) and counts as absent; whoever wants to recover *on* the old timeline to its very
//! end has to rename it by hand. A way is known by the history file of the timeline it leads to; without that file no
//! recovery gets there.

#[cfg(test)]
mod tests;
mod way;

pub use way::{Gap, Leg};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::archive::{Archive, Reading};
use super::info::{BackupInfo, BackupStatus};
use crate::domain::lsn::Lsn;
use crate::domain::wal::{Timeline, WalName};
use way::Ground;

/// What the archive can bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuity {
    /// Bytes of a segment.
    pub segment_size: u64,
    /// The way to the newest timeline, oldest leg first. Empty where the archive is.
    pub way: Vec<Leg>,
    /// What is missing from the oldest usable base backup on: on the way, and on the ways of backups that are off it.
    pub gaps: Vec<Gap>,
    /// Timelines that can't be reached, with why.
    pub unreachable: BTreeMap<Timeline, String>,
    /// Base backups by id.
    pub bases: BTreeMap<String, Restorable>,
    /// What can be recovered, oldest first.
    pub windows: Vec<Window>,
    /// The newest segment of the newest timeline that has one, and when it was stored.
    pub last: Option<(WalName, Timestamp)>,
}

/// Whether a base backup can be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restorable {
    /// All it needs is there.
    Yes,
    /// It is not done: its status in words.
    Unfinished(String),
    /// It failed.
    Failed,
    /// WAL it needs is missing.
    Misses(Gap),
    /// Its last segment is not there, and nothing later is: it may still come.
    Awaits(WalName),
    /// It can't be told, in words.
    Unknown(String),
}

/// A span of time to any moment of which a recovery can be led.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The end of its oldest base backup.
    pub from: Option<Timestamp>,
    /// The position that backup is consistent at.
    pub from_lsn: Option<Lsn>,
    /// The last segment without a gap before it.
    pub last: WalName,
    /// When that one was stored: what was committed later is not in it. Never before `from`: of two clocks that differ, or
    /// of a store that knows whole seconds only, the one of the base backup counts.
    pub until: Option<Timestamp>,
    /// The timeline it ends on.
    pub timeline: Timeline,
    /// What ends it; `None`: it goes on as WAL is archived.
    pub gap: Option<Gap>,
    /// Base backups it can be recovered from, oldest first.
    pub bases: Vec<String>,
}

impl Window {
    /// It grows with what is archived now.
    pub fn is_open(&self) -> bool {
        self.gap.is_none()
    }
}

/// What a usable base backup needs to know to be recovered from.
struct Usable<'a> {
    id: &'a str,
    info: &'a BackupInfo,
    timeline: Timeline,
    begin: u64,
    legs: Vec<Leg>,
}

impl Continuity {
    /// Looks at an archive.
    pub fn of(archive: &Archive) -> Self {
        let ground = Ground::new(archive);
        let newest = ground.timelines().last().copied();
        let way = newest.map(|t| ground.way(t)).unwrap_or_default();
        let bases: BTreeMap<String, Restorable> =
            archive.bases.keys().map(|id| (id.clone(), restorable(archive, &ground, id))).collect();
        let mut usable: Vec<Usable<'_>> = bases
            .iter()
            .filter(|(_, r)| matches!(r, Restorable::Yes | Restorable::Misses(_) | Restorable::Awaits(_)))
            .filter_map(|(id, _)| usable(archive, &ground, id))
            .collect();
        usable.sort_by_key(|u| (u.info.reached(), u.begin));
        let mut gaps = gaps(&ground, &usable);
        gaps.extend(unarchived(&ground, &usable, &bases));
        gaps.sort_by_key(|g| g.first);
        gaps.dedup();
        let usable: Vec<_> = usable.into_iter().filter(|u| bases[u.id] == Restorable::Yes).collect();
        Continuity {
            segment_size: ground.size,
            gaps,
            unreachable: ground.histories().into_iter().collect(),
            windows: windows(&ground, &usable),
            last: last(&ground),
            bases,
            way,
        }
    }

    /// Whether the WAL from `begin` to `end` is there for a backup whose data lies elsewhere (a volume snapshot),
    /// consistent at `reached`.
    pub fn needs(archive: &Archive, begin: WalName, end: WalName, reached: Option<Lsn>) -> Restorable {
        let ground = Ground::new(archive);
        let mut legs = ground.way(ground.target(begin.timeline, reached));
        let own = legs.iter().position(|l| l.timeline == begin.timeline).unwrap_or_default();
        legs.drain(..own);
        needs(&ground, &legs, begin.timeline, (begin.number(ground.size), end.number(ground.size)))
    }

    /// Nothing is missing that should be there.
    pub fn is_whole(&self) -> bool {
        self.gaps.is_empty() && self.unreachable.is_empty()
    }

    /// The window a moment is in.
    pub fn window_at(&self, at: Timestamp) -> Option<&Window> {
        let holds = |w: &&Window| w.from.is_some_and(|f| f <= at) && w.until.is_some_and(|u| at <= u);
        self.windows.iter().rev().find(holds)
    }
}

fn last(ground: &Ground<'_>) -> Option<(WalName, Timestamp)> {
    let with_wal = ground.timelines().into_iter().rev().find_map(|t| Some((t, ground.runs(t).last()?)));
    with_wal.map(|(t, run)| (ground.name(t, run.last), run.last_at))
}

/// The file as far as it was read, else why it says nothing.
fn info<'a>(archive: &'a Archive, id: &str) -> Result<&'a BackupInfo, Restorable> {
    let file = archive.bases.get(id).and_then(|b| b.info.as_ref());
    match file.map(|f| &f.text) {
        None => Err(Restorable::Unfinished("it has no backup.info".into())),
        Some(Reading::Unread) => Err(Restorable::Unknown("its backup.info was not read yet".into())),
        Some(Reading::Bad(why)) => Err(Restorable::Unknown(format!("its backup.info can't be used: {why}"))),
        Some(Reading::Read(info)) => Ok(info),
    }
}

fn usable<'a>(archive: &'a Archive, ground: &Ground<'_>, id: &'a str) -> Option<Usable<'a>> {
    let info = info(archive, id).ok()?;
    let begin = info.begin_wal?;
    let timeline = info.timeline.unwrap_or(begin.timeline);
    let mut legs = ground.way(ground.target(timeline, info.end_lsn));
    let own = legs.iter().position(|l| l.timeline == timeline)?;
    legs.drain(..own);
    Some(Usable { id, info, timeline, begin: begin.number(ground.size), legs })
}

fn restorable(archive: &Archive, ground: &Ground<'_>, id: &str) -> Restorable {
    let info = match info(archive, id) {
        Ok(info) => info,
        Err(verdict) => return verdict,
    };
    match &info.status {
        BackupStatus::Done => {}
        BackupStatus::Failed => return Restorable::Failed,
        BackupStatus::Untold => return Restorable::Unknown("its backup.info names no status".into()),
        other => return Restorable::Unfinished(other.word().to_owned()),
    }
    if archive.bases.get(id).is_some_and(|b| b.files == 0) {
        return Restorable::Unfinished("its data is not in the store".into());
    }
    let (Some(base), Some(end)) = (usable(archive, ground, id), info.end_wal) else {
        return Restorable::Unknown("its backup.info does not name the WAL it needs".into());
    };
    needs(ground, &base.legs, base.timeline, (base.begin, end.number(ground.size)))
}

/// Whether all segments from `begin` to `end` are there for a recovery that takes these legs.
fn needs(ground: &Ground<'_>, legs: &[Leg], timeline: Timeline, (begin, end): (u64, u64)) -> Restorable {
    let there = |n: u64| {
        let of = legs.iter().rev().find(|l| l.first <= n).map_or(timeline, |l| l.timeline);
        ground.run(of, n).or_else(|| ground.run(timeline, n)).map(|r| r.last)
    };
    let mut number = begin;
    while number <= end {
        let Some(last) = there(number) else { break };
        number = last + 1;
    }
    if number > end {
        return Restorable::Yes;
    }
    // What is missing, up to the next one that is there.
    let after = ground.runs(timeline).iter().map(|r| r.first).find(|first| *first > number);
    // A timeline that was left, as a history says, is no longer written to.
    let later = after.is_some() || legs.len() > 1;
    if !later {
        return Restorable::Awaits(ground.name(timeline, end));
    }
    let last = after.map_or(end, |after| end.min(after - 1));
    Restorable::Misses(ground.missing(timeline, number, last, true))
}

/// Holes on the ways of all usable bases, each from its own begin.
fn gaps(ground: &Ground<'_>, usable: &[Usable<'_>]) -> Vec<Gap> {
    let mut all: Vec<Gap> = Vec::new();
    let mut seen: BTreeMap<Timeline, u64> = BTreeMap::new();
    for base in usable {
        // A later base on a way that was walked from an earlier segment finds nothing new.
        let target = base.legs.last().map_or(base.timeline, |l| l.timeline);
        if seen.get(&target).is_some_and(|begin| *begin <= base.begin) {
            continue;
        }
        seen.insert(target, base.begin);
        all.extend(ground.gaps(&base.legs, base.begin));
    }
    all
}

/// Segments that bases wait for at the end of the archive.
fn unarchived(ground: &Ground<'_>, usable: &[Usable<'_>], bases: &BTreeMap<String, Restorable>) -> Vec<Gap> {
    let waits = usable.iter().filter_map(|u| match &bases[u.id] {
        Restorable::Awaits(end) => Some((u, end)),
        _ => None,
    });
    let mut longest: BTreeMap<Timeline, Gap> = BTreeMap::new();
    for (base, end) in waits {
        let end = end.number(ground.size);
        let first = ground.runs(base.timeline).last().map_or(base.begin, |r| (r.last + 1).max(base.begin)).min(end);
        let gap = ground.missing(base.timeline, first, end, false);
        let known = longest.entry(base.timeline).or_insert_with(|| gap.clone());
        if gap.last > known.last {
            *known = gap;
        }
    }
    longest.into_values().collect()
}

fn windows(ground: &Ground<'_>, usable: &[Usable<'_>]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for base in usable {
        let reach = ground.reach(&base.legs, base.begin);
        let Some(last) = reach.last else { continue };
        if let Some(same) = windows.iter_mut().find(|w| w.last == last) {
            same.bases.push(base.id.to_owned());
            continue;
        }
        windows.push(Window {
            from: base.info.reached(),
            from_lsn: base.info.end_lsn,
            last,
            // A backup's own last segment may be stored, by the store's clock, a moment before the backup says it ended.
            until: reach.until.map(|until| base.info.reached().map_or(until, |from| until.max(from))),
            timeline: last.timeline,
            gap: reach.gap,
            bases: vec![base.id.to_owned()],
        });
    }
    windows
}
