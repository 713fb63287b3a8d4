//! The notice bar: one thing that wants to be known now.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::domain::health::Level;
use crate::ui::layout::split_top;
use crate::ui::text::{cut_line, put, put_line, width};
use crate::ui::theme::{Look, Role};

/// Draws a notice with its level's mark; `more` are waiting behind it.
pub fn draw(area: Rect, buf: &mut Buffer, look: &Look, level: Level, text: &str, more: usize) {
    let (area, _) = split_top(area.intersection(buf.area), 1);
    if area.is_empty() {
        return;
    }
    buf.set_style(area, look.style(Role::Overlay));
    let waiting = if more > 0 { format!(" +{more} ") } else { String::new() };
    // What is merely said is no verdict: it has no light.
    let mark = match level {
        Level::Ok => Span::styled(look.marks.cursor, look.style(Role::Info)),
        level => Span::styled(look.marks.level(level), look.level(level)),
    };
    let line = Line::from(vec![Span::raw(" "), mark, Span::raw(format!(" {text}"))]);
    let room = usize::from(area.width).saturating_sub(width(&waiting));
    put_line(buf, area, area.x, area.y, &cut_line(line, room, look.marks.more));
    put(buf, area, area.x + room as u16, area.y, &waiting, look.style(Role::Dim));
}
