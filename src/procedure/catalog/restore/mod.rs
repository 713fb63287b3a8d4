//! Restore: a new cluster out of what another one has archived.
//!
//! Never in place: CloudNativePG recovers into a new cluster only, and the source is not touched. [`origin`] reads from the
//! source's object where its WAL lies, [`manifest`] writes the new one's, [`plan`] says what is done, `guards` what speaks
//! against it. Pure; who reads the source's object and the store is no matter here.

mod guards;
pub mod manifest;
pub mod origin;
mod steps;
#[cfg(test)]
mod tests;

pub use manifest::{Manifest, Scratch, Wanted};
pub use origin::{Origin, Source, Via};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::View;
use super::making::Making;
use crate::domain::backup::catalog::{Catalog, Witnesses};
use crate::domain::backup::target::{Plotted, RecoveryTarget, choose};
use crate::domain::cluster::Operator;
use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::kind::Kind;
use crate::procedure::plan::Plan;
use crate::text::{clean, shorten};

/// The longest name a cluster may have: instances and services are called after it.
const LONGEST: usize = 50;

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreWish {
    /// Out of which cluster's archive.
    pub cluster: ClusterKey,
    /// What the new cluster is called.
    pub name: String,
    /// Where the recovery ends.
    pub target: RecoveryTarget,
    /// The base backup to begin with; `None`: the newest that leads there.
    pub backup: Option<String>,
    /// How many instances; `None`: as many as the source has.
    pub instances: Option<u32>,
    /// The server's folder that the new cluster archives to; `None`: it archives nothing.
    pub archive_as: Option<String>,
    /// The service account its pods run as; `None`: one of its own, or the one that the source names.
    pub service_account: Option<String>,
    /// Why it shall go on although something speaks against it.
    pub because: Option<String>,
}

/// What was read for a plan and is no fact that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ground {
    /// The source's objects.
    pub source: Source,
    /// Volume claims that bear the new cluster's name; `None`: they can't be listed.
    pub claims: Option<Vec<String>>,
}

/// The plan of a restore.
///
/// # Errors
/// Refused, by name: the target can't be reached, the source has no archive, the name is none; nothing is known of it.
pub fn plan(wish: &RestoreWish, ground: &Ground, view: View<'_>) -> Result<Plan, Problem> {
    let cluster = view.facts.clusters.get(&wish.cluster).ok_or_else(|| {
        Problem::new(format!("nothing is known of {}", wish.cluster)).try_this("howdah status lists the clusters")
    })?;
    if cluster.operator != Operator::Cnpg {
        return Err(Problem::refused(format!("{} can't be restored from here", wish.cluster))
            .because("only CloudNativePG's way to recover is known, and it is run by another operator"));
    }
    named(&wish.name)?;
    let plotted = plot(&wish.cluster, &wish.target, wish.backup.as_deref(), view)?;
    let instances = wish.instances.or(cluster.wanted).unwrap_or(1);
    if instances == 0 {
        return Err(Problem::usage("a cluster has at least one instance"));
    }
    let wanted = Wanted {
        name: wish.name.clone(),
        plotted,
        instances,
        archive_as: wish.archive_as.clone(),
        service_account: wish.service_account.clone(),
        labels: BTreeMap::new(),
        scratch: None,
    };
    let manifest = Manifest::of(&ground.source, &wanted)?;
    let mut m = Making::new(cluster, view);
    guards::look(&mut m, wish, ground, &wanted, &manifest)?;
    let steps = steps::all(&m, &wish.cluster, &wanted, &manifest);
    let target = &wanted.plotted.target;
    let mut plan = m.plan(Kind::Restore, format!("restore {} to {target} as {}", wish.cluster.name, wish.name), steps);
    // The source's identity alone: the manifest is drawn from it. Who leads there, and whether anybody does, is no matter.
    plan.parameters = parameters(wish, &wanted);
    Ok(plan)
}

/// How a target will be reached, by what the store was last listed to hold.
///
/// # Errors
/// Refused (exit 3), with the reason by name.
pub fn plot(
    cluster: &ClusterKey,
    target: &RecoveryTarget,
    backup: Option<&str>,
    view: View<'_>,
) -> Result<Plotted, Problem> {
    let known = view.facts.clusters.get(cluster);
    let known = known.ok_or_else(|| Problem::new(format!("nothing is known of {cluster}")))?;
    let listing = view.facts.stores.get(cluster).map(AsRef::as_ref);
    let catalog = Catalog::assemble(&Witnesses::of(known, listing), view.now);
    choose(&catalog, target, backup).map_err(|why| why.problem(target))
}

/// A name that a cluster may have.
///
/// # Errors
/// It is none.
pub fn named(name: &str) -> Result<(), Problem> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.len() <= LONGEST
        && name.chars().all(plain);
    if good {
        return Ok(());
    }
    Err(Problem::usage(format!("{:?} can't be the name of a cluster", shorten(&clean(name), 60)))
        .because("it begins with a small letter, goes on with small letters, digits and -, and has at most 50 of them"))
}

fn parameters(wish: &RestoreWish, wanted: &Wanted) -> BTreeMap<String, String> {
    let plotted = &wanted.plotted;
    let mut all = BTreeMap::from([
        ("as".to_owned(), wish.name.clone()),
        ("target".to_owned(), plotted.target.to_string()),
        ("backup".to_owned(), plotted.base.id.clone()),
        ("instances".to_owned(), wanted.instances.to_string()),
    ]);
    let more =
        [("archive-as", &wish.archive_as), ("service-account", &wish.service_account), ("because", &wish.because)];
    all.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), clean(value.as_ref()?)))));
    all
}
