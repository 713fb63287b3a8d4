//! Backups in the lab: taken by the operator and its instances, on demand and on a schedule, kept and given up by the
//! retention policy, failing where the store is out of reach; looked at with kubectl, psql and the store's own files only.
//!
//! One lab, one story after the other. Where the machine has no PostgreSQL or no kubectl, it says so and is skipped.

mod support;

#[path = "lab_backups/bench.rs"]
mod bench;
#[path = "lab_backups/story.rs"]
mod story;

use bench::Bench;
use story::hold;

const BACKUP: &str = include_str!("fixtures/lab/backup.tsv");
const SCHEDULE: &str = include_str!("fixtures/lab/schedule.tsv");

#[test]
fn backups_are_taken_kept_and_given_up_as_on_a_real_cluster() {
    let Some(bench) = Bench::open() else { return };
    on_demand(&bench);
    from_the_primary_and_one_by_one(&bench);
    out_of_reach(&bench);
    on_a_schedule(&bench);
    suspended(&bench);
    beyond_the_policy(&bench);
    what_is_lost_comes_back(&bench);
    what_cannot_be_is_refused(&bench);
    by_the_plugin(&bench);
    bench.close();
}

/// As `kubectl cnpg backup` asks for it.
fn on_demand(bench: &Bench) {
    let (story, since) = bench.story();
    let before = bench.cluster()["status"]["lastSuccessfulBackup"].clone();
    bench.write();
    bench.ask("on-demand", r#"{"method": "barmanObjectStore"}"#);
    let backup = bench.until_phase("on-demand", "completed");
    bench.until("the cluster tells of it", || {
        (bench.cluster()["status"]["lastSuccessfulBackup"] != before).then_some(())
    });
    let standby = backup["status"]["instanceID"]["podName"].as_str().unwrap();
    assert!(bench.standbys().iter().any(|name| name == standby), "{standby} is no standby");
    let cluster = bench.cluster();
    for field in ["destinationPath", "azureCredentials"] {
        assert_eq!(backup["status"][field], cluster["spec"]["backup"]["barmanObjectStore"][field]);
    }
    bench.until("the watches have told all of it", || {
        story.steps(since, "on-demand").iter().any(|(_, what)| what == "lastSuccessfulBackup").then_some(())
    });
    hold("a backup on demand", &story.steps(since, "on-demand"), BACKUP);

    // Completed, and not yet recoverable: its last segment is archived when somebody has written enough.
    let end = backup["status"]["endWal"].as_str().unwrap();
    assert!(bench.has_base(&backup) && !bench.has_wal(end), "{end} is in the archive already");
    bench.switch_wal();
    bench.until("its last segment is archived", || bench.has_wal(end).then_some(()));
}

fn from_the_primary_and_one_by_one(bench: &Bench) {
    bench.ask("of-primary", r#"{"method": "barmanObjectStore", "target": "primary"}"#);
    bench.ask("second", r#"{"method": "barmanObjectStore"}"#);
    let first = bench.until_phase("of-primary", "completed");
    assert_eq!(first["status"]["instanceID"]["podName"], bench.primary());
    let second = bench.until_phase("second", "completed");
    let at = |backup: &serde_json::Value, field: &str| backup["status"][field].as_str().unwrap().to_owned();
    assert!(at(&first, "stoppedAt") <= at(&second, "startedAt"), "one at a time");
}

/// The archiver has nothing to do just now, so nothing warns of it before the backup fails.
fn out_of_reach(bench: &Bench) {
    bench.cut_store(1);
    bench.ask("in-vain", r#"{"method": "barmanObjectStore"}"#);
    let backup = bench.until_phase("in-vain", "failed");
    assert_eq!(backup["status"]["error"], "exit status 2");
    bench.until("the cluster tells of it", || {
        let cluster = bench.cluster();
        let conditions = cluster["status"]["conditions"].as_array().unwrap();
        let last = conditions.iter().find(|c| c["type"] == "LastBackupSucceeded").unwrap();
        (last["reason"] == "LastBackupFailed" && last["message"] == "exit status 2").then_some(())
    });
    assert!(bench.cluster()["status"]["lastFailedBackup"].is_string());
    bench.until("its retention could not be applied either", || {
        bench.has_event("Cluster", "RetentionPolicyFailed").then_some(())
    });
    bench.mend_store();
}

fn on_a_schedule(bench: &Bench) {
    let (story, since) = bench.story();
    let before = bench.cluster()["status"]["lastSuccessfulBackup"].clone();
    bench.schedule("yearly", r#"{"schedule": "0 0 0 1 1 *", "immediate": true, "backupOwnerReference": "self"}"#);
    let name = bench.until("a backup is made at once", || bench.backups_of("yearly").first().cloned());
    let stamp = name.strip_prefix("yearly-").unwrap();
    assert!(stamp.len() == 14 && stamp.chars().all(|c| c.is_ascii_digit()), "{name}");
    let backup = bench.until_phase(&name, "completed");
    assert_eq!(backup["metadata"]["labels"]["cnpg.io/immediateBackup"], "true");
    assert_eq!(backup["metadata"]["labels"]["cnpg.io/cluster"], "pg-primary");
    bench.until("the cluster tells of it", || {
        (bench.cluster()["status"]["lastSuccessfulBackup"] != before).then_some(())
    });
    bench.until("the watches have told all of it", || {
        story.steps(since, "yearly").iter().any(|(_, what)| what == "lastSuccessfulBackup").then_some(())
    });
    hold("a scheduled backup", &story.steps(since, "yearly"), SCHEDULE);
    let scheduled = bench.get(&["scheduledbackup", "yearly"]);
    assert!(scheduled["status"]["nextScheduleTime"].as_str().unwrap().ends_with("-01-01T00:00:00Z"), "{scheduled}");
    bench.delete("scheduledbackup", "yearly");
    bench.until("its backups go with it", || bench.backups_of("yearly").is_empty().then_some(()));
}

fn suspended(bench: &Bench) {
    bench.schedule("often", r#"{"schedule": "*/10 * * * * *"}"#);
    let name = bench.until("a backup is made when it is due", || bench.backups_of("often").first().cloned());
    assert!(name.ends_with('0'), "{name} is by the second when it was due");
    bench.patch("scheduledbackup", "often", r#"{"spec": {"suspend": true}}"#);
    bench.until_phase(&name, "completed");
    let labels = &bench.get(&["backup", &name])["metadata"]["labels"];
    assert_eq!(labels["cnpg.io/immediateBackup"], "false");
    bench.delete("scheduledbackup", "often");
    assert!(bench.backups_of("often").contains(&name), "nobody owns it");
}

/// Two backups are made to look old: the older one goes, with its WAL; the last one before the window stays.
fn beyond_the_policy(bench: &Bench) {
    let bases = bench.bases();
    let [first, second, ..] = bases.as_slice() else { panic!("two backups at least: {bases:?}") };
    let oldest_wal = bench.oldest_wal();
    bench.make_old(first, "2026-01-01");
    bench.make_old(second, "2026-02-02");
    bench.ask("and-clear-up", r#"{"method": "barmanObjectStore"}"#);
    bench.until_phase("and-clear-up", "completed");
    bench.until("the cluster is recoverable from the second one on", || {
        let point = bench.cluster()["status"]["firstRecoverabilityPoint"].clone();
        point.as_str().is_some_and(|at| at.starts_with("2026-02-02")).then_some(())
    });
    let left = bench.bases();
    assert!(!left.contains(first) && left.contains(second), "{left:?}");
    assert!(!bench.has_wal(&oldest_wal), "{oldest_wal} was needed by the first one only");
    let ids = bench.backup_ids();
    assert!(!ids.contains(first) && ids.contains(second), "{ids:?}");
}

/// The faults of the store: done, seen in its files, undone.
fn what_is_lost_comes_back(bench: &Bench) {
    let newest = bench.newest_backup();
    let (id, end) = (newest["status"]["backupId"].as_str().unwrap(), newest["status"]["endWal"].as_str().unwrap());

    let told = bench.fault("wal-missing", "{}");
    let segment = told.split(' ').next().unwrap().to_owned();
    assert!(segment.as_str() > end && !bench.has_wal(&segment), "{told}");
    assert!(bench.has_wal(&bench.newest_wal()) && bench.newest_wal() > segment, "others follow it");
    bench.delete("fault", "wal-missing");
    assert!(bench.has_wal(&segment));

    let told = bench.fault("end-wal-missing", "{}");
    assert!(told.contains(end) && told.contains(id) && !bench.has_wal(end), "{told}");
    bench.delete("fault", "end-wal-missing");
    assert!(bench.has_wal(end));

    let whole = bench.data(id);
    for (damage, as_long) in [("cut-short", false), ("bytes-changed", true)] {
        let told = bench.fault("base-corrupted", &format!(r#"{{"damage": "{damage}"}}"#));
        assert!(told.contains(id), "{told}");
        let now = bench.data(id);
        assert!(now != whole && (now.len() == whole.len()) == as_long);
        bench.delete("fault", "base-corrupted");
        assert!(bench.data(id) == whole, "as it was");
    }
}

fn what_cannot_be_is_refused(bench: &Bench) {
    let refused = |kind: &str, spec: &str| bench.refused(kind, spec);
    assert!(refused("Backup", r#"{"method": "volumeSnapshot"}"#).contains("missing VolumeSnapshot CRD"));
    assert!(refused("Backup", r#"{"method": "plugin"}"#).contains("cannot be empty when the backup method is plugin"));
    assert!(refused("ScheduledBackup", r#"{"schedule": "15 * *"}"#).contains("spec.schedule"));
    bench
        .ask("no-plugin", r#"{"method": "plugin", "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"}}"#);
    let backup = bench.until_phase("no-plugin", "failed");
    let why = "cannot proceed with the backup as the cluster has no plugin configured";
    assert_eq!(backup["status"]["error"], why);
}

fn by_the_plugin(bench: &Bench) {
    bench.move_to_plugin("store");
    bench
        .ask("by-plugin", r#"{"method": "plugin", "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"}}"#);
    let backup = bench.until_phase("by-plugin", "completed");
    let status = &backup["status"];
    assert_eq!(status["method"], "plugin");
    assert_eq!(status["online"], true);
    assert_eq!(status["pluginMetadata"]["clusterUID"], bench.cluster()["metadata"]["uid"]);
    assert!(status["destinationPath"].is_null(), "the plugin does not tell it");
    assert!(bench.has_base(&backup));
    let window = bench.get(&["objectstores.barmancloud.cnpg.io", "store"])["status"]["serverRecoveryWindow"].clone();
    assert_eq!(window["pg-primary"]["lastSuccessfulBackupTime"], status["stoppedAt"]);
    assert!(window["pg-primary"]["firstRecoverabilityPoint"].as_str().unwrap().starts_with("2026-02-02"), "{window}");
    // The plugin keeps to its own policy, again and again.
    let bases = bench.bases();
    bench.make_old(&bases[1], "2026-03-03");
    let store = "objectstores.barmancloud.cnpg.io";
    bench.patch(store, "store", r#"{"spec": {"retentionPolicy": "7d"}}"#);
    bench.until("the window begins with the second one", || {
        let point = bench.get(&[store, "store"])["status"]["serverRecoveryWindow"]["pg-primary"].clone();
        point["firstRecoverabilityPoint"].as_str().is_some_and(|at| at.starts_with("2026-03-03")).then_some(())
    });
    assert!(!bench.bases().contains(&bases[0]));
    // Archiving goes on by the plugin.
    let end = status["endWal"].as_str().unwrap();
    bench.switch_wal();
    bench.until("WAL is archived as before", || bench.has_wal(end).then_some(()));
}
