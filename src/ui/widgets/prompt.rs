//! One line that is being typed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::ui::layout::split_top;
use crate::ui::text::{put, width, width_of};
use crate::ui::theme::{Look, Role};

/// Draws a label and the text, scrolled so that the cursor (counted in characters) is visible. Returns the cell where
/// the terminal's cursor belongs.
pub fn draw(area: Rect, buf: &mut Buffer, look: &Look, label: &str, text: &str, cursor: usize) -> Option<Position> {
    let (area, _) = split_top(area.intersection(buf.area), 1);
    if area.is_empty() {
        return None;
    }
    let x = put(buf, area, area.x, area.y, label, look.style(Role::Key));
    let room = usize::from(area.right().saturating_sub(x)).checked_sub(1)?;
    let before: String = text.chars().take(cursor).collect();
    let mut skip = 0;
    let mut hidden = width(&before);
    for c in before.chars() {
        if hidden <= room {
            break;
        }
        hidden -= width_of(c);
        skip += 1;
    }
    let shown: String = text.chars().skip(skip).collect();
    put(buf, area, x, area.y, &shown, look.style(Role::Title));
    Some(Position { x: (x + hidden as u16).min(area.right() - 1), y: area.y })
}
