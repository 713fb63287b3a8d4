//! Menus that are made of the situation: what can be changed here, how a run is ended, what leaving means.

use std::collections::BTreeSet;

use super::model::Model;
use super::{runs, walks};
use crate::domain::cluster::Cluster;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::panes::Effect;
use crate::panes::doing::Wanted;
use crate::panes::rights::needed;
use crate::procedure::catalog::{Act, Chosen, Wish};
use crate::procedure::{Kind, Plan, Right, Run, RunId, Weight};
use crate::ui::widgets::choices::Choice;

/// What a menu's choice does.
#[derive(Clone, Debug, PartialEq)]
pub enum Picked {
    /// Looks at this plan.
    Propose(Wanted),
    /// Ends a run; `true`: what can be is taken back.
    End(RunId, bool),
    /// Begins a walk of this runbook that is about this instance.
    Walk(ClusterKey, String, Option<InstanceName>),
    /// Goes on as it is.
    Stay,
    /// Leaves howdah.
    Leave,
}

/// Which menu it is: it is made anew when what it says has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Menu {
    /// What can be changed of a cluster, and of the instance that is selected.
    Acts(ClusterKey, Option<InstanceName>),
    /// How a run is ended.
    End(RunId),
    /// Which instance of a cluster a walk of a runbook is about.
    About(ClusterKey, String),
    /// Runs are under way, and the person wants to leave.
    Leaving,
}

impl Menu {
    /// Its window's title.
    pub fn title(&self) -> String {
        match self {
            Menu::Acts(key, _) => format!("Change {key}: the plan is shown first"),
            Menu::End(_) => "End the run".into(),
            Menu::About(..) => "Which instance is it about?".into(),
            Menu::Leaving => "A run is under way".into(),
        }
    }

    /// Its choices.
    pub fn items(&self, model: &Model) -> Vec<(Picked, Choice)> {
        match self {
            Menu::Acts(key, instance) => acts(model, key, instance.as_ref()),
            Menu::End(run) => {
                let mut items = vec![(Picked::Stay, plain("go on", ""))];
                items.extend(model.doing.runs.get(run).map(|d| ends(d.run(), "")).unwrap_or_default());
                items
            }
            Menu::About(key, runbook) => about(model, key, runbook),
            Menu::Leaving => {
                let mut items = vec![(Picked::Stay, plain("stay", ""))];
                for driven in model.doing.under_way().filter(|d| !d.is_walk()) {
                    items.extend(ends(driven.run(), &format!(": {}", driven.run().plan.title)));
                }
                items.push((Picked::Leave, plain("leave now; howdah runs resume takes it up later", "stays open")));
                items
            }
        }
    }
}

/// Every instance, and none in particular.
fn about(model: &Model, key: &ClusterKey, runbook: &str) -> Vec<(Picked, Choice)> {
    let walk = |instance| Picked::Walk(key.clone(), runbook.to_owned(), instance);
    let Some(cluster) = model.known.facts.clusters.get(key) else { return Vec::new() };
    let instances = cluster.instances.iter().map(|i| {
        let leads = if cluster.primary.as_ref() == Some(&i.name) { "primary" } else { "standby" };
        (walk(Some(i.name.clone())), plain(i.name.as_str(), leads))
    });
    instances.chain([(walk(None), plain("none in particular", ""))]).collect()
}

/// The ways to end a run before its end: taking back is only offered where something could be.
fn ends(run: &Run, which: &str) -> Vec<(Picked, Choice)> {
    if run.plan.kind == Kind::Runbook {
        return vec![(Picked::End(run.id.clone(), false), plain("end the walk here; its record stays", "left"))];
    }
    let leave = plain(&format!("end it, and leave things as they are{which}"), "cleans up");
    let undo = plain(&format!("end it, and take back what can be{which}"), "undo");
    let undo = run.can_undo().then(|| (Picked::End(run.id.clone(), true), undo));
    undo.into_iter().chain([(Picked::End(run.id.clone(), false), leave)]).collect()
}

fn plain(text: &str, aside: &str) -> Choice {
    Choice { text: text.into(), aside: aside.into(), refused: None, taken: None }
}

