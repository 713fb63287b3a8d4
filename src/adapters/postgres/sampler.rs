//! SQL for what is on screen: one task per instance, each at its own pace, none ever asking twice at once.
//!
//! Only while few clusters are on screen ([`CLUSTERS`]): a page of a fleet is told by `/pg/status`, without a session on
//! every server. `psql` in the pod costs a process each time, so that way asks every five seconds.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::login::{self, Kept};
use super::query::Known;
use super::wire::{self, Refusal, Session};
use crate::adapters::inbox::Outbox;
use crate::adapters::kubernetes::client::Clients;
use crate::adapters::kubernetes::gather::Pictures;
use crate::adapters::kubernetes::probes::Focus;
use crate::adapters::kubernetes::pulses::Pulses;
use crate::adapters::live::Dsn;
use crate::domain::cluster::{Cluster, Pod};
use crate::domain::facts::Fact;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::sample::{Probe, Silence, SilenceKind, SqlSample};
use crate::domain::source::SourceId;

/// With more clusters than this on screen, none is asked by SQL.
pub const CLUSTERS: usize = 4;
/// How often an instance is asked.
const PERIOD: Duration = Duration::from_secs(1);
/// How long an answer may take: less than the period, so that questions never pile up.
const PATIENCE: Duration = Duration::from_millis(950);
/// How often, and how long, where every question starts a program in the pod.
const BY_EXEC: Duration = Duration::from_secs(5);
/// How long to wait when every way is closed.
const CLOSED: Duration = Duration::from_secs(60);

/// How to log in.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    /// Connection strings.
    pub dsn: Vec<Dsn>,
    /// Secrets by `namespace/cluster`, or `*`.
    pub secrets: BTreeMap<String, String>,
}

/// The sampling of one context.
#[derive(Clone)]
pub struct Sampler {
    /// The context's client.
    pub clients: Clients,
    /// Its clusters.
    pub pictures: watch::Receiver<Pictures>,
    /// What is on screen.
    pub focus: watch::Receiver<Focus>,
    /// Where samples go.
    pub outbox: Outbox,
    /// How to log in.
    pub logins: Arc<Logins>,
    /// What was read of secrets, shared by the instances of a cluster.
    pub kept: Arc<Kept>,
    /// Asks for a new try of every way.
    pub again: watch::Receiver<u64>,
}

type Subject = (ClusterKey, InstanceName);

