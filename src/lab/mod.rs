//! The other side of the wire: a small real world on one machine, for learning, drills and tests.
//!
//! This folder knows nothing of `adapters`: lab and console meet on the wire only.

pub mod dir;
pub mod postgres;
