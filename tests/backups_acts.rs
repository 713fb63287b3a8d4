//! Backups taken and scheduled on a living lab, as a person would say it on the command line. howdah says when it is done;
//! what is true then is asked with kubectl and psql, never of howdah.

mod support;

use serde_json::{Value, json};
use std::process::Output;
use support::site::{CLUSTER, NS, Site, told};

/// `howdah backups …` with JSON asked for.
fn backups(site: &Site, args: &[&str]) -> Output {
    site.run(&[&["backups"], args, &["-o", "json"]].concat())
}

fn report(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", told(out)))
}

/// It ends well; gives the report.
fn done(site: &Site, args: &[&str]) -> Value {
    let out = backups(site, &[args, &["--yes", "--timeout", "60s"]].concat());
    assert_eq!(out.status.code(), Some(0), "{args:?}\n{}", told(&out));
    let report = report(&out);
    assert_eq!(report["outcome"], "passed", "{report:#}");
    println!("{args:?}\n{}", told(&out));
    report
}

fn evidence(report: &Value) -> Vec<&str> {
    let all = report["steps"].as_array().unwrap().iter().flat_map(|s| s["evidence"].as_array().into_iter().flatten());
    all.filter_map(Value::as_str).collect()
}

fn get(site: &Site, kind: &str, name: &str) -> Value {
    site.get(&[kind, name])
}

/// The primary goes on to its next segment, so that the last one of a backup is archived soon.
fn switch_wal(site: &Site) {
    site.psql(&site.primary(), "select pg_switch_wal()");
}

/// Takes a backup while somebody writes enough for its last segment to be archived.
fn taken(site: &Site, args: &[&str]) -> Value {
    let args = [&["take", CLUSTER], args, &["--yes", "--timeout", "60s", "-o", "json"]].concat();
    let mut howdah = site.howdah(&[&["backups"], &args[..]].concat());
    let mut child = howdah.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    site.until("the backup is through", || {
        switch_wal(site);
        child.try_wait().unwrap()
    });
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{args:?}\n{}", told(&out));
    println!("{args:?}\n{}", told(&out));
    report(&out)
}

#[test]
fn backups_are_taken_and_scheduled() {
    let Some(site) = Site::start(&[]) else { return };
    site.until_healthy();
    in_tree(&site);
    what_is_refused(&site);
    on_a_schedule(&site);
    out_of_reach(&site);
    by_the_plugin(&site);
    site.close();
}

