//! The runbooks: those that the verdict asks for with their reasons, the others below, and what the selected one is for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Runbooks, Unended};
use crate::domain::health::{Level, Reason};
use crate::domain::quantity;
use crate::panes::paper::Paper;
use crate::panes::{Scene, rule};
use crate::procedure::runbook::Runbook;
use crate::ui::layout::{inset, split_bottom, split_left, split_top};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::{Column, Row, Table};

/// From this width on the selected runbook stands beside the list.
const WIDE: u16 = 150;

/// The list, and where the selected one is told of: beside it, below it, or nowhere.
fn parts(area: Rect) -> (Rect, Rect) {
    if area.width >= WIDE {
        let (left, right) = split_left(area, area.width * 3 / 5);
        return (left, Rect { x: right.x + 2, width: right.width.saturating_sub(3), ..right });
    }
    if area.height < 19 { (area, Rect { height: 0, ..area }) } else { split_bottom(area, (area.height / 3).min(14)) }
}

fn area_of(scene: &Scene<'_>) -> Rect {
    parts(Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height }).0
}

/// Whether one of the list is walked, and whether one is somebody's own: what a runbook is for needs the room more than
/// columns that are empty.
fn extras(pane: &Runbooks, scene: &Scene<'_>) -> [bool; 2] {
    let any =
        |is: &dyn Fn(&Runbook) -> bool| pane.order.iter().filter_map(|name| scene.doing.runbooks.get(name)).any(is);
    [any(&|r| Runbooks::unended(scene, &r.name).is_some()), any(&|r| r.own)]
}

fn table<'a>(pane: &Runbooks, extras: [bool; 2], lines: &'a dyn Fn(usize) -> u16, empty: &'a str) -> Table<'a> {
    let mut columns = vec![
        Column::text("", 1, 1).priority(0),
        Column::text("RUNBOOK", 22, 28).priority(0),
        Column::text("WHAT IT IS FOR", 18, 30).grow(1).priority(0),
    ];
    let all = [Column::text("WALK", 14, 14).priority(1), Column::text("", 5, 5).priority(2)];
    columns.extend(all.into_iter().zip(extras).filter_map(|(column, there)| there.then_some(column)));
    Table {
        columns,
        total: pane.order.len(),
        selected: (!pane.order.is_empty()).then(|| pane.place()),
        sort: None,
        lines: Some(lines),
        empty,
    }
}

/// Lines of a row: those that are offered have their reason under them.
fn lines(pane: &Runbooks, n: usize) -> u16 {
    1 + u16::from(n < pane.offered)
}

/// How many runbooks a page is.
pub fn page(pane: &Runbooks, scene: &Scene<'_>) -> usize {
    let lines = |n: usize| lines(pane, n);
    table(pane, extras(pane, scene), &lines, "").page(area_of(scene))
}

/// The runbook at a row of the pane.
pub fn row_at(pane: &Runbooks, scene: &Scene<'_>, y: u16) -> Option<usize> {
    let lines = |n: usize| lines(pane, n);
    table(pane, extras(pane, scene), &lines, "").row_at(area_of(scene), y)
}

/// Draws the list.
pub fn draw(pane: &Runbooks, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (list, told) = parts(area);
    let lines = |n: usize| lines(pane, n);
    let empty = format!("No runbook matches \"{}\".", pane.filter.text());
    let extras = extras(pane, scene);
    let table = table(pane, extras, &lines, &empty);
    table.draw(list, buf, look, |n| row(pane, scene, extras, look, n).unwrap_or_default());
    let Some(runbook) = pane.runbook(scene).filter(|_| told.height > 1) else { return };
    let (head, body) = split_top(told, 1);
    rule(&runbook.name, look, head, buf);
    let body = inset(body, 2, 0);
    let mut paper = Paper::new(look, body.width);
    about(&mut paper, runbook, scene, look);
    paper.draw(0, body, buf);
}

fn reasons<'a>(runbook: &Runbook, scene: &Scene<'a>) -> Vec<&'a Reason> {
    let judged = scene.chosen.and_then(|key| scene.known.judged.get(key));
    judged.map(|j| scene.doing.runbooks.because(runbook, &j.health)).unwrap_or_default()
}

