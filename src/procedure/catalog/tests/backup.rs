//! Backups taken: how, by which request, and what is said beforehand.

use std::sync::Arc;

use super::refused::{blocked, justified};
use super::*;
use crate::domain::cluster::{BackupObject, Methods};
use crate::domain::sample::{DiskReading, MetricsSample};
use crate::procedure::catalog::backup::{Method, Take, TakenFrom};

pub(super) fn plugin(s: &mut Scene) {
    s.cluster.backups.methods = Methods { plugin: Some("barman-cloud.cloudnative-pg.io".into()), ..Methods::default() };
}

pub(super) fn barman(s: &mut Scene) {
    s.cluster.backups.methods = Methods { barman: true, ..Methods::default() };
}

fn take() -> Act {
    Act::TakeBackup(Take::default())
}

fn by(method: Method) -> Act {
    Act::TakeBackup(Take { method: Some(method), ..Take::default() })
}

fn about<'p>(plan: &'p Plan, about: &str) -> &'p str {
    &plan.findings.iter().find(|f| f.about == about).unwrap_or_else(|| panic!("{:#?}", plan.findings)).text
}

#[test]
fn a_backup_by_what_the_cluster_is_set_up_for() {
    let plan = good(take(), plugin);
    assert_eq!((plan.kind, plan.title.as_str()), (Kind::TakeBackup, "take a base backup of pg"));
    let (method, path, body) = request(&plan, 0);
    assert_eq!((method.as_str(), path.as_str()), ("POST", "/apis/postgresql.cnpg.io/v1/namespaces/db/backups"));
    assert_eq!(
        body["spec"],
        json!({"cluster": {"name": "pg"}, "method": "plugin", "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"}})
    );
    assert_eq!(body["metadata"]["name"], "pg-20261121120000", "after the plan's moment");
    assert_eq!(plan.steps[0].check, Some(Check::BackupDone { backup: "pg-20261121120000".into() }));
    assert_eq!(plan.steps[0].gate, Gate::Approve);
    assert!(plan.steps[0].order.as_ref().unwrap().harmless_again(), "a repeat finds it there");
    assert_eq!(plan.mistake(), None);
    assert_eq!(about(&plan, "last backup"), "the last good one is 60m old");
    assert_eq!(about(&plan, "instance"), "a standby that is ready: pg-2 and pg-3");
    let both = |s: &mut Scene| {
        s.cluster.backups.methods = Methods { barman: true, snapshot: true, ..Methods::default() };
        s.cluster.operator_version = Some("1.30.0".into());
    };
    let plan = good(take(), both);
    assert_eq!(request(&plan, 0).2["spec"], json!({"cluster": {"name": "pg"}, "method": "barmanObjectStore"}));
    assert!(about(&plan, "method").contains("deprecated since 1.26"));
    assert_eq!(request(&good(by(Method::Snapshot), both), 0).2["spec"]["method"], "volumeSnapshot");
}

#[test]
fn what_was_chosen_is_what_is_sent() {
    let snapshot = |s: &mut Scene| s.cluster.backups.methods = Methods { snapshot: true, ..Methods::default() };
    let act = Act::TakeBackup(Take {
        method: None,
        from: Some(TakenFrom::Primary),
        name: Some("before-the-upgrade".into()),
        immediate_checkpoint: Some(true),
        wait_for_archive: Some(false),
    });
    let plan = good(act.clone(), snapshot);
    let body = request(&plan, 0).2;
    assert_eq!(body["metadata"]["name"], "before-the-upgrade");
    assert_eq!(
        body["spec"],
        json!({"cluster": {"name": "pg"}, "method": "volumeSnapshot", "target": "primary",
            "onlineConfiguration": {"immediateCheckpoint": true, "waitForArchive": false}})
    );
    assert!(about(&plan, "instance").starts_with("pg-1, which leads"));
    let refused = made(act, barman).unwrap_err();
    assert_eq!(refused.exit.code(), 2, "{refused}");
}

