//! Lines in dots.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Graph, Point};
use crate::ui::theme::Look;

/// Dots of one series: one bit pattern a cell.
struct Canvas {
    width: usize,
    height: usize,
    cells: Vec<u8>,
}

/// Braille dots of a cell, by row and column (Unicode 28xx).
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    fn new(plot: Rect) -> Canvas {
        let (width, height) = (usize::from(plot.width), usize::from(plot.height));
        Canvas { width, height, cells: vec![0; width * height] }
    }

    fn dot(&mut self, x: usize, y: usize) {
        let (column, row) = (x / 2, y / 4);
        if column < self.width && row < self.height {
            self.cells[row * self.width + column] |= DOTS[y % 4][x % 2];
        }
    }

    /// An upright line of dots.
    fn upright(&mut self, x: usize, a: usize, b: usize) {
        for y in a.min(b)..=a.max(b) {
            self.dot(x, y);
        }
    }

    /// A line of dots from one column to a later one.
    fn line(&mut self, (x0, y0): (usize, usize), (x1, y1): (usize, usize)) {
        let steps = x1.saturating_sub(x0).max(1);
        let mut before = y0;
        for n in 0..=steps {
            let part = n as f64 / steps as f64;
            let y = (y0 as f64 + (y1 as f64 - y0 as f64) * part).round() as usize;
            // Half of a steep step belongs to each column, so that the line has no holes.
            let middle = before.midpoint(y);
            self.upright((x0 + n).saturating_sub(1).max(x0), before, middle);
            self.upright((x0 + n).min(x1), middle, y);
            before = y;
        }
    }
}

/// What one column of dots holds of a series: several points may fall on it.
#[derive(Clone, Copy)]
struct Stack {
    x: usize,
    first: f64,
    last: f64,
    low: f64,
    high: f64,
}

/// Draws all series, the last first, so that the first is on top.
pub(super) fn draw(graph: &Graph<'_>, plot: Rect, buf: &mut Buffer, look: &Look, top: f64) {
    for (n, series) in graph.series.iter().enumerate().rev() {
        let mut canvas = Canvas::new(plot);
        for run in runs(graph, series.points, plot) {
            draw_run(&mut canvas, &run, top);
        }
        if look.marks.ascii {
            const SIGNS: [char; 4] = ['*', '+', 'x', 'o'];
            blit(&canvas, plot, buf, series.style, |_| SIGNS[n % 4]);
        } else {
            let sign = |bits: u8| char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ');
            blit(&canvas, plot, buf, series.style, sign);
        }
    }
}

fn blit(canvas: &Canvas, plot: Rect, buf: &mut Buffer, style: Style, sign: impl Fn(u8) -> char) {
    for (n, bits) in canvas.cells.iter().enumerate().filter(|(_, bits)| **bits != 0) {
        let (x, y) = (plot.x + (n % canvas.width) as u16, plot.y + (n / canvas.width) as u16);
        let cell = &mut buf[(x, y)];
        // Dots of a line below stay visible beside this one's.
        let below = cell.symbol().chars().next().map_or(0, u32::from);
        let bits = if (0x2800..0x2900).contains(&below) { bits | (below - 0x2800) as u8 } else { *bits };
        cell.set_char(sign(bits)).set_style(style);
    }
}

/// Unbroken runs of a series in dot columns.
fn runs(graph: &Graph<'_>, points: &[Point], plot: Rect) -> Vec<Vec<Stack>> {
    let columns = f64::from(plot.width) * 2.0;
    let first = points.partition_point(|p| p.at < graph.from);
    let mut runs: Vec<Vec<Stack>> = Vec::new();
    let mut run: Vec<Stack> = Vec::new();
    let mut before = None;
    for p in points[first..].iter().take_while(|p| p.at <= graph.to) {
        let broken = before.is_some_and(|b| p.at.duration_since(b) > graph.gap);
        let value = p.value.filter(|v| v.is_finite()).map(|v| v.max(0.0));
        if (broken || value.is_none()) && !run.is_empty() {
            runs.push(std::mem::take(&mut run));
        }
        before = Some(p.at);
        let Some(v) = value else { continue };
        let x = ((graph.part(p.at) * columns) as usize).min(columns as usize - 1);
        match run.last_mut().filter(|s| s.x == x) {
            Some(s) => (s.last, s.low, s.high) = (v, s.low.min(v), s.high.max(v)),
            None => run.push(Stack { x, first: v, last: v, low: v, high: v }),
        }
    }
    runs.push(run);
    runs
}

fn draw_run(canvas: &mut Canvas, run: &[Stack], top: f64) {
    let most = (canvas.height * 4 - 1) as f64;
    let y = |v: f64| (most - (v / top).min(1.0) * most).round() as usize;
    for s in run {
        canvas.upright(s.x, y(s.low), y(s.high));
    }
    for pair in run.windows(2) {
        canvas.line((pair[0].x, y(pair[0].last)), (pair[1].x, y(pair[1].first)));
    }
}
