//! Arming: read-only until someone says, of one cluster and for a while, that it may be changed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::names::{ClusterKey, Context};
use crate::problem::Problem;

/// How long an armed cluster stays armed.
pub const ARMED: SignedDuration = SignedDuration::from_mins(15);

/// Contexts whose clusters are armed and changed only by typing their name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Protected(pub Vec<String>);

impl Default for Protected {
    /// Whatever is called after production.
    fn default() -> Self {
        Protected(vec!["*prod*".into()])
    }
}

impl Protected {
    /// A pattern covers this context: `*` stands for any text, also none. Letters count alike, large or small.
    pub fn covers(&self, context: &Context) -> bool {
        let context = context.as_str().to_lowercase();
        self.0.iter().any(|pattern| matches(&pattern.to_lowercase(), &context))
    }
}

/// `*` stands for any text, also none; everything else for itself.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            let Some(rest) = text.strip_prefix(head) else { return false };
            let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            starts.into_iter().any(|at| matches(tail, &rest[at..]))
        }
    }
}

/// Which clusters may be changed now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arming {
    until: BTreeMap<ClusterKey, Timestamp>,
    /// Nothing can be armed (`--read-only`).
    pub locked: bool,
}

impl Arming {
    /// Arms a cluster for [`ARMED`] from now.
    ///
    /// # Errors
    /// This session is read-only.
    pub fn arm(&mut self, cluster: &ClusterKey, now: Timestamp) -> Result<(), Problem> {
        if self.locked {
            return Err(Problem::refused(format!("{cluster} can't be armed"))
                .because("this session is read-only")
                .try_this("start howdah without --read-only"));
        }
        self.until.insert(cluster.clone(), now + ARMED);
        Ok(())
    }

    /// Takes it back.
    pub fn disarm(&mut self, cluster: &ClusterKey) {
        self.until.remove(cluster);
    }

    /// Keeps a cluster armed that is armed now: something is under way there. Its time runs from now.
    pub fn keep(&mut self, cluster: &ClusterKey, now: Timestamp) {
        if let Some(until) = self.until.get_mut(cluster) {
            *until = now + ARMED;
        }
    }

    /// Until when it is armed; `None`: it is not.
    pub fn until(&self, cluster: &ClusterKey, now: Timestamp) -> Option<Timestamp> {
        self.until.get(cluster).copied().filter(|until| *until > now)
    }

    /// Every cluster armed now, with the end.
    pub fn all(&self, now: Timestamp) -> impl Iterator<Item = (&ClusterKey, Timestamp)> {
        self.until.iter().map(|(key, until)| (key, *until)).filter(move |(_, until)| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armed_for_a_while_and_never_when_read_only() {
        let (key, now) = (ClusterKey::new("aks", "pg", "orders"), Timestamp::UNIX_EPOCH);
        let mut arming = Arming::default();
        arming.keep(&key, now);
        assert_eq!(arming.until(&key, now), None, "what is not armed is not kept armed");
        arming.arm(&key, now).unwrap();
        assert_eq!(arming.until(&key, now), Some(now + ARMED));
        assert_eq!(arming.until(&key, now + ARMED), None);
        arming.keep(&key, now + SignedDuration::from_mins(1));
        assert!(arming.until(&key, now + ARMED).is_some());
        arming.disarm(&key);
        assert_eq!(arming.all(now).count(), 0);
        let mut locked = Arming { locked: true, ..Arming::default() };
        assert_eq!(locked.arm(&key, now).unwrap_err().exit.code(), 3);
    }

    #[test]
    fn contexts_are_protected_by_pattern() {
        let usual = Protected::default();
        let covers = |name: &str| usual.covers(&Context::from(name));
        assert!(covers("aks-prod-west") && covers("PROD") && covers("production"));
        assert!(!covers("lab") && !covers("aks-pro-d"));
        for (pattern, text, yes) in [
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("lab", "lab", true),
            ("lab", "labs", false),
            ("*é*", "café au lait", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), yes, "{pattern} {text}");
        }
    }
}
