//! Targets as people write them, and the base backup chosen: by hand, and against a list that is looked through.

use super::*;
use crate::domain::backup::StoreListing;
use crate::domain::backup::archive::Archive;
use crate::domain::backup::catalog::{Catalog, Witnesses};
use crate::domain::cluster::{Backups, Operator};
use crate::domain::wal::{DEFAULT_SEGMENT as SIZE, Timeline, WalName};
use crate::problem::Exit;
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn wal(timeline: Timeline, number: u64) -> WalName {
    WalName::holding(timeline, Lsn(number * SIZE), SIZE)
}

/// A store being filled: segment `n` is stored at second `n` × 10.
#[derive(Default)]
struct Store(Archive);

impl Store {
    fn wal(mut self, timeline: Timeline, numbers: impl IntoIterator<Item = u64>) -> Self {
        for n in numbers {
            let name = wal(timeline, n).to_string();
            self.0.feed(&format!("wals/{}/{name}", &name[..16]), 1, at(n as i64 * 10));
        }
        self
    }

    /// A backup from the start of segment `begin` to the middle of segment `end`, ended at second `end` × 10.
    fn base(mut self, id: &str, timeline: Timeline, begin: u64, end: u64, status: &str) -> Self {
        let key = format!("base/{id}/backup.info");
        self.0.feed(&key, 1, at(end as i64 * 10));
        self.0.feed(&format!("base/{id}/data.tar"), 1000, at(end as i64 * 10));
        let text = format!(
            "status={status}\ntimeline={timeline}\nbegin_wal={}\nend_wal={}\nend_xlog={}\nbegin_time={}\nend_time={}\n\
             version=170011\ncluster_size=31067936\ntablespaces=[('hot', 16385, '/hot')]\n",
            wal(timeline, begin),
            wal(timeline, end),
            Lsn(end * SIZE + SIZE / 2),
            at(begin as i64 * 10),
            at(end as i64 * 10),
        );
        self.0.tell(&key, Ok(&text));
        self
    }

    fn history(mut self, to: Timeline, from: Timeline, left: u64) -> Self {
        let key = format!("wals/{to:08X}.history");
        self.0.feed(&key, 40, at(0));
        self.0.tell(&key, Ok(&format!("{from}\t{}\tpromoted\n", Lsn(left * SIZE + SIZE * 3 / 4))));
        self
    }

    fn catalog(&self) -> Catalog {
        let listing = StoreListing {
            destination: "http://store/backups".into(),
            server: "shop".into(),
            archive: self.0.clone(),
            asked: at(10_000),
            took: SignedDuration::ZERO,
            pages: 1,
            whole: true,
        };
        let objects = Backups { listed: true, ..Backups::default() };
        let witnesses = Witnesses {
            objects: &objects,
            operator: Operator::Cnpg,
            store: Some(&listing),
            current: None,
            archived: None,
        };
        Catalog::assemble(&witnesses, at(10_000))
    }
}

/// Segments 1 to 20 but 11; base backups before and behind the gap, and one that is not finished.
fn torn() -> Catalog {
    let store = Store::default().wal(1, (1..=20).filter(|n| *n != 11)).base("a", 1, 2, 3, "DONE");
    store.base("b", 1, 6, 7, "DONE").base("c", 1, 15, 16, "DONE").base("d", 1, 18, 19, "STARTED").catalog()
}

fn time(second: i64) -> RecoveryTarget {
    RecoveryTarget::Time(at(second))
}

fn chosen(catalog: &Catalog, target: &RecoveryTarget) -> Result<String, String> {
    choose(catalog, target, None).map(|p| p.base.id).map_err(|why| why.to_string())
}

#[test]
fn a_time_needs_its_zone() {
    let read = |text: &str| RecoveryTarget::parse(text).map(|t| t.to_string());
    for text in [
        "2026-11-20T22:57:22.985094Z",
        "2026-11-20 22:57:22.985094+00",
        "2026-11-20 23:57:22.985094+01:00",
        "2026-11-20 22:57:22.985094 UTC",
        "2026-11-20 23:57:22.985094 +01",
        "2026-11-20T23:57:22.985094[Europe/Berlin]",
    ] {
        assert_eq!(read(text).as_deref(), Ok("2026-11-20T22:57:22.985094Z"), "{text}");
    }
    let naive = RecoveryTarget::parse("2026-11-20 22:57:22").unwrap_err();
    assert_eq!(naive.exit, Exit::Usage);
    assert_eq!(naive.what, "\"2026-11-20 22:57:22\" has no time zone");
    assert_eq!(naive.try_this.as_deref(), Some("say which it is; for UTC: 2026-11-20T22:57:22Z"));
    assert!(RecoveryTarget::parse("yesterday").unwrap_err().try_this.unwrap().contains("0/9000060"));
    assert_eq!(read("latest").as_deref(), Ok("the end of the archive"));
    assert_eq!(read(" 0/9000060").as_deref(), Ok("position 0/9000060"));
}

