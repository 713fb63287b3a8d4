//! One key with its modifiers, as keymap files write it: `ctrl-k`, `G`, `?`, `space`, `alt-x`, `f5`.
//!
//! `F` is not `f`. Terminals disagree about SHIFT: some report `?` with it, some without; a character already says
//! which shift state made it, so SHIFT is dropped from characters and kept for keys that have no character.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A key without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named like the keys")]
pub enum Key {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Insert,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    F(u8),
}

/// A key with its modifiers, normalised: equal chords are equal keystrokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chord {
    /// The key.
    pub key: Key,
    /// With Control.
    pub ctrl: bool,
    /// With Alt (Option, Meta).
    pub alt: bool,
    /// With Shift; never set for characters.
    pub shift: bool,
}

/// Named keys; the first name of a key is how it is written.
const NAMES: &[(&str, Key)] = &[
    ("enter", Key::Enter),
    ("return", Key::Enter),
    ("esc", Key::Esc),
    ("escape", Key::Esc),
    ("tab", Key::Tab),
    ("backspace", Key::Backspace),
    ("delete", Key::Delete),
    ("del", Key::Delete),
    ("insert", Key::Insert),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("home", Key::Home),
    ("end", Key::End),
    ("pageup", Key::PageUp),
    ("pgup", Key::PageUp),
    ("pagedown", Key::PageDown),
    ("pgdn", Key::PageDown),
    ("space", Key::Char(' ')),
    ("minus", Key::Char('-')),
];

impl Chord {
    /// A key without modifiers.
    pub fn key(key: Key) -> Self {
        Chord { key, ctrl: false, alt: false, shift: false }
    }

    /// A character without modifiers.
    pub fn char(c: char) -> Self {
        Chord::key(Key::Char(c))
    }

    /// A character with Control.
    pub fn ctrl(c: char) -> Self {
        Chord { ctrl: true, ..Chord::char(c.to_ascii_lowercase()) }
    }

    /// The character this types into a line, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.key {
            Key::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// From the terminal. `None` for releases and for keys that no keymap can name (media keys, bare modifiers).
    pub fn from_crossterm(event: &KeyEvent) -> Option<Chord> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let (key, shift) = match event.code {
            // With the enhanced protocol some terminals send the base letter and SHIFT.
            KeyCode::Char(c) if shift && c.is_ascii_lowercase() && !ctrl => (Key::Char(c.to_ascii_uppercase()), false),
            KeyCode::Char(c) if ctrl => (Key::Char(c.to_ascii_lowercase()), false),
            KeyCode::Char(c) => (Key::Char(c), false),
            KeyCode::BackTab => (Key::Tab, true),
            KeyCode::Enter => (Key::Enter, shift),
            KeyCode::Esc => (Key::Esc, shift),
            KeyCode::Tab => (Key::Tab, shift),
            KeyCode::Backspace => (Key::Backspace, shift),
            KeyCode::Delete => (Key::Delete, shift),
            KeyCode::Insert => (Key::Insert, shift),
            KeyCode::Up => (Key::Up, shift),
            KeyCode::Down => (Key::Down, shift),
            KeyCode::Left => (Key::Left, shift),
            KeyCode::Right => (Key::Right, shift),
            KeyCode::Home => (Key::Home, shift),
            KeyCode::End => (Key::End, shift),
            KeyCode::PageUp => (Key::PageUp, shift),
            KeyCode::PageDown => (Key::PageDown, shift),
            KeyCode::F(n) => (Key::F(n), shift),
            _ => return None,
        };
        Some(Chord { key, ctrl, alt: event.modifiers.contains(KeyModifiers::ALT), shift })
    }

    /// To the terminal's own type, for widgets that take one (text fields).
    pub fn to_crossterm(self) -> KeyEvent {
        let code = match self.key {
            Key::Char(c) => KeyCode::Char(c),
            Key::Enter => KeyCode::Enter,
            Key::Esc => KeyCode::Esc,
            Key::Tab if self.shift => KeyCode::BackTab,
            Key::Tab => KeyCode::Tab,
            Key::Backspace => KeyCode::Backspace,
            Key::Delete => KeyCode::Delete,
            Key::Insert => KeyCode::Insert,
            Key::Up => KeyCode::Up,
            Key::Down => KeyCode::Down,
            Key::Left => KeyCode::Left,
            Key::Right => KeyCode::Right,
            Key::Home => KeyCode::Home,
            Key::End => KeyCode::End,
            Key::PageUp => KeyCode::PageUp,
            Key::PageDown => KeyCode::PageDown,
            Key::F(n) => KeyCode::F(n),
        };
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::CONTROL, self.ctrl);
        modifiers.set(KeyModifiers::ALT, self.alt);
        modifiers.set(KeyModifiers::SHIFT, self.shift);
        KeyEvent::new(code, modifiers)
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (on, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if on {
                f.write_str(name)?;
            }
        }
        match self.key {
            Key::F(n) => write!(f, "f{n}"),
            Key::Char('-') if !self.ctrl && !self.alt => f.write_str("-"),
            key => match (NAMES.iter().find(|(_, k)| *k == key), key) {
                (Some((name, _)), _) => f.write_str(name),
                (None, Key::Char(c)) => write!(f, "{c}"),
                (None, _) => Ok(()),
            },
        }
    }
}

impl FromStr for Chord {
    type Err = String;

