//! What the rules go by: the picture with its age, and what each instance said when it was last asked.

use jiff::{SignedDuration, Timestamp};

use super::{Level, Limits, Reason, ReasonCode};
use crate::domain::cluster::{Cluster, Hibernation, Instance};
use crate::domain::facts::{Facts, Samples};
use crate::domain::history::History;
use crate::domain::lsn::Lsn;
use crate::domain::names::InstanceName;
use crate::domain::replication::{Slot, Standby};
use crate::domain::sample::{InstanceStatus, Probe, Silence, SilenceKind, SqlSample};
use crate::domain::source::{SourceId, SourceState, Witness};

/// Everything a rule may look at.
pub(crate) struct Evidence<'a> {
    pub facts: &'a Facts,
    pub cluster: &'a Cluster,
    pub history: Option<&'a History>,
    pub limits: &'a Limits,
    pub now: Timestamp,
    /// When the watches behind the picture were last proven alive: the age of everything objects say.
    pub proven: Timestamp,
}

/// Two answers within this time are of one moment: all instances of a cluster are asked at once.
pub(crate) const ONE_MOMENT: SignedDuration = SignedDuration::from_secs(3);

/// What an instance says when asked.
pub(crate) enum Voice<'a> {
    /// PostgreSQL serves.
    Serves(Answer<'a>),
    /// The server or its manager says that PostgreSQL does not serve.
    Down { why: String, witness: Witness, at: Timestamp },
    /// Nobody answered. `spoke`: it did before.
    Silent { kind: SilenceKind, why: String, witness: Witness, at: Timestamp, spoke: bool },
    /// It can't be asked: no right, no way, an answer that can't be read.
    Closed { why: String, witness: Witness, at: Timestamp },
    /// Its last answer is too old.
    Stale { witness: Witness, at: Timestamp },
    /// Nobody asked.
    Unasked,
}

/// A fresh answer, by one way or both.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub name: &'a InstanceName,
    pub status: Option<(&'a InstanceStatus, Timestamp)>,
    pub sql: Option<(&'a SqlSample, Timestamp)>,
    /// From metrics alone.
    pub in_recovery: Option<(bool, Timestamp)>,
}

impl<'a> Answer<'a> {
    /// It takes writes.
    pub fn is_primary(&self) -> Option<bool> {
        let sql = self.sql.map(|(s, _)| !s.in_recovery);
        let status = self.status.and_then(|(s, _)| s.is_primary);
        sql.or(status).or(self.in_recovery.map(|(r, _)| !r))
    }

    /// Who said that, and when.
    pub fn source(&self) -> (Witness, Timestamp) {
        let status = self.status.map(|(_, at)| (Witness::Status(self.name.clone()), at));
        let sql = self.sql.map(|(_, at)| (Witness::Sql(self.name.clone(), "pg_is_in_recovery()".into()), at));
        let metrics = self.in_recovery.map(|(_, at)| (Witness::Metrics(self.name.clone()), at));
        sql.or(status).or(metrics).unwrap_or((Witness::Sources, Timestamp::UNIX_EPOCH))
    }

    /// Where it writes, as a primary.
    pub fn current(&self) -> Option<Lsn> {
        self.sql.and_then(|(s, _)| s.current).or(self.status.and_then(|(s, _)| s.current))
    }

    /// How far it has received, as a standby.
    pub fn received(&self) -> Option<Lsn> {
        self.sql.and_then(|(s, _)| s.received).or(self.status.and_then(|(s, _)| s.received))
    }

    /// Its rows of `pg_stat_replication`, whether all is shown, who says so, and when.
    pub fn standbys(&self) -> Option<(&'a [Standby], bool, Witness, Timestamp)> {
        let sql = self.sql.map(|(s, at)| {
            let witness = Witness::Sql(self.name.clone(), "pg_stat_replication".into());
            (s.standbys.as_slice(), s.sees_all, witness, at)
        });
        // A primary without a standby leaves the field out.
        let status = self
            .status
            .map(|(s, at)| (s.standbys.as_deref().unwrap_or_default(), true, Witness::Status(self.name.clone()), at));
        sql.filter(|(_, all, ..)| *all).or(status).or(sql_hidden(self))
    }

    /// Its replication slots.
    pub fn slots(&self) -> Option<(&'a [Slot], Witness, Timestamp)> {
        let sql = self
            .sql
            .map(|(s, at)| (s.slots.as_slice(), Witness::Sql(self.name.clone(), "pg_replication_slots".into()), at));
        sql.or(self.status.and_then(|(s, at)| Some((s.slots.as_deref()?, Witness::Status(self.name.clone()), at))))
    }
}

fn sql_hidden<'a>(answer: &Answer<'a>) -> Option<(&'a [Standby], bool, Witness, Timestamp)> {
    let (s, at) = answer.sql?;
    Some((&s.standbys, s.sees_all, Witness::Sql(answer.name.clone(), "pg_stat_replication".into()), at))
}

