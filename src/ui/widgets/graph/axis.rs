//! Round numbers and round times for axes.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::quantity;

/// What the values of a graph are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// A plain number.
    Count,
}

impl Unit {
    /// A value with its unit, at most eight cells wide.
    pub fn label(self, value: f64) -> String {
        let bytes = || quantity::bytes(value.max(0.0).round() as u64);
        match self {
            Unit::Bytes => bytes(),
            Unit::BytesPerSecond => format!("{}/s", bytes().replace(' ', "")),
            Unit::Seconds if value == 0.0 => "0 s".into(),
            Unit::Seconds => quantity::span(SignedDuration::try_from_secs_f64(value).unwrap_or(SignedDuration::ZERO)),
            Unit::Count => format!("{value:.0}"),
        }
    }

    /// The smallest value that an axis distinguishes.
    fn smallest(self) -> f64 {
        match self {
            Unit::Seconds => 0.001,
            _ => 1.0,
        }
    }
}

/// The top of a scale that holds `highest`: 1, 2 or 5 times a power of ten; beyond 60 seconds, of minutes and hours.
pub fn nice_top(highest: f64, unit: Unit) -> f64 {
    let highest = if highest.is_finite() { highest.max(unit.smallest()) } else { unit.smallest() };
    if unit == Unit::Seconds && highest > 50.0 {
        const TIMES: [f64; 14] = [
            60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0,
            172_800.0, 604_800.0,
        ];
        if let Some(top) = TIMES.into_iter().find(|t| *t >= highest) {
            return top;
        }
    }
    let power = 10f64.powf(highest.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().map(|f| f * power).find(|t| *t >= highest * 0.999_999);
    nice.unwrap_or(power * 10.0)
}

/// Values to label and their part of the scale, from the bottom: as many as can be told apart.
pub(super) fn ticks(top: f64, unit: Unit, height: u16) -> Vec<(f64, f64)> {
    let parts: u32 = match height {
        0 => return Vec::new(),
        1 => return vec![(top, 1.0)],
        2..=4 => 1,
        5..=8 => 2,
        _ => {
            // Quarters where they are round: 20 → 5, 10, 15; fifths otherwise: 10 → 2, 4, 6, 8.
            let lead = top / 10f64.powf(top.log10().floor());
            if (lead - 2.0).abs() < 0.01 || (unit == Unit::Seconds && top >= 60.0) { 4 } else { 5 }
        }
    };
    let tick = |n: u32| (top * f64::from(n) / f64::from(parts), f64::from(n) / f64::from(parts));
    let all = (0..=parts).map(tick);
    // A count has no halves.
    all.filter(|(v, _)| unit != Unit::Count || v.fract() == 0.0).collect()
}

/// Seconds between the times labelled on an axis of this span and width.
pub fn step_of(span: SignedDuration, width: u16) -> i64 {
    const STEPS: [i64; 21] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
        604_800, 2_592_000,
    ];
    let labels = i64::from(width / 12).max(1);
    let least = span.as_secs() / labels;
    STEPS.into_iter().find(|s| *s >= least).unwrap_or(STEPS[20])
}

/// Round times of the zone between the edges, with their labels.
pub(super) fn times(from: Timestamp, to: Timestamp, width: u16, zone: &TimeZone) -> Vec<(Timestamp, String)> {
    let step = step_of(to.duration_since(from), width);
    let offset = i64::from(zone.to_offset(to).seconds());
    let format = match step {
        ..60 => "%H:%M:%S",
        60..86_400 => "%H:%M",
        _ => "%d %b",
    };
    let first = (from.as_second() + offset).div_euclid(step) * step - offset;
    let moments = (0..).map(|n| first + n * step).take_while(|s| *s <= to.as_second()).take(500);
    let label = |s: i64| {
        let at = Timestamp::from_second(s).ok().filter(|at| *at >= from)?;
        Some((at, at.to_zoned(zone.clone()).strftime(format).to_string()))
    };
    moments.filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tops_are_round() {
        let bytes = |v| Unit::Bytes.label(nice_top(v, Unit::Bytes));
        assert_eq!([bytes(0.0), bytes(1.2), bytes(980.0), bytes(8_200.0)], ["1 B", "2 B", "1 kB", "10 kB"]);
        let time = |v| Unit::Seconds.label(nice_top(v, Unit::Seconds));
        assert_eq!([time(0.0), time(0.031), time(3.0), time(70.0)], ["1.0 ms", "50 ms", "5.0 s", "2m"]);
    }

    #[test]
    fn ticks_are_round_too() {
        let labels =
            |top, h| ticks(top, Unit::Bytes, h).into_iter().map(|(v, _)| Unit::Bytes.label(v)).collect::<Vec<_>>();
        assert_eq!(labels(20_000.0, 12), ["0 B", "5 kB", "10 kB", "15 kB", "20 kB"]);
        assert_eq!(labels(10_000.0, 6), ["0 B", "5 kB", "10 kB"]);
        assert_eq!(labels(10_000.0, 1), ["10 kB"]);
        assert!(ticks(5.0, Unit::Count, 12).iter().all(|(v, _)| v.fract() == 0.0));
    }

    #[test]
    fn times_are_round_in_their_zone() {
        let at = |s: &str| s.parse::<Timestamp>().unwrap();
        let (from, to) = (at("2026-11-20T09:40:07Z"), at("2026-11-20T09:45:07Z"));
        let labels: Vec<_> = times(from, to, 60, &TimeZone::UTC).into_iter().map(|(_, l)| l).collect();
        assert_eq!(labels, ["09:41", "09:42", "09:43", "09:44", "09:45"]);
        let india = TimeZone::fixed(jiff::tz::offset(5).saturating_add(jiff::Span::new().minutes(30)));
        let labels: Vec<_> = times(from, at("2026-11-20T15:40:07Z"), 60, &india).into_iter().map(|(_, l)| l).collect();
        assert_eq!(labels, ["16:00", "18:00", "20:00"]);
    }

    proptest! {
        #[test]
        fn a_top_holds_what_it_is_for(v in 0.0f64..1e15) {
            for unit in [Unit::Bytes, Unit::Seconds, Unit::BytesPerSecond, Unit::Count] {
                let top = nice_top(v, unit);
                prop_assert!(top >= v * 0.999 && top <= v.max(unit.smallest()) * 10.0 + 60.0, "{v} → {top}");
                prop_assert!(unit.label(top).chars().count() <= 9 || v > 1e9);
            }
        }
    }
}
