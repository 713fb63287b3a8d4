//! A hand-made world: the clusters of the sketches, at 09:41:30 UTC on 21 November 2026.
//!
//! Not a recording: every value is chosen so that each column, mark and state of the panes has something to show.

pub mod backups;
mod build;
pub mod drill;
pub mod outside;
pub mod play;

use howdah::domain::cluster::*;
use howdah::domain::event::{Happening, Transition, What};
use howdah::domain::facts::Fact;
use howdah::domain::lsn::Lsn;
use howdah::domain::names::{ClusterKey, Context};
use howdah::domain::replication::SyncState;
use howdah::domain::sample::{ArchiverReading, Receiver};
use howdah::domain::source::{SourceHealth, SourceId, SourceState};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

pub use build::*;

/// The context all clusters are in.
pub const CONTEXT: &str = "aks-primary-cnpg";

/// The moment the world is looked at.
pub fn now() -> Timestamp {
    "2026-11-21T09:41:30Z".parse().unwrap()
}

/// `seconds` ago.
pub fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub fn key(namespace: &str, name: &str) -> ClusterKey {
    ClusterKey::new(CONTEXT, namespace, name)
}

/// Everything of the world, fresh: sources, nodes, operators, four clusters with their answers.
pub fn fresh() -> Vec<Fact> {
    let mut facts = vec![
        source(SourceId::Kubernetes(CONTEXT.into()), SourceState::Live, 1),
        Fact::Nodes(CONTEXT.into(), Arc::new(nodes())),
        Fact::Operators(CONTEXT.into(), Arc::new(operators())),
    ];
    facts.extend(pg_primary());
    facts.extend(pg_orders());
    facts.extend(hippo());
    facts.extend(pg_old());
    facts
}

/// The same sources, silent for longer than anybody may trust: every age is 90 seconds more.
pub fn late() -> Vec<Fact> {
    let since = ago(0);
    let mut out = Vec::new();
    for fact in fresh() {
        if let Fact::Source(id, health) = fact {
            out.push(Fact::Source(id, SourceHealth { state: SourceState::Late(since), proven: health.proven }));
        }
    }
    out
}

/// Sources that fail, with reasons as they come.
pub fn failing() -> Vec<Fact> {
    let again_at = now() + SignedDuration::from_secs(8);
    let fail = |id: SourceId, why: &str, seen: i64| {
        let state = SourceState::Failing { why: why.into(), again_at, try_this: None };
        Fact::Source(id, SourceHealth { state, proven: Some(ago(seen)) })
    };
    let mut out = vec![fail(SourceId::Kubernetes(CONTEXT.into()), "connection refused (127.0.0.1:6443)", 42)];
    for key in [key("cnpg-database", "pg-primary"), key("orders", "pg-orders"), key("billing", "hippo")] {
        out.push(fail(SourceId::Sql(key), "the tunnel closed: the API server went away", 44));
    }
    out
}

fn source(id: SourceId, state: SourceState, seen: i64) -> Fact {
    Fact::Source(id, SourceHealth { state, proven: Some(ago(seen)) })
}

fn sources(key: &ClusterKey) -> Vec<Fact> {
    vec![
        source(SourceId::Status(key.clone()), SourceState::Live, 1),
        source(SourceId::Metrics(key.clone()), SourceState::Live, 3),
        source(SourceId::Sql(key.clone()), SourceState::Live, 1),
    ]
}

/// Six nodes in three zones, as the guide builds them.
pub fn nodes() -> Vec<Node> {
    let node = |name: &str, zone: u8, pool: &str| Node {
        name: name.into(),
        zone: Some(format!("westus3-{zone}").into()),
        ready: Some(true),
        unschedulable: false,
        workload: (pool == "postgres").then(|| "postgres".to_owned()),
        version: Some("v1.33.5".into()),
        pressure: vec![],
        pool: Some(pool.into()),
    };
    let mut all = Vec::new();
    for zone in 1..=3 {
        all.push(node(&format!("aks-postgres-vmss00000{}", zone - 1), zone, "postgres"));
        all.push(node(&format!("aks-systempool-vmss00000{}", zone - 1), zone, "systempool"));
    }
    all
}

fn operators() -> Vec<OperatorState> {
    let state = |operator, deployment: &str, version: &str| OperatorState {
        operator,
        context: Context::from(CONTEXT),
        deployment: deployment.into(),
        version: Some(version.into()),
        wanted: 1,
        available: 1,
        webhook_trouble: None,
    };
    vec![
        state(Operator::Cnpg, "cnpg-system/cnpg-controller-manager", "1.30.0"),
        state(Operator::Pgo, "postgres-operator/pgo", "6.0.3"),
    ]
}

