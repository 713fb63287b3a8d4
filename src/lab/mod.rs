//! The other side of the wire: a small real world on one machine, for learning, drills and tests.
//!
//! [`Lab::start`] puts it together: the API's objects and server, PostgreSQL on this machine, Kubernetes' controllers, the
//! operator, the kubelet. It knows nothing of howdah's own adapters: console and lab meet on the wire only, so that they
//! can't share one misbelief.

pub mod api;
mod awake;
pub mod cloud;
pub mod control;
pub mod controllers;
pub mod described;
pub mod dir;
mod door;
pub mod faults;
pub mod fleet;
pub mod instance;
pub mod kubelet;
pub mod object;
pub mod operator;
pub mod postgres;
pub mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::problem::Problem;
use api::access::Access;
use api::certificates::Certificates;
use api::kubeconfig::{Entry, write_kubeconfig};
use api::resources::{BACKUPS, CLUSTERS, FAULTS, SCHEDULEDBACKUPS, SECRETS, SERVICES};
use api::server::{Server, ServerHandle, ServerOptions, Token};
use api::{ApiError, PodRuntime, Resource, Store};
use awake::People;
use cloud::blob::{Account, BlobService};
use control::Controlled;
use controllers::{Controllers, ControllersHandle};
use dir::LabDir;
use faults::{FaultsHandle, Ground};
use fleet::{Fleet, FleetHandle};
use kubelet::Kubelet;
use operator::backups::{self, InstanceManagers};
use operator::{InstanceStatusReader, Operator, OperatorHandle, OperatorOptions};
use postgres::{LoadCount, Machine, MachineOptions, Place, Relay};

/// The same fleet each time: screens of it can be compared.
const FLEET_SEED: u64 = 7;
/// The context, cluster and user in the lab's kubeconfig.
pub const CONTEXT: &str = "howdah-lab";

/// The account and the container of its backups.
const ACCOUNT: &str = "howdahlab";
const CONTAINER: &str = "backups";

/// What a lab is to be.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// Its folder; `None` takes a fresh one in the temporary place.
    pub dir: Option<PathBuf>,
    /// Rows written each second through `-rw`, once the cluster is healthy.
    pub load: Option<u32>,
    /// Instances of the cluster.
    pub instances: u32,
    /// Clusters that are only described, besides.
    pub fleet: usize,
}

impl Default for LabOptions {
    fn default() -> Self {
        LabOptions { dir: None, load: None, instances: 3, fleet: 0 }
    }
}

/// A running lab. [`Lab::stop`] ends it in order; dropping it ends it at once. Nothing is left either way.
pub struct Lab {
    store: Store,
    api: Arc<ServerHandle>,
    blobs: Arc<BlobService>,
    kubelet: Arc<Kubelet>,
    machine: Arc<Machine>,
    dir: Arc<LabDir>,
    options: LabOptions,
    controllers: Option<ControllersHandle>,
    backups: Option<ControllersHandle>,
    operator: Option<OperatorHandle>,
    faults: Option<FaultsHandle>,
    tasks: Vec<JoinHandle<()>>,
    fleet: Option<FleetHandle>,
    roads: Vec<Arc<Relay>>,
    people: Arc<People>,
    awake: watch::Receiver<Option<Result<(), Problem>>>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.machine.processes.shutdown();
        // A task that is still on its way out may hold a handle to the folder: it goes all the same.
        self.dir.clear();
    }
}

pub(crate) fn refused(what: &str) -> impl Fn(ApiError) -> Problem + '_ {
    move |why| Problem::new(what).because(why.message)
}

