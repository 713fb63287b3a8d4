//! What runs inside an instance's pod: CNPG's instance manager.
//!
//! It watches its own Cluster object and its lease, runs the PostgreSQL server of this instance in the role that is
//! wanted, and answers `/pg/status`, the probes and `/metrics`. It must not know other pods, nodes, or how the operator
//! decides: they meet through the API's objects and the network only.

pub mod backup;
pub mod chores;
pub mod credentials;
pub mod decide;
pub mod jobs;
pub mod lease;
pub mod log;
pub mod manager;
pub mod metrics;
mod reach;
pub mod recovery;
pub mod status;
pub mod view;
pub mod web;
pub mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::lab::api::Store;
use crate::lab::api::resources::CLUSTERS;
use crate::lab::kubelet::pod::hex_of;
use crate::lab::kubelet::roads::{Roads, api_server, object_store};
use crate::lab::kubelet::volumes::wal_volume;
use crate::lab::postgres::slots::Slot;
use crate::lab::postgres::{Machine, Place, Relay, Server, ServerSpec, Store as Archive, Target};
use crate::problem::Problem;

pub use backup::server_name;
use log::Log;
use view::View;

/// How long one question to the server may take.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What an instance can learn from another over the network.
pub trait Neighbours: Send + Sync {
    /// The HA slots of another instance's server, asked by who is at `from`; `None` when there is no answer.
    fn slots_of<'a>(&'a self, ns: &'a str, instance: &'a str, from: &'a Place) -> BoxFuture<'a, Option<Vec<Slot>>>;
}

/// What an instance is given by the node it runs on.
#[derive(Clone)]
pub struct Setup {
    /// The API's objects.
    pub store: Store,
    /// Programs, account, processes.
    pub machine: Arc<Machine>,
    /// The network.
    pub roads: Roads,
    /// The pod's namespace.
    pub namespace: String,
    /// The cluster it belongs to.
    pub cluster: String,
    /// The instance's name; for instances also the pod's.
    pub instance: String,
    /// The volume its data is on.
    pub volume: String,
    /// Where it is in the network.
    pub place: Place,
    /// Its road to the cluster's primary.
    pub upstream: Arc<Relay>,
    /// The other instances.
    pub neighbours: Weak<dyn Neighbours>,
    /// Its container's log.
    pub log: Log,
}

impl Setup {
    /// Whether the API can be asked from here now.
    pub fn reaches_api(&self) -> bool {
        self.roads.network().passes(&self.place, &api_server())
    }

    /// Whether the object store can be reached from here now.
    pub fn reaches_store(&self) -> bool {
        self.roads.network().passes(&self.place, &object_store())
    }

    /// Whether the volume of WAL has room for another segment, by what its claim says.
    pub fn has_wal_room(&self) -> bool {
        let volume = wal_volume(&self.store, &self.machine, &self.namespace, &self.instance);
        let segment = u64::from(self.machine.options.wal_segment_mib) << 20;
        volume.is_none_or(|(used, size)| used + segment <= size)
    }

    /// Whether another instance can be reached from here now. One whose zone nobody knows is taken to be nowhere near.
    pub fn reaches(&self, instance: &str, zone: Option<&str>) -> bool {
        let there = Place { name: instance.to_owned(), zone: zone.map(str::to_owned) };
        instance == self.instance || self.roads.network().passes(&self.place, &there)
    }

    /// The Cluster as it is now, `None` when it is gone.
    pub fn view(&self) -> Option<View> {
        Some(View::of(&*self.store.get(&CLUSTERS, &self.namespace, &self.cluster)?))
    }

    /// The server on this instance's volume.
    ///
    /// # Errors
    /// When the cluster's secrets can't be read, or the certificates not be written.
    pub fn server(&self, view: &View) -> Result<Arc<Server>, Problem> {
        let store = Archive { root: self.machine.store_dir(), server: view.server_name.clone() };
        let spec = ServerSpec {
            instance: self.instance.clone(),
            volume: self.volume.clone(),
            place: self.place.clone(),
            certificates: credentials::certificates(&self.store, &self.namespace, &self.cluster)?,
            store: view.archives.then_some(store),
            parameters: parameters(view),
        };
        Server::new(&self.machine, spec)
    }
}

/// Why the server is down, or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Intent {
    /// It should run.
    #[default]
    Run,
    /// It is being stopped and will not come back in this container.
    Stop,
    /// It is down because the instance is fenced.
    Fenced,
    /// It is down, or just coming up, on request: silence is excused until it answers.
    Restart,
}

/// What the manager's loop and its web server share.
#[derive(Debug, Default)]
struct Shared {
    view: View,
    intent: Intent,
    rewinding: bool,
    configuration: String,
}

/// The instance manager of one run of an instance's container.
pub struct Instance {
    setup: Setup,
    server: Arc<Server>,
    session: String,
    asked: backup::Asked,
    shared: Mutex<Shared>,
}

impl Instance {
    /// An instance manager for this volume, with nothing started yet.
    ///
    /// # Errors
    /// When there is no such cluster, or [`Setup::server`] fails.
    pub fn new(setup: Setup, session: String) -> Result<Arc<Self>, Problem> {
        let gone = || Problem::new(format!("cluster {} is not there", setup.cluster));
        let view = setup.view().ok_or_else(gone)?;
        let server = setup.server(&view)?;
        let shared = Shared { configuration: configuration_hash(&view), view, ..Shared::default() };
        Ok(Arc::new(Instance { setup, server, session, asked: backup::Asked::default(), shared: Mutex::new(shared) }))
    }

    /// The PostgreSQL server it runs.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Whether its volume of WAL has room for another segment.
    pub fn has_wal_room(&self) -> bool {
        self.setup.has_wal_room()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.setup.instance
    }

    /// The id of this run of the instance manager.
    pub fn session(&self) -> &str {
        &self.session
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // Every change below is a single assignment: a panic elsewhere leaves nothing half-done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> View {
        self.shared().view.clone()
    }

    /// Where its server listens, for the roads.
    fn target(&self) -> Target {
        Target { place: self.setup.place.clone(), address: self.server.address() }
    }
}

/// Settings that belong to the instance manager (or, in the lab, to the server's own configuration), whatever the Cluster says.
const FIXED: &[&str] = &[
    "archive_command",
    "archive_mode",
    "cluster_name",
    "dynamic_shared_memory_type",
    "fsync",
    "hot_standby",
    "listen_addresses",
    "log_destination",
    "log_directory",
    "log_filename",
    "log_rotation_age",
    "log_rotation_size",
    "log_truncate_on_rotation",
    "logging_collector",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "restore_command",
    "shared_memory_type",
    "shared_preload_libraries",
    "ssl",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "synchronous_standby_names",
    "unix_socket_directories",
    "wal_level",
    "wal_log_hints",
];

/// The server's parameters for this view of the cluster.
pub fn parameters(view: &View) -> Vec<(String, String)> {
    let own = view.parameters.iter().filter(|(name, _)| !FIXED.contains(&name.as_str()));
    let mut all: Vec<(String, String)> = own.cloned().collect();
    all.push(("synchronous_standby_names".to_owned(), view.standby_names()));
    all
}

/// A hash over what the Cluster says about configuration: the same on all instances that have read the same.
pub fn configuration_hash(view: &View) -> String {
    hex_of(&format!("{:?}{:?}", view.parameters, view.hba))
}
