//! Restores by the command line, in a lab. howdah says when it is done; what is true then is asked with kubectl and psql.

mod support;

#[expect(dead_code, reason = "more of it is used where recovery itself is looked at")]
#[path = "lab_restore/stage.rs"]
mod stage;

use serde_json::Value;
use std::process::Output;

use stage::Stage;
use support::site::{CLUSTER, told};

fn restore(stage: &Stage, name: &str, more: &[&str]) -> Output {
    let args = ["backups", "restore", CLUSTER, "--as", name, "--timeout", "60s", "-o", "json"];
    stage.run(&[&args, more].concat())
}

/// It is restored, and every step is proven. Gives the report.
fn restored(stage: &Stage, name: &str, more: &[&str]) -> Value {
    let out = restore(stage, name, &[more, &["--yes"]].concat());
    assert_eq!(out.status.code(), Some(0), "{name}\n{}", told(&out));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["outcome"], "passed", "{report:#}");
    for step in report["steps"].as_array().unwrap() {
        assert!(step["evidence"].as_array().is_some_and(|e| !e.is_empty()), "{step:#}");
    }
    println!("{name}\n{}", told(&out));
    report
}

/// It is refused with these words, and no such cluster is made.
fn refused(stage: &Stage, name: &str, more: &[&str], words: &[&str]) {
    let out = restore(stage, name, &[more, &["--yes"]].concat());
    assert_eq!(out.status.code(), Some(3), "{name} {more:?}\n{}", told(&out));
    for word in words {
        assert!(told(&out).contains(word), "{word} is not in\n{}", told(&out));
    }
}

/// Starts a fault and gives the segment that it names.
fn missing(stage: &Stage, kind: &str) -> String {
    stage.ok(&["lab", "fault", "start", kind]);
    let message = stage.until(kind, || {
        let faults = stage.get(&["faults"]);
        let all = faults["items"].as_array().cloned().unwrap_or_default();
        let done = all.iter().find(|f| f["spec"]["kind"] == kind && f["status"]["state"] == "Active");
        done.and_then(|f| f["status"]["message"].as_str().map(str::to_owned))
    });
    let name = |w: &&str| w.len() == 24 && w.bytes().all(|b| b.is_ascii_hexdigit());
    message.split(|c: char| !c.is_ascii_alphanumeric()).find(name).unwrap_or_else(|| panic!("{message}")).to_owned()
}

/// The guide's own story: three rows, a backup, a fourth row, a disaster; back to before the fourth row, and to after it.
/// Then a segment is lost, and nothing leads beyond it.
#[test]
fn the_guides_story_and_a_gap() {
    let Some(stage) = Stage::open() else { return };
    stage.sql("create table datasample (id int primary key)");
    stage.sql("insert into datasample values (1), (2), (3)");
    stage.back_up("three-rows");
    let before = stage.time();
    stage.sql("insert into datasample values (4)");
    let after = stage.time();
    stage.sql("drop table datasample");
    stage.until_archived();

    let plan = restore(&stage, "before", &["--to", &before, "--plan"]);
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!((&plan["kind"], &plan["parameters"]["as"]), (&"restore".into(), &"before".into()), "{plan:#}");
    assert!(plan.to_string().contains("will archive NOTHING"), "{plan:#}");
    restored(&stage, "before", &["--to", &before, "--instances", "1"]);
    let report = restored(&stage, "after", &["--to", &after, "--archive-as", "after"]);
    assert_eq!(report["steps"].as_array().unwrap().len(), 4, "{report:#}");
    stage.until_holds("before", 1, "3");
    stage.until_holds("after", 2, "4");
    assert_eq!(stage.psql_in("app", "after-2", "select count(*) from datasample").as_deref(), Some("4"));
    let archived = "select archived_count > 0 and failed_count = 0 from pg_stat_archiver";
    stage.until("what it writes is archived", || (stage.psql("after-1", archived)?.trim() == "t").then_some(()));
    assert_eq!(stage.get(&["cluster", "before"])["spec"]["backup"]["barmanObjectStore"], Value::Null);

    refused(&stage, "before", &["--to", &before], &["there is a cluster cnpg-database/before already"]);
    let clash = ["--to", &before, "--archive-as", CLUSTER];
    refused(&stage, "other", &clash, &["Expected empty archive", "skipEmptyWalArchiveCheck"]);
    refused(&stage, "other", &["--to", "2020-01-01T00:00:00Z"], &["the first base backup that can be restored ended"]);
    refused(&stage, "other", &["--to-xid", "731"], &["a base backup has to be named"]);
    let bad = restore(&stage, "other", &["--to", "2026-11-20 22:57:22", "--yes"]);
    assert_eq!(bad.status.code(), Some(2), "{}", told(&bad));
    stage.delete(&["before", "after"]);

    let gone = missing(&stage, "wal-missing");
    refused(&stage, "other", &["--to", "latest"], &["beyond a gap", &gone]);
    let all = stage.get(&["clusters"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "nothing was made of what was refused");
    assert!(stage.is_calm() && stage.timeline() == 1, "the first cluster has noticed nothing");
    stage.close();
}
