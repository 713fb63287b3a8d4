//! Recoverability, second half: is there a base backup, young enough and whole, and an archive without a gap behind it?
//!
//! What is wrong with a backup, a schedule or the archive is judged by [`crate::domain::backup`]; here it is only weighed: what
//! concerns the newest window is bad, what an older backup suffers from is a warning. A store that nobody may list makes
//! nothing worse than it was: it is said as a note.

use jiff::Timestamp;
use std::sync::Arc;

use super::evidence::Evidence;
use super::{Level, Reason, ReasonCode, archive};
use crate::domain::backup::StoreListing;
use crate::domain::backup::catalog::{Catalog, Entry, Flag, FlagKind};
use crate::domain::backup::continuity::{Continuity, Gap, Restorable};
use crate::domain::quantity;
use crate::domain::source::{SourceId, SourceState, Witness};
use crate::text::shorten;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    let b = &e.cluster.backups;
    let promised = e.cluster.archiving.by.is_some() || !b.schedules.is_empty() || !b.objects.is_empty();
    if !promised {
        return; // told by the rule on archiving: nothing is configured at all
    }
    let look = Look::of(e);
    let known = look.done().filter_map(Entry::at).max();
    let last = b.last_successful.max(known);
    match last {
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
    failed(e, last, out);
    schedules(e, &look.catalog, out);
    look.restorable(last, out);
    look.gaps(out);
}

