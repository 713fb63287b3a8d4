//! Which of the load's rows were acknowledged, and which may be there or not: the account that a test or a drill holds
//! against the table.

use serde::{Deserialize, Serialize};

/// How many interruptions are remembered. Older ones are forgotten together with the rows around them.
const REMEMBERED: usize = 1_000;

/// Row numbers from the first to the last, both included.
pub type Span = (u64, u64);

/// The load's account of its rows. A number is used once, so each one above [`Ledger::since`] that was used is in exactly
/// one of the three lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Up to this number nothing is accounted for any more: those rows have been tidied away, or were too long ago.
    pub since: u64,
    /// Numbers whose commit the server acknowledged.
    pub acknowledged: Vec<Span>,
    /// Numbers whose commit failed or was not answered in time: such a row may be there or not.
    pub unanswered: Vec<Span>,
    /// The number whose answer is still awaited.
    pub under_way: Option<u64>,
}

impl Ledger {
    /// A row is sent.
    pub fn send(&mut self, n: u64) {
        self.under_way = Some(n);
    }

    /// The row under way is acknowledged, or is not.
    pub fn answer(&mut self, acknowledged: bool) {
        let Some(n) = self.under_way.take() else { return };
        let list = if acknowledged { &mut self.acknowledged } else { &mut self.unanswered };
        match list.last_mut() {
            Some((_, last)) if *last + 1 == n => *last = n,
            _ => list.push((n, n)),
        }
        let long = |list: &[Span]| list.len().checked_sub(REMEMBERED + 1).map(|oldest| list[oldest].1);
        let forgotten = [long(&self.acknowledged), long(&self.unanswered)];
        if let Some(n) = forgotten.into_iter().flatten().max() {
            self.forget(n);
        }
    }

    /// Nothing up to this number counts any more.
    pub fn forget(&mut self, upto: u64) {
        self.since = self.since.max(upto);
        for list in [&mut self.acknowledged, &mut self.unanswered] {
            list.retain(|(_, last)| *last > upto);
            if let Some((first, _)) = list.first_mut() {
                *first = (*first).max(upto + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrote(ledger: &mut Ledger, numbers: impl IntoIterator<Item = u64>, acknowledged: bool) {
        for n in numbers {
            ledger.send(n);
            ledger.answer(acknowledged);
        }
    }

    #[test]
    fn each_number_is_in_one_list() {
        let mut ledger = Ledger::default();
        wrote(&mut ledger, 1..=9, true);
        wrote(&mut ledger, 10..=11, false);
        wrote(&mut ledger, 12..=20, true);
        ledger.send(21);
        assert_eq!(ledger.acknowledged, [(1, 9), (12, 20)]);
        assert_eq!(ledger.unanswered, [(10, 11)]);
        assert_eq!((ledger.under_way, ledger.since), (Some(21), 0));
        ledger.answer(false);
        assert_eq!((&ledger.unanswered[..], ledger.under_way), (&[(10, 11), (21, 21)][..], None));
    }

    #[test]
    fn what_is_forgotten_is_in_none() {
        let mut ledger = Ledger::default();
        wrote(&mut ledger, 1..=9, true);
        wrote(&mut ledger, 10..=11, false);
        wrote(&mut ledger, 12..=20, true);
        ledger.forget(10);
        assert_eq!((&ledger.acknowledged[..], &ledger.unanswered[..]), (&[(12, 20)][..], &[(11, 11)][..]));
        ledger.forget(3);
        assert_eq!(ledger.since, 10);
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut ledger = Ledger::default();
        for n in 1..10_000 {
            wrote(&mut ledger, [n], n % 2 == 0);
        }
        assert_eq!(ledger.unanswered.len(), REMEMBERED);
        assert!(ledger.acknowledged.len() <= REMEMBERED);
        assert_eq!(ledger.unanswered.first(), Some(&(8_001, 8_001)));
        assert_eq!(ledger.since, 7_999);
    }
}
