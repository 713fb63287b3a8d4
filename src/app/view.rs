//! All appearance: the same model gives the same picture.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::frame;
use super::model::Model;
use super::overlay::{Overlay, Which};
use crate::domain::health::Level;
use crate::domain::quantity;
use crate::domain::source::SourceState;
use crate::panes::editor::Editor;
use crate::panes::field::Field;
use crate::panes::{Purpose, times};
use crate::ui::layout::{SMALLEST, regions, split_top};
use crate::ui::text::{cut_line, put, put_line, width};
use crate::ui::theme::{Look, Role};
use crate::ui::widgets::choices::Choices;
use crate::ui::widgets::header::{self, Header};
use crate::ui::widgets::{dialog, help, hints, notice, prompt, scroll, table, tabs, which_key};

/// Draws everything; returns where the terminal's cursor belongs while something is typed.
pub fn view(model: &Model, buf: &mut Buffer) -> Option<Position> {
    let screen = buf.area;
    let look = &model.look;
    buf.set_style(screen, look.style(Role::Text));
    let bar = bar(model);
    let Some(areas) = regions(screen, bar.is_some()) else {
        too_small(screen, look, buf);
        return None;
    };
    let dots = frame::dots(model);
    header::draw(
        areas.header,
        buf,
        look,
        &Header { place: frame::place(model), mode: frame::mode(model), clock: frame::clock(model), sources: &dots },
    );
    tabs::draw(areas.tabs, buf, look, &frame::tabs(model), model.tab());
    let scene = model.scene();
    match model.viewers.last() {
        Some(viewer) => viewer.view(&scene, look, areas.body, buf),
        None => model.panes[model.front].view(&scene, look, areas.body, buf),
    }
    if let Some((level, text)) = bar {
        notice::draw(areas.notice, buf, look, level, &text, 0);
    }
    hints::draw(areas.footer, buf, look, &frame::hints(model), &frame::counts(model));
    if !model.pending.is_empty() {
        which_key::draw(areas.body, buf, look, &model.keymap, model.scope(), &model.pending);
    }
    let cursor = model.overlay.as_ref().and_then(|overlay| draw_overlay(model, overlay, screen, buf));
    if look.marks.ascii {
        plain(buf);
    }
    cursor
}

/// The console's own signs in plain ASCII, wherever a sentence has one. What comes from outside stays as it is.
fn plain(buf: &mut Buffer) {
    const SIGNS: [(&str, &str); 13] = [
        ("→", ">"),
        ("×", "x"),
        ("–", "-"),
        ("…", "~"),
        ("·", "."),
        ("▏", "|"),
        ("━", "-"),
        ("›", ">"),
        ("↑", "^"),
        ("↓", "v"),
        ("←", "<"),
        ("⏎", "="),
        ("≥", ">"),
    ];
    for cell in &mut buf.content {
        if let Some((_, ascii)) = SIGNS.iter().find(|(sign, _)| *sign == cell.symbol()) {
            cell.set_symbol(ascii);
        }
    }
}

/// What the notice line says: the newest notice, else a trouble that lasts.
fn bar(model: &Model) -> Option<(Level, String)> {
    let said = model.notice.as_ref().map(|n| (if n.warning { Level::Warn } else { Level::Ok }, n.text.clone()));
    said.or_else(|| frame::trouble(model))
}

fn too_small(screen: Rect, look: &Look, buf: &mut Buffer) {
    let lines = [
        format!("howdah needs {} × {}", SMALLEST.0, SMALLEST.1),
        format!("this terminal has {} × {}", screen.width, screen.height),
    ];
    let top = screen.y + screen.height.saturating_sub(2) / 2;
    for (n, text) in lines.iter().enumerate() {
        let text = if look.marks.ascii { text.replace('×', "x") } else { text.clone() };
        let x = screen.x + screen.width.saturating_sub(width(&text) as u16) / 2;
        put(buf, screen, x, top.saturating_add(n as u16), &text, look.style(Role::Warn));
    }
}

fn draw_overlay(model: &Model, overlay: &Overlay, screen: Rect, buf: &mut Buffer) -> Option<Position> {
    let look = &model.look;
    match overlay {
        Overlay::Palette { field, selected, .. }
        | Overlay::Choose { field, selected, .. }
        | Overlay::Menu { field, selected, .. } => {
            let title = match overlay {
                Overlay::Menu { menu, .. } => menu.title(),
                Overlay::Choose { which: Which::Contexts, .. } => "Contexts shown".to_owned(),
                Overlay::Choose { .. } => "Namespaces shown".to_owned(),
                _ => "Commands".to_owned(),
            };
            let (all, found) = overlay.choices();
            let cursor = field.cursor();
            Choices { title: &title, typed: field.text(), cursor, all: &all, found: &found, selected: *selected }
                .draw(screen, buf, look)
        }
        Overlay::Note { editor, .. } => {
            note(editor, look, screen, buf);
            None
        }
        Overlay::Line { purpose, field } => asked_line(model, purpose, field, screen, buf),
        Overlay::Help { top, focus } => {
            help::draw(screen, buf, look, &model.keymap, *focus, *top);
            None
        }
        Overlay::Sources { selected } => {
            sources(model, *selected, screen, buf);
            None
        }
        Overlay::Notices { top } => {
            let lines = model.notices.iter().rev().map(|n| {
                let level = if n.warning { Level::Warn } else { Level::Ok };
                Line::from(vec![
                    Span::styled(times::clock(n.at, &model.habits), look.style(Role::Dim)),
                    Span::styled(format!(" {} ", look.marks.level(level)), look.level(level)),
                    Span::styled(n.text.clone(), look.style(Role::Overlay)),
                ])
            });
            let lines: Vec<_> = lines.collect();
            list(model, "Notices, newest first", "Nothing was said yet.", &lines, *top, None, screen, buf);
            None
        }
    }
}

