use jiff::Timestamp;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Store, by};
use crate::domain::names::ClusterKey;
use crate::procedure::{Entry, Kind, Outcome, Plan, RunId, What};

fn entry(second: i64, what: What) -> Entry {
    Entry { at: Timestamp::from_second(second).unwrap(), what }
}

fn opened(run: &RunId) -> Entry {
    let plan = Plan {
        kind: Kind::Switchover,
        cluster: ClusterKey::new("aks", "pg", "orders"),
        title: "switch over to orders-2".into(),
        made: Timestamp::UNIX_EPOCH,
        parameters: Default::default(),
        findings: Vec::new(),
        candidates: Vec::new(),
        objectives: None,
        premise: Default::default(),
        steps: Vec::new(),
    };
    entry(1, What::Opened { run: run.clone(), plan: Box::new(plan), by: by("test", Default::default()) })
}

fn noted(second: i64, text: &str) -> Entry {
    entry(second, What::Noted { step: None, text: text.into() })
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_draft_is_private_and_goes_when_its_note_is_written() {
    let world = World::new();
    let (store, run) = (&world.store, &world.run);
    world.write(&[opened(run)]);
    assert_eq!(store.draft(run), None);
    store.keep_draft(run, "the key was").unwrap();
    store.keep_draft(run, "the key was\nrotated \u{1b}[31m").unwrap();
    assert_eq!(store.draft(run).as_deref(), Some("the key was\nrotated \u{fffd}[31m"));
    assert_eq!(mode(&store.folder(run).join("draft")), 0o600);
    store.keep_draft(run, "").unwrap();
    store.keep_draft(run, "").unwrap();
    assert_eq!(store.draft(run), None);
    assert_eq!(fs::read_dir(store.folder(run)).unwrap().count(), 2, "the journal and its lock");
}

struct World {
    _dir: tempfile::TempDir,
    store: Store,
    run: RunId,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("state"));
        World { _dir: dir, store, run: "20261121-031500-switchover-orders-k3f9".into() }
    }

    fn journal(&self) -> std::path::PathBuf {
        self.store.folder(&self.run).join("journal.jsonl")
    }

    fn write(&self, entries: &[Entry]) {
        let mut journal = self.store.begin(&self.run, &by("test", Default::default()), Timestamp::UNIX_EPOCH).unwrap();
        entries.iter().for_each(|e| journal.append(e).unwrap());
    }
}

#[test]
fn a_journal_is_private_and_read_as_it_was_written() {
    let world = World::new();
    let entries =
        [opened(&world.run), noted(2, "line\nbreak \u{1b}[31m"), entry(3, What::Closed { outcome: Outcome::Passed })];
    world.write(&entries);
    assert_eq!(mode(&world.journal()), 0o600);
    assert_eq!(mode(world.journal().parent().unwrap()), 0o700);
    assert_eq!(mode(&world.store.folder(&world.run).join("lock")), 0o600);
    let written = world.store.read(&world.run).unwrap();
    assert_eq!((written.entries.as_slice(), written.torn, written.holder), (entries.as_slice(), false, None));
}

#[test]
fn a_torn_last_line_is_cut_off_and_said() {
    let world = World::new();
    let entries = [opened(&world.run), noted(2, "whole")];
    world.write(&entries);
    let whole = fs::read(world.journal()).unwrap();
    let next = serde_json::to_vec(&noted(3, "not whole")).unwrap();
    // Wherever it tears, also right before its line end.
    for cut in [1, next.len() / 2, next.len()] {
        let torn = [whole.as_slice(), &next[..cut]].concat();
        fs::write(world.journal(), &torn).unwrap();
        let written = world.store.read(&world.run).unwrap();
        assert!(written.torn && written.entries == entries, "cut at {cut}");
        assert_eq!(fs::read(world.journal()).unwrap(), torn, "looking changes nothing");
        let me = by("test", Default::default());
        let (mut journal, read, said) = world.store.go_on(&world.run, &me, Timestamp::UNIX_EPOCH).unwrap();
        assert!(said && read == entries, "cut at {cut}");
        journal.append(&noted(4, "after")).unwrap();
        drop(journal);
        let written = world.store.read(&world.run).unwrap();
        assert_eq!((written.torn, written.entries.len(), &written.entries[2]), (false, 3, &noted(4, "after")));
    }
}

