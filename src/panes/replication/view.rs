//! How replication looks.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::series::{gap, lag_of, marks, points, standbys};
use super::{Replication, Units, WINDOWS};
use crate::domain::cluster::Cluster;
use crate::domain::history::{History, Stage};
use crate::domain::names::InstanceName;
use crate::domain::picture::{Follows, Picture};
use crate::domain::quantity;
use crate::panes::topology::{mark_of, style_of, word_of};
use crate::panes::{Scene, loading, times};
use crate::ui::layout::{split_bottom, split_top};
use crate::ui::text::{cut_line, fit, put, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::graph::{Graph, Mark, Point, Series, Unit, value_at};

/// The regions of the pane.
struct Plan {
    title: Rect,
    lag: Rect,
    legend: Rect,
    wal: Rect,
    marks: Rect,
    slots: Rect,
}

fn plan(area: Rect, standbys: usize, slots: usize) -> Plan {
    let (title, rest) = split_top(area, 1);
    let legend = (standbys as u16 + 1).min(rest.height / 3);
    let slots = if rest.height >= 16 && slots > 0 { (slots as u16 + 1).min(rest.height / 4) } else { 0 };
    let marks = if rest.height >= 14 { (rest.height / 10).clamp(1, 4) } else { 0 };
    let graphs = rest.height.saturating_sub(legend + slots + marks);
    // The lag is what one came for: two thirds of the graphs' rows, and the WAL rate the rest with the times.
    let wal = if graphs >= 9 { (graphs / 3).max(5) } else { 0 };
    let (rest, slots) = split_bottom(rest, slots);
    let (rest, marks) = split_bottom(rest, marks);
    let (lag, rest) = split_top(rest, graphs - wal);
    let (legend, wal) = split_top(rest, legend);
    Plan { title, lag, legend, wal, marks, slots }
}

/// What is drawn of a cluster.
struct Sight<'a> {
    cluster: &'a Cluster,
    picture: Picture<'a>,
    history: Option<&'a History>,
    standbys: Vec<InstanceName>,
    from: Timestamp,
    to: Timestamp,
    plan: Plan,
}

fn sight<'a>(pane: &Replication, scene: &Scene<'a>, area: Rect) -> Option<Sight<'a>> {
    let cluster = Replication::cluster(scene)?;
    let picture = Picture::of(&scene.known.facts, cluster);
    let standbys = standbys(scene, cluster);
    let (from, to) = pane.edges(scene.now);
    let plan = plan(area, standbys.len(), picture.slots.map_or(0, <[_]>::len));
    Some(Sight { cluster, picture, history: scene.known.history.of(&cluster.key), standbys, from, to, plan })
}

/// Draws the pane.
pub fn draw(pane: &Replication, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let Some(s) = sight(pane, scene, area) else {
        let words = loading(scene, "No cluster is chosen: choose one in the fleet.");
        put(buf, area, area.x + 2, area.y + 1, &words, look.style(Role::Dim));
        return;
    };
    let all_marks = marks(scene, s.cluster, s.from, s.to);
    let shown: Vec<Mark> = all_marks.iter().map(|(m, _)| *m).collect();
    title(pane, &s, scene, look, buf);
    if s.standbys.is_empty() {
        let words = "No standby: nobody follows this cluster's primary.";
        put(buf, s.plan.lag, s.plan.lag.x + 2, s.plan.lag.y + 1, words, look.style(Role::Dim));
    } else {
        lag_graph(pane, &s, scene, &shown, look, buf);
        legend(pane, &s, scene, look, buf);
    }
    wal_graph(pane, &s, scene, &shown, look, buf);
    explain(&all_marks, scene, look, s.plan.marks, buf);
    slots(&s, look, buf);
}

