//! The pictures of the manual, drawn from the real views. `make screenshots` writes
//! them anew; without it a picture that differs from the committed one fails.

#[expect(dead_code, reason = "a part of the world is enough here")]
mod scenario;

use howdah::ui::Depth;
use howdah::ui::screenshot::{Svg, svg};
use ratatui::style::Color;
use scenario::outside::Outside;
use scenario::play::{Play, setup};
use std::path::Path;

/// Pane, and the keys that lead to it.
const PANES: [(&str, &str); 8] = [
    ("fleet", ""),
    ("topology", "end 2"),
    ("trouble", "2"),
    ("replication", "end 3"),
    ("runbooks", "5"),
    ("walk", "R enter enter"),
    ("events", "6"),
    ("palette", "2 :"),
];

fn picture(pane: &str, keys: &str, theme: &str, size: (u16, u16)) -> String {
    let mut play = Play::seeing(setup(size, theme, Depth::True));
    Outside::default().keys(&mut play, keys);
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
        for (pane, keys) in PANES {
            let file = folder.join(format!("{pane}-{theme}.svg"));
            let now = picture(pane, keys, theme, (120, 36));
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
