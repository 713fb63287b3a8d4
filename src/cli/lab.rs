//! `howdah lab serve` and `howdah lab api`: a lab by itself, and the client of its control socket.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use crate::lab::control::{Request, Switch, ask};
use crate::lab::{Lab, LabOptions};
use crate::problem::Problem;

/// How long a lab may take to get ready before that is a failure.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// What a lab is to be.
#[derive(Args, Clone, Debug, Default)]
pub struct World {
    /// Folder of the lab: made when missing, emptied when the lab ends. Without it, a fresh one in the temporary place
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Write this many rows a second, all the time
    #[arg(long, value_name = "TPS")]
    pub load: Option<u32>,
    /// Instances of the cluster
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub instances: u32,
}

impl World {
    /// The lab's options.
    pub fn options(&self) -> LabOptions {
        LabOptions { dir: self.dir.clone(), load: self.load, instances: self.instances.max(1) }
    }
}

/// `howdah lab …`. Without a further word: the console on a lab of its own.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LabArgs {
    /// What the lab is to be.
    #[command(flatten)]
    pub world: World,
    /// Something else than the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be done with labs beside looking at one.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Serve a lab, print `ready` when its cluster is healthy, and run until interrupted
    Serve(World),
    /// Stop or start the API of a running lab, and nothing else
    Api {
        /// What to do with it
        action: Action,
        /// Folder of the running lab
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

/// What can be done with a lab's API.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It answers no more; the world goes on
    Stop,
    /// It answers again, at the same address
    Start,
}

/// Does it. Must be called within a tokio runtime.
///
/// # Errors
/// What the lab can't do.
pub async fn run(command: &Command) -> Result<(), Problem> {
    match command {
        Command::Serve(world) => serve(world).await,
        Command::Api { action, dir } => {
            let switch = if *action == Action::Stop { Switch::Stop } else { Switch::Start };
            ask(dir, Request::Api(switch)).await
        }
    }
}

async fn serve(world: &World) -> Result<(), Problem> {
    let trouble = |e| Problem::new("signals can't be caught").because(e);
    let mut terminate = signal(SignalKind::terminate()).map_err(trouble)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(trouble)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(trouble)?;
    let lab = Lab::start(world.options()).await?;
    say(&format!("kubeconfig {}", lab.kubeconfig().display()));
    let done = tokio::select! {
        ready = lab.ready(READY_WITHIN) => ready.map(|()| true),
        _ = terminate.recv() => Ok(false),
        _ = interrupt.recv() => Ok(false),
        _ = hangup.recv() => Ok(false),
    };
    if matches!(done, Ok(true)) {
        say("ready");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    lab.stop().await;
    done.map(drop)
}

/// A line for whoever reads along. A reader that has gone is no reason to end the lab.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
