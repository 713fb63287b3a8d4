//! Witnesses that agree, that contradict each other, and that are missing.

use std::sync::Arc;

use jiff::SignedDuration;

use super::*;
use crate::domain::backup::archive::Archive;
use crate::domain::backup::continuity::Restorable;
use crate::domain::cluster::{Schedule, Snapshot, SnapshotElement};

const STORE: &str = "http://store/backups";

fn now() -> Timestamp {
    "2026-11-21T09:41:30Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

/// The id of a backup that began that many minutes ago.
fn id(minutes: i64) -> String {
    ago(minutes).strftime("%Y%m%dT%H%M%S").to_string()
}

/// A Backup that ended that many minutes ago.
fn object(minutes: i64, phase: &str) -> BackupObject {
    BackupObject {
        name: format!("b{minutes}"),
        phase: Some(phase.into()),
        method: Some("barmanObjectStore".into()),
        created: Some(ago(minutes + 1)),
        started: Some(ago(minutes + 1)),
        stopped: Some(ago(minutes)).filter(|_| phase == "completed"),
        backup_id: Some(id(minutes)),
        server_name: Some("shop".into()),
        destination: Some(STORE.into()),
        ..BackupObject::default()
    }
}

fn objects(all: impl IntoIterator<Item = BackupObject>) -> Backups {
    Backups { objects: all.into_iter().map(Arc::new).collect(), listed: true, ..Backups::default() }
}

fn wal(number: u64) -> WalName {
    WalName::holding(1, Lsn(number * DEFAULT_SEGMENT), DEFAULT_SEGMENT)
}

/// A store with these segments, the newest stored a minute ago, and backups: minutes ago, segments, status.
fn store(segments: std::ops::RangeInclusive<u64>, bases: &[(i64, u64, u64, &str)]) -> StoreListing {
    let mut archive = Archive::default();
    let last = *segments.end();
    for n in segments {
        let name = wal(n).to_string();
        archive.feed(&format!("wals/{}/{name}.gz", &name[..16]), 1000, ago(1 + (last - n) as i64 * 5));
    }
    for (minutes, begin, end, status) in bases {
        let id = id(*minutes);
        let key = format!("base/{id}/backup.info");
        archive.feed(&key, 10, ago(*minutes));
        archive.feed(&format!("base/{id}/data.tar.gz"), 5_000, ago(*minutes));
        let text = format!(
            "status={status}\nbegin_time={}\nend_time={}\nbegin_wal={}\nend_wal={}\ntimeline=1\n",
            ago(minutes + 1),
            ago(*minutes),
            wal(*begin),
            wal(*end)
        );
        archive.tell(&key, Ok(&text));
    }
    StoreListing {
        destination: STORE.into(),
        server: "shop".into(),
        archive,
        asked: ago(0),
        took: SignedDuration::from_millis(40),
        pages: 1,
        whole: true,
    }
}

fn assembled(objects: &Backups, store: Option<&StoreListing>) -> Catalog {
    let w = Witnesses { objects, operator: Operator::Cnpg, store, current: None, archived: None };
    Catalog::assemble(&w, now())
}

fn verdicts(c: &Catalog) -> Vec<(&str, Level, &'static str)> {
    c.entries.iter().map(|e| (e.name(), e.verdict().0, e.verdict().1)).collect()
}

#[test]
fn object_and_store_are_one_entry() {
    let store = store(1..=9, &[(30, 2, 3, "DONE")]);
    let c = assembled(&objects([object(30, "completed")]), Some(&store));
    assert_eq!(verdicts(&c), [("b30", Level::Ok, "restorable")]);
    let entry = &c.entries[0];
    assert_eq!((entry.bytes(), entry.timeline(), entry.end_wal()), (Some(5_000), Some(1), Some(wal(3))));
    assert!(entry.flags.is_empty() && c.archive_level() == Level::Ok);
    assert_eq!(c.newest_restorable().map(Entry::name), Some("b30"));
}

#[test]
fn completed_and_yet_not_restorable() {
    let late = store(1..=3, &[(30, 3, 4, "DONE")]);
    let c = assembled(&objects([object(30, "completed")]), Some(&late));
    assert_eq!(verdicts(&c), [("b30", Level::Bad, "not restorable")]);
    let reason = &c.entries[0].flags[0].reason;
    assert!(
        reason.contains("000000010000000000000004 is not in the archive, though Backup b30 says completed"),
        "{reason}"
    );
    // Just ended: its last segment may be on its way.
    let young = store(1..=3, &[(2, 3, 4, "DONE")]);
    let c = assembled(&objects([object(2, "completed")]), Some(&young));
    assert_eq!(verdicts(&c), [("b2", Level::Warn, "awaits WAL")]);
    assert_eq!(c.archive_level(), Level::Warn);
    assert_eq!(c.newest_restorable(), None);
}

#[test]
fn an_object_without_its_files_and_files_without_an_object() {
    let store = store(1..=9, &[(50, 2, 3, "DONE")]);
    let c = assembled(&objects([object(30, "completed")]), Some(&store));
    let orphan = id(50);
    assert_eq!(verdicts(&c), [("b30", Level::Bad, "not in store"), (orphan.as_str(), Level::Ok, "no Backup")]);

    // Nobody may list the objects: that there is none is not known.
    let c = assembled(&Backups::default(), Some(&store));
    assert_eq!(verdicts(&c), [(orphan.as_str(), Level::Ok, "restorable")]);

    // The listing is not whole: it may come.
    let part = StoreListing { whole: false, ..store.clone() };
    let c = assembled(&objects([object(30, "completed")]), Some(&part));
    assert_eq!(verdicts(&c)[0], ("b30", Level::Unknown, "unproven"));
    assert_eq!(c.archive_level(), Level::Unknown);

    // Another folder was listed.
    let elsewhere = BackupObject { server_name: Some("shop-old".into()), ..object(30, "completed") };
    let c = assembled(&objects([elsewhere]), Some(&store));
    assert_eq!(verdicts(&c)[0], ("b30", Level::Unknown, "unproven"));
}

#[test]
fn without_a_listing_nothing_is_proven() {
    let c = assembled(&objects([object(30, "completed"), object(60, "failed")]), None);
    assert_eq!(verdicts(&c), [("b30", Level::Unknown, "unproven"), ("b60", Level::Warn, "failed")]);
    assert!(c.continuity.is_none() && c.at_risk.is_none() && c.archive_level() == Level::Unknown);
}

#[test]
fn under_way_abandoned_and_failed() {
    let failed = BackupObject { error: Some("exit status 2".into()), ..object(40, "failed") };
    let waits = BackupObject { backup_id: None, ..object(20, "walArchivingFailing") };
    let all = [object(3, "running"), waits, failed, object(60 * 30, "started")];
    let c = assembled(&objects(all), None);
    assert_eq!(
        verdicts(&c),
        [
            ("b3", Level::Ok, "running"),
            ("b20", Level::Warn, "running"),
            ("b40", Level::Warn, "failed"),
            ("b1800", Level::Warn, "abandoned"),
        ]
    );
    assert_eq!(c.entries[2].flags[0].reason, "it failed: exit status 2");
    let store = store(1..=9, &[(5, 2, 3, "STARTED"), (60 * 30, 1, 1, "STARTED"), (90, 2, 3, "FAILED")]);
    let words: Vec<_> = assembled(&Backups::default(), Some(&store)).entries.iter().map(|e| e.verdict().1).collect();
    assert_eq!(words, ["running", "failed", "abandoned"]);
}

#[test]
fn one_under_way_is_joined_by_its_name_before_it_has_an_id() {
    let mut store = store(1..=9, &[(3, 2, 3, "STARTED")]);
    let key = format!("base/{}/backup.info", id(3));
    store.archive.tell(&key, Ok(&format!("status=STARTED\nbackup_name=backup-7\nbegin_time={}\n", ago(4))));
    let running = BackupObject { backup_id: None, backup_name: Some("backup-7".into()), ..object(3, "running") };
    let c = assembled(&objects([running]), Some(&store));
    assert_eq!(verdicts(&c), [("b3", Level::Ok, "running")]);
    assert!(c.entries[0].stored.is_some());
}

#[test]
fn retention_keeps_the_one_that_reaches_the_edge() {
    let days = 24 * 60;
    let bases = [(60, 7, 7, "DONE"), (8 * days, 5, 5, "DONE"), (9 * days, 3, 3, "DONE")];
    let store = store(1..=9, &bases);
    let promised = |all: Vec<BackupObject>| Backups { retention: Some("7d".into()), ..objects(all) };
    let c = assembled(&promised(vec![]), Some(&store));
    let words: Vec<_> = c.entries.iter().map(|e| e.verdict().1).collect();
    assert_eq!(words, ["no Backup", "no Backup", "expired"]);
    assert_eq!(c.retention.as_ref().unwrap().1, Some(ago(7 * days)));
    // Gone from the store because it had expired.
    let c = assembled(&promised(vec![object(20 * days, "completed")]), Some(&store));
    let gone = c.entries.iter().find(|e| e.name() == "b28800").unwrap();
    assert_eq!(gone.verdict(), (Level::Unknown, "not in store"));
    assert!(gone.flags[0].reason.contains("older than the retention of 7d"));
}

#[test]
fn a_snapshot_needs_its_wal_from_the_archive() {
    let snapshot = |end| BackupObject {
        method: Some("volumeSnapshot".into()),
        backup_id: None,
        begin_wal: Some(wal(4).to_string()),
        end_wal: Some(wal(end).to_string()),
        ..object(30, "completed")
    };
    let store = store(1..=6, &[]);
    let c = assembled(&objects([snapshot(5)]), Some(&store));
    assert_eq!(verdicts(&c), [("b30", Level::Ok, "restorable")]);
    let c = assembled(&objects([snapshot(7)]), Some(&store));
    assert_eq!(c.entries[0].restorable, Some(Restorable::Awaits(wal(7))));
}

#[test]
fn what_would_be_lost_now() {
    let none = Backups::default();
    let store = StoreListing { asked: ago(5), ..store(1..=9, &[]) };
    let mut w = Witnesses {
        objects: &none,
        operator: Operator::Cnpg,
        store: Some(&store),
        current: Some(Lsn(10 * DEFAULT_SEGMENT + 700)),
        archived: Some((wal(9), Some(ago(6)))),
    };
    let risk = |w: &Witnesses<'_>| Catalog::assemble(w, now()).at_risk.unwrap();
    assert_eq!(risk(&w), AtRisk { wal: wal(9), since: Some(ago(1)), bytes: Some(700), seen: true });
    // The primary archived one more since the listing was begun.
    w.archived = Some((wal(10), Some(ago(2))));
    assert_eq!(risk(&w), AtRisk { wal: wal(10), since: Some(ago(2)), bytes: Some(0), seen: false });
    w.store = None;
    assert!(!risk(&w).seen);
}

fn schedule(cron: &str, last: Option<i64>) -> Schedule {
    Schedule {
        name: "hourly".into(),
        cron: cron.into(),
        last: last.map(ago),
        created: Some(ago(6000)),
        ..Schedule::default()
    }
}

fn planned(s: Schedule, all: Vec<BackupObject>) -> Planned {
    let objects = Backups { schedules: vec![s], ..objects(all) };
    assembled(&objects, None).schedules.remove(0)
}

#[test]
fn a_schedule_against_what_happened() {
    let fine = planned(schedule("0 15 * ? * *", Some(26)), vec![]);
    assert_eq!((fine.flag, fine.words.as_deref()), (None, Ok("at minute 15 of every hour")));
    assert_eq!(
        fine.next.iter().map(|t| t.strftime("%H:%M").to_string()).collect::<Vec<_>>(),
        ["10:15", "11:15", "12:15", "13:15", "14:15"]
    );
    let word = |s: Schedule, all: Vec<BackupObject>| planned(s, all).flag.map(|f| (f.kind, f.level, f.reason));
    let (kind, level, reason) = word(schedule("0 15 * ? * *", Some(86)), vec![]).unwrap();
    assert_eq!((kind, level), (FlagKind::Behind, Level::Warn));
    assert_eq!(reason, "its run 28m ago did not happen; it last ran 86m ago".replace("28m", "26m"));
    let running = BackupObject { schedule: Some("hourly".into()), ..object(80, "running") };
    let (_, _, reason) = word(schedule("0 15 * ? * *", Some(86)), vec![running]).unwrap();
    assert!(reason.starts_with("it waits for backup b80, which is not over"), "{reason}");
    let failed = BackupObject { schedule: Some("hourly".into()), ..object(20, "failed") };
    assert_eq!(word(schedule("0 15 * ? * *", Some(26)), vec![failed]).unwrap().0, FlagKind::Failed);
    assert_eq!(word(schedule("tomorrow", None), vec![]).unwrap().1, Level::Bad);
    assert_eq!(word(schedule("0 2 * * *", Some(30)), vec![]).unwrap().0, FlagKind::Behind, "shifted");
    let suspended = Schedule { suspended: true, ..schedule("0 15 * ? * *", Some(9000)) };
    let suspended = planned(suspended, vec![]);
    assert_eq!((suspended.flag.unwrap().kind, suspended.next.len()), (FlagKind::Suspended, 0));
    // Made after the last run: nothing was due yet.
    let young = Schedule { created: Some(ago(10)), ..schedule("0 15 * ? * *", None) };
    assert_eq!(planned(young, vec![]).flag, None);
}

#[test]
fn every_counts_from_its_last_run() {
    let every = planned(schedule("@every 1h", Some(20)), vec![]);
    assert_eq!((every.flag, every.next.first().copied()), (None, Some(ago(-40))));
    assert_eq!(planned(schedule("@every 1h", Some(70)), vec![]).flag.unwrap().kind, FlagKind::Behind);
}

/// A VolumeSnapshot of that Backup.
fn snapshot(name: &str, backup: &str, ready: Option<bool>) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        name: name.into(),
        backup: Some(backup.into()),
        kind: "PG_DATA".into(),
        created: Some(ago(9)),
        ready,
        bytes: Some(1 << 30),
        begin_wal: Some(wal(2).to_string()),
        end_wal: Some(wal(3).to_string()),
        ..Snapshot::default()
    })
}

