//! The restore drill: a scratch cluster is made of the backups, compared with its source, and torn down.
//!
//! Nobody who uses the cluster notices: it writes thirty rows into a table of its own, reads tables, and ends one WAL
//! segment. What it costs beside is a cluster's storage and processor for as long as it takes.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::super::backup;
use super::super::guards::{self, Needs};
use super::super::making::{Making, POD};
use super::super::restore::{Manifest, Scratch, Source, Wanted};
use super::super::{View, making};
use crate::domain::backup::catalog::{Catalog, Witnesses};
use crate::domain::backup::target::{Plotted, RecoveryTarget, choose};
use crate::domain::cluster::{Cluster, Operator};
use crate::domain::detail::ObjectRef;
use crate::domain::names::ClusterKey;
use crate::domain::quantity::{age, bytes};
use crate::problem::Problem;
use crate::procedure::drill::{MADE, Objectives, RECOVERED, SWEPT, TORN_DOWN};
use crate::procedure::kind::Kind;
use crate::procedure::order::{Create, Target};
use crate::procedure::plan::{Finding, Gate, Plan, Step, Weight};
use crate::procedure::trial::{LABEL, Part, Trial};

/// A login and a few statements.
const SQL: SignedDuration = SignedDuration::from_mins(2);
/// Reading every table, twice at most.
const READ: SignedDuration = SignedDuration::from_mins(60);
/// A segment in the archive: `archive_timeout` is five minutes where the operator sets it.
const ARCHIVED: SignedDuration = SignedDuration::from_mins(10);
/// What a restore reads from an object store a second, at the least.
const RESTORE_RATE: u64 = 10 << 20;
/// Everything of a cluster is gone.
const GONE: SignedDuration = SignedDuration::from_mins(10);
/// Of larger tables only the rows are counted.
pub const MOST: u64 = 1 << 30;
/// Attempts of a recovery before it is given up.
const ATTEMPTS: u32 = 3;
/// The operator allows a cluster's name so many characters.
const NAME: usize = 50;
/// Where it is said what is recovered to.
const TARGET: &str = "/spec/bootstrap/recovery/recoveryTarget";
/// Where the moment goes in the manifest.
const MOMENT: &str = "/spec/bootstrap/recovery/recoveryTarget/targetTime";

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreDrill {
    /// Of which cluster.
    pub cluster: ClusterKey,
    /// The database that is looked at.
    pub database: String,
    /// The tables that are compared; empty: all.
    pub tables: Vec<String>,
    /// Of larger tables only the rows are counted.
    pub most: u64,
    /// The base backup, by its id or its Backup's name; `None`: the newest that can be restored.
    pub backup: Option<String>,
    /// A base backup is taken in the drill, after the first markers, and that one is restored. It stays.
    #[serde(default)]
    pub take: bool,
    /// The longest time from making the cluster until it takes writes, where there is one to pass with.
    pub rto: Option<SignedDuration>,
    /// Why it shall go on although something speaks against it.
    pub because: Option<String>,
}

impl RestoreDrill {
    /// All tables of the usual database, from the newest backup.
    pub fn of(cluster: ClusterKey) -> RestoreDrill {
        RestoreDrill {
            cluster,
            database: "app".into(),
            tables: Vec::new(),
            most: MOST,
            backup: None,
            take: false,
            rto: None,
            because: None,
        }
    }
}

/// The plan. `source`: the cluster's object as the API has it.
///
/// # Errors
/// It means nothing here: no archive, nothing that can be restored.
pub fn plan(wish: &RestoreDrill, source: &Source, view: View<'_>) -> Result<Plan, Problem> {
    drafted(wish, &base(wish, view)?, Some(source), view)
}

/// What its plan would be as far as that is known before the cluster's object was read: with all that speaks for and
/// against it but what the object itself tells, and with every right. Nothing to be begun: what is made is left open.
///
/// # Errors
/// It means nothing here.
pub fn outline(wish: &RestoreDrill, base: &Plotted, view: View<'_>) -> Result<Plan, Problem> {
    drafted(wish, base, None, view)
}

/// The cluster, where one can be made of its backups from here.
fn drillable<'a>(wish: &RestoreDrill, view: View<'a>) -> Result<&'a Cluster, Problem> {
    let cluster = view.facts.clusters.get(&wish.cluster).ok_or_else(|| {
        Problem::new(format!("nothing is known of {}", wish.cluster)).try_this("howdah status lists the clusters")
    })?;
    if cluster.operator != Operator::Cnpg {
        return Err(Problem::refused(format!("{} can't be drilled from here", wish.cluster))
            .because("only CloudNativePG's clusters can be made anew, and it is run by another operator"));
    }
    Ok(cluster)
}

