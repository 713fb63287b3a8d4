//! Marks: the moments of a failover or a switchover that can be seen from outside.
//!
//! The order in which they come is that of the recordings of a real operator, and none of them rests on the phase alone: the
//! target flaps between the old name and `pending` before it settles, the lease decides, the endpoints of `-rw` are empty
//! for a while, the phase comes late or never.

use jiff::Timestamp;
use std::collections::BTreeSet;

use crate::domain::cluster::Cluster;
use crate::domain::event::{Happening, Transition, What as Happened};
use crate::domain::facts::Facts;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::picture::Picture;
use crate::domain::wal::Timeline;
use crate::procedure::entry::What;

/// Marks kept of one drill: a cluster that flaps for hours does not fill its journal.
const MOST: usize = 500;

/// A moment that can be seen. The words are those of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// The `-rw` service leads nowhere.
    WritesNowhere,
    /// The operator took back its target: a failover is decided, the candidate is not.
    Undecided,
    /// The operator named a target.
    Target,
    /// The lease was given up or ran out.
    LeaseFree,
    /// Somebody took the lease.
    LeaseTaken,
    /// The operator names another primary.
    Primary,
    /// The new primary is out of recovery by its own word.
    Promoted,
    /// The `-rw` service leads to somebody.
    WritesMoved,
    /// The operator's phase changed.
    Phase,
    /// A pod came, went, became ready or ceased to be.
    Pod,
    /// A standby began or ceased to stream.
    Streaming,
    /// The timeline in the operator's status changed.
    Timeline,
}

impl Mark {
    /// Every mark.
    pub const ALL: &[Mark] = &[
        Mark::WritesNowhere,
        Mark::Undecided,
        Mark::Target,
        Mark::LeaseFree,
        Mark::LeaseTaken,
        Mark::Primary,
        Mark::Promoted,
        Mark::WritesMoved,
        Mark::Phase,
        Mark::Pod,
        Mark::Streaming,
        Mark::Timeline,
    ];

    /// Its word in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Mark::WritesNowhere => "writes-nowhere",
            Mark::Undecided => "undecided",
            Mark::Target => "target",
            Mark::LeaseFree => "lease-free",
            Mark::LeaseTaken => "lease-taken",
            Mark::Primary => "primary",
            Mark::Promoted => "promoted",
            Mark::WritesMoved => "writes-moved",
            Mark::Phase => "phase",
            Mark::Pod => "pod",
            Mark::Streaming => "streaming",
            Mark::Timeline => "timeline",
        }
    }

    /// The mark of that word.
    pub fn named(word: &str) -> Option<Mark> {
        Mark::ALL.iter().copied().find(|m| m.word() == word)
    }
}

/// Who led before the drill, and what has been seen since.
#[derive(Clone, Debug)]
pub struct Observer {
    cluster: ClusterKey,
    leader: Option<InstanceName>,
    timeline: Option<Timeline>,
    /// Instances whose promotion was told already.
    promoted: BTreeSet<InstanceName>,
    told: usize,
}

impl Observer {
    /// Looks at a cluster that `leader` leads on `timeline`.
    pub fn new(cluster: &ClusterKey, leader: Option<InstanceName>, timeline: Option<Timeline>) -> Observer {
        Observer { cluster: cluster.clone(), leader, timeline, promoted: BTreeSet::new(), told: 0 }
    }

    /// Looks at a cluster as it stands now.
    pub fn of(facts: &Facts, cluster: &Cluster) -> Observer {
        let picture = Picture::of(facts, cluster);
        let leader = picture.primary.clone();
        let timeline = leader.as_ref().and_then(|l| picture.get(l)).and_then(|i| i.timeline).or(cluster.timeline);
        Observer::new(&cluster.key, leader, timeline)
    }

    /// Who led when it began to look.
    pub fn leader(&self) -> Option<&InstanceName> {
        self.leader.as_ref()
    }

    /// The timeline it wrote on.
    pub fn timeline(&self) -> Option<Timeline> {
        self.timeline
    }

