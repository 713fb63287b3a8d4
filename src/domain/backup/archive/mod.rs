//! What an object store holds of one server, folded from its listing.
//!
//! Fed with one key after the other, in any order, page by page, it keeps stretches of segments and not segments: its
//! memory grows with the holes, the 4 GiB borders, the days and the base backups. What the small files say
//! (`backup.info`, histories) is told to it by whoever reads them: [`Archive::unread`] names those worth a read.
//!
//! It must not know how a store is listed, nor judge what it holds: that is [`super::continuity`].

mod history;
mod key;
mod runs;
#[cfg(test)]
mod tests;

pub use history::{BadHistory, History, Left};
pub use key::{Key, Packing};
pub use runs::{Run, Runs};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::info::BackupInfo;
use crate::domain::wal::{DEFAULT_SEGMENT, Timeline, WalName};
use crate::text::{clean, shorten};

/// What the store holds of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// WAL by timeline.
    pub timelines: BTreeMap<Timeline, TimelineWal>,
    /// Base backups by id.
    pub bases: BTreeMap<String, Base>,
    /// History files by the timeline they are about.
    pub histories: BTreeMap<Timeline, HistoryFile>,
    /// What was stored per day, WAL and base backups, by days since 1970 (UTC) of the time it was stored.
    pub days: BTreeMap<i64, Day>,
    /// Keys taken in that are part of the layout, counted once for each time they were fed.
    pub keys: u64,
    /// Keys that are nothing of Barman's layout.
    pub unknown: u64,
    /// One of those, to be shown.
    pub stranger: Option<String>,
}

/// Segments of one timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineWal {
    /// Whole segments.
    pub runs: Runs,
    /// Their bytes as stored.
    pub bytes: u64,
    /// When the newest segment was stored.
    pub newest: Option<Timestamp>,
    /// Segments that are there as `.partial`, with when they were stored.
    pub partial: BTreeMap<WalName, Timestamp>,
    /// Segments that base backups left a label beside (`.backup`).
    pub labels: BTreeSet<WalName>,
    /// The packing of the segment stored last.
    pub packing: Packing,
}

/// A base backup's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its `backup.info`, where there is one.
    pub info: Option<SmallFile<BackupInfo>>,
    /// Its other files.
    pub files: u32,
    /// Their bytes as stored.
    pub bytes: u64,
    /// When the last of its files was stored.
    pub newest: Option<Timestamp>,
    /// `barman-cloud-backup-keep` was said of it: retention leaves it alone.
    pub kept: bool,
    /// Files seen, so that one fed twice counts once.
    seen: BTreeMap<String, u64>,
}

/// A small file that is read whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallFile<T> {
    /// Its key, relative to the server's folder.
    pub key: String,
    /// When it was stored.
    pub stored: Timestamp,
    /// What it says.
    pub text: Reading<T>,
}

/// How far the reading of a small file has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading<T> {
    /// Not yet read.
    Unread,
    /// Read.
    Read(T),
    /// It was read and can't be understood, or can't be read; in words.
    Bad(String),
}

/// A history file.
pub type HistoryFile = SmallFile<History>;

/// What was stored on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// WAL segments.
    pub segments: u64,
    /// Their bytes.
    pub wal: u64,
    /// Bytes of base backups.
    pub base: u64,
}

impl<T> SmallFile<T> {
    fn unread(key: &str, stored: Timestamp) -> Self {
        SmallFile { key: key.to_owned(), stored, text: Reading::Unread }
    }

    /// What it says, where it was read and understood.
    pub fn said(&self) -> Option<&T> {
        if let Reading::Read(said) = &self.text { Some(said) } else { None }
    }
}

/// Seen again: read again only where it was stored anew.
fn again<T>(slot: &mut Option<SmallFile<T>>, key: &str, stored: Timestamp) {
    if slot.as_ref().is_none_or(|s| s.stored != stored) {
        *slot = Some(SmallFile::unread(key, stored));
    }
}

impl Archive {
    /// Takes one object in: its key relative to the server's folder (`base/…`, `wals/…`), its bytes, and when it was
    /// stored. In any order; one that was taken in before changes nothing but its times.
    pub fn feed(&mut self, key: &str, size: u64, stored: Timestamp) {
        self.keys += 1;
        match Key::read(key) {
            Key::Segment(wal, packing) => self.segment(wal, packing, size, stored),
            Key::Partial(wal) => {
                self.timelines.entry(wal.timeline).or_default().partial.insert(wal, stored);
            }
            Key::Label(wal) => {
                self.timelines.entry(wal.timeline).or_default().labels.insert(wal);
            }
            Key::History(timeline, _) => {
                let mut slot = self.histories.remove(&timeline);
                again(&mut slot, key, stored);
                self.histories.extend(slot.map(|file| (timeline, file)));
            }
            Key::Info { backup } => again(&mut self.base(backup).info, key, stored),
            Key::Keep { backup } => self.base(backup).kept = true,
            Key::Data { backup } => self.data(backup, key, size, stored),
            Key::Unknown => {
                self.keys -= 1;
                self.unknown += 1;
                self.stranger.get_or_insert_with(|| shorten(&clean(key), 120));
            }
        }
    }

    fn segment(&mut self, wal: WalName, packing: Packing, size: u64, stored: Timestamp) {
        let timeline = self.timelines.entry(wal.timeline).or_default();
        if timeline.newest.is_none_or(|newest| stored >= newest) {
            (timeline.newest, timeline.packing) = (Some(stored), packing);
        }
        if timeline.runs.insert(wal, stored) {
            timeline.bytes += size;
            let day = self.days.entry(day(stored)).or_default();
            day.segments += 1;
            day.wal += size;
        }
    }

