//! What may follow the keys pressed so far.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::dialog;
use crate::command::Scope;
use crate::ui::chord::{Chord, show_keys};
use crate::ui::keymap::Keymap;
use crate::ui::layout::split_bottom;
use crate::ui::text::{cut, put, width};
use crate::ui::theme::{Look, Role};

/// Draws a window at the bottom of the area with each possible next key. Draws nothing when nothing is pending.
pub fn draw(area: Rect, buf: &mut Buffer, look: &Look, keymap: &Keymap, focus: Scope, pending: &[Chord]) {
    let next = keymap.continuations(focus, pending);
    if pending.is_empty() || next.is_empty() {
        return;
    }
    let item = |c: &super::super::keymap::Continuation| {
        (c.key.to_string(), c.command.map_or_else(|| look.marks.more.to_owned(), |c| c.title().to_owned()))
    };
    let items: Vec<(String, String)> = next.iter().map(item).collect();
    let widest = items.iter().map(|(k, t)| width(k) + width(t) + 3).max().unwrap_or(0) as u16;
    let columns = (area.width.saturating_sub(4) / widest.max(1)).clamp(1, 4);
    let rows = (items.len() as u16).div_ceil(columns);
    let (_, place) = split_bottom(area.intersection(buf.area), rows + 2);
    let inside = dialog::frame(place, buf, look, &show_keys(pending));
    for (n, (key, title)) in items.iter().enumerate() {
        let (column, row) = (n as u16 / rows, n as u16 % rows);
        if row >= inside.height {
            continue;
        }
        let x = inside.x.saturating_add(column.saturating_mul(widest));
        let x = put(buf, inside, x, inside.y + row, key, look.style(Role::Key));
        let room = usize::from(inside.right().saturating_sub(x + 1));
        put(buf, inside, x + 1, inside.y + row, &cut(title, room, look.marks.more), look.style(Role::Overlay));
    }
}
