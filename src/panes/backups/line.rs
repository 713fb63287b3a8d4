//! The time line's scale: where a moment is, and which moments are named.

use jiff::{SignedDuration, Span, Timestamp, ToSpan};

use crate::panes::Habits;

/// Cells a named moment takes, with the room to the next one.
const LABEL: u16 = 11;

/// From when to when, over how many columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub from: Timestamp,
    pub to: Timestamp,
    pub left: u16,
    pub width: u16,
}

impl Scale {
    /// The column of a moment; those outside are at its ends.
    pub fn column(&self, at: Timestamp) -> u16 {
        let whole = self.to.duration_since(self.from).as_secs_f64().max(1.0);
        let part = at.duration_since(self.from).as_secs_f64() / whole;
        self.left + (part.clamp(0.0, 1.0) * f64::from(self.width.saturating_sub(1))).round() as u16
    }

    /// It is on the line.
    pub fn shows(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }

    /// Moments worth a name, with it: round ones, as many as fit.
    pub fn ticks(&self, habits: &Habits) -> Vec<(u16, String)> {
        let whole = self.to.duration_since(self.from);
        let fit = i64::from((self.width / LABEL).max(1));
        let least = SignedDuration::from_secs(whole.as_secs() / fit);
        let zone = habits.zone();
        let start = self.from.to_zoned(zone.clone()).start_of_day();
        let (Some((step, days)), Ok(mut at)) = (step(least), start) else { return Vec::new() };
        let mut ticks = Vec::new();
        while at.timestamp() <= self.to {
            if at.timestamp() >= self.from {
                let midnight = at.hour() == 0 && at.minute() == 0;
                let form = if days || midnight { "%-d %b" } else { "%H:%M" };
                ticks.push((self.column(at.timestamp()), at.strftime(form).to_string()));
            }
            let Ok(next) = at.checked_add(step) else { break };
            at = next;
        }
        ticks
    }
}

/// The shortest round step of at least this, and whether it is of whole days.
fn step(least: SignedDuration) -> Option<(Span, bool)> {
    let minutes = [1i64, 5, 10, 30, 60, 120, 180, 360, 720];
    let short = minutes.iter().find(|m| SignedDuration::from_mins(**m) >= least);
    if let Some(m) = short {
        return Some((m.minutes(), false));
    }
    let days = [1i64, 2, 7, 14, 30, 90, 365, 3650];
    days.iter().find(|d| SignedDuration::from_hours(**d * 24) >= least).map(|d| (d.days(), true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn scale(hours: i64, width: u16) -> Scale {
        let to: Timestamp = "2026-11-21T09:41:30Z".parse().unwrap();
        Scale { from: to - SignedDuration::from_hours(hours), to, left: 10, width }
    }

    fn habits() -> Habits {
        Habits { utc: true, zone: TimeZone::UTC, bell: false }
    }

    #[test]
    fn moments_are_within_the_line() {
        let s = scale(24, 80);
        assert_eq!((s.column(s.from), s.column(s.to)), (10, 89));
        assert_eq!(s.column(s.to + SignedDuration::from_hours(9)), 89);
        assert!(!s.shows(s.from - SignedDuration::from_secs(1)));
    }

    #[test]
    fn names_are_round_and_apart() {
        for hours in [1, 6, 24, 24 * 7, 24 * 30, 24 * 800] {
            for width in [40, 100, 180] {
                let ticks = scale(hours, width).ticks(&habits());
                assert!(!ticks.is_empty(), "{hours} h on {width}");
                for pair in ticks.windows(2) {
                    assert!(pair[1].0 >= pair[0].0 + 7, "{hours} h on {width}: {ticks:?}");
                }
            }
        }
        let words: Vec<_> = scale(24, 60).ticks(&habits()).into_iter().map(|(_, w)| w).collect();
        assert_eq!(words, ["12:00", "18:00", "21 Nov", "06:00"]);
    }
}