fn row<'a>(pane: &Runbooks, scene: &Scene<'a>, extras: [bool; 2], look: &Look, n: usize) -> Option<Row<'a>> {
    let runbook = scene.doing.runbooks.get(pane.order.get(n)?)?;
    let offered = n < pane.offered;
    let because = if offered { reasons(runbook, scene) } else { Vec::new() };
    let worst = because.iter().map(|r| r.level).max().filter(|_| offered);
    let (name, text) = if offered { (Role::Title, Role::Text) } else { (Role::Dim, Role::Dim) };
    let mark = worst.map(|level| Span::styled(look.marks.level(level), look.level(level)));
    let under = because.split_first().map(|(first, more)| {
        let rest = if more.is_empty() { String::new() } else { format!("  and {} more", more.len()) };
        Line::from(vec![
            Span::styled(first.text.as_str(), look.level(first.level)),
            Span::styled(rest, look.style(Role::Dim)),
        ])
    });
    let mut cells = vec![
        mark.map(Line::from).unwrap_or_default(),
        Line::styled(runbook.name.as_str(), look.style(name)),
        Line::styled(runbook.title.as_str(), look.style(text)),
    ];
    let own = Line::styled(if runbook.own { "yours" } else { "" }, look.style(Role::Info));
    let all = [walk_of(runbook, scene, look), own];
    cells.extend(all.into_iter().zip(extras).filter_map(|(cell, there)| there.then_some(cell)));
    Some(Row { cells, under: under.into_iter().collect(), style: Style::default() })
}

/// The walk of it on this cluster that has not ended.
fn walk_of<'a>(runbook: &Runbook, scene: &Scene<'_>, look: &Look) -> Line<'a> {
    let of = runbook.steps.len();
    match Runbooks::unended(scene, &runbook.name) {
        Some(Unended::Here(id)) => {
            let here = scene.doing.walk(id).and_then(|walk| walk.here()).map_or(of, |n| n + 1);
            Line::styled(format!("{} step {here} of {of}", look.marks.late), look.style(Role::Accent))
        }
        Some(Unended::Left(_, last)) => {
            let text = format!("{} left {} ago", look.marks.frozen, quantity::age(last, scene.now));
            Line::styled(text, look.level(Level::Warn))
        }
        Some(Unended::Elsewhere(_)) => Line::styled(format!("{} elsewhere", look.marks.late), look.style(Role::Info)),
        None => Line::default(),
    }
}

/// What the selected one is for, why it is offered, who walks it, and its steps.
fn about(paper: &mut Paper<'_>, runbook: &Runbook, scene: &Scene<'_>, look: &Look) {
    paper.words(&runbook.title, Role::Title);
    paper.words(&runbook.summary, Role::Text);
    paper.gap();
    for r in reasons(runbook, scene) {
        let mark = format!("{} {}", look.marks.level(r.level), r.level.word());
        let text = format!("{} ({}, {} ago)", r.text, r.witness, quantity::age(r.seen, scene.now));
        paper.labelled(&mark, role(r.level), 10, &text, look.style(Role::Text));
    }
    if let Some(Unended::Elsewhere(who)) = Runbooks::unended(scene, &runbook.name) {
        paper.labelled("walked by", Role::Info, 10, &who, look.style(Role::Text));
    }
    paper.gap();
    let codes: Vec<_> = runbook.when.iter().map(|c| c.name()).collect();
    let codes = if codes.is_empty() { "opened by hand".to_owned() } else { codes.join(", ") };
    paper.labelled("for", Role::Dim, 10, &codes, look.style(Role::Dim));
    for (n, step) in runbook.steps.iter().enumerate() {
        let title = match scene.chosen.and_then(|key| scene.known.sight(key, None, scene.now)) {
            Some(sight) => crate::procedure::runbook::fill(&step.title, &sight),
            None => step.title.clone(),
        };
        let label = if n == 0 { "steps" } else { "" };
        paper.labelled(label, Role::Dim, 10, &format!("{}. {title}", n + 1), look.style(Role::Dim));
    }
}

fn role(level: Level) -> Role {
    match level {
        Level::Ok => Role::Good,
        Level::Warn => Role::Warn,
        Level::Bad => Role::Bad,
        Level::Unknown => Role::Unknown,
    }
}

/// `filter: wal  2 asked for, 20 runbooks`.
pub fn counts<'a>(pane: &Runbooks, scene: &Scene<'_>, look: &Look) -> Line<'a> {
    let dim = look.style(Role::Dim);
    let mut spans: Vec<Span<'a>> = pane.filter.words(look).into_iter().collect();
    let asks = match (scene.chosen, pane.offered) {
        (None, _) => String::new(),
        (Some(key), 0) => format!("{} asks for none  ", key.name),
        (Some(key), n) => format!("{} asks for {n}  ", key.name),
    };
    spans.push(Span::styled(asks, look.style(Role::Info)));
    spans.push(Span::styled(format!("{} runbooks ", pane.order.len()), dim));
    Line::from(spans)
}