/// The store itself: what only it could tell is not known where it can't be listed. Worth a word, no alarm: without the
/// right to list it nothing is worse than before.
pub(super) fn store(e: &Evidence, out: &mut Vec<Reason>) {
    let id = SourceId::Store(e.cluster.key.clone());
    let why = match e.facts.sources.get(&id).map(|h| &h.state) {
        Some(SourceState::Failing { why, .. } | SourceState::Absent(why)) => shorten(why, 160),
        _ => return,
    };
    let text = format!("whether the archive is whole is not known: the object store can't be listed: {why}");
    out.push(e.by(Witness::Sources, e.now, ReasonCode::CantBeAsked, Level::Ok, text));
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
    let object = e.cluster.backups.objects.iter().filter(|o| o.is_failing()).max_by_key(|o| o.at());
    if let Some(o) = object.filter(|o| o.at() > last_good) {
        let why = o.error.as_ref().map(|w| format!(": {}", shorten(w, 120))).unwrap_or_default();
        let since = o.at().map(|t| quantity::age(t, e.now));
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

/// Schedules that do not do what they say. One that is suspended does what was asked of it.
fn schedules(e: &Evidence, catalog: &Catalog, out: &mut Vec<Reason>) {
    if e.hibernating() {
        return;
    }
    for planned in &catalog.schedules {
        let name = &planned.schedule.name;
        if let Some(flag) = planned.flag.as_ref().filter(|f| f.kind == FlagKind::Behind) {
            let text = format!("schedule {name}: {}", flag.reason);
            out.push(e.by_object(format!("ScheduledBackup/{name}"), ReasonCode::ScheduleBehind, flag.level, text));
        }
    }
}

/// The catalog, and who vouches for it.
struct Look<'e, 'a> {
    e: &'e Evidence<'a>,
    catalog: Arc<Catalog>,
    /// The store as listed, all of it.
    listing: Option<&'a StoreListing>,
    witness: Witness,
    seen: Timestamp,
}

impl<'e, 'a> Look<'e, 'a> {
    fn of(e: &'e Evidence<'a>) -> Self {
        let reading = archive::reading(e);
        let last = reading.as_ref().and_then(|r| r.last.clone());
        let archived = last.and_then(|(wal, at)| Some((wal.parse().ok()?, at)));
        let listing = e.facts.stores.get(&e.cluster.key).map(|l| &**l).filter(|l| l.whole);
        let (witness, seen) = match (listing, reading) {
            (Some(listing), _) => (Witness::Store(listing.server.clone()), listing.asked),
            (None, Some(reading)) => (reading.witness, reading.at),
            (None, None) => (Witness::ClusterObject, e.proven),
        };
        Look { e, catalog: e.facts.catalog(e.cluster, archived, e.now), listing, witness, seen }
    }

    fn done(&self) -> impl Iterator<Item = &Entry> {
        self.catalog.entries.iter().filter(|e| e.is_done())
    }

    fn say(&self, code: ReasonCode, level: Level, text: String, out: &mut Vec<Reason>) {
        out.push(self.e.by(self.witness.clone(), self.seen.min(self.e.now), code, level, text));
    }

    /// It can be restored, for all that is known.
    fn is_usable(&self, entry: &Entry) -> bool {
        broken(entry).is_none() && (self.listing.is_none() || entry.restorable == Some(Restorable::Yes))
    }

    /// The newest backup must be one that can be restored; a backup that says "completed" is not, before its last WAL
    /// segment is in the archive.
    fn restorable(&self, last: Option<Timestamp>, out: &mut Vec<Reason>) {
        // The newest of those that retention has not removed.
        let Some(newest) = self.done().find(|e| !e.flags.iter().any(is_removed)) else {
            // Its status tells of one, and there is none.
            if let (Some(listing), Some(_)) =
                (self.listing, last.filter(|t| self.listing.is_some_and(|l| *t < l.asked)))
            {
                let text = format!("no backup can be restored: the object store has none of {}", listing.server);
                self.say(ReasonCode::NothingRestorable, Level::Bad, text, out);
            }
            return;
        };
        let Some(flag) = broken(newest) else { return };
        let text = format!("backup {}: {}", newest.name(), flag.reason);
        let other = self.done().skip(1).find(|e| self.is_usable(e));
        match other {
            _ if flag.kind == FlagKind::Awaits => self.say(ReasonCode::BackupNotRestorable, Level::Warn, text, out),
            Some(other) => {
                let old = other.at().map(|t| format!(", {} old", quantity::age(t, self.e.now))).unwrap_or_default();
                let text = format!("{text}; the newest that can is {}{old}", other.name());
                self.say(ReasonCode::BackupNotRestorable, Level::Warn, text, out);
            }
            None if self.listing.is_some() => {
                let text = format!("no backup can be restored; {text}");
                self.say(ReasonCode::NothingRestorable, Level::Bad, text, out);
            }
            None => self.say(ReasonCode::BackupNotRestorable, Level::Bad, text, out),
        }
    }

    /// A gap in the archive, or a newest timeline that no recovery gets to.
    fn gaps(&self, out: &mut Vec<Reason>) {
        let (Some(listing), Some(c)) = (self.listing, &self.catalog.continuity) else { return };
        let current = c.last.map(|(wal, _)| wal.timeline);
        if let Some((timeline, why)) = c.unreachable.iter().find(|(t, _)| Some(**t) == current) {
            let text = format!("what was written on timeline {timeline} can't be restored: {why}");
            self.say(ReasonCode::ArchiveGap, Level::Bad, text, out);
        }
        let holes: Vec<&Gap> = c.gaps.iter().filter(|g| g.hole && !g.is_young(listing.asked)).collect();
        let Some(newest) = holes.last() else { return };
        let more = if holes.len() > 1 { format!(" (and {} gaps before)", holes.len() - 1) } else { String::new() };
        let missing =
            format!("{} {} not in the archive{more}", newest.words(), if newest.count == 1 { "is" } else { "are" });
        if c.windows.iter().any(|w| w.is_open() && Some(w.timeline) == current) {
            let text = format!("{missing}: {}", between(c, newest));
            self.say(ReasonCode::ArchiveGap, Level::Warn, text, out);
            return;
        }
        let until = c.windows.iter().filter_map(|w| w.until).max();
        let since = until.map(|t| format!(" in the last {}", quantity::age(t, self.e.now))).unwrap_or_default();
        let text = format!("{missing}: what was written{since} can't be restored until a new base backup is taken");
        self.say(ReasonCode::ArchiveGap, Level::Bad, text, out);
    }
}

/// Retention has removed it from the store.
fn is_removed(flag: &Flag) -> bool {
    flag.kind == FlagKind::NotInStore && flag.level < Level::Warn
}

/// What speaks against restoring it.
fn broken(entry: &Entry) -> Option<&Flag> {
    use FlagKind::{Awaits, NotInStore, NotRestorable};
    // A backup that retention has removed is missed by nobody: its flag is no warning.
    let speaks = |f: &&Flag| matches!(f.kind, NotRestorable | NotInStore | Awaits) && f.level >= Level::Warn;
    entry.flags.iter().find(speaks)
}

/// The moments that an older gap takes away.
fn between(c: &Continuity, gap: &Gap) -> String {
    let minute = |t: Timestamp| t.strftime("%Y-%m-%d %H:%M").to_string();
    let cut = c.windows.iter().position(|w| w.gap.as_ref().is_some_and(|g| g.first == gap.first));
    let until = cut.and_then(|n| c.windows[n].until);
    let from = cut.and_then(|n| c.windows.get(n + 1)).and_then(|w| w.from);
    match (until, from) {
        (Some(until), Some(from)) => {
            format!("no restore gets to a moment between {} and {} UTC", minute(until), minute(from))
        }
        (None, Some(from)) => format!("no restore gets to a moment before {} UTC", minute(from)),
        _ => "backups from before it can't be led past it".to_owned(),
    }
}
