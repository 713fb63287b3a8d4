//! Waiting for a condition. It is awaited, never slept for: the pause between two looks only leaves the processor to
//! others.

use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `look` gives something, and fails with `what` and the last `picture` when it has not within `within`.
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>, picture: impl Fn() -> String) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        still(start, within, what, &picture);
        std::thread::sleep(PAUSE);
    }
}

/// As [`until`], without holding up a thread.
pub async fn eventually(
    what: &str,
    within: Duration,
    mut holds: impl AsyncFnMut() -> bool,
    picture: impl Fn() -> String,
) {
    let start = Instant::now();
    while !holds().await {
        still(start, within, what, &picture);
        tokio::time::sleep(PAUSE).await;
    }
}

fn still(start: Instant, within: Duration, what: &str, picture: &impl Fn() -> String) {
    assert!(start.elapsed() < within, "not within {within:?}: {what}\n{}", picture());
}
