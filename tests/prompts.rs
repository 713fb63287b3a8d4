//! What a person at a terminal is asked on the command line, and what their answers lead to: a name typed wrong and right,
//! and Ctrl-C in the middle of a change.
//!
//! What is true is asked with kubectl and psql. One lab, one question after the other.

mod support;

use serde_json::Value;
use support::site::{CLUSTER, NS, Site};
use support::terminal::Terminal;

struct Desk {
    site: Site,
}

impl std::ops::Deref for Desk {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Desk {
    /// howdah in a terminal, as somebody types it.
    fn types(&self, args: &[&str]) -> Terminal {
        self.terminal(args, (140, 60))
    }

    /// The newest run's outcome, as `howdah runs list` has it.
    fn newest_run(&self) -> String {
        let runs: Value = serde_json::from_str(&self.ok(&["runs", "list", "-o", "json"])).unwrap();
        runs[0]["state"].as_str().unwrap_or_default().to_owned()
    }

    /// The instances that are told to be fenced.
    fn fenced(&self) -> String {
        let annotations = self.cluster()["metadata"]["annotations"].clone();
        annotations["cnpg.io/fencedInstances"].as_str().unwrap_or_default().to_owned()
    }

    /// What a change would change.
    fn wishes(&self) -> (Value, Value) {
        let cluster = self.cluster();
        (cluster["metadata"]["generation"].clone(), cluster["metadata"]["annotations"].clone())
    }

    fn is_fenced(&self, instance: &str) {
        assert_eq!(self.fenced(), format!("[\"{instance}\"]"));
    }

    fn answers(&self, instance: &str) {
        self.until(&format!("{instance} answers"), || self.psql(instance, "select 1"));
    }
}

#[test]
fn what_is_typed_at_a_prompt_counts() {
    let Some(site) = Site::start(&[]) else { return };
    site.until_healthy();
    site.until_streaming();
    let desk = Desk { site };
    no_is_no(&desk);
    a_name_typed_wrong_does_nothing(&desk);
    a_name_typed_right_does_it(&desk);
    interrupted_and_gone_on(&desk);
    interrupted_and_undone(&desk);
    interrupted_and_left(&desk);
    let ice = ["POST asked for", "POST taken", "POST stands", "DELETE asked for", "DELETE taken", "DELETE undone"];
    let wanted: Vec<String> = ice.repeat(3).iter().map(|told| format!("freeze-standby {told}")).collect();
    assert_eq!(desk.faults_told(), wanted, "the audit trail tells of every fault");
    desk.site.close();
}

fn no_is_no(desk: &Desk) {
    let before = desk.wishes();
    let mut terminal = desk.types(&["act", "reload", CLUSTER]);
    terminal.wait_for("[y/N]");
    terminal.keys("\n");
    let ended = terminal.wait_end();
    assert_eq!(ended.exit_code(), 3, "{}", terminal.text());
    assert_eq!(desk.wishes(), before);
}

fn a_name_typed_wrong_does_nothing(desk: &Desk) {
    let (before, primary) = (desk.wishes(), desk.primary());
    for typed in ["pg-secondary", "y", ""] {
        let mut terminal = desk.types(&["act", "fence", CLUSTER, "--instance", &primary, "--because", "a test"]);
        terminal.wait_for("type pg-primary to go on");
        terminal.keys(&format!("{typed}\n"));
        let ended = terminal.wait_end();
        assert_eq!(ended.exit_code(), 3, "{typed:?}: {}", terminal.text());
        assert_eq!(desk.newest_run(), "refused", "{typed:?}");
        assert_eq!(desk.wishes(), before, "{typed:?}");
    }
    assert_eq!(desk.psql(&primary, "select 1").as_deref(), Some("1"));
}

fn a_name_typed_right_does_it(desk: &Desk) {
    let primary = desk.primary();
    let mut terminal = desk.types(&["act", "fence", CLUSTER, "--instance", &primary, "--because", "a test"]);
    terminal.wait_for("type pg-primary to go on");
    terminal.keys("pg-primary\n");
    let ended = terminal.wait_end();
    assert_eq!(ended.exit_code(), 0, "{}", terminal.text());
    desk.is_fenced(&primary);
    assert_eq!(desk.psql(&primary, "select 1"), None);
    unfenced(desk, &primary);
}

/// Lifts a fence, as somebody says yes to it.
fn unfenced(desk: &Desk, instance: &str) {
    let mut terminal = desk.types(&["act", "unfence", CLUSTER, "--instance", instance]);
    terminal.wait_for("[y/N]");
    terminal.keys("y\n");
    let ended = terminal.wait_end();
    assert_eq!(ended.exit_code(), 0, "{}", terminal.text());
    assert_eq!(desk.fenced(), "");
    desk.answers(instance);
    desk.until_healthy();
    desk.until_streaming();
}

/// A fence that is under way and can't get on: the standby's processes are stopped, so it can't be shut down in order.
fn in_the_middle(desk: &Desk, standby: &str) -> Terminal {
    desk.ok(&["lab", "fault", "start", "freeze-standby", "--instance", standby, "--name", "ice"]);
    let mut terminal = desk.types(&["act", "fence", CLUSTER, "--instance", standby]);
    terminal.wait_for("[y/N]");
    terminal.keys("y\n");
    desk.until("the fence is asked for", || (!desk.fenced().is_empty()).then_some(()));
    terminal.keys("\x03");
    terminal.wait_for("Interrupted.");
    for choice in ["g: go on", "u: undo", "l: leave"] {
        assert!(terminal.text().contains(choice), "{}", terminal.text());
    }
    terminal
}

fn thaw(desk: &Desk) {
    desk.ok(&["lab", "fault", "stop", "ice"]);
}

fn interrupted_and_gone_on(desk: &Desk) {
    let standby = desk.standby();
    let mut terminal = in_the_middle(desk, &standby);
    terminal.keys("g\n");
    thaw(desk);
    let ended = terminal.wait_end();
    assert_eq!(ended.exit_code(), 0, "{}", terminal.text());
    assert_eq!(desk.newest_run(), "passed");
    desk.is_fenced(&standby);
    assert_eq!(desk.psql(&standby, "select 1"), None);
    unfenced(desk, &standby);
}

fn interrupted_and_undone(desk: &Desk) {
    let standby = desk.standby();
    let mut terminal = in_the_middle(desk, &standby);
    terminal.keys("u\n");
    thaw(desk);
    let ended = terminal.wait_end();
    assert_eq!(ended.exit_code(), 1, "{}", terminal.text());
    assert_eq!(desk.newest_run(), "undone");
    assert_eq!(desk.fenced(), "");
    desk.answers(&standby);
    desk.until_healthy();
    desk.until_streaming();
}

fn interrupted_and_left(desk: &Desk) {
    let standby = desk.standby();
    let mut terminal = in_the_middle(desk, &standby);
    terminal.keys("l\n");
    let ended = terminal.wait_end();
    assert_eq!(ended.exit_code(), 1, "{}", terminal.text());
    assert_eq!(desk.newest_run(), "left");
    desk.is_fenced(&standby);
    thaw(desk);
    desk.until("the operator fences it all the same", || desk.psql(&standby, "select 1").is_none().then_some(()));
    unfenced(desk, &standby);
    let pods = desk.kubectl.ok(&["-n", NS, "get", "pods", "-l", "cnpg.io/podRole=instance", "-o", "name"]);
    assert_eq!(pods.lines().count(), 3);
}
