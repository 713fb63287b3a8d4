//! Gaps, ways and windows, by hand and against a set that remembers everything.

use super::*;
use crate::domain::wal::DEFAULT_SEGMENT;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SIZE: u64 = DEFAULT_SEGMENT;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn name(timeline: Timeline, number: u64, size: u64) -> WalName {
    WalName::holding(timeline, Lsn(number * size), size)
}

/// An archive being filled.
struct Store {
    archive: Archive,
    size: u64,
}

impl Store {
    fn new(size: u64) -> Self {
        Store { archive: Archive::default(), size }
    }

    /// Segment `n` is stored at second `n` × 10.
    fn wal(mut self, timeline: Timeline, numbers: impl IntoIterator<Item = u64>) -> Self {
        for n in numbers {
            self.put(timeline, n, ".gz");
        }
        self
    }

    fn put(&mut self, timeline: Timeline, n: u64, suffix: &str) {
        let name = name(timeline, n, self.size).to_string();
        self.archive.feed(&format!("wals/{}/{name}{suffix}", &name[..16]), 1, at(n as i64 * 10));
    }

    fn partial(mut self, timeline: Timeline, n: u64) -> Self {
        self.put(timeline, n, ".partial");
        self
    }

    /// A backup from the middle of segment `begin` to the middle of segment `end`, ended at second `end` × 10.
    fn base(self, id: &str, timeline: Timeline, begin: u64, end: u64) -> Self {
        self.base_told(id, timeline, begin, end, "DONE")
    }

    fn base_told(mut self, id: &str, timeline: Timeline, begin: u64, end: u64, status: &str) -> Self {
        let key = format!("base/{id}/backup.info");
        self.archive.feed(&key, 1, at(end as i64 * 10));
        self.archive.feed(&format!("base/{id}/data.tar.gz"), 1000, at(end as i64 * 10));
        let (size, half) = (self.size, self.size / 2);
        let text = format!(
            "status={status}\ntimeline={timeline}\nbegin_wal={}\nend_wal={}\nend_xlog={}\nend_time={}\n\
             xlog_segment_size={size}\n",
            name(timeline, begin, size),
            name(timeline, end, size),
            Lsn(end * size + half),
            at(end as i64 * 10),
        );
        self.archive.tell(&key, Ok(&text));
        self
    }

    /// Timeline `to` with where each of its ancestors was left: in the middle of that segment.
    fn history(mut self, to: Timeline, left: &[(Timeline, u64)]) -> Self {
        let key = format!("wals/{to:08X}.history");
        self.archive.feed(&key, 40, at(0));
        let line = |(t, n): &(Timeline, u64)| format!("{t}\t{}\tpromoted\n", Lsn(n * self.size + self.size * 3 / 4));
        self.archive.tell(&key, Ok(&left.iter().map(line).collect::<String>()));
        self
    }

    fn look(&self) -> Continuity {
        Continuity::of(&self.archive)
    }
}

fn shown(gaps: &[Gap]) -> Vec<String> {
    gaps.iter().map(|g| format!("{}..{} {}", g.first, g.last, g.count)).collect()
}

#[test]
fn an_unbroken_archive_is_one_open_window() {
    let c = Store::new(SIZE).wal(1, 1..=9).base("a", 1, 2, 3).base("b", 1, 5, 5).look();
    assert!(c.is_whole());
    assert_eq!(c.bases.values().collect::<Vec<_>>(), [&Restorable::Yes, &Restorable::Yes]);
    let [window] = &c.windows[..] else { panic!("{:?}", c.windows) };
    assert_eq!((window.from, window.until), (Some(at(30)), Some(at(90))));
    assert_eq!((window.bases.join(" "), window.is_open()), ("a b".into(), true));
    assert_eq!(c.last, Some((name(1, 9, SIZE), at(90))));
    assert_eq!(c.window_at(at(60)), Some(window));
    assert_eq!(c.window_at(at(29)), None, "before the backup's end nothing is consistent");
    assert_eq!(c.window_at(at(91)), None);
}

#[test]
fn a_missing_segment_is_named_and_splits_the_window() {
    let c = Store::new(SIZE).wal(1, (1..=6).chain(9..=20)).base("a", 1, 2, 3).base("b", 1, 12, 13).look();
    assert_eq!(shown(&c.gaps), ["000000010000000000000007..000000010000000000000008 2"]);
    assert!(c.gaps[0].hole && !c.gaps[0].partial);
    let ends: Vec<_> = c.windows.iter().map(|w| (w.from, w.until, w.is_open())).collect();
    assert_eq!(ends, [(Some(at(30)), Some(at(60)), false), (Some(at(130)), Some(at(200)), true)]);
    assert_eq!(c.windows[0].gap.as_ref(), c.gaps.first());
    assert_eq!(c.window_at(at(100)), None, "after the gap and before the next base there is no way");
}

