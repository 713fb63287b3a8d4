//! Joining a cluster's objects into one picture.

use std::sync::Arc;

use crate::adapters::kubernetes::decode::Said;
use crate::adapters::kubernetes::kinds::Kind;
use crate::adapters::kubernetes::objects::World;
use crate::adapters::kubernetes::pods::PodPart;
use crate::domain::cluster::*;
use crate::domain::names::{ClusterKey, InstanceName, ZoneName};

use super::spec::Own;

/// Backups kept in a picture: the newest ones.
const BACKUPS: usize = 50;
/// Complaints kept in a picture: the newest ones.
const COMPLAINTS: usize = 12;

/// The cluster as its objects describe it; `None` when there is no such cluster.
pub fn picture(world: &World, key: &ClusterKey) -> Option<Cluster> {
    let Said::Cluster(own) = &world.part(Kind::Cluster, &key.namespace, &key.name)?.said else { return None };
    let mut c = own.cluster.clone();
    c.key = key.clone();
    c.operator_version = operator_version(world, key);
    c.instances = instances(world, key, own);
    c.services = services(world, key);
    c.volumes = volumes(world, key, own);
    c.lease = world.of(key, Kind::Lease).find(|(name, _)| *name == &*key.name).and_then(|(_, p)| match &p.said {
        Said::Lease(l) => Some((**l).clone()),
        _ => None,
    });
    c.quorum = world.of(key, Kind::FailoverQuorum).find_map(|(_, p)| match &p.said {
        Said::Quorum(q) => Some((**q).clone()),
        _ => None,
    });
    c.poolers = world
        .of(key, Kind::Pooler)
        .filter_map(|(_, p)| if let Said::Pooler(p) = &p.said { Some((**p).clone()) } else { None })
        .collect();
    c.jobs = jobs(world, key);
    backups(world, key, own, &mut c);
    c.complaints = complaints(world, key);
    Some(c)
}

fn pods<'w>(world: &'w World, key: &ClusterKey) -> impl Iterator<Item = &'w PodPart> {
    world.of(key, Kind::Pod).filter_map(|(_, p)| p.pod())
}

/// The newest of those that made its pods: all the same, but for the time of an upgrade.
fn operator_version(world: &World, key: &ClusterKey) -> Option<String> {
    let newer = |a, b| if a == b || version_order(a) > version_order(b) { a } else { b };
    pods(world, key).filter_map(|p| p.operator_version.as_deref()).reduce(newer).map(str::to_owned)
}

fn version_order(version: &str) -> Vec<u32> {
    version.split('.').map(|n| n.parse().unwrap_or(0)).collect()
}

pub(super) fn zone_of(world: &World, pod: &Pod) -> Option<ZoneName> {
    world.part(Kind::Node, "", pod.node.as_ref()?.as_str())?.node()?.zone.clone()
}

fn counted(name: &InstanceName) -> (usize, &InstanceName) {
    (name.as_str().len(), name)
}

/// From pods and from the status's names, ordered by name as a person counts (`demo-2` before `demo-10`).
fn instances(world: &World, key: &ClusterKey, own: &Own) -> Vec<Instance> {
    let bare = |name: &InstanceName| Instance { name: name.clone(), role: None, pod: None, zone: None };
    let mut all: Vec<Instance> = own.names.iter().map(bare).collect();
    all.sort_by(|a, b| counted(&a.name).cmp(&counted(&b.name)));
    all.dedup_by(|a, b| a.name == b.name);
    for part in pods(world, key) {
        let Some(name) = &part.instance else { continue };
        let place = all.binary_search_by(|i| counted(&i.name).cmp(&counted(name))).unwrap_or_else(|place| {
            all.insert(place, bare(name));
            place
        });
        let i = &mut all[place];
        i.role = part.role;
        i.zone = zone_of(world, &part.pod);
        i.pod = Some(part.pod.clone());
    }
    all
}

fn services(world: &World, key: &ClusterKey) -> Vec<Service> {
    // EndpointSlices where they can be read, else Endpoints.
    let kinds = [Kind::EndpointSlice, Kind::Endpoints];
    let readable = kinds.into_iter().find(|k| !world.is_absent(*k, &key.namespace));
    let mut services: Vec<_> = world
        .of(key, Kind::Service)
        .filter_map(|(_, p)| if let Said::Service(s) = &p.said { Some((**s).clone()) } else { None })
        .collect();
    for s in &mut services {
        s.leads_to = readable.and_then(|kind| leads_to(world, key, kind, &s.name));
    }
    services.sort_by(|a, b| (a.purpose, &a.name).cmp(&(b.purpose, &b.name)));
    services
}

