//! What Kubernetes' own controllers do, at the objects of the lab's API: schedule pods, bind and provision claims, run
//! jobs, fill endpoints, count budgets, keep deployments, let nodes' leases live and events die.
//!
//! Each is level-triggered: it looks at the objects as they are and makes one of them right. None knows what runs in a
//! pod (that is the kubelet's), what CloudNativePG wants (the operator's) or how objects are stored. Described objects
//! ([`super::described`]) are left alone.

mod aging;
mod deployments;
mod disruption;
mod endpoints;
mod jobs;
mod lifecycle;
mod nodes;
pub mod pod_defaults;
mod protection;
pub mod run;
mod scheduler;
mod scheduling;
mod volumes;

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lab::api::Store;
use crate::lab::postgres::Network;
use run::Controller;

/// The running controllers. Dropping it stops them without waiting.
pub struct ControllersHandle {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl ControllersHandle {
    /// Starts these on an API store. Must be called within a tokio runtime.
    pub fn start(store: &Store, all: Vec<Arc<dyn Controller>>) -> Self {
        let stop = CancellationToken::new();
        let tasks = all
            .into_iter()
            .map(|controller| tokio::spawn(run::run(store.as_manager(controller.name()), controller, stop.clone())))
            .collect();
        ControllersHandle { stop, tasks }
    }

    /// Stops them all after the writes under way.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has stopped too.
            drop(task.await);
        }
    }
}

impl Drop for ControllersHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The controllers. See [`Controllers::start`].
pub struct Controllers;

impl Controllers {
    /// Starts all controllers on an API store; nodes reach it over that network. Must be called within a tokio runtime.
    pub fn start(store: &Store, network: &Network) -> ControllersHandle {
        let all: Vec<Arc<dyn Controller>> = vec![
            Arc::new(scheduler::Scheduler),
            Arc::new(volumes::Binder),
            Arc::new(protection::ClaimProtection),
            Arc::new(jobs::Jobs),
            Arc::new(endpoints::Endpoints),
            Arc::new(disruption::Disruption),
            Arc::new(deployments::Deployments),
            Arc::new(deployments::ReplicaSets),
            Arc::new(nodes::NodeLeases { network: network.clone() }),
            Arc::new(lifecycle::NodeLifecycle),
            Arc::new(aging::EventAging),
        ];
        ControllersHandle::start(store, all)
    }
}
