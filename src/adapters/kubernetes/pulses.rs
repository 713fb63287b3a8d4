//! The health of the sources that ask instances, told per cluster: one instance that answers keeps the source live, and
//! its instances' own silence is in their samples.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

use super::super::inbox::Outbox;
use crate::domain::facts::Fact;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::sample::{Silence, SilenceKind};
use crate::domain::source::{SourceHealth, SourceId, SourceState};

#[derive(Default)]
struct Known {
    proven: Option<Timestamp>,
    silent: BTreeMap<InstanceName, Silence>,
    told: Option<SourceHealth>,
}

/// What is known of each source.
pub struct Pulses {
    outbox: Outbox,
    known: BTreeMap<SourceId, Known>,
}

impl Pulses {
    /// Nothing known yet.
    pub fn new(outbox: Outbox) -> Self {
        Pulses { outbox, known: BTreeMap::new() }
    }

    /// Forgets clusters that are gone.
    pub fn keep(&mut self, is: impl Fn(&ClusterKey) -> bool) {
        self.known.retain(|id, _| id.cluster().is_none_or(&is));
    }

    /// An instance answered, or did not; it is asked again after `pause`.
    pub fn answered(&mut self, id: SourceId, instance: &InstanceName, silence: Option<&Silence>, pause: Duration) {
        let now = Timestamp::now();
        let known = self.known.entry(id.clone()).or_default();
        match silence {
            // "I can't serve" is an answer: the way to the instance is open.
            None | Some(Silence { kind: SilenceKind::NotServing, .. }) => {
                known.proven = Some(now);
                known.silent.remove(instance);
            }
            Some(silence) => {
                known.silent.insert(instance.clone(), silence.clone());
            }
        }
        let patience = SignedDuration::try_from(pause * 3 + Duration::from_secs(2)).unwrap_or(SignedDuration::MAX);
        let live = known.proven.is_some_and(|p| now.duration_since(p) <= patience);
        let state = match (live, silence) {
            (true, _) | (_, None) => SourceState::Live,
            (_, Some(Silence { kind: SilenceKind::Forbidden, why })) => SourceState::Absent(why.clone()),
            (_, Some(Silence { why, .. })) => SourceState::Failing {
                why: why.clone(),
                again_at: now.checked_add(pause).unwrap_or(Timestamp::MAX),
                try_this: None,
            },
        };
        let health = SourceHealth { state, proven: known.proven };
        if known.told.as_ref() != Some(&health) {
            known.told = Some(health.clone());
            self.outbox.publish(Fact::Source(id, health));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::inbox::{Incoming, inbox};
    use super::*;

    #[test]
    fn one_that_answers_keeps_the_source_live() {
        let (out, mut inbox) = inbox();
        let mut pulses = Pulses::new(out);
        let key = ClusterKey::new("lab", "pg", "demo");
        let mut state = |instance: &str, silence: Option<Silence>| {
            let id = SourceId::Status(key.clone());
            pulses.answered(id, &instance.into(), silence.as_ref(), Duration::from_secs(1));
            match inbox.drain(1).pop() {
                Some(Incoming::Fact(Fact::Source(_, health))) => Some(health.state),
                _ => None,
            }
        };
        let silence = |kind| Some(Silence { kind, why: "because".into() });
        assert_eq!(
            state("demo-1", silence(SilenceKind::Forbidden)),
            Some(SourceState::Absent("because".into())),
            "told with its reason"
        );
        assert_eq!(state("demo-2", silence(SilenceKind::NotServing)), Some(SourceState::Live));
        assert_eq!(state("demo-1", silence(SilenceKind::TimedOut)), None, "still live through demo-2");
    }
}
