//! How it is learned and done: sources that tell, an executor that does, and the wires between.
//!
//! A source publishes [`Fact`](crate::domain::facts::Fact)s (they replace) and posts
//! [`News`](crate::domain::detail::News) (they add) into one [`inbox`]; a [`supervisor`] restarts it and publishes its
//! health, so that everything shown knows how old it is. Nothing here knows how a thing is shown, which pane asks, or
//! that a lab exists: a laboratory and a real cluster are met on the same wire.

pub mod ask;
mod budget;
pub mod executor;
pub mod hands;
pub mod inbox;
pub mod kubernetes;
pub mod live;
pub mod objects;
pub mod playback;
pub mod postgres;
pub mod practice;
pub mod runs;
pub mod streams;
pub mod supervisor;
#[cfg(test)]
mod tests;

pub use live::{Adapters, Config, Dsn, Handle, Namespaces};
