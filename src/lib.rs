//! howdah: a terminal console for people who run highly available PostgreSQL on Kubernetes.
//!
//! The map of the house. The order is the dependency rule: a room may use only rooms above it (`tests/layers.rs`).
//!
//! | room | what it is for |
//! |---|---|
//! | [`text`] | text from outside is data, never terminal control |
//! | [`problem`] | what went wrong: what, because, try this |
//! | [`domain`] | what is true: the field's words and their arithmetic |
//! | [`lab`] | the other side of the wire: real PostgreSQL behind a Kubernetes API |
//! | [`cli`] | the command line: flags, and commands without the screen |

pub mod cli;
pub mod domain;
pub mod lab;
pub mod problem;
pub mod text;
