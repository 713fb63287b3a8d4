//! Runbooks in the console: the way from a reason to its runbook, a walk to its end, notes, the incident record.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::app::{Effect, Msg};
use howdah::domain::detail::News;
use howdah::domain::event::{Happening, Transition, What as Happened};
use howdah::domain::facts::Fact;
use howdah::panes::RunEffect;
use howdah::procedure::{Outcome, Run, RunId};
use howdah::ui::Depth;
use scenario::outside::Outside;
use scenario::play::{Play, setup};
use scenario::{ago, key};

const SIZE: (u16, u16) = (120, 36);

/// A walk of the runbook for what pg-orders suffers from most, at its first step.
fn begun(size: (u16, u16)) -> (Play, Outside, RunId) {
    let (mut play, mut outside) = (Play::fresh(size), Outside::default());
    outside.keys(&mut play, "R enter");
    let id = outside.journals.keys().next().expect("a walk was begun").clone();
    (play, outside, id)
}

fn run(outside: &Outside, id: &RunId) -> Run {
    Run::fold(outside.journals[id].clone()).unwrap()
}

#[test]
fn a_reason_leads_to_its_runbook() {
    let (mut play, mut outside) = (Play::fresh(SIZE), Outside::default());
    outside.keys(&mut play, "R");
    assert_eq!(play.model.front(), "runbooks");
    assert_eq!(play.model.chosen(), Some(&key("orders", "pg-orders")));
    insta::assert_snapshot!("offered", play.text());
    // From the topology too; and another cluster's verdict asks for other ones.
    outside.keys(&mut play, "] 2 R");
    assert_eq!(play.model.front(), "runbooks");
    let first = play.text();
    outside.keys(&mut play, "1 end R");
    assert_ne!(play.text(), first);
}

#[test]
fn a_calm_cluster_asks_for_no_runbook() {
    let (mut play, mut outside) = (Play::fresh(SIZE), Outside::default());
    outside.keys(&mut play, "end R");
    assert_eq!(play.model.chosen(), Some(&key("cnpg-database", "pg-primary")));
    assert_eq!(play.model.front(), "fleet");
    assert!(play.text().contains("no reason of its verdict asks for a runbook"), "{}", play.text());
    // Any of them can be walked all the same.
    outside.keys(&mut play, "7");
    assert!(play.text().contains("pg-primary asks for none"), "{}", play.text());
    outside.keys(&mut play, "/");
    play.types("zone");
    outside.keys(&mut play, "enter");
    assert!(play.text().contains("zone-gone") && !play.text().contains("wraparound"), "{}", play.text());
    // It speaks of an instance, and the verdict of none: none in particular is the last choice.
    outside.keys(&mut play, "enter up enter");
    assert!(outside.told(outside.journals.keys().next().unwrap())[0].contains("walk zone-gone"));
}

#[test]
fn a_walk_is_walked_to_its_end() {
    let (mut play, mut outside, id) = begun(SIZE);
    insta::assert_snapshot!("first-step", play.text());
    // Answers by hand where no check decides; else as the check says.
    for _ in 0..40 {
        if run(&outside, &id).closed.is_some() {
            break;
        }
        outside.keys(&mut play, "enter y");
    }
    let walked = run(&outside, &id);
    assert_eq!(walked.closed.map(|(_, outcome)| outcome), Some(Outcome::Failed), "its reasons are still there");
    assert!(play.text().contains("its reasons are still in the verdict"), "{}", play.text());
    insta::assert_snapshot!("walked", play.picture());
    insta::assert_snapshot!("journal", outside.told(&id).join("\n"));
    // Nothing more goes into it, and its steps can be looked at.
    let entries = walked.entries.len();
    outside.keys(&mut play, "y n u N E home");
    assert_eq!(run(&outside, &id).entries.len(), entries);
    assert!(play.text().contains("answered"), "{}", play.text());
}

