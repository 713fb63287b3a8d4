//! What is done through the console, with a played outside: nothing without arming, nothing that was not shown, nothing
//! twice; and how it looks.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::app::{Effect, Msg, RunNews, Taste};
use howdah::domain::backup::Archive;
use howdah::domain::facts::Fact;
use howdah::panes::RunEffect;
use howdah::problem::Problem;
use howdah::procedure::{Protected, What};
use howdah::ui::Depth;
use scenario::outside::Outside;
use scenario::play::{Play, setup};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// A console that stands on the calm cluster.
fn at_pg_primary(size: (u16, u16), taste: Taste) -> (Play, Outside) {
    let plain = setup(size, "default", Depth::True);
    let mut setup = plain.clone();
    setup.taste = Taste { theme: plain.taste.theme, utc: true, ..taste };
    let mut play = Play::seeing(setup);
    play.keys("/").types("pg-primary").keys("enter");
    assert_eq!(play.model.chosen().unwrap().name.as_ref(), "pg-primary");
    (play, Outside::default())
}

fn calm(size: (u16, u16)) -> (Play, Outside) {
    at_pg_primary(size, Taste::default())
}

/// Opens the menu of changes and takes the first that matches.
fn wish(play: &mut Play, outside: &mut Outside, what: &str) {
    outside.keys(play, "x");
    play.types(what);
    outside.keys(play, "enter");
}

fn tries(play: &Play) -> usize {
    play.effects.iter().filter(|e| matches!(e, Effect::Run(RunEffect::Try(..)))).count()
}

fn begins(play: &Play) -> usize {
    play.effects.iter().filter(|e| matches!(e, Effect::Run(RunEffect::Begin(..)))).count()
}

fn last_notice(play: &Play) -> String {
    play.model.notices().last().unwrap_or_default().to_owned()
}

#[test]
fn nothing_is_even_tried_before_it_is_armed() {
    let (mut play, mut outside) = calm((120, 40));
    wish(&mut play, &mut outside, "switch best");
    assert!(
        play.text().contains("may it begin?") && play.text().contains("is read-only. a arms it"),
        "{}",
        play.text()
    );
    outside.keys(&mut play, "b");
    assert!(last_notice(&play).contains("is read-only, a arms it"), "{}", last_notice(&play));
    assert_eq!((tries(&play), begins(&play)), (0, 0));
    outside.keys(&mut play, "a");
    assert_eq!(tries(&play), 1);
    assert!(play.text().contains("yes: rights, premise and dry run are well"), "{}", play.text());
    assert!(play.text().contains("+ status.targetPrimary: pg-primary-2"), "{}", play.text());
    outside.keys(&mut play, "b");
    assert_eq!((begins(&play), outside.performed.as_slice()), (1, ["promote".to_owned()].as_slice()));
}

#[test]
fn armed_is_for_a_while_and_seen_on_every_screen() {
    let (mut play, mut outside) = calm((60, 15));
    outside.keys(&mut play, "a");
    for tab in ["1", "2", "3", "4", "5", "6", "7"] {
        outside.keys(&mut play, tab);
        assert!(play.text().lines().next().unwrap().contains("ARMED 15m"), "{}", play.text());
    }
    play.wait(14 * 60);
    assert!(play.text().contains("ARMED 60s"), "{}", play.text());
    play.wait(60);
    assert!(play.text().contains("READ-ONLY") && !play.text().contains("ARMED"), "{}", play.text());
    outside.keys(&mut play, "a a");
    assert!(play.text().contains("READ-ONLY"), "the same key takes it back: {}", play.text());
}

#[test]
fn a_session_that_is_read_only_stays_so() {
    let (mut play, mut outside) = at_pg_primary((120, 40), Taste { read_only: true, ..Taste::default() });
    outside.keys(&mut play, "a");
    assert!(last_notice(&play).contains("start howdah without --read-only"), "{}", last_notice(&play));
    wish(&mut play, &mut outside, "reload");
    outside.keys(&mut play, "b");
    assert!(last_notice(&play).contains("this session is read-only"), "{}", last_notice(&play));
    assert_eq!((tries(&play), begins(&play)), (0, 0));
}

#[test]
fn a_protected_cluster_asks_for_its_name_twice() {
    let (mut play, mut outside) =
        at_pg_primary((120, 40), Taste { protected: Protected(vec!["aks-*".into()]), ..Taste::default() });
    outside.keys(&mut play, "a");
    play.types("pg-orders");
    outside.keys(&mut play, "enter");
    assert!(play.text().contains("READ-ONLY"), "{}", play.text());
    outside.keys(&mut play, "a");
    play.types("pg-primary");
    outside.keys(&mut play, "enter");
    wish(&mut play, &mut outside, "reload");
    outside.keys(&mut play, "b");
    assert!(outside.performed.is_empty(), "its gate asks for the name too");
    outside.keys(&mut play, "y");
    play.types("pg-primar");
    outside.keys(&mut play, "enter");
    assert!(outside.performed.is_empty());
    outside.keys(&mut play, "y");
    play.types("pg-primary");
    outside.keys(&mut play, "enter");
    assert_eq!(outside.performed.len(), 1);
}

