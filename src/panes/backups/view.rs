//! How it is laid out: what can be recovered on top, the time line, the list, and one backup in full.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Backups, Made, SPANS, detail, lanes, list, picker, unknown};
use crate::domain::backup::Catalog;
use crate::domain::backup::catalog::Entry;
use crate::domain::health::Level;
use crate::domain::quantity::{age, bytes, count};
use crate::panes::{Scene, loading, rule, times};
use crate::ui::layout::{split_bottom, split_left, split_top};
use crate::ui::text::{cut_line, put, put_line};
use crate::ui::theme::{Look, Role};

/// From this width on the schedules stand beside the selected backup.
const WIDE: u16 = 110;
/// From this height on there is room for all of it.
const TALL: u16 = 28;

/// The regions of the pane.
struct Plan {
    title: Rect,
    holds: Rect,
    lanes: Rect,
    /// Timelines there is room for.
    most: usize,
    rule: Rect,
    table: Rect,
    lower: Rect,
}

fn plan(pane: &Backups, area: Rect) -> Plan {
    let tall = area.height >= TALL;
    let store = pane.made.as_ref().and_then(|m| m.store.as_deref());
    let most = if tall { 4 } else { 2 };
    let (title, rest) = split_top(area, 1);
    let (holds, rest) = split_top(rest, if area.height >= 14 { 1 } else { 0 });
    let (lanes, rest) = split_top(rest, lanes::height(store, most));
    let lower = if rest.height >= 10 { (rest.height * 9 / 20).clamp(5, 14) } else { 0 };
    let (rest, lower) = split_bottom(rest, lower);
    let (rule, table) = split_top(rest, 1);
    Plan { title, holds, lanes, most, rule, table, lower }
}

/// Draws the pane.
pub fn draw(pane: &Backups, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let Some((made, catalog)) = pane.made.as_ref().zip(pane.catalog(scene)) else {
        let words = loading(scene, "No cluster is chosen: choose one in the fleet.");
        put(buf, area, area.x + 2, area.y + 1, &words, look.style(Role::Dim));
        return;
    };
    let plan = plan(pane, area);
    let why = unknown(scene, &made.cluster);
    title(made, why.is_some(), scene, look, plan.title, buf);
    holds(made, why.as_deref(), scene, look, plan.holds, buf);
    lanes::draw(pane, scene, look, plan.lanes, plan.most, buf);
    if let Some(picker) = &pane.picker {
        let below = Rect { height: area.bottom().saturating_sub(plan.rule.y), ..plan.rule };
        picker::view::draw(picker, catalog, scene, look, below, buf);
        return;
    }
    rule(&heading(pane, catalog), look, plan.rule, buf);
    list::table(pane, catalog).draw(plan.table, buf, look, |n| list::row(&catalog.entries[n], scene, look));
    lower(pane, made, scene, look, plan.lower, buf);
}

fn heading(pane: &Backups, catalog: &Catalog) -> String {
    let words = how_many(catalog);
    match pane.span {
        0 => words,
        span => format!("{words}; the line shows {}", SPANS[span].1),
    }
}

fn how_many(catalog: &Catalog) -> String {
    match catalog.entries.len() {
        1 => "1 backup".to_owned(),
        total => format!("{total} backups"),
    }
}

/// Whose, what can be recovered, and what would be lost now.
fn title(made: &Made, stale: bool, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let dim = look.style(Role::Dim);
    let right = at_risk(&made.catalog, scene, look, area.width >= 100);
    let (mut level, mut words) = recoverable(made, scene);
    if stale && made.store.is_some() {
        (level, words) = (level.max(Level::Unknown), format!("{words}, when it was last listed"));
    }
    let left = Line::from(vec![
        Span::styled(made.cluster.key.name.to_string(), look.style(Role::Title)),
        Span::styled(format!(" {} ", look.marks.dot), dim),
        Span::styled(format!("{} {words}", look.marks.level(level)), look.level(level)),
    ]);
    let room = usize::from(area.width).saturating_sub(right.width() + 3);
    put_line(buf, area, area.x + 1, area.y, &cut_line(left, room, look.marks.more));
    put_line(buf, area, area.right().saturating_sub(right.width() as u16 + 1), area.y, &right);
}

fn at_risk<'a>(catalog: &Catalog, scene: &Scene<'_>, look: &Look, wide: bool) -> Line<'a> {
    let dim = look.style(Role::Dim);
    let Some(risk) = &catalog.at_risk else {
        return Line::styled(if wide { "what a loss now costs is not known" } else { "a loss now costs ?" }, dim);
    };
    let since = risk.since.map_or_else(|| "an unknown time".to_owned(), |t| age(t, scene.now));
    let mut line = Line::from(vec![Span::styled("a loss now costs ", dim), Span::raw(since)]);
    if let Some(n) = risk.bytes {
        line.push_span(Span::raw(format!(", {}", bytes(n))));
    }
    if wide && !risk.seen {
        line.push_span(Span::styled(" by the primary's word", dim));
    }
    line
}

