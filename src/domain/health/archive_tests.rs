//! The verdict by what the object store holds.

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

use super::scene::{Scene, ago, now};
use super::{Health, Level, Limits, ReasonCode, judge};
use crate::domain::backup::StoreListing;
use crate::domain::backup::archive::Archive;
use crate::domain::cluster::{BackupObject, Schedule};
use crate::domain::facts::{Fact, Facts};
use crate::domain::source::{SourceHealth, SourceId, SourceState};
use crate::domain::wal::WalName;
use Level::{Bad, Warn};
use ReasonCode::*;

fn wal(number: u32) -> String {
    WalName { timeline: 2, log: 0, segment: number }.to_string()
}

/// A base backup: seconds ago it ended, first and last segment.
type Base = (i64, u32, u32);

/// A store with these segments, one a minute and the newest stored two minutes ago, and bases.
fn listing(segments: impl IntoIterator<Item = u32>, bases: &[Base]) -> StoreListing {
    let mut archive = Archive::default();
    let history = "wals/00000002.history";
    archive.feed(history, 40, ago(80_000));
    archive.tell(history, Ok("1\t0/1000000\tno recovery target specified\n"));
    for n in segments {
        archive.feed(&format!("wals/{}/{}", &wal(n)[..16], wal(n)), 16 << 20, ago(120 + 60 * (20 - i64::from(n))));
    }
    for (end, first, last) in bases {
        let id = ago(*end).strftime("%Y%m%dT%H%M%S").to_string();
        let key = format!("base/{id}/backup.info");
        archive.feed(&key, 10, ago(*end));
        archive.feed(&format!("base/{id}/data.tar"), 5_000, ago(*end));
        let (begin, time) = (ago(*end + 5), ago(*end));
        let (first, last) = (wal(*first), wal(*last));
        let text = format!(
            "status=DONE\nbegin_time={begin}\nend_time={time}\nbegin_wal={first}\nend_wal={last}\ntimeline=2\n"
        );
        archive.tell(&key, Ok(&text));
    }
    StoreListing {
        destination: "s3://b".into(),
        server: "pg".into(),
        archive,
        asked: ago(5),
        took: SignedDuration::ZERO,
        pages: 1,
        whole: true,
    }
}

fn facts(scene: &Scene, listing: StoreListing) -> Facts {
    let mut facts = scene.facts();
    facts.absorb(Fact::Store(scene.cluster.key.clone(), Arc::new(listing)));
    facts
}

fn told(scene: &Scene, facts: &Facts) -> Health {
    let health = judge(facts, &scene.cluster, None, &Limits::default(), now());
    // Asked again through the same facts it is the same, kept or made anew.
    let known = &facts.clusters[&scene.cluster.key];
    for _ in 0..2 {
        assert_eq!(judge(facts, known, None, &Limits::default(), now()), health);
    }
    health
}

/// The first reason against recoverability.
fn first(listing: StoreListing) -> Option<(Level, ReasonCode, String)> {
    let scene = Scene::healthy();
    let health = told(&scene, &facts(&scene, listing));
    health.recoverability.reasons.first().map(|r| (r.level, r.code, r.text.clone()))
}

const OLD: Base = (1200, 2, 3);
const NEW: Base = (480, 14, 15);

#[test]
fn a_whole_archive_says_nothing() {
    assert_eq!(first(listing(1..=20, &[OLD, NEW])), None);
    assert_eq!(first(listing(2..=20, &[OLD])), None, "what is older than the oldest backup is missed by nobody");
}

#[test]
fn a_gap_behind_the_newest_backup_is_bad_and_one_before_it_a_warning() {
    let (level, code, text) = first(listing((1..=20).filter(|n| *n != 17), &[OLD, NEW])).unwrap();
    assert_eq!((level, code), (Bad, ArchiveGap));
    let wanted = format!("WAL segment {} is not in the archive: what was written in the last 6m", wal(17));
    assert!(text.starts_with(&wanted) && text.ends_with("until a new base backup is taken"), "{text}");
    let (level, code, text) = first(listing((1..=20).filter(|n| ![7, 8].contains(n)), &[OLD, NEW])).unwrap();
    assert_eq!((level, code), (Warn, ArchiveGap));
    let (from, to) = (wal(7), wal(8));
    let wanted = format!(
        "2 WAL segments from {from} to {to} are not in the archive: no restore gets to a moment between \
         2026-11-21 11:44 and 2026-11-21 11:52 UTC"
    );
    assert_eq!(text, wanted);
    let (_, code, text) = first(listing((1..=20).filter(|n| ![7, 17].contains(n)), &[OLD, NEW])).unwrap();
    assert!(code == ArchiveGap && text.contains("(and 1 gaps before)"), "{text}");
}

#[test]
fn a_segment_on_its_way_is_no_gap() {
    let mut fresh = listing(1..=20, &[NEW]);
    let after = wal(22);
    fresh.archive.feed(&format!("wals/{}/{after}", &after[..16]), 16 << 20, ago(20));
    assert_eq!(first(fresh), None, "the one before it was stored at the same time");
    let mut late = listing(1..=20, &[NEW]);
    late.archive.feed(&format!("wals/{}/{after}", &after[..16]), 16 << 20, ago(90));
    assert_eq!(first(late).map(|r| (r.0, r.1)), Some((Bad, ArchiveGap)));
}

