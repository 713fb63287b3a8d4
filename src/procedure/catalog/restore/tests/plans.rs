//! Plans on the health scene, with a store that holds an hour: what speaks against a restore, and its steps.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::Arc;

use super::recorded;
use crate::domain::backup::{Archive, RecoveryTarget, StoreListing};
use crate::domain::cluster::Cluster;
use crate::domain::facts::Facts;
use crate::domain::health::Limits;
use crate::domain::health::scene::{Scene, ago, now};
use crate::problem::{Exit, Problem};
use crate::procedure::catalog::restore::{Ground, RestoreWish, plan};
use crate::procedure::catalog::{View, admit};
use crate::procedure::check::Check;
use crate::procedure::order::Order;
use crate::procedure::plan::{Gate, Plan, Weight};

/// A segment every five minutes for an hour, and a base backup at its begin. Segment 6 may be missing.
fn listing(whole: bool) -> StoreListing {
    let mut archive = Archive::default();
    let minute = |n: i64| ago(3_600) + SignedDuration::from_mins(n * 5);
    for n in (1..=12).filter(|n| whole || *n != 6) {
        archive.feed(&format!("wals/0000000200000000/0000000200000000{n:08X}"), 1, minute(n));
    }
    let key = "base/20261120T230000/backup.info";
    archive.feed(key, 1, minute(2));
    archive.feed("base/20261120T230000/data.tar", 1, minute(2));
    let name = "0000000200000000";
    let text = format!(
        "status=DONE\ntimeline=2\nversion=170011\ncluster_size=31067936\nbegin_wal={name}00000001\nend_wal={name}00000002\n\
         end_xlog=0/2087A78\nbegin_time={}\nend_time={}\n",
        minute(1),
        minute(2)
    );
    archive.tell(key, Ok(&text));
    StoreListing {
        destination: "http://store/backups".into(),
        server: "shop".into(),
        archive,
        asked: ago(1),
        took: SignedDuration::ZERO,
        pages: 1,
        whole: true,
    }
}

/// What is asked for, and of what.
struct Case {
    scene: Scene,
    wish: RestoreWish,
    ground: Ground,
    whole: bool,
}

impl Case {
    fn new() -> Case {
        let scene = Scene::healthy();
        let wish = RestoreWish {
            cluster: scene.cluster.key.clone(),
            name: "again".into(),
            target: RecoveryTarget::Time(at(40)),
            backup: None,
            instances: None,
            archive_as: None,
            service_account: None,
            because: None,
        };
        let mut source = recorded();
        source.cluster["metadata"]["name"] = (*scene.cluster.key.name).into();
        source.cluster["metadata"]["namespace"] = (*scene.cluster.key.namespace).into();
        Case { scene, wish, ground: Ground { source, claims: Some(Vec::new()) }, whole: true }
    }

    fn plan_with(&self, change: impl FnOnce(&mut Facts)) -> Result<Plan, Problem> {
        let mut facts = self.scene.facts();
        facts.stores.insert(self.scene.cluster.key.clone(), Arc::new(listing(self.whole)));
        change(&mut facts);
        plan(&self.wish, &self.ground, View { facts: &facts, history: None, limits: &Limits::default(), now: now() })
    }

    fn plan(&self) -> Plan {
        self.plan_with(|_| {}).unwrap()
    }

    /// The heaviest that is said about it.
    fn said(&self, about: &str) -> (Weight, String) {
        let plan = self.plan();
        let found = plan.findings.iter().filter(|f| f.about == about).max_by_key(|f| f.weight);
        found.map(|f| (f.weight, f.text.clone())).unwrap_or_else(|| panic!("{about}: {:#?}", plan.findings))
    }
}

/// So many minutes into the hour.
fn at(minutes: i64) -> Timestamp {
    ago(3_600) + SignedDuration::from_mins(minutes)
}

