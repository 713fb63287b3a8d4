//! Settings, themes and keymaps as people write them: the right ones are taken without a word, and of the wrong ones
//! everything is said, with its place. Each folder of `tests/configs/wrong` has what `howdah check` says in
//! `expected`; `UPDATE_EXPECTED=1` writes it anew.

use std::path::{Path, PathBuf};

use howdah::cli::check::tell;
use howdah::settings::{Loaded, Places};
use howdah::ui::keymap::Keymaps;
use howdah::ui::theme::Themes;

fn folders(kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs").join(kind);
    let mut all: Vec<_> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

fn read(folder: &Path) -> (Places, Loaded) {
    let places = Places::find(Some(&folder.join("config.toml")), |name| {
        // Nothing of the machine's own.
        (name == "XDG_STATE_HOME").then(|| "/nowhere".into())
    })
    .unwrap();
    // As when it is found where it usually is: it may be missing.
    let places = Places { named: false, ..places };
    let loaded = Loaded::read(&places);
    (places, loaded)
}

fn report(folder: &Path) -> String {
    let (places, loaded) = read(folder);
    let mut out = Vec::new();
    tell(&mut out, &places, &loaded).unwrap();
    String::from_utf8(out).unwrap().replace(&format!("{}/", folder.display()), "")
}

#[test]
fn right_files_are_taken_without_a_word() {
    for folder in folders("right") {
        let said = report(&folder);
        assert!(said.lines().all(|l| l.starts_with("ok: ")), "{}:\n{said}", folder.display());
        let (_, loaded) = read(&folder);
        let themes = Themes::with(loaded.themes.iter().cloned()).0;
        assert!(themes.get(&loaded.settings.theme).is_some(), "{}", folder.display());
        let keymaps = Keymaps::with(loaded.keymaps.iter().cloned()).0;
        assert!(keymaps.get(&loaded.settings.keymap).is_some(), "{}", folder.display());
    }
}

#[test]
fn of_wrong_files_everything_is_said_with_its_place() {
    let mut differing = Vec::new();
    for folder in folders("wrong") {
        let said = report(&folder);
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(folder.join("expected"), &said).unwrap();
        }
        let expected = std::fs::read_to_string(folder.join("expected")).unwrap_or_default();
        if said != expected {
            differing.push(format!("== {} says\n{said}== and should\n{expected}", folder.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn wrong_files_never_stop_the_console() {
    for folder in folders("wrong") {
        let (_, loaded) = read(&folder);
        assert!(!loaded.all_mistakes().is_empty(), "{}", folder.display());
        let keymap = Keymaps::with(loaded.keymaps.iter().cloned()).0.or_default(&loaded.settings.keymap);
        assert_eq!(keymap.shown(howdah::command::Scope::Fleet, howdah::command::Command::Quit).as_deref(), Some("q"));
    }
}
