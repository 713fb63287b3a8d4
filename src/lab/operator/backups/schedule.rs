//! A ScheduledBackup: a Backup object whenever its schedule says so.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::cron::Schedule;
use crate::lab::api::resources::{BACKUPS, CLUSTERS, SCHEDULEDBACKUPS};
use crate::lab::api::store::Ref;
use crate::lab::api::{ApiError, EventType, Part, Resource, Selector, Store};
use crate::lab::controllers::run::{Controller, Key, key_of};
use crate::lab::object::{flag, is_deleting, label, name, namespace, seconds, text};

/// Whose name the events carry.
const COMPONENT: &str = "cloudnative-pg-scheduledbackup";
/// How long it waits while one of its backups is not done.
const BUSY: Duration = Duration::from_secs(60);
/// Which ScheduledBackup a Backup is of, and whether it was taken at once.
const PARENT: &str = "cnpg.io/scheduled-backup";
const IMMEDIATE: &str = "cnpg.io/immediateBackup";

/// The controller of ScheduledBackup objects.
pub struct Schedules;

impl Controller for Schedules {
    fn name(&self) -> &'static str {
        "manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 1] = [&SCHEDULEDBACKUPS];
        &WATCHED
    }

    fn concerns(&self, _: &Store, _: &'static Resource, object: &Value) -> Vec<Key> {
        vec![key_of(object)]
    }

    fn sync(&self, store: &Store, (ns, scheduled): &Key) -> Option<Duration> {
        let scheduled = store.get(&SCHEDULEDBACKUPS, ns, scheduled).filter(|s| !is_deleting(s))?;
        if flag(&scheduled, "/spec/suspend") {
            return None;
        }
        let children = store.list(&BACKUPS, Some(ns), &Selector::everything()).items;
        let mine = children.iter().filter(|backup| label(backup, PARENT) == Some(name(&scheduled)));
        if mine.into_iter().any(|b| !matches!(text(b, "/status/phase"), "completed" | "failed")) {
            return Some(BUSY);
        }
        let schedule = Schedule::parse(text(&scheduled, "/spec/schedule")).ok()?;
        look(store, &scheduled, &schedule, Timestamp::now())
    }
}

/// One look at a schedule: whether a backup is due now, and when to look again.
fn look(store: &Store, scheduled: &Value, schedule: &Schedule, now: Timestamp) -> Option<Duration> {
    let Some(coming) = schedule.next(now) else {
        let why = format!("No time satisfying the schedule {:?} have been found", text(scheduled, "/spec/schedule"));
        drop(store.event(scheduled, EventType::Warning, "NoSchedule", &why, COMPONENT));
        return None;
    };
    let until = |at: Timestamp| Some(Duration::try_from(at.duration_since(now)).unwrap_or_default());
    let checked: Option<Timestamp> = text(scheduled, "/status/lastCheckTime").parse().ok();
    let Some(checked) = checked else {
        if flag(scheduled, "/spec/immediate") {
            let said = format!("Scheduled immediate backup now: {}", go_time(now));
            make(store, scheduled, now, true, Some(&said))?;
            advance(store, scheduled, now, now, coming);
        } else {
            write(store, scheduled, &json!({"lastCheckTime": seconds(now)}));
            say(store, scheduled, &format!("Scheduled first backup by {}", go_time(coming)));
        }
        return until(coming);
    };
    let due = schedule.next(checked)?;
    if now < due {
        return until(due);
    }
    let known = store.get(&BACKUPS, namespace(scheduled), &backup_name(scheduled, due));
    match known {
        Some(other) if label(&other, PARENT) != Some(name(scheduled)) => {
            let why = format!(
                "Backup {:?} exists but is not owned by this ScheduledBackup; skipping iteration {}",
                name(&other),
                seconds(due)
            );
            drop(store.event(scheduled, EventType::Warning, "BackupAdoptionRefused", &why, COMPONENT));
            write(store, scheduled, &json!({"lastCheckTime": seconds(now), "nextScheduleTime": seconds(coming)}));
        }
        Some(_) => advance(store, scheduled, due, now, coming),
        None => {
            make(store, scheduled, due, false, None)?;
            advance(store, scheduled, due, now, coming);
        }
    }
    until(coming)
}

fn backup_name(scheduled: &Value, at: Timestamp) -> String {
    format!("{}-{}", name(scheduled), at.strftime("%Y%m%d%H%M%S"))
}

/// Makes the Backup of that moment, then says so. `None` when it can't be made.
fn make(store: &Store, scheduled: &Value, at: Timestamp, immediate: bool, said: Option<&str>) -> Option<()> {
    let cluster = text(scheduled, "/spec/cluster/name");
    let mut backup = json!({
        "metadata": {
            "name": backup_name(scheduled, at),
            "labels": {"cnpg.io/cluster": cluster, IMMEDIATE: immediate.to_string(), PARENT: name(scheduled)},
        },
        "spec": {},
    });
    for field in ["cluster", "target", "method", "online", "onlineConfiguration", "pluginConfiguration"] {
        if !scheduled["spec"][field].is_null() {
            backup["spec"][field] = scheduled["spec"][field].clone();
        }
    }
    let owner = match text(scheduled, "/spec/backupOwnerReference") {
        "self" => Some(Ref::controller(&SCHEDULEDBACKUPS, scheduled)),
        "cluster" => {
            let cluster = store.get(&CLUSTERS, namespace(scheduled), cluster)?;
            Some(Ref::controller(&CLUSTERS, &cluster))
        }
        _ => None,
    };
    if let Some(owner) = owner {
        backup["metadata"]["ownerReferences"] = json!([owner]);
    }
    match store.create(&BACKUPS, namespace(scheduled), backup) {
        Ok(_) => {
            if let Some(said) = said {
                say(store, scheduled, said);
            }
            Some(())
        }
        Err(_) => {
            let why = "Error while creating backup object";
            drop(store.event(scheduled, EventType::Warning, "BackupCreation", why, COMPONENT));
            None
        }
    }
}

