//! Practice on the screen: drills with their live picture, report and history, and the faults of a lab; at every size and in
//! every dress.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::app::{Effect, Msg, RunNews};
use howdah::domain::facts::Fact;
use howdah::domain::fault::FaultOrder;
use howdah::panes::RunEffect;
use howdah::procedure::{Entry, Summary};
use howdah::ui::Depth;
use scenario::drill;
use scenario::play::{Play, setup};

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 60)];

/// A console that drives a drill, four seconds after the blow.
fn struck(size: (u16, u16)) -> Play {
    let mut play = Play::fresh(size);
    for msg in drill::under_way() {
        play.send(msg);
    }
    play
}

/// The same drill, over.
fn ended(size: (u16, u16)) -> Play {
    let mut play = struck(size);
    for entry in drill::ended().into_iter().skip(drill::begun().len()) {
        play.send(Msg::Run(RunNews::Entry(drill::run(), entry)));
    }
    play.wait(30);
    play
}

#[test]
fn a_drill_while_writes_fail() {
    for size in SIZES {
        let play = struck(size);
        let text = play.text();
        assert!(text.contains("no write for 4.3 s"), "{text}");
        assert!(text.contains("3,544"), "{text}");
        insta::assert_snapshot!(format!("live-{}x{}", size.0, size.1), play.picture());
    }
}

#[test]
fn a_drill_that_has_ended() {
    for size in SIZES {
        let play = ended(size);
        let text = play.text();
        assert!(text.contains("3.9 s without an acknowledged write"), "{text}");
        insta::assert_snapshot!(format!("report-{}x{}", size.0, size.1), play.picture());
    }
}

/// The stopwatch goes on with the heartbeat, not only with each second.
#[test]
fn the_stopwatch_follows_the_heartbeat() {
    let mut play = struck((120, 40));
    for (ms, words) in [(400, "no write for 4.4 s"), (700, "no write for 4.7 s")] {
        let Fact::Heartbeat(key, pulse) = drill::pulse() else { unreachable!() };
        let mut later = (*pulse).clone();
        later.at = scenario::now() + jiff::SignedDuration::from_millis(ms);
        play.send(Msg::Facts(vec![Fact::Heartbeat(key, std::sync::Arc::new(later))]));
        assert!(play.text().contains(words), "{}", play.text());
    }
}

/// A step that is chosen by hand is shown in full; `back` gives the picture back, then the list.
#[test]
fn a_step_is_looked_at_and_left() {
    let mut play = struck((120, 40));
    play.keys("down");
    assert!(play.text().contains("The outage ends with the first commit"), "{}", play.text());
    play.keys("esc");
    assert!(play.text().contains("no write for"), "{}", play.text());
    play.keys("esc");
    assert!(!play.text().contains("no write for"), "{}", play.text());
}

#[test]
fn without_colour_and_without_signs() {
    let mut plain = setup((120, 40), "default", Depth::None);
    plain.taste.ascii = true;
    let mut play = Play::seeing(plain);
    for msg in drill::under_way() {
        play.send(msg);
    }
    let odd: Vec<char> = play.text().chars().filter(|c| !c.is_ascii()).collect();
    assert!(odd.is_empty(), "{odd:?}");
    insta::assert_snapshot!("live-plain", play.picture());
    for entry in drill::ended().into_iter().skip(drill::begun().len()) {
        play.send(Msg::Run(RunNews::Entry(drill::run(), entry)));
    }
    let odd: Vec<char> = play.text().chars().filter(|c| !c.is_ascii()).collect();
    assert!(odd.is_empty(), "{odd:?}");
    insta::assert_snapshot!("report-plain", play.picture());
    let mut plain = setup((120, 40), "default", Depth::None);
    plain.taste.ascii = true;
    for (name, play) in [("drills", drills(Play::seeing(plain.clone()))), ("lab", lab(Play::seeing(plain)))] {
        let odd: Vec<char> = play.text().chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "{name}: {odd:?}");
        insta::assert_snapshot!(format!("{name}-plain"), play.picture());
    }
}

/// Drills that were done before: their journals are asked for, and read.
fn practised(play: &mut Play) {
    read(play, drill::history());
}

fn read(play: &mut Play, past: Vec<(Summary, Vec<Entry>)>) {
    play.send(drill::listed(&past));
    for (summary, entries) in past {
        let read = Effect::Run(RunEffect::Read(summary.run.clone()));
        assert!(play.effects.contains(&read), "the journal of {} was not asked for", summary.run);
        play.send(Msg::Run(RunNews::Read(summary.run, Ok(entries))));
    }
}

/// The drills of the calm cluster.
fn drills(mut play: Play) -> Play {
    while play.model.chosen() != Some(&drill::cluster()) {
        play.keys("]");
    }
    play.keys("5");
    practised(&mut play);
    play
}

#[test]
fn drills_and_their_history() {
    for size in SIZES {
        let play = drills(Play::fresh(size));
        let text = play.text();
        assert!(text.contains("failover") && text.contains("3.9 s"), "{text}");
        insta::assert_snapshot!(format!("drills-{}x{}", size.0, size.1), play.picture());
    }
}

