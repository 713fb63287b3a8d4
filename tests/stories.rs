//! Stories: a world, some keys, a picture; and what must hold of any session.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::app::recording::{Recorder, read, replay};
use howdah::app::{Done, Effect, Model, Msg, Taste, update, view};
use howdah::domain::detail::{DetailNews, LogLine, News, Subject};
use howdah::domain::facts::Fact;
use howdah::domain::source::SourceId;
use howdah::problem::Problem;
use howdah::ui::{Chord, Input, Mouse, MouseAct, screenshot};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use scenario::play::Play;
use scenario::{ago, key};

const SIZE: (u16, u16) = (100, 30);

fn subject(effects: &[Effect]) -> Subject {
    let watched = effects.iter().rev().find_map(|e| match e {
        Effect::Watch(subject) => Some(subject.clone()),
        _ => None,
    });
    watched.expect("something is watched")
}

#[test]
fn enter_opens_the_cluster_one_stands_on() {
    let mut play = Play::fresh(SIZE);
    play.keys("down enter");
    assert_eq!(play.model.front(), "topology");
    assert_eq!(play.model.chosen(), Some(&key("billing", "hippo")));
    assert!(play.effects.contains(&Effect::Focus(vec![key("billing", "hippo")])), "{:?}", play.effects);
    assert!(play.text().contains("hippo-a-7x2k"));
    play.keys("esc");
    assert_eq!(play.model.front(), "fleet");
}

#[test]
fn the_selection_stays_on_its_cluster_when_the_order_changes() {
    let mut play = Play::fresh(SIZE);
    play.keys("down");
    let chosen = play.model.chosen().cloned();
    play.keys("s s S");
    assert_eq!(play.model.chosen().cloned(), chosen);
    assert!(play.text().contains("▸ ▲  billing/hippo"), "{}", play.text());
}

#[test]
fn a_filter_narrows_and_escape_widens() {
    let mut play = Play::fresh(SIZE);
    play.keys("/").types("ord").keys("enter");
    assert!(play.text().contains("1 cluster "), "{}", play.text());
    insta::assert_snapshot!("filtered", play.text());
    play.keys("/").types("zzz");
    assert!(play.text().contains("No cluster matches"), "{}", play.text());
    play.keys("esc");
    assert!(play.text().contains("4 clusters"), "{}", play.text());
}

#[test]
fn typed_letters_are_text_and_no_commands() {
    let mut play = Play::fresh(SIZE);
    play.keys("/").types("q g d");
    assert!(!play.model.leaving());
    assert!(play.effects.iter().all(|e| !matches!(e, Effect::Quit | Effect::Watch(_))));
}

#[test]
fn a_zone_is_asked_about() {
    let mut play = Play::fresh((120, 40));
    play.keys("] ] 2");
    let chosen = play.model.chosen().cloned();
    let first = play.text();
    play.keys("z");
    let second = play.text();
    assert_ne!(first, second);
    assert!(second.contains("were lost now"), "{second}");
    assert_eq!(play.model.chosen().cloned(), chosen);
    insta::assert_snapshot!("zone-asked", second);
}

#[test]
fn logs_are_read_searched_and_followed() {
    let mut play = Play::fresh(SIZE);
    play.keys("2 l");
    let subject = subject(&play.effects);
    assert!(matches!(&subject, Subject::Logs { container, previous: false, .. } if container == "postgres"));
    let line = |n: i64, level: &str, text: &str| LogLine {
        at: Some(ago(600 - n)),
        level: Some(level.into()),
        logger: Some("postgres".into()),
        text: text.into(),
    };
    let mut lines: Vec<_> = (0..60).map(|n| line(n, "info", &format!("checkpoint starting: time {n}"))).collect();
    lines.push(line(61, "warning", "archive command failed with exit code 2 größer 予備"));
    lines.push(line(62, "error", "could not send data to client: Broken pipe"));
    play.send(Msg::News(vec![News::Detail(subject.clone(), DetailNews::Lines(lines))]));
    insta::assert_snapshot!("log-followed", play.text());
    assert!(play.text().contains("Broken pipe"));
    play.keys("/").types("größer").keys("enter");
    insta::assert_snapshot!("log-searched", play.picture());
    play.keys("esc v v");
    assert!(!play.text().contains("archive command"), "{}", play.text());
    assert!(play.text().contains("1 lines"), "{}", play.text());
    play.keys("q");
    assert!(play.effects.contains(&Effect::Unwatch(subject.clone())));
    // What comes late for a closed text is nobody's.
    play.send(Msg::News(vec![News::Detail(subject, DetailNews::Lines(vec![line(1, "info", "late")]))]));
    assert_eq!(play.model.front(), "topology");
}