#[test]
fn a_damaged_line_is_refused_with_its_place() {
    let world = World::new();
    world.write(&[opened(&world.run), noted(2, "a"), noted(3, "b")]);
    let text = fs::read_to_string(world.journal()).unwrap().replace("\"a\"", "\"a");
    fs::write(world.journal(), text).unwrap();
    for problem in [
        world.store.read(&world.run).unwrap_err(),
        world.store.go_on(&world.run, &by("test", Default::default()), Timestamp::UNIX_EPOCH).unwrap_err(),
    ] {
        let because = problem.because.unwrap();
        assert!(because.contains("journal.jsonl:2:"), "{because}");
    }
    // It is listed with its ends, which are whole.
    assert_eq!(world.store.list().unwrap().len(), 1);
}

#[test]
fn one_process_drives_a_run_and_says_who_it_is() {
    let world = World::new();
    let me = by("console", Default::default());
    let held = world.store.begin(&world.run, &me, Timestamp::UNIX_EPOCH).unwrap();
    let refused = world.store.go_on(&world.run, &me, Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(refused.exit.code(), 3);
    let because = refused.because.unwrap();
    assert!(because.contains(&format!("process {}, console", std::process::id())), "{because}");
    assert_eq!(world.store.read(&world.run).unwrap().holder.unwrap().user, me.user);
    drop(held);
    assert_eq!(world.store.read(&world.run).unwrap().holder, None);
    assert!(world.store.go_on(&world.run, &me, Timestamp::UNIX_EPOCH).is_ok());
    assert!(world.store.begin(&world.run, &me, Timestamp::UNIX_EPOCH).is_err(), "a name is used once");
}

#[test]
fn runs_are_listed_by_their_ends_and_found_by_a_prefix() {
    let mut world = World::new();
    assert_eq!(world.store.list().unwrap(), []);
    world.write(&[
        opened(&world.run),
        noted(2, &"long ".repeat(100_000)),
        entry(9, What::Closed { outcome: Outcome::Failed }),
    ]);
    let first = world.run.clone();
    world.run = "20261121-041500-switchover-orders-x2x2".into();
    world.write(&[opened(&world.run)]);
    let listed: Vec<_> = world.store.list().unwrap().into_iter().map(Result::unwrap).collect();
    assert_eq!(listed[0].run, world.run, "the newest first");
    assert_eq!((listed[0].outcome, listed[0].last), (None, Timestamp::from_second(1).unwrap()));
    assert_eq!((listed[1].outcome, listed[1].last), (Some(Outcome::Failed), Timestamp::from_second(9).unwrap()));
    assert_eq!(world.store.find("20261121-03").unwrap(), first);
    assert_eq!(world.store.find(first.as_str()).unwrap(), first);
    assert!(world.store.find("2026").unwrap_err().because.unwrap().contains("x2x2"));
    for said in ["2025", "../", ".", "/"] {
        assert_eq!(world.store.find(said).unwrap_err().exit.code(), 2, "{said}");
    }
}

#[test]
fn a_name_fits_into_a_label() {
    let long = ClusterKey::new("aks", "pg", &"a-very-long-name".repeat(5));
    let name = Store::name(Kind::FailoverDrill, &long, Timestamp::UNIX_EPOCH);
    assert!(name.as_str().len() <= 63, "{name}");
    assert!(name.as_str().starts_with("19700101-000000-failover-drill-a-very-long-name"), "{name}");
    let other = Store::name(Kind::FailoverDrill, &long, Timestamp::UNIX_EPOCH);
    assert_ne!(name, other);
}