/// The calm one: three instances, everything as promised.
pub fn pg_primary() -> Vec<Fact> {
    let mut c = three(key("cnpg-database", "pg-primary"), 1);
    c.timeline = Some(2);
    c.poolers = vec![Pooler {
        name: "pg-primary-rw".into(),
        kind: "rw".into(),
        wanted: Some(2),
        ready: Some(2),
        mode: Some("transaction".into()),
        paused: false,
    }];
    let mut lead = leading("1/9000060", 2);
    lead.standbys = vec![
        standby("pg-primary-2", "1/9000060", "1/9000060", 400, SyncState::Quorum),
        standby("pg-primary-3", "1/9000060", "1/8FFE000", 31_000, SyncState::Quorum),
    ];
    lead.slots = vec![slot("_cnpg_pg_primary_2", "1/9000060", true), slot("_cnpg_pg_primary_3", "1/8FFE000", true)];
    lead.archiver = Some(Box::new(ArchiverReading {
        archived: 812,
        last_archived: Some(("000000020000000100000008".into(), ago(4))),
        ready: Some(0),
        ..ArchiverReading::default()
    }));
    let mut facts = sources(&c.key);
    let key = c.key.clone();
    facts.insert(0, Fact::Cluster(Arc::new(c)));
    facts.push(sql(&key, "pg-primary-1", 1, lead));
    facts.push(sql(&key, "pg-primary-2", 1, following("1/9000060", 2)));
    facts.push(sql(&key, "pg-primary-3", 1, following("1/8FFE000", 2)));
    for (name, used) in [("pg-primary-1", 31), ("pg-primary-2", 31), ("pg-primary-3", 30)] {
        facts.push(disks(&key, name, used));
    }
    facts
}

/// The same cluster when a standby has lost its pod.
pub fn worsened() -> Vec<Fact> {
    let mut facts = pg_primary();
    for fact in &mut facts {
        if let Fact::Cluster(c) = fact {
            let mut changed = (**c).clone();
            changed.instances[1].pod = None;
            changed.ready = Some(2);
            *c = Arc::new(changed);
        }
    }
    facts
}

/// The bad one: the archiver fails, a standby is lost, the sync promise is not met.
pub fn pg_orders() -> Vec<Fact> {
    let mut c = three(key("orders", "pg-orders"), 2);
    c.timeline = Some(5);
    c.ready = Some(2);
    c.backups.last_successful = Some(ago(26 * 3600));
    let third = &mut c.instances[2];
    if let Some(pod) = third.pod.as_mut().map(Arc::make_mut) {
        pod.ready = false;
        pod.ready_since = Some(ago(870));
        pod.running = false;
        pod.restarts = 7;
        pod.trouble = Some("CrashLoopBackOff: back-off 5m0s restarting failed container".into());
    }
    for service in &mut c.services {
        service.leads_to.iter_mut().for_each(|names| names.retain(|n| *n != "pg-orders-3"));
    }
    c.conditions.push(Condition {
        kind: "ContinuousArchiving".into(),
        status: Some(false),
        reason: "ContinuousArchivingFailing".into(),
        message: "unexpected failure invoking barman-cloud-wal-archive: exit status 2".into(),
        since: Some(ago(830)),
    });
    let mut lead = leading("2/4A06B7D8", 5);
    lead.sync_rule = Some(Ok(Some(any(1, &["pg-orders-1", "pg-orders-3"]))));
    lead.standbys = vec![standby("pg-orders-1", "2/4A06B7D8", "2/4A06B7D8", 900, SyncState::Async)];
    lead.slots = vec![slot("_cnpg_pg_orders_1", "2/4A06B7D8", true), slot("_cnpg_pg_orders_3", "2/1C000000", false)];
    lead.archiver = Some(Box::new(ArchiverReading {
        archived: 4_812,
        last_archived: Some(("00000005000000020000003E".into(), ago(845))),
        failed: 57,
        last_failed: Some(("00000005000000020000003F".into(), ago(2))),
        ready: Some(12),
    }));
    let mut facts = sources(&c.key);
    let key = c.key.clone();
    facts.insert(0, Fact::Cluster(Arc::new(c)));
    facts.push(sql(&key, "pg-orders-2", 2, lead));
    facts.push(sql(&key, "pg-orders-1", 2, following("2/4A06B7D8", 5)));
    facts.push(silent(&key, "pg-orders-3", 2, "connection refused"));
    facts.push(disks(&key, "pg-orders-1", 57));
    facts.push(disks(&key, "pg-orders-2", 86));
    facts
}

