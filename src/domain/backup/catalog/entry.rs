//! One backup, as all who know it tell it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Witnesses;
use super::flags::{Flag, FlagKind};
use crate::domain::backup::continuity::{Continuity, Restorable};
use crate::domain::backup::info::BackupInfo;
use crate::domain::cluster::{BackupObject, Snapshot};
use crate::domain::health::Level;
use crate::domain::lsn::Lsn;
use crate::domain::wal::{Timeline, WalName};

/// The method of a backup that consists of volume snapshots.
const SNAPSHOT: &str = "volumeSnapshot";

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The store's name for it.
    pub id: Option<String>,
    /// The Backup object, where there is one.
    pub object: Option<Arc<BackupObject>>,
    /// What the store holds of it, where it was listed and holds anything.
    pub stored: Option<Stored>,
    /// Its volume snapshots that were seen.
    #[serde(default)]
    pub snapshots: Vec<Arc<Snapshot>>,
    /// Whether it can be restored, where the archive was seen.
    pub restorable: Option<Restorable>,
    /// What is wrong with it or worth saying, worst first.
    pub flags: Vec<Flag>,
}

/// A base backup's folder in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its `backup.info`, where that could be read.
    pub info: Option<BackupInfo>,
    /// Why it could not.
    pub unread: Option<String>,
    /// Its files beside that one.
    pub files: u32,
    /// Their bytes.
    pub bytes: u64,
    /// When the last of them was stored.
    pub newest: Option<Timestamp>,
    /// Retention leaves it alone.
    pub kept: bool,
}

impl Entry {
    /// What it is called: the object's name, else the store's.
    pub fn name(&self) -> &str {
        let snapshot = || self.snapshot().map(|s| s.backup.as_deref().unwrap_or(&s.name));
        self.object.as_ref().map(|o| o.name.as_str()).or(self.id.as_deref()).or_else(snapshot).unwrap_or_default()
    }

    /// The snapshot that speaks for all of a backup: all carry the same labels.
    fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshots.first().map(|s| &**s)
    }

    fn info(&self) -> Option<&BackupInfo> {
        self.stored.as_ref()?.info.as_ref()
    }

    /// How it was taken: the object's word, else `barman` for what lies in the store.
    pub fn method(&self) -> &str {
        let seen = if self.snapshots.is_empty() { "barman" } else { SNAPSHOT };
        self.object.as_ref().and_then(|o| o.method.as_deref()).unwrap_or(seen)
    }

    /// When it began.
    pub fn started(&self) -> Option<Timestamp> {
        let object = self.object.as_ref();
        let seen = self.snapshot().and_then(|s| s.began.or(s.created));
        object.and_then(|o| o.started).or(self.info().and_then(|i| i.begin)).or(object.and_then(|o| o.created)).or(seen)
    }

    /// When it ended.
    pub fn ended(&self) -> Option<Timestamp> {
        let seen = self.snapshot().and_then(|s| s.ended);
        self.info().and_then(|i| i.end).or(self.object.as_ref().and_then(|o| o.stopped)).or(seen)
    }

    /// Where it stands in time.
    pub fn at(&self) -> Option<Timestamp> {
        self.ended().or(self.started()).or(self.stored.as_ref().and_then(|s| s.newest))
    }

    /// The first segment it needs.
    pub fn begin_wal(&self) -> Option<WalName> {
        let object = || self.object.as_ref()?.begin_wal.as_deref()?.parse().ok();
        self.info()
            .and_then(|i| i.begin_wal)
            .or_else(object)
            .or_else(|| self.snapshot()?.begin_wal.as_ref()?.parse().ok())
    }

    /// The last segment it needs.
    pub fn end_wal(&self) -> Option<WalName> {
        let object = || self.object.as_ref()?.end_wal.as_deref()?.parse().ok();
        self.info().and_then(|i| i.end_wal).or_else(object).or_else(|| self.snapshot()?.end_wal.as_ref()?.parse().ok())
    }

    /// The position it is consistent at.
    pub fn reached(&self) -> Option<Lsn> {
        self.info().and_then(|i| i.end_lsn).or(self.object.as_ref().and_then(|o| o.end_lsn))
    }

    /// The timeline it was taken on.
    pub fn timeline(&self) -> Option<Timeline> {
        self.info().and_then(|i| i.timeline).or(self.begin_wal().map(|w| w.timeline))
    }

    /// Bytes in the store, or of its snapshots' volumes.
    pub fn bytes(&self) -> Option<u64> {
        let snapshots: u64 = self.snapshots.iter().filter_map(|s| s.bytes).sum();
        self.stored.as_ref().map(|s| s.bytes).filter(|b| *b > 0).or(Some(snapshots).filter(|b| *b > 0))
    }

    /// It consists of volume snapshots: the store has only its WAL.
    pub fn is_snapshot(&self) -> bool {
        self.method() == SNAPSHOT
    }

    /// Whoever knows it best says that it is done.
    pub fn is_done(&self) -> bool {
        let told = self.object.as_ref().map(|o| o.is_completed());
        let snapshots = || !self.snapshots.is_empty() && self.snapshots.iter().all(|s| s.ready == Some(true));
        let info = || self.info().is_some_and(|i| i.status == crate::domain::backup::BackupStatus::Done);
        told.unwrap_or_else(|| info() || snapshots())
    }

    /// The verdict: how bad, and one word.
    pub fn verdict(&self) -> (Level, &'static str) {
        match self.flags.first() {
            Some(flag) if flag.level > Level::Ok => (flag.level, flag.kind.word()),
            Some(flag) if flag.kind == FlagKind::Unfinished => (Level::Ok, flag.kind.word()),
            first => match &self.restorable {
                Some(Restorable::Yes) => (Level::Ok, first.map_or("restorable", |f| f.kind.word())),
                _ => (Level::Unknown, "unproven"),
            },
        }
    }
}

