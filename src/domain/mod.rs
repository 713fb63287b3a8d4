//! What is true: the words of the field and their arithmetic.
//!
//! Pure values and functions over them. This folder knows std, serde and jiff, and nothing of how a value was learned
//! (no kube, no SQL client, no async), how it is shown, or what time it is: `now` is always an argument.

pub mod backup;
pub mod cluster;
pub mod detail;
pub mod event;
pub mod facts;
pub mod fault;
pub mod happenings;
pub mod health;
pub mod heartbeat;
pub mod history;
pub mod lsn;
pub mod names;
pub mod picture;
pub mod quantity;
pub mod quorum;
pub mod replication;
pub mod sample;
pub mod source;
pub mod trial;
pub mod wal;
pub mod words;
