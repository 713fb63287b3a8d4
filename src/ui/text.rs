//! Widths and cutting of text on a grid of cells: wide characters take two, combining ones none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells a character takes.
pub fn width_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Cells a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to at most `max` cells, with `…` (or what `more` says) where something is missing.
pub fn cut(text: &str, max: usize, more: &str) -> String {
    if text.width() <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(more.width());
    let mut out = String::new();
    let mut used = 0;
    for g in text.graphemes(true) {
        if used + g.width() > room {
            break;
        }
        used += g.width();
        out.push_str(g);
    }
    if max >= more.width() {
        out.push_str(more);
    }
    out
}

/// The text cut in its middle to at most `max` cells: of names numbered at their end the end is what tells them apart.
/// The last part behind a `-` stays whole where it is not most of the room.
pub fn cut_middle(text: &str, max: usize, more: &str) -> String {
    let room = max.saturating_sub(more.width());
    if text.width() <= max || room < 4 {
        return cut(text, max, more);
    }
    let most = room * 2 / 3;
    let tail = text.rfind('-').map(|n| &text[n..]).filter(|tail| tail.width() <= most);
    let tail = tail.map_or_else(|| last_cells(text, room / 2), str::to_owned);
    format!("{}{more}{tail}", cut(text, room - tail.width(), ""))
}

fn last_cells(text: &str, cells: usize) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut used = 0;
    for g in text.graphemes(true).rev() {
        used += g.width();
        if used > cells {
            break;
        }
        out.push(g);
    }
    out.into_iter().rev().collect()
}

/// The text cut or filled with spaces to exactly `cells`.
pub fn fit(text: &str, cells: usize, more: &str) -> String {
    let mut out = cut(text, cells, more);
    let missing = cells.saturating_sub(out.width());
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// Draws a text within an area's row; returns the column after it. Never leaves the area.
pub fn put(buf: &mut Buffer, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
    let area = area.intersection(buf.area);
    if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
        return x;
    }
    buf.set_stringn(x, y, text, usize::from(area.right() - x), style).0
}

/// Draws a line within an area's row; returns the column after it. Never leaves the area.
pub fn put_line(buf: &mut Buffer, area: Rect, x: u16, y: u16, line: &Line<'_>) -> u16 {
    line.spans.iter().fold(x, |x, span| put(buf, area, x, y, &span.content, line.style.patch(span.style)))
}

/// A line cut to at most `max` cells, with `more` where something is missing.
pub fn cut_line<'a>(line: Line<'a>, max: usize, more: &str) -> Line<'a> {
    if line.width() <= max {
        return line;
    }
    let mut out = Line { spans: Vec::with_capacity(line.spans.len()), ..line };
    let mut room = max.saturating_sub(more.width());
    for span in line.spans {
        let w = span.content.width();
        if w <= room {
            room -= w;
            out.spans.push(span);
            continue;
        }
        let mut text = cut(&span.content, room, "");
        if max >= more.width() {
            text.push_str(more);
        }
        out.spans.push(Span::styled(text, span.style));
        break;
    }
    out
}
