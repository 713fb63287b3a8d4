//! The line at the bottom: keys that work here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use std::ops::Range;

use crate::command::{Command, Scope};
use crate::ui::keymap::Keymap;
use crate::ui::layout::split_top;
use crate::ui::text::{put, put_line, width};
use crate::ui::theme::{Look, Role};

/// A key and what it does, in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// What it does; a click on the hint does it too.
    pub command: Command,
    /// The keys as they are shown.
    pub keys: String,
    /// In a word.
    pub word: String,
}

/// Hints for these commands where `focus` has the focus; those without a key are left out.
pub fn of(keymap: &Keymap, focus: Scope, commands: &[(Command, &str)]) -> Vec<Hint> {
    let hint = |(command, word): &(Command, &str)| {
        Some(Hint { command: *command, keys: both(keymap, focus, *command)?, word: (*word).to_owned() })
    };
    commands.iter().filter_map(hint).collect()
}

/// The command's key, together with its opposite's where both are one sign: `↑↓`.
fn both(keymap: &Keymap, focus: Scope, command: Command) -> Option<String> {
    use Command::{Down, ScrubLeft, ScrubRight, Up};
    let key = keymap.shown(focus, command)?;
    let pair = [(Up, Down), (ScrubLeft, ScrubRight)].into_iter().find(|(a, b)| command == *a || command == *b);
    let pair = pair.and_then(|(a, b)| Some((keymap.shown(focus, a)?, keymap.shown(focus, b)?)));
    Some(match pair {
        Some((a, b)) if width(&a) == 1 && width(&b) == 1 => format!("{a}{b}"),
        _ => key,
    })
}

/// Draws as many hints as there is room for, and a summary at the right.
pub fn draw(area: Rect, buf: &mut Buffer, look: &Look, hints: &[Hint], right: &Line<'_>) {
    let (area, _) = split_top(area.intersection(buf.area), 1);
    if area.is_empty() {
        return;
    }
    let right_width = (right.width() as u16).min(area.width);
    for (hint, place) in hints.iter().zip(places(area, hints, right_width)) {
        let x = put(buf, area, place.start, area.y, &hint.keys, look.style(Role::Key));
        put(buf, area, x + 1, area.y, &hint.word, look.style(Role::Dim));
    }
    put_line(buf, area, area.right() - right_width, area.y, right);
}

/// The hint at a column of the area, given the width of the summary at the right.
pub fn at(area: Rect, hints: &[Hint], right_width: u16, x: u16) -> Option<&Hint> {
    let n = places(area, hints, right_width).iter().position(|p| p.contains(&x))?;
    hints.get(n)
}

/// Columns of the hints that fit.
fn places(area: Rect, hints: &[Hint], right_width: u16) -> Vec<Range<u16>> {
    let end = area.right().saturating_sub(right_width + u16::from(right_width > 0) * 2);
    let mut x = area.x.saturating_add(1);
    let mut out = Vec::new();
    for h in hints {
        let next = x.saturating_add((width(&h.keys) + 1 + width(&h.word)) as u16);
        if next > end {
            break;
        }
        out.push(x..next);
        x = next + 2;
    }
    out
}
