//! Drills: what is measured of one, and what is told of it afterwards.
//!
//! A drill is a run like any other. While it goes on an [`Observer`] turns what is watched into marks, which are written
//! into the journal; [`Phases`] are read off those marks, and the [`Report`] off the whole journal: so that a report can be
//! made again from the journal alone, today or in a year. No clock, no wires: the times are those of the entries.

mod history;
mod markdown;
mod marks;
mod objectives;
mod phases;
mod report;
mod restored;
mod watching;

pub use history::{History, Past, Trend};
pub use marks::{Mark, Observer};
pub use objectives::{Objectives, Result as ObjectiveResult};
pub use phases::{Phases, Seen};
pub use report::{BACK, LEADER, REDUNDANT, Report, STRIKE, Span};
pub use restored::{MADE, RECOVERED, Reached, Restored, SWEPT, TORN_DOWN};
pub use watching::Watching;
