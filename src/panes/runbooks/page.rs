//! A walk on the screen: its steps, the one that is looked at in full, and where its answers lead.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::steps;
use super::walk::Walking;
use super::{end, told};
use crate::command::{Command, Scope};
use crate::domain::health::Level;
use crate::domain::quantity;
use crate::panes::paper::Paper;
use crate::panes::{Scene, rule};
use crate::procedure::runbook::walk::about_of;
use crate::procedure::runbook::{Answer, Judged, StepView, Walk, answer, walked};
use crate::procedure::{Outcome, State};
use crate::ui::layout::{split_bottom, split_left, split_top};
use crate::ui::text::{cut_line, put_line};
use crate::ui::theme::{Look, Role};

/// From this width on the steps stand beside the page.
const WIDE: u16 = 96;
/// The widest that the list of steps becomes.
const STEPS: u16 = 56;
/// From this height on a narrow screen has room for a list of steps; else for their marks.
const TALL: u16 = 20;
/// Cells of a label.
const LABEL: usize = 9;

/// Where what is.
struct Parts {
    head: Rect,
    steps: Rect,
    page: Rect,
    foot: Rect,
}

fn parts(area: Rect, steps: usize, foot: usize) -> Parts {
    let (head, rest) = split_top(area, 1);
    let (steps, rest) = if area.width >= WIDE {
        let (left, right) = split_left(rest, (area.width * 2 / 5).min(STEPS));
        (left, Rect { x: right.x + 2, width: right.width.saturating_sub(2), ..right })
    } else {
        let rows = if area.height < TALL { 1 } else { (steps as u16).min(rest.height / 4) };
        let (top, rest) = split_top(rest, rows);
        let (_, rest) = split_top(rest, u16::from(area.height >= TALL));
        (top, Rect { x: rest.x + 2, width: rest.width.saturating_sub(2), ..rest })
    };
    let (page, foot) = split_bottom(rest, (foot as u16).min(rest.height / 2));
    Parts { head, steps, page, foot }
}

/// What is drawn: the page and what stands under it.
struct Drawn<'l> {
    parts: Parts,
    page: Paper<'l>,
    foot: Paper<'l>,
}

fn drawn<'l>(walking: &Walking, walk: Walk<'_>, scene: &Scene<'_>, look: &'l Look, area: Rect) -> Drawn<'l> {
    let count = walk.run.plan.steps.len();
    let width = parts(area, count, 0).page.width;
    let (mut page, mut foot) = (Paper::new(look, width), Paper::new(look, width));
    match walking.at() {
        Some(n) => step(&mut page, &mut foot, (walking, walk, n), scene, look),
        None => end::draw(&mut page, walk, scene, look),
    }
    let rows = if foot.height() == 0 { 0 } else { foot.height() + 1 };
    Drawn { parts: parts(area, count, rows), page, foot }
}

/// How many lines of the page can be scrolled away.
pub fn most(walking: &Walking, walk: Walk<'_>, scene: &Scene<'_>) -> usize {
    let area = Rect { x: 0, y: 0, width: scene.size.width, height: scene.size.height };
    let drawn = drawn(walking, walk, scene, scene.look, area);
    drawn.page.height().saturating_sub(usize::from(drawn.parts.page.height))
}

/// Draws it.
pub fn draw(walking: &Walking, walk: Walk<'_>, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let Drawn { parts, page, foot } = drawn(walking, walk, scene, look, area);
    heading(walking, walk, scene, look, parts.head, buf);
    if area.width < WIDE && area.height < TALL {
        steps::strip(walking, walk, look, parts.steps, buf);
    } else {
        steps::draw(walking, walk, look, parts.steps, buf);
    }
    page.draw(walking.top, parts.page, buf);
    let (line, rest) = split_top(parts.foot, 1);
    if foot.height() > 0 {
        let asking = walking.asking(scene);
        let waits = format!("what next ({asking} asked, waiting for answers…)");
        let key = scene.key(Scope::Walk, Command::GoOn);
        let words = if asking > 0 { waits } else { format!("what next ({key} takes {})", look.marks.cursor) };
        rule(&words, look, line, buf);
        foot.draw(0, rest, buf);
    }
}

/// Which runbook, how far, on which cluster.
fn heading(walking: &Walking, walk: Walk<'_>, scene: &Scene<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let run = walk.run;
    let end = run.closed.map_or(scene.now.max(run.opened), |(at, _)| at);
    let took = quantity::age_of(end.duration_since(run.opened));
    let (mark, style, word) = match (run.closed, walking.open) {
        (Some((_, outcome)), _) => {
            let level = Outcome::level(Some(outcome));
            (look.marks.level(level), look.level(level), format!("{} after {took}", outcome.word()))
        }
        (None, true) => {
            let step = walking.here.map_or(0, |n| n + 1);
            let words = format!("step {step} of {}, for {took}", run.plan.steps.len());
            (look.marks.late, look.style(Role::Accent), words)
        }
        (None, false) => match scene.doing.runs.get(&run.id).and_then(|d| d.broken.as_ref()) {
            Some(problem) => (look.marks.bad, look.level(Level::Bad), problem.line()),
            None => (look.marks.frozen, look.level(Level::Warn), "left before its end".into()),
        },
    };
    let about = about_of(run).map(|i| format!(", about {i}")).unwrap_or_default();
    let line = Line::from(vec![
        Span::styled(format!(" {mark} "), style),
        Span::styled(walk.runbook.name.clone(), look.style(Role::Title)),
        Span::styled(format!("  {word}"), style),
        Span::styled(format!("  {}{about}", run.plan.cluster), look.style(Role::Dim)),
    ]);
    put_line(buf, area, area.x, area.y, &cut_line(line, usize::from(area.width), look.marks.more));
}

