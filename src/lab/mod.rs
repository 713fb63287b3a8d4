//! The other side of the wire: a small real world on one machine, for learning, drills and tests.
//!
//! [`Lab::start`] puts it together: the API's objects and server, PostgreSQL on this machine, Kubernetes' controllers, the
//! operator, the kubelet. It knows nothing of howdah's own adapters: console and lab meet on the wire only, so that they
//! can't share one misbelief.

pub mod api;
pub mod control;
pub mod controllers;
pub mod described;
pub mod dir;
pub mod instance;
pub mod kubelet;
pub mod object;
pub mod operator;
pub mod postgres;
pub mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::problem::{Exit, Problem};
use api::access::Access;
use api::certificates::Certificates;
use api::kubeconfig::{Entry, write_kubeconfig};
use api::resources::{BACKUPS, CLUSTERS, LEASES, PODS, SECRETS, SERVICES};
use api::server::{Server, ServerHandle, ServerOptions, Token};
use api::{ApiError, Part, PodRuntime, Store};
use controllers::{Controllers, ControllersHandle};
use dir::LabDir;
use kubelet::Kubelet;
use object::{condition_is_true, number, seconds, text};
use operator::{InstanceStatusReader, Operator, OperatorHandle, OperatorOptions};
use postgres::{Load, LoadCount, Machine, MachineOptions, Place, Relay};

/// The context, cluster and user in the lab's kubeconfig.
pub const CONTEXT: &str = "howdah-lab";
/// How often the lab is looked at while it gets ready.
const LOOK: Duration = Duration::from_millis(100);
/// How long the last tasks may take to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a lab is to be.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// Its folder; `None` takes a fresh one in the temporary place.
    pub dir: Option<PathBuf>,
    /// Rows written each second through `-rw`, once the cluster is healthy.
    pub load: Option<u32>,
    /// Instances of the cluster.
    pub instances: u32,
}

impl Default for LabOptions {
    fn default() -> Self {
        LabOptions { dir: None, load: None, instances: 3 }
    }
}

/// A running lab. [`Lab::stop`] ends it in order; dropping it ends it at once. Nothing is left either way.
pub struct Lab {
    store: Store,
    api: Arc<ServerHandle>,
    kubelet: Arc<Kubelet>,
    machine: Arc<Machine>,
    dir: Arc<LabDir>,
    options: LabOptions,
    controllers: Option<ControllersHandle>,
    operator: Option<OperatorHandle>,
    tasks: Vec<JoinHandle<()>>,
    roads: Vec<Arc<Relay>>,
    load: Option<Load>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.machine.processes.shutdown();
    }
}

