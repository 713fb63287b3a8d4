//! Runs on disk: a journal for each, a lock, and the audit trail of everything done.
//!
//! ```text
//! STATE/runs/RUN/journal.jsonl   one entry per line, on the disk before what it announces is done
//! STATE/runs/RUN/lock            held while a howdah drives the run
//! STATE/runs/RUN/draft           a note that is being typed, until it is in the journal
//! STATE/audit.jsonl              a line for each request that was sent
//! ```
//!
//! Folders are 0700 and files 0600. It must not know what a step means: it keeps entries, hands orders to an
//! [`Executor`](super::executor::Executor) between two of them, and forgets nothing.

mod audit;
mod conductor;
mod journal;
mod lock;
mod preflight;
mod store;
#[cfg(test)]
mod tests;

pub use audit::{Audit, Done, Of};
pub use conductor::{Clock, Conductor, Ledger};
pub use journal::Journal;
pub use preflight::preflight;
pub use store::{Store, Written, by};
