//! How a text looks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{self, Span};

use super::Viewer;
use super::lines::{Line, least_level};
use crate::domain::detail::Subject;
use crate::domain::health::Level;
use crate::panes::{Scene, times};
use crate::ui::layout::{inset, split_top};
use crate::ui::text::{put, width};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::textview::{TextView, Top};

/// Lines above the text: its title.
const HEAD: u16 = 1;

/// Cells of a log line's time and mark: what is wrapped stands to the right of them.
const STAMP: u16 = 11;

/// Draws title and text.
pub fn draw(viewer: &Viewer, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (head, body) = split_top(area, HEAD);
    let lines = viewer.lines(scene);
    title(viewer, scene, look, head, buf, lines.len());
    let body = inset(body, 1, 0);
    if lines.is_empty() {
        let (text, role) = nothing(viewer, scene);
        put(buf, body, body.x + 1, body.y + u16::from(body.height > 2), &text, look.style(role));
        return;
    }
    view(viewer, lines.len()).draw(body, buf, look, |n| line(&lines[n], viewer.is_log(), scene, look));
}

fn view<'a>(viewer: &'a Viewer, total: usize) -> TextView<'a> {
    TextView {
        total,
        top: if viewer.follow { Top::End } else { Top::Line(viewer.top) },
        left: viewer.left as u16,
        wrap: viewer.wrap,
        hang: if viewer.is_log() { &|_| STAMP } else { &|_| 2 },
        search: viewer.search.text(),
        current: viewer.found,
        empty: "",
    }
}

/// The first line shown, never so far down that there is empty space under the last one.
pub fn first(viewer: &Viewer, lines: &[Line<'_>], scene: &Scene<'_>) -> usize {
    let area = Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height };
    let body = inset(split_top(area, HEAD).1, 1, 0);
    view(viewer, lines.len()).first(body, |n| line(&lines[n], viewer.is_log(), scene, scene.look))
}

/// One line, with its time and level where it is a log's.
fn line<'a>(line: &Line<'a>, log: bool, scene: &Scene<'_>, look: &Look) -> text::Line<'a> {
    let base = if line.level > Level::Ok { look.level(line.level) } else { look.style(Role::Text) };
    if !log {
        let end = key_end(line.text).unwrap_or(0);
        let key = Span::styled(&line.text[..end], look.style(Role::Dim));
        return text::Line::from(vec![key, Span::styled(&line.text[end..], base)]);
    }
    let dim = look.style(Role::Dim);
    let at = line.at.map_or_else(|| " ".repeat(8), |t| times::clock(t, scene.habits));
    let mark = if line.level > Level::Ok { look.marks.level(line.level) } else { " " };
    let mut spans = vec![Span::styled(format!("{at} "), dim), Span::styled(format!("{mark} "), base)];
    // PostgreSQL's own lines are what one reads a log for; who else writes is said.
    if !line.logger.is_empty() && line.logger != "postgres" {
        spans.push(Span::styled(format!("{} ", line.logger), dim));
    }
    spans.push(Span::styled(line.text, base));
    text::Line::from(spans)
}

fn title(viewer: &Viewer, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer, count: usize) {
    let (kind, what) = match &viewer.subject {
        Subject::Yaml(object) => ("YAML", object.to_string()),
        Subject::Describe(object) => ("description", object.to_string()),
        Subject::Logs { pod, container, previous } => {
            (if *previous { "log before the last restart" } else { "log" }, format!("{} {container}", pod.name))
        }
    };
    let x = put(buf, area, area.x + 1, area.y, &what, look.style(Role::Title));
    let x = put(buf, area, x + 2, area.y, kind, look.style(Role::Dim));
    let mut notes: Vec<(String, Role)> = Vec::new();
    if !viewer.search.is_empty() || viewer.typing {
        notes.push((format!("search: {}{}", viewer.search.text(), if viewer.typing { "▏" } else { "" }), Role::Match));
    }
    match least_level(viewer.least) {
        Level::Warn => notes.push(("warnings and worse".into(), Role::Info)),
        Level::Bad => notes.push(("errors only".into(), Role::Info)),
        _ => {}
    }
    let detail = scene.known.details.get(&viewer.subject);
    if viewer.is_log() {
        match detail.and_then(|d| d.ended.as_ref()) {
            Some(Some(problem)) => notes.push((problem.line(), Role::Bad)),
            Some(None) => notes.push(("ended".into(), Role::Dim)),
            None if viewer.follow => notes.push(("following".into(), Role::Good)),
            None => notes.push((format!("{} held", look.marks.frozen), Role::Info)),
        }
    }
    let dropped = detail.map_or(0, |d| d.dropped);
    notes.push((format!("{count} lines{}", if dropped > 0 { ", older ones dropped" } else { "" }), Role::Dim));
    let total: usize = notes.iter().map(|(t, _)| width(t) + 2).sum();
    let mut at = (usize::from(area.right())).saturating_sub(total).max(usize::from(x) + 2) as u16;
    for (text, role) in notes {
        at = put(buf, area, at, area.y, &text, look.style(role)) + 2;
    }
}

fn nothing(viewer: &Viewer, scene: &Scene<'_>) -> (String, Role) {
    let Some(detail) = scene.known.details.get(&viewer.subject) else { return ("Asking…".into(), Role::Dim) };
    match &detail.ended {
        Some(Some(problem)) => (problem.line(), Role::Bad),
        _ if viewer.least > 0 && !detail.lines.is_empty() => ("No line is that bad.".into(), Role::Dim),
        Some(None) => ("It is empty.".into(), Role::Dim),
        None if viewer.is_log() && detail.version > 0 => ("No line yet.".into(), Role::Dim),
        None => ("Asking…".into(), Role::Dim),
    }
}

/// The end of `key:` at the start of a line of YAML or of a description.
fn key_end(text: &str) -> Option<usize> {
    let colon = text.find(':')?;
    let key = text[..colon].trim_start_matches([' ', '-']);
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || " ._/-".contains(c));
    let ends = text[colon + 1..].chars().next().is_none_or(|c| c == ' ');
    (plain && ends).then_some(colon + 1)
}