impl Lab {
    /// Starts a lab and returns when its API answers; the cluster in it is not there yet ([`Lab::ready`]). Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// No PostgreSQL on this machine, a folder that can't be used, no free port.
    pub async fn start(options: LabOptions) -> Result<Lab, Problem> {
        let dir = Arc::new(LabDir::open(options.dir.as_deref())?);
        let machine = Machine::new(Arc::clone(&dir), MachineOptions::default())?;
        let store = Store::new();
        store.admit(Arc::new(admit));
        world::populate(&store).map_err(refused("the lab's world could not be made"))?;
        let kubelet = Kubelet::new(&store, Arc::clone(&machine));
        let runtime: Arc<dyn PodRuntime> = Arc::clone(&kubelet) as Arc<dyn PodRuntime>;
        let api = serve(&store, runtime, &dir.join("kubeconfig")).await?;
        let blobs = Arc::new(serve_blobs(&machine).await?);
        let managers: Arc<dyn InstanceManagers> = Arc::clone(&kubelet) as Arc<dyn InstanceManagers>;
        let reader: Arc<dyn InstanceStatusReader> = Arc::clone(&kubelet) as Arc<dyn InstanceStatusReader>;
        let ground = Ground {
            store: store.clone(),
            kubelet: Arc::clone(&kubelet),
            machine: Arc::clone(&machine),
            api: Arc::clone(&api),
            blobs: Arc::clone(&blobs),
        };
        let mut lab = Lab {
            tasks: vec![tokio::spawn(Arc::clone(&kubelet).run())],
            controllers: Some(Controllers::start(&store, kubelet.roads().network())),
            backups: Some(ControllersHandle::start(&store, backups::controllers(managers))),
            operator: Some(Operator::start(&store, reader, OperatorOptions::default())),
            faults: Some(faults::start(ground)),
            people: Arc::new(People::new(&store, options.instances)),
            awake: watch::channel(None).1,
            fleet: (options.fleet > 0).then(|| Fleet::describe(&store, options.fleet, FLEET_SEED).start()),
            roads: Vec::new(),
            store,
            api,
            blobs,
            kubelet,
            machine,
            dir,
            options,
        };
        lab.make_cluster().await?;
        lab.wake();
        let socket = lab.dir.join("control.sock");
        let controlled = Controlled { api: Arc::clone(&lab.api), people: Arc::clone(&lab.people) };
        lab.tasks.push(control::listen(&socket, Arc::new(controlled))?);
        Ok(lab)
    }

    /// Where its kubeconfig is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its API server, which can be stopped and started alone.
    pub fn api(&self) -> &Arc<ServerHandle> {
        &self.api
    }

    /// What the load has done so far.
    pub fn load(&self) -> Option<LoadCount> {
        self.people.load()
    }

    /// Has the first backup taken and the load started as soon as that can be.
    fn wake(&mut self) {
        let (tell, awake) = watch::channel(None);
        let (people, load) = (Arc::clone(&self.people), self.options.load.filter(|rate| *rate > 0));
        let road = self.roads.first().map(|road| road.address());
        self.awake = awake;
        self.tasks.push(tokio::spawn(async move {
            let done = people.wake(load.zip(road)).await;
            tell.send_replace(Some(done));
        }));
    }

    /// The cluster's manifest, its password, what opens the object store, and the load balancers before it.
    async fn make_cluster(&mut self) -> Result<(), Problem> {
        let refuse = refused("the lab's cluster could not be made");
        let namespace = world::NAMESPACE;
        let secret = world::app_secret(&Token::generate().0);
        self.store.create(&SECRETS, namespace, secret).map_err(&refuse)?;
        let account = self.blobs.account();
        let secret = world::backup_secret(&account.name, &account.key());
        self.store.create(&SECRETS, namespace, secret).map_err(&refuse)?;
        let version = self.machine.binaries.version();
        let manifest = world::cluster(self.options.instances, &version, &self.blobs.url());
        let admitted = operator::admission::admit(manifest, None).map_err(&refuse)?;
        self.store.create(&CLUSTERS, namespace, admitted.object).map_err(&refuse)?;
        for (name, role) in [("cnpg-cluster-load-balancer-rw", "primary"), ("cnpg-cluster-load-balancer-ro", "replica")]
        {
            let from = Place { name: "clients".to_owned(), zone: None };
            let road = self.kubelet.roads().to_service(namespace, name, from, false).await?;
            let service = load_balancer(name, role, road.address().port());
            self.store.create(&SERVICES, namespace, service).map_err(&refuse)?;
            self.roads.push(road);
        }
        Ok(())
    }

