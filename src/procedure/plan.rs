//! A plan: everything that will be done to one cluster, decided before it begins.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::check::Check;
use super::drill::Objectives;
use super::kind::Kind;
use super::order::{Order, Right};
use crate::domain::health::Level;
use crate::domain::names::{ClusterKey, InstanceName, ZoneName};
use crate::domain::wal::Timeline;

/// A plan. Plain data: it prints, it is journaled whole, it is resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What it is.
    pub kind: Kind,
    /// Which cluster.
    pub cluster: ClusterKey,
    /// In a line: `switch over to pg-primary-2`.
    pub title: String,
    /// When it was made. Facts older than this went into it.
    pub made: Timestamp,
    /// What was chosen, by name: `to`, `zone`, `instances`, `objective`. For the report; nothing reads it back to act.
    pub parameters: BTreeMap<String, String>,
    /// What was looked at beforehand.
    pub findings: Vec<Finding>,
    /// The instances that could lead, where that is the question.
    pub candidates: Vec<Candidate>,
    /// What must still be so when the first change is made.
    pub premise: Premise,
    /// What a drill must reach to pass.
    pub objectives: Option<Objectives>,
    /// The steps, in the order in which they are shown. Needs decide the order in which they run.
    pub steps: Vec<Step>,
}

/// A step's name, unique in its plan, kebab-case: `promote`, `first-write`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(String);

impl StepId {
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for StepId {
    fn from(name: &str) -> Self {
        StepId(name.to_owned())
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// What it does, in a line.
    pub title: String,
    /// What and why, in two sentences.
    pub why: String,
    /// Steps that must have ended well before it begins.
    pub needs: Vec<StepId>,
    /// What a person must say before it acts.
    pub gate: Gate,
    /// What it does to the world; `None`: it only waits for its check, or for a person.
    pub order: Option<Order>,
    /// What shows that it is done. Without one, an interrupted step stops and asks.
    pub check: Option<Check>,
    /// How long the check may take once the order is accepted. Zero: there is nothing to wait for.
    pub within: SignedDuration,
    /// Where the check holds before the step acts, it is done without acting.
    #[serde(default)]
    pub already: bool,
    /// What takes it back, where anything does.
    pub undo: Option<Order>,
    /// It cleans up: it runs at the end however the run went, unless none of the steps that it needs began; its gate is
    /// not asked. Where another step needs it, it runs in its turn as long as the run goes well.
    pub cleanup: bool,
}

impl Step {
    /// A step of that name and title, with nothing else yet.
    pub fn new(id: &str, title: impl Into<String>, why: impl Into<String>) -> Step {
        Step {
            id: id.into(),
            title: title.into(),
            why: why.into(),
            needs: Vec::new(),
            gate: Gate::None,
            order: None,
            check: None,
            within: SignedDuration::ZERO,
            already: false,
            undo: None,
            cleanup: false,
        }
    }

    /// Runs after these.
    #[must_use]
    pub fn after(mut self, needs: &[&str]) -> Step {
        self.needs = needs.iter().map(|n| (*n).into()).collect();
        self
    }

    /// Asks first.
    #[must_use]
    pub fn gated(mut self, gate: Gate) -> Step {
        self.gate = gate;
        self
    }

    /// Does this.
    #[must_use]
    pub fn does(mut self, order: Order) -> Step {
        self.order = Some(order);
        self
    }

    /// Is done when this holds, within that time.
    #[must_use]
    pub fn proven_by(mut self, check: Check, within: SignedDuration) -> Step {
        self.check = Some(check);
        self.within = within;
        self
    }

    /// Has this long, where nothing else proves it than its order's answer.
    #[must_use]
    pub fn within(mut self, within: SignedDuration) -> Step {
        self.within = within;
        self
    }

    /// Is done without acting where its check holds already.
    #[must_use]
    pub fn or_already(mut self) -> Step {
        self.already = true;
        self
    }

    /// Is taken back by this.
    #[must_use]
    pub fn undone_by(mut self, order: Order) -> Step {
        self.undo = Some(order);
        self
    }

    /// Cleans up, however the run went.
    #[must_use]
    pub fn cleans_up(mut self) -> Step {
        self.cleanup = true;
        self
    }
}

/// What a person must say before a step acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Nothing.
    None,
    /// Yes. `--yes` says it too.
    Approve,
    /// This name, typed. `--confirm NAME` says it too; `--yes` does not.
    TypeName(String),
    /// That it was done by hand, as these words tell.
    ByHand(String),
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// As it should be.
    Good,
    /// Worth knowing before; nobody has to answer for it.
    Heed,
    /// Can't be told, and is said so.
    Unknown,
    /// Goes on only when the person says why (`--because`).
    Justify,
    /// Does not go on.
    Blocks,
}

impl Weight {
    /// How bad it is.
    pub fn level(self) -> Level {
        match self {
            Weight::Good => Level::Ok,
            Weight::Heed => Level::Warn,
            Weight::Unknown => Level::Unknown,
            Weight::Justify => Level::Warn,
            Weight::Blocks => Level::Bad,
        }
    }
}

/// Something that was looked at beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at, in two or three words: `replication lag`.
    pub about: String,
    /// How much it weighs.
    pub weight: Weight,
    /// What was seen, with figures, units and the witness.
    pub text: String,
}

