//! What can be said on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use std::path::PathBuf;

use super::act::ActArgs;
use super::backups::BackupsArgs;
use super::drill::DrillArgs;
use super::lab::LabArgs;
use super::runbook::RunbookArgs;
use super::runs::RunsArgs;
use crate::adapters::{Config, Namespaces};

/// A terminal console for highly available PostgreSQL on Kubernetes. Without a command it opens the console.
#[derive(Debug, Parser)]
#[command(name = "howdah", version, max_term_width = 110, propagate_version = true)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// A kubeconfig file; may be given more than once [default: $KUBECONFIG, then ~/.kube/config, then in-cluster]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Where")]
    pub kubeconfig: Vec<PathBuf>,
    /// A context of the kubeconfig; may be given more than once [default: the current one]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Where")]
    pub context: Vec<String>,
    /// A namespace; may be given more than once [default: all; where that is forbidden, the context's own]
    #[arg(short, long, global = true, value_name = "NAME", conflicts_with = "all_namespaces", help_heading = "Where")]
    pub namespace: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long, global = true, help_heading = "Where")]
    pub all_namespaces: bool,
    /// How to answer
    #[arg(short, long, global = true, value_enum, value_name = "FORM", help_heading = "How")]
    pub output: Option<Output>,
    /// Change nothing, whatever is asked
    #[arg(long, global = true, help_heading = "How")]
    pub read_only: bool,
    /// Approve every gate that asks for approval
    #[arg(short, long, global = true, conflicts_with = "read_only", help_heading = "How")]
    pub yes: bool,
    /// The theme; `howdah themes` lists them
    #[arg(long, global = true, value_name = "NAME", help_heading = "How")]
    pub theme: Option<String>,
    /// The keymap: default, vim, emacs or one of your own
    #[arg(long, global = true, value_name = "NAME", help_heading = "How")]
    pub keymap: Option<String>,
    /// A settings file instead of the usual one
    #[arg(long, global = true, value_name = "FILE", help_heading = "How")]
    pub config: Option<PathBuf>,
    /// What to log, such as `info` or `howdah=debug`
    #[arg(long, global = true, value_name = "FILTER", env = "HOWDAH_LOG", help_heading = "How")]
    pub log: Option<String>,
    /// Write the console's session to this file, for `howdah replay`; of a runbook the incident record
    #[arg(long, global = true, value_name = "FILE", help_heading = "How")]
    pub record: Option<PathBuf>,
}

/// Forms of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For programs and people
    Yaml,
    /// For a report or a ticket
    Md,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// How clusters are: verdicts with their reasons, instances, lag, archiving, backups
    ///
    /// Ends with 0 when all is ok, 1 on a warning or worse, 4 when that can't be told.
    Status(StatusArgs),
    /// Samples of a cluster's replication lag, as JSON lines
    Lag(LagArgs),
    /// What a cluster could be restored from: every backup with what is wrong with it, and the WAL archive's gaps
    Backups(BackupsArgs),
    /// One guarded change of a cluster, followed to its proven end
    ///
    /// Shows first what would be done, with everything that speaks for and against it. Ends with 0 when the end is proven,
    /// 1 when it is not, 3 when it is refused.
    Act(ActArgs),
    /// What was done: every run with its journal; and going on with one that was interrupted
    Runs(RunsArgs),
    /// A small real world on this machine: PostgreSQL behind a Kubernetes API, and the console on it
    Lab(LabArgs),
    /// Incident walkthroughs: what to look at, in which order, with live values
    Runbook(RunbookArgs),
    /// Shows a recorded session's last screen, as text
    Replay(ReplayArgs),
    /// Practises a failure and measures it: outage, lost writes, time to full redundancy
    ///
    /// Ends with 0 when the drill passed, 1 when it failed, 3 when it was refused.
    Drill(DrillArgs),
    /// Everything that is wrong with your settings, themes, keymaps and runbooks, with file, line and column
    ///
    /// Ends with 2 when there is anything.
    Check,
    /// Which key does what
    Keys(KeysArgs),
    /// The themes there are, in their colours
    Themes(ThemesArgs),
    /// What a shell needs to complete flags and commands
    Completions(CompletionsArgs),
    /// The manual page
    Man(ManArgs),
}

/// `howdah keys`.
#[derive(Clone, Debug, Args)]
pub struct KeysArgs {
    /// As tables for a manual
    #[arg(long, conflicts_with = "toml")]
    pub markdown: bool,
    /// As a keymap file: a start for one of your own
    #[arg(long)]
    pub toml: bool,
}

/// `howdah themes`.
#[derive(Clone, Debug, Args)]
pub struct ThemesArgs {
    /// One theme, role by role
    #[arg(long, value_name = "NAME")]
    pub show: Option<String>,
}

/// `howdah completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `howdah man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write a page for howdah and one for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// `howdah status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// A cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME [default: all]
    pub cluster: Option<String>,
    /// Keep telling, until interrupted. On a terminal in its place; elsewhere one after the other: when something changed,
    /// when a lag or the WAL that waits for the archive doubled or halved, and each minute
    #[arg(short, long)]
    pub watch: bool,
    /// How long to wait for everything to answer; what has not by then is unknown
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub timeout: SignedDuration,
}

/// `howdah replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// What `--record` wrote
    pub file: PathBuf,
    /// Stop after this many messages [default: all of them]
    #[arg(long, value_name = "N")]
    pub until: Option<usize>,
}

/// `howdah lag`.
#[derive(Clone, Debug, Args)]
pub struct LagArgs {
    /// The cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// How long to sample
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = time)]
    pub duration: SignedDuration,
    /// How often; servers are asked once a second at most
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    pub every: SignedDuration,
}

/// `30s`, `2m`, `1h30m`.
pub fn time(text: &str) -> Result<SignedDuration, String> {
    match text.parse::<SignedDuration>() {
        Ok(d) if d > SignedDuration::ZERO => Ok(d),
        Ok(_) => Err("a time must be longer than nothing".into()),
        Err(_) => Err("a time is written like 30s, 2m or 1h30m".into()),
    }
}

impl Global {
    /// What the adapters look at.
    pub fn adapters(&self) -> Config {
        let namespaces = match self.namespace.as_slice() {
            [] => Namespaces::All,
            names => Namespaces::Only(names.to_vec()),
        };
        Config { kubeconfig: self.kubeconfig.clone(), contexts: self.context.clone(), namespaces, ..Config::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        let cli = Cli::try_parse_from(["howdah", "--context", "a", "status", "pg", "-o", "json", "--context", "b"]);
        let cli = cli.unwrap();
        assert_eq!(cli.global.output, Some(Output::Json));
        assert!(matches!(cli.command, Some(Command::Status(s)) if s.cluster.as_deref() == Some("pg") && !s.watch));
    }

    #[test]
    fn times() {
        assert_eq!(time("30s"), Ok(SignedDuration::from_secs(30)));
        assert_eq!(time("1m30s"), Ok(SignedDuration::from_secs(90)));
        assert!(time("0s").is_err() && time("soon").is_err() && time("-3s").is_err());
    }
}
