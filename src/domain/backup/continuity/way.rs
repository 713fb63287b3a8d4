//! The way a recovery takes through the timelines, and how far the archive carries it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::backup::archive::{Archive, Reading, Run};
use crate::domain::lsn::Lsn;
use crate::domain::wal::{Timeline, WalName};

/// One timeline of a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// Which one.
    pub timeline: Timeline,
    /// Where it branched off; `None` for the first of the way.
    pub from: Option<Lsn>,
    /// Where it was left; `None` for the last of the way.
    pub left: Option<Lsn>,
    /// The first segment that is read of it, by number.
    pub first: u64,
    /// The segment it was left in, by number: that one is read of the next timeline.
    pub end: Option<u64>,
}

/// Segments that are not there, both ends included, all of one timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first one missing.
    pub first: WalName,
    /// The last one missing.
    pub last: WalName,
    /// How many.
    pub count: u64,
    /// What stands behind it: a later segment, a later timeline. `false`: nothing does yet, and it may still come.
    pub hole: bool,
    /// One of them is there as `.partial`, which a recovery does not ask for.
    pub partial: bool,
    /// When the segment behind it was stored, where one is: several are stored at the same time, in any order, so a gap of
    /// this moment may be none in the next.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// How long a segment may be on its way while later ones have arrived.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(1);

impl Gap {
    /// It may yet be closed by what is on its way, as far as a listing begun then can tell.
    pub fn is_young(&self, asked: Timestamp) -> bool {
        self.hole && self.since.is_some_and(|since| asked.duration_since(since) < ON_ITS_WAY)
    }

    /// `WAL segment 0…7`, or how many from which to which.
    pub fn words(&self) -> String {
        match self.count {
            1 => format!("WAL segment {}", self.first),
            n => format!("{n} WAL segments from {} to {}", self.first, self.last),
        }
    }
}

/// How far a recovery gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// The last segment without a gap before it.
    pub last: Option<WalName>,
    /// When it was stored, where that is known.
    pub until: Option<Timestamp>,
    /// What ends it; `None`: the archive's live end.
    pub gap: Option<Gap>,
}

/// The archive by running numbers.
pub(super) struct Ground<'a> {
    archive: &'a Archive,
    pub size: u64,
    runs: BTreeMap<Timeline, Vec<Run>>,
}

impl<'a> Ground<'a> {
    pub fn new(archive: &'a Archive) -> Self {
        let size = archive.segment_size();
        let runs = archive.timelines.iter().map(|(t, wal)| (*t, wal.runs.numbered(size)));
        Ground { archive, size, runs: runs.collect() }
    }

    pub fn runs(&self, timeline: Timeline) -> &[Run] {
        self.runs.get(&timeline).map_or(&[], Vec::as_slice)
    }

    pub fn name(&self, timeline: Timeline, number: u64) -> WalName {
        WalName::holding(timeline, Lsn(number.saturating_mul(self.size)), self.size)
    }

    /// The run that holds a segment.
    pub fn run(&self, timeline: Timeline, number: u64) -> Option<&Run> {
        let runs = self.runs(timeline);
        let after = runs.partition_point(|r| r.first <= number);
        runs[..after].last().filter(|r| r.holds(number))
    }

    /// Timelines that left anything in the archive.
    pub fn timelines(&self) -> BTreeSet<Timeline> {
        let partial = self.archive.timelines.iter().filter(|(_, t)| t.runs.count() > 0 || !t.partial.is_empty());
        partial.map(|(t, _)| *t).chain(self.archive.histories.keys().copied()).collect()
    }

    /// The way to a timeline. Without a history that can be read it is that timeline alone.
    pub fn way(&self, target: Timeline) -> Vec<Leg> {
        let history = self.archive.histories.get(&target).and_then(|h| h.said());
        let mut legs: Vec<Leg> = Vec::new();
        let mut from = None;
        let first = |from: Option<Lsn>| from.map_or(0, |at| at.0 / self.size);
        for left in history.map_or(&[][..], |h| &h.left) {
            let end = Some(left.at.0 / self.size);
            legs.push(Leg { timeline: left.timeline, from, left: Some(left.at), first: first(from), end });
            from = Some(left.at);
        }
        legs.push(Leg { timeline: target, from, left: None, first: first(from), end: None });
        legs
    }