#[test]
fn what_may_not_be_done_is_grey_with_the_missing_verb() {
    let (mut play, mut outside) = calm((120, 40));
    outside.forbidden = vec!["patch".into()];
    outside.keys(&mut play, "x");
    assert!(play.text().contains("you may not patch clusters"), "{}", play.text());
    play.types("reload");
    outside.keys(&mut play, "enter");
    assert!(last_notice(&play).contains("you may not patch"), "{}", last_notice(&play));
    assert!(!play.text().contains("may it begin?"));
}

#[test]
fn a_drill_that_may_not_be_done_is_grey_too() {
    let (mut play, mut outside) = calm((120, 40));
    outside.forbidden = vec!["delete".into()];
    // What is not known yet is not grey.
    play.keys("5");
    assert!(!play.text().contains("you may not"), "{}", play.text());
    outside.serve(&mut play);
    let text = play.text();
    let offer = |name: &str| text.lines().find(|l| l.contains(&format!(" {name} "))).unwrap();
    for name in ["failover", "standby loss"] {
        assert!(offer(name).contains("○ you may not delete pods in"), "{text}");
    }
    assert!(offer("switchover").contains("● from pg-primary-1 to"), "{text}");
    outside.keys(&mut play, "a enter");
    assert!(last_notice(&play).contains("you may not delete pods in"), "{}", last_notice(&play));
    assert_eq!((tries(&play), begins(&play)), (0, 0), "it is not even looked at");

    // The answers are kept for a while; then it is asked again, and what was granted meanwhile is seen.
    let asked = |play: &Play| play.effects.iter().filter(|e| matches!(e, Effect::Run(RunEffect::Rights(..)))).count();
    assert_eq!(asked(&play), 1);
    outside.forbidden.clear();
    play.wait(20);
    outside.serve(&mut play);
    assert_eq!(asked(&play), 1);
    play.wait(60);
    outside.serve(&mut play);
    assert_eq!(asked(&play), 2);
    assert!(!play.text().contains("you may not"), "{}", play.text());
    outside.keys(&mut play, "enter");
    assert!(play.text().contains("may it begin?"), "{}", play.text());
}

#[test]
fn a_refusal_asks_and_every_answer_has_its_key() {
    let (mut play, mut outside) = calm((120, 40));
    outside.refusal = Some(Problem::new("the API refused it").because("a webhook objects"));
    outside.keys(&mut play, "a");
    wish(&mut play, &mut outside, "reload");
    outside.keys(&mut play, "b");
    let text = play.text();
    for sign in ["is asked", "a webhook objects", "r do it once more", "l end the run and leave things as they are"] {
        assert!(text.contains(sign), "{sign}: {text}");
    }
    outside.keys(&mut play, "y");
    assert!(last_notice(&play).contains("the run does not ask that now"), "{}", last_notice(&play));
    outside.keys(&mut play, "r");
    assert_eq!(outside.performed.len(), 2, "once more, by a person's word");
    outside.keys(&mut play, "l");
    let (id, journal) = outside.journals.iter().next().unwrap();
    assert!(matches!(journal.last().unwrap().what, What::Closed { .. }), "{:#?}", outside.told(id));
    assert_eq!(outside.released, std::slice::from_ref(id));
}

#[test]
fn leaving_asks_while_a_run_is_under_way() {
    let (mut play, mut outside) = calm((120, 40));
    outside.keys(&mut play, "a");
    wish(&mut play, &mut outside, "switch best");
    outside.keys(&mut play, "b");
    assert!(play.text().contains("switchover"), "the header names it: {}", play.text());
    outside.keys(&mut play, "a");
    assert!(last_notice(&play).contains("stays armed: a run is under way"), "{}", last_notice(&play));
    outside.keys(&mut play, "1 q");
    assert!(play.text().contains("A run is under way") && !play.model.leaving(), "{}", play.text());
    outside.keys(&mut play, "enter");
    assert!(!play.model.leaving(), "the first choice stays");
    // Time alone does not disarm what is under way.
    play.wait(20 * 60);
    assert!(play.text().contains("ARMED"), "{}", play.text());
    outside.keys(&mut play, "q");
    play.types("leave now");
    outside.keys(&mut play, "enter");
    assert!(play.model.leaving());
}

