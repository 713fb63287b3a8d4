//! Text of several lines that is being typed: notes. The widget brings its keys: words, undo, selection.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::Widget;
use tui_textarea::{Input, Key as Typed, TextArea, WrapMode};

use crate::text::clean_lines;
use crate::ui::chord::{Chord, Key};
use crate::ui::theme::{Look, Role};

/// Characters an editor takes at most: a note is written in one line of a journal.
const MOST: usize = 4_000;

/// A text with a cursor.
#[derive(Clone, Debug, Default)]
pub struct Editor {
    area: TextArea<'static>,
}

impl Editor {
    /// An editor with this in it, the cursor at the end.
    pub fn with(text: &str) -> Editor {
        let mut editor = Editor::default();
        editor.paste(text);
        editor
    }

    /// What was typed.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    fn room(&self) -> usize {
        MOST.saturating_sub(self.text().chars().count())
    }

    /// Takes a key that is no command. Says whether it meant anything.
    pub fn key(&mut self, chord: Chord) -> bool {
        let adds = chord.typed().is_some() || matches!(chord.key, Key::Enter | Key::Tab);
        if adds && self.room() == 0 {
            return false;
        }
        self.area.input(input(chord))
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        let room = self.room();
        self.area.insert_str(clean_lines(text).chars().take(room).collect::<String>());
    }

    /// Draws it with its cursor, wrapped between words. The same text and cursor give the same picture.
    pub fn draw(&self, area: Rect, buf: &mut Buffer, look: &Look) {
        let mut shown = self.area.clone();
        shown.set_wrap_mode(WrapMode::WordOrGlyph);
        shown.set_style(look.style(Role::Overlay));
        shown.set_cursor_line_style(Style::default());
        shown.set_cursor_style(Style::default().add_modifier(Modifier::REVERSED));
        shown.set_selection_style(look.style(Role::Selected));
        shown.render(area.intersection(buf.area), buf);
    }
}

/// The widget's own form of a key.
fn input(chord: Chord) -> Input {
    let key = match chord.key {
        Key::Char(c) => Typed::Char(c),
        Key::Enter => Typed::Enter,
        Key::Esc => Typed::Esc,
        Key::Tab => Typed::Tab,
        Key::Backspace => Typed::Backspace,
        Key::Delete => Typed::Delete,
        Key::Insert => Typed::Null,
        Key::Up => Typed::Up,
        Key::Down => Typed::Down,
        Key::Left => Typed::Left,
        Key::Right => Typed::Right,
        Key::Home => Typed::Home,
        Key::End => Typed::End,
        Key::PageUp => Typed::PageUp,
        Key::PageDown => Typed::PageDown,
        Key::F(n) => Typed::F(n),
    };
    Input { key, ctrl: chord.ctrl, alt: chord.alt, shift: chord.shift }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut Editor, text: &str) {
        for c in text.chars() {
            editor.key(if c == '\n' { Chord::key(Key::Enter) } else { Chord::char(c) });
        }
    }

    #[test]
    fn lines_are_typed_and_undone() {
        let mut editor = Editor::with("first\n");
        typed(&mut editor, "größer 予備\nend");
        assert_eq!(editor.text(), "first\ngrößer 予備\nend");
        editor.key(Chord::ctrl('w'));
        assert_eq!(editor.text(), "first\ngrößer 予備\n");
        editor.key(Chord::ctrl('u'));
        assert_eq!(editor.text(), "first\ngrößer 予備\nend");
    }

    #[test]
    fn what_is_pasted_is_clean_and_has_an_end() {
        let mut editor = Editor::default();
        editor.paste("a\u{1b}[2J\nb");
        assert_eq!(editor.text(), "a\u{fffd}[2J\nb");
        editor.paste(&"x".repeat(MOST * 2));
        assert_eq!(editor.text().chars().count(), MOST);
        assert!(!editor.key(Chord::char('y')));
    }
}
