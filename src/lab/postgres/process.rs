//! The processes of one lab: started in groups of their own, known by number and start time, and ended with the lab.

use std::{
    process::{ExitStatus, Output},
    time::Duration,
};
use tokio::{process::Command, sync::watch};

use crate::problem::Problem;

/// All processes of one lab. Dropping the last handle kills what still runs.
#[derive(Clone, Debug)]
pub struct Processes {}

/// A started process, known to the registry until it has ended.
#[derive(Debug)]
pub struct Process {
    /// Its process id, which is its group's too.
    pub pid: u32,
    /// Its pipes, where the command asked for them.
    pub stdin: Option<tokio::process::ChildStdin>,
    /// What it writes.
    pub stdout: Option<tokio::process::ChildStdout>,
    /// What it writes as errors.
    pub stderr: Option<tokio::process::ChildStderr>,
    /// `None` while it runs.
    pub ended: watch::Receiver<Option<ExitStatus>>,
}

impl Processes {
    /// A command of `program` prepared for the lab: the unprivileged account, a process group of its own, a small clean
    /// environment, no standard input. Pipes and arguments are the caller's.
    pub fn command(&self, program: impl AsRef<std::path::Path>) -> Command {
        Command::new(program.as_ref())
    }

    /// Starts it. `what` is for messages: `initdb of pg-primary-1`.
    ///
    /// # Errors
    /// When the program can't be started, or the lab is being shut down.
    pub fn spawn(&self, what: &str, command: Command) -> Result<Process, Problem> {
        let _ = command;
        Err(Problem::new(format!("{what}: not built yet")))
    }

    /// Runs it to its end, catching what it writes (bounded); killed with its group at the deadline.
    ///
    /// # Errors
    /// When it can't be started, does not end in time, or ends with anything but 0: with its last words.
    pub async fn run(&self, what: &str, command: Command, within: Duration) -> Result<Output, Problem> {
        let _ = (command, within);
        Err(Problem::new(format!("{what}: not built yet")))
    }

    /// Kills everything that still runs, servers' children included, and waits until it is gone. Blocking, bounded.
    pub fn shutdown(&self) {}
}