#[test]
fn it_is_made_recovers_leads_and_has_its_standbys() {
    let case = Case::new();
    let plan = case.plan();
    admit(&plan).unwrap_or_else(|p| panic!("{p}\n{:#?}", plan.findings));
    let steps: Vec<&str> = plan.steps.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(steps, ["create", "recovering", "leads", "redundant"]);
    assert_eq!(plan.steps[0].gate, Gate::Approve);
    let Some(Order::Create(create)) = &plan.steps[0].order else { panic!("{:?}", plan.steps[0].order) };
    assert_eq!(create.target.object.name, "again");
    assert!(matches!(&plan.steps[0].undo, Some(Order::Delete(delete)) if delete.target.object.name == "again"));
    assert!(
        plan.steps.iter().all(|s| matches!(&s.check, Some(Check::Of { cluster, .. }) if &*cluster.name == "again"))
    );
    assert_eq!(plan.premise.uid, case.scene.cluster.uid);
    assert!(plan.premise.values.is_empty(), "who leads the source is no matter");
    assert_eq!((plan.mistake(), plan.clusters().len()), (None, 2));
    assert_eq!(plan.parameters["backup"], "20261120T230000");
    let alone = Case { wish: RestoreWish { instances: Some(1), ..case.wish.clone() }, ..case };
    assert_eq!(alone.plan().steps.len(), 3);
}

#[test]
fn beyond_a_gap_is_refused_by_its_name() {
    let case = Case { whole: false, ..Case::new() };
    let why = case.plan_with(|_| {}).unwrap_err();
    assert_eq!(why.exit, Exit::Refused);
    assert!(why.because.unwrap().contains("000000020000000000000006"));
    let unlisted = case.plan_with(|facts| facts.stores.clear()).unwrap_err();
    assert!(unlisted.because.unwrap().contains("was not listed"));
}

#[test]
fn a_name_that_is_taken_blocks() {
    let mut case = Case::new();
    let key = case.scene.cluster.key.clone();
    let other = Cluster {
        key: crate::domain::names::ClusterKey::new(key.context, &key.namespace, "again"),
        ..case.scene.cluster.clone()
    };
    let plan = case.plan_with(|facts| drop(facts.clusters.insert(other.key.clone(), Arc::new(other.clone())))).unwrap();
    assert!(admit(&plan).unwrap_err().because.unwrap().contains("already"));
    case.ground.claims = Some(vec!["again-1".into()]);
    assert_eq!(case.said("name").0, Weight::Blocks);
    case.ground.claims = None;
    assert_eq!(case.said("name").0, Weight::Heed);
    case.wish.name = "Again".into();
    assert_eq!(case.plan_with(|_| {}).unwrap_err().exit, Exit::Usage);
}

#[test]
fn nobody_writes_into_anothers_archive() {
    let mut case = Case::new();
    let (weight, text) = case.said("its archive");
    assert!(weight == Weight::Heed && text.contains("archive NOTHING"), "{text}");
    case.wish.archive_as = Some("shop".into());
    let (weight, text) = case.said("its archive");
    assert!(weight == Weight::Blocks && text.contains("Expected empty archive"), "{text}");
    case.wish.archive_as = Some("again".into());
    assert_eq!(case.said("its archive").0, Weight::Good);
}

#[test]
fn an_identity_is_bound_to_its_service_account() {
    let mut case = Case::new();
    case.ground.source.cluster["spec"]["backup"]["barmanObjectStore"]["azureCredentials"] =
        json!({"inheritFromAzureAD": true});
    case.scene.cluster.operator_version = Some("1.30.0".into());
    let namespace = case.scene.cluster.key.namespace.to_string();
    let (weight, text) = case.said("identity");
    assert_eq!(weight, Weight::Heed);
    assert!(text.contains(&format!("--subject system:serviceaccount:{namespace}:again")), "{text}");
    assert!(text.ends_with(&format!("or --service-account {}", case.scene.cluster.key.name)), "{text}");
    case.wish.service_account = Some(case.scene.cluster.key.name.to_string());
    assert_eq!(case.said("identity").0, Weight::Good);
    case.scene.cluster.operator_version = Some("1.28.3".into());
    assert_eq!(case.said("identity").0, Weight::Blocks);
    case.scene.cluster.operator_version = Some("1.31.0".into());
    assert_eq!(case.said("barmanObjectStore").0, Weight::Blocks);
}
