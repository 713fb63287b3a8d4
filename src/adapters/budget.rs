//! How many questions a second a context is asked at most.

use std::time::Duration;
use tokio::time::Instant;

/// A token bucket: `rate` questions a second on average, `burst` at once after a pause.
#[derive(Debug)]
pub struct Budget {
    rate: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

impl Budget {
    /// A full bucket.
    pub fn new(rate: f64, burst: f64) -> Self {
        Budget { rate, burst, tokens: burst, at: Instant::now() }
    }

    /// Takes one token, or says how long to wait for it.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_bound() {
        let start = Instant::now();
        let mut budget = Budget::new(10.0, 5.0);
        let mut taken = 0;
        for ms in 0..10_000u64 {
            let now = start + Duration::from_millis(ms);
            while budget.take(now).is_ok() {
                taken += 1;
            }
        }
        assert!((100..=106).contains(&taken), "5 at once, then 10 a second for 10 s: {taken}");
    }

    #[test]
    fn says_how_long_to_wait() {
        let mut budget = Budget::new(4.0, 1.0);
        let now = budget.at;
        assert_eq!(budget.take(now), Ok(()));
        assert_eq!(budget.take(now), Err(Duration::from_millis(250)));
        assert_eq!(budget.take(now + Duration::from_millis(250)), Ok(()));
    }
}
