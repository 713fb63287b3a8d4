//! The pictures of the manual, drawn from the real views. `make screenshots` writes
//! them anew; without it a picture that differs from the committed one fails.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::app::{Msg, RunNews};
use howdah::ui::Depth;
use howdah::ui::screenshot::{Svg, svg};
use ratatui::style::Color;
use scenario::drill;
use scenario::outside::Outside;
use scenario::play::{Play, setup};
use std::path::Path;

/// Pane, what has happened besides, and the keys that lead to it.
type Picture = (&'static str, fn() -> Vec<Msg>, &'static str);

const PANES: [Picture; 14] = [
    ("fleet", Vec::new, ""),
    ("topology", Vec::new, "end 2"),
    ("trouble", Vec::new, "2"),
    ("replication", Vec::new, "end 3"),
    ("backups", || vec![Msg::Facts(scenario::backups::stored())], "end 4 down"),
    ("holes", || vec![Msg::Facts(scenario::backups::stored())], "4"),
    ("runbooks", Vec::new, "7"),
    ("walk", Vec::new, "R enter enter"),
    ("events", Vec::new, "8"),
    ("palette", Vec::new, "2 :"),
    ("drills", practised, "end 5"),
    ("drill", drill::under_way, ""),
    ("report", over, ""),
    ("lab", || vec![Msg::Facts(vec![drill::faults()])], "end 9 down i"),
];

/// Drills that were done before.
fn practised() -> Vec<Msg> {
    let past = drill::history();
    let listed = drill::listed(&past);
    let read = past.into_iter().map(|(summary, entries)| Msg::Run(RunNews::Read(summary.run, Ok(entries))));
    std::iter::once(listed).chain(read).collect()
}

/// A drill that has ended.
fn over() -> Vec<Msg> {
    let rest = drill::ended().into_iter().skip(drill::begun().len());
    drill::under_way().into_iter().chain(rest.map(|entry| Msg::Run(RunNews::Entry(drill::run(), entry)))).collect()
}

fn picture((pane, happened, keys): Picture, theme: &str, size: (u16, u16)) -> String {
    let mut play = Play::seeing(setup(size, theme, Depth::True));
    for msg in happened() {
        play.send(msg);
    }
    Outside { done: play.effects.len(), ..Outside::default() }.keys(&mut play, keys);
    let title = format!("howdah: {pane}, theme {theme}");
    svg(
        &play.buffer(),
        &Svg { title: &title, foreground: Color::Rgb(205, 214, 224), background: Color::Rgb(17, 21, 28) },
    )
}

#[test]
fn pictures_are_what_the_console_looks_like() {
    let update = std::env::var_os("HOWDAH_WRITE_SCREENSHOTS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    let mut old = Vec::new();
    for theme in ["default", "light"] {
        for one in PANES {
            let file = folder.join(format!("{}-{theme}.svg", one.0));
            let now = picture(one, theme, (120, 36));
            if update {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&file, now).unwrap();
            } else if std::fs::read_to_string(&file).unwrap_or_default() != now {
                old.push(file.display().to_string());
            }
        }
    }
    assert!(old.is_empty(), "pictures are out of date (make screenshots writes them): {old:#?}");
}
