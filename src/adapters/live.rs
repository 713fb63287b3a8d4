//! The live world: every chosen context at once, behind one handle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::ask;
use super::hands::Hands;
use super::inbox::Outbox;
use super::kubernetes::context::{self, Running, Shared};
use super::kubernetes::faults::Faults;
use super::kubernetes::probes::Focus;
use super::kubernetes::{acts, details, kubeconfig, psql};
use super::objects::reader::Reader;
use super::objects::{find, folder};
use super::postgres::heartbeat::Around;
use super::postgres::sampler::Logins;
use super::practice::{Practice, Trail};
use super::runs::Store;
use super::supervisor::Wakers;
use crate::domain::backup::StoreListing;
use crate::domain::detail::Subject;
use crate::domain::fault::FaultOrder;
use crate::domain::names::{ClusterKey, Context, InstanceName};
use crate::domain::source::SourceId;
use crate::problem::Problem;
use crate::procedure::catalog::restore::Ground;
use crate::procedure::question::{Asked, Reply};

/// Which world to look at, and how.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Kubeconfig files given on the command line. Empty: `KUBECONFIG` (a list), then `~/.kube/config`, then in-cluster.
    pub kubeconfig: Vec<PathBuf>,
    /// Contexts by name. Empty: the current one.
    pub contexts: Vec<String>,
    /// Which namespaces.
    pub namespaces: Namespaces,
    /// Connection strings that replace the tunnel, by cluster and instance.
    pub dsn: Vec<Dsn>,
    /// Namespace-local names of secrets (`username`, `password`) to log in with, by `namespace/cluster`.
    pub secrets: BTreeMap<String, String>,
    /// Lists are read once and not watched after: for a command that looks and ends.
    pub once: bool,
    /// How often what is new in the object stores of clusters on screen is listed; `None`: never, stores are left alone.
    pub stores: Option<Duration>,
}

/// Which namespaces are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// All of them; where that is forbidden, the context's own namespace.
    #[default]
    All,
    /// The context's own namespace.
    Own,
    /// These.
    Only(Vec<String>),
}

/// A connection string for one instance. Its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    /// `namespace/cluster`, optionally `context:namespace/cluster`.
    pub cluster: String,
    /// The instance; `None`: any, found out by asking.
    pub instance: Option<InstanceName>,
    /// libpq's `host=… port=…` or `postgresql://…`.
    pub text: String,
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dsn").field("cluster", &self.cluster).field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// The live adapters.
pub struct Adapters;

/// What holds the live adapters: dropping it ends every task.
pub struct Handle {
    focus: watch::Sender<Focus>,
    contexts: BTreeMap<Context, Running>,
    wakers: Wakers,
    outbox: Outbox,
    details: Mutex<HashMap<Subject, AbortOnDrop>>,
    logins: Arc<Logins>,
}

/// A task that ends with its holder.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A program for the console to hand the terminal to, with what must stay alive while it runs.
pub struct Child {
    /// The program's name, found on PATH.
    pub program: String,
    /// Its arguments. Never a secret.
    pub args: Vec<String>,
    /// Its environment beside the inherited one. May hold a password: never shown.
    pub env: Vec<(String, String)>,
    /// In words, for the notice line: `psql pg-primary-1 as app, read-only`.
    pub title: String,
    /// The tunnel it speaks through: dropped, it closes.
    pub tunnel: Option<tokio::task::JoinHandle<()>>,
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Child")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &names)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(tunnel) = &self.tunnel {
            tunnel.abort();
        }
    }
}