fn refused(what: &str) -> impl Fn(ApiError) -> Problem + '_ {
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
        world::populate(&store).map_err(refused("the lab's world could not be made"))?;
        let kubelet = Kubelet::new(&store, Arc::clone(&machine));
        let runtime: Arc<dyn PodRuntime> = Arc::clone(&kubelet) as Arc<dyn PodRuntime>;
        let api = serve(&store, runtime, &dir.join("kubeconfig")).await?;
        let reader: Arc<dyn InstanceStatusReader> = Arc::clone(&kubelet) as Arc<dyn InstanceStatusReader>;
        let mut lab = Lab {
            tasks: vec![tokio::spawn(Arc::clone(&kubelet).run())],
            controllers: Some(Controllers::start(&store)),
            operator: Some(Operator::start(&store, reader, OperatorOptions::default())),
            roads: Vec::new(),
            load: None,
            store,
            api,
            kubelet,
            machine,
            dir,
            options,
        };
        lab.make_cluster().await?;
        let socket = lab.dir.join("control.sock");
        lab.tasks.push(control::listen(&socket, Arc::clone(&lab.api))?);
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
        self.load.as_ref().map(|load| *load.count.borrow())
    }

    /// The cluster's manifest, its password and the load balancers before it.
    async fn make_cluster(&mut self) -> Result<(), Problem> {
        let refuse = refused("the lab's cluster could not be made");
        let namespace = world::NAMESPACE;
        let secret = world::app_secret(&Token::generate().0);
        self.store.create(&SECRETS, namespace, secret).map_err(&refuse)?;
        let admitted =
            operator::admission::admit(world::cluster(self.options.instances, &self.machine.binaries.version()), None)
                .map_err(&refuse)?;
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

    /// Waits until the cluster is healthy, has its first base backup, and commits are safe; then starts the load.
    ///
    /// # Errors
    /// When that does not come about in time: with what is known of the reason.
    pub async fn ready(&mut self, within: Duration) -> Result<(), Problem> {
        let until = Instant::now() + within;
        self.until(until, "the primary is not ready", |lab| lab.primary().is_some()).await?;
        let backup = self.first_backup();
        let healthy = self.until(until, "the cluster is not healthy", Lab::is_healthy);
        let (backup, healthy) = tokio::join!(backup, healthy);
        healthy?;
        backup?;
        if let Some(rate) = self.options.load.filter(|rate| *rate > 0) {
            self.start_load(rate)?;
        }
        Ok(())
    }

    async fn until(&self, until: Instant, what: &str, holds: impl Fn(&Lab) -> bool) -> Result<(), Problem> {
        while !holds(self) {
            if Instant::now() > until {
                let cluster = self.cluster();
                let (phase, reason) = (text(&cluster, "/status/phase"), text(&cluster, "/status/phaseReason"));
                return Err(Problem::new(what).because(format!("{phase}: {reason}")).exit(Exit::Unknown));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn cluster(&self) -> Arc<Value> {
        self.store.get(&CLUSTERS, world::NAMESPACE, world::CLUSTER).unwrap_or_default()
    }

    /// The primary's name, once its pod is ready and it holds the lease.
    fn primary(&self) -> Option<String> {
        let cluster = self.cluster();
        let name = text(&cluster, "/status/currentPrimary");
        let pod = self.store.get(&PODS, world::NAMESPACE, name)?;
        let lease = self.store.get(&LEASES, world::NAMESPACE, world::CLUSTER)?;
        let holds = text(&lease, "/spec/holderIdentity") == name;
        (holds && condition_is_true(&pod, "Ready")).then(|| name.to_owned())
    }

    fn is_healthy(&self) -> bool {
        let cluster = self.cluster();
        text(&cluster, "/status/phase") == operator::words::phase::HEALTHY
            && number(&cluster, "/status/readyInstances") == Some(i64::from(self.options.instances))
    }

    /// One base backup, so that the cluster can be recovered from its beginning: the Backup object as the operator hands it to
    /// an instance, and the rest by that instance.
    async fn first_backup(&self) -> Result<(), Problem> {
        let gone = || Problem::new("the first base backup could not be taken").because("there is no primary");
        let primary = self.primary().ok_or_else(gone)?;
        let instance = self.kubelet.named(world::NAMESPACE, &primary).and_then(|h| h.instance()).ok_or_else(gone)?;
        let now = Timestamp::now();
        let name = format!("{}-{}", world::CLUSTER, instance::backup::stamp(now));
        let refuse = refused("the first base backup could not be taken");
        let backup = json!({
            "metadata": {"name": name, "labels": {"cnpg.io/cluster": world::CLUSTER}},
            "spec": {"cluster": {"name": world::CLUSTER}, "method": "barmanObjectStore"},
        });
        self.store.create(&BACKUPS, world::NAMESPACE, backup).map_err(&refuse)?;
        let started = json!({
            "phase": "started", "method": "barmanObjectStore", "majorVersion": self.machine.binaries.major,
            "instanceID": {"podName": primary, "sessionID": instance.session()}, "reconciliationStartedAt": seconds(now),
        });
        let begun = self.store.change(&BACKUPS, world::NAMESPACE, &name, Part::Status, |backup| {
            backup["status"] = started.clone();
            Ok(())
        });
        let begun = begun.map_err(&refuse)?;
        let said = format!("Starting backup for cluster {}", world::CLUSTER);
        let event = self.store.event(&begun, api::EventType::Normal, "Starting", &said, "cloudnative-pg-backup");
        event.map_err(&refuse)?;
        instance.back_up(&name).await.map(drop)
    }

    fn start_load(&mut self, rate: u32) -> Result<(), Problem> {
        let (ns, cluster) = (world::NAMESPACE, world::CLUSTER);
        let passwords = instance::credentials::passwords(&self.store, ns, cluster)?;
        let certificates = instance::credentials::certificates(&self.store, ns, cluster)?;
        let road = self.roads.first().ok_or_else(|| Problem::new("there is no road to the primary"))?;
        self.load =
            Some(Load::start_as(rate, &format!("{cluster}-rw"), road.address(), &passwords.app, &certificates)?);
        Ok(())
    }

    /// Ends it: the API first, then everything that acts, then the servers. Its folder goes with the last handle.
    pub async fn stop(mut self) {
        self.load = None;
        self.api.stop().await;
        if let Some(operator) = self.operator.take() {
            operator.stop().await;
        }
        if let Some(controllers) = self.controllers.take() {
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
        let dir = Arc::downgrade(&self.dir);
        drop(self);
        let until = Instant::now() + LAST_WORDS;
        // What ran in the pods lets go of the folder as soon as it sees the end.
        while dir.strong_count() > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
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
