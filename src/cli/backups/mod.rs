//! `howdah backups`: what a cluster could be restored from, read out of its objects and its object store.
//!
//! The store is listed by this command itself, once and whole. [`list`] and [`check`] are the answers as data, [`text`] the
//! same for people. [`take`] and
//! [`schedule`] are acts: they write, through a plan that is followed like any other.

mod acting;
mod check;
mod list;
mod progress;
mod restore;
mod schedule;
mod take;
#[cfg(test)]
mod tests;
mod text;

pub use restore::RestoreArgs;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

use super::act::one;
use super::args::{Global, time};
use super::collect::{Live, ahead};
use super::output::{Style, answer, complain, say};
use crate::adapters::live::Handle;
use crate::domain::backup::StoreListing;
use crate::domain::backup::catalog::{Catalog, Witnesses};
use crate::domain::cluster::Cluster;
use crate::domain::health::Level;
use crate::domain::lsn::Lsn;
use crate::domain::names::ClusterKey;
use crate::domain::picture::Picture;
use crate::domain::wal::WalName;
use crate::problem::{Exit, Problem};

/// `howdah backups`.
#[derive(Clone, Debug, Args)]
pub struct BackupsArgs {
    /// What to do
    #[command(subcommand)]
    pub command: BackupsCommand,
}

/// What `howdah backups` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum BackupsCommand {
    /// Every backup that an object or the store tells of, with what is wrong with it
    ///
    /// Ends with 0, or with 4 when the store can't be listed: then what only the store knows is missing.
    List(Whose),
    /// Is every WAL segment there, from the oldest base backup to now?
    ///
    /// Names each gap, says of each base backup whether it can be restored, and to which times a recovery can be led. Ends
    /// with 0 when nothing is missing, 1 on a gap, a missing last segment or when there is nothing to restore, 4 when it
    /// can't be told.
    Check(Whose),
    /// A new cluster out of what this one has archived, up to a moment of your choice
    ///
    /// The cluster itself is not touched. Shows first which base backup is used, what is replayed, and everything that
    /// speaks against it. Ends with 0 when the new cluster is recovered and takes writes, 1 when it is not, 3 when it is
    /// refused: a target beyond a gap is, by the name of the missing segment.
    Restore(Box<RestoreArgs>),
    /// Takes a base backup now, and follows it until it could be restored
    ///
    /// Ends with 0 when the Backup says completed and its last WAL segment is in the archive, as far as the store or the
    /// primary's archiver can tell; 1 when it failed or was left, 3 when it is refused.
    Take(take::TakeArgs),
    /// The schedules by which the operator takes backups: shown, made, changed, suspended, deleted
    ///
    /// Without a change it shows them: each in words, with its next runs. CNPG's expressions have six fields, seconds first;
    /// times are UTC.
    Schedule(schedule::ScheduleArgs),
}

