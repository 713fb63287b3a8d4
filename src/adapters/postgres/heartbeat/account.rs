//! What became of every attempt, in little room.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};

use super::gaps::Gaps;
use super::ranges::Ranges;
use crate::domain::heartbeat::{Beat, Outage, Pulse, SLICE, Tally};
use crate::text::{clean, shorten};

/// Slices that are kept: two minutes.
const SLICES: usize = 1200;
/// Lost writes that are named.
const NAMED: usize = 100;

/// The numbers of one writer.
#[derive(Clone, Debug, Default)]
struct Numbers {
    acknowledged: Ranges,
    unknown: Ranges,
    /// Numbers that may have been on the way when howdah itself was ended.
    adrift: Ranges,
}

impl Numbers {
    fn next(&self) -> u64 {
        let known = [&self.acknowledged, &self.unknown, &self.adrift].into_iter().filter_map(Ranges::last).max();
        known.map_or(1, |n| n + 1)
    }
}

/// The account of a heartbeat.
#[derive(Clone, Debug)]
pub struct Account {
    begun: Timestamp,
    writers: Vec<Numbers>,
    refused: u64,
    reads: (u64, u64),
    /// The gaps.
    pub gaps: Gaps,
    slices: VecDeque<Beat>,
    /// How many slices began before the newest.
    newest: i64,
    trouble: Option<String>,
    via: String,
}

/// The rows that are there.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// Numbers by writer.
    pub rows: BTreeMap<i32, Ranges>,
    /// Rows that are there more than once, and rows that no writer of this table numbers.
    pub wrong: u64,
}

impl Account {
    /// Nothing yet.
    pub fn new(writers: u8, every: SignedDuration, begun: Timestamp) -> Self {
        Account {
            begun,
            writers: vec![Numbers::default(); writers.into()],
            refused: 0,
            reads: (0, 0),
            gaps: Gaps::new(begun, every),
            slices: VecDeque::new(),
            newest: -1,
            trouble: None,
            via: String::new(),
        }
    }

    fn writer(&mut self, writer: u8) -> &mut Numbers {
        let at = usize::from(writer);
        if at >= self.writers.len() {
            self.writers.resize_with(at + 1, Numbers::default);
        }
        &mut self.writers[at]
    }

    /// The number that a writer uses next. None is used twice.
    pub fn next(&self, writer: u8) -> u64 {
        self.writers.get(usize::from(writer)).map_or(1, Numbers::next)
    }

    /// A write was acknowledged. The outage that ends with it.
    pub fn acknowledged(&mut self, writer: u8, n: u64, at: Timestamp, took: SignedDuration) -> Option<Outage> {
        self.writer(writer).acknowledged.insert(n);
        self.mark(at, Beat::Acknowledged);
        self.gaps.acknowledged(at, took)
    }

    /// As an earlier process wrote it down.
    pub fn restore(&mut self, writer: u8, n: u64, at: Timestamp) {
        self.writer(writer).acknowledged.insert(n);
        self.gaps.restore(at);
    }

    /// A write's answer did not come.
    pub fn unknown(&mut self, writer: u8, n: u64, at: Timestamp) {
        self.writer(writer).unknown.insert(n);
        self.mark(at, Beat::Unknown);
    }

    /// A write was refused, or nobody was there.
    pub fn refused(&mut self, at: Timestamp) {
        self.refused += 1;
        self.mark(at, Beat::Refused);
    }

    /// Every writer may have had one write on the way when the process that wrote ended.
    pub fn adrift(&mut self) {
        for numbers in &mut self.writers {
            let next = numbers.next();
            numbers.adrift.insert(next);
        }
    }

    /// Reads that were answered, and that failed.
    pub fn read(&mut self, answered: u64, failed: u64) {
        self.reads.0 += answered;
        self.reads.1 += failed;
    }

    /// The last failure.
    pub fn say(&mut self, trouble: &str) {
        self.trouble = Some(shorten(&clean(trouble), 300));
    }

    /// The way that leads there; whether it is another one than before.
    pub fn goes(&mut self, via: &str) -> bool {
        let new = self.via != via;
        if new {
            self.via = via.to_owned();
        }
        new
    }

    fn mark(&mut self, at: Timestamp, beat: Beat) {
        let index = self.advance(at);
        if let Some(slice) = index.and_then(|i| self.slices.get_mut(i)) {
            *slice = beat.max(*slice);
        }
    }

    /// Moves on to the slice of that time: where it is in the list.
    fn advance(&mut self, at: Timestamp) -> Option<usize> {
        let slice = i64::try_from(at.duration_since(self.begun).as_millis() / SLICE.as_millis()).ok()?;
        // A clock that was set forward by days costs no room.
        let behind = slice.saturating_sub(self.newest);
        for _ in 0..behind.min(SLICES as i64) {
            self.slices.push_back(Beat::Idle);
            if self.slices.len() > SLICES {
                self.slices.pop_front();
            }
        }
        self.newest = self.newest.max(slice);
        let back = usize::try_from(self.newest - slice).ok()?;
        self.slices.len().checked_sub(back + 1)
    }