#[test]
fn yaml_of_what_is_selected() {
    let mut play = Play::fresh(SIZE);
    play.keys("y");
    let subject = subject(&play.effects);
    assert!(matches!(&subject, Subject::Yaml(object) if object.kind == "Cluster" && object.name == "pg-orders"));
    let text =
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata:\n  name: pg-orders\nspec:\n  instances: 3\n";
    play.send(Msg::News(vec![News::Detail(subject, DetailNews::Text(text.into()))]));
    insta::assert_snapshot!("yaml", play.picture());
    play.keys("c");
    assert!(play.effects.contains(&Effect::Copy(text.trim_end().into())), "{:?}", play.effects.last());
}

#[test]
fn psql_goes_to_the_selected_instance() {
    let mut play = Play::fresh(SIZE);
    play.keys("2 p");
    let to_primary =
        Effect::Psql { cluster: key("orders", "pg-orders"), instance: "pg-orders-2".into(), read_only: true };
    assert!(play.effects.contains(&to_primary), "{:?}", play.effects);
    play.send(Msg::Done(Done::Psql(Some(Problem::new("psql was not found")))));
    assert!(play.text().contains("psql was not found"));
}

#[test]
fn the_graph_is_held_and_read() {
    let mut play = Play::fresh((120, 40));
    play.keys("3");
    play.keys("left left left left left left left left left left");
    insta::assert_snapshot!("scrubbed", play.text());
    let held = play.text();
    play.wait(30);
    let graph = |t: &str| t.lines().skip(2).take(20).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(graph(&held)[1..12], graph(&play.text())[1..12], "a held picture does not move");
    play.keys("e");
    let csv = play.effects.iter().find_map(|e| match e {
        Effect::Export { text, name } => Some((text.clone(), name.clone())),
        _ => None,
    });
    let (csv, name) = csv.expect("an export was asked for");
    assert!(name.starts_with("orders-pg-orders-") && name.ends_with(".csv"), "{name}");
    assert!(csv.starts_with("time,wal_bytes_per_second,"), "{csv}");
    assert!(csv.lines().skip(1).all(|l| l.split(',').count() == csv.lines().next().unwrap().split(',').count()));
}

#[test]
fn every_refused_command_says_why() {
    let mut play = Play::empty(SIZE);
    for (keys, words) in [
        ("enter", "no cluster is shown"),
        ("y", "nothing is selected"),
        ("]", "no other cluster"),
        ("9", "there are 8 tabs"),
        ("x", "no cluster is chosen"),
        ("esc", "nothing to go back to"),
        ("N", "no namespace"),
    ] {
        play.keys(keys);
        assert!(play.text().contains(words), "{keys}: {}", play.text());
    }
    let mut play = Play::fresh(SIZE);
    for (keys, words) in [
        ("2 /", "everything of the cluster is shown"),
        ("3 + + +", "is the shortest"),
        ("- - - - - - -", "is the longest"),
        ("5 s", "order of time"),
        ("1 y n", "nothing was searched for yet"),
        ("f", "this is no log"),
    ] {
        play.keys(keys);
        assert!(play.text().contains(words), "{keys}: {}", play.text());
    }
}

#[test]
fn the_palette_finds_does_and_greys() {
    let mut play = Play::fresh(SIZE);
    play.keys(":").types("theme");
    insta::assert_snapshot!("palette", play.picture());
    play.keys("enter");
    assert!(play.text().contains("theme "), "{}", play.text());
}

#[test]
fn which_key_and_help_come_from_the_keymap() {
    let mut play = Play::fresh(SIZE);
    play.keys("t");
    insta::assert_snapshot!("which-key", play.text());
    play.keys("esc ?");
    insta::assert_snapshot!("help", play.text());
    play.keys("?");
    assert!(play.text().contains("pg-orders"));
}

