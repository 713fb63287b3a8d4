//! One fault at a time, put into a healthy cluster: each must be told, by its name, and none may leave it ok.

use super::Level::{Bad, Ok as Fine, Unknown, Warn};
use super::ReasonCode::*;
use super::scene::{Scene, ago, name, now};
use super::*;
use crate::domain::cluster::{
    self, BackupObject, Backups, Certificate, Complaint, Condition, Hibernation, OperatorState, ReplicaCluster,
    SyncPromise, Target, VolumePurpose,
};
use crate::domain::history::Histories;
use crate::domain::sample::*;
use std::sync::Arc;

fn judged(scene: &Scene) -> Health {
    judge(&scene.facts(), &scene.cluster, None, &Limits::default(), now())
}

/// The level of availability and its first reason.
fn available(change: impl FnOnce(&mut Scene)) -> (Level, Option<ReasonCode>) {
    let mut scene = Scene::healthy();
    change(&mut scene);
    let v = judged(&scene).availability;
    (v.level, v.reasons.first().map(|r| r.code))
}

fn recoverable(change: impl FnOnce(&mut Scene)) -> (Level, Option<ReasonCode>) {
    let mut scene = Scene::healthy();
    change(&mut scene);
    let v = judged(&scene).recoverability;
    (v.level, v.reasons.first().map(|r| r.code))
}

#[test]
fn all_well_is_ok_and_says_nothing() {
    let health = judged(&Scene::healthy());
    assert_eq!(health.headline(), Fine, "{health:#?}");
    assert_eq!(health.reasons().count(), 0);
}

#[test]
fn what_cant_be_seen_is_unknown() {
    assert_eq!(available(|s| s.watched = None), (Unknown, Some(Stale)));
    assert_eq!(available(|s| s.watched = Some(jiff::SignedDuration::from_mins(3))), (Unknown, Some(Stale)));
    assert_eq!(available(|s| s.sampled = jiff::SignedDuration::from_mins(3)), (Unknown, Some(Stale)));
    assert_eq!(available(|s| s.sql.clear()), (Unknown, Some(CantBeAsked)));
    assert_eq!(
        available(|s| s.cluster.phase.as_mut().unwrap().text = "Levitating".into()),
        (Unknown, Some(PhaseNotHealthy))
    );
    let forbidden = |s: &mut Scene| (1..=3).for_each(|n| s.silent(n, SilenceKind::Forbidden));
    assert_eq!(available(forbidden), (Unknown, Some(CantBeAsked)));
    assert_eq!(recoverable(forbidden), (Unknown, Some(CantBeAsked)));
    // A missing right is asked for once a minute: it does not grow stale in between.
    let long_ago = |s: &mut Scene| {
        forbidden(s);
        s.sampled = jiff::SignedDuration::from_secs(70);
    };
    assert_eq!(available(long_ago), (Unknown, Some(CantBeAsked)));
    // An instance that never answered may be behind a network policy.
    let never = |s: &mut Scene| {
        s.answered_before = false;
        s.silent(2, SilenceKind::TimedOut);
        s.leads().standbys.clear();
        s.leads().standbys.extend([2, 3].map(|n| crate::domain::replication::Standby {
            name: format!("pg-{n}"),
            state: Some("streaming".into()),
            sync: Some(crate::domain::replication::SyncState::Quorum),
            ..Default::default()
        }));
    };
    assert_eq!(available(never), (Unknown, Some(CantBeAsked)));
}

#[test]
fn nobody_can_be_asked_is_said_once() {
    let mut scene = Scene::healthy();
    (1..=3).for_each(|n| scene.silent(n, SilenceKind::Forbidden));
    let told = judged(&scene).availability.reasons;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].text.starts_with("no instance can be asked"), "{}", told[0].text);
}

