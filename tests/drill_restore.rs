//! Restore drills on a living lab: one that passes, one that finds a damaged backup, ones that are left in the middle.
//!
//! What is true afterwards is asked with kubectl and psql, never of howdah alone: nothing may be left, whatever happened.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Child, Output, Stdio};
use support::site::{CLUSTER, NS, Site, told};

/// Everything that can belong to a cluster.
const KINDS: &str = "clusters,pods,jobs,persistentvolumeclaims,secrets,services,endpoints,endpointslices,leases,\
                     poddisruptionbudgets,serviceaccounts,roles,rolebindings,backups,configmaps";

#[test]
fn restores_on_a_living_lab() {
    let Some(site) = Site::start(&["--instances", "2"]) else { return };
    tables(&site);
    restorable(&site);
    let there = world(&site);
    only_shown(&site);
    proven(&site);
    assert_eq!(world(&site), there, "a drill that passes leaves nothing");
    interrupted(&site);
    assert_eq!(world(&site), there, "a drill that is left leaves nothing");
    killed(&site);
    assert_eq!(world(&site), there, "a drill that was killed leaves nothing once it is taken up");
    damaged(&site);
    assert_eq!(world(&site), there, "a drill that fails leaves nothing");
    listed(&site);
    fresh(&site, &there);
    site.close();
}

fn sql(site: &Site, sql: &str) -> String {
    site.psql_in("app", &site.primary(), sql).unwrap_or_else(|| panic!("{sql} was not answered"))
}

/// Contents of several kinds, names that must be quoted, and what a restore can't bring back.
fn tables(site: &Site) {
    sql(site, "create table steady as select g as id, md5(g::text) as word from generate_series(1, 2000) g");
    sql(site, "create table \"Odd \"\"Name\" (a json, b bytea, c numeric)");
    sql(site, "insert into \"Odd \"\"Name\" values ('{\"x\": 1}', 'abc', 1.50), (null, null, 'NaN')");
    sql(site, "create schema shop create table parts (id int) partition by range (id)");
    sql(site, "create table shop.low partition of shop.parts for values from (0) to (100)");
    sql(site, "insert into shop.parts select generate_series(1, 50)");
    sql(site, "create unlogged table fleeting as select 1 as n");
}

/// The cluster's first backup can be restored.
fn restorable(site: &Site) {
    let newest = || {
        let out = site.run(&["backups", "list", CLUSTER, "-o", "json"]);
        let list: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
        list["newest_restorable"].as_str().map(str::to_owned)
    };
    sql(site, "select pg_switch_wal()");
    site.until("a backup that can be restored", newest);
}

/// Names of everything, and of what lies in the object store beside WAL.
fn world(site: &Site) -> BTreeSet<String> {
    let list = site.get(&[KINDS]);
    let items = list["items"].as_array().unwrap();
    let mut all: BTreeSet<String> = items.iter().map(|o| format!("{}/{}", o["kind"], o["metadata"]["name"])).collect();
    let volumes = site.get(&["persistentvolumes"]);
    all.extend(volumes["items"].as_array().unwrap().iter().map(|o| format!("{}", o["spec"]["claimRef"]["name"])));
    let store = site.lab.dir.join("store");
    let servers = std::fs::read_dir(&store).unwrap().flatten();
    // What begins with a dot is the lab's own: a fault keeps there what it took away.
    for server in servers.filter(|s| !s.file_name().to_string_lossy().starts_with('.')) {
        let base = std::fs::read_dir(server.path().join("base")).into_iter().flatten().flatten();
        all.extend(base.map(|b| format!("store {:?}/{:?}", server.file_name(), b.file_name())));
        all.insert(format!("store {:?}", server.file_name()));
    }
    all.extend(site.left_behind().split(',').filter(|t| !t.is_empty()).map(|t| format!("table {t}")));
    all
}

fn report(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}\n{}", told(out)))
}

