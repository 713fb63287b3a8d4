//! What is looked at before every act: is anybody there to carry it out, and does something else go on already?

use super::making::Making;
use std::sync::Arc;

use crate::domain::cluster::{BackupObject, Fenced, Target};
use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::domain::source::Witness;
use crate::procedure::plan::Weight;
use crate::text::shorten;

/// What an act needs of its surroundings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    /// The operator carries it out. Else the instances do it themselves.
    pub operator: bool,
    /// The API server asks the operator's webhook first: a write to the cluster object itself, not to its status.
    pub webhook: bool,
    /// It means nothing while the cluster is hibernated.
    pub awake: bool,
    /// It must not cross a failover or switchover that is under way.
    pub settled: bool,
    /// It interrupts a backup that runs, or takes its ground away.
    pub disturbs_backup: bool,
}

impl Needs {
    /// The usual: a write to the cluster object that the operator carries out.
    pub const USUAL: Needs =
        Needs { operator: true, webhook: true, awake: true, settled: true, disturbs_backup: false };
}

pub(super) fn look(m: &mut Making<'_>, needs: Needs) {
    freshness(m);
    if let Some(at) = m.cluster.deleting {
        let text = format!("the cluster is being deleted, asked {} ago", quantity::age(at, m.now()));
        m.found_by("deletion", Weight::Blocks, text, &Witness::ClusterObject);
    }
    if needs.operator {
        reconciliation(m);
    }
    operator(m, needs);
    if needs.awake {
        awake(m);
    }
    if needs.settled {
        under_way(m);
    }
    if needs.disturbs_backup {
        backups(m);
    }
}

pub(super) fn freshness(m: &mut Making<'_>) {
    let age = m.e.age(m.e.proven);
    if age > m.e.limits.watch_stale {
        let text = format!("what Kubernetes told is {} old: it may be otherwise by now", quantity::age_of(age));
        m.found_by("freshness", Weight::Unknown, text, &Witness::Sources);
    }
}

fn reconciliation(m: &mut Making<'_>) {
    if m.cluster.reconciliation_disabled {
        let text = "the operator was told to leave this cluster alone (cnpg.io/reconciliationLoop=disabled): nobody \
                    would carry it out";
        m.found_by("reconciliation", Weight::Blocks, text, &Witness::ClusterObject);
    }
}

/// No fact is not known; an empty list is "none found", which may also be an operator outside of the cluster.
pub(super) fn operator(m: &mut Making<'_>, needs: Needs) {
    let about = "operator";
    let heavy = if needs.operator { Weight::Blocks } else { Weight::Justify };
    let Some(all) = m.view.facts.operators.get(&m.cluster.key.context) else {
        m.found(about, Weight::Unknown, "whether the operator runs is not known: deployments can't be listed");
        return;
    };
    let ours: Vec<_> = all.iter().filter(|o| o.operator == m.cluster.operator).collect();
    let Some(one) = ours.iter().find(|o| o.available > 0).or(ours.first()) else {
        m.found(about, Weight::Unknown, "no deployment of the operator was found: whether it runs is not known");
        return;
    };
    let witness = Witness::Object(format!("Deployment/{}", one.deployment));
    if one.available == 0 {
        let text = "the operator has no running pod: nobody would carry it out";
        m.found_by(about, heavy, text, &witness);
    } else {
        m.found_by(about, Weight::Good, "the operator runs", &witness);
    }
    if let Some(trouble) = ours.iter().find_map(|o| o.webhook_trouble.as_deref()) {
        let weight = if needs.webhook { Weight::Blocks } else { Weight::Justify };
        let text = format!("the operator's webhook fails, and the API refuses changes without it: {trouble}");
        m.found_by(about, weight, text, &witness);
    }
}

fn awake(m: &mut Making<'_>) {
    if m.cluster.hibernation.is_some() {
        let text = "the cluster is hibernated: no instance runs. Wake it first";
        m.found_by("hibernation", Weight::Blocks, text, &Witness::ClusterObject);
    }
}

