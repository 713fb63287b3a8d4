//! Everything the panes read: facts, verdicts, history, happenings, details. The app feeds it, panes only look.

use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::digest::Digest;
use crate::domain::detail::{DetailNews, LogLine, Subject};
use crate::domain::event::{Happening, Transition, What};
use crate::domain::facts::{Fact, Facts};
use crate::domain::happenings::Happenings;
use crate::domain::health::{self, Health, Level, Limits, Verdict};
use crate::domain::history::Histories;
use crate::domain::names::{ClusterKey, Context, InstanceName};
use crate::domain::source::{SourceHealth, SourceId, SourceState};
use crate::problem::Problem;
use crate::procedure::runbook::Sight;

/// Lines of a log kept while it is looked at; older ones make room.
pub const LOG_LINES: usize = 20_000;

/// A verdict is asked anew at least this often, because ages cross limits without a fact.
const REJUDGE: SignedDuration = SignedDuration::from_secs(10);

/// Of so few clusters everything is kept from the start, before anybody has opened one.
const FEW: usize = 6;

/// How many verdicts one tick may renew: a thousand clusters are spread over several.
const PER_TICK: usize = 250;

/// Everything known, and what follows from it.
#[derive(Default)]
pub struct Known {
    /// The facts.
    pub facts: Facts,
    /// Verdicts and rows, by cluster.
    pub judged: BTreeMap<ClusterKey, Judged>,
    /// Lag and WAL rates over time.
    pub history: Histories,
    /// What happened.
    pub happenings: Happenings,
    /// What was asked to be looked at closely.
    pub details: BTreeMap<Subject, Detail>,
    /// Counts up whenever a row or a verdict changes: what was derived from an older number is out of date.
    pub version: u64,
    /// Where a figure becomes a warning.
    pub limits: Limits,
    dirty: BTreeSet<ClusterKey>,
}

/// A cluster's verdict and row.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Both verdicts.
    pub health: Health,
    /// Its row.
    pub digest: Digest,
    /// When they were made.
    pub at: Timestamp,
    /// Each of the two was once told: what one learns at the start is no change of the cluster.
    told: [bool; 2],
}

/// The text or log of something looked at closely.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// The whole text, where it is one.
    pub text: Option<String>,
    /// The lines of a log.
    pub lines: VecDeque<LogLine>,
    /// Lines that made room.
    pub dropped: u64,
    /// It ended: well, or with this.
    pub ended: Option<Option<Problem>>,
    /// Changes with every piece of news.
    pub version: u64,
}

/// A verdict that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Whose.
    pub key: ClusterKey,
    /// `availability` or `recoverability`.
    pub about: &'static str,
    /// Before.
    pub from: Level,
    /// Now.
    pub to: Level,
    /// The first reason now.
    pub reason: Option<String>,
}

impl Known {
    /// Nothing yet, to be judged by these limits.
    pub fn with(limits: Limits) -> Self {
        Known { limits, ..Known::default() }
    }

    /// Takes facts in and judges the clusters they tell of. Says which verdicts changed.
    pub fn absorb(&mut self, facts: Vec<Fact>, now: Timestamp) -> (bool, Vec<Change>) {
        let mut changed = false;
        for fact in facts {
            let touched = touched(&self.facts, &fact);
            if let Fact::Cluster(c) = &fact
                && !self.facts.clusters.contains_key(&c.key)
                && self.facts.clusters.len() < FEW
            {
                self.history.focus(&c.key);
            }
            if self.facts.absorb(fact.clone()) {
                changed = true;
                self.history.observe(&self.facts, &fact, now);
                self.dirty.extend(touched);
            }
        }
        (changed, self.judge_dirty(now))
    }

    /// Judges anew what is looked at, and what has not been judged for a while. Says which verdicts changed.
    pub fn tick(&mut self, now: Timestamp, looked_at: &[ClusterKey]) -> Vec<Change> {
        self.dirty.extend(looked_at.iter().cloned());
        let old = self.judged.iter().filter(|(_, j)| now.duration_since(j.at) >= REJUDGE);
        let mut old: Vec<_> = old.map(|(k, j)| (j.at, k.clone())).collect();
        if old.len() > PER_TICK {
            old.sort();
            old.truncate(PER_TICK);
        }
        self.dirty.extend(old.into_iter().map(|(_, k)| k));
        self.judge_dirty(now)
    }

