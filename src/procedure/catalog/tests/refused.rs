//! What must not go on, or only with a reason.

use super::*;
use crate::domain::cluster::{BackupObject, Target};
use crate::domain::sample::SilenceKind;

/// Why a plan is refused: the exit code is 3 in every case.
fn refused(act: Act, change: impl FnOnce(&mut Scene)) -> String {
    let problem = match made(act, change) {
        Ok(plan) => admit(&plan).err().unwrap_or_else(|| panic!("it may begin: {:#?}", plan.findings)),
        Err(problem) => problem,
    };
    assert_eq!(problem.exit.code(), 3, "{problem}");
    problem.to_string()
}

fn because(mut plan: Plan, why: &str) -> Plan {
    plan.parameters.insert("because".into(), why.into());
    plan
}

/// It is refused, and a reason does not help.
pub(super) fn blocked(act: Act, change: impl Fn(&mut Scene), why: &str) {
    let told = refused(act.clone(), &change);
    assert!(told.contains(why), "{told}");
    if let Ok(plan) = made(act, change) {
        admit(&because(plan, "I want it")).unwrap_err();
    }
}

/// It is refused without a reason, and goes on with one.
pub(super) fn justified(act: Act, change: impl Fn(&mut Scene), why: &str) {
    let told = refused(act.clone(), &change);
    assert!(told.contains(why) && told.contains("--because"), "{told}");
    let plan = made(act, change).unwrap();
    admit(&because(plan.clone(), "  ")).unwrap_err();
    admit(&because(plan, "the node goes tonight")).unwrap();
}

fn behind(n: usize, bytes: u64) -> impl Fn(&mut Scene) {
    move |s| {
        let current = crate::domain::lsn::Lsn(0x9_0000_0000);
        s.leads().current = Some(current);
        for (i, row) in s.leads().standbys.iter_mut().enumerate() {
            let lag = if i + 2 == n { bytes } else { 0 };
            row.replay = Some(crate::domain::lsn::Lsn(current.0 - lag));
        }
    }
}

#[test]
fn a_lagging_standby_does_not_lead() {
    blocked(switch(Some(2)), behind(2, 2 << 30), "pg-2: it is 2.1 GB behind");
    justified(switch(Some(2)), behind(2, 100 << 20), "behind; at the rate seen it gets no nearer");
    good(switch(Some(3)), behind(2, 2 << 30));
    assert_eq!(good(switch(None), behind(2, 2 << 30)).parameters["to"], "pg-3");
    let slow = |s: &mut Scene| s.leads().standbys[0].replay_lag = Some(jiff::SignedDuration::from_mins(6));
    blocked(switch(Some(2)), slow, "behind");
}

#[test]
fn a_standby_on_another_timeline_does_not_lead() {
    let other = |s: &mut Scene| s.says(2).receiver.as_mut().unwrap().timeline = Some(1);
    blocked(switch(Some(2)), other, "pg-2: it follows timeline 1, the primary writes 2 (pg_stat_wal_receiver on pg-2)");
    let plan = made(switch(Some(2)), other).unwrap();
    let table: Vec<_> = plan.candidates.iter().map(|c| (c.instance.as_str(), c.weight)).collect();
    assert_eq!(table, [("pg-3", Weight::Good), ("pg-2", Weight::Blocks)]);
}

#[test]
fn nor_does_one_that_does_not_stream_answer_or_stay() {
    blocked(switch(Some(3)), |s| s.leads().standbys.truncate(1), "pg-3: it does not stream");
    blocked(switch(Some(2)), |s| s.leads().standbys[0].state = Some("catchup".into()), "not streaming but in catchup");
    blocked(switch(Some(2)), |s| s.says(2).replay_paused = Some(true), "its replay is paused");
    blocked(switch(Some(2)), |s| s.silent(2, SilenceKind::Unreachable), "it does not answer");
    blocked(switch(Some(2)), |s| s.cluster.fenced = Fenced::Some([name(2)].into()), "it is fenced");
    blocked(switch(Some(2)), |s| s.cluster.instances[1].pod = None, "it has no pod");
    justified(switch(Some(2)), |s| s.nodes[1].unschedulable = true, "cordoned");
    justified(switch(Some(2)), |s| s.silent(2, SilenceKind::Forbidden), "it does not answer");
    blocked(switch(None), |s| s.leads().standbys.clear(), "pg-2: it does not stream");
    assert!(refused(switch(None), |s| s.leads().standbys.clear()).contains("nobody in db/pg can take over"));
    assert_eq!(made(switch(Some(1)), |_| {}).unwrap_err().exit.code(), 1, "it leads already");
    assert_eq!(made(switch(Some(7)), |_| {}).unwrap_err().exit.code(), 2);
}

