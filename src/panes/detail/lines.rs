//! The lines of a text or log, alike.

use jiff::Timestamp;

use crate::domain::health::Level;
use crate::panes::known::Detail;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line<'a> {
    /// Its time, in a log.
    pub at: Option<Timestamp>,
    /// How bad it is; plain text is ok.
    pub level: Level,
    /// Who wrote it, in a log.
    pub logger: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// The lines that are at least this bad.
pub fn lines(detail: &Detail, least: Level) -> Vec<Line<'_>> {
    if let Some(text) = &detail.text {
        return text.lines().map(|text| Line { at: None, level: Level::Ok, logger: "", text }).collect();
    }
    detail
        .lines
        .iter()
        .map(|l| {
            let word = l.level.as_deref().unwrap_or_default();
            Line { at: l.at, level: level(word), logger: l.logger.as_deref().unwrap_or_default(), text: &l.text }
        })
        .filter(|l| l.level >= least)
        .collect()
}

/// The choices of the level key.
pub fn least_level(choice: u8) -> Level {
    match choice {
        0 => Level::Ok,
        1 => Level::Warn,
        _ => Level::Bad,
    }
}

fn level(word: &str) -> Level {
    match word {
        "warning" | "warn" => Level::Warn,
        "error" | "fatal" | "panic" => Level::Bad,
        _ => Level::Ok,
    }
}
