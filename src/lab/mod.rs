//! The other side of the wire: a small real world that speaks what a large one speaks.
//!
//! It knows nothing of howdah's own adapters: console and lab meet on the wire only, so that they can't share one
//! misbelief.

pub mod api;
pub mod controllers;
pub mod described;
pub mod object;
pub mod operator;