/// What can be recovered, in a few words.
fn recoverable(made: &Made, scene: &Scene<'_>) -> (Level, String) {
    let moment = |t| {
        let day = times::day(t, scene.now, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
        format!("{day}{}", times::minute(t, scene.habits))
    };
    let Some(continuity) = &made.catalog.continuity else {
        let told = made.cluster.backups.first_recoverability_point;
        let since = told.map(|t| format!("; the operator says since {}", moment(t))).unwrap_or_default();
        return (Level::Unknown, format!("what can be recovered is not proven{since}"));
    };
    let since = |w: &crate::domain::backup::continuity::Window| w.from.map(moment).unwrap_or_default();
    let level = made.catalog.archive_level();
    match &continuity.windows[..] {
        [] if !made.catalog.whole => (Level::Unknown, "not all of the store was seen yet".into()),
        [] => (Level::Bad, "nothing can be recovered".into()),
        [one] if one.is_open() => (level, format!("any moment since {}", since(one))),
        [one] => {
            let until = one.until.map(moment).unwrap_or_else(|| one.last.to_string());
            (Level::Bad, format!("from {} to {until}, nothing after", since(one)))
        }
        [.., last] => {
            let n = continuity.windows.len();
            (level.max(Level::Warn), format!("{n} windows with a gap between, the last since {}", since(last)))
        }
    }
}

/// What the store holds, how it grows and how old that knowledge is; or why it is not known.
fn holds(made: &Made, why: Option<&str>, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let dim = look.style(Role::Dim);
    let room = usize::from(area.width).saturating_sub(2);
    let mut line = Line::default();
    if let Some(why) = why {
        let style = look.style(Role::Unknown);
        line.push_span(Span::styled(format!("{} {why}", look.marks.unknown), style));
    }
    if let Some(store) = made.store.as_deref() {
        if why.is_some() {
            line.push_span(Span::styled(format!(" {} ", look.marks.dot), dim));
        }
        let seen = if store.whole { "listed" } else { "part listed" };
        line.extend(missing(&made.catalog, look));
        line.push_span(Span::styled(format!("{seen} {} ago: ", age(store.asked, scene.now)), dim));
        let a = &store.archive;
        let (segments, wal, base) = (count(a.segments()), bytes(a.wal_bytes()), bytes(a.base_bytes()));
        line.push_span(Span::raw(format!("{segments} segments {wal}, bases {base}")));
        if let Some((wal, base)) = a.growth(scene.now) {
            let words = format!(", growing by {} of WAL and {} of bases a day", bytes(wal), bytes(base));
            line.push_span(Span::styled(words, dim));
        }
    } else if !made.catalog.listed {
        line.push_span(Span::styled("; nor can the Backup objects be", look.style(Role::Unknown)));
    }
    put_line(buf, area, area.x + 1, area.y, &cut_line(line, room, look.marks.more));
}

/// The first gap, and how many there are.
fn missing<'a>(catalog: &Catalog, look: &Look) -> Option<Span<'a>> {
    let continuity = catalog.continuity.as_ref()?;
    let gap = continuity.gaps.first()?;
    let role = if gap.hole { Role::Bad } else { Role::Warn };
    let what = match gap.count {
        1 => gap.first.to_string(),
        n => format!("{} segments from {}", count(n), gap.first),
    };
    let more = match continuity.gaps.len() - 1 {
        0 => String::new(),
        1 => " and 1 more gap".to_owned(),
        n => format!(" and {n} more gaps"),
    };
    Some(Span::styled(format!("{what} missing{more}; "), look.style(role)))
}

/// The selected backup and the schedules, side by side where there is room.
fn lower(pane: &Backups, made: &Made, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let (head, body) = split_top(area, 1);
    let entry = made.catalog.entries.get(pane.selected);
    if area.width < WIDE {
        let schedules = detail::schedules(made, scene, look, body.width.into());
        let share = if entry.is_some() { (schedules.len() as u16).min(body.height / 2) } else { body.height };
        let (upper, below) = split_bottom(body, share);
        rule("the selected backup, and schedules", look, head, buf);
        lines(&selected(entry, scene, look, upper.width), upper, look, buf);
        lines(&schedules, below, look, buf);
        return;
    }
    let half = area.width * 11 / 20;
    let ((left_head, right_head), (left, right)) = (split_left(head, half), split_left(body, half));
    rule("the selected backup", look, left_head, buf);
    rule("schedules", look, right_head, buf);
    lines(&selected(entry, scene, look, left.width), left, look, buf);
    lines(&detail::schedules(made, scene, look, right.width.into()), right, look, buf);
}

fn selected<'a>(entry: Option<&Entry>, scene: &Scene<'_>, look: &Look, width: u16) -> Vec<Line<'a>> {
    entry.map(|e| detail::entry(e, scene, look, width.into())).unwrap_or_default()
}

fn lines(all: &[Line<'_>], area: Rect, look: &Look, buf: &mut Buffer) {
    for (line, y) in all.iter().zip(area.y..area.bottom()) {
        let room = usize::from(area.width).saturating_sub(1);
        put_line(buf, area, area.x, y, &cut_line(line.clone(), room, look.marks.more));
    }
}

/// The backup at a row of the pane.
pub fn row_at(pane: &Backups, scene: &Scene<'_>, y: u16) -> Option<usize> {
    let area = Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height };
    list::table(pane, pane.catalog(scene)?).row_at(plan(pane, area).table, y)
}

/// How many there are, and how many of them are proven.
pub fn counts<'a>(catalog: &Catalog, look: &Look) -> Line<'a> {
    let good = catalog.entries.iter().filter(|e| e.verdict().0 == Level::Ok).count();
    let bad = catalog.entries.iter().filter(|e| e.verdict().0 == Level::Bad).count();
    let mut line = Line::from(vec![
        Span::raw(format!("{}  ", how_many(catalog))),
        Span::styled(format!("{}{good} ", look.marks.good), look.level(Level::Ok)),
    ]);
    if bad > 0 {
        line.push_span(Span::styled(format!("{}{bad} ", look.marks.bad), look.level(Level::Bad)));
    }
    line
}