/// An instance that could lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    pub instance: InstanceName,
    /// Its zone.
    pub zone: Option<ZoneName>,
    /// It streams from the primary; `None` is unknown.
    pub streaming: Option<bool>,
    /// `sync`, `quorum`, `potential`, `async`.
    pub sync: Option<String>,
    /// Bytes it has not replayed.
    pub lag: Option<u64>,
    /// How long that takes at the rate seen, in whole seconds; `None`: it does not get nearer, or it is not known.
    pub eta: Option<SignedDuration>,
    /// The timeline it follows.
    pub timeline: Option<Timeline>,
    /// The heaviest of what speaks against it.
    pub weight: Weight,
    /// What speaks against it.
    pub against: Vec<Finding>,
}

impl Candidate {
    /// Whether it could lead, and what speaks against it.
    pub fn verdict(&self) -> String {
        let against: Vec<_> = self.against.iter().map(|f| f.text.as_str()).collect();
        let against = against.join("; ");
        match self.weight {
            Weight::Good => "fit".to_owned(),
            Weight::Heed => format!("fit, but {against}"),
            Weight::Unknown => format!("not known: {against}"),
            Weight::Justify => format!("needs a reason: {against}"),
            Weight::Blocks => format!("blocked: {against}"),
        }
    }
}

/// What must still be so when a change is made: the world the plan was shown for.
///
/// Asked again of the API itself right before the first change of a run; where it does not hold any more, nothing is
/// sent and the person is told what moved. Later changes have preconditions of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Premise {
    /// The cluster object's `metadata.uid`.
    pub uid: String,
    /// Values in the cluster object, by JSON pointer; `null` is "absent". `/status/currentPrimary` → `"pg-1"`.
    pub values: BTreeMap<String, serde_json::Value>,
}

impl Premise {
    /// What of it does not hold any more for the cluster object, in words: `/status/currentPrimary was pg-1, is pg-2`. Empty:
    /// all of it holds.
    pub fn moved(&self, object: &serde_json::Value) -> Vec<String> {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        if !self.uid.is_empty() && uid != self.uid {
            return vec!["the cluster was deleted, and another one made under its name".into()];
        }
        let moved = self.values.iter().filter_map(|(pointer, was)| {
            let is = object.pointer(pointer).unwrap_or(&serde_json::Value::Null);
            (is != was).then(|| format!("{pointer} was {}, is {}", word(was), word(is)))
        });
        moved.collect()
    }
}

/// A value in a sentence.
pub(super) fn word(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "absent".into(),
        serde_json::Value::String(text) => crate::text::clean(text),
        // JSON escapes control characters itself.
        other => other.to_string(),
    }
}

impl Plan {
    /// The step of that name.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|s| &s.id == id)
    }

    /// What is wrong with the plan itself: two steps of one name, a need of a step that it doesn't have, or needs that go in
    /// a circle.
    pub fn mistake(&self) -> Option<String> {
        let ids: BTreeSet<_> = self.steps.iter().map(|s| &s.id).collect();
        if ids.len() < self.steps.len() {
            return Some("two steps have one name".into());
        }
        for step in &self.steps {
            if let Some(need) = step.needs.iter().find(|need| !ids.contains(need)) {
                return Some(format!("step {} needs {need}, which it doesn't have", step.id));
            }
        }
        // Whatever can run in its turn is taken out; what is left waits for itself.
        let mut left: Vec<&Step> = self.steps.iter().collect();
        loop {
            let waits = |s: &&Step| s.needs.iter().any(|need| left.iter().any(|other| other.id == *need));
            let still: Vec<&Step> = left.iter().copied().filter(|s| waits(s)).collect();
            match still.len() {
                0 => return None,
                n if n == left.len() => return Some(format!("step {} waits for itself", still[0].id)),
                _ => left = still,
            }
        }
    }

    /// Every right that its orders need, also those that take back.
    pub fn rights(&self) -> Vec<Right> {
        let orders = self.steps.iter().flat_map(|s| s.order.iter().chain(&s.undo));
        orders.flat_map(Order::rights).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The other clusters that its checks ask of.
    pub fn others(&self) -> BTreeSet<&ClusterKey> {
        self.steps.iter().filter_map(|s| s.check.as_ref()).flat_map(Check::others).collect()
    }

    /// Its cluster, and the others.
    pub fn clusters(&self) -> BTreeSet<&ClusterKey> {
        std::iter::once(&self.cluster).chain(self.others()).collect()
    }

    /// A step of it changes the cluster's objects.
    pub fn changes_cluster(&self) -> bool {
        self.steps.iter().any(|s| s.order.as_ref().is_some_and(Order::changes_cluster))
    }

    /// The heaviest finding.
    pub fn weight(&self) -> Weight {
        self.findings.iter().map(|f| f.weight).max().unwrap_or(Weight::Good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_premise_says_what_moved() {
        let premise = Premise {
            uid: "u-1".into(),
            values: BTreeMap::from([
                ("/status/currentPrimary".to_owned(), json!("pg-1")),
                ("/metadata/annotations/cnpg.io~1hibernation".to_owned(), json!(null)),
            ]),
        };
        let mut object = json!({"metadata": {"uid": "u-1"}, "status": {"currentPrimary": "pg-1"}});
        assert_eq!(premise.moved(&object), Vec::<String>::new());
        object["metadata"]["annotations"]["cnpg.io/hibernation"] = json!("on");
        object["status"]["currentPrimary"] = json!("pg-2");
        assert_eq!(
            premise.moved(&object),
            [
                "/metadata/annotations/cnpg.io~1hibernation was absent, is on",
                "/status/currentPrimary was pg-1, is pg-2"
            ]
        );
        object["metadata"]["uid"] = json!("u-2");
        assert_eq!(premise.moved(&object).len(), 1, "it is another cluster");
    }
}
