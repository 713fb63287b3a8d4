//! Restore: a new cluster out of what another one has archived.
//!
//! Never in place: CloudNativePG recovers into a new cluster only. [`origin`] reads from the source's object where its WAL
//! lies, [`manifest`] writes the new one's. Pure; who reads the source's object and the store is no matter here.

pub mod manifest;
pub mod origin;
#[cfg(test)]
mod tests;

pub use manifest::{Manifest, Scratch, Wanted};
pub use origin::{Origin, Source, Via};
