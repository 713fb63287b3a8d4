//! Objectives: what a drill must reach to pass.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::domain::heartbeat::Tally;
use crate::domain::quantity::{span, tenths};

/// What must be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objectives {
    /// The longest time without an acknowledged write.
    pub rto: SignedDuration,
    /// The most acknowledged writes that may be missing afterwards.
    pub rpo: u64,
}

impl Default for Objectives {
    /// Half a minute, and nothing lost: what the guides' clusters reach with time to spare.
    fn default() -> Self {
        Objectives { rto: SignedDuration::from_secs(30), rpo: 0 }
    }
}

/// What came of one objective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Result {
    /// `RTO` or `RPO`.
    pub name: String,
    /// It was met. `None`: it was not measured, which is not a pass.
    pub met: Option<bool>,
    /// What was asked and what was reached, in words.
    pub text: String,
}

impl Objectives {
    /// Holds what was measured against them: the count, and the outage that the blow brought. Without a count, or where the
    /// blow was never struck, nothing was measured.
    pub fn judge(&self, tally: Option<&Tally>, outage: Option<SignedDuration>) -> Vec<Result> {
        vec![self.time(tally, outage), self.loss(tally)]
    }

    fn time(&self, tally: Option<&Tally>, outage: Option<SignedDuration>) -> Result {
        let asked = span(self.rto);
        let (met, text) = match (tally, outage) {
            (None, _) => (None, format!("nothing was measured; asked was {asked} at most")),
            (Some(t), _) if t.acknowledged == 0 => {
                (None, format!("no write was acknowledged; asked was {asked} at most"))
            }
            (Some(t), _) if t.outages.iter().any(|o| o.to.is_none()) => {
                (Some(false), format!("writes had not come back at the end; asked was {asked} at most"))
            }
            (Some(t), _) if !t.unmeasured.is_empty() => {
                (None, format!("not measured throughout, {} s at least; asked was {asked} at most", tenths(t.longest)))
            }
            (Some(_), None) => (None, format!("the outage was not seen to end; asked was {asked} at most")),
            (Some(_), Some(outage)) => {
                (Some(outage <= self.rto), format!("{} s without a write; asked was {asked} at most", tenths(outage)))
            }
        };
        Result { name: "RTO".into(), met, text }
    }

    fn loss(&self, tally: Option<&Tally>) -> Result {
        let (met, text) = match tally {
            None => (None, format!("nothing was measured; asked was {} lost at most", self.rpo)),
            Some(t) if t.acknowledged == 0 => (None, "no write was acknowledged, none could be lost".into()),
            Some(t) => (
                Some(t.lost <= self.rpo),
                format!("{} of {} acknowledged writes lost; asked was {} at most", t.lost, t.acknowledged, self.rpo),
            ),
        };
        Result { name: "RPO".into(), met, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::heartbeat::Outage;
    use jiff::Timestamp;

    fn tally(lost: u64) -> Tally {
        Tally { acknowledged: 100, lost, ..Tally::default() }
    }

    fn met(asked: Objectives, tally: Option<&Tally>, seconds: Option<i64>) -> bool {
        asked.judge(tally, seconds.map(SignedDuration::from_secs)).iter().all(|r| r.met == Some(true))
    }

    #[test]
    fn met_and_missed() {
        let asked = Objectives::default();
        assert!(met(asked, Some(&tally(0)), Some(4)));
        assert!(!met(asked, Some(&tally(0)), Some(31)));
        assert!(!met(asked, Some(&tally(1)), Some(4)));
        assert!(met(Objectives { rpo: 1, ..asked }, Some(&tally(1)), Some(4)));
    }

    /// As precise as the outage is told everywhere else: 21.8 s against 21 s at most is no pass that reads like one.
    #[test]
    fn the_outage_is_told_to_the_tenth() {
        let asked = Objectives { rto: SignedDuration::from_secs(21), ..Objectives::default() };
        let [rto, _] = asked.judge(Some(&tally(0)), Some(SignedDuration::from_millis(21_840))).try_into().unwrap();
        assert_eq!((rto.met, rto.text.as_str()), (Some(false), "21.8 s without a write; asked was 21s at most"));
    }

    #[test]
    fn what_was_not_measured_is_not_a_pass() {
        let asked = Objectives::default();
        assert!(!met(asked, None, Some(4)));
        assert!(!met(asked, Some(&tally(0)), None));
        assert!(!met(asked, Some(&Tally::default()), Some(4)));
        let gap = Outage { from: Timestamp::UNIX_EPOCH, to: None };
        let broken = Tally { unmeasured: vec![gap], ..tally(0) };
        assert_eq!(asked.judge(Some(&broken), Some(SignedDuration::ZERO))[0].met, None);
        let open = Tally { outages: vec![gap], ..tally(0) };
        assert_eq!(asked.judge(Some(&open), None)[0].met, Some(false));
    }
}
