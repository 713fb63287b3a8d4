//! The answers over an archive fed by hand.

use super::*;
use crate::cli::output::Style;
use crate::domain::backup::Archive;
use crate::domain::cluster::{BackupObject, Operator};
use crate::domain::names::ClusterKey;

const PLAIN: Style = Style { colour: false, terminal: false };

fn now() -> Timestamp {
    "2026-11-20T23:30:00Z".parse().unwrap()
}

fn at(minute: i64) -> Timestamp {
    now() - SignedDuration::from_mins(60) + SignedDuration::from_mins(minute)
}

/// Segments, each stored in the minute of its number, and base backups from 3 to 4 and from 9 to 10.
fn archive(segments: impl IntoIterator<Item = u64>) -> Archive {
    let mut archive = Archive::default();
    for n in segments {
        archive.feed(&format!("wals/0000000100000000/0000000100000000{n:08X}.gz"), 1_000, at(n as i64));
    }
    for (id, begin) in [("20261120T223300", 3), ("20261120T223900", 9)] {
        let (key, end) = (format!("base/{id}/backup.info"), begin + 1);
        archive.feed(&key, 1_400, at(end));
        archive.feed(&format!("base/{id}/data.tar.gz"), 4_000_000, at(end));
        let name = |n: i64| format!("0000000100000000{n:08X}");
        let text = format!(
            "status=DONE\ntimeline=1\nbegin_wal={}\nend_wal={}\nend_xlog=0/{end:X}087A78\nend_time={}\nxlog_segment_size=16777216\n",
            name(begin),
            name(end),
            at(end)
        );
        archive.tell(&key, Ok(&text));
    }
    archive
}

fn seen(store: Result<Archive, Problem>) -> Seen {
    let mut cluster = Cluster::named(ClusterKey::new("aks", "pg", "shop"), Operator::Cnpg);
    cluster.backups.listed = true;
    let object = BackupObject {
        name: "shop-20261120".into(),
        phase: Some("completed".into()),
        method: Some("barmanObjectStore".into()),
        backup_id: Some("20261120T223900".into()),
        started: Some(at(9)),
        stopped: Some(at(10)),
        ..BackupObject::default()
    };
    cluster.backups.objects = vec![Arc::new(object)];
    let store = store.map(|archive| StoreListing {
        destination: "https://acme.blob.core.windows.net/backups".into(),
        server: "shop".into(),
        archive,
        asked: now(),
        took: SignedDuration::from_millis(1_234),
        pages: 3,
        whole: true,
    });
    Seen { cluster: Arc::new(cluster), store, current: Some(Lsn(0x1680_0000)), archived: None }
}

fn checked(segments: impl IntoIterator<Item = u64>) -> check::CheckReport {
    let seen = seen(Ok(archive(segments)));
    check::report(&seen, seen.store.as_ref().unwrap(), now())
}

#[test]
fn a_whole_archive_is_ok_and_says_how_far_it_reaches() {
    let report = checked(1..=20);
    assert_eq!((report.level, report.findings.len(), report.gaps.len()), (Level::Ok, 0, 0));
    assert_eq!(report.windows.len(), 1);
    assert!(report.windows[0].open && report.windows[0].until == Some(at(20)));
    let risk = report.at_risk.as_ref().unwrap();
    assert_eq!((risk.last_wal.as_str(), risk.age_s), ("000000010000000000000014", Some(40 * 60)));
    insta::assert_snapshot!("check-whole", text::check(&report, PLAIN));
}

#[test]
fn a_missing_segment_is_named_and_splits_what_can_be_recovered() {
    let report = checked((1..=20).filter(|n| *n != 7));
    assert_eq!(report.level, Level::Bad);
    assert_eq!(report.findings[0].text, "000000010000000000000007 is not in the archive");
    assert_eq!((report.gaps[0].first.as_str(), report.gaps[0].hole), ("000000010000000000000007", true));
    assert_eq!(report.windows.iter().map(|w| w.open).collect::<Vec<_>>(), [false, true]);
    assert!(report.backups.iter().all(|b| b.restorable == Some(true)));
    insta::assert_snapshot!("check-gap", text::check(&report, PLAIN));
    insta::assert_snapshot!("check-gap-md", text::check_markdown(&report));
}

#[test]
fn a_backup_whose_last_segment_never_came_can_not_be_restored() {
    let report = checked(1..=9);
    assert_eq!(report.level, Level::Warn);
    assert!(report.findings[0].text.starts_with("00000001000000000000000A is not in the archive yet"), "{report:?}");
    let new = &report.backups[1];
    assert_eq!((new.id.as_str(), new.restorable), ("20261120T223900", Some(false)));
    assert!(new.why.as_ref().unwrap().contains("00000001000000000000000A"));
    let listed = list::report(&seen(Ok(archive(1..=9))), now());
    let newest = &listed.backups[0];
    assert_eq!((newest.name.as_str(), newest.restorable, newest.level), ("shop-20261120", Some(false), Level::Bad));
    assert_eq!(listed.newest_restorable.as_deref(), Some("20261120T223300"));
    insta::assert_snapshot!("list-awaits", text::list(&listed, PLAIN));
    insta::assert_snapshot!("list-awaits-md", text::list_markdown(&listed));
}

#[test]
fn nothing_to_restore_is_no_good_archive() {
    let empty = seen(Ok(Archive::default()));
    let report = check::report(&empty, empty.store.as_ref().unwrap(), now());
    assert_eq!((report.level, report.findings.len()), (Level::Bad, 1));
    assert!(report.findings[0].text.contains("no base backup"));
}

#[test]
fn what_can_not_be_read_is_unknown() {
    let mut archive = Archive::default();
    archive.feed("base/20261120T223300/backup.info", 9, at(1));
    archive.tell("base/20261120T223300/backup.info", Err("it is no text".into()));
    let unread = seen(Ok(archive));
    let report = check::report(&unread, unread.store.as_ref().unwrap(), now());
    assert_eq!((report.level, report.backups[0].restorable), (Level::Unknown, None));
}

#[test]
fn without_the_store_the_objects_still_speak() {
    let problem = Problem::new("can't list shop").because("AuthorizationFailure").try_this("az login");
    let report = list::report(&seen(Err(problem.clone())), now());
    assert_eq!((report.store.is_none(), report.store_problem.clone()), (true, Some(problem)));
    assert_eq!(
        (report.backups.len(), report.backups[0].restorable, report.backups[0].level),
        (1, None, Level::Unknown)
    );
    insta::assert_snapshot!("list-without-store", text::list(&report, PLAIN));
}

#[test]
fn as_json_the_names_are_stable() {
    let json = serde_json::to_value(checked((1..=20).filter(|n| *n != 7))).unwrap();
    assert_eq!(json["level"], "bad");
    assert_eq!(json["gaps"][0]["first"], "000000010000000000000007");
    assert_eq!(json["windows"][1]["open"], true);
    assert_eq!(json["backups"][0]["restorable"], true);
    assert_eq!(json["store"]["segments"], 19);
}
