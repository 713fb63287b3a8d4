//! Every run on this machine.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Runs;
use crate::domain::health::Level;
use crate::domain::quantity;
use crate::panes::{Scene, times};
use crate::procedure::{Outcome, Summary};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::{Column, Row, Table};

/// The table as it is drawn and as the mouse meets it.
pub fn table<'a>(pane: &Runs, scene: &Scene<'_>) -> Table<'a> {
    Table {
        columns: vec![
            Column::text("STATE", 13, 13).priority(0),
            // What was done is told by nothing else: all the room there is.
            Column::text("WHAT", 24, 40).grow(3).priority(0),
            Column::text("CLUSTER", 25, 25).priority(5),
            Column::text("BEGAN", 15, 15).priority(4),
            Column::number("TOOK", 7).priority(5),
            Column::text("BY", 10, 10).priority(7),
            Column::text("RUN", 24, 24).priority(8),
        ],
        total: Runs::rows(scene).len(),
        selected: Some(pane.selected),
        sort: None,
        lines: None,
        empty: match scene.doing.listed {
            None => "Reading the journals…",
            Some(_) => "Nothing was done yet.",
        },
    }
}

/// Draws the list.
pub fn draw(pane: &Runs, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let rows = Runs::rows(scene);
    table(pane, scene).draw(area, buf, look, |n| rows.get(n).map(|s| row(s, scene, look)).unwrap_or_default());
}

fn row<'a>(s: &Summary, scene: &Scene<'_>, look: &Look) -> Row<'a> {
    let here = scene.doing.runs.get(&s.run).filter(|d| d.open());
    let (mark, style, word) = match (s.outcome, here, &s.holder) {
        (Some(outcome), ..) => {
            (look.marks.level(Outcome::level(s.outcome)), look.level(Outcome::level(s.outcome)), outcome.word())
        }
        (None, Some(_), _) => (look.marks.late, look.style(Role::Accent), "under way"),
        (None, None, Some(_)) => (look.marks.late, look.style(Role::Info), "elsewhere"),
        (None, None, None) => (look.marks.warn, look.level(Level::Warn), "interrupted"),
    };
    let dim = look.style(Role::Dim);
    // The cluster has a column of its own, and instances bear its name: what was done needs the room.
    let title = s.title.replacen(&format!(" of {}:", s.cluster.name), ":", 1);
    let day = times::day(s.opened, scene.now, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
    Row {
        cells: vec![
            Line::from(Span::styled(format!("{mark} {word}"), style)),
            Line::from(Span::styled(title, look.style(Role::Title))),
            Line::from(s.cluster.to_string()),
            Line::from(format!("{day}{}", times::clock(s.opened, scene.habits))),
            Line::from(Span::styled(quantity::span(s.last.duration_since(s.opened)), dim)),
            Line::from(Span::styled(s.by.clone(), dim)),
            Line::from(Span::styled(s.run.to_string(), dim)),
        ],
        ..Row::default()
    }
}

/// How many, and how many wait for somebody.
pub fn counts<'a>(scene: &Scene<'_>, look: &Look) -> Line<'a> {
    let rows = Runs::rows(scene);
    let waiting = rows.iter().filter(|s| s.outcome.is_none() && s.holder.is_none()).count();
    let mut spans = vec![Span::raw(format!("{} runs", rows.len()))];
    if waiting > 0 {
        spans.push(Span::styled(format!("  {}{waiting} interrupted", look.marks.warn), look.level(Level::Warn)));
    }
    if !scene.doing.damaged.is_empty() {
        let n = scene.doing.damaged.len();
        spans.push(Span::styled(format!("  {}{n} damaged", look.marks.bad), look.level(Level::Bad)));
    }
    Line::from(spans)
}
