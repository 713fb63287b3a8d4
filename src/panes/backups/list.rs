//! The backups, one a row.

use ratatui::text::{Line, Span};

use super::Backups;
use crate::domain::backup::Catalog;
use crate::domain::backup::catalog::{Entry, FlagKind};
use crate::domain::health::Level;
use crate::domain::quantity::{age_of, bytes};
use crate::panes::{Scene, times};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::{Column, Row, Table};

/// The table; its rows come from [`row`].
pub(super) fn table(pane: &Backups, catalog: &Catalog) -> Table<'static> {
    Table {
        columns: vec![
            Column::text("TAKEN", 15, 15).priority(0),
            Column::text("VERDICT", 16, 16).priority(0),
            Column::text("BACKUP", 16, 24).grow(1).priority(1),
            Column::text("METHOD", 8, 8).priority(4),
            Column::number("SIZE", 8).priority(2),
            Column::number("TOOK", 5).priority(5),
            Column::text("REACHED", 12, 12).priority(3),
            Column::number("TL", 2).priority(6),
            Column::text("BY", 8, 10).priority(7),
        ],
        total: catalog.entries.len(),
        selected: Some(pane.selected).filter(|n| *n < catalog.entries.len()),
        sort: None,
        lines: None,
        empty: "No backup is known.",
    }
}

pub(super) fn row<'a>(entry: &Entry, scene: &Scene<'_>, look: &Look) -> Row<'a> {
    let dim = look.style(Role::Dim);
    let none = || Line::styled(look.marks.nothing.to_owned(), dim);
    let took = entry.started().zip(entry.ended()).map(|(from, to)| age_of(to.duration_since(from)));
    Row {
        cells: vec![
            entry.at().map_or_else(none, |at| {
                let day = times::day(at, scene.now, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
                Line::from(format!("{day}{}", times::clock(at, scene.habits)))
            }),
            Line::from(verdict(entry, look)),
            Line::styled(entry.name().to_owned(), look.style(Role::Title)),
            Line::styled(method(entry).to_owned(), dim),
            entry.bytes().map_or_else(none, |n| Line::from(bytes(n))),
            took.map_or_else(none, Line::from),
            entry.reached().map_or_else(none, |lsn| Line::from(lsn.to_string())),
            entry.timeline().map_or_else(none, |t| Line::from(t.to_string())),
            entry.object.as_ref().and_then(|o| o.schedule.clone()).map_or_else(none, |s| Line::styled(s, dim)),
        ],
        ..Row::default()
    }
}

/// Mark and word of a backup's verdict.
pub(super) fn verdict<'a>(entry: &Entry, look: &Look) -> Span<'a> {
    let (level, word) = entry.verdict();
    let running = entry.flags.first().is_some_and(|f| f.kind == FlagKind::Unfinished);
    let mark = if running && level == Level::Ok { look.marks.late } else { look.marks.level(level) };
    Span::styled(format!("{mark} {word}"), look.level(level))
}

/// The method, short.
pub(super) fn method(entry: &Entry) -> &str {
    match entry.method() {
        "barmanObjectStore" => "barman",
        "volumeSnapshot" => "snapshot",
        other => other,
    }
}
