//! `/pg/status` and `/metrics` of every instance, asked through the API server's pod proxy.
//!
//! All instances are asked side by side, each with its own time-out: one that is cut off would hold up the rest for 40 s.
//! Clusters on screen are asked for their status each second, all others every ten; metrics every ten and every sixty.
//! A context is never asked more than [`RATE`] times a second on average: with more instances than that the round
//! takes longer, clusters on screen first. An instance that may not be asked is asked again after a minute, or when told.

use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::budget::Budget;
use super::super::inbox::Outbox;
use super::super::streams::Streams;
use super::client::{Clients, get};
use super::gather::Pictures;
use super::pulses::Pulses;
use super::trouble::{Trouble, TroubleKind};
use super::volumes::Volumes;
use super::{metrics, status};
use crate::domain::cluster::{Pod, Volume, VolumePurpose};
use crate::domain::detail::News;
use crate::domain::facts::Fact;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::sample::{Probe, Silence, SilenceKind};
use crate::domain::source::SourceId;
use crate::text::clean;

/// Questions a second and context, on average.
pub const RATE: f64 = 40.0;
/// Questions at once after a pause.
pub const BURST: f64 = 60.0;
/// Questions a second and context of a command that asks everything once and ends.
pub const RATE_ONCE: f64 = 200.0;
/// How long something forbidden is left alone.
const FORBIDDEN: Duration = Duration::from_secs(60);

/// Which clusters are on screen.
pub type Focus = Arc<BTreeSet<ClusterKey>>;

/// The probes of one context.
pub struct Probes {
    /// The context's client.
    pub clients: Clients,
    /// Its clusters.
    pub pictures: watch::Receiver<Pictures>,
    /// What is on screen.
    pub focus: watch::Receiver<Focus>,
    /// Where answers go.
    pub outbox: Outbox,
    /// Asks for everything now.
    pub again: Arc<Notify>,
    /// For a command that asks once and ends.
    pub once: bool,
    /// What kubelets told of disks.
    pub volumes: Arc<Volumes>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ask {
    Status,
    Metrics,
}

impl Ask {
    /// How long an answer may take.
    fn patience(self) -> Duration {
        match self {
            Ask::Status => Duration::from_secs(2),
            Ask::Metrics => Duration::from_secs(4),
        }
    }

    /// Through the API server's pod proxy.
    fn path(self, key: &ClusterKey, pod: &Pod) -> String {
        let (scheme, port, path) = match self {
            Ask::Status => (pod.status_tls, 8000, "pg/status"),
            Ask::Metrics => (pod.metrics_tls, 9187, "metrics"),
        };
        let prefix = if scheme { "https:" } else { "" };
        format!("/api/v1/namespaces/{}/pods/{prefix}{}:{port}/proxy/{path}", key.namespace, pod.name)
    }
}

type Item = (ClusterKey, InstanceName, Ask);

/// When each question is due. What is on screen goes before the rest: with more instances than the budget allows, the
/// rest is always overdue.
#[derive(Default)]
struct Agenda {
    /// Each question with the moment it is due; those under way have none.
    items: BTreeMap<Item, Option<(Queue, Instant)>>,
    front: BTreeSet<(Instant, Item)>,
    rest: BTreeSet<(Instant, Item)>,
}

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    Front,
    Rest,
}

impl Agenda {
    fn queue(&mut self, queue: Queue) -> &mut BTreeSet<(Instant, Item)> {
        match queue {
            Queue::Front => &mut self.front,
            Queue::Rest => &mut self.rest,
        }
    }

    fn plan(&mut self, item: Item, queue: Queue, at: Instant) {
        if let Some(Some((before, moment))) = self.items.insert(item.clone(), Some((queue, at))) {
            self.queue(before).remove(&(moment, item.clone()));
        }
        self.queue(queue).insert((at, item));
    }

    /// Plans it in that queue at `at`, unless it is due earlier; not at all while it is under way.
    fn hurry(&mut self, item: &Item, queue: Queue, at: Instant) {
        if let Some(Some((before, moment))) = self.items.get(item).copied()
            && (before != queue || moment > at)
        {
            self.plan(item.clone(), queue, moment.min(at));
        }
    }