#[test]
fn a_newest_backup_that_can_not_be_restored() {
    let hole = || (1..=20).filter(|n| *n != 14);
    let (level, code, text) = first(listing(hole(), &[OLD, NEW])).unwrap();
    // Nothing newer can be restored either: the gap says that first.
    assert_eq!((level, code), (Bad, ArchiveGap), "{text}");
    let scene = Scene::healthy();
    let health = told(&scene, &facts(&scene, listing(hole(), &[OLD, NEW])));
    let broken = health.reasons().find(|r| r.code == BackupNotRestorable).unwrap();
    assert_eq!(broken.level, Warn);
    assert!(broken.text.contains("the newest that can is") && broken.text.contains("20m old"), "{}", broken.text);
    assert_eq!(broken.witness.to_string(), "object store, pg");
    let health = told(&scene, &facts(&scene, listing(hole(), &[NEW])));
    assert!(health.reasons().any(|r| (r.level, r.code) == (Bad, NothingRestorable)), "{health:?}");
    let (level, code, text) = first(listing(1..=20, &[])).unwrap();
    assert_eq!((level, code), (Bad, NothingRestorable));
    assert_eq!(text, "no backup can be restored: the object store has none of pg");
}

/// Its object says completed before the last segment it needs is archived; in a moment it is.
#[test]
fn a_backup_that_waits_for_its_last_segment_is_a_warning_until_the_primary_says_it_left() {
    let told = |archived: u32| {
        let mut scene = Scene::healthy();
        scene.cluster.backups.objects = vec![Arc::new(BackupObject {
            name: "b".into(),
            phase: Some("completed".into()),
            started: Some(ago(20)),
            stopped: Some(ago(10)),
            begin_wal: Some(wal(20)),
            end_wal: Some(wal(21)),
            backup_id: Some(ago(10).strftime("%Y%m%dT%H%M%S").to_string()),
            ..BackupObject::default()
        })];
        scene.leads().archiver.as_mut().unwrap().last_archived = Some((wal(archived), ago(1)));
        let facts = facts(&scene, listing(1..=20, &[OLD, (10, 20, 21)]));
        let health = super::judge(&facts, &scene.cluster, None, &Limits::default(), now());
        health.recoverability.reasons.first().map(|r| (r.level, r.code))
    };
    assert_eq!(told(20), Some((Warn, BackupNotRestorable)));
    assert_eq!(told(21), None, "it was archived since the store was listed");
}

#[test]
fn a_store_that_nobody_may_list_is_a_note_and_no_level() {
    let scene = Scene::healthy();
    let mut facts = scene.facts();
    let state = SourceState::Absent("secrets are forbidden".into());
    let id = SourceId::Store(scene.cluster.key.clone());
    facts.absorb(Fact::Source(id, SourceHealth { state, proven: None }));
    let health = told(&scene, &facts);
    assert_eq!(health.headline(), Level::Ok);
    let [note] = &health.recoverability.reasons[..] else { panic!("{health:?}") };
    assert!(note.level == Level::Ok && note.text.contains("secrets are forbidden"), "{note:?}");
}

#[test]
fn a_listing_that_is_not_whole_accuses_nobody() {
    let half = StoreListing { whole: false, ..listing([1, 20], &[NEW]) };
    assert_eq!(first(half), None);
}

#[test]
fn a_schedule_that_is_behind_and_one_that_is_suspended() {
    let behind = |change: fn(&mut Schedule)| {
        let mut scene = Scene::healthy();
        let mut schedule = Schedule {
            name: "nightly".into(),
            cron: "0 0 2 * * *".into(),
            last: Some("2026-11-21T02:00:04Z".parse::<Timestamp>().unwrap()),
            created: Some(ago(800_000)),
            ..Schedule::default()
        };
        change(&mut schedule);
        scene.cluster.backups.schedules = vec![schedule];
        let health = told(&scene, &scene.facts());
        health.recoverability.reasons.first().map(|r| (r.level, r.code, r.text.clone()))
    };
    assert_eq!(behind(|_| ()), None);
    let (level, code, text) = behind(|s| s.last = Some("2026-11-20T02:00:04Z".parse().unwrap())).unwrap();
    assert_eq!((level, code), (Warn, ScheduleBehind));
    assert!(text.starts_with("schedule nightly: its run 10h ago did not happen"), "{text}");
    assert_eq!(behind(|s| (s.suspended, s.last) = (true, None)), None, "it does what was asked of it");
    assert_eq!(behind(|s| s.cron = "now and then".into()).map(|r| (r.0, r.1)), Some((Bad, ScheduleBehind)));
}

/// WAL archiving fails, so the operator holds the backup back: neither running nor over, and not silent.
#[test]
fn a_backup_that_can_not_begin_is_told_at_once() {
    let mut scene = Scene::healthy();
    scene.cluster.backups.objects = vec![Arc::new(BackupObject {
        name: "b".into(),
        phase: Some("walArchivingFailing".into()),
        created: Some(ago(7)),
        ..BackupObject::default()
    })];
    let health = told(&scene, &scene.facts());
    let reason = &health.recoverability.reasons[0];
    assert_eq!((reason.level, reason.code), (Warn, BackupFailed));
    assert_eq!(reason.text, "backup b has waited for 7s and can't begin: WAL archiving fails");
}
