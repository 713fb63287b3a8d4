//! Unarmed, nothing can change the cluster: every command and every key is tried on a living lab, and what passed on the
//! wire was only looking: get, list, watch, access reviews, tunnels, and SQL that the server itself holds to be read-only.

mod support;

use clap::CommandFactory;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::terminal::Terminal;
use support::until;
use support::wiretap::{Passed, Wiretap};
use support::world::{HOWDAH, Kubectl, Lab, PATIENCE};

const NAMESPACE: &str = "cnpg-database";

/// Every command that speaks to a cluster, with arguments that would make it do what it does, but without a word that
/// allows it.
const COMMANDS: &[(&str, &[&str])] = &[
    ("status", &["-o", "json"]),
    ("lag", &["pg-primary", "--for", "3s"]),
    ("backups list", &["pg-primary"]),
    ("backups check", &["pg-primary"]),
    ("backups take", &["pg-primary"]),
    ("backups schedule", &["pg-primary", "--cron", "0 0 3 * * *"]),
    ("backups restore", &["pg-primary", "--as", "pg-second", "--to", "latest"]),
    ("act switchover", &["pg-primary"]),
    ("act restart", &["pg-primary"]),
    ("act reload", &["pg-primary"]),
    ("act fence", &["pg-primary", "--instance", "pg-primary-2"]),
    ("act unfence", &["pg-primary", "--instance", "pg-primary-2"]),
    ("act hibernate", &["pg-primary"]),
    ("act wake", &["pg-primary"]),
    ("act rebuild", &["pg-primary", "--instance", "pg-primary-2"]),
    ("act scale", &["pg-primary", "--instances", "4"]),
    ("act maintenance", &["pg-primary", "open"]),
    ("drill list", &[]),
    ("drill failover", &["pg-primary"]),
    ("drill switchover", &["pg-primary"]),
    ("drill zone-loss", &["pg-primary"]),
    ("drill standby-loss", &["pg-primary"]),
    ("drill restore", &["pg-primary"]),
    ("runbook list", &["pg-primary"]),
    ("runbook show", &["standby-far-behind"]),
    ("runbook run", &["standby-far-behind", "pg-primary"]),
    ("runs list", &[]),
    ("runs show", &["nothing"]),
    ("runs resume", &["nothing"]),
    ("check", &[]),
    ("keys", &[]),
    ("themes", &[]),
    ("man", &[]),
    ("completions", &["bash"]),
];

/// These make or show worlds of their own.
const ELSEWHERE: &[&str] = &["lab", "replay"];

/// What the servers log of howdah's sessions, followed with kubectl.
struct Logs {
    children: Vec<Child>,
    files: Vec<PathBuf>,
}

impl Logs {
    /// Has every server log every statement, and follows their logs.
    fn follow(kubectl: &Kubectl, dir: &Path) -> Logs {
        let mut logs = Logs { children: Vec::new(), files: Vec::new() };
        for n in 1..=3 {
            let pod = format!("pg-primary-{n}");
            let psql = ["exec", "-n", NAMESPACE, &pod, "-c", "postgres", "--", "psql", "-XtA", "-c"];
            for sql in ["alter system set log_statement = 'all'", "select pg_reload_conf()"] {
                kubectl.ok(&[&psql[..], &[sql]].concat());
            }
            let file = dir.join(&pod);
            let args = ["logs", "-f", "--tail=1", "-n", NAMESPACE, &pod, "-c", "postgres"];
            let out = File::create(&file).unwrap();
            logs.children.push(kubectl.command(&args).stdout(out).stderr(Stdio::null()).spawn().unwrap());
            logs.files.push(file);
        }
        logs
    }