/// A step: as it is now, or what the journal says of one that is behind.
fn step(
    page: &mut Paper<'_>,
    foot: &mut Paper<'_>,
    (walking, walk, n): (&Walking, Walk<'_>, usize),
    scene: &Scene<'_>,
    look: &Look,
) {
    let Some(planned) = walk.run.plan.steps.get(n) else { return };
    let journal = walked(walk.run, &planned.id);
    let behind = journal.answer.is_some() || matches!(walk.run.state(&planned.id), State::Skipped);
    if behind || !walking.open {
        page.words(&format!("{}. {}", n + 1, planned.title), Role::Title);
        told::draw(page, &journal, scene, look);
        return;
    }
    let Some(view) = walking.view(walk, n, scene) else {
        page.words(&format!("{} is gone: nothing can be looked at.", walk.run.plan.cluster), Role::Warn);
        return;
    };
    page.words(&format!("{}. {}", n + 1, view.title), Role::Title);
    told::notes(page, &journal, scene, look);
    live(page, &view, scene);
    if walking.here == Some(n) && walking.step.is_none() {
        ways(foot, &view, walk, n, scene);
    }
}

/// A step as it is now.
fn live(page: &mut Paper<'_>, view: &StepView, scene: &Scene<'_>) {
    let look = scene.look;
    for words in &view.words {
        page.gap();
        page.words(words, Role::Text);
    }
    values(page, view, scene.now, look);
    page.gap();
    for check in &view.checks {
        judged(page, check, look);
    }
    commands(page, view, scene);
}

fn values(page: &mut Paper<'_>, view: &StepView, now: Timestamp, look: &Look) {
    page.gap();
    let column = view.values.iter().map(|v| v.name.len() + 2).max().unwrap_or(0);
    for shown in &view.values {
        if shown.items.is_empty() {
            page.labelled(&shown.name, Role::Info, column, look.marks.nothing, look.style(Role::Dim));
        }
        for (n, item) in shown.items.iter().enumerate() {
            let name = if n == 0 { shown.name.as_str() } else { "" };
            let role = if item.value.is_ok() { Role::Text } else { Role::Unknown };
            page.labelled(name, Role::Info, column, &answer::words(item, now), look.style(role));
        }
    }
}

/// A check: its answer, what is true when it holds, what was seen and who says so.
fn judged(page: &mut Paper<'_>, check: &Judged, look: &Look) {
    let (word, role) = match &check.answer {
        Some(answer @ (Answer::Yes | Answer::No)) => (answer.word(), Role::Accent),
        Some(answer) => (answer.word(), Role::Unknown),
        None => ("look", Role::Dim),
    };
    page.labelled(word, role, LABEL, &check.title, look.style(Role::Title));
    for line in &check.evidence {
        page.indented(LABEL, line, look.style(Role::Dim));
    }
    page.table(LABEL, &check.rows);
}

/// Command lines, and the change that howdah itself would make; what changes something says so in a word.
fn commands(page: &mut Paper<'_>, view: &StepView, scene: &Scene<'_>) {
    let look = scene.look;
    page.gap();
    for command in &view.commands {
        let (word, role) = if command.kind == "change" { ("CHANGE", Role::Danger) } else { ("look", Role::Info) };
        page.labelled(word, role, LABEL, &command.text, look.style(Role::Text));
        if let Some(why) = &command.why {
            page.indented(LABEL, &format!("# {why}"), look.style(Role::Dim));
        }
    }
    if let Some(act) = &view.act {
        page.labelled("CHANGE", Role::Danger, LABEL, &act.line, look.style(Role::Text));
        let words = format!("# {} looks at howdah's own plan of it", scene.key(Scope::Walk, Command::Offer));
        page.indented(LABEL, &words, look.style(Role::Dim));
    }
}

/// What is asked, and where each answer leads, with its key; marked: the one that the check gives.
fn ways(foot: &mut Paper<'_>, view: &StepView, walk: Walk<'_>, n: usize, scene: &Scene<'_>) {
    let look = scene.look;
    if let Some(question) = &view.question {
        foot.words(question, Role::Title);
    }
    let says = view.answer.as_ref().map(Answer::word);
    let mut way = |command: Command, word: &str, to: &str| {
        let so = says == Some(word) || view.ways.is_empty();
        let (mark, role, text) =
            if so { (look.marks.cursor, Role::Accent, Role::Text) } else { (" ", Role::Dim, Role::Dim) };
        let label = format!("{mark} {} {word}", scene.key(Scope::Walk, command));
        foot.labelled(&label, role, LABEL + 5, &format!("→ {to}"), look.style(text));
    };
    if view.ways.is_empty() {
        let next = walk.runbook.after(n, &Answer::Yes).and_then(|n| walk.run.plan.steps.get(n));
        way(Command::GoOn, says.unwrap_or("done"), next.map_or("the end", |s| s.title.as_str()));
    }
    let commands = [Command::SayYes, Command::SayNo, Command::SayUnknown];
    view.ways.iter().zip(commands).for_each(|((word, to), command)| way(command, word, to));
}
