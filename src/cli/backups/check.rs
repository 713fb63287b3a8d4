//! The archive's continuity as data.

use jiff::Timestamp;
use serde::Serialize;

use super::list::can;
use super::{RiskReport, Seen, StoreReport, at_risk};
use crate::domain::backup::StoreListing;
use crate::domain::backup::continuity::{Continuity, Gap, Restorable, Window};
use crate::domain::health::Level;

/// `howdah backups check`.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    pub at: Timestamp,
    pub context: String,
    pub namespace: String,
    pub cluster: String,
    /// `ok`; `unknown`, `warn` or `bad` with findings.
    pub level: Level,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    pub store: StoreReport,
    /// Bytes of a WAL segment.
    pub segment_size: u64,
    pub gaps: Vec<GapReport>,
    /// Base backups, oldest first.
    pub backups: Vec<BaseReport>,
    /// To which times a recovery can be led, oldest first.
    pub windows: Vec<WindowReport>,
    pub at_risk: Option<RiskReport>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub level: Level,
    pub text: String,
}

/// Segments that are missing.
#[derive(Clone, Debug, Serialize)]
pub struct GapReport {
    pub first: String,
    pub last: String,
    pub count: u64,
    /// Later WAL is there; else it may still come.
    pub hole: bool,
    /// One of them is there as `.partial`.
    pub partial: bool,
}

/// A base backup.
#[derive(Clone, Debug, Serialize)]
pub struct BaseReport {
    pub id: String,
    /// Null: it can't be told.
    pub restorable: Option<bool>,
    /// Why not.
    pub why: Option<String>,
}

/// A span of time that can be recovered.
#[derive(Clone, Debug, Serialize)]
pub struct WindowReport {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// It grows with what is archived.
    pub open: bool,
    pub timeline: u32,
    pub last_wal: String,
    pub backups: Vec<String>,
}

/// Says what is known.
pub(super) fn report(seen: &Seen, listing: &StoreListing, now: Timestamp) -> CheckReport {
    let catalog = seen.catalog(now);
    let key = &seen.cluster.key;
    let continuity = catalog.continuity.clone().unwrap_or_else(|| Continuity::of(&listing.archive));
    let findings = findings(&continuity, listing.whole);
    CheckReport {
        at: now,
        context: key.context.to_string(),
        namespace: key.namespace.to_string(),
        cluster: key.name.to_string(),
        level: findings.iter().map(|f| f.level).max().unwrap_or(Level::Ok),
        findings,
        store: StoreReport::of(listing, now),
        segment_size: continuity.segment_size,
        gaps: continuity.gaps.iter().map(gap).collect(),
        backups: continuity.bases.iter().map(|(id, r)| base(id, r)).collect(),
        windows: continuity.windows.iter().map(window).collect(),
        at_risk: at_risk(&catalog, now),
    }
}

fn gap(gap: &Gap) -> GapReport {
    let Gap { first, last, count, hole, partial, .. } = gap;
    GapReport { first: first.to_string(), last: last.to_string(), count: *count, hole: *hole, partial: *partial }
}

fn window(w: &Window) -> WindowReport {
    WindowReport {
        from: w.from,
        until: w.until,
        open: w.is_open(),
        timeline: w.timeline,
        last_wal: w.last.to_string(),
        backups: w.bases.clone(),
    }
}

fn base(id: &str, restorable: &Restorable) -> BaseReport {
    let why = match restorable {
        Restorable::Yes => None,
        Restorable::Unfinished(word) => Some(format!("it is not done: {word}")),
        Restorable::Failed => Some("it failed".to_owned()),
        Restorable::Misses(gap) => Some(format!("{} not in the archive", named(gap))),
        Restorable::Awaits(wal) => Some(format!("its last segment {wal} is not in the archive yet")),
        Restorable::Unknown(why) => Some(why.clone()),
    };
    BaseReport { id: id.to_owned(), restorable: can(restorable), why }
}

/// `000000010000000000000007 is`, or how many from which to which `are`.
fn named(gap: &Gap) -> String {
    match gap.count {
        1 => format!("{} is", gap.first),
        n => format!("{n} segments from {} to {} are", gap.first, gap.last),
    }
}

/// What is wrong, worst first.
fn findings(c: &Continuity, whole: bool) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut find = |level, text: String| all.push(Finding { level, text });
    for gap in &c.gaps {
        let (level, end) = if gap.hole {
            let partial = if gap.partial { "; as .partial it is, but no recovery asks for that" } else { "" };
            (Level::Bad, format!("not in the archive{partial}"))
        } else {
            (Level::Warn, "not in the archive yet: a backup needs it".to_owned())
        };
        find(level, format!("{} {end}", named(gap)));
    }
    for (timeline, why) in &c.unreachable {
        find(Level::Bad, format!("timeline {timeline} can't be reached: {why}"));
    }
    let unknown = |(id, r): (&String, &Restorable)| match r {
        Restorable::Unknown(why) => Some((id.clone(), why.clone())),
        _ => None,
    };
    let unknown: Vec<_> = c.bases.iter().filter_map(unknown).collect();
    for (id, why) in &unknown {
        find(Level::Unknown, format!("whether {id} can be restored can't be told: {why}"));
    }
    if c.bases.is_empty() {
        find(Level::Bad, "there is no base backup in the store: nothing can be recovered".to_owned());
    } else if c.windows.is_empty() {
        let level = if unknown.is_empty() { Level::Bad } else { Level::Unknown };
        find(level, "no base backup can be restored".to_owned());
    }
    if !whole {
        find(Level::Unknown, "the store was not listed to its end".to_owned());
    }
    all.sort_by_key(|b| std::cmp::Reverse(b.level));
    all
}
