//! Every widget at every size: no panic, and nothing drawn outside its area.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use std::sync::LazyLock;

use super::graph::{Graph, Mark, Point, Series, Unit};
use super::header::{Dot, Header, SourceDot};
use super::table::{Column, Row, Table};
use super::tabs::Tab;
use super::textview::{TextView, Top};
use super::*;
use crate::command::{Command, Scope};
use crate::domain::health::Level;
use crate::ui::chord::parse_keys;
use crate::ui::keymap::Keymaps;
use crate::ui::marks::Marks;
use crate::ui::theme::{Depth, Look, Role, Themes};

const WIDE: &str = "größe 数据库 pg-primary-1 🐘 e\u{301}";

/// Draws each widget into a corner of a larger buffer.
fn all(area: Rect, buf: &mut Buffer, look: &Look, n: usize) {
    static MAPS: LazyLock<Keymaps> = LazyLock::new(Keymaps::shipped);
    let map = MAPS.or_default("default");
    let keys = parse_keys(if n == 7 { "g" } else { "t" }).unwrap();
    let sources = [
        SourceDot { name: "kube", dot: Dot::Live, age: String::new() },
        SourceDot { name: "数据", dot: Dot::Late, age: "42s".into() },
    ];
    let top =
        Header { place: Line::raw(WIDE), mode: Line::raw("READ-ONLY"), clock: Line::default(), sources: &sources };
    let hints = hints::of(&map, Scope::Fleet, &[(Command::Open, "open"), (Command::Filter, WIDE)]);
    let found = choices::commands(&map, Scope::Fleet, |_| Some(WIDE.into()));
    let list: Vec<_> = found.into_iter().map(|(_, c)| c).collect();
    let matched = choices::matching(&list, "e");
    match n {
        0 => header::draw(area, buf, look, &top),
        1 => tabs::draw(area, buf, look, &["Fleet", WIDE, "Events"].map(|title| Tab { title, short: title }), 1),
        2 => hints::draw(area, buf, look, &hints, &Line::raw(WIDE)),
        3 => notice::draw(area, buf, look, Level::Warn, WIDE, 3),
        4 => drop(prompt::draw(area, buf, look, "/", WIDE, 12)),
        5 => drop(dialog::window(area, buf, look, (50, 10), WIDE)),
        6 => help::draw(area, buf, look, &map, Scope::Replication, 3),
        7 | 8 => which_key::draw(area, buf, look, &map, Scope::Fleet, &keys),
        9 => {
            let title = "Commands";
            let typed = WIDE;
            choices::Choices { title, typed, cursor: 9, all: &list, found: &matched, selected: 7 }
                .draw(area, buf, look);
        }
        10 | 11 => graph(area, buf, look),
        12 | 13 => {
            let search = if n == 12 { "据" } else { "e" };
            let view = TextView {
                total: 60,
                top: Top::End,
                left: 3,
                wrap: n == 12,
                hang: &|_| 4,
                search,
                current: Some(59),
                empty: "",
            };
            view.draw(area, buf, look, |i| Line::raw(format!("{i} {}", WIDE.repeat(i % 5))));
        }
        _ => table(area, buf, look, n),
    }
}

fn graph(area: Rect, buf: &mut Buffer, look: &Look) {
    let at = |s: i64| Timestamp::from_second(1_780_000_000 + s).unwrap();
    let point = |s: i64| Point { at: at(s), value: (s % 37 != 0).then_some((s * s % 1000) as f64) };
    let points: Vec<_> = (0..300).map(point).collect();
    let series = [
        Series { points: &points, style: look.graph(0) },
        Series { points: &points[100..101], style: look.graph(1) },
        Series { points: &[], style: look.graph(2) },
    ];
    let marks = [
        Mark { at: at(100), letter: 'S', weight: 2, role: Role::Warn },
        Mark { at: at(900), letter: 'x', weight: 1, role: Role::Bad },
    ];
    let (unit, gap, zone) = (Unit::Bytes, SignedDuration::from_secs(5), &TimeZone::UTC);
    let (from, to, cursor) = (at(0), at(300), Some(at(150)));
    Graph {
        from,
        to,
        series: &series,
        marks: &marks,
        cursor,
        unit,
        least_top: 10.0,
        whole: false,
        gap,
        zone,
        times: true,
    }
    .draw(area, buf, look);
}

fn table(area: Rect, buf: &mut Buffer, look: &Look, n: usize) {
    let columns = [
        Column::text("NAME", 8, 20).grow(1).priority(0),
        Column::number("LAG", 8).priority(2),
        Column::text("数据", 4, 9).priority(3),
    ];
    let lines = |i: usize| (i % 3) as u16;
    let (columns, lines) = (&columns, (n == 15).then_some(&lines as &dyn Fn(usize) -> u16));
    let table = Table {
        columns: columns.to_vec(),
        total: 40,
        selected: Some(n * 2),
        sort: Some((1, true)),
        lines,
        empty: WIDE,
    };
    table.draw(area, buf, look, |i| Row {
        cells: vec![Line::raw(format!("{WIDE}{i}")), Line::raw("38 MB"), Line::raw(WIDE)],
        under: vec![Line::raw(WIDE); 2],
        ..Row::default()
    });
    for y in 0..area.bottom() + 2 {
        assert!(table.row_at(area, y).is_none_or(|i| i < 40));
    }
}

const WIDGETS: usize = 16;

fn try_at(area: Rect, look: &Look, n: usize) {
    let whole = Rect::new(0, 0, area.right() + 2, area.bottom() + 2);
    let mut buf = Buffer::empty(whole);
    for cell in &mut buf.content {
        cell.set_char('X');
    }
    all(area, &mut buf, look, n);
    for y in 0..whole.height {
        for x in 0..whole.width {
            let inside = area.contains((x, y).into());
            assert!(inside || buf[(x, y)].symbol() == "X", "widget {n} drew outside {area:?} at {x},{y}");
            // A wide character at the right edge would spill over it.
            let over = inside && x + crate::ui::text::width(buf[(x, y)].symbol()) as u16 > area.right();
            assert!(!over, "widget {n} spills over {area:?} at {x},{y}");
        }
    }
}

#[test]
fn small_areas_are_survived() {
    for look in [Marks::SIGNS, Marks::ASCII].map(|m| Themes::shipped().look("default", Depth::True, m)) {
        for n in 0..WIDGETS {
            for (w, h) in (0..=14).flat_map(|w| (0..=7).map(move |h| (w, h))) {
                try_at(Rect::new(2, 1, w, h), &look, n);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_is_drawn_outside(n in 0..WIDGETS, w in 0u16..=120, h in 0u16..=40, ascii: bool) {
        let look = Themes::shipped().look("default", Depth::True, Marks::of(ascii));
        try_at(Rect::new(3, 2, w, h), &look, n);
    }

    #[test]
    fn the_selected_row_is_visible(total in 1usize..200, part in 0.0f64..1.0, h in 2u16..40, tall: bool) {
        let selected = ((total - 1) as f64 * part) as usize;
        let lines = |i: usize| (i % 4) as u16;
        let columns = [Column::text("A", 1, 5)];
        let lines = tall.then_some(&lines as &dyn Fn(usize) -> u16);
        let t = Table { columns: columns.to_vec(), total, selected: Some(selected), sort: None, lines, empty: "" };
        let visible = t.visible(h);
        prop_assert!(visible.contains(&selected), "{selected} not in {visible:?}");
        let area = Rect::new(0, 0, 20, h + 1);
        prop_assert!((1..=h).any(|y| t.row_at(area, y) == Some(selected)));
    }
}
