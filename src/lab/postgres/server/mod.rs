//! One data directory and the postmaster that may run on it.
//!
//! [`Server`] is shared by handle. `setup` makes data directories (initdb, clone, rewind), `restore` out of a backup, `run` starts, stops, promotes
//! and hurts the postmaster, `config` writes what it reads, `control` asks `pg_controldata`.

mod config;
mod control;
pub mod restore;
mod run;
mod setup;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
};

use tokio::sync::{broadcast, watch};

use super::{Certificates, LogRecord, Machine, Place, Sql, Store, log::LogBook, process::remains};
use crate::problem::Problem;

pub use control::ControlData;
pub(in crate::lab::postgres) use control::control_data_of;

/// What a server is for. Fixed for its life; what changes is given to [`Server::start`] and [`Server::reload`].
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
    /// `spec.postgresql.parameters` and what the operator sets, e.g. `synchronous_standby_names`. The last of a name wins.
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
    /// In recovery out of an archive, and read-write at its end.
    Recovery {
        /// `restore_command`, `recovery_target_…`.
        settings: Vec<(String, String)>,
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

/// A PostgreSQL server. Shared by handle; all methods take `&self`.
#[derive(Debug)]
pub struct Server {
    machine: Arc<Machine>,
    spec: ServerSpec,
    home: PathBuf,
    data: PathBuf,
    /// Kept from start to start as long as nobody else takes it. Shared with `sql`.
    port: Arc<AtomicU16>,
    parameters: Mutex<Vec<(String, String)>>,
    state: Arc<watch::Sender<State>>,
    /// Whether its end was wanted.
    asked: Arc<AtomicBool>,
    /// One act at a time: start, stop, clone, rewind.
    act: tokio::sync::Mutex<()>,
    logs: Arc<LogBook>,
    sql: Arc<Sql>,
}

impl Server {
    /// A server of this machine. Nothing is made but the folder of its home and its certificates.
    ///
    /// # Errors
    /// When these can't be written.
    pub fn new(machine: &Arc<Machine>, spec: ServerSpec) -> Result<Arc<Server>, Problem> {
        let home = machine.servers_dir().join(&spec.volume);
        let port = Arc::new(AtomicU16::new(run::free_port()?));
        let server = Server {
            data: home.join("data"),
            sql: Arc::new(Sql::new(machine.sockets().to_path_buf(), port.clone())),
            parameters: Mutex::new(spec.parameters.clone()),
            state: Arc::new(watch::Sender::new(State::Stopped)),
            asked: Arc::default(),
            act: tokio::sync::Mutex::default(),
            logs: Arc::default(),
            machine: machine.clone(),
            spec,
            home,
            port,
        };
        server.write_certificates()?;
        Ok(Arc::new(server))
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
        &self.data
    }

    /// Whether there is a data directory with a cluster in it.
    pub fn exists(&self) -> bool {
        self.data.join("global/pg_control").is_file()
    }

    /// What its postmaster is, live.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The postmaster's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        match *self.state.borrow() {
            State::Running { pid } => Some(pid),
            _ => None,
        }
    }

    /// Where it listens on TCP: for relays' targets only. Changes when it is started while its port is taken.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port()))
    }

    fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// Where relays lead to reach it.
    pub fn target(&self) -> super::Target {
        super::Target { place: self.spec.place.clone(), address: self.address() }
    }

    /// `PGHOST`, `PGPORT`, `PGUSER`, `PGDATA`, `PATH`: for `exec`.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        [
            ("PGHOST", text(self.machine.sockets())),
            ("PGPORT", self.port().to_string()),
            ("PGUSER", "postgres".to_owned()),
            ("PGDATABASE", "postgres".to_owned()),
            ("PGDATA", text(&self.data)),
            ("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", text(&self.machine.binaries.dir))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Its SQL, over its socket.
    pub fn sql(&self) -> Arc<Sql> {
        self.sql.clone()
    }

    /// The last log records (bounded), and those to come.
    pub fn logs(&self) -> (Vec<Arc<LogRecord>>, broadcast::Receiver<Arc<LogRecord>>) {
        self.logs.read()
    }

    /// The parameters it was given last.
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.parameters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes its home, as when its volume is deleted. The server must not run.
    ///
    /// # Errors
    /// When it runs, or files can't be removed.
    pub fn remove(&self) -> Result<(), Problem> {
        if self.pid().is_some() {
            return Err(self.problem("its files can't be removed").because("it runs"));
        }
        remains::free_shared_memory(&self.data);
        match fs::remove_dir_all(&self.home) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(self.problem("its files can't be removed").because(e))
            }
            _ => Ok(()),
        }
    }

    fn problem(&self, what: &str) -> Problem {
        Problem::new(format!("{}: {what}", self.spec.instance))
    }
}
