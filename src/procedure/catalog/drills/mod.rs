//! Drills as plans: a heartbeat, a blow, the proof that the cluster got over it, the count.
//!
//! Every drill has the same frame and its own blow. The heartbeat runs before, through and after; it is counted and swept
//! up however the run goes, so a drill that is aborted leaves nothing behind either.

mod failover;
mod restore;
mod standby_loss;
mod switchover;
mod zone_loss;

pub use restore::{MOST, RestoreDrill, base as restore_base, outline as restore_outline, plan as restore};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::View;
use super::making::{Making, POD};
use crate::domain::cluster::Operator;
use crate::domain::names::{ClusterKey, InstanceName, ZoneName};
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::drill::{BACK, Objectives, REDUNDANT, STRIKE};
use crate::procedure::heartbeat::Heartbeat;
use crate::procedure::kind::Kind;
use crate::procedure::order::Order;
use crate::procedure::plan::{Gate, Plan, Step, Weight};

/// Writes that must be acknowledged before the blow falls, and after it: enough to see a steady beat.
const STEADY: u64 = 50;
/// A tunnel, a login and the first writes.
const WARM_UP: SignedDuration = SignedDuration::from_secs(60);
/// A blow to a primary: detection, election, promotion. The recordings take 2 to 3 s; a cut network 45 s.
const TAKEOVER: SignedDuration = SignedDuration::from_mins(5);

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillWish {
    /// Of which cluster.
    pub cluster: ClusterKey,
    /// Which blow.
    pub blow: Blow,
    /// The first primary leads again afterwards.
    pub back: bool,
    /// What must be reached.
    pub objectives: Objectives,
    /// How it is measured.
    pub beat: Beat,
    /// Why it shall go on although something speaks against it.
    pub because: Option<String>,
}

/// The blows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blow {
    /// The primary's pod is deleted, with a second's grace.
    Failover,
    /// The primary hands over in order; `None`: to the best.
    Switchover(Option<InstanceName>),
    /// All of a zone goes; `None`: the primary's.
    ZoneLoss {
        /// Which.
        zone: Option<ZoneName>,
        /// The lab really takes the zone away; elsewhere its nodes are cordoned and its pods evicted.
        lab: bool,
    },
    /// A standby's pod is deleted; `None`: the one that is last in the alphabet.
    StandbyLoss(Option<InstanceName>),
}

/// How a drill writes and reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// The database.
    pub database: String,
    /// Connections that write.
    pub writers: u8,
    /// Connections that read from standbys.
    pub readers: u8,
    /// The pause between two writes of a connection.
    pub every: SignedDuration,
    /// `synchronous_commit` of the writers, where another one than the server's is asked for.
    pub commit: Option<String>,
    /// The table stays.
    pub keep: bool,
}

impl Default for Beat {
    /// Two hundred writes a second: an outage is seen to some tens of milliseconds, and no server notices the load.
    fn default() -> Self {
        Beat {
            database: "app".into(),
            writers: 4,
            readers: 2,
            every: SignedDuration::from_millis(20),
            commit: None,
            keep: false,
        }
    }
}

/// The plan of a drill. It may be one that must not go on: [`super::admit`] says so.
///
/// # Errors
/// The wish means nothing here.
pub fn plan(wish: &DrillWish, view: View<'_>) -> Result<Plan, Problem> {
    let cluster = view.facts.clusters.get(&wish.cluster).ok_or_else(|| {
        Problem::new(format!("nothing is known of {}", wish.cluster)).try_this("howdah status lists the clusters")
    })?;
    if cluster.operator != Operator::Cnpg {
        return Err(Problem::refused(format!("{} can't be drilled from here", wish.cluster))
            .because("only CloudNativePG's writes are known, and it is run by another operator"));
    }
    let mut m = Making::new(cluster, view);
    let mut plan = match &wish.blow {
        Blow::Failover => failover::plan(&mut m, wish),
        Blow::Switchover(to) => switchover::plan(&mut m, wish, to.as_ref()),
        Blow::ZoneLoss { zone, lab } => zone_loss::plan(&mut m, wish, zone.as_ref(), *lab),
        Blow::StandbyLoss(instance) => standby_loss::plan(&mut m, wish, instance.as_ref()),
    }?;
    plan.objectives = Some(wish.objectives);
    plan.parameters.insert("objective RTO".into(), format!("{:#}", wish.objectives.rto));
    plan.parameters.insert("objective RPO".into(), format!("{} acknowledged writes lost", wish.objectives.rpo));
    if let Some(commit) = &wish.beat.commit {
        plan.parameters.insert("synchronous_commit".into(), commit.clone());
    }
    if let Some(because) = &wish.because {
        plan.parameters.insert("because".into(), crate::text::clean(because));
    }
    Ok(plan)
}

