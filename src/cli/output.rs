//! Where answers go: standard output, which may be a terminal, a file or a pipe whose reader has gone.

use serde::Serialize;
use std::io::{ErrorKind, IsTerminal, Write};

use super::args::Output;
use crate::problem::Problem;

/// How text may be dressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours are welcome.
    pub colour: bool,
    /// Somebody is looking at a terminal.
    pub terminal: bool,
}

impl Style {
    /// What standard output bears: colours only on a terminal that did not refuse them.
    pub fn of_stdout() -> Style {
        Style::of(std::io::stdout().is_terminal())
    }

    /// What standard error bears.
    pub fn of_stderr() -> Style {
        Style::of(std::io::stderr().is_terminal())
    }

    fn of(terminal: bool) -> Style {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        Style { colour: terminal && !refused, terminal }
    }
}

/// An answer in the form that was asked for: `table` and `md` are the two for people.
///
/// # Errors
/// It can't be written in that form.
pub fn answer<T: Serialize>(
    form: Output,
    of: &T,
    table: impl FnOnce() -> String,
    md: impl FnOnce() -> String,
) -> Result<String, Problem> {
    let broken = |e: &dyn std::fmt::Display| Problem::new("can't write the answer").because(e);
    match form {
        Output::Json => serde_json::to_string_pretty(of).map(|text| text + "\n").map_err(|e| broken(&e)),
        Output::Yaml => serde_saphyr::to_string(of).map_err(|e| broken(&e)),
        Output::Table => Ok(table()),
        Output::Md => Ok(md()),
    }
}

/// Writes to standard output. `false`: nobody reads any more, so there is nothing left to do.
#[must_use]
pub fn say(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(e) if e.kind() == ErrorKind::BrokenPipe => false,
        Err(e) => {
            complain(&Problem::new("can't write the answer").because(e));
            false
        }
    }
}

/// Writes a problem to standard error.
pub fn complain(problem: &Problem) {
    // Nowhere is left to say that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "howdah: {problem}");
}
