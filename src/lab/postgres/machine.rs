//! What all servers of one lab share.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Account, Binaries, Network, Processes, process::watchdog::Watchdog};
use crate::{lab::dir::LabDir, problem::Problem};

/// Program files, account, folder, processes, network. Dropping the last handle ends every process.
#[derive(Debug)]
pub struct Machine {
    /// The server programs.
    pub binaries: Binaries,
    /// Who runs them.
    pub account: Account,
    /// The registry of processes. Before `dir` in this list: they end before their files go.
    pub processes: Processes,
    /// Relays and weather.
    pub network: Network,
    /// How servers are set up.
    pub options: MachineOptions,
    sockets: PathBuf,
    watchdog: Option<Watchdog>,
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
        let (account, binaries) = (Account::choose()?, Binaries::find()?);
        let shown = dir.path().display().to_string();
        let trouble = |e| Problem::new(format!("can't prepare {shown}")).because(e);
        if account.change {
            // Others may pass through, not look around.
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).map_err(trouble)?;
        }
        account.reaches(dir.path())?;
        account.reaches(&binaries.dir).map_err(|problem| {
            Problem::usage(format!("PostgreSQL's programs in {} can't be used", binaries.dir.display()))
                .because(problem.because.unwrap_or_default())
                .try_this("HOWDAH_PG_BIN=<a folder that every user can reach>")
        })?;
        for folder in ["pg", "pg/bin", "store"] {
            account.make_folder(&dir.join(folder)).map_err(trouble)?;
        }
        let sockets = dir.sockets()?;
        account.make_folder(&sockets).map_err(trouble)?;
        let processes = Processes::new(dir.records(), account.clone())?;
        let watchdog = Watchdog::start(&processes, &dir.records(), &dir.path().join("pg"));
        let network = Network::default();
        let machine = Machine { binaries, account, processes, network, options, sockets, watchdog, dir };
        super::archive::write_commands(&machine).map_err(trouble)?;
        Ok(Arc::new(machine))
    }

    /// The lab's folder.
    pub fn dir(&self) -> &LabDir {
        &self.dir
    }

    /// Where the servers' homes are: `pg/` in the lab's folder.
    pub fn servers_dir(&self) -> PathBuf {
        self.dir.path().join("pg")
    }

    /// The folder that plays the object store.
    pub fn store_dir(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// Whether the servers end by themselves, at once, when this process is killed.
    pub fn is_watched(&self) -> bool {
        self.watchdog.is_some()
    }

    /// Where all servers have their Unix sockets (`.s.PGSQL.<port>`).
    pub fn sockets(&self) -> &Path {
        &self.sockets
    }
}
