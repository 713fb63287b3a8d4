//! A listening port that leads to targets which may change.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};

use super::{
    pump::Pump,
    weather::{self, Network, Place, Policy, Target, worst},
};
use crate::problem::Problem;

/// Connections one relay holds at a time; more wait in the system's queue. Bounds memory when a black hole collects them.
const MOST: usize = 256;

type Policies = watch::Receiver<weather::Policies>;

/// A listening port on loopback that leads to its targets in turn. Dropping it closes the port and its connections.
#[derive(Debug)]
pub struct Relay {
    name: String,
    address: SocketAddr,
    targets: watch::Sender<Vec<Target>>,
    room: Arc<Semaphore>,
    task: JoinHandle<()>,
    /// The weather lasts as long as anyone feels it.
    _network: Network,
}

impl Relay {
    pub(super) async fn open(name: &str, from: Place, network: Network) -> Result<Relay, Problem> {
        let trouble = |e| Problem::new(format!("no port for the relay {name}")).because(e);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(trouble)?;
        let address = listener.local_addr().map_err(trouble)?;
        let targets = watch::Sender::new(Vec::new());
        let room = Arc::new(Semaphore::new(MOST));
        let shared = Arc::new(Shared { from, turn: AtomicUsize::new(0) });
        let task = tokio::spawn(accept(listener, shared, targets.subscribe(), network.changes(), room.clone()));
        Ok(Relay { name: name.to_owned(), address, targets, room, task, _network: network })
    }

    /// What it was called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go to these in turn; connections to anything else are reset.
    pub fn lead_to(&self, targets: Vec<Target>) {
        self.targets.send_if_modified(|now| {
            let change = *now != targets;
            *now = targets;
            change
        });
    }

    /// Where it leads now.
    pub fn targets(&self) -> Vec<Target> {
        self.targets.borrow().clone()
    }

    /// Connections that are open through it.
    pub fn open_connections(&self) -> usize {
        MOST - self.room.available_permits().min(MOST)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Shared {
    from: Place,
    turn: AtomicUsize,
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    targets: watch::Receiver<Vec<Target>>,
    policies: Policies,
    room: Arc<Semaphore>,
) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok(seat) = room.clone().acquire_owned().await else { return };
        let client = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((client, _)) => break client,
                    // Out of descriptors, or a client that left at once: the next may fare better.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        };
        let link = Link { shared: shared.clone(), targets: targets.clone(), policies: policies.clone() };
        connections.spawn(async move {
            link.serve(client).await;
            drop(seat);
        });
    }
}

/// One connection's view of the world.
struct Link {
    shared: Arc<Shared>,
    targets: watch::Receiver<Vec<Target>>,
    policies: Policies,
}

impl Link {
    async fn serve(mut self, mut client: TcpStream) {
        let _ = client.set_nodelay(true);
        let Some(target) = self.choose() else { return reset(&client) };
        let Some(mut server) = self.connect(&target).await else { return reset(&client) };
        let _ = server.set_nodelay(true);
        let mut pump = Pump::default();
        loop {
            let policy = match self.policy(&target) {
                Some(Policy::Cut) | None => {
                    reset(&client);
                    return reset(&server);
                }
                Some(policy) => policy,
            };
            pump.set(policy);
            tokio::select! {
                ended = pump.run(&mut client, &mut server), if policy != Policy::Blackhole => {
                    if ended.is_err() {
                        reset(&client);
                        reset(&server);
                    }
                    return;
                }
                alive = self.change() => if !alive { return },
            }
        }
    }

    /// The next target in turn.
    fn choose(&mut self) -> Option<Target> {
        let targets = self.targets.borrow_and_update();
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed);
        (!targets.is_empty()).then(|| targets[turn % targets.len()].clone())
    }

    /// What holds for the target now; `None` when the relay leads there no more.
    fn policy(&mut self, target: &Target) -> Option<Policy> {
        let policy = worst(&self.policies.borrow_and_update(), &self.shared.from, &target.place);
        self.targets.borrow_and_update().contains(target).then_some(policy)
    }

    /// Connects when the weather lets it, waiting out a black hole.
    async fn connect(&mut self, target: &Target) -> Option<TcpStream> {
        loop {
            match self.policy(target)? {
                Policy::Cut => return None,
                Policy::Blackhole => {
                    if !self.change().await {
                        return None;
                    }
                }
                Policy::Pass | Policy::Slow { .. } => {
                    tokio::select! {
                        connected = TcpStream::connect(target.address) => return connected.ok(),
                        alive = self.change() => if !alive { return None },
                    }
                }
            }
        }
    }

    /// Waits until weather or targets change. False when the relay or its network is gone.
    async fn change(&mut self) -> bool {
        tokio::select! {
            changed = self.policies.changed() => changed.is_ok(),
            changed = self.targets.changed() => changed.is_ok(),
        }
    }
}

/// The other side sees a reset, not an orderly end: as of a machine that is gone.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