fn advance(store: &Store, scheduled: &Value, made: Timestamp, now: Timestamp, coming: Timestamp) {
    let status = json!({
        "lastCheckTime": seconds(now), "lastScheduleTime": seconds(made), "nextScheduleTime": seconds(coming),
    });
    write(store, scheduled, &status);
    say(store, scheduled, &format!("Next backup scheduled by {}", go_time(coming)));
}

fn write(store: &Store, scheduled: &Value, status: &Value) {
    let edit = |scheduled: &mut Value| {
        if !scheduled["status"].is_object() {
            scheduled["status"] = json!({});
        }
        json_patch::merge(&mut scheduled["status"], status);
        Ok::<(), ApiError>(())
    };
    // One that is gone needs no status.
    drop(store.change(&SCHEDULEDBACKUPS, namespace(scheduled), name(scheduled), Part::Status, edit));
}

fn say(store: &Store, scheduled: &Value, message: &str) {
    drop(store.event(scheduled, EventType::Normal, "BackupSchedule", message, COMPONENT));
}

/// As Go prints a time: `2026-11-20 22:58:00 +0000 UTC`.
fn go_time(at: Timestamp) -> String {
    let fraction = if at.subsec_nanosecond() == 0 { "" } else { "%.f" };
    at.strftime(&format!("%Y-%m-%d %H:%M:%S{fraction} +0000 UTC")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn scheduled(store: &Store, more: Value) -> Value {
        let mut object = json!({
            "metadata": {"name": "nightly"},
            "spec": {"schedule": "0 0 * * * *", "cluster": {"name": "shop"}, "method": "barmanObjectStore",
                     "backupOwnerReference": "self"}});
        json_patch::merge(&mut object["spec"], &more);
        (*store.create(&SCHEDULEDBACKUPS, "pg", object).unwrap()).clone()
    }

    fn now_is(store: &Store, now: &str) -> Option<Duration> {
        let object = store.get(&SCHEDULEDBACKUPS, "pg", "nightly").unwrap();
        let schedule = Schedule::parse(text(&object, "/spec/schedule")).unwrap();
        look(store, &object, &schedule, at(now))
    }

    fn names(store: &Store) -> Vec<String> {
        let all = store.list(&BACKUPS, Some("pg"), &Selector::everything()).items;
        all.iter().map(|b| name(b).to_owned()).collect()
    }

    #[test]
    fn the_first_one_waits_for_its_hour_and_the_next_for_theirs() {
        let store = Store::new();
        scheduled(&store, json!({}));
        assert_eq!(now_is(&store, "2026-11-21T10:59:30Z"), Some(Duration::from_secs(30)));
        assert!(names(&store).is_empty());
        assert_eq!(now_is(&store, "2026-11-21T10:59:50Z"), Some(Duration::from_secs(10)));
        assert_eq!(now_is(&store, "2026-11-21T11:00:20Z"), Some(Duration::from_secs(3580)));
        assert_eq!(names(&store), ["nightly-20261121110000"], "by the hour it was due, not when it was made");
        let backup = store.get(&BACKUPS, "pg", "nightly-20261121110000").unwrap();
        assert_eq!(text(&backup, "/metadata/ownerReferences/0/kind"), "ScheduledBackup");
        assert_eq!(label(&backup, IMMEDIATE), Some("false"));
        let object = store.get(&SCHEDULEDBACKUPS, "pg", "nightly").unwrap();
        assert_eq!(text(&object, "/status/lastScheduleTime"), "2026-11-21T11:00:00Z");
        assert_eq!(text(&object, "/status/nextScheduleTime"), "2026-11-21T12:00:00Z");
    }

    #[test]
    fn an_immediate_one_is_made_once() {
        let store = Store::new();
        scheduled(&store, json!({"immediate": true, "backupOwnerReference": "none"}));
        assert_eq!(now_is(&store, "2026-11-21T10:59:30Z"), Some(Duration::from_secs(30)));
        assert_eq!(now_is(&store, "2026-11-21T10:59:40Z"), Some(Duration::from_secs(20)));
        assert_eq!(names(&store), ["nightly-20261121105930"]);
        let backup = store.get(&BACKUPS, "pg", "nightly-20261121105930").unwrap();
        assert!(backup["metadata"]["ownerReferences"].is_null());
        assert_eq!(label(&backup, IMMEDIATE), Some("true"));
    }

    #[test]
    fn a_stranger_of_that_name_is_not_taken_for_its_own() {
        let store = Store::new();
        scheduled(&store, json!({}));
        now_is(&store, "2026-11-21T10:59:30Z");
        store.create(&BACKUPS, "pg", json!({"metadata": {"name": "nightly-20261121110000"}, "spec": {}})).unwrap();
        now_is(&store, "2026-11-21T11:00:00Z");
        let object = store.get(&SCHEDULEDBACKUPS, "pg", "nightly").unwrap();
        assert!(object["status"]["lastScheduleTime"].is_null());
        assert_eq!(text(&object, "/status/nextScheduleTime"), "2026-11-21T12:00:00Z");
    }

    #[test]
    fn times_are_told_as_go_tells_them() {
        assert_eq!(go_time(at("2026-11-20T22:58:00Z")), "2026-11-20 22:58:00 +0000 UTC");
        assert_eq!(go_time(at("2026-11-20T22:57:20.653920031Z")), "2026-11-20 22:57:20.653920031 +0000 UTC");
    }
}