    /// The timeline a recovery from a base on `timeline`, consistent at `end`, can be led to: the newest that passes it.
    pub fn target(&self, timeline: Timeline, end: Option<Lsn>) -> Timeline {
        let passes = |t: &Timeline| {
            let history = self.archive.histories.get(t).and_then(|h| h.said());
            history.and_then(|h| h.left(timeline)).is_some_and(|left| end.is_none_or(|end| end <= left))
        };
        self.archive.histories.keys().copied().filter(passes).max().unwrap_or(timeline).max(timeline)
    }

    /// What is not there from `number` on, on this leg; `None`: nothing is expected any more.
    pub fn gap(&self, leg: &Leg, number: u64) -> Option<Gap> {
        let runs = self.runs(leg.timeline);
        let next = runs.get(runs.partition_point(|r| r.first <= number)).map(|r| r.first);
        let before = match (next, leg.end) {
            (Some(next), Some(end)) => next.min(end),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return None,
        };
        (before > number).then(|| self.missing(leg.timeline, number, before - 1, true))
    }

    /// The gap with these ends.
    pub fn missing(&self, timeline: Timeline, first: u64, last: u64, hole: bool) -> Gap {
        let (from, to) = (self.name(timeline, first), self.name(timeline, last));
        let partial =
            self.archive.timelines.get(&timeline).is_some_and(|t| t.partial.range(from..=to).next().is_some());
        let runs = self.runs(timeline);
        let behind = runs.get(runs.partition_point(|r| r.first <= last)).filter(|_| hole);
        Gap { first: from, last: to, count: last - first + 1, hole, partial, since: behind.map(|r| r.first_at) }
    }

    /// How far one gets on these legs from that segment of the first of them.
    pub fn reach(&self, legs: &[Leg], start: u64) -> Reach {
        let mut reach = Reach { last: None, until: None, gap: None };
        let mut number = start;
        for leg in legs {
            while leg.end.is_none_or(|end| number < end) {
                let Some(run) = self.run(leg.timeline, number) else {
                    reach.gap = self.gap(leg, number);
                    return reach;
                };
                let last = leg.end.map_or(run.last, |end| run.last.min(end - 1));
                reach.last = Some(self.name(leg.timeline, last));
                reach.until = (last == run.last).then_some(run.last_at);
                number = last + 1;
            }
        }
        reach
    }

    /// All gaps on these legs from that segment of the first of them.
    pub fn gaps(&self, legs: &[Leg], start: u64) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut number = start;
        for leg in legs {
            while leg.end.is_none_or(|end| number < end) {
                if let Some(run) = self.run(leg.timeline, number) {
                    number = leg.end.map_or(run.last, |end| run.last.min(end - 1)) + 1;
                    continue;
                }
                let Some(gap) = self.gap(leg, number) else { break };
                number += gap.count;
                gaps.push(gap);
            }
        }
        gaps
    }

    /// Histories without which a timeline can't be reached: one is missing, not read, or bad.
    pub fn histories(&self) -> Vec<(Timeline, String)> {
        let why = |t: &Timeline| match self.archive.histories.get(t).map(|h| &h.text) {
            None => Some("its history file is not in the archive: no recovery gets to it".to_owned()),
            Some(Reading::Unread) => Some("its history file was not read yet".to_owned()),
            Some(Reading::Bad(why)) => Some(format!("its history file can't be used: {why}")),
            Some(Reading::Read(_)) => None,
        };
        self.timelines().into_iter().filter(|t| *t > 1).filter_map(|t| Some((t, why(&t)?))).collect()
    }
}
