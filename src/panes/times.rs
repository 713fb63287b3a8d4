//! Moments as people read them, in UTC or local time.

use jiff::Timestamp;

use super::Habits;

/// `09:41:07`.
pub fn clock(at: Timestamp, habits: &Habits) -> String {
    zoned(at, habits).strftime("%H:%M:%S").to_string()
}

/// `09:41`.
pub fn minute(at: Timestamp, habits: &Habits) -> String {
    zoned(at, habits).strftime("%H:%M").to_string()
}

/// `20 Nov`, or nothing for the day of `now`.
pub fn day(at: Timestamp, now: Timestamp, habits: &Habits) -> Option<String> {
    let (at, now) = (zoned(at, habits), zoned(now, habits));
    (at.date() != now.date()).then(|| at.strftime("%-d %b").to_string())
}

/// `UTC`, `CET`.
pub fn zone_name(now: Timestamp, habits: &Habits) -> String {
    if habits.utc { "UTC".into() } else { zoned(now, habits).strftime("%Z").to_string() }
}

fn zoned(at: Timestamp, habits: &Habits) -> jiff::Zoned {
    at.to_zoned(habits.zone().clone())
}
