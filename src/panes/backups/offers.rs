//! What can be done from here: a backup taken, a schedule made, changed or deleted. Only plans; nothing is begun here.

use crate::domain::cluster::Operator;
use crate::domain::names::ClusterKey;
use crate::panes::rights::needed;
use crate::panes::{Scene, Wish, doing};
use crate::problem::Problem;
use crate::procedure::Plan;
use crate::procedure::catalog::backup::{Scheduling, Take};
use crate::procedure::catalog::{self, Act, View};

fn wish(key: &ClusterKey, act: Act) -> catalog::Wish {
    catalog::Wish { cluster: key.clone(), act, because: None }
}

fn plan(key: &ClusterKey, act: Act, scene: &Scene<'_>) -> Result<Plan, Problem> {
    let view = View {
        facts: &scene.known.facts,
        history: scene.known.history.of(key),
        limits: &scene.known.limits,
        now: scene.now,
    };
    catalog::plan(&wish(key, act), view)
}

/// A backup, as the cluster is set up for it.
fn take() -> Act {
    Act::TakeBackup(Take::default())
}

/// Looks at the plan of this act.
pub(super) fn propose(key: &ClusterKey, act: Act) -> Wish {
    Wish::Propose(doing::Wanted::Act(wish(key, act)))
}

/// Takes a backup.
pub(super) fn take_backup(key: &ClusterKey) -> Wish {
    propose(key, take())
}

/// Why no backup can be taken: it means nothing here, or this account may not.
pub(super) fn refuses_take(scene: &Scene<'_>) -> Option<String> {
    refuses(scene.chosen?, take(), scene)
}

/// Why this can't even be planned, or may not be done.
pub(super) fn refuses(key: &ClusterKey, act: Act, scene: &Scene<'_>) -> Option<String> {
    match plan(key, act, scene) {
        Ok(plan) => scene.doing.rights.forbids(&plan),
        Err(problem) => Some(problem.line()),
    }
}

/// Why there are no schedules to be changed.
pub(super) fn refuses_schedules(scene: &Scene<'_>) -> Option<String> {
    let cluster = scene.known.facts.clusters.get(scene.chosen?)?;
    if cluster.operator != Operator::Cnpg {
        return Some("only CloudNativePG's schedules can be changed from here".into());
    }
    (!cluster.backups.listed).then(|| "backups and their schedules can't be listed here".into())
}

/// Asks for the rights that are not known, or not lately.
pub(super) fn may(scene: &Scene<'_>) -> Option<Wish> {
    let key = scene.chosen?;
    let cluster = scene.known.facts.clusters.get(key).filter(|c| c.operator == Operator::Cnpg)?;
    let new = Scheduling { name: Some("new".into()), cron: Some("@daily".into()), ..Scheduling::default() };
    let first = cluster.backups.schedules.first();
    let change = first.map(|s| {
        let name = Some(s.name.clone());
        let suspend = Scheduling { name: name.clone(), suspend: Some(!s.suspended), ..Scheduling::default() };
        [suspend, Scheduling { name, delete: true, ..Scheduling::default() }]
    });
    let acts = [take(), Act::Schedule(new)].into_iter().chain(change.into_iter().flatten().map(Act::Schedule));
    let wanted = needed(acts.filter_map(|act| plan(key, act, scene).ok()));
    let due = scene.doing.rights.due(key, wanted, scene.now);
    (!due.is_empty()).then(|| Wish::Rights(key.clone(), due))
}
