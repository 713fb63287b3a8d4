//! One context: its client, its watches, its probes, and what holds them together.

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::inbox::Outbox;
use super::super::live::Namespaces;
use super::super::objects::source::Stores;
use super::super::postgres::sampler::{Logins, Sampler};
use super::super::supervisor::{Ended, Pulse, Source, Wakers, supervise};
use super::client::{Clients, Made, Maker, clients, connect, get};
use super::gather::{Gather, Pictures};
use super::kinds::Kind;
use super::kubeconfig::Target;
use super::last_words::Listener;
use super::probes::{Focus, Probes};
use super::standing::tell_if_lab;
use super::trouble::{Trouble, TroubleKind};
use super::watch::Watch;
use crate::domain::source::SourceId;

/// Events that watches may be ahead of the gathering.
const AHEAD: usize = 2048;
/// How often the server is asked whether it is there.
const BEAT: Duration = Duration::from_secs(10);
/// How long it may take to say so.
const ANSWER: Duration = Duration::from_secs(5);
/// How long before its certificate ends a client is made anew.
const BEFORE: SignedDuration = SignedDuration::from_secs(30);
/// Clients are made anew no more often than this.
const ANEW: Duration = Duration::from_secs(2);

/// The kinds that are watched. Endpoints are not: every Kubernetes that CNPG 1.22 and later run on has EndpointSlices.
pub fn kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|k| *k != Kind::Endpoints)
}

/// A context being looked at. Dropped, it ends.
pub struct Running {
    /// Its client.
    pub clients: Clients,
    /// Its clusters.
    pub pictures: watch::Receiver<Pictures>,
    /// Asks every instance now.
    pub probe_again: Arc<Notify>,
    /// Tries every way to SQL again.
    pub sql_again: watch::Sender<u64>,
    _tasks: JoinSet<()>,
}

/// What all contexts share.
pub struct Shared {
    /// Where everything is told.
    pub outbox: Outbox,
    /// Which clusters are on screen.
    pub focus: watch::Receiver<Focus>,
    /// Wakes waiting sources.
    pub wakers: Wakers,
    /// How to log in to PostgreSQL.
    pub logins: Arc<Logins>,
    /// Lists are read once and not watched after.
    pub once: bool,
    /// How often object stores are looked at; `None`: never.
    pub stores: Option<Duration>,
}

/// Starts to look at a context.
pub fn start(target: Target, namespaces: &Namespaces, shared: Shared) -> Running {
    let Shared { outbox, focus, wakers, logins, once, stores } = shared;
    let mut tasks = JoinSet::new();
    let context = target.context.clone();
    let (maker, clients) = clients();
    let (pictures, seen) = watch::channel(Pictures::default());
    let (open, gate) = watch::channel(false);
    let (said, heard) = mpsc::channel(AHEAD);
    tasks.spawn(supervise(Link { target, maker }, outbox.clone(), wakers.clone()));
    for kind in kinds() {
        let watch = Watch {
            context: context.clone(),
            kind,
            clients: clients.clone(),
            namespaces: namespaces.clone(),
            said: said.clone(),
            gate: gate.clone(),
            resume: Default::default(),
            once,
        };
        tasks.spawn(supervise(watch, outbox.clone(), wakers.clone()));
    }
    if !once {
        tasks.spawn(tell_if_lab(context.clone(), clients.clone(), outbox.clone(), wakers.clone()));
    }
    let (words, on_screen) = (said.clone(), focus.clone());
    let listener = Listener { clients: clients.clone(), pictures: seen.clone(), focus: on_screen, said: words };
    tasks.spawn(listener.run());
    tasks.spawn(Gather::new(context, outbox.clone(), kinds(), open, pictures).run(heard));
    let probe_again = Arc::new(Notify::new());
    let probes = Probes {
        clients: clients.clone(),
        pictures: seen.clone(),
        focus: focus.clone(),
        outbox: outbox.clone(),
        again: probe_again.clone(),
        once,
        volumes: Arc::default(),
    };
    tasks.spawn(probes.run());
    if let Some(every) = stores {
        let (clients, pictures, focus) = (clients.clone(), seen.clone(), focus.clone());
        let stores = Stores { clients, pictures, focus, outbox: outbox.clone(), wakers: wakers.clone(), every };
        tasks.spawn(stores.run());
    }
    let (sql_again, again) = watch::channel(0);
    let sampler = Sampler {
        clients: clients.clone(),
        pictures: seen.clone(),
        focus,
        outbox: outbox.clone(),
        logins,
        kept: Arc::default(),
        again,
    };
    tasks.spawn(sampler.run());
    Running { clients, pictures: seen, probe_again, sql_again, _tasks: tasks }
}

/// The connection to a context's API server: makes its client, and a new one when its credentials are refused.
struct Link {
    target: Target,
    maker: Maker,
}

impl Source for Link {
    fn id(&self) -> SourceId {
        SourceId::Kubernetes(self.target.context.clone())
    }

    fn late_after(&self) -> Duration {
        BEAT + ANSWER
    }

    async fn tell(&mut self, pulse: &Pulse) -> Ended {
        let what = format!("can't reach {}", self.target.context);
        loop {
            let Made { client, proxy } = match connect(&self.target).await {
                Ok(made) => made,
                Err(problem) => return Ended::Failed(problem),
            };
            let made = Instant::now();
            self.maker.offer(client.clone());
            loop {
                match timeout(ANSWER, client.request_text(get("/version"))).await {
                    Ok(Ok(_)) => pulse.proven(),
                    Ok(Err(e)) => match Trouble::from(e) {
                        // It answers, if only that it may not or can't say which version it is.
                        t if matches!(t.kind, TroubleKind::Forbidden | TroubleKind::Missing) => pulse.proven(),
                        t => return Ended::Failed(t.problem_through(&what, proxy.as_deref())),
                    },
                    Err(_) => {
                        let late = Trouble::timed_out(ANSWER.as_secs_f64());
                        return Ended::Failed(late.problem_through(&what, proxy.as_deref()));
                    }
                }
                if client.valid_until().is_some_and(|end| end <= Timestamp::now() + BEFORE) {
                    // A certificate of a credential plugin: it gets a new one.
                    sleep_until(made + ANEW).await;
                    break;
                }
                tokio::select! {
                    () = tokio::time::sleep(BEAT) => {}
                    () = self.maker.refused() => {
                        sleep_until(made + ANEW).await;
                        break;
                    }
                }
            }
        }
    }
}
