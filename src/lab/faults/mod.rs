//! Faults on demand: what a trainee practises on and a test plants.
//!
//! A fault is an object of the lab's API (`Fault`, group `lab.howdah.dev`): made, it is done; deleted, it is undone before
//! it goes. [`spec`] reads and refuses, [`control`] performs, and each further file does one family of kinds to what is
//! real: processes, PostgreSQL, the network, the store, the API. The words of the kinds are [`crate::domain::fault`]'s.
//! Nothing here may write what an operator or a console should find out by itself.

mod archive;
mod control;
mod disk;
mod network;
mod outage;
mod processes;
mod replay;
mod sessions;
mod slot;
mod spec;
mod store;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::api::resources::CLUSTERS;
use super::api::{Store, server::ServerHandle};
use super::cloud::blob::BlobService;
use super::instance::Instance;
use super::kubelet::Kubelet;
use super::object::text;
use super::postgres::Machine;
use crate::problem::Problem;

pub use control::{FaultsHandle, start};
pub use spec::{Wish, admit};

/// How long one question to a server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the word that the API goes may take to those who listen.
const SAID: Duration = Duration::from_millis(700);

/// What faults are done to.
#[derive(Clone)]
pub struct Ground {
    /// The API's objects.
    pub store: Store,
    /// What runs in pods.
    pub kubelet: Arc<Kubelet>,
    /// Servers, network, folders.
    pub machine: Arc<Machine>,
    /// The API's server.
    pub api: Arc<ServerHandle>,
    /// The object store's.
    pub blobs: Arc<BlobService>,
}

impl Ground {
    /// The instance manager that runs in the pod of that name now.
    fn instance(&self, ns: &str, name: &str) -> Result<Arc<Instance>, Problem> {
        let running = self.kubelet.named(ns, name).and_then(|pod| pod.instance());
        running.ok_or_else(|| Problem::new(format!("{name} does not run")))
    }

    /// Who leads a cluster now, by its own object.
    fn primary(&self, ns: &str, cluster: &str) -> String {
        let object = self.store.get(&CLUSTERS, ns, cluster);
        object.map(|cluster| text(&cluster, "/status/currentPrimary").to_owned()).unwrap_or_default()
    }
}

/// What looking after a standing fault has found.
enum Kept {
    /// It stands as it did.
    Same,
    /// It stands, and this is to be said of it now.
    Says(String),
    /// It has ended by itself or by another's hand.
    Over,
}

/// One fault of any kind. Each method may be dropped half-way; `undo` undoes whatever was done until then.
trait Fault: Send {
    /// Does it, and says what was done.
    fn start(&mut self) -> BoxFuture<'_, Result<String, Problem>>;

    /// Looks after it while it stands.
    fn keep(&mut self) -> BoxFuture<'_, Kept> {
        Box::pin(async { Kept::Same })
    }

    /// Undoes it. May be called again, and where nothing is left to undo.
    fn undo(&mut self) -> BoxFuture<'_, Result<(), Problem>>;
}

/// Makes a fault of one kind. Does nothing yet.
type Maker = fn(Ground, Wish) -> Box<dyn Fault>;

/// Who performs which kind of [`crate::domain::fault::KINDS`].
const MAKERS: &[(&str, Maker)] = &[
    ("kill-primary", |ground, wish| Box::new(processes::KillPrimary::new(ground, wish))),
    ("freeze-standby", |ground, wish| Box::new(processes::FreezeStandby::new(ground, wish))),
    ("zone-loss", |ground, wish| Box::new(network::ZoneLoss::new(ground, wish))),
    ("zone-cut", |ground, wish| Box::new(network::Cut::new(ground, wish))),
    ("link-cut", |ground, wish| Box::new(network::Cut::new(ground, wish))),
    ("slow-standby", |ground, wish| Box::new(network::SlowStandby::new(ground, wish))),
    ("replay-paused", |ground, wish| Box::new(replay::ReplayPaused::new(ground, wish))),
    ("archive-failing", |ground, wish| Box::new(archive::ArchiveFailing::new(ground, wish))),
    ("bucket-unreachable", |ground, wish| Box::new(store::BucketUnreachable::new(ground, wish))),
    ("wal-missing", |ground, wish| Box::new(store::WalMissing::between(ground, wish))),
    ("end-wal-missing", |ground, wish| Box::new(store::WalMissing::at_the_end(ground, wish))),
    ("base-corrupted", |ground, wish| Box::new(store::BaseCorrupted::new(ground, wish))),
    ("slot-left-behind", |ground, wish| Box::new(slot::SlotLeftBehind::new(ground, wish))),
    ("long-transaction", |ground, wish| Box::new(sessions::LongTransaction::new(ground, wish))),
    ("connections-exhausted", |ground, wish| Box::new(sessions::ConnectionsExhausted::new(ground, wish))),
    ("wal-volume-nearly-full", |ground, wish| Box::new(disk::WalVolume::new(ground, wish))),
    ("api-outage", |ground, _| Box::new(outage::ApiOutage::new(ground))),
];

/// The fault that a wish is for.
fn of(ground: &Ground, wish: Wish) -> Option<Box<dyn Fault>> {
    let (_, make) = MAKERS.iter().find(|(name, _)| *name == wish.kind.name)?;
    Some(make(ground.clone(), wish))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault::KINDS;

    #[test]
    fn every_kind_of_the_table_is_performed() {
        let table: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let makers: Vec<&str> = MAKERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(table, makers);
    }
}
