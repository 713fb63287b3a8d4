//! A plan before it begins: what was looked at, who could lead, each step with its request, and whether it may begin.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::detail;
use super::steps;
use crate::command::{Command, Scope};
use crate::domain::health::Level;
use crate::domain::quantity;
use crate::panes::doing::{Proposal, Trial};
use crate::panes::paper::Paper;
use crate::panes::{Scene, rule};
use crate::procedure::{Candidate, Plan, Weight, catalog};
use crate::ui::layout::{split_bottom, split_left, split_top};
use crate::ui::text::{cut_line, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::table::{Column, Row, Table};

/// From this width on the chosen step stands beside the list, not under it.
pub const WIDE: u16 = 96;

/// Draws it.
pub fn draw(
    proposal: &Proposal,
    (at, top): (usize, usize),
    scene: &Scene<'_>,
    look: &Look,
    area: Rect,
    buf: &mut Buffer,
) {
    let plan = &proposal.plan;
    let (head, rest) = split_top(area, 1);
    heading(plan, look, head, buf);
    let (rest, foot) = split_bottom(rest, 2);
    verdict(proposal, scene, look, foot, buf);
    // What is as it should be is said in a line where it would push the requests off the screen.
    let room = if rest.height < 24 { 3 } else { rest.height / 3 };
    let rest = findings(plan, look, rest, room, buf);
    let rest = candidates(plan, look, rest, buf);
    let (line, rest) = split_top(rest, 1);
    rule("steps", look, line, buf);
    let (left, right) = sides(rest, plan.steps.len());
    steps::draw(&steps::of_plan(plan, look), at, look, left, buf);
    if let Some(step) = plan.steps.get(at) {
        let tried = match &proposal.tried {
            Trial::Taken(all) => all.iter().find(|t| t.step == step.id),
            _ => None,
        };
        let mut paper = Paper::new(look, right.width);
        detail::head(&mut paper, step);
        detail::step(&mut paper, step, tried);
        paper.draw(top, right, buf);
    }
}

/// Where the list of steps is, and where the chosen one.
pub fn sides(area: Rect, steps: usize) -> (Rect, Rect) {
    if area.width >= WIDE {
        let (left, right) = split_left(area, area.width * 2 / 5);
        return (left, Rect { x: right.x + 2, width: right.width.saturating_sub(2), ..right });
    }
    let (top, rest) = split_top(area, (steps as u16).min(area.height / 2));
    let (_, rest) = split_top(rest, 1);
    (top, Rect { x: rest.x + 2, width: rest.width.saturating_sub(2), ..rest })
}

fn heading(plan: &Plan, look: &Look, area: Rect, buf: &mut Buffer) {
    let because = plan.parameters.get("because").map(|b| format!("  because {b}")).unwrap_or_default();
    let line = Line::from(vec![
        Span::styled(format!(" {}", plan.title), look.style(Role::Title)),
        Span::styled(format!("  {} in {}", plan.cluster, plan.cluster.context), look.style(Role::Dim)),
        Span::styled(because, look.style(Role::Info)),
    ]);
    put_line(buf, area, area.x, area.y, &cut_line(line, usize::from(area.width), look.marks.more));
}

/// What was looked at, the heaviest first; what is well in one line where there is little room.
fn findings(plan: &Plan, look: &Look, area: Rect, room: u16, buf: &mut Buffer) -> Rect {
    let mut all: Vec<_> = plan.findings.iter().collect();
    all.sort_by_key(|f| std::cmp::Reverse(f.weight));
    let bad = all.iter().filter(|f| f.weight != Weight::Good).count();
    let shown = if all.len() > usize::from(room) { bad.min(usize::from(room)) } else { all.len() };
    let mut lines: Vec<Line<'_>> = all[..shown]
        .iter()
        .map(|f| {
            let level = f.weight.level();
            Line::from(vec![
                Span::styled(format!(" {} {}", look.marks.level(level), f.about), look.level(level)),
                Span::styled(format!("{}: ", word(f.weight)), look.style(Role::Dim)),
                Span::raw(f.text.clone()),
            ])
        })
        .collect();
    let rest: Vec<_> = all[shown..].iter().map(|f| f.about.as_str()).collect();
    if !rest.is_empty() {
        let text = format!(" {} looked at and as it should be: {}", look.marks.good, rest.join(", "));
        lines.push(Line::from(Span::styled(text, look.style(Role::Dim))));
    }
    let (mine, rest) = split_top(area, lines.len() as u16);
    for (n, line) in lines.into_iter().enumerate() {
        let y = mine.y + n as u16;
        put_line(buf, mine, mine.x, y, &cut_line(line, usize::from(mine.width), look.marks.more));
    }
    rest
}

fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Good => "",
        Weight::Heed => " (worth knowing)",
        Weight::Unknown => " (not known)",
        Weight::Justify => " (needs a reason)",
        Weight::Blocks => " (blocks)",
    }
}

