//! A drill while it goes on: how long since the blow, what the heartbeat says, who leads, how far behind the standbys
//! are, and what was seen so far.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::domain::cluster::{Cluster, ServicePurpose, Target};
use crate::domain::heartbeat::{Beat, Pulse};
use crate::domain::history::Stage;
use crate::domain::picture::Picture;
use crate::domain::quantity::{bytes, count, tenths};
use crate::panes::replication::{Units, series};
use crate::panes::{Scene, rule, times};
use crate::procedure::drill::{Mark, REDUNDANT, STRIKE};
use crate::procedure::{Run, What};
use crate::ui::layout::split_top;
use crate::ui::text::{cut_line, put, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::digits;
use crate::ui::widgets::graph::{Graph, Mark as Flag, Point, Series, Unit};

/// Rows that the steps are left with where the picture stands under them.
pub const FEW_STEPS: u16 = 4;
/// From this height on the stopwatch is three rows high.
const TALL: u16 = 13;
/// The graph shows at least this long a time, and at most so long.
const SHOWN: [SignedDuration; 2] = [SignedDuration::from_secs(60), SignedDuration::from_mins(5)];
/// How much of the calm before the blow the graph shows.
const BEFORE: SignedDuration = SignedDuration::from_secs(20);

/// What is drawn.
struct Sight<'a> {
    run: &'a Run,
    scene: &'a Scene<'a>,
    cluster: Option<&'a Cluster>,
    /// This run's heartbeat.
    pulse: Option<&'a Pulse>,
    struck: Option<Timestamp>,
    /// The newest moment of which anything is known: the heartbeat tells ten times as often as the clock.
    now: Timestamp,
}

/// Draws it.
pub fn draw(run: &Run, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let sight = sight(run, scene);
    let rest = stopwatch(&sight, look, area, buf);
    let rest = strip(&sight, look, rest, buf);
    let rest = counts(&sight, look, rest, buf);
    let rest = leads(&sight, look, rest, buf);
    let graph = if rest.height >= 10 { (rest.height / 2).clamp(7, 14) } else { 0 };
    let (lag, rest) = split_top(rest, graph);
    standbys(&sight, look, lag, buf);
    marks(&sight, look, rest, buf);
}

fn sight<'a>(run: &'a Run, scene: &'a Scene<'a>) -> Sight<'a> {
    let key = &run.plan.cluster;
    // The last heartbeat of a cluster stays: that of an earlier drill is not this one's.
    let pulse = scene.known.facts.heartbeats.get(key).map(|p| &**p).filter(|p| p.since >= run.opened);
    let here = scene.doing.runs.get(&run.id).is_some_and(|d| d.open());
    let last = run.entries.last().map_or(run.opened, |e| e.at);
    Sight {
        run,
        scene,
        cluster: scene.known.facts.clusters.get(key).map(|c| &**c),
        pulse,
        struck: run.progress(&STRIKE.into()).and_then(|p| p.began),
        now: if here { pulse.map_or(scene.now, |p| p.at.max(scene.now)).max(last) } else { last },
    }
}

impl Sight<'_> {
    /// How long since the blow; it stands still once everything is as redundant as before.
    fn elapsed(&self) -> Option<(SignedDuration, bool)> {
        let proven =
            |e: &&crate::procedure::Entry| matches!(&e.what, What::Proven { step, .. } if step.as_str() == REDUNDANT);
        let end = self.run.entries.iter().find(proven).map(|e| e.at);
        let since = |at: Timestamp| end.unwrap_or(self.now).duration_since(at).max(SignedDuration::ZERO);
        self.struck.map(|at| (since(at), end.is_some()))
    }

    /// Do writes go through, and for how long did they not?
    fn outage(&self) -> (Role, String) {
        let Some(pulse) = self.pulse else { return (Role::Dim, "no heartbeat of this run is heard here".into()) };
        if let Some(open) = pulse.outages.last().filter(|o| o.to.is_none()) {
            return (Role::Bad, format!("no write for {} s", tenths(self.now.duration_since(open.from))));
        }
        let Some(struck) = self.struck else { return (Role::Good, "writes are acknowledged".into()) };
        let length =
            |o: &crate::domain::heartbeat::Outage| Some(o.to.filter(|to| *to >= struck)?.duration_since(o.from));
        match pulse.outages.iter().filter_map(length).max() {
            Some(longest) => (Role::Good, format!("writes are back, {} s without one", tenths(longest))),
            None => (Role::Good, "writes are acknowledged, none failed for long".into()),
        }
    }
}