#[test]
fn the_primary() {
    assert_eq!(available(|s| s.silent(1, SilenceKind::NotServing)), (Bad, Some(PrimaryNotAnswering)));
    assert_eq!(available(|s| s.silent(1, SilenceKind::Unreachable)), (Bad, Some(PrimaryNotAnswering)));
    assert_eq!(available(|s| s.silent(1, SilenceKind::TimedOut)), (Warn, Some(PrimaryNotAnswering)));
    assert_eq!(
        available(|s| s.cluster.instances[0].pod.as_mut().map(Arc::make_mut).unwrap().ready = false),
        (Bad, Some(PrimaryNotReady))
    );
    assert_eq!(available(|s| s.cluster.services[0].leads_to = Some(vec![])), (Bad, Some(WritesLeadNowhere)));
    assert_eq!(available(|s| s.cluster.services[0].leads_to = Some(vec![name(2)])), (Bad, Some(WritesLeadNowhere)));
    assert_eq!(available(|s| s.cluster.target = Some(Target::Pending)), (Bad, Some(FailingOver)));
    assert_eq!(available(|s| s.cluster.target = Some(Target::Instance(name(2)))), (Warn, Some(SwitchingOver)));
    assert_eq!(available(|s| s.cluster.lease.as_mut().unwrap().holder = None), (Bad, Some(NoPrimary)));
    assert_eq!(
        available(|s| s.cluster.lease.as_mut().unwrap().renewed = Some(ago(60))),
        (Warn, Some(PrimaryNotAnswering))
    );
    let two = |s: &mut Scene| s.says(2).in_recovery = false;
    assert_eq!(available(two), (Bad, Some(TwoPrimaries)));
    let node_gone = |s: &mut Scene| {
        s.silent(1, SilenceKind::TimedOut);
        s.nodes[0].ready = None;
    };
    assert_eq!(available(node_gone), (Bad, Some(PrimaryNotAnswering)));
    let follows = |s: &mut Scene| s.leads().in_recovery = true;
    assert_eq!(available(follows), (Bad, Some(NoPrimary)));
}

#[test]
fn a_replica_cluster_follows_and_that_is_well() {
    let replica = |s: &mut Scene| {
        s.cluster.replica_of = Some(ReplicaCluster { source: "elsewhere".into(), enabled: true });
        let streaming = s.says(2).clone();
        *s.leads() = streaming;
    };
    let (level, first) = available(replica);
    assert!(level < Warn, "{level:?} {first:?}");
}

#[test]
fn instances_and_zones() {
    assert_eq!(available(|s| s.cluster.instances[2].pod = None), (Warn, Some(InstancesMissing)));
    assert_eq!(
        available(|s| s.cluster.instances[2].pod.as_mut().map(Arc::make_mut).unwrap().ready = false),
        (Warn, Some(InstanceNotReady))
    );
    assert_eq!(available(|s| s.silent(3, SilenceKind::TimedOut)), (Fine, None), "one lost question, and it streams");
    let for_long = |s: &mut Scene| {
        s.silent(3, SilenceKind::TimedOut);
        s.sampled = jiff::SignedDuration::from_secs(8);
    };
    assert_eq!(available(for_long), (Warn, Some(InstanceNotAnswering)));
    let lost = |s: &mut Scene| {
        s.silent(3, SilenceKind::TimedOut);
        s.leads().standbys.pop();
    };
    assert!(available(lost).0 >= Warn);
    assert_eq!(available(|s| s.silent(3, SilenceKind::NotServing)), (Warn, Some(InstanceNotServing)));
    assert_eq!(available(|s| s.nodes[2].ready = None), (Warn, Some(NodeNotReady)));
    assert_eq!(available(|s| s.nodes[2].pressure = vec!["DiskPressure".into()]), (Warn, Some(NodeNotReady)));
    assert_eq!(available(|s| s.cluster.instances[2].zone = Some("z1".into())), (Warn, Some(ZoneSpreadBroken)));
    let no_node_there = |s: &mut Scene| {
        s.cluster.instances[2].zone = Some("z1".into());
        s.cluster.instances[2].pod.as_mut().map(Arc::make_mut).unwrap().node = Some("node1".into());
        s.nodes[0].workload = Some("postgres".into());
        s.nodes[1].workload = Some("postgres".into());
    };
    assert_eq!(available(no_node_there), (Fine, None), "two of two zones with nodes for it");
    let never_promised = |s: &mut Scene| {
        s.cluster.instances[2].zone = Some("z1".into());
        s.cluster.spread_over_zones = None;
    };
    assert_eq!(available(never_promised), (Fine, None));
}