#[test]
fn sources_tell_and_are_tried_again() {
    let mut play = Play::fresh(SIZE);
    play.send(Msg::Facts(scenario::failing()));
    play.keys("g s");
    insta::assert_snapshot!("sources", play.text());
    play.keys("r");
    let first = SourceId::Kubernetes(scenario::CONTEXT.into());
    assert!(play.effects.contains(&Effect::RetrySource(first)), "{:?}", play.effects);
}

#[test]
fn namespaces_are_chosen() {
    let mut play = Play::fresh(SIZE);
    play.keys("N ctrl-a space enter");
    assert!(play.text().contains("1 cluster "), "{}", play.text());
    assert!(play.text().contains("▸ billing"), "{}", play.text());
    play.keys("0");
    assert!(play.text().contains("4 clusters"), "{}", play.text());
}

#[test]
fn a_verdict_that_changes_is_told_once_and_rings_when_asked() {
    let mut play = Play::fresh(SIZE);
    play.keys("t b 8");
    let before = play.text().matches("Verdict").count();
    let worse = scenario::worsened();
    play.effects.clear();
    play.send(Msg::Facts(worse.clone()));
    assert_eq!(play.text().matches("Verdict").count(), before + 1, "{}", play.text());
    assert!(play.effects.contains(&Effect::Bell));
    play.effects.clear();
    play.send(Msg::Facts(worse));
    assert_eq!(play.text().matches("Verdict").count(), before + 1);
    assert!(!play.effects.contains(&Effect::Bell));
}

#[test]
fn times_are_local_or_utc() {
    let mut setup = scenario::play::setup((120, 30), "default", howdah::ui::Depth::True);
    setup.zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(1));
    let mut play = Play::seeing(setup);
    assert!(play.text().contains("09:41:30 UTC"));
    play.keys("t u");
    assert!(play.text().contains("10:41:30"), "{}", play.text());
}

#[test]
fn a_bad_keymap_is_told_and_the_default_used() {
    let mut play = Play::fresh(SIZE);
    let own = ("mine.toml".to_owned(), "[global]\n\"x\" = \"quti\"\n".to_owned());
    let taste = Taste { keymap: "mine".into(), keymaps: vec![own], utc: true, ..Taste::default() };
    play.send(Msg::Reloaded(Box::new(taste)));
    assert!(play.model.notices().any(|n| n.contains("mine.toml:2") && n.contains("quit")), "{}", play.text());
    play.keys("2");
    assert_eq!(play.model.front(), "topology");
}

#[test]
fn the_mouse_hits_what_it_sees() {
    let mut play = Play::fresh(SIZE);
    let press = |x, y| Msg::Input(Input::Mouse(Mouse { act: MouseAct::Press, x, y }));
    let place = |play: &Play, word: &str| {
        let text = play.text();
        let (y, line) = text.lines().enumerate().find(|(_, l)| l.contains(word)).unwrap();
        let x = line.split(word).next().unwrap().chars().count();
        (x as u16, y as u16)
    };
    let (x, y) = place(&play, "Topology");
    play.send(press(x, y));
    assert_eq!(play.model.front(), "topology");
    let (x, y) = place(&play, "westus3-3");
    play.send(press(x, y));
    assert!(play.text().contains("▸westus3-3"), "{}", play.text());
    play.keys("1");
    let (x, y) = place(&play, "billing/hippo");
    play.send(press(x, y));
    assert_eq!(play.model.chosen(), Some(&key("billing", "hippo")));
    play.send(press(x, y));
    assert_eq!(play.model.front(), "topology", "a second press opens");
    play.keys("1");
    let (x, y) = place(&play, "BACKUP");
    play.send(press(x, y));
    assert!(play.text().contains("BACKUP▾") || play.text().contains("BACKUP▴"), "{}", play.text());
}

#[test]
fn nothing_visible_asks_for_no_frame() {
    let mut play = Play::fresh(SIZE);
    play.model.take_dirty();
    play.send(Msg::Facts(vec![]));
    play.send(Msg::Facts(scenario::fresh().into_iter().filter(|f| matches!(f, Fact::Cluster(_))).collect()));
    assert!(!play.model.take_dirty(), "the same facts change nothing");
    play.keys("down");
    assert!(play.model.take_dirty());
}

