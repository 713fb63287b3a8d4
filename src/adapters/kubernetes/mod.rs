//! Kubernetes: objects as they come over the wire, and what they mean.
//!
//! [`objects`] keeps the watched objects of one context, cut down when decoded; [`cnpg`] turns them into
//! [`crate::domain::cluster::Cluster`]. Both are pure: live watches and recordings go through the same functions.
//! Nothing here decides whether a cluster is well; that is [`crate::domain::health`].

pub mod cnpg;
mod decode;
mod kinds;
pub mod metrics;
pub mod objects;
mod pods;
mod read;
pub mod status;
#[cfg(test)]
mod tests;
mod workloads;
