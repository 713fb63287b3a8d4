//! Checks against recordings of a real cluster (CNPG 1.30): each holds for the first time when it is true, and never before.
//!
//! In all of them the phase says "healthy" at some time at which the check must not hold.

use howdah::adapters::playback::{Player, Recording, Told};
use howdah::domain::facts::{Fact, Facts};
use howdah::domain::names::{ClusterKey, InstanceName};
use howdah::domain::sample::{InstanceStatus, Probe};
use howdah::procedure::{Check, Proof};
use jiff::SignedDuration;
use std::path::Path;
use std::sync::Arc;

/// How often it is asked, in milliseconds.
const EVERY: i64 = 50;

/// Moments, in milliseconds after the first action, at which the check began and ceased to hold, asked since `since`.
/// `more` adds facts at each moment.
fn turns(
    recording: &str,
    since: i64,
    check: impl Fn(&Facts) -> Option<Check>,
    more: impl Fn(&Facts, &ClusterKey, jiff::Timestamp) -> Vec<Fact>,
) -> Vec<(i64, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(recording);
    let recording = Recording::read(&folder).unwrap_or_else(|problem| panic!("{problem}"));
    let key = ClusterKey::new("recorded", "pg", "demo");
    let end = recording.steps.last().map_or(0, |s| s.at.duration_since(recording.epoch).as_millis() as i64);
    let times: Vec<_> = (-5000..=end + 1000).step_by(EVERY as usize).map(|ms| (ms, recording.at(ms))).collect();
    let since = recording.at(since);
    let mut player = Player::new(recording, key.context.clone());
    let mut facts = Facts::default();
    let (mut asked, mut held, mut turns) = (None, false, Vec::new());
    for (ms, now) in times {
        for (_, told) in player.advance(now) {
            if let Told::Fact(fact) = told {
                facts.absorb(fact);
            }
        }
        for fact in more(&facts, &key, now) {
            facts.absorb(fact);
        }
        if asked.is_none() {
            asked = check(&facts);
        }
        let Some(check) = &asked else { continue };
        let proof = check.judge(&facts, &key, since);
        let holds = matches!(proof, Proof::Yes(_));
        if holds != held {
            held = holds;
            turns.push((ms, if let Proof::Yes(evidence) = proof { evidence } else { Vec::new() }));
        }
    }
    assert!(asked.is_some(), "the check was never asked");
    turns
}

fn nothing(_: &Facts, _: &ClusterKey, _: jiff::Timestamp) -> Vec<Fact> {
    Vec::new()
}

fn name(n: u32) -> InstanceName {
    InstanceName::from(format!("demo-{n}"))
}

/// It holds once, from a moment in this range on, to the end.
fn once(turns: &[(i64, Vec<String>)], range: std::ops::RangeInclusive<i64>) -> &[String] {
    let [(at, evidence)] = turns else { panic!("it turns {} times: {turns:#?}", turns.len()) };
    assert!(range.contains(at), "from {at} ms on: {evidence:?}");
    evidence
}

/// Deleted at 0; promoted at 1.9 s, the endpoints follow at 2.8 s, the timeline of the status comes last.
#[test]
fn another_leads_after_a_failover_and_not_before() {
    let check = Check::AnotherLeads { than: name(1), after: Some(1) };
    let turns = turns("2-failover", 0, |_| Some(check.clone()), nothing);
    let evidence = once(&turns, 2750..=3600);
    assert_eq!(evidence[0], "cluster status: demo-3 is primary and target");
    assert!(evidence.contains(&"/pg/status of demo-3: primary, timeline 2".to_owned()), "{evidence:?}");
    assert!(evidence.contains(&"endpoints of demo-rw lead to demo-3".to_owned()), "{evidence:?}");
}

/// Every pod is ready again at 13.8 s; a healthy standby still tells its old `timeLineID`.
#[test]
fn a_failover_ends_when_all_stream_again() {
    let check = Check::FullyRedundant { instances: 3 };
    let turns = turns("2-failover", 0, |_| Some(check.clone()), nothing);
    let last = turns.last().unwrap();
    assert!((13_600..=15_000).contains(&last.0) && !last.1.is_empty(), "{turns:#?}");
    // Before the deletion was seen it may still have held.
    assert!(turns.iter().rev().skip(1).all(|(at, _)| *at < 700), "{turns:#?}");
}

/// The plugin promotes demo-1 at 0: its endpoints come at 2.5 s, the timeline at 5.3 s; a container restarts in between.
#[test]
fn leads_after_a_switchover_and_not_before() {
    let leads = Check::Leads { instance: name(1) };
    let turned = turns("3-switchover", 0, |_| Some(leads.clone()), nothing);
    once(&turned, 3000..=5500);
    let later = Check::All(vec![leads, Check::AnotherLeads { than: name(3), after: Some(2) }]);
    once(&turns("3-switchover", 0, |_| Some(later.clone()), nothing), 3000..=5600);
    let full = Check::FullyRedundant { instances: 3 };
    let turned = turns("3-switchover", 1000, |_| Some(full.clone()), nothing);
    once(&turned, 15_000..=18_900);
}