impl Adapters {
    /// Reads the kubeconfig and starts to look at every chosen context. Must be called within a tokio runtime; returns at
    /// once: what comes of it arrives through `outbox`, failures of a context as its source's health.
    ///
    /// # Errors
    /// What can't even begin: no kubeconfig, an unknown context (with the nearest names).
    pub fn start(config: Config, outbox: Outbox) -> Result<Handle, Problem> {
        let targets = kubeconfig::targets(&config.kubeconfig, &config.contexts)?;
        let (focus, focused) = watch::channel(Focus::default());
        let wakers = Wakers::default();
        let logins = Arc::new(Logins { dsn: config.dsn, secrets: config.secrets });
        let contexts = targets
            .into_iter()
            .map(|target| {
                let context = target.context.clone();
                let shared = Shared {
                    outbox: outbox.clone(),
                    focus: focused.clone(),
                    wakers: wakers.clone(),
                    logins: logins.clone(),
                    once: config.once,
                    stores: config.stores,
                };
                (context, context::start(target, &config.namespaces, shared))
            })
            .collect();
        Ok(Handle { focus, contexts, wakers, outbox, details: Mutex::default(), logins })
    }
}

impl Handle {
    /// The contexts that are looked at.
    pub fn contexts(&self) -> impl Iterator<Item = &Context> {
        self.contexts.keys()
    }

    /// Says which clusters are on screen: they are sampled each second, all others every ten.
    pub fn focus(&self, clusters: Vec<ClusterKey>) {
        let clusters: BTreeSet<_> = clusters.into_iter().collect();
        self.focus.send_if_modified(|now| {
            let changed = **now != clusters;
            if changed {
                *now = Arc::new(clusters);
            }
            changed
        });
    }

    /// Begins to tell of a subject as [`News::Detail`](crate::domain::detail::News::Detail), until [`Handle::unwatch`]. A
    /// subject that is already told of begins anew.
    pub fn watch_detail(&self, subject: Subject) {
        let clients = self.contexts.get(details::context(&subject)).map(|c| c.clients.clone());
        let task = tokio::spawn(details::tell(clients, subject.clone(), self.outbox.clone()));
        let task = AbortOnDrop(task.abort_handle());
        self.details.lock().unwrap_or_else(PoisonError::into_inner).insert(subject, task);
    }

    /// Lets a subject go.
    pub fn unwatch(&self, subject: &Subject) {
        self.details.lock().unwrap_or_else(PoisonError::into_inner).remove(subject);
    }

    /// Tries a source again now, whatever it waits for: a failing one's back-off, an absent one's missing right. Trying a
    /// context tries all of its watches.
    pub fn retry(&self, source: SourceId) {
        self.wakers.wake(&source);
        match source {
            SourceId::Kubernetes(context) => {
                for kind in context::kinds() {
                    self.wakers.wake(&SourceId::Watch(context.clone(), kind.plural().to_owned()));
                }
            }
            SourceId::Status(key) | SourceId::Metrics(key) => {
                if let Some(running) = self.contexts.get(&key.context) {
                    running.probe_again.notify_one();
                }
            }
            SourceId::Sql(key) => {
                if let Some(running) = self.contexts.get(&key.context) {
                    running.sql_again.send_modify(|n| *n += 1);
                }
            }
            // The store's own task waits on its waker.
            SourceId::Store(_) | SourceId::Watch(..) | SourceId::Other(_) => {}
        }
    }

    /// Whether the API of a context serves this group and version, such as `lab.howdah.dev/v1`. Out of reach is no.
    pub async fn serves(&self, context: &Context, group_version: &str) -> bool {
        let Some(running) = self.contexts.get(context) else { return false };
        running.clients.serves(group_version).await
    }

