//! Facts → what `status` says of them.

use jiff::Timestamp;

use super::report::*;
use crate::domain::cluster::{Archiver, Cluster, Fenced, Role, Target};
use crate::domain::facts::{Facts, Samples};
use crate::domain::health::{Health, Level, Limits, Verdict, judge};
use crate::domain::names::ClusterKey;
use crate::domain::picture::{ArchiverPicture, Follows, InstancePicture, Lag, Picture, SeenRole};
use crate::domain::source::{SourceId, SourceState};
use crate::procedure::runbook::Runbooks;

/// Says what is known of `keys`. `all`: they are all there is, so a context that can't be asked makes the whole unknown.
pub fn report(facts: &Facts, keys: &[ClusterKey], all: bool, limits: &Limits, now: Timestamp) -> Report {
    let known = keys.iter().filter_map(|key| facts.clusters.get(key));
    let mut clusters: Vec<_> =
        known.map(|cluster| one(facts, cluster, &judge(facts, cluster, None, limits, now), now)).collect();
    clusters.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name))));
    let unseen = facts.sources.iter().any(|(id, health)| match id {
        SourceId::Kubernetes(_) => health.state != SourceState::Live,
        SourceId::Watch(_, kind) => kind == "clusters" && health.state != SourceState::Live,
        _ => false,
    });
    let least = if all && unseen { Level::Unknown } else { Level::Ok };
    let level = clusters.iter().map(|c| c.level).max().unwrap_or_default().max(least);
    Report { at: now, level, clusters, sources: sources(facts, keys) }
}

/// Names the runbook of each reason that weighs something.
pub fn with_runbooks(mut report: Report, runbooks: &Runbooks) -> Report {
    for cluster in &mut report.clusters {
        for verdict in [&mut cluster.availability, &mut cluster.recoverability] {
            for reason in verdict.reasons.iter_mut().filter(|r| r.level > Level::Ok) {
                reason.runbook = runbooks.for_reason(reason.code).map(|r| r.name.clone());
            }
        }
    }
    report
}

fn one(facts: &Facts, c: &Cluster, health: &Health, now: Timestamp) -> ClusterReport {
    let picture = Picture::of(facts, c);
    let samples = |i: &InstancePicture<'_>| facts.sample(&c.key, i.name());
    let instances: Vec<_> = picture.instances.iter().map(|i| instance(i, samples(i), &picture)).collect();
    let sync_now = instances.iter().filter(|i| matches!(i.sync, Some("sync" | "quorum"))).count();
    ClusterReport {
        context: c.key.context.to_string(),
        namespace: c.key.namespace.to_string(),
        name: c.key.name.to_string(),
        level: health.headline(),
        availability: verdict(&health.availability, now),
        recoverability: verdict(&health.recoverability, now),
        operator: c.operator.short(),
        operator_version: c.operator_version.clone(),
        postgres_version: c.postgres_version.clone(),
        phase: c.phase.as_ref().map(|p| p.text.clone()),
        wanted: c.wanted,
        ready: c.ready,
        zones: c.zones().into_iter().map(ToString::to_string).collect(),
        primary: c.primary.as_ref().map(ToString::to_string),
        target: c.target.as_ref().map(|t| match t {
            Target::Pending => "pending".to_owned(),
            Target::Instance(name) => name.to_string(),
        }),
        timeline: c.timeline,
        fenced: match &c.fenced {
            Fenced::None => Vec::new(),
            Fenced::Some(names) => names.iter().map(ToString::to_string).collect(),
            Fenced::All => vec!["*".into()],
        },
        hibernation: c.hibernation,
        sync: SyncReport {
            promised: promised(c),
            live: live_rule(facts, &picture),
            standbys: picture.rows.map(|_| u32::try_from(sync_now).unwrap_or(u32::MAX)),
        },
        instances,
        archiving: archiving(c, &picture.archiver, now),
        backups: BackupsReport {
            listed: c.backups.listed,
            count: c.backups.objects.len(),
            first_recoverability_point: c.backups.first_recoverability_point,
            last_successful: c.backups.last_successful,
            last_successful_age_s: c.backups.last_successful.map(|t| seconds(t, now)),
            last_failed: c.backups.last_failed,
            schedules: c.backups.schedules.iter().map(|s| s.name.clone()).collect(),
        },
        services: c
            .services
            .iter()
            .map(|s| ServiceReport {
                name: s.name.clone(),
                purpose: s.purpose,
                leads_to: s.leads_to.as_ref().map(|l| l.iter().map(ToString::to_string).collect()),
            })
            .collect(),
    }
}

