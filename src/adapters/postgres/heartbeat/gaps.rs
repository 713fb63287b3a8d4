//! Outages from the times of acknowledged writes, and the times in which nobody looked.

use jiff::{SignedDuration, Timestamp};

use crate::domain::heartbeat::Outage;

/// With fewer answers than this nothing is known of how long they usually take.
const FEW: u64 = 20;
/// Answers are never taken to be steadier than this.
const STEADY: SignedDuration = SignedDuration::from_millis(50);
/// What is taken for usual before enough answers came.
const AT_FIRST: SignedDuration = SignedDuration::from_millis(250);

/// How long answers take, counted by size: each class is twice the one before, from a quarter of a millisecond.
#[derive(Clone, Debug, Default)]
struct Answers([u64; 20]);

impl Answers {
    fn note(&mut self, took: SignedDuration) {
        let quarters = u64::try_from(took.as_micros() / 250).unwrap_or(0);
        let class = (64 - quarters.leading_zeros()) as usize;
        self.0[class.min(self.0.len() - 1)] += 1;
    }

    /// No more than one in twenty takes longer.
    fn usual(&self) -> SignedDuration {
        let all: u64 = self.0.iter().sum();
        if all < FEW {
            return AT_FIRST;
        }
        let mut seen = 0;
        let class = self.0.iter().position(|n| {
            seen += n;
            seen * 20 >= all * 19
        });
        SignedDuration::from_micros(250i64 << class.unwrap_or(self.0.len() - 1)).max(STEADY)
    }
}

/// The gaps between acknowledged writes.
#[derive(Clone, Debug)]
pub struct Gaps {
    begun: Timestamp,
    every: SignedDuration,
    answers: Answers,
    /// What another process found usual.
    told: Option<SignedDuration>,
    last: Option<Timestamp>,
    /// When nobody looked first since the last acknowledged write.
    lost_sight: Option<Timestamp>,
    /// Since when somebody looks again.
    sight: Timestamp,
    /// Nobody looks now, since then.
    blind: Option<Timestamp>,
    /// Outages that ended.
    pub outages: Vec<Outage>,
    /// Times in which nobody looked, that ended.
    pub unmeasured: Vec<Outage>,
}

impl Gaps {
    /// No write yet.
    pub fn new(begun: Timestamp, every: SignedDuration) -> Self {
        Gaps {
            begun,
            every,
            answers: Answers::default(),
            told: None,
            last: None,
            lost_sight: None,
            sight: begun,
            blind: None,
            outages: Vec::new(),
            unmeasured: Vec::new(),
        }
    }

    /// No outage shorter than this can be told from a slow answer.
    pub fn resolution(&self) -> SignedDuration {
        self.told.unwrap_or_else(|| self.every + self.answers.usual() * 2)
    }

    /// What another process's resolution was; one's own counts again with one's own first answer.
    pub fn restore_resolution(&mut self, told: SignedDuration) {
        self.told = Some(told);
    }

    /// The newest acknowledged write.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// A write was acknowledged. The outage that ends with it, if one does.
    pub fn acknowledged(&mut self, at: Timestamp, took: SignedDuration) -> Option<Outage> {
        self.sight_again(at);
        let ended = self.gap(at).map(|from| Outage { from, to: Some(at) });
        self.outages.extend(ended);
        self.told = None;
        self.answers.note(took);
        self.restore(at);
        ended
    }

    /// A write of another process was acknowledged then; its outages are told by [`Gaps::outages`].
    pub fn restore(&mut self, at: Timestamp) {
        self.last = self.last.max(Some(at));
        self.lost_sight = None;
    }

    /// From then on nobody looks: the way is cut on our side of it.
    pub fn lose_sight(&mut self, at: Timestamp) {
        self.blind = Some(self.blind.map_or(at, |was| was.min(at)));
        self.lost_sight = Some(self.lost_sight.map_or(at, |was| was.min(at)));
    }

