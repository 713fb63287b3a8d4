//! Widgets: pure functions of data into a buffer.
//!
//! No widget remembers anything: what is selected is an argument, and what is visible follows from it ([`window`]).
//! A widget never draws outside the area it is given, at any size, and measures text in cells.

pub mod scroll;
pub mod table;

pub use table::{Column, Row, Table, window};
