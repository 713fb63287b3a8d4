//! How the fleet looks.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Fleet;
use super::columns::ALL;
use crate::domain::health::{Level, Reason};
use crate::domain::names::ClusterKey;
use crate::domain::quantity;
use crate::panes::known::Judged;
use crate::panes::{Scene, loading};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::Row;

/// An answer older than this is dimmed: unseen clusters are asked every 10 s, and one may be missed.
const STALE: SignedDuration = SignedDuration::from_secs(25);

/// Draws the list.
pub fn draw(fleet: &Fleet, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let empty = empty_words(fleet, scene);
    let lines = |n: usize| fleet.lines(scene, n);
    fleet.table(&lines, &empty).draw(area, buf, look, |n| row(fleet, scene, look, n));
}

fn row<'a>(fleet: &Fleet, scene: &Scene<'a>, look: &Look, n: usize) -> Row<'a> {
    let judged = fleet.order.get(n).and_then(|key| scene.known.judged.get(key));
    let Some(judged) = judged else { return Row::default() };
    let d = &judged.digest;
    let lost = scene.known.watch_trouble(&d.key.context).is_some();
    let old = d.seen.is_none_or(|t| scene.now.duration_since(t) > STALE);
    let mut cells = vec![Line::styled(look.marks.level(d.level), look.level(d.level))];
    for column in ALL {
        let (text, level) = column.cell(d, &look.marks, scene.now, fleet.several_contexts);
        let stale = lost || (column.sampled() && old);
        cells.push(Line::styled(text, cell_style(look, level, stale, column == ALL[0])));
    }
    let selected = fleet.selected.as_ref() == Some(&d.key);
    let under = under(judged, scene, look, usize::from(fleet.lines(scene, n)).saturating_sub(1), selected);
    Row { cells, under, style: Style::default() }
}

fn cell_style(look: &Look, level: Level, stale: bool, name: bool) -> Style {
    match level {
        _ if stale => look.style(Role::Stale),
        Level::Ok if name => look.style(Role::Title),
        Level::Ok => look.style(Role::Text),
        level => look.level(level),
    }
}

/// The lines under a cluster: the worst reason on each, as many as there is room for; the rest counted.
fn under<'a>(judged: &'a Judged, scene: &Scene<'_>, look: &Look, room: usize, selected: bool) -> Vec<Line<'a>> {
    let mut out = Vec::new();
    let reasons: Vec<&Reason> = judged.health.reasons().filter(|r| r.level != Level::Ok).collect();
    if room == 0 {
        return out;
    }
    if !selected && !reasons.is_empty() {
        out.push(joined(&reasons, scene.now, look));
        return out;
    }
    for (n, reason) in reasons.iter().enumerate().take(room) {
        let mut line = reason_line(reason, scene.now, look);
        let left = reasons.len() - n - 1;
        if n + 1 == room && left > 0 {
            line.push_span(Span::styled(format!("  and {left} more"), look.style(Role::Dim)));
        }
        out.push(line);
    }
    for (level, text) in judged.digest.poolers.iter().take(room.saturating_sub(out.len())) {
        let style = if *level == Level::Ok { look.style(Role::Dim) } else { look.level(*level) };
        out.push(Line::from(vec![
            Span::styled(format!("{} ", look.marks.pooler), style),
            Span::styled(text.as_str(), style),
        ]));
    }
    out
}

/// `archiver failing for 14m (pg_stat_archiver on …, 2s ago)`.
pub fn reason_line<'a>(reason: &'a Reason, now: Timestamp, look: &Look) -> Line<'a> {
    let words = look.level(reason.level);
    let dim = look.style(Role::Dim);
    Line::from(vec![
        Span::styled(format!("{} ", look.marks.level(reason.level)), words),
        Span::styled(reason.text.as_str(), words),
        Span::styled(format!("  {}, {} ago", reason.witness, quantity::age(reason.seen, now)), dim),
    ])
}

/// The reasons on one line, worst first, each in its colour.
fn joined<'a>(reasons: &[&'a Reason], now: Timestamp, look: &Look) -> Line<'a> {
    let dim = look.style(Role::Dim);
    let mut spans = Vec::new();
    for reason in reasons {
        if !spans.is_empty() {
            spans.push(Span::styled(format!(" {} ", look.marks.dot), dim));
        }
        spans.push(Span::styled(reason.text.as_str(), look.level(reason.level)));
        if spans.len() == 1 {
            let witness = format!(" ({}, {} ago)", reason.witness, quantity::age(reason.seen, now));
            spans.push(Span::styled(witness, dim));
        }
    }
    Line::from(spans)
}

/// What is said instead of rows.
fn empty_words(fleet: &Fleet, scene: &Scene<'_>) -> String {
    if !fleet.filter.is_empty() {
        return format!("No cluster matches \"{}\".", fleet.filter.text());
    }
    if !scene.known.judged.is_empty() {
        return "No cluster in the chosen contexts and namespaces.".into();
    }
    loading(scene, "No PostgreSQL cluster was found: neither CNPG's Cluster nor PGO's PostgresCluster.")
}

/// `4 clusters  ✖1 ▲1`, for the end of the footer.
pub fn counts<'a>(fleet: &Fleet, scene: &Scene<'_>, look: &Look) -> Line<'a> {
    let level = |k: &ClusterKey| scene.known.judged.get(k).map(|j| j.digest.level);
    let count = |l: Level| fleet.order.iter().filter(|k| level(k) == Some(l)).count();
    let n = fleet.order.len();
    let mut spans = Vec::new();
    if !fleet.filter.is_empty() || fleet.typing {
        let cursor = if fleet.typing { "▏" } else { "" };
        spans.push(Span::styled(format!("filter: {}{cursor}", fleet.filter.text()), look.style(Role::Match)));
        spans.push(Span::raw("  "));
    }
    spans.push(Span::styled(format!("{n} cluster{}", if n == 1 { "" } else { "s" }), look.style(Role::Dim)));
    for l in [Level::Bad, Level::Warn, Level::Unknown] {
        let c = count(l);
        if c > 0 {
            spans.push(Span::raw("  "));
            spans.push(Span::styled(format!("{}{c}", look.marks.level(l)), look.level(l)));
        }
    }
    Line::from(spans)
}
