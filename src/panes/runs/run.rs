//! A run while it goes on and after it: its steps, the one that matters in full, what is asked, how it ended.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::detail;
use super::plan::{WIDE, sides};
use super::{drill, measured, steps};
use crate::command::Scope;
use crate::domain::health::Level;
use crate::domain::quantity;
use crate::panes::doing::{Driven, answer, name_to_type};
use crate::panes::events::ticker;
use crate::panes::paper::Paper;
use crate::panes::{Scene, rule, times};
use crate::procedure::{Choice, Kind, Outcome, Run};
use crate::ui::layout::{split_bottom, split_top};
use crate::ui::text::{cut_line, put_line};
use crate::ui::theme::{Look, Role};

/// Where a reader's eye is.
#[derive(Clone, Copy, Debug)]
pub struct Eye {
    /// On this step.
    pub at: usize,
    /// It was chosen by hand.
    pub by_hand: bool,
    /// What is told is scrolled up by so many lines.
    pub top: usize,
}

/// Draws it: the step at this place in full if it was chosen by hand or the run is no drill, else the drill's picture.
pub fn draw(run: &Run, eye: Eye, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let Eye { at, by_hand, top } = eye;
    let driven = scene.doing.runs.get(&run.id);
    let (head, rest) = split_top(area, 1);
    heading(run, driven, scene, look, head, buf);
    let asked = driven.and_then(|d| d.asked.first());
    let rest = match asked {
        Some(question) => {
            let lines = question.choices.len() as u16 + 2;
            let (rest, foot) = split_bottom(rest, lines.min(rest.height / 2));
            ask(question, scene, look, foot, buf);
            rest
        }
        None => rest,
    };
    let measures = run.plan.kind.is_drill() && !by_hand;
    // A drill tells itself what happens.
    let rest = if measures { rest } else { happened(run, scene, look, rest, buf) };
    let few = if measures && rest.width < WIDE { usize::from(drill::FEW_STEPS) } else { run.plan.steps.len() };
    let (left, right) = sides(rest, few);
    steps::draw(&steps::of_run(run, scene.now, look), at, look, left, buf);
    match run.closed {
        Some(_) if measures => return measured::draw(run, top, look, right, buf),
        // A restore drill writes no heartbeat: its steps tell how far it is.
        None if measures && run.plan.kind != Kind::RestoreDrill => return drill::draw(run, scene, look, right, buf),
        _ => {}
    }
    let Some(step) = run.plan.steps.get(at) else { return };
    let mut paper = Paper::new(look, right.width);
    detail::head(&mut paper, step);
    if let Some(why) = run.waits_for(&step.id, &scene.known.facts) {
        paper.told("not yet", &why, Role::Warn);
    }
    if let Some(report) = run.steps().get(at) {
        detail::came(&mut paper, report);
    }
    detail::step(&mut paper, step, None);
    paper.draw(top, right, buf);
}

/// What happened to the cluster while the run goes on, where there is room for it.
fn happened(run: &Run, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) -> Rect {
    if run.closed.is_some() || area.height < 22 {
        return area;
    }
    let (rest, mine) = split_bottom(area, area.height / 4);
    let (line, mine) = split_top(mine, 1);
    rule("events", look, line, buf);
    ticker(scene, &run.plan.cluster, look, mine, buf);
    rest
}

/// The title, how long, how it stands.
fn heading(run: &Run, driven: Option<&Driven>, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let end = run.closed.map_or(scene.now.max(run.opened), |(at, _)| at);
    let took = quantity::span(end.duration_since(run.opened));
    let broken = driven.and_then(|d| d.broken.as_ref());
    let (mark, style, word) = match (run.closed, broken, driven) {
        (Some((_, outcome)), ..) => {
            let level = Outcome::level(Some(outcome));
            (look.marks.level(level), look.level(level), format!("{} after {took}", outcome.word()))
        }
        (None, Some(problem), _) => (look.marks.bad, look.level(Level::Bad), problem.line()),
        (None, None, Some(_)) if run.aborted.is_some() => {
            (look.marks.late, look.level(Level::Warn), format!("is being ended, {took}"))
        }
        (None, None, Some(_)) => (look.marks.late, look.style(Role::Accent), format!("under way for {took}")),
        (None, None, None) => (look.marks.warn, look.level(Level::Warn), "interrupted, or driven elsewhere".into()),
    };
    let line = Line::from(vec![
        Span::styled(format!(" {mark} "), style),
        Span::styled(run.plan.title.clone(), look.style(Role::Title)),
        Span::styled(format!("  {word}"), style),
        Span::styled(
            format!("  {}, began {}", run.plan.cluster.name, times::clock(run.opened, scene.habits)),
            look.style(Role::Dim),
        ),
    ]);
    put_line(buf, area, area.x, area.y, &cut_line(line, usize::from(area.width), look.marks.more));
}

/// What is asked, and the answers with their keys.
fn ask(question: &crate::procedure::Question, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (line, rest) = split_top(area, 1);
    rule(&format!("{} is asked", question.step), look, line, buf);
    let why = Line::from(vec![
        Span::styled(format!(" {} ", look.marks.frozen), look.level(Level::Warn)),
        Span::styled(question.why.clone(), look.level(Level::Warn)),
    ]);
    let mut y = rest.y;
    put_line(buf, rest, rest.x, y, &cut_line(why, usize::from(rest.width), look.marks.more));
    for choice in &question.choices {
        y += 1;
        let line = Line::from(vec![
            Span::styled(format!("   {} ", scene.key(Scope::Run, answer(*choice))), look.style(Role::Key)),
            Span::raw(words(question, *choice)),
        ]);
        put_line(buf, rest, rest.x, y, &line);
    }
}

fn words(question: &crate::procedure::Question, choice: Choice) -> String {
    match (choice, name_to_type(question)) {
        (Choice::Grant, Some(name)) => format!("go on: {name} has to be typed"),
        _ => choice.words().to_owned(),
    }
}
