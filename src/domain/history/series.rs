//! One quantity over time, in rings of falling resolution.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a stretch of time held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// The smallest value.
    pub min: f32,
    /// The largest value.
    pub max: f32,
    /// The newest value.
    pub last: f32,
}

impl Bucket {
    fn of(value: f32) -> Self {
        Bucket { min: value, max: value, last: value }
    }

    /// This stretch and a later one as one.
    #[must_use]
    pub fn then(self, later: Bucket) -> Self {
        Bucket { min: self.min.min(later.min), max: self.max.max(later.max), last: later.last }
    }
}

/// How much a series keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// 1 s for 10 minutes, 10 s for 2 hours, 60 s for 24 hours: at most 44 kB.
    Full,
    /// 10 s for 10 minutes: at most 1 kB. Enough for a trend.
    Trend,
}

impl Resolution {
    /// Seconds per bucket, and how many buckets.
    fn rings(self) -> &'static [(u32, usize)] {
        match self {
            Resolution::Full => &[(1, 600), (10, 720), (60, 1440)],
            Resolution::Trend => &[(10, 60)],
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Ring {
    /// Seconds per bucket.
    step: u32,
    capacity: usize,
    /// Number of the bucket since 1970, and the bucket. Rising.
    buckets: VecDeque<(u32, Bucket)>,
    /// Something was dropped: what is older than the first bucket is forgotten, not absent.
    full: bool,
}

impl Ring {
    fn push(&mut self, second: i64, value: f32) {
        let Ok(number) = u32::try_from(second.div_euclid(i64::from(self.step))) else { return };
        match self.buckets.back_mut() {
            Some((n, bucket)) if *n == number => *bucket = bucket.then(Bucket::of(value)),
            Some((n, _)) if *n > number => self.insert_late(number, value),
            _ => self.buckets.push_back((number, Bucket::of(value))),
        }
        // A ring reaches back a fixed time, however few buckets it holds.
        let newest = self.buckets.back().map_or(0, |(n, _)| *n);
        let reach = u32::try_from(self.capacity).unwrap_or(u32::MAX);
        while self.buckets.front().is_some_and(|(n, _)| newest - n >= reach) {
            self.buckets.pop_front();
            self.full = true;
        }
    }

    /// An answer that took longer than the next one: it widens its stretch and never becomes its newest value.
    fn insert_late(&mut self, number: u32, value: f32) {
        let late = Bucket::of(value);
        match self.buckets.binary_search_by_key(&number, |(n, _)| *n) {
            Ok(i) => self.buckets[i].1 = late.then(self.buckets[i].1),
            Err(i) => self.buckets.insert(i, (number, late)),
        }
    }

    /// Everything in `[from, to)` seconds.
    fn fold(&self, from: f64, to: f64) -> Option<Bucket> {
        let step = f64::from(self.step);
        let first = (from / step).floor();
        let end = (to / step).ceil();
        let start = self.buckets.partition_point(|(n, _)| f64::from(*n) < first);
        let inside = self.buckets.range(start..).take_while(|(n, _)| f64::from(*n) < end);
        inside.map(|(_, b)| *b).reduce(Bucket::then)
    }

    fn reaches(&self, from: i64) -> bool {
        !self.full || self.buckets.front().is_some_and(|(n, _)| i64::from(*n) * i64::from(self.step) <= from)
    }
}

/// One quantity over time. Bounded; empty rings cost nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    rings: Vec<Ring>,
    last: Option<(Timestamp, f64)>,
}

impl Series {
    /// An empty series.
    pub fn new(resolution: Resolution) -> Self {
        let ring = |(step, capacity): &(u32, usize)| Ring {
            step: *step,
            capacity: *capacity,
            buckets: VecDeque::new(),
            full: false,
        };
        Series { rings: resolution.rings().iter().map(ring).collect(), last: None }
    }

    /// Adds a value. What is no number is left out.
    pub fn push(&mut self, at: Timestamp, value: f64) {
        if !value.is_finite() {
            return;
        }
        for ring in &mut self.rings {
            ring.push(at.as_second(), value as f32);
        }
        if self.last.is_none_or(|(t, _)| t <= at) {
            self.last = Some((at, value));
        }
    }

    /// Buckets held now, of all rings.
    #[cfg(test)]
    pub(super) fn buckets(&self) -> usize {
        self.rings.iter().map(|r| r.buckets.len()).sum()
    }

    /// The same quantity kept in another resolution from here on, with what is still remembered of it.
    #[must_use]
    pub fn kept_in(&self, resolution: Resolution) -> Series {
        let mut out = Series::new(resolution);
        let Some(finest) = self.rings.first() else { return out };
        for (n, bucket) in &finest.buckets {
            let Ok(at) = Timestamp::from_second(i64::from(*n) * i64::from(finest.step)) else { continue };
            for value in [bucket.min, bucket.max, bucket.last] {
                out.push(at, f64::from(value));
            }
        }
        out.last = self.last;
        out
    }

    /// The newest value and when it was.
    pub fn last(&self) -> Option<(Timestamp, f64)> {
        self.last
    }

    /// The time from `from` to `to` in `n` columns; `None` where nothing was learned.
    ///
    /// The finest ring that still remembers `from` answers. A column narrower than a bucket repeats it.
    pub fn window(&self, from: Timestamp, to: Timestamp, n: usize) -> Vec<Option<Bucket>> {
        let (start, end) = (seconds(from), seconds(to));
        let Some(ring) = self.rings.iter().find(|r| r.reaches(from.as_second())).or(self.rings.last()) else {
            return vec![None; n];
        };
        let width = (end - start) / n as f64;
        (0..n)
            .map(|i| (start + i as f64 * width, start + (i + 1) as f64 * width))
            .map(|(a, b)| if b > a { ring.fold(a, b) } else { None })
            .collect()
    }

    /// How it moves, per second, over the last `over` before its newest value: the median of all pairwise slopes
    /// (Theil–Sen), which a few outliers can't bend. `None` with fewer than five stretches.
    pub fn slope(&self, over: SignedDuration) -> Option<f64> {
        const MOST: usize = 64;
        let (newest, _) = self.last?;
        let from = newest.checked_sub(over).ok()?.as_second();
        let ring = self.rings.iter().find(|r| r.reaches(from)).or(self.rings.last())?;
        let step = i64::from(ring.step);
        let mut points: Vec<(f64, f64)> = ring
            .buckets
            .iter()
            .filter(|(n, _)| i64::from(*n) * step >= from)
            .map(|(n, b)| (f64::from(*n) * step as f64, f64::from(b.last)))
            .collect();
        if points.len() > MOST {
            let every = points.len().div_ceil(MOST);
            points = points.into_iter().rev().step_by(every).collect();
        }
        if points.len() < 5 {
            return None;
        }
        let mut slopes: Vec<f64> = Vec::with_capacity(points.len() * points.len() / 2);
        for (i, a) in points.iter().enumerate() {
            slopes.extend(points[i + 1..].iter().map(|b| (b.1 - a.1) / (b.0 - a.0)));
        }
        let middle = slopes.len() / 2;
        let (_, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
        Some(*median)
    }
}

fn seconds(t: Timestamp) -> f64 {
    t.as_nanosecond() as f64 / 1e9
}