fn title(pane: &Replication, s: &Sight<'_>, scene: &Scene<'_>, look: &Look, buf: &mut Buffer) {
    let area = s.plan.title;
    let dim = look.style(Role::Dim);
    let dot = format!(" {} ", look.marks.dot);
    let units = if pane.units == Units::Bytes { "bytes" } else { "time" };
    let what = format!("{dot}{} lag in {units}{dot}{}", stage_word(pane.stage), WINDOWS[pane.window].1);
    let right = match (pane.held, pane.cursor) {
        (_, Some(at)) => Line::styled(
            format!("{} at {}", look.marks.cursor, times::clock(at, scene.habits)),
            look.style(Role::Accent),
        ),
        (Some(at), None) => Line::styled(
            format!("{} held at {}", look.marks.frozen, times::clock(at, scene.habits)),
            look.style(Role::Info),
        ),
        (None, None) => {
            let seen = s.picture.primary_seen.map(|t| quantity::age(t, scene.now));
            Line::styled(seen.map_or("not measured".into(), |a| format!("measured {a} ago")), dim)
        }
    };
    let mut left = vec![Span::styled(s.cluster.key.name.to_string(), look.style(Role::Title))];
    if area.width >= 80 {
        left.push(Span::styled(format!("{dot}{}", s.cluster.key.namespace), dim));
    }
    left.push(Span::styled(what, look.style(Role::Text)));
    let room = usize::from(area.width).saturating_sub(right.width() + 3);
    put_line(buf, area, area.x + 1, area.y, &cut_line(Line::from(left), room, look.marks.more));
    put_line(buf, area, area.right().saturating_sub(right.width() as u16 + 1), area.y, &right);
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Write => "write",
        Stage::Flush => "flush",
        Stage::Replay => "replay",
    }
}

fn columns_of(plot: Rect) -> usize {
    usize::from(plot.width.saturating_sub(9)).max(1) * 2
}

fn lag_points(pane: &Replication, s: &Sight<'_>, name: &InstanceName) -> Vec<Point> {
    let series = s.history.and_then(|h| lag_of(h, name, pane.units, pane.stage));
    series.map(|x| points(x, s.from, s.to, columns_of(s.plan.lag))).unwrap_or_default()
}

fn graph<'a>(
    pane: &Replication,
    s: &Sight<'_>,
    scene: &'a Scene<'_>,
    series: &'a [Series<'a>],
    marks: &'a [Mark],
) -> Graph<'a> {
    let (unit, least_top) = match pane.units {
        Units::Bytes => (Unit::Bytes, 1e6),
        Units::Seconds => (Unit::Seconds, 0.1),
    };
    Graph {
        from: s.from,
        to: s.to,
        series,
        marks,
        cursor: pane.cursor,
        unit,
        least_top,
        whole: pane.held.is_some(),
        gap: gap(s.from, s.to, columns_of(s.plan.lag)),
        zone: scene.habits.zone(),
        times: s.plan.wal.height == 0,
    }
}

fn lag_graph(pane: &Replication, s: &Sight<'_>, scene: &Scene<'_>, marks: &[Mark], look: &Look, buf: &mut Buffer) {
    let all: Vec<Vec<Point>> = s.standbys.iter().map(|n| lag_points(pane, s, n)).collect();
    let series: Vec<Series<'_>> =
        all.iter().enumerate().map(|(n, points)| Series { points, style: look.graph(n) }).collect();
    graph(pane, s, scene, &series, marks).draw(s.plan.lag, buf, look);
}

fn wal_graph(pane: &Replication, s: &Sight<'_>, scene: &Scene<'_>, marks: &[Mark], look: &Look, buf: &mut Buffer) {
    let area = s.plan.wal;
    if area.height == 0 {
        return;
    }
    let (head, body) = split_top(area, 1);
    let rate = s.history.map(|h| points(&h.wal_rate, s.from, s.to, columns_of(area))).unwrap_or_default();
    let gap_of = gap(s.from, s.to, columns_of(area));
    let now = match pane.cursor {
        Some(at) => value_at(&rate, at, gap_of),
        None => s.history.and_then(|h| h.wal_rate.last()).map(|(_, v)| v),
    };
    let x = put(buf, head, head.x + 1, head.y, "WAL written", look.style(Role::Dim));
    let words = now.map_or(look.marks.nothing.to_owned(), |v| format!("{}/s", quantity::bytes(v as u64)));
    put(buf, head, x + 1, head.y, &words, look.style(Role::Text));
    let series = [Series { points: &rate, style: look.style(Role::Primary) }];
    let graph =
        Graph { unit: Unit::BytesPerSecond, least_top: 1e5, times: true, ..graph(pane, s, scene, &series, marks) };
    graph.draw(body, buf, look);
}

