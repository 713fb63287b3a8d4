//! Every act on a living lab, one after the other, as a person would say it on the command line.
//!
//! howdah says when it is done; what is true then is asked with kubectl and psql, never of howdah.

mod support;

use serde_json::Value;
use std::process::Output;
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
        let world = World { site: Site::start(&[])? };
        world.until_whole();
        Some(world)
    }

    fn act(&self, args: &[&str]) -> Output {
        self.run(&[&["act"], args].concat())
    }

    /// It ends well and every step is proven. Gives the report.
    fn done(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["--yes", "-o", "json", "--timeout", "60s"]);
        let out = self.act(&all);
        assert_eq!(out.status.code(), Some(0), "{args:?}\n{}", told(&out));
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(report["outcome"], "passed", "{report:#}");
        for step in report["steps"].as_array().unwrap() {
            assert!(step["evidence"].as_array().is_some_and(|e| !e.is_empty()), "{step:#}");
        }
        println!("{args:?}\n{}", told(&out));
        self.until_calm();
        report
    }

    /// What comes next would else be doubted because of what the operator still does.
    fn until_calm(&self) {
        self.until("the operator is through", || self.is_calm().then_some(()));
    }

    fn until_whole(&self) {
        self.until_healthy();
        self.until_streaming();
    }

    /// It is refused with these words, and nothing was sent.
    fn refused(&self, args: &[&str], why: &str) {
        let before = self.versions();
        let out = self.act(args);
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(3), "{args:?}\n{told}");
        assert!(told.contains(why), "{args:?}\n{told}");
        assert_eq!(self.versions(), before, "{args:?}");
    }

    /// What a change by hand would change: the cluster's spec, target and annotations, and the pods' identities.
    fn versions(&self) -> String {
        let path = "{.metadata.generation} {.metadata.annotations} {.status.targetPrimary}";
        let pods =
            ["get", "pods", "-n", NS, "-l", "cnpg.io/podRole=instance", "-o", "jsonpath={.items[*].metadata.uid}"];
        self.field(path) + &self.kubectl.ok(&pods)
    }

    fn field(&self, path: &str) -> String {
        self.kubectl.ok(&["get", "cluster", CLUSTER, "-n", NS, "-o", &format!("jsonpath={path}")])
    }

    fn pods(&self) -> Vec<String> {
        let args = ["get", "pods", "-n", NS, "-l", "cnpg.io/podRole=instance", "-o", "name"];
        self.kubectl.ok(&args).lines().map(|l| l.trim_start_matches("pod/").to_owned()).collect()
    }

    fn uid(&self, kind: &str, name: &str) -> String {
        self.kubectl.ok(&["get", kind, name, "-n", NS, "-o", "jsonpath={.metadata.uid}"])
    }
}

