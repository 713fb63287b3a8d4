//! One line of text that is being typed: filters, searches, the palette.

use tui_input::{Input, InputRequest};

use crate::text::clean;
use crate::ui::chord::{Chord, Key};

/// Characters a field takes at most: it goes into every comparison of a filter.
const MOST: usize = 200;

/// A line with a cursor.
#[derive(Clone, Debug, Default)]
pub struct Field {
    input: Input,
}

impl Field {
    /// A field with this in it, the cursor at the end.
    pub fn with(text: &str) -> Self {
        Field { input: Input::new(text.to_owned()) }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.input.value().is_empty()
    }

    /// Characters before the cursor.
    pub fn cursor(&self) -> usize {
        self.input.cursor()
    }

    /// Takes a key that is no command. Says whether it meant anything.
    pub fn key(&mut self, chord: Chord) -> bool {
        let request = match chord {
            Chord { key: Key::Char(c), ctrl: false, alt: false, .. } => {
                if self.text().chars().count() >= MOST {
                    return false;
                }
                InputRequest::InsertChar(c)
            }
            Chord { key: Key::Char('a'), ctrl: true, .. } | Chord { key: Key::Home, .. } => InputRequest::GoToStart,
            Chord { key: Key::Char('e'), ctrl: true, .. } | Chord { key: Key::End, .. } => InputRequest::GoToEnd,
            Chord { key: Key::Char('w'), ctrl: true, .. } => InputRequest::DeletePrevWord,
            Chord { key: Key::Char('u'), ctrl: true, .. } => InputRequest::DeleteLine,
            Chord { key: Key::Left, ctrl: true, .. } => InputRequest::GoToPrevWord,
            Chord { key: Key::Right, ctrl: true, .. } => InputRequest::GoToNextWord,
            Chord { key: Key::Left, .. } => InputRequest::GoToPrevChar,
            Chord { key: Key::Right, .. } => InputRequest::GoToNextChar,
            Chord { key: Key::Backspace, .. } => InputRequest::DeletePrevChar,
            Chord { key: Key::Delete, .. } => InputRequest::DeleteNextChar,
            _ => return false,
        };
        self.input.handle(request);
        true
    }

    /// Takes pasted text, its line ends as spaces.
    pub fn paste(&mut self, text: &str) {
        let room = MOST.saturating_sub(self.text().chars().count());
        for c in clean(text).chars().take(room) {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.input.reset();
    }
}