/// The time since the blow, as large as there is room for, and whether writes go through.
fn stopwatch(s: &Sight<'_>, look: &Look, area: Rect, buf: &mut Buffer) -> Rect {
    let (role, outage) = s.outage();
    let (large, words) = match s.elapsed() {
        Some((elapsed, ended)) => (tenths(elapsed), if ended { "s until full redundancy" } else { "s since the blow" }),
        None => ("0.0".into(), "the blow has not fallen yet"),
    };
    let style = if s.struck.is_some() { look.bold(role) } else { look.style(Role::Dim) };
    if area.height < TALL {
        let (place, rest) = split_top(area, 1);
        let line = match s.struck {
            Some(_) => vec![Span::styled(large, style), Span::raw(format!(" {words}  ")), Span::styled(outage, style)],
            None => {
                vec![Span::styled(format!("{words}  "), look.style(Role::Dim)), Span::styled(outage, look.style(role))]
            }
        };
        put_line(buf, place, place.x, place.y, &cut_line(Line::from(line), usize::from(place.width), look.marks.more));
        return rest;
    }
    let (place, rest) = split_top(area, 4);
    let rows = digits::rows(&large, &look.marks);
    let x = place.x + crate::ui::text::width(&rows[0]) as u16 + 2;
    for (y, row) in (place.y..).zip(&rows) {
        put(buf, place, place.x, y, row, style);
    }
    let blow = s.struck.map(|at| format!("  at {}", times::clock(at, s.scene.habits))).unwrap_or_default();
    let end = put(buf, place, x, place.y, words, look.style(Role::Text));
    put(buf, place, end, place.y, &blow, look.style(Role::Dim));
    put(buf, place, x, place.y + 1, &outage, look.bold(role));
    let failing = s.pulse.filter(|p| p.outages.last().is_some_and(|o| o.to.is_none()));
    if let Some(trouble) = failing.and_then(|p| p.trouble.as_deref()) {
        let room = usize::from(place.right().saturating_sub(x));
        let words = crate::ui::text::cut(trouble, room, look.marks.more);
        put(buf, place, x, place.y + 2, &words, look.style(Role::Dim));
    }
    rest
}

/// How a slice of time is drawn.
fn sign(beat: Beat, look: &Look) -> (&'static str, Style) {
    let eighths = look.marks.eighths();
    match beat {
        Beat::Idle => (eighths[0], look.style(Role::Dim)),
        Beat::Acknowledged => (eighths[1], look.style(Role::Good)),
        Beat::Unknown => (look.marks.unknown, look.style(Role::Unknown)),
        Beat::Refused => (eighths[8], look.style(Role::Bad)),
    }
}

/// The heartbeat, a cell for each tenth of a second, the newest at the right.
fn strip(s: &Sight<'_>, look: &Look, area: Rect, buf: &mut Buffer) -> Rect {
    let (place, rest) = split_top(area, 1);
    let slices = s.pulse.map(|p| p.slices.as_slice()).unwrap_or_default();
    let shown = &slices[slices.len().saturating_sub(usize::from(place.width))..];
    let first = place.right().saturating_sub(shown.len() as u16);
    for (x, beat) in (first..).zip(shown) {
        let (sign, style) = sign(*beat, look);
        put(buf, place, x, place.y, sign, style);
    }
    rest
}

