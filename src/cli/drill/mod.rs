//! `howdah drill`: a measured failover, switchover, loss of a zone or of a standby; a restore that is proven.

mod every;
mod progress;
mod restore;
mod told;

pub use progress::progress;
pub use told::report;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

use super::args::{Global, time};
use super::collect::Live;
use super::conduct::{Following, conduct, store};
use crate::adapters::runs::Store;
use crate::domain::names::{InstanceName, ZoneName};
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::View;
use crate::procedure::catalog::drills::{Beat, Blow, DrillWish, plan};
use crate::procedure::drill::Objectives;

/// How long the first answers may take.
const FIRST: Duration = Duration::from_secs(8);
/// The API by which a lab takes a zone away.
const LAB: &str = "lab.howdah.dev/v1";

/// `howdah drill`.
#[derive(Clone, Debug, Args)]
pub struct DrillArgs {
    /// Which drill
    #[command(subcommand)]
    pub command: DrillCommand,
}

/// The drills.
#[derive(Clone, Debug, Subcommand)]
pub enum DrillCommand {
    /// Past drills, and where their outages go
    List {
        /// Of this cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME [default: all]
        cluster: Option<String>,
    },
    /// The primary's pod is deleted: who takes over, how fast, and is anything lost?
    Failover(Drilling),
    /// The primary hands over in order
    Switchover {
        #[command(flatten)]
        drilling: Drilling,
        /// Who shall lead [default: the best candidate]
        #[arg(long, value_name = "INSTANCE")]
        to: Option<String>,
    },
    /// All of a zone goes: its nodes are cordoned and its pods evicted; the lab really takes it away
    ZoneLoss {
        #[command(flatten)]
        drilling: Drilling,
        /// Which zone [default: the primary's]
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
    },
    /// A standby's pod is deleted: do writes go on?
    StandbyLoss {
        #[command(flatten)]
        drilling: Drilling,
        /// Which standby [default: the last that streams]
        #[arg(long, value_name = "INSTANCE")]
        instance: Option<String>,
    },
    /// A scratch cluster is made of the backups, compared with its source, timed, and torn down
    ///
    /// Proves that the backups restore. Writes thirty rows into a table of its own, reads the tables twice, ends a WAL
    /// segment; everything else happens in the scratch cluster, of which nothing is left.
    Restore(restore::Restoring),
}

/// Flags of every drill.
#[derive(Clone, Debug, Args)]
pub struct Drilling {
    /// The cluster: NAME, NAMESPACE/NAME or CONTEXT:NAMESPACE/NAME
    pub cluster: String,
    /// The first primary leads again at the end
    #[arg(long)]
    pub back: bool,
    /// The longest outage to pass with [default: the settings' objective, else 30s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub rto: Option<SignedDuration>,
    /// The most acknowledged writes to lose and pass [default: the settings' objective, else 0]
    #[arg(long, value_name = "N")]
    pub rpo: Option<u64>,
    /// The database that is written to
    #[arg(long, value_name = "NAME", default_value = "app")]
    pub database: String,
    /// Connections that write
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub writers: u8,
    /// Connections that read from standbys
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=16))]
    pub readers: u8,
    /// The pause between two writes of a connection: no shorter outage is seen
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = time)]
    pub every: SignedDuration,
    /// How the heartbeat commits, where not as the server does
    #[arg(long, value_name = "HOW", value_parser = ["off", "local", "remote_write", "on", "remote_apply"])]
    pub commit: Option<String>,
    /// Keep the heartbeat's table
    #[arg(long)]
    pub keep: bool,
    /// Flags of every plan.
    #[command(flatten)]
    pub following: Following,
}

/// Runs it.
///
/// # Errors
/// Refused, out of reach, or the journal can't be written.
pub async fn run(global: &Global, args: &DrillArgs) -> Result<Exit, Problem> {
    match &args.command {
        DrillCommand::List { cluster } => told::list(global, cluster.as_deref()),
        DrillCommand::Failover(drilling) => drill(global, drilling, |_| Blow::Failover).await,
        DrillCommand::Switchover { drilling, to } => {
            let to = to.as_deref().map(InstanceName::from);
            drill(global, drilling, |_| Blow::Switchover(to)).await
        }
        DrillCommand::ZoneLoss { drilling, zone } => {
            let zone = zone.as_deref().map(ZoneName::from);
            drill(global, drilling, |lab| Blow::ZoneLoss { zone, lab }).await
        }
        DrillCommand::StandbyLoss { drilling, instance } => {
            let instance = instance.as_deref().map(InstanceName::from);
            drill(global, drilling, |_| Blow::StandbyLoss(instance)).await
        }
        DrillCommand::Restore(restoring) => restore::run(global, restoring).await,
    }
}

async fn drill(global: &Global, args: &Drilling, blow: impl FnOnce(bool) -> Blow) -> Result<Exit, Problem> {
    if !args.following.plan {
        super::conduct::read_only(global, "drill")?;
    }
    let mut live = Live::start(global, false)?;
    let first = Instant::now() + FIRST;
    live.settle(first).await;
    let keys = live.choose(Some(&args.cluster))?;
    let [key] = keys.as_slice() else {
        let all: Vec<_> = keys.iter().map(|k| format!("{}:{k}", k.context)).collect();
        return Err(Problem::usage(format!("{} is more than one cluster", args.cluster))
            .try_this(format!("say which: {}", all.join(", "))));
    };
    live.focus(&keys, first).await;
    let usual = live.settings.objectives;
    let lab = live.serves(&key.context, LAB).await;
    let wish = DrillWish {
        cluster: key.clone(),
        blow: blow(lab),
        back: args.back,
        objectives: Objectives { rto: args.rto.unwrap_or(usual.rto), rpo: args.rpo.unwrap_or(usual.rpo) },
        beat: Beat {
            database: args.database.clone(),
            writers: args.writers,
            readers: args.readers,
            every: args.every,
            commit: args.commit.clone(),
            keep: args.keep,
        },
        because: args.following.because.clone(),
    };
    let now = Timestamp::now();
    let view = View { facts: &live.facts, history: live.histories.of(key), limits: &live.limits, now };
    let plan = plan(&wish, view)?;
    let store = store(global)?;
    let run = Store::name(plan.kind, key, now);
    let hands = live.executor(&store);
    conduct(global, &args.following, live, hands, (run, plan)).await
}
