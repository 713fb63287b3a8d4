//! Help: every key that works here, by scope, in as many columns as fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{dialog, scroll};
use crate::command::{Command, Scope};
use crate::ui::keymap::Keymap;
use crate::ui::text::{fit, put_line};
use crate::ui::theme::{Look, Role};

/// Cells of a column.
const COLUMN: u16 = 46;

/// Draws the help for where `focus` has the focus, scrolled down by `top` lines.
pub fn draw(screen: Rect, buf: &mut Buffer, look: &Look, keymap: &Keymap, focus: Scope, top: usize) {
    let screen = screen.intersection(buf.area);
    let columns = (screen.width.saturating_sub(8) / COLUMN).clamp(1, 3);
    let lines = lines(keymap, focus, look);
    let rows = lines.len().div_ceil(usize::from(columns)) as u16;
    let title = format!("Keys in {} · keymap {}", focus.name(), keymap.name);
    let title = if look.marks.ascii { title.replace('·', "-") } else { title };
    let size = (columns * COLUMN + 6, rows.saturating_add(2).min(screen.height.saturating_sub(2)));
    let inside = dialog::window(screen, buf, look, size, &title);
    if inside.is_empty() {
        return;
    }
    let height = usize::from(inside.height);
    let top = top.min(usize::from(rows).saturating_sub(height));
    for (n, line) in lines.iter().enumerate() {
        let (column, row) = (n / usize::from(rows.max(1)), n % usize::from(rows.max(1)));
        let Some(y) = row.checked_sub(top).filter(|y| *y < height) else { continue };
        put_line(buf, inside, inside.x + column as u16 * COLUMN, inside.y + y as u16, line);
    }
    scroll::upright(inside, buf, look, top..(top + height).min(usize::from(rows)), usize::from(rows));
}

/// How far down the help can be scrolled on this screen.
pub fn most(screen: Rect, keymap: &Keymap, focus: Scope, look: &Look) -> usize {
    let columns = usize::from((screen.width.saturating_sub(8) / COLUMN).clamp(1, 3));
    let rows = lines(keymap, focus, look).len().div_ceil(columns);
    rows.saturating_sub(usize::from(screen.height.saturating_sub(4)))
}

/// One line per command that has a key here, under the name of its scope.
pub fn lines<'a>(keymap: &Keymap, focus: Scope, look: &Look) -> Vec<Line<'a>> {
    let mut out: Vec<Line<'a>> = Vec::new();
    for scope in focus.reach() {
        let here: Vec<_> = Command::ALL.iter().filter(|c| c.scope() == *scope).collect();
        let mut keyed: Vec<_> = Vec::new();
        for c in &here {
            match c.tab() {
                // Nine lines for the tabs would say one thing nine times.
                Some(0) => keyed.extend(tabs(keymap, focus, look)),
                Some(_) => {}
                None => keyed.extend(keys(keymap, focus, **c).map(|k| (k, c.title()))),
            }
        }
        if keyed.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(Line::default());
        }
        out.push(Line::styled(scope.name(), look.style(Role::Title)));
        for (keys, title) in keyed {
            out.push(Line::from(vec![
                Span::styled(fit(&keys, 14, look.marks.more), look.style(Role::Key)),
                Span::styled(title, look.style(Role::Overlay)),
            ]));
        }
    }
    out
}

/// All keys that mean this command here.
fn keys(keymap: &Keymap, focus: Scope, command: Command) -> Option<String> {
    let all = keymap.all_shown(focus, command);
    (!all.is_empty()).then(|| all.join(" "))
}

/// The keys of the tabs as one line: `1 … 9`.
fn tabs<'a>(keymap: &Keymap, focus: Scope, look: &Look) -> Option<(String, &'a str)> {
    let mut keys = (0..9).filter_map(|n| keymap.shown(focus, Command::of_tab(n)?));
    let first = keys.next()?;
    let all = keys.next_back().map_or(first.clone(), |last| format!("{first} {} {last}", look.marks.more));
    Some((all, "Go to that tab"))
}
