//! The line on top: where am I, may I change anything, how fresh is my truth.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::ui::layout::split_top;
use crate::ui::text::{cut_line, put_line};
use crate::ui::theme::{Look, Role};

/// How a source does, as far as a dot can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dot {
    /// Answers.
    Live,
    /// Not yet answered.
    Connecting,
    /// Should have answered.
    Late,
    /// Fails.
    Failing,
    /// Can't be had here.
    Absent,
}

/// A source in the header.
#[derive(Clone, Debug)]
pub struct SourceDot<'a> {
    /// A short name: `kube`, `sql`.
    pub name: &'a str,
    /// How it does.
    pub dot: Dot,
    /// How long it has been late or failing, or nothing.
    pub age: String,
}

/// The header's content.
#[derive(Clone, Debug, Default)]
pub struct Header<'a> {
    /// Context, namespaces, cluster.
    pub place: Line<'a>,
    /// What can be changed now, and what is under way: never left out.
    pub mode: Line<'a>,
    /// What time it is.
    pub clock: Line<'a>,
    /// Where the truth comes from.
    pub sources: &'a [SourceDot<'a>],
}

/// The mark and style of a dot.
pub fn dot<'a>(dot: Dot, look: &Look) -> Span<'a> {
    let m = &look.marks;
    let (mark, role) = match dot {
        Dot::Live => (m.good, Role::Good),
        Dot::Connecting => (m.connecting, Role::Dim),
        Dot::Late => (m.late, Role::Warn),
        Dot::Failing => (m.bad, Role::Bad),
        Dot::Absent => (m.absent, Role::Dim),
    };
    Span::styled(mark, look.style(role))
}

/// Draws the header. When it is narrow the clock goes first, then the sources that are live, then the place is cut; what can
/// be changed is said at any width.
pub fn draw(area: Rect, buf: &mut Buffer, look: &Look, header: &Header<'_>) {
    let (area, _) = split_top(area.intersection(buf.area), 1);
    if area.is_empty() {
        return;
    }
    let mut place = Line::from(vec![Span::raw(" "), Span::styled("howdah", look.style(Role::Accent)), Span::raw("  ")]);
    place.spans.extend(header.place.spans.iter().cloned().map(|s| s.patch_style(header.place.style)));
    let width = usize::from(area.width);
    let all = sources(header.sources, look, true);
    let mut mode = header.mode.clone();
    let needed = |mode: &Line<'_>, right: &Line<'_>| place.width() + mode.width() + right.width() + 4;
    let right = if needed(&mode, &all) <= width { all } else { sources(header.sources, look, false) };
    if needed(&mode, &right) + header.clock.width() + 2 <= width {
        mode.push_span("  ");
        mode.spans.extend(header.clock.spans.iter().cloned());
    }
    let left = area.x + area.width.saturating_sub(right.width() as u16);
    let room = width.saturating_sub(right.width() + mode.width() + 3);
    let place = cut_line(place, room, look.marks.more);
    let end = area.x + place.width() as u16;
    put_line(buf, area, area.x, area.y, &place);
    let between = left.saturating_sub(end + mode.width() as u16);
    put_line(buf, area, end + between / 2, area.y, &mode);
    put_line(buf, area, left, area.y, &right);
}

/// The dots; without `all`, only those that are not live and a word for the rest.
fn sources<'a>(sources: &[SourceDot<'a>], look: &Look, all: bool) -> Line<'a> {
    let mut line = Line::default();
    for s in sources.iter().filter(|s| all || s.dot != Dot::Live) {
        line.push_span(Span::styled(s.name, look.style(Role::Dim)));
        line.push_span(" ");
        line.push_span(dot(s.dot, look));
        if !s.age.is_empty() {
            line.push_span(Span::styled(format!(" {}", s.age), look.style(Role::Dim)));
        }
        line.push_span("  ");
    }
    if !all && line.spans.is_empty() && !sources.is_empty() {
        line.push_span(dot(Dot::Live, look));
        line.push_span(" ");
    }
    line
}
