//! The phases of a failover, read off the marks.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::marks::{Mark, target_of};
use crate::domain::names::InstanceName;

/// When each phase ended. What was not seen is `None`, never guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// The blow was struck: the order was sent.
    pub struck: Option<Timestamp>,
    /// The operator was seen to react: it took back its target or named another, or the writes led nowhere.
    pub detected: Option<Timestamp>,
    /// The last naming of the one who then led, before it led.
    pub elected: Option<Timestamp>,
    /// The new primary was out of recovery by its own word, or the operator confirmed it: the earlier of the two.
    pub promoted: Option<Timestamp>,
    /// The first acknowledged write after the outage.
    pub first_write: Option<Timestamp>,
    /// Everything streams again, as many as before.
    pub redundant: Option<Timestamp>,
    /// Who leads now.
    pub leader: Option<InstanceName>,
}

/// One mark as the journal has it.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Which.
    pub mark: Mark,
    /// When.
    pub at: Timestamp,
    /// In words.
    pub text: &'a str,
}

impl Phases {
    /// Reads the phases of what began with `struck` off marks in the order of the journal.
    pub fn of(struck: Timestamp, before: Option<&InstanceName>, marks: &[Seen<'_>]) -> Phases {
        let after = || marks.iter().filter(move |m| m.at >= struck);
        let leader = leader(before, marks, struck);
        let promoted = after()
            .filter(|m| matches!(m.mark, Mark::Promoted | Mark::Primary))
            .filter(|m| leader.as_ref().is_some_and(|l| names(m.text, l)))
            .map(|m| m.at)
            .min();
        let other = |m: &&Seen<'_>| target_of(m.text).is_some_and(|t| before.is_none_or(|b| *b != t));
        let detected = after()
            .filter(|m| match m.mark {
                Mark::Undecided | Mark::WritesNowhere => true,
                Mark::Target => other(m),
                _ => false,
            })
            .map(|m| m.at)
            .min();
        // The target flaps: the last naming before the promotion is the election.
        let elected = after()
            .filter(|m| {
                m.mark == Mark::Target && leader.as_ref().is_some_and(|l| target_of(m.text) == Some(l.as_str()))
            })
            .filter(|m| promoted.is_none_or(|p| m.at <= p))
            .map(|m| m.at)
            .max();
        Phases { struck: Some(struck), detected, elected, promoted, leader, ..Phases::default() }
    }

    /// The phases with how long each took, in order: from the end of the one before it that was seen. The last is the
    /// time from the blow to full redundancy.
    pub fn spans(&self) -> Vec<(&'static str, Option<SignedDuration>)> {
        let mut last = self.struck;
        let mut out = Vec::new();
        for (name, end) in [
            ("detect", self.detected),
            ("elect", self.elected),
            ("promote", self.promoted),
            ("first write", self.first_write),
        ] {
            // Two witnesses may see two phases in the other order: that one took no time that could be told.
            let took = end.zip(last).map(|(end, last)| end.duration_since(last).max(SignedDuration::ZERO));
            out.push((name, took));
            last = end.or(last);
        }
        out.push(("full redundancy", self.redundant.zip(self.struck).map(|(end, struck)| end.duration_since(struck))));
        out
    }
}

/// Whom the last of the marks call primary.
fn leader(before: Option<&InstanceName>, marks: &[Seen<'_>], struck: Timestamp) -> Option<InstanceName> {
    let after = marks.iter().filter(|m| m.at >= struck);
    let named = |m: &Seen<'_>| match m.mark {
        Mark::Primary => m.text.strip_prefix("the operator's primary is ").map(InstanceName::from),
        Mark::Promoted => m.text.split(' ').next().map(InstanceName::from),
        _ => None,
    };
    after.filter_map(named).next_back().or_else(|| before.cloned())
}

fn names(text: &str, name: &InstanceName) -> bool {
    text.split(' ').any(|word| word == name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn seen(ms: i64, mark: Mark, text: &'static str) -> Seen<'static> {
        Seen { mark, at: at(ms), text }
    }

    /// The order of a real failover: the target flaps, and the status names the primary after it said so itself.
    #[test]
    fn a_flapping_target_is_elected_once() {
        let marks = [
            seen(60, Mark::WritesNowhere, "demo-rw leads nowhere"),
            seen(100, Mark::Undecided, "the operator's target is pending"),
            seen(300, Mark::Target, "the operator's target is demo-1"),
            seen(500, Mark::Undecided, "the operator's target is pending"),
            seen(1_300, Mark::Target, "the operator's target is demo-3"),
            seen(1_400, Mark::LeaseTaken, "demo-3 holds the lease"),
            seen(2_300, Mark::Promoted, "demo-3 is out of recovery by SQL, timeline 2"),
            seen(2_400, Mark::Primary, "the operator's primary is demo-3"),
        ];
        let phases = Phases::of(at(0), Some(&"demo-1".into()), &marks);
        assert_eq!(phases.leader, Some("demo-3".into()));
        assert_eq!(phases.detected, Some(at(60)));
        assert_eq!(phases.elected, Some(at(1_300)));
        assert_eq!(phases.promoted, Some(at(2_300)));
        let spans: Vec<_> = phases.spans().into_iter().map(|(_, s)| s.map(|s| s.as_millis())).collect();
        assert_eq!(spans, [Some(60), Some(1_240), Some(1_000), None, None]);
    }

    #[test]
    fn what_was_before_the_blow_does_not_count() {
        let marks = [seen(-50, Mark::Target, "the operator's target is demo-2"), seen(10, Mark::Phase, "Failing over")];
        let phases = Phases::of(at(0), Some(&"demo-1".into()), &marks);
        assert_eq!((phases.detected, phases.elected, phases.promoted), (None, None, None));
        assert_eq!(phases.leader, Some("demo-1".into()));
    }

    /// Two witnesses saw two phases the other way round.
    #[test]
    fn no_phase_takes_less_than_no_time() {
        let phases =
            Phases { struck: Some(at(0)), promoted: Some(at(900)), first_write: Some(at(800)), ..Phases::default() };
        assert_eq!(phases.spans()[3].1, Some(SignedDuration::ZERO));
    }
}
