//! The live world: every chosen context at once, behind one handle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::inbox::Outbox;
use crate::domain::detail::Subject;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::source::SourceId;
use crate::problem::Problem;

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
    focus: watch::Sender<Arc<BTreeSet<ClusterKey>>>,
    tasks: Arc<Mutex<Tasks>>,
}

#[derive(Default)]
struct Tasks {
    sources: HashMap<SourceId, AbortHandle>,
    details: HashMap<Subject, AbortHandle>,
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
    pub fn start(_config: Config, _outbox: Outbox) -> Result<Handle, Problem> {
        let (focus, _) = watch::channel(Arc::default());
        Ok(Handle { focus, tasks: Arc::default() })
    }
}

impl Handle {
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

    /// Begins to tell of a subject as [`News::Detail`](crate::domain::detail::News::Detail), until [`Handle::unwatch`].
    pub fn watch_detail(&self, subject: Subject) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.details.entry(subject);
    }

    /// Lets a subject go.
    pub fn unwatch(&self, subject: &Subject) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = tasks.details.remove(subject) {
            task.abort();
        }
    }

    /// Tries a source again now, whatever it waits for: a failing one's back-off, an absent one's missing right.
    pub fn retry(&self, source: SourceId) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.sources.remove(&source);
    }

    /// Prepares `psql` on an instance: a local port that leads to it, the login, read-only unless told otherwise.
    ///
    /// # Errors
    /// No `psql` here, no login, or the instance can't be reached.
    pub async fn psql(
        &self,
        cluster: &ClusterKey,
        instance: &InstanceName,
        _read_only: bool,
    ) -> Result<Child, Problem> {
        Err(Problem::new(format!("can't open psql on {instance} of {cluster}")))
    }
}