#[test]
fn transactions_and_restore_points() {
    assert_eq!(RecoveryTarget::xid("731"), Ok(RecoveryTarget::Xid(731)));
    assert_eq!(RecoveryTarget::xid("-1").unwrap_err().exit, Exit::Usage);
    assert!(RecoveryTarget::xid("4294967296").is_err());
    assert_eq!(RecoveryTarget::name("before the flood"), Ok(RecoveryTarget::Name("before the flood".into())));
    assert!(RecoveryTarget::name(&"x".repeat(64)).is_err());
    assert!(RecoveryTarget::name("a\nb").is_err());
}

#[test]
fn cnpg_is_told_the_base_backup_and_the_end() {
    let told = |target: &RecoveryTarget| target.for_cnpg("b", None);
    assert_eq!(told(&RecoveryTarget::Latest), json!({"backupID": "b"}));
    let time = RecoveryTarget::parse("2026-11-20T22:57:22.985094Z").unwrap();
    assert_eq!(told(&time), json!({"backupID": "b", "targetTime": "2026-11-20 22:57:22.985094+00"}));
    assert_eq!(told(&RecoveryTarget::Lsn(Lsn(0x900_0060))), json!({"backupID": "b", "targetLSN": "0/9000060"}));
    assert_eq!(told(&RecoveryTarget::Xid(7)), json!({"backupID": "b", "targetXID": "7"}));
    assert_eq!(told(&RecoveryTarget::Name("x".into())), json!({"backupID": "b", "targetName": "x"}));
    let immediate = RecoveryTarget::Immediate.for_cnpg("b", Some(2));
    assert_eq!(immediate, json!({"backupID": "b", "targetImmediate": true, "targetTLI": "2"}));
}

#[test]
fn the_newest_base_backup_that_leads_there() {
    let catalog = torn();
    assert_eq!(chosen(&catalog, &time(30)).as_deref(), Ok("a"), "its very end is enough");
    assert_eq!(chosen(&catalog, &time(69)).as_deref(), Ok("a"));
    assert_eq!(chosen(&catalog, &time(100)).as_deref(), Ok("b"));
    assert_eq!(chosen(&catalog, &time(200)).as_deref(), Ok("c"));
    let within = RecoveryTarget::Time(at(200) + SignedDuration::from_millis(900));
    assert_eq!(chosen(&catalog, &within).as_deref(), Ok("c"), "stores tell no more than the second");
    assert_eq!(chosen(&catalog, &RecoveryTarget::Latest).as_deref(), Ok("c"));
    assert_eq!(chosen(&catalog, &RecoveryTarget::Immediate).as_deref(), Ok("c"));
    assert_eq!(chosen(&catalog, &RecoveryTarget::Lsn(Lsn(7 * SIZE + SIZE / 2 + 1))).as_deref(), Ok("b"));
    assert_eq!(chosen(&catalog, &RecoveryTarget::Lsn(Lsn(7 * SIZE + SIZE / 2))).as_deref(), Ok("a"));
    let plotted = choose(&catalog, &time(75), None).unwrap();
    assert_eq!((plotted.base.version, plotted.base.tablespaces.as_slice()), (Some(170_011), &["hot".to_owned()][..]));
    assert_eq!(plotted.replay.first, Some(wal(1, 6)));
    assert_eq!((plotted.replay.segments, plotted.replay.at_most), (5, true), "up to the gap");
    assert_eq!(plotted.to_the_end(), Some(SignedDuration::from_secs(25)));
    let exact = choose(&catalog, &RecoveryTarget::Lsn(Lsn(9 * SIZE)), None).unwrap().replay;
    assert_eq!((exact.segments, exact.bytes, exact.at_most), (4, 4 * SIZE, false));
    let early = choose(&catalog, &time(40), None).unwrap().replay;
    assert_eq!(early.segments, 6, "no further than the next base backup's end");
}

