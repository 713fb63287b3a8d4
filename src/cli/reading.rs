//! Facts → what `status` says of them.

use jiff::Timestamp;

use super::report::*;
use crate::adapters::kubernetes::watch::NOT_INSTALLED;
use crate::domain::cluster::{Archiver, Cluster, Fenced, Instance, Role, Target};
use crate::domain::facts::{Facts, Samples};
use crate::domain::health::{Health, Level, Limits, Verdict, judge};
use crate::domain::lsn::Lsn;
use crate::domain::names::ClusterKey;
use crate::domain::replication::Standby;
use crate::domain::source::{SourceId, SourceState};

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

fn one(facts: &Facts, c: &Cluster, health: &Health, now: Timestamp) -> ClusterReport {
    let samples = |i: &Instance| facts.sample(&c.key, &i.name);
    let leader = Leader::find(facts, c);
    let rule = leader.sample.and_then(|s| s.sql.as_ref()?.value()?.sync_rule.clone());
    let instances: Vec<_> = c.instances.iter().map(|i| instance(i, samples(i), &leader)).collect();
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
            live: rule.map(|rule| match rule {
                Ok(Some(rule)) => format!("{rule} ({})", rule.names.join(", ")),
                Ok(None) => String::new(),
                Err(why) => why,
            }),
            standbys: leader.rows.is_some().then(|| u32::try_from(sync_now).unwrap_or(u32::MAX)),
        },
        instances,
        archiving: archiving(c, leader.sample, now),
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

/// The instance that says it takes writes, with its own rows of who follows it.
struct Leader<'a> {
    name: Option<&'a str>,
    sample: Option<&'a Samples>,
    current: Option<Lsn>,
    timeline: Option<u32>,
    rows: Option<&'a [Standby]>,
}

impl<'a> Leader<'a> {
    fn find(facts: &'a Facts, c: &'a Cluster) -> Self {
        let all = c.instances.iter().filter_map(|i| Some((i, facts.sample(&c.key, &i.name)?)));
        let mut leaders: Vec<_> = all.filter(|(_, s)| own_role(s).is_some_and(|(role, _)| role == "primary")).collect();
        // Of two that claim it, the one that the operator confirmed.
        leaders.sort_by_key(|(i, _)| c.primary.as_ref() != Some(&i.name));
        let Some((instance, sample)) = leaders.first().copied() else {
            return Leader { name: None, sample: None, current: None, timeline: None, rows: None };
        };
        let sql = sample.sql.as_ref().and_then(|p| Some((p.at, p.value()?)));
        let status = sample.status.as_ref().and_then(|p| Some((p.at, p.value()?)));
        // SQL where it shows everything; else the instance manager, who sees all.
        let (current, rows) = match (sql, status) {
            (Some((_, sql)), _) if sql.sees_all => (sql.current, Some(sql.standbys.as_slice())),
            (sql, Some((_, status))) if status.standbys.is_some() => {
                (status.current.or(sql.and_then(|(_, s)| s.current)), status.standbys.as_deref())
            }
            (Some((_, sql)), _) => (sql.current, Some(sql.standbys.as_slice())),
            (None, Some((_, status))) => (status.current, None),
            (None, None) => (None, None),
        };
        let timeline = sql.and_then(|(_, s)| s.timeline).or(status.and_then(|(_, s)| s.timeline));
        Leader { name: Some(instance.name.as_str()), sample: Some(sample), current, timeline, rows }
    }
}

/// What an instance says it is, and who asked it. The later answer counts.
fn own_role(samples: &Samples) -> Option<(&'static str, &'static str)> {
    let word = |primary: bool| if primary { "primary" } else { "standby" };
    let sql = samples.sql.as_ref().and_then(|p| Some((p.at, word(!p.value()?.in_recovery), "sql")));
    let status = samples.status.as_ref().and_then(|p| Some((p.at, word(p.value()?.is_primary?), "status")));
    [sql, status].into_iter().flatten().max_by_key(|(at, ..)| *at).map(|(_, role, by)| (role, by))
}