impl<'a> Evidence<'a> {
    pub fn new(
        facts: &'a Facts,
        cluster: &'a Cluster,
        history: Option<&'a History>,
        limits: &'a Limits,
        now: Timestamp,
    ) -> Self {
        let proven = proven(facts, cluster).unwrap_or(Timestamp::UNIX_EPOCH).min(now);
        Evidence { facts, cluster, history, limits, now, proven }
    }

    /// A reason that the cluster object gives.
    pub fn by_cluster(&self, code: ReasonCode, level: Level, text: impl Into<String>) -> Reason {
        self.by(Witness::ClusterObject, self.proven, code, level, text)
    }

    /// A reason that a pod gives.
    pub fn by_pod(&self, name: &InstanceName, code: ReasonCode, level: Level, text: impl Into<String>) -> Reason {
        Reason { instance: Some(name.clone()), ..self.by(Witness::Pod(name.clone()), self.proven, code, level, text) }
    }

    /// A reason that another watched object gives, as `Kind/name`.
    pub fn by_object(&self, object: String, code: ReasonCode, level: Level, text: impl Into<String>) -> Reason {
        self.by(Witness::Object(object), self.proven, code, level, text)
    }

    /// A reason by its witness.
    pub fn by(
        &self,
        witness: Witness,
        seen: Timestamp,
        code: ReasonCode,
        level: Level,
        text: impl Into<String>,
    ) -> Reason {
        Reason { code, level, text: text.into(), instance: None, witness, seen }
    }

    pub fn age(&self, then: Timestamp) -> SignedDuration {
        self.now.duration_since(then).max(SignedDuration::ZERO)
    }

    /// When the watch of a kind was last proven alive: what its objects say is as old as that.
    pub fn proven_of(&self, kind: &str) -> Timestamp {
        let watch = SourceId::Watch(self.cluster.key.context.clone(), kind.into());
        match self.facts.sources.get(&watch) {
            Some(health) => health.proven.unwrap_or(Timestamp::UNIX_EPOCH).min(self.now),
            None => self.proven,
        }
    }

