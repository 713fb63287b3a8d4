//! What can be asked for, as flags.

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::cli::args::time;
use crate::cli::conduct::Following;
use crate::domain::names::InstanceName;
use crate::problem::Problem;
use crate::procedure::catalog::{Act, Chosen};

/// `howdah act`.
#[derive(Clone, Debug, Args)]
pub struct ActArgs {
    /// What to do
    #[command(subcommand)]
    pub act: ActCommand,
}

/// What every act is told.
#[derive(Clone, Debug, Args)]
pub struct At {
    /// The cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// How it is shown, confirmed and justified.
    #[command(flatten)]
    pub following: Following,
    /// How long to wait for everything to answer before the plan is made; what has not by then is unknown
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = time)]
    pub timeout: SignedDuration,
}

/// The acts.
#[derive(Clone, Debug, Subcommand)]
pub enum ActCommand {
    /// Another instance leads: the old primary shuts down cleanly and follows it
    Switchover {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
        /// The instance that shall lead [default: the best one]
        #[arg(long, value_name = "INSTANCE")]
        to: Option<String>,
    },
    /// PostgreSQL is restarted: of one instance, or of all, the primary last
    Restart {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
        /// The instance: a standby by its pod, the primary where it is [default: all of them]
        #[arg(long, value_name = "INSTANCE")]
        instance: Option<String>,
    },
    /// Settings are read anew; nothing restarts
    Reload {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
    },
    /// PostgreSQL is stopped and the pod kept; nobody takes over from a fenced primary
    Fence {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
        #[command(flatten)]
        #[expect(missing_docs, reason = "see Which")]
        which: Which,
    },
    /// A fenced PostgreSQL may start again
    Unfence {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
        #[command(flatten)]
        #[expect(missing_docs, reason = "see Which")]
        which: Which,
    },
    /// All pods go and the volumes stay: nobody can use the cluster until it is woken
    Hibernate {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
    },
    /// A hibernated cluster comes back
    Wake {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
    },
    /// A standby's data is deleted and cloned anew from the primary
    Rebuild {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
        /// The standby
        #[arg(long, value_name = "INSTANCE")]
        instance: String,
    },
    /// More instances, or fewer: the highest number that does not lead goes, with its data
    Scale {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
        /// How many
        #[arg(long, value_name = "N")]
        instances: u32,
    },
    /// The node maintenance window is opened or closed
    Maintenance {
        #[command(flatten)]
        #[expect(missing_docs, reason = "see At")]
        at: At,
        /// Open it, or close it
        #[arg(value_enum)]
        window: Window,
        /// Instances of a drained node wait for their volumes instead of being cloned anew elsewhere [default: as it is set]
        #[arg(long, value_name = "BOOL")]
        reuse_volumes: Option<bool>,
    },
}

/// Which instances.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The instance; may be given more than once
    #[arg(long, value_name = "INSTANCE")]
    pub instance: Vec<String>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

/// Open or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Window {
    /// Instances of a drained node are not repaired at once
    Open,
    /// As usual
    Close,
}

impl Which {
    fn chosen(&self) -> Chosen {
        if self.all { Chosen::All } else { Chosen::These(self.instance.iter().map(InstanceName::from).collect()) }
    }
}

impl ActCommand {
    /// What every act is told.
    pub fn at(&self) -> &At {
        match self {
            ActCommand::Switchover { at, .. }
            | ActCommand::Restart { at, .. }
            | ActCommand::Reload { at }
            | ActCommand::Fence { at, .. }
            | ActCommand::Unfence { at, .. }
            | ActCommand::Hibernate { at }
            | ActCommand::Wake { at }
            | ActCommand::Rebuild { at, .. }
            | ActCommand::Scale { at, .. }
            | ActCommand::Maintenance { at, .. } => at,
        }
    }

    /// The act.
    ///
    /// # Errors
    /// A name that is none.
    pub fn act(&self) -> Result<Act, Problem> {
        let named = |name: &String| match name.trim() {
            "" => Err(Problem::usage("an instance has a name").try_this("howdah status shows them")),
            name => Ok(InstanceName::from(name)),
        };
        Ok(match self {
            ActCommand::Switchover { to, .. } => Act::Switchover { to: to.as_ref().map(named).transpose()? },
            ActCommand::Restart { instance, .. } => {
                Act::Restart { instance: instance.as_ref().map(named).transpose()? }
            }
            ActCommand::Reload { .. } => Act::Reload,
            ActCommand::Fence { which, .. } => Act::Fence { instances: which.chosen() },
            ActCommand::Unfence { which, .. } => Act::Unfence { instances: which.chosen() },
            ActCommand::Hibernate { .. } => Act::Hibernate,
            ActCommand::Wake { .. } => Act::Wake,
            ActCommand::Rebuild { instance, .. } => Act::Rebuild { instance: named(instance)? },
            ActCommand::Scale { instances, .. } => Act::Scale { instances: *instances },
            ActCommand::Maintenance { window, reuse_volumes, .. } => {
                Act::Maintenance { open: *window == Window::Open, reuse_volumes: *reuse_volumes }
            }
        })
    }
}