/// The one to watch: PGO, one standby behind and falling further.
pub fn hippo() -> Vec<Fact> {
    let mut c = Cluster::named(key("billing", "hippo"), Operator::Pgo);
    c.uid = "hippo".into();
    c.operator_version = Some("6.0".into());
    c.postgres_version = Some("16.9".into());
    c.wanted = Some(3);
    c.ready = Some(3);
    c.timeline = Some(1);
    c.sync.number = 1;
    c.archiving.by = Some(Archiver::PgBackRest);
    c.backups = Backups { last_successful: Some(ago(3 * 3600)), listed: true, ..Backups::default() };
    c.primary = Some("hippo-a-7x2k".into());
    c.instances = [("hippo-a-7x2k", 1), ("hippo-a-9q1c", 2), ("hippo-a-m4pt", 3)]
        .map(|(name, zone)| instance(name, zone, if zone == 1 { Role::Primary } else { Role::Replica }, "database"))
        .into();
    c.services = services("hippo", ["hippo-primary", "hippo-replicas", "hippo-pods"], "hippo-a-7x2k", &c.instances);
    let mut lead = leading("16/B374D848", 1);
    lead.sync_rule = Some(Ok(Some(any(1, &["*"]))));
    lead.standbys = vec![
        standby("hippo-a-9q1c", "16/B374D848", "16/B130F000", 12_000_000, SyncState::Quorum),
        standby("hippo-a-m4pt", "16/B374D848", "16/B374D848", 2_100, SyncState::Quorum),
    ];
    lead.slots = vec![slot("hippo_a_9q1c", "16/B130F000", true), slot("hippo_a_m4pt", "16/B374D848", true)];
    lead.archiver = Some(Box::new(ArchiverReading {
        archived: 96_221,
        last_archived: Some(("0000000100000016000000B2".into(), ago(21))),
        ready: Some(0),
        ..ArchiverReading::default()
    }));
    let key = c.key.clone();
    let mut facts = sources(&key);
    facts.insert(0, Fact::Cluster(Arc::new(c)));
    facts.push(sql(&key, "hippo-a-7x2k", 1, lead));
    facts.push(sql(&key, "hippo-a-9q1c", 1, following("16/B130F000", 1)));
    facts.push(sql(&key, "hippo-a-m4pt", 1, following("16/B374D848", 1)));
    facts
}

/// The one nobody may ask: an old operator, no rights.
pub fn pg_old() -> Vec<Fact> {
    let mut c = three(key("legacy", "pg-old"), 1);
    c.operator_version = Some("1.22.5".into());
    c.postgres_version = None;
    c.services.clear();
    c.backups = Backups::default();
    c.lease = None;
    let absent = |id| source(id, SourceState::Absent("no permission for pods/proxy in namespace legacy".into()), 900);
    let key = c.key.clone();
    let mut facts =
        vec![Fact::Cluster(Arc::new(c)), absent(SourceId::Status(key.clone())), absent(SourceId::Sql(key.clone()))];
    facts.extend((1..=3).map(|n| forbidden(&key, &format!("pg-old-{n}"), 9)));
    facts
}

/// Ten minutes before now, a sample every five seconds of each primary: what the graphs are made of.
pub fn past() -> Vec<(Timestamp, Vec<Fact>)> {
    (1..=120)
        .rev()
        .map(|n| {
            let seconds = n * 5;
            let phase = f64::from(n as i32);
            (ago(seconds), vec![calm_at(seconds, phase), hippo_at(seconds, phase)])
        })
        .collect()
}

/// The calm cluster under a little load, with a bump three minutes ago.
fn calm_at(seconds: i64, phase: f64) -> Fact {
    let wave = ((phase / 6.0).sin() * 2_000_000.0) as i64;
    let current = 0x1_0900_0060u64 - (seconds * 1_200_000 + wave.abs()) as u64;
    let bump = (8.0 - (seconds as f64 - 180.0).abs() / 12.0).max(0.0) * 700_000.0;
    let behind = (20_000.0 + 18_000.0 * (phase / 2.0).sin() + bump) as u64;
    let mut lead = leading("0/0", 2);
    lead.current = Some(Lsn(current));
    lead.standbys = vec![behind_by("pg-primary-2", current, behind / 9), behind_by("pg-primary-3", current, behind)];
    lead.slots = vec![slot("_cnpg_pg_primary_2", "1/8000000", true), slot("_cnpg_pg_primary_3", "1/8000000", true)];
    sql(&key("cnpg-database", "pg-primary"), "pg-primary-1", seconds, lead)
}

/// One standby falls behind since a minute ago.
fn hippo_at(seconds: i64, phase: f64) -> Fact {
    let current = 0x16_B374_D848u64 - seconds as u64 * 900_000;
    let behind = if seconds < 60 {
        (60 - seconds) as u64 * 640_000
    } else {
        40_000 + ((phase / 4.0).sin().abs() * 90_000.0) as u64
    };
    let mut lead = leading("0/0", 1);
    lead.current = Some(Lsn(current));
    lead.sync_rule = Some(Ok(Some(any(1, &["*"]))));
    lead.standbys = vec![behind_by("hippo-a-9q1c", current, behind), behind_by("hippo-a-m4pt", current, 9_000)];
    sql(&key("billing", "hippo"), "hippo-a-7x2k", seconds, lead)
}

