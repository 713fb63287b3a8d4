//! The steps of a walk: what is behind, where one stands, what is ahead.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::walk::Walking;
use crate::procedure::runbook::{Walk, walked};
use crate::procedure::{Run, State, StepId};
use crate::ui::text::{fit, put, put_line, width};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::{scroll, table};

/// How a step stands: its mark, how that looks, and the word beside it.
fn standing(walking: &Walking, run: &Run, n: usize, look: &Look) -> (&'static str, Role, String) {
    let Some(step) = run.plan.steps.get(n) else { return (look.marks.absent, Role::Dim, String::new()) };
    match (run.state(&step.id), walked(run, &step.id).answer) {
        (State::Skipped, _) => (look.marks.nothing, Role::Dim, "left out".into()),
        (_, Some((_, word))) => {
            let role = if word == "unknown" { Role::Unknown } else { Role::Good };
            (look.marks.good, role, word)
        }
        _ if walking.here == Some(n) && walking.open => (look.marks.late, Role::Accent, "here".into()),
        _ if run.aborted.is_some() && first_ahead(run) == Some(n) => (look.marks.bad, Role::Bad, "ended here".into()),
        _ => (look.marks.absent, Role::Dim, String::new()),
    }
}

/// The first step that is neither answered nor left out.
fn first_ahead(run: &Run) -> Option<usize> {
    let behind = |id: &StepId| matches!(run.state(id), State::Skipped) || walked(run, id).answer.is_some();
    run.plan.steps.iter().position(|step| !behind(&step.id))
}

/// Draws them one under the other, the one that is looked at always in sight.
pub fn draw(walking: &Walking, walk: Walk<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let all = &walk.run.plan.steps;
    let height = usize::from(area.height);
    let at = walking.at();
    let first = table::window(at.unwrap_or(all.len()), all.len(), height);
    let visible = first..all.len().min(first + height);
    for (row, n) in visible.clone().enumerate() {
        let step = &all[n];
        let (mark, role, word) = standing(walking, walk.run, n, look);
        let place = Rect { y: area.y + row as u16, height: 1, ..area };
        let room = usize::from(area.width.saturating_sub(1));
        let title = room.saturating_sub(8 + width(&word)).max(8);
        let ahead = matches!(role, Role::Dim);
        let line = Line::from(vec![
            Span::styled(format!("  {mark} "), look.style(role)),
            Span::styled(format!("{:>2} ", n + 1), look.style(Role::Dim)),
            Span::styled(
                fit(&step.title, title, look.marks.more),
                look.style(if ahead { Role::Dim } else { Role::Text }),
            ),
            Span::styled(format!(" {word}"), look.style(role)),
        ]);
        put_line(buf, place, place.x, place.y, &line);
        if at == Some(n) {
            buf.set_style(place, look.style(Role::Selected));
            put(buf, place, place.x, place.y, look.marks.cursor, look.cursor());
        }
    }
    scroll::upright(area, buf, look, visible, all.len());
}

/// Draws their marks alone, in one line.
pub fn strip(walking: &Walking, walk: Walk<'_>, look: &Look, area: Rect, buf: &mut Buffer) {
    let mut spans = vec![Span::raw("  ")];
    for n in 0..walk.run.plan.steps.len() {
        let (mark, role, _) = standing(walking, walk.run, n, look);
        let style = look.style(role);
        let style = if walking.at() == Some(n) { style.patch(look.style(Role::Selected)) } else { style };
        spans.push(Span::styled(mark, style));
        spans.push(Span::raw(" "));
    }
    put_line(buf, area, area.x, area.y, &Line::from(spans));
}
