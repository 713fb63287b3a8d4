//! What a terminal tells: keys, mouse, paste, size, focus. Plain data, so that a session can be recorded.

use serde::{Deserialize, Serialize};

use super::chord::Chord;

/// One thing the person at the terminal did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// A key.
    Key(Chord),
    /// The mouse.
    Mouse(Mouse),
    /// Text pasted, as it came: clean it before showing it.
    Paste(String),
    /// The terminal's new size in columns and rows.
    Resize(u16, u16),
    /// The window got (or lost) the focus.
    Focus(bool),
}

/// What the mouse did, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mouse {
    /// What.
    pub act: MouseAct,
    /// Column, from 0.
    pub x: u16,
    /// Row, from 0.
    pub y: u16,
}

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MouseAct {
    /// The left button went down.
    Press,
    /// The left button went up.
    Release,
    /// Moved with the left button down.
    Drag,
    /// The right button went down.
    Menu,
    /// The wheel turned up.
    WheelUp,
    /// The wheel turned down.
    WheelDown,
}