#[test]
fn what_is_older_than_the_oldest_base_is_nobodys_gap() {
    let c = Store::new(SIZE).wal(1, [1, 2, 5, 6, 7]).base("a", 1, 5, 6).look();
    assert!(c.is_whole(), "{:?}", c.gaps);
}

#[test]
fn a_backup_waits_for_its_last_segment() {
    let c = Store::new(SIZE).wal(1, 1..=3).base("a", 1, 3, 4).look();
    assert_eq!(c.bases["a"], Restorable::Awaits(name(1, 4, SIZE)));
    assert_eq!(shown(&c.gaps), ["000000010000000000000004..000000010000000000000004 1"]);
    assert!(!c.gaps[0].hole, "it may still come");
    assert!(c.windows.is_empty());
}

#[test]
fn what_a_backup_lacks_on_a_timeline_that_was_left_will_not_come() {
    let c = Store::new(SIZE).base("a", 1, 3, 4).history(2, &[(1, 6)]).look();
    assert_eq!(shown(&c.gaps), ["000000010000000000000003..000000010000000000000005 3"]);
    assert!(c.gaps[0].hole && matches!(c.bases["a"], Restorable::Misses(_)), "{:?}", c.bases);
}

#[test]
fn a_backup_whose_segments_are_gone_can_not_be_restored() {
    let c = Store::new(SIZE).wal(1, [1, 2, 3, 6, 7]).base("a", 1, 3, 5).look();
    assert_eq!(shown(&c.gaps), ["000000010000000000000004..000000010000000000000005 2"]);
    assert_eq!(c.bases["a"], Restorable::Misses(c.gaps[0].clone()));
    assert!(c.windows.is_empty());
}

#[test]
fn a_backup_that_is_not_done_is_said_so() {
    let mut store = Store::new(SIZE).wal(1, 1..=9).base_told("a", 1, 2, 3, "STARTED").base_told("b", 1, 4, 5, "FAILED");
    store.archive.feed("base/c/data.tar", 5, at(9));
    store.archive.feed("base/d/backup.info", 5, at(9));
    let c = store.look();
    assert_eq!(c.bases["a"], Restorable::Unfinished("started".into()));
    assert_eq!(c.bases["b"], Restorable::Failed);
    assert_eq!(c.bases["c"], Restorable::Unfinished("it has no backup.info".into()));
    assert_eq!(c.bases["d"], Restorable::Unknown("its backup.info was not read yet".into()));
    assert!(c.windows.is_empty() && c.gaps.is_empty());
}

#[test]
fn a_failover_joins_by_its_history_and_needs_no_partial() {
    let store = || Store::new(SIZE).wal(1, 1..=6).partial(1, 7).wal(2, 7..=12).base("a", 1, 2, 3);
    let c = store().history(2, &[(1, 7)]).look();
    assert!(c.is_whole(), "{:?}", c.gaps);
    assert_eq!(c.way.iter().map(|l| (l.timeline, l.first, l.end)).collect::<Vec<_>>(), [(1, 0, Some(7)), (2, 7, None)]);
    assert_eq!(c.windows[0].last, name(2, 12, SIZE));

    let without = store().look();
    assert_eq!(without.windows[0].last, name(1, 6, SIZE), "no history, no way");
    assert!(without.unreachable[&2].contains("not in the archive"));
    assert!(!without.is_whole());
}

#[test]
fn a_partial_does_not_stand_for_its_segment() {
    let c = Store::new(SIZE).wal(1, 1..=5).partial(1, 6).wal(2, 7..=9).base("a", 1, 2, 3).history(2, &[(1, 7)]).look();
    assert_eq!(shown(&c.gaps), ["000000010000000000000006..000000010000000000000006 1"]);
    assert!(c.gaps[0].partial);
}

#[test]
fn the_segment_of_the_switch_is_wanted_of_the_new_timeline() {
    let c = Store::new(SIZE).wal(1, 1..=7).wal(2, 8..=9).base("a", 1, 2, 3).history(2, &[(1, 7)]).look();
    assert_eq!(shown(&c.gaps), ["000000020000000000000007..000000020000000000000007 1"]);
    assert_eq!(c.windows[0].last, name(1, 6, SIZE));
}

