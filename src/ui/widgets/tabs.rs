//! The tabs: a number and a title each. Where there is no room the open one keeps its title, the others have a short word;
//! where there is none for that either, a number.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use std::ops::Range;

use crate::ui::layout::split_top;
use crate::ui::text::{put, width};
use crate::ui::theme::{Look, Role};

/// A tab's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tab {
    /// Its title.
    pub title: &'static str,
    /// A shorter word for it.
    pub short: &'static str,
}

/// Draws the tabs with the open one marked.
pub fn draw(area: Rect, buf: &mut Buffer, look: &Look, tabs: &[Tab], open: usize) {
    let (area, _) = split_top(area.intersection(buf.area), 1);
    for (n, (place, label)) in places(area, tabs, open).into_iter().enumerate() {
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
pub fn at(area: Rect, tabs: &[Tab], open: usize, x: u16) -> Option<usize> {
    places(area, tabs, open).iter().position(|(place, _)| place.contains(&x))
}

/// How much is said of the tabs: the most that fits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Titles,
    Words,
    Numbers,
}

/// Each tab's columns and label.
fn places(area: Rect, tabs: &[Tab], open: usize) -> Vec<(Range<u16>, String)> {
    let forms = [(Form::Titles, 2), (Form::Words, 2), (Form::Words, 1)];
    let fits = |(form, gap): &(Form, usize)| {
        let all: usize = labels(tabs, open, *form).iter().map(|label| width(label) + gap).sum();
        all < usize::from(area.width) + gap
    };
    let (form, gap) = forms.into_iter().find(fits).unwrap_or((Form::Numbers, 2));
    let mut x = area.x.saturating_add(1);
    let place = |label: String| {
        let start = x;
        let end = start.saturating_add(width(&label) as u16);
        x = end.saturating_add(gap as u16);
        (start..end, label)
    };
    labels(tabs, open, form).into_iter().map(place).collect()
}

fn labels(tabs: &[Tab], open: usize, form: Form) -> Vec<String> {
    let label = |(n, tab): (usize, &Tab)| match form {
        Form::Titles => format!("{} {}", n + 1, tab.title),
        _ if n == open => format!("{} {}", n + 1, tab.title),
        Form::Words => format!("{} {}", n + 1, tab.short),
        Form::Numbers => format!("{}", n + 1),
    };
    tabs.iter().enumerate().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABS: [Tab; 4] = [
        Tab { title: "Fleet", short: "Fleet" },
        Tab { title: "Topology", short: "Topo" },
        Tab { title: "Replication", short: "Repl" },
        Tab { title: "Lab", short: "Lab" },
    ];

    fn said(width: u16, open: usize) -> String {
        let area = Rect { x: 0, y: 0, width, height: 1 };
        let places = places(area, &TABS, open);
        assert!(places.iter().all(|(place, _)| place.end <= width), "{places:?}");
        for (n, (place, _)) in places.iter().enumerate() {
            assert_eq!(at(area, &TABS, open, place.start), Some(n));
        }
        places.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn the_most_that_fits_is_said() {
        assert_eq!(said(42, 1), "1 Fleet|2 Topology|3 Replication|4 Lab");
        assert_eq!(said(41, 1), "1 Fleet|2 Topology|3 Repl|4 Lab");
        assert_eq!(said(32, 1), "1 Fleet|2 Topology|3 Repl|4 Lab");
        assert_eq!(said(31, 1), "1|2 Topology|3|4");
        assert_eq!(said(31, 0), "1 Fleet|2 Topo|3 Repl|4 Lab");
    }
}
