//! The drills there are, and whether each can be done now: what its plan finds.

use std::collections::BTreeSet;

use crate::domain::backup::target::Plotted;
use crate::domain::cluster::Operator;
use crate::domain::health::Level;
use crate::domain::names::ClusterKey;
use crate::panes::doing::{FromSource, Wanted};
use crate::panes::rights::needed;
use crate::panes::{Scene, Wish, backups};
use crate::problem::Problem;
use crate::procedure::catalog::View;
use crate::procedure::catalog::drills::{self, Beat, Blow, DrillWish, RestoreDrill};
use crate::procedure::{Kind, Plan, Right, Weight};

/// The drills, in the order of the list.
pub const KINDS: [Kind; 5] =
    [Kind::FailoverDrill, Kind::SwitchoverDrill, Kind::ZoneLossDrill, Kind::StandbyLossDrill, Kind::RestoreDrill];

/// What a drill is called in lists.
pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::FailoverDrill => "failover",
        Kind::SwitchoverDrill => "switchover",
        Kind::ZoneLossDrill => "zone loss",
        Kind::StandbyLossDrill => "standby loss",
        Kind::RestoreDrill => "restore",
        other => other.name(),
    }
}

/// What it asks, in a line.
pub fn what(kind: Kind, lab: bool) -> &'static str {
    match kind {
        Kind::FailoverDrill => "The primary's pod is deleted: who takes over, how fast, and is anything lost?",
        Kind::SwitchoverDrill => "The primary hands over in order: how long can nobody write?",
        Kind::ZoneLossDrill if lab => "The primary's zone really goes, with all its nodes: does the rest carry on?",
        Kind::ZoneLossDrill => "The primary's zone is cordoned and emptied: does the rest carry on?",
        Kind::RestoreDrill => "A scratch cluster is made of the backups: is everything in it?",
        _ => "A standby's pod is deleted: do writes go on?",
    }
}

/// What offers are made from besides what is known.
pub struct Besides<'a> {
    /// The first primary leads again at the end.
    pub back: bool,
    /// The heartbeat's table stays.
    pub keep: bool,
    /// The base backup of a restore drill, or why there is none; `None`: it was not looked for.
    pub base: Option<&'a Result<Plotted, Problem>>,
}

/// What is asked for.
pub fn wanted(kind: Kind, key: &ClusterKey, with: &Besides<'_>, scene: &Scene<'_>) -> Wish {
    match kind {
        Kind::RestoreDrill => Wish::Restore(Box::new(FromSource::Drill(RestoreDrill::of(key.clone())))),
        _ => Wish::Propose(Wanted::Drill(wish(kind, key, with, scene))),
    }
}

fn wish(kind: Kind, key: &ClusterKey, with: &Besides<'_>, scene: &Scene<'_>) -> DrillWish {
    let lab = scene.known.facts.faults.contains_key(&key.context);
    let blow = match kind {
        Kind::SwitchoverDrill => Blow::Switchover(None),
        Kind::ZoneLossDrill => Blow::ZoneLoss { zone: None, lab },
        Kind::StandbyLossDrill => Blow::StandbyLoss(None),
        _ => Blow::Failover,
    };
    DrillWish {
        cluster: key.clone(),
        blow,
        back: with.back,
        objectives: scene.doing.objectives,
        beat: Beat { keep: with.keep, ..Beat::default() },
        because: None,
    }
}

fn view<'a>(key: &ClusterKey, scene: &Scene<'a>) -> View<'a> {
    View {
        facts: &scene.known.facts,
        history: scene.known.history.of(key),
        limits: &scene.known.limits,
        now: scene.now,
    }
}

/// The base backup that a restore drill would take.
///
/// # Errors
/// There is none; why, as the store's source tells it where that is the reason.
pub fn base(key: &ClusterKey, scene: &Scene<'_>) -> Result<Plotted, Problem> {
    drills::restore_base(&RestoreDrill::of(key.clone()), view(key, scene)).map_err(|problem| {
        let cluster = scene.known.facts.clusters.get(key).filter(|c| c.operator == Operator::Cnpg);
        match cluster.and_then(|cluster| backups::unknown(scene, cluster)) {
            Some(why) => problem.because(why),
            None => problem,
        }
    })
}

/// Its plan by what is known now; of a restore drill as much as is known before its source is read.
///
/// # Errors
/// It means nothing here.
pub fn plan(kind: Kind, key: &ClusterKey, with: &Besides<'_>, scene: &Scene<'_>) -> Result<Plan, Problem> {
    let view = view(key, scene);
    match (kind, with.base) {
        (Kind::RestoreDrill, Some(Ok(base))) => drills::restore_outline(&RestoreDrill::of(key.clone()), base, view),
        (Kind::RestoreDrill, Some(Err(problem))) => Err(problem.clone()),
        (Kind::RestoreDrill, None) => Err(Problem::new("its backups were not looked at yet")),
        _ => drills::plan(&wish(kind, key, with, scene), view),
    }
}

/// The rights that any of them needs.
pub fn rights(key: &ClusterKey, with: &Besides<'_>, scene: &Scene<'_>) -> BTreeSet<Right> {
    needed(KINDS.into_iter().filter_map(|kind| plan(kind, key, with, scene).ok()))
}

/// Why it can't even be planned: it means nothing here, or this account may not do it.
pub fn refuses(kind: Kind, key: &ClusterKey, with: &Besides<'_>, scene: &Scene<'_>) -> Option<String> {
    match plan(kind, key, with, scene) {
        Ok(plan) => scene.doing.rights.forbids(&plan),
        Err(problem) => Some(problem.line()),
    }
}

/// Whether it can be done now.
pub enum Verdict {
    /// Nothing this account may do: the missing verb, in words.
    Forbidden(String),
    /// How sure it is, and what would be done, or what speaks against it.
    Found(Level, String),
}

/// Whether it can be done now.
pub fn verdict(kind: Kind, key: &ClusterKey, with: &Besides<'_>, scene: &Scene<'_>) -> Verdict {
    let plan = match plan(kind, key, with, scene) {
        Ok(plan) => plan,
        Err(problem) => return Verdict::Found(Level::Bad, problem.because.unwrap_or(problem.what)),
    };
    if let Some(why) = scene.doing.rights.forbids(&plan) {
        return Verdict::Forbidden(why);
    }
    if let Some(other) = scene.doing.on(key) {
        return Verdict::Found(Level::Unknown, format!("not now: {} is under way", other.run().plan.title));
    }
    let weight = plan.weight();
    let against = plan.findings.iter().find(|f| f.weight == weight);
    let against = || against.map(|f| f.text.clone()).unwrap_or_default();
    let words = match weight {
        // The scratch cluster's name in the title goes with the clock.
        Weight::Good | Weight::Heed if kind == Kind::RestoreDrill => {
            plan.parameters.get("base backup").map(|id| format!("out of base backup {id}")).unwrap_or_default()
        }
        // `failover drill of pg-primary: pg-primary-1 is killed`
        Weight::Good | Weight::Heed => {
            plan.title.split_once(": ").map_or(plan.title.clone(), |(_, what)| what.to_owned())
        }
        Weight::Unknown => format!("not known: {}", against()),
        Weight::Justify => format!("needs a reason: {}", against()),
        Weight::Blocks => format!("blocked: {}", against()),
    };
    Verdict::Found(weight.level(), words)
}
