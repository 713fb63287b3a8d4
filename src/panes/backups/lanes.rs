//! The time line: what can be recovered, base backups, WAL of each timeline, and what is missing.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::line::Scale;
use super::{Backups, SPANS, unknown};
use crate::domain::backup::Catalog;
use crate::domain::backup::StoreListing;
use crate::domain::backup::archive::Run;
use crate::domain::backup::continuity::{Continuity, Gap};
use crate::domain::health::Level;
use crate::domain::quantity::age;
use crate::domain::wal::Timeline;
use crate::panes::{Scene, times};
use crate::ui::text::{put, width};
use crate::ui::theme::{Look, Role};

/// Cells of the lanes' names.
const NAMES: u16 = 13;
/// Cells kept free at the right: `now`, an age.
const RIGHT: u16 = 6;
/// The least that is shown, where there is hardly anything.
const LEAST: SignedDuration = SignedDuration::from_mins(10);

/// Timelines with WAL, oldest first, at most that many: the newest.
fn timelines(store: Option<&StoreListing>, most: usize) -> Vec<Timeline> {
    let with_wal = store.iter().flat_map(|s| &s.archive.timelines).filter(|(_, t)| t.runs.count() > 0);
    let all: Vec<Timeline> = with_wal.map(|(t, _)| *t).collect();
    all[all.len().saturating_sub(most)..].to_vec()
}

/// Rows it takes with room for so many timelines.
pub(super) fn height(store: Option<&StoreListing>, most: usize) -> u16 {
    3 + timelines(store, most).len().max(1) as u16
}

fn scale(pane: &Backups, catalog: &Catalog, store: Option<&StoreListing>, now: Timestamp, area: Rect) -> Scale {
    let bases = catalog.entries.iter().filter_map(|e| e.started().or(e.at())).min();
    let wal = || {
        let archive = &store?.archive;
        let runs = archive.timelines.values().flat_map(|t| t.runs.numbered(archive.segment_size()));
        runs.map(|r| r.first_at).min()
    };
    // WAL older than every base brings nothing back: the line begins with the first base, a little before it.
    let oldest = bases.or_else(wal).unwrap_or(now).min(now);
    let all = (now.duration_since(oldest) + now.duration_since(oldest) / 30).max(LEAST);
    let shown = SPANS[pane.span].0.unwrap_or(all);
    let width = area.width.saturating_sub(NAMES + RIGHT);
    Scale { from: now.saturating_sub(shown).unwrap_or(now), to: now, left: area.x + NAMES, width }
}

/// What the lanes are drawn with.
struct Pen<'a, 'b> {
    look: &'a Look,
    area: Rect,
    buf: &'b mut Buffer,
    scale: Scale,
}

impl Pen<'_, '_> {
    fn name(&mut self, y: u16, text: &str) {
        put(self.buf, self.area, self.area.x + 1, y, text, self.look.style(Role::Dim));
    }

    fn put(&mut self, x: u16, y: u16, text: &str, style: Style) {
        put(self.buf, self.area, x, y, text, style);
    }

    /// The same sign from column to column.
    fn fill(&mut self, (from, to): (u16, u16), y: u16, sign: &str, style: Style) {
        for x in from..=to {
            self.put(x, y, sign, style);
        }
    }

    /// The columns of a span of time, where any of it is shown.
    fn columns(&self, from: Timestamp, to: Timestamp) -> Option<(u16, u16)> {
        let shown = to >= self.scale.from && from <= self.scale.to;
        shown.then(|| (self.scale.column(from), self.scale.column(to)))
    }
}

/// Draws the lanes.
pub(super) fn draw(pane: &Backups, scene: &Scene<'_>, look: &Look, area: Rect, most: usize, buf: &mut Buffer) {
    let Some(made) = &pane.made else { return };
    let (catalog, store) = (&made.catalog, made.store.as_deref());
    let scale = scale(pane, catalog, store, scene.now, area);
    let mut pen = Pen { look, area, buf, scale };
    windows(&mut pen, area.y, catalog, store, unknown(scene, &made.cluster).is_some());
    bases(&mut pen, area.y + 1, pane, catalog);
    let mut y = area.y + 2;
    match (store, &catalog.continuity) {
        (Some(store), Some(continuity)) if !store.archive.timelines.is_empty() => {
            for timeline in timelines(Some(store), most) {
                wal(&mut pen, y, timeline, store, continuity);
                y += 1;
            }
            if let Some(risk) = &catalog.at_risk {
                let words = risk.since.map(|t| age(t, scene.now)).unwrap_or_default();
                pen.put(area.right().saturating_sub(RIGHT - 1), y - 1, &words, look.style(Role::Text));
            }
        }
        (listed, _) => {
            pen.name(y, "WAL");
            let words = if listed.is_some() { "none in the store" } else { "not known" };
            let (left, style) = (pen.scale.left, look.style(Role::Unknown));
            pen.put(left, y, &format!("{} {words}", look.marks.unknown), style);
            y += 1;
        }
    }
    edge(&mut pen, (area.y, y), catalog);
    axis(&mut pen, y, pane, catalog, scene);
    if let Some(picker) = &pane.picker {
        cursor(&mut pen, (area.y, y), picker.at, picker.plot(catalog).1.is_ok(), scene);
    }
}