/// A standby this many bytes behind, at half of that for write and flush, and a second for each three megabytes.
fn behind_by(name: &str, current: u64, bytes: u64) -> howdah::domain::replication::Standby {
    let replay = Lsn(current - bytes).to_string();
    let sent = Lsn(current - bytes / 2).to_string();
    standby(name, &sent, &replay, (bytes / 3) as i64, SyncState::Quorum)
}

/// A cluster of this many instances over this many zones; the last of more than six is in no known zone.
pub fn shaped(zones: u8, instances: u8) -> Vec<Fact> {
    let mut c = three(key("shapes", "shape"), 1);
    c.wanted = Some(instances.into());
    c.volumes.clear();
    c.instances = (1..=instances)
        .map(|n| instance(&format!("shape-{n}"), (n - 1) % zones + 1, Role::Replica, "postgres"))
        .collect();
    if let Some(last) = c.instances.get_mut(6) {
        last.zone = None;
        last.pod = None;
    }
    let node = |n: u8| {
        let mut node = nodes()[0].clone();
        node.name = format!("aks-postgres-vmss00000{}", n - 1).into();
        node.zone = Some(format!("westus3-{n}").into());
        node
    };
    vec![
        source(SourceId::Kubernetes(CONTEXT.into()), SourceState::Live, 1),
        Fact::Nodes(CONTEXT.into(), Arc::new((1..=zones).map(node).collect())),
        Fact::Cluster(Arc::new(c)),
    ]
}

/// What happened before now.
pub fn happenings() -> Vec<Happening> {
    let of = |namespace: &str, name: &str, seconds: i64, what: What| Happening {
        at: ago(seconds),
        context: CONTEXT.into(),
        cluster: Some(key(namespace, name)),
        what,
    };
    let event = |warning: bool, reason: &str, object: &str, message: &str, count: u32| What::Kubernetes {
        warning,
        reason: reason.into(),
        object: object.into(),
        message: message.into(),
        count,
        uid: format!("{object}-{reason}"),
    };
    let orders = |s, what| of("orders", "pg-orders", s, what);
    let calm = |s, what| of("cnpg-database", "pg-primary", s, what);
    vec![
        calm(
            3_620,
            event(
                false,
                "SwitchingOver",
                "Cluster/pg-primary",
                "Current primary isn't healthy, switching over to pg-primary-1",
                1,
            ),
        ),
        calm(
            3_618,
            What::Transition(Transition::Target { from: Some("pg-primary-2".into()), to: Some("pg-primary-1".into()) }),
        ),
        calm(
            3_616,
            What::Transition(Transition::Primary {
                from: Some("pg-primary-2".into()),
                to: Some("pg-primary-1".into()),
            }),
        ),
        calm(3_616, What::Transition(Transition::Timeline { from: Some(1), to: Some(2) })),
        calm(
            3_614,
            What::Transition(Transition::ReadWrite {
                from: vec!["pg-primary-2".into()],
                to: vec!["pg-primary-1".into()],
            }),
        ),
        orders(
            871,
            event(
                true,
                "BackOff",
                "Pod/pg-orders-3",
                "Back-off restarting failed container postgres in pod pg-orders-3",
                41,
            ),
        ),
        orders(870, What::Transition(Transition::Pod { instance: "pg-orders-3".into(), change: "not ready".into() })),
        orders(869, What::Transition(Transition::Streaming { instance: "pg-orders-3".into(), streaming: false })),
        orders(
            830,
            What::Transition(Transition::Condition {
                kind: "ContinuousArchiving".into(),
                status: Some(false),
                reason: "ContinuousArchivingFailing".into(),
            }),
        ),
        of(
            "billing",
            "hippo",
            200,
            event(
                false,
                "SuccessfulCreate",
                "Job/hippo-repo1-full",
                "created pod: hippo-repo1-full-2q8xk 予備 バックアップ",
                1,
            ),
        ),
        Happening {
            at: ago(30),
            context: CONTEXT.into(),
            cluster: None,
            what: What::Notice {
                text: "the lease of node aks-systempool-vmss000001 was renewed late".into(),
                warning: false,
            },
        },
    ]
}

/// A receiver that streams on this timeline.
pub fn receiver(timeline: u32) -> Receiver {
    Receiver { status: Some("streaming".into()), timeline: Some(timeline), ..Receiver::default() }
}