#[test]
fn a_journal_that_can_t_be_written_ends_all_doing() {
    let (mut play, mut outside) = calm((120, 40));
    outside.keys(&mut play, "a");
    wish(&mut play, &mut outside, "switch best");
    outside.keys(&mut play, "b");
    let id = outside.journals.keys().next().unwrap().clone();
    play.send(Msg::Run(RunNews::Broken(id, Problem::new("the journal can't be written").because("no space left"))));
    let before = play.effects.len();
    play.wait(5);
    assert!(
        !play.effects[before..].iter().any(|e| matches!(e, Effect::Run(RunEffect::Perform(..) | RunEffect::Write(..))))
    );
    assert!(play.text().contains("no space left"), "{}", play.text());
}

#[test]
fn pictures() {
    for size in SIZES {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let (mut play, mut outside) = calm(size);
        outside.keys(&mut play, "x");
        insta::assert_snapshot!(name("menu"), play.picture());
        outside.keys(&mut play, "esc");
        wish(&mut play, &mut outside, "switch best");
        insta::assert_snapshot!(name("plan-read-only"), play.picture());
        outside.keys(&mut play, "a");
        insta::assert_snapshot!(name("plan-armed"), play.picture());
        outside.keys(&mut play, "b");
        insta::assert_snapshot!(name("run-under-way"), play.picture());
        let (mut play, mut outside) = calm(size);
        outside.refusal = Some(Problem::new("the API refused it").because("a webhook objects"));
        outside.keys(&mut play, "a");
        wish(&mut play, &mut outside, "reload");
        outside.keys(&mut play, "b");
        insta::assert_snapshot!(name("run-asks"), play.picture());
        outside.keys(&mut play, "l");
        insta::assert_snapshot!(name("run-ended"), play.picture());
        outside.keys(&mut play, "esc");
        insta::assert_snapshot!(name("runs"), play.picture());
    }
    let (mut play, mut outside) = calm((60, 15));
    outside.keys(&mut play, "a");
    wish(&mut play, &mut outside, "switch best");
    insta::assert_snapshot!("plan-armed-60x15", play.picture());
}

#[test]
fn a_backup_that_may_not_be_taken_is_refused_with_the_missing_verb() {
    let (mut play, mut outside) = calm((120, 40));
    outside.forbidden = vec!["create".into()];
    outside.keys(&mut play, "4 T");
    assert!(last_notice(&play).contains("you may not create backups"), "{}", last_notice(&play));
    outside.keys(&mut play, "S enter");
    assert!(last_notice(&play).contains("you may not create scheduledbackups"), "{}", last_notice(&play));
    assert!(play.text().contains("Schedules of pg-primary"), "what was typed stays: {}", play.text());
    outside.keys(&mut play, "esc");
    assert!(!play.text().contains("Schedules of"), "{}", play.text());

    let (mut play, mut outside) = calm((120, 40));
    outside.keys(&mut play, "4 T");
    assert!(play.text().contains("may it begin?"), "{}", play.text());
    outside.keys(&mut play, "a b");
    assert_eq!(outside.performed, ["backup"]);
}

/// The moment is picked on the time line, the new cluster named, its plan shown; armed and begun, the manifest is sent.
#[test]
fn a_restore_from_the_time_line() {
    let (mut play, mut outside) = calm((120, 40));
    play.send(Msg::Facts(scenario::backups::stored()));
    outside.keys(&mut play, "4 r left");
    assert!(play.text().contains("can be recovered") && play.text().contains("09:41:00 UTC"), "{}", play.text());
    outside.keys(&mut play, "e ctrl-u");
    play.types("2026-11-20 09:00:00");
    outside.keys(&mut play, "enter");
    assert!(last_notice(&play).contains("has no time zone"), "{}", last_notice(&play));
    play.types("+01:00");
    outside.keys(&mut play, "enter enter");
    assert!(play.text().contains("2026-11-20 08:00:00 UTC"), "{}", play.text());
    play.types(" instances=1");
    outside.keys(&mut play, "enter");
    let text = play.text();
    assert!(text.contains("restore pg-primary to 2026-11-20T08:00:00Z as pg-primary-restored"), "{text}");
    assert!(text.contains("is read-only. a arms it"), "{text}");
    assert_eq!((tries(&play), begins(&play)), (0, 0));
    outside.keys(&mut play, "a b");
    assert_eq!((tries(&play), begins(&play), outside.performed.as_slice()), (1, 1, ["create".to_owned()].as_slice()));
    let watched = play.effects.iter().rev().find_map(|e| match e {
        Effect::Focus(keys) => Some(keys.clone()),
        _ => None,
    });
    let new = scenario::key("cnpg-database", "pg-primary-restored");
    assert!(watched.unwrap().contains(&new), "what is made is looked at closely");
    outside.keys(&mut play, "4 esc");
    assert!(play.text().contains("backups"), "{}", play.text());
}

