//! A table: columns that vanish by priority when it is narrow, a selected row, rows of one line or more.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use std::ops::Range;

use crate::ui::text::{cut_line, put, put_line};
use crate::ui::theme::{Look, Role};

/// Cells between columns.
const GAP: u16 = 2;

/// A column. Widths do not follow the data, so nothing jumps when it changes.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// It vanishes rather than become narrower.
    pub min: u16,
    /// Its width when there is room.
    pub want: u16,
    /// Its share of what is left over; 0 takes none.
    pub grow: u16,
    /// The higher, the earlier it vanishes; 0 stays.
    pub priority: u8,
    /// Numbers stand at the right.
    pub right: bool,
}

impl Column {
    /// A column of text of this width.
    pub const fn text(title: &'static str, min: u16, want: u16) -> Column {
        Column { title, min, want, grow: 0, priority: 1, right: false }
    }

    /// A column of numbers of this width.
    pub const fn number(title: &'static str, width: u16) -> Column {
        Column { title, min: width, want: width, grow: 0, priority: 1, right: true }
    }

    /// Takes this share of what is left over.
    #[must_use]
    pub const fn grow(self, share: u16) -> Column {
        Column { grow: share, ..self }
    }

    /// Vanishes the earlier, the higher; 0 stays.
    #[must_use]
    pub const fn priority(self, priority: u8) -> Column {
        Column { priority, ..self }
    }
}

/// A row: a cell per column, and lines under it.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    /// One per column.
    pub cells: Vec<Line<'a>>,
    /// Lines under the row across all columns, indented.
    pub under: Vec<Line<'a>>,
    /// Laid under the cells' own styles.
    pub style: Style,
}

/// A table.
pub struct Table<'a> {
    /// Its columns.
    pub columns: Vec<Column>,
    /// How many rows there are in all.
    pub total: usize,
    /// The selected one.
    pub selected: Option<usize>,
    /// The column it is sorted by, and whether downwards.
    pub sort: Option<(usize, bool)>,
    /// Lines of a row; `None`: one each.
    pub lines: Option<&'a dyn Fn(usize) -> u16>,
    /// Said when there are no rows.
    pub empty: &'a str,
}

/// The first visible row of a list, from what is selected alone: the selected row stays in the middle third, and the
/// list never scrolls past its ends.
pub fn window(selected: usize, total: usize, height: usize) -> usize {
    let last = total.saturating_sub(height);
    selected.saturating_sub(height / 2).min(last)
}

impl Table<'_> {
    /// Draws heading and visible rows; `row` is asked for those alone.
    pub fn draw<'r>(&self, area: Rect, buf: &mut Buffer, look: &Look, mut row: impl FnMut(usize) -> Row<'r>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let columns = self.columns_in(area.width);
        self.heading(area, buf, look, &columns);
        let body = body_of(area);
        if self.total == 0 {
            for (y, line) in (body.y..body.bottom()).zip(self.empty.lines()) {
                put(buf, body, body.x + 2, y, line, look.style(Role::Dim));
            }
            return;
        }
        let visible = self.visible(body.height);
        let mut y = body.y;
        for n in visible.clone() {
            let height = self.lines_of(n).min(body.bottom().saturating_sub(y));
            let place = Rect { y, height, ..body };
            draw_row(&row(n), place, buf, look, &columns, &self.columns);
            if self.selected == Some(n) {
                buf.set_style(place, look.style(Role::Selected));
                put(buf, place, place.x, y, look.marks.cursor, look.cursor());
            }
            y += height;
        }
        super::scroll::upright(body, buf, look, visible, self.total);
    }

    /// The rows that are visible in a body of this height (without the heading).
    pub fn visible(&self, height: u16) -> Range<usize> {
        let height = usize::from(height);
        if self.lines.is_none() {
            let first = window(self.selected.unwrap_or(0), self.total, height);
            return first..self.total.min(first + height);
        }
        self.visible_tall(height)
    }

    /// Like [`window`], where rows have several lines: walks outwards from the selected row, so that its cost is the
    /// height and not the number of rows.
    fn visible_tall(&self, height: usize) -> Range<usize> {
        let lines = |n: usize| usize::from(self.lines_of(n));
        let selected = self.selected.unwrap_or(0).min(self.total.saturating_sub(1));
        if self.total == 0 {
            return 0..0;
        }
        let mut first = selected;
        let mut above = 0;
        while first > 0 && above + lines(first - 1) <= height / 2 {
            first -= 1;
            above += lines(first);
        }
        let mut end = first;
        let mut used = 0;
        while end < self.total && (used + lines(end) <= height || end <= selected) {
            used += lines(end);
            end += 1;
        }
        while first > 0 && used + lines(first - 1) <= height {
            first -= 1;
            used += lines(first);
        }
        first..end
    }

    /// The row at a cell of the table's area.
    pub fn row_at(&self, area: Rect, y: u16) -> Option<usize> {
        let body = body_of(area);
        let mut top = body.y;
        if y < top || y >= body.bottom() {
            return None;
        }
        self.visible(body.height).find(|n| {
            top += self.lines_of(*n);
            y < top
        })
    }

    /// The column whose heading is at a cell of the table's area.
    pub fn heading_at(&self, area: Rect, x: u16, y: u16) -> Option<usize> {
        if y != area.y {
            return None;
        }
        let at = |r: &Range<u16>| (area.x + r.start..area.x + r.end).contains(&x);
        self.columns_in(area.width).iter().position(|c| c.as_ref().is_some_and(at))
    }

    /// How many rows a page is.
    pub fn page(&self, area: Rect) -> usize {
        self.visible(body_of(area).height).len().max(1)
    }

    /// Cells of each column in a table this wide; 0 where it vanished.
    pub fn widths(&self, width: u16) -> Vec<u16> {
        self.columns_in(width).into_iter().map(|c| c.map_or(0, |r| r.end - r.start)).collect()
    }

    fn lines_of(&self, n: usize) -> u16 {
        self.lines.map_or(1, |f| f(n).max(1))
    }

    /// Each column's place from the left edge; `None` where it vanished.
    fn columns_in(&self, width: u16) -> Vec<Option<Range<u16>>> {
        // Two cells for the cursor, one for the scroll bar.
        fit(&self.columns, width.saturating_sub(3)).into_iter().map(|c| c.map(|r| r.start + 2..r.end + 2)).collect()
    }

    fn heading(&self, area: Rect, buf: &mut Buffer, look: &Look, columns: &[Option<Range<u16>>]) {
        for (n, (column, place)) in self.columns.iter().zip(columns).enumerate() {
            let Some(place) = place else { continue };
            let sorted = self.sort.filter(|(by, _)| *by == n).map(|(_, down)| down);
            let title = match sorted {
                Some(down) => {
                    let mark = if down { look.marks.sorted_down } else { look.marks.sorted_up };
                    Line::styled(format!("{}{mark}", column.title), look.style(Role::Accent))
                }
                None => Line::styled(column.title, look.style(Role::Dim)),
            };
            // The mark of the sorted column may stand in the gap beside it: the title is never cut for it.
            let over = u16::from(title.width() > usize::from(place.end - place.start));
            let place = if column.right {
                place.start.saturating_sub(over)..place.end
            } else {
                place.start..place.end.saturating_add(over)
            };
            draw_cell(title, column.right, area.x, &place, area, area.y, buf, look);
        }
    }
}

