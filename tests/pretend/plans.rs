//! The plans that must survive. A new one is one line in [`all`].

use howdah::domain::cluster::{Cluster, Fenced, Hibernation, Schedule};
use howdah::domain::detail::ObjectRef;
use howdah::domain::facts::Facts;
use howdah::domain::health::Limits;
use howdah::domain::names::ClusterKey;
use howdah::problem::Problem;
use howdah::procedure::catalog::backup::{Scheduling, Take};
use howdah::procedure::catalog::drills::{Beat, Blow, DrillWish, RestoreDrill};
use howdah::procedure::catalog::restore::Source;
use howdah::procedure::catalog::{self, Act, Chosen, View, Wish};
use howdah::procedure::drill::Objectives;
use howdah::procedure::heartbeat::Heartbeat;
use howdah::procedure::order::{Create, Delete, Form, Patch, Target};
use howdah::procedure::{Check, Gate, Kind, Order, Plan, Premise, Step};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::scenario;

/// A plan, and what its cluster object holds beside the plan's premise.
pub struct Case {
    pub name: String,
    pub plan: Plan,
    pub seed: Vec<(&'static str, Value)>,
}

/// Every plan, by name: three of its own, then the catalog's.
pub fn all() -> Vec<Case> {
    let own = [("side by side, undo, cleanup, gates", zone()), ("heartbeat", drill()), ("no checks", bare())];
    let own = own.map(|(name, plan)| (name.to_owned(), plan));
    own.into_iter()
        .chain(acts())
        .chain(drills())
        .chain([restore_drill(true), restore_drill(false)])
        .map(|(name, plan)| Case { seed: seed(&name), name, plan })
        .collect()
}

fn seed(name: &str) -> Vec<(&'static str, Value)> {
    match name {
        "unfence" => vec![("/metadata/annotations/cnpg.io~1fencedInstances", json!(r#"["pg-primary-2"]"#))],
        "end of maintenance" => vec![("/spec/nodeMaintenanceWindow/inProgress", true.into())],
        _ => Vec::new(),
    }
}

fn pg() -> ClusterKey {
    scenario::key("cnpg-database", "pg-primary")
}

/// What is done to the calm cluster before it is planned for.
type Change = fn(&mut Cluster);

/// The calm cluster of the scenario, but for what `change` makes of it.
fn facts(change: Change) -> Facts {
    let mut facts = Facts::default();
    for fact in scenario::fresh() {
        facts.absorb(fact);
    }
    let mut cluster = (*facts.clusters[&pg()]).clone();
    change(&mut cluster);
    facts.clusters.insert(pg(), Arc::new(cluster));
    facts
}

fn planned<T>(change: Change, plan: impl FnOnce(View<'_>) -> Result<T, Problem>) -> T {
    let (facts, limits) = (facts(change), Limits::default());
    let view = View { facts: &facts, history: None, limits: &limits, now: scenario::now() };
    plan(view).unwrap_or_else(|problem| panic!("{problem}"))
}

fn acts() -> Vec<(String, Plan)> {
    let calm: Change = |_| {};
    let second = || Chosen::These(vec!["pg-primary-2".into()]);
    let all: Vec<(&str, Change, Act)> = vec![
        ("switchover", calm, Act::Switchover { to: None }),
        ("restart a standby", calm, Act::Restart { instance: Some("pg-primary-2".into()) }),
        ("restart the primary", calm, Act::Restart { instance: Some("pg-primary-1".into()) }),
        ("restart all", calm, Act::Restart { instance: None }),
        ("reload", calm, Act::Reload),
        ("fence", calm, Act::Fence { instances: second() }),
        ("fence all", calm, Act::Fence { instances: Chosen::All }),
        ("unfence", |c| c.fenced = Fenced::Some(["pg-primary-2".into()].into()), Act::Unfence { instances: second() }),
        ("hibernate", calm, Act::Hibernate),
        ("wake", |c| c.hibernation = Some(Hibernation::Hibernated), Act::Wake),
        ("rebuild", calm, Act::Rebuild { instance: "pg-primary-3".into() }),
        ("scale up", calm, Act::Scale { instances: 5 }),
        ("scale down", calm, Act::Scale { instances: 2 }),
        ("maintenance", calm, Act::Maintenance { open: true, reuse_volumes: None }),
        ("end of maintenance", |c| c.maintenance = true, Act::Maintenance { open: false, reuse_volumes: None }),
        ("take a backup", |c| c.backups.methods.barman = true, Act::TakeBackup(Take::default())),
        ("schedule", |c| c.backups.methods.barman = true, scheduling("new", |s| s.cron = Some("0 0 3 * * *".into()))),
        ("suspend a schedule", scheduled, scheduling("nightly", |s| s.suspend = Some(true))),
        ("reschedule", scheduled, scheduling("nightly", |s| s.cron = Some("0 0 4 * * *".into()))),
        ("delete a schedule", scheduled, scheduling("nightly", |s| s.delete = true)),
    ];
    let plan = |(name, change, act): (&str, Change, Act)| {
        let wish = Wish { cluster: pg(), act, because: Some("a test".into()) };
        (name.to_owned(), planned(change, |view| catalog::plan(&wish, view)))
    };
    all.into_iter().map(plan).collect()
}

fn scheduled(cluster: &mut Cluster) {
    cluster.backups.schedules = vec![Schedule {
        name: "nightly".into(),
        cron: "0 0 3 * * *".into(),
        uid: "uid-nightly".into(),
        ..Schedule::default()
    }];
}

fn scheduling(name: &str, change: impl FnOnce(&mut Scheduling)) -> Act {
    let mut wanted = Scheduling { name: Some(name.into()), ..Scheduling::default() };
    change(&mut wanted);
    Act::Schedule(wanted)
}

fn drills() -> Vec<(String, Plan)> {
    let blows = [
        ("failover drill", Blow::Failover),
        ("switchover drill", Blow::Switchover(None)),
        ("zone loss drill", Blow::ZoneLoss { zone: None, lab: false }),
        ("zone loss drill in the lab", Blow::ZoneLoss { zone: None, lab: true }),
        ("standby loss drill", Blow::StandbyLoss(None)),
    ];
    let plan = |(name, blow): (&str, Blow), back: bool| {
        let wish = DrillWish {
            cluster: pg(),
            blow,
            back,
            objectives: Objectives::default(),
            beat: Beat::default(),
            because: Some("a test".into()),
        };
        let name = if back { format!("{name}, and back") } else { name.to_owned() };
        (name, planned(|_| {}, |view| catalog::drills::plan(&wish, view)))
    };
    blows.into_iter().flat_map(|blow| [plan(blow.clone(), false), plan(blow, true)]).collect()
}

/// Its scratch cluster is made of a source that was recorded.
fn restore_drill(take: bool) -> (String, Plan) {
    let mut facts = facts(|c| c.backups.methods.barman = true);
    for fact in scenario::backups::stored() {
        facts.absorb(fact);
    }
    let cluster = serde_json::from_str(include_str!("../fixtures/restore/source.json")).unwrap();
    let wish = RestoreDrill { take, because: Some("a test".into()), ..RestoreDrill::of(pg()) };
    let limits = Limits::default();
    let view = View { facts: &facts, history: None, limits: &limits, now: scenario::now() };
    let plan = catalog::drills::restore(&wish, &Source { cluster, object_store: None }, view);
    let name = if take { "restore drill of a backup of its own" } else { "restore drill" };
    (name.to_owned(), plan.unwrap_or_else(|problem| panic!("{problem}")))
}

fn target(kind: &str, plural: &str, name: &str) -> Target {
    let api_version = if kind == "Cluster" { "postgresql.cnpg.io/v1" } else { "v1" };
    let namespace = if kind == "Node" { "" } else { "pg" };
    let object = ObjectRef {
        context: "aks".into(),
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    Target { object, plural: plural.into(), subresource: None }
}

fn patch(target: Target, pointer: &str, value: Value) -> Order {
    let mut body = json!({});
    super::put(&mut body, pointer, value.clone());
    let mark = vec![(pointer.to_owned(), value)];
    Order::Patch(Patch { target, form: Form::Merge, body, refresh: Vec::new(), lock: true, mark })
}

fn cordon(node: &str, yes: bool) -> Order {
    patch(target("Node", "nodes", node), "/spec/unschedulable", if yes { true.into() } else { Value::Null })
}

fn annotate(name: &str, value: Value) -> Order {
    patch(target("Cluster", "clusters", "orders"), &format!("/metadata/annotations/{name}"), value)
}

fn pod(name: &str) -> Delete {
    Delete { target: target("Pod", "pods", name), uid: format!("uid-{name}"), grace: Some(1) }
}

fn minute() -> SignedDuration {
    SignedDuration::from_mins(1)
}

fn plan(title: &str, steps: Vec<Step>) -> Plan {
    Plan {
        kind: Kind::ZoneLossDrill,
        cluster: ClusterKey::new("aks", "pg", "orders"),
        title: title.into(),
        made: Timestamp::from_second(1_795_000_000).unwrap(),
        parameters: BTreeMap::new(),
        findings: Vec::new(),
        candidates: Vec::new(),
        objectives: None,
        premise: Premise {
            uid: "uid-orders".into(),
            values: BTreeMap::from([("/status/currentPrimary".to_owned(), json!("orders-1"))]),
        },
        steps,
    }
}

/// Two nodes are cordoned side by side, a pod is evicted, and everything has a way back.
fn zone() -> Plan {
    let cordoned = |node: &str| Check::Cordoned { node: node.into(), yes: true };
    let step = |id: &str| Step::new(id, id, "");
    plan(
        "lose a zone",
        vec![
            step("cordon-a")
                .gated(Gate::TypeName("orders".into()))
                .does(cordon("a", true))
                .proven_by(cordoned("a"), minute())
                .undone_by(cordon("a", false)),
            step("cordon-b")
                .gated(Gate::Approve)
                .does(cordon("b", true))
                .proven_by(cordoned("b"), minute())
                .undone_by(cordon("b", false)),
            step("evict")
                .after(&["cordon-a", "cordon-b"])
                .does(Order::Evict(pod("orders-1")))
                .proven_by(Check::PodGone { instance: "orders-1".into(), uid: "uid-orders-1".into() }, minute()),
            step("whole").after(&["evict"]).proven_by(Check::FullyRedundant { instances: 3 }, minute()),
            step("note")
                .after(&["cordon-a"])
                .does(annotate("note", json!("here")))
                .proven_by(Check::Settled, minute())
                .undone_by(annotate("note", Value::Null)),
            step("sweep")
                .after(&["evict"])
                .does(annotate("swept", json!("yes")))
                .proven_by(Check::Settled, minute())
                .cleans_up(),
            step("look").after(&["whole"]).gated(Gate::ByHand("look".into())).cleans_up(),
        ],
    )
}

/// A heartbeat beside a killed pod and a promotion, counted and swept.
fn drill() -> Plan {
    let beat = Heartbeat {
        cluster: ClusterKey::new("aks", "pg", "orders"),
        database: "app".into(),
        table: "howdah_drill_20261121_031500".into(),
        writers: 4,
        every: SignedDuration::from_millis(50),
        readers: 2,
        patience: SignedDuration::from_secs(1),
        commit: None,
        keep: false,
    };
    let step = |id: &str| Step::new(id, id, "");
    let promote = patch(target("Cluster", "clusters", "orders"), "/status/targetPrimary", json!("orders-3"));
    plan(
        "fail over",
        vec![
            step("beat").does(Order::Heartbeat(beat.clone())).proven_by(Check::Beats(10), minute()),
            step("kill")
                .after(&["beat"])
                .gated(Gate::Approve)
                .does(Order::Delete(pod("orders-1")))
                .proven_by(Check::PodGone { instance: "orders-1".into(), uid: "uid-orders-1".into() }, minute()),
            step("elect")
                .after(&["kill"])
                .proven_by(Check::AnotherLeads { than: "orders-1".into(), after: None }, minute()),
            step("promote")
                .after(&["elect"])
                .does(promote)
                .proven_by(Check::Leads { instance: "orders-3".into() }, minute()),
            step("looked").after(&["promote"]).gated(Gate::ByHand("look at the application".into())),
            step("count").after(&["beat", "looked"]).does(Order::Count(beat.clone())).cleans_up(),
            step("sweep").after(&["beat", "count"]).does(Order::Sweep(beat)).cleans_up(),
        ],
    )
}

/// Nothing proves these steps: interrupted, each of them asks.
fn bare() -> Plan {
    let step = |id: &str| Step::new(id, id, "");
    let backup = Create {
        target: target("Backup", "backups", "orders-20261121"),
        body: json!({"kind": "Backup", "metadata": {"name": "orders-20261121"}}),
    };
    plan(
        "nothing proves it",
        vec![
            step("backup").does(Order::Create(backup)),
            step("reload").after(&["backup"]).does(annotate("reload", json!("now"))),
            step("pod").after(&["backup"]).does(Order::Delete(pod("orders-3"))),
        ],
    )
}
