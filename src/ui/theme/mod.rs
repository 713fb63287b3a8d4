//! Themes: colours by meaning.
//!
//! A pane asks for a [`Role`], never for a colour. A theme is a TOML file that gives each role a style; it may inherit
//! another and change one role or one palette colour. A [`Look`] is a theme made ready for one terminal: downsampled to
//! the colours it has, or to modifiers alone (`NO_COLOR`), together with the marks.

mod colour;
mod file;
mod set;

use ratatui::style::{Color, Modifier, Style};

use super::marks::Marks;
use crate::domain::health::Level;

pub use colour::{Depth, contrast, rgb_of};
pub use set::{Theme, Themes};

macro_rules! roles {
    ($( $role:ident $name:literal $doc:literal, )+) => {
        /// What a colour means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $( #[doc = $doc] $role, )+ }

        impl Role {
            /// Every role.
            pub const ALL: &'static [Role] = &[ $( Role::$role, )+ ];

            /// Its key in a theme file.
            pub fn name(self) -> &'static str {
                match self { $( Role::$role => $name, )+ }
            }

            /// What it is for.
            pub fn meaning(self) -> &'static str {
                match self { $( Role::$role => $doc, )+ }
            }
        }
    };
}

roles! {
    Text "text" "Ordinary text, and the background of everything",
    Dim "dim" "What matters less: labels, units, hints",
    Accent "accent" "What can be acted on: the open tab, the cursor",
    Title "title" "Names of what is shown",
    Border "border" "Lines between things",
    BorderFocus "border-focus" "The line around what has the focus",
    Selected "selected" "The selected row",
    Match "match" "What a search or filter found",
    Good "good" "Evidence says yes",
    Warn "warn" "Works, and will not for long",
    Bad "bad" "Does not work",
    Unknown "unknown" "Can't be told",
    Stale "stale" "Was true; its source is late",
    Info "info" "Neutral news",
    Primary "primary" "The primary",
    Sync "sync" "Synchronous and quorum standbys",
    Replica "replica" "Other standbys",
    Graph1 "graph-1" "First line of a graph",
    Graph2 "graph-2" "Second line of a graph",
    Graph3 "graph-3" "Third line of a graph",
    Graph4 "graph-4" "Fourth line of a graph",
    Key "key" "A key that works here",
    Danger "danger" "The console may change something",
    Overlay "overlay" "Text and background of windows above the pane",
}

/// A theme made ready for a terminal, with its marks: all that drawing needs to know of taste.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The theme's name.
    pub name: String,
    /// Marks beside the colours.
    pub marks: Marks,
    /// What the terminal can show.
    pub depth: Depth,
    styles: Vec<Style>,
}

impl Look {
    /// The style of a role, without the background of [`Role::Text`]: it is drawn over what is there.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The style of a level.
    pub fn level(&self, level: Level) -> Style {
        self.style(match level {
            Level::Ok => Role::Good,
            Level::Warn => Role::Warn,
            Level::Bad => Role::Bad,
            Level::Unknown => Role::Unknown,
        })
    }

    /// The style of a graph's n-th line; more than four lines repeat.
    pub fn graph(&self, n: usize) -> Style {
        self.style([Role::Graph1, Role::Graph2, Role::Graph3, Role::Graph4][n % 4])
    }

    /// The background of everything; `Reset` is the terminal's own.
    pub fn background(&self) -> Color {
        self.style(Role::Text).bg.unwrap_or(Color::Reset)
    }

    /// The style of the cursor's mark on a selected row.
    pub fn cursor(&self) -> Style {
        self.style(Role::Accent).patch(self.style(Role::Selected))
    }

    /// A role's style with bold added.
    pub fn bold(&self, role: Role) -> Style {
        self.style(role).add_modifier(Modifier::BOLD)
    }
}