#[test]
fn an_answer_waits_for_what_was_asked() {
    let (mut play, mut outside) = (Play::fresh(SIZE), Outside { silent: true, ..Outside::default() });
    outside.keys(&mut play, "R enter");
    let id = outside.journals.keys().next().unwrap().clone();
    let asks = outside.asked.len();
    assert!(asks > 0, "the first step asks something: {}", play.text());
    let entries = run(&outside, &id).entries.len();
    outside.keys(&mut play, "enter");
    assert!(play.text().contains("answers are on their way"), "{}", play.text());
    assert_eq!(run(&outside, &id).entries.len(), entries);
    // Asked anew, the answers come, and it goes on.
    outside.silent = false;
    outside.keys(&mut play, "r");
    assert_eq!(outside.asked.len(), asks * 2);
    assert!(play.text().contains("0000000500000002"), "the rows are shown: {}", play.text());
    outside.keys(&mut play, "enter");
    assert!(run(&outside, &id).entries.len() > entries);
}

#[test]
fn notes_are_typed_kept_and_left_as_drafts() {
    let (mut play, mut outside, id) = begun(SIZE);
    outside.keys(&mut play, "N");
    play.types("the key was rotated");
    outside.keys(&mut play, "enter");
    play.types("at 09:12, 予備 q g");
    insta::assert_snapshot!("note", play.text());
    outside.keys(&mut play, "esc");
    assert!(play.text().contains("kept as a draft"), "{}", play.text());
    assert!(outside.told(&id).iter().all(|l| !l.starts_with("noted")));
    // The draft is there again, and is kept now.
    assert_eq!(outside.drafts[&id], "the key was rotated\nat 09:12, 予備 q g");
    outside.keys(&mut play, "N ctrl-s");
    assert!(outside.drafts.is_empty(), "it is in the journal");
    let noted: Vec<_> = outside.told(&id).into_iter().filter(|l| l.starts_with("noted")).collect();
    assert_eq!(noted, ["noted at commits: the key was rotated\nat 09:12, 予備 q g"]);
    assert!(play.text().contains("the key was rotated"), "{}", play.text());
    outside.keys(&mut play, "N");
    assert!(!play.text().contains("A note for the journal ─╮\nthe key"));
    outside.keys(&mut play, "ctrl-s");
    assert_eq!(outside.told(&id).iter().filter(|l| l.starts_with("noted")).count(), 1, "nothing typed, nothing kept");
    assert!(!play.model.leaving());
}

#[test]
fn what_happens_meanwhile_is_journaled_and_recorded() {
    let (mut play, mut outside, id) = begun(SIZE);
    let of = |cluster: &str, what| {
        News::Happening(Happening {
            at: ago(-1),
            context: scenario::CONTEXT.into(),
            cluster: Some(key("orders", cluster)),
            what,
        })
    };
    let pod =
        |change: &str| Happened::Transition(Transition::Pod { instance: "pg-orders-3".into(), change: change.into() });
    let verdict =
        Transition::Verdict { about: "availability".into(), from: "bad".into(), to: "ok".into(), reason: None };
    play.send(Msg::News(vec![of("pg-orders", pod("restarted")), of("another", pod("gone"))]));
    play.send(Msg::News(vec![of("pg-orders", Happened::Transition(verdict))]));
    outside.serve(&mut play);
    let events: Vec<_> = outside.told(&id).into_iter().filter(|l| l.starts_with("event")).collect();
    assert_eq!(events.last().map(String::as_str), Some("event | Pod pg-orders-3: restarted"), "{events:#?}");
    assert!(events.iter().any(|e| e.contains("streams no more")), "what led here began before: {events:#?}");
    assert!(events.iter().all(|e| !e.contains("Verdict") && !e.contains("gone")), "{events:#?}");
    // The record has it, and other runs on the cluster.
    outside.keys(&mut play, "esc b");
    let other = outside.journals.keys().find(|other| **other != id).unwrap().clone();
    play.send(Msg::Clock(ago(-30)));
    outside.keys(&mut play, "e");
    outside.keys(&mut play, "esc up enter e");
    let (name, text) = outside.files.last().expect("a record was written");
    assert_eq!(*name, format!("{other}.md"), "the newest walk is gone on with");
    assert!(text.starts_with("# Incident record") && text.contains("Pod pg-orders-3: restarted"), "{text}");
    assert!(text.contains(&format!("({id})")), "the other walk on the cluster stands in it: {text}");
}