fn promised(c: &Cluster) -> Option<String> {
    let s = &c.sync;
    (s.number > 0).then(|| {
        let method = s.method.clone().map(|m| m + " ").unwrap_or_default();
        let preferred = if s.preferred { " preferred" } else { "" };
        format!("{method}{}{preferred}", s.number)
    })
}

/// The running `synchronous_standby_names` as the primary says it, or why it can't be read.
fn live_rule(facts: &Facts, picture: &Picture<'_>) -> Option<String> {
    let primary = picture.get(picture.primary.as_ref()?)?;
    let sql = facts.sample(&picture.cluster.key, primary.name())?.sql.as_ref()?.value()?;
    primary.own.filter(|own| own.primary)?;
    Some(match sql.sync_rule.as_ref()? {
        Ok(Some(rule)) => format!("{rule} ({})", rule.names.join(", ")),
        Ok(None) => String::new(),
        Err(why) => why.clone(),
    })
}

/// Its role, and who says so: itself if it answers, else its label.
fn role(i: &InstancePicture<'_>) -> Option<(&'static str, &'static str)> {
    if let Some(own) = i.own {
        let word = if own.primary { SeenRole::Primary } else { SeenRole::Standby }.word();
        return Some((word, if own.by_sql { "sql" } else { "status" }));
    }
    i.instance.role.map(|r| match r {
        Role::Primary => (SeenRole::Primary.word(), "label"),
        Role::Replica => (SeenRole::Standby.word(), "label"),
        Role::Unhealthy => ("unhealthy", "label"),
        Role::Other => ("other", "label"),
    })
}

fn instance(i: &InstancePicture<'_>, samples: Option<&Samples>, picture: &Picture<'_>) -> InstanceReport {
    let sql = samples.and_then(|s| s.sql.as_ref()?.value());
    let role = role(i);
    let is_primary = role.is_some_and(|(role, _)| role == SeenRole::Primary.word());
    let row = i.row.filter(|_| !is_primary);
    let lag = if is_primary { Lag::default() } else { i.lag };
    // PostgreSQL measures nothing while nothing is written: who has caught up then is not behind.
    let time = |measured: Option<jiff::SignedDuration>| match (measured, lag.bytes) {
        (Some(measured), _) => Some(measured.as_secs_f64()),
        (None, Some(0)) => Some(0.0),
        (None, _) => None,
    };
    let pod = i.instance.pod.as_ref();
    InstanceReport {
        name: i.name().to_string(),
        role: role.map(|(role, _)| role),
        role_by: role.map(|(_, by)| by),
        zone: i.instance.zone.as_ref().map(ToString::to_string),
        node: pod.and_then(|p| p.node.as_ref()).map(ToString::to_string),
        ready: pod.map(|p| p.ready),
        restarts: pod.map(|p| p.restarts),
        lsn: i.lsn,
        timeline: i.timeline,
        state: state(i, is_primary, picture),
        sync: row.and_then(|r| r.sync).map(|s| s.word()),
        lag_bytes: lag.bytes,
        lag_at_least: lag.at_least,
        write_lag_s: row.and_then(|r| time(r.write_lag)),
        flush_lag_s: row.and_then(|r| time(r.flush_lag)),
        replay_lag_s: row.and_then(|r| time(r.replay_lag)),
        sql_by: sql.map(|s| s.via),
        sees_all: sql.map(|s| s.sees_all),
        silent: i.silence.map(|s| s.why.clone()),
    }
}

