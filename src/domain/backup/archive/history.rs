//! History files: where a timeline came from.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::domain::lsn::Lsn;
use crate::domain::wal::Timeline;
use crate::text::{clean, shorten};

/// What `0000000N.history` says: the way from the first timeline to N.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The timeline it is about.
    pub timeline: Timeline,
    /// Its ancestors, oldest first, each with where it was left.
    pub left: Vec<Left>,
}

/// A timeline that was left for the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Which one.
    pub timeline: Timeline,
    /// The position up to which it counts.
    pub at: Lsn,
    /// Why, as PostgreSQL wrote it (`no recovery target specified`).
    pub reason: String,
}

/// Why a history file can't be understood. The line counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadHistory {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for BadHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for BadHistory {}

impl History {
    /// Reads a history file as PostgreSQL does: one ancestor a line (timeline, position, reason), `#` begins a comment,
    /// timelines rise.
    pub fn parse(timeline: Timeline, text: &str) -> Result<Self, BadHistory> {
        let mut left: Vec<Left> = Vec::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad = |why: String| BadHistory { line: place + 1, why };
            let mut words = line.split_whitespace();
            let (number, at) = (words.next().unwrap_or_default(), words.next());
            let from = number.parse().map_err(|_| bad(format!("{:?} is no timeline", shorten(&clean(number), 40))))?;
            let at = at.ok_or_else(|| bad("the position is missing".into()))?;
            let at = at.parse().map_err(|e: crate::domain::lsn::NotAnLsn| bad(clean(&e.to_string())))?;
            if left.last().is_some_and(|l| l.timeline >= from) || from >= timeline {
                return Err(bad(format!("timeline {from} out of order")));
            }
            let reason = clean(&words.collect::<Vec<_>>().join(" "));
            left.push(Left { timeline: from, at, reason });
        }
        Ok(History { timeline, left })
    }

    /// Where that timeline was left on this way.
    pub fn left(&self, timeline: Timeline) -> Option<Lsn> {
        self.left.iter().find(|l| l.timeline == timeline).map(|l| l.at)
    }

    /// Whether that timeline is this one or one it came from.
    pub fn passes(&self, timeline: Timeline) -> bool {
        self.timeline == timeline || self.left(timeline).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_way_over_two_failovers() {
        let text = "1\t0/5000110\tno recovery target specified\n\n2\t0/9000060\tbefore 2026-11-20 22:57:00+00\n";
        let history = History::parse(3, text).unwrap();
        assert_eq!(history.left(1), Some(Lsn(0x500_0110)));
        assert_eq!(history.left(2), Some(Lsn(0x900_0060)));
        assert_eq!(history.left[1].reason, "before 2026-11-20 22:57:00+00");
        assert!(history.passes(3) && history.passes(1) && !history.passes(4));
    }

    #[test]
    fn a_mistake_names_its_line() {
        let line = |text: &str| History::parse(3, text).unwrap_err().to_string();
        assert_eq!(line("# made by hand\none\t0/5"), "line 2: \"one\" is no timeline");
        assert_eq!(line("1"), "line 1: the position is missing");
        assert!(line("1\tthere\n").starts_with("line 1: not a WAL position"));
        assert_eq!(line("2\t0/5\n1\t0/9\n"), "line 2: timeline 1 out of order");
        assert_eq!(line("3\t0/5\n"), "line 1: timeline 3 out of order");
    }

    proptest! {
        #[test]
        fn never_panics(s in any::<String>()) {
            let _ = History::parse(2, &s);
        }
    }
}
