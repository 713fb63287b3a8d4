//! The shipped keymaps reach every command; a person's own is used or refused with its place.

use super::file::read;
use super::*;
use crate::ui::chord::parse_keys;

/// Commands without a key in some shipped keymap: the palette has them.
const UNBOUND: &[Command] = &[];

fn keys(text: &str) -> Vec<Chord> {
    parse_keys(text).unwrap()
}

#[test]
fn shipped_keymaps_have_no_mistakes() {
    let files: Vec<_> = set::shipped_files().collect();
    let wrong: Vec<_> = files.iter().flat_map(|(f, text)| read(f, text).1).map(|m| m.to_string()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let again = files.iter().map(|(f, text)| (f.clone(), (*text).to_owned()));
    let (maps, wrong) = Keymaps::with(again);
    assert_eq!(wrong, []);
    assert_eq!(maps.names().count(), files.len());
}

#[test]
fn every_command_is_bound_or_listed() {
    for name in Keymaps::shipped().names() {
        let map = Keymaps::shipped().or_default(name);
        for c in Command::ALL {
            let reachable = Scope::ALL.iter().any(|s| map.shown(*s, *c).is_some());
            assert_eq!(reachable, !UNBOUND.contains(c), "{name}: {}", c.name());
        }
    }
}

#[test]
fn nearer_scopes_win_and_prefixes_wait() {
    let map = Keymaps::shipped().or_default("default");
    assert_eq!(map.find(Scope::Fleet, &keys("q")), Found::Command(Command::Quit));
    assert_eq!(map.find(Scope::Detail, &keys("q")), Found::Command(Command::Back));
    assert_eq!(map.find(Scope::Fleet, &keys("g")), Found::Prefix);
    assert_eq!(map.find(Scope::Fleet, &keys("g g")), Found::Command(Command::First));
    assert_eq!(map.find(Scope::Fleet, &keys("g x")), Found::Nothing);
    assert_eq!(map.find(Scope::Prompt, &keys("q")), Found::Nothing, "a typed line gets its letters");
    let next = map.continuations(Scope::Fleet, &keys("t"));
    assert!(next.contains(&Continuation { key: Chord::char('u'), command: Some(Command::ToggleUtc) }));
    assert_eq!(map.shown(Scope::Fleet, Command::Suspend).as_deref(), Some("^Z"));
    assert_eq!(map.shown(Scope::Detail, Command::Filter), None, "search has its key there");
    assert_eq!(map.all_shown(Scope::Fleet, Command::Up), ["↑", "k"]);
    let words = Keymap { signs: false, ..map };
    assert_eq!(words.shown(Scope::Fleet, Command::Up).as_deref(), Some("up"));
}

fn own(text: &str) -> (Keymaps, Vec<String>) {
    let (maps, wrong) = Keymaps::with([("mine.toml".to_owned(), text.to_owned())]);
    (maps, wrong.iter().map(|m| m.line()).collect())
}

#[test]
fn a_keymap_of_ones_own_changes_some_keys() {
    let (maps, wrong) = own("inherits = \"default\"\n[global]\n\"Q\" = \"quit\"\n\"q\" = false");
    assert_eq!(wrong, Vec::<String>::new());
    let mine = maps.get("mine").unwrap();
    assert_eq!(mine.find(Scope::Fleet, &keys("Q")), Found::Command(Command::Quit));
    assert_eq!(mine.find(Scope::Fleet, &keys("q")), Found::Nothing);
    assert_eq!(mine.find(Scope::Fleet, &keys("?")), Found::Command(Command::Help));
}

#[test]
fn every_mistake_has_its_place_and_the_whole_file_is_refused() {
    let text = "inherits = \"default\"\n[globul]\n[global]\n\"x\" = \"quti\"\n\"crtl-x\" = \"quit\"\n\"F\" = \"freeze\"\n\"z\" = 1";
    let (maps, wrong) = own(text);
    assert!(maps.get("mine").is_none());
    assert_eq!(maps.or_default("mine").name, "default");
    assert_eq!(
        wrong,
        [
            "mine.toml:2:2: no such section: `globul`; did you mean `global`?",
            "mine.toml:4:7: no such command: `quti`; did you mean `quit`?",
            "mine.toml:5:1: `crtl-` is no modifier: use ctrl-, alt- or shift-",
            "mine.toml:6:7: `freeze` means nothing in [global]; it belongs to [replication]",
            "mine.toml:7:7: expected a command in quotes, or false to unbind, found an integer",
        ]
    );
}

#[test]
fn hidden_keys_are_mistakes() {
    let (_, wrong) = own("inherits = \"default\"\n[fleet]\n\"g\" = \"yaml\"\n");
    assert!(wrong.iter().any(|w| w.contains("is hidden by `g` of [fleet]: the shorter is taken first")), "{wrong:?}");
    let (_, wrong) = own("[list]\n\"x\" = \"up\"\n[fleet]\n\"x x\" = \"down\"\n");
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].starts_with("mine.toml:2:1: `x` (up) is hidden by `x x` of [fleet]"), "{wrong:?}");
    let (_, wrong) = own("[list]\n\"ctrl-x\" = \"up\"\n\"control-x\" = \"down\"\n");
    assert_eq!(wrong, ["mine.toml:3:1: `ctrl-x` is bound twice in [list]"]);
}

#[test]
fn what_is_written_out_is_read_back() {
    for name in Keymaps::shipped().names() {
        let map = Keymaps::shipped().or_default(name);
        let (maps, wrong) = Keymaps::with([(format!("{name}.toml"), map.toml())]);
        assert_eq!(wrong, []);
        let read = maps.get(name).unwrap();
        for scope in Scope::ALL {
            assert_eq!(read.bindings(*scope).collect::<Vec<_>>(), map.bindings(*scope).collect::<Vec<_>>(), "{name}");
        }
        assert_eq!(map.markdown().matches("| `quit` |").count(), 1);
    }
}
