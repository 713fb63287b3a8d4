//! What several test binaries share: the howdah binary, a terminal to run it in, a lab to point it at.
#![expect(dead_code, reason = "each test binary leaves some of it to the others")]

pub mod processes;
pub mod site;
pub mod terminal;
mod until;
pub mod watches;
pub mod wiretap;
pub mod world;

pub use until::until;
