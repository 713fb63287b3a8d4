//! A plan in the making: what is known, and what every act asks of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use super::View;
use super::guards;
use crate::domain::cluster::{Cluster, Instance, VolumePurpose};
use crate::domain::health::evidence::{Answer, Evidence, Voice};
use crate::domain::names::InstanceName;
use crate::domain::replication::SyncState;
use crate::domain::source::Witness;
use crate::domain::wal::Timeline;
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Finding, Plan, Premise, Step, Weight};

/// Nothing of the cluster's size: a few seconds as the recordings show, and a wide margin for slow storage.
pub(super) const SOON: SignedDuration = SignedDuration::from_mins(3);
/// A pod goes, comes back and passes its first probe (every 10 s): a slow image pull or volume may take minutes.
pub(super) const POD: SignedDuration = SignedDuration::from_mins(10);
/// A clone reads at least this many bytes a second: less than the slowest managed disk of the guides.
const CLONE_RATE: u64 = 20 << 20;

pub(super) struct Making<'a> {
    pub cluster: &'a Cluster,
    pub view: View<'a>,
    pub e: Evidence<'a>,
    findings: Vec<Finding>,
}

impl<'a> Making<'a> {
    pub fn new(cluster: &'a Cluster, view: View<'a>) -> Self {
        let e = Evidence::new(view.facts, cluster, view.history, view.limits, view.now);
        Making { cluster, view, e, findings: Vec::new() }
    }

    pub fn now(&self) -> Timestamp {
        self.view.now
    }

    /// The cluster's name.
    pub fn name(&self) -> &str {
        &self.cluster.key.name
    }

    /// Something was looked at.
    pub fn found(&mut self, about: &str, weight: Weight, text: impl Display) {
        self.findings.push(Finding { about: about.into(), weight, text: text.to_string() });
    }

    pub fn good(&mut self, about: &str, text: impl Display) {
        self.found(about, Weight::Good, text);
    }

    /// The same with its witness.
    pub fn found_by(&mut self, about: &str, weight: Weight, text: impl Display, witness: &Witness) {
        self.found(about, weight, format!("{text} ({witness})"));
    }

    /// The plan, with what every plan looks at.
    pub fn plan(&mut self, kind: Kind, title: String, steps: Vec<Step>) -> Plan {
        Plan {
            kind,
            cluster: self.cluster.key.clone(),
            title,
            made: self.now(),
            parameters: BTreeMap::new(),
            findings: std::mem::take(&mut self.findings),
            candidates: Vec::new(),
            objectives: None,
            premise: self.premise(&[]),
            steps,
        }
    }

    /// The same cluster, with these values in its object.
    pub fn premise(&self, values: &[(&str, Value)]) -> Premise {
        let values = values.iter().map(|(pointer, value)| ((*pointer).to_owned(), value.clone())).collect();
        Premise { uid: self.cluster.uid.clone(), values }
    }

    /// The primary as the operator names it, as a premise.
    pub fn same_primary(&self) -> Premise {
        let primary = self.cluster.primary.as_ref().map_or(Value::Null, |p| p.as_str().into());
        self.premise(&[("/status/currentPrimary", primary)])
    }