    pub fn samples(&self, name: &InstanceName) -> Option<&'a Samples> {
        self.facts.sample(&self.cluster.key, name)
    }

    /// Off on purpose, or on its way there: nothing of it is expected to run.
    pub fn hibernating(&self) -> bool {
        self.cluster.hibernation.is_some()
    }

    /// Off on purpose, all of it.
    pub fn hibernated(&self) -> bool {
        self.cluster.hibernation == Some(Hibernation::Hibernated)
    }

    /// It has never had a primary and is young: being built is no fault.
    pub fn being_set_up(&self) -> bool {
        let young = self.cluster.created.is_some_and(|t| self.age(t) <= self.limits.setup_time);
        self.cluster.primary.is_none() && young
    }

    /// The primary the operator names says so itself, and the read-write services lead to it.
    pub fn writes_work(&self) -> bool {
        use crate::domain::cluster::ServicePurpose::ReadWrite;
        let Some(p) = self.primary().map(|p| p.name).filter(|p| Some(*p) == self.cluster.primary.as_ref()) else {
            return false;
        };
        let mut leads =
            self.cluster.services.iter().filter(|s| s.purpose == ReadWrite).filter_map(|s| s.leads_to.as_ref());
        leads.all(|to| to.contains(p))
    }

    /// The operator wants another primary than it has.
    pub fn moving(&self) -> bool {
        use crate::domain::cluster::Target;
        match (&self.cluster.primary, &self.cluster.target) {
            (Some(_), Some(Target::Pending)) => true,
            (Some(now), Some(Target::Instance(next))) => now != next,
            _ => false,
        }
    }

    /// Instances that are meant to serve: with a pod, not fenced.
    pub fn serving(&self) -> impl Iterator<Item = &'a Instance> {
        let cluster = self.cluster;
        cluster.instances.iter().filter(move |i| i.pod.is_some() && !cluster.fenced.covers(&i.name))
    }

    /// What the instance says.
    pub fn voice(&self, name: &'a InstanceName) -> Voice<'a> {
        let Some(samples) = self.samples(name) else { return Voice::Unasked };
        let status = self.fresh(samples.status.as_deref());
        let sql = self.fresh(samples.sql.as_deref());
        let metrics = self.fresh(samples.metrics.as_deref());
        let down = status.and_then(|p| Some((p.value()?.might_be_unavailable.as_ref()?, p.at)));
        let answer = Answer {
            name,
            status: good(status).filter(|_| down.is_none()),
            sql: good(sql),
            in_recovery: good(metrics)
                .filter(|(m, _)| m.up == Some(true))
                .and_then(|(m, at)| Some((m.in_recovery?, at))),
        };
        // A server that answered SQL later than its manager doubted it does serve.
        if answer.sql.is_some_and(|(_, at)| down.is_none_or(|(_, d)| at >= d)) || answer.status.is_some() {
            return Voice::Serves(answer);
        }
        if let Some((why, at)) = down {
            let why = if why.is_empty() { "its manager says PostgreSQL is not available".into() } else { why.clone() };
            return Voice::Down { why, witness: Witness::Status(name.clone()), at };
        }
        if let Some(voice) = self.silence(name, samples, status, sql) {
            return voice;
        }
        if answer.in_recovery.is_some() {
            return Voice::Serves(answer);
        }
        stale(name, samples)
    }

    /// A probe that still counts. A missing right does not come back by itself and is asked for seldom: it counts longer.
    fn fresh<T>(&self, probe: Option<&'a Probe<T>>) -> Option<&'a Probe<T>> {
        const FORBIDDEN: SignedDuration = SignedDuration::from_secs(120);
        let forbidden = |p: &Probe<T>| matches!(&p.answer, Err(s) if s.kind == SilenceKind::Forbidden);
        probe.filter(|p| self.age(p.at) <= if forbidden(p) { FORBIDDEN } else { self.limits.sample_stale })
    }

    fn silence(
        &self,
        name: &InstanceName,
        samples: &Samples,
        status: Option<&Probe<InstanceStatus>>,
        sql: Option<&Probe<SqlSample>>,
    ) -> Option<Voice<'a>> {
        let of_status = status.and_then(|p| Some((p.answer.as_ref().err()?, Witness::Status(name.clone()), p.at)));
        let of_sql =
            sql.and_then(|p| Some((p.answer.as_ref().err()?, Witness::Sql(name.clone(), "connection".into()), p.at)));
        let closed = |s: &Silence| matches!(s.kind, SilenceKind::Forbidden | SilenceKind::Garbled);
        let (telling, shut): (Vec<_>, Vec<_>) =
            [of_status, of_sql].into_iter().flatten().partition(|(s, ..)| !closed(s));
        // The server's own word says more than a silence on the way to it.
        let telling = telling.into_iter().max_by_key(|(s, _, at)| (s.kind == SilenceKind::NotServing, *at));
        if let Some((s, witness, at)) = telling {
            let (kind, why) = (s.kind, s.why.clone());
            if kind == SilenceKind::NotServing {
                return Some(Voice::Down { why, witness, at });
            }
            let spoke = samples.last_status.is_some() || samples.last_sql.is_some();
            return Some(Voice::Silent { kind, why, witness, at, spoke });
        }
        shut.into_iter().next().map(|(s, witness, at)| Voice::Closed { why: s.why.clone(), witness, at })
    }

    /// The instance that is primary by its own word, among those that serve.
    pub fn primary(&self) -> Option<Answer<'a>> {
        let mut claims = self.claims();
        // Two may claim it for a moment; then the operator's word decides.
        let named = self.cluster.primary.as_ref();
        let at = claims.iter().position(|a| Some(a.name) == named).unwrap_or(0);
        (!claims.is_empty()).then(|| claims.swap_remove(at))
    }

    /// All that say they take writes, of one moment: an older word may be from before a failover.
    pub fn claims(&self) -> Vec<Answer<'a>> {
        let mut claims: Vec<_> = self
            .serving()
            .filter_map(|i| match self.voice(&i.name) {
                Voice::Serves(a) if a.is_primary() == Some(true) => Some(a),
                _ => None,
            })
            .collect();
        if let Some(newest) = claims.iter().map(|a| a.source().1).max() {
            claims.retain(|a| newest.duration_since(a.source().1) <= ONE_MOMENT);
        }
        claims
    }

    /// Standbys: everybody but the primary, as far as they are meant to serve.
    pub fn standbys(&self) -> impl Iterator<Item = &'a InstanceName> {
        let leads = self.primary().map(|a| a.name.clone()).or_else(|| self.cluster.primary.clone());
        self.serving().map(|i| &i.name).filter(move |n| Some(*n) != leads.as_ref())
    }
}

fn good<T>(probe: Option<&Probe<T>>) -> Option<(&T, Timestamp)> {
    probe.and_then(|p| Some((p.value()?, p.at)))
}

fn stale<'a>(name: &InstanceName, samples: &Samples) -> Voice<'a> {
    let status = samples.status.as_ref().map(|p| (p.at, Witness::Status(name.clone())));
    let sql = samples.sql.as_ref().map(|p| (p.at, Witness::Sql(name.clone(), "connection".into())));
    let newest = [status, sql].into_iter().flatten().max_by_key(|(at, _)| *at);
    newest.map_or(Voice::Unasked, |(at, witness)| Voice::Stale { witness, at })
}

/// When the watches behind a picture were last proven alive: the oldest of the lists it can't do without.
pub(super) fn proven(facts: &Facts, cluster: &Cluster) -> Option<Timestamp> {
    let context = &cluster.key.context;
    let whole = facts.sources.get(&SourceId::Kubernetes(context.clone())).and_then(|h| h.proven);
    let watch = |kind: &str| facts.sources.get(&SourceId::Watch(context.clone(), kind.into()));
    ["clusters", "pods"]
        .into_iter()
        .map(|kind| match watch(kind) {
            Some(h) if matches!(h.state, SourceState::Absent(_)) => whole,
            Some(h) => h.proven,
            None => whole,
        })
        .min()
        .flatten()
}