    fn sum(&self, of: impl Fn(&Numbers) -> &Ranges) -> u64 {
        self.writers.iter().map(|w| of(w).len()).sum()
    }

    /// How it looks now.
    pub fn pulse(&mut self, now: Timestamp) -> Pulse {
        self.advance(now);
        Pulse {
            since: self.begun,
            at: now,
            acknowledged: self.sum(|w| &w.acknowledged),
            refused: self.refused,
            unknown: self.sum(|w| &w.unknown),
            reads: self.reads,
            last: self.gaps.last(),
            slices: self.slices.iter().copied().collect(),
            outages: self.gaps.all(now).0,
            trouble: self.trouble.clone(),
            via: self.via.clone(),
        }
    }

    /// It, counted against the rows that are there.
    pub fn tally(&self, present: &Present, now: Timestamp) -> Tally {
        let mut tally = Tally { duplicated: present.wrong, ..Tally::default() };
        let none = Ranges::default();
        for (writer, numbers) in self.writers.iter().enumerate() {
            let there = i32::try_from(writer).ok().and_then(|w| present.rows.get(&w)).unwrap_or(&none);
            let lost = numbers.acknowledged.minus(there);
            let room = NAMED.saturating_sub(tally.lost_names.len());
            tally.lost_names.extend(lost.iter().take(room).map(|n| format!("{writer}/{n}")));
            tally.lost += lost.len();
            let unknown = numbers.unknown.minus(&numbers.acknowledged);
            tally.unknown_there += unknown.and(there).len();
            tally.unknown_gone += unknown.minus(there).len();
            // Whether those were ever sent is not known: they count only where they are there.
            let strange = there.minus(&numbers.acknowledged).minus(&unknown);
            tally.unknown_there += strange.and(&numbers.adrift).len();
            tally.duplicated += strange.minus(&numbers.adrift).len();
        }
        let known = |w: &i32| usize::try_from(*w).is_ok_and(|w| w < self.writers.len());
        tally.duplicated += present.rows.iter().filter(|(w, _)| !known(w)).map(|(_, rows)| rows.len()).sum::<u64>();
        tally.acknowledged = self.sum(|w| &w.acknowledged);
        (tally.refused, tally.reads) = (self.refused, self.reads);
        (tally.outages, tally.unmeasured) = self.gaps.all(now);
        let length = |o: &Outage| o.to.unwrap_or(now).duration_since(o.from);
        tally.longest = tally.outages.iter().map(length).max().unwrap_or_default();
        tally.resolution = self.gaps.resolution();
        tally.via.clone_from(&self.via);
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: i64) -> Timestamp {
        Timestamp::from_millisecond(n).unwrap()
    }

    fn rows(of: &[(i32, &[u64])]) -> Present {
        let set = |numbers: &[u64]| {
            let mut ranges = Ranges::default();
            numbers.iter().for_each(|n| ranges.insert(*n));
            ranges
        };
        Present { rows: of.iter().map(|(w, n)| (*w, set(n))).collect(), wrong: 0 }
    }

    #[test]
    fn every_write_is_accounted_for() {
        let mut account = Account::new(2, SignedDuration::from_millis(10), ms(0));
        for n in 1..=5 {
            account.acknowledged(0, n, ms(n as i64 * 10), SignedDuration::from_millis(1));
        }
        account.unknown(0, 6, ms(60));
        account.unknown(0, 7, ms(70));
        account.refused(ms(80));
        account.acknowledged(1, 1, ms(90), SignedDuration::from_millis(1));
        assert_eq!((account.next(0), account.next(1)), (8, 2));
        account.adrift();
        assert_eq!((account.next(0), account.next(1)), (9, 3), "what may have been on the way is not used again");
        let tally = account.tally(&rows(&[(0, &[1, 2, 5, 6, 8, 9]), (1, &[1]), (7, &[1])]), ms(100));
        assert_eq!((tally.acknowledged, tally.lost, tally.refused), (6, 2, 1));
        assert_eq!(tally.lost_names, ["0/3", "0/4"]);
        assert_eq!((tally.unknown_there, tally.unknown_gone), (2, 1), "6 and 8 are there, 7 is not");
        assert_eq!(tally.duplicated, 2, "9 was never written, and there is no writer 7");
    }

    #[test]
    fn slices_keep_two_minutes_and_the_worst_of_each() {
        let mut account = Account::new(1, SignedDuration::from_millis(10), ms(0));
        account.acknowledged(0, 1, ms(10), SignedDuration::from_millis(1));
        account.refused(ms(50));
        account.acknowledged(0, 2, ms(310), SignedDuration::from_millis(1));
        account.unknown(0, 3, ms(250));
        let pulse = account.pulse(ms(450));
        use Beat::{Acknowledged, Idle, Refused, Unknown};
        assert_eq!(pulse.slices, [Refused, Idle, Unknown, Acknowledged, Idle]);
        assert_eq!((pulse.acknowledged, pulse.unknown, pulse.refused), (2, 1, 1));
        assert_eq!(account.pulse(ms(10_000_000)).slices, vec![Idle; SLICES]);
    }
}