fn drafted(wish: &RestoreDrill, plotted: &Plotted, source: Option<&Source>, view: View<'_>) -> Result<Plan, Problem> {
    let mut m = Making::new(drillable(wish, view)?, view);
    let name = scratch_name(&m);
    let labels = BTreeMap::from([
        ("app.kubernetes.io/managed-by".to_owned(), "howdah".to_owned()),
        (LABEL.to_owned(), name.clone()),
    ]);
    let wanted = Wanted {
        name: name.clone(),
        plotted: plotted.clone(),
        instances: 1,
        archive_as: None,
        service_account: None,
        labels,
        scratch: Some(Scratch { superuser: true }),
    };
    let mut manifest = source.map(|source| Manifest::of(source, &wanted)).transpose()?;
    if wish.take
        && let Some(target) = manifest.as_mut().and_then(|m| m.body.pointer_mut(TARGET)?.as_object_mut())
    {
        // Its id is not known yet; without one the newest before the moment is taken, and that is this one.
        target.remove("backupID");
    }
    look(&mut m, plotted, manifest.as_ref().map_or(&[], |m| &m.findings));
    let trial = trial(wish, &m, &name);
    let taken = if wish.take { Some(backup::within(&mut m, &name)?) } else { None };
    let fresh = taken.is_some();
    let steps = steps(&m, &trial, plotted, taken, manifest.map_or(Value::Null, |m| m.body));
    let mut plan =
        m.plan(Kind::RestoreDrill, format!("restore drill of {}: {name} is made of its backups", m.name()), steps);
    plan.objectives = wish.rto.map(|rto| Objectives { rto, rpo: 0 });
    let mut chosen = |what: &str, is: String| drop(plan.parameters.insert(what.into(), is));
    chosen("base backup", if fresh { "the one taken in it".into() } else { plotted.base.id.clone() });
    chosen("scratch cluster", name);
    chosen("database", wish.database.clone());
    chosen("tables", if wish.tables.is_empty() { "all".into() } else { wish.tables.join(", ") });
    chosen("checksums", format!("of tables up to {}", bytes(wish.most)));
    if let Some(rto) = wish.rto {
        chosen("objective RTO", format!("{rto:#}"));
    }
    if let Some(because) = &wish.because {
        chosen("because", crate::text::clean(because));
    }
    Ok(plan)
}

/// The base backup: one that leads to a moment that is yet to come. This reads all that is known of the archive.
///
/// # Errors
/// There is none, or nothing can be made of it from here.
pub fn base(wish: &RestoreDrill, view: View<'_>) -> Result<Plotted, Problem> {
    let cluster = drillable(wish, view)?;
    let store = view.facts.stores.get(&wish.cluster);
    let catalog = Catalog::assemble(&Witnesses::of(cluster, store.map(|s| &**s)), view.now);
    let chosen = choose(&catalog, &RecoveryTarget::Latest, wish.backup.as_deref());
    let plotted = chosen.map_err(|refused| {
        Problem::refused(format!("there is nothing to drill a restore of {} with", wish.cluster))
            .because(refused.to_string())
            .try_this(format!(
                "howdah backups take {0}; howdah backups check {0} tells what is missing",
                wish.cluster.name
            ))
    })?;
    Ok(Plotted { target: RecoveryTarget::Time(view.now), ..plotted })
}

/// `pg-primary-drill-1121031500`: after the moment the plan was made, so that two drills never meet.
fn scratch_name(m: &Making<'_>) -> String {
    let tail = m.now().strftime("-drill-%m%d%H%M%S").to_string();
    let own: String = m.name().chars().take(NAME - tail.len()).collect();
    format!("{}{tail}", own.trim_end_matches(['-', '.']))
}

fn look(m: &mut Making<'_>, plotted: &Plotted, of_manifest: &[Finding]) {
    m.guard(Needs { awake: true, settled: false, disturbs_backup: false, ..Needs::USUAL });
    m.primary_answers(Weight::Blocks);
    guards::fencing(m, Weight::Justify);
    guards::archiver(m);
    let base = &plotted.base;
    let ended = base.ended.map(|at| format!(", ended {} ago", age(at, m.now()))).unwrap_or_default();
    m.good("base backup", format!("{}{ended}; WAL since then: {} at most", base.id, bytes(plotted.replay.bytes)));
    m.good("cost", "thirty rows in a table of its own, tables are read twice, a cluster of one instance for a while");
    for finding in of_manifest {
        m.found(&finding.about, finding.weight, &finding.text);
    }
}

fn trial(wish: &RestoreDrill, m: &Making<'_>, name: &str) -> Trial {
    let key = &wish.cluster;
    Trial {
        part: Part::Mark,
        source: key.clone(),
        scratch: ClusterKey::new(key.context.clone(), &key.namespace, name),
        database: wish.database.clone(),
        table: format!("howdah_drill_{}", m.now().strftime("%Y%m%d_%H%M%S")),
        tables: wish.tables.clone(),
        most: wish.most,
        attempts: ATTEMPTS,
    }
}

