//! Acts through the screen, in a real pseudo-terminal on a living lab: read-only until armed, shown before it is done, the
//! same journal as on the command line, killed in the middle and taken up again. What is true is asked with kubectl.

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use support::terminal::Terminal;
use support::until;
use support::world::{HOWDAH, Kubectl, Lab, PATIENCE};

const NAMESPACE: &str = "cnpg-database";
const CLUSTER: &str = "pg-primary";

struct World {
    lab: Lab,
    kubectl: Kubectl,
    home: tempfile::TempDir,
}

impl World {
    fn start() -> Option<World> {
        let lab = Lab::start(&["--load", "20"])?;
        let kubectl = Kubectl::find(&lab.kubeconfig())?;
        let world = World { lab, kubectl, home: tempfile::tempdir().unwrap() };
        world.until_healthy();
        Some(world)
    }

    fn console(&self) -> Terminal {
        let (home, kubeconfig) = (self.home.path().to_str().unwrap(), self.lab.kubeconfig());
        let env = [("HOME", home), ("XDG_CONFIG_HOME", home), ("XDG_STATE_HOME", home)];
        let screen = Terminal::start(HOWDAH, &["--kubeconfig", kubeconfig.to_str().unwrap()], (140, 45), &env);
        screen.wait_until("the cluster is judged ok", |s| s.contains("●  cnpg-database/pg-primary"));
        screen
    }