/// Whose backups.
#[derive(Clone, Debug, Args)]
pub struct Whose {
    /// The cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// How long to wait for Kubernetes and the instances to answer; listing the store takes as long as it takes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub timeout: SignedDuration,
    /// Read a copy of the archive on this machine instead: the folder that stands for destinationPath
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// What can't even begin, a cluster that is not there, a Kubernetes out of reach; of `check`, a store out of reach.
pub async fn run(global: &Global, args: &BackupsArgs) -> Result<Exit, Problem> {
    let form = global.output.unwrap_or_default();
    let style = Style::of_stdout();
    let (said, exit) = match &args.command {
        BackupsCommand::List(whose) => {
            let seen = Seen::look(global, whose).await?;
            let report = list::report(&seen, Timestamp::now());
            if let Err(problem) = &seen.store {
                complain(problem);
            }
            let exit = if seen.store.is_ok() { Exit::Ok } else { Exit::Unknown };
            (answer(form, &report, || text::list(&report, style), || text::list_markdown(&report))?, exit)
        }
        BackupsCommand::Restore(args) => return restore::run(global, args).await,
        BackupsCommand::Check(whose) => {
            let seen = Seen::look(global, whose).await?;
            let listing = seen.store.as_ref().map_err(Clone::clone)?;
            let report = check::report(&seen, listing, Timestamp::now());
            let exit = match report.level {
                Level::Ok => Exit::Ok,
                Level::Unknown => Exit::Unknown,
                Level::Warn | Level::Bad => Exit::No,
            };
            (answer(form, &report, || text::check(&report, style), || text::check_markdown(&report))?, exit)
        }
        BackupsCommand::Take(args) => return take::run(global, args).await,
        BackupsCommand::Schedule(args) => return schedule::run(global, args).await,
    };
    // Whoever stopped reading knows what they wanted to know.
    let _ = say(&said);
    Ok(exit)
}

/// All that was learned.
struct Seen {
    cluster: Arc<Cluster>,
    store: Result<StoreListing, Problem>,
    /// Where the primary writes.
    current: Option<Lsn>,
    /// The last segment the primary says it archived.
    archived: Option<(WalName, Option<Timestamp>)>,
}

impl Seen {
    async fn look(global: &Global, whose: &Whose) -> Result<Seen, Problem> {
        let mut live = Live::start(global, true)?;
        let deadline = ahead(whose.timeout);
        live.settle(deadline).await;
        let key = one(&live, &whose.cluster)?;
        let mut progress = progress::Progress::new();
        let told = move |listing: &StoreListing| progress.tell(listing);
        let listing = match &whose.folder {
            None => tokio::spawn(live.archive(&key, told)),
            Some(folder) => tokio::spawn(Handle::copied(folder.clone(), server(&live, &key), told)),
        };
        // The listing goes on while the instances are asked.
        live.focus(std::slice::from_ref(&key), deadline).await;
        let aborted = listing.abort_handle();
        let store = tokio::select! {
            done = listing => done.map_err(|e| Problem::new("the listing ended early").because(e))?,
            _ = tokio::signal::ctrl_c() => {
                aborted.abort();
                return Err(Problem::new("the listing was interrupted"));
            }
        };
        let known = live.facts.clusters.get(&key).cloned();
        let cluster = known.ok_or_else(|| Problem::new(format!("{key} is gone")))?;
        let picture = Picture::of(&live.facts, &cluster);
        let archived = picture.archiver.last.and_then(|(wal, at)| Some((wal.parse().ok()?, at)));
        let current = picture.current;
        Ok(Seen { cluster, store, current, archived })
    }

    fn catalog(&self, now: Timestamp) -> Catalog {
        let store = self.store.as_ref().ok();
        let own = Witnesses::of(&self.cluster, store);
        Catalog::assemble(&Witnesses { current: self.current, archived: self.archived, ..own }, now)
    }
}

/// The name of the server's folder: the cluster's own, where its object tells no other.
fn server(live: &Live, key: &ClusterKey) -> String {
    let told = live.facts.clusters.get(key).and_then(|c| c.archiving.server_name.clone());
    told.unwrap_or_else(|| key.name.to_string())
}

/// What was listed.
#[derive(Clone, Debug, Serialize)]
struct StoreReport {
    destination: String,
    server: String,
    /// When the listing was begun.
    asked: Timestamp,
    took_s: f64,
    pages: u64,
    segments: u64,
    wal_bytes: u64,
    base_bytes: u64,
    /// Bytes a day, of WAL and of base backups.
    growth_per_day: Option<(u64, u64)>,
}

impl StoreReport {
    fn of(listing: &StoreListing, now: Timestamp) -> StoreReport {
        let archive = &listing.archive;
        StoreReport {
            destination: listing.destination.clone(),
            server: listing.server.clone(),
            asked: listing.asked,
            took_s: (listing.took.as_secs_f64() * 1000.0).round() / 1000.0,
            pages: listing.pages,
            segments: archive.segments(),
            wal_bytes: archive.wal_bytes(),
            base_bytes: archive.base_bytes(),
            growth_per_day: archive.growth(now),
        }
    }
}

/// What would be lost if all volumes were lost now.
#[derive(Clone, Debug, Serialize)]
struct RiskReport {
    last_wal: String,
    since: Option<Timestamp>,
    age_s: Option<i64>,
    /// WAL written since, where the primary says where it is.
    bytes: Option<u64>,
}

fn at_risk(catalog: &Catalog, now: Timestamp) -> Option<RiskReport> {
    catalog.at_risk.map(|risk| RiskReport {
        last_wal: risk.wal.to_string(),
        since: risk.since,
        age_s: risk.since.map(|at| now.duration_since(at).as_secs().max(0)),
        bytes: risk.bytes,
    })
}