    fn forget(&mut self, item: &Item) {
        if let Some(Some((queue, at))) = self.items.remove(item) {
            self.queue(queue).remove(&(at, item.clone()));
        }
    }

    /// When the next question is due.
    fn first(&self) -> Option<Instant> {
        let moment = |queue: &BTreeSet<(Instant, Item)>| queue.first().map(|(at, _)| *at);
        [moment(&self.front), moment(&self.rest)].into_iter().flatten().min()
    }

    /// The question to ask now.
    fn pop(&mut self, now: Instant) -> Option<Item> {
        let due = |queue: &BTreeSet<(Instant, Item)>| queue.first().is_some_and(|(at, _)| *at <= now);
        let queue = if due(&self.front) { &mut self.front } else { &mut self.rest };
        let (_, item) = queue.pop_first()?;
        self.items.insert(item.clone(), None);
        Some(item)
    }
}

struct Answer {
    item: Item,
    asked: Instant,
    /// `None`: the way there is cut, so nothing was learned of the instance. What it said last stays, with its age.
    fact: Option<Fact>,
    silence: Option<Silence>,
    unauthorized: Option<u64>,
}

impl Probes {
    /// Asks until dropped.
    pub async fn run(mut self) {
        let mut agenda = Agenda::default();
        let mut budget = if self.once { Budget::new(RATE_ONCE, RATE_ONCE) } else { Budget::new(RATE, BURST) };
        let mut asked: JoinSet<Answer> = JoinSet::new();
        let mut pulses = Pulses::new(self.outbox.clone());
        let mut streams = Streams::default();
        let mut not_before = Instant::now();
        loop {
            let next = agenda.first().map(|due| due.max(not_before));
            tokio::select! {
                changed = self.pictures.changed() => match changed {
                    Ok(()) => {
                        self.sync(&mut agenda, &mut pulses);
                        let pictures = self.pictures.borrow();
                        streams.keep(|key| pictures.contains_key(key));
                    }
                    Err(_) => return,
                },
                changed = self.focus.changed() => match changed {
                    Ok(()) => self.hurry_focused(&mut agenda),
                    Err(_) => return,
                },
                () = self.again.notified() => {
                    let now = Instant::now();
                    for item in agenda.items.keys().cloned().collect::<Vec<_>>() {
                        agenda.hurry(&item, self.queue(&item.0), now);
                    }
                }
                Some(done) = asked.join_next() => {
                    if let Ok(answer) = done {
                        let heard = answer.fact.as_ref().map(|fact| streams.heard(fact)).unwrap_or_default();
                        for happening in heard {
                            self.outbox.post(News::Happening(happening)).await;
                        }
                        self.answered(answer, &mut agenda, &mut pulses);
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    match budget.take(Instant::now()) {
                        Ok(()) => self.ask(&mut agenda, &mut asked),
                        Err(wait) => not_before = Instant::now() + wait,
                    }
                }
            }
        }
    }

    /// Takes over which instances there are: those whose pod runs are asked, at once when new.
    fn sync(&mut self, agenda: &mut Agenda, pulses: &mut Pulses) {
        let pictures = self.pictures.borrow_and_update().clone();
        let mut wanted = BTreeSet::new();
        for cluster in pictures.values() {
            for instance in &cluster.instances {
                if instance.pod.as_ref().is_some_and(|p| p.phase == "Running") {
                    for ask in [Ask::Status, Ask::Metrics] {
                        wanted.insert((cluster.key.clone(), instance.name.clone(), ask));
                    }
                }
            }
        }
        let gone: Vec<Item> = agenda.items.keys().filter(|i| !wanted.contains(*i)).cloned().collect();
        for item in &gone {
            agenda.forget(item);
        }
        pulses.keep(|key| pictures.contains_key(key));
        let now = Instant::now();
        for item in wanted {
            if !agenda.items.contains_key(&item) {
                let queue = self.queue(&item.0);
                agenda.plan(item, queue, now);
            }
        }
    }

    fn queue(&self, key: &ClusterKey) -> Queue {
        if self.focus.borrow().contains(key) { Queue::Front } else { Queue::Rest }
    }

    fn hurry_focused(&mut self, agenda: &mut Agenda) {
        let focus = self.focus.borrow_and_update().clone();
        let now = Instant::now();
        for item in agenda.items.keys().cloned().collect::<Vec<_>>() {
            if focus.contains(&item.0) {
                agenda.hurry(&item, Queue::Front, now);
            } else if let Some(Some((Queue::Front, at))) = agenda.items.get(&item).copied() {
                agenda.plan(item, Queue::Rest, at);
            }
        }
    }

    fn period(&self, (key, _, ask): &Item) -> Duration {
        let focused = self.focus.borrow().contains(key);
        Duration::from_secs(match (ask, focused) {
            (Ask::Status, true) => 1,
            (Ask::Status, false) | (Ask::Metrics, true) => 10,
            (Ask::Metrics, false) => 60,
        })
    }

    fn ask(&self, agenda: &mut Agenda, asked: &mut JoinSet<Answer>) {
        let Some(item) = agenda.pop(Instant::now()) else { return };
        let (pod, claims) = {
            let pictures = self.pictures.borrow();
            let cluster = pictures.get(&item.0);
            let of = |v: &&Arc<Volume>| v.instance.as_ref() == Some(&item.1);
            let claims = cluster.iter().flat_map(|c| &c.volumes).filter(of).map(|v| (v.name.clone(), v.purpose));
            (cluster.and_then(|c| c.instance(&item.1)).and_then(|i| i.pod.clone()), claims.collect::<Vec<_>>())
        };
        let Some(pod) = pod else {
            agenda.forget(&item);
            return;
        };
        asked.spawn(one(self.clients.clone(), item, pod, claims, Arc::clone(&self.volumes)));
    }

    fn answered(&self, answer: Answer, agenda: &mut Agenda, pulses: &mut Pulses) {
        if !agenda.items.contains_key(&answer.item) {
            return;
        }
        if let Some(generation) = answer.unauthorized {
            self.clients.refused(generation);
        }
        let forbidden =
            answer.unauthorized.is_none() && answer.silence.as_ref().is_some_and(|s| s.kind == SilenceKind::Forbidden);
        let pause = if forbidden { FORBIDDEN } else { self.period(&answer.item) };
        let again = (answer.asked + pause).max(Instant::now());
        let source = match answer.item.2 {
            Ask::Status => SourceId::Status(answer.item.0.clone()),
            Ask::Metrics => SourceId::Metrics(answer.item.0.clone()),
        };
        pulses.answered(source, &answer.item.1, answer.silence.as_ref(), pause);
        if let Some(fact) = answer.fact {
            self.outbox.publish(fact);
        }
        let queue = self.queue(&answer.item.0);
        agenda.plan(answer.item, queue, again);
    }
}

async fn one(
    clients: Clients,
    item: Item,
    pod: Arc<Pod>,
    claims: Vec<(String, VolumePurpose)>,
    volumes: Arc<Volumes>,
) -> Answer {
    let connected = clients.get().await;
    let (at, asked) = (Timestamp::now(), Instant::now());
    let (path, patience) = (item.2.path(&item.0, &pod), item.2.patience());
    let answer = match timeout(patience, fetch(&connected.client, &path)).await {
        Ok(answer) => answer,
        Err(_) => Err(Trouble::timed_out(patience.as_secs_f64())),
    };
    let took = SignedDuration::try_from(asked.elapsed()).unwrap_or(SignedDuration::MAX);
    let cut = answer.is_err() && !clients.answers().await;
    let unauthorized = match &answer {
        // The instance manager answers 401 only to what is never asked here, so this is the API server's.
        Ok((401, _)) => Some(connected.generation),
        _ => None,
    };
    let (key, instance) = (item.0.clone(), item.1.clone());
    let (fact, silence) = match item.2 {
        Ask::Status => {
            let answer = answer.map_err(silence).and_then(|(http, body)| status::read(http, &body));
            let silence = answer.as_ref().err().cloned();
            (Fact::Status(key, instance, Arc::new(Probe { at, took, answer })), silence)
        }
        Ask::Metrics => {
            let mut answer = answer.map_err(silence).and_then(|(http, body)| match http {
                200 => Ok(metrics::read(&String::from_utf8_lossy(&body))),
                _ => Err(of_http(http, &body)),
            });
            if let Ok(metrics) = &mut answer {
                metrics.disks = volumes.of(&connected.client, (&item.0, &item.1), &pod, &claims).await;
            }
            let silence = answer.as_ref().err().cloned();
            (Fact::Metrics(key, instance, Arc::new(Probe { at, took, answer })), silence)
        }
    };
    Answer { item, asked, fact: (!cut).then_some(fact), silence, unauthorized }
}

/// The whole of `/metrics`, as text.
///
/// # Errors
/// Why there is none, in words.
pub async fn metrics_text(clients: &Clients, key: &ClusterKey, pod: &Pod) -> Result<String, String> {
    let client = clients.get().await.client;
    let answer = timeout(Ask::Metrics.patience(), fetch(&client, &Ask::Metrics.path(key, pod))).await;
    match answer {
        Ok(Ok((200, body))) => Ok(String::from_utf8_lossy(&body).into_owned()),
        Ok(Ok((http, body))) => Err(of_http(http, &body).why),
        Ok(Err(trouble)) => Err(trouble.why),
        Err(_) => Err(Trouble::timed_out(Ask::Metrics.patience().as_secs_f64()).why),
    }
}

pub(super) async fn fetch(client: &kube::Client, path: &str) -> Result<(u16, Vec<u8>), Trouble> {
    let response = client.send(get(path).map(Body::from)).await?;
    let http = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((http, body.to_vec()))
}

fn silence(trouble: Trouble) -> Silence {
    let kind = match trouble.kind {
        TroubleKind::Unauthorized | TroubleKind::Forbidden | TroubleKind::Plugin => SilenceKind::Forbidden,
        TroubleKind::TimedOut => SilenceKind::TimedOut,
        _ => SilenceKind::Unreachable,
    };
    Silence { kind, why: trouble.why }
}

fn of_http(http: u16, body: &[u8]) -> Silence {
    let kind = match http {
        401 | 403 => SilenceKind::Forbidden,
        404 | 502..=504 => SilenceKind::Unreachable,
        _ => SilenceKind::NotServing,
    };
    Silence { kind, why: clean(&status::why(http, body)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: usize) -> Item {
        (ClusterKey::new("lab", "pg", "demo"), InstanceName::from(format!("demo-{n}")), Ask::Status)
    }

    #[test]
    fn an_agenda_keeps_one_moment_per_question() {
        let now = Instant::now();
        let at = |s| now + Duration::from_secs(s);
        let mut agenda = Agenda::default();
        agenda.plan(item(1), Queue::Rest, at(5));
        agenda.plan(item(2), Queue::Rest, at(3));
        agenda.plan(item(1), Queue::Rest, at(2));
        assert_eq!((agenda.first(), agenda.rest.len()), (Some(at(2)), 2));
        assert_eq!(agenda.pop(at(2)), Some(item(1)));
        agenda.hurry(&item(1), Queue::Front, at(0));
        assert_eq!(agenda.first(), Some(at(3)), "what is under way is not asked twice");
        agenda.hurry(&item(2), Queue::Rest, at(1));
        agenda.hurry(&item(2), Queue::Rest, at(9));
        assert_eq!(agenda.first(), Some(at(1)));
        agenda.forget(&item(2));
        assert_eq!(agenda.first(), None);
    }

    #[test]
    fn what_is_on_screen_goes_before_what_is_overdue() {
        let now = Instant::now();
        let at = |s| now + Duration::from_secs(s);
        let mut agenda = Agenda::default();
        for n in 0..100 {
            agenda.plan(item(n), Queue::Rest, at(0));
        }
        agenda.hurry(&item(50), Queue::Front, at(1));
        agenda.plan(item(60), Queue::Front, at(4));
        assert_eq!(agenda.pop(at(2)), Some(item(50)));
        assert_eq!(agenda.pop(at(2)), Some(item(0)), "nothing on screen is due");
        assert_eq!(agenda.pop(at(4)), Some(item(60)));
    }
}
