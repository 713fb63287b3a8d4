//! What this account may do with each cluster, by the API's own word: one home for every menu and pane that offers changes.
//!
//! What was not asked, or not answered, is unknown, and unknown is not forbidden: the dry run says so before anything begins.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::names::ClusterKey;
use crate::procedure::{Plan, Right};

/// How long an answer is good for: a right that was granted meanwhile is seen after that.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// What was asked, and what was found missing.
#[derive(Debug, Default)]
pub struct Rights {
    of: BTreeMap<ClusterKey, BTreeMap<Right, Answer>>,
}

#[derive(Debug)]
struct Answer {
    /// When it was last asked.
    asked: Timestamp,
    /// It was found missing, and not found since.
    missing: bool,
}

/// Every right that any of these plans needs.
pub fn needed(plans: impl IntoIterator<Item = Plan>) -> BTreeSet<Right> {
    plans.into_iter().flat_map(|plan| plan.rights()).collect()
}

impl Rights {
    /// Which of these have not been asked lately.
    pub fn due(&self, cluster: &ClusterKey, wanted: BTreeSet<Right>, now: Timestamp) -> BTreeSet<Right> {
        let known = self.of.get(cluster);
        let fresh = |right: &Right| {
            known.and_then(|k| k.get(right)).is_some_and(|answer| now.duration_since(answer.asked) < FRESH)
        };
        wanted.into_iter().filter(|right| !fresh(right)).collect()
    }

    /// These are being asked. What was answered before is believed until the answer comes.
    pub fn ask(&mut self, cluster: &ClusterKey, rights: &BTreeSet<Right>, now: Timestamp) {
        let known = self.of.entry(cluster.clone()).or_default();
        for right in rights {
            known.entry(right.clone()).or_insert(Answer { asked: now, missing: false }).asked = now;
        }
    }

    /// Of these that were asked, those are missing.
    pub fn learn(&mut self, cluster: &ClusterKey, asked: &BTreeSet<Right>, missing: &[Right]) {
        let Some(known) = self.of.get_mut(cluster) else { return };
        for right in asked {
            if let Some(answer) = known.get_mut(right) {
                answer.missing = missing.contains(right);
            }
        }
    }

    /// Why this account may not do what a plan says: the first right that was found missing.
    pub fn forbids(&self, plan: &Plan) -> Option<String> {
        let known = self.of.get(&plan.cluster)?;
        let missing = |right: &Right| known.get(right).is_some_and(|answer| answer.missing);
        plan.rights().into_iter().find(missing).map(|right| format!("you may not {right}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(verb: &str) -> Right {
        let (group, resource, namespace) = (String::new(), "pods".into(), "pg".into());
        Right { verb: verb.into(), group, resource, subresource: None, namespace, name: String::new() }
    }

    #[test]
    fn an_answer_is_asked_for_once_and_again_when_it_is_old() {
        let (mut rights, key) = (Rights::default(), ClusterKey::new("lab", "pg", "orders"));
        let (at, wanted) = (Timestamp::UNIX_EPOCH, BTreeSet::from([right("get"), right("delete")]));
        assert_eq!(rights.due(&key, wanted.clone(), at), wanted);
        rights.ask(&key, &wanted, at);
        assert!(rights.due(&key, wanted.clone(), at + FRESH / 2).is_empty(), "it is on its way");
        rights.learn(&key, &wanted, &[right("delete")]);
        assert_eq!(rights.due(&key, wanted.clone(), at + FRESH), wanted);
        // While it is asked again the old answer holds; another question's answer does not touch it.
        rights.ask(&key, &wanted, at + FRESH);
        rights.learn(&key, &BTreeSet::from([right("get")]), &[]);
        let known = &rights.of[&key];
        assert!(known[&right("delete")].missing && !known[&right("get")].missing);
        rights.learn(&key, &wanted, &[]);
        assert!(!rights.of[&key][&right("delete")].missing);
    }
}
