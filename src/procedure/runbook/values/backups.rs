//! Values of recoverability: the archiver and the backups.

use jiff::Timestamp;
use std::sync::Arc;

use super::cluster::by_primary;
use super::{Eye, Item, Read, Whole, optional, text};
use crate::domain::cluster::{Archiver, BackupObject};
use crate::domain::sample::MetricsSample;
use crate::domain::source::Witness;
use crate::procedure::runbook::language::{Datum, Kind};
use crate::text::shorten;

pub(super) const VALUES: &[Whole] = &[
    one("archiver.by", Kind::Text, "what archives WAL; none when nothing is configured", |e| {
        e.told(Some(match &e.cluster().archiving.by {
            None => Datum::Nothing,
            Some(Archiver::InTreeBarman) => text("barman-cloud (in-tree)"),
            Some(Archiver::Plugin(name)) => text(name),
            Some(Archiver::PgBackRest) => text("pgBackRest"),
        }))
    }),
    one("archiver.skipped", Kind::Flag, "archiving is switched off by an annotation", |e| {
        e.told(Some(Datum::Flag(e.cluster().archiving.skipped)))
    }),
    one("archiver.destination", Kind::Text, "where WAL goes", |e| {
        e.told(Some(optional(e.cluster().archiving.destination.as_ref())))
    }),
    one("archiver.condition", Kind::Text, "the operator's word on archiving, with its message", |e| {
        let condition = e.cluster().condition("ContinuousArchiving");
        e.told(Some(condition.map_or(Datum::Nothing, |c| text(format!("{}: {}", c.reason, shorten(&c.message, 200))))))
    }),
    one("archiver.working", Kind::Flag, "the last attempt to archive a WAL file went well", |e| {
        by_primary(e, "pg_stat_archiver", e.picture.archiver.working.map(Datum::Flag))
    }),
    one("archiver.last", Kind::Text, "the last WAL file that was archived", |e| {
        by_primary(e, "pg_stat_archiver", known(e).map(|()| optional(e.picture.archiver.last.map(|(wal, _)| wal))))
    }),
    one("archiver.age", Kind::Time, "how long ago that was", |e| {
        by_primary(e, "pg_stat_archiver", known(e).map(|()| since(e, e.picture.archiver.last.and_then(|(_, at)| at))))
    }),
    one("archiver.failed", Kind::Text, "the last WAL file whose archiving failed", |e| {
        by_primary(e, "pg_stat_archiver", known(e).map(|()| optional(e.picture.archiver.failed.map(|(wal, _)| wal))))
    }),
    one("archiver.failed-age", Kind::Time, "how long ago that was", |e| {
        by_primary(e, "pg_stat_archiver", known(e).map(|()| since(e, e.picture.archiver.failed.and_then(|(_, at)| at))))
    }),
    one("archiver.ready", Kind::Count, "WAL files that wait to be archived", |e| {
        let count = |n: u64| Datum::Number(n as f64);
        match e.picture.archiver.ready {
            Some(n) => by_primary(e, "pg_stat_archiver", Some(count(n))),
            // SQL hides it from most logins; the exporter tells it to everybody.
            None => by_metrics(e, |m| m.ready_wal_files.map(count)),
        }
    }),
    one("backup.age", Kind::Time, "how long ago the last good backup ended; none when there is none", |e| {
        backups(e, |e| since(e, last_good(e)))
    }),
    one("backup.first-point", Kind::Text, "the earliest moment a restore can reach", |e| {
        e.told(Some(optional(e.cluster().backups.first_recoverability_point.map(|t| t.to_string()))))
    }),
    one("backup.last", Kind::Text, "the newest backup and its phase", |e| {
        backups(e, |e| {
            optional(e.cluster().backups.objects.first().map(|o| {
                let word = o.phase.as_deref().unwrap_or("not begun");
                format!("{} {word}", o.name)
            }))
        })
    }),
    one("backup.error", Kind::Text, "why the newest failed backup failed, where no good one came after it", |e| {
        backups(e, |e| {
            let good = last_good(e);
            let failed = e.cluster().backups.objects.iter().find(|o| o.is_failing() && ended(o) > good);
            optional(failed.map(|o| {
                format!("{}: {}", o.name, o.error.as_deref().map_or("it does not say why".into(), |w| shorten(w, 200)))
            }))
        })
    }),
    one("backup.running", Kind::Flag, "a backup is under way", |e| {
        backups(e, |e| {
            let running = |o: &Arc<BackupObject>| {
                matches!(o.phase.as_deref(), Some("started" | "running" | "finalizing" | "pending"))
            };
            Datum::Flag(e.cluster().backups.objects.iter().any(running))
        })
    }),
    one("backup.schedules", Kind::Count, "schedules that are not suspended", |e| {
        e.told(Some(Datum::Number(e.cluster().backups.schedules.iter().filter(|s| !s.suspended).count() as f64)))
    }),
    Whole {
        name: "backup.next",
        kind: Kind::Text,
        about: "schedules, and when each next makes a backup",
        read: Read::Many(|e| {
            let all = e.cluster().backups.schedules.iter();
            let said = all.map(|s| {
                let next = match (s.suspended, s.next) {
                    (true, _) => "suspended".to_owned(),
                    (false, Some(at)) => at.to_string(),
                    (false, None) => "not told".into(),
                };
                Item { who: Some(s.name.clone()), ..e.told(Some(text(next))) }
            });
            let said: Vec<_> = said.collect();
            if said.is_empty() { vec![e.told(Some(Datum::Nothing))] } else { said }
        }),
    },
];

const fn one(name: &'static str, kind: Kind, about: &'static str, read: fn(&Eye) -> Item) -> Whole {
    Whole { name, kind, about, read: Read::One(read) }
}

/// The primary has told of its archiver at all.
fn known(e: &Eye) -> Option<()> {
    let a = &e.picture.archiver;
    (a.working.is_some() || a.ready.is_some() || a.last.is_some() || a.failed.is_some()).then_some(())
}

/// What the primary's exporter says.
fn by_metrics(e: &Eye, read: impl Fn(&MetricsSample) -> Option<Datum>) -> Item {
    let Some(primary) = e.picture.primary.clone() else { return e.unknown("nobody is known to lead") };
    let probe = e.evidence.samples(&primary).and_then(|s| s.metrics.as_ref());
    e.sampled(Witness::Metrics(primary), probe.map(|p| p.at), probe.and_then(|p| read(p.value()?)))
}

fn since(e: &Eye, at: Option<Timestamp>) -> Datum {
    at.map_or(Datum::Nothing, |at| Datum::Time(e.evidence.age(at)))
}

/// What backup objects say, where they could be listed.
fn backups(e: &Eye, read: impl Fn(&Eye) -> Datum) -> Item {
    let b = &e.cluster().backups;
    match b.listed || b.last_successful.is_some() {
        true => e.told(Some(read(e))),
        false => e.unknown("backups can't be listed"),
    }
}

fn ended(o: &BackupObject) -> Option<Timestamp> {
    o.stopped.or(o.started)
}

fn last_good(e: &Eye) -> Option<Timestamp> {
    let b = &e.cluster().backups;
    let completed = b.objects.iter().filter(|o| o.is_completed());
    b.last_successful.max(completed.filter_map(|o| ended(o)).max())
}
