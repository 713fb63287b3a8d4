//! What stands below the time line while a moment is picked.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Ask, Picker};
use crate::domain::backup::Catalog;
use crate::domain::backup::target::{Plotted, RecoveryTarget, Refused};
use crate::domain::health::Level;
use crate::domain::quantity::{age, bytes};
use crate::panes::{Scene, rule};
use crate::text::wrap;
use crate::ui::layout::split_bottom;
use crate::ui::text::{cut_line, put, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::prompt;

/// Cells of the names of what is told.
const NAMES: usize = 13;

/// Draws it.
pub fn draw(picker: &Picker, catalog: &Catalog, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (area, below) = split_bottom(area, u16::from(picker.ask.is_some()) * 2);
    let head = Rect { height: 1.min(area.height), ..area };
    rule("restore to", look, head, buf);
    let body = Rect { y: area.y + head.height, height: area.height.saturating_sub(1), ..area };
    for (line, y) in lines(picker, catalog, scene, look, body.width.into()).iter().zip(body.y..body.bottom()) {
        put_line(
            buf,
            body,
            body.x + 1,
            y,
            &cut_line(line.clone(), usize::from(body.width).saturating_sub(2), look.marks.more),
        );
    }
    if let Some((ask, field)) = &picker.ask {
        let (words, label) = match ask {
            Ask::Target => {
                ("A time with its zone, a position (0/9000060), latest, xid N, or point NAME", "restore to ")
            }
            Ask::Name => ("The new cluster's name; after it instances=1 archive-as=FOLDER service-account=NAME", "as "),
        };
        put(buf, below, below.x + 1, below.y, words, look.style(Role::Dim));
        let line = Rect { x: below.x + 1, y: below.y + 1, width: below.width.saturating_sub(2), height: 1 };
        if let Some(cursor) = prompt::draw(line, buf, look, label, field.text(), field.cursor()) {
            let style = look.style(Role::Title).add_modifier(ratatui::style::Modifier::REVERSED);
            if let Some(cell) = buf.cell_mut(cursor) {
                cell.set_style(style);
            }
        }
    }
}

fn lines<'a>(picker: &Picker, catalog: &Catalog, scene: &Scene<'_>, look: &Look, width: usize) -> Vec<Line<'a>> {
    let (target, plotted) = picker.plot(catalog);
    let mut all = vec![moment(picker, &target, scene, look)];
    match plotted {
        Ok(plotted) => all.extend(reached(&plotted, scene, look, width)),
        Err(refused) => all.extend(not_reached(&refused, &target, look, width)),
    }
    all
}

/// The target, and when that is.
fn moment<'a>(picker: &Picker, target: &RecoveryTarget, scene: &Scene<'_>, look: &Look) -> Line<'a> {
    let (title, dim) = (look.style(Role::Title), look.style(Role::Dim));
    if target.time().is_none() {
        return Line::from(vec![Span::styled(target.to_string(), title)]);
    }
    let at = picker.at;
    let mut line = Line::from(vec![
        Span::styled(at.strftime("%Y-%m-%d %H:%M:%S").to_string(), title),
        Span::styled(fraction(at), title),
        Span::styled(" UTC", title),
    ]);
    let local = at.to_zoned(scene.habits.zone.clone());
    if !local.offset().is_zero() {
        let words = format!("   {} here", local.strftime("%a %-d %b %H:%M:%S %Z"));
        line.push_span(Span::styled(words, look.style(Role::Text)));
    }
    line.push_span(Span::styled(format!("   {} ago", age(at, scene.now)), dim));
    line
}

/// `.985094`, or nothing.
fn fraction(at: Timestamp) -> String {
    match at.subsec_nanosecond() {
        0 => String::new(),
        n => format!(".{:06}", n / 1000),
    }
}

/// Something by its name, over as many lines as it takes.
fn told<'a>(name: &'static str, text: &str, look: &Look, width: usize) -> Vec<Line<'a>> {
    let room = width.saturating_sub(NAMES + 3).max(20);
    let dim = look.style(Role::Dim);
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let line =
        |(name, text): (&str, String)| Line::from(vec![Span::styled(format!("{name:<NAMES$}"), dim), Span::raw(text)]);
    names.zip(wrap(text, room)).map(line).collect()
}

fn reached<'a>(plotted: &Plotted, scene: &Scene<'_>, look: &Look, width: usize) -> Vec<Line<'a>> {
    let Plotted { base, window, replay, .. } = plotted;
    let clock = |at: Option<Timestamp>| at.map_or_else(|| "?".to_owned(), |at| format!("{at:.0}"));
    let mark = look.marks.level(Level::Ok);
    let mut all = vec![Line::styled(format!("{mark} can be recovered"), look.level(Level::Ok))];
    let mut tell = |name, text: String| all.extend(told(name, &text, look, width));
    let object = base.object.as_ref().filter(|o| **o != base.id).map(|o| format!(" ({o})")).unwrap_or_default();
    let data = base.data.or(base.stored).map(|n| format!(", {}", bytes(n))).unwrap_or_default();
    let timeline = base.timeline.map(|t| format!(", timeline {t}")).unwrap_or_default();
    tell("begins with", format!("{}{object}, ended {}{data}{timeline}", base.id, clock(base.ended)));
    let first = replay.first.map(|w| format!(", from {w} on")).unwrap_or_default();
    tell("replays", format!("{}{first}", replay.words()));
    let grows = if window.is_open() { ", and grows" } else { "" };
    let lsn = window.from_lsn.map(|l| format!(" ({l})")).unwrap_or_default();
    let (from, until) = (clock(window.from), clock(window.until));
    tell("window", format!("{from}{lsn} to {until}{grows}; its last WAL is {}", window.last));
    let lost = match &plotted.target {
        RecoveryTarget::Time(at) => format!("what was committed since ({} until now)", age(*at, scene.now)),
        RecoveryTarget::Latest => format!("what was not archived since {until}"),
        RecoveryTarget::Immediate => format!("what was committed after {}", clock(base.ended)),
        _ => "what was committed after it; the recovery fails where it is not in the WAL".into(),
    };
    tell("not in it", lost);
    if let Some(other) = &plotted.by_itself {
        tell("named", format!("by itself the operator would begin with {other}"));
    }
    all
}

fn not_reached<'a>(refused: &Refused, target: &RecoveryTarget, look: &Look, width: usize) -> Vec<Line<'a>> {
    let level = if *refused == Refused::Unlisted { Level::Unknown } else { Level::Bad };
    let style = look.level(level);
    let mut all = vec![Line::styled(format!("{} {}", look.marks.level(level), refused.word()), style)];
    let problem = refused.problem(target);
    for (name, text) in [("because", problem.because), ("try", problem.try_this)] {
        all.extend(text.iter().flat_map(|text| told(name, text, look, width)));
    }
    all
}
