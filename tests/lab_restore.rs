//! Recovery in the lab: new clusters out of the first one's base backups and archived WAL, looked at with kubectl and psql
//! only, and at what is left of them afterwards.

mod support;

#[expect(dead_code, reason = "the same for stories that were recorded twice")]
#[path = "lab/recorded.rs"]
mod recorded;
#[path = "lab/recorder.rs"]
mod recorder;
#[path = "lab_restore/stage.rs"]
mod stage;

use serde_json::{Value, json};

use recorded::{Differences, read, told_once};
use recorder::Recorder;
use stage::Stage;
use support::site::CLUSTER;

const RECOVERY: &str = include_str!("fixtures/lab/recovery.tsv");

/// The guide's own story: three rows, a backup, a fourth row, a disaster; back to before the fourth row, and to after it.
#[test]
fn three_rows_before_and_four_after() {
    let Some(stage) = Stage::open() else { return };
    stage.sql("create table datasample (id int primary key)");
    stage.sql("insert into datasample values (1), (2), (3)");
    stage.back_up("three-rows");
    let recoverable = stage.cluster()["status"]["firstRecoverabilityPoint"].clone();
    assert!(recoverable.is_string(), "{recoverable}");
    let before = stage.time();
    stage.sql("insert into datasample values (4)");
    let after = stage.time();
    stage.sql("drop table datasample");
    stage.until_archived();

    let target = |time: &str| json!({"source": "origin", "recoveryTarget": {"targetTime": time}});
    stage.apply(&stage.manifest("before", 1, target(&before)));
    let mut archiving = stage.manifest("after", 2, target(&after));
    archiving["spec"]["backup"]["barmanObjectStore"] = stage.cluster()["spec"]["backup"]["barmanObjectStore"].clone();
    stage.by_plugin(&mut archiving);
    stage.apply(&archiving);
    stage.apply(&stage.manifest("end", 1, json!({"backup": {"name": "three-rows"}})));
    stage.until_holds("before", 1, "3");
    stage.until_holds("after", 2, "4");
    stage.until_recovered("end", 1);
    let table = stage.psql_in("app", "end-1", "select to_regclass('datasample') is null");
    assert_eq!(table.as_deref(), Some("t"), "without a target everything is replayed, the disaster too");
    let own =
        "select archived_count > 0 and failed_count = 0 and last_archived_wal like '00000002%' from pg_stat_archiver";
    assert_eq!(stage.psql("after-1", own).as_deref(), Some("t"), "what it writes is archived");
    assert_eq!(stage.psql_in("app", "after-2", "select count(*) from datasample").as_deref(), Some("4"));

    stage.delete(&["before", "after", "end"]);
    assert!(stage.is_calm() && stage.timeline() == 1, "the first cluster has noticed nothing");
    stage.close();
}

/// As recorded: a target that the archive has not reached yet fails, again and again, until the WAL is there.
#[test]
fn a_target_beyond_the_archive_waits_for_its_wal() {
    let Some(stage) = Stage::open() else { return };
    stage.sql("create table datasample (id int primary key)");
    stage.sql("insert into datasample values (1)");
    let target = stage.time();
    stage.until_archived();
    let recorder = Recorder::start(&stage.kubectl);
    stage.until("the watches told what is there", || recorder.caught_up().then_some(()));
    let start = recorder.now();
    let recovery = json!({"source": "origin", "recoveryTarget": {"targetTime": target}});
    stage.apply(&stage.manifest("restored", 1, recovery));
    stage.until("two attempts have failed", || (stage.failures("restored") == 2).then_some(()));
    let out = stage.run(&["status", "restored", "--timeout", "20s"]);
    let status = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(status.contains("recovery has failed") && status.contains("before configured recovery target"), "{status}");
    let told = stage.told("restored");
    assert!(told.contains("FATAL recovery ended before configured recovery target was reached"), "{told}");
    assert!(told.contains("while waiting for PostgreSQL to stop recovery mode"), "{told}");
    stage.sql("insert into datasample values (2)");
    stage.until_archived();
    stage.until_recovered("restored", 1);
    stage.until("its Job is cleared away", || (stage.get(&["jobs"])["items"].as_array()?.is_empty()).then_some(()));
    let story = recorder.changes(start, &[("restored-1", "one"), ("restored", "cluster")]);
    let story: Vec<_> = story.into_iter().filter(|(_, c)| !c.object.starts_with(CLUSTER)).collect();
    assert_eq!(stage.psql_in("app", "restored-1", "select count(*) from datasample").as_deref(), Some("1"));
    stage.delete(&["restored"]);
    let mut differences = Differences::default();
    differences.values("recovery", &story, RECOVERY, &[]);
    differences.order("recovery", &story, &told_once(&read(RECOVERY)));
    differences.none();
    stage.close();
}

