//! A cluster in one row: what Fleet shows and sorts by, made once when the cluster's facts change.

use jiff::Timestamp;
use std::cmp::Reverse;

use crate::domain::cluster::{self, Cluster, Hibernation};
use crate::domain::facts::Facts;
use crate::domain::health::{Health, Level, ReasonCode};
use crate::domain::names::{ClusterKey, InstanceName, ZoneName};
use crate::domain::picture::{Lag, Picture};

/// The row of one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// Which cluster.
    pub key: ClusterKey,
    /// The worse of its two verdicts.
    pub level: Level,
    /// `cnpg 1.30`.
    pub operator: String,
    /// PostgreSQL's version.
    pub postgres: Option<String>,
    /// Instances ready, and asked for.
    pub ready: (Option<u32>, Option<u32>),
    /// Zones its instances are in, and how many they could be in.
    pub zones: Option<(u32, u32)>,
    /// Who leads, and where.
    pub primary: Option<(InstanceName, Option<ZoneName>)>,
    /// Standbys that confirm commits, and how many must.
    pub sync: Option<(u32, u32)>,
    /// The worst lag.
    pub lag: Lag,
    /// That lag rises.
    pub rising: bool,
    /// When WAL was last archived.
    pub archived: Option<Timestamp>,
    /// When the last good backup ended.
    pub backup: Option<Timestamp>,
    /// How bad each of the columns is: ready, zones, primary, sync, lag, archived, backup.
    pub marks: Marks,
    /// A word for what it is besides a plain cluster: `follows pg-primary`, `hibernated`.
    pub nature: Option<String>,
    /// Its poolers, in words, the troubled first.
    pub poolers: Vec<(Level, String)>,
    /// The newest answer of any instance.
    pub seen: Option<Timestamp>,
}

/// How bad each column is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns' own names")]
pub struct Marks {
    pub ready: Level,
    pub zones: Level,
    pub primary: Level,
    pub sync: Level,
    pub lag: Level,
    pub archived: Level,
    pub backup: Level,
}

impl Digest {
    /// The row of a cluster as the facts and its verdicts show it.
    pub fn of(facts: &Facts, cluster: &Cluster, health: &Health) -> Self {
        let picture = Picture::of(facts, cluster);
        let primary = picture.primary.clone().map(|name| {
            let zone = cluster.instance(&name).and_then(|i| i.zone.clone());
            (name, zone)
        });
        Digest {
            key: cluster.key.clone(),
            level: health.headline(),
            operator: operator(cluster),
            postgres: cluster.postgres_version.clone(),
            ready: (ready(cluster), cluster.wanted),
            zones: zones(facts, cluster),
            primary,
            sync: picture.sync_kept(),
            lag: picture.worst_lag(),
            rising: health.reasons().any(|r| r.code == ReasonCode::StandbyLagRising),
            archived: picture.archiver.last.and_then(|(_, at)| at),
            backup: cluster.backups.last_successful,
            marks: Marks::of(health),
            nature: nature(cluster),
            poolers: poolers(cluster),
            seen: picture.seen(),
        }
    }
}

impl Marks {
    fn of(health: &Health) -> Self {
        use ReasonCode::*;
        let worst = |codes: &[ReasonCode]| {
            health.reasons().filter(|r| codes.contains(&r.code)).map(|r| r.level).max().unwrap_or(Level::Ok)
        };
        Marks {
            ready: worst(&[InstancesMissing, InstanceNotReady, InstanceNotServing, PodTrouble]),
            zones: worst(&[ZoneSpreadBroken]),
            primary: worst(&[
                NoPrimary,
                PrimaryNotAnswering,
                PrimaryNotReady,
                TwoPrimaries,
                FailingOver,
                SwitchingOver,
                WritesLeadNowhere,
            ]),
            sync: worst(&[SyncPromiseNotMet]),
            lag: worst(&[StandbyLagging, StandbyLagRising, StandbyNotStreaming, StandbyOnOtherTimeline, ReplayPaused]),
            archived: worst(&[ArchiveFailing, ArchiveStalled, ArchiveGap]),
            backup: worst(&[
                NoBackup,
                NothingRestorable,
                BackupTooOld,
                ScheduleBehind,
                BackupFailed,
                BackupNotRestorable,
                BackupCertificate,
            ]),
        }
    }
}

fn operator(cluster: &Cluster) -> String {
    let mut text = cluster.operator.short().to_owned();
    if let Some(version) = &cluster.operator_version {
        text.push(' ');
        // Major and minor are what behaviour depends on; the description has the rest.
        let short: Vec<&str> = version.split('.').take(2).collect();
        text.push_str(&short.join("."));
    }
    text
}

/// Ready instances: the operator's count, and where pods can be seen, never more than what they say.
fn ready(cluster: &Cluster) -> Option<u32> {
    let pods = cluster.instances.iter().filter(|i| i.pod.as_ref().is_some_and(|p| p.ready)).count() as u32;
    match cluster.ready {
        Some(told) if !cluster.instances.is_empty() => Some(told.min(pods)),
        Some(told) => Some(told),
        None if cluster.instances.is_empty() => None,
        None => Some(pods),
    }
}

fn zones(facts: &Facts, cluster: &Cluster) -> Option<(u32, u32)> {
    let nodes = facts.nodes.get(&cluster.key.context)?;
    let all = cluster::zones(nodes.iter());
    if all.is_empty() {
        return None;
    }
    let serving = cluster.instances.iter().filter(|i| i.pod.as_ref().is_some_and(|p| p.ready));
    let have: std::collections::BTreeSet<_> = serving.filter_map(|i| i.zone.as_ref()).collect();
    let could = cluster.wanted.map_or(all.len(), |w| all.len().min(w as usize));
    Some((have.len() as u32, could as u32))
}

fn nature(cluster: &Cluster) -> Option<String> {
    if cluster.deleting.is_some() {
        return Some("being deleted".into());
    }
    match cluster.hibernation {
        Some(Hibernation::Hibernated) => return Some("hibernated".into()),
        Some(Hibernation::Going) => return Some("going to sleep".into()),
        None => {}
    }
    cluster.replica_of.as_ref().filter(|r| r.enabled).map(|r| format!("follows {}", r.source))
}

fn poolers(cluster: &Cluster) -> Vec<(Level, String)> {
    let mut all: Vec<_> = cluster
        .poolers
        .iter()
        .map(|p| {
            let level = match (p.ready, p.wanted) {
                _ if p.paused => Level::Warn,
                (Some(ready), Some(wanted)) if ready >= wanted => Level::Ok,
                (Some(0), Some(_)) => Level::Bad,
                (Some(_), Some(_)) => Level::Warn,
                _ => Level::Unknown,
            };
            let count = |n: Option<u32>| n.map_or("?".into(), |n| n.to_string());
            let mut text = format!("pooler {} {} {}/{}", p.name, p.kind, count(p.ready), count(p.wanted));
            if let Some(mode) = &p.mode {
                text.push_str(&format!(" {mode}"));
            }
            if p.paused {
                text.push_str(" paused");
            }
            (level, text)
        })
        .collect();
    all.sort_by_key(|(level, _)| Reverse(*level));
    all
}
