//! The steps of a plan or a run, one under the other.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::domain::quantity;
use crate::procedure::{Gate, Plan, Run, State};
use crate::ui::text::{cut_line, put, put_line};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::{scroll, table};

/// One step in the list.
pub struct Item<'a> {
    mark: &'static str,
    style: Style,
    title: &'a str,
    aside: String,
}

/// The steps of a plan that has not begun.
pub fn of_plan<'a>(plan: &'a Plan, look: &Look) -> Vec<Item<'a>> {
    let item = |step: &'a crate::procedure::Step| Item {
        mark: look.marks.absent,
        style: look.style(Role::Dim),
        title: &step.title,
        aside: match &step.gate {
            _ if step.cleanup => "cleans up".into(),
            Gate::None => String::new(),
            Gate::Approve => "asks".into(),
            Gate::TypeName(_) => "asks for a name".into(),
            Gate::ByHand(_) => "by hand".into(),
        },
    };
    plan.steps.iter().map(item).collect()
}

/// The steps of a run.
pub fn of_run<'a>(run: &'a Run, now: Timestamp, look: &Look) -> Vec<Item<'a>> {
    let item = |step: &'a crate::procedure::Step| {
        let state = run.state(&step.id);
        let (mark, role) = mark(&state, look);
        let progress = run.progress(&step.id);
        let began = progress.and_then(|p| p.began);
        let ended = progress.and_then(|p| p.ended);
        let took = began.map(|b| quantity::span(ended.unwrap_or(now.max(b)).duration_since(b))).unwrap_or_default();
        let aside = match &state {
            State::Waiting | State::ToDo => String::new(),
            State::Proven { .. } => took,
            other if took.is_empty() => other.word().to_owned(),
            other => format!("{} {took}", other.word()),
        };
        Item { mark, style: look.style(role), title: &step.title, aside }
    };
    run.plan.steps.iter().map(item).collect()
}

/// The mark of a state, and how it looks. The word stands beside it.
pub fn mark(state: &State, look: &Look) -> (&'static str, Role) {
    match state {
        State::Waiting | State::ToDo => (look.marks.absent, Role::Dim),
        State::AtGate => (look.marks.frozen, Role::Warn),
        State::Began { .. } | State::Proving { .. } => (look.marks.late, Role::Accent),
        State::Looked { .. } => (look.marks.unknown, Role::Unknown),
        State::Proven { .. } => (look.marks.good, Role::Good),
        State::Refused { .. } | State::Failed { .. } | State::Kept { .. } => (look.marks.bad, Role::Bad),
        State::Skipped => (look.marks.nothing, Role::Dim),
        State::UndoBegan { .. } | State::UndoLooked { .. } => (look.marks.late, Role::Warn),
        State::Undone => (look.marks.warn, Role::Warn),
    }
}

/// Draws them, the selected one always in sight.
pub fn draw(items: &[Item<'_>], selected: usize, look: &Look, area: Rect, buf: &mut Buffer) {
    let height = usize::from(area.height);
    let first = table::window(selected, items.len(), height);
    let visible = first..items.len().min(first + height);
    for (row, n) in visible.clone().enumerate() {
        let item = &items[n];
        let place = Rect { y: area.y + row as u16, height: 1, ..area };
        let room = usize::from(area.width.saturating_sub(1));
        let aside = item.aside.chars().count();
        let title = room.saturating_sub(9 + aside).max(8);
        let line = Line::from(vec![
            Span::styled(format!("  {} ", item.mark), item.style),
            Span::styled(format!("{:>2} ", n + 1), look.style(Role::Dim)),
            Span::raw(crate::ui::text::fit(item.title, title, look.marks.more)),
            Span::styled(format!(" {}", item.aside), item.style),
        ]);
        put_line(buf, place, place.x, place.y, &cut_line(line, room, look.marks.more));
        if n == selected {
            buf.set_style(place, look.style(Role::Selected));
            put(buf, place, place.x, place.y, look.marks.cursor, look.cursor());
        }
    }
    scroll::upright(area, buf, look, visible, items.len());
}
