//! How the drills look: what can be practised on top, what was practised below.

use jiff::SignedDuration;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::offers::Verdict;
use super::{Drills, offers};
use crate::command::{Command, Scope};
use crate::domain::health::Level;
use crate::domain::quantity::{age, tenths};
use crate::panes::{Scene, loading, rule, times};
use crate::procedure::drill::{History, Past, Trend};
use crate::procedure::{Kind, Outcome, Summary};
use crate::ui::layout::split_top;
use crate::ui::text::{cut_line, put, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::bar::{fraction, sparkline};
use crate::ui::widgets::table::{Column, Row, Table};

/// From this height on each drill says what it asks.
const TALL: u16 = 20;
/// Cells of the bar of an outage, and of the line of a trend.
const BAR: usize = 12;
const LINE: usize = 10;
/// Where what was restored stands among the columns of past drills.
const RESTORED: usize = 7;

/// The regions of the pane.
struct Plan {
    title: Rect,
    options: Rect,
    offers: Rect,
    rule: Rect,
    past: Rect,
}

fn plan(area: Rect) -> Plan {
    let (title, rest) = split_top(area, 1);
    let (options, rest) = split_top(rest, 1);
    let (offers, rest) = split_top(rest, 1 + offers::KINDS.len() as u16 * lines(area));
    let (rule, past) = split_top(rest, 1);
    Plan { title, options, offers, rule, past }
}

fn lines(area: Rect) -> u16 {
    if area.height >= TALL { 2 } else { 1 }
}

/// Draws the pane.
pub fn draw(pane: &Drills, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let Some(key) = scene.chosen else {
        let words = loading(scene, "No cluster is chosen: choose one in the fleet.");
        put(buf, area, area.x + 2, area.y + 1, &words, look.style(Role::Dim));
        return;
    };
    let plan = plan(area);
    let past = Drills::past(scene);
    let history = pane.history(&past);
    title(scene, look, plan.title, buf);
    options(pane, scene, look, plan.options, buf);
    let height = lines(area);
    let height = |_| height;
    offered(pane, &height).draw(plan.offers, buf, look, |n| {
        let kind = offers::KINDS[n];
        let verdict = offers::verdict(kind, key, &pane.besides(key), scene);
        let last = past.iter().find(|s| s.kind == kind && s.outcome.is_some());
        let lab = scene.known.facts.faults.contains_key(&key.context);
        let mut row = offer(kind, verdict, last.copied(), &history, scene, look);
        let what = Span::styled(offers::what(kind, lab), look.style(Role::Dim));
        let restored = history.past.iter().rfind(|p| p.kind == kind).and_then(Past::restored);
        let restored = restored.map(|words| Span::raw(format!("Restored in {words}.  ")));
        row.under = vec![Line::from_iter(restored.into_iter().chain([what]))];
        row
    });
    rule(&heading(scene, &past), look, plan.rule, buf);
    let restores = restores(&past);
    done(pane, &past, scene).draw(plan.past, buf, look, |n| {
        let mut row = row(past[n], history.past.iter().find(|p| p.run == past[n].run), scene, look);
        if !restores {
            row.cells.remove(RESTORED);
        }
        row
    });
}

/// Some of these restored backups: only then there is something to say of it.
fn restores(past: &[&Summary]) -> bool {
    past.iter().any(|s| s.kind == Kind::RestoreDrill)
}

fn heading(scene: &Scene<'_>, past: &[&Summary]) -> String {
    match (scene.doing.listed.is_some(), past.len()) {
        (false, _) => "reading the journals…".into(),
        (true, 0) => "done before: none".into(),
        (true, n) => format!("done before: {n}"),
    }
}

/// Whose drills, and what is to be reached.
fn title(scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let Some(key) = scene.chosen else { return };
    let objectives = scene.doing.objectives;
    let dim = look.style(Role::Dim);
    let line = Line::from(vec![
        Span::styled(format!(" {}", key.name), look.style(Role::Title)),
        Span::styled("  must be back within ", dim),
        Span::raw(format!("{:#}", objectives.rto)),
        Span::styled(" and lose ", dim),
        Span::raw(match objectives.rpo {
            0 => "no acknowledged write".to_owned(),
            n => format!("at most {n} acknowledged writes"),
        }),
    ]);
    put_line(buf, area, area.x, area.y, &cut_line(line, usize::from(area.width), look.marks.more));
}

/// What a drill shall do besides.
fn options(pane: &Drills, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let mut line = Line::from(" ");
    let all = [
        (pane.back, Command::DrillBack, "hand back at the end"),
        (pane.keep, Command::DrillKeep, "keep the heartbeat's table"),
    ];
    for (on, command, words) in all {
        let (sign, role) = if on { (look.marks.checked, Role::Accent) } else { (" ", Role::Dim) };
        line.push_span(Span::styled(format!("{} ", scene.key(Scope::Drills, command)), look.style(Role::Key)));
        line.push_span(Span::styled(format!("[{sign}] {words}   "), look.style(role)));
    }
    put_line(buf, area, area.x, area.y, &cut_line(line, usize::from(area.width), look.marks.more));
}

/// The table of what can be practised.
fn offered<'a>(pane: &Drills, lines: &'a dyn Fn(usize) -> u16) -> Table<'a> {
    Table {
        columns: vec![
            Column::text("DRILL", 12, 12).priority(0),
            Column::text("LAST", 15, 15).priority(2),
            Column::number("OUTAGE", 8).priority(1),
            Column::text("TREND", 28, 28).priority(4),
            Column::text("NOW", 20, 20).grow(1).priority(0),
        ],
        total: offers::KINDS.len(),
        selected: Some(pane.selected).filter(|n| *n < offers::KINDS.len()),
        sort: None,
        lines: Some(lines),
        empty: "",
    }
}