#[test]
fn streaming_has_two_witnesses_and_hidden_is_unknown() {
    assert_eq!(available(|s| drop(s.leads().standbys.remove(1))), (Bad, Some(StandbyNotStreaming)));
    assert_eq!(available(|s| s.leads().standbys[1].state = Some("catchup".into())), (Bad, Some(StandbyNotStreaming)));
    assert_eq!(available(|s| s.says(3).receiver.as_mut().unwrap().status = None), (Warn, Some(StandbyNotStreaming)));
    let hidden = |s: &mut Scene| {
        for n in 1..=3 {
            s.says(n).sees_all = false;
            s.says(n).receiver = None;
        }
        for row in &mut s.leads().standbys {
            *row = crate::domain::replication::Standby { name: row.name.clone(), ..Default::default() };
        }
    };
    assert_eq!(available(hidden), (Unknown, Some(CantBeAsked)));
}

#[test]
fn the_receivers_timeline_counts_and_the_status_field_does_not() {
    assert_eq!(
        available(|s| s.says(3).receiver.as_mut().unwrap().timeline = Some(1)),
        (Warn, Some(StandbyOnOtherTimeline))
    );
    let old_field = |s: &mut Scene| {
        let status = InstanceStatus {
            is_primary: Some(false),
            receiver_active: Some(true),
            timeline: Some(1),
            ..InstanceStatus::default()
        };
        s.status.insert(name(3), Ok(status));
    };
    assert_eq!(available(old_field), (Fine, None));
}

#[test]
fn lag_by_row_and_by_slot() {
    let behind = |bytes: u64| {
        move |s: &mut Scene| {
            let current = s.leads().current.unwrap().0 + bytes;
            s.leads().current = Some(crate::domain::lsn::Lsn(current));
            s.leads().standbys[0].replay = Some(crate::domain::lsn::Lsn(current));
            s.leads().slots[0].restart = Some(crate::domain::lsn::Lsn(current));
        }
    };
    assert_eq!(available(behind(1000)), (Fine, None));
    assert_eq!(available(behind(100 << 20)), (Warn, Some(StandbyLagging)));
    assert_eq!(available(behind(2 << 30)), (Bad, Some(StandbyLagging)));
    let slow = |s: &mut Scene| s.leads().standbys[1].replay_lag = Some(jiff::SignedDuration::from_mins(6));
    assert_eq!(available(slow), (Bad, Some(StandbyLagging)));
    let gone = |s: &mut Scene| {
        behind(100 << 20)(s);
        s.leads().standbys.remove(1);
    };
    let mut scene = Scene::healthy();
    gone(&mut scene);
    let told = judged(&scene).availability.reasons;
    let lag = told.iter().find(|r| r.code == StandbyLagging).expect("the slot still tells");
    assert!(lag.text.starts_with("pg-3 is at least 105 MB"), "{}", lag.text);
    assert_eq!(available(|s| s.says(3).replay_paused = Some(true)), (Warn, Some(ReplayPaused)));
}

#[test]
fn a_rising_lag_is_told_before_it_is_large() {
    let mut scene = Scene::healthy();
    let mut histories = Histories::default();
    histories.focus(&scene.cluster.key);
    for second in 0..90u64 {
        let facts = scene.facts();
        let at = ago(90 - second as i64);
        let mut sample = scene.leads().clone();
        sample.current = Some(crate::domain::lsn::Lsn(0x500_0100 + second * 200_000));
        let probe = Probe { at, took: jiff::SignedDuration::ZERO, answer: Ok(sample.clone()) };
        let fact = crate::domain::facts::Fact::Sql(scene.cluster.key.clone(), name(1), std::sync::Arc::new(probe));
        histories.observe(&facts, &fact, at);
        if second == 89 {
            *scene.leads() = sample;
        }
    }
    let history = histories.of(&scene.cluster.key);
    let health = judge(&scene.facts(), &scene.cluster, history, &Limits::default(), now());
    assert_eq!(health.availability.level, Warn);
    let rising = health.availability.reasons.iter().find(|r| r.code == StandbyLagRising).expect("it rises");
    assert!(rising.text.ends_with("rises 200 kB/s"), "{}", rising.text);
}