fn steps(m: &Making<'_>, trial: &Trial, plotted: &Plotted, taken: Option<Step>, body: Value) -> Vec<Step> {
    let base = taken.as_ref().map_or_else(|| plotted.base.id.clone(), |_| "that was taken before".to_owned());
    let mut steps = source_steps(m, trial, taken);
    steps.extend(scratch_steps(m, trial, plotted, &base, body));
    steps.extend(ends(trial));
    steps
}

/// What is done in the source.
fn source_steps(m: &Making<'_>, trial: &Trial, taken: Option<Step>) -> Vec<Step> {
    let mark = Step::new(
        "mark",
        "write the first marker rows",
        format!(
            "Ten numbered rows in {}, a table of the drill's own in database {}. What is restored must have them.",
            trial.table, trial.database
        ),
    )
    .gated(Gate::Approve)
    .does(trial.part(Part::Mark));
    let print = Step::new(
        "fingerprint",
        "read the tables on both sides of the moment",
        format!(
            "More markers right before a moment and right after it; rows and checksums of {} before and after. A table that \
             is the same both times must be the same in what is restored to that moment.",
            match trial.tables.len() {
                0 => "every table".to_owned(),
                n => format!("{n} tables"),
            }
        ),
    )
    .after(&[if taken.is_some() { "backup" } else { "mark" }])
    .does(trial.part(Part::Print));
    let archive = Step::new(
        "archived",
        "the last marker is in the archive",
        format!(
            "A recovery to a moment needs WAL from behind it. The segment is ended for it, or {}'s archive_timeout ends it.",
            m.name()
        ),
    )
    .after(&["fingerprint"])
    .does(trial.part(Part::Archive));
    let taken = taken.map(|step| step.after(&["mark"]));
    [mark.within(SQL)].into_iter().chain(taken).chain([print.within(READ), archive.within(ARCHIVED)]).collect()
}

/// The scratch cluster: made, recovered, looked at.
fn scratch_steps(m: &Making<'_>, trial: &Trial, plotted: &Plotted, base: &str, body: Value) -> Vec<Step> {
    let object = ObjectRef {
        context: trial.scratch.context.clone(),
        api_version: "postgresql.cnpg.io/v1".into(),
        kind: "Cluster".into(),
        namespace: trial.scratch.namespace.to_string(),
        name: trial.scratch.name.to_string(),
    };
    let target = Target { object, plural: "clusters".into(), subresource: None };
    let make = Part::Make { create: Box::new(Create { target, body }), at: MOMENT.into() };
    let name = &trial.scratch.name;
    let made = Step::new(
        MADE,
        format!("make {name}"),
        format!(
            "One instance out of base backup {base}, led to the moment between the markers, which is filled in then. It \
             archives nothing: the store is only read."
        ),
    )
    .after(&["archived"])
    .does(trial.part(make));
    let within = m.clone_time() + POD + restoring(plotted);
    let recovered = Step::new(
        RECOVERED,
        format!("{name} recovers"),
        format!(
            "The time until it takes writes is what a restore costs. Its job's log tells the parts; after {} failed \
             attempts it is given up.",
            trial.attempts
        ),
    )
    .after(&[MADE])
    .does(trial.part(Part::Recover));
    let verify = Step::new(
        "verify",
        "compare what was restored",
        "The markers tell the point really reached; every table is compared with what the source had.",
    )
    .after(&[RECOVERED])
    .does(trial.part(Part::Compare));
    let check = Step::new(
        "amcheck",
        "look through its data files and indexes",
        "A backup can be complete and damaged. This reads every page, of the scratch cluster alone.",
    )
    .after(&["verify"])
    .does(trial.part(Part::Check));
    vec![made, recovered.within(within), verify.within(READ), check.within(READ)]
}

/// The base backup and the WAL after it, from a slow store.
fn restoring(plotted: &Plotted) -> SignedDuration {
    let size = plotted.base.stored.or(plotted.base.data).unwrap_or(0).saturating_add(plotted.replay.bytes);
    SignedDuration::from_secs(i64::try_from(size / RESTORE_RATE).unwrap_or(i64::MAX / 4)) + making::SOON
}

fn ends(trial: &Trial) -> Vec<Step> {
    let name = &trial.scratch.name;
    let torn = Step::new(
        TORN_DOWN,
        format!("delete {name}"),
        "To the last volume claim, credential and secret, however the drill went. Nothing of it is in the store.",
    )
    .after(&[MADE])
    .does(trial.part(Part::TearDown))
    .cleans_up();
    let swept = Step::new(SWEPT, "drop the markers' table", "A drill leaves nothing behind in the database.")
        .after(&["mark"])
        .does(trial.part(Part::Sweep))
        .cleans_up();
    vec![torn.within(GONE), swept.within(SQL)]
}
