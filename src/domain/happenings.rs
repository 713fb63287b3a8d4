//! The timeline: everything that happened, in the order of its times, bounded.

use std::collections::{HashMap, VecDeque};

use super::event::{Happening, What};
use super::names::ClusterKey;

/// Entries kept; older ones make room.
pub const KEPT: usize = 5_000;

/// What happened, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Happenings {
    entries: VecDeque<(u64, Happening)>,
    /// The entry number of each Kubernetes event by its uid.
    by_uid: HashMap<String, u64>,
    next: u64,
    /// Entries that made room.
    dropped: u64,
}

impl Happenings {
    /// Adds one. A later version of a Kubernetes event (same uid) replaces the earlier one and moves to its new time.
    pub fn add(&mut self, happening: Happening) {
        if let What::Kubernetes { uid, .. } = &happening.what
            && !uid.is_empty()
            && let Some(old) = self.by_uid.insert(uid.clone(), self.next)
        {
            self.remove(old);
        }
        // Events of several sources come a little out of order: sort in, newest last, equal times as they came.
        let place = self.entries.partition_point(|(_, h)| h.at <= happening.at);
        self.entries.insert(place, (self.next, happening));
        self.next += 1;
        while self.entries.len() > KEPT {
            if let Some((number, gone)) = self.entries.pop_front()
                && let What::Kubernetes { uid, .. } = &gone.what
                && self.by_uid.get(uid) == Some(&number)
            {
                self.by_uid.remove(uid);
            }
            self.dropped += 1;
        }
    }

    fn remove(&mut self, number: u64) {
        // Repeated events are mostly recent: search from the end.
        if let Some(place) = self.entries.iter().rposition(|(n, _)| *n == number) {
            self.entries.remove(place);
        }
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Happening> {
        self.entries.iter().map(|(_, h)| h)
    }

    /// All with their numbers, oldest first by time. A number names an entry for as long as it is kept.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &Happening)> {
        self.entries.iter().map(|(n, h)| (*n, h))
    }

    /// The entry of this number.
    pub fn get(&self, number: u64) -> Option<&Happening> {
        // Entries come nearly in the order of their numbers: look where it should be, then everywhere.
        let first = self.next - self.entries.len() as u64;
        let guess = number.checked_sub(first).map(|n| n as usize);
        let near = guess.and_then(|g| self.entries.get(g)).filter(|(n, _)| *n == number);
        near.or_else(|| self.entries.iter().rev().find(|(n, _)| *n == number)).map(|(_, h)| h)
    }

    /// Those of one cluster and those of its whole context, oldest first.
    pub fn of<'a>(&'a self, key: &'a ClusterKey) -> impl DoubleEndedIterator<Item = &'a Happening> {
        self.iter().filter(move |h| match &h.cluster {
            Some(cluster) => cluster == key,
            None => h.context == key.context,
        })
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// None is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many made room for newer ones.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Changes with every addition: what was derived from an older number is out of date.
    pub fn version(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn event(second: i64, uid: &str, count: u32) -> Happening {
        Happening {
            at: Timestamp::from_second(second).unwrap(),
            context: "lab".into(),
            cluster: None,
            what: What::Kubernetes {
                warning: false,
                reason: "Killing".into(),
                object: "Pod/demo-1".into(),
                message: String::new(),
                count,
                uid: uid.into(),
            },
        }
    }

    #[test]
    fn a_repeated_event_replaces_itself_and_moves() {
        let mut all = Happenings::default();
        all.add(event(1, "a", 1));
        all.add(event(2, "b", 1));
        all.add(event(3, "a", 2));
        let counts: Vec<_> = all
            .iter()
            .map(|h| match &h.what {
                What::Kubernetes { uid, count, .. } => (uid.as_str(), *count),
                _ => unreachable!(),
            })
            .collect();
        assert_eq!(counts, [("b", 1), ("a", 2)]);
    }

    proptest! {
        #[test]
        fn bounded_and_in_order(times in prop::collection::vec((0i64..50, 0u8..9), 0..200)) {
            let mut all = Happenings::default();
            for (second, uid) in &times {
                all.add(event(*second, &uid.to_string(), 1));
            }
            let seen: Vec<_> = all.iter().map(|h| h.at).collect();
            prop_assert!(seen.is_sorted());
            prop_assert!(seen.len() <= 9);
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut all = Happenings::default();
        for n in 0..KEPT as i64 + 10 {
            all.add(event(n, &n.to_string(), 1));
        }
        assert_eq!((all.len(), all.dropped()), (KEPT, 10));
        assert_eq!(all.iter().next().unwrap().at.as_second(), 10);
        assert_eq!(all.by_uid.len(), KEPT);
    }
}
