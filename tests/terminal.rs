//! The binary in a real pseudo-terminal on a real lab: it starts, draws, survives storms, and gives the terminal back
//! whatever happens.

mod support;

use std::sync::OnceLock;

use nix::sys::signal::Signal;
use support::terminal::Terminal;
use support::world::{HOWDAH, Lab};

/// One lab for all tests of this file; it ends by itself with this process.
fn lab() -> Option<&'static Lab> {
    static LAB: OnceLock<Option<Lab>> = OnceLock::new();
    LAB.get_or_init(|| Lab::start(&[])).as_ref()
}

/// A console on the lab, with settings and state of its own.
fn console(size: (u16, u16), args: &[&str], env: &[(&str, &str)]) -> Option<(Terminal, tempfile::TempDir)> {
    let kubeconfig = lab()?.kubeconfig();
    let home = tempfile::tempdir().unwrap();
    let home_path = home.path().to_str().unwrap().to_owned();
    let mut all = vec!["--kubeconfig", kubeconfig.to_str().unwrap()];
    all.extend(args);
    let mut environment = vec![
        ("HOME", home_path.as_str()),
        ("XDG_CONFIG_HOME", home_path.as_str()),
        ("XDG_STATE_HOME", home_path.as_str()),
    ];
    environment.extend(env);
    let terminal = Terminal::start(HOWDAH, &all, size, &environment);
    terminal.wait_for("pg-primary");
    Some((terminal, home))
}

/// The keys are the console's: help comes and goes.
fn help_opens_and_closes(terminal: &mut Terminal) {
    terminal.keys("?");
    terminal.wait_for("Leave howdah");
    terminal.keys("\x1b");
    terminal.wait_until("help is closed", |s| !s.contains("Leave howdah"));
}

/// It ends on `q`, and the terminal is as it was.
fn leaves_well(mut terminal: Terminal) {
    terminal.keys("q");
    assert!(terminal.wait_end().success());
    terminal.assert_restored();
}

#[test]
fn every_pane_opens_and_q_gives_the_terminal_back() {
    let Some((mut terminal, _home)) = console((120, 40), &[], &[]) else { return };
    assert!(terminal.full_screen());
    terminal.wait_for("READ-ONLY");
    terminal.wait_until("the cluster is judged ok", |s| s.contains("●  cnpg-database/pg-primary"));
    for (key, sign) in [("2", "westus3-2"), ("3", "WAL"), ("4", "recoverable"), ("8", "pg-primary"), ("1", "PRIMARY")] {
        terminal.keys(key);
        terminal.wait_for(sign);
    }
    help_opens_and_closes(&mut terminal);
    leaves_well(terminal);
}

#[test]
fn a_storm_of_resizes_ends_in_a_whole_picture() {
    let Some((mut terminal, _home)) = console((120, 40), &[], &[]) else { return };
    for step in 0..60u16 {
        terminal.resize(1 + (step * 37) % 230, 1 + (step * 13) % 70);
    }
    terminal.resize(20, 5);
    terminal.wait_until("it says that the terminal is too small", |s| s.contains("howdah needs 60"));
    terminal.resize(100, 30);
    terminal.wait_for("READ-ONLY");
    terminal.wait_for("pg-primary");
    leaves_well(terminal);
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_and_fg_brings_the_console_back() {
    // A shell with job control, as a person has one: a program without a shell above it can't be stopped.
    let Some(lab) = lab() else { return };
    let home = tempfile::tempdir().unwrap();
    let home_path = home.path().to_str().unwrap();
    let environment =
        [("HOME", home_path), ("XDG_CONFIG_HOME", home_path), ("XDG_STATE_HOME", home_path), ("PS1", "shell$ ")];
    let mut terminal = Terminal::start("bash", &["--norc", "--noprofile", "-i"], (100, 30), &environment);
    terminal.wait_for("shell$");
    terminal.keys(&format!("{HOWDAH} --kubeconfig {}\n", lab.kubeconfig().display()));
    terminal.wait_for("READ-ONLY");
    terminal.keys("\x1a");
    terminal.wait_for("Stopped");
    terminal.assert_restored();
    terminal.keys("echo still $((40 + 2))\n");
    terminal.wait_for("still 42");
    terminal.keys("fg\n");
    terminal.wait_until("the console is back on its own screen", |s| s.contains("READ-ONLY"));
    assert!(terminal.full_screen());
    terminal.keys("q");
    terminal.wait_for("shell$");
    terminal.assert_restored();
    terminal.keys("exit\n");
    assert!(terminal.wait_end().success());
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let Some((mut terminal, _home)) = console((100, 30), &[], &[]) else { return };
    terminal.signal(Signal::SIGTERM);
    terminal.wait_end();
    terminal.assert_restored();
}

#[test]
fn ctrl_c_leaves_well() {
    let Some((mut terminal, _home)) = console((100, 30), &[], &[]) else { return };
    terminal.keys("\x03");
    assert!(terminal.wait_end().success());
    terminal.assert_restored();
}

/// A `psql` of this test: it counts the interrupts it hears and ends with the second line.
#[test]
fn ctrl_c_in_psql_is_psqls_own() {
    use std::os::unix::fs::PermissionsExt;
    let bin = tempfile::tempdir().unwrap();
    let psql = bin.path().join("psql");
    std::fs::write(&psql, "#!/bin/sh\ntrap 'echo heard it' INT\necho here is psql\nread a\nread b\n").unwrap();
    std::fs::set_permissions(&psql, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let Some((mut terminal, _home)) = console((120, 40), &[], &[("PATH", &path)]) else { return };
    terminal.wait_until("the cluster is judged ok", |s| s.contains("●  cnpg-database/pg-primary"));
    terminal.keys("p");
    terminal.wait_for("here is psql");
    assert!(!terminal.full_screen());
    terminal.keys("\x03");
    terminal.wait_for("heard it");
    terminal.keys("\n\n");
    terminal.wait_until("the console is back", |s| s.contains("●  cnpg-database/pg-primary"));
    help_opens_and_closes(&mut terminal);
    leaves_well(terminal);
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_where_it_was() {
    // Debug builds only: the variable makes the console panic when it has drawn its first frame.
    let Some(lab) = lab() else { return };
    let kubeconfig = lab.kubeconfig();
    let args = ["--kubeconfig", kubeconfig.to_str().unwrap()];
    let mut terminal = Terminal::start(HOWDAH, &args, (100, 30), &[("HOWDAH_TEST_PANIC", "1")]);
    assert!(!terminal.wait_end().success());
    terminal.assert_restored();
    assert!(terminal.written().contains("HOWDAH_TEST_PANIC is set"), "{}", terminal.written());
}

#[test]
fn without_colour_no_colour_is_sent() {
    // Fewer than 38 rows: a move of the cursor to row 38 begins like a colour.
    let Some((mut terminal, _home)) = console((120, 30), &[], &[("NO_COLOR", "1")]) else { return };
    terminal.wait_until("the cluster is judged ok", |s| s.contains("●  cnpg-database/pg-primary"));
    terminal.keys("2");
    terminal.wait_for("westus3-1");
    terminal.keys("q");
    terminal.wait_end();
    let written = terminal.written();
    for colour in ["\x1b[38;", "\x1b[48;", "\x1b[31m", "\x1b[32m", "\x1b[33m"] {
        assert!(!written.contains(colour), "{colour:?} was sent");
    }
}