fn offer<'a>(
    kind: Kind,
    verdict: Verdict,
    last: Option<&Summary>,
    history: &History,
    scene: &Scene<'_>,
    look: &Look,
) -> Row<'a> {
    let dim = look.style(Role::Dim);
    let trend = history.trend(kind);
    // A restore is no outage: it has no part of that objective either.
    let restore = kind == Kind::RestoreDrill;
    let lasted = trend.as_ref().filter(|_| !restore).and_then(|t| t.rto_ms.last().copied());
    let top = |t: &Trend| match restore {
        true => t.rto_ms.iter().max().copied().unwrap_or_default() as f64,
        false => scene.doing.objectives.rto.as_millis() as f64 / 4.0,
    };
    let line = trend.filter(|t| t.drills > 1).map(|t| {
        let values: Vec<Option<f64>> = t.rto_ms.iter().map(|ms| Some(*ms as f64)).collect();
        let usual = t.usual_ms.map(|ms| format!("  usually {}", seconds(ms))).unwrap_or_default();
        Line::from(vec![Span::styled(sparkline(&values, LINE, top(&t), look), look.graph(0)), Span::styled(usual, dim)])
    });
    let (title, now) = match verdict {
        Verdict::Forbidden(why) => (dim, Line::styled(format!("{} {why}", look.marks.absent), dim)),
        Verdict::Found(level, words) => {
            let mark = look.marks.level(level);
            (look.style(Role::Title), Line::styled(format!("{mark} {words}"), look.level(level)))
        }
    };
    Row {
        cells: vec![
            Line::styled(offers::name(kind), title),
            match last {
                Some(s) => Line::from(vec![
                    outcome(s.outcome, look),
                    Span::styled(format!(" {}", age(s.opened, scene.now)), dim),
                ]),
                None => Line::styled("never", dim),
            },
            Line::from(
                lasted.map_or_else(|| if restore { String::new() } else { look.marks.nothing.to_owned() }, seconds),
            ),
            line.unwrap_or_default(),
            now,
        ],
        ..Row::default()
    }
}

