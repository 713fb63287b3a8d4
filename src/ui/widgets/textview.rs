//! Text one reads: YAML, descriptions, logs. Wraps or scrolls sideways, follows its end, shows what a search found.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

use super::scroll;
use crate::ui::text::{put, width};
use crate::ui::theme::{Look, Role};

/// Where the view stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    /// This line is the first visible one (as far as the end allows).
    Line(usize),
    /// The last line is the last visible one.
    End,
}

/// A view of lines.
#[derive(Clone)]
pub struct TextView<'a> {
    /// How many lines there are.
    pub total: usize,
    /// Where it stands.
    pub top: Top,
    /// Cells scrolled to the right; ignored when lines wrap.
    pub left: u16,
    /// Long lines wrap.
    pub wrap: bool,
    /// Cells that the further rows of each wrapped line are indented by.
    pub hang: &'a dyn Fn(usize) -> u16,
    /// What is searched for; empty for nothing.
    pub search: &'a str,
    /// The line of the match one stands on.
    pub current: Option<usize>,
    /// Said when there are no lines.
    pub empty: &'a str,
}

/// One cell's worth of text.
#[derive(Clone, Debug)]
struct Glyph {
    text: String,
    width: usize,
    style: Style,
}

impl TextView<'_> {
    /// Draws what is visible; `line` is asked for that alone.
    pub fn draw<'l>(&self, area: Rect, buf: &mut Buffer, look: &Look, line: impl Fn(usize) -> Line<'l>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        if self.total == 0 {
            put(buf, area, area.x, area.y, self.empty, look.style(Role::Dim));
            return;
        }
        let first = self.first(area, &line);
        // Sideways text may use the scroll bar's column too; wrapped text leaves it.
        let room = room(area);
        let mut y = area.y;
        let mut n = first;
        while n < self.total && y < area.bottom() {
            let glyphs = self.glyphs(&line(n), n, look);
            for (nth, row) in self.rows(n, &glyphs, room).into_iter().enumerate() {
                if y < area.bottom() {
                    let hang = if nth == 0 { 0 } else { self.hang(n, room) as u16 };
                    let place = Rect { x: area.x + hang, y, height: 1, width: room as u16 - hang };
                    self.draw_row(&glyphs[row], place, buf, look);
                    y += 1;
                }
            }
            n += 1;
        }
        scroll::upright(area, buf, look, first..n, self.total);
    }

    /// The first visible line: `top`, but never so far down that there is empty space under the last line.
    pub fn first<'l>(&self, area: Rect, line: impl Fn(usize) -> Line<'l>) -> usize {
        let mut last = self.total;
        let mut used = 0;
        while last > 0 {
            used += self.height_of(last - 1, &line(last - 1), room(area));
            if used > usize::from(area.height) {
                break;
            }
            last -= 1;
        }
        let last = last.min(self.total.saturating_sub(1));
        match self.top {
            Top::End => last,
            Top::Line(n) => n.min(last),
        }
    }

    fn height_of(&self, n: usize, line: &Line<'_>, room: usize) -> usize {
        if !self.wrap || line.width() <= room { 1 } else { self.rows(n, &glyphs_of(line), room).len() }
    }

    /// The indent of further rows.
    fn hang(&self, n: usize, room: usize) -> usize {
        hung(usize::from((self.hang)(n)), room)
    }

    /// The rows one line takes, as ranges of its glyphs.
    fn rows(&self, line: usize, glyphs: &[Glyph], room: usize) -> Vec<Range<usize>> {
        if !self.wrap {
            return std::iter::once(0..glyphs.len()).collect();
        }
        rows(glyphs, room, self.hang(line, room))
    }

    fn glyphs(&self, line: &Line<'_>, n: usize, look: &Look) -> Vec<Glyph> {
        let mut glyphs = glyphs_of(line);
        let text: String = glyphs.iter().map(|g| g.text.as_str()).collect();
        let style = look.style(Role::Match);
        let style = if self.current == Some(n) { look.style(Role::Accent).patch(style) } else { style };
        for found in find(&text, self.search) {
            let mut at = 0;
            for g in &mut glyphs {
                if found.contains(&at) {
                    g.style = g.style.patch(style);
                }
                at += g.text.len();
            }
        }
        glyphs
    }

    fn draw_row(&self, glyphs: &[Glyph], row: Rect, buf: &mut Buffer, look: &Look) {
        let skip = if self.wrap { 0 } else { usize::from(self.left) };
        let end = usize::from(row.width);
        let mut at = 0usize;
        for g in glyphs {
            let before = at;
            at += g.width;
            let Some(x) = before.checked_sub(skip) else { continue };
            if x + g.width > end {
                put(buf, row, row.right() - 1, row.y, look.marks.more, look.style(Role::Dim));
                return;
            }
            put(buf, row, row.x + x as u16, row.y, &g.text, g.style);
        }
    }
}

/// An indent of further rows, where most of the row is left for them.
fn hung(hang: usize, room: usize) -> usize {
    Some(hang).filter(|hang| *hang * 3 <= room).unwrap_or(0)
}

