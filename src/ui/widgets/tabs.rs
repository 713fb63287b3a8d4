//! The tabs: a number and a title each; only numbers where there is no room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use std::ops::Range;

use crate::ui::layout::split_top;
use crate::ui::text::{put, width};
use crate::ui::theme::{Look, Role};

/// Draws the tabs with the open one marked.
pub fn draw(area: Rect, buf: &mut Buffer, look: &Look, titles: &[&str], open: usize) {
    let (area, _) = split_top(area.intersection(buf.area), 1);
    for (n, (place, label)) in places(area, titles, open).into_iter().enumerate() {
        let number = (n + 1).to_string();
        let rest = label.strip_prefix(number.as_str()).unwrap_or(&label).to_owned();
        let (key, text) = if n == open {
            (look.style(Role::Accent), look.style(Role::Accent).add_modifier(Modifier::UNDERLINED))
        } else {
            (look.style(Role::Key), look.style(Role::Dim))
        };
        let x = put(buf, area, place.start, area.y, &number, key);
        match rest.strip_prefix(' ') {
            Some(title) => put(buf, area, x + 1, area.y, title, text),
            None => x,
        };
    }
}

/// The tab at a column of the area.
pub fn at(area: Rect, titles: &[&str], open: usize, x: u16) -> Option<usize> {
    places(area, titles, open).iter().position(|(place, _)| place.contains(&x))
}

/// Each tab's columns and label.
fn places(area: Rect, titles: &[&str], open: usize) -> Vec<(Range<u16>, String)> {
    let label = |n: usize, title: &str, full: bool| {
        if full || n == open { format!("{} {title}", n + 1) } else { format!("{}", n + 1) }
    };
    let needed = |gap: usize| titles.iter().map(|t| width(t) + 2 + gap).sum::<usize>() + 1 - gap.min(1);
    let gap = if needed(2) <= usize::from(area.width) { 2 } else { 1 };
    let full = needed(gap) <= usize::from(area.width);
    let gap = if full { gap as u16 } else { 2 };
    let mut x = area.x.saturating_add(1);
    let place = |(n, title): (usize, &&str)| {
        let label = label(n, title, full);
        let start = x;
        x = x.saturating_add(width(&label) as u16);
        let end = x;
        x = x.saturating_add(gap);
        (start..end, label)
    };
    titles.iter().enumerate().map(place).collect()
}