    fn howdah(&self, args: &[&str]) -> std::process::Output {
        let home = self.home.path();
        let mut command = Command::new(HOWDAH);
        command.arg("--kubeconfig").arg(self.lab.kubeconfig()).args(args);
        command.env("HOME", home).env("XDG_CONFIG_HOME", home).env("XDG_STATE_HOME", home);
        command.stdin(Stdio::null()).output().unwrap()
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

    /// Tables that a drill has left in the database.
    fn left_behind(&self) -> String {
        let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'howdah_drill%'";
        let primary = self.primary();
        let psql = ["exec", "-n", NAMESPACE, &primary, "-c", "postgres", "--", "psql", "-XAtc", left, "app"];
        self.kubectl.ok(&psql).trim().to_owned()
    }

    /// The journals on disk, oldest first, each with its run's name.
    fn journals(&self) -> Vec<(String, Vec<Value>)> {
        let runs = self.home.path().join("howdah/runs");
        let mut names: Vec<_> = std::fs::read_dir(runs).unwrap().flatten().map(|e| e.path()).collect();
        names.sort();
        names.iter().map(|folder| (name(folder), entries(&folder.join("journal.jsonl")))).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn entries(journal: &Path) -> Vec<Value> {
    std::fs::read_to_string(journal).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What each entry says, without times, names and versions: its kind and the step it is about.
fn shape(entries: &[Value]) -> Vec<String> {
    let one = |e: &Value| {
        let what = e["what"].as_object().unwrap();
        let (kind, told) = what.iter().next().unwrap();
        match told["step"].as_str() {
            Some(step) => format!("{kind} {step}"),
            None => kind.clone(),
        }
    };
    entries.iter().map(one).collect()
}

/// Goes to the tab of this title, by the number it has on the screen.
fn go(screen: &mut Terminal, title: &str) {
    let text = screen.text();
    let tabs = text.lines().nth(1).unwrap_or_default();
    let before = tabs.split_once(&format!(" {title}")).unwrap_or_else(|| panic!("no tab {title}: {tabs}")).0;
    let number = before.chars().last().unwrap();
    screen.keys(&number.to_string());
}

/// Opens the menu of changes and looks at the plan of the first that matches.
fn propose(screen: &mut Terminal, wish: &str) {
    screen.keys("x");
    screen.wait_for("the plan is shown first");
    screen.keys(wish);
    screen.keys("\r");
    screen.wait_for("may it begin?");
}

fn arm(screen: &mut Terminal) {
    screen.keys("a");
    screen.wait_for("ARMED");
}

#[test]
fn an_act_through_the_screen() {
    let Some(world) = World::start() else { return };
    let first = world.primary();

    // Read-only: the plan is there to be read, and can't begin.
    let mut screen = world.console();
    propose(&mut screen, "switch best");
    screen.wait_for("is read-only");
    screen.wait_for("PATCH /apis/postgresql.cnpg.io/v1/namespaces/cnpg-database/clusters/");
    screen.keys("b");
    screen.wait_for("Do it, as it is shown: cnpg-database/pg-primary is read-only");
    assert_eq!(world.primary(), first);

    // Armed: the API tries it first, then it is done, and another instance leads.
    arm(&mut screen);
    screen.wait_for("yes: rights, premise and dry run are well");
    assert_eq!(world.cluster("{.status.targetPrimary}"), first, "a dry run changes nothing");
    screen.keys("b");
    screen.wait_for("passed after");
    let second = world.primary();
    assert_ne!(second, first);
    world.until_healthy();
    screen.keys("q");
    assert!(screen.wait_end().success());
    screen.assert_restored();

    // The same act headless leaves the same journal.
    let out = world.howdah(&["act", "switchover", CLUSTER, "--yes", "-o", "json"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    world.until_healthy();
    let journals = world.journals();
    let [(_, here), (_, there)] = journals.as_slice() else { panic!("two runs: {journals:#?}") };
    assert_eq!(shape(here), shape(there));
    assert_eq!(here[0]["what"]["opened"]["by"]["through"], "console");

    // Killed right after it was sent: the next console takes it up, and it ends well.
    let before = world.primary();
    let mut screen = world.console();
    arm(&mut screen);
    propose(&mut screen, "switch best");
    screen.wait_for("yes: rights, premise and dry run are well");
    screen.keys("b");
    let began = || world.journals().get(2).is_some_and(|(_, e)| shape(e).iter().any(|s| s.starts_with("began ")));
    until("the third run begins", PATIENCE, || began().then_some(()), String::new);
    screen.child.kill().unwrap();
    let _ = screen.wait_end();

    let mut screen = world.console();
    go(&mut screen, "Runs");
    screen.wait_for("interrupted");
    screen.keys("r");
    screen.wait_for("Take up the selected run: cnpg-database/pg-primary is read-only");
    arm(&mut screen);
    screen.keys("r");
    screen.wait_for("passed after");
    world.until_healthy();
    let (_, third) = &world.journals()[2];
    let once = |kind: &str| shape(third).iter().filter(|s| s.starts_with(kind)).count();
    assert_eq!((once("resumed"), once("began promote"), once("closed")), (1, 1, 1), "{:#?}", shape(third));
    assert_ne!(world.primary(), before);
    screen.keys("q");
    assert!(screen.wait_end().success());
}

#[test]
fn a_drill_through_the_screen() {
    let Some(world) = World::start() else { return };
    let first = world.primary();
    let mut screen = world.console();
    go(&mut screen, "Drills");
    screen.wait_for("failover");
    arm(&mut screen);
    screen.keys("\r");
    screen.wait_for("yes: rights, premise and dry run are well");
    screen.keys("b");
    screen.wait_for("strike is asked");
    assert_eq!(world.primary(), first, "the blow waits for a yes");
    screen.keys("y");
    screen.wait_for("passed after");
    assert_ne!(world.primary(), first);
    world.until_healthy();
    // The report stands on the screen, and in the journal.
    screen.wait_for("acknowledged");
    let (run, here) = world.journals().remove(0);
    let told = world.howdah(&["runs", "show", &run, "-o", "json"]);
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((report["outcome"].as_str(), report["rpo"].as_u64()), (Some("passed"), Some(0)), "{report:#}");
    assert!(report["tally"]["acknowledged"].as_u64().unwrap() > 100, "{report:#}");
    let outage = report["rto_ms"].as_i64().unwrap();
    assert!(outage > 0, "{report:#}");
    screen.wait_for(&format!("{:.1} s without an acknowledged write", outage as f64 / 1000.0));
    assert_eq!(world.left_behind(), "0");
    screen.keys("q");
    assert!(screen.wait_end().success());
    screen.assert_restored();

    // Headless, its journal says the same: what is seen between the steps is the world's doing.
    let out = world.howdah(&["drill", "failover", CLUSTER, "--yes", "-o", "json"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let steps = |entries: &[Value]| {
        let mut all = shape(entries);
        all.retain(|s| s != "observed");
        all
    };
    assert_eq!(steps(&here), steps(&world.journals()[1].1));
}

#[test]
fn a_protected_cluster_is_armed_by_its_name_and_a_run_is_never_left_by_accident() {
    let Some(world) = World::start() else { return };
    std::fs::create_dir_all(world.home.path().join("howdah")).unwrap();
    std::fs::write(world.home.path().join("howdah/config.toml"), "protected = [\"*lab*\"]\n").unwrap();
    let mut screen = world.console();
    screen.keys("a");
    screen.wait_for("It is protected");
    screen.keys("pg-orders\r");
    screen.wait_for("not armed: the name is pg-primary");
    screen.keys("a");
    screen.wait_for("It is protected");
    screen.keys("pg-primary\r");
    screen.wait_for("ARMED");

    // Its gates ask for the name as well, and a wrong one leaves the run waiting.
    propose(&mut screen, "reload");
    screen.wait_for("yes: rights, premise and dry run are well");
    screen.keys("b");
    screen.wait_for("pg-primary has to be typed");
    screen.keys("y");
    screen.wait_for("Type pg-primary to go on");
    screen.keys("no\r");
    screen.wait_for("nothing was done: the name is pg-primary");

    // Ctrl-C asks how the run shall end; leaving asks too.
    screen.keys("\u{3}");
    screen.wait_for("End the run");
    screen.keys("\u{1b}");
    screen.wait_until("the menu is gone", |s| !s.contains("go on\n") && !s.contains("End the run"));
    screen.keys("q");
    screen.wait_for("A run is under way");
    screen.keys("leave now\r");
    assert!(screen.wait_end().success());
    screen.assert_restored();
    let journals = world.journals();
    let shapes = shape(&journals[0].1);
    assert!(!shapes.iter().any(|s| s.starts_with("began")), "nothing was sent: {shapes:?}");

    // It is still there to be taken up or ended.
    let mut screen = world.console();
    go(&mut screen, "Runs");
    screen.wait_for("interrupted");
    screen.keys("a");
    screen.wait_for("It is protected");
    screen.keys("pg-primary\r");
    screen.wait_for("ARMED");
    screen.keys("r");
    screen.wait_for("pg-primary has to be typed");
    screen.keys("\u{3}");
    screen.wait_for("End the run");
    screen.keys("leave things\r");
    screen.wait_for("reload");
    until(
        "it is closed",
        PATIENCE,
        || world.journals()[0].1.last().filter(|e| e["what"]["closed"].is_object()).map(|_| ()),
        String::new,
    );
    let closed = world.journals()[0].1.last().unwrap()["what"]["closed"]["outcome"].clone();
    assert!(["left", "refused"].contains(&closed.as_str().unwrap()), "{closed}");
    screen.keys("q");
    assert!(screen.wait_end().success());
}

/// Plans the failover drill in its pane and begins it.
fn drill(screen: &mut Terminal) {
    go(screen, "Drills");
    screen.wait_for("is killed");
    screen.keys("\r");
    screen.wait_for("may it begin?");
    arm(screen);
    screen.wait_for("yes: rights, premise and dry run are well");
    screen.keys("b");
    screen.wait_for("strike is asked");
    screen.keys("y");
    screen.wait_for("no write for");
}

#[test]
fn a_drill_that_is_killed_while_nobody_can_write() {
    let Some(world) = World::start() else { return };
    let mut screen = world.console();
    drill(&mut screen);
    screen.child.kill().unwrap();
    let _ = screen.wait_end();

    // Taken up in the next console it ends in order, and nothing is done twice.
    let mut screen = world.console();
    go(&mut screen, "Runs");
    screen.wait_for("interrupted");
    arm(&mut screen);
    screen.keys("r");
    // Nobody measured while the console was gone: that is no pass.
    screen.wait_for("failed after");
    screen.wait_for("not measured");
    let (_, journal) = &world.journals()[0];
    let once = |kind: &str| shape(journal).iter().filter(|s| s.starts_with(kind)).count();
    assert_eq!((once("resumed"), once("began strike"), once("closed")), (1, 1, 1), "{:#?}", shape(journal));
    assert_eq!(world.left_behind(), "0");
    screen.keys("q");
    assert!(screen.wait_end().success());
}

#[test]
fn a_fault_through_the_screen() {
    let Some(world) = World::start() else { return };
    let mut screen = world.console();
    screen.wait_for(" Lab");
    go(&mut screen, "Lab");
    screen.wait_for("no fault stands");
    let kinds = howdah::domain::fault::KINDS;
    let place = kinds.iter().position(|k| k.name == "replay-paused").unwrap();
    screen.keys(&"j".repeat(place));
    screen.keys("\r");
    screen.wait_for("Start this fault, or stop it: cnpg-database/pg-primary is read-only");
    arm(&mut screen);
    screen.keys("\r");
    screen.wait_for("1 fault stands");
    screen.wait_for("active");
    let standing = || world.kubectl.ok(&["get", "faults", "-n", NAMESPACE, "-o", "jsonpath={.items[*].spec.kind}"]);
    assert_eq!(standing(), "replay-paused");
    screen.keys("\r");
    screen.wait_for("no fault stands");
    assert_eq!(standing(), "");
    screen.keys("q");
    assert!(screen.wait_end().success());
}