    /// What a happening means for the drill, as an entry for the journal.
    pub fn hear(&mut self, happening: &Happening) -> Option<What> {
        if happening.cluster.as_ref() != Some(&self.cluster) {
            return None;
        }
        let Happened::Transition(transition) = &happening.what else { return None };
        let (mark, text) = self.meaning(transition)?;
        self.mark(mark, happening.at, text)
    }

    fn mark(&mut self, mark: Mark, seen: Timestamp, text: String) -> Option<What> {
        if self.told == MOST {
            return None;
        }
        self.told += 1;
        Some(What::Observed { mark: mark.word().into(), seen, text })
    }

    fn meaning(&self, transition: &Transition) -> Option<(Mark, String)> {
        Some(match transition {
            Transition::Target { to, .. } => match to.as_deref() {
                Some("pending") => (Mark::Undecided, "the operator's target is pending".into()),
                Some(name) => (Mark::Target, format!("the operator's target is {name}")),
                None => return None,
            },
            Transition::Lease { from, to } => match to {
                Some(name) => (Mark::LeaseTaken, format!("{name} holds the lease")),
                None => (Mark::LeaseFree, format!("the lease is free, was {}", name_of(from.as_ref()))),
            },
            Transition::Primary { to: Some(name), .. } => (Mark::Primary, format!("the operator's primary is {name}")),
            Transition::ReadWrite { to, .. } => match to.as_slice() {
                [] => (Mark::WritesNowhere, format!("{}-rw leads nowhere", self.cluster.name)),
                names => (Mark::WritesMoved, format!("{}-rw leads to {}", self.cluster.name, joined(names))),
            },
            Transition::Phase { to: Some(phase), .. } => (Mark::Phase, phase.clone()),
            Transition::Pod { instance, change } => (Mark::Pod, format!("pod {instance} {change}")),
            Transition::Streaming { instance, streaming: true } => (Mark::Streaming, format!("{instance} streams")),
            Transition::Streaming { instance, .. } => (Mark::Streaming, format!("{instance} streams no more")),
            Transition::Timeline { to: Some(to), .. } => (Mark::Timeline, format!("the status says timeline {to}")),
            _ => return None,
        })
    }

    /// What the facts show that no transition tells: who says of itself that it leads now.
    ///
    /// The time is that of the answer. A leader that was not one before is promoted; so is the old one on a later timeline.
    pub fn look(&mut self, facts: &Facts) -> Option<What> {
        let cluster = facts.clusters.get(&self.cluster)?;
        let picture = Picture::of(facts, cluster);
        let leads = |i: &&crate::domain::picture::InstancePicture<'_>| {
            i.own.is_some_and(|o| o.primary)
                && (Some(i.name()) != self.leader.as_ref() || later(self.timeline, i.timeline))
                && !self.promoted.contains(i.name())
        };
        let new = picture.instances.iter().find(leads)?;
        let (name, seen) = (new.name().clone(), new.seen?);
        let witness = if new.own.is_some_and(|o| o.by_sql) { "SQL" } else { "/pg/status" };
        let on = new.timeline.map(|t| format!(", timeline {t}")).unwrap_or_default();
        self.promoted.insert(name.clone());
        self.mark(Mark::Promoted, seen, format!("{name} is out of recovery by {witness}{on}"))
    }
}

fn later(before: Option<Timeline>, now: Option<Timeline>) -> bool {
    matches!((before, now), (Some(before), Some(now)) if now > before)
}

fn name_of(name: Option<&InstanceName>) -> String {
    name.map_or("nobody's".into(), ToString::to_string)
}

fn joined(names: &[InstanceName]) -> String {
    names.iter().map(InstanceName::as_str).collect::<Vec<_>>().join(", ")
}

/// The operator's target as a mark's text says it.
pub(super) fn target_of(text: &str) -> Option<&str> {
    text.strip_prefix("the operator's target is ").filter(|name| *name != "pending")
}
