//! Drills on the screen: the live picture, the report, at every size and in every dress.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::app::{Msg, RunNews};
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
        let howdah::domain::facts::Fact::Heartbeat(key, pulse) = drill::pulse() else { unreachable!() };
        let mut later = (*pulse).clone();
        later.at = scenario::now() + jiff::SignedDuration::from_millis(ms);
        play.send(Msg::Facts(vec![howdah::domain::facts::Fact::Heartbeat(key, std::sync::Arc::new(later))]));
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
}
