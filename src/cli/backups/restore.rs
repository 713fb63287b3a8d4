//! `howdah backups restore`: what is asked for, as flags; the plan is made of it and followed as every other.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

use super::progress::Progress;
use crate::adapters::runs::Store;
use crate::cli::act::one;
use crate::cli::args::{Global, time};
use crate::cli::collect::{Live, ahead};
use crate::cli::conduct::{Following, conduct, store};
use crate::domain::backup::RecoveryTarget;
use crate::domain::facts::Fact;
use crate::domain::names::ClusterKey;
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::View;
use crate::procedure::catalog::restore::{self, RestoreWish};

/// `howdah backups restore`.
#[derive(Clone, Debug, Args)]
pub struct RestoreArgs {
    /// The cluster whose archive is restored from: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// The new cluster's name, in the same namespace
    #[arg(long = "as", value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "see Target")]
    pub target: Target,
    /// The base backup to begin with, by its id or its Backup's name [default: the newest that leads there]. Without another
    /// target the recovery ends where it ended
    #[arg(long, value_name = "BACKUP")]
    pub backup: Option<String>,
    /// How many instances [default: as many as the cluster has]
    #[arg(long, value_name = "N")]
    pub instances: Option<u32>,
    /// Have it archive to this server's folder of the same store [default: it archives nothing]
    #[arg(long, value_name = "SERVERNAME")]
    pub archive_as: Option<String>,
    /// Have its pods run as this service account, which reads the store already (CloudNativePG 1.29 and later)
    #[arg(long, value_name = "ACCOUNT")]
    pub service_account: Option<String>,
    /// How it is shown, confirmed and justified.
    #[command(flatten)]
    pub following: Following,
    /// How long to wait for Kubernetes to answer before the plan is made; listing the store takes as long as it takes
    #[arg(long, value_name = "TIME", default_value = "8s", value_parser = time)]
    pub timeout: SignedDuration,
}

/// Where the recovery ends.
#[derive(Clone, Debug, Default, Args)]
#[group(required = false, multiple = false)]
pub struct Target {
    /// Where the recovery ends: a time with its zone (2026-11-20T22:57:22Z, 2026-11-20 23:57:22+01,
    /// 2026-11-20T23:57:22[Europe/Berlin]), a position in the WAL (0/9000060), or latest
    #[arg(long, value_name = "TARGET")]
    pub to: Option<String>,
    /// It ends at this position in the WAL
    #[arg(long, value_name = "LSN")]
    pub to_lsn: Option<String>,
    /// It ends with the commit of this transaction; needs --backup
    #[arg(long, value_name = "XID")]
    pub to_xid: Option<String>,
    /// It ends at this restore point (pg_create_restore_point); needs --backup
    #[arg(long, value_name = "NAME")]
    pub to_name: Option<String>,
}

impl Target {
    /// What is meant. A base backup alone is its own end.
    ///
    /// # Errors
    /// It can't be understood, or nothing was said.
    pub fn read(&self, backup: Option<&str>) -> Result<RecoveryTarget, Problem> {
        let Target { to, to_lsn, to_xid, to_name } = self;
        match (to, to_lsn, to_xid, to_name) {
            (Some(text), ..) => RecoveryTarget::parse(text),
            (_, Some(text), ..) => {
                text.trim().parse().map(RecoveryTarget::Lsn).map_err(|e| Problem::usage(format!("{e}")))
            }
            (_, _, Some(text), _) => RecoveryTarget::xid(text),
            (.., Some(text)) => RecoveryTarget::name(text),
            _ if backup.is_some() => Ok(RecoveryTarget::Immediate),
            _ => Err(Problem::usage("where the recovery shall end was not said")
                .try_this("--to TIME, --to LSN, --to latest, or --backup ID for what that alone holds")),
        }
    }
}

/// Runs it.
///
/// # Errors
/// What can't even begin, a cluster that is not there, a store out of reach, or what is refused.
pub(super) async fn run(global: &Global, args: &RestoreArgs) -> Result<Exit, Problem> {
    let target = args.target.read(args.backup.as_deref())?;
    restore::named(&args.name)?;
    let mut live = Live::start(global, false)?;
    let deadline = ahead(args.timeout);
    live.settle(deadline).await;
    let cluster = one(&live, &args.cluster)?;
    let mut progress = Progress::new();
    let listing = tokio::spawn(live.archive(&cluster, move |listing| progress.tell(listing)));
    live.focus(std::slice::from_ref(&cluster), deadline).await;
    let aborted = listing.abort_handle();
    let listing = tokio::select! {
        done = listing => done.map_err(|e| Problem::new("the listing ended early").because(e))??,
        _ = tokio::signal::ctrl_c() => {
            aborted.abort();
            return Err(Problem::new("the listing was interrupted"));
        }
    };
    live.facts.absorb(Fact::Store(cluster.clone(), Arc::new(listing)));
    let ground = live.ground(&cluster, &args.name).await?;
    let wish = wish(args, cluster, target);
    let history = live.histories.of(&wish.cluster);
    let view = View { facts: &live.facts, history, limits: &live.limits, now: Timestamp::now() };
    let plan = restore::plan(&wish, &ground, view)?;
    let store = store(global)?;
    let run = Store::name(plan.kind, &wish.cluster, plan.made);
    let executor = live.executor(&store);
    conduct(global, &args.following, live, executor, (run, plan)).await
}

fn wish(args: &RestoreArgs, cluster: ClusterKey, target: RecoveryTarget) -> RestoreWish {
    RestoreWish {
        cluster,
        name: args.name.clone(),
        target,
        backup: args.backup.clone(),
        instances: args.instances,
        archive_as: args.archive_as.clone(),
        service_account: args.service_account.clone(),
        because: args.following.because.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: Target, backup: Option<&str>) -> Result<String, String> {
        target.read(backup).map(|t| t.to_string()).map_err(|p| p.line())
    }

    #[test]
    fn every_way_to_say_where_it_ends() {
        let some = |text: &str| Some(text.to_owned());
        let to = |text: &str| Target { to: some(text), ..Target::default() };
        assert_eq!(read(to("2026-11-20 23:57:22+01"), None).as_deref(), Ok("2026-11-20T22:57:22Z"));
        assert_eq!(read(to("latest"), None).as_deref(), Ok("the end of the archive"));
        assert_eq!(read(to("0/9000060"), None).as_deref(), Ok("position 0/9000060"));
        assert!(read(to("2026-11-20 23:57:22"), None).unwrap_err().contains("has no time zone"));
        let lsn = Target { to_lsn: some("here"), ..Target::default() };
        assert!(read(lsn, None).unwrap_err().contains("not a WAL position"));
        let xid = Target { to_xid: some("731"), ..Target::default() };
        assert_eq!(read(xid, None).as_deref(), Ok("transaction 731"));
        let name = Target { to_name: some("before"), ..Target::default() };
        assert_eq!(read(name, Some("b")).as_deref(), Ok("restore point \"before\""));
        assert_eq!(read(Target::default(), Some("b")).as_deref(), Ok("the end of the base backup"));
        assert!(read(Target::default(), None).unwrap_err().contains("was not said"));
    }
}