/// `streaming` as its primary says it; what its pod says where there is nothing to stream from.
fn state(i: &InstancePicture<'_>, is_primary: bool, picture: &Picture<'_>) -> Option<String> {
    let Some(pod) = &i.instance.pod else { return Some("no pod".into()) };
    if pod.deleting.is_some() {
        return Some("terminating".into());
    }
    if let Some(trouble) = &pod.trouble {
        return Some(trouble.clone());
    }
    if is_primary {
        let leads = i.own.is_some() && picture.primary.as_ref() == Some(i.name());
        return Some(if leads { "writes" } else { "claims to write" }.into());
    }
    match (i.row, i.follows) {
        (Some(row), _) => row.state.clone(),
        (None, Follows::Streaming | Follows::CatchingUp) => Some("streaming".into()),
        (None, Follows::Broken) => Some("not streaming".into()),
        (None, Follows::Unknown) => None,
    }
}

fn archiving(c: &Cluster, archiver: &ArchiverPicture<'_>, now: Timestamp) -> ArchivingReport {
    let file = |file: Option<(&str, Option<Timestamp>)>| file.map_or((None, None), |(wal, at)| (Some(wal.into()), at));
    let (last_wal, last_at) = file(archiver.last);
    let (failed_wal, failed_at) = file(archiver.failed);
    ArchivingReport {
        by: c.archiving.by.as_ref().map(|by| match by {
            Archiver::InTreeBarman => "barman-cloud (in-tree)".to_owned(),
            Archiver::Plugin(name) => name.clone(),
            Archiver::PgBackRest => "pgBackRest".to_owned(),
        }),
        destination: c.archiving.destination.clone(),
        working: archiver.working,
        last_age_s: last_at.map(|at| seconds(at, now)),
        last_wal,
        last_at,
        failed_wal,
        failed_at,
        ready_wal_files: archiver.ready,
    }
}

fn verdict(v: &Verdict, now: Timestamp) -> VerdictReport {
    let reasons = v.reasons.iter().map(|r| ReasonReport {
        code: r.code,
        level: r.level,
        text: r.text.clone(),
        instance: r.instance.as_ref().map(ToString::to_string),
        witness: r.witness.to_string(),
        seen: r.seen,
        age_s: seconds(r.seen, now),
        runbook: None,
    });
    VerdictReport { level: v.level, reasons: reasons.collect() }
}

fn sources(facts: &Facts, keys: &[ClusterKey]) -> Vec<SourceReport> {
    let about = |id: &SourceId| id.cluster().is_none_or(|key| keys.contains(key));
    let ill = facts.sources.iter().filter(|(id, _)| about(id)).filter_map(|(id, health)| {
        let (state, why) = match &health.state {
            SourceState::Live => return None,
            SourceState::Connecting => ("connecting", None),
            SourceState::Late(_) => ("late", None),
            SourceState::Failing { why, .. } => ("failing", Some(why.clone())),
            SourceState::Absent(why) => ("absent", Some(why.clone())),
        };
        let not_installed = health.state.is_not_installed();
        Some(SourceReport { source: source_name(id), state, why, proven: health.proven, not_installed })
    });
    ill.collect()
}

/// A source in words.
pub fn source_name(id: &SourceId) -> String {
    match id {
        SourceId::Kubernetes(context) => format!("kubernetes {context}"),
        SourceId::Watch(context, kind) => format!("{kind} of {context}"),
        SourceId::Status(key) => format!("/pg/status of {key}"),
        SourceId::Metrics(key) => format!("metrics of {key}"),
        SourceId::Sql(key) => format!("sql of {key}"),
        SourceId::Store(key) => format!("object store of {key}"),
        SourceId::Other(name) => name.clone(),
    }
}

fn seconds(then: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(then).as_secs().max(0)
}
