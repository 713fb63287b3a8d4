//! Drills on a living lab: as a person would say them, killed in the middle, and with a loss that was planted.
//!
//! What is true afterwards is asked with kubectl and psql, never of howdah alone.

mod support;

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use support::site::{CLUSTER, NS, Site, told};

struct World {
    site: Site,
}

impl std::ops::Deref for World {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl World {
    fn start() -> Option<World> {
        let site = Site::start(&["--load", "20"])?;
        site.until_healthy();
        Some(World { site })
    }

    /// A value from the primary.
    fn sql(&self, sql: &str) -> String {
        self.psql_in("app", &self.primary(), sql).unwrap_or_else(|| panic!("{sql} was not answered"))
    }

    /// Tables that a drill has left.
    fn left_behind(&self) -> String {
        self.sql("SELECT coalesce(string_agg(relname, ','), '') FROM pg_class WHERE relname LIKE 'howdah_drill%'")
    }

    fn uid(&self, pod: &str) -> String {
        self.get(&["pod", pod])["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
    }

    fn journals(&self) -> Vec<PathBuf> {
        let runs = self.home.path().join("howdah/runs");
        let runs = std::fs::read_dir(runs).into_iter().flatten();
        runs.filter_map(|e| Some(e.ok()?.path().join("journal.jsonl"))).collect()
    }
}

fn report(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}\n{}", told(out)))
}

#[test]
fn drills_on_a_living_lab() {
    let Some(world) = World::start() else { return };
    refused_unless_said(&world);
    a_failover_there_and_back(&world);
    killed_in_the_middle(&world);
    a_standby_is_lost(&world);
    a_switchover(&world);
    a_zone_is_lost(&world);
    rows_that_nobody_else_had_are_told_as_lost(&world);
    the_drills_are_listed(&world);
}

/// Nobody is at a terminal and nobody said yes: nothing happens.
fn refused_unless_said(world: &World) {
    let target = || world.cluster()["status"]["targetPrimary"].clone();
    let pods = || world.kubectl.ok(&["get", "pods", "-n", NS, "-o", "jsonpath={.items[*].metadata.uid}"]);
    let there = (pods(), target());
    for flags in [&["drill", "failover", CLUSTER][..], &["--read-only", "drill", "failover", CLUSTER]] {
        let out = world.run(flags);
        assert_eq!(out.status.code(), Some(3), "{}", told(&out));
    }
    assert_eq!((pods(), target()), there);
    assert_eq!(target(), world.primary());
    let plan = world.run(&["drill", "failover", CLUSTER, "--plan"]);
    let text = told(&plan);
    assert_eq!(plan.status.code(), Some(0), "{text}");
    assert!(text.contains("DELETE /api/v1/namespaces/cnpg-database/pods/"), "{text}");
    assert!(text.contains("--grace-period=1"), "{text}");
    assert_eq!(world.left_behind(), "");
}

fn a_failover_there_and_back(world: &World) {
    let (first, line) = (world.primary(), world.timeline());
    let out = world.run(&["drill", "failover", CLUSTER, "--yes", "--back", "--rto", "60s", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    assert_eq!(r["leader"][0], first.as_str());
    assert_ne!(r["leader"][1], r["leader"][0], "{r:#}");
    for span in r["spans"].as_array().unwrap() {
        assert!(span["ms"].as_i64().is_some_and(|ms| ms >= 0), "{span:#}\n{:#}", r["marks"]);
    }
    let (rto, tally) = (r["rto_ms"].as_i64().unwrap(), &r["tally"]);
    assert!(rto > 100, "a killed primary was hardly noticed: {rto} ms");
    assert!(tally["acknowledged"].as_u64().unwrap() > 200, "{tally:#}");
    assert_eq!((tally["lost"].as_u64(), tally["duplicated"].as_u64()), (Some(0), Some(0)), "{tally:#}");
    assert!(tally["via"].as_str().is_some_and(|via| !via.is_empty()), "{tally:#}");
    // The first one leads again, two timelines later, and nothing is left in the database.
    assert_eq!(world.primary(), first);
    assert_eq!(world.timeline(), line + 2);
    assert_eq!(world.left_behind(), "");
    world.until_healthy();
}

/// The blow has fallen, and howdah is gone. Taken up again the run ends in order, and nothing is done twice.
fn killed_in_the_middle(world: &World) {
    let first = world.primary();
    let uid = world.uid(&first);
    let before = world.journals();
    let mut drill = world.howdah(&["drill", "failover", CLUSTER, "--yes"]);
    let mut drill = drill.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let new = || world.journals().into_iter().find(|j| !before.contains(j));
    let journal = || new().and_then(|j| std::fs::read_to_string(j).ok()).unwrap_or_default();
    let struck = || (accepted(&journal(), "strike")).then_some(());
    world.until("the blow is in the journal", struck);
    kill(&mut drill);
    let run = world.run(&["runs", "list", "-o", "json"]);
    let runs: Value = serde_json::from_slice(&run.stdout).unwrap();
    let id = runs[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(runs[0]["state"], "interrupted", "{runs:#}");
    let out = world.run(&["runs", "resume", &id, "--yes", "-o", "json"]);
    let r = report(&out);
    // Nobody measured while howdah was gone, so whether the objective was met is not known: that is not a pass.
    assert_eq!((out.status.code(), &r["outcome"]), (Some(1), &Value::from("failed")), "{}", told(&out));
    assert!(!r["tally"]["unmeasured"].as_array().unwrap().is_empty(), "{r:#}");
    assert_eq!(r["tally"]["lost"], 0, "{r:#}");
    for step in ["strike", "first-write", "redundant", "settled"] {
        let state = r["steps"].as_array().unwrap().iter().find(|s| s["step"] == step).map(|s| s["state"].clone());
        assert_eq!(state, Some("done".into()), "{step}\n{}", told(&out));
    }
    // One pod was deleted, once: the one that stands there now is its successor, and the primary moved once.
    let text = journal();
    assert_eq!(text.lines().filter(|l| l.contains("\"began\"") && l.contains("\"strike\"")).count(), 1, "{text}");
    assert_ne!(world.uid(&first), uid);
    assert_ne!(world.primary(), first);
    assert_eq!(world.left_behind(), "");
    // A run that is over has nothing to be taken up.
    let again = world.run(&["runs", "resume", &id, "--yes", "-o", "json"]);
    assert_eq!(report(&again)["ended"], r["ended"]);
    world.until_healthy();
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn accepted(journal: &str, step: &str) -> bool {
    journal.lines().any(|l| l.contains("\"accepted\"") && l.contains(&format!("\"{step}\"")))
}

/// Writes go on, and nobody else leads.
fn a_standby_is_lost(world: &World) {
    let first = world.primary();
    let out = world.run(&["drill", "standby-loss", CLUSTER, "--yes", "--rto", "60s", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    assert_eq!((r["rpo"].as_u64(), world.primary()), (Some(0), first));
    assert_eq!(world.left_behind(), "");
    world.until_healthy();
}

fn a_switchover(world: &World) {
    let (first, line) = (world.primary(), world.timeline());
    let out = world.run(&["drill", "switchover", CLUSTER, "--yes", "--rto", "60s", "-o", "json"]);
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    let new = world.primary();
    assert_eq!(r["leader"], serde_json::json!([first, new]));
    assert_eq!(world.timeline(), line + 1);
    let in_recovery = |pod: &str| world.psql(pod, "select pg_is_in_recovery()");
    assert_eq!((in_recovery(&new).as_deref(), in_recovery(&first).as_deref()), (Some("f"), Some("t")));
    assert!(r["tally"]["acknowledged"].as_u64().unwrap() > 100, "{r:#}");
    assert_eq!((&r["tally"]["lost"], &r["tally"]["duplicated"]), (&Value::from(0), &Value::from(0)), "{r:#}");
    assert_eq!(world.left_behind(), "");
    world.until_healthy();
}

/// The lab really takes the zone: Kubernetes hears no more of its node, and it is given back before the end.
fn a_zone_is_lost(world: &World) {
    let first = world.primary();
    let node = world.get(&["pod", &first])["spec"]["nodeName"].as_str().unwrap().to_owned();
    let ready = || {
        let node = world.get(&["node", &node]);
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().find(|c| c["type"] == "Ready").map(|c| c["status"].clone())
    };
    let started = || world.psql(&first, "select pg_postmaster_start_time()").unwrap();
    let before = started();
    let mut drill = world.howdah(&["drill", "zone-loss", CLUSTER, "--yes", "--rto", "120s", "-o", "json"]);
    let drill = drill.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.until("the zone's node is silent", || (ready() == Some("Unknown".into())).then_some(()));
    let out = drill.wait_with_output().unwrap();
    let r = report(&out);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(0), &Value::from("passed")), "{}", told(&out));
    assert_eq!(r["leader"], serde_json::json!([first, world.primary()]));
    assert_ne!(world.primary(), first);
    assert_eq!((&r["tally"]["lost"], &r["tally"]["duplicated"]), (&Value::from(0), &Value::from(0)), "{r:#}");
    assert_eq!((ready(), world.get(&["faults"])["items"].clone()), (Some("True".into()), serde_json::json!([])));
    assert_eq!(world.psql(&first, "select pg_is_in_recovery()").as_deref(), Some("t"), "it has rejoined");
    assert_ne!(started(), before, "its PostgreSQL was dead");
    assert_eq!(world.left_behind(), "");
    world.until_healthy();
}

/// A loss that was planted: commits that wait for no standby, links to all standbys cut, no way into the archive, and the
/// primary killed. What the drill then tells is held against what psql finds.
fn rows_that_nobody_else_had_are_told_as_lost(world: &World) {
    world.until_streaming();
    let (first, standbys) = (world.primary(), world.standbys());
    let line = ["drill", "failover", CLUSTER, "--yes", "--commit", "local", "--writers", "1", "--readers", "0"];
    let mut drill = world.howdah(&[&line[..], &["--every", "200ms", "--keep", "-o", "json"]].concat());
    let drill = drill.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let table = world.until("the heartbeat's table is on a standby", || {
        let sql = "select relname from pg_class where relkind = 'r' and relname like 'howdah_drill%'";
        world.psql_in("app", &standbys[0], sql).filter(|name| !name.is_empty())
    });
    let number = |pod: &str, sql: &str| world.psql_in("app", pod, sql).and_then(|n| n.parse::<u64>().ok());
    let count = format!("select count(*) from {table}");
    let rows = |pod: &str| number(pod, &count).unwrap_or_default();
    // It strikes after fifty writes, ten seconds from its first one.
    world.until("the first rows are on every standby", || standbys.iter().all(|s| rows(s) >= 5).then_some(()));
    for standby in &standbys {
        let to = format!("to={first}");
        let cut = ["lab", "fault", "start", "link-cut", "--instance", standby];
        world.ok(&[&cut[..], &["--set", &to, "--set", "how=refuse"]].concat());
    }
    world.ok(&["lab", "fault", "start", "archive-failing", "--set", "retrySeconds=0"]);
    let kept: Vec<u64> = standbys.iter().map(|standby| rows(standby)).collect();
    let most = *kept.iter().max().unwrap();
    let planted = world.until("twenty rows that only the primary has", || {
        let there = rows(&first);
        (there >= most + 20).then_some(there - most)
    });
    world.until("another leads", || (world.primary() != first).then_some(()));
    world.ok(&["lab", "fault", "stop", "--all"]);
    let out = drill.wait_with_output().unwrap();
    let r = report(&out);
    eprintln!("{planted} rows and more were planted, standbys kept {kept:?}: {:#}", r["tally"]);
    assert_eq!((out.status.code(), &r["outcome"]), (Some(1), &Value::from("failed")), "{}", told(&out));

    let new = world.primary();
    assert_eq!(r["leader"], serde_json::json!([first, new]));
    let tally = |name: &str| r["tally"][name].as_u64().unwrap();
    let lost = tally("lost");
    // The last of the planted rows may not have been acknowledged before the blow; those between the look and it were.
    assert!(lost >= planted - 1 && r["rpo"] == lost, "{planted} were planted: {r:#}");
    let objective = r["objectives"].as_array().unwrap().iter().find(|o| o["name"] == "RPO").unwrap();
    assert_eq!(objective["met"], false);
    // Each number is written once and in order, so what is missing can be seen in the table itself.
    let left = rows(&new);
    assert_eq!(tally("acknowledged") - lost, left - tally("unknown_there"), "{r:#}");
    let missing = format!(
        "select string_agg('0/' || g, ',' order by g) from generate_series(1, (select max(n) from {table})) g \
         where not exists (select from {table} where n = g)"
    );
    let missing = world.sql(&missing);
    let missing: Vec<&str> = missing.split(',').collect();
    let names: Vec<&str> = r["tally"]["lost_names"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(names.len() as u64, lost);
    assert!(names.iter().all(|name| missing.contains(name)), "{names:?} {missing:?}");
    // What else is missing was never acknowledged.
    assert!(missing.len() as u64 <= lost + tally("unknown_gone") + tally("refused"), "{missing:?} {r:#}");
    assert_eq!(tally("duplicated"), 0);
    world.sql(&format!("drop table {table}"));
    world.until_healthy();
}

fn the_drills_are_listed(world: &World) {
    let out = world.run(&["drill", "list", CLUSTER, "-o", "json"]);
    let listed: Value = serde_json::from_slice(&out.stdout).unwrap();
    let drills: Vec<&str> =
        listed[0]["drills"].as_array().unwrap().iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(
        drills,
        [
            "failover-drill",
            "failover-drill",
            "standby-loss-drill",
            "switchover-drill",
            "zone-loss-drill",
            "failover-drill"
        ],
        "{listed:#}"
    );
    let run = listed[0]["drills"][0]["run"].as_str().unwrap().to_owned();
    let md = told(&world.run(&["runs", "show", &run, "-o", "md"]));
    for part in ["## Phases", "client-seen outage (RTO)", "## Writes", "## Steps", "delete the pod of", "PostgreSQL"] {
        assert!(md.to_lowercase().contains(&part.to_lowercase()), "{part}\n{md}");
    }
}
