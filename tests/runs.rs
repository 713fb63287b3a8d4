//! `howdah runs` from outside: what is listed, shown, refused.

use howdah::adapters::runs::{Journal, Store, by};
use howdah::procedure::{Entry, Outcome, RunId, What};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

const RUN: &str = "20261121-031500-switchover-orders-k3f9";

fn howdah(home: &Path, args: &[&str]) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_howdah"))
        .args(args)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

fn store(home: &Path) -> Store {
    Store::new(home.join(".local/state/howdah"))
}

/// A run of one step, begun by a console; closed or not.
fn begin(home: &Path, name: &str, outcome: Option<Outcome>) -> Journal {
    let plan = json!({
        "kind": "switchover", "cluster": {"context": "aks", "namespace": "pg", "name": "orders"},
        "title": "switch over to orders-2", "made": Timestamp::UNIX_EPOCH, "parameters": {}, "findings": [],
        "candidates": [], "premise": {"uid": "u", "values": {}}, "objectives": null,
        "steps": [{"id": "look", "title": "look | see", "why": "", "needs": [], "gate": "none", "order": null,
                   "check": null, "within": "PT0S", "undo": null, "cleanup": false}],
    });
    let (run, me) = (RunId::from(name), by("console", Default::default()));
    let mut journal = store(home).begin(&run, &me, Timestamp::UNIX_EPOCH).unwrap();
    let opened = What::Opened { run, plan: Box::new(serde_json::from_value(plan).unwrap()), by: me };
    let proven = What::Proven { step: "look".into(), evidence: vec!["orders-2 leads".into()] };
    let closed = outcome.map(|outcome| What::Closed { outcome });
    for (second, what) in [opened, proven].into_iter().chain(closed).enumerate() {
        let at = Timestamp::from_second(second as i64).unwrap();
        journal.append(&Entry { at, what }).unwrap();
    }
    journal
}

#[test]
fn what_was_done_is_listed_and_shown() {
    let home = tempfile::tempdir().unwrap();
    let (code, out, _) = howdah(home.path(), &["runs", "list"]);
    assert_eq!((code, out.as_str()), (0, "nothing was done yet\n"));
    drop(begin(home.path(), RUN, Some(Outcome::Passed)));
    drop(begin(home.path(), "20261121-041500-reload-orders-x2x2", None));
    let (code, out, _) = howdah(home.path(), &["runs", "list"]);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!((code, lines.len()), (0, 3), "{out}");
    assert!(lines[1].starts_with("20261121-041500") && lines[1].ends_with("interrupted"), "{out}");
    assert!(lines[2].contains("switch over to orders-2") && lines[2].ends_with("passed"), "{out}");
    let (_, out, _) = howdah(home.path(), &["runs", "list", "-o", "json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&listed[1]["run"], &listed[1]["state"]), (&json!(RUN), &json!("passed")));

    let (code, out, _) = howdah(home.path(), &["runs", "show", "20261121-03", "-o", "json"]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["outcome"], &shown["steps"][0]["state"]), (0, &json!("passed"), &json!("done")));
    assert_eq!(shown["steps"][0]["evidence"], json!(["orders-2 leads"]));
    let (_, out, _) = howdah(home.path(), &["runs", "show", RUN, "-o", "md"]);
    assert!(out.contains("| look \\| see | done |  | orders-2 leads |"), "{out}");
    let (_, out, _) = howdah(home.path(), &["runs", "show", "20261121-04"]);
    assert!(out.contains("howdah runs resume 20261121-041500-reload-orders-x2x2"), "{out}");
}

#[test]
fn a_run_is_named_by_the_beginning_of_its_name_if_that_is_clear() {
    let home = tempfile::tempdir().unwrap();
    drop(begin(home.path(), RUN, None));
    drop(begin(home.path(), "20261121-031501-switchover-orders-zzzz", None));
    let (code, _, err) = howdah(home.path(), &["runs", "show", "20261121-0315"]);
    assert!(code == 2 && err.contains(RUN) && err.contains("zzzz"), "{err}");
    let (code, _, err) = howdah(home.path(), &["runs", "show", "../../etc"]);
    assert!(code == 2 && err.contains("no run is called"), "{err}");
}

#[test]
fn a_run_is_driven_by_one_process_and_never_by_a_read_only_one() {
    let home = tempfile::tempdir().unwrap();
    let held = begin(home.path(), RUN, None);
    let (code, _, err) = howdah(home.path(), &["runs", "resume", RUN]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains(&format!("process {}, console", std::process::id())), "{err}");
    let (_, out, _) = howdah(home.path(), &["runs", "list"]);
    assert!(out.contains("under way: "), "{out}");
    drop(held);
    let (code, _, err) = howdah(home.path(), &["runs", "resume", RUN, "--read-only"]);
    assert!(code == 3 && err.contains("--read-only"), "{err}");
    let (code, _, err) = howdah(home.path(), &["runs", "resume", RUN]);
    assert!(code == 2 || code == 4, "there is no Kubernetes here: {err}");
    assert_eq!(store(home.path()).read(&RUN.into()).unwrap().entries.len(), 2, "nothing was written");
}

#[test]
fn one_that_was_closed_only_tells_how_it_ended() {
    let home = tempfile::tempdir().unwrap();
    drop(begin(home.path(), RUN, Some(Outcome::Failed)));
    let (code, out, err) = howdah(home.path(), &["runs", "resume", RUN]);
    assert_eq!(code, 1, "{err}");
    assert!(out.starts_with("switch over to orders-2: failed"), "{out}");
}

#[test]
fn a_damaged_journal_is_refused_with_its_place_and_hides_no_other() {
    let home = tempfile::tempdir().unwrap();
    drop(begin(home.path(), RUN, None));
    drop(begin(home.path(), "20261121-041500-reload-orders-x2x2", Some(Outcome::Passed)));
    let journal = store(home.path()).folder(&RUN.into()).join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen('{', "[", 1)).unwrap();
    let (code, out, err) = howdah(home.path(), &["runs", "list"]);
    assert!(code == 1 && out.contains("x2x2") && err.contains("journal.jsonl:1:"), "{out}{err}");
    let (code, _, err) = howdah(home.path(), &["runs", "resume", RUN]);
    assert!(code == 4 && err.contains("journal.jsonl:1:"), "{err}");
}