    /// Asks a lab for the start or the end of a fault of this cluster, waits for its end, and writes all of it down.
    pub fn fault(
        &self,
        cluster: &ClusterKey,
        order: FaultOrder,
        trail: Trail,
    ) -> impl Future<Output = Result<(), Problem>> + Send + 'static {
        let clients = self.contexts.get(&cluster.context).map(|c| c.clients.clone());
        let key = cluster.clone();
        async move {
            let unknown = || Problem::new("nothing was done").because(format!("{} is not looked at", key.context));
            let client = clients.ok_or_else(unknown)?.get().await.client;
            let faults = Faults::of(client, &key.namespace);
            Practice::new(faults, key.context, trail).obey(&key.name, &order).await
        }
    }

    /// Puts a question to an instance. Whatever comes of it is a reply.
    pub fn ask(&self, cluster: &ClusterKey, asked: Asked) -> impl Future<Output = Reply> + Send + 'static {
        let running = self.contexts.get(&cluster.context).map(|c| (c.clients.clone(), c.pictures.clone()));
        let (key, logins) = (cluster.clone(), self.logins.clone());
        async move {
            let known = running.and_then(|(clients, pictures)| {
                let cluster = pictures.borrow().get(&key).cloned()?;
                Some((clients, cluster))
            });
            match known {
                Some((clients, cluster)) => ask::ask(&clients, &cluster, &logins, &asked).await,
                None => {
                    let told = Err(format!("{key} is not known"));
                    Reply { at: jiff::Timestamp::now(), told, by: asked.of.to_string() }
                }
            }
        }
    }

    /// Lists everything in a cluster's archive, once. `told` hears how far it is after each page.
    ///
    /// # Errors
    /// It has none, or it is out of reach, with why.
    pub fn archive(
        &self,
        cluster: &ClusterKey,
        told: impl FnMut(&StoreListing) + Send + 'static,
    ) -> impl Future<Output = Result<StoreListing, Problem>> + Send + 'static {
        let clients = self.contexts.get(&cluster.context).map(|c| c.clients.clone());
        let key = cluster.clone();
        async move {
            let unknown =
                || Problem::new("can't list the archive").because(format!("{} is not looked at", key.context));
            let (store, place) = find::opened(&clients.ok_or_else(unknown)?, &key).await?;
            Reader::new(store, place).everything(told).await.cloned()
        }
    }

    /// The same of a copy in a folder of this machine that stands for the cluster's `destinationPath`.
    ///
    /// # Errors
    /// There is no such folder, nothing of that server in it, or it can't be read.
    pub async fn copied(
        folder: PathBuf,
        server: String,
        told: impl FnMut(&StoreListing) + Send + 'static,
    ) -> Result<StoreListing, Problem> {
        let (store, place) = folder::open(&folder, &server)?;
        Reader::new(store, place).everything(told).await.cloned()
    }

    /// Reads what a restore of a cluster under a new name is planned from.
    ///
    /// # Errors
    /// The cluster's object can't be read.
    pub fn ground(
        &self,
        cluster: &ClusterKey,
        new: &str,
    ) -> impl Future<Output = Result<Ground, Problem>> + Send + 'static {
        let clients = self.contexts.get(&cluster.context).map(|c| c.clients.clone());
        let (key, new) = (cluster.clone(), new.to_owned());
        async move {
            let unknown = || Problem::new("nothing was read").because(format!("{} is not looked at", key.context));
            acts::ground(&clients.ok_or_else(unknown)?, &key, &new).await
        }
    }

    /// What does orders in these contexts. Nothing is changed by making it.
    pub fn hands(&self, store: Store) -> Hands {
        let around = |running: &Running| Around {
            clients: running.clients.clone(),
            pictures: running.pictures.clone(),
            logins: self.logins.clone(),
            outbox: self.outbox.clone(),
        };
        Hands::new(self.contexts.iter().map(|(context, running)| (context.clone(), around(running))), store)
    }

    /// Prepares `psql` on an instance: a local port that leads to it, the login, read-only unless told otherwise.
    ///
    /// # Errors
    /// No login, or the instance is not known. Whether it can be reached is seen when `psql` connects.
    pub fn psql(
        &self,
        cluster: &ClusterKey,
        instance: &InstanceName,
        read_only: bool,
    ) -> impl Future<Output = Result<Child, Problem>> + Send + 'static {
        let running = self.contexts.get(&cluster.context).map(|c| (c.clients.clone(), c.pictures.clone()));
        let (key, instance, logins) = (cluster.clone(), instance.clone(), self.logins.clone());
        async move {
            let what = format!("can't open psql on {instance}");
            let unknown = || Problem::new(&what).because(format!("{key} is not known"));
            let (clients, pictures) = running.ok_or_else(unknown)?;
            let known = pictures.borrow().get(&key).cloned().ok_or_else(unknown)?;
            psql::prepare(&clients, &known, &instance, &logins, read_only).await
        }
    }
}