/// What the heartbeat of a drill is: its table is named after the moment the plan was made, so that two drills never meet.
fn heartbeat(wish: &DrillWish, made: Timestamp) -> Heartbeat {
    let beat = &wish.beat;
    Heartbeat {
        cluster: wish.cluster.clone(),
        database: beat.database.clone(),
        table: format!("howdah_drill_{}", made.strftime("%Y%m%d_%H%M%S")),
        writers: beat.writers,
        every: beat.every,
        readers: beat.readers,
        patience: SignedDuration::from_secs(5),
        commit: beat.commit.clone(),
        keep: beat.keep,
    }
}

/// Puts the blow between its heartbeat and its count. `blow` is what is struck and what must come true after it, each step
/// needing those it names; the first ones need `beat`. `last`: the step after which it is counted.
fn framed(m: &Making<'_>, wish: &DrillWish, blow: Vec<Step>, last: &str) -> Vec<Step> {
    let beat = heartbeat(wish, m.now());
    let begin = Step::new(
        "beat",
        "write a heartbeat",
        format!(
            "{} connections write numbered rows into {}, each a commit; {} read from the standbys. Only what is written \
             through the blow tells what a client would have seen.",
            beat.writers, beat.table, beat.readers
        ),
    )
    .does(Order::Heartbeat(beat.clone()))
    .proven_by(Check::Beats(STEADY), WARM_UP);
    let settle = Step::new(
        "settled",
        "the heartbeat is steady again",
        "The count begins only after writes have gone on for a while, so that a second outage would be seen too.",
    )
    .after(&[last])
    .proven_by(Check::Beats(STEADY), WARM_UP);
    let count = Step::new(
        "count",
        "count the writes",
        "Every acknowledged row must be there. One that is not was lost, whatever else went well.",
    )
    .after(&["beat"])
    .does(Order::Count(beat.clone()))
    .cleans_up();
    let mut steps = vec![begin];
    steps.extend(blow);
    steps.extend([settle, count]);
    if !beat.keep {
        let sweep = Step::new("sweep", "drop the heartbeat's table", "A drill leaves nothing behind in the database.")
            .after(&["count"])
            .does(Order::Sweep(beat))
            .cleans_up();
        steps.push(sweep);
    }
    steps
}

/// Writes are acknowledged again after the blow.
fn first_write() -> Step {
    Step::new(
        "first-write",
        "writes are acknowledged again",
        "The outage ends with the first commit that is answered, not with a phase or a label.",
    )
    .after(&[STRIKE])
    .proven_by(Check::Beats(1), TAKEOVER)
}

/// As redundant as before, within a time that lets a standby be cloned anew.
fn redundant(m: &Making<'_>, after: &str) -> Step {
    m.redundant_again(m.wanted(), after, m.clone_time())
}

/// The first primary leads again.
fn back(m: &Making<'_>, first: &InstanceName) -> Vec<Step> {
    let hand_back = Step::new(
        BACK,
        format!("{first} leads again"),
        "Whoever leads now hands over in order; writes fail for some seconds once more, and are counted too.",
    )
    .after(&[REDUNDANT])
    .gated(Gate::Approve)
    .does(super::cnpg::promote(m.cluster, first))
    .proven_by(Check::Leads { instance: first.clone() }, super::switchover::HANDOVER);
    let mut again = m.redundant_again(m.wanted(), "back", POD);
    again.id = "redundant-back".into();
    vec![hand_back, again]
}

/// Who leads; a drill needs one.
fn leader(m: &Making<'_>) -> Result<InstanceName, Problem> {
    m.leader().cloned().ok_or_else(|| {
        Problem::refused(format!("{} can't be drilled", m.cluster.key))
            .because("no primary is named, and none says that it leads")
            .try_this(format!("howdah status {}", m.cluster.key))
    })
}

/// A drill begins in health: what is broken before would be measured as the drill's doing.
fn healthy(m: &mut Making<'_>, wish: &DrillWish) {
    m.guard(super::guards::Needs { webhook: wish.back, disturbs_backup: true, ..super::guards::Needs::USUAL });
    m.primary_answers(Weight::Blocks);
    super::guards::fencing(m, Weight::Justify);
    super::guards::archiver(m);
    let (streaming, wanted) = (m.streaming().len(), m.wanted().saturating_sub(1) as usize);
    match streaming {
        0 => m.found("standbys", Weight::Blocks, "no standby streams: nobody could take over"),
        n if n < wanted => {
            m.found(
                "standbys",
                Weight::Justify,
                format!("{n} of {wanted} standbys stream: less redundant than asked for"),
            );
        }
        n => m.good("standbys", format!("{n} of {wanted} standbys stream")),
    }
    if wish.beat.commit.as_deref().is_some_and(|c| matches!(c, "off" | "local")) {
        let text = "the heartbeat commits without waiting for a standby: losses are to be expected";
        m.found("synchronous commit", Weight::Good, text);
    }
}

/// A plan with the parameters of every drill.
fn made(m: &mut Making<'_>, kind: Kind, title: String, first: &InstanceName, steps: Vec<Step>) -> Plan {
    let mut plan = m.plan(kind, title, steps);
    plan.premise = m.premise(&super::switchover::premise(first));
    plan.parameters.insert("primary".into(), first.to_string());
    plan
}
