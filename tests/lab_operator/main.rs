//! The lab's operator and controllers in a pretended world of instances, held against recordings of real ones.
//!
//! The recordings are our own runs of CloudNativePG 1.30 on Kubernetes 1.36, trimmed to changes of key fields
//! (`tests/fixtures/lab/recorded`). Times differ, the order must not.

mod film;
mod order;
mod pretend;
mod scenarios;
mod stage;
#[expect(dead_code, reason = "the same for tests that hold up a thread")]
#[path = "../support/until.rs"]
mod until;
