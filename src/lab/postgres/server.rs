//! One data directory and the postmaster that may run on it.

use std::{net::SocketAddr, path::Path, process::ExitStatus, sync::Arc, time::Duration};
use tokio::sync::{broadcast, watch};

use super::{Certificates, LogRecord, Machine, Place, Sql, Store};
use crate::{domain::lsn::Lsn, problem::Problem};

/// What a server is for. Fixed for its life; what changes is given to [`Server::start`].
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// The instance's name: `pg-primary-1`. Also `cluster_name` and the standby's `application_name`.
    pub instance: String,
    /// The name of its home below `pg/`: that of the volume (CNPG: the PVC, which is the instance's name).
    pub volume: String,
    /// Where it is in the network.
    pub place: Place,
    /// Its certificates.
    pub certificates: Certificates,
    /// Where it archives; `None`: `archive_command` is `/bin/true`, as CNPG without a backup section.
    pub store: Option<Store>,
    /// `spec.postgresql.parameters` and what the operator sets, e.g. `synchronous_standby_names`.
    pub parameters: Vec<(String, String)>,
}

/// The roles' passwords. Never shown by Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct Passwords {
    /// `postgres`; `None` where superuser access is off (no password login then).
    pub superuser: Option<String>,
    /// `app`, the owner of database `app`.
    pub app: String,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords(…)")
    }
}

/// How to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Read-write.
    Primary,
    /// In recovery, streaming from what listens there (a relay), over the instance's own slot.
    Standby {
        /// The relay to the primary.
        upstream: SocketAddr,
    },
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Waits for clients to leave (SIGTERM).
    Smart,
    /// Disconnects clients, writes a checkpoint (SIGINT).
    Fast,
    /// No checkpoint (SIGQUIT): the next start recovers.
    Immediate,
}

/// What the postmaster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not started since this value was made.
    Stopped,
    /// Running, accepting connections or not yet.
    Running {
        /// The postmaster.
        pid: u32,
    },
    /// Ended: asked to, or not.
    Ended {
        /// As the system told.
        status: ExitStatus,
        /// [`Server::stop`] had been called.
        asked: bool,
    },
}

/// What `pg_controldata` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlData {
    /// Database system identifier.
    pub system_id: String,
    /// `in production`, `shut down`, `shut down in recovery`, `in archive recovery`, …
    pub state: String,
    /// Latest checkpoint's timeline.
    pub timeline: u32,
    /// Latest checkpoint location.
    pub checkpoint: Lsn,
    /// Latest checkpoint's REDO WAL file.
    pub redo_wal: String,
    /// All lines, key → value.
    pub all: std::collections::BTreeMap<String, String>,
}

/// A PostgreSQL server. Shared by handle; all methods take `&self`.
#[derive(Debug)]
pub struct Server {
    machine: Arc<Machine>,
    spec: ServerSpec,
}

impl Server {
    /// A server of this machine. Nothing is made yet.
    ///
    /// # Errors
    /// When the certificates can't be written.
    pub fn new(machine: &Arc<Machine>, spec: ServerSpec) -> Result<Arc<Server>, Problem> {
        Ok(Arc::new(Server { machine: machine.clone(), spec }))
    }

    /// What it was made from.
    pub fn spec(&self) -> &ServerSpec {
        &self.spec
    }

    /// The machine it is on.
    pub fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// The data directory (`PGDATA`).
    pub fn data(&self) -> &Path {
        Path::new("")
    }

    /// Whether there is a data directory.
    pub fn exists(&self) -> bool {
        false
    }

    /// Makes a new cluster: checksums, UTF-8, locale C; roles `postgres`, `app`, `streaming_replica`; database `app`.
    /// The server is stopped afterwards.
    ///
    /// # Errors
    /// When a program fails; the data directory is removed then.
    pub async fn initdb(&self, passwords: &Passwords) -> Result<(), Problem> {
        let _ = passwords;
        Err(Problem::new("initdb: not built yet"))
    }

