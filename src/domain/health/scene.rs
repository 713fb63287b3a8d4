//! A healthy cluster for tests: three instances in three zones, everything answering, one minute old at most.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::cluster::*;
use crate::domain::facts::{Fact, Facts};
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::replication::{Slot, Standby, SyncState};
use crate::domain::sample::*;
use crate::domain::source::{SourceHealth, SourceId, SourceState};

/// What a test may change before the facts are made of it.
pub(crate) struct Scene {
    pub cluster: Cluster,
    pub nodes: Vec<Node>,
    pub operators: Option<Vec<OperatorState>>,
    pub status: BTreeMap<InstanceName, Result<InstanceStatus, Silence>>,
    pub sql: BTreeMap<InstanceName, Result<SqlSample, Silence>>,
    pub metrics: BTreeMap<InstanceName, Result<MetricsSample, Silence>>,
    /// They had answered before.
    pub answered_before: bool,
    pub watched: Option<SignedDuration>,
    pub sampled: SignedDuration,
}

pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

pub(crate) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(crate) fn name(n: u32) -> InstanceName {
    InstanceName::from(format!("pg-{n}"))
}

fn pod(n: u32) -> Pod {
    Pod {
        name: format!("pg-{n}"),
        uid: format!("uid-{n}"),
        phase: "Running".into(),
        ready: true,
        ready_since: Some(ago(80_000)),
        running: true,
        restarts: 0,
        trouble: None,
        node: Some(format!("node{n}").as_str().into()),
        ip: None,
        created: Some(ago(86_000)),
        started: Some(ago(86_000)),
        deleting: None,
        container: "postgres".into(),
        status_tls: true,
        metrics_tls: false,
        limits: None,
    }
}

fn service(suffix: &str, purpose: ServicePurpose, to: &[u32]) -> Service {
    Service {
        name: format!("pg-{suffix}"),
        purpose,
        kind: "ClusterIP".into(),
        external: vec![],
        ports: vec![5432],
        leads_to: Some(to.iter().map(|n| name(*n)).collect()),
    }
}

fn cluster() -> Cluster {
    let mut c = Cluster::named(ClusterKey::new("aks", "db", "pg"), Operator::Cnpg);
    c.uid = "u".into();
    c.created = Some(ago(86_400));
    c.phase = Some(Phase { text: "Cluster in healthy state".into(), reason: None });
    (c.wanted, c.ready) = (Some(3), Some(3));
    c.primary = Some(name(1));
    c.primary_since = Some(ago(80_000));
    c.target = Some(Target::Instance(name(1)));
    c.slot_prefix = Some("_cnpg_".into());
    c.spread_over_zones = Some(SpreadRule::Required);
    c.sync = SyncPromise { method: Some("ANY".into()), number: 1, preferred: false, failover_quorum: false };
    c.instances = (1..=3)
        .map(|n| Instance {
            name: name(n),
            role: Some(if n == 1 { Role::Primary } else { Role::Replica }),
            pod: Some(pod(n).into()),
            zone: Some(format!("z{n}").as_str().into()),
        })
        .collect();
    c.services = vec![
        service("rw", ServicePurpose::ReadWrite, &[1]),
        service("ro", ServicePurpose::ReadOnly, &[2, 3]),
        service("r", ServicePurpose::Read, &[1, 2, 3]),
    ];
    c.lease = Some(Lease {
        holder: Some(name(1)),
        duration_s: 15,
        acquired: Some(ago(80_000)),
        renewed: Some(ago(1)),
        transitions: Some(1),
    });
    c.archiving.by = Some(Archiver::Plugin("barman-cloud.cloudnative-pg.io".into()));
    c.backups.listed = true;
    c.backups.last_successful = Some(ago(3600));
    c.backups.first_recoverability_point = Some(ago(80_000));
    c
}

fn standby_row(n: u32) -> Standby {
    let at = "0/5000100".parse().ok();
    Standby {
        name: format!("pg-{n}"),
        state: Some("streaming".into()),
        sent: at,
        write: at,
        flush: at,
        replay: at,
        sync: Some(SyncState::Quorum),
        priority: Some(1),
        ..Standby::default()
    }
}

