//! Suggested command lines: kubectl and psql know every verb and flag in them.

use super::super::{Command, Runbooks};

/// Flags of kubectl that the runbooks use, by verb; `kubectl VERB --help` of 1.33 names each.
const VERBS: &[(&str, &[&str])] = &[
    ("annotate", &["-n", "--overwrite"]),
    ("apply", &["-n", "-f"]),
    ("auth can-i", &["-n", "--list"]),
    ("cnpg backup", &["-n"]),
    ("cnpg status", &["-n", "--verbose"]),
    ("config get-contexts", &[]),
    ("describe", &["-n"]),
    ("exec", &["-n", "-c"]),
    ("get", &["-n", "-A", "-o", "-l", "-L", "-w", "--sort-by", "--raw", "--show-managed-fields", "--field-selector"]),
    ("logs", &["-n", "-c", "-l", "--tail", "--previous", "--prefix"]),
    ("patch", &["-n", "--type", "-p"]),
    ("rollout restart", &["-n"]),
    ("rollout status", &["-n"]),
    ("taint", &[]),
    ("top", &["-n", "--containers"]),
    ("uncordon", &[]),
    ("version", &[]),
];

/// Words as a shell splits them: quotes keep together.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (_, c) => word.push(c),
        }
    }
    assert_eq!(quote, None, "a quote is left open: {line}");
    words.push(word);
    words
}

fn commands() -> Vec<(String, Command)> {
    let all = Runbooks::shipped();
    let of = |r: &super::Runbook| r.steps.iter().flat_map(|s| s.commands.clone()).collect::<Vec<_>>();
    all.iter().flat_map(|r| of(r).into_iter().map(|c| (r.name.clone(), c))).collect()
}

#[test]
fn every_verb_and_flag_is_known() {
    let mut seen = 0;
    for (runbook, command) in commands() {
        let Some(rest) = command.text.strip_prefix("kubectl ") else {
            assert!(command.text.starts_with("az "), "{runbook}: {}", command.text);
            continue;
        };
        seen += 1;
        let verb = VERBS.iter().filter(|(verb, _)| rest.starts_with(&format!("{verb} ")) || rest == *verb);
        let (verb, flags) = verb.max_by_key(|(v, _)| v.len()).unwrap_or_else(|| panic!("{runbook}: {}", command.text));
        let own = rest[verb.len()..].split(" -- ").next().unwrap().split(" | ").next().unwrap().to_owned();
        for flag in split(&own).iter().filter(|w| w.starts_with('-')) {
            let name = flag.split('=').next().unwrap();
            assert!(flags.contains(&name), "{runbook}: {verb} has no {name}: {}", command.text);
        }
    }
    assert!(seen > 100);
}

#[test]
fn what_changes_says_so_and_what_looks_does_not_change() {
    const CHANGES: [&str; 9] = [
        "patch ",
        "apply ",
        "delete ",
        "annotate ",
        "taint ",
        "uncordon ",
        "rollout restart ",
        "cnpg backup ",
        "scale ",
    ];
    const SQL: [&str; 8] =
        ["terminate", "cancel_backend", "ALTER", "drop_replication", "switch_wal", "VACUUM", "ROLLBACK", "replay_"];
    for (runbook, command) in commands() {
        let verb = command.text.strip_prefix("kubectl ").unwrap_or(&command.text);
        let looks = command.text.contains("pg_is_wal_replay_paused");
        let changes = CHANGES.iter().any(|c| verb.starts_with(c))
            || (command.text.contains("psql") && !looks && SQL.iter().any(|s| command.text.contains(s)));
        assert_eq!(command.change, changes, "{runbook}: {}", command.text);
    }
}

#[test]
fn no_runbook_deletes_anything_by_command() {
    for (runbook, command) in commands() {
        for never in ["delete ", "rm ", "--force", "pg_resetwal", "kill ", "pg_ctl"] {
            assert!(!command.text.contains(never), "{runbook}: {}", command.text);
        }
    }
}
