//! The witnesses, as far as they have spoken since a step's start.

use jiff::Timestamp;
use std::fmt::Display;

use super::Proof;
use crate::domain::cluster::{Cluster, Instance, Pod};
use crate::domain::facts::{Facts, Samples};
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::replication::Standby;
use crate::domain::sample::{InstanceStatus, Probe, Silence, SqlSample};
use crate::domain::source::{SourceHealth, SourceId, SourceState};
use crate::domain::wal::Timeline;

/// Evidence, or why it is not proven (yet).
pub(super) type Told = Result<Vec<String>, Proof>;

/// Not proven yet, and what is missing.
pub(super) fn missing<T>(what: impl Display) -> Result<T, Proof> {
    Err(Proof::NotYet(what.to_string()))
}

/// The facts, of which only those confirmed after `since` count.
pub(super) struct Asked<'a> {
    pub facts: &'a Facts,
    pub cluster: &'a Cluster,
    pub since: Timestamp,
}

/// What an instance says of itself.
pub(super) struct Word {
    pub primary: bool,
    /// Of a primary only: a standby's `timeLineID` stays old until its next restartpoint.
    pub timeline: Option<Timeline>,
    /// In words, with the witness.
    pub text: String,
    pub at: Timestamp,
}

/// What somebody says of a standby's stream.
pub(super) struct Stream {
    pub flows: bool,
    pub text: String,
}

impl<'a> Asked<'a> {
    pub fn new(facts: &'a Facts, key: &ClusterKey, since: Timestamp) -> Result<Self, Proof> {
        match facts.clusters.get(key) {
            Some(cluster) => Ok(Asked { facts, cluster, since }),
            // A watch that lives and knows of no such cluster tells that it is gone.
            None if proven_of(facts, key, "clusters").is_some_and(|t| t > since) => {
                Err(Proof::Never(format!("there is no cluster {key} any more")))
            }
            None => missing(format!("nothing has been heard of {key}")),
        }
    }

    /// The objects of this kind are as they are now: their watch was proven alive after the step's start.
    pub fn watched(&self, kind: &str) -> Result<(), Proof> {
        match proven_of(self.facts, &self.cluster.key, kind) {
            Some(at) if at > self.since => Ok(()),
            _ => missing(format!("the watch of {kind} has not been heard since the step began")),
        }
    }

    /// Objects of this kind can't be read here at all.
    pub fn unreadable(&self, kind: &str) -> bool {
        let id = SourceId::Watch(self.cluster.key.context.clone(), kind.into());
        self.facts.sources.get(&id).is_some_and(|h| matches!(h.state, SourceState::Absent(_)))
    }