#[test]
fn the_sync_promise_required_and_preferred() {
    let alone = |s: &mut Scene| {
        s.leads().standbys.iter_mut().for_each(|r| r.sync = Some(crate::domain::replication::SyncState::Async))
    };
    assert_eq!(available(alone), (Bad, Some(SyncPromiseNotMet)));
    let preferred = |s: &mut Scene| {
        alone(s);
        s.cluster.sync.preferred = true;
    };
    assert_eq!(available(preferred), (Warn, Some(SyncPromiseNotMet)));
    // Preferred empties the live setting when nobody is there: the spec still promised one.
    let emptied = |s: &mut Scene| {
        preferred(s);
        s.leads().sync_rule = Some(Ok(None));
    };
    assert_eq!(available(emptied), (Warn, Some(SyncPromiseNotMet)));
    let never = |s: &mut Scene| {
        alone(s);
        s.cluster.sync = SyncPromise { preferred: true, ..SyncPromise::default() };
        s.leads().sync_rule = Some(Ok(None));
    };
    assert_eq!(available(never), (Fine, Some(SyncNotPromised)));
}

#[test]
fn slots_that_hold_wal() {
    let idle = |kept: u64| {
        move |s: &mut Scene| {
            let restart = crate::domain::lsn::Lsn(0);
            let sql = s.leads();
            sql.current = Some(crate::domain::lsn::Lsn(kept));
            sql.standbys.iter_mut().for_each(|r| r.replay = sql.current);
            sql.slots.push(crate::domain::replication::Slot {
                name: "old".into(),
                restart: Some(restart),
                ..Default::default()
            });
        }
    };
    assert_eq!(available(idle(1 << 20)), (Fine, None));
    assert_eq!(available(idle(1 << 30)), (Warn, Some(SlotInactive)));
    assert_eq!(available(idle(8 << 30)), (Bad, Some(SlotInactive)));
    assert_eq!(available(|s| s.leads().slots[1].wal_status = Some("lost".into())), (Bad, Some(SlotLost)));
}

#[test]
fn on_purpose_is_never_ok() {
    assert_eq!(available(|s| s.cluster.hibernation = Some(Hibernation::Hibernated)), (Warn, Some(Hibernated)));
    assert_eq!(available(|s| s.cluster.fenced = cluster::Fenced::All), (Bad, Some(Fenced)));
    assert_eq!(available(|s| s.cluster.fenced = cluster::Fenced::Some([name(1)].into())), (Bad, Some(Fenced)));
    assert_eq!(available(|s| s.cluster.fenced = cluster::Fenced::Some([name(3)].into())), (Warn, Some(Fenced)));
    assert_eq!(available(|s| s.cluster.reconciliation_disabled = true), (Warn, Some(ReconciliationDisabled)));
    assert_eq!(available(|s| s.cluster.maintenance = true), (Warn, Some(MaintenanceOpen)));
    assert_eq!(available(|s| s.cluster.deleting = Some(ago(5))), (Bad, Some(Deleting)));
}

#[test]
fn the_operator_and_what_it_watches() {
    let operator = |change: fn(&mut OperatorState)| move |s: &mut Scene| change(&mut s.operators.as_mut().unwrap()[0]);
    assert_eq!(available(operator(|o| o.available = 0)), (Warn, Some(OperatorNotRunning)));
    assert_eq!(available(operator(|o| o.webhook_trouble = Some("no endpoints".into()))), (Warn, Some(WebhookFailing)));
    assert_eq!(available(|s| s.operators = Some(vec![])), (Warn, Some(OperatorNotRunning)));
    assert_eq!(available(|s| s.operators = None), (Fine, None), "not known is not held against it");
    let expires = |at: Timestamp| {
        move |s: &mut Scene| s.cluster.certificates = vec![Certificate { name: "ca".into(), expires: at }]
    };
    assert_eq!(available(expires(ago(-86_400 * 30))), (Fine, None));
    assert_eq!(available(expires(ago(-86_400 * 3))), (Warn, Some(CertificateExpiring)));
    assert_eq!(available(expires(ago(10))), (Bad, Some(CertificateExpiring)));
    let refused = |s: &mut Scene| {
        let message = "Internal error: failed calling webhook \"mcluster.cnpg.io\"".into();
        s.cluster.complaints =
            vec![Complaint { object: "Cluster/pg".into(), reason: "Failed".into(), message, at: Some(ago(9)) }];
    };
    assert_eq!(available(refused), (Warn, Some(WebhookFailing)));
}

