//! `howdah runbook`: what to do in an incident, in the terminal step by step, or as a transcript.
//!
//! At a terminal a person is asked at every step and the walk is journaled like any run. Elsewhere nothing is asked: every
//! check is answered now, every step is shown, nothing is changed and nothing is journaled.

mod list;
mod look;
#[cfg(test)]
mod tests;
mod text;
mod transcript;
mod walk;

pub use walk::meanwhile;

use clap::{Args, Subcommand};
use jiff::SignedDuration;
use std::io::IsTerminal;

use super::args::{Global, Output, time};
use crate::adapters::runs::Store;
use crate::domain::names::InstanceName;
use crate::problem::{Exit, Problem};
use crate::procedure::RunId;
use crate::procedure::runbook::{Runbook, Runbooks};
use crate::settings::{Loaded, Places};

/// `howdah runbook`.
#[derive(Clone, Debug, Args)]
pub struct RunbookArgs {
    /// What to do
    #[command(subcommand)]
    pub command: RunbookCommand,
}

/// What `howdah runbook` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum RunbookCommand {
    /// The runbooks there are; with a cluster, those its verdict asks for
    List {
        /// A cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
        cluster: Option<String>,
        /// How long to wait for everything to answer
        #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
        timeout: SignedDuration,
    },
    /// A runbook as it is written
    Show {
        /// Its name
        name: String,
    },
    /// Walk a runbook: at a terminal step by step, else as a transcript with every check answered
    ///
    /// A transcript ends with 0 when what the runbook is for is gone from the verdict, 1 when it is still there, 4 when that
    /// can't be told. `--record FILE` writes the incident record of a walk as Markdown.
    Run(RunArgs),
}

/// `howdah runbook run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The runbook's name
    pub name: String,
    /// The cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// The instance it is about [default: the one the verdict names]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// How long to wait for everything to answer; what has not by then is unknown
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub timeout: SignedDuration,
}

/// Runs it.
///
/// # Errors
/// No such runbook, cluster or run; Kubernetes out of reach; the journal can't be written.
pub async fn run(global: &Global, args: &RunbookArgs) -> Result<Exit, Problem> {
    let runbooks = load(global)?;
    match &args.command {
        RunbookCommand::List { cluster: None, .. } => list::all(global, &runbooks),
        RunbookCommand::List { cluster: Some(cluster), timeout } => {
            list::for_cluster(global, &runbooks, cluster, *timeout).await
        }
        RunbookCommand::Show { name } => list::show(global, named(&runbooks, name)?),
        RunbookCommand::Run(args) => {
            let runbook = named(&runbooks, &args.name)?;
            let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
            match somebody && matches!(global.output, None | Some(Output::Table)) {
                true => walk::begin(global, runbook, args).await,
                false => transcript::run(global, runbook, args).await,
            }
        }
    }
}

/// Takes a walk up again that was left.
///
/// # Errors
/// Its runbook is gone, another process drives it, or Kubernetes is out of reach.
pub async fn resume(global: &Global, store: &Store, run: &RunId) -> Result<Exit, Problem> {
    walk::resume(global, &load(global)?, store, run).await
}

/// The runbooks: those that came with howdah and a person's own. Their mistakes are told by `howdah check`.
///
/// # Errors
/// There is no place for settings.
pub fn load(global: &Global) -> Result<Runbooks, Problem> {
    let places = Places::find(global.config.as_deref(), |name| std::env::var_os(name))?;
    Ok(Runbooks::with(Loaded::read(&places).runbooks).0)
}

fn named<'a>(runbooks: &'a Runbooks, name: &str) -> Result<&'a Runbook, Problem> {
    runbooks.get(name).ok_or_else(|| {
        let hint = crate::document::mistake::did_you_mean(name, runbooks.iter().map(|r| r.name.as_str()));
        Problem::usage(format!("no such runbook: {name}{hint}")).try_this("howdah runbook list")
    })
}

fn instance(args: &RunArgs) -> Option<InstanceName> {
    args.instance.as_deref().map(InstanceName::from)
}
