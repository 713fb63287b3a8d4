//! What several test binaries share: the howdah binary, a terminal to run it in, a lab to point it at.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod processes;
pub mod terminal;
pub mod wiretap;
pub mod world;

use std::time::{Duration, Instant};

/// Waits until `look` gives something, and fails with `what` and the last `picture` when it has not within `within`.
/// Conditions are awaited, never slept for: the pause between two looks is only there to leave the processor to others.
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>, picture: impl Fn() -> String) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < within, "not within {within:?}: {what}\n{}", picture());
        std::thread::sleep(Duration::from_millis(20));
    }
}
