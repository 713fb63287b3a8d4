//! How the faults look: the list, and the selected one in words below it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Lab;
use crate::domain::fault::{FaultKind, Form, KINDS, Standing};
use crate::domain::quantity::age;
use crate::panes::paper::Paper;
use crate::panes::{Scene, rule};
use crate::ui::layout::{inset, split_bottom, split_top};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::{Column, Row, Table};

/// Rows that the longest words want.
const WORDS: u16 = 9;

/// The list and the words under it, with a line between them.
fn plan(area: Rect) -> (Rect, Rect, Rect) {
    let words = (area.height.saturating_sub(KINDS.len() as u16 + 2)).clamp(area.height / 3, area.height / 2).min(WORDS);
    let (list, rest) = split_bottom(area, words + 1);
    let (line, words) = split_top(rest, 1);
    (list, line, words)
}

fn table<'a>(pane: &Lab) -> Table<'a> {
    Table {
        columns: vec![
            Column::text("FAULT", 24, 24).grow(1).priority(0),
            Column::text("DONE TO", 14, 14).grow(1).priority(1),
            Column::text("STATE", 11, 11).priority(0),
            Column::number("SINCE", 6).priority(2),
            Column::text("WHAT IS SEEN", 20, 20).grow(3).priority(3),
        ],
        total: KINDS.len(),
        selected: Some(pane.selected),
        sort: None,
        lines: None,
        empty: "",
    }
}

/// Draws the pane.
pub fn draw(pane: &Lab, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (list, line, words) = plan(area);
    table(pane).draw(list, buf, look, |n| row(pane, &KINDS[n], scene, look));
    let kind = pane.kind();
    rule(kind.name, look, line, buf);
    told(pane, kind, scene, look, inset(words, 2, 0), buf);
}

/// The row of the pane at this place.
pub fn row_at(pane: &Lab, scene: &Scene<'_>, y: u16) -> Option<usize> {
    let (list, ..) = plan(Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height });
    table(pane).row_at(list, y)
}

/// The mark of a state, its word and how it looks.
fn state(fault: &Standing, look: &Look) -> (&'static str, String, Role) {
    let (mark, role) = match fault.state.as_str() {
        "Active" => (look.marks.warn, Role::Warn),
        "Failed" => (look.marks.bad, Role::Bad),
        _ => (look.marks.late, Role::Accent),
    };
    let word = if fault.state.is_empty() { "asked for".to_owned() } else { fault.state.to_lowercase() };
    (mark, word, role)
}

fn row<'a>(pane: &Lab, kind: &FaultKind, scene: &Scene<'_>, look: &Look) -> Row<'a> {
    let dim = look.style(Role::Dim);
    let chosen = pane.targets.get(kind.name);
    let target = |text: String| match chosen {
        Some(_) => Line::styled(text, look.style(Role::Accent)),
        None => Line::styled(text, dim),
    };
    let Some(fault) = pane.meant(kind, scene) else {
        let words = chosen.cloned().unwrap_or_else(|| kind.target.words().to_owned());
        return Row {
            cells: vec![
                Line::from(kind.title),
                target(words),
                Line::styled(format!("{} off", look.marks.absent), dim),
                Line::default(),
                Line::default(),
            ],
            ..Row::default()
        };
    };
    let (mark, word, role) = state(fault, look);
    Row {
        cells: vec![
            Line::styled(kind.title, look.bold(role)),
            Line::styled(fault.target.clone(), look.style(role)),
            Line::styled(format!("{mark} {word}"), look.style(role)),
            Line::from(fault.since.map(|at| age(at, scene.now)).unwrap_or_default()),
            Line::styled(fault.message.clone(), dim),
        ],
        ..Row::default()
    }
}

/// What the selected kind does, how it is undone, what it takes.
fn told(pane: &Lab, kind: &FaultKind, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let mut paper = Paper::new(look, area.width);
    if let Some(fault) = pane.meant(kind, scene).filter(|f| !f.message.is_empty()) {
        let (_, word, role) = state(fault, look);
        paper.told(&word, &fault.message, role);
    }
    paper.told("does", kind.what, Role::Text);
    paper.told("undone", kind.undo, Role::Text);
    if kind.seconds > 0 {
        paper.told("ends", &format!("by itself after {} s", kind.seconds), Role::Text);
    }
    for parameter in kind.parameters {
        let value = match parameter.form {
            Form::Number { default, .. } => default.to_string(),
            Form::Word(words) => words.first().copied().unwrap_or_default().to_owned(),
            Form::Instance => "none".to_owned(),
        };
        paper.told("with", &format!("{} {value}: {}", parameter.name, parameter.what), Role::Dim);
    }
    paper.draw(0, area, buf);
}

/// How many stand.
pub fn counts<'a>(scene: &Scene<'_>, look: &Look) -> Line<'a> {
    match Lab::standing(scene).count() {
        0 => Line::styled("no fault stands ", look.style(Role::Dim)),
        1 => Line::styled(format!("{} 1 fault stands ", look.marks.warn), look.style(Role::Warn)),
        n => Line::styled(format!("{} {n} faults stand ", look.marks.warn), look.style(Role::Warn)),
    }
}
