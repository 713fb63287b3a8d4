//! The other side of the wire: a small real world on one machine, for learning, drills and tests.
//!
//! It knows nothing of howdah's own adapters: console and lab meet on the wire only, so that they can't share one
//! misbelief.

pub mod api;
pub mod controllers;
pub mod described;
pub mod dir;
pub mod instance;
pub mod kubelet;
pub mod object;
pub mod operator;
pub mod postgres;
