//! A list to choose from while typing: the palette of commands, the contexts, the namespaces.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::{dialog, prompt, scroll, table};
use crate::command::{Command, Scope};
use crate::ui::keymap::Keymap;
use crate::ui::layout::split_top;
use crate::ui::text::{cut, cut_line, put, put_line, width};
use crate::ui::theme::{Look, Role};

/// One thing to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What is matched and shown.
    pub text: String,
    /// Shown at the right: keys, a count.
    pub aside: String,
    /// Why it can't be chosen now.
    pub refused: Option<String>,
    /// Taken or not, where several can be; `None` where one is chosen.
    pub taken: Option<bool>,
}

/// A choice that matches, with the characters that made it match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Its place among the choices.
    pub index: usize,
    /// Characters of its text, ascending.
    pub at: Vec<u32>,
}

/// The commands as choices, with their keys; `refused` says why one can't be had now.
pub fn commands(keymap: &Keymap, focus: Scope, refused: impl Fn(Command) -> Option<String>) -> Vec<(Command, Choice)> {
    let choice = |c: &Command| {
        let aside = keymap.shown(focus, *c).unwrap_or_default();
        (*c, Choice { text: c.title().into(), aside, refused: refused(*c), taken: None })
    };
    let reach = focus.reach();
    let mut all: Vec<(Command, Choice)> =
        Command::ALL.iter().filter(|c| reach.contains(&c.scope())).map(choice).collect();
    // What is nearest stands first, what can't be had now last; otherwise as in the table.
    all.sort_by_key(|(c, choice)| (choice.refused.is_some(), reach.iter().position(|s| *s == c.scope())));
    all
}

/// The choices a typed text matches, best first; all of them in order for an empty text.
pub fn matching<'c>(choices: impl IntoIterator<Item = &'c Choice>, typed: &str) -> Vec<Matched> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::new(typed, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
    let mut buf = Vec::new();
    let mut found: Vec<(u32, bool, Matched)> = Vec::new();
    for (index, choice) in choices.into_iter().enumerate() {
        let mut at = Vec::new();
        let Some(score) = pattern.indices(Utf32Str::new(&choice.text, &mut buf), &mut matcher, &mut at) else {
            continue;
        };
        at.sort_unstable();
        at.dedup();
        found.push((score, choice.refused.is_some(), Matched { index, at }));
    }
    // Stable: of equals the table's order stays, but what can't be done goes below what can.
    found.sort_by_key(|(score, refused, _)| (std::cmp::Reverse(*score), *refused && !typed.is_empty()));
    found.into_iter().map(|(_, _, m)| m).collect()
}

/// What is shown of a list to choose from.
pub struct Choices<'a> {
    /// The window's title.
    pub title: &'a str,
    /// What is typed.
    pub typed: &'a str,
    /// The cursor in it, in characters.
    pub cursor: usize,
    /// Everything there is.
    pub all: &'a [Choice],
    /// What matches, from [`matching`].
    pub found: &'a [Matched],
    /// The selected one of `found`.
    pub selected: usize,
}

