//! `howdah drill restore`: proves that the backups restore.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::time::Instant;

use super::FIRST;
use crate::adapters::runs::Store;
use crate::cli::act::one;
use crate::cli::args::{Global, time};
use crate::cli::collect::Live;
use crate::cli::conduct::{Following, conduct, read_only, store};
use crate::cli::output::say;
use crate::domain::quantity;
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::View;
use crate::procedure::catalog::drills::{self, RestoreDrill};

/// Flags of the restore drill.
#[derive(Clone, Debug, Args)]
pub struct Restoring {
    /// The cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// The base backup, by its id or its Backup's name [default: the newest that can be restored]
    #[arg(long, value_name = "BACKUP")]
    pub backup: Option<String>,
    /// Take a base backup first, after the first markers, and restore that one; it stays
    #[arg(long, conflicts_with_all = ["backup", "every"])]
    pub take: bool,
    /// The longest time until what is restored takes writes, to pass with [default: none]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub rto: Option<SignedDuration>,
    /// The database that is compared
    #[arg(long, value_name = "NAME", default_value = "app")]
    pub database: String,
    /// Only these tables are compared, as SQL writes them: `orders,shop.items`
    #[arg(long, value_name = "TABLES", value_delimiter = ',', conflicts_with = "all_tables")]
    pub tables: Vec<String>,
    /// All tables of the database are compared: the default
    #[arg(long)]
    pub all_tables: bool,
    /// Of larger tables only the rows are counted, and no checksums made
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub max_size: u64,
    /// Do nothing now: print what has Kubernetes do it on this schedule (five fields, as a CronJob has them)
    #[arg(long, value_name = "CRON")]
    pub every: Option<String>,
    /// The image of that CronJob, with howdah as its entry point; none is published
    #[arg(long, value_name = "IMAGE", requires = "every")]
    pub image: Option<String>,
    /// Flags of every plan.
    #[command(flatten)]
    pub following: Following,
}

/// `1GiB`, `500MB`, `10Gi`.
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    // Kubernetes' units have no B at the end.
    let unit = text.strip_suffix(['B', 'b']).unwrap_or(text);
    match quantity::kubernetes(unit) {
        Some(bytes) if (0.0..1e18).contains(&bytes) => Ok(bytes as u64),
        _ => Err("a size is written like 500MB, 1GiB or 10Gi".into()),
    }
}

/// Runs it.
///
/// # Errors
/// Refused, out of reach, or the journal can't be written.
pub async fn run(global: &Global, args: &Restoring) -> Result<Exit, Problem> {
    if let Some(every) = &args.every {
        // Whoever stopped reading knows what they wanted to know.
        let _ = say(&super::every::manifests(global, args, every)?);
        return Ok(Exit::Ok);
    }
    if !args.following.plan {
        read_only(global, "drill")?;
    }
    let mut live = Live::with_stores(global, false)?;
    let first = Instant::now() + FIRST;
    live.settle(first).await;
    let key = one(&live, &args.cluster)?;
    let listing = live.archive(&key, |_| {});

    live.focus(std::slice::from_ref(&key), first).await;
    let (listing, ground) = tokio::join!(listing, live.ground(&key, ""));
    live.facts.stores.insert(key.clone(), Arc::new(listing?));
    let wish = RestoreDrill {
        cluster: key.clone(),
        database: args.database.clone(),
        tables: args.tables.clone(),
        most: args.max_size,
        backup: args.backup.clone(),
        take: args.take,
        rto: args.rto,
        because: args.following.because.clone(),
    };
    let now = Timestamp::now();
    let view = View { facts: &live.facts, history: live.histories.of(&key), limits: &live.limits, now };
    let plan = drills::restore(&wish, &ground?.source, view)?;
    let store = store(global)?;
    let run = Store::name(plan.kind, &key, now);
    let hands = live.executor(&store);
    conduct(global, &args.following, live, hands, (run, plan)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("500MB"), Ok(500_000_000));
        assert_eq!(size("10Gi"), Ok(10 << 30));
        assert_eq!(size("0"), Ok(0));
        assert!(size("-1GiB").is_err() && size("much").is_err());
    }
}
