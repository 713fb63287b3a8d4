//! Sets of numbers as ranges: hours of writes in the room of their gaps.

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(
    /// Sorted, inclusive, with a gap between each two.
    Vec<(u64, u64)>,
);

impl Ranges {
    /// Adds a number. At the end of the set, where they come in order, at once.
    pub fn insert(&mut self, n: u64) {
        let i = match self.0.last() {
            Some((_, last)) if n > *last => self.0.len(),
            _ => self.0.partition_point(|(from, _)| *from <= n),
        };
        let joins_before = i > 0 && self.0[i - 1].1 >= n.saturating_sub(1);
        let joins_after = i < self.0.len() && self.0[i].0 == n + 1;
        match (joins_before, joins_after) {
            (true, true) => {
                self.0[i - 1].1 = self.0[i].1;
                self.0.remove(i);
            }
            (true, false) => self.0[i - 1].1 = self.0[i - 1].1.max(n),
            (false, true) => self.0[i].0 = n,
            (false, false) => self.0.insert(i, (n, n)),
        }
    }

    /// How many numbers.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(from, to)| to - from + 1).sum()
    }

    /// The largest number.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|(_, to)| *to)
    }

    /// The numbers that are in both.
    #[must_use]
    pub fn and(&self, other: &Ranges) -> Ranges {
        let mut both = Vec::new();
        let (mut i, mut j) = (0, 0);
        while let (Some((a, b)), Some((c, d))) = (self.0.get(i), other.0.get(j)) {
            let (from, to) = (*a.max(c), *b.min(d));
            if from <= to {
                both.push((from, to));
            }
            if b < d { i += 1 } else { j += 1 }
        }
        Ranges(both)
    }

    /// The numbers that are not in the other.
    #[must_use]
    pub fn minus(&self, other: &Ranges) -> Ranges {
        let mut left = Vec::new();
        let mut j = 0;
        for (from, to) in &self.0 {
            let mut from = *from;
            while j < other.0.len() && other.0[j].1 < from {
                j += 1;
            }
            let mut k = j;
            while from <= *to {
                match other.0.get(k) {
                    Some((a, b)) if a <= to => {
                        if from < *a {
                            left.push((from, a - 1));
                        }
                        from = b + 1;
                        k += 1;
                    }
                    _ => {
                        left.push((from, *to));
                        break;
                    }
                }
            }
        }
        Ranges(left)
    }

    /// Every number, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of(numbers: &[u64]) -> Ranges {
        let mut ranges = Ranges::default();
        numbers.iter().for_each(|n| ranges.insert(*n));
        ranges
    }

    #[test]
    fn numbers_in_order_are_one_range() {
        assert_eq!(of(&(1..=1_000_000).collect::<Vec<_>>()).0, [(1, 1_000_000)]);
    }

    proptest! {
        #[test]
        fn they_are_sets(a in vec(0u64..60, 0..80), b in vec(0u64..60, 0..80)) {
            let (x, y): (BTreeSet<u64>, BTreeSet<u64>) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (r, s) = (of(&a), of(&b));
            prop_assert_eq!(r.len(), x.len() as u64);
            prop_assert_eq!(r.last(), x.last().copied());
            prop_assert!(r.iter().eq(x.iter().copied()));
            prop_assert!(r.and(&s).iter().eq(x.intersection(&y).copied()));
            prop_assert!(r.minus(&s).iter().eq(x.difference(&y).copied()));
            prop_assert!(r.0.windows(2).all(|w| w[0].1 + 1 < w[1].0), "a gap between each two");
        }
    }
}