/// The restore drill: its plan is made once the source's object was read; armed and begun, the first markers are written.
#[test]
fn a_restore_drill_from_its_offer() {
    let (mut play, mut outside) = calm((120, 40));
    play.send(Msg::Facts(scenario::backups::stored()));
    outside.keys(&mut play, "5 down down down down");
    assert!(play.text().contains("● out of base backup 20261121T084430"), "{}", play.text());
    outside.keys(&mut play, "enter");
    let text = play.text();
    assert!(text.contains("restore drill of pg-primary: pg-primary-drill-1121094130 is made of its backups"), "{text}");
    assert!(text.contains("is read-only. a arms it"), "{text}");
    assert_eq!((tries(&play), begins(&play)), (0, 0));
    outside.keys(&mut play, "a");
    let tried = play.effects.iter().find_map(|e| match e {
        Effect::Run(RunEffect::Try(_, plan)) => Some(serde_json::to_string(plan).unwrap()),
        _ => None,
    });
    assert!(tried.unwrap().contains(r#""name":"pg-primary-drill-1121094130""#), "the manifest is in the plan");
    outside.keys(&mut play, "b");
    assert_eq!((tries(&play), begins(&play)), (1, 1));
    assert_eq!(outside.performed.first().map(String::as_str), Some("mark"));
}

/// Asked again, its source is read again.
#[test]
fn a_restore_drill_is_planned_anew() {
    let (mut play, mut outside) = calm((120, 40));
    play.send(Msg::Facts(scenario::backups::stored()));
    outside.keys(&mut play, "5 down down down down enter");
    play.wait(5);
    outside.keys(&mut play, "r");
    let read = play.effects.iter().filter(|e| matches!(e, Effect::Run(RunEffect::Ground(_)))).count();
    assert_eq!(read, 2);
    assert!(play.text().contains("pg-primary-drill-1121094135 is made"), "{}", play.text());
}

#[test]
fn a_restore_drill_that_can_t_be_done_says_why() {
    let offer = |play: &Play| {
        let text = play.text();
        text.lines().find(|l| l.contains(" restore ")).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let refused = |play: &mut Play, outside: &mut Outside| {
        outside.keys(play, "end enter");
        assert!(play.effects.iter().all(|e| !matches!(e, Effect::Run(RunEffect::Ground(_)))), "it is not even read");
        last_notice(play)
    };
    // The missing verb.
    let (mut play, mut outside) = calm((120, 40));
    play.send(Msg::Facts(scenario::backups::stored()));
    outside.forbidden = vec!["create".into()];
    outside.keys(&mut play, "5");
    assert!(offer(&play).contains("○ you may not create clusters"), "{}", play.text());
    assert!(refused(&mut play, &mut outside).contains("you may not create clusters"), "{}", last_notice(&play));
    // The store was not listed.
    let (mut play, mut outside) = calm((200, 60));
    outside.keys(&mut play, "5");
    assert!(offer(&play).contains("✖ the object store was not listed"), "{}", play.text());
    assert!(refused(&mut play, &mut outside).contains("the object store was not listed"), "{}", last_notice(&play));
    // It is empty, and was listed to its end.
    let (mut play, mut outside) = calm((200, 60));
    let mut facts = scenario::backups::stored();
    for fact in &mut facts {
        if let Fact::Store(_, listing) = fact {
            std::sync::Arc::make_mut(listing).archive = Archive::default();
        }
    }
    play.send(Msg::Facts(facts));
    outside.keys(&mut play, "5");
    assert!(offer(&play).contains("✖ there is no base backup in the store"), "{}", play.text());
    assert!(refused(&mut play, &mut outside).contains("there is no base backup"), "{}", last_notice(&play));
    // Nothing is archived at all.
    let (mut play, mut outside) = calm((200, 60));
    for fact in scenario::fresh() {
        if let Fact::Cluster(mut cluster) = fact
            && Some(&cluster.key) == play.model.chosen()
        {
            std::sync::Arc::make_mut(&mut cluster).archiving.by = None;
            play.send(Msg::Facts(vec![Fact::Cluster(cluster)]));
            break;
        }
    }
    outside.keys(&mut play, "5");
    assert!(offer(&play).contains("✖ no object store is configured: WAL is archived nowhere"), "{}", play.text());
    assert!(refused(&mut play, &mut outside).contains("WAL is archived nowhere"), "{}", last_notice(&play));
}
