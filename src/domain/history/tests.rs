//! Properties of the rings, and what facts put into them.

use super::*;
use crate::domain::facts::{Fact, Facts};
use crate::domain::health::scene::{Scene, ago, name};
use crate::domain::lsn::Lsn;
use crate::domain::replication::{Slot, Standby};
use crate::domain::sample::Probe;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn filled(values: &[(i64, f64)]) -> Series {
    let mut s = Series::new(Resolution::Full);
    values.iter().for_each(|(t, v)| s.push(at(*t), *v));
    s
}

#[test]
fn a_minute_in_six_columns() {
    let s = filled(&(0..60).map(|t| (t, t as f64)).collect::<Vec<_>>());
    let columns = s.window(at(0), at(60), 6);
    assert_eq!(columns[0], Some(Bucket { min: 0.0, max: 9.0, last: 9.0 }));
    assert_eq!(columns[5], Some(Bucket { min: 50.0, max: 59.0, last: 59.0 }));
    assert_eq!(s.last(), Some((at(59), 59.0)));
}

#[test]
fn gaps_stay_gaps_and_narrow_columns_repeat() {
    let s = filled(&[(0, 1.0), (5, 2.0)]);
    let columns = s.window(at(0), at(6), 12);
    let known: Vec<bool> = columns.iter().map(Option::is_some).collect();
    assert_eq!(known, [true, true, false, false, false, false, false, false, false, false, true, true]);
    assert!(s.window(at(6), at(0), 4).iter().all(Option::is_none), "a window that ends before it begins is empty");
    assert!(s.window(at(0), at(6), 0).is_empty());
}

#[test]
fn a_day_back_at_a_minute_a_bucket() {
    let s = filled(&(0..24 * 360).map(|n| (n * 10, if n == 3 { 7.0 } else { 1.0 })).collect::<Vec<_>>());
    let whole = s.window(at(0), at(86_400), 24);
    assert_eq!(whole[0].map(|b| b.max), Some(7.0), "a spike of a day ago is still seen");
    assert!(whole.iter().all(Option::is_some));
    let last_minute = s.window(at(86_340), at(86_400), 6);
    assert!(last_minute.iter().all(Option::is_some), "the last minutes are kept finer");
}

#[test]
fn a_late_answer_widens_and_never_leads() {
    let s = filled(&[(10, 1.0), (11, 2.0), (10, 9.0)]);
    let columns = s.window(at(10), at(12), 2);
    assert_eq!(columns[0], Some(Bucket { min: 1.0, max: 9.0, last: 1.0 }));
    assert_eq!(s.last(), Some((at(11), 2.0)));
}

#[test]
fn a_slope_is_not_bent_by_outliers() {
    let mut values: Vec<(i64, f64)> = (0..120).map(|t| (t, 50.0 + 3.0 * t as f64)).collect();
    values[40].1 = 1e9;
    values[80].1 = 0.0;
    let slope = filled(&values).slope(SignedDuration::from_secs(120)).unwrap();
    assert!((slope - 3.0).abs() < 0.2, "{slope}");
    assert_eq!(filled(&values[..3]).slope(SignedDuration::from_secs(120)), None, "three points are no trend");
}

proptest! {
    /// Nothing is made up and nothing in reach is lost: each column's extremes are those of the values of the buckets it
    /// touches.
    #[test]
    fn a_window_tells_what_was_pushed(
        steps in prop::collection::vec((0i64..40, 0.0f64..1e6), 1..200),
        columns in 1usize..90,
        width in 1i64..600,
    ) {
        let mut t = 0;
        let values: Vec<(i64, f64)> = steps.iter().map(|(gap, v)| { t += gap; (t, (*v as f32).into()) }).collect();
        let s = filled(&values);
        let (from, to) = (t - width, t + 1);
        let seen = s.window(at(from), at(to), columns);
        prop_assert_eq!(seen.len(), columns);
        let inside: Vec<f64> = values.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, v)| *v).collect();
        let max = seen.iter().flatten().map(|b| b.max).fold(f32::MIN, f32::max);
        let wanted = inside.iter().copied().fold(f64::MIN, f64::max);
        prop_assert!(inside.is_empty() || f64::from(max) >= wanted, "{max} {wanted}");
        for b in seen.into_iter().flatten() {
            prop_assert!(b.min <= b.last && b.last <= b.max);
            prop_assert!(values.iter().any(|(_, v)| *v as f32 == b.last));
        }
    }

    /// However long it runs, it stays within its bounds.
    #[test]
    fn it_is_bounded(steps in prop::collection::vec((0i64..5000, 0.0f64..1e6), 0..400), trend: bool) {
        let resolution = if trend { Resolution::Trend } else { Resolution::Full };
        let mut s = Series::new(resolution);
        let mut t = 0;
        for (gap, v) in steps {
            t += gap;
            s.push(at(t), v);
        }
        let most = if trend { 60 } else { 2760 };
        prop_assert!(s.buckets() <= most);
    }

    #[test]
    fn nothing_panics(t in any::<i32>(), v in any::<f64>(), n in 0usize..200, a in any::<i32>(), b in any::<i32>()) {
        let s = filled(&[(t.into(), v), (0, v)]);
        let _ = s.window(at(a.into()), at(b.into()), n);
        let _ = s.slope(SignedDuration::from_secs(b.into()));
    }
}