fn primary_sql() -> SqlSample {
    let slot = |n| Slot {
        name: format!("_cnpg_pg_{n}"),
        kind: "physical".into(),
        active: true,
        restart: "0/5000100".parse().ok(),
        ..Slot::default()
    };
    SqlSample {
        user: "postgres".into(),
        sees_all: true,
        timeline: Some(2),
        current: "0/5000100".parse().ok(),
        sync_rule: Some(crate::domain::replication::SyncRule::parse(r#"ANY 1 ("pg-2","pg-3")"#)),
        synchronous_commit: Some("on".into()),
        standbys: vec![standby_row(2), standby_row(3)],
        slots: vec![slot(2), slot(3)],
        archiver: Some(Box::new(ArchiverReading {
            archived: 4,
            last_archived: Some(("000000020000000000000004".into(), ago(60))),
            ready: Some(0),
            ..ArchiverReading::default()
        })),
        segment_size: Some(16 << 20),
        connections: Some((20, 100)),
        frozen_xid_age: Some(1_000_000),
        ..SqlSample::default()
    }
}

fn standby_sql() -> SqlSample {
    SqlSample {
        user: "postgres".into(),
        sees_all: true,
        in_recovery: true,
        timeline: Some(2),
        received: "0/5000100".parse().ok(),
        replayed: "0/5000100".parse().ok(),
        replay_paused: Some(false),
        receiver: Some(Receiver { status: Some("streaming".into()), timeline: Some(2), ..Receiver::default() }),
        ..SqlSample::default()
    }
}

impl Scene {
    /// All well.
    pub fn healthy() -> Self {
        let node = |n: u32| Node {
            name: format!("node{n}").as_str().into(),
            zone: Some(format!("z{n}").as_str().into()),
            ready: Some(true),
            unschedulable: false,
            workload: None,
            version: None,
            pressure: vec![],
            pool: None,
        };
        let operator = OperatorState {
            operator: Operator::Cnpg,
            context: "aks".into(),
            deployment: "cnpg-system/cnpg-controller-manager".into(),
            version: None,
            wanted: 1,
            available: 1,
            webhook_trouble: None,
        };
        Scene {
            cluster: cluster(),
            nodes: (1..=3).map(node).collect(),
            operators: Some(vec![operator]),
            status: BTreeMap::new(),
            sql: [(name(1), Ok(primary_sql())), (name(2), Ok(standby_sql())), (name(3), Ok(standby_sql()))].into(),
            metrics: BTreeMap::new(),
            answered_before: true,
            watched: Some(SignedDuration::from_secs(2)),
            sampled: SignedDuration::from_secs(1),
        }
    }

    /// What the primary says by SQL.
    pub fn leads(&mut self) -> &mut SqlSample {
        self.says(1)
    }

    /// What an instance says by SQL.
    pub fn says(&mut self, n: u32) -> &mut SqlSample {
        self.sql.get_mut(&name(n)).expect("it is asked by SQL").as_mut().expect("it answers")
    }

    /// An instance falls silent.
    pub fn silent(&mut self, n: u32, kind: SilenceKind) {
        self.sql.insert(name(n), Err(Silence { kind, why: "as the test wants it".into() }));
    }

    /// The facts of this scene.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        let key = self.cluster.key.clone();
        facts.absorb(Fact::Cluster(Arc::new(self.cluster.clone())));
        facts.absorb(Fact::Nodes(key.context.clone(), Arc::new(self.nodes.clone())));
        if let Some(operators) = &self.operators {
            facts.absorb(Fact::Operators(key.context.clone(), Arc::new(operators.clone())));
        }
        if let Some(watched) = self.watched {
            let health = SourceHealth { state: SourceState::Live, proven: Some(now() - watched) };
            facts.absorb(Fact::Source(SourceId::Kubernetes(key.context.clone()), health));
        }
        let at = now() - self.sampled;
        let took = SignedDuration::from_millis(4);
        if self.answered_before {
            let before = at - SignedDuration::from_secs(3);
            for n in self.sql.keys() {
                let probe =
                    Probe { at: before, took, answer: Ok(SqlSample { in_recovery: true, ..SqlSample::default() }) };
                facts.absorb(Fact::Sql(key.clone(), n.clone(), Arc::new(probe)));
            }
        }
        for (n, answer) in &self.sql {
            facts.absorb(Fact::Sql(key.clone(), n.clone(), Arc::new(Probe { at, took, answer: answer.clone() })));
        }
        for (n, answer) in &self.status {
            facts.absorb(Fact::Status(key.clone(), n.clone(), Arc::new(Probe { at, took, answer: answer.clone() })));
        }
        for (n, answer) in &self.metrics {
            facts.absorb(Fact::Metrics(key.clone(), n.clone(), Arc::new(Probe { at, took, answer: answer.clone() })));
        }
        facts
    }
}
