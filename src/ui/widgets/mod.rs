//! Widgets: pure functions of data into a buffer.
//!
//! No widget remembers anything: what is selected is an argument, and what is visible follows from it
//! ([`table::window`]). A widget never draws outside the area it is given, at any size, and measures text in cells.

pub mod bar;
pub mod choices;
pub mod dialog;
pub mod digits;
pub mod graph;
pub mod header;
pub mod help;
pub mod hints;
pub mod notice;
pub mod prompt;
pub mod scroll;
pub mod table;
pub mod tabs;
pub mod textview;
pub mod which_key;

#[cfg(test)]
mod tests;
