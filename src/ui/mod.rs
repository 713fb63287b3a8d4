//! How things look and which key means what: chords, keymaps, themes, marks, layout, widgets, screenshots, terminal.
//!
//! Everything here but `terminal` is a pure function of values. This folder knows words of the domain where they have a
//! look of their own (levels, times), and nothing of panes, of what is selected, or of how a fact was learned.

pub mod chord;
pub mod input;
pub mod keymap;
pub mod layout;
pub mod marks;
pub mod resolve;
pub mod screenshot;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod widgets;

pub use crate::document::{Mistake, mistake};
pub use chord::Chord;
pub use input::{Input, Mouse, MouseAct};
pub use keymap::{Found, Keymap, Keymaps};
pub use marks::Marks;
pub use theme::{Depth, Look, Role, Themes};
