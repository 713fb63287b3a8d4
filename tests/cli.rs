//! The command line from outside: mistakes, exit codes, and what is said where.

use std::process::{Command, Output, Stdio};

fn howdah(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    howdah_in(home.path(), args)
}

fn howdah_in(home: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_howdah"))
        .args(args)
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A kubeconfig with two contexts; the server is where nothing listens.
fn kubeconfig(home: &std::path::Path) -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let file = home.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: aks-primary\nclusters:\n- name: a\n  cluster: {{server: 'https://{free}'}}\n\
         users:\n- name: u\n  user: {{token: hunter2}}\ncontexts:\n- name: aks-primary\n  context: {{cluster: a, user: u}}\n\
         - name: eks-west\n  context: {{cluster: a, user: u}}\n"
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn mistakes_in_usage_end_with_2_on_stderr() {
    for args in [
        &["status", "--no-such-flag"][..],
        &["statsu"],
        &["lag"],
        &["status", "-o", "toml"],
        &["lag", "x", "--for", "soon"],
        &["status", "-n", "a", "-A"],
        &["status", "--yes", "--read-only"],
        &["act"],
        &["act", "fence", "pg"],
        &["act", "fence", "pg", "--all", "--instance", "pg-2"],
        &["act", "scale", "pg", "--instances", "few"],
    ] {
        let (code, out, err) = said(&howdah(args));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(!err.is_empty(), "{args:?}");
    }
    let (_, _, err) = said(&howdah(&["statsu"]));
    assert!(err.contains("'status'"), "the nearest command is named: {err}");
}

#[test]
fn a_flag_that_names_nothing_is_said_whatever_the_command() {
    for args in [&["--theme", "nrod", "check"][..], &["--theme", "nrod", "keys"], &["check", "--theme", "nrod"]] {
        let (code, out, err) = said(&howdah(args));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains("no such theme: nrod") && err.contains("--theme nord"), "{err}");
    }
    let (code, _, err) = said(&howdah(&["--keymap", "vmi", "status"]));
    assert_eq!(code, 2);
    assert!(err.contains("no such keymap: vmi") && err.contains("--keymap vim"), "{err}");
    let (code, ..) = said(&howdah(&["--theme", "nord", "--keymap", "emacs", "check"]));
    assert_eq!(code, 0);
    // One's own counts, even with a mistake in it: that one is told with its place, and the default is used.
    let home = tempfile::tempdir().unwrap();
    let themes = home.path().join(".config/howdah/themes");
    std::fs::create_dir_all(&themes).unwrap();
    std::fs::write(themes.join("mine.toml"), "inherits = 3\n").unwrap();
    let (_, _, err) = said(&howdah_in(home.path(), &["--theme", "mine", "check"]));
    assert!(!err.contains("no such theme"), "{err}");
}

#[test]
fn each_way_to_be_out_of_reach_has_its_own_hint() {
    let home = tempfile::tempdir().unwrap();
    let file = kubeconfig(home.path());
    let hint = |file: &str| {
        let (code, _, err) = said(&howdah_in(home.path(), &["--kubeconfig", file, "status"]));
        assert_eq!(code, 4, "{err}");
        err.lines().find_map(|l| l.trim().strip_prefix("try:").map(str::to_owned)).unwrap_or_default()
    };
    let refused = hint(&file);
    assert!(refused.contains("nothing listens there"), "{refused}");
    let text = std::fs::read_to_string(&file).unwrap().replace("https://127.0.0.1", "https://no-such-host.invalid");
    std::fs::write(home.path().join("unknown"), text).unwrap();
    let unknown = hint(home.path().join("unknown").to_str().unwrap());
    assert!(unknown.contains("server's name"), "{unknown}");
}

#[test]
fn help_and_version_end_with_0_on_stdout() {
    for args in [&["--help"][..], &["status", "--help"], &["--version"]] {
        let (code, out, err) = said(&howdah(args));
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        assert!(out.contains("howdah"), "{args:?}: {out}");
    }
}

#[test]
fn no_kubeconfig_is_told_with_what_to_do() {
    let (code, out, err) = said(&howdah(&["status"]));
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("no kubeconfig was found") && err.contains("try:"), "{err}");
    let (code, _, err) = said(&howdah(&["--kubeconfig", "/no/such/file", "status"]));
    assert_eq!(code, 2);
    assert!(err.contains("/no/such/file"), "{err}");
}

#[test]
fn an_unknown_context_names_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    let file = kubeconfig(home.path());
    let (code, _, err) = said(&howdah_in(home.path(), &["--kubeconfig", &file, "--context", "aks-primry", "status"]));
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("did you mean aks-primary?"), "{err}");
}

#[test]
fn a_server_out_of_reach_ends_with_4_and_shows_no_secret() {
    let home = tempfile::tempdir().unwrap();
    let file = kubeconfig(home.path());
    for args in [&["status"][..], &["status", "-o", "json"], &["lag", "demo", "--for", "1s"]] {
        let (code, out, err) = said(&howdah_in(home.path(), &[&["--kubeconfig", &file], args].concat()));
        assert_eq!((code, out.as_str()), (4, ""), "{args:?}: {err}");
        assert!(err.contains("aks-primary") && err.contains("refused"), "{args:?}: {err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
}

#[test]
fn runbooks_are_listed_and_shown_without_a_cluster() {
    let (code, out, err) = said(&howdah(&["runbook", "list"]));
    assert_eq!((code, err.as_str()), (0, ""));
    for name in ["wal-archiving-failing", "primary-down", "no-insight", "zone-gone"] {
        assert!(out.lines().any(|l| l.starts_with(name)), "{out}");
    }
    let (code, out, _) = said(&howdah(&["runbook", "list", "-o", "json"]));
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && rows.as_array().unwrap().iter().all(|r| r["own"] == false && r["title"].is_string()));
    let (code, out, _) = said(&howdah(&["runbook", "show", "slot-holds-wal"]));
    assert!(code == 0 && out.contains("## 1.") && out.contains("- check:"), "{out}");
    let (code, out, err) = said(&howdah(&["runbook", "show", "slot-hold-wal"]));
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("did you mean `slot-holds-wal`?"), "{err}");
}

#[test]
fn an_own_runbook_is_among_them() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/howdah/runbooks");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ours.toml"), "title = \"Ours\"\n[[step]]\ntitle = \"Look\"\n").unwrap();
    let (code, out, _) = said(&howdah_in(home.path(), &["runbook", "list", "-o", "json"]));
    let rows: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert!(rows.as_array().unwrap().iter().any(|r| r["runbook"] == "ours" && r["own"] == true), "{out}");
}

#[test]
fn a_runbook_of_a_cluster_out_of_reach_ends_with_4() {
    let home = tempfile::tempdir().unwrap();
    let config = kubeconfig(home.path());
    for args in [
        &["runbook", "run", "primary-down", "pg", "--timeout", "2s"][..],
        &["runbook", "list", "pg", "--timeout", "2s"],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--kubeconfig", &config]).collect();
        let (code, out, err) = said(&howdah_in(home.path(), &args));
        assert_eq!((code, out.as_str()), (4, ""), "{err}");
    }
}