/// The table of what was practised.
fn done<'a>(pane: &Drills, past: &[&Summary], scene: &Scene<'_>) -> Table<'a> {
    let mut columns = vec![
        Column::text("WHEN", 15, 15).priority(0),
        Column::text("DRILL", 12, 12).priority(0),
        Column::text("OUTCOME", 11, 11).priority(1),
        Column::number("OUTAGE", 8).priority(0),
        Column::text("OF THE OBJECTIVE", 16, 16).priority(4),
        Column::number("LOST", 6).priority(2),
        Column::number("FULL AGAIN", 10).priority(5),
        Column::text("RESTORED IN", 15, 26).priority(3),
        Column::text("BY", 10, 10).grow(1).priority(6),
    ];
    if !restores(past) {
        columns.remove(RESTORED);
    }
    Table {
        columns,
        total: past.len(),
        selected: pane.selected.checked_sub(offers::KINDS.len()),
        sort: None,
        lines: None,
        empty: match scene.doing.listed {
            None => "",
            Some(_) => "No drill of this cluster was done on this machine yet.",
        },
    }
}

fn row<'a>(s: &Summary, past: Option<&Past>, scene: &Scene<'_>, look: &Look) -> Row<'a> {
    let dim = look.style(Role::Dim);
    let day = times::day(s.opened, scene.now, scene.habits).map(|d| format!("{d} ")).unwrap_or_default();
    let restore = s.kind == Kind::RestoreDrill;
    // A restore has no outage, and an outage no restore.
    let none = || if restore { Line::default() } else { Line::styled(look.marks.nothing.to_owned(), dim) };
    let rto = past.and_then(|p| p.rto_ms);
    let full = |ms: i64| ms as f64 / scene.doing.objectives.rto.as_millis().max(1) as f64;
    let over = |ms: i64| if full(ms) > 1.0 { Role::Bad } else { Role::Good };
    Row {
        cells: vec![
            Line::from(format!("{day}{}", times::clock(s.opened, scene.habits))),
            Line::styled(offers::name(s.kind), look.style(Role::Title)),
            match (s.outcome, &s.holder) {
                (None, Some(_)) => Line::styled(format!("{} under way", look.marks.late), look.style(Role::Accent)),
                (outcome, _) => Line::from(self::outcome(outcome, look)),
            },
            rto.map_or_else(none, |ms| Line::from(seconds(ms))),
            rto.map_or_else(none, |ms| fraction(full(ms), BAR, look, look.style(over(ms)))),
            past.and_then(|p| p.rpo).map_or_else(none, |n| {
                Line::styled(
                    n.to_string(),
                    look.style(if n > scene.doing.objectives.rpo { Role::Bad } else { Role::Text }),
                )
            }),
            past.and_then(|p| p.redundant_ms).map_or_else(none, |ms| Line::from(seconds(ms))),
            past.and_then(Past::restored).map_or_else(Line::default, Line::from),
            Line::styled(s.by.clone(), dim),
        ],
        ..Row::default()
    }
}

fn outcome<'a>(outcome: Option<Outcome>, look: &Look) -> Span<'a> {
    let level = Outcome::level(outcome);
    let word = outcome.map_or("open", Outcome::word);
    Span::styled(format!("{} {word}", look.marks.level(level)), look.level(level))
}

fn seconds(ms: i64) -> String {
    format!("{} s", tenths(SignedDuration::from_millis(ms)))
}

/// The row of the pane at this place: a drill, or a past one after them.
pub fn row_at(pane: &Drills, scene: &Scene<'_>, y: u16) -> Option<usize> {
    let area = Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height };
    let plan = plan(area);
    let height = lines(area);
    let height = |_| height;
    let above = offered(pane, &height).row_at(plan.offers, y);
    let below = || done(pane, &Drills::past(scene), scene).row_at(plan.past, y);
    above.or_else(|| below().map(|n| n + offers::KINDS.len()))
}

/// How many were done, and how many of them passed.
pub fn counts<'a>(scene: &Scene<'_>, look: &Look) -> Line<'a> {
    let past = Drills::past(scene);
    let passed = past.iter().filter(|s| s.outcome == Some(Outcome::Passed)).count();
    Line::from(vec![
        Span::raw(format!("{} drills  ", past.len())),
        Span::styled(format!("{}{passed} passed ", look.marks.good), look.level(Level::Ok)),
    ])
}
