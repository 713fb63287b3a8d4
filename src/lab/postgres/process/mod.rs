//! The processes of one lab: started in groups of their own, known by number and start time, and ended with the lab.
//!
//! Each is written down in a file (number, start time, what it is) before anything waits for it, so that a lab that was
//! killed can be cleared later ([`remains`]). No number is ever trusted without its start time.

pub mod census;
pub mod remains;
pub(super) mod watchdog;

use std::{
    collections::BTreeMap,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    sync::watch,
    time::timeout,
};

use super::Account;
use crate::problem::Problem;

/// How much of what a helper writes is kept.
const KEPT_OUTPUT: u64 = 1 << 20;

/// All processes of one lab. Dropping the last handle kills what still runs.
#[derive(Clone, Debug)]
pub struct Processes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    account: Account,
    /// Where each process is written down.
    records: PathBuf,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    closed: bool,
    processes: BTreeMap<u32, String>,
}

/// A started process, known to the registry until it has ended.
#[derive(Debug)]
pub struct Process {
    /// Its process id, which is its group's too.
    pub pid: u32,
    /// What is written here is its standard input, where the command asked for a pipe.
    pub stdin: Option<tokio::process::ChildStdin>,
    /// What it writes.
    pub stdout: Option<tokio::process::ChildStdout>,
    /// What it writes as errors.
    pub stderr: Option<tokio::process::ChildStderr>,
    /// `None` while it runs.
    pub ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Waits for its end.
    pub async fn wait(&mut self) -> ExitStatus {
        // An error means that the waiting task is gone with the runtime: the registry kills what is left then.
        let ended = self.ended.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        ended.unwrap_or_else(|| ExitStatus::from_raw(Signal::SIGKILL as i32))
    }

    /// Sends a signal to its whole group, if it has not ended.
    pub fn signal(&self, signal: Signal) {
        if self.ended.borrow().is_none() {
            let _ = killpg(Pid::from_raw(self.pid as i32), signal);
        }
    }
}

impl Processes {
    /// A registry that writes its records to `records`, and starts everything as `account`.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn new(records: PathBuf, account: Account) -> Result<Processes, Problem> {
        std::fs::create_dir_all(&records)
            .map_err(|e| Problem::new(format!("can't make {}", records.display())).because(e))?;
        Ok(Processes { inner: Arc::new(Inner { account, records, running: Mutex::default() }) })
    }

    /// A command of `program` prepared for the lab: the unprivileged account, a process group of its own, a small clean
    /// environment, no standard input or output. Pipes and arguments are the caller's.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        let mut command = std::process::Command::new(program);
        let folder = program.parent().filter(|p| p.is_absolute()).unwrap_or(Path::new("/usr/bin"));
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()))
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        if self.inner.account.change {
            command.uid(self.inner.account.uid).gid(self.inner.account.gid);
        }
        command.into()
    }

    /// Starts it. `what` is for messages: `initdb of pg-primary-1`.
    ///
    /// # Errors
    /// When the program can't be started, or the lab is being shut down.
    pub fn spawn(&self, what: &str, mut command: Command) -> Result<Process, Problem> {
        // The lock is held until it is written down: a shutdown in between would miss it.
        let mut running = self.inner.lock();
        if running.closed {
            return Err(Problem::refused(format!("{what} was not started")).because("the lab is being shut down"));
        }
        let mut child = command.spawn().map_err(|e| Problem::new(format!("{what} could not be started")).because(e))?;
        let pid = child.id().unwrap_or_default();
        running.processes.insert(pid, what.to_owned());
        remains::note(&self.inner.records, pid, what);
        drop(running);
        let (tell, ended) = watch::channel(None);
        let process =
            Process { pid, stdin: child.stdin.take(), stdout: child.stdout.take(), stderr: child.stderr.take(), ended };
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            let status = child.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(Signal::SIGKILL as i32));
            if let Some(inner) = inner.upgrade() {
                inner.lock().processes.remove(&pid);
                remains::forget(&inner.records, pid);
            }
            tell.send_replace(Some(status));
        });
        Ok(process)
    }

    /// Runs it to its end, catching what it writes (bounded); killed with its group at the deadline.
    ///
    /// # Errors
    /// When it can't be started, does not end in time, or ends with anything but 0: with its last words.
    pub async fn run(&self, what: &str, command: Command, within: Duration) -> Result<Output, Problem> {
        self.run_with(what, command, None, within).await
    }

    /// As [`Processes::run`], with `input` on its standard input: the place for what may not be among its arguments.
    ///
    /// # Errors
    /// As [`Processes::run`].
    pub async fn run_with(
        &self,
        what: &str,
        mut command: Command,
        input: Option<&str>,
        within: Duration,
    ) -> Result<Output, Problem> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut process = self.spawn(what, command)?;
        let guard = KillOnDrop(process.ended.clone(), process.pid);
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let all = async {
            let feed = async {
                if let (Some(mut stdin), Some(text)) = (stdin, input) {
                    let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, text.as_bytes()).await;
                }
            };
            let (stdout, stderr, (), status) = tokio::join!(slurp(stdout), slurp(stderr), feed, process.wait());
            Output { status, stdout, stderr }
        };
        let output = timeout(within, all).await;
        drop(guard);
        match output {
            Err(_) => Err(Problem::new(format!("{what} took longer than {} s and was ended", within.as_secs()))),
            Ok(output) if output.status.success() => Ok(output),
            Ok(output) => Err(Problem::new(format!("{what} failed: {}", output.status)).because(last_words(&output))),
        }
    }

    /// Kills everything that still runs, servers' children included, and waits until it is gone. Blocking, bounded.
    /// Nothing can be started afterwards.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }

    /// How many run now.
    pub fn count(&self) -> usize {
        self.inner.lock().processes.len()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shutdown(&self) {
        let mut running = self.lock();
        running.closed = true;
        let pids: Vec<u32> = running.processes.keys().copied().collect();
        running.processes.clear();
        drop(running);
        if !pids.is_empty() {
            remains::end(&self.records);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Ends a helper and its group when the caller loses interest: at a deadline, or when its future is dropped.
struct KillOnDrop(watch::Receiver<Option<ExitStatus>>, u32);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if self.0.borrow().is_none() && kill(Pid::from_raw(self.1 as i32), None).is_ok() {
            census::kill_family(self.1);
        }
    }
}

async fn slurp(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(KEPT_OUTPUT).read_to_end(&mut text).await;
        // The rest is read and forgotten, or the process would wait for us.
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    text
}

/// The last lines of what a failed helper wrote.
fn last_words(output: &Output) -> String {
    let text = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}