#[test]
fn every_act_on_the_lab() {
    let Some(world) = World::start() else { return };
    nothing_by_accident(&world);
    switchover(&world);
    a_paused_standby_does_not_lead(&world);
    fencing(&world);
    restarts(&world);
    requests(&world);
    scale(&world);
    asleep_and_awake(&world);
    rebuild(&world);
    let out = world.run(&["runs", "list", "-o", "json"]);
    let runs: Value = serde_json::from_slice(&out.stdout).unwrap();
    let states: Vec<_> = runs.as_array().unwrap().iter().map(|r| r["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["passed"; 14], "every run, and none of what was refused: {runs:#}");
}

fn nothing_by_accident(world: &World) {
    let before = world.versions();
    let out = world.act(&["switchover", CLUSTER, "--plan"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stdout).contains("\"targetPrimary\":"));
    assert_eq!(world.versions(), before);
    world.refused(&["switchover", CLUSTER], "--yes");
    world.refused(&["hibernate", CLUSTER, "--yes"], "--confirm pg-primary");
    world.refused(&["hibernate", CLUSTER, "--confirm", "pg-secondary", "--yes"], "--confirm pg-primary");
    world.refused(&["reload", CLUSTER, "--read-only"], "--read-only");
}

fn switchover(world: &World) {
    let old = world.primary();
    let report = world.done(&["switchover", CLUSTER]);
    let new = world.primary();
    assert_ne!(new, old);
    assert_eq!(report["title"], format!("switch over from {old} to {new}"));
    assert_eq!(world.psql(&new, "select pg_is_in_recovery()").as_deref(), Some("f"));
    assert_eq!(world.psql(&old, "select pg_is_in_recovery()").as_deref(), Some("t"));
    // And back to the first one, by name.
    world.done(&["switchover", CLUSTER, "--to", &old]);
    assert_eq!(world.primary(), old);
}

fn a_paused_standby_does_not_lead(world: &World) {
    let standby = world.standby();
    world.psql(&standby, "select pg_wal_replay_pause()").unwrap();
    world
        .refused(&["switchover", CLUSTER, "--to", &standby, "--yes", "--because", "I want it"], "its replay is paused");
    world.psql(&standby, "select pg_wal_replay_resume()").unwrap();
    let primary = world.primary();
    let out = world.act(&["switchover", CLUSTER, "--to", &primary, "--yes"]);
    assert_eq!(out.status.code(), Some(1), "it leads already");
}

fn fencing(world: &World) {
    let standby = world.standby();
    let pod = world.uid("pod", &standby);
    world.done(&["fence", CLUSTER, "--instance", &standby]);
    assert_eq!(world.psql(&standby, "select 1"), None);
    assert_eq!(world.uid("pod", &standby), pod, "the pod is kept");
    world.done(&["unfence", CLUSTER, "--instance", &standby]);
    assert_eq!(world.psql(&standby, "select 1").as_deref(), Some("1"));
    assert!(!world.field("{.metadata.annotations}").contains("fencedInstances"));
}

fn restarts(world: &World) {
    let started = |pod: &str| world.psql(pod, "select pg_postmaster_start_time()").unwrap();
    let standby = world.standby();
    let (pod, server) = (world.uid("pod", &standby), started(&standby));
    world.done(&["restart", CLUSTER, "--instance", &standby]);
    assert_ne!(world.uid("pod", &standby), pod);
    assert_ne!(started(&standby), server);

    let primary = world.primary();
    let (pod, server) = (world.uid("pod", &primary), started(&primary));
    world.done(&["restart", CLUSTER, "--instance", &primary]);
    assert_eq!(world.uid("pod", &primary), pod, "where it is");
    assert_ne!(started(&primary), server);
    assert_eq!(world.primary(), primary, "nobody took over");
}

fn requests(world: &World) {
    world.done(&["reload", CLUSTER]);
    assert!(world.field("{.metadata.annotations}").contains("cnpg.io/reloadedAt"));
    let window = "{.spec.nodeMaintenanceWindow.inProgress}";
    world.done(&["maintenance", CLUSTER, "open"]);
    assert_eq!(world.field(window), "true");
    world.done(&["maintenance", CLUSTER, "close"]);
    assert_ne!(world.field(window), "true");
}

fn scale(world: &World) {
    world.refused(&["scale", CLUSTER, "--instances", "2", "--yes"], "--confirm pg-primary");
    let confirm = ["--confirm", CLUSTER, "--because", "one zone goes tonight"];
    world.done(&[&["scale", CLUSTER, "--instances", "2"], confirm.as_slice()].concat());
    assert_eq!(world.pods().len(), 2);
    world.done(&["scale", CLUSTER, "--instances", "3"]);
    assert_eq!(world.pods().len(), 3);
    world.until_whole();
}

fn asleep_and_awake(world: &World) {
    world.done(&["hibernate", CLUSTER, "--confirm", CLUSTER]);
    assert_eq!(world.pods(), Vec::<String>::new());
    let out = world.act(&["hibernate", CLUSTER, "--confirm", CLUSTER, "--yes"]);
    assert_eq!(out.status.code(), Some(1), "it is hibernated already");
    world.done(&["wake", CLUSTER]);
    assert_eq!(world.pods().len(), 3);
    world.until_whole();
}

fn rebuild(world: &World) {
    let primary = world.primary();
    world.refused(&["rebuild", CLUSTER, "--instance", &primary, "--confirm", CLUSTER, "--yes"], "it leads");
    let standby = world.standby();
    let claims = || {
        let label = format!("cnpg.io/instanceName={standby}");
        let args = ["get", "pvc", "-n", NS, "-l", &label, "-o", "jsonpath={.items[*].metadata.uid}"];
        world.kubectl.ok(&args)
    };
    let before = claims();
    world.done(&["rebuild", CLUSTER, "--instance", &standby, "--confirm", CLUSTER]);
    let after = claims();
    assert!(before.split(' ').all(|uid| !after.contains(uid)), "{before} {after}");
    world.until_whole();
}
