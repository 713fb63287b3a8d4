//! What the CloudNativePG 1.30 operator does, at the objects of the lab's API and in the recorded order.
//!
//! A pass over a cluster reads the world ([`world`]), decides ([`reconcile`]: a pure function to a list of [`act`]s) and
//! then does what it decided. Between two halves of a pass the instances are asked for `/pg/status` through an
//! [`InstanceStatusReader`]: that is all this room knows of what runs inside a pod. It must not know the kubelet,
//! processes, or PostgreSQL's wire.
//!
//! As in real life the instance managers (the kubelet's room) write a few things themselves, and this operator leaves
//! them alone: `status.currentPrimary` and its time, the condition `ContinuousArchiving`, the holder of the Lease, the
//! status of the FailoverQuorum, the phase `Applying configuration`, and the healthy phase after an in-place restart.

pub mod act;
pub mod admission;
mod asking;
pub mod backups;
pub mod certificates;
pub mod hibernation;
pub mod instances;
pub mod objects;
pub mod pass;
pub mod primary;
pub mod reconcile;
pub mod report;
pub mod rollout;
mod run;
pub mod status;
pub mod words;
pub mod world;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

pub use run::{Operator, OperatorHandle, OperatorOptions};

/// Asks an instance how it is, as the operator does: `GET https://<pod>:8000/pg/status`.
pub trait InstanceStatusReader: Send + Sync + 'static {
    /// The body of a 200 answer, or why there is none (connection refused, 500 with its text, …). The operator gives
    /// up by its own time-out and drops the future.
    fn read(&self, pod: Arc<Value>) -> BoxFuture<'_, Result<Value, String>>;
}

#[cfg(test)]
mod tests;
