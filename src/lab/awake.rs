//! What people do in a new lab: take a first base backup, and write.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::resources::{BACKUPS, CLUSTERS, LEASES, PODS};
use super::api::{EventType, Part, Store};
use super::instance::backup::stamp;
use super::instance::credentials;
use super::kubelet::Kubelet;
use super::object::{condition_is_true, number, seconds, text};
use super::operator::words::phase;
use super::postgres::{Ledger, Load, LoadCount, Machine};
use super::refused;
use super::world::{CLUSTER, NAMESPACE};
use crate::problem::Problem;

/// How often the cluster is looked at until it can be used.
const LOOK: Duration = Duration::from_millis(100);

/// Those who use the lab's cluster.
pub struct People {
    store: Store,
    kubelet: Arc<Kubelet>,
    machine: Arc<Machine>,
    instances: u32,
    load: Mutex<Option<Load>>,
}

impl People {
    /// Nobody does anything yet.
    pub fn new(store: &Store, kubelet: &Arc<Kubelet>, machine: &Arc<Machine>, instances: u32) -> Self {
        People {
            store: store.clone(),
            kubelet: Arc::clone(kubelet),
            machine: Arc::clone(machine),
            instances,
            load: Mutex::default(),
        }
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

    /// The primary's name, once its pod is ready and it holds the lease.
    fn primary(&self) -> Option<String> {
        let cluster = self.cluster();
        let name = text(&cluster, "/status/currentPrimary");
        let pod = self.store.get(&PODS, NAMESPACE, name)?;
        let lease = self.store.get(&LEASES, NAMESPACE, CLUSTER)?;
        let holds = text(&lease, "/spec/holderIdentity") == name;
        (holds && condition_is_true(&pod, "Ready")).then(|| name.to_owned())
    }

    fn is_healthy(&self) -> bool {
        let cluster = self.cluster();
        text(&cluster, "/status/phase") == phase::HEALTHY
            && number(&cluster, "/status/readyInstances") == Some(i64::from(self.instances))
    }

    /// One base backup, so that the cluster can be recovered from its beginning: the Backup object as the operator hands it
    /// to an instance, and the rest by that instance.
    async fn first_backup(&self) -> Result<(), Problem> {
        const WHAT: &str = "the first base backup could not be taken";
        let gone = || Problem::new(WHAT).because("there is no primary");
        let primary = self.primary().ok_or_else(gone)?;
        let instance = self.kubelet.named(NAMESPACE, &primary).and_then(|h| h.instance()).ok_or_else(gone)?;
        let now = Timestamp::now();
        let name = format!("{CLUSTER}-{}", stamp(now));
        let backup = json!({
            "metadata": {"name": name, "labels": {"cnpg.io/cluster": CLUSTER}},
            "spec": {"cluster": {"name": CLUSTER}, "method": "barmanObjectStore"},
        });
        self.store.create(&BACKUPS, NAMESPACE, backup).map_err(refused(WHAT))?;
        let started = json!({
            "phase": "started", "method": "barmanObjectStore", "majorVersion": self.machine.binaries.major,
            "instanceID": {"podName": primary, "sessionID": instance.session()},
            "reconciliationStartedAt": seconds(now),
        });
        let begun = self.store.change(&BACKUPS, NAMESPACE, &name, Part::Status, |backup| {
            backup["status"] = started.clone();
            Ok(())
        });
        let begun = begun.map_err(refused(WHAT))?;
        let said = format!("Starting backup for cluster {CLUSTER}");
        let event = self.store.event(&begun, EventType::Normal, "Starting", &said, "cloudnative-pg-backup");
        event.map_err(refused(WHAT))?;
        instance.back_up(&name).await.map(drop)
    }
}