    /// The instance of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn instance(&self, name: &InstanceName) -> Result<&'a Instance, Problem> {
        let cluster = self.cluster;
        cluster.instance(name).ok_or_else(|| {
            let all: Vec<_> = cluster.instances.iter().map(|i| i.name.as_str()).collect();
            Problem::usage(format!("{} has no instance {name}", cluster.key))
                .try_this(format!("it has {}", all.join(", ")))
        })
    }

    /// What keeps every act from going on, or makes it doubtful.
    pub fn guard(&mut self, needs: guards::Needs) {
        guards::look(self, needs);
    }

    /// Who leads: by its own word, else as the operator names it.
    pub fn leader(&self) -> Option<&'a InstanceName> {
        self.e.primary().map(|a| a.name).or(self.cluster.primary.as_ref())
    }

    /// Is it the one that leads, or shall?
    pub fn leads_or_shall(&self, name: &InstanceName) -> bool {
        use crate::domain::cluster::Target;
        self.leader() == Some(name)
            || self.cluster.primary.as_ref() == Some(name)
            || matches!(&self.cluster.target, Some(Target::Instance(t)) if t == name)
    }

    /// Says how the primary does, and gives its answer.
    pub fn primary_answers(&mut self, weight: Weight) -> Option<Answer<'a>> {
        match self.e.primary() {
            Some(p) => {
                self.found_by("primary", Weight::Good, format!("{} leads by its own word", p.name), &p.source().0);
                Some(p)
            }
            None => {
                let who = self.cluster.primary.as_ref().map_or("a primary", InstanceName::as_str).to_owned();
                let why = self.cluster.primary.as_ref().and_then(|p| self.cluster.instance(p)).map(|i| why(self, i));
                let why = why.unwrap_or_else(|| "none is named".into());
                self.found("primary", weight, format!("{who} does not say that it leads: {why}"));
                None
            }
        }
    }

    /// The timeline that the primary writes, as far as it is known.
    pub fn timeline(&self) -> Option<Timeline> {
        let primary = self.e.primary();
        let own = primary.as_ref().and_then(|p| p.sql).and_then(|(s, _)| s.timeline);
        let status = primary.as_ref().and_then(|p| p.status).and_then(|(s, _)| s.timeline);
        own.or(status.max(self.cluster.timeline))
    }

    /// When PostgreSQL of an instance started, by its own clock where it can be asked: a later start is another one,
    /// whatever clocks say.
    pub fn started(&self, name: &InstanceName) -> Timestamp {
        let sql = self.e.samples(name).and_then(|s| s.last_sql.as_ref()).and_then(|p| p.value()?.started);
        let pod = self.cluster.instance(name).and_then(|i| i.pod.as_ref()).and_then(|p| p.started);
        sql.or(pod).unwrap_or(self.now())
    }

    /// As many instances as are asked for.
    pub fn wanted(&self) -> u32 {
        self.cluster.wanted.unwrap_or_else(|| u32::try_from(self.cluster.instances.len()).unwrap_or(1))
    }

    /// How long a clone of the primary may take: its volume's size at a slow rate, and the time a pod takes.
    pub fn clone_time(&self) -> SignedDuration {
        let data = |v: &&Arc<crate::domain::cluster::Volume>| v.purpose == VolumePurpose::Data;
        let size = self.cluster.volumes.iter().filter(data).filter_map(|v| v.capacity.or(v.requested)).max();
        let seconds = size.unwrap_or(100 << 30) / CLONE_RATE;
        POD + SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 4))
    }

    /// A last step: all is as it should be again.
    pub fn redundant_again(&self, instances: u32, after: &str, within: SignedDuration) -> Step {
        Step::new(
            "redundant",
            "all instances stream again",
            format!(
                "Only then could {} lose an instance without an outage. Waits up to {within:#}: a pod passes its first \
                 probe every 10 s, and a standby may have to rewind first.",
                self.name()
            ),
        )
        .after(&[after])
        .proven_by(Check::FullyRedundant { instances }, within)
    }

    /// Synchronous commit without these instances: how many confirm now, how many of them stay, how many are needed.
    pub fn confirming_without(&self, gone: &[&InstanceName]) -> Option<Confirming> {
        let primary = self.e.primary()?;
        let rule = primary.sql.and_then(|(s, _)| s.sync_rule.as_ref()?.as_ref().ok());
        let live = rule.map(|r| r.as_ref().map_or(0, |r| r.number));
        let needed = live.unwrap_or(self.cluster.sync.number).max(self.cluster.sync.number);
        let (rows, all, witness, _) = primary.standbys()?;
        let confirms = |name: &str| {
            rows.iter().any(|r| {
                r.name == name
                    && r.state.as_deref() == Some("streaming")
                    && matches!(r.sync, Some(SyncState::Sync | SyncState::Quorum | SyncState::Potential))
            })
        };
        let stay = rows.iter().filter(|r| confirms(&r.name) && gone.iter().all(|g| **g != *r.name)).count();
        let stay = u32::try_from(stay).unwrap_or(u32::MAX);
        (all || needed == 0).then_some(Confirming { stay, needed, hangs: !self.cluster.sync.preferred, witness })
    }

    /// Says what synchronous commit does while these instances are away.
    pub fn commits_without(&mut self, gone: &[&InstanceName]) {
        let about = "synchronous commit";
        match self.confirming_without(gone) {
            None => self.found(about, Weight::Unknown, "who confirms commits can't be told"),
            Some(c) if c.needed == 0 => self.good(about, "commits wait for no standby"),
            Some(c) if c.stay >= c.needed => {
                let text = format!("standbys left to confirm commits: {}, needed: {}", c.stay, c.needed);
                self.found_by(about, Weight::Good, text, &c.witness);
            }
            Some(c) => {
                let then =
                    if c.hangs { "writes hang until one is back" } else { "commits are not confirmed meanwhile" };
                let text =
                    format!("{} of {} needed standbys would be left to confirm commits: {then}", c.stay, c.needed);
                self.found_by(about, Weight::Justify, text, &c.witness);
            }
        }
    }

    /// Instances other than the primary that serve and stream now.
    pub fn streaming(&self) -> Vec<&'a InstanceName> {
        let Some(primary) = self.e.primary() else { return Vec::new() };
        let Some((rows, ..)) = primary.standbys() else { return Vec::new() };
        let streams = |n: &InstanceName| rows.iter().any(|r| *n == *r.name && r.state.as_deref() == Some("streaming"));
        self.e.standbys().filter(|n| streams(n)).collect()
    }
}

/// See [`Making::confirming_without`].
pub(super) struct Confirming {
    pub stay: u32,
    pub needed: u32,
    /// Commits wait for ever rather than go on unconfirmed.
    pub hangs: bool,
    pub witness: Witness,
}

/// Why an instance has no word of its own.
pub(super) fn why(m: &Making<'_>, instance: &Instance) -> String {
    let Some(instance) = m.cluster.instance(&instance.name) else { return "it is not there".into() };
    match m.e.voice(&instance.name) {
        Voice::Serves(a) if a.is_primary() == Some(false) => "it is in recovery".into(),
        Voice::Serves(_) => "it does not say whether it is in recovery".into(),
        Voice::Down { why, .. } | Voice::Silent { why, .. } | Voice::Closed { why, .. } => why,
        Voice::Stale { .. } => "its last answer is too old".into(),
        Voice::Unasked => "it was not asked".into(),
    }
}

/// `a, b and c`.
pub(super) fn names<'n>(all: impl IntoIterator<Item = &'n InstanceName>) -> String {
    let all: Vec<&str> = all.into_iter().map(InstanceName::as_str).collect();
    match all.split_last() {
        None => "none".into(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