    /// Modifiers in any order, each once, then one character or a named key.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut chord = Chord::char('\0');
        let mut rest = text;
        while let Some((modifier, after)) = rest.split_once('-').filter(|(_, after)| !after.is_empty()) {
            let on = match modifier {
                "ctrl" | "control" | "C" => &mut chord.ctrl,
                "alt" | "meta" | "A" | "M" => &mut chord.alt,
                "shift" | "S" => &mut chord.shift,
                _ if modifier.is_empty() => break,
                _ => return Err(format!("`{modifier}-` is no modifier: use ctrl-, alt- or shift-")),
            };
            if std::mem::replace(on, true) {
                return Err(format!("`{modifier}-` is there twice"));
            }
            rest = after;
        }
        chord.key = parse_key(rest)?;
        if let Key::Char(c) = chord.key {
            if chord.shift {
                let large: Vec<char> = c.to_uppercase().collect();
                let [upper] = large[..] else { return Err(format!("shift-{c} has no single character")) };
                if upper == c {
                    return Err(format!("`{text}`: write the character that shift makes, such as `?` or `G`"));
                }
                chord.key = Key::Char(upper);
                chord.shift = false;
            }
            if chord.ctrl && c.is_ascii_uppercase() {
                return Err(format!(
                    "`{text}`: terminals can't tell ctrl with a capital from ctrl-{}",
                    c.to_ascii_lowercase()
                ));
            }
        }
        Ok(chord)
    }
}

fn parse_key(text: &str) -> Result<Key, String> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if !c.is_control() && !c.is_whitespace() => return Ok(Key::Char(c)),
        (None, _) => return Err("a key is missing".into()),
        _ => {}
    }
    if let Some((_, key)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Ok(*key);
    }
    if let Some(n) = text.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()).filter(|n| (1..=24).contains(n)) {
        return Ok(Key::F(n));
    }
    let names = NAMES.iter().map(|(name, _)| *name);
    Err(match crate::document::mistake::nearest(text, names) {
        Some(near) => format!("no such key: `{text}`; did you mean `{near}`?"),
        None => format!("no such key: `{text}`"),
    })
}

/// A sequence of chords as keymap files write it: `g g`, `t u`.
pub fn parse_keys(text: &str) -> Result<Vec<Chord>, String> {
    let keys: Vec<Chord> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err("a key is missing; a space bar is written `space`".into());
    }
    Ok(keys)
}

/// The text of a sequence of chords.
pub fn show_keys(keys: &[Chord]) -> String {
    keys.iter().map(Chord::to_string).collect::<Vec<_>>().join(" ")
}

impl Serialize for Chord {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Chord {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn capitals_are_other_keys() {
        assert_ne!("F".parse::<Chord>(), "f".parse::<Chord>());
        assert_eq!("shift-f".parse::<Chord>(), "F".parse::<Chord>());
        assert_eq!("-".parse::<Chord>(), Ok(Chord::char('-')));
        assert_eq!("ctrl--".parse::<Chord>().map(|c| (c.ctrl, c.key)), Ok((true, Key::Char('-'))));
    }

    #[test]
    fn terminals_that_report_shift_agree_with_those_that_do_not() {
        let with = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::SHIFT);
        let without = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::NONE);
        assert_eq!(Chord::from_crossterm(&with), Chord::from_crossterm(&without));
        let kitty = KeyEvent::new(KeyCode::Char('g'), KeyModifiers::SHIFT);
        assert_eq!(Chord::from_crossterm(&kitty), Some(Chord::char('G')));
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Chord::from_crossterm(&back).map(|c| c.to_string()), Some("shift-tab".into()));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let wrong = |s: &str| s.parse::<Chord>().unwrap_err();
        assert_eq!(wrong("spcae"), "no such key: `spcae`; did you mean `space`?");
        assert_eq!(wrong("crtl-k"), "`crtl-` is no modifier: use ctrl-, alt- or shift-");
        assert_eq!(wrong("ctrl-ctrl-k"), "`ctrl-` is there twice");
        assert!(wrong("shift-?").contains("write the character"));
        assert!(wrong("ctrl-K").contains("ctrl-k"));
        assert!(parse_keys("  ").is_err());
        assert_eq!(show_keys(&parse_keys("g  shift-tab").unwrap()), "g shift-tab");
    }

    fn any_chord() -> impl Strategy<Value = Chord> {
        let key = prop_oneof![
            prop::char::range('!', '~').prop_map(Key::Char),
            Just(Key::Char(' ')),
            Just(Key::Char('ß')),
            (1u8..=24).prop_map(Key::F),
            Just(Key::Tab),
            Just(Key::PageDown),
            Just(Key::Esc),
        ];
        (key, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(key, ctrl, alt, shift)| match key {
            Key::Char(c) if ctrl => Chord { alt, ..Chord::ctrl(c) },
            Key::Char(_) => Chord { alt, ..Chord::key(key) },
            key => Chord { key, ctrl, alt, shift },
        })
    }

    proptest! {
        #[test]
        fn written_and_read_back(c in any_chord()) {
            prop_assert_eq!(c.to_string().parse::<Chord>(), Ok(c));
            prop_assert_eq!(Chord::from_crossterm(&c.to_crossterm()), Some(c));
        }
        #[test]
        fn any_text_is_parsed_or_refused(s in any::<String>()) {
            let _ = parse_keys(&s);
        }
    }
}
