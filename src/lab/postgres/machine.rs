//! What all servers of one lab share.

use std::{path::PathBuf, sync::Arc};

use super::{Account, Binaries, Network, Processes};
use crate::{lab::dir::LabDir, problem::Problem};

/// Program files, account, folder, processes, network. Dropping the last handle ends every process.
#[derive(Debug)]
pub struct Machine {
    /// The server programs.
    pub binaries: Binaries,
    /// Who runs them.
    pub account: Account,
    /// The registry of processes.
    pub processes: Processes,
    /// Relays and weather.
    pub network: Network,
    /// How servers are set up.
    pub options: MachineOptions,
    dir: Arc<LabDir>,
}

/// Choices for all servers of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineOptions {
    /// WAL segment size in MiB: 16 is PostgreSQL's and CNPG's own.
    pub wal_segment_mib: u32,
    /// Whether servers wait for the disk. Off: what was acknowledged survives the death of any process (it is in the
    /// kernel's cache), not of the machine; and a lab is ready much sooner.
    pub fsync: bool,
}

impl Default for MachineOptions {
    fn default() -> Self {
        MachineOptions { wal_segment_mib: 16, fsync: false }
    }
}

impl Machine {
    /// Prepares `dir` for servers.
    ///
    /// # Errors
    /// No server programs, no unprivileged account, or a folder that this account can't reach.
    pub fn new(dir: Arc<LabDir>, options: MachineOptions) -> Result<Arc<Machine>, Problem> {
        let _ = (dir, options);
        Err(Problem::new("machine: not built yet"))
    }

    /// Where the servers' homes are: `pg/` in the lab's folder.
    pub fn servers_dir(&self) -> PathBuf {
        self.dir.join("pg")
    }

    /// The folder that plays the object store.
    pub fn store_dir(&self) -> PathBuf {
        self.dir.join("store")
    }
}
