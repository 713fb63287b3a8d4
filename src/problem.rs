//! One shape for everything that went wrong: what happened, because of what, and what to try.
//!
//! The same value is a line on stderr, a notice in the console, a record in the log and an object in JSON, so a
//! failure reads alike wherever it is met. Text from outside is cleaned on the way in; secrets never get here.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::text::clean;

/// How the process ends (DESIGN: exit codes). Kept with the problem so that no caller has to guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// 0: yes, or done.
    Ok,
    /// 1: no. A verdict of warn or bad, a gap found, a drill failed.
    No,
    /// 2: usage or configuration.
    Usage,
    /// 3: refused. Read-only, not armed, not confirmed.
    Refused,
    /// 4: unknown, or out of reach.
    #[default]
    Unknown,
}

impl Exit {
    /// The number the operating system gets.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Refused => 3,
            Exit::Unknown => 4,
        }
    }
}

/// What, because, try this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What could not be done or was found, in one sentence without a full stop.
    pub what: String,
    /// Why, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The next thing a person could do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub try_this: Option<String>,
    /// The exit code this leads to when it ends the program.
    #[serde(default)]
    pub exit: Exit,
}

impl Problem {
    /// A problem that is so far only named. Its exit code is 4, unknown or out of reach.
    pub fn new(what: impl AsRef<str>) -> Self {
        Problem { what: clean(what.as_ref()), because: None, try_this: None, exit: Exit::Unknown }
    }

    /// A mistake in usage or configuration: exit code 2.
    pub fn usage(what: impl AsRef<str>) -> Self {
        Problem { exit: Exit::Usage, ..Problem::new(what) }
    }

    /// Something that is not allowed now: exit code 3.
    pub fn refused(what: impl AsRef<str>) -> Self {
        Problem { exit: Exit::Refused, ..Problem::new(what) }
    }

    /// Adds the reason.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.because = Some(clean(&why.to_string()));
        self
    }

    /// Adds the next thing to try.
    #[must_use]
    pub fn try_this(mut self, hint: impl AsRef<str>) -> Self {
        self.try_this = Some(clean(hint.as_ref()));
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// One line: `what: because`. For notice bars and logs.
    pub fn line(&self) -> String {
        match &self.because {
            Some(why) => format!("{}: {why}", self.what),
            None => self.what.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(why) = &self.because {
            write!(f, "\n  because: {why}")?;
        }
        if let Some(hint) = &self.try_this {
            write!(f, "\n  try:     {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines_for_a_person() {
        let p =
            Problem::usage("no such theme: drak").because("themes/ has no file of that name").try_this("howdah themes");
        assert_eq!(
            p.to_string(),
            "no such theme: drak\n  because: themes/ has no file of that name\n  try:     howdah themes"
        );
        assert_eq!(p.exit.code(), 2);
        assert_eq!(p.line(), "no such theme: drak: themes/ has no file of that name");
    }

    #[test]
    fn escapes_from_outside_never_get_in() {
        let p = Problem::new("pod \u{1b}[2J\u{7}x").because("\u{9b}31m\r\nred");
        assert!(!p.to_string().chars().any(|c| c.is_control() && c != '\n'), "{p:?}");
    }
}