/// A primary at this second, writing 1,000 bytes a second, with one standby 400 bytes behind and one whose row is gone.
fn learn(histories: &mut Histories, facts: &Facts, scene: &mut Scene, second: i64) {
    let current = Lsn(0x500_0000 + 1000 * second as u64);
    let mut sample = scene.leads().clone();
    sample.current = Some(current);
    sample.standbys.truncate(1);
    sample.standbys[0].replay = Some(Lsn(current.0 - 400));
    sample.slots[1].restart = Some(Lsn(0x500_0000));
    let when = ago(600 - second);
    let probe = Probe { at: when, took: SignedDuration::ZERO, answer: Ok(sample) };
    histories.observe(facts, &Fact::Sql(scene.cluster.key.clone(), name(1), Arc::new(probe)), when);
}

#[test]
fn facts_become_lag_rate_and_slots() {
    let mut scene = Scene::healthy();
    let facts = scene.facts();
    let key = scene.cluster.key.clone();
    let mut histories = Histories::default();
    histories.focus(&key);
    (0..60).for_each(|second| learn(&mut histories, &facts, &mut scene, second));
    let h = histories.of(&key).unwrap();
    let last = |s: &Series| s.last().map(|(_, v)| v);
    assert_eq!(last(h.standbys[&name(2)].bytes.get(&Stage::Replay).unwrap()), Some(400.0));
    assert_eq!(
        last(h.standbys[&name(3)].bytes.get(&Stage::Replay).unwrap()),
        Some(59_000.0),
        "its slot gives a lower bound"
    );
    assert_eq!(last(&h.slots["_cnpg_pg_3"]), Some(59_000.0));
    assert_eq!(last(&h.wal_rate), Some(1000.0));
}

#[test]
fn only_what_is_looked_at_is_kept_in_full() {
    let mut scene = Scene::healthy();
    let facts = scene.facts();
    let key = scene.cluster.key.clone();
    let mut histories = Histories::default();
    (0..30).for_each(|second| learn(&mut histories, &facts, &mut scene, second));
    assert_eq!(histories.of(&key).map(|h| h.resolution), Some(Resolution::Trend));
    assert!(histories.of(&key).unwrap().slots.is_empty());
    histories.focus(&key);
    assert_eq!(histories.of(&key).map(|h| h.resolution), Some(Resolution::Full));
    for n in 0..8 {
        histories.focus(&crate::domain::names::ClusterKey::new("aks", "other", &n.to_string()));
    }
    assert_ne!(
        histories.of(&key).map(|h| h.resolution),
        Some(Resolution::Full),
        "the one looked at longest ago made room"
    );
}

#[test]
fn two_witnesses_of_one_moment_make_no_rate() {
    let mut scene = Scene::healthy();
    let key = scene.cluster.key.clone();
    let mut histories = Histories::default();
    histories.focus(&key);
    let start = scene.leads().current.unwrap();
    for (milliseconds, written) in [(0, 0), (2, 16_000_000), (1000, 17_000_000), (1003, 17_400_000), (2000, 18_000_000)]
    {
        let when = at(0) + SignedDuration::from_millis(milliseconds);
        scene.leads().current = Some(Lsn(start.0 + written));
        let probe = Probe { at: when, took: SignedDuration::ZERO, answer: Ok(scene.leads().clone()) };
        histories.observe(&scene.facts(), &Fact::Sql(key.clone(), name(1), Arc::new(probe)), when);
    }
    let rates = histories.of(&key).unwrap().wal_rate.window(at(-1), at(3), 4);
    let highest = rates.iter().flatten().map(|b| b.max).fold(0.0, f32::max);
    assert!((1e6..2e7).contains(&highest), "{highest}");
}

#[test]
fn ever_new_names_push_out_the_oldest() {
    let mut scene = Scene::healthy();
    let key = scene.cluster.key.clone();
    let mut histories = Histories::default();
    histories.focus(&key);
    let (row, slot) = (scene.leads().standbys[0].clone(), scene.leads().slots[0].clone());
    for n in 0..200 {
        let (row, slot) = (row.clone(), slot.clone());
        scene.leads().standbys = vec![Standby { name: format!("sync-{n}"), ..row }];
        scene.leads().slots = vec![Slot { name: format!("sync-{n}"), ..slot }];
        let probe = Probe { at: at(n), took: SignedDuration::ZERO, answer: Ok(scene.leads().clone()) };
        let fact = Fact::Sql(key.clone(), name(1), Arc::new(probe));
        histories.observe(&scene.facts(), &fact, at(n));
    }
    let history = histories.of(&key).unwrap();
    assert!(history.standbys.len() <= 64 && history.slots.len() <= 64, "{}", history.standbys.len());
    assert!(history.standbys.contains_key(&"sync-199".into()) && !history.standbys.contains_key(&"sync-0".into()));
}
