//! The command line: flags, and what each command does without the screen.

pub mod lab;
