//! One catalog of a cluster's backups out of every witness, with what is wrong.
//!
//! Witnesses: the Backup and ScheduledBackup objects, the cluster's status, the listing of the store, the primary's word
//! about its archiver. Any of them may be missing; what only a missing one could tell is unknown here, never fine.

mod entry;
mod flags;
mod kept;
mod retention;
mod said;
mod schedules;
#[cfg(test)]
mod tests;

pub use entry::{Entry, Stored};
pub use flags::{Flag, FlagKind};
pub use kept::Kept;
pub use retention::Retention;
pub use schedules::Planned;

use jiff::Timestamp;

use super::StoreListing;
use super::continuity::Continuity;
use crate::domain::cluster::{BackupObject, Backups, Cluster, Operator};
use crate::domain::health::Level;
use crate::domain::lsn::Lsn;
use crate::domain::wal::{DEFAULT_SEGMENT, WalName};

/// All that is known of a cluster's backups.
#[derive(Clone, Copy, Debug)]
pub struct Witnesses<'a> {
    /// Backups as the objects know them.
    pub objects: &'a Backups,
    /// Whose schedules these are.
    pub operator: Operator,
    /// The store as last listed, where it was.
    pub store: Option<&'a StoreListing>,
    /// Where the primary writes now, where it says so.
    pub current: Option<Lsn>,
    /// The last segment the primary says it archived, and when.
    pub archived: Option<(WalName, Option<Timestamp>)>,
}

impl<'a> Witnesses<'a> {
    /// What a cluster's own objects and a listing tell.
    pub fn of(cluster: &'a Cluster, store: Option<&'a StoreListing>) -> Self {
        Witnesses { objects: &cluster.backups, operator: cluster.operator, store, current: None, archived: None }
    }

    /// A Backup's server folder is the one that was listed, as far as it says.
    fn is_here(&self, object: &BackupObject) -> bool {
        let Some(listing) = self.store else { return true };
        let same = |told: &Option<String>, listed: &str| {
            told.as_deref().is_none_or(|t| t.trim_end_matches('/') == listed.trim_end_matches('/'))
        };
        same(&object.server_name, &listing.server)
            && (listing.is_copy() || same(&object.destination, &listing.destination))
    }
}

/// What would be lost if all volumes were lost now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRisk {
    /// The last segment that is safe.
    pub wal: WalName,
    /// When it was stored: what was committed since is not in the archive.
    pub since: Option<Timestamp>,
    /// Bytes of WAL written since its end, where the primary says where it is.
    pub bytes: Option<u64>,
    /// It was seen in the store; else the primary says so.
    pub seen: bool,
}

/// One catalog of a cluster's backups.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog {
    /// One entry per backup, newest first.
    pub entries: Vec<Entry>,
    /// Schedules against what happened.
    pub schedules: Vec<Planned>,
    /// What the archive can bring back; `None`: the store was not listed.
    pub continuity: Option<Continuity>,
    /// Backup objects and schedules could be listed. `false`: that there is none is not known.
    pub listed: bool,
    /// The listing was whole. `false`: what is not shown may yet come.
    pub whole: bool,
    /// The retention promised and the moment it reaches back to.
    pub retention: Option<(String, Option<Timestamp>)>,
    /// What would be lost now.
    pub at_risk: Option<AtRisk>,
}

impl Catalog {
    /// Joins the witnesses. `now` is the time they are looked at.
    pub fn assemble(w: &Witnesses<'_>, now: Timestamp) -> Self {
        Catalog::join(w, None, now)
    }

    /// The same where the continuity of this very listing is known already.
    fn join(w: &Witnesses<'_>, continuity: Option<Continuity>, now: Timestamp) -> Self {
        let continuity = continuity.or_else(|| w.store.map(|s| Continuity::of(&s.archive)));
        let mut entries = entry::join(w, continuity.as_ref());
        for entry in &mut entries {
            // A snapshot's data lies elsewhere; the WAL it needs lies here.
            if let (Some(store), Some(begin), Some(end)) = (w.store, entry.begin_wal(), entry.end_wal())
                && (entry.is_snapshot() && entry.is_done())
            {
                entry.restorable = Some(Continuity::needs(&store.archive, begin, end, entry.reached()));
            }
            said::judged(entry, w, continuity.as_ref().map(|c| c.segment_size));
            entry.flags = flags::of(entry, w, now);
        }
        let policy = w.objects.retention.as_deref();
        let retention = policy.and_then(|p| Some((Retention::parse(p)?, p)));
        flags::expiry(&mut entries, retention, now);
        Catalog {
            entries,
            schedules: schedules::all(w, now),
            listed: w.objects.listed,
            whole: w.store.is_some_and(|s| s.whole),
            retention: policy.map(|p| (p.to_owned(), retention.and_then(|(r, _)| r.edge(now)))),
            at_risk: at_risk(w, continuity.as_ref()),
            continuity,
        }
    }

    /// How bad the archive is: gaps, timelines out of reach. `Unknown` where nobody looked at all of it.
    pub fn archive_level(&self) -> Level {
        match &self.continuity {
            None => Level::Unknown,
            Some(c) if c.gaps.iter().any(|g| g.hole) || !c.unreachable.is_empty() => Level::Bad,
            Some(c) if !c.gaps.is_empty() => Level::Warn,
            Some(_) if !self.whole => Level::Unknown,
            Some(_) => Level::Ok,
        }
    }

    /// The newest backup that can be restored for all that is known.
    pub fn newest_restorable(&self) -> Option<&Entry> {
        self.entries.iter().find(|e| e.restorable == Some(super::continuity::Restorable::Yes))
    }
}

fn at_risk(w: &Witnesses<'_>, continuity: Option<&Continuity>) -> Option<AtRisk> {
    let size = continuity.map_or(DEFAULT_SEGMENT, |c| c.segment_size);
    let bytes = |wal: WalName| w.current.map(|at| at.since(Lsn((wal.number(size) + 1).saturating_mul(size))));
    let stored = continuity.and_then(|c| c.last);
    // What the primary archived after the listing was begun is not in the listing.
    let newer = w.archived.filter(|(_, at)| w.store.is_none_or(|s| at.is_some_and(|at| at > s.asked)));
    match (newer, stored) {
        (Some((wal, since)), _) => Some(AtRisk { wal, since, bytes: bytes(wal), seen: false }),
        (None, Some((wal, at))) => Some(AtRisk { wal, since: Some(at), bytes: bytes(wal), seen: true }),
        (None, None) => None,
    }
}
