//! How the fleet looks.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Fleet;
use super::columns::{ALL, Around};
use crate::domain::health::{Level, Reason};
use crate::domain::quantity;
use crate::panes::known::Judged;
use crate::panes::{Scene, loading, rule};
use crate::ui::layout::{inset, split_bottom, split_top};
use crate::ui::text::{cut_line, put_line, width};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::Row;

/// An answer older than this is dimmed: unseen clusters are asked every 10 s, and one may be missed.
const STALE: SignedDuration = SignedDuration::from_secs(25);

/// Cells of `  and 12 more`.
pub const MORE: usize = 13;

/// The list above, and the selected cluster's reasons below where there is room for both.
pub fn parts(area: Rect) -> (Rect, Rect) {
    if area.height < 19 { (area, Rect { height: 0, ..area }) } else { split_bottom(area, (area.height / 3).min(12)) }
}

/// Draws the list.
pub fn draw(fleet: &Fleet, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (list, below) = parts(area);
    let empty = empty_words(fleet, scene);
    let lines = |n: usize| fleet.lines(scene, n);
    let table = fleet.table(area.width, &lines, &empty);
    let widths = table.widths(list.width);
    table.draw(list, buf, look, |n| row(fleet, scene, look, &widths, n));
    let selected = fleet.selected.as_ref().and_then(|k| scene.known.judged.get(k));
    if let Some(judged) = selected.filter(|_| below.height > 1) {
        why(judged, scene, look, below, buf);
    }
}

/// Why the selected cluster is judged as it is: every reason with its witness, then its poolers.
fn why(judged: &Judged, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (head, body) = split_top(area, 1);
    let body = inset(body, 2, 0);
    rule(&judged.digest.key.to_string(), look, head, buf);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let reasons = judged.health.reasons().filter(|r| r.level != Level::Ok);
    let (wide, last) = (usize::from(body.width), usize::from(body.height).saturating_sub(1));
    let room = |n: usize| if n == last { wide.saturating_sub(MORE) } else { wide };
    lines.extend(reasons.enumerate().map(|(n, r)| reason_line(r, scene, look, room(n))));
    if lines.is_empty() {
        let asked = judged.digest.seen.map(|t| format!("  asked {} ago", quantity::age(t, scene.now)));
        lines.push(Line::from(vec![
            Span::styled(format!("{} ", look.marks.good), look.style(Role::Good)),
            Span::styled("available and recoverable, as far as every witness says", look.style(Role::Text)),
            Span::styled(asked.unwrap_or_default(), look.style(Role::Dim)),
        ]));
    }
    for (level, text) in &judged.digest.poolers {
        let style = if *level == Level::Ok { look.style(Role::Dim) } else { look.level(*level) };
        lines.push(Line::styled(format!("{} {text}", look.marks.pooler), style));
    }
    let room = usize::from(body.height);
    let left = lines.len().saturating_sub(room);
    for (n, line) in lines.into_iter().take(room).enumerate() {
        let left = if n + 1 == room { left } else { 0 };
        put_line(buf, body, body.x, body.y + n as u16, &and_more(line, left, look, wide));
    }
}

fn row<'a>(fleet: &Fleet, scene: &Scene<'a>, look: &Look, widths: &[u16], n: usize) -> Row<'a> {
    let judged = fleet.order.get(n).and_then(|key| scene.known.judged.get(key));
    let Some(judged) = judged else { return Row::default() };
    let d = &judged.digest;
    let lost = scene.known.watch_trouble(&d.key.context).is_some();
    let old = d.seen.is_none_or(|t| scene.now.duration_since(t) > STALE);
    let mut cells = vec![Line::styled(look.marks.level(d.level), look.level(d.level))];
    for (column, room) in ALL.into_iter().zip(widths.iter().skip(1)) {
        let around = Around { marks: &look.marks, now: scene.now, several_contexts: fleet.several_contexts };
        let (text, level) = column.cell(d, &around, usize::from(*room));
        let stale = lost || (column.sampled() && old);
        cells.push(Line::styled(text, cell_style(look, level, stale, column == ALL[0] && d.level != Level::Ok)));
    }
    let reasons: Vec<&Reason> = judged.health.reasons().filter(|r| r.level != Level::Ok).collect();
    let under = if fleet.lines(scene, n) > 1 { vec![joined(&reasons, scene.now, look)] } else { vec![] };
    Row { cells, under, style: Style::default() }
}

/// Names of clusters that want attention stand out; those that are well are plain text.
fn cell_style(look: &Look, level: Level, stale: bool, stands_out: bool) -> Style {
    match level {
        _ if stale => look.style(Role::Stale),
        Level::Ok if stands_out => look.style(Role::Title),
        Level::Ok => look.style(Role::Text),
        level => look.level(level),
    }
}

/// `archiver failing for 14m  pg_stat_archiver on …, 2s ago  runbook wal-archiving-failing`: the runbook where there is room
/// for its whole name.
pub fn reason_line<'a>(reason: &'a Reason, scene: &Scene<'a>, look: &Look, room: usize) -> Line<'a> {
    let dim = look.style(Role::Dim);
    let mut line = Line::from(vec![
        Span::styled(look.marks.level(reason.level), look.level(reason.level)),
        Span::raw(" "),
        Span::styled(reason.text.as_str(), look.style(Role::Text)),
        Span::styled(format!("  {}, {} ago", reason.witness, quantity::age(reason.seen, scene.now)), dim),
    ]);
    if let Some(runbook) = scene.doing.runbooks.for_reason(reason.code) {
        let name = Span::styled(runbook.name.as_str(), look.style(Role::Info));
        let label = Span::styled("  runbook ", dim);
        if line.width() + label.width() + name.width() <= room {
            line.spans.extend([label, name]);
        }
    }
    line
}

/// A line in so much room, and behind it that there are more which there is no room for.
pub fn and_more<'a>(line: Line<'a>, left: usize, look: &Look, room: usize) -> Line<'a> {
    let more = if left == 0 { String::new() } else { format!("  and {left} more") };
    let mut line = cut_line(line, room.saturating_sub(width(&more)), look.marks.more);
    line.push_span(Span::styled(more, look.style(Role::Dim)));
    line
}

/// The reasons on one line, worst first. Their colour is the row's mark's: lines of red would hide which row is meant.
fn joined<'a>(reasons: &[&'a Reason], now: Timestamp, look: &Look) -> Line<'a> {
    let dim = look.style(Role::Dim);
    let mut spans = Vec::new();
    for reason in reasons {
        if !spans.is_empty() {
            spans.push(Span::styled(format!(" {} ", look.marks.dot), dim));
        }
        spans.push(Span::styled(reason.text.as_str(), look.style(Role::Text)));
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
pub fn counts<'a>(fleet: &Fleet, look: &Look) -> Line<'a> {
    let n = fleet.order.len();
    let mut spans = Vec::new();
    spans.extend(fleet.filter.words(look));
    spans.push(Span::styled(format!("{n} cluster{}", if n == 1 { "" } else { "s" }), look.style(Role::Dim)));
    for (l, c) in [(Level::Bad, fleet.tally[3]), (Level::Warn, fleet.tally[2]), (Level::Unknown, fleet.tally[1])] {
        if c > 0 {
            spans.push(Span::raw("  "));
            spans.push(Span::styled(format!("{}{c}", look.marks.level(l)), look.level(l)));
        }
    }
    Line::from(spans)
}
