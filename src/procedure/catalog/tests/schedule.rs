//! Schedules made, changed and deleted: the requests, the refusals, what is said beforehand.

use std::sync::Arc;

use super::backup::barman;
use super::refused::justified;
use super::*;
use crate::domain::cluster::{BackupObject, Schedule};
use crate::domain::health::scene::ago;
use crate::procedure::catalog::backup::{Method, Scheduling, TakenFrom};

fn act(change: impl FnOnce(&mut Scheduling)) -> Act {
    let mut wanted = Scheduling::default();
    change(&mut wanted);
    Act::Schedule(wanted)
}

fn at(cron: &str) -> Act {
    act(|s| s.cron = Some(cron.into()))
}

/// One schedule that the operator looked at a minute ago.
fn nightly(s: &mut Scene) {
    barman(s);
    s.cluster.backups.schedules = vec![Schedule {
        name: "nightly".into(),
        cron: "0 0 3 * * *".into(),
        uid: "uid-nightly".into(),
        checked: Some(ago(60)),
        last: Some(ago(60)),
        method: Some("barmanObjectStore".into()),
        owner: Some("self".into()),
        ..Schedule::default()
    }];
}

fn about<'p>(plan: &'p Plan, about: &str) -> &'p str {
    &plan.findings.iter().find(|f| f.about == about).unwrap_or_else(|| panic!("{:#?}", plan.findings)).text
}

/// As CNPG's sample has it (`docs/src/samples/backup-scheduled.yaml`-like), but for the owner.
#[test]
fn a_new_one() {
    let plan = good(at("0 0 3 * * *"), barman);
    let (method, path, body) = request(&plan, 0);
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("POST", "/apis/postgresql.cnpg.io/v1/namespaces/db/scheduledbackups")
    );
    assert_eq!(body["metadata"]["name"], "pg-scheduled");
    assert_eq!(
        body["spec"],
        json!({"cluster": {"name": "pg"}, "schedule": "0 0 3 * * *", "backupOwnerReference": "none", "method": "barmanObjectStore"})
    );
    assert_eq!(plan.kind, Kind::Schedule);
    let text = about(&plan, "runs");
    assert_eq!(
        text,
        "0 0 3 * * *: every day at 03:00; next 2026-11-22 03:00:00, 2026-11-23 03:00:00, 2026-11-24 03:00:00 (UTC)"
    );
    assert!(about(&plan, "retention").starts_with("1 a day; no retention is promised"));
    assert!(about(&plan, "owner").contains("backupOwnerReference: none"));
    let Some(Check::Scheduled { looked: true, before: None, suspended: false, .. }) = &plan.steps[0].check else {
        panic!()
    };
    assert_eq!(plan.steps[0].undo.as_ref().unwrap().request().method, "DELETE");

    let wanted = |s: &mut Scheduling| {
        (s.name, s.cron) = (Some("hourly".into()), Some("0 15 * ? * *".into()));
        (s.immediate, s.suspend, s.from) = (true, Some(true), Some(TakenFrom::Primary));
    };
    let plan = good(act(wanted), |s| {
        barman(s);
        s.cluster.backups.retention = Some("7d".into());
    });
    let spec = &request(&plan, 0).2["spec"];
    assert_eq!(
        (&spec["immediate"], &spec["suspend"], &spec["target"]),
        (&json!(true), &json!(true), &json!("primary"))
    );
    assert!(about(&plan, "runs").starts_with("0 15 * ? * *: at minute 15 of every hour"), "the guide's own");
    assert_eq!(about(&plan, "retention"), "24 a day, kept for 7d, about 168 at a time");
    let Some(Check::Scheduled { looked: false, suspended: true, .. }) = &plan.steps[0].check else { panic!() };
}

#[test]
fn an_expression_that_is_not_what_is_meant() {
    let refused = |cron: &str| made(at(cron), barman).unwrap_err();
    let five = refused("15 3 * * *");
    assert_eq!((five.what.as_str(), five.exit.code()), ("\"15 3 * * *\" has five fields", 2));
    assert_eq!(
        five.because.as_deref(),
        Some("CNPG takes six, seconds first, and would read it as: at second 15 of minute 3 of every hour")
    );
    assert_eq!(five.try_this.as_deref(), Some("'0 15 3 * * *' is every day at 03:15"));
    for cron in ["", "soon", "0 0 25 * * *", "* * *", "\u{1b}[31m"] {
        let problem = refused(cron);
        assert_eq!(problem.exit.code(), 2, "{problem}");
        assert!(!problem.to_string().contains('\u{1b}') && problem.because.is_some(), "{problem}");
    }
    good(at("@daily"), barman);
    justified(at("0 * * * * *"), barman, "one run follows the other after 60s");
    justified(at("0 0 0 30 2 *"), barman, "no such time comes");
    let slow = |s: &mut Scene| {
        barman(s);
        let slow = BackupObject {
            name: "slow".into(),
            phase: Some("completed".into()),
            started: Some(ago(4000)),
            stopped: Some(ago(100)),
            ..BackupObject::default()
        };
        s.cluster.backups.objects = vec![Arc::new(slow)];
    };
    justified(at("0 */30 * * * *"), slow, "leaves out runs that come meanwhile");
}