/// The lab's cluster has CNPG's own Barman.
fn in_tree(site: &Site) {
    let report = taken(site, &["--name", "by-hand"]);
    let backup = get(site, "backup", "by-hand");
    let status = &backup["status"];
    assert_eq!((&status["phase"], &status["method"]), (&json!("completed"), &json!("barmanObjectStore")), "{backup:#}");
    assert_eq!(backup["metadata"]["labels"]["cnpg.io/cluster"], CLUSTER);
    assert_eq!(backup["spec"], json!({"cluster": {"name": CLUSTER}, "method": "barmanObjectStore"}));
    let said = evidence(&report);
    let field = |name: &str| status[name].as_str().unwrap().to_owned();
    assert!(said[0].contains(&field("backupId")), "{said:?}");
    assert!(said[1].contains(&field("beginWal")) && said[1].contains(&field("endWal")), "{said:?}");
    let archived = site.psql(&site.primary(), "select last_archived_wal from pg_stat_archiver").unwrap();
    assert!(archived.as_str() >= field("endWal").as_str(), "{archived}: {backup:#}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("Starting: Backup started") && notes.contains("says completed"), "{notes}");
}

fn what_is_refused(site: &Site) {
    let count = || site.get(&["backups"])["items"].as_array().map(Vec::len);
    let before = count();
    let refused = |args: &[&str], code: i32, why: &str| {
        let out = backups(site, &[&["take"], args, &["--timeout", "60s"]].concat());
        assert_eq!(out.status.code(), Some(code), "{args:?}\n{}", told(&out));
        assert!(told(&out).contains(why), "{args:?}\n{}", told(&out));
    };
    refused(&[CLUSTER], 3, "--yes");
    refused(&[CLUSTER, "--yes", "--method", "plugin"], 3, "it is set up for barmanObjectStore");
    refused(&[CLUSTER, "--yes", "--method", "snapshot"], 3, "spec.backup.volumeSnapshot");
    refused(&[CLUSTER, "--yes", "--name", "by-hand"], 3, "there is a Backup by-hand already");
    refused(&[CLUSTER, "--yes", "--name", "By_Hand"], 2, "is no name for an object");
    refused(&["pg-tertiary", "--yes"], 2, "no such cluster");
    refused(&[CLUSTER, "--plan"], 0, "\"Backup\"");
    assert_eq!(count(), before, "nothing was made");
}

fn on_a_schedule(site: &Site) {
    let schedule = |args: &[&str]| done(site, &[&["schedule", CLUSTER, "yearly"], args].concat());
    let spec = || get(site, "scheduledbackup", "yearly")["spec"].clone();
    let of_it = || {
        let own = ["backups", "-l", "cnpg.io/scheduled-backup=yearly"];
        site.get(&own)["items"].as_array().cloned().unwrap_or_default()
    };
    let five = backups(site, &["schedule", CLUSTER, "yearly", "--cron", "15 3 * * *", "--yes"]);
    assert_eq!(five.status.code(), Some(2), "{}", told(&five));
    assert!(told(&five).contains("at second 15 of minute 3 of every hour"), "{}", told(&five));

    let made = schedule(&["--cron", "0 0 0 1 1 *", "--immediate"]);
    assert_eq!(
        spec(),
        json!({"cluster": {"name": CLUSTER}, "schedule": "0 0 0 1 1 *", "immediate": true, "method": "barmanObjectStore",
            "backupOwnerReference": "none"})
    );
    let status = get(site, "scheduledbackup", "yearly")["status"].clone();
    assert!(status["nextScheduleTime"].as_str().is_some_and(|at| at.ends_with("-01-01T00:00:00Z")), "{status:#}");
    assert!(evidence(&made).iter().any(|e| e.contains("the operator looked at it")), "{made:#}");
    site.until("its first backup is completed", || {
        let all = of_it();
        (all.len() == 1 && all[0]["status"]["phase"] == "completed").then_some(())
    });

    schedule(&["--cron", "0 0 0 2 1 *"]);
    assert_eq!(spec()["schedule"], "0 0 0 2 1 *");
    schedule(&["--suspend"]);
    assert_eq!(spec()["suspend"], true);
    let again = backups(site, &["schedule", CLUSTER, "yearly", "--suspend", "--yes"]);
    assert_eq!(again.status.code(), Some(1), "{}", told(&again));
    schedule(&["--resume", "--target", "primary"]);
    assert_eq!((&spec()["suspend"], &spec()["target"]), (&json!(false), &json!("primary")));

    let shown = backups(site, &["schedule", CLUSTER]);
    let shown = report(&shown);
    let one = shown["schedules"].as_array().unwrap().iter().find(|s| s["name"] == "yearly").unwrap();
    assert_eq!(one["means"], "at 00:00 on day 2 of the month in January");
    assert_eq!(one["next"].as_array().map(Vec::len), Some(5), "{one:#}");

    let unnamed = backups(site, &["schedule", CLUSTER, "yearly", "--delete", "--yes"]);
    assert_eq!(unnamed.status.code(), Some(3), "{}", told(&unnamed));
    assert_eq!(spec()["schedule"], "0 0 0 2 1 *", "it is still there");
    schedule(&["--delete", "--confirm", "yearly"]);
    assert!(get(site, "scheduledbackup", "yearly").is_null());
    assert_eq!(of_it().len(), 1, "its Backup stays");
}

fn out_of_reach(site: &Site) {
    site.ok(&["lab", "fault", "start", "bucket-unreachable"]);
    site.until("the store is out of reach", || {
        let faults = site.get(&["faults"]);
        faults["items"].as_array()?.iter().any(|f| f["status"]["state"] == "Active").then_some(())
    });
    let because = ["--yes", "--because", "a test", "--timeout", "60s"];
    let out = backups(site, &[&["take", CLUSTER, "--name", "in-vain"][..], &because].concat());
    assert_eq!(out.status.code(), Some(1), "{}", told(&out));
    let error = get(site, "backup", "in-vain")["status"]["error"].as_str().unwrap().to_owned();
    let report = report(&out);
    let problem = report["steps"][0]["problem"].to_string();
    assert!(problem.contains("in-vain") && problem.contains(&error), "{report:#}");
    site.ok(&["lab", "fault", "stop", "--all"]);
    site.until("WAL is archived again", || {
        switch_wal(site);
        let conditions = site.cluster()["status"]["conditions"].clone();
        let archives = |c: &Value| c["type"] == "ContinuousArchiving" && c["status"] == "True";
        conditions.as_array()?.iter().any(archives).then_some(())
    });
}

fn by_the_plugin(site: &Site) {
    let cluster = site.cluster();
    let barman = &cluster["spec"]["backup"]["barmanObjectStore"];
    let store = json!({
        "apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore", "metadata": {"name": "store", "namespace": NS},
        "spec": {"configuration": barman}});
    let file = site.home.path().join("store.json");
    std::fs::write(&file, store.to_string()).unwrap();
    site.kubectl.ok(&["create", "-f", &file.to_string_lossy()]);
    let spec = json!({"spec": {"backup": {"barmanObjectStore": null, "retentionPolicy": null}, "plugins": [{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true,
        "parameters": {"barmanObjectName": "store"}}]}});
    site.kubectl.ok(&["-n", NS, "patch", "cluster", CLUSTER, "--type", "merge", "-p", &spec.to_string()]);
    site.until_healthy();
    let report = taken(site, &["--name", "by-plugin", "--target", "primary"]);
    let backup = get(site, "backup", "by-plugin");
    assert_eq!(
        (&backup["status"]["phase"], &backup["status"]["method"]),
        (&json!("completed"), &json!("plugin")),
        "{backup:#}"
    );
    assert_eq!(
        backup["spec"],
        json!({"cluster": {"name": CLUSTER}, "method": "plugin", "target": "primary",
            "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"}})
    );
    assert_eq!(backup["status"]["instanceID"]["podName"], site.primary());
    assert!(evidence(&report)[0].contains("by-plugin: completed"));
}