fn instance(i: &Instance, samples: Option<&Samples>, leader: &Leader) -> InstanceReport {
    let sql = samples.and_then(|s| s.sql.as_ref()?.value());
    let status = samples.and_then(|s| s.status.as_ref()?.value());
    let label = i.role.map(|r| match r {
        Role::Primary => ("primary", "label"),
        Role::Replica => ("standby", "label"),
        Role::Unhealthy => ("unhealthy", "label"),
        Role::Other => ("other", "label"),
    });
    let role = samples.and_then(own_role).or(label);
    let is_primary = role.is_some_and(|(role, _)| role == "primary");
    let row = leader.rows.and_then(|rows| rows.iter().find(|r| r.name == i.name.as_str())).filter(|_| !is_primary);
    let replayed = row.and_then(|r| r.replay);
    let lag_bytes = leader.current.zip(replayed).map(|(current, replayed)| current.since(replayed));
    // PostgreSQL measures nothing while nothing is written: who has caught up then is not behind.
    let time = |lag: Option<jiff::SignedDuration>| match (lag, lag_bytes) {
        (Some(lag), _) => Some(lag.as_secs_f64()),
        (None, Some(0)) => Some(0.0),
        (None, _) => None,
    };
    let own_lsn = if is_primary {
        sql.and_then(|s| s.current).or(status.and_then(|s| s.current))
    } else {
        sql.and_then(|s| s.replayed).or(status.and_then(|s| s.replayed)).or(replayed)
    };
    // A standby's /pg/status keeps its old timeline after a failover: only its receiver knows.
    // A standby's own timeline is hidden from most users, but who streams from the primary is on the primary's.
    let streams = row.is_some_and(|r| r.state.as_deref() == Some("streaming"));
    let timeline = sql
        .and_then(|s| s.timeline)
        .or(status.filter(|_| is_primary).and_then(|s| s.timeline))
        .or(leader.timeline.filter(|_| streams));
    InstanceReport {
        name: i.name.to_string(),
        role: role.map(|(role, _)| role),
        role_by: role.map(|(_, by)| by),
        zone: i.zone.as_ref().map(ToString::to_string),
        node: i.pod.as_ref().and_then(|p| p.node.as_ref()).map(ToString::to_string),
        ready: i.pod.as_ref().map(|p| p.ready),
        restarts: i.pod.as_ref().map(|p| p.restarts),
        lsn: own_lsn,
        timeline,
        state: state(i, is_primary, row, leader),
        sync: row.and_then(|r| r.sync).map(|s| s.word()),
        lag_bytes,
        write_lag_s: row.and_then(|r| time(r.write_lag)),
        flush_lag_s: row.and_then(|r| time(r.flush_lag)),
        replay_lag_s: row.and_then(|r| time(r.replay_lag)),
        sql_by: sql.map(|s| s.via),
        sees_all: sql.map(|s| s.sees_all),
        silent: silent(samples),
    }
}

/// `streaming` as its primary says it; what its pod says where there is nothing to stream from.
fn state(i: &Instance, is_primary: bool, row: Option<&Standby>, leader: &Leader) -> Option<String> {
    let Some(pod) = &i.pod else { return Some("no pod".into()) };
    if pod.deleting.is_some() {
        return Some("terminating".into());
    }
    if let Some(trouble) = &pod.trouble {
        return Some(trouble.clone());
    }
    if is_primary {
        return Some(if leader.name == Some(i.name.as_str()) { "writes" } else { "claims to write" }.into());
    }
    match (row, leader.rows) {
        (Some(row), _) => row.state.clone(),
        (None, Some(_)) => Some("not streaming".into()),
        (None, None) => None,
    }
}

/// Why an instance says nothing of itself: only where nothing else got an answer.
fn silent(samples: Option<&Samples>) -> Option<String> {
    let samples = samples?;
    let status = samples.status.as_ref().map(|p| p.answer.as_ref().err());
    let sql = samples.sql.as_ref().map(|p| p.answer.as_ref().err());
    match (status, sql) {
        (Some(Some(status)), Some(Some(_)) | None) => Some(status.why.clone()),
        _ => None,
    }
}

fn archiving(c: &Cluster, leader: Option<&Samples>, now: Timestamp) -> ArchivingReport {
    let status = leader.and_then(|s| s.status.as_ref()?.value());
    let sql = leader.and_then(|s| s.sql.as_ref()?.value()?.archiver.as_ref());
    let file = |f: Option<(String, Option<Timestamp>)>| f.map_or((None, None), |(wal, at)| (Some(wal), at));
    let known = |f: &Option<(String, Timestamp)>| f.clone().map(|(wal, at)| (wal, Some(at)));
    let (last_wal, last_at) =
        file(sql.and_then(|a| known(&a.last_archived)).or_else(|| status.and_then(|s| s.last_archived.clone())));
    let (failed_wal, failed_at) =
        file(sql.and_then(|a| known(&a.last_failed)).or_else(|| status.and_then(|s| s.last_failed.clone())));
    ArchivingReport {
        by: c.archiving.by.as_ref().map(|by| match by {
            Archiver::InTreeBarman => "barman-cloud (in-tree)".to_owned(),
            Archiver::Plugin(name) => name.clone(),
            Archiver::PgBackRest => "pgBackRest".to_owned(),
        }),
        destination: c.archiving.destination.clone(),
        working: status.and_then(|s| s.is_archiving).or_else(|| last_at.map(|at| failed_at.is_none_or(|f| at > f))),
        last_age_s: last_at.map(|at| seconds(at, now)),
        last_wal,
        last_at,
        failed_wal,
        failed_at,
        ready_wal_files: sql.and_then(|a| a.ready).or_else(|| status.and_then(|s| s.ready_wal_files)),
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
    });
    VerdictReport { level: v.level, reasons: reasons.collect() }
}

fn sources(facts: &Facts, keys: &[ClusterKey]) -> Vec<SourceReport> {
    let about = |id: &SourceId| match id {
        SourceId::Status(key) | SourceId::Metrics(key) | SourceId::Sql(key) => keys.contains(key),
        SourceId::Kubernetes(_) | SourceId::Watch(..) | SourceId::Other(_) => true,
    };
    let ill = facts.sources.iter().filter(|(id, _)| about(id)).filter_map(|(id, health)| {
        let (state, why) = match &health.state {
            SourceState::Live => return None,
            SourceState::Connecting => ("connecting", None),
            SourceState::Late(_) => ("late", None),
            SourceState::Failing { why, .. } => ("failing", Some(why.clone())),
            SourceState::Absent(why) => ("absent", Some(why.clone())),
        };
        let not_installed = state == "absent" && why.as_deref().is_some_and(|w| w.starts_with(NOT_INSTALLED));
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
        SourceId::Other(name) => name.clone(),
    }
}

fn seconds(then: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(then).as_secs().max(0)
}