/// One entry per backup, newest first, still without flags.
pub(super) fn join(w: &Witnesses<'_>, continuity: Option<&Continuity>) -> Vec<Entry> {
    let mut by_id: BTreeMap<&str, Entry> = BTreeMap::new();
    let mut all: Vec<Entry> = Vec::new();
    let blank = |id: Option<&str>| Entry {
        id: id.map(str::to_owned),
        object: None,
        stored: None,
        snapshots: Vec::new(),
        restorable: None,
        flags: Vec::new(),
    };
    if let Some(listing) = w.store {
        for (id, base) in &listing.archive.bases {
            let info = base.info.as_ref();
            let stored = Stored {
                info: info.and_then(|i| i.said()).cloned(),
                unread: match continuity.and_then(|c| c.bases.get(id)) {
                    Some(Restorable::Unknown(why)) => Some(why.clone()),
                    _ if info.is_none() => Some("there is no backup.info".into()),
                    _ => None,
                },
                files: base.files,
                bytes: base.bytes,
                newest: base.newest.max(info.map(|i| i.stored)),
                kept: base.kept,
            };
            let restorable = continuity.and_then(|c| c.bases.get(id)).cloned();
            by_id.insert(id, Entry { stored: Some(stored), restorable, ..blank(Some(id)) });
        }
    }
    // While it is under way an object tells the name it gave, and not yet the id.
    let name = |(id, e): (&&str, &Entry)| Some((e.info()?.name.clone()?, (*id).to_owned()));
    let named: BTreeMap<String, String> = by_id.iter().filter_map(name).collect();
    for object in &w.objects.objects {
        let id = object.backup_id.as_deref().or_else(|| named.get(object.backup_name.as_deref()?).map(String::as_str));
        let known = id.filter(|_| w.is_here(object)).and_then(|id| by_id.get_mut(id)).filter(|e| e.object.is_none());
        match known {
            Some(entry) => entry.object = Some(object.clone()),
            None => all.push(Entry { object: Some(object.clone()), ..blank(id) }),
        }
    }
    all.extend(by_id.into_values());
    snapshots(w, &mut all);
    all.sort_by(|a, b| (b.at(), b.name()).cmp(&(a.at(), a.name())));
    all
}

/// Gives each volume snapshot to its Backup; those of none are an entry of their own, by the Backup they name.
fn snapshots(w: &Witnesses<'_>, all: &mut Vec<Entry>) {
    let mut rest: BTreeMap<&str, Vec<Arc<Snapshot>>> = BTreeMap::new();
    for snapshot in &w.objects.snapshots {
        let named = |o: &BackupObject| {
            snapshot.backup.as_deref() == Some(&*o.name) || o.snapshots.iter().any(|s| s.name == snapshot.name)
        };
        match all.iter_mut().find(|e| e.object.as_deref().is_some_and(named)) {
            Some(entry) => entry.snapshots.push(snapshot.clone()),
            None => {
                rest.entry(snapshot.backup.as_deref().unwrap_or(&snapshot.name)).or_default().push(snapshot.clone())
            }
        }
    }
    let alone =
        |snapshots| Entry { id: None, object: None, stored: None, snapshots, restorable: None, flags: Vec::new() };
    all.extend(rest.into_values().map(alone));
}
