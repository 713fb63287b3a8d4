//! Manifests out of a source that was recorded, and out of the guide's.

mod plans;

use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::*;
use crate::domain::backup::continuity::Window;
use crate::domain::backup::target::{ChosenBase, Plotted, RecoveryTarget, Replay};
use crate::procedure::plan::{Finding, Weight};

const SOURCE: &str = include_str!("../../../../../tests/fixtures/restore/source.json");
const RESTORED: &str = include_str!("../../../../../tests/fixtures/restore/restored.json");

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn recorded() -> Source {
    Source { cluster: read(SOURCE), object_store: None }
}

fn plotted(target: &str) -> Plotted {
    let wal = "000000010000000000000003".parse().unwrap();
    Plotted {
        target: RecoveryTarget::parse(target).unwrap(),
        base: ChosenBase {
            id: "20261120T225646".into(),
            object: Some("once".into()),
            timeline: Some(1),
            ended: Some("2026-11-20T22:56:48.58073Z".parse().unwrap()),
            reached: Some("0/4087A78".parse().unwrap()),
            stored: Some(4 << 20),
            data: Some(31_067_936),
            version: Some(170_011),
            tablespaces: Vec::new(),
        },
        window: Window {
            from: None,
            from_lsn: None,
            last: wal,
            until: None,
            timeline: 1,
            gap: None,
            bases: vec!["20261120T225646".into()],
        },
        replay: Replay { first: Some(wal), segments: 3, bytes: 3 << 24, at_most: true },
        lead_to: None,
        by_itself: None,
    }
}

fn wanted(name: &str, instances: u32) -> Wanted {
    Wanted {
        name: name.into(),
        plotted: plotted("2026-11-20T22:57:22.985094Z"),
        instances,
        archive_as: None,
        service_account: None,
        labels: BTreeMap::new(),
        scratch: None,
    }
}

fn texts(findings: &[Finding], weight: Weight) -> Vec<&str> {
    findings.iter().filter(|f| f.weight == weight).map(|f| f.text.as_str()).collect()
}

/// The same as was applied and recorded, but for the base backup, which is named here, and a parameter of the source's that
/// was left out there.
#[test]
fn the_recorded_restore() {
    let made = Manifest::of(&recorded(), &wanted("shop-restored", 1)).unwrap();
    let mut spec = made.body["spec"].clone();
    let target = spec["bootstrap"]["recovery"]["recoveryTarget"].as_object_mut().unwrap();
    assert_eq!(target.remove("backupID"), Some(json!("20261120T225646")));
    // The recording's own manifest left these out.
    let external = spec["externalClusters"][0]["barmanObjectStore"].as_object_mut().unwrap();
    assert!(external.remove("data").is_some());
    external["wal"].as_object_mut().unwrap().remove("compression");
    spec["postgresql"]["parameters"]["archive_timeout"] = json!("5min");
    let recorded = read(RESTORED);
    assert_eq!(spec, recorded["spec"]);
    assert_eq!(made.body["metadata"], recorded["metadata"]);
    assert_eq!(made.body["status"], Value::Null);
    assert!(!made.archives());
    let expected =
        ["app of database app gets a new password, in the secret shop-restored-app", "30Mi of data, a volume of 1Gi"];
    assert_eq!(texts(&made.findings, Weight::Good), expected);
    assert_eq!(made.findings.len(), 2, "{:?}", made.findings);
}

#[test]
fn an_archive_of_its_own_is_another_folder() {
    let wanted = Wanted { archive_as: Some("shop-2".into()), ..wanted("shop-2", 2) };
    let made = Manifest::of(&recorded(), &wanted).unwrap();
    assert!(made.archives());
    let spec = &made.body["spec"];
    assert_eq!(spec["backup"]["barmanObjectStore"]["serverName"], "shop-2");
    assert_eq!(spec["backup"]["retentionPolicy"], "7d");
    assert_eq!(spec["externalClusters"][0]["barmanObjectStore"]["serverName"], "shop");
}

#[test]
fn by_the_plugin() {
    let mut source = recorded();
    let spec = source.cluster["spec"].as_object_mut().unwrap();
    spec.remove("backup");
    spec.insert(
        "plugins".into(),
        json!([{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true, "parameters": {"barmanObjectName": "store"}},
            {"name": "other.example.com"}]),
    );
    assert_eq!(Source::store_of(&source.cluster), Some("store"));
    let made = Manifest::of(&source, &wanted("new", 1)).unwrap();
    let plugin = json!({"name": "barman-cloud.cloudnative-pg.io", "parameters": {"barmanObjectName": "store", "serverName": "shop"}});
    assert_eq!(made.body["spec"]["externalClusters"], json!([{"name": "origin", "plugin": plugin}]));
    assert_eq!(made.body["spec"]["plugins"], json!([{"name": "other.example.com"}]));
    let archiving = Wanted { archive_as: Some("new".into()), ..wanted("new", 1) };
    let made = Manifest::of(&source, &archiving).unwrap();
    assert_eq!(made.body["spec"]["plugins"][1]["parameters"]["serverName"], "new");
    let scratch = Wanted { scratch: Some(Scratch { superuser: true }), ..wanted("scratch", 1) };
    let made = Manifest::of(&source, &scratch).unwrap();
    assert_eq!(made.body["spec"]["plugins"], Value::Null);
    assert_eq!(made.body["spec"]["enableSuperuserAccess"], true);
}

