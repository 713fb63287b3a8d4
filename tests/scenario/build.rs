//! Small builders the world is made with.

use howdah::domain::cluster::*;
use howdah::domain::facts::Fact;
use howdah::domain::names::ClusterKey;
use howdah::domain::replication::{Slot, Standby, SyncMethod, SyncRule, SyncState};
use howdah::domain::sample::*;
use jiff::SignedDuration;
use std::sync::Arc;

use super::{ago, receiver};

/// A CNPG cluster of three instances in three zones; the `leads`-th is primary.
pub fn three(key: ClusterKey, leads: usize) -> Cluster {
    let name = key.name.to_string();
    let instances: Vec<_> = (1..=3)
        .map(|n| {
            let role = if n == leads { Role::Primary } else { Role::Replica };
            instance(&format!("{name}-{n}"), n as u8, role, "postgres")
        })
        .collect();
    let primary = format!("{name}-{leads}");
    let mut c = Cluster::named(key, Operator::Cnpg);
    c.uid = format!("uid-{name}");
    c.resource_version = Some(4711);
    c.operator_version = Some("1.30.0".into());
    c.postgres_version = Some("17.4".into());
    c.created = Some(ago(86_400 * 40));
    c.phase = Some(Phase { text: "Cluster in healthy state".into(), reason: None });
    c.conditions = vec![Condition {
        kind: "Ready".into(),
        status: Some(true),
        reason: "ClusterIsReady".into(),
        message: "Cluster is Ready".into(),
        since: Some(ago(3_600)),
    }];
    c.wanted = Some(3);
    c.ready = Some(3);
    c.primary = Some(primary.as_str().into());
    c.primary_since = Some(ago(3_616));
    c.target = Some(Target::Instance(primary.as_str().into()));
    c.sync = SyncPromise { method: Some("ANY".into()), number: 1, preferred: false, failover_quorum: true };
    c.slot_prefix = Some("_cnpg_".into());
    c.services = services(&name, ["rw", "ro", "r"].map(|s| format!("{name}-{s}")), &primary, &instances);
    c.volumes = volumes(&instances);
    c.lease = Some(Lease {
        holder: Some(primary.as_str().into()),
        duration_s: 15,
        acquired: Some(ago(3_617)),
        renewed: Some(ago(1)),
        transitions: Some(2),
    });
    c.archiving = Archiving {
        by: Some(Archiver::InTreeBarman),
        destination: Some("https://store/backups".into()),
        ..Archiving::default()
    };
    c.backups = Backups {
        first_recoverability_point: Some(ago(7 * 86_400)),
        last_successful: Some(ago(51 * 60)),
        listed: true,
        methods: Methods { barman: true, ..Methods::default() },
        ..Backups::default()
    };
    c.spread_over_zones = Some(SpreadRule::Required);
    c.instances = instances;
    c
}

/// An instance in zone `westus3-<zone>` with a pod that serves.
pub fn instance(name: &str, zone: u8, role: Role, container: &str) -> Instance {
    Instance {
        name: name.into(),
        role: Some(role),
        pod: Some(Arc::new(Pod {
            name: name.into(),
            uid: format!("pod-{name}"),
            phase: "Running".into(),
            ready: true,
            ready_since: Some(ago(3_600)),
            running: true,
            restarts: 0,
            trouble: None,
            node: Some(format!("aks-postgres-vmss00000{}", zone - 1).into()),
            ip: Some(format!("10.244.{zone}.17")),
            created: Some(ago(86_400)),
            started: Some(ago(86_390)),
            deleting: None,
            container: container.into(),
            status_tls: true,
            metrics_tls: false,
            limits: None,
        })),
        zone: Some(format!("westus3-{zone}").into()),
    }
}

pub fn services(_cluster: &str, names: [impl Into<String>; 3], primary: &str, all: &[Instance]) -> Vec<Service> {
    let purposes = [ServicePurpose::ReadWrite, ServicePurpose::ReadOnly, ServicePurpose::Read];
    names
        .into_iter()
        .zip(purposes)
        .map(|(name, purpose)| Service {
            name: name.into(),
            purpose,
            kind: "ClusterIP".into(),
            external: vec![],
            ports: vec![5432],
            leads_to: Some(
                all.iter()
                    .map(|i| i.name.clone())
                    .filter(|n| match purpose {
                        ServicePurpose::ReadWrite => *n == primary,
                        ServicePurpose::ReadOnly => *n != primary,
                        _ => true,
                    })
                    .collect(),
            ),
        })
        .collect()
}

