//! Drills on a living lab: as a person would say them, killed in the middle, and with a loss that was planted.
//!
//! What is true afterwards is asked with kubectl and psql, never of howdah alone.

mod support;

use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};
use support::until;
use support::world::{HOWDAH, Kubectl, Lab, PATIENCE};

const NAMESPACE: &str = "cnpg-database";
const CLUSTER: &str = "pg-primary";

struct World {
    lab: Lab,
    kubectl: Kubectl,
    state: tempfile::TempDir,
}

impl World {
    fn start() -> Option<World> {
        let lab = Lab::start(&["--load", "20"])?;
        let kubectl = Kubectl::find(&lab.kubeconfig())?;
        let world = World { lab, kubectl, state: tempfile::tempdir().unwrap() };
        world.until_healthy();
        Some(world)
    }

    fn howdah(&self, args: &[&str]) -> Command {
        let mut command = Command::new(HOWDAH);
        command
            .arg("--kubeconfig")
            .arg(self.lab.kubeconfig())
            .args(args)
            .env("XDG_STATE_HOME", self.state.path())
            .env("XDG_CONFIG_HOME", self.state.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.howdah(args).output().unwrap()
    }

    fn cluster(&self, path: &str) -> String {
        self.kubectl.ok(&["get", "cluster", CLUSTER, "-n", NAMESPACE, "-o", &format!("jsonpath={path}")])
    }

    fn primary(&self) -> String {
        self.cluster("{.status.currentPrimary}")
    }

    fn until_healthy(&self) {
        let healthy = || {
            let told = self.cluster("{.status.phase} {.status.readyInstances}");
            (told == "Cluster in healthy state 3").then_some(())
        };
        until("three ready instances", PATIENCE, healthy, || self.cluster("{.status}"));
    }

    fn psql(&self, sql: &str) -> String {
        let primary = self.primary();
        let line = ["exec", "-n", NAMESPACE, &primary, "-c", "postgres", "--", "psql", "-XAtc", sql, "app"];
        self.kubectl.ok(&line).trim().to_owned()
    }

    /// Tables that a drill has left.
    fn left_behind(&self) -> String {
        self.psql("SELECT coalesce(string_agg(relname, ','), '') FROM pg_class WHERE relname LIKE 'howdah_drill%'")
    }
}

fn report(out: &Output) -> Value {
    serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}\n{}", told(out)))
}

fn told(out: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout))
}

#[test]
fn drills_on_a_living_lab() {
    let Some(world) = World::start() else { return };
    refused_unless_said(&world);
    a_failover_there_and_back(&world);
    killed_in_the_middle(&world);
    a_standby_is_lost(&world);
    the_drills_are_listed(&world);
}

/// Nobody is at a terminal and nobody said yes: nothing happens.
fn refused_unless_said(world: &World) {
    let before = world.cluster("{.metadata.resourceVersion}{.status.targetPrimary}");
    let pods = || world.kubectl.ok(&["get", "pods", "-n", NAMESPACE, "-o", "jsonpath={.items[*].metadata.uid}"]);
    let there = pods();
    for flags in [&["drill", "failover", CLUSTER][..], &["--read-only", "drill", "failover", CLUSTER]] {
        let out = world.run(flags);
        assert_eq!(out.status.code(), Some(3), "{}", told(&out));
    }
    assert_eq!(pods(), there);
    assert!(before.ends_with(&world.primary()));
    let plan = world.run(&["drill", "failover", CLUSTER, "--plan"]);
    let text = told(&plan);
    assert_eq!(plan.status.code(), Some(0), "{text}");
    assert!(text.contains("DELETE /api/v1/namespaces/cnpg-database/pods/"), "{text}");
    assert!(text.contains("--grace-period=1"), "{text}");
    assert_eq!(world.left_behind(), "");
}

fn a_failover_there_and_back(world: &World) {
    let (first, line) = (world.primary(), world.cluster("{.status.timelineID}"));
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
    let timelines = [&line, &world.cluster("{.status.timelineID}")].map(|t| t.parse::<u32>().unwrap());
    assert_eq!(timelines[1], timelines[0] + 2);
    assert_eq!(world.left_behind(), "");
    world.until_healthy();
}

/// The blow has fallen, and howdah is gone. Taken up again the run ends in order, and nothing is done twice.
fn killed_in_the_middle(world: &World) {
    let first = world.primary();
    let uid = world.kubectl.ok(&["get", "pod", "-n", NAMESPACE, &first, "-o", "jsonpath={.metadata.uid}"]);
    let before = journals(world);
    let mut drill = world.howdah(&["drill", "failover", CLUSTER, "--yes"]);
    let mut drill = drill.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let new = || journals(world).into_iter().find(|j| !before.contains(j));
    let journal = || new().and_then(|j| std::fs::read_to_string(j).ok()).unwrap_or_default();
    let struck = || (accepted(&journal(), "strike")).then_some(());
    until("the blow is in the journal", PATIENCE, struck, journal);
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
        let state = r["steps"].as_array().unwrap().iter().find(|s| s["id"] == step).map(|s| s["state"].clone());
        assert_eq!(state, Some("done".into()), "{step}\n{}", told(&out));
    }
    // One pod was deleted, once: the one that stands there now is its successor, and the primary moved once.
    let text = journal();
    assert_eq!(text.lines().filter(|l| l.contains("\"began\"") && l.contains("\"strike\"")).count(), 1, "{text}");
    let now = world.kubectl.ok(&["get", "pod", "-n", NAMESPACE, &first, "-o", "jsonpath={.metadata.uid}"]);
    assert_ne!(now, uid);
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

fn journals(world: &World) -> Vec<std::path::PathBuf> {
    let runs = world.state.path().join("howdah/runs");
    std::fs::read_dir(runs).into_iter().flatten().filter_map(|e| Some(e.ok()?.path().join("journal.jsonl"))).collect()
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

fn the_drills_are_listed(world: &World) {
    let out = world.run(&["drill", "list", CLUSTER, "-o", "json"]);
    let listed: Value = serde_json::from_slice(&out.stdout).unwrap();
    let drills: Vec<&str> =
        listed[0]["drills"].as_array().unwrap().iter().map(|d| d["kind"].as_str().unwrap()).collect();
    assert_eq!(drills, ["failover-drill", "failover-drill", "standby-loss-drill"], "{listed:#}");
    let run = listed[0]["drills"][0]["run"].as_str().unwrap().to_owned();
    let md = told(&world.run(&["runs", "show", &run, "-o", "md"]));
    for part in ["## Phases", "client-seen outage (RTO)", "## Writes", "## Steps", "delete the pod of", "PostgreSQL"] {
        assert!(md.to_lowercase().contains(&part.to_lowercase()), "{part}\n{md}");
    }
}
