//! PostgreSQL, asked by SQL: one read-only statement a second for each instance on screen.
//!
//! [`query`] is that statement and what its answer means; [`login`] who to be and with which certificate authority; [`wire`] the
//! ways to a server (connection string, tunnel, `psql` in the pod); [`sampler`] asks. Nothing here changes anything: every
//! session is read-only by default. It must not know which pane wants to know, or what the figures mean for a verdict.

pub mod ask;
pub mod heartbeat;
mod line;
pub mod login;
pub mod query;
pub mod sampler;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod trial;
pub mod wire;
