//! When a container that has ended may be started again, by the kubelet's rule: at once the first time, then not sooner than
//! the back-off after the last start, which doubles from 10 seconds to 5 minutes and is forgotten after 10 quiet minutes.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(300);

/// The back-off of one container.
#[derive(Clone, Copy, Debug, Default)]
pub struct BackOff {
    last: Option<(Instant, Duration)>,
}

impl BackOff {
    /// The container has ended at `now`: how long to wait before it is started again. Zero means at once.
    pub fn after_end(&mut self, now: Instant) -> Duration {
        let Some((last, current)) = self.last.filter(|(last, _)| now.duration_since(*last) < LONGEST * 2) else {
            self.last = Some((now, FIRST));
            return Duration::ZERO;
        };
        let wait = (last + current).saturating_duration_since(now);
        self.last = Some((now + wait, (current * 2).min(LONGEST)));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_restart_is_free_and_the_next_ones_wait_longer() {
        let mut backoff = BackOff::default();
        let start = Instant::now();
        let second = |n: u64| start + Duration::from_secs(n);
        assert_eq!(backoff.after_end(second(0)), Duration::ZERO);
        assert_eq!(backoff.after_end(second(1)), Duration::from_secs(9));
        assert_eq!(backoff.after_end(second(11)), Duration::from_secs(19));
    }

    #[test]
    fn a_container_that_ran_long_enough_is_forgiven() {
        let mut backoff = BackOff::default();
        let start = Instant::now();
        assert_eq!(backoff.after_end(start), Duration::ZERO);
        assert_eq!(backoff.after_end(start + Duration::from_secs(11)), Duration::ZERO);
        assert_eq!(backoff.after_end(start + Duration::from_secs(11 + 600)), Duration::ZERO);
    }
}