fn volumes(instances: &[Instance]) -> Vec<Arc<Volume>> {
    let volume = |i: &Instance, suffix: &str, purpose| Volume {
        uid: String::new(),
        name: format!("{}{suffix}", i.name),
        instance: Some(i.name.clone()),
        purpose,
        requested: Some(2 << 30),
        capacity: Some(2 << 30),
        phase: "Bound".into(),
        class: Some("managed-csi-premium".into()),
        dangling: false,
        zone: i.zone.clone(),
    };
    let both = |i| [volume(i, "", VolumePurpose::Data), volume(i, "-wal", VolumePurpose::Wal)];
    instances.iter().flat_map(both).map(Arc::new).collect()
}

pub fn any(number: u32, names: &[&str]) -> SyncRule {
    SyncRule { method: SyncMethod::Any, number, names: names.iter().map(|n| n.to_string()).collect() }
}

/// What a primary says of itself by SQL.
pub fn leading(current: &str, timeline: u32) -> SqlSample {
    SqlSample {
        user: "postgres".into(),
        sees_all: true,
        version: Some("17.4".into()),
        in_recovery: false,
        timeline: Some(timeline),
        started: Some(ago(86_390)),
        current: Some(current.parse().unwrap()),
        sync_rule: Some(Ok(Some(any(1, &["pg-primary-2", "pg-primary-3"])))),
        synchronous_commit: Some("on".into()),
        wal_bytes: Some(1_000_000_000),
        segment_size: Some(16 << 20),
        connections: Some((42, 400)),
        ..SqlSample::default()
    }
}

/// What a standby says of itself by SQL.
pub fn following(replayed: &str, timeline: u32) -> SqlSample {
    SqlSample {
        user: "postgres".into(),
        sees_all: true,
        in_recovery: true,
        timeline: Some(timeline),
        received: Some(replayed.parse().unwrap()),
        replayed: Some(replayed.parse().unwrap()),
        replay_paused: Some(false),
        receiver: Some(receiver(timeline)),
        connections: Some((7, 400)),
        ..SqlSample::default()
    }
}

/// A row of `pg_stat_replication`; lag in microseconds.
pub fn standby(name: &str, sent: &str, replay: &str, lag_us: i64, sync: SyncState) -> Standby {
    let lag = SignedDuration::from_micros(lag_us);
    Standby {
        name: name.into(),
        state: Some("streaming".into()),
        sent: Some(sent.parse().unwrap()),
        write: Some(sent.parse().unwrap()),
        flush: Some(sent.parse().unwrap()),
        replay: Some(replay.parse().unwrap()),
        write_lag: Some(lag / 4),
        flush_lag: Some(lag / 3),
        replay_lag: Some(lag),
        sync: Some(sync),
        priority: Some(1),
        address: Some("10.244.2.17".into()),
    }
}

pub fn slot(name: &str, restart: &str, active: bool) -> Slot {
    Slot {
        name: name.into(),
        kind: "physical".into(),
        active,
        restart: Some(restart.parse().unwrap()),
        wal_status: Some(if active { "reserved" } else { "extended" }.into()),
        safe_wal_size: None,
    }
}

fn probe<T>(seconds: i64, answer: Result<T, Silence>) -> Arc<Probe<T>> {
    Arc::new(Probe { at: ago(seconds), took: SignedDuration::from_millis(6), answer })
}

/// An answer by SQL, `seconds` ago.
pub fn sql(key: &ClusterKey, instance: &str, seconds: i64, sample: SqlSample) -> Fact {
    Fact::Sql(key.clone(), instance.into(), probe(seconds, Ok(sample)))
}

/// No answer to SQL.
pub fn silent(key: &ClusterKey, instance: &str, seconds: i64, why: &str) -> Fact {
    let silence = Silence { kind: SilenceKind::Unreachable, why: why.into() };
    Fact::Sql(key.clone(), instance.into(), probe(seconds, Err(silence)))
}

/// Nobody may ask `/pg/status`.
pub fn forbidden(key: &ClusterKey, instance: &str, seconds: i64) -> Fact {
    let why = "no permission for pods/proxy in namespace legacy".into();
    Fact::Status(key.clone(), instance.into(), probe(seconds, Err(Silence { kind: SilenceKind::Forbidden, why })))
}

/// Disks `used` percent full, and nothing else of metrics.
pub fn disks(key: &ClusterKey, instance: &str, used: u64) -> Fact {
    let size = 2u64 << 30;
    let reading =
        |purpose, used: u64| DiskReading { purpose, used: size / 100 * used, size, source: "kubelet stats".into() };
    let sample = MetricsSample {
        up: Some(true),
        disks: vec![reading(VolumePurpose::Data, used), reading(VolumePurpose::Wal, used / 2)],
        ..MetricsSample::default()
    };
    Fact::Metrics(key.clone(), instance.into(), probe(3, Ok(sample)))
}