    fn judge_dirty(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for key in std::mem::take(&mut self.dirty) {
            let Some(cluster) = self.facts.clusters.get(&key).cloned() else {
                self.version += u64::from(self.judged.remove(&key).is_some());
                continue;
            };
            let health = health::judge(&self.facts, &cluster, self.history.of(&key), &self.limits, now);
            let digest = Digest::of(&self.facts, &cluster, &health);
            let before = self.judged.get(&key);
            let mut told = [health.availability.level, health.recoverability.level].map(|l| l != Level::Unknown);
            if let Some(before) = before {
                changes.extend(verdict_changes(&key, before, &health));
                told = [told[0] || before.told[0], told[1] || before.told[1]];
            }
            if before.is_none_or(|b| b.digest != digest || b.health != health) {
                self.version += 1;
            }
            self.judged.insert(key, Judged { health, digest, at: now, told });
        }
        changes
    }

    /// What a runbook sees of a cluster; `about`: the instance it is about.
    pub fn sight<'a>(&'a self, key: &ClusterKey, about: Option<&'a InstanceName>, now: Timestamp) -> Option<Sight<'a>> {
        let (cluster, judged) = (self.facts.clusters.get(key)?, self.judged.get(key)?);
        Some(Sight {
            facts: &self.facts,
            cluster,
            health: &judged.health,
            happenings: Some(&self.happenings),
            limits: &self.limits,
            about,
            now,
        })
    }

    /// Takes in something that happened.
    pub fn happened(&mut self, happening: Happening) {
        self.happenings.add(happening);
    }

    /// Takes in news of something looked at closely; news of what nobody looks at any more is dropped.
    pub fn detail(&mut self, subject: &Subject, news: DetailNews) -> bool {
        let Some(detail) = self.details.get_mut(subject) else { return false };
        detail.version += 1;
        match news {
            DetailNews::Text(text) => detail.text = Some(text),
            DetailNews::Lines(lines) => {
                detail.ended = None;
                detail.lines.extend(lines);
                while detail.lines.len() > LOG_LINES {
                    detail.lines.pop_front();
                    detail.dropped += 1;
                }
            }
            DetailNews::Ended(end) => detail.ended = Some(end),
        }
        true
    }

    /// The sources that tell of this cluster, its context's first.
    pub fn sources_of<'a>(
        &'a self,
        key: &'a ClusterKey,
    ) -> impl Iterator<Item = (&'a SourceId, &'a SourceHealth)> + 'a {
        self.facts.sources.iter().filter(move |(id, _)| match id {
            SourceId::Kubernetes(context) | SourceId::Watch(context, _) => *context == key.context,
            other => other.cluster() == Some(key),
        })
    }

    /// The watched objects of this context can't be trusted now: since when nothing proved them alive, and why.
    pub fn watch_trouble(&self, context: &Context) -> Option<(Option<Timestamp>, String)> {
        let health = self.facts.sources.get(&SourceId::Kubernetes(context.clone()))?;
        let why = match &health.state {
            SourceState::Connecting | SourceState::Live => return None,
            SourceState::Late(_) => "late".to_owned(),
            SourceState::Failing { why, .. } => format!("failing: {why}"),
            SourceState::Absent(why) => why.clone(),
        };
        Some((health.proven, why))
    }
}

/// Clusters whose verdict a fact can change.
fn touched(facts: &Facts, fact: &Fact) -> Vec<ClusterKey> {
    let of = |context: &Context| facts.clusters.keys().filter(|k| k.context == *context).cloned().collect();
    match fact {
        Fact::Nodes(context, _) | Fact::Operators(context, _) => of(context),
        Fact::Source(SourceId::Kubernetes(context) | SourceId::Watch(context, _), health) => {
            // Proof of life comes every second; only another state can change a verdict at once.
            let Fact::Source(id, _) = fact else { return Vec::new() };
            let same = facts.sources.get(id).is_some_and(|old| old.state == health.state);
            if same { Vec::new() } else { of(context) }
        }
        _ => fact.cluster().cloned().into_iter().collect(),
    }
}

fn verdict_changes(key: &ClusterKey, before: &Judged, now: &Health) -> Vec<Change> {
    let one = |about: &'static str, told: bool, before: &Verdict, now: &Verdict| {
        (told && before.level != now.level).then(|| Change {
            key: key.clone(),
            about,
            from: before.level,
            to: now.level,
            reason: now.reasons.first().map(|r| r.text.clone()),
        })
    };
    let Judged { health, told, .. } = before;
    let availability = one("availability", told[0], &health.availability, &now.availability);
    let recoverability = one("recoverability", told[1], &health.recoverability, &now.recoverability);
    [availability, recoverability].into_iter().flatten().collect()
}

impl Change {
    /// The change as an entry of the timeline.
    pub fn happening(&self, at: Timestamp) -> Happening {
        Happening {
            at,
            context: self.key.context.clone(),
            cluster: Some(self.key.clone()),
            what: What::Transition(Transition::Verdict {
                about: self.about.into(),
                from: self.from.word().into(),
                to: self.to.word().into(),
                reason: self.reason.clone(),
            }),
        }
    }
}
