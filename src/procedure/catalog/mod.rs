//! What can be done to a cluster: a wish becomes a plan. One file for each act, and one for each operator's writes.
//!
//! A plan is made of what is known now and of nothing else: its findings say what was looked at and what could not be
//! told, its steps carry the exact writes, its premise what must still hold when the first of them is sent. Nothing here
//! sends anything or decides who may.

pub mod backup;
mod candidates;
mod cnpg;
pub mod drills;
mod fence;
mod guards;
mod hibernate;
mod maintenance;
mod making;
mod rebuild;
mod reload;
mod restart;
pub mod restore;
mod scale;
pub mod switchover;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::plan::{Finding, Gate, Plan, Weight};
use crate::domain::cluster::Operator;
use crate::domain::facts::Facts;
use crate::domain::health::Limits;
use crate::domain::history::History;
use crate::domain::names::{ClusterKey, InstanceName};
use crate::problem::Problem;
use making::Making;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Of which cluster.
    pub cluster: ClusterKey,
    /// What.
    pub act: Act,
    /// Why it shall go on although something speaks against it (`--because`).
    pub because: Option<String>,
}

/// The acts, with what each is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Another instance shall lead.
    Switchover {
        /// Which; `None`: the best one.
        to: Option<InstanceName>,
    },
    /// Restart PostgreSQL.
    Restart {
        /// Of this instance; `None`: of all, one after the other.
        instance: Option<InstanceName>,
    },
    /// Have settings read anew.
    Reload,
    /// Stop PostgreSQL and keep the pod.
    Fence {
        /// Of these.
        instances: Chosen,
    },
    /// Let PostgreSQL start again.
    Unfence {
        /// Of these.
        instances: Chosen,
    },
    /// Take all pods away and keep the volumes.
    Hibernate,
    /// Bring a hibernated cluster back.
    Wake,
    /// Throw a standby's data away and clone it anew.
    Rebuild {
        /// Which.
        instance: InstanceName,
    },
    /// Have this many instances.
    Scale {
        /// How many.
        instances: u32,
    },
    /// Open or close the node maintenance window.
    Maintenance {
        /// Open.
        open: bool,
        /// Instances wait for their volumes instead of being built anew elsewhere; `None`: as it is set now.
        reuse_volumes: Option<bool>,
    },
    /// Take a base backup now.
    TakeBackup(backup::Take),
    /// Make, change or delete a backup schedule.
    Schedule(backup::Scheduling),
}

/// Some instances or all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// All of them, whichever there are.
    All,
    /// These.
    These(Vec<InstanceName>),
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Everything known.
    pub facts: &'a Facts,
    /// What was seen of the cluster over time, for rates.
    pub history: Option<&'a History>,
    /// Where a figure becomes too large.
    pub limits: &'a Limits,
    /// Now.
    pub now: Timestamp,
}

/// The plan of a wish. It may be one that must not go on: [`admit`] says so.
///
/// # Errors
/// The wish means nothing here: no such cluster or instance, it is so already, or nobody can do it.
pub fn plan(wish: &Wish, view: View<'_>) -> Result<Plan, Problem> {
    let cluster = view.facts.clusters.get(&wish.cluster).ok_or_else(|| {
        Problem::new(format!("nothing is known of {}", wish.cluster)).try_this("howdah status lists the clusters")
    })?;
    if cluster.operator != Operator::Cnpg {
        return Err(Problem::refused(format!("{} can't be changed from here", wish.cluster))
            .because("only the writes of CloudNativePG are known, and it is run by another operator"));
    }
    let mut m = Making::new(cluster, view);
    match &wish.act {
        Act::Switchover { to } => switchover::plan(&mut m, to.as_ref()),
        Act::Restart { instance: Some(instance) } => restart::instance(&mut m, instance),
        Act::Restart { instance: None } => restart::cluster(&mut m),
        Act::Reload => reload::plan(&mut m),
        Act::Fence { instances } => fence::fence(&mut m, instances),
        Act::Unfence { instances } => fence::unfence(&mut m, instances),
        Act::Hibernate => hibernate::hibernate(&mut m),
        Act::Wake => hibernate::wake(&mut m),
        Act::Rebuild { instance } => rebuild::plan(&mut m, instance),
        Act::Scale { instances } => scale::plan(&mut m, *instances),
        Act::Maintenance { open, reuse_volumes } => maintenance::plan(&mut m, *open, *reuse_volumes),
        Act::TakeBackup(take) => backup::take(&mut m, take),
        Act::Schedule(wanted) => backup::schedule(&mut m, wanted),
    }
    .map(|mut plan| {
        if let Some(because) = &wish.because {
            plan.parameters.insert("because".into(), crate::text::clean(because));
        }
        plan
    })
}

/// May this plan begin? What blocks it can't be argued with; what is to be justified, or unknown, needs a reason
/// (parameter `because`).
///
/// # Errors
/// Refused (exit 3), with everything that speaks against it.
pub fn admit(plan: &Plan) -> Result<(), Problem> {
    let told = |weights: &[Weight]| {
        let some = plan.findings.iter().filter(|f| weights.contains(&f.weight));
        some.map(|f: &Finding| f.text.as_str()).collect::<Vec<_>>().join("; ")
    };
    let blocked = told(&[Weight::Blocks]);
    if !blocked.is_empty() {
        return Err(Problem::refused(format!("can't {}", plan.title)).because(blocked));
    }
    let doubts = told(&[Weight::Unknown, Weight::Justify]);
    if doubts.is_empty() || plan.parameters.get("because").is_some_and(|b| !b.trim().is_empty()) {
        return Ok(());
    }
    Err(Problem::refused(format!("something speaks against it: {}", plan.title))
        .because(doubts)
        .try_this("say why it is done all the same: --because WORDS; it goes into the journal"))
}

/// Of a protected cluster: every step that would ask for a yes asks for the cluster's name.
pub fn protect(plan: &mut Plan) {
    let name = plan.cluster.name.to_string();
    let asking = plan.steps.iter_mut().filter(|s| s.gate == Gate::Approve);
    asking.for_each(|s| s.gate = Gate::TypeName(name.clone()));
}

impl Act {
    /// The kind of plan it becomes.
    pub fn kind(&self) -> Kind {
        match self {
            Act::Switchover { .. } => Kind::Switchover,
            Act::Restart { instance: Some(_) } => Kind::RestartInstance,
            Act::Restart { instance: None } => Kind::RestartCluster,
            Act::Reload => Kind::Reload,
            Act::Fence { .. } => Kind::Fence,
            Act::Unfence { .. } => Kind::Unfence,
            Act::Hibernate => Kind::Hibernate,
            Act::Wake => Kind::Wake,
            Act::Rebuild { .. } => Kind::Rebuild,
            Act::Scale { .. } => Kind::Scale,
            Act::Maintenance { .. } => Kind::Maintenance,
            Act::TakeBackup(_) => Kind::TakeBackup,
            Act::Schedule(_) => Kind::Schedule,
        }
    }
}
