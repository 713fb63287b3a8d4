//! Kubernetes: objects as they come over the wire, and what they mean.
//!
//! [`objects`] keeps the watched objects of one context, cut down when decoded; [`cnpg`] turns them into
//! [`crate::domain::cluster::Cluster`]. Both are pure: live watches and recordings go through the same functions.
//! Nothing here decides whether a cluster is well; that is [`crate::domain::health`].

pub mod acts;
pub mod attempts;
pub mod client;
pub mod cnpg;
pub mod context;
mod cut;
mod decode;
pub mod details;
pub mod exec;
pub mod faults;
pub mod gather;
pub(in crate::adapters) mod kinds;
pub mod kubeconfig;
pub mod last_words;
pub mod list;
pub mod metrics;
pub mod objects;
mod pods;
pub mod probes;
pub mod psql;
pub mod pulses;
pub(in crate::adapters) mod read;
mod shelves;
mod standing;
pub mod status;
pub mod trial;
pub mod trouble;
pub mod tunnel;
mod volumes;
pub mod watch;
mod workloads;

#[cfg(test)]
mod tests;