/// The pods behind a service. `None` before any endpoints object of it was seen: Kubernetes makes one for every service,
/// if only an empty one, so none at all means that it is not known yet.
fn leads_to(world: &World, key: &ClusterKey, kind: Kind, service: &str) -> Option<Vec<InstanceName>> {
    let mut seen = world.endpoints(&key.namespace, kind, service).peekable();
    seen.peek()?;
    let mut pods: Vec<_> = seen.flatten().cloned().collect();
    pods.sort();
    pods.dedup();
    Some(pods)
}

fn volumes(world: &World, key: &ClusterKey, own: &Own) -> Vec<Arc<Volume>> {
    world
        .of(key, Kind::Pvc)
        .filter_map(|(_, p)| if let Said::Volume(v) = &p.said { Some(v) } else { None })
        .map(|v| match own.dangling.contains(&v.name) {
            true => Arc::new(Volume { dangling: true, ..(**v).clone() }),
            false => v.clone(),
        })
        .collect()
}

/// Jobs with the attempt that failed last, and the trouble of the pod that waits or failed.
fn jobs(world: &World, key: &ClusterKey) -> Vec<Job> {
    let newest = |job: &str| pods(world, key).filter(|p| p.job.as_deref() == Some(job)).max_by_key(|p| p.pod.created);
    let with_attempt = |mut j: Job| {
        let pod = newest(&j.name);
        j.active = pod.map_or(j.active, |p| p.ended.is_none() && p.pod.phase != "Succeeded");
        let waits = pod.filter(|p| p.ended.is_none()).and_then(|p| p.pod.trouble.clone());
        // A pod's end is told some seconds before the job counts it.
        j.attempt = world.attempt(&key.namespace, &j);
        j.failed = j.failed.max(j.attempt.as_ref().map_or(0, |a| a.number));
        if !j.done {
            let failed = j.attempt.as_ref().map(|a| format!("attempt {}: {}", a.number, a.cause()));
            let all: Vec<String> = failed.into_iter().chain(j.trouble.take()).chain(waits).collect();
            j.trouble = (!all.is_empty()).then(|| all.join("; "));
        }
        j
    };
    world
        .of(key, Kind::Job)
        .filter_map(|(_, p)| if let Said::Job(j) = &p.said { Some(with_attempt((**j).clone())) } else { None })
        .collect()
}

fn backups(world: &World, key: &ClusterKey, own: &Own, c: &mut Cluster) {
    c.backups.listed = !world.is_absent(Kind::Backup, &key.namespace);
    c.backups.objects = world
        .of(key, Kind::Backup)
        .filter_map(|(_, p)| if let Said::Backup(b) = &p.said { Some(b.clone()) } else { None })
        .collect();
    c.backups.objects.sort_by(|a, b| (b.started, &b.name).cmp(&(a.started, &a.name)));
    c.backups.objects.truncate(BACKUPS);
    c.backups.snapshots_listed = !world.is_absent(Kind::VolumeSnapshot, &key.namespace);
    c.backups.snapshots = world
        .of(key, Kind::VolumeSnapshot)
        .filter_map(|(_, p)| if let Said::Snapshot(s) = &p.said { Some(s.clone()) } else { None })
        .collect();
    c.backups.schedules = world
        .of(key, Kind::ScheduledBackup)
        .filter_map(|(_, p)| if let Said::Schedule(s) = &p.said { Some((**s).clone()) } else { None })
        .collect();
    let Some((store, server)) = &own.store else { return };
    let Some(Said::Store(store)) = world.part(Kind::ObjectStore, &key.namespace, store).map(|p| &p.said) else {
        return;
    };
    c.archiving.destination = store.destination.clone();
    c.backups.retention = store.retention.clone();
    if let Some(w) = store.windows.iter().find(|w| w.server == *server) {
        c.backups.first_recoverability_point = w.first.or(c.backups.first_recoverability_point);
        c.backups.last_successful = w.last_good.max(c.backups.last_successful);
        c.backups.last_failed = w.last_failed.max(c.backups.last_failed);
    }
}

/// What objects of the cluster complain about, newest first: claims and pods of jobs as events tell it.
fn complaints(world: &World, key: &ClusterKey) -> Vec<Complaint> {
    let mut found: Vec<_> = world.complaints(key).collect();
    found.sort_by_key(|(event, c)| (std::cmp::Reverse(c.at), *event));
    found.dedup_by(|(_, a), (_, b)| a.object == b.object && a.reason == b.reason);
    found.into_iter().take(COMPLAINTS).map(|(_, c)| c.clone()).collect()
}
