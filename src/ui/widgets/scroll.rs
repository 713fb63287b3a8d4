//! A scroll bar in the last column of an area, shown only when something is out of sight.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::ops::Range;

use crate::ui::text::put;
use crate::ui::theme::{Look, Role};

/// Draws the part of `total` that is visible as a bar at the right edge.
pub fn upright(area: Rect, buf: &mut Buffer, look: &Look, visible: Range<usize>, total: usize) {
    if area.is_empty() || visible.len() >= total || area.height < 2 {
        return;
    }
    let height = usize::from(area.height);
    let length = (height * visible.len()).div_ceil(total).clamp(1, height - 1);
    let most = total - visible.len();
    let top = (visible.start * (height - length) + most / 2) / most;
    let mark = if look.marks.ascii { "#" } else { "▐" };
    for y in top..(top + length).min(height) {
        put(buf, area, area.right() - 1, area.y + y as u16, mark, look.style(Role::Border));
    }
}