/// The counters; they explain the strip's signs.
fn counts(s: &Sight<'_>, look: &Look, area: Rect, buf: &mut Buffer) -> Rect {
    let (place, rest) = split_top(area, 1);
    let Some(pulse) = s.pulse else { return rest };
    let room = usize::from(place.width);
    let full = counted(pulse, false, look);
    let line = if full.width() <= room { full } else { counted(pulse, true, look) };
    put_line(buf, place, place.x, place.y, &cut_line(line, room, look.marks.more));
    rest
}

fn counted<'a>(pulse: &Pulse, short: bool, look: &Look) -> Line<'a> {
    let mut line = Line::default();
    for (beat, n, word) in [
        (Beat::Acknowledged, pulse.acknowledged, "acknowledged"),
        (Beat::Refused, pulse.refused, "refused"),
        (Beat::Unknown, pulse.unknown, "unknown"),
    ] {
        let (sign, style) = sign(beat, look);
        let word = if short { &word[..3] } else { word };
        line.push_span(Span::styled(sign, style));
        line.push_span(Span::raw(format!(" {} ", count(n))));
        line.push_span(Span::styled(format!("{word}  "), look.style(Role::Dim)));
    }
    let (answered, failed) = pulse.reads;
    for (n, words) in [(answered, " reads, "), (failed, " failed")] {
        line.push_span(Span::raw(count(n)));
        line.push_span(Span::styled(words, look.style(Role::Dim)));
    }
    line
}

/// Who leads by what is seen, whom the operator wants, who holds the lease, where writes lead.
fn leads(s: &Sight<'_>, look: &Look, area: Rect, buf: &mut Buffer) -> Rect {
    let (place, rest) = split_top(area, 1);
    let Some(cluster) = s.cluster else { return rest };
    let dim = look.style(Role::Dim);
    let primary = Picture::of(&s.scene.known.facts, cluster).primary;
    let mut line = match &primary {
        Some(name) => {
            Line::from(Span::styled(format!("{} {name} leads", look.marks.primary), look.style(Role::Primary)))
        }
        None => Line::from(Span::styled(format!("{} nobody leads", look.marks.bad), look.style(Role::Bad))),
    };
    let mut say = |words: String, style: Style| line.push_span(Span::styled(format!("  {words}"), style));
    match &cluster.target {
        Some(Target::Pending) => say("target pending".into(), look.style(Role::Warn)),
        Some(Target::Instance(name)) if Some(name) != primary.as_ref() => {
            say(format!("target {name}"), look.style(Role::Warn));
        }
        _ => say("and is the target".into(), dim),
    }
    // Others may lead there too, from outside: the operator's own bears the cluster's name.
    let own = format!("{}-rw", cluster.key.name);
    let mut services = cluster.services.iter().filter(|s| s.purpose == ServicePurpose::ReadWrite);
    let writes = services.clone().find(|s| s.name == own).or_else(|| services.next());
    match writes.and_then(|w| w.leads_to.as_deref().map(|to| (&w.name, to))) {
        Some((name, [])) => say(format!("{name} leads nowhere"), look.style(Role::Bad)),
        Some((name, to)) => {
            let names: Vec<_> = to.iter().map(ToString::to_string).collect();
            say(format!("{name} {} {}", look.marks.leads_to, names.join(", ")), dim);
        }
        None => {}
    }
    match cluster.lease.as_ref().map(|l| &l.holder) {
        Some(Some(holder)) => say(format!("lease {holder}"), dim),
        Some(None) => say("lease free".into(), look.style(Role::Warn)),
        None => {}
    }
    put_line(buf, place, place.x, place.y, &cut_line(line, usize::from(place.width), look.marks.more));
    rest
}

