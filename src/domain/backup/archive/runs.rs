//! Which segments of one timeline are there, as stretches without a hole.
//!
//! A segment's place is its log and segment number side by side, so that nothing here has to know the segment size
//! before a `backup.info` tells it: a stretch then ends with its log (4 GiB of WAL) at the latest, and [`Runs::numbered`]
//! joins what belongs together. A million segments of 16 MiB without a hole are four thousand stretches.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::wal::WalName;

/// Segments of one timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// By the place of the first segment.
    stretches: BTreeMap<u64, Stretch>,
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    last: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// Consecutive segments of one timeline, by their running numbers ([`WalName::number`]), both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// When the first one was stored.
    pub first_at: Timestamp,
    /// When the last one was stored.
    pub last_at: Timestamp,
}

impl Run {
    /// Whether the segment of that number is in it.
    pub fn holds(&self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

pub(super) fn place(wal: WalName) -> u64 {
    u64::from(wal.log) << 32 | u64::from(wal.segment)
}

/// The running number of a place; `None` for a name that can't be with that segment size.
fn number(place: u64, per_log: u64) -> Option<u64> {
    let (log, segment) = (place >> 32, place & 0xffff_ffff);
    (segment < per_log).then_some(log * per_log + segment)
}

impl Runs {
    /// Takes a segment in, stored at that time. Says whether it is a new one.
    pub(super) fn insert(&mut self, wal: WalName, at: Timestamp) -> bool {
        let place = place(wal);
        if let Some((first, stretch)) = self.stretches.range_mut(..=place).next_back() {
            if place <= stretch.last {
                // Seen before: the times of the ends are those of the newest word.
                if place == stretch.last {
                    stretch.last_at = at;
                }
                if place == *first {
                    stretch.first_at = at;
                }
                return false;
            }
            if stretch.last + 1 == place {
                (stretch.last, stretch.last_at) = (place, at);
                let first = *first;
                self.join(first, place);
                self.count += 1;
                return true;
            }
        }
        self.stretches.insert(place, Stretch { last: place, first_at: at, last_at: at });
        self.join(place, place);
        self.count += 1;
        true
    }

    /// The stretch that begins at `first` and now ends at `last` takes in the one that begins right after.
    fn join(&mut self, first: u64, last: u64) {
        let Some(after) = last.checked_add(1).and_then(|after| self.stretches.remove(&after)) else { return };
        if let Some(stretch) = self.stretches.get_mut(&first) {
            (stretch.last, stretch.last_at) = (after.last, after.last_at);
        }
    }

    /// Segments.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether this segment is there. Its timeline is not looked at.
    pub fn has(&self, wal: WalName) -> bool {
        let place = place(wal);
        self.stretches.range(..=place).next_back().is_some_and(|(_, s)| place <= s.last)
    }

    /// Stretches kept now: what the memory is proportional to.
    pub fn kept(&self) -> usize {
        self.stretches.len()
    }

    /// The highest segment number within a log: it bounds the segment size from above.
    pub(super) fn highest_in_log(&self) -> u64 {
        self.stretches.values().map(|s| s.last & 0xffff_ffff).max().unwrap_or(0)
    }

    /// Runs by running numbers, in order, joined over the borders of logs. `segment_size` in bytes.
    ///
    /// A name that can't be with this segment size is left out.
    pub fn numbered(&self, segment_size: u64) -> Vec<Run> {
        let per_log = (1u64 << 32) / segment_size.clamp(1, 1 << 32);
        let mut out: Vec<Run> = Vec::new();
        for (first, s) in &self.stretches {
            let Some(first) = number(*first, per_log) else { continue };
            let within = (s.last & !0xffff_ffff) | (s.last & 0xffff_ffff).min(per_log - 1);
            let Some(last) = number(within, per_log) else { continue };
            match out.last_mut() {
                Some(run) if run.last + 1 == first => (run.last, run.last_at) = (last, s.last_at),
                _ => out.push(Run { first, last, first_at: s.first_at, last_at: s.last_at }),
            }
        }
        out
    }
}