#[test]
fn a_backup_by_snapshots_is_worth_what_its_snapshots_are() {
    let element = |name: &str| SnapshotElement { name: name.into(), kind: "PG_DATA".into(), tablespace: None };
    let by_snapshots = || BackupObject {
        method: Some("volumeSnapshot".into()),
        backup_id: None,
        begin_wal: Some(wal(2).to_string()),
        end_wal: Some(wal(3).to_string()),
        snapshots: vec![element("s-data"), element("s-wal")],
        ..object(10, "completed")
    };
    let told = |object: Option<BackupObject>, snapshots: &[Arc<Snapshot>], listed: bool| {
        let all = Backups { snapshots: snapshots.to_vec(), snapshots_listed: listed, ..objects(object) };
        let c = assembled(&all, Some(&store(1..=9, &[])));
        let entry = &c.entries[0];
        let reason = entry.flags.first().map(|f| f.reason.clone()).unwrap_or_default();
        (c.entries.len(), entry.name().to_owned(), entry.verdict(), reason)
    };
    let (data, wal) = (snapshot("s-data", "b10", Some(true)), snapshot("s-wal", "b10", Some(true)));
    let all = [data.clone(), wal.clone()];
    let (count, name, verdict, _) = told(Some(by_snapshots()), &all, true);
    assert_eq!((count, name.as_str(), verdict), (1, "b10", (Level::Ok, "restorable")));
    let (.., verdict, reason) = told(Some(by_snapshots()), &all[..1], true);
    assert_eq!(verdict, (Level::Bad, "not restorable"));
    assert_eq!(reason, "it can't be restored: its VolumeSnapshot s-wal is gone");
    let (.., verdict, _) = told(Some(by_snapshots()), &[], false);
    assert_eq!(verdict, (Level::Ok, "restorable"), "what can't be listed accuses nobody");

    let failed =
        Arc::new(Snapshot { error: Some("quota exceeded".into()), ..(*snapshot("s-wal", "b10", None)).clone() });
    let (.., verdict, reason) = told(Some(by_snapshots()), &[data.clone(), failed.clone()], true);
    assert_eq!((verdict.0, reason.as_str()), (Level::Bad, "its VolumeSnapshot s-wal is not ready: quota exceeded"));
    let running = || BackupObject { phase: Some("running".into()), stopped: None, ..by_snapshots() };
    let (.., verdict, _) = told(Some(running()), &[data.clone(), snapshot("s-wal", "b10", Some(false))], true);
    assert_eq!(verdict, (Level::Ok, "running"));
    let (.., verdict, _) = told(Some(running()), &[data.clone(), failed], true);
    assert_eq!(verdict.0, Level::Warn);

    let (count, name, verdict, reason) = told(None, &all, true);
    assert_eq!((count, name.as_str(), verdict), (1, "b10", (Level::Ok, "no Backup")));
    assert!(reason.contains("a restore names them"), "{reason}");
}