    /// Statements of howdah's sessions, and errors they met.
    fn said(&self) -> (Vec<String>, Vec<String>) {
        let (mut statements, mut errors) = (Vec::new(), Vec::new());
        for file in &self.files {
            for line in std::fs::read_to_string(file).unwrap().lines() {
                let record = serde_json::from_str::<Value>(line).unwrap_or_default()["record"].take();
                if !record["application_name"].as_str().is_some_and(|name| name.starts_with("howdah")) {
                    continue;
                }
                let message = record["message"].as_str().unwrap_or_default();
                let statement = message.strip_prefix("statement: ").or_else(|| {
                    message.strip_prefix("execute ").and_then(|rest| rest.split_once(": ")).map(|(_, text)| text)
                });
                match statement {
                    Some(text) => statements.push(text.trim().to_owned()),
                    None if record["error_severity"] == "ERROR" => errors.push(message.to_owned()),
                    None => {}
                }
            }
        }
        (statements, errors)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn unarmed_it_only_looks() {
    let Some(lab) = Lab::start(&[]) else { return };
    let Some(kubectl) = Kubectl::find(&lab.kubeconfig()) else { return };
    let home = tempfile::tempdir().unwrap();
    let logs = Logs::follow(&kubectl, home.path());
    let tap = Wiretap::on(&lab.kubeconfig());
    every_command(&tap, home.path());
    every_key(&tap, home.path());
    psql_is_read_only(&tap, home.path());

    let passed = tap.passed();
    let changes: BTreeSet<_> = passed.iter().filter(|p| !looks(p)).collect();
    assert!(changes.is_empty(), "these are more than looks: {changes:#?}");
    // It was no idle console: it watched, asked what it may, and opened tunnels.
    let some = |is: &dyn Fn(&Passed) -> bool| passed.iter().any(is);
    assert!(some(&|p| p.query.contains("watch=true")) && some(&|p| p.path.ends_with("/portforward")), "{passed:#?}");

    let refused = |errors: &[String]| errors.iter().any(|e| e.contains("read-only transaction"));
    let (statements, _) =
        until("the servers tell", PATIENCE, || Some(logs.said()).filter(|(_, errors)| refused(errors)), String::new);
    let harmless = |s: &&String| {
        let first = s.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        ["SELECT", "WITH", "SHOW", "SET"].contains(&first.as_str()) || *s == SNEAKY
    };
    let writes: Vec<_> = statements.iter().filter(|s| !harmless(s)).collect();
    assert!(writes.is_empty(), "{writes:#?}");
    assert!(statements.len() > 10, "{statements:#?}");
}

/// get, list and watch; tunnels; a program's streams only for psql that can't write; and what asks for rights.
fn looks(passed: &Passed) -> bool {
    let reads_only =
        passed.query.contains("command=psql") && passed.query.contains("default_transaction_read_only%3Don");
    match passed.method.as_str() {
        "GET" if passed.path.ends_with("/exec") || passed.path.ends_with("/attach") => reads_only,
        "GET" if passed.upgrade => passed.path.ends_with("/portforward"),
        "GET" => true,
        "POST" => passed.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        _ => false,
    }
}

/// Every command that there is, as somebody without a terminal who confirms nothing; acts also as a mere plan, and held to
/// looking by a flag.
fn every_command(tap: &Wiretap, home: &Path) {
    let known: BTreeSet<_> = COMMANDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut there = BTreeSet::new();
    leaves(&howdah::cli::args::Cli::command(), "", &mut there);
    there.retain(|name| !ELSEWHERE.contains(&name.split(' ').next().unwrap_or_default()));
    assert_eq!(known, there, "every command is tried here");
    for (name, args) in COMMANDS {
        let acts = name.starts_with("act ") || (name.starts_with("drill ") && *name != "drill list");
        let hows: &[&[&str]] = if acts { &[&[], &["--plan"], &["--read-only"]] } else { &[&[]] };
        for how in hows {
            let mut command = Command::new(HOWDAH);
            command.arg("--kubeconfig").arg(tap.kubeconfig()).args(name.split(' ')).args(*args).args(*how);
            command.env("HOME", home).env("XDG_CONFIG_HOME", home).env("XDG_STATE_HOME", home);
            let out = command.stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr);
            // There is no such run; everything else is said as it should be.
            let known = !name.starts_with("runs ");
            assert!(!known || out.status.code() != Some(2), "{name} {how:?}: {said}");
            // There is nothing to unfence or to wake.
            let would = acts && !["act unfence", "act wake"].contains(name) && !how.contains(&"--plan");
            assert!(!would || out.status.code() == Some(3), "{name} {how:?} was not refused: {said}");
        }
    }
}

/// The names of all commands that have none below them.
fn leaves(command: &clap::Command, path: &str, into: &mut BTreeSet<String>) {
    for sub in command.get_subcommands() {
        let name = format!("{path}{}", sub.get_name());
        match sub.has_subcommands() {
            true => leaves(sub, &format!("{name} "), into),
            false => drop(into.insert(name)),
        }
    }
}

fn console(tap: &Wiretap, home: &Path) -> Terminal {
    let home = home.to_str().unwrap();
    let args = ["--kubeconfig", tap.kubeconfig().to_str().unwrap()];
    let env = [("HOME", home), ("XDG_CONFIG_HOME", home), ("XDG_STATE_HOME", home)];
    let screen = Terminal::start(HOWDAH, &args, (160, 45), &env);
    screen.wait_until("the fleet shows the cluster", |s| s.contains("cnpg-database/pg-primary"));
    screen
}

/// Every key of the default keymap on every tab, each followed by what closes whatever it opened.
fn every_key(tap: &Wiretap, home: &Path) {
    let keymap: toml::Table = toml::from_str(include_str!("../keymaps/default.toml")).unwrap();
    let bound = || keymap.values().filter_map(toml::Value::as_table).flatten();
    // Psql takes the terminal: it has its own turn. Leaving and suspending change nothing, and end the console. Arming is
    // what this test is without.
    let apart =
        |command: &toml::Value| ["quit", "suspend", "psql", "arm"].contains(&command.as_str().unwrap_or_default());
    let left: BTreeSet<_> = bound().filter(|(_, command)| apart(command)).map(|(chord, _)| chord).collect();
    let keys: BTreeSet<_> = bound().map(|(chord, _)| chord).filter(|c| !left.contains(c)).map(|c| bytes(c)).collect();
    assert!(keys.len() > 50, "{keys:?}");
    let mut screen = console(tap, home);
    let tabs = screen.text().lines().nth(1).map_or(0, |line| line.split_whitespace().count() / 2);
    assert!(tabs >= 5, "{}", screen.text());
    for tab in 1..=tabs {
        for key in &keys {
            // Two escapes at once are one for certain; enough of them close whatever stands in front. Then it is awaited
            // that all of it was taken: crossterm leaves what is typed faster than a thousand bytes until the next key.
            screen.keys(&format!("{tab}{key}\r{}3", "\u{1b}\u{1b}".repeat(4)));
            screen.wait_until(&format!("replication after {key:?} on tab {tab}"), |s| s.contains("STANDBY "));
            screen.keys("1");
            screen.wait_until(&format!("the fleet after {key:?} on tab {tab}"), |s| {
                s.contains("PRIMARY") && s.contains("pg-primary") && !s.contains("STANDBY ")
            });
        }
    }
    every_change(&mut screen);
    screen.keys("q");
    assert!(screen.wait_end().success());
}

/// Every change that is offered is looked at, and asked for: each is refused, because nothing is armed.
fn every_change(screen: &mut Terminal) {
    for n in 0..20 {
        screen.keys("1x");
        screen.wait_for("the plan is shown first");
        screen.keys(&format!("{}\r", "\u{1b}[B".repeat(n)));
        screen.wait_until("a plan, or why there is none", |s| !s.contains("the plan is shown first"));
        let planned = screen.text().contains("may it begin?");
        screen.keys("b");
        if planned {
            screen.wait_for("Do it, as it is shown: cnpg-database/pg-primary is read-only");
        }
        screen.keys(&"\u{1b}\u{1b}".repeat(3));
        screen.keys("1");
        screen.wait_for("PRIMARY");
    }
}

/// The bytes that a terminal sends for a chord.
fn bytes(chord: &str) -> String {
    let one = |key: &str| match key {
        "up" => "\u{1b}[A".into(),
        "down" => "\u{1b}[B".into(),
        "right" => "\u{1b}[C".into(),
        "left" => "\u{1b}[D".into(),
        "home" => "\u{1b}[H".into(),
        "end" => "\u{1b}[F".into(),
        "pageup" => "\u{1b}[5~".into(),
        "pagedown" => "\u{1b}[6~".into(),
        "f1" => "\u{1b}OP".into(),
        "esc" => "\u{1b}\u{1b}".into(),
        "tab" => "\t".into(),
        "shift-tab" => "\u{1b}[Z".into(),
        "shift-left" => "\u{1b}[1;2D".into(),
        "shift-right" => "\u{1b}[1;2C".into(),
        "enter" => "\r".into(),
        "space" => " ".into(),
        "backspace" => "\u{7f}".into(),
        key => match key.strip_prefix("ctrl-").and_then(|k| k.chars().next()) {
            Some(letter) => char::from(letter as u8 & 0x1f).to_string(),
            None => {
                assert_eq!(key.chars().count(), 1, "{key} has no bytes here");
                key.to_owned()
            }
        },
    };
    chord.split(' ').map(one).collect()
}

const SNEAKY: &str = "create table sneaky (n int);";

/// psql from the console is refused by the server when it tries to write.
fn psql_is_read_only(tap: &Wiretap, home: &Path) {
    let mut screen = console(tap, home);
    screen.keys("2");
    screen.wait_until("the topology is there", |s| s.contains("3/3 ready"));
    screen.keys("p");
    screen.wait_until("psql's prompt", |s| s.contains("=>") || s.contains("=#"));
    screen.keys(&format!("{SNEAKY}\n"));
    screen.wait_for("read-only transaction");
    screen.keys("\\q\n");
    screen.wait_until("the topology is back", |s| s.contains("3/3 ready"));
    screen.keys("q");
    assert!(screen.wait_end().success());
}