#[test]
fn a_walk_that_was_left_is_taken_up() {
    let (mut play, mut outside, id) = begun(SIZE);
    outside.keys(&mut play, "enter");
    let at = Run::fold(outside.journals[&id].clone()).unwrap().entries.len();
    // Leaving asks nothing: a walk can be left open.
    outside.keys(&mut play, "q");
    assert!(play.model.leaving());
    let mut second = Play::fresh(SIZE);
    second.send(Msg::Clock(ago(-300)));
    second.send(Msg::Facts(scenario::fresh()));
    let mut later = Outside { journals: outside.journals.clone(), ..Outside::default() };
    later.keys(&mut second, "7 /");
    second.types("replication-does");
    later.keys(&mut second, "enter");
    assert!(second.text().contains("left 5m ago"), "{}", second.text());
    later.keys(&mut second, "enter");
    assert!(second.text().contains("step 2 of"), "{}", second.text());
    let told = later.told(&id);
    assert!(
        told[at].starts_with("Resumed") && told[at + 1..].iter().all(|l| !l.starts_with("event")),
        "{:#?}",
        later.told(&id)
    );
    assert_eq!(later.journals.len(), 1);
    // Ended there, it is over.
    later.keys(&mut second, "E down enter");
    assert_eq!(run(&later, &id).closed.map(|(_, outcome)| outcome), Some(Outcome::Left));
}

/// The console is killed in the middle of a word: what was typed until a second ago is there when the walk is taken up.
#[test]
fn a_note_that_was_being_typed_outlives_the_console() {
    let (mut play, mut outside, id) = begun(SIZE);
    outside.keys(&mut play, "N");
    play.types("the key was");
    play.wait(1);
    outside.serve(&mut play);
    play.types(" rotat");
    assert_eq!(outside.drafts[&id], "the key was");
    let puts = |play: &Play| play.effects.iter().filter(|e| matches!(e, Effect::Run(RunEffect::Draft(..)))).count();
    play.wait(5);
    let before = puts(&play);
    play.wait(5);
    assert_eq!(puts(&play), before, "what did not change is not written again");

    let mut second = Play::fresh(SIZE);
    let mut later =
        Outside { journals: outside.journals.clone(), drafts: outside.drafts.clone(), ..Outside::default() };
    later.keys(&mut second, "R enter N");
    assert!(second.text().contains("the key was"), "{}", second.text());
    later.keys(&mut second, "ctrl-s");
    assert!(
        later.drafts.is_empty() && later.told(&id).iter().any(|l| l.contains("the key was")),
        "{:#?}",
        later.told(&id)
    );
}

/// A verdict that changes while one walks is an entry of the journal and a line of the record.
#[test]
fn a_verdict_that_changes_meanwhile_is_journaled() {
    let (mut play, mut outside) = (Play::fresh(SIZE), Outside::default());
    play.keys("/").types("pg-primary").keys("enter");
    outside.keys(&mut play, "7 /");
    play.types("restart-pending");
    outside.keys(&mut play, "enter enter");
    let id = outside.journals.keys().next().expect("a walk was begun").clone();
    let told =
        |outside: &Outside| outside.told(&id).into_iter().filter(|l| l.starts_with("verdict:")).collect::<Vec<_>>();
    play.wait(1);
    outside.serve(&mut play);
    assert_eq!(told(&outside), Vec::<String>::new(), "how it stood at the beginning is no change");
    let worse = scenario::worsened();
    play.send(Msg::Facts(worse));
    outside.serve(&mut play);
    let all = told(&outside);
    assert!(all[0].starts_with("verdict:availability:") && all[0].contains("availability ok → "), "{all:#?}");
    play.wait(1);
    outside.serve(&mut play);
    assert_eq!(told(&outside), all, "each change is told once");
    outside.keys(&mut play, "e");
    let (_, text) = outside.files.last().unwrap();
    assert!(text.contains("| verdict | availability "), "{text}");
}

