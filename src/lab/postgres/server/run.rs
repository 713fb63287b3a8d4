//! The postmaster's life: start, stop, promote, reload, and what faults do to it.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{Server, Start, State, Stop};
use crate::{
    lab::postgres::process::{Process, census},
    problem::Problem,
};

/// From the start of the process to its sockets.
const SOCKETS: Duration = Duration::from_secs(20);
/// How long a server's end waits for its last words.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long killed processes may take to be gone.
const ORPHANS: Duration = Duration::from_secs(10);
/// How often a server that is starting is looked at.
const LOOK: Duration = Duration::from_millis(15);
/// How long one trial connection may take.
const ANSWER: Duration = Duration::from_secs(1);
/// How often another port is tried.
const PORTS: usize = 4;

impl Server {
    /// Writes the configuration and starts the postmaster. Returns when it has its sockets, before it accepts connections.
    ///
    /// # Errors
    /// When it runs already, or can't be started.
    pub async fn start(&self, how: &Start) -> Result<(), Problem> {
        let _act = self.begin("start").await?;
        self.configure(how)?;
        self.no_orphans().await?;
        self.no_pid_file();
        for attempt in 1.. {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, self.port())).is_err() {
                self.port.store(free_port()?, Ordering::Relaxed);
            }
            self.launch()?;
            match self.has_sockets().await {
                Ok(()) => break,
                // Between our look and its own, someone else took the port.
                Err(problem) if attempt < PORTS && problem.line().contains("could not bind") => {
                    self.port.store(free_port()?, Ordering::Relaxed);
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    /// After a postmaster was killed, its children may be on their way out still, or be frozen: they must be gone before
    /// anything else is done here.
    pub(super) async fn no_orphans(&self) -> Result<(), Problem> {
        let until = Instant::now() + ORPHANS;
        loop {
            let left = census::servers_in(&self.data);
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(self.problem("processes of its last run are still there"));
            }
            left.iter().for_each(|orphan| census::signal(orphan, Signal::SIGKILL));
            sleep(LOOK).await;
        }
    }

    /// The pid file that a killed postmaster left may name someone else's process by now.
    pub(super) fn no_pid_file(&self) {
        let _ = fs::remove_file(self.data.join("postmaster.pid"));
    }

    fn launch(&self) -> Result<(), Problem> {
        let mut command = self.program("postgres");
        command.arg("-D").arg(&self.data).arg("-p").arg(self.port().to_string()).stderr(Stdio::piped());
        let mut process = self.machine.processes.spawn(&format!("postgres of {}", self.spec.instance), command)?;
        let pid = process.pid;
        let (pipe, logs) = (process.stderr.take(), self.logs.clone());
        let log = tokio::spawn(async move {
            if let Some(pipe) = pipe {
                logs.follow(pipe).await;
            }
        });
        self.state.send_replace(State::Running { pid });
        self.asked.store(false, Ordering::Relaxed);
        tokio::spawn(watch_end(process, log, self.state.clone(), self.asked.clone()));
        Ok(())
    }

    /// `postmaster.pid` is whole (eight lines) when the sockets are there.
    async fn has_sockets(&self) -> Result<(), Problem> {
        let file = self.data.join("postmaster.pid");
        let until = Instant::now() + SOCKETS;
        loop {
            if fs::read_to_string(&file).is_ok_and(|text| text.lines().count() >= 8) {
                return Ok(());
            }
            if self.pid().is_none() {
                return Err(self.problem("it ended while starting").because(self.logs.tail(4)));
            }
            if Instant::now() > until {
                return Err(self.problem("it does not get ready").because(self.logs.tail(4)));
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until it accepts connections.
    ///
    /// # Errors
    /// When it ends first or the time is up: with the last lines of its log.
    pub async fn ready(&self, within: Duration) -> Result<(), Problem> {
        let until = Instant::now() + within;
        loop {
            if self.pid().is_none() {
                return Err(self.problem("it does not run").because(self.logs.tail(4)));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.problem("it accepts no connections").because(self.logs.tail(4)));
            }
            // Asked before it says so itself, it would fill its log with refusals.
            if self.says_ready() && self.sql.rows("postgres", "select 1", left.min(ANSWER)).await.is_ok() {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    /// The last line of `postmaster.pid`: `starting`, `ready`, `stopping`, or `standby` before it accepts connections.
    fn says_ready(&self) -> bool {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        text.lines().nth(7).is_some_and(|state| state.trim() == "ready")
    }

    /// Stops it and waits; killed with all its children when the time is up. Nothing to do where it does not run.
    ///
    /// # Errors
    /// When it is still there in spite of being killed.
    pub async fn stop(&self, how: Stop, within: Duration) -> Result<(), Problem> {
        let _act = self.act.lock().await;
        let Some(pid) = self.pid() else { return Ok(()) };
        self.asked.store(true, Ordering::Relaxed);
        self.sql.close();
        let signal = match how {
            Stop::Smart => Signal::SIGTERM,
            Stop::Fast => Signal::SIGINT,
            Stop::Immediate => Signal::SIGQUIT,
        };
        self.signal(pid, signal);
        if self.ended(within).await {
            return Ok(());
        }
        census::kill_family(pid);
        match self.ended(Duration::from_secs(5)).await {
            true => Ok(()),
            false => Err(self.problem("it can't be stopped")),
        }
    }

    /// Waits until the postmaster has ended; false when the time is up.
    pub async fn ended(&self, within: Duration) -> bool {
        let mut state = self.state.subscribe();
        timeout(within, state.wait_for(|state| !matches!(state, State::Running { .. }))).await.is_ok()
    }

    /// SIGKILL to the postmaster alone: its children see it and leave.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> Result<(), Problem> {
        let pid = self.running()?;
        self.signal(pid, Signal::SIGKILL);
        Ok(())
    }

    /// SIGKILL to all its processes at once, as when the power goes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_all(&self) -> Result<(), Problem> {
        census::kill_family(self.running()?);
        Ok(())
    }

    /// SIGSTOP to all its processes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> Result<(), Problem> {
        let pid = self.running()?;
        // The postmaster first, so that no child is born behind our back.
        self.signal(pid, Signal::SIGSTOP);
        census::family(pid).iter().for_each(|member| census::signal(member, Signal::SIGSTOP));
        Ok(())
    }

    /// SIGCONT to all its processes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> Result<(), Problem> {
        let pid = self.running()?;
        census::family(pid).iter().rev().for_each(|member| census::signal(member, Signal::SIGCONT));
        Ok(())
    }

    /// Promotes it and waits until it is read-write. The process stays. A checkpoint follows at once, so that
    /// `pg_rewind` of the former primary finds the new timeline on disk.
    ///
    /// # Errors
    /// When it is no standby, or the time is up.
    pub async fn promote(&self, within: Duration) -> Result<(), Problem> {
        let until = Instant::now() + within;
        let seconds = within.as_secs().max(1);
        let done = self.sql.value("postgres", &format!("select pg_promote(true, {seconds})"), within).await?;
        if done.as_deref() != Some("t") {
            return Err(self.problem("the promotion is not over in time").because(self.logs.tail(4)));
        }
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_secs(5));
        self.sql.rows("postgres", "checkpoint", left).await.map(drop)
    }

    /// Writes changed parameters and has the server read them (SIGHUP). They stay for later starts.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn reload(&self, parameters: Vec<(String, String)>) -> Result<(), Problem> {
        *self.parameters.lock().unwrap_or_else(PoisonError::into_inner) = parameters;
        if self.exists() {
            self.write_custom().map_err(|e| self.problem("its configuration can't be written").because(e))?;
        }
        if let Some(pid) = self.pid() {
            self.signal(pid, Signal::SIGHUP);
        }
        Ok(())
    }

