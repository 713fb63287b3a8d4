//! The lab's real PostgreSQL, below Kubernetes: processes, accounts, links, archive.
//!
//! A [`Machine`] is what all servers of one lab share: the program files, the account they run as, the lab's folder, its
//! processes and its network. A [`Server`] is one data directory and the postmaster that may run on it. Every TCP
//! connection to and between servers goes through a [`Relay`] of the [`Network`], so that links and zones can be cut.
//! This folder knows nothing of pods, objects or the operator; it is told what to do and reports what is.

pub mod account;
pub mod archive;
pub mod backup;
pub mod binaries;
pub mod catalog;
pub mod guests;
pub mod ledger;
pub mod load;
pub mod log;
pub mod machine;
pub mod network;
pub mod process;
pub mod retention;
pub mod server;
pub mod slots;
pub mod sql;
pub mod status;
pub mod tls;
pub mod volume;

pub use account::Account;
pub use archive::Store;
pub use backup::BackupInfo;
pub use binaries::Binaries;
pub use catalog::Base;
pub use guests::Guest;
pub use ledger::Ledger;
pub use load::{Load, LoadCount};
pub use log::LogRecord;
pub use machine::{Machine, MachineOptions};
pub use network::{Network, Place, Policy, Relay, Scope, Target};
pub use process::{Process, Processes};
pub use server::{ControlData, Passwords, Server, ServerSpec, Start, State, Stop};
pub use sql::Sql;
pub use status::Reading;
pub use tls::Certificates;