/// Nobody said yes, or only the plan was asked for: nothing happens.
fn only_shown(site: &Site) {
    let there = world(site);
    for flags in [&["drill", "restore", CLUSTER][..], &["--read-only", "drill", "restore", CLUSTER]] {
        let out = site.run(flags);
        assert_eq!(out.status.code(), Some(3), "{}", told(&out));
    }
    let plan = site.run(&["drill", "restore", CLUSTER, "--plan"]);
    let text = told(&plan);
    assert_eq!(plan.status.code(), Some(0), "{text}");
    assert!(text.contains("POST /apis/postgresql.cnpg.io/v1/namespaces/cnpg-database/clusters"), "{text}");
    assert!(text.contains("howdah.dev/restore-drill"), "{text}");
    let out = site.run(&["drill", "restore", CLUSTER, "--plan", "--backup", "nothing"]);
    assert_eq!(out.status.code(), Some(3), "{}", told(&out));
    assert!(told(&out).contains("nothing is not in the store"), "{}", told(&out));
    assert_eq!(world(site), there);
}

fn objective(report: &Value, name: &str) -> Value {
    let all = report["objectives"].as_array().unwrap();
    all.iter().find(|o| o["name"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"))["met"].clone()
}

fn proven(site: &Site) {
    let line = site.timeline();
    let out = site.run(&["drill", "restore", CLUSTER, "--yes", "--rto", "10m", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    for name in ["RTO", "point reached", "contents", "data files", "nothing left"] {
        assert_eq!(objective(&r, name), true, "{name}: {r:#}");
    }
    let restored = &r["restored"];
    assert!(restored["rto_ms"].as_i64().is_some_and(|ms| ms > 0), "{restored:#}");
    assert!(restored["verified_ms"].as_i64() >= restored["rto_ms"].as_i64(), "{restored:#}");
    for span in restored["spans"].as_array().unwrap() {
        assert!(span["ms"].as_i64().is_some(), "{span} of {restored:#}");
    }
    // The moment lies between the markers, and PostgreSQL itself says that it stopped there.
    let reached = &restored["reached"];
    assert!(reached["newest_marker"].as_str() < restored["target"].as_str(), "{restored:#}");
    assert!(reached["stopped"].as_str().is_some_and(|s| s.starts_with("recovery stopping before")), "{reached:#}");
    assert!(reached["left"].as_str().is_some_and(|s| s.starts_with(&format!("{line} "))), "{reached:#}");
    let tables = &restored["tables"];
    for name in ["public.steady", "public.\"Odd \"\"Name\"", "shop.low"] {
        assert_eq!(tables[name]["verdict"], "same", "{name}: {tables:#}");
    }
    assert_eq!((&tables["shop.low"]["rows"], &tables["public.fleeting"]["verdict"]), (&50.into(), &"skipped".into()));
    let gone = restored["torn_down"]["gone"].as_array().unwrap();
    for kind in ["Cluster/", "Pod/", "PersistentVolumeClaim/", "Secret/", "Service/"] {
        assert!(gone.iter().any(|g| g.as_str().unwrap().starts_with(kind)), "{kind}: {gone:?}");
    }
    // Neither contents nor passwords are anywhere in the journal.
    let journal = serde_json::to_string(&site.journals().last().unwrap().1).unwrap();
    let password = site.get(&["secret", "db-user-pass"])["data"]["password"].as_str().unwrap().to_owned();
    let word = sql(site, "select word from steady where id = 7");
    assert!(!journal.contains(&word) && !journal.contains(&password));
}

/// Begins a drill and waits until its scratch cluster was made.
fn begun(site: &Site) -> (Child, String) {
    let before: BTreeSet<String> = site.journals().into_iter().map(|(run, _)| run).collect();
    let mut drill = site.howdah(&["drill", "restore", CLUSTER, "--yes", "-o", "json"]);
    let drill = drill.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let made = || {
        let (run, entries) = site.journals().into_iter().find(|(run, _)| !before.contains(run))?;
        entries.iter().any(|e| e["what"]["accepted"]["step"] == "scratch").then_some(run)
    };
    let run = site.until("the scratch cluster is made", made);
    (drill, run)
}

/// Ctrl-C with nobody at the terminal: it ends, and what cleans up is still done.
fn interrupted(site: &Site) {
    let (mut drill, run) = begun(site);
    let pid = nix::unistd::Pid::from_raw(drill.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let status = drill.wait().unwrap();
    assert_eq!(status.code(), Some(1), "{run}");
}

/// howdah is gone in the middle; taken up again the drill comes to its end, and leaves nothing.
fn killed(site: &Site) {
    let (mut drill, run) = begun(site);
    drill.kill().unwrap();
    drill.wait().unwrap();
    let clusters = site.get(&["clusters"]);
    assert_eq!(clusters["items"].as_array().unwrap().len(), 2, "the scratch cluster stands alone");
    let out = site.run(&["runs", "resume", &run, "--yes", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    let made = site.journals().into_iter().find(|(name, _)| *name == run).unwrap().1;
    let began = made.iter().filter(|e| e["what"]["began"]["step"] == "scratch").count();
    assert_eq!(began, 1, "it was made once");
}

fn damaged(site: &Site) {
    let dir = site.lab.dir.to_string_lossy().into_owned();
    site.ok(&["lab", "fault", "start", "base-corrupted", "--dir", &dir, "--name", "torn", "--yes"]);
    let out = site.run(&["drill", "restore", CLUSTER, "--yes", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(1), &Value::from("failed")), "{}", told(&out));
    let steps = r["steps"].as_array().unwrap();
    let step = |name: &str| steps.iter().find(|s| s["step"] == name).unwrap();
    let because = step("recovered")["problem"]["because"].as_str().unwrap_or_default().to_owned();
    assert!(because.contains("3 attempts failed") && because.contains("Barman cloud restore exception"), "{because}");
    assert_eq!((objective(&r, "RTO"), objective(&r, "nothing left")), (false.into(), true.into()), "{r:#}");
    assert_eq!((&step("teardown")["state"], &step("sweep")["state"]), (&"done".into(), &"done".into()));
    site.ok(&["lab", "fault", "stop", "torn", "--dir", &dir]);
}

/// Restores have a time of their own in the list, and no outage.
fn listed(site: &Site) {
    let list: Value = serde_json::from_str(&site.ok(&["drill", "list", "-o", "json"])).unwrap();
    let drills = list[0]["drills"].as_array().unwrap();
    let outcomes: Vec<_> = drills.iter().map(|d| d["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["passed", "left", "passed", "failed"], "{list:#}");
    assert!(drills[0]["restored_ms"].is_i64() && drills[0]["rto_ms"].is_null(), "{list:#}");
    assert_eq!((&list[0]["trends"][0]["kind"], &list[0]["trends"][0]["drills"]), (&"restore-drill".into(), &2.into()));
    let shown = site.kubectl.ok(&["-n", NS, "get", "clusters"]);
    assert!(!shown.contains("drill"), "{shown}");
}

/// A base backup is taken between the first markers and the moment; that one is restored, and it alone stays.
fn fresh(site: &Site, there: &BTreeSet<String>) {
    let out = site.run(&["drill", "restore", CLUSTER, "--take", "--yes", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    let id = r["restored"]["base"].as_str().unwrap();
    let backups = site.get(&["backups"]);
    let mut own = backups["items"].as_array().unwrap().iter().filter(|b| b["status"]["backupId"] == id);
    let taken = own.next().unwrap_or_else(|| panic!("{id} is of no Backup: {backups:#}"));
    assert_eq!(taken["status"]["phase"], "completed");
    let now = world(site);
    let left: Vec<&String> = now.difference(there).collect();
    let name = taken["metadata"]["name"].as_str().unwrap();
    assert!(
        left.len() == 2 && left.iter().any(|l| l.contains(name)) && left.iter().any(|l| l.contains(id)),
        "{left:?}"
    );
}
