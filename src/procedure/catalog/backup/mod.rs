//! Backups: one taken now, and the schedules by which the operator takes them.
//!
//! What a cluster can be backed up by is in its own object; what was asked for and is not set up there is refused here,
//! before the operator would make a Backup of it that fails.

mod schedule;
mod take;
pub(super) mod writes;

pub(super) use schedule::plan as schedule;
pub use schedule::{Scheduling, cron};
pub(super) use take::{plan as take, within};

use serde::{Deserialize, Serialize};

use crate::domain::cluster::Cluster;
use crate::problem::Problem;

/// A base backup to be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Take {
    /// How; `None`: as the cluster is set up.
    pub method: Option<Method>,
    /// From where; `None`: as the cluster says, else a standby.
    pub from: Option<TakenFrom>,
    /// The Backup object's name; `None`: the cluster's with the plan's moment.
    pub name: Option<String>,
    /// Volume snapshots only: PostgreSQL writes a checkpoint at once; `None`: as the cluster says.
    pub immediate_checkpoint: Option<bool>,
    /// Volume snapshots only: it ends only when its WAL is archived; `None`: as the cluster says.
    pub wait_for_archive: Option<bool>,
}

/// How a base backup is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// By CNPG's own Barman: `spec.backup.barmanObjectStore`.
    Barman,
    /// By the Barman Cloud plugin: `spec.plugins`.
    Plugin,
    /// By volume snapshots: `spec.backup.volumeSnapshot`.
    Snapshot,
}

/// From which instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TakenFrom {
    /// The one that leads.
    Primary,
    /// A standby that is ready, else the one that leads.
    PreferStandby,
}

impl Method {
    /// As `spec.method` says it.
    pub fn word(self) -> &'static str {
        match self {
            Method::Barman => "barmanObjectStore",
            Method::Plugin => "plugin",
            Method::Snapshot => "volumeSnapshot",
        }
    }

    /// What of the cluster's object it rests on.
    fn rests_on(self) -> &'static str {
        match self {
            Method::Barman => "spec.backup.barmanObjectStore",
            Method::Plugin => "spec.plugins",
            Method::Snapshot => "spec.backup.volumeSnapshot",
        }
    }
}

impl TakenFrom {
    /// As `spec.target` says it.
    pub fn word(self) -> &'static str {
        match self {
            TakenFrom::Primary => "primary",
            TakenFrom::PreferStandby => "prefer-standby",
        }
    }
}

/// The methods that the cluster is set up for, the one to be preferred first.
pub fn methods(cluster: &Cluster) -> Vec<Method> {
    let m = &cluster.backups.methods;
    let all = [(m.plugin.is_some(), Method::Plugin), (m.barman, Method::Barman), (m.snapshot, Method::Snapshot)];
    all.into_iter().filter(|(there, _)| *there).map(|(_, method)| method).collect()
}

/// The method for this cluster.
///
/// # Errors
/// It is not set up for the one that was asked for, or for none at all (exit 3).
pub(super) fn method(cluster: &Cluster, asked: Option<Method>) -> Result<Method, Problem> {
    let there = methods(cluster);
    let refused = || Problem::refused(format!("{} can't be backed up so", cluster.key));
    match asked {
        Some(method) if there.contains(&method) => Ok(method),
        Some(method) => {
            let why = match method {
                Method::Plugin if cluster.backups.methods.plugin_disabled => {
                    "the Barman Cloud plugin is in its spec.plugins and is disabled".to_owned()
                }
                Method::Plugin => "the Barman Cloud plugin is not in its spec.plugins".to_owned(),
                other => format!("it has no {}", other.rests_on()),
            };
            let words: Vec<_> = there.iter().map(|m| m.word()).collect();
            let hint = match words.is_empty() {
                true => "set up a method of backup in the cluster's object first".to_owned(),
                false => format!("it is set up for {}", words.join(" and ")),
            };
            Err(refused().because(why).try_this(hint))
        }
        None => there.first().copied().ok_or_else(|| {
            Problem::refused(format!("{} can't be backed up", cluster.key))
                .because("its object sets up no method of backup: neither the Barman Cloud plugin in spec.plugins nor spec.backup")
                .try_this("add the plugin with an ObjectStore to spec.plugins, and it can")
        }),
    }
}

/// A name as Kubernetes takes it.
///
/// # Errors
/// It is none.
pub(super) fn named(name: &str) -> Result<(), Problem> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits =
        |part: &str| part.starts_with(plain) && part.ends_with(plain) && part.chars().all(|c| plain(c) || c == '-');
    if name.len() <= 253 && name.split('.').all(fits) {
        return Ok(());
    }
    Err(Problem::usage(format!("{:?} is no name for an object", crate::text::shorten(&crate::text::clean(name), 80)))
        .because(
            "Kubernetes takes lower case letters, digits, '-' and '.', beginning and ending with a letter or digit",
        ))
}
