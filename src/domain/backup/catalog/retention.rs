//! Retention as CNPG promises it: `30d`, `4w`, `2m`, Barman's recovery window.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A recovery window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How far back it reaches.
    pub window: SignedDuration,
}

impl Retention {
    /// Reads `30d`, `4w` or `2m`. Barman counts 31 days to a month.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, days) = [("d", 1), ("w", 7), ("m", 31)]
            .iter()
            .find_map(|(unit, days)| text.strip_suffix(unit).map(|number| (number, *days)))?;
        let digits = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let count: i64 = digits.then(|| number.parse().ok()).flatten().filter(|n| *n > 0)?;
        Some(Retention { window: SignedDuration::from_hours(24 * days * count) })
    }

    /// The moment from which on every point in time is promised.
    pub fn edge(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_sub(self.window).ok()
    }

    /// Which of these ends of good backups, newest first, are expired: all before the newest one that ended before the
    /// edge, which is needed to reach the edge itself.
    pub fn expired(&self, ends: &[Timestamp], now: Timestamp) -> Vec<bool> {
        let edge = self.edge(now);
        let mut needed_is_seen = false;
        let old = |end: &Timestamp| edge.is_some_and(|edge| *end < edge);
        ends.iter().map(|end| old(end) && std::mem::replace(&mut needed_is_seen, true)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_cnpg() {
        let days = |text| Retention::parse(text).map(|r| r.window.as_hours() / 24);
        assert_eq!([days("7d"), days("4w"), days("2m")], [Some(7), Some(28), Some(62)]);
        for bad in ["", "d", "0d", "7", "7y", "-7d", "1.5d", "99999d"] {
            assert_eq!(days(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_newest_before_the_edge_is_still_needed() {
        let now: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let ends: Vec<_> = [1, 6, 8, 9, 20].map(|d| now - SignedDuration::from_hours(24 * d)).into();
        let expired = Retention::parse("7d").unwrap().expired(&ends, now);
        assert_eq!(expired, [false, false, false, true, true]);
        assert!(Retention::parse("7d").unwrap().expired(&[], now).is_empty());
    }
}