/// A note that is typed. The editor draws its own cursor.
fn note(editor: &Editor, look: &Look, screen: Rect, buf: &mut Buffer) {
    let size = (86.min(screen.width.saturating_sub(4)), 16.min(screen.height.saturating_sub(4)));
    let inside = dialog::window(screen, buf, look, size, "A note for the journal");
    let (head, text) = split_top(inside, 2);
    put(buf, head, head.x, head.y, "It stands in the record, with the time.", look.style(Role::Dim));
    editor.draw(text, buf, look);
}

/// A line that is asked for, with why.
fn asked_line(model: &Model, purpose: &Purpose, field: &Field, screen: Rect, buf: &mut Buffer) -> Option<Position> {
    let look = &model.look;
    let (title, words) = match purpose {
        Purpose::Arm(key) => {
            (format!("Arm {key}"), format!("It is protected. Type {} to arm it for 15 minutes.", key.name))
        }
        Purpose::Gate(_, name) => {
            ("Go on?".to_owned(), format!("Type {name} to go on; anything else leaves it waiting."))
        }
        Purpose::Because => (
            "Why is it done all the same?".to_owned(),
            "Something speaks against it. Your reason goes into the journal.".to_owned(),
        ),
    };
    let size = ((width(&words) as u16 + 6).clamp(40, 90).min(screen.width.saturating_sub(4)), 5);
    let inside = dialog::window(screen, buf, look, size, &title);
    put(buf, inside, inside.x, inside.y, &words, look.style(Role::Overlay));
    let line = Rect { y: inside.y + 2, height: 1, ..inside };
    let label = if look.marks.ascii { "> " } else { "› " };
    prompt::draw(line, buf, look, label, field.text(), field.cursor())
}

/// What howdah learns from: how each does, how long ago it was proven alive, and why not.
fn sources(model: &Model, selected: usize, screen: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let name_width = model.known.facts.sources.keys().map(|id| width(&frame::source_name(id))).max().unwrap_or(0);
    let lines: Vec<_> = model
        .known
        .facts
        .sources
        .iter()
        .map(|(id, health)| {
            let name = frame::source_name(id);
            let seen = health.proven.map_or(look.marks.nothing.to_owned(), |t| quantity::age(t, model.now));
            let (role, words) = match &health.state {
                SourceState::Live => (Role::Good, "live".to_owned()),
                SourceState::Connecting => (Role::Dim, "connecting".to_owned()),
                SourceState::Late(since) => (Role::Warn, format!("late for {}", quantity::age(*since, model.now))),
                SourceState::Failing { why, again_at, try_this } => {
                    let wait = again_at.duration_since(model.now).as_secs().max(0);
                    let hint = try_this.as_ref().map(|h| format!("; try: {h}")).unwrap_or_default();
                    (Role::Bad, format!("failing: {why}; again in {wait}s{hint}"))
                }
                SourceState::Absent(why) => (Role::Dim, format!("not to be had: {why}")),
            };
            let pad = " ".repeat(name_width.min(44).saturating_sub(width(&name)));
            Line::from(vec![
                header::dot(frame::dot_of(health), look),
                Span::styled(format!(" {name}{pad}"), look.style(Role::Overlay)),
                Span::styled(format!(" {seen:>5}  "), look.style(Role::Dim)),
                Span::styled(words, look.style(role)),
            ])
        })
        .collect();
    let top = table::window(selected, lines.len(), usize::from(screen.height.saturating_sub(8)));
    list(model, "Sources", "Nothing is asked yet.", &lines, top, Some(selected), screen, buf);
}

#[expect(clippy::too_many_arguments, reason = "a window has that many sides")]
fn list(
    model: &Model,
    title: &str,
    empty: &str,
    lines: &[Line<'_>],
    top: usize,
    selected: Option<usize>,
    screen: Rect,
    buf: &mut Buffer,
) {
    let look = &model.look;
    let wanted = lines.iter().map(|l| l.width() + 8).max().unwrap_or(30).max(40);
    let size = (
        (wanted as u16).min(screen.width.saturating_sub(4)),
        (lines.len() as u16).saturating_add(2).clamp(3, screen.height.saturating_sub(4).max(3)),
    );
    let inside = dialog::window(screen, buf, look, size, title);
    if lines.is_empty() {
        put(buf, inside, inside.x, inside.y, empty, look.style(Role::Dim));
    }
    let top = top.min(lines.len().saturating_sub(usize::from(inside.height)));
    let end = lines.len().min(top + usize::from(inside.height));
    for (row, n) in (top..end).enumerate() {
        let place = Rect { y: inside.y + row as u16, height: 1, ..inside };
        let room = usize::from(inside.width.saturating_sub(3));
        put_line(buf, place, place.x + 2, place.y, &cut_line(lines[n].clone(), room, look.marks.more));
        if selected == Some(n) {
            buf.set_style(place, look.style(Role::Selected));
            put(buf, place, place.x, place.y, look.marks.cursor, look.style(Role::Accent));
        }
    }
    scroll::upright(inside, buf, look, top..end, lines.len());
}