#[test]
fn servers_that_fill_up() {
    assert_eq!(available(|s| s.leads().connections = Some((90, 100))), (Warn, Some(ConnectionsNearLimit)));
    // One that takes none at all can only say so.
    let mut scene = Scene::healthy();
    scene.sql.insert(name(1), Err(Silence { kind: SilenceKind::NotServing, why: "sorry, too many clients".into() }));
    assert!(judged(&scene).availability.reasons.iter().any(|r| r.code == ConnectionsNearLimit));
    assert_eq!(available(|s| s.leads().frozen_xid_age = Some(1_700_000_000)), (Bad, Some(WraparoundNear)));
    assert_eq!(
        available(|s| s.leads().oldest_transaction = Some(jiff::SignedDuration::from_hours(2))),
        (Warn, Some(LongTransaction))
    );
    let full = |s: &mut Scene| {
        let disk = DiskReading { purpose: VolumePurpose::Wal, used: 95, size: 100, source: "df in the pod".into() };
        s.metrics.insert(name(2), Ok(MetricsSample { disks: vec![disk], ..MetricsSample::default() }));
    };
    assert_eq!(available(full), (Bad, Some(DiskFilling)));
}

#[test]
fn the_archive() {
    let archiver = |change: fn(&mut ArchiverReading)| move |s: &mut Scene| change(s.leads().archiver.as_mut().unwrap());
    assert_eq!(recoverable(archiver(|a| a.last_failed = Some(("x".into(), ago(20))))), (Warn, Some(ArchiveFailing)));
    let for_long = |a: &mut ArchiverReading| {
        a.last_archived = Some(("000000020000000000000003".into(), ago(900)));
        a.last_failed = Some(("000000020000000000000004".into(), ago(20)));
    };
    assert_eq!(recoverable(archiver(for_long)), (Bad, Some(ArchiveFailing)));
    assert_eq!(recoverable(archiver(|a| a.ready = Some(9))), (Warn, Some(ArchiveStalled)));
    assert_eq!(recoverable(archiver(|a| a.ready = Some(90))), (Bad, Some(ArchiveStalled)));
    // A server that crashed has forgotten what it archived, and nothing waits.
    assert_eq!(recoverable(archiver(|a| (a.last_archived, a.ready) = (None, Some(0)))), (Fine, None));
    // An idle server archives nothing, and that is well.
    assert_eq!(recoverable(archiver(|a| a.last_archived.as_mut().unwrap().1 = ago(80_000))), (Fine, None));
    assert_eq!(recoverable(|s| s.cluster.archiving.by = None), (Warn, Some(ArchiveNotConfigured)));
    assert_eq!(recoverable(|s| s.cluster.archiving.skipped = true), (Warn, Some(ArchiveNotConfigured)));
    // The condition is believed only when it is bad.
    let condition = |status| {
        move |s: &mut Scene| {
            s.cluster.conditions = vec![Condition {
                kind: "ContinuousArchiving".into(),
                status: Some(status),
                reason: "x".into(),
                message: "exit status 2".into(),
                since: Some(ago(300)),
            }];
            s.leads().archiver.as_mut().unwrap().ready = Some(9);
        }
    };
    assert_eq!(recoverable(condition(false)), (Bad, Some(ArchiveFailing)));
    assert_eq!(recoverable(condition(true)), (Warn, Some(ArchiveStalled)));
}