/// Something of the surroundings blocks the acts that need it.
#[test]
fn nobody_is_there_to_carry_it_out() {
    let gone = |s: &mut Scene| s.operators.as_mut().unwrap()[0].available = 0;
    let webhook = |s: &mut Scene| s.operators.as_mut().unwrap()[0].webhook_trouble = Some("no endpoints".into());
    let off = |s: &mut Scene| s.cluster.reconciliation_disabled = true;
    for act in [switch(None), restart(2), Act::Reload, Act::Hibernate, Act::Scale { instances: 4 }] {
        blocked(act.clone(), gone, "the operator has no running pod");
        blocked(act.clone(), off, "cnpg.io/reconciliationLoop=disabled");
        justified(act, |s| s.operators = None, "whether the operator runs is not known");
    }
    // The instances heed a fence themselves.
    justified(fence(&[2]), gone, "the operator has no running pod");
    good(fence(&[2]), off);
    blocked(Act::Reload, webhook, "webhook fails");
    blocked(fence(&[2]), webhook, "webhook fails");
    justified(switch(None), webhook, "webhook fails");
}

#[test]
fn something_else_is_under_way() {
    for act in [switch(None), restart(1), restart(2), Act::Hibernate, Act::Scale { instances: 2 }] {
        blocked(act.clone(), |s| s.cluster.target = Some(Target::Pending), "a failover from pg-1 is under way");
        let moves = |s: &mut Scene| s.cluster.target = Some(Target::Instance(name(2)));
        blocked(act.clone(), moves, "from pg-1 to pg-2 is under way");
        let phase = |s: &mut Scene| s.cluster.phase.as_mut().unwrap().text = "Upgrading cluster".into();
        justified(act.clone(), phase, "in the middle of something: Upgrading cluster");
        blocked(act, |s| s.cluster.deleting = Some(now()), "being deleted");
    }
    let asked = |s: &mut Scene| s.cluster.phase.as_mut().unwrap().text = "Waiting for user action".into();
    good(switch(None), asked);
    let asleep = |s: &mut Scene| s.cluster.hibernation = Some(Hibernation::Hibernated);
    blocked(switch(None), asleep, "Wake it first");
    blocked(Act::Reload, asleep, "Wake it first");
}

#[test]
fn backups_and_archives() {
    let runs = |s: &mut Scene| {
        s.cluster.backups.objects = vec![std::sync::Arc::new(BackupObject {
            name: "nightly".into(),
            phase: Some("running".into()),
            method: None,
            started: None,
            stopped: None,
            begin_wal: None,
            end_wal: None,
            ..BackupObject::default()
        })];
    };
    for act in [switch(None), restart(1), restart(2), Act::Restart { instance: None }, Act::Hibernate] {
        justified(act, runs, "backup nightly runs");
    }
    justified(switch(None), |s| s.cluster.backups.listed = false, "whether a backup runs is not known");
    let waiting = |s: &mut Scene| s.leads().archiver.as_mut().unwrap().ready = Some(9);
    justified(switch(None), waiting, "9 WAL files wait to be archived");
}

#[test]
fn the_promise_of_synchronous_commit() {
    let one = |s: &mut Scene| {
        s.leads().standbys.truncate(1);
        s.cluster.instances.truncate(2);
    };
    justified(restart(2), one, "0 of 1 needed standbys would be left to confirm commits: writes hang");
    justified(fence(&[2]), one, "writes hang");
    good(restart(2), |s| {
        one(s);
        s.cluster.sync.number = 0;
        s.leads().sync_rule = Some(Ok(None));
    });
    let two = |s: &mut Scene| {
        s.cluster.sync.number = 2;
        s.leads().sync_rule = Some(crate::domain::replication::SyncRule::parse(r#"ANY 2 ("pg-2","pg-3")"#));
    };
    blocked(Act::Scale { instances: 2 }, two, "the operator refuses fewer than 3");
    justified(Act::Scale { instances: 1 }, |s| s.cluster.sync.number = 0, "one instance is left");
    // Preferred durability promises nothing to whoever takes over half way.
    justified(switch(None), |s| s.cluster.sync.preferred = true, "R 2 + W 0 ≤ N 2");
}

#[test]
fn data_is_deleted_only_where_there_is_another_copy() {
    let rebuild = |n| Act::Rebuild { instance: name(n) };
    blocked(rebuild(1), |_| {}, "it leads, or is meant to");
    blocked(rebuild(3), |s| s.silent(1, SilenceKind::TimedOut), "does not say that it leads");
    let alone = |s: &mut Scene| {
        s.leads().standbys.clear();
        s.leads().sync_rule = Some(Ok(None));
        s.cluster.sync.number = 0;
    };
    justified(rebuild(3), alone, "the primary has the only copy");
    blocked(rebuild(2), |s| s.cluster.target = Some(Target::Instance(name(2))), "is meant to");
}

#[test]
fn what_is_not_known_is_not_done() {
    let mut unknown = wish(switch(None), None);
    unknown.cluster = crate::domain::names::ClusterKey::new("aks", "db", "other");
    let facts = Scene::healthy().facts();
    let limits = Limits::default();
    let view = View { facts: &facts, history: None, limits: &limits, now: now() };
    assert_eq!(plan(&unknown, view).unwrap_err().exit.code(), 4);
    let stale = |s: &mut Scene| s.watched = Some(jiff::SignedDuration::from_mins(5));
    justified(Act::Reload, stale, "what Kubernetes told is 5m old");
    let pgo = |s: &mut Scene| s.cluster.operator = crate::domain::cluster::Operator::Pgo;
    assert!(refused(switch(None), pgo).contains("CloudNativePG"));
    let with = plan(&wish(switch(None), Some("drill")), view).unwrap();
    assert_eq!(with.parameters["because"], "drill");
}