    /// Clones the primary behind `upstream` (`pg_basebackup`, as `streaming_replica`).
    ///
    /// # Errors
    /// When it can't be reached or copied; the data directory is removed then.
    pub async fn clone_from(&self, upstream: SocketAddr) -> Result<(), Problem> {
        let _ = upstream;
        Err(Problem::new("clone: not built yet"))
    }

    /// Makes a former primary a standby of the one behind `upstream` (`pg_rewind`; recovers from a crash first).
    ///
    /// # Errors
    /// When the histories can't be joined: clone then.
    pub async fn rewind(&self, upstream: SocketAddr) -> Result<(), Problem> {
        let _ = upstream;
        Err(Problem::new("rewind: not built yet"))
    }

    /// Writes the configuration and starts the postmaster. Returns when it runs, before it accepts connections.
    ///
    /// # Errors
    /// When it runs already, or can't be started.
    pub async fn start(&self, how: &Start) -> Result<(), Problem> {
        let _ = how;
        Err(Problem::new("start: not built yet"))
    }

    /// Waits until it accepts connections.
    ///
    /// # Errors
    /// When it ends first or the time is up: with the last lines of its log.
    pub async fn ready(&self, within: Duration) -> Result<(), Problem> {
        let _ = within;
        Err(Problem::new("ready: not built yet"))
    }

    /// Stops it and waits; killed when the time is up.
    ///
    /// # Errors
    /// When it can't be signalled.
    pub async fn stop(&self, how: Stop, within: Duration) -> Result<(), Problem> {
        let _ = (how, within);
        Err(Problem::new("stop: not built yet"))
    }

    /// SIGKILL to the postmaster alone.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> Result<(), Problem> {
        Err(Problem::new("kill: not built yet"))
    }

    /// SIGKILL to all its processes at once, as when the power goes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_all(&self) -> Result<(), Problem> {
        Err(Problem::new("kill: not built yet"))
    }

    /// SIGSTOP to all its processes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> Result<(), Problem> {
        Err(Problem::new("freeze: not built yet"))
    }

    /// SIGCONT to all its processes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> Result<(), Problem> {
        Err(Problem::new("thaw: not built yet"))
    }

    /// Promotes it and waits until it is read-write. The process stays.
    ///
    /// # Errors
    /// When it is no standby, or the time is up.
    pub async fn promote(&self, within: Duration) -> Result<(), Problem> {
        let _ = within;
        Err(Problem::new("promote: not built yet"))
    }

    /// Writes changed parameters and has the server read them (`pg_reload_conf`).
    ///
    /// # Errors
    /// When the files can't be written.
    pub fn reload(&self, parameters: Vec<(String, String)>) -> Result<(), Problem> {
        let _ = parameters;
        Err(Problem::new("reload: not built yet"))
    }

    /// What its postmaster is, live.
    pub fn state(&self) -> watch::Receiver<State> {
        watch::channel(State::Stopped).1
    }

    /// The postmaster's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        None
    }

    /// Where it listens on TCP: for relays' targets only. Changes when it is started while its port is taken.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// `PGHOST`, `PGPORT`, `PGUSER`, `PGDATA`, `PATH`: for `exec`.
    pub fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Its SQL, over its socket.
    pub fn sql(&self) -> Arc<Sql> {
        Arc::new(Sql { socket: Default::default() })
    }

    /// The last log records (bounded), and those to come.
    pub fn logs(&self) -> (Vec<Arc<LogRecord>>, broadcast::Receiver<Arc<LogRecord>>) {
        (Vec::new(), broadcast::channel(1).1)
    }

    /// `pg_controldata`; works on a stopped server too.
    ///
    /// # Errors
    /// When there is no data directory.
    pub async fn control_data(&self) -> Result<ControlData, Problem> {
        Err(Problem::new("control data: not built yet"))
    }

    /// Removes its home, as when its volume is deleted. The server must not run.
    ///
    /// # Errors
    /// When it runs, or files can't be removed.
    pub fn remove(&self) -> Result<(), Problem> {
        Err(Problem::new("remove: not built yet"))
    }
}