/// How long a restore took stands in its own words, and is no outage; what would be restored is known from the store.
#[test]
fn restore_drills_and_their_history() {
    for size in SIZES {
        let mut play = Play::fresh(size);
        play.send(Msg::Facts(scenario::backups::stored()));
        while play.model.chosen() != Some(&drill::cluster()) {
            play.keys("]");
        }
        play.keys("5");
        let one = |days, ms, tables| drill::restored(days, ms, tables);
        let mut past = vec![one(1, 5_300, 12), one(8, 4_100, 12), one(15, 4_400, 11)];
        past.extend(drill::history());
        read(&mut play, past);
        play.keys("end");
        let text = play.text();
        assert!(text.contains("restore"), "{text}");
        if size.1 > 15 {
            assert!(text.contains("Restored in 5.3 s, 12 tables the same."), "{text}");
        }
        play.keys("home down down down down");
        insta::assert_snapshot!(format!("drills-restored-{}x{}", size.0, size.1), play.picture());
    }
}

#[test]
fn a_drill_is_planned_with_what_was_chosen() {
    let mut play = drills(Play::fresh((120, 40)));
    play.keys("b T enter");
    let text = play.text();
    assert!(text.contains("pg-primary-1 leads again"), "{text}");
    assert!(!text.contains("drop the heartbeat's table"), "{text}");
    assert!(text.contains("may it begin?"), "{text}");
    // Nothing was sent: the cluster is not armed.
    assert!(play.effects.iter().all(|e| !matches!(e, Effect::Run(RunEffect::Try(..) | RunEffect::Begin(..)))));
}

#[test]
fn an_old_drill_is_opened_as_its_report() {
    let mut play = drills(Play::fresh((120, 40)));
    play.keys("down down down down down down enter");
    assert_eq!(play.model.front(), "runs");
    assert!(play.text().contains("41.0 s without an acknowledged write"), "{}", play.text());
    assert!(play.text().contains("missed"), "{}", play.text());
}

#[test]
fn what_can_not_be_drilled_says_why() {
    let mut play = Play::fresh((120, 40));
    while play.model.chosen() != Some(&scenario::key("billing", "hippo")) {
        play.keys("]");
    }
    play.keys("5");
    assert!(play.text().contains("only CloudNativePG's writes are known"), "{}", play.text());
    play.keys("enter");
    assert!(play.effects.iter().all(|e| !matches!(e, Effect::Run(RunEffect::Try(..)))));
    let mut bad = Play::fresh((120, 40));
    while bad.model.chosen() != Some(&scenario::key("orders", "pg-orders")) {
        bad.keys("]");
    }
    bad.keys("5");
    insta::assert_snapshot!("drills-trouble", bad.text());
    assert_eq!(Play::empty((80, 24)).keys("5").model.front(), "drills");
}

/// A lab in which three faults stand.
fn lab(mut play: Play) -> Play {
    while play.model.chosen() != Some(&drill::cluster()) {
        play.keys("]");
    }
    play.send(Msg::Facts(vec![drill::faults()]));
    play.keys("9");
    play
}

#[test]
fn the_faults_of_a_lab() {
    for size in SIZES {
        let play = lab(Play::fresh(size));
        assert_eq!(play.model.front(), "lab");
        insta::assert_snapshot!(format!("lab-{}x{}", size.0, size.1), play.picture());
    }
}

/// Elsewhere there is no such tab, and who stood on it when its lab went stands on the first one.
#[test]
fn a_lab_is_a_tab_only_where_one_is() {
    let mut play = Play::fresh((120, 40));
    play.keys("9");
    assert!(play.text().contains("there are 8 tabs"), "{}", play.text());
    assert!(!play.text().contains("9 Lab"), "{}", play.text());
    play.keys("8 tab");
    assert_eq!(play.model.front(), "fleet");
    play.keys("shift-tab");
    assert_eq!(play.model.front(), "events");
    let mut play = lab(Play::fresh((120, 40)));
    assert!(play.text().contains("9 Lab"), "{}", play.text());
    play.keys("tab shift-tab");
    assert_eq!(play.model.front(), "lab");
}

#[test]
fn a_fault_is_started_and_stopped_once_armed() {
    let mut play = lab(Play::fresh((120, 40)));
    let asked = |play: &Play| {
        let orders = play.effects.iter().filter_map(|e| match e {
            Effect::Fault(key, order) => Some((key.clone(), order.clone())),
            _ => None,
        });
        orders.collect::<Vec<_>>()
    };
    play.keys("enter");
    assert!(asked(&play).is_empty() && play.text().contains("is read-only"), "{}", play.text());
    play.keys("a enter");
    let start = |kind: &str, instance: Option<&str>| FaultOrder::Start {
        kind: kind.into(),
        instance: instance.map(str::to_owned),
        zone: None,
    };
    assert_eq!(asked(&play), [(drill::cluster(), start("kill-primary", None))]);
    // Where it stands it is stopped; on another standby it is started.
    play.effects.clear();
    play.keys("down enter i i enter");
    let stop = FaultOrder::Stop { name: "a".into() };
    let other = start("freeze-standby", Some("pg-primary-3"));
    assert_eq!(asked(&play), [(drill::cluster(), stop), (drill::cluster(), other)]);
    play.effects.clear();
    play.keys("down down enter");
    assert!(asked(&play).is_empty() && play.text().contains("it is being undone"), "{}", play.text());
}
