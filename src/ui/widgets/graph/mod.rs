//! A graph: several lines over one time axis, with gaps where nothing was known, marks where something happened, and a
//! cursor. Lines are drawn in braille (2 × 4 dots a cell), or in plain signs.

mod axis;
mod plot;
mod scale;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::ui::layout::{split_bottom, split_left, split_top};
use crate::ui::text::{put, width};
use crate::ui::theme::{Look, Role};

pub use axis::{Unit, nice_top, step_of};

/// A moment and what was known then; `None` breaks the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// How much; `None`: not known.
    pub value: Option<f64>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// Its points, ascending in time.
    pub points: &'a [Point],
    /// Its colour.
    pub style: Style,
}

/// Something happened: an upright line with a letter.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// Explained under the graph.
    pub letter: char,
    /// Where several fall on one column, the letter of the weightiest stands.
    pub weight: u8,
    /// What kind of news.
    pub role: Role,
}

/// A graph.
#[derive(Clone, Debug)]
pub struct Graph<'a> {
    /// The left edge.
    pub from: Timestamp,
    /// The right edge.
    pub to: Timestamp,
    /// The lines; the first is drawn on top.
    pub series: &'a [Series<'a>],
    /// What happened.
    pub marks: &'a [Mark],
    /// The moment one looks at.
    pub cursor: Option<Timestamp>,
    /// What the values are.
    pub unit: Unit,
    /// The scale reaches at least this far, so that noise near zero does not look like a storm.
    pub least_top: f64,
    /// Every value fits, however rare: for a picture that is read rather than watched.
    pub whole: bool,
    /// Points further apart than this are not connected.
    pub gap: jiff::SignedDuration,
    /// Times on the axis are of this zone.
    pub zone: &'a TimeZone,
    /// Draw the times under the graph (of several on one axis only the last needs them).
    pub times: bool,
}

/// Columns that one figure above the scale speaks for, so that no two stand on each other.
const NEIGHBOURS: u16 = 12;

/// Cells left of the plot: labels and the line.
const LABELS: u16 = 9;

