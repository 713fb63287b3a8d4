//! The binary in a real pseudo-terminal on a real lab: it starts, draws, survives storms, and gives the terminal back
//! whatever happens.

mod support;

use std::sync::OnceLock;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use support::terminal::{PATIENCE, Terminal};
use support::until;
use support::world::{HOWDAH, Lab};

/// One lab for all tests of this file; ended by the last one to leave, see [`Guest`].
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

#[test]
fn every_pane_opens_and_q_gives_the_terminal_back() {
    let Some((mut terminal, _home)) = console((120, 40), &[], &[]) else { return };
    assert!(terminal.full_screen());
    terminal.wait_for("READ-ONLY");
    terminal.wait_until("the cluster is judged ok", |s| s.contains("● cnpg-database/pg-primary"));
    for (key, sign) in [("2", "westus3-2"), ("3", "WAL"), ("4", "pg-primary"), ("1", "PRIMARY")] {
        terminal.keys(key);
        terminal.wait_for(sign);
    }
    terminal.keys("?");
    terminal.wait_for("Leave howdah");
    terminal.keys("\x1b");
    terminal.wait_until("help is closed", |s| !s.contains("Leave howdah"));
    terminal.keys("q");
    assert!(terminal.wait_end().success());
    terminal.assert_restored();
}

#[test]
fn a_storm_of_resizes_ends_in_a_whole_picture() {
    let Some((mut terminal, _home)) = console((120, 40), &[], &[]) else { return };
    for step in 0..60u16 {
        terminal.resize(1 + (step * 37) % 230, 1 + (step * 13) % 70);
    }
    terminal.resize(20, 5);
    terminal.wait_until("it says that the terminal is too small", |s| s.to_lowercase().contains("small"));
    terminal.resize(100, 30);
    terminal.wait_for("READ-ONLY");
    terminal.wait_for("pg-primary");
    terminal.keys("q");
    assert!(terminal.wait_end().success());
    terminal.assert_restored();
}

#[test]
fn ctrl_z_leaves_the_shell_alone_and_fg_brings_it_back() {
    let Some((mut terminal, _home)) = console((100, 30), &[], &[]) else { return };
    terminal.keys("\x1a");
    let pid = Pid::from_raw(terminal.child.process_id().unwrap() as i32);
    let stopped =
        || matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG)), Ok(WaitStatus::Stopped(..)));
    until("it stops", PATIENCE, || stopped().then_some(()), || terminal.text());
    terminal.assert_restored();
    terminal.signal(Signal::SIGCONT);
    terminal.wait_until("it is back on its own screen", |s| s.contains("READ-ONLY"));
    assert!(terminal.full_screen());
    terminal.keys("q");
    assert!(terminal.wait_end().success());
    terminal.assert_restored();
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

#[test]
fn a_panic_gives_the_terminal_back_and_says_where_it_was() {
    // Debug builds only: the variable makes the console panic when it has drawn its first frame.
    let Some(lab) = lab() else { return };
    let kubeconfig = lab.kubeconfig();
    let args = ["--kubeconfig", kubeconfig.to_str().unwrap()];
    let mut terminal = Terminal::start(HOWDAH, &args, (100, 30), &[("HOWDAH_TEST_PANIC", "1")]);
    assert!(!terminal.wait_end().success());
    terminal.assert_restored();
    terminal.wait_for("HOWDAH_TEST_PANIC");
}

#[test]
fn without_colour_no_colour_is_sent() {
    let Some((mut terminal, _home)) = console((100, 30), &[], &[("NO_COLOR", "1")]) else { return };
    terminal.wait_until("the cluster is judged ok", |s| s.contains("● cnpg-database/pg-primary"));
    terminal.keys("2");
    terminal.wait_for("westus3-1");
    terminal.keys("q");
    terminal.wait_end();
    let written = terminal.written();
    for colour in ["\x1b[38;", "\x1b[48;", "\x1b[31m", "\x1b[32m", "\x1b[33m"] {
        assert!(!written.contains(colour), "{colour:?} was sent");
    }
}
