//! The catalog as data. Stable names; what is not known is null.

use jiff::Timestamp;
use serde::Serialize;

use super::{RiskReport, Seen, StoreReport, at_risk};
use crate::domain::backup::catalog::{Catalog, Entry, Flag, Planned};
use crate::domain::backup::continuity::Restorable;
use crate::domain::health::Level;
use crate::problem::Problem;

/// `howdah backups list`.
#[derive(Clone, Debug, Serialize)]
pub struct ListReport {
    pub at: Timestamp,
    pub context: String,
    pub namespace: String,
    pub cluster: String,
    /// The store; null where it could not be listed.
    pub store: Option<StoreReport>,
    /// Why not.
    pub store_problem: Option<Problem>,
    /// Backup objects could be listed.
    pub objects_listed: bool,
    /// The retention promised, and the moment it reaches back to.
    pub retention: Option<String>,
    pub retention_edge: Option<Timestamp>,
    /// The newest backup that can be restored.
    pub newest_restorable: Option<String>,
    pub at_risk: Option<RiskReport>,
    /// Newest first.
    pub backups: Vec<BackupReport>,
    pub schedules: Vec<ScheduleReport>,
}

/// One backup.
#[derive(Clone, Debug, Serialize)]
pub struct BackupReport {
    pub name: String,
    /// The store's name for it.
    pub id: Option<String>,
    /// The Backup object.
    pub object: Option<String>,
    pub method: String,
    /// The schedule that made it.
    pub schedule: Option<String>,
    pub level: Level,
    /// The verdict in a word.
    pub verdict: &'static str,
    /// True or false where the archive was seen.
    pub restorable: Option<bool>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub timeline: Option<u32>,
    pub begin_wal: Option<String>,
    pub end_wal: Option<String>,
    pub end_lsn: Option<String>,
    /// In the store.
    pub bytes: Option<u64>,
    /// Retention leaves it alone.
    pub kept: bool,
    /// What is wrong with it or worth saying, worst first.
    pub flags: Vec<Flag>,
}

/// One schedule.
#[derive(Clone, Debug, Serialize)]
pub struct ScheduleReport {
    pub name: String,
    pub cron: String,
    /// What that means.
    pub means: Option<String>,
    pub suspended: bool,
    pub last: Option<Timestamp>,
    pub next: Vec<Timestamp>,
    /// What is wrong with it.
    pub flag: Option<Flag>,
}

/// Says what is known.
pub(super) fn report(seen: &Seen, now: Timestamp) -> ListReport {
    let catalog = seen.catalog(now);
    let key = &seen.cluster.key;
    let (retention, edge) = catalog.retention.clone().unzip();
    ListReport {
        at: now,
        context: key.context.to_string(),
        namespace: key.namespace.to_string(),
        cluster: key.name.to_string(),
        store: seen.store.as_ref().ok().map(|listing| StoreReport::of(listing, now)),
        store_problem: seen.store.as_ref().err().cloned(),
        objects_listed: seen.cluster.backups.listed,
        retention,
        retention_edge: edge.flatten(),
        newest_restorable: catalog.newest_restorable().map(|e| e.name().to_owned()),
        at_risk: at_risk(&catalog, now),
        backups: catalog.entries.iter().map(backup).collect(),
        schedules: schedules(&catalog),
    }
}

fn backup(entry: &Entry) -> BackupReport {
    let (level, verdict) = entry.verdict();
    BackupReport {
        name: entry.name().to_owned(),
        id: entry.id.clone(),
        object: entry.object.as_ref().map(|o| o.name.clone()),
        method: entry.method().to_owned(),
        schedule: entry.object.as_ref().and_then(|o| o.schedule.clone()),
        level,
        verdict,
        restorable: entry.restorable.as_ref().and_then(can),
        started: entry.started(),
        ended: entry.ended(),
        timeline: entry.timeline(),
        begin_wal: entry.begin_wal().map(|w| w.to_string()),
        end_wal: entry.end_wal().map(|w| w.to_string()),
        end_lsn: entry.reached().map(|l| l.to_string()),
        bytes: entry.bytes(),
        kept: entry.stored.as_ref().is_some_and(|s| s.kept),
        flags: entry.flags.clone(),
    }
}

/// Whether it can be restored now; `None`: nobody can tell.
pub(super) fn can(restorable: &Restorable) -> Option<bool> {
    match restorable {
        Restorable::Yes => Some(true),
        Restorable::Unknown(_) => None,
        Restorable::Unfinished(_) | Restorable::Failed | Restorable::Misses(_) | Restorable::Awaits(_) => Some(false),
    }
}

fn schedules(catalog: &Catalog) -> Vec<ScheduleReport> {
    let report = |p: &Planned| ScheduleReport {
        name: p.schedule.name.clone(),
        cron: p.schedule.cron.clone(),
        means: p.words.as_ref().ok().cloned(),
        suspended: p.schedule.suspended,
        last: p.schedule.last,
        next: p.next.clone(),
        flag: p.flag.clone(),
    };
    catalog.schedules.iter().map(report).collect()
}
