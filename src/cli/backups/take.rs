//! `howdah backups take`: a base backup now, followed until it could be restored.

use clap::{Args, ValueEnum};

use super::acting::act;
use crate::cli::act::At;
use crate::cli::args::Global;
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::Act;
use crate::procedure::catalog::backup::{Method, Take, TakenFrom};

/// What is taken.
#[derive(Clone, Debug, Args)]
pub struct TakeArgs {
    /// Whose, and how it is followed.
    #[command(flatten)]
    pub at: At,
    /// How it is taken
    #[arg(long, value_enum, default_value_t)]
    pub method: How,
    /// From which instance [default: as the cluster says, else a standby]
    #[arg(long, value_enum)]
    pub target: Option<Where>,
    /// The Backup's name [default: the cluster's, with the moment]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Of volume snapshots: write a checkpoint at once instead of waiting for the next one [default: as the cluster says]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub immediate_checkpoint: Option<bool>,
    /// Of volume snapshots: end only when the WAL is archived [default: as the cluster says]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub wait_for_archive: Option<bool>,
}

/// A method, as people say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum How {
    /// As the cluster is set up: the plugin, else its own Barman, else volume snapshots
    #[default]
    Auto,
    /// CNPG's own Barman (spec.backup.barmanObjectStore)
    Barman,
    /// The Barman Cloud plugin (spec.plugins)
    Plugin,
    /// Volume snapshots (spec.backup.volumeSnapshot)
    Snapshot,
}

/// An instance, as CNPG says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Where {
    /// The one that leads
    Primary,
    /// A standby that is ready, else the one that leads
    PreferStandby,
}

impl How {
    /// The method; `None`: as the cluster is set up.
    pub fn method(self) -> Option<Method> {
        match self {
            How::Auto => None,
            How::Barman => Some(Method::Barman),
            How::Plugin => Some(Method::Plugin),
            How::Snapshot => Some(Method::Snapshot),
        }
    }
}

impl Where {
    /// The target.
    pub fn target(self) -> TakenFrom {
        match self {
            Where::Primary => TakenFrom::Primary,
            Where::PreferStandby => TakenFrom::PreferStandby,
        }
    }
}

impl TakeArgs {
    fn take(&self) -> Take {
        Take {
            method: self.method.method(),
            from: self.target.map(Where::target),
            name: self.name.clone(),
            immediate_checkpoint: self.immediate_checkpoint,
            wait_for_archive: self.wait_for_archive,
        }
    }
}

/// Takes it.
///
/// # Errors
/// As [`act`].
pub async fn run(global: &Global, args: &TakeArgs) -> Result<Exit, Problem> {
    act(global, &args.at, Act::TakeBackup(args.take())).await
}