    /// Somebody looks again.
    pub fn sight_again(&mut self, at: Timestamp) {
        let Some(from) = self.blind.take() else { return };
        self.sight = at;
        match self.unmeasured.last_mut() {
            // A way that comes and goes is one time.
            Some(Outage { to: Some(to), .. }) if from.duration_since(*to) < SignedDuration::from_secs(1) => *to = at,
            _ => self.unmeasured.push(Outage { from, to: Some(at) }),
        }
    }

    /// Everything up to now: an outage and a blind time that go on have no end.
    pub fn all(&self, now: Timestamp) -> (Vec<Outage>, Vec<Outage>) {
        let open = |from: Timestamp| Outage { from, to: None };
        let outages = self.outages.iter().copied().chain(self.gap(now).map(open));
        let unmeasured = self.unmeasured.iter().copied().chain(self.blind.map(open));
        (outages.collect(), unmeasured.collect())
    }

    /// Since when there is none acknowledged, where that is longer than usual. What lies in a time that nobody measured is
    /// counted only if it was bad before or after it.
    fn gap(&self, now: Timestamp) -> Option<Timestamp> {
        let long = |from: Timestamp, to: Timestamp| to.duration_since(from) > self.resolution();
        let last = self.last.unwrap_or(self.begun);
        match self.lost_sight {
            None => long(last, now).then_some(last),
            Some(lost) if long(last, lost) => Some(last),
            Some(_) if self.blind.is_none() && long(self.sight, now) => Some(self.sight),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: i64) -> Timestamp {
        Timestamp::from_millisecond(n).unwrap()
    }

    fn beating(until: i64) -> Gaps {
        let mut gaps = Gaps::new(ms(0), SignedDuration::from_millis(10));
        for at in (0..=until).step_by(10) {
            assert_eq!(gaps.acknowledged(ms(at), SignedDuration::from_millis(2)), None);
        }
        gaps
    }

    const ANSWER: SignedDuration = SignedDuration::from_millis(2);

    #[test]
    fn an_outage_is_a_gap_that_the_pause_does_not_explain() {
        let mut gaps = beating(1000);
        assert_eq!(gaps.resolution(), SignedDuration::from_millis(110));
        assert_eq!(gaps.acknowledged(ms(1100), ANSWER), None);
        assert_eq!(gaps.all(ms(3000)).0, [Outage { from: ms(1100), to: None }]);
        let outage = Outage { from: ms(1100), to: Some(ms(4000)) };
        assert_eq!(gaps.acknowledged(ms(4000), ANSWER), Some(outage));
        assert_eq!(gaps.all(ms(4010)), (vec![outage], vec![]));
    }

    #[test]
    fn what_nobody_measured_is_no_outage_and_hides_none() {
        // Well before and after.
        let mut gaps = beating(1000);
        gaps.lose_sight(ms(1005));
        assert_eq!(gaps.all(ms(5000)), (vec![], vec![Outage { from: ms(1005), to: None }]));
        gaps.sight_again(ms(9000));
        assert_eq!(gaps.acknowledged(ms(9010), ANSWER), None);
        assert_eq!(gaps.unmeasured, [Outage { from: ms(1005), to: Some(ms(9000)) }]);
        // Bad before.
        let mut gaps = beating(1000);
        gaps.lose_sight(ms(2000));
        gaps.sight_again(ms(9000));
        assert_eq!(gaps.acknowledged(ms(9010), ANSWER), Some(Outage { from: ms(1000), to: Some(ms(9010)) }));
        // Bad after.
        let mut gaps = beating(1000);
        gaps.lose_sight(ms(1005));
        gaps.sight_again(ms(9000));
        assert_eq!(gaps.acknowledged(ms(9900), ANSWER), Some(Outage { from: ms(9000), to: Some(ms(9900)) }));
    }

    #[test]
    fn a_way_that_comes_and_goes_is_one_unmeasured_time() {
        let mut gaps = beating(1000);
        for at in [1010, 1500, 2000] {
            gaps.lose_sight(ms(at));
            gaps.sight_again(ms(at + 300));
        }
        assert_eq!(gaps.unmeasured, [Outage { from: ms(1010), to: Some(ms(2300)) }]);
    }
}