impl Sampler {
    /// Samples until dropped.
    pub async fn run(mut self) {
        let mut tasks = JoinSet::new();
        let mut running: BTreeMap<Subject, AbortHandle> = BTreeMap::new();
        let pulses = Arc::new(Mutex::new(Pulses::new(self.outbox.clone())));
        loop {
            let wanted = self.wanted();
            running.retain(|subject, task| {
                let keep = wanted.contains(subject) && !task.is_finished();
                if !keep {
                    task.abort();
                }
                keep
            });
            for subject in wanted {
                running.entry(subject.clone()).or_insert_with(|| {
                    let one = One { sampler: self.clone(), subject, pulses: pulses.clone(), known: None };
                    tasks.spawn(one.run())
                });
            }
            tokio::select! {
                changed = self.pictures.changed() => if changed.is_err() { return },
                changed = self.focus.changed() => if changed.is_err() { return },
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    /// The instances on screen whose pods run.
    fn wanted(&mut self) -> Vec<Subject> {
        let focus = self.focus.borrow_and_update().clone();
        let pictures = self.pictures.borrow_and_update().clone();
        if focus.len() > CLUSTERS {
            return Vec::new();
        }
        let clusters = focus.iter().filter_map(|key| pictures.get(key));
        clusters
            .flat_map(|c| {
                let runs = |p: &Pod| p.phase == "Running" && p.running;
                let instances = c.instances.iter().filter(move |i| i.pod.as_ref().is_some_and(|p| runs(p)));
                instances.map(|i| (c.key.clone(), i.name.clone()))
            })
            .collect()
    }
}

/// A way to a server, and what is kept of it.
pub(super) enum Way {
    /// A connection string, and whether it may lead to any instance.
    Dsn {
        text: String,
        any: bool,
    },
    Tunnel(String),
    Exec,
}

/// The ways to an instance, the best first.
pub(super) fn ways(cluster: &Cluster, instance: &InstanceName, logins: &Logins) -> Vec<Way> {
    let own = cluster.key.to_string();
    let full = format!("{}:{own}", cluster.key.context);
    let strings = logins
        .dsn
        .iter()
        .filter(|d| d.cluster == own || d.cluster == full)
        .filter(|d| d.instance.as_ref().is_none_or(|i| i == instance))
        .map(|d| Way::Dsn { text: d.text.clone(), any: d.instance.is_none() });
    let secrets = login::secrets(cluster, &logins.secrets).into_iter();
    strings.chain(secrets.map(Way::Tunnel)).chain([Way::Exec]).collect()
}

struct One {
    sampler: Sampler,
    subject: Subject,
    pulses: Arc<Mutex<Pulses>>,
    known: Option<Known>,
}

impl One {
    async fn run(mut self) {
        let mut ways = Vec::new();
        let mut session: Option<Session> = None;
        let mut pod_uid = String::new();
        let mut tick = interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut not_before = Instant::now();
        let mut failed = 0u32;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                Ok(()) = self.sampler.again.changed() => not_before = Instant::now(),
            }
            if Instant::now() < not_before {
                continue;
            }
            let Some((cluster, pod)) = self.now() else { continue };
            if pod.uid != pod_uid {
                pod_uid.clone_from(&pod.uid);
                (session, self.known) = (None, None);
                ways = self.ways(&cluster);
            }
            if ways.is_empty() {
                ways = self.ways(&cluster);
            }
            let (at, asked) = (Timestamp::now(), Instant::now());
            let answer = self.ask(&cluster, &pod, &mut session, &mut ways).await;
            let took = SignedDuration::try_from(asked.elapsed()).unwrap_or(SignedDuration::MAX);
            let exec = matches!(ways.first(), Some(Way::Exec));
            let pause = match &answer {
                Ok(_) if exec => BY_EXEC,
                Ok(_) => Duration::ZERO,
                Err(_) if ways.is_empty() => CLOSED,
                // An instance that is down is not knocked at every second for ever.
                Err(_) => PERIOD * failed.min(4),
            };
            failed = if answer.is_ok() { 0 } else { failed + 1 };
            not_before = asked + pause;
            let silent = answer
                .as_ref()
                .err()
                .is_some_and(|s| matches!(s.kind, SilenceKind::Unreachable | SilenceKind::TimedOut));
            let cut = silent && !self.sampler.clients.answers().await;
            self.tell(Probe { at, took, answer }, cut, pause.max(PERIOD));
        }
    }

    fn now(&self) -> Option<(Arc<Cluster>, Arc<Pod>)> {
        let cluster = self.sampler.pictures.borrow().get(&self.subject.0)?.clone();
        let pod = cluster.instance(&self.subject.1)?.pod.clone()?;
        Some((cluster, pod))
    }

    fn ways(&self, cluster: &Cluster) -> Vec<Way> {
        ways(cluster, &self.subject.1, &self.sampler.logins)
    }

    /// Asks by the first way that is open. Closed ones are dropped from `ways`; when none is left, the reasons of all are
    /// told.
    async fn ask(
        &mut self,
        cluster: &Cluster,
        pod: &Pod,
        session: &mut Option<Session>,
        ways: &mut Vec<Way>,
    ) -> Result<SqlSample, Silence> {
        if let Some(mut open) = session.take() {
            let answer = open.ask(PATIENCE).await;
            if answer.is_ok() {
                *session = Some(open);
            }
            return answer;
        }
        let mut closed = Vec::new();
        while let Some(way) = ways.first() {
            let refusal = match self.by(way, cluster, pod, session).await {
                Ok(sample) => return Ok(sample),
                Err(refusal) => refusal,
            };
            if !refusal.try_another {
                return Err(refusal.silence);
            }
            closed.push(refusal.silence.why);
            ways.remove(0);
        }
        Err(Silence { kind: SilenceKind::Forbidden, why: closed.join("; ") })
    }

    async fn by(
        &mut self,
        way: &Way,
        cluster: &Cluster,
        pod: &Pod,
        session: &mut Option<Session>,
    ) -> Result<SqlSample, Refusal> {
        let client = self.sampler.clients.get().await.client;
        let opened = match way {
            Way::Exec => return wire::by_exec(&client, cluster, pod, &mut self.known, BY_EXEC - PATIENCE).await,
            Way::Dsn { text, any } => match wire::by_dsn(text).await {
                Ok(session) if *any && !session.is_on(pod, cluster.primary.as_ref() == Some(&self.subject.1)) => {
                    Err(Refusal::closed("the connection string leads to another instance"))
                }
                other => other,
            },
            Way::Tunnel(secret) => {
                let access = self.sampler.kept.access(&client, cluster, secret).await.map_err(Refusal::closed)?;
                wire::through_tunnel(&client, cluster, pod, &access.0, &access.1).await
            }
        };
        let mut open = opened?;
        let answer = open.ask(PATIENCE).await;
        if answer.is_ok() {
            *session = Some(open);
        }
        answer.map_err(|silence| Refusal { silence, try_another: false })
    }

    /// Tells what came of it. Where the way is `cut` nothing was learned of the instance: what it said last stays.
    fn tell(&self, probe: Probe<SqlSample>, cut: bool, pause: Duration) {
        let (key, instance) = self.subject.clone();
        let mut pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.answered(SourceId::Sql(key.clone()), &instance, probe.answer.as_ref().err(), pause);
        if cut {
            return;
        }
        self.sampler.outbox.publish(Fact::Sql(key, instance, Arc::new(probe)));
    }
}