/// How far behind the standbys are, since shortly before the blow.
fn standbys(s: &Sight<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (Some(cluster), true) = (s.cluster, area.height > 0) else { return };
    let (head, body) = split_top(area, 1);
    let since = s.struck.map_or(SignedDuration::ZERO, |at| s.now.duration_since(at) + BEFORE);
    let from = s.now.checked_sub(since.clamp(SHOWN[0], SHOWN[1])).unwrap_or(s.now);
    let columns = usize::from(body.width.saturating_sub(9)).max(1) * 2;
    let names = series::standbys(s.scene, cluster);
    let history = s.scene.known.history.of(&cluster.key);
    let mut heading = Line::from(Span::styled("replay lag", look.style(Role::Dim)));
    let mut all: Vec<Vec<Point>> = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let lag = history.and_then(|h| series::lag_of(h, name, Units::Bytes, Stage::Replay));
        let sign = if look.marks.ascii { ["*", "+", "x", "o"][n % 4] } else { "━" };
        let last = lag.and_then(|l| l.last()).map_or(look.marks.nothing.to_owned(), |(_, v)| bytes(v.max(0.0) as u64));
        heading.push_span(Span::styled(format!("  {sign}{sign} "), look.graph(n)));
        heading.push_span(Span::raw(format!("{name} {last}")));
        all.push(lag.map(|l| series::points(l, from, s.now, columns)).unwrap_or_default());
    }
    put_line(buf, head, head.x, head.y, &cut_line(heading, usize::from(head.width), look.marks.more));
    let lines: Vec<Series<'_>> =
        all.iter().enumerate().map(|(n, points)| Series { points, style: look.graph(n) }).collect();
    let blow: Vec<Flag> = s.struck.map(|at| Flag { at, letter: 'B', weight: 9, role: Role::Bad }).into_iter().collect();
    let graph = Graph {
        from,
        to: s.now,
        series: &lines,
        marks: &blow,
        cursor: None,
        unit: Unit::Bytes,
        least_top: 1e6,
        whole: false,
        gap: series::gap(from, s.now, columns),
        zone: s.scene.habits.zone(),
        times: true,
    };
    graph.draw(body, buf, look);
}

/// What was seen so far, with the time since the blow; the newest at the end.
fn marks(s: &Sight<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let seen = |e: &crate::procedure::Entry| match &e.what {
        What::Observed { mark, seen, text } => Some(line(mark, since(s.struck, *seen), text, look)),
        _ => None,
    };
    let all: Vec<Line<'_>> = s.run.entries.iter().filter_map(seen).collect();
    if area.height == 0 || all.is_empty() {
        return;
    }
    let (head, body) = if area.height >= 4 { split_top(area, 1) } else { split_top(area, 0) };
    let hidden = all.len().saturating_sub(usize::from(body.height));
    let words =
        if hidden > 0 { format!("seen since the blow, {hidden} before these") } else { "seen since the blow".into() };
    if head.height > 0 {
        rule(&words, look, head, buf);
    }
    for (y, line) in (body.y..body.bottom()).zip(&all[hidden..]) {
        put_line(buf, body, body.x, y, &cut_line(line.clone(), usize::from(body.width), look.marks.more));
    }
}

/// Milliseconds from the blow to a moment at or after it.
fn since(struck: Option<Timestamp>, at: Timestamp) -> Option<SignedDuration> {
    struck.map(|struck| at.duration_since(struck)).filter(|d| !d.is_negative())
}

/// A mark in a line.
pub fn line<'a>(mark: &str, since: Option<SignedDuration>, text: &str, look: &Look) -> Line<'a> {
    let role = match Mark::named(mark) {
        Some(Mark::WritesNowhere) => Role::Bad,
        Some(Mark::Undecided | Mark::LeaseFree) => Role::Warn,
        Some(Mark::Promoted | Mark::Primary | Mark::WritesMoved) => Role::Good,
        Some(Mark::Target | Mark::LeaseTaken) => Role::Info,
        _ => Role::Text,
    };
    let when = since.map(|d| format!("+{} s", tenths(d))).unwrap_or_default();
    Line::from(vec![
        Span::styled(format!("{when:>9}  "), look.style(Role::Dim)),
        Span::styled(text.to_owned(), look.style(role)),
    ])
}