    pub fn samples(&self, name: &InstanceName) -> Option<&'a Samples> {
        self.facts.sample(&self.cluster.key, name)
    }

    fn fresh<T>(&self, probe: Option<&'a Probe<T>>) -> Option<&'a Probe<T>> {
        probe.filter(|p| p.at > self.since)
    }

    /// `/pg/status`, asked since.
    pub fn status(&self, name: &InstanceName) -> Option<(Result<&'a InstanceStatus, &'a Silence>, Timestamp)> {
        let probe = self.fresh(self.samples(name)?.status.as_deref())?;
        Some((probe.answer.as_ref(), probe.at))
    }

    /// SQL, asked since.
    pub fn sql(&self, name: &InstanceName) -> Option<(Result<&'a SqlSample, &'a Silence>, Timestamp)> {
        let probe = self.fresh(self.samples(name)?.sql.as_deref())?;
        Some((probe.answer.as_ref(), probe.at))
    }

    /// What the instance says of itself: of SQL and `/pg/status` whichever was asked last.
    pub fn word(&self, name: &InstanceName) -> Option<Word> {
        let sql = match self.sql(name) {
            Some((Ok(s), at)) => Some(by_sql(name, s, at)),
            _ => None,
        };
        let status = match self.status(name) {
            Some((Ok(s), at)) if s.might_be_unavailable.is_none() => by_status(name, s, at),
            _ => None,
        };
        [status, sql].into_iter().flatten().max_by_key(|w| w.at)
    }

    /// Why there is no word of an instance.
    pub fn silence(&self, name: &InstanceName) -> String {
        let sql = self.sql(name).map(|(answer, at)| (at, "SQL on", answer.err()));
        let status = self.status(name).map(|(answer, at)| (at, "/pg/status of", answer.err()));
        match [status, sql].into_iter().flatten().max_by_key(|(at, ..)| *at) {
            Some((_, witness, Some(silence))) => format!("{witness} {name}: {}", silence.why),
            Some((_, witness, None)) => format!("{witness} {name} does not say what it is"),
            None => format!("{name} has not answered since the step began"),
        }
    }

    /// Whether a standby streams: what the primary's list says, and what its own receiver says.
    pub fn streams(&self, primary: &InstanceName, name: &InstanceName) -> Vec<Stream> {
        let listed = self.rows(primary).and_then(|(rows, all, witness)| {
            let state = match rows.iter().find(|r| *name == *r.name) {
                Some(row) => row.state.clone(),
                None => all.then(|| "not there".to_owned()),
            }?;
            Some(Stream { flows: state == "streaming", text: format!("{witness}: {name} is {state}") })
        });
        let by_sql = match self.sql(name) {
            Some((Ok(s), _)) => s.receiver.as_ref().map(|r| {
                let state = r.status.as_deref().unwrap_or("not running");
                let timeline = r.timeline.map(|t| format!(", timeline {t}")).unwrap_or_default();
                let text = format!("pg_stat_wal_receiver on {name}: {state}{timeline}");
                Stream { flows: state == "streaming", text }
            }),
            _ => None,
        };
        let by_status = match self.status(name) {
            Some((Ok(s), _)) => s.receiver_active.map(|flows| {
                let state = if flows { "runs" } else { "does not run" };
                Stream { flows, text: format!("/pg/status of {name}: its WAL receiver {state}") }
            }),
            _ => None,
        };
        [listed, by_sql.or(by_status)].into_iter().flatten().collect()
    }

    /// The primary's list of standbys, whether all is shown, and who says so: of two whichever was asked last.
    pub fn rows(&self, primary: &InstanceName) -> Option<(&'a [Standby], bool, String)> {
        let sql = match self.sql(primary) {
            Some((Ok(s), at)) if !s.in_recovery => {
                Some((at, s.standbys.as_slice(), s.sees_all, format!("pg_stat_replication on {primary}")))
            }
            _ => None,
        };
        let status = match self.status(primary) {
            // A primary without a standby leaves the field out.
            Some((Ok(s), at)) if s.is_primary == Some(true) => {
                Some((at, s.standbys.as_deref().unwrap_or_default(), true, format!("/pg/status of {primary}")))
            }
            _ => None,
        };
        let both = [status, sql].into_iter().flatten();
        // One that hides nothing is worth more than a newer one that does.
        both.max_by_key(|(at, _, all, _)| (*all, *at)).map(|(_, rows, all, witness)| (rows, all, witness))
    }

    pub fn instance(&self, name: &InstanceName) -> Option<&'a Instance> {
        self.cluster.instance(name)
    }

    pub fn pod(&self, name: &InstanceName) -> Option<&'a Pod> {
        self.instance(name)?.pod.as_deref()
    }

    /// The instance's pod runs, is ready, and stays.
    pub fn ready_pod(&self, name: &InstanceName) -> Result<&'a Pod, Proof> {
        let Some(pod) = self.pod(name) else { return missing(format!("{name} has no pod")) };
        let trouble = pod.trouble.as_ref().map(|t| format!(": {t}")).unwrap_or_default();
        if pod.deleting.is_some() {
            return missing(format!("pod {name} is being deleted"));
        }
        if !pod.running || !pod.ready {
            return missing(format!("pod {name} is not ready{trouble}"));
        }
        Ok(pod)
    }
}

fn by_sql(name: &InstanceName, s: &SqlSample, at: Timestamp) -> Word {
    let timeline = s.timeline.map(|t| format!(", timeline {t}")).unwrap_or_default();
    let what = if s.in_recovery { "in recovery" } else { "not in recovery" };
    Word { primary: !s.in_recovery, timeline: s.timeline, text: format!("SQL on {name}: {what}{timeline}"), at }
}

fn by_status(name: &InstanceName, s: &InstanceStatus, at: Timestamp) -> Option<Word> {
    let primary = s.is_primary?;
    let timeline = s.timeline.filter(|_| primary);
    let shown = timeline.map(|t| format!(", timeline {t}")).unwrap_or_default();
    let what = if primary { "primary" } else { "standby" };
    Some(Word { primary, timeline, text: format!("/pg/status of {name}: {what}{shown}"), at })
}

/// When the watch of a kind was last proven alive: its own word, else that of the whole context.
fn proven_of(facts: &Facts, key: &ClusterKey, kind: &str) -> Option<Timestamp> {
    let context = &key.context;
    let own = facts.sources.get(&SourceId::Watch(context.clone(), kind.into()));
    let whole = || facts.sources.get(&SourceId::Kubernetes(context.clone()));
    own.or_else(whole).and_then(|h: &SourceHealth| h.proven)
}
