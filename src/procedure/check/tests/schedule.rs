//! What a schedule's object carries, and whether the operator looked at it.

use super::*;
use crate::domain::cluster::Schedule;

fn carries(looked: bool) -> Check {
    Check::Scheduled {
        schedule: "nightly".into(),
        cron: "0 0 3 * * *".into(),
        suspended: false,
        looked,
        before: Some(ago(600)),
    }
}

fn is(change: impl FnOnce(&mut Schedule)) -> impl FnOnce(&mut Scene) {
    let mut schedule = Schedule {
        name: "nightly".into(),
        cron: "0 0 3 * * *".into(),
        uid: "u-1".into(),
        checked: Some(ago(600)),
        ..Schedule::default()
    };
    change(&mut schedule);
    |s| s.cluster.backups.schedules = vec![schedule]
}

#[test]
fn it_carries_it_and_was_looked_at() {
    assert_eq!(not_yet(&carries(false), |_| {}), "schedule nightly is not seen yet");
    let told = not_yet(&carries(false), is(|s| s.cron = "0 0 4 * * *".into()));
    assert_eq!(told, "schedule nightly: \"0 0 4 * * *\"");
    assert!(not_yet(&carries(false), is(|s| s.suspended = true)).ends_with(", suspended"));
    assert!(not_yet(&carries(false), is(|s| s.error = Some("no".into()))).contains("complains"));
    assert_eq!(yes(&carries(false), is(|_| {}))[1], "the operator writes nothing about it before its next run");
    assert!(not_yet(&carries(true), is(|_| {})).ends_with("the operator has not looked at it yet"));
    let evidence = yes(&carries(true), is(|s| (s.checked, s.next) = (Some(ago(5)), Some(now()))));
    assert!(evidence[1].contains("looked at it at") && evidence[2].contains("its next run is at"), "{evidence:?}");
}

#[test]
fn it_is_gone_or_another_one() {
    let gone = Check::ScheduleGone { schedule: "nightly".into(), uid: "u-1".into() };
    assert_eq!(yes(&gone, |_| {}), ["schedule nightly is gone"]);
    assert_eq!(not_yet(&gone, is(|_| {})), "schedule nightly is still there");
    assert_eq!(yes(&gone, is(|s| s.uid = "u-2".into())), ["schedule nightly is another one by now"]);
    let old = not_yet(&gone, |s| s.watched = Some(SignedDuration::from_secs(60)));
    assert_eq!(old, "the watch of scheduledbackups has not been heard since the step began");
}