/// Does what was picked.
pub fn pick(model: &mut Model, picked: Picked) -> Vec<Effect> {
    match picked {
        Picked::Propose(wanted) => runs::propose(model, wanted),
        Picked::End(run, undo) => runs::abort(model, &run, undo),
        Picked::Walk(key, runbook, instance) => walks::begin_about(model, &key, &runbook, instance),
        Picked::Stay => Vec::new(),
        Picked::Leave => {
            model.leaving = true;
            vec![Effect::Quit]
        }
    }
}

/// Rights that any of a cluster's acts needs.
pub fn rights(model: &Model, menu: &Menu) -> BTreeSet<Right> {
    needed(menu.items(model).into_iter().filter_map(|(picked, _)| match picked {
        Picked::Propose(wanted) => runs::plan(model, &wanted).ok(),
        _ => None,
    }))
}

/// Every act, those of the selected instance first; what can't be done says why.
fn acts(model: &Model, key: &ClusterKey, instance: Option<&InstanceName>) -> Vec<(Picked, Choice)> {
    let Some(cluster) = model.known.facts.clusters.get(key) else { return Vec::new() };
    let mut all: Vec<(Picked, Choice)> = wishes(cluster, instance)
        .into_iter()
        .map(|(text, act)| {
            let wanted = Wanted::Act(Wish { cluster: key.clone(), act, because: None });
            let choice = offer(model, text, &wanted);
            (Picked::Propose(wanted), choice)
        })
        .collect();
    // What can't be had now stands last; otherwise the order stays, so that hands learn it.
    all.sort_by_key(|(_, choice)| choice.refused.is_some());
    all
}

fn offer(model: &Model, text: String, wanted: &Wanted) -> Choice {
    let (aside, refused) = match runs::plan(model, wanted) {
        Err(problem) => (String::new(), Some(problem.because.unwrap_or(problem.what))),
        Ok(plan) => (weight(&plan), model.doing.rights.forbids(&plan)),
    };
    Choice { text, aside, refused, taken: None }
}

/// What the plan's findings weigh, in a word.
fn weight(plan: &Plan) -> String {
    match plan.weight() {
        Weight::Good | Weight::Heed => String::new(),
        Weight::Unknown => "something is unknown".into(),
        Weight::Justify => "needs a reason".into(),
        Weight::Blocks => "blocked".into(),
    }
}

fn wishes(cluster: &Cluster, instance: Option<&InstanceName>) -> Vec<(String, Act)> {
    let mut all = Vec::new();
    if let Some(name) = instance {
        let one = || Chosen::These(vec![name.clone()]);
        all.extend([
            (format!("switch over to {name}"), Act::Switchover { to: Some(name.clone()) }),
            (format!("restart {name}"), Act::Restart { instance: Some(name.clone()) }),
            (format!("fence {name}: stop PostgreSQL, keep the pod"), Act::Fence { instances: one() }),
            (format!("unfence {name}"), Act::Unfence { instances: one() }),
            (format!("rebuild {name}: delete its data, clone it anew"), Act::Rebuild { instance: name.clone() }),
        ]);
    }
    if let Some(wanted) = cluster.wanted {
        let scale =
            |n: u32| (format!("scale to {n} instance{}", if n == 1 { "" } else { "s" }), Act::Scale { instances: n });
        all.extend([scale(wanted + 1), scale(wanted.saturating_sub(1))]);
    }
    all.extend([
        ("switch over to the best candidate".to_owned(), Act::Switchover { to: None }),
        ("restart every instance, the primary last".to_owned(), Act::Restart { instance: None }),
        ("reload the settings".to_owned(), Act::Reload),
        ("open the maintenance window".to_owned(), Act::Maintenance { open: true, reuse_volumes: None }),
        ("close the maintenance window".to_owned(), Act::Maintenance { open: false, reuse_volumes: None }),
        ("fence every instance".to_owned(), Act::Fence { instances: Chosen::All }),
        ("unfence every instance".to_owned(), Act::Unfence { instances: Chosen::All }),
        ("hibernate: all pods go, the volumes stay".to_owned(), Act::Hibernate),
        ("wake from hibernation".to_owned(), Act::Wake),
    ]);
    all
}
