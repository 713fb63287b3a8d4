//! The console: everything that happens is a [`Msg`], [`update`] is all behaviour, [`view`] all appearance.
//!
//! No I/O and no clock here: time is a message, effects are data that `run.rs` performs. It knows the panes only as
//! [`crate::panes::Pane`]s, and nothing of how a fact was learned.

mod command;
mod frame;
mod keys;
mod menu;
mod model;
mod msg;
mod overlay;
mod runs;
mod update;
mod view;
mod walks;

pub mod recording;

pub use crate::panes::Effect;
pub use model::{Model, Setup};
pub use msg::{Done, Msg, RunNews, Taste};
pub use update::update;
pub use view::view;
