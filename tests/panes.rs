//! Every pane at three sizes in four states, as text and as letters of styles.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::app::Msg;
use howdah::ui::Depth;
use scenario::play::{Play, setup};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// Panes, and the keys that lead there: of a cluster with something to see.
const PANES: [(&str, &str); 8] = [
    ("fleet", ""),
    ("topology", "2"),
    ("replication", "3"),
    ("backups", "4"),
    ("drills", "5"),
    ("runs", "6"),
    ("runbooks", "7"),
    ("events", "8"),
];

fn play(state: &str, size: (u16, u16)) -> Play {
    match state {
        "empty" => Play::empty(size),
        "fresh" => Play::fresh(size),
        "stale" => {
            let mut play = Play::fresh(size);
            play.send(Msg::Facts(scenario::late()));
            play.wait(90);
            play
        }
        "failing" => {
            let mut play = Play::fresh(size);
            play.wait(44);
            play.send(Msg::Facts(scenario::failing()));
            play
        }
        _ => unreachable!("no such state: {state}"),
    }
}

fn check(state: &str) {
    for size in SIZES {
        for (pane, keys) in PANES {
            let mut play = play(state, size);
            play.keys(keys);
            let name = format!("{pane}-{state}-{}x{}", size.0, size.1);
            insta::assert_snapshot!(name, play.picture());
        }
    }
}

#[test]
fn fresh() {
    check("fresh");
}

#[test]
fn stale() {
    check("stale");
}

#[test]
fn failing() {
    check("failing");
}

#[test]
fn empty() {
    check("empty");
}

/// What the stores hold was listed: an archive that is whole, one with holes, one that can't be asked any more.
#[test]
fn backups_as_the_stores_hold_them() {
    for size in SIZES {
        let listed = |keys: &str| {
            let mut play = Play::fresh(size);
            play.send(Msg::Facts(scenario::backups::stored()));
            play.keys(keys);
            play
        };
        let name = |state: &str| format!("backups-{state}-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name("whole"), listed("end 4 down").picture());
        insta::assert_snapshot!(name("holes"), listed("4").picture());
        insta::assert_snapshot!(name("day"), listed("end 4 + + +").picture());
        let mut refused = listed("end 4");
        refused.send(Msg::Facts(vec![scenario::backups::refused()]));
        insta::assert_snapshot!(name("refused"), refused.picture());
    }
}

/// A moment to restore to is picked: one that a recovery reaches, one in a gap, a base backup alone, and the new name.
#[test]
fn a_moment_is_picked() {
    for size in SIZES {
        let listed = |keys: &str| {
            let mut play = Play::fresh(size);
            play.send(Msg::Facts(scenario::backups::stored()));
            play.keys(keys);
            play
        };
        let name = |state: &str| format!("picker-{state}-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name("reached"), listed("end 4 r left left").picture());
        insta::assert_snapshot!(name("gap"), listed("4 r home down down right right").picture());
        insta::assert_snapshot!(name("base"), listed("end 4 r up b").picture());
        insta::assert_snapshot!(name("name"), listed("end 4 r left enter").picture());
    }
    let mut plain = setup((120, 40), "default", Depth::None);
    plain.taste.ascii = true;
    let mut play = Play::seeing(plain);
    play.send(Msg::Facts(scenario::backups::stored()));
    play.keys("4 r home down down right right");
    insta::assert_snapshot!("picker-plain", play.picture());
}

/// The schedule editor: as it opens, an expression that would mean something else, a new one, and the plans it makes.
#[test]
fn backups_are_taken_and_schedules_edited() {
    for size in [(60, 15), (80, 24), (120, 40)] {
        let shown = |keys: &str| {
            let mut play = Play::fresh(size);
            play.send(Msg::Facts(scenario::backups::stored()));
            play.keys("end 4").keys(keys);
            play.picture()
        };
        let name = |state: &str| format!("schedules-{state}-{}x{}", size.0, size.1);
        insta::assert_snapshot!(name("open"), shown("S"));
        insta::assert_snapshot!(name("five-fields"), shown("S ctrl-u 1 5 space 3 space * space * space *"));
        insta::assert_snapshot!(
            name("new"),
            shown("S up ctrl-u 0 space 1 5 space * space ? space * space * ctrl-t ctrl-s")
        );
        insta::assert_snapshot!(name("plan"), shown("S ctrl-s enter"));
        insta::assert_snapshot!(name("delete"), shown("S ctrl-d"));
        insta::assert_snapshot!(name("take"), shown("T"));
    }
}

#[test]
fn the_smallest_and_the_too_small() {
    for (pane, keys) in PANES {
        let mut play = Play::fresh((60, 15));
        play.keys(keys);
        insta::assert_snapshot!(format!("{pane}-fresh-60x15"), play.picture());
    }
    insta::assert_snapshot!("too-small", Play::fresh((59, 14)).picture());
}

#[test]
fn without_colour_and_without_signs() {
    let mut plain = setup((120, 40), "default", Depth::None);
    plain.taste.ascii = true;
    for (pane, keys) in PANES {
        let mut play = Play::seeing(plain.clone());
        play.keys(keys);
        let picture = play.picture();
        let odd: Vec<char> =
            play.text().chars().filter(|c| !c.is_ascii() && !"予備バックアップ".contains(*c)).collect();
        assert!(odd.is_empty(), "{pane}: {odd:?}");
        insta::assert_snapshot!(format!("{pane}-plain"), picture);
    }
}

#[test]
fn a_topology_of_any_shape_shows_everybody() {
    for zones in 1..=5 {
        for instances in 0..=9 {
            for size in [(60, 15), (80, 24), (120, 40), (200, 60)] {
                let mut play = Play::empty(size);
                play.send(Msg::Facts(scenario::shaped(zones, instances)));
                play.keys("2");
                let text = play.text();
                let shown = (1..=instances).filter(|n| has(&text, &format!("shape-{n}"))).count();
                // The list of a small screen scrolls; a large one shows all.
                let least = usize::from(if size.1 >= 40 { instances } else { instances.min(3) });
                assert!(shown >= least, "{shown} of {instances} in {zones} zones at {size:?}\n{text}");
            }
        }
    }
}

/// The text has this as a word.
fn has(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|w| w == word)
}