    fn running(&self) -> Result<u32, Problem> {
        self.pid().ok_or_else(|| self.problem("it does not run"))
    }

    /// To the postmaster alone. Between the look and the signal lies a moment; the number is only ever reused after
    /// the system has gone through all others.
    fn signal(&self, pid: u32, signal: Signal) {
        if let Some(seen) = census::one(pid).filter(|seen| !seen.zombie && seen.parent == std::process::id()) {
            census::signal(&seen, signal);
        }
    }
}

async fn watch_end(
    mut process: Process,
    log: JoinHandle<()>,
    state: Arc<watch::Sender<State>>,
    asked: Arc<AtomicBool>,
) {
    let status = process.wait().await;
    // Whoever hears of the end wants to read why. Children of a killed one may hold the pipe open a while longer.
    let _ = timeout(LAST_WORDS, log).await;
    state.send_replace(State::Ended { status, asked: asked.load(Ordering::Relaxed) });
}

/// A port nobody listens on now, below those that the system gives to outgoing connections: one of these could take a
/// server's port while that is stopped.
pub(super) fn free_port() -> Result<u16, Problem> {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    (0..100)
        .map(|_| rand::random_range(15_000..32_000))
        .find_map(|port| free(port).ok())
        .map_or_else(|| free(0), Ok)
        .map(|address| address.port())
        .map_err(|e| Problem::new("no free port on 127.0.0.1").because(e))
}