/// The table of those who could lead.
fn candidates(plan: &Plan, look: &Look, area: Rect, buf: &mut Buffer) -> Rect {
    let all = &plan.candidates;
    if all.is_empty() || area.height < 10 {
        return area;
    }
    let (mine, rest) = split_top(area, all.len() as u16 + 2);
    let table = Table {
        columns: vec![
            Column::text("  CANDIDATE", 16, 16).grow(1).priority(0),
            Column::text("ZONE", 8, 8).grow(1).priority(5),
            Column::text("STREAMS", 7, 7).priority(2),
            Column::text("SYNC", 8, 8).priority(4),
            Column::number("LAG", 9).priority(1),
            Column::number("ETA", 6).priority(6),
            Column::number("TIMELINE", 8).priority(3),
            Column::text("VERDICT", 12, 12).grow(3).priority(1),
        ],
        total: all.len(),
        selected: None,
        sort: None,
        lines: None,
        empty: "",
    };
    let (mine, _) = split_bottom(mine, 1);
    table.draw(mine, buf, look, |n| all.get(n).map(|c| candidate(c, look)).unwrap_or_default());
    rest
}

fn candidate<'a>(c: &Candidate, look: &Look) -> Row<'a> {
    let level = c.weight.level();
    let verdict = c.verdict();
    let streams = c.streaming.map_or("?", |yes| if yes { "yes" } else { "no" });
    let some = |text: Option<String>| Line::from(text.unwrap_or_else(|| look.marks.unknown.to_owned()));
    Row {
        cells: vec![
            Line::from(vec![
                Span::styled(format!("{} ", look.marks.level(level)), look.level(level)),
                Span::styled(c.instance.to_string(), look.style(Role::Title)),
            ]),
            some(c.zone.as_ref().map(ToString::to_string)),
            Line::from(streams.to_owned()),
            some(c.sync.clone()),
            some(c.lag.map(quantity::bytes)),
            c.eta.map_or_else(Line::default, |eta| Line::from(quantity::span(eta))),
            some(c.timeline.map(|t| t.to_string())),
            Line::from(Span::styled(verdict, look.level(level))),
        ],
        ..Row::default()
    }
}

/// Whether it may begin, and what is needed for that.
fn verdict(proposal: &Proposal, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let (line, area) = split_top(area, 1);
    rule("may it begin?", look, line, buf);
    let plan = &proposal.plan;
    let admitted = catalog::admit(plan);
    let armed = scene.doing.armed(&plan.cluster, scene.now).is_some();
    let (level, text) = match (&admitted, &proposal.tried) {
        (Err(problem), _) if plan.weight() == Weight::Blocks => {
            (Level::Bad, format!("no: {}", problem.because.as_deref().unwrap_or(&problem.what)))
        }
        _ if !armed => (
            Level::Unknown,
            format!(
                "not yet: {} is read-only. {} arms it, and the API is asked to try it",
                plan.cluster,
                scene.key(Scope::Plan, Command::Arm)
            ),
        ),
        (Err(problem), _) => {
            let why = problem.because.as_deref().unwrap_or(&problem.what);
            (Level::Warn, format!("only with a reason: {why}"))
        }
        (Ok(()), Trial::Not | Trial::UnderWay) => (Level::Unknown, "the API is asked to try it…".into()),
        (Ok(()), Trial::Refused(problem)) => (Level::Bad, format!("no: {}", problem.line())),
        (Ok(()), Trial::Taken(_)) => (Level::Ok, "yes: rights, premise and dry run are well".into()),
    };
    let line = Line::from(vec![
        Span::styled(format!(" {} ", look.marks.level(level)), look.level(level)),
        Span::styled(text, look.level(level)),
    ]);
    put_line(buf, area, area.x, area.y, &cut_line(line, usize::from(area.width), look.marks.more));
}