/// The rows that glyphs take, as ranges of them; all but the first leave room for an indent.
fn rows(glyphs: &[Glyph], room: usize, hang: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut start = 0;
    let mut used = 0;
    let mut blank: Option<usize> = None;
    let mut n = 0;
    while n < glyphs.len() {
        let room = if rows.is_empty() { room } else { room - hang };
        if used + glyphs[n].width > room && n > start && glyphs[n].text == " " {
            // A blank that has no room is where the row ends.
            rows.push(start..n);
            (start, used, blank, n) = (n + 1, 0, None, n + 1);
            continue;
        }
        if used + glyphs[n].width > room && n > start {
            // Break after the last blank, unless that would leave more than a third of the row empty.
            let end = blank.filter(|b: &usize| *b - start > room * 2 / 3).unwrap_or(n);
            rows.push(start..end);
            (start, used, blank, n) = (end, 0, None, end);
            continue;
        }
        used += glyphs[n].width;
        n += 1;
        if glyphs[n - 1].text == " " {
            blank = Some(n);
        }
    }
    rows.push(start..glyphs.len());
    rows
}

/// A line as the lines it takes where there is so much room, all but the first indented.
pub fn wrapped(line: &Line<'_>, room: usize, hang: usize) -> Vec<Line<'static>> {
    let glyphs = glyphs_of(line);
    let hang = hung(hang, room);
    let rows = rows(&glyphs, room.max(1), hang);
    let last = rows.len() - 1;
    let row = |(n, row): (usize, Range<usize>)| {
        let mut line = Line::from(" ".repeat(if n == 0 { 0 } else { hang }));
        for glyph in &glyphs[row] {
            match line.spans.last_mut().filter(|last| last.style == glyph.style) {
                Some(last) => last.content.to_mut().push_str(&glyph.text),
                None => line.push_span(Span::styled(glyph.text.clone(), glyph.style)),
            }
        }
        // The blank that it was broken at belongs to neither.
        if let Some(end) = line.spans.last_mut().filter(|_| n < last) {
            let kept = end.content.trim_end_matches(' ').len();
            end.content.to_mut().truncate(kept);
        }
        line
    };
    rows.into_iter().enumerate().map(row).collect()
}

fn room(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(1)).max(1)
}

fn glyphs_of(line: &Line<'_>) -> Vec<Glyph> {
    let style = line.style;
    let glyphs = line.spans.iter().flat_map(|s| s.content.graphemes(true).map(move |g| (g, style.patch(s.style))));
    glyphs.map(|(g, style)| Glyph { text: g.to_owned(), width: width(g), style }).collect()
}

/// Byte ranges of a text where the needle is. Case counts only when the needle has a capital.
pub fn find(text: &str, needle: &str) -> Vec<Range<usize>> {
    if needle.is_empty() {
        return Vec::new();
    }
    if needle.chars().any(char::is_uppercase) {
        return text.match_indices(needle).map(|(at, found)| at..at + found.len()).collect();
    }
    // Lower case may have another length than the original, so each byte keeps where it came from.
    let mut lower = String::with_capacity(text.len());
    let mut origin = Vec::with_capacity(text.len() + 1);
    for (at, c) in text.char_indices() {
        for l in c.to_lowercase() {
            lower.push(l);
            origin.extend(std::iter::repeat_n(at..at + c.len_utf8(), l.len_utf8()));
        }
    }
    lower.match_indices(needle).map(|(at, found)| origin[at].start..origin[at + found.len() - 1].end).collect()
}

/// The lines that a search finds.
pub fn search<'l>(total: usize, needle: &str, line: impl Fn(usize) -> std::borrow::Cow<'l, str>) -> Vec<usize> {
    (0..total).filter(|n| !find(&line(*n), needle).is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::marks::Marks;
    use crate::ui::theme::{Depth, Themes};

    fn shown(view: &TextView<'_>, lines: &[&str], w: u16, h: u16) -> Vec<String> {
        let area = Rect::new(0, 0, w, h);
        let mut buf = Buffer::empty(area);
        let look = Themes::shipped().look("default", Depth::True, Marks::SIGNS);
        view.draw(area, &mut buf, &look, |n| Line::from(lines[n].to_owned()));
        crate::ui::screenshot::text(&buf).lines().map(str::to_owned).collect()
    }

    fn view<'a>(total: usize, top: Top, wrap: bool) -> TextView<'a> {
        TextView { total, top, left: 0, wrap, hang: &|_| 0, search: "", current: None, empty: "nothing" }
    }

    #[test]
    fn wraps_at_words_and_follows_the_end() {
        let lines = ["one two three four", "五六七八九十", "end"];
        assert_eq!(
            shown(&view(3, Top::Line(0), true), &lines, 11, 4),
            ["one two   ▐", "three four▐", "五六七八九▐", "十"]
        );
        let end = shown(&view(3, Top::End, true), &lines, 11, 3);
        assert_eq!(end.last().map(|l| l.trim_end_matches(['▐', ' '])), Some("end"));
    }

    #[test]
    fn sideways_says_that_there_is_more() {
        let mut v = view(1, Top::Line(0), false);
        assert_eq!(shown(&v, &["0123456789abcdef"], 9, 1), ["0123456…"]);
        v.left = 8;
        assert_eq!(shown(&v, &["0123456789abcdef"], 9, 1), ["89abcdef"]);
    }

    #[test]
    fn never_scrolls_past_the_end() {
        let lines = ["a", "b", "c"];
        assert_eq!(shown(&view(3, Top::Line(9), false), &lines, 5, 2)[1].chars().next(), Some('c'));
        assert_eq!(shown(&view(0, Top::End, false), &[], 9, 1), ["nothing"]);
    }

    #[test]
    fn search_minds_capitals_only_when_asked() {
        assert_eq!(find("Größe GRÖSSE größe", "größe"), [0..7, 16..23]);
        assert_eq!(find("Error error", "Error"), vec![0usize..5; 1]);
        assert_eq!(find("İx", "x"), vec![2usize..3; 1]);
        assert_eq!(search(2, "b", |n| ["a", "B"][n].into()), [1]);
    }
}