fn body_of(area: Rect) -> Rect {
    crate::ui::layout::split_top(area, 1).1
}

/// Each column's place in this width; `None` where it vanished. Those of the highest priority vanish first; what is left
/// over goes first to `want`, then by `grow`.
pub fn fit(columns: &[Column], width: u16) -> Vec<Option<Range<u16>>> {
    let mut there: Vec<bool> = vec![true; columns.len()];
    let needed = |there: &[bool]| -> u32 {
        let shown = columns.iter().zip(there).filter(|(_, t)| **t);
        let (n, sum) = shown.fold((0u32, 0u32), |(n, sum), (c, _)| (n + 1, sum + u32::from(c.min)));
        sum + n.saturating_sub(1) * u32::from(GAP)
    };
    while needed(&there) > u32::from(width) {
        let least = (0..columns.len()).filter(|n| there[*n] && columns[*n].priority > 0);
        let Some(n) = least.max_by_key(|n| (columns[*n].priority, *n)) else { break };
        there[n] = false;
    }
    let mut widths: Vec<u16> = columns.iter().map(|c| c.min).collect();
    let mut left = u32::from(width).saturating_sub(needed(&there)) as u16;
    for (n, c) in columns.iter().enumerate().filter(|(n, _)| there[*n]) {
        let more = c.want.saturating_sub(c.min).min(left);
        widths[n] += more;
        left -= more;
    }
    let shares: u32 = columns.iter().zip(&there).filter(|(_, t)| **t).map(|(c, _)| u32::from(c.grow)).sum();
    let spare = u32::from(left);
    for (n, c) in columns.iter().enumerate().filter(|(n, c)| there[*n] && c.grow > 0) {
        widths[n] += (spare * u32::from(c.grow) / shares.max(1)) as u16;
    }
    let mut x = 0u16;
    let place = |(n, t): (usize, &bool)| {
        if !t || x >= width {
            return None;
        }
        let start = x;
        let end = start.saturating_add(widths[n]).min(width);
        x = end.saturating_add(GAP);
        Some(start..end)
    };
    there.iter().enumerate().map(place).collect()
}

fn draw_row(row: &Row<'_>, place: Rect, buf: &mut Buffer, look: &Look, at: &[Option<Range<u16>>], columns: &[Column]) {
    if place.is_empty() {
        return;
    }
    buf.set_style(Rect { height: 1, ..place }, row.style);
    for ((cell, column), at) in row.cells.iter().zip(columns).zip(at) {
        let Some(at) = at else { continue };
        draw_cell(cell.clone(), column.right, place.x, at, place, place.y, buf, look);
    }
    for (n, line) in row.under.iter().enumerate() {
        let y = place.y + 1 + n as u16;
        let room = usize::from(place.width.saturating_sub(6));
        put_line(buf, place, place.x + 5, y, &cut_line(line.clone(), room, look.marks.more));
    }
}

#[expect(clippy::too_many_arguments, reason = "a place on a grid has that many sides")]
fn draw_cell(cell: Line<'_>, right: bool, x: u16, at: &Range<u16>, area: Rect, y: u16, buf: &mut Buffer, look: &Look) {
    let width = at.end - at.start;
    let cell = cut_line(cell, usize::from(width), look.marks.more);
    let indent = if right { width.saturating_sub(cell.width() as u16) } else { 0 };
    put_line(buf, area, x + at.start + indent, y, &cell);
}