    fn base(&mut self, id: &str) -> &mut Base {
        self.bases.entry(clean(id)).or_default()
    }

    fn data(&mut self, id: &str, key: &str, size: u64, stored: Timestamp) {
        let base = self.base(id);
        base.newest = base.newest.max(Some(stored));
        let file = key.rsplit('/').next().unwrap_or_default();
        if base.seen.insert(file.to_owned(), size).is_none() {
            base.files += 1;
            base.bytes += size;
            self.days.entry(day(stored)).or_default().base += size;
        }
    }

    /// It holds the same objects: how often they were listed is no matter.
    pub fn holds_the_same(&self, other: &Archive) -> bool {
        let Archive { timelines, histories, bases, days, keys: _, unknown: _, stranger: _ } = self;
        (timelines, histories, bases, days) == (&other.timelines, &other.histories, &other.bases, &other.days)
    }

    /// Keys of small files that nobody read yet, newest first: `backup.info` and histories.
    pub fn unread(&self) -> Vec<&str> {
        fn open<T>(file: &SmallFile<T>) -> Option<(Timestamp, &str)> {
            matches!(file.text, Reading::Unread).then_some((file.stored, file.key.as_str()))
        }
        let infos = self.bases.values().filter_map(|b| open(b.info.as_ref()?));
        let mut all: Vec<_> = infos.chain(self.histories.values().filter_map(open)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.into_iter().map(|(_, key)| key).collect()
    }

    /// Tells what the small file of that key says (unpacked), or in words why it can't be read.
    pub fn tell(&mut self, key: &str, text: Result<&str, String>) {
        match Key::read(key) {
            Key::Info { backup } => {
                let Some(file) = self.bases.get_mut(&clean(backup)).and_then(|b| b.info.as_mut()) else { return };
                file.text = match text.map(BackupInfo::parse) {
                    Ok(Ok(info)) => Reading::Read(info),
                    Ok(Err(bad)) => Reading::Bad(bad.to_string()),
                    Err(why) => Reading::Bad(clean(&why)),
                };
            }
            Key::History(timeline, _) => {
                let Some(file) = self.histories.get_mut(&timeline) else { return };
                file.text = match text.map(|t| History::parse(timeline, t)) {
                    Ok(Ok(history)) => Reading::Read(history),
                    Ok(Err(bad)) => Reading::Bad(bad.to_string()),
                    Err(why) => Reading::Bad(clean(&why)),
                };
            }
            _ => {}
        }
    }

    /// Takes over what was read of small files that have not changed since: so a listing made anew reads only what is
    /// new.
    pub fn remember(&mut self, before: &Archive) {
        for (id, base) in &mut self.bases {
            let old = before.bases.get(id).and_then(|b| b.info.as_ref());
            if let (Some(new), Some(old)) = (base.info.as_mut(), old)
                && (new.stored == old.stored)
            {
                new.text = old.text.clone();
            }
        }
        for (timeline, new) in &mut self.histories {
            if let Some(old) = before.histories.get(timeline).filter(|old| old.stored == new.stored) {
                new.text = old.text.clone();
            }
        }
    }

    /// What the `backup.info` files that could be read say, by backup id.
    pub fn infos(&self) -> impl Iterator<Item = (&str, &BackupInfo)> {
        self.bases.iter().filter_map(|(id, b)| Some((id.as_str(), b.info.as_ref()?.said()?)))
    }

    /// The segment size in bytes: what the newest `backup.info` says, else the largest one that fits the names (at most
    /// the default).
    pub fn segment_size(&self) -> u64 {
        let told = self.infos().filter_map(|(_, i)| Some((i.begin, i.segment_size?))).max();
        told.map(|(_, size)| size).unwrap_or_else(|| {
            let highest = self.timelines.values().map(|t| t.runs.highest_in_log()).max().unwrap_or(0);
            let mut size = DEFAULT_SEGMENT;
            while size > 1 << 20 && (1u64 << 32) / size <= highest {
                size /= 2;
            }
            size
        })
    }

    /// When the newest segment of any timeline was stored.
    pub fn newest(&self) -> Option<Timestamp> {
        self.timelines.values().filter_map(|t| t.newest).max()
    }

    /// Whole segments of all timelines.
    pub fn segments(&self) -> u64 {
        self.timelines.values().map(|t| t.runs.count()).sum()
    }

    /// Bytes of WAL as stored.
    pub fn wal_bytes(&self) -> u64 {
        self.timelines.values().map(|t| t.bytes).sum()
    }

    /// Bytes of base backups as stored.
    pub fn base_bytes(&self) -> u64 {
        self.bases.values().map(|b| b.bytes).sum()
    }

    /// Bytes stored a day, WAL and base backups apart, over the last whole days before today: at most seven, at least
    /// one. `None` before a day has passed since the first object.
    pub fn growth(&self, now: Timestamp) -> Option<(u64, u64)> {
        let today = day(now);
        let first = *self.days.keys().next()?;
        let days = (today - first).min(7);
        let range = self.days.range(today - days.max(0)..today);
        let sum = range.fold((0, 0), |(wal, base), (_, d)| (wal + d.wal, base + d.base));
        (days > 0).then(|| (sum.0 / days as u64, sum.1 / days as u64))
    }
}

fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}