/// The moment that is picked, through all lanes; its time stands on the axis, with a mark of whether a recovery gets there.
fn cursor(pen: &mut Pen<'_, '_>, (top, bottom): (u16, u16), at: Timestamp, good: bool, scene: &Scene<'_>) {
    let level = if good { Level::Ok } else { Level::Bad };
    let style = pen.look.level(level).add_modifier(ratatui::style::Modifier::REVERSED);
    let x = pen.scale.column(at);
    for y in top..bottom {
        if let Some(cell) = pen.buf.cell_mut((x, y)) {
            cell.set_style(style);
        }
    }
    let outside = if at < pen.scale.from { pen.look.marks.more } else { "" };
    let words = format!("{outside}{} {}", pen.look.marks.level(level), times::clock(at, scene.habits));
    let room = width(&words) as u16;
    let last = (pen.scale.left + pen.scale.width).saturating_sub(room);
    let left = x.saturating_sub(room / 2).clamp(pen.scale.left, last.max(pen.scale.left));
    pen.put(left.saturating_sub(1), bottom, &" ".repeat(usize::from(room) + 2), pen.look.style(Role::Text));
    pen.put(left, bottom, &words, style);
    // Half a moment's name beside it would be another moment's.
    let blank = pen.look.style(Role::Text);
    let named = |pen: &Pen<'_, '_>, x: u16| pen.buf.cell((x, bottom)).is_some_and(|c| c.symbol() != " ");
    let beside = (left + room + 1..pen.area.right()).take_while(|x| named(pen, *x)).collect::<Vec<_>>();
    let before = (pen.scale.left..left.saturating_sub(1)).rev().take_while(|x| named(pen, *x)).collect::<Vec<_>>();
    beside.into_iter().chain(before).for_each(|x| pen.put(x, bottom, " ", blank));
}

fn windows(pen: &mut Pen<'_, '_>, y: u16, catalog: &Catalog, store: Option<&StoreListing>, stale: bool) {
    pen.name(y, "recoverable");
    let Some(continuity) = &catalog.continuity else {
        let left = pen.scale.left;
        let words = format!("{} not proven", pen.look.marks.unknown);
        pen.put(left, y, &words, pen.look.style(Role::Unknown));
        return;
    };
    let style = pen.look.style(match (stale, catalog.whole) {
        (true, _) => Role::Stale,
        (false, true) => Role::Good,
        (false, false) => Role::Unknown,
    });
    for window in &continuity.windows {
        let from = window.from.unwrap_or(pen.scale.from);
        let until = window.until.unwrap_or_else(|| stored(store, window.last.timeline).unwrap_or(pen.scale.to));
        let Some((left, right)) = pen.columns(from, until) else { continue };
        let (line, ends) = if pen.look.marks.ascii { ("-", ["|", "|"]) } else { ("─", ["├", "┤"]) };
        pen.fill((left, right), y, line, style);
        pen.put(left, y, ends[0], style);
        pen.put(right, y, ends[1], style);
        let words = " recoverable ";
        let room = right.saturating_sub(left);
        if usize::from(room) > width(words) + 6 {
            pen.put(left + (room - width(words) as u16) / 2, y, words, style);
        }
    }
    if continuity.windows.is_empty() {
        let (left, style) = (pen.scale.left, pen.look.style(Role::Bad));
        pen.put(left, y, &format!("{} nothing", pen.look.marks.bad), style);
    }
}

fn stored(store: Option<&StoreListing>, timeline: Timeline) -> Option<Timestamp> {
    store?.archive.timelines.get(&timeline)?.newest
}

