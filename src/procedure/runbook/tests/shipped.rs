//! What ships holds together: files, names, ways.

use std::collections::BTreeSet;

use super::super::set::shipped_files;
use super::super::{Answer, Runbook, Runbooks, Target, file, step_view, values};
use super::Stage;
use crate::domain::health::ReasonCode;
use crate::procedure::question::Replies;

#[test]
fn what_ships_has_no_mistake() {
    let mut said = String::new();
    for (path, text) in shipped_files() {
        for m in file::read(&path, &text).1 {
            said.push_str(&m.to_string());
        }
    }
    assert!(said.is_empty(), "\n{said}");
}

#[test]
fn every_reason_leads_to_a_runbook() {
    let all = Runbooks::shipped();
    let without: Vec<_> = ReasonCode::all().filter(|c| all.for_reason(*c).is_none()).map(ReasonCode::name).collect();
    assert!(without.is_empty(), "{without:?}");
}

/// Every step can be reached by some answers.
fn reached(runbook: &Runbook) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        if found.insert(at) {
            let answers = [Answer::Yes, Answer::No, Answer::Unknown(String::new())];
            open.extend(answers.iter().filter_map(|a| runbook.after(at, a)));
        }
    }
    found
}

#[test]
fn no_step_is_out_of_reach_and_every_walk_ends_with_a_look() {
    for runbook in Runbooks::shipped().iter() {
        let name = &runbook.name;
        assert_eq!(reached(runbook).len(), runbook.steps.len(), "{name} has steps nobody reaches");
        let last = runbook.steps.last().unwrap();
        assert_eq!(last.name, "verify", "{name} ends by seeing that it is good again");
        assert!(!last.look.is_empty(), "{name}: the end looks");
        let first = &runbook.steps[0];
        assert!(first.commands.iter().all(|c| !c.change) && first.act.is_none(), "{name} looks before it changes");
    }
}

#[test]
fn a_change_is_never_the_only_thing_offered_and_says_what_it_is_for_or_stands_after_a_look() {
    for runbook in Runbooks::shipped().iter() {
        let mut looked = false;
        for step in &runbook.steps {
            looked |= !step.look.is_empty() || step.commands.iter().any(|c| !c.change);
            let changes = step.commands.iter().any(|c| c.change) || step.act.is_some();
            assert!(!changes || looked, "{}: {} changes before anything was looked at", runbook.name, step.name);
        }
    }
}

#[test]
fn every_value_has_a_kind_and_its_own_name() {
    let all = values::all();
    let names: BTreeSet<_> = all.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names.len(), all.len());
    for (name, _) in &all {
        assert!(values::meaning(name).is_ok());
    }
    let wrong = values::meaning("archiver.redy").unwrap_err();
    assert_eq!(wrong, "no such value: `archiver.redy`; did you mean `archiver.ready`?");
}

#[test]
fn jumps_lead_where_they_say() {
    for runbook in Runbooks::shipped().iter() {
        for (n, step) in runbook.steps.iter().enumerate() {
            for target in [&step.next.yes, &step.next.no, &step.next.unknown] {
                if let Target::Step(name) = target {
                    assert!(runbook.index(name).is_some_and(|m| m > n), "{}: {name}", runbook.name);
                }
            }
        }
    }
}

/// The part of the manual that lists names, made from them.
fn tables() -> String {
    use super::super::{PLACEHOLDERS, queries};
    let mut out = String::from("\n## Placeholders\n\n| | |\n|---|---|\n");
    for (name, about, _) in PLACEHOLDERS {
        out.push_str(&format!("| `{{{name}}}` | {about} |\n"));
    }
    out.push_str("\n## Queries for `ask`\n\n| | |\n|---|---|\n");
    for q in queries::QUERIES {
        out.push_str(&format!("| `{}` | {} |\n", q.name, q.about));
    }
    out.push_str(
        "\n## Values\n\nFields of an instance stand behind `primary.`, `instance.` (the one the walk is about), ",
    );
    out.push_str("`instances.` (each) and `standbys.` (each).\n\n| | |\n|---|---|\n");
    for (name, meaning) in values::all() {
        match name.split_once('.') {
            Some(("primary" | "instances" | "standbys", _)) => {}
            Some(("instance", field)) => out.push_str(&format!("| `….{field}` | {} |\n", meaning.about)),
            _ => out.push_str(&format!("| `{name}` | {} |\n", meaning.about)),
        }
    }
    out.push_str("\n## Reasons for `when`\n\n");
    let reasons: Vec<_> = ReasonCode::names().iter().map(|n| format!("`{n}`")).collect();
    out.push_str(&format!("{}\n", reasons.join(" ")));
    out
}

#[test]
fn the_manual_names_everything_there_is() {
    const MARK: &str = "<!-- tables: written by a test -->\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let head = &text[..text.find(MARK).unwrap() + MARK.len()];
    let wanted = format!("{head}{}", tables());
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(text == wanted || std::env::var_os("UPDATE_EXPECTED").is_some(), "UPDATE_EXPECTED=1 writes it anew");
}

#[test]
fn every_offered_change_is_an_act_that_knows_what_it_needs() {
    let stage = Stage::healthy().about("pg-2");
    let mut kinds = BTreeSet::new();
    for runbook in Runbooks::shipped().iter() {
        for n in 0..runbook.steps.len() {
            let Some(offer) = step_view(runbook, n, &stage.sight(), &Replies::new()).and_then(|view| view.act) else {
                continue;
            };
            let act = offer.act().unwrap_or_else(|why| panic!("{}: {why}", offer.line));
            assert_eq!(act.kind(), offer.kind, "{}", offer.line);
            kinds.insert(act.kind().name());
        }
    }
    assert!(kinds.len() >= 7, "{kinds:?}");
    // Of no instance in particular the ones that need one say so.
    let stage = Stage::healthy();
    let all = Runbooks::shipped();
    let rejoin = all.get("standby-cannot-rejoin").unwrap();
    assert!(rejoin.names_instance() && !all.get("wal-archiving-failing").unwrap().names_instance());
    let at = rejoin.index("rebuild").unwrap();
    let offer = step_view(rejoin, at, &stage.sight(), &Replies::new()).unwrap().act.unwrap();
    assert_eq!(offer.act().unwrap_err(), "it is not known of which instance");
}