/// One that is deleted while it is recovered leaves nothing. The others can't be recovered: each fails, its Cluster says
/// nothing of why, and its Job's log does.
#[test]
fn what_cannot_be_recovered_fails_and_its_log_says_why() {
    let Some(stage) = Stage::open() else { return };
    let newest = || json!({"source": "origin"});
    stage.apply(&stage.manifest("brief", 3, newest()));
    stage.until("its recovery runs", || {
        let pods = stage.get(&["pods", "-l", "job-name=brief-1-full-recovery"]);
        (pods["items"][0]["status"]["phase"] == "Running").then_some(())
    });
    stage.delete(&["brief"]);
    let early = json!({"source": "origin", "recoveryTarget": {"targetTime": "2020-01-01 00:00:00+00"}});
    let mut clash = stage.manifest("clash", 1, newest());
    clash["spec"]["backup"]["barmanObjectStore"] = clash["spec"]["externalClusters"][0]["barmanObjectStore"].clone();
    let mut lost = stage.manifest("lost", 1, newest());
    lost["spec"]["externalClusters"][0]["barmanObjectStore"]["destinationPath"] = json!("http://127.0.0.1:1/x/backups");
    let mut stranger = stage.manifest("stranger", 1, newest());
    stranger["spec"]["externalClusters"][0]["barmanObjectStore"]["serverName"] = json!("nobody");
    let mut keyless = stage.manifest("keyless", 1, newest());
    let key = json!({"storageKey": {"name": "nothing", "key": "key"}});
    keyless["spec"]["externalClusters"][0]["barmanObjectStore"]["azureCredentials"] = key;
    let torn = stage.manifest("torn", 1, newest());
    stage.tear_base_backups();
    let all = [
        (stage.manifest("early", 1, early), "no target backup found"),
        (clash, "WAL archive check failed for server pg-primary: Expected empty archive"),
        (lost, "Can't connect to cloud provider"),
        (stranger, "no target backup found"),
        (keyless, "while getting secret nothing: secrets \"nothing\" not found"),
        (torn, "Barman cloud restore exception"),
    ];
    all.iter().for_each(|(manifest, _)| stage.apply(manifest));
    let names: Vec<&str> = all.iter().map(|(m, _)| m["metadata"]["name"].as_str().unwrap()).collect();
    for (name, (_, reason)) in names.iter().zip(&all) {
        stage.until(&format!("{name} has failed"), || (stage.failures(name) > 0).then_some(()));
        let told = stage.told(name);
        assert!(told.contains(reason), "{name} should say {reason}:\n{told}");
        assert!(told.contains("Error while restoring a backup"), "{name}:\n{told}");
        assert_eq!(stage.get(&["cluster", name])["status"]["phase"], "Setting up primary", "{name}");
        stage.until(&format!("the verdict tells why {name} fails"), || {
            let out = stage.run(&["status", name, "-o", "json", "--timeout", "20s"]);
            let report: Value = serde_json::from_slice(&out.stdout).ok()?;
            let reasons = report["clusters"][0]["availability"]["reasons"].as_array()?.clone();
            let text = |r: &Value| r["text"].as_str().unwrap_or_default().to_owned();
            let told = reasons.iter().find(|r| r["code"] == "recovery-failing").map(text)?;
            told.contains(reason).then_some(())
        });
    }
    stage.delete(&names);
    stage.close();
}