fn bases(pen: &mut Pen<'_, '_>, y: u16, pane: &Backups, catalog: &Catalog) {
    pen.name(y, "bases");
    // The newest last, the worst above the better, the selected above all.
    let mut order: Vec<usize> = (0..catalog.entries.len()).rev().collect();
    order.sort_by_key(|n| (*n == pane.selected, catalog.entries[*n].verdict().0));
    for n in order {
        let entry = &catalog.entries[n];
        let Some(at) = entry.at().filter(|at| pen.scale.shows(*at)) else { continue };
        let (level, _) = entry.verdict();
        let running = entry.flags.iter().any(|f| f.kind == crate::domain::backup::catalog::FlagKind::Unfinished);
        let marks = &pen.look.marks;
        let sign = match level {
            _ if running => marks.late,
            Level::Ok => marks.sorted_down,
            level => marks.level(level),
        };
        let mut style = pen.look.level(level);
        if n == pane.selected {
            style = style.add_modifier(ratatui::style::Modifier::REVERSED | ratatui::style::Modifier::BOLD);
        }
        let x = pen.scale.column(at);
        pen.put(x, y, sign, style);
    }
    if catalog.entries.is_empty() {
        let (left, style) = (pen.scale.left, pen.look.style(Role::Dim));
        pen.put(left, y, "none known", style);
    }
}

fn wal(pen: &mut Pen<'_, '_>, y: u16, timeline: Timeline, store: &StoreListing, continuity: &Continuity) {
    pen.name(y, &format!("WAL tl {timeline}"));
    let Some(wal) = store.archive.timelines.get(&timeline) else { return };
    let runs = wal.runs.numbered(continuity.segment_size);
    let (full, missing) = if pen.look.marks.ascii { ("=", "x") } else { ("█", "░") };
    let style = pen.look.style(Role::Primary);
    for run in &runs {
        if let Some(columns) = pen.columns(run.first_at, run.last_at) {
            pen.fill(columns, y, full, style);
        }
    }
    for gap in continuity.gaps.iter().filter(|g| g.first.timeline == timeline) {
        let (from, to) = around(gap, &runs, continuity.segment_size, pen.scale.to);
        let Some((mut left, mut right)) = pen.columns(from, to) else { continue };
        // What lies between two stored segments, and at least a cell of it.
        if right > left + 1 {
            (left, right) = (left + 1, right - 1);
        } else {
            left = right;
        }
        let style = pen.look.style(if gap.hole { Role::Bad } else { Role::Warn });
        pen.fill((left, right), y, missing, style);
        let sign = if gap.hole { pen.look.marks.bad } else { pen.look.marks.warn };
        pen.put(left + (right - left) / 2, y, sign, style);
    }
}

/// When the segments on both sides of a gap were stored.
fn around(gap: &Gap, runs: &[Run], size: u64, now: Timestamp) -> (Timestamp, Timestamp) {
    let (first, last) = (gap.first.number(size), gap.last.number(size));
    let before = runs.iter().rev().find(|r| r.last < first).map(|r| r.last_at);
    let after = runs.iter().find(|r| r.first > last).map(|r| r.first_at);
    match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (Some(before), None) => (before, if gap.hole { before } else { now }),
        (None, Some(after)) => (after, after),
        (None, None) => (now, now),
    }
}

/// Since when everything is promised to be kept.
fn edge(pen: &mut Pen<'_, '_>, (top, bottom): (u16, u16), catalog: &Catalog) {
    let Some((_, Some(edge))) = &catalog.retention else { return };
    if !pen.scale.shows(*edge) {
        return;
    }
    let x = pen.scale.column(*edge);
    for y in top..bottom {
        if pen.buf.cell((x, y)).is_some_and(|c| c.symbol() == " ") {
            let (sign, style) = (pen.look.marks.upright, pen.look.style(Role::Info));
            pen.put(x, y, sign, style);
        }
    }
}

fn axis(pen: &mut Pen<'_, '_>, y: u16, pane: &Backups, catalog: &Catalog, scene: &Scene<'_>) {
    let dim = pen.look.style(Role::Dim);
    let name = if pane.span == 0 { "" } else { SPANS[pane.span].1 };
    pen.name(y, name);
    let promise = match &catalog.retention {
        Some((words, Some(edge))) if pen.scale.shows(*edge) => {
            let words = format!("{words} kept");
            let x = pen.scale.column(*edge);
            Some((x, x + width(&words) as u16, words))
        }
        _ => None,
    };
    let end = pen.scale.left + pen.scale.width;
    for (x, words) in pen.scale.ticks(scene.habits) {
        let last = x + width(&words) as u16;
        let taken = promise.as_ref().is_some_and(|(from, to, _)| x <= *to && last + 1 >= *from);
        if !taken && last < end {
            pen.put(x, y, &words, dim);
        }
    }
    if let Some((x, _, words)) = promise {
        let style = pen.look.style(Role::Info);
        pen.put(x, y, &words, style);
    }
    pen.put(end + 1, y, "now", dim);
}
