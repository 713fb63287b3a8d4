//! howdah: a terminal console for people who run highly available PostgreSQL on Kubernetes.
//!
//! The map of the house. The order is the dependency rule: a room may use only rooms above it (`tests/layers.rs`).
//!
//! | room | what it is for |
//! |---|---|
//! | [`text`] | text from outside is data, never terminal control |
//! | [`problem`] | what went wrong: what, because, try this |
//! | [`document`] | a person's files, read with the place of every mistake |
//! | [`domain`] | what is true: the field's words and their arithmetic |
//! | [`procedure`] | what can be done, step by step: plans, runs, checks, drills, runbooks |
//! | [`adapters`] | how it is learned and done: Kubernetes, PostgreSQL, journals |
//! | [`command`] | the table of commands: scope, title, what it risks |
//! | [`ui`] | keys, themes, layout, widgets, the terminal |
//! | [`panes`] | the screens: fleet, topology, replication, backups, drills, runs, runbooks, events, the lab, details |
//! | [`app`] | the console: messages, model, update, view, recording |
//! | [`lab`] | the other side of the wire: real PostgreSQL behind a Kubernetes API |
//! | [`settings`] | a person's settings, and where files are |
//! | [`log`] | what happened inside, on disk and in memory |
//! | [`cli`] | the command line: flags, and commands without the screen |
//! | [`run`] | the composition root: the loop that holds all rooms together |
//!
//! # How a key press travels
//!
//! crossterm's event → [`ui::chord`] → [`app::Msg`] → [`app::update`]: is an overlay or a text field on top? else the
//! keymap's [`command::Command`] for this scope → the pane in front refuses it with a reason, or does it and returns
//! effects → `run` performs them, and what comes of it returns as another message. [`app::view`] draws what is then true.
//!
//! # How a fact travels
//!
//! A source in [`adapters`] publishes a [`domain::facts::Fact`] → the inbox keeps the newest per key → a message →
//! [`domain::facts::Facts::absorb`] → the verdict is judged anew → whatever shows it is drawn. Nothing polls the screen.

pub mod adapters;
pub mod app;
pub mod cli;
pub mod command;
pub mod document;
pub mod domain;
pub mod lab;
pub mod log;
pub mod panes;
pub mod problem;
pub mod procedure;
pub mod run;
pub mod settings;
pub mod text;
pub mod ui;
