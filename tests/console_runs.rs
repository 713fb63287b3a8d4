//! Acts through the screen, in a real pseudo-terminal on a living lab: read-only until armed, shown before it is done, the
//! same journal as on the command line, killed in the middle and taken up again. What is true is asked with kubectl.

mod support;

use serde_json::Value;
use support::site::{CLUSTER, NS, Site, told};
use support::terminal::Terminal;
use support::until;
use support::world::PATIENCE;

fn start() -> Option<Site> {
    let site = Site::start(&["--load", "20"])?;
    site.until_healthy();
    Some(site)
}

fn console(site: &Site) -> Terminal {
    let screen = site.terminal(&[], (140, 45));
    screen.wait_until("the cluster is judged ok", |s| s.contains("●  cnpg-database/pg-primary"));
    screen
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
    let Some(site) = start() else { return };
    let first = site.primary();

    // Read-only: the plan is there to be read, and can't begin.
    let mut screen = console(&site);
    propose(&mut screen, "switch best");
    screen.wait_for("is read-only");
    screen.wait_for("PATCH /apis/postgresql.cnpg.io/v1/namespaces/cnpg-database/clusters/");
    screen.keys("b");
    screen.wait_for("Do it, as it is shown: cnpg-database/pg-primary is read-only");
    assert_eq!(site.primary(), first);

    // Armed: the API tries it first, then it is done, and another instance leads.
    arm(&mut screen);
    screen.wait_for("yes: rights, premise and dry run are well");
    assert_eq!(site.cluster()["status"]["targetPrimary"], first, "a dry run changes nothing");
    screen.keys("b");
    screen.wait_for("passed after");
    let second = site.primary();
    assert_ne!(second, first);
    site.until_healthy();
    screen.keys("q");
    assert!(screen.wait_end().success());
    screen.assert_restored();

    // The same act headless leaves the same journal.
    let out = site.run(&["act", "switchover", CLUSTER, "--yes", "-o", "json"]);
    assert_eq!(out.status.code(), Some(0), "{}", told(&out));
    site.until_healthy();
    let journals = site.journals();
    let [(_, here), (_, there)] = journals.as_slice() else { panic!("two runs: {journals:#?}") };
    assert_eq!(shape(here), shape(there));
    assert_eq!(here[0]["what"]["opened"]["by"]["through"], "console");

    // Killed right after it was sent: the next console takes it up, and it ends well.
    let before = site.primary();
    let mut screen = console(&site);
    arm(&mut screen);
    propose(&mut screen, "switch best");
    screen.wait_for("yes: rights, premise and dry run are well");
    screen.keys("b");
    let began = || site.journals().get(2).is_some_and(|(_, e)| shape(e).iter().any(|s| s.starts_with("began ")));
    until("the third run begins", PATIENCE, || began().then_some(()), String::new);
    screen.child.kill().unwrap();
    let _ = screen.wait_end();

    let mut screen = console(&site);
    go(&mut screen, "Runs");
    screen.wait_for("interrupted");
    screen.keys("r");
    screen.wait_for("Take up the selected run: cnpg-database/pg-primary is read-only");
    arm(&mut screen);
    screen.keys("r");
    screen.wait_for("passed after");
    site.until_healthy();
    let (_, third) = &site.journals()[2];
    let once = |kind: &str| shape(third).iter().filter(|s| s.starts_with(kind)).count();
    assert_eq!((once("resumed"), once("began promote"), once("closed")), (1, 1, 1), "{:#?}", shape(third));
    assert_ne!(site.primary(), before);
    screen.keys("q");
    assert!(screen.wait_end().success());
}

#[test]
fn a_drill_through_the_screen() {
    let Some(site) = start() else { return };
    let first = site.primary();
    let mut screen = console(&site);
    go(&mut screen, "Drills");
    screen.wait_for("failover");
    arm(&mut screen);
    screen.keys("\r");
    screen.wait_for("yes: rights, premise and dry run are well");
    screen.keys("b");
    screen.wait_for("strike is asked");
    assert_eq!(site.primary(), first, "the blow waits for a yes");
    screen.keys("y");
    screen.wait_for("passed after");
    assert_ne!(site.primary(), first);
    site.until_healthy();
    // The report stands on the screen, and in the journal.
    screen.wait_for("acknowledged");
    let (run, here) = site.journals().remove(0);
    let report: Value = serde_json::from_str(&site.ok(&["runs", "show", &run, "-o", "json"])).unwrap();
    assert_eq!((report["outcome"].as_str(), report["rpo"].as_u64()), (Some("passed"), Some(0)), "{report:#}");
    assert!(report["tally"]["acknowledged"].as_u64().unwrap() > 100, "{report:#}");
    let outage = report["rto_ms"].as_i64().unwrap();
    assert!(outage > 0, "{report:#}");
    screen.wait_for(&format!("{:.1} s without an acknowledged write", outage as f64 / 1000.0));
    assert_eq!(site.left_behind(), "");
    screen.keys("q");
    assert!(screen.wait_end().success());
    screen.assert_restored();

    // Headless, its journal says the same: what is seen between the steps is the world's doing.
    let out = site.run(&["drill", "failover", CLUSTER, "--yes", "-o", "json"]);
    assert_eq!(out.status.code(), Some(0), "{}", told(&out));
    let steps = |entries: &[Value]| {
        let mut all = shape(entries);
        all.retain(|s| s != "observed");
        all
    };
    assert_eq!(steps(&here), steps(&site.journals()[1].1));
}