impl Choices<'_> {
    /// Where the window is on a screen.
    pub fn place(&self, screen: Rect) -> Rect {
        let height = (self.all.len() as u16).saturating_add(4).min(screen.height.saturating_sub(4)).max(6);
        let width = self.widest().clamp(72, 110).min(screen.width.saturating_sub(4)).max(20).min(screen.width);
        // A fixed top: the window does not jump while one types.
        let y = screen.y + (screen.height / 8).min(screen.height.saturating_sub(height));
        Rect { x: screen.x + (screen.width - width) / 2, y, width, height: height.min(screen.bottom() - y) }
    }

    /// Draws the window; returns the cell of the terminal's cursor.
    pub fn draw(&self, screen: Rect, buf: &mut Buffer, look: &Look) -> Option<Position> {
        let inside = dialog::frame(self.place(screen.intersection(buf.area)), buf, look, self.title);
        let (line, list) = self.parts(inside);
        let label = if look.marks.ascii { "> " } else { "› " };
        let cursor = prompt::draw(line, buf, look, label, self.typed, self.cursor);
        if self.found.is_empty() {
            put(buf, list, list.x + 2, list.y, "nothing matches", look.style(Role::Dim));
        }
        let visible = self.visible(list.height);
        for (row, n) in visible.clone().enumerate() {
            let place = Rect { y: list.y + row as u16, height: 1, ..list };
            self.draw_row(n, place, buf, look);
        }
        scroll::upright(list, buf, look, visible, self.found.len());
        cursor
    }

    /// The choice (an index into `found`) at a cell.
    pub fn at(&self, screen: Rect, x: u16, y: u16) -> Option<usize> {
        let place = self.place(screen);
        let inside = crate::ui::layout::inset(place, if place.width > 20 { 2 } else { 1 }, 1);
        let (_, list) = self.parts(inside);
        list.contains(Position { x, y }).then(|| self.visible(list.height).nth(usize::from(y - list.y))).flatten()
    }

    /// The widest choice with everything that is said of it: the same whatever is typed.
    fn widest(&self) -> u16 {
        let why = |c: &Choice| c.refused.as_ref().map_or(0, |why| width(why) + 2);
        let wide = self.all.iter().map(|c| width(&c.text) + why(c) + width(&c.aside) + 13).max();
        u16::try_from(wide.unwrap_or(0)).unwrap_or(u16::MAX)
    }

    fn parts(&self, inside: Rect) -> (Rect, Rect) {
        let (line, rest) = split_top(inside, 1);
        (line, split_top(rest, 1).1)
    }

    fn visible(&self, height: u16) -> std::ops::Range<usize> {
        let height = usize::from(height);
        let first = table::window(self.selected, self.found.len(), height);
        first..self.found.len().min(first + height)
    }

    fn draw_row(&self, n: usize, place: Rect, buf: &mut Buffer, look: &Look) {
        let Some(found) = self.found.get(n) else { return };
        let Some(choice) = self.all.get(found.index) else { return };
        let text_style = look.style(if choice.refused.is_some() { Role::Dim } else { Role::Overlay });
        let hit = look.style(Role::Accent);
        let mut line = Line::default();
        if let Some(taken) = choice.taken {
            let mark = if taken { look.marks.checked } else { " " };
            line.push_span(Span::styled(format!("[{mark}] "), look.style(if taken { Role::Good } else { Role::Dim })));
        }
        for (i, c) in choice.text.chars().enumerate() {
            let style = if found.at.binary_search(&(i as u32)).is_ok() { text_style.patch(hit) } else { text_style };
            line.push_span(Span::styled(c.to_string(), style));
        }
        if let Some(why) = &choice.refused {
            line.push_span(Span::styled(format!("  {why}"), look.style(Role::Dim)));
        }
        let aside = cut(&choice.aside, usize::from(place.width / 3), look.marks.more);
        let room = usize::from(place.width).saturating_sub(width(&aside) + 5);
        put_line(buf, place, place.x + 2, place.y, &cut_line(line, room, look.marks.more));
        let x = place.right().saturating_sub(width(&aside) as u16 + 2);
        put(buf, place, x, place.y, &aside, look.style(Role::Key));
        if n == self.selected {
            buf.set_style(place, look.style(Role::Selected));
            put(buf, place, place.x, place.y, look.marks.cursor, look.cursor());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::keymap::Keymaps;

    #[test]
    fn the_palette_has_what_can_be_reached_with_its_keys() {
        let map = Keymaps::shipped().or_default("default");
        let all = commands(&map, Scope::Fleet, |c| (c == Command::Psql).then(|| "no instance is selected".into()));
        assert!(all.iter().any(|(c, choice)| *c == Command::Quit && choice.aside == "q"));
        assert!(!all.iter().any(|(c, _)| *c == Command::Freeze));
        let found = matching(all.iter().map(|(_, c)| c), "yaml");
        assert_eq!(all[found[0].index].0, Command::Yaml);
        assert_eq!(found[0].at.len(), 4);
        assert_eq!(matching(all.iter().map(|(_, c)| c), "").len(), all.len());
        assert!(matching(all.iter().map(|(_, c)| c), "zzzz").is_empty());
    }

    #[test]
    fn what_is_refused_comes_after_what_can_be_done() {
        let choice = |text: &str, refused: bool| Choice {
            text: text.into(),
            refused: refused.then(|| "not now".to_owned()),
            ..Choice::default()
        };
        let all = [choice("logs", true), choice("logs before", false)];
        let found: Vec<_> = matching(&all, "logs").into_iter().map(|m| m.index).collect();
        assert_eq!(found, [1, 0]);
    }
}