/// The annotation comes at 0.34 s, the instance manager tells that PostgreSQL is down from 0.5 s on; unfenced at 15.7 s.
#[test]
fn fenced_and_unfenced_while_the_phase_says_healthy() {
    let check = Check::Fenced { instances: vec!["demo-2".into()] };
    let turned = turns("4a-fencing", 0, |_| Some(check.clone()), nothing);
    let [(from, evidence), (to, _)] = turned.as_slice() else { panic!("{turned:#?}") };
    assert!((341..=1200).contains(from) && (15_600..=15_750).contains(to), "{turned:#?}");
    assert_eq!(evidence[0], "cluster annotation: demo-2 fenced");
    assert!(evidence[1].starts_with("/pg/status of demo-2: "), "{evidence:?}");
    let nobody = Check::Fenced { instances: vec![] };
    let turned = turns("4a-fencing", 15_400, |_| Some(nobody.clone()), nothing);
    once(&turned, 15_665..=22_000);
}

/// The last pod goes at 5.8 s and the condition turns; asked for at 0. The phase says healthy throughout.
#[test]
fn hibernated_when_the_last_pod_is_gone() {
    let turned = turns("4b-hibernation", 0, |_| Some(Check::Hibernated(true)), nothing);
    let [(from, _), (to, _)] = turned.as_slice() else { panic!("{turned:#?}") };
    assert!((5500..=7500).contains(from), "{turned:#?}");
    assert!((11_000..=16_000).contains(to), "woken: {turned:#?}");
    // Nobody could be asked in this recording, so that it is awake is never proven: ready pods alone are not enough.
    let awake = turns("4b-hibernation", 11_000, |_| Some(Check::Hibernated(false)), nothing);
    assert_eq!(awake, [], "{awake:#?}");
}

/// Instances that answer `/pg/status` whenever they are ready: the recording itself asked nobody.
fn answering(primary: u32) -> impl Fn(&Facts, &ClusterKey, jiff::Timestamp) -> Vec<Fact> {
    move |facts, key, now| {
        let Some(cluster) = facts.clusters.get(key) else { return Vec::new() };
        let running = cluster.instances.iter().filter(|i| i.pod.as_ref().is_some_and(|p| p.running));
        let answer = |i: &howdah::domain::cluster::Instance| {
            let is_primary = i.name == name(primary);
            let status = InstanceStatus {
                is_primary: Some(is_primary),
                receiver_active: Some(!is_primary),
                standbys: None,
                ..InstanceStatus::default()
            };
            let probe = Probe { at: now, took: SignedDuration::ZERO, answer: Ok(status) };
            Fact::Status(key.clone(), i.name.clone(), Arc::new(probe))
        };
        running.map(answer).collect()
    }
}

fn of_pod(n: u32, make: fn(InstanceName, String) -> Check) -> impl Fn(&Facts) -> Option<Check> {
    move |facts| {
        let cluster = facts.clusters.values().next()?;
        Some(make(name(n), cluster.instance(&name(n))?.pod.as_ref()?.uid.clone()))
    }
}

fn replaced(instance: InstanceName, uid: String) -> Check {
    Check::PodReplaced { instance, uid }
}

fn gone(instance: InstanceName, uid: String) -> Check {
    Check::PodGone { instance, uid }
}

/// Destroyed at 0: the pod is gone at 1.65 s, the job that clones it is done at 4.8 s, the new one is ready at 15.7 s.
#[test]
fn a_pod_is_replaced_after_a_rebuild() {
    once(&turns("5a-destroy", 0, of_pod(3, gone), nothing), 1600..=1800);
    let none = turns("5a-destroy", 0, of_pod(3, replaced), nothing);
    assert_eq!(none, [], "ready alone is not enough: {none:#?}");
    // The primary's list is empty here: then its own receiver must not be believed either.
    let alone = turns("5a-destroy", 0, of_pod(3, replaced), answering(1));
    assert_eq!(alone, [], "{alone:#?}");
}

/// A restart of demo-2: made again for the whole cluster at 13.8 s (ready at 24.7 s).
#[test]
fn a_pod_is_replaced_after_a_restart() {
    let streaming = |facts: &Facts, key: &ClusterKey, now: jiff::Timestamp| {
        let mut told = answering(1)(facts, key, now);
        for fact in &mut told {
            if let Fact::Status(_, i, probe) = fact
                && *i == name(1)
                && let Ok(status) = &mut Arc::make_mut(probe).answer
            {
                let row = |n| howdah::domain::replication::Standby {
                    name: name(n).to_string(),
                    state: Some("streaming".into()),
                    ..Default::default()
                };
                status.standbys = Some(vec![row(2), row(3)]);
            }
        }
        told
    };
    let turned = turns("5b-restart", 0, of_pod(2, replaced), streaming);
    assert!((24_700..=24_900).contains(&turned[0].0), "{turned:#?}");
    let rebuilt = turns("5a-destroy", 0, of_pod(3, replaced), streaming);
    once(&rebuilt, 15_650..=15_800);
}