/// A standby goes: nobody takes over, writes go on, and it comes back.
#[test]
fn a_standby_loss_through_the_screen() {
    let Some(site) = start() else { return };
    let (first, line) = (site.primary(), site.timeline());
    let mut screen = console(&site);
    go(&mut screen, "Drills");
    screen.wait_for("standby loss");
    screen.keys("jjj\r");
    screen.wait_for("may it begin?");
    screen.wait_for("is read-only");
    arm(&mut screen);
    screen.wait_for("yes: rights, premise and dry run are well");
    let pods = || site.get(&["pods", "-l", "cnpg.io/podRole=instance"])["items"].clone();
    let uids = || {
        let items = pods();
        let mut all: Vec<String> =
            items.as_array().into_iter().flatten().map(|p| p["metadata"]["uid"].to_string()).collect();
        all.sort();
        all
    };
    let before = uids();
    screen.keys("b");
    screen.wait_for("strike is asked");
    assert_eq!(uids(), before, "the blow waits for a yes");
    screen.keys("y");
    screen.wait_for("passed after");
    site.until_healthy();
    let after = uids();
    assert_eq!(after.len(), 3);
    assert_eq!(
        after.iter().filter(|uid| !before.contains(uid)).count(),
        1,
        "one pod was deleted: {before:?} {after:?}"
    );
    assert_eq!((site.primary(), site.timeline()), (first, line), "nobody took over");
    let (run, journal) = site.journals().remove(0);
    let once = |kind: &str| shape(&journal).iter().filter(|s| s.as_str() == kind).count();
    assert_eq!((once("began strike"), once("accepted strike"), once("closed")), (1, 1, 1), "{:#?}", shape(&journal));
    let report: Value = serde_json::from_str(&site.ok(&["runs", "show", &run, "-o", "json"])).unwrap();
    assert_eq!((report["outcome"].as_str(), report["rpo"].as_u64()), (Some("passed"), Some(0)), "{report:#}");
    assert_eq!(site.left_behind(), "");
    screen.keys("q");
    assert!(screen.wait_end().success());
    screen.assert_restored();
}

#[test]
fn a_protected_cluster_is_armed_by_its_name_and_a_run_is_never_left_by_accident() {
    let Some(site) = start() else { return };
    std::fs::create_dir_all(site.home.path().join("howdah")).unwrap();
    std::fs::write(site.home.path().join("howdah/config.toml"), "protected = [\"*lab*\"]\n").unwrap();
    let mut screen = console(&site);
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
    let journals = site.journals();
    let shapes = shape(&journals[0].1);
    assert!(!shapes.iter().any(|s| s.starts_with("began")), "nothing was sent: {shapes:?}");

    // It is still there to be taken up or ended.
    let mut screen = console(&site);
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
        || site.journals()[0].1.last().filter(|e| e["what"]["closed"].is_object()).map(|_| ()),
        String::new,
    );
    let closed = site.journals()[0].1.last().unwrap()["what"]["closed"]["outcome"].clone();
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
    let Some(site) = start() else { return };
    let mut screen = console(&site);
    drill(&mut screen);
    screen.child.kill().unwrap();
    let _ = screen.wait_end();

    // Taken up in the next console it ends in order, and nothing is done twice.
    let mut screen = console(&site);
    go(&mut screen, "Runs");
    screen.wait_for("interrupted");
    arm(&mut screen);
    screen.keys("r");
    // Nobody measured while the console was gone: that is no pass.
    screen.wait_for("failed after");
    screen.wait_for("not measured");
    let (_, journal) = &site.journals()[0];
    let once = |kind: &str| shape(journal).iter().filter(|s| s.starts_with(kind)).count();
    assert_eq!((once("resumed"), once("began strike"), once("closed")), (1, 1, 1), "{:#?}", shape(journal));
    assert_eq!(site.left_behind(), "");
    screen.keys("q");
    assert!(screen.wait_end().success());
}

#[test]
fn a_fault_through_the_screen() {
    let Some(site) = start() else { return };
    let mut screen = console(&site);
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
    // What is stopped before it was seen to stand is told otherwise.
    let begun = ["asked for", "taken", "stands"].map(|outcome| format!("replay-paused POST {outcome}"));
    let audit = || format!("{:#?}", site.audit());
    until("it is written that it stands", PATIENCE, || (site.faults_told() == begun).then_some(()), audit);
    let standing = || site.kubectl.ok(&["get", "faults", "-n", NS, "-o", "jsonpath={.items[*].spec.kind}"]);
    assert_eq!(standing(), "replay-paused");
    screen.keys("\r");
    screen.wait_for("no fault stands");
    assert_eq!(standing(), "");
    // The audit trail tells it, each line before or after what it is about.
    let lines = ["POST asked for", "POST taken", "POST stands", "DELETE asked for", "DELETE taken", "DELETE undone"];
    let wanted = lines.map(|told| format!("replay-paused {told}"));
    until("the audit trail is whole", PATIENCE, || (site.faults_told() == wanted).then_some(()), audit);
    screen.keys("q");
    assert!(screen.wait_end().success());
}
