//! How far a listing is, in a line that is written over: only where somebody looks at a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::domain::backup::StoreListing;
use crate::domain::quantity::count;

/// A line is written no more often than this, and not for a listing that takes no longer.
const EVERY: Duration = Duration::from_millis(300);

/// The line.
pub struct Progress {
    terminal: bool,
    last: Instant,
    written: bool,
}

impl Progress {
    /// Begins now.
    pub fn new() -> Self {
        Progress { terminal: std::io::stderr().is_terminal(), last: Instant::now(), written: false }
    }

    /// Says how far it is.
    pub fn tell(&mut self, listing: &StoreListing) {
        if !self.terminal || self.last.elapsed() < EVERY {
            return;
        }
        (self.last, self.written) = (Instant::now(), true);
        let archive = &listing.archive;
        let line = format!(
            "listing {}: {} segments, {} base backups, {} pages",
            listing.server,
            count(archive.segments()),
            archive.bases.len(),
            count(listing.pages)
        );
        // Nobody reads it: the answer is what counts.
        let _ = write!(std::io::stderr().lock(), "\r{line}\u{1b}[K");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.written {
            // As above.
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}