#[test]
fn what_cannot_be_reached_is_refused_by_name() {
    let catalog = torn();
    let why = |target: RecoveryTarget| choose(&catalog, &target, None).unwrap_err();
    assert!(matches!(why(time(29)), Refused::Before { first: Some(first), .. } if first == at(30)));
    let gap = why(time(130)).problem(&time(130));
    assert_eq!(gap.exit, Exit::Refused);
    let words = "it lies beyond a gap: WAL 00000001000000000000000B is not in the archive";
    assert_eq!(gap.because.as_deref(), Some(words));
    assert_eq!(gap.try_this, Some(format!("up to {}, or from {} on", at(100), at(160))));
    let lsn = why(RecoveryTarget::Lsn(Lsn(12 * SIZE)));
    assert!(matches!(lsn, Refused::BeyondGap { .. }), "{lsn}");
    let end = why(time(207));
    assert!(matches!(end, Refused::BeyondEnd { last, seconds: Some(7), .. } if last == wal(1, 20)), "{end}");
    assert!(end.to_string().contains("by 7 s: 000000010000000000000014, stored at"), "{end}");
    assert_eq!(why(RecoveryTarget::Xid(7)), Refused::WhichBase);
    let unlisted = Catalog { whole: false, ..catalog.clone() };
    assert_eq!(choose(&unlisted, &RecoveryTarget::Latest, None), Err(Refused::Unlisted));
    assert_eq!(choose(&Store::default().catalog(), &RecoveryTarget::Latest, None), Err(Refused::Nothing(None)));
}

#[test]
fn a_base_backup_that_was_asked_for() {
    let catalog = torn();
    let from = |base: &str, target: RecoveryTarget| choose(&catalog, &target, Some(base)).map(|p| p.base.id);
    assert_eq!(from("a", time(100)).as_deref(), Ok("a"), "though a newer one leads there");
    assert_eq!(from("a", RecoveryTarget::Xid(7)).as_deref(), Ok("a"));
    assert_eq!(from("b", RecoveryTarget::Immediate).as_deref(), Ok("b"));
    assert!(matches!(from("b", time(60)), Err(Refused::BaseTooLate { .. })));
    assert!(matches!(from("a", time(200)), Err(Refused::BeyondGap { .. })), "behind its own window");
    assert!(matches!(from("a", RecoveryTarget::Latest), Err(Refused::BeyondGap { .. })));
    let unfinished = from("d", RecoveryTarget::Immediate).unwrap_err();
    assert_eq!(unfinished.to_string(), "base backup d can't be restored: it is not finished: started");
    assert_eq!(from("z", RecoveryTarget::Latest), Err(Refused::NoSuchBase("z".into())));
}

#[test]
fn over_a_failover_and_off_the_way() {
    // Timeline 1 was left in segment 8; a base backup was still taken on it, by the old primary, in segment 9.
    let store = Store::default().wal(1, 1..=10).history(2, 1, 8).wal(2, 8..=15).base("a", 1, 2, 3, "DONE");
    let catalog = store.base("stray", 1, 9, 9, "DONE").catalog();
    let plotted = choose(&catalog, &time(150), None).unwrap();
    assert_eq!((plotted.base.id.as_str(), plotted.lead_to), ("a", None));
    assert_eq!(plotted.by_itself.as_deref(), Some("stray"), "and could not lead it to timeline 2");
    assert_eq!(chosen(&catalog, &RecoveryTarget::Latest).as_deref(), Ok("a"));
    let stray = choose(&catalog, &RecoveryTarget::Immediate, Some("stray")).unwrap();
    assert_eq!(stray.lead_to, Some(1));
    let lost = Store::default().wal(1, 1..=8).wal(2, 8..=15).base("a", 1, 2, 3, "DONE").catalog();
    let why = choose(&lost, &time(150), None).unwrap_err();
    assert!(matches!(why, Refused::Unreachable { timeline: 2, .. }), "{why}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    /// Looking through all base backups and segments, one by one, gives the same.
    #[test]
    fn as_a_naive_look_has_it(
        missing in proptest::collection::btree_set(0u64..40, 0..4),
        bases in proptest::collection::btree_map(1u64..30, 0u64..3, 0..5),
        second in 0i64..450,
    ) {
        let there: BTreeSet<u64> = (0..40).filter(|n| !missing.contains(n)).collect();
        let mut store = Store::default().wal(1, there.iter().copied());
        for (end, before) in &bases {
            store = store.base(&format!("{end:02}"), 1, end.saturating_sub(*before), *end, "DONE");
        }
        let reach = |begin: u64| (begin..40).take_while(|n| there.contains(n)).last();
        let leads = |(end, before): &(&u64, &u64)| {
            let furthest = reach(end.saturating_sub(**before));
            furthest.is_some_and(|f| f >= **end && **end as i64 * 10 <= second && second <= f as i64 * 10)
        };
        let naive = bases.iter().filter(leads).map(|(end, _)| format!("{end:02}")).max();
        let found = choose(&store.catalog(), &time(second), None);
        prop_assert_eq!(found.as_ref().ok().map(|p| p.base.id.clone()), naive);
        if let Err(Refused::BeyondGap { gap, .. }) = &found {
            prop_assert!(missing.contains(&gap.first.number(SIZE)));
        }
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let _ = RecoveryTarget::parse(&text);
        let _ = RecoveryTarget::name(&text);
    }
}
