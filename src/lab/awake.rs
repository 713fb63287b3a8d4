//! What people do in a new lab: take a first base backup, and write.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::Store;
use super::api::resources::{BACKUPS, CLUSTERS, LEASES, PODS};
use super::instance::backup::stamp;
use super::instance::credentials;
use super::object::{condition_is_true, list, number, text};
use super::operator::words::phase;
use super::postgres::{Ledger, Load, LoadCount};
use super::refused;
use super::world::{CLUSTER, NAMESPACE};
use crate::problem::Problem;

/// How often the cluster is looked at until it can be used.
const LOOK: Duration = Duration::from_millis(100);

/// Those who use the lab's cluster.
pub struct People {
    store: Store,
    instances: u32,
    load: Mutex<Option<Load>>,
}

impl People {
    /// Nobody does anything yet.
    pub fn new(store: &Store, instances: u32) -> Self {
        People { store: store.clone(), instances, load: Mutex::default() }
    }

    /// Waits for the cluster, takes the backup and starts the load, given its rows a second and its road.
    ///
    /// # Errors
    /// What keeps the backup or the load from being.
    pub async fn wake(&self, load: Option<(u32, SocketAddr)>) -> Result<(), Problem> {
        self.until(|| self.primary().is_some()).await;
        let (backup, ()) = tokio::join!(self.first_backup(), self.until(|| self.is_healthy()));
        backup?;
        if let Some((rate, road)) = load {
            let passwords = credentials::passwords(&self.store, NAMESPACE, CLUSTER)?;
            let certificates = credentials::certificates(&self.store, NAMESPACE, CLUSTER)?;
            let host = format!("{CLUSTER}-rw");
            let load = Load::start_as(rate, &host, road, &passwords.app, &certificates)?;
            *self.load.lock().unwrap_or_else(PoisonError::into_inner) = Some(load);
        }
        Ok(())
    }

    /// What the load has done so far.
    pub fn load(&self) -> Option<LoadCount> {
        let load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
        load.as_ref().map(|load| *load.count.borrow())
    }

    /// Which rows of the load were acknowledged; `None` without a load.
    pub fn ledger(&self) -> Option<Ledger> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Load::ledger)
    }

    /// Ends the load.
    pub fn rest(&self) {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The cluster's phase and its reason, for messages.
    pub fn state(&self) -> String {
        let cluster = self.cluster();
        format!("{}: {}", text(&cluster, "/status/phase"), text(&cluster, "/status/phaseReason"))
    }

    async fn until(&self, holds: impl Fn() -> bool) {
        while !holds() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn cluster(&self) -> Arc<Value> {
        self.store.get(&CLUSTERS, NAMESPACE, CLUSTER).unwrap_or_default()
    }

    /// The primary's name, once its pod is ready, it holds the lease and the operator has found it well.
    fn primary(&self) -> Option<String> {
        let cluster = self.cluster();
        let name = text(&cluster, "/status/currentPrimary");
        let pod = self.store.get(&PODS, NAMESPACE, name)?;
        let lease = self.store.get(&LEASES, NAMESPACE, CLUSTER)?;
        let holds = text(&lease, "/spec/holderIdentity") == name;
        let well = list(&cluster, "/status/instancesStatus/healthy").iter().any(|healthy| healthy == name);
        (holds && well && condition_is_true(&pod, "Ready")).then(|| name.to_owned())
    }

    fn is_healthy(&self) -> bool {
        let cluster = self.cluster();
        text(&cluster, "/status/phase") == phase::HEALTHY
            && number(&cluster, "/status/readyInstances") == Some(i64::from(self.instances))
    }

    /// One base backup, so that the cluster can be recovered from its beginning, asked for as `kubectl cnpg backup` does.
    async fn first_backup(&self) -> Result<(), Problem> {
        const WHAT: &str = "the first base backup could not be taken";
        let name = format!("{CLUSTER}-{}", stamp(Timestamp::now()));
        let backup = json!({
            "metadata": {"name": name, "labels": {"cnpg.io/cluster": CLUSTER}},
            "spec": {"cluster": {"name": CLUSTER}, "method": "barmanObjectStore"},
        });
        self.store.create(&BACKUPS, NAMESPACE, backup).map_err(refused(WHAT))?;
        let recoverable = || !text(&self.cluster(), "/status/firstRecoverabilityPoint").is_empty();
        let backup = || self.store.get(&BACKUPS, NAMESPACE, &name).unwrap_or_default();
        self.until(|| recoverable() || text(&backup(), "/status/phase") == "failed").await;
        match text(&backup(), "/status/error") {
            "" => Ok(()),
            why => Err(Problem::new(WHAT).because(why)),
        }
    }
}
