//! howdah: a terminal console for people who run highly available PostgreSQL on Kubernetes.
//!
//! The map of the house. The order is the dependency rule: a room may use only rooms above it (`tests/layers.rs`).
//!
//! | room | what it is for |
//! |---|---|
//! | [`text`] | text from outside is data, never terminal control |
//! | [`problem`] | what went wrong: what, because, try this |
//! | [`domain`] | what is true: the field's words and their arithmetic |
//! | [`adapters`] | how it is learned and done: Kubernetes, PostgreSQL |
//! | [`command`] | the table of commands: scope, title, what it risks |
//! | [`ui`] | keys, themes, layout, widgets, the terminal |
//! | [`panes`] | the screens: fleet, topology, replication, events, details |
//! | [`app`] | the console: messages, model, update, view, recording |
//! | [`settings`] | what a person set, and where files are |
//! | [`log`] | a bounded private file, and the last lines |
//! | [`cli`] | what a pane shows, as text, JSON and an exit code |

pub mod adapters;
pub mod app;
pub mod cli;
pub mod command;
pub mod domain;
pub mod log;
pub mod panes;
pub mod problem;
pub mod settings;
pub mod text;
pub mod ui;
