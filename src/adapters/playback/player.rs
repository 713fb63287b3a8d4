//! Playing a recording: the world as it was, moment by moment.

use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::reading::{Recording, Step, What};
use crate::adapters::kubernetes::attempts::LastWords;
use crate::adapters::kubernetes::cnpg;
use crate::adapters::kubernetes::objects::{Changed, Kind, ObjectEvent, World};
use crate::adapters::streams::Streams;
use crate::domain::cluster::Cluster;
use crate::domain::detail::News;
use crate::domain::event::{self, Happening, Transition};
use crate::domain::facts::Fact;
use crate::domain::names::{ClusterKey, Context, InstanceName};
use crate::domain::sample::Probe;
use crate::domain::source::{SourceHealth, SourceId, SourceState};

/// What a source tells: a fact or news.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Replaces.
    Fact(Fact),
    /// Adds.
    News(News),
}

/// A recording being played.
#[derive(Debug)]
pub struct Player {
    world: World,
    pictures: BTreeMap<ClusterKey, Arc<Cluster>>,
    listed: Vec<(Kind, Value)>,
    watched: Vec<Kind>,
    steps: std::iter::Peekable<std::vec::IntoIter<Step>>,
    polls: bool,
    begun: bool,
    streams: Streams,
}

impl Player {
    /// Plays `recording` as if it came from `context`.
    pub fn new(recording: Recording, context: Context) -> Self {
        Player {
            world: World::new(context, recording.watched.iter().map(|k| (*k, None))),
            pictures: BTreeMap::new(),
            listed: recording.listed,
            watched: recording.watched,
            polls: recording.steps.iter().any(|s| matches!(s.what, What::Status { .. })),
            steps: recording.steps.into_iter().peekable(),
            begun: false,
            streams: Streams::default(),
        }
    }

    /// When the next thing comes; `None` at the end.
    pub fn next_at(&mut self) -> Option<Timestamp> {
        self.steps.peek().map(|s| s.at)
    }

    /// Everything that came up to and including `to`, with its time. The recorder's watches were alive all along: that is
    /// told, too.
    pub fn advance(&mut self, to: Timestamp) -> Vec<(Timestamp, Told)> {
        let mut told = Vec::new();
        if !self.begun {
            self.begun = true;
            self.begin(to, &mut told);
        }
        while let Some(step) = self.steps.next_if(|s| s.at <= to) {
            self.step(step, &mut told);
        }
        self.alive(to, &mut told);
        told
    }

    fn begin(&mut self, to: Timestamp, told: &mut Vec<(Timestamp, Told)>) {
        let at = self.next_at().map_or(to, |t| t.min(to));
        let absent = Kind::ALL.into_iter().filter(|k| !self.watched.contains(k));
        let mut changed = Changed::default();
        for kind in absent {
            changed.merge(self.world.apply(ObjectEvent::Absent(kind, None)));
        }
        for kind in self.watched.clone() {
            let list: Vec<Value> = self.listed.iter().filter(|(k, _)| *k == kind).map(|(_, o)| o.clone()).collect();
            changed.merge(self.world.apply(ObjectEvent::Restarted(kind, None, &list)));
        }
        self.listed.clear();
        self.publish(at, changed, told);
    }

    fn step(&mut self, step: Step, told: &mut Vec<(Timestamp, Told)>) {
        let at = step.at;
        match step.what {
            What::Applied(kind, object) => {
                let changed = self.world.apply(ObjectEvent::Applied(kind, &object));
                if kind == Kind::Event
                    && let Some(happening) = cnpg::event_happening(&self.world, &object, at)
                {
                    told.push((at, Told::News(News::Happening(happening))));
                }
                self.publish(at, changed, told);
            }
            What::Deleted(kind, object) => {
                let changed = self.world.apply(ObjectEvent::Deleted(kind, &object));
                self.publish(at, changed, told);
            }
            What::Status { pod, asked, answer } => {
                let name = InstanceName::from(&pod);
                let Some(key) = self.pictures.values().find(|c| c.instance(&name).is_some()).map(|c| c.key.clone())
                else {
                    return;
                };
                let probe = Probe { at: asked, took: at.duration_since(asked), answer: answer.map(|s| *s) };
                let fact = Fact::Status(key, name, Arc::new(probe));
                let happened = self.streams.heard(&fact);
                told.extend(happened.into_iter().map(|h| (at, Told::News(News::Happening(h)))));
                told.push((at, Told::Fact(fact)));
            }
            What::Log { pod, told: cause } => {
                let jobs = self.pictures.values().flat_map(|c| c.jobs.iter().map(move |j| (c, j)));
                let found = jobs.filter_map(|(c, j)| Some((c, j, j.attempt.as_ref().filter(|a| a.pod == pod)?))).next();
                let Some((cluster, job, attempt)) = found else { return };
                let words = cause.ok_or_else(|| "its log does not say why".to_owned());
                let namespace = cluster.key.namespace.clone();
                let last = LastWords { namespace, job: job.name.clone(), uid: attempt.uid.clone(), words };
                let changed = self.world.told(&last);
                self.publish(at, changed, told);
            }
            What::Note(text) => {
                let what = event::What::Notice { text, warning: false };
                let context = self.world.context().clone();
                let notice = Happening { at, context, cluster: None, what };
                told.push((at, Told::News(News::Happening(notice))));
            }
        }
    }

    fn publish(&mut self, at: Timestamp, changed: Changed, told: &mut Vec<(Timestamp, Told)>) {
        let context = self.world.context().clone();
        let news = |key: &ClusterKey, transition: Transition, told: &mut Vec<(Timestamp, Told)>| {
            told.push((at, happened(key, at, transition)));
        };
        for key in changed.clusters {
            let Some(now) = cnpg::picture(&self.world, &key).map(Arc::new) else {
                if self.pictures.remove(&key).is_some() {
                    told.push((at, Told::Fact(Fact::ClusterGone(key.clone()))));
                    news(&key, Transition::Vanished, told);
                }
                continue;
            };
            let before = self.pictures.insert(key.clone(), now.clone());
            if before.as_ref() == Some(&now) {
                continue;
            }
            told.push((at, Told::Fact(Fact::Cluster(now.clone()))));
            match before {
                None => news(&key, Transition::Appeared, told),
                Some(before) => {
                    for transition in cnpg::transitions(&before, &now) {
                        news(&key, transition, told);
                    }
                }
            }
        }
        if changed.nodes && self.watched.contains(&Kind::Node) {
            told.push((at, Told::Fact(Fact::Nodes(context.clone(), Arc::new(self.world.nodes())))));
        }
        if changed.operators
            && let Some(operators) = self.world.operators()
        {
            told.push((at, Told::Fact(Fact::Operators(context, Arc::new(operators)))));
        }
    }

    fn alive(&self, at: Timestamp, told: &mut Vec<(Timestamp, Told)>) {
        let context = self.world.context();
        let live = SourceHealth { state: SourceState::Live, proven: Some(at) };
        let mut source = |id| told.push((at, Told::Fact(Fact::Source(id, live.clone()))));
        source(SourceId::Kubernetes(context.clone()));
        for kind in &self.watched {
            source(SourceId::Watch(context.clone(), kind.plural().into()));
        }
        if self.polls {
            for key in self.pictures.keys() {
                source(SourceId::Status(key.clone()));
            }
        }
    }
}

fn happened(key: &ClusterKey, at: Timestamp, transition: Transition) -> Told {
    let what = event::What::Transition(transition);
    Told::News(News::Happening(Happening { at, context: key.context.clone(), cluster: Some(key.clone()), what }))
}