    /// Waits until the cluster is healthy, has its first base backup, and the load runs. A lab gets there by itself, whether
    /// anybody waits or not.
    ///
    /// # Errors
    /// When that does not come about in time, or can't: with what is known of the reason.
    pub async fn ready(&self, within: Duration) -> Result<(), Problem> {
        let mut awake = self.awake.clone();
        let done = tokio::time::timeout(within, awake.wait_for(Option::is_some)).await;
        match done {
            Ok(Ok(done)) => done.clone().unwrap_or(Ok(())),
            Ok(Err(_)) => Err(Problem::new("the lab is being ended")),
            Err(_) => Err(Problem::new("the lab does not get ready").because(self.people.state())),
        }
    }

    /// Ends it: the API first, then everything that acts, then the servers. Its folder goes last.
    pub async fn stop(mut self) {
        self.people.rest();
        if let Some(faults) = self.faults.take() {
            faults.stop().await;
        }
        self.api.stop().await;
        self.blobs.stop().await;
        if let Some(fleet) = self.fleet.take() {
            fleet.stop().await;
        }
        if let Some(operator) = self.operator.take() {
            operator.stop().await;
        }
        for controllers in [self.backups.take(), self.controllers.take()].into_iter().flatten() {
            controllers.stop().await;
        }
        for task in self.tasks.drain(..) {
            task.abort();
            // An aborted task says nothing more.
            let _ = task.await;
        }
        let machine = Arc::clone(&self.machine);
        // Blocking, and bounded. A panic in it leaves the rest to the drop below.
        let _ = tokio::task::spawn_blocking(move || machine.processes.shutdown()).await;
        drop(self);
    }
}

/// CloudNativePG's webhook and the lab's own.
fn admit(store: &Store, kind: &'static Resource, before: Option<&Value>, after: &mut Value) -> Result<(), ApiError> {
    if kind == &FAULTS {
        return faults::admit(store, before, after);
    }
    if kind == &CLUSTERS {
        *after = operator::admission::admit(std::mem::take(after), before)?.object;
    }
    if kind == &BACKUPS {
        operator::admission::admit_backup(after, before)?;
    }
    if kind == &SCHEDULEDBACKUPS {
        operator::admission::admit_scheduled(after, before)?;
    }
    Ok(())
}

async fn serve(store: &Store, runtime: Arc<dyn PodRuntime>, kubeconfig: &Path) -> Result<Arc<ServerHandle>, Problem> {
    let certificates = Certificates::generate(&["localhost", "127.0.0.1", "kubernetes", "kubernetes.default.svc"])?;
    let (ca_pem, token) = (certificates.ca_pem.clone(), Token::generate());
    let listen = ([127, 0, 0, 1], 0).into();
    let options = ServerOptions { listen, certificates, token: token.clone(), access: Access::default() };
    let trouble = |e| Problem::new("the lab's API can't be served").because(e);
    let api = Server::start(store.clone(), runtime, options).await.map_err(trouble)?;
    let (name, namespace) = (CONTEXT.to_owned(), world::NAMESPACE.to_owned());
    write_kubeconfig(kubeconfig, &Entry { name, server: api.url(), ca_pem, token: token.0, namespace })?;
    Ok(Arc::new(api))
}

async fn serve_blobs(machine: &Machine) -> Result<BlobService, Problem> {
    let trouble = |e| Problem::new("the lab's object store can't be served").because(e);
    BlobService::start(machine.store_dir(), Account::generate(ACCOUNT), CONTAINER).await.map_err(trouble)
}

/// A load balancer of the guide (B14), at the port where it can really be reached.
fn load_balancer(name: &str, role: &str, port: u16) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "type": "LoadBalancer", "clusterIP": "10.0.77.1", "clusterIPs": ["10.0.77.1"],
            "ports": [{"protocol": "TCP", "port": port, "targetPort": 5432, "nodePort": 30_000 + port % 2_768}],
            "selector": {"cnpg.io/cluster": world::CLUSTER, "cnpg.io/instanceRole": role, "cnpg.io/podRole": "instance"},
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ipMode": "VIP"}]}},
    })
}