/// The guide's cluster: what keeps it from being made twice is left out, the rest stays.
#[test]
fn what_belongs_to_the_source_stays_with_it() {
    let mut source = recorded();
    source.cluster["metadata"]["labels"] = json!({"argocd.argoproj.io/instance": "shop"});
    source.cluster["metadata"]["annotations"] =
        json!({"alpha.cnpg.io/failoverQuorum": "true", "cnpg.io/hibernation": "off"});
    let spec = &mut source.cluster["spec"];
    spec["bootstrap"] = json!({"initdb": {"database": "appdb", "owner": "app", "secret": {"name": "db-user-pass"}, "dataChecksums": true}});
    spec["postgresql"]["synchronous"] = json!({"method": "any", "number": 1});
    spec["certificates"] = json!({"serverCASecret": "ours"});
    spec["managed"] = json!({"roles": [{"name": "report"}], "services": {"additional": [{"selectorType": "rw"}]}});
    spec["serviceAccountTemplate"] = json!({"metadata": {"annotations": {"azure.workload.identity/client-id": "1"}}});
    spec["inheritedMetadata"] = json!({"labels": {"azure.workload.identity/use": "true"}});
    spec["primaryUpdateStrategy"] = json!("supervised");
    spec["topologySpreadConstraints"] =
        json!([{"maxSkew": 1, "labelSelector": {"matchLabels": {"cnpg.io/cluster": "shop"}}}]);
    spec["tablespaces"] = json!([{"name": "later", "storage": {"size": "1Gi"}}]);
    spec["backup"]["barmanObjectStore"]["azureCredentials"] = json!({"inheritFromAzureAD": true});
    let three = Manifest::of(&source, &wanted("shop-2", 3)).unwrap();
    assert_eq!(
        three.body["metadata"],
        json!({"name": "shop-2", "namespace": "pg", "annotations": {"alpha.cnpg.io/failoverQuorum": "true"}})
    );
    let made = Manifest::of(&source, &wanted("shop-2", 1)).unwrap();
    let spec = &made.body["spec"];
    assert_eq!(made.body["metadata"], json!({"name": "shop-2", "namespace": "pg"}));
    assert_eq!(spec["bootstrap"]["recovery"]["secret"], json!({"name": "db-user-pass"}));
    assert_eq!(spec["bootstrap"]["recovery"]["database"], "appdb");
    assert_eq!(spec["managed"], json!({"roles": [{"name": "report"}]}));
    for gone in ["/bootstrap/initdb", "/certificates", "/primaryUpdateStrategy", "/postgresql/synchronous", "/backup"] {
        assert_eq!(spec.pointer(gone), None, "{gone}");
    }
    assert_eq!(spec["postgresql"]["parameters"]["max_worker_processes"], "32");
    assert!(spec["inheritedMetadata"].is_object() && spec["serviceAccountTemplate"].is_object());
    let selector = spec.pointer("/topologySpreadConstraints/0/labelSelector/matchLabels").unwrap();
    assert_eq!(*selector, json!({"cnpg.io/cluster": "shop-2"}));
    assert_eq!(made.service_account(), "shop-2");
    assert!(source.origin().unwrap().by_azure_identity());
    assert_eq!(texts(&made.findings, Weight::Heed).len(), 3, "{:?}", made.findings);
    assert!(texts(&made.findings, Weight::Justify)[0].starts_with("made after the base backup: later"));
    let borrowed = Wanted { service_account: Some("shop".into()), ..wanted("shop-2", 1) };
    let made = Manifest::of(&source, &borrowed).unwrap();
    assert_eq!(made.service_account(), "shop");
    assert_eq!(made.body["spec"]["serviceAccountTemplate"], Value::Null);
}

#[test]
fn what_cannot_be_restored_into_it_blocks() {
    let mut small = wanted("new", 1);
    small.plotted.base.data = Some(2 << 30);
    small.plotted.base.version = Some(160_004);
    small.plotted.base.tablespaces = vec!["hot".into()];
    let made = Manifest::of(&recorded(), &small).unwrap();
    let blocks = texts(&made.findings, Weight::Blocks);
    assert_eq!(blocks.len(), 3, "{blocks:?}");
    assert!(
        blocks[0].contains("PostgreSQL 16") && blocks[1].contains("2Gi of data") && blocks[2].contains("hot"),
        "{blocks:?}"
    );
    let mut bare = recorded();
    bare.cluster["spec"].as_object_mut().unwrap().remove("backup");
    let why = Manifest::of(&bare, &wanted("new", 1)).unwrap_err();
    assert_eq!(why.what, "nothing can be restored of shop");
}