/// Something else moves the primary, or the operator is in the middle of something.
fn under_way(m: &mut Making<'_>) {
    let about = "under way";
    let since = m.cluster.target_since.map(|t| format!(", since {}", quantity::age(t, m.now()))).unwrap_or_default();
    match (&m.cluster.primary, &m.cluster.target) {
        (Some(now), Some(Target::Pending)) => {
            let text = format!("a failover from {now} is under way{since}");
            m.found_by(about, Weight::Blocks, text, &Witness::ClusterObject);
            return;
        }
        (Some(now), Some(Target::Instance(next))) if now != next => {
            let text = format!("a change of the primary from {now} to {next} is under way{since}");
            m.found_by(about, Weight::Blocks, text, &Witness::ClusterObject);
            return;
        }
        (None, _) => {
            m.found_by(about, Weight::Blocks, "the cluster has no primary yet", &Witness::ClusterObject);
            return;
        }
        _ => {}
    }
    let Some(phase) = m.cluster.phase.as_ref().filter(|p| p.text != "Cluster in healthy state") else { return };
    let reason = phase.reason.as_ref().map(|r| format!(" ({})", shorten(r, 100))).unwrap_or_default();
    let text = match phase.text.as_str() {
        "Waiting for user action" => {
            format!("the operator waits for you to switch over or to restart the primary{reason}")
        }
        other => format!("the operator is in the middle of something: {other}{reason}"),
    };
    let weight = if phase.text == "Waiting for user action" { Weight::Good } else { Weight::Justify };
    m.found_by(about, weight, text, &Witness::ClusterObject);
}

/// A backup that runs now.
pub(super) fn running_backup(m: &Making<'_>) -> Option<Arc<BackupObject>> {
    m.cluster.backups.objects.iter().find(|b| b.is_running()).cloned()
}

fn backups(m: &mut Making<'_>) {
    let about = "running backup";
    if !m.cluster.backups.listed {
        m.found(about, Weight::Unknown, "whether a backup runs is not known: backups can't be listed");
        return;
    }
    match running_backup(m) {
        None => m.good(about, "no backup runs"),
        Some(b) => {
            let since = b.started.map(|t| format!(" since {}", quantity::age(t, m.now()))).unwrap_or_default();
            let text = format!("backup {} runs{since} and may fail by this", b.name);
            m.found_by(about, Weight::Justify, text, &Witness::Object(format!("Backup/{}", b.name)));
        }
    }
}

/// Says that these are fenced, where they are.
pub(super) fn fencing(m: &mut Making<'_>, weight: Weight) {
    let text = match &m.cluster.fenced {
        Fenced::None => return,
        Fenced::All => "all instances are fenced".to_owned(),
        Fenced::Some(some) => {
            let all: Vec<_> = some.iter().map(InstanceName::as_str).collect();
            format!("fenced: {}", all.join(", "))
        }
    };
    m.found_by("fencing", weight, text, &Witness::ClusterObject);
}

/// WAL archiving, as it matters to a primary that must shut down or hand over.
pub(super) fn archiver(m: &mut Making<'_>) {
    let about = "WAL archiving";
    if m.cluster.archiving.by.is_none() || m.cluster.archiving.skipped {
        m.good(about, "no WAL is archived");
        return;
    }
    let condition = m.cluster.condition("ContinuousArchiving").map(|c| (c.status, c.message.clone()));
    let reading = m.e.primary().and_then(|p| {
        let sql = p.sql.and_then(|(s, _)| s.archiver.clone());
        sql.map(|a| (a, Witness::Sql(p.name.clone(), "pg_stat_archiver".into())))
    });
    if let Some((Some(false), message)) = condition {
        let text =
            format!("archiving fails: {}; WAL not yet archived stays with the old primary", shorten(&message, 120));
        m.found_by(about, Weight::Justify, text, &Witness::ClusterObject);
        return;
    }
    match reading {
        Some((a, witness)) => {
            let failed = a.last_failed.as_ref().map(|(_, at)| *at);
            let failing = failed > a.last_archived.as_ref().map(|(_, at)| *at) && failed.is_some();
            match a.ready {
                _ if failing => m.found_by(about, Weight::Justify, "the last attempt to archive failed", &witness),
                Some(n) if n >= m.e.limits.ready_wal_warn => {
                    m.found_by(about, Weight::Justify, format!("{n} WAL files wait to be archived"), &witness);
                }
                Some(n) => m.found_by(about, Weight::Good, format!("works; {n} files wait"), &witness),
                None => m.found_by(about, Weight::Good, "works", &witness),
            }
        }
        None if matches!(condition, Some((Some(true), _))) => {
            m.found_by(about, Weight::Good, "works, the operator says", &Witness::ClusterObject);
        }
        None => m.found(about, Weight::Unknown, "whether WAL is archived is not known"),
    }
}
