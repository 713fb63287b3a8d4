//! The command line: what a pane can show, as text, JSON and an exit code.
//!
//! Every command collects facts from the same adapters as the console, and ends: each source has its own time, and what
//! did not answer is unknown with the reason. Nothing here draws a screen; it must not know the console.

pub mod act;
pub mod args;
pub mod backups;
pub mod check;
mod collect;
mod completions;
pub mod conduct;
mod drill;
mod human;
mod keys;
pub mod lab;
mod lab_fault;
mod lag;
mod man;
mod output;
mod reading;
mod report;
pub mod runbook;
mod runs;
mod status;
mod table;
mod themes;
mod wishes;

use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::process::ExitCode;

use crate::problem::{Exit, Problem};

pub use args::{Cli, Command, Global, Output};
pub use wishes::world;

/// Reads the arguments. Errors and `--help` have been printed when this gives an exit code.
///
/// # Errors
/// The exit code: 2 for a mistake, 0 for help and version.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(args).map_err(|e| {
        // A reader that has gone needs no message.
        let _ = e.print();
        ExitCode::from(if e.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() })
    })
}

/// What needs a screen, and so the rooms that this one must not know.
#[derive(Clone, Copy, Debug)]
pub enum Screen<'a> {
    /// The console on the world the flags name.
    Console,
    /// The console on a lab of its own.
    Lab(&'a lab::World),
    /// A recorded session's last screen.
    Replay(&'a args::ReplayArgs),
}

/// Runs what was asked for to its end, on a runtime of its own. `show` opens what needs a screen.
pub fn run(cli: &Cli, show: impl AsyncFnOnce(&Global, Screen<'_>) -> Result<(), Problem>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&Problem::new("can't start").because(e)),
    };
    let global = &cli.global;
    let done = runtime.block_on(async {
        wishes::names(global)?;
        match &cli.command {
            None => show(global, Screen::Console).await.map(|()| Exit::Ok),
            Some(Command::Lab(lab)) => match &lab.command {
                None => show(global, Screen::Lab(&lab.world)).await.map(|()| Exit::Ok),
                Some(command) => lab::run(global, command).await,
            },
            Some(Command::Replay(replay)) => show(global, Screen::Replay(replay)).await.map(|()| Exit::Ok),
            Some(Command::Status(status)) => status::run(global, status).await,
            Some(Command::Runbook(args)) => runbook::run(global, args).await,
            Some(Command::Backups(args)) => backups::run(global, args).await,
            Some(Command::Lag(lag)) => lag::run(global, lag).await,
            Some(Command::Act(act)) => act::run(global, act).await,
            Some(Command::Runs(runs)) => runs::run(global, runs).await,
            Some(Command::Drill(drill)) => drill::run(global, drill).await,
            Some(Command::Check) => check::run(global),
            Some(Command::Keys(keys)) => keys::run(global, keys),
            Some(Command::Themes(themes)) => themes::run(global, themes),
            Some(Command::Completions(of)) => Ok(completions::run(Cli::command(), of.shell)),
            Some(Command::Man(man)) => man::run(Cli::command(), man.folder.as_deref()),
        }
    });
    // A credential plugin that hangs must not hold up the end.
    runtime.shutdown_background();
    match done {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(problem) => fail(&problem),
    }
}

/// Prints a problem and gives its exit code.
pub fn fail(problem: &Problem) -> ExitCode {
    output::complain(problem);
    ExitCode::from(problem.exit.code())
}