#[test]
fn a_method_that_is_not_set_up_is_refused_with_the_reason() {
    let refused = |act: Act, change: fn(&mut Scene)| {
        let problem = made(act, change).unwrap_err();
        assert_eq!(problem.exit.code(), 3);
        (problem.because.unwrap(), problem.try_this.unwrap())
    };
    let (why, hint) = refused(by(Method::Plugin), barman);
    assert_eq!(
        (why.as_str(), hint.as_str()),
        ("the Barman Cloud plugin is not in its spec.plugins", "it is set up for barmanObjectStore")
    );
    let off = |s: &mut Scene| s.cluster.backups.methods.plugin_disabled = true;
    assert!(refused(by(Method::Plugin), off).0.ends_with("is disabled"));
    assert_eq!(refused(by(Method::Snapshot), plugin).0, "it has no spec.backup.volumeSnapshot");
    assert!(refused(take(), |_| {}).0.contains("sets up no method of backup"));
    let named = |name: &str| Act::TakeBackup(Take { name: Some(name.into()), ..Take::default() });
    for name in ["", "Nightly", "a_b", "-a", "a..b"] {
        assert_eq!(made(named(name), barman).unwrap_err().exit.code(), 2, "{name:?}");
    }
    let taken = |s: &mut Scene| {
        barman(s);
        s.cluster.backups.objects = vec![Arc::new(BackupObject { name: "nightly".into(), ..BackupObject::default() })];
    };
    assert_eq!(made(named("nightly"), taken).unwrap_err().exit.code(), 3);
}

#[test]
fn what_speaks_against_it() {
    let and = |change: fn(&mut Scene)| {
        move |s: &mut Scene| {
            barman(s);
            change(s);
        }
    };
    let asleep = and(|s| s.cluster.hibernation = Some(Hibernation::Hibernated));
    blocked(take(), asleep, "Wake it first");
    blocked(take(), and(|s| s.operators.as_mut().unwrap()[0].available = 0), "nobody would carry it out");
    let failing = and(|s| {
        let c = crate::domain::cluster::Condition {
            kind: "ContinuousArchiving".into(),
            status: Some(false),
            reason: "ContinuousArchivingFailing".into(),
            message: "unexpected failure invoking barman-cloud-wal-archive: exit status 4".into(),
            since: None,
        };
        s.cluster.conditions.push(c);
    });
    justified(take(), failing, "exit status 4; a backup can't be completed, or restored, before it works");
    let failed = and(|s| {
        s.leads().archiver.as_mut().unwrap().last_failed =
            Some(("000000020000000000000005".into(), crate::domain::health::scene::ago(1)));
    });
    justified(take(), failed, "the last attempt failed on 000000020000000000000005");
    justified(take(), and(|s| s.cluster.archiving.skipped = true), "switched off by an annotation");
    justified(take(), and(|s| s.cluster.archiving.by = None), "not set up: without the WAL");
    justified(take(), and(|s| s.cluster.backups.listed = false), "backups can't be listed");
    let full = and(|s| {
        let disk = DiskReading { purpose: VolumePurpose::Wal, used: 95, size: 100, source: "df".into() };
        s.metrics.insert(name(1), Ok(MetricsSample { disks: vec![disk], ..MetricsSample::default() }));
    });
    justified(take(), full, "the WAL volume of pg-1 is 95% full");
}

#[test]
fn one_at_a_time_and_the_first_one() {
    let runs = |s: &mut Scene| {
        barman(s);
        let running = BackupObject { name: "nightly".into(), phase: Some("running".into()), ..BackupObject::default() };
        s.cluster.backups.objects = vec![Arc::new(running)];
    };
    let (alone, second) = (good(take(), barman), good(take(), runs));
    assert!(about(&second, "other backups").contains("this one waits for it"));
    assert!(second.steps[0].within > alone.steps[0].within, "it waits for the other one, too");
    let first = good(take(), |s| {
        barman(s);
        s.cluster.backups.last_successful = None;
    });
    assert_eq!(about(&first, "last backup"), "there is none: this is the first one");
}