impl Graph<'_> {
    /// Draws the graph.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let area = area.intersection(buf.area);
        let Some(plot) = self.plot(area) else { return };
        let (rest, times) = split_bottom(area, if self.times { 2 } else { 0 });
        let scale::Scale { top, above } = scale::scale(self);
        self.draw_scale(rest, plot, buf, look, top);
        if self.times {
            self.draw_times(times, plot, buf, look);
        }
        self.draw_marks(plot, buf, look);
        plot::draw(self, plot, buf, look, top);
        self.draw_letters(plot, buf, look);
        self.draw_above(&above, plot, buf, look);
        self.draw_cursor(plot, buf, look);
        if !self.series.iter().any(|s| s.points.iter().any(|p| p.value.is_some())) {
            put(buf, plot, plot.x + 1, plot.y + plot.height / 2, "no values yet", look.style(Role::Dim));
        }
    }

    /// Where the lines are drawn in this area; `None` when there is no room.
    pub fn plot(&self, area: Rect) -> Option<Rect> {
        let (rest, _) = split_bottom(area, if self.times { 2 } else { 0 });
        let (_, plot) = split_left(rest, LABELS);
        (plot.width >= 4 && plot.height >= 1 && self.to > self.from).then_some(plot)
    }

    /// The moment a column of the plot stands for: for the mouse.
    pub fn moment_at(&self, area: Rect, x: u16) -> Option<Timestamp> {
        let plot = self.plot(area)?;
        let cell = x.checked_sub(plot.x).filter(|c| *c < plot.width)?;
        let whole = self.to.duration_since(self.from).as_secs_f64();
        let part = whole * (f64::from(cell) + 0.5) / f64::from(plot.width);
        self.from.checked_add(jiff::SignedDuration::from_millis((part * 1000.0) as i64)).ok()
    }

    /// A moment's place between the edges: 0 at the left, 1 at the right.
    fn part(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64();
        at.duration_since(self.from).as_secs_f64() / whole
    }

    fn column(&self, plot: Rect, at: Timestamp) -> Option<u16> {
        let part = self.part(at);
        (0.0..=1.0).contains(&part).then(|| plot.x + ((part * f64::from(plot.width)) as u16).min(plot.width - 1))
    }

    /// What stands above the scale: an arrow and the figure, once for neighbours, where letters leave room.
    fn draw_above(&self, above: &[(Timestamp, f64)], plot: Rect, buf: &mut Buffer, look: &Look) {
        let row = plot.y + u16::from(plot.height > 2);
        let columns = above.iter().filter_map(|(at, value)| Some((self.column(plot, *at)?, *value)));
        let columns: Vec<(u16, f64)> = columns.collect();
        for peaks in columns.chunk_by(|a, b| b.0 - a.0 <= NEIGHBOURS) {
            let Some((x, value)) = peaks.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
            let words = format!("{} {}", look.marks.rising, self.unit.label(value));
            let x = x.min(plot.right().saturating_sub(width(&words) as u16));
            put(buf, plot, x, row, &words, look.style(Role::Info));
        }
    }

    fn draw_scale(&self, area: Rect, plot: Rect, buf: &mut Buffer, look: &Look, top: f64) {
        let (labels, _) = split_left(area, LABELS);
        let line = if look.marks.ascii { "|" } else { "│" };
        for y in plot.top()..plot.bottom() {
            put(buf, labels, labels.right() - 1, y, line, look.style(Role::Border));
        }
        for (value, part) in axis::ticks(top, self.unit, plot.height) {
            let y = plot.y + ((1.0 - part) * f64::from(plot.height - 1)).round() as u16;
            let label = self.unit.label(value);
            let room = usize::from(LABELS - 1);
            let x = labels.x + room.saturating_sub(width(&label) + 1) as u16;
            put(buf, labels, x, y, &label, look.style(Role::Dim));
            let tick = if look.marks.ascii { "+" } else { "┤" };
            put(buf, labels, labels.right() - 1, y, tick, look.style(Role::Border));
        }
    }

    fn draw_times(&self, area: Rect, plot: Rect, buf: &mut Buffer, look: &Look) {
        let (line, labels) = split_top(area, 1);
        let [corner, rule, tick] = if look.marks.ascii { ["+", "-", "+"] } else { ["└", "─", "┬"] };
        put(buf, line, plot.x - 1, line.y, corner, look.style(Role::Border));
        for x in plot.left()..plot.right() {
            put(buf, line, x, line.y, rule, look.style(Role::Border));
        }
        let mut free = labels.x;
        for (at, label) in axis::times(self.from, self.to, plot.width, self.zone) {
            let Some(x) = self.column(plot, at) else { continue };
            let w = width(&label) as u16;
            let start = x.saturating_sub(w / 2).max(plot.x.saturating_sub(1));
            if start < free || start + w > labels.right() {
                continue;
            }
            put(buf, line, x, line.y, tick, look.style(Role::Border));
            free = put(buf, labels, start, labels.y, &label, look.style(Role::Dim)) + 2;
        }
    }

    fn draw_marks(&self, plot: Rect, buf: &mut Buffer, look: &Look) {
        let line = if look.marks.ascii { ":" } else { "┊" };
        for mark in self.marks {
            let Some(x) = self.column(plot, mark.at) else { continue };
            for y in plot.top()..plot.bottom() {
                put(buf, plot, x, y, line, look.style(Role::Border));
            }
        }
    }

    /// The marks' letters, over any line: they are explained below by them.
    fn draw_letters(&self, plot: Rect, buf: &mut Buffer, look: &Look) {
        let mut marks: Vec<&Mark> = self.marks.iter().collect();
        marks.sort_by_key(|m| m.weight);
        for mark in marks {
            let Some(x) = self.column(plot, mark.at) else { continue };
            put(buf, plot, x, plot.y, &mark.letter.to_string(), look.bold(mark.role));
        }
    }

    fn draw_cursor(&self, plot: Rect, buf: &mut Buffer, look: &Look) {
        let Some(x) = self.cursor.and_then(|at| self.column(plot, at)) else { return };
        let line = if look.marks.ascii { "|" } else { "│" };
        for y in plot.top()..plot.bottom() {
            // What is drawn stays; the cursor is seen in between and by its background.
            if buf[(x, y)].symbol().trim().is_empty() {
                put(buf, plot, x, y, line, look.style(Role::Accent));
            }
            buf[(x, y)].set_style(look.style(Role::Selected));
        }
    }
}

/// The value of a series at a moment: its last known point not later than that, unless a gap lies between.
pub fn value_at(points: &[Point], at: Timestamp, gap: jiff::SignedDuration) -> Option<f64> {
    let n = points.partition_point(|p| p.at <= at);
    let last = points.get(n.checked_sub(1)?)?;
    (at.duration_since(last.at) <= gap).then_some(last.value).flatten()
}
