//! "If this zone were lost now", on a healthy cluster and on ones with something missing.

use super::*;
use crate::domain::cluster::{FailoverQuorum, Target};
use crate::domain::health::scene::{Scene, name, now};
use crate::domain::lsn::Lsn;
use crate::domain::replication::SyncRule;
use crate::domain::sample::SilenceKind;

fn lost(zone: &str, change: impl FnOnce(&mut Scene)) -> WhatIf {
    let mut scene = Scene::healthy();
    change(&mut scene);
    if_zone_lost(&scene.facts(), &scene.cluster, &zone.into(), now())
}

fn received(scene: &mut Scene, n: u32, lsn: u64) {
    scene.says(n).received = Some(Lsn(lsn));
}

#[test]
fn the_primarys_zone() {
    let answer = lost("z1", |s| received(s, 3, 0x500_0200));
    assert_eq!(answer.lost, [name(1)]);
    assert_eq!(answer.leader, Leader::Candidate(name(3)), "the one that has received most");
    assert_eq!(answer.promise, Promise::Quorum(Quorum { r: 2, w: 1, n: 2 }));
    assert_eq!(answer.risk, Risk::None);
    assert_eq!(answer.usual.map(|u| (u.from.as_secs(), u.to.as_secs())), Some((40, 60)));
    let rw = answer.services.iter().find(|s| s.name == "pg-rw").unwrap();
    assert_eq!((rw.loses.as_slice(), rw.keeps.len()), ([name(1)].as_slice(), 0));
    assert!(
        answer.basis.iter().any(|b| b.witness.to_string() == "synchronous_standby_names on pg-1"),
        "{:#?}",
        answer.basis
    );
}

#[test]
fn of_equals_the_first_by_name_leads() {
    assert_eq!(lost("z1", |_| {}).leader, Leader::Candidate(name(2)));
}

#[test]
fn a_standbys_zone() {
    let answer = lost("z2", |_| {});
    assert_eq!((answer.leader, answer.promise, answer.risk), (Leader::Stays(name(1)), Promise::NotNeeded, Risk::None));
    assert_eq!(answer.usual, None);
    let waits = lost("z2", |s| s.leads().sync_rule = Some(SyncRule::parse(r#"ANY 2 ("pg-2","pg-3")"#)));
    assert!(waits.basis.iter().any(|b| b.statement.starts_with("commits would wait: 1 of 2")), "{:#?}", waits.basis);
}

#[test]
fn a_standby_is_down_already() {
    let answer = lost("z1", |s| {
        s.silent(3, SilenceKind::TimedOut);
        received(s, 2, 0x500_0080);
    });
    assert_eq!(answer.promise, Promise::Quorum(Quorum { r: 1, w: 1, n: 2 }));
    assert_eq!(answer.risk, Risk::UpTo { bytes: 0x80, primary: Lsn(0x500_0100), candidate: Lsn(0x500_0080) });
    assert_eq!(answer.leader, Leader::Candidate(name(2)));
}

#[test]
fn the_operator_may_refuse_without_a_quorum() {
    let answer = lost("z1", |s| {
        s.silent(3, SilenceKind::TimedOut);
        s.cluster.sync.failover_quorum = true;
    });
    assert_eq!(answer.leader, Leader::Nobody);
    assert!(answer.basis.iter().any(|b| b.statement.contains("would not promote pg-2")), "{:#?}", answer.basis);
}

#[test]
fn preferred_durability_counts_as_none() {
    let answer = lost("z1", |s| s.cluster.sync.preferred = true);
    assert_eq!(answer.promise, Promise::Quorum(Quorum { r: 2, w: 0, n: 2 }));
    assert!(matches!(answer.risk, Risk::UpTo { bytes: 0, .. }), "{:?}", answer.risk);
}

#[test]
fn asynchronous_promises_nothing() {
    assert_eq!(lost("z1", |s| s.leads().sync_rule = Some(Ok(None))).promise, Promise::None);
    assert_eq!(lost("z1", |s| s.leads().synchronous_commit = Some("local".into())).promise, Promise::None);
}

#[test]
fn names_outside_the_cluster_could_have_confirmed_too() {
    let rule = |text: &'static str| move |s: &mut Scene| s.leads().sync_rule = Some(SyncRule::parse(text));
    let promise = lost("z1", rule(r#"ANY 1 ("pg-2","pg-3","dr-1")"#)).promise;
    assert_eq!(promise, Promise::Quorum(Quorum { r: 2, w: 1, n: 3 }));
    // The primary itself may be named and confirms nothing.
    let promise = lost("z1", rule(r#"ANY 1 ("pg-1","pg-2","pg-3")"#)).promise;
    assert_eq!(promise, Promise::Quorum(Quorum { r: 2, w: 1, n: 2 }));
}

#[test]
fn without_sql_the_operators_record_tells_or_nobody() {
    let by_status = |s: &mut Scene| {
        s.sql.clear();
        let status = |primary| crate::domain::sample::InstanceStatus {
            is_primary: Some(primary),
            current: Some(Lsn(0x500_0100)),
            received: Some(Lsn(0x500_0100)),
            ..Default::default()
        };
        s.status = (1..=3).map(|n| (name(n), Ok(status(n == 1)))).collect();
    };
    assert!(matches!(lost("z1", by_status).promise, Promise::Unknown(_)));
    let recorded = lost("z1", |s| {
        by_status(s);
        let standbys = vec![name(2), name(3)];
        s.cluster.quorum = Some(FailoverQuorum { method: "ANY".into(), number: 1, standbys, primary: Some(name(1)) });
    });
    assert_eq!((recorded.promise, recorded.risk), (Promise::Quorum(Quorum { r: 2, w: 1, n: 2 }), Risk::None));
}

#[test]
fn unknown_stays_unknown() {
    let unknown = |w: WhatIf| {
        matches!((w.leader, w.promise, w.risk), (Leader::Unknown(_), Promise::Unknown(_), Risk::Unknown(_)))
    };
    assert!(unknown(lost("z1", |s| s.silent(1, SilenceKind::TimedOut))));
    assert!(unknown(lost("z1", |s| s.cluster.instances[0].zone = None)));
    assert!(unknown(lost("z1", |s| s.cluster.instances[2].zone = None)));
    assert!(unknown(lost("z1", |s| s.watched = None)));
    assert!(unknown(lost("z1", |s| [2, 3].iter().for_each(|n| s.silent(*n, SilenceKind::Forbidden)))));
    assert!(matches!(lost("z1", |s| s.leads().sync_rule = Some(Err("garbled".into()))).promise, Promise::Unknown(_)));
}

#[test]
fn all_in_one_zone() {
    let answer = lost("z1", |s| {
        s.cluster.instances.iter_mut().for_each(|i| i.zone = Some("z1".into()));
        s.cluster.target = Some(Target::Instance(name(1)));
    });
    assert_eq!((answer.leader, answer.risk), (Leader::Nobody, Risk::All));
    assert_eq!(answer.lost.len(), 3);
}