/// The standbys: which line is whose, what it is, and how far behind; at the cursor's moment where there is one.
fn legend(pane: &Replication, s: &Sight<'_>, scene: &Scene<'_>, look: &Look, buf: &mut Buffer) {
    let area = s.plan.legend;
    let narrow = area.width < 100;
    let name_w = if narrow { 20 } else { 30 };
    let dim = look.style(Role::Dim);
    let stages = if narrow { String::new() } else { format!(" {:>8} {:>8}", "WRITE", "FLUSH") };
    let names = format!("     {} {}{stages}", fit("STANDBY", name_w, ""), fit("STATE", 14, ""));
    let heads = format!("{names} {:>8} {:>8} {:>8}", "REPLAY", "TIME", "WORST");
    put(buf, area, area.x + 1, area.y, &heads, dim);
    let selected = pane.selected.min(s.standbys.len().saturating_sub(1));
    for (n, name) in s.standbys.iter().enumerate().take(usize::from(area.height.saturating_sub(1))) {
        let y = area.y + 1 + n as u16;
        let row = Rect { y, height: 1, ..area };
        put_line(buf, row, row.x + 1, y, &legend_line(pane, s, scene, look, n, name, name_w, narrow));
        if n == selected {
            put(buf, row, row.x, y, look.marks.cursor, look.style(Role::Accent));
            buf.set_style(row, look.style(Role::Selected));
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of a table needs its table")]
fn legend_line(
    pane: &Replication,
    s: &Sight<'_>,
    scene: &Scene<'_>,
    look: &Look,
    n: usize,
    name: &InstanceName,
    name_w: usize,
    narrow: bool,
) -> Line<'static> {
    let one = s.picture.get(name);
    let (mark, style, word) = match one {
        Some(one) => (mark_of(one, &look.marks), style_of(one, look), word_of(one)),
        None => (look.marks.asynchronous, look.style(Role::Replica), "from outside".to_owned()),
    };
    let text = look.style(if pane.cursor.is_some() { Role::Accent } else { Role::Text });
    let value = |units: Units, stage: Stage| read(pane, s, name, units, stage);
    let bytes = |stage| value(Units::Bytes, stage).map(|v| Unit::Bytes.label(v));
    let none = || look.marks.nothing.to_owned();
    let broken = one.is_some_and(|o| o.follows == Follows::Broken);
    let sign = if look.marks.ascii { ["*", "+", "x", "o"][n % 4] } else { "━" };
    let mut line = Line::from(vec![
        Span::styled(format!("{sign}{sign} "), look.graph(n)),
        Span::styled(format!("{mark} "), style),
        Span::styled(format!("{} ", fit(name.as_str(), name_w, look.marks.more)), style),
        Span::styled(fit(&word, 14, look.marks.more), look.style(if broken { Role::Bad } else { Role::Dim })),
    ]);
    if !narrow {
        for stage in [Stage::Write, Stage::Flush] {
            line.push_span(Span::styled(format!(" {:>8}", bytes(stage).unwrap_or_else(none)), text));
        }
    }
    let time = value(Units::Seconds, pane.stage).map(|v| Unit::Seconds.label(v));
    line.push_span(Span::styled(format!(" {:>8}", bytes(Stage::Replay).unwrap_or_else(none)), text));
    line.push_span(Span::styled(format!(" {:>8}", time.unwrap_or_else(none)), text));
    let worst = lag_points(pane, s, name).iter().filter_map(|p| p.value).reduce(f64::max);
    let unit = if pane.units == Units::Bytes { Unit::Bytes } else { Unit::Seconds };
    line.push_span(Span::styled(format!(" {:>8}", worst.map_or_else(none, |w| unit.label(w))), look.style(Role::Text)));
    let _ = scene;
    line
}

/// A standby's lag at the cursor's moment, else the newest.
fn read(pane: &Replication, s: &Sight<'_>, name: &InstanceName, units: Units, stage: Stage) -> Option<f64> {
    let series = lag_of(s.history?, name, units, stage)?;
    match pane.cursor {
        None => series.last().map(|(_, v)| v),
        Some(at) => {
            let n = columns_of(s.plan.lag);
            value_at(&points(series, s.from, s.to, n), at, gap(s.from, s.to, n))
        }
    }
}

/// What the letters on the axis mean, the newest first.
fn explain(all: &[(Mark, String)], scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    for (n, (mark, text)) in all.iter().rev().enumerate().take(usize::from(area.height)) {
        let mut line = Line::from(vec![
            Span::styled(format!("{} ", mark.letter), look.bold(mark.role)),
            Span::styled(format!("{}  ", times::clock(mark.at, scene.habits)), look.style(Role::Dim)),
            Span::styled(text.clone(), look.style(Role::Text)),
        ]);
        let left = all.len().saturating_sub(n + 1);
        if n + 1 == usize::from(area.height) && left > 0 {
            line.push_span(Span::styled(format!("  and {left} before"), look.style(Role::Dim)));
        }
        let room = usize::from(area.width).saturating_sub(2);
        put_line(buf, area, area.x + 1, area.y + n as u16, &cut_line(line, room, look.marks.more));
    }
}

fn slots(s: &Sight<'_>, look: &Look, buf: &mut Buffer) {
    let area = s.plan.slots;
    let Some(slots) = s.picture.slots.filter(|_| area.height > 1) else { return };
    let dim = look.style(Role::Dim);
    let name_w = if area.width < 100 { 32 } else { 44 };
    let heads = format!(
        "{} {} {} {:>9}  {}",
        fit("SLOT", name_w, ""),
        fit("KIND", 9, ""),
        fit("ACTIVE", 8, ""),
        "KEEPS",
        "WAL"
    );
    put(buf, area, area.x + 1, area.y, &heads, dim);
    for (n, slot) in slots.iter().enumerate().take(usize::from(area.height - 1)) {
        let kept = s.picture.current.and_then(|c| slot.retained(c)).map(quantity::bytes);
        let state = slot.wal_status.clone().unwrap_or_default();
        let bad = state == "lost" || state == "unreserved";
        let (active, role) = match (slot.active, bad) {
            (_, true) => (if slot.active { "active" } else { "inactive" }, Role::Bad),
            (true, _) => ("active", Role::Text),
            (false, _) => ("inactive", Role::Warn),
        };
        let line = Line::from(vec![
            Span::styled(format!("{} ", fit(&slot.name, name_w, look.marks.more)), look.style(Role::Text)),
            Span::styled(format!("{} ", fit(&slot.kind, 9, look.marks.more)), dim),
            Span::styled(fit(active, 8, look.marks.more), look.style(role)),
            Span::styled(format!(" {:>9}  ", kept.unwrap_or_else(|| look.marks.nothing.into())), look.style(role)),
            Span::styled(state, if bad { look.style(Role::Bad) } else { dim }),
        ]);
        put_line(buf, area, area.x + 1, area.y + 1 + n as u16, &line);
    }
}

fn area_of(scene: &Scene<'_>) -> Rect {
    Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height }
}

/// The moment at a place of one of the graphs.
pub fn moment_at(pane: &Replication, scene: &Scene<'_>, x: u16, y: u16) -> Option<Timestamp> {
    let s = sight(pane, scene, area_of(scene))?;
    let area = [s.plan.lag, s.plan.wal].into_iter().find(|a| a.contains(Position { x, y }))?;
    graph(pane, &s, scene, &[], &[]).moment_at(area, x)
}

/// The standby at a row of the legend.
pub fn standby_at(pane: &Replication, scene: &Scene<'_>, y: u16) -> Option<usize> {
    let s = sight(pane, scene, area_of(scene))?;
    let row = usize::from(y.checked_sub(s.plan.legend.y + 1)?);
    (y < s.plan.legend.bottom() && row < s.standbys.len()).then_some(row)
}

/// `live` or `held`.
pub fn counts<'a>(pane: &Replication, _scene: &Scene<'_>, look: &Look) -> Line<'a> {
    match pane.held {
        None => Line::styled("live ", look.style(Role::Good)),
        Some(_) => Line::styled(format!("{} held ", look.marks.frozen), look.style(Role::Info)),
    }
}