#[test]
fn base_backups() {
    assert_eq!(recoverable(|s| s.cluster.backups.last_successful = None), (Bad, Some(NoBackup)));
    let just_made = |s: &mut Scene| {
        s.cluster.backups.last_successful = None;
        s.cluster.created = Some(ago(60));
    };
    assert_eq!(recoverable(just_made), (Warn, Some(NoBackup)));
    assert_eq!(recoverable(|s| s.cluster.backups.last_successful = Some(ago(30 * 3600))), (Warn, Some(BackupTooOld)));
    assert_eq!(recoverable(|s| s.cluster.backups.last_successful = Some(ago(30 * 86_400))), (Bad, Some(BackupTooOld)));
    assert_eq!(recoverable(|s| s.cluster.backups.last_failed = Some(ago(60))), (Warn, Some(BackupFailed)));
    let forbidden = |s: &mut Scene| {
        s.cluster.backups = Backups::default();
    };
    assert_eq!(recoverable(forbidden), (Unknown, Some(CantBeAsked)));
    let completed = |end: &'static str, stopped: Timestamp| {
        move |s: &mut Scene| {
            let object = BackupObject {
                name: "b".into(),
                phase: Some("completed".into()),
                method: None,
                started: Some(stopped),
                stopped: Some(stopped),
                begin_wal: None,
                end_wal: Some(end.into()),
                ..BackupObject::default()
            };
            s.cluster.backups.objects = vec![object.into()];
        }
    };
    assert_eq!(recoverable(completed("000000020000000000000004", ago(30))), (Fine, None));
    assert_eq!(recoverable(completed("000000020000000000000005", ago(30))), (Warn, Some(BackupNotRestorable)));
    assert_eq!(recoverable(completed("000000020000000000000005", ago(3000))), (Bad, Some(BackupNotRestorable)));
    assert_eq!(recoverable(completed("000000010000000000000009", ago(3000))), (Fine, None), "another timeline");
}

/// Faults that can be put in together.
const FAULTS: [fn(&mut Scene); 20] = [
    |s| s.watched = None,
    |s| s.sampled = jiff::SignedDuration::from_mins(5),
    |s| s.silent(1, SilenceKind::TimedOut),
    |s| s.silent(1, SilenceKind::Forbidden),
    |s| s.silent(3, SilenceKind::NotServing),
    |s| s.cluster.phase = None,
    |s| s.cluster.phase.iter_mut().for_each(|p| p.text = "Levitating".into()),
    |s| s.cluster.primary = None,
    |s| s.cluster.target = Some(Target::Pending),
    |s| s.cluster.services[0].leads_to = Some(vec![]),
    |s| s.cluster.instances[1].pod = None,
    |s| s.cluster.instances[0].pod.iter_mut().for_each(|p| Arc::make_mut(p).ready = false),
    |s| s.cluster.fenced = cluster::Fenced::All,
    |s| s.cluster.fenced = cluster::Fenced::Some([name(2)].into()),
    |s| s.cluster.hibernation = Some(Hibernation::Hibernated),
    |s| s.cluster.reconciliation_disabled = true,
    |s| s.cluster.wanted = None,
    |s| s.cluster.deleting = Some(ago(1)),
    |s| s.operators = Some(vec![]),
    |s| s.nodes.iter_mut().for_each(|n| n.ready = Some(false)),
];

proptest::proptest! {
    /// Whatever comes together: one fault never hides another so well that all looks green.
    #[test]
    fn no_faults_cancel_out(chosen in 1u32..1 << 20) {
        let mut scene = Scene::healthy();
        FAULTS.iter().enumerate().filter(|(i, _)| chosen & (1 << i) != 0).for_each(|(_, fault)| fault(&mut scene));
        let verdict = judged(&scene).availability;
        proptest::prop_assert!(verdict.level != Fine, "{chosen:b} {verdict:#?}");
        proptest::prop_assert!(verdict.reasons.iter().any(|r| r.level == verdict.level));
        proptest::prop_assert!(verdict.reasons.is_sorted_by(|a, b| a.level >= b.level));
    }
}
