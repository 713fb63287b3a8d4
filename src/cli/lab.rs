//! `howdah lab serve` and `howdah lab api`: a lab by itself, and the client of its control socket.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::args::Global;
use super::lab_fault::{self, FaultArgs};
use crate::lab::control::{Request, Switch, ask};
use crate::lab::{Lab, LabOptions};
use crate::problem::{Exit, Problem};

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
    /// Describe this many more clusters: objects only, with plausible and changing states
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub fleet: usize,
}

impl World {
    /// The lab's options.
    pub fn options(&self) -> LabOptions {
        LabOptions { dir: self.dir.clone(), load: self.load, instances: self.instances.max(1), fleet: self.fleet }
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
    Serve {
        /// What the lab is to be.
        #[command(flatten)]
        world: World,
        /// End when standard input ends too: for scripts that hold it open while they need the lab
        #[arg(long)]
        until_input_ends: bool,
    },
    /// Stop or start the API of a running lab, and nothing else
    Api {
        /// What to do with it
        action: Action,
        /// Folder of the running lab
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Faults on demand: what there is, what stands, start one, stop them
    Fault(FaultArgs),
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
pub async fn run(global: &Global, command: &Command) -> Result<Exit, Problem> {
    match command {
        Command::Serve { world, until_input_ends } => serve(world, *until_input_ends).await.map(|()| Exit::Ok),
        Command::Fault(args) => lab_fault::run(global, args).await,
        Command::Api { action, dir } => {
            let switch = if *action == Action::Stop { Switch::Stop } else { Switch::Start };
            ask(dir, Request::Api(switch)).await.map(|_| Exit::Ok)
        }
    }
}

async fn serve(world: &World, until_input_ends: bool) -> Result<(), Problem> {
    let mut ends = Ends::listen(until_input_ends).map_err(|e| Problem::new("signals can't be caught").because(e))?;
    let lab = Lab::start(world.options()).await?;
    say(&format!("kubeconfig {}", lab.kubeconfig().display()));
    let ready = tokio::select! {
        ready = lab.ready(READY_WITHIN) => Some(ready),
        () = ends.come() => None,
    };
    if matches!(ready, Some(Ok(()))) {
        say("ready");
        ends.come().await;
    }
    lab.stop().await;
    ready.unwrap_or(Ok(()))
}

/// What ends a lab that is served.
struct Ends {
    signals: [Signal; 3],
    /// Closed when standard input ends; never, where that does not matter.
    input: Option<oneshot::Receiver<()>>,
}

impl Ends {
    fn listen(with_input: bool) -> std::io::Result<Ends> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let [terminate, interrupt, hangup] = kinds.map(signal);
        let input = with_input.then(|| {
            let (open, closed) = oneshot::channel();
            // A thread of its own: a read of standard input can't be given up, and must not hold up the end.
            std::thread::spawn(move || {
                let _open: oneshot::Sender<()> = open;
                let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            });
            closed
        });
        Ok(Ends { signals: [terminate?, interrupt?, hangup?], input })
    }

    async fn come(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.signals;
        let input = async {
            match &mut self.input {
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            () = input => {}
        }
    }
}

/// A line for whoever reads along. A reader that has gone is no reason to end the lab.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
