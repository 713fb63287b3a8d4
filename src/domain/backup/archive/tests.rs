//! The fold against a set that remembers everything.

use super::*;
use crate::domain::lsn::Lsn;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SIZE: u64 = DEFAULT_SEGMENT;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn wal(timeline: Timeline, number: u64, size: u64) -> WalName {
    WalName::holding(timeline, Lsn(number * size), size)
}

fn key(wal: WalName, suffix: &str) -> String {
    let name = wal.to_string();
    format!("wals/{}/{name}{suffix}", &name[..16])
}

fn fed(keys: &[(String, u64, i64)]) -> Archive {
    let mut archive = Archive::default();
    for (key, size, second) in keys {
        archive.feed(key, *size, at(*second));
    }
    archive
}

#[test]
fn a_recorded_listing() {
    let archive = fed(&[
        ("base/20261120T225646/backup.info".into(), 1418, 10),
        ("base/20261120T225646/data.tar.gz".into(), 4_062_456, 10),
        ("wals/0000000100000000/000000010000000000000001.gz".into(), 2_319_203, 1),
        ("wals/0000000100000000/000000010000000000000002.gz".into(), 33_441, 2),
        ("wals/0000000100000000/000000010000000000000003.00000028.backup.gz".into(), 199, 3),
        ("wals/0000000100000000/000000010000000000000003.gz".into(), 16_510, 3),
        ("readme".into(), 1, 3),
    ]);
    let one = &archive.timelines[&1];
    assert_eq!((one.runs.count(), one.labels.len(), one.packing), (3, 1, Packing::Gzip));
    assert_eq!(one.runs.numbered(SIZE), [Run { first: 1, last: 3, first_at: at(1), last_at: at(3) }]);
    assert_eq!((archive.newest(), archive.unknown, archive.keys), (Some(at(3)), 1, 6));
    assert_eq!(archive.stranger.as_deref(), Some("readme"));
    assert_eq!((archive.wal_bytes(), archive.base_bytes()), (2_369_154, 4_062_456));
    assert_eq!(archive.unread(), ["base/20261120T225646/backup.info"]);
}

#[test]
fn small_files_are_read_once_until_they_change() {
    let (info, history) = ("base/1/backup.info", "wals/00000002.history");
    let mut archive = fed(&[(info.into(), 9, 1), (history.into(), 9, 2)]);
    assert_eq!(archive.unread(), [history, info], "newest first");
    archive.tell(info, Ok("status=DONE\nxlog_segment_size=1048576\n"));
    archive.tell(history, Ok("1\t0/3000000\tpromoted\n"));
    assert!(archive.unread().is_empty());
    assert_eq!(archive.segment_size(), 1 << 20);
    assert_eq!(archive.histories[&2].said().unwrap().left(1), Some(Lsn(0x300_0000)));

    let mut anew = fed(&[(info.into(), 9, 7), (history.into(), 9, 2)]);
    anew.remember(&archive);
    assert_eq!(anew.unread(), [info], "stored anew");
    anew.tell(info, Ok("status"));
    assert_eq!(anew.bases["1"].info.as_ref().unwrap().text, Reading::Bad("line 1: \"status\" is not key=value".into()));
    anew.tell(history, Err("forbidden".into()));
    assert_eq!(anew.histories[&2].text, Reading::Bad("forbidden".into()));
}

#[test]
fn a_million_segments_are_few_stretches() {
    let mut archive = Archive::default();
    for number in 0..1_000_000u64 {
        archive.feed(&key(wal(1, number, SIZE), ".gz"), 1, at(number as i64 / 60));
    }
    let runs = &archive.timelines[&1].runs;
    assert_eq!((runs.count(), runs.kept()), (1_000_000, 3907));
    assert_eq!(runs.numbered(SIZE).len(), 1);
}

#[test]
fn the_segment_size_of_unread_backups_fits_the_names() {
    assert_eq!(fed(&[(key(wal(1, 255, SIZE), ""), 1, 0)]).segment_size(), SIZE);
    assert_eq!(fed(&[(key(wal(1, 4095, 1 << 20), ""), 1, 0)]).segment_size(), 1 << 20);
}

#[test]
fn growth_is_over_whole_days() {
    let day = 86_400;
    let since = |d: i64| (d * day) - at(0).as_second().rem_euclid(day);
    let mut archive = Archive::default();
    for d in 0..4 {
        archive.feed(&key(wal(1, d as u64, SIZE), ""), 1000, at(since(d) + 5));
        archive.feed(&format!("base/{d}/data.tar"), 300, at(since(d) + 5));
    }
    assert_eq!(archive.growth(at(since(0) + 50)), None, "no day has passed");
    assert_eq!(archive.growth(at(since(3) + 50)), Some((1000, 300)));
    assert_eq!(archive.growth(at(since(6) + 50)), Some((666, 200)), "days without any count too");
}

#[derive(Clone, Debug)]
struct Scattered {
    size: u64,
    numbers: Vec<u64>,
}

/// Segments of any size around a border of logs, in any order, some twice.
fn scattered() -> impl Strategy<Value = Scattered> {
    (20u32..=30, 0u64..3).prop_flat_map(|(power, log)| {
        let per_log = (1u64 << 32) >> power;
        let start = (log * per_log).saturating_sub(20);
        proptest::collection::vec(start..start + 60, 0..90)
            .prop_map(move |numbers| Scattered { size: 1 << power, numbers })
    })
}

/// The runs of a set, the slow way.
fn naive(numbers: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for n in numbers {
        match runs.last_mut() {
            Some(run) if run.1 + 1 == *n => run.1 = *n,
            _ => runs.push((*n, *n)),
        }
    }
    runs
}

proptest! {
    #[test]
    fn the_fold_is_a_set(s in scattered()) {
        let mut archive = Archive::default();
        for n in &s.numbers {
            archive.feed(&key(wal(3, *n, s.size), ".zst"), 7, at(*n as i64));
        }
        let set: BTreeSet<u64> = s.numbers.iter().copied().collect();
        let one = archive.timelines.remove(&3).unwrap_or_default();
        let runs = one.runs.numbered(s.size);
        prop_assert_eq!(runs.iter().map(|r| (r.first, r.last)).collect::<Vec<_>>(), naive(&set));
        for run in &runs {
            prop_assert_eq!((run.first_at, run.last_at), (at(run.first as i64), at(run.last as i64)));
        }
        prop_assert_eq!(one.runs.count(), set.len() as u64);
        prop_assert_eq!(one.bytes, 7 * set.len() as u64);
        prop_assert_eq!(one.newest, set.last().map(|n| at(*n as i64)));
        let borders = set.iter().filter(|n| (**n * s.size) % (1 << 32) == 0).count();
        prop_assert!(one.runs.kept() <= runs.len() + borders);
    }

    #[test]
    fn any_order_and_any_repetition_give_the_same(s in scattered(), seed in any::<u64>()) {
        let feed = |numbers: &[u64]| {
            let mut archive = Archive::default();
            for n in numbers {
                archive.feed(&key(wal(1, *n, s.size), ""), 5, at(*n as i64));
            }
            archive.keys = 0;
            archive
        };
        let mut sorted = s.numbers.clone();
        sorted.sort_unstable();
        let mut twice: Vec<u64> = s.numbers.iter().chain(&s.numbers).copied().collect();
        twice.sort_by_key(|n| n.wrapping_mul(seed | 1).rotate_left(17));
        prop_assert_eq!(feed(&sorted), feed(&twice));
    }
}