#[test]
fn a_change_is_offered_and_never_begun_unarmed() {
    let (mut play, mut outside, id) = begun(SIZE);
    outside.keys(&mut play, "X");
    assert!(play.text().contains("this step offers no change"), "{}", play.text());
    let steps = run(&outside, &id).plan.steps;
    let offers = steps.iter().position(|s| s.id.as_str() == "restart-one").expect("a step that offers a restart");
    for _ in 0..offers {
        outside.keys(&mut play, "down");
    }
    insta::assert_snapshot!("offers-a-change", play.text());
    assert!(play.text().contains("CHANGE   howdah act restart"), "{}", play.text());
    outside.keys(&mut play, "X");
    assert_eq!(play.model.front(), "runs", "{}", play.text());
    assert!(play.text().contains("restart pg-orders-3"), "{}", play.text());
    outside.keys(&mut play, "b");
    assert!(play.text().contains("is read-only"), "{}", play.text());
    let changes = |e: &Effect| match e {
        Effect::Run(RunEffect::Begin(plan, _)) => plan.kind != howdah::procedure::Kind::Runbook,
        Effect::Run(RunEffect::Try(..)) => true,
        _ => false,
    };
    assert!(!play.effects.iter().any(changes), "{:?}", play.effects);
}

#[test]
fn a_walk_that_speaks_of_an_instance_asks_of_which() {
    let (mut play, mut outside) = (Play::fresh(SIZE), Outside::default());
    // The verdict names no instance that can't rejoin.
    outside.keys(&mut play, "7 /");
    play.types("standby-cannot-rejoin");
    outside.keys(&mut play, "enter enter");
    assert!(play.text().contains("Which instance is it about?"), "{}", play.text());
    assert!(outside.journals.is_empty());
    outside.keys(&mut play, "down enter");
    let id = outside.journals.keys().next().expect("a walk was begun").clone();
    assert_eq!(run(&outside, &id).plan.parameters["instance"], "pg-orders-2");
    assert!(play.text().contains("about pg-orders-2"), "{}", play.text());
}

#[test]
fn an_open_walk_keeps_nobody_armed() {
    let (mut play, mut outside, _) = begun(SIZE);
    outside.keys(&mut play, "a");
    assert!(play.text().contains("ARMED"), "{}", play.text());
    for minute in 1..=16 {
        play.send(Msg::Clock(ago(-60 * minute)));
        outside.serve(&mut play);
    }
    assert!(play.text().contains("READ-ONLY"), "{}", play.text());
}

#[test]
fn a_cluster_that_is_gone_is_said_to_be() {
    let (mut play, mut outside, id) = begun(SIZE);
    play.send(Msg::Facts(vec![Fact::ClusterGone(key("orders", "pg-orders"))]));
    outside.keys(&mut play, "enter y");
    assert!(play.text().contains("is gone"), "{}", play.text());
    assert!(run(&outside, &id).closed.is_none());
}

#[test]
fn every_size_shows_the_step_and_where_it_leads() {
    for size in [(60, 15), (80, 24), (120, 40), (200, 60)] {
        let (mut play, mut outside, _) = begun(size);
        outside.keys(&mut play, "enter");
        insta::assert_snapshot!(format!("walk-{}x{}", size.0, size.1), play.picture());
    }
}

#[test]
fn without_colour_and_without_signs() {
    let mut plain = setup((100, 30), "default", Depth::None);
    plain.taste.ascii = true;
    let (mut play, mut outside) = (Play::seeing(plain), Outside::default());
    outside.keys(&mut play, "R enter enter");
    // What instances answered stays as it is.
    let odd: Vec<char> = play.text().chars().filter(|c| !c.is_ascii() && !"予備".contains(*c)).collect();
    assert!(odd.is_empty(), "{odd:?}\n{}", play.text());
    insta::assert_snapshot!("walk-plain", play.picture());
}
