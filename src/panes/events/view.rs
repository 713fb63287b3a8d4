//! How the timeline looks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Events, is_old};
use crate::domain::event::Happening;
use crate::domain::health::Level;
use crate::domain::names::ClusterKey;
use crate::domain::words::{Teller, words};
use crate::panes::name::name_in;
use crate::panes::{Scene, loading, times};
use crate::ui::text::{cut, cut_line, cut_middle, fit, put, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::{Column, Row, Table};

/// The columns.
const SHAPES: [Column; 5] = [
    Column::text("TIME", 8, 8).priority(0),
    Column::text("", 1, 1).priority(0),
    Column::text("CLUSTER", 14, 26).priority(2),
    Column::text("WHAT", 12, 16).priority(0),
    Column::text("", 34, 60).grow(1).priority(0),
];

fn table<'a>(events: &Events, empty: &'a str) -> Table<'a> {
    Table {
        columns: SHAPES.to_vec(),
        total: events.shown.len(),
        selected: (!events.shown.is_empty()).then(|| events.place()),
        sort: None,
        lines: None,
        empty,
    }
}

/// The entry at a row of the pane.
pub fn row_at(events: &Events, area: Rect, y: u16) -> Option<usize> {
    table(events, "").row_at(area, y)
}

/// Draws the pane.
pub fn draw(events: &Events, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let empty = if !events.filter.is_empty() {
        format!("Nothing matches \"{}\".", events.filter.text())
    } else if scene.known.happenings.is_empty() {
        loading(scene, "Nothing has happened since howdah started.")
    } else {
        "Nothing of that kind happened.".into()
    };
    let table = table(events, &empty);
    let room = usize::from(table.widths(area.width)[2]);
    table.draw(area, buf, look, |n| {
        let happening = events.shown.get(n).and_then(|number| scene.known.happenings.get(*number));
        let before = n.checked_sub(1).and_then(|n| scene.known.happenings.get(*events.shown.get(n)?));
        happening.map(|h| row(h, before, scene, look, room)).unwrap_or_default()
    });
}

fn row<'a>(
    happening: &Happening,
    before: Option<&Happening>,
    scene: &Scene<'_>,
    look: &Look,
    room_for_name: usize,
) -> Row<'a> {
    let w = words(happening);
    let day = |h: &Happening| times::day(h.at, scene.now, scene.habits);
    let dim = look.style(Role::Dim);
    // The day is said where it changes, in place of the time's seconds nobody compares across days.
    let time = match day(happening) {
        Some(day) if before.is_none_or(|b| times::day(b.at, scene.now, scene.habits) != Some(day.clone())) => {
            cut(&day, 8, look.marks.more)
        }
        _ => times::clock(happening.at, scene.habits),
    };
    let text = look.style(if is_old(happening.at, scene.now) { Role::Dim } else { Role::Text });
    let words_style = if w.level == Level::Ok { text } else { look.level(w.level) };
    let mark = match (w.level, w.teller) {
        (Level::Ok, Teller::Kubernetes) => Span::styled(look.marks.dot, dim),
        (Level::Ok, _) => Span::styled(look.marks.cursor, look.style(Role::Info)),
        (level, _) => Span::styled(look.marks.level(level), look.level(level)),
    };
    // Where there is little room the name alone has to do; the filter and the description know the rest.
    let narrow = scene.size.width < 110;
    let more = look.marks.more;
    let name = |k: &ClusterKey| {
        if narrow { cut_middle(&k.name, room_for_name, more) } else { name_in(k, false, room_for_name, more) }
    };
    let whose = happening.cluster.as_ref().map_or_else(|| happening.context.to_string(), name);
    let gap = if w.object.is_empty() { "" } else { "  " };
    let object = Span::styled(format!("{}{gap}", w.object), dim);
    Row {
        cells: vec![
            Line::styled(time, dim),
            Line::from(mark),
            Line::styled(whose, dim),
            Line::styled(w.what, words_style),
            Line::from(vec![object, Span::styled(w.text, text)]),
        ],
        ..Row::default()
    }
}

/// The newest entries of a cluster, as many as there is room for, the newest at the bottom.
pub fn ticker(scene: &Scene<'_>, key: &ClusterKey, look: &Look, area: Rect, buf: &mut Buffer) {
    let newest: Vec<_> = scene.known.happenings.of(key).rev().take(usize::from(area.height)).collect();
    if newest.is_empty() {
        put(buf, area, area.x + 1, area.y, "nothing has happened yet", look.style(Role::Dim));
    }
    for (n, happening) in newest.iter().rev().enumerate() {
        let w = words(happening);
        let text = look.style(if is_old(happening.at, scene.now) { Role::Dim } else { Role::Text });
        let style = if w.level == Level::Ok { text } else { look.level(w.level) };
        let day = times::day(happening.at, scene.now, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
        let mark = if w.level == Level::Ok { look.marks.dot } else { look.marks.level(w.level) };
        let object = if w.object.is_empty() { String::new() } else { format!("{}  ", w.object) };
        let line = Line::from(vec![
            Span::styled(format!("{day}{}  ", times::clock(happening.at, scene.habits)), look.style(Role::Dim)),
            Span::styled(format!("{mark} "), style),
            Span::styled(fit(&w.what, 16, look.marks.more), style),
            Span::styled(format!(" {object}"), look.style(Role::Dim)),
            Span::styled(w.text, text),
        ]);
        let room = usize::from(area.width).saturating_sub(2);
        put_line(buf, area, area.x + 1, area.y + n as u16, &cut_line(line, room, look.marks.more));
    }
}

/// An entry as one line of text, for the clipboard.
pub fn line_of(happening: &Happening, scene: &Scene<'_>) -> String {
    let w = words(happening);
    let whose = happening.cluster.as_ref().map_or_else(|| happening.context.to_string(), ClusterKey::to_string);
    let parts = [times::clock(happening.at, scene.habits), w.level.word().into(), whose, w.what, w.object, w.text];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("  ")
}

/// `following · 11 entries`.
pub fn counts<'a>(events: &Events, scene: &Scene<'_>, look: &Look) -> Line<'a> {
    let dim = look.style(Role::Dim);
    let mut spans = Vec::new();
    if events.kinds != super::Kinds::All {
        spans.push(Span::styled(format!("{}  ", events.kinds.word()), look.style(Role::Info)));
    }
    spans.extend(events.filter.words(look));
    spans.push(match events.selected {
        None => Span::styled("following", look.style(Role::Good)),
        Some(_) => Span::styled(format!("{} held", look.marks.frozen), look.style(Role::Info)),
    });
    let dropped = if scene.known.happenings.dropped() > 0 { ", older ones dropped" } else { "" };
    let n = events.shown.len();
    spans.push(Span::styled(format!("  {n} entr{}{dropped} ", if n == 1 { "y" } else { "ies" }), dim));
    Line::from(spans)
}
