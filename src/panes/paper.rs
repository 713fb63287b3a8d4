//! Lines of a page: words, labels with what belongs to them, small tables. Wrapped when they are put down, so that the place
//! on the page counts in lines as they are seen. Every pane that tells something at length tells it on one of these.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::ui::text::{cut_line, fit, put_line, width};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::scroll;
use crate::ui::widgets::textview::wrapped;

/// The widest cell of a small table.
const CELL: usize = 36;
/// Cells of a label where all of them are short.
pub const LABEL: usize = 10;

/// A page.
pub struct Paper<'l> {
    look: &'l Look,
    width: usize,
    lines: Vec<Line<'static>>,
}

impl<'l> Paper<'l> {
    /// An empty page of this many cells across.
    pub fn new(look: &'l Look, width: u16) -> Self {
        Paper { look, width: usize::from(width).saturating_sub(1).max(8), lines: Vec::new() }
    }

    /// An empty line, unless there is nothing above it or one already.
    pub fn gap(&mut self) {
        if self.lines.last().is_some_and(|l| l.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    /// A paragraph.
    pub fn words(&mut self, text: &str, role: Role) {
        self.indented(0, text, self.look.style(role));
    }

    /// A paragraph that stands this many cells to the right.
    pub fn indented(&mut self, by: usize, text: &str, style: Style) {
        self.behind(vec![Span::raw(" ".repeat(by))], by, text, style);
    }

    /// A label of `column` cells, and a paragraph behind it.
    pub fn labelled(&mut self, label: &str, role: Role, column: usize, text: &str, style: Style) {
        let column = column.min(self.width / 2);
        let label = fit(label, column.saturating_sub(1), self.look.marks.more);
        // What only fills the column has no style: an underlined blank is no label.
        let said = label.trim_end();
        let blank = " ".repeat(column.saturating_sub(width(said)));
        self.behind(vec![Span::styled(said.to_owned(), self.look.style(role)), Span::raw(blank)], column, text, style);
    }

    /// A short label, and a paragraph behind it.
    pub fn told(&mut self, label: &str, text: &str, role: Role) {
        self.labelled(label, Role::Dim, LABEL, text, self.look.style(role));
    }

    /// A line of its own making; what it goes on with stands this many cells to the right.
    pub fn line(&mut self, line: &Line<'_>, hang: usize) {
        self.lines.extend(wrapped(line, self.width, hang));
    }

    fn behind(&mut self, mut spans: Vec<Span<'static>>, column: usize, text: &str, style: Style) {
        spans.push(Span::styled(text.to_owned(), style));
        self.line(&Line::from(spans), column);
    }

    /// A small table with a heading, cut at the right edge; a single row that is too wide as a line for each column.
    pub fn table(&mut self, by: usize, rows: &[Vec<String>]) {
        if let [heading, row] = rows
            && by + row.iter().zip(heading).map(|(c, h)| width(c).max(width(h)) + 2).sum::<usize>() > self.width
        {
            let style = self.look.style(Role::Text);
            let column = by + heading.iter().map(|h| width(h)).max().unwrap_or(0) + 2;
            for (name, cell) in heading.iter().zip(row) {
                self.labelled(&format!("{}{name}", " ".repeat(by)), Role::Dim, column, cell, style);
            }
            return;
        }
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|n| rows.iter().filter_map(|r| r.get(n)).map(|c| width(c)).max().unwrap_or(0).min(CELL))
            .collect();
        for (n, row) in rows.iter().enumerate() {
            let style = self.look.style(if n == 0 { Role::Dim } else { Role::Text });
            let cells = row.iter().zip(&widths).map(|(cell, w)| fit(cell, *w, self.look.marks.more));
            let text = format!("{}{}", " ".repeat(by), cells.collect::<Vec<_>>().join("  "));
            let line = Line::from(Span::styled(text.trim_end().to_owned(), style));
            self.lines.push(cut_line(line, self.width, self.look.marks.more));
        }
    }

    /// How many lines there are.
    pub fn height(&self) -> usize {
        self.lines.len()
    }

    /// Draws what is there from a line on; never past the end.
    pub fn draw(&self, top: usize, area: Rect, buf: &mut Buffer) {
        let height = usize::from(area.height);
        let first = top.min(self.height().saturating_sub(height));
        let visible = first..self.height().min(first + height);
        for (row, line) in self.lines[visible.clone()].iter().enumerate() {
            put_line(buf, area, area.x, area.y + row as u16, line);
        }
        scroll::upright(area, buf, self.look, visible, self.height());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::marks::Marks;
    use crate::ui::theme::{Depth, Themes};

    #[test]
    fn everything_stays_within_the_page() {
        let look = Themes::shipped().look("default", Depth::True, Marks::SIGNS);
        let mut paper = Paper::new(&look, 27);
        paper.gap();
        paper.labelled(
            "look",
            Role::Info,
            8,
            "kubectl get https://a-very-long-host/path 予備予備予備予備",
            Style::new(),
        );
        paper.gap();
        paper.gap();
        paper.table(2, &[vec!["name".into(), "state".into()], vec!["a-rather-long-name".into(), "active".into()]]);
        let text: Vec<String> = paper.lines.iter().map(ToString::to_string).collect();
        assert!(text.iter().all(|l| width(l) <= 26), "{text:#?}");
        assert_eq!(text[0], "look    kubectl get");
        assert!(text[1].starts_with("        https://"), "{text:#?}");
        assert_eq!(text.iter().filter(|l| l.is_empty()).count(), 1);
    }
}