#[test]
fn another_time_and_back() {
    let plan = good(at("0 0 4 * * *"), nightly);
    let (method, path, body) = request(&plan, 0);
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("PATCH", "/apis/postgresql.cnpg.io/v1/namespaces/db/scheduledbackups/nightly")
    );
    assert_eq!(body, json!({"metadata": {"uid": "uid-nightly"}, "spec": {"schedule": "0 0 4 * * *"}}));
    let Some(Order::Patch(patch)) = &plan.steps[0].order else { panic!() };
    assert!(patch.lock && patch.mark == [("/spec/schedule".to_owned(), json!("0 0 4 * * *"))]);
    assert_eq!(
        plan.steps[0].undo.as_ref().unwrap().request().body.unwrap()["spec"],
        json!({"schedule": "0 0 3 * * *"})
    );
    assert_eq!(plan.title, "have schedule nightly run every day at 04:00");
    let Some(Check::Scheduled { looked: false, .. }) = &plan.steps[0].check else { panic!() };
    assert_eq!(made(at("0 0 3 * * *"), nightly).unwrap_err().exit.code(), 1, "it is so already");
    // The operator looked a minute ago, and by the new expression a run was due since.
    let due = good(at("30 59 11 * * *"), nightly);
    assert!(about(&due, "missed run").starts_with("a backup is made at once"), "{:#?}", due.findings);
    let Some(Check::Scheduled { looked: true, before: Some(_), .. }) = &due.steps[0].check else { panic!() };
    let plugin = act(|s| s.method = Some(Method::Plugin));
    assert_eq!(made(plugin, nightly).unwrap_err().exit.code(), 3, "not set up");
    assert_eq!(
        made(act(|s| (s.cron, s.immediate) = (Some("@daily".into()), true)), nightly).unwrap_err().exit.code(),
        2
    );
}

#[test]
fn suspended_resumed_and_gone() {
    let suspend = |yes: bool| act(move |s| s.suspend = Some(yes));
    let plan = good(suspend(true), nightly);
    assert_eq!(request(&plan, 0).2["spec"], json!({"suspend": true}));
    assert_eq!(about(&plan, "other schedules"), "with nightly suspended, no schedule takes backups of this cluster");
    assert_eq!(plan.title, "suspend schedule nightly");
    assert_eq!(made(suspend(false), nightly).unwrap_err().exit.code(), 1);
    let resumed = good(suspend(false), |s| {
        nightly(s);
        (s.cluster.backups.schedules[0].suspended, s.cluster.backups.schedules[0].checked) = (true, Some(ago(100_000)));
    });
    assert!(about(&resumed, "missed run").contains("2026-11-21T03:00:00Z"), "{:#?}", resumed.findings);

    let delete = || act(|s| s.delete = true);
    let plan = good(delete(), |s| {
        nightly(s);
        let own = BackupObject { name: "a".into(), schedule: Some("nightly".into()), ..BackupObject::default() };
        s.cluster.backups.objects = vec![Arc::new(own)];
    });
    assert_eq!(plan.steps[0].gate, Gate::TypeName("nightly".into()));
    assert_eq!(request(&plan, 0).2["preconditions"]["uid"], "uid-nightly");
    assert_eq!(
        about(&plan, "what is lost"),
        "its Backup object goes with it (backupOwnerReference: self). What lies in the store stays: restored by the store and \
         the backup's id, no longer by a Backup's name (ScheduledBackup/nightly)"
    );
    assert_eq!(
        plan.steps[0].check,
        Some(Check::ScheduleGone { schedule: "nightly".into(), uid: "uid-nightly".into() })
    );
    let two = |s: &mut Scene| {
        nightly(s);
        s.cluster.backups.schedules.push(Schedule { name: "weekly".into(), ..Schedule::default() });
    };
    assert!(made(delete(), two).unwrap_err().try_this.unwrap().contains("nightly, weekly"));
    assert_eq!(made(delete(), barman).unwrap_err().exit.code(), 2, "there is none");
}