#[test]
fn a_session_replays_to_the_same_screen() {
    let mut play = Play::fresh(SIZE);
    play.send(Msg::Facts(scenario::failing()));
    play.keys("down enter z 3 left left u b 4 / p o d enter : t h e m e enter t a 1 s");
    let mut recorder = Recorder::start(Vec::new(), &play.setup).unwrap();
    for msg in &play.messages {
        recorder.add(msg).unwrap();
    }
    let file = recorder.finish().unwrap();
    let (header, messages) = read(file.as_slice()).unwrap();
    assert_eq!(messages, play.messages);
    let (model, effects) = replay(&header, messages);
    let mut buf = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    view(&model, &mut buf);
    assert_eq!(screenshot::styled(&buf), play.picture());
    assert_eq!(effects, play.effects);
    // A recording cut off in its last line still plays.
    let cut = &file[..file.len() - 3];
    assert_eq!(read(cut).unwrap().1.len(), play.messages.len() - 1);
    assert!(read(&b"{}\n"[..]).is_err());
}

fn any_msg() -> impl Strategy<Value = Msg> {
    let all: Vec<Chord> = "abcdefghijklmnopqrstuvwxyzCGLNSZ0123456789/:?+-=[] "
        .chars()
        .map(Chord::char)
        .chain(
            ["enter", "esc", "up", "down", "left", "right", "tab", "backspace", "pageup", "pagedown", "home", "end"]
                .iter()
                .map(|k| k.parse().unwrap()),
        )
        .collect();
    let facts: Vec<Fact> = scenario::fresh().into_iter().chain(scenario::late()).chain(scenario::failing()).collect();
    let gone = Fact::ClusterGone(key("billing", "hippo"));
    prop_oneof![
        12 => prop::sample::select(all).prop_map(|c| Msg::Input(Input::Key(c))),
        3 => (1u16..220, 1u16..70).prop_map(|(w, h)| Msg::Input(Input::Resize(w, h))),
        3 => (0u16..220, 0u16..70, prop::sample::select(vec![MouseAct::Press, MouseAct::WheelDown, MouseAct::WheelUp]))
            .prop_map(|(x, y, act)| Msg::Input(Input::Mouse(Mouse { act, x, y }))),
        2 => ".{0,12}".prop_map(|s| Msg::Input(Input::Paste(s))),
        3 => prop::collection::vec(prop::sample::select(facts), 0..8).prop_map(Msg::Facts),
        1 => Just(Msg::Facts(vec![gone])),
        1 => (0i64..100_000).prop_map(|s| Msg::Clock(ago(600) + jiff::SignedDuration::from_secs(s))),
        1 => prop::sample::select(scenario::happenings()).prop_map(|h| Msg::News(vec![News::Happening(h)])),
        1 => ".{0,30}".prop_map(|s| Msg::Problem(Problem::new(s))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_session_ever_panics(fresh: bool, width in 1u16..220, height in 1u16..70,
                              messages in prop::collection::vec(any_msg(), 0..60)) {
        let mut play = if fresh { Play::fresh((width, height)) } else { Play::empty((width, height)) };
        for msg in messages {
            if let Msg::Input(Input::Resize(w, h)) = &msg {
                play.size = (*w, *h);
            }
            play.send(msg);
            prop_assert_eq!(play.buffer(), play.buffer());
        }
        // A terminal that was just resized may not have told yet: another size than the model's is drawn without harm.
        let mut other = Buffer::empty(Rect::new(0, 0, 61, 16));
        view(&play.model, &mut other);
    }
}

#[test]
fn coming_back_from_psql_tells_no_verdict_that_never_was() {
    let mut play = Play::fresh(SIZE);
    play.keys("8");
    let before = play.text().matches("Verdict").count();
    // Five minutes in psql: the clock jumps, and only then is read what came meanwhile.
    play.send(Msg::Done(Done::Psql(None)));
    play.send(Msg::Clock(ago(-300)));
    assert_eq!(play.text().matches("Verdict").count(), before, "{}", play.text());
    // Silence that goes on is told.
    play.send(Msg::Clock(ago(-301)));
    assert!(play.text().matches("Verdict").count() > before, "{}", play.text());
}

#[test]
fn a_signal_leaves() {
    let mut model = Model::new(scenario::play::setup(SIZE, "default", howdah::ui::Depth::True));
    assert_eq!(update(&mut model, Msg::Quit), [Effect::Quit]);
    assert!(model.leaving());
}