#[test]
fn what_an_old_primary_wrote_after_the_switch_counts_for_its_own_branch_alone() {
    // Base b was taken on timeline 1 after the switch: it is off the way.
    let c = Store::new(SIZE)
        .wal(1, 1..=12)
        .wal(2, 7..=9)
        .history(2, &[(1, 7)])
        .base("a", 1, 2, 3)
        .base("b", 1, 9, 10)
        .look();
    assert!(c.is_whole());
    let ways: Vec<_> = c.windows.iter().map(|w| (w.bases.join(" "), w.last.to_string())).collect();
    assert_eq!(
        ways,
        [
            ("a".to_owned(), "000000020000000000000009".to_owned()),
            ("b".to_owned(), "00000001000000000000000C".to_owned())
        ]
    );
}

#[test]
fn two_failovers_within_one_segment() {
    let store = Store::new(SIZE).wal(1, 1..=4).wal(3, 5..=8).base("a", 1, 2, 2).history(2, &[(1, 5)]);
    let c = store.history(3, &[(1, 5), (2, 5)]).look();
    assert!(c.is_whole(), "{:?} {:?}", c.gaps, c.unreachable);
    assert_eq!(c.windows[0].last, name(3, 8, SIZE));
}

#[test]
fn an_empty_archive_says_nothing() {
    let c = Continuity::of(&Archive::default());
    assert!(c.is_whole() && c.windows.is_empty() && c.way.is_empty() && c.last.is_none());
}

/// Presence of segments 0..24 above a base number, on two timelines, and where the first was left.
#[derive(Clone, Debug)]
struct World {
    size: u64,
    base: u64,
    one: BTreeSet<u64>,
    two: BTreeSet<u64>,
    left: u64,
    begin: u64,
}

fn world() -> impl Strategy<Value = World> {
    let set = || proptest::collection::btree_set(0u64..24, 0..24);
    (20u32..=30, 0u64..9, set(), set(), 0u64..24, 0u64..24).prop_map(|(power, log, one, two, left, begin)| {
        let size = 1u64 << power;
        let base = (log << 32) / size + (log * 7) % 5;
        World { size, base, one, two, left, begin: begin.min(left) }
    })
}

proptest! {
    #[test]
    fn gaps_and_windows_agree_with_a_set(w in world()) {
        let up = |set: &BTreeSet<u64>| set.iter().map(|n| n + w.base).collect::<Vec<_>>();
        let (left, begin) = (w.left + w.base, w.begin + w.base);
        let store = Store::new(w.size).wal(1, up(&w.one)).wal(2, up(&w.two)).history(2, &[(1, left)]);
        // The backup begins and ends in one segment, before the switch.
        let c = store.base("a", 1, begin, begin).look();

        // Needed: on timeline 1 up to the switch, then on 2 up to the last one there is.
        let last = w.two.iter().map(|n| n + w.base).filter(|n| *n >= left).max();
        let needed = (begin..left).map(|n| (1, n)).chain((left..=last.unwrap_or(0)).map(|n| (2, n)).filter(|_| last.is_some()));
        let there = |t: Timeline, n: u64| if t == 1 { &w.one } else { &w.two }.contains(&(n - w.base));
        let needed: Vec<(Timeline, u64)> = needed.collect();
        let missing: BTreeSet<String> =
            needed.iter().filter(|(t, n)| !there(*t, *n)).map(|(t, n)| name(*t, *n, w.size).to_string()).collect();
        let named: BTreeSet<String> = c.gaps.iter().filter(|g| g.hole).flat_map(|g| {
            let (first, last) = (g.first.number(w.size), g.last.number(w.size));
            assert_eq!(g.count, last - first + 1);
            (first..=last).map(|n| name(g.first.timeline, n, w.size).to_string()).collect::<Vec<_>>()
        }).collect();
        // The base's own segment counts where it is on its own timeline too.
        let restorable = there(1, begin) || (begin == left && there(2, begin));
        prop_assert_eq!(c.bases["a"] == Restorable::Yes, restorable);
        prop_assert_eq!(&named, &missing);
        let reached = needed.iter().take_while(|(t, n)| there(*t, *n)).last();
        let window = c.windows.first().map(|win| win.last);
        prop_assert_eq!(window, reached.filter(|_| restorable).map(|(t, n)| name(*t, *n, w.size)));
        for gap in c.gaps.windows(2) {
            prop_assert!(gap[0].last < gap[1].first, "gaps are apart and in order");
        }
    }
}
