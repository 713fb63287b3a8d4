//! Objects of old operators and new ones, half worlds, and objects of no shape at all.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::cnpg::{event_happening, picture, transitions};
use super::objects::{Changed, Kind, ObjectEvent, World};
use crate::domain::cluster::*;
use crate::domain::event::{Transition, What};
use crate::domain::names::{ClusterKey, InstanceName};

pub(super) fn world(lists: &[(Kind, &[Value])]) -> World {
    let mut world = World::new("aks".into(), lists.iter().map(|(k, _)| (*k, None)));
    for kind in Kind::ALL.into_iter().filter(|k| lists.iter().all(|(l, _)| l != k)) {
        world.apply(ObjectEvent::Absent(kind, None));
    }
    for (kind, list) in lists {
        world.apply(ObjectEvent::Restarted(*kind, None, list));
    }
    world
}

fn key() -> ClusterKey {
    ClusterKey::new("aks", "db", "old")
}

fn names(list: &[&str]) -> Vec<InstanceName> {
    list.iter().map(InstanceName::from).collect()
}

fn node(name: &str, zone: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}},
           "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

/// A pod as CNPG 1.20 made it: `role`, no `podRole`, owned by the Cluster.
fn old_pod(name: &str, role: &str, node: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "db", "uid": name,
        "labels": {"cnpg.io/cluster": "old", "role": role},
        "annotations": {"cnpg.io/operatorVersion": "1.20.1"},
        "ownerReferences": [{"kind": "Cluster", "name": "old"}]},
      "spec": {"nodeName": node, "containers": [{"name": "postgres", "command": ["/controller/manager", "instance", "run"]}]},
      "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "postgres", "ready": true, "restartCount": 2,
          "state": {"running": {"startedAt": "2026-11-20T22:50:04Z"}}}]}})
}

fn old_cluster() -> Value {
    json!({"metadata": {"name": "old", "namespace": "db", "uid": "u1", "resourceVersion": "17"},
      "spec": {"instances": 3, "imageName": "ghcr.io/cloudnative-pg/postgresql:15.3", "minSyncReplicas": 1, "maxSyncReplicas": 1,
        "backup": {"barmanObjectStore": {"destinationPath": "https://x.blob.core.windows.net/b"}},
        "affinity": {"topologyKey": "topology.kubernetes.io/zone"},
        "replica": {"enabled": true, "source": "origin"}},
      "status": {"phase": "Cluster in healthy state", "currentPrimary": "old-1", "targetPrimary": "pending", "readyInstances": 3,
        "instanceNames": ["old-1", "old-10", "old-2"], "firstRecoverabilityPoint": "2026-11-20T20:00:00Z",
        "certificates": {"expirations": {"old-ca": "2027-02-18 22:44:56 +0000 UTC"}}}})
}

fn old_world() -> World {
    world(&[
        (Kind::Cluster, &[old_cluster()]),
        (Kind::Pod, &[old_pod("old-1", "primary", "n1"), old_pod("old-2", "replica", "n2")]),
        (Kind::Node, &[node("n1", "z1"), node("n2", "z2")]),
        (
            Kind::Service,
            &[json!({"metadata": {"name": "old-rw", "namespace": "db"},
                "spec": {"selector": {"cnpg.io/cluster": "old", "role": "primary"}, "ports": [{"port": 5432}]}})],
        ),
        (
            Kind::Endpoints,
            &[json!({"metadata": {"name": "old-rw", "namespace": "db"},
                "subsets": [{"addresses": [{"targetRef": {"kind": "Pod", "name": "old-1"}}],
                             "notReadyAddresses": [{"targetRef": {"name": "old-2"}}]}]})],
        ),
    ])
}

#[test]
fn an_old_operators_forms() {
    let c = picture(&old_world(), &key()).unwrap();
    assert_eq!(c.instances.iter().map(|i| i.name.clone()).collect::<Vec<_>>(), names(&["old-1", "old-2", "old-10"]));
    assert_eq!(c.instances[0].role, Some(Role::Primary));
    assert_eq!(c.instances[1].zone, Some("z2".into()));
    assert_eq!(c.instances[2].pod, None, "named by the status, and without a pod");
    let pod = c.instances[0].pod.as_ref().unwrap();
    assert_eq!((pod.status_tls, pod.restarts, pod.running), (false, 2, true));
    assert_eq!((c.sync.number, c.sync.preferred, c.sync.method.as_deref()), (1, true, None));
    assert_eq!(c.archiving.by, Some(Archiver::InTreeBarman));
    assert_eq!(c.archiving.server_name.as_deref(), Some("old"));
    assert_eq!(c.target, Some(Target::Pending));
    assert_eq!(c.replica_of, Some(ReplicaCluster { source: "origin".into(), enabled: true }));
    assert_eq!(c.spread_over_zones, Some(SpreadRule::Preferred));
    assert_eq!((c.operator_version.as_deref(), c.postgres_version.as_deref()), (Some("1.20.1"), Some("15.3")));
    assert_eq!(c.certificates.len(), 1);
    let rw = &c.services[0];
    assert_eq!((rw.purpose, rw.leads_to.clone()), (ServicePurpose::ReadWrite, Some(names(&["old-1"]))));
    assert!(!c.backups.listed, "backups could not be listed: that there is none is not known");
    assert_eq!(c.lease, None);
}

#[test]
fn a_new_operators_forms() {
    let cluster = json!({"metadata": {"name": "old", "namespace": "db", "uid": "u2",
        "annotations": {"cnpg.io/fencedInstances": "[\"old-2\"]", "cnpg.io/hibernation": "on", "cnpg.io/reconciliationLoop": "disabled"}},
      "spec": {"instances": 2, "enableSuperuserAccess": true,
        "plugins": [{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true,
            "parameters": {"barmanObjectName": "store", "serverName": "srv"}}],
        "postgresql": {"synchronous": {"method": "any", "number": 1, "dataDurability": "required", "failoverQuorum": true},
            "parameters": {"max_connections": "200", "some.secret": "hidden"}},
        "replica": {"source": "dr", "primary": "old", "self": "old"},
        "topologySpreadConstraints": [{"topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}]},
      "status": {"conditions": [{"type": "cnpg.io/hibernation", "status": "False", "reason": "DeletingPods"}]}});
    let w = world(&[
        (Kind::Cluster, &[cluster]),
        (
            Kind::ObjectStore,
            &[json!({"metadata": {"name": "store", "namespace": "db"},
                "spec": {"configuration": {"destinationPath": "s3://b/", "s3Credentials": {"accessKeyId": {"name": "s"}}}},
                "status": {"serverRecoveryWindow": {"srv": {"firstRecoverabilityPoint": "2026-11-20T20:00:00Z",
                    "lastSuccessfulBackupTime": "2026-11-20T21:00:00Z"}, "another": {}}}})],
        ),
        (
            Kind::Backup,
            &[
                json!({"metadata": {"name": "b1", "namespace": "db"}, "spec": {"cluster": {"name": "old"}, "method": "plugin"},
                "status": {"phase": "completed", "startedAt": "2026-11-20T20:59:00Z", "endWal": "000000010000000000000004"}}),
                json!({"metadata": {"name": "b2", "namespace": "db"}, "spec": {"cluster": {"name": "old"}}}),
            ],
        ),
        (
            Kind::FailoverQuorum,
            &[json!({"metadata": {"name": "old", "namespace": "db"},
                "status": {"method": "ANY", "standbyNumber": 1, "standbyNames": ["old-2"], "primary": "old-1"}})],
        ),
    ]);
    let c = picture(&w, &key()).unwrap();
    assert_eq!((c.sync.number, c.sync.preferred, c.sync.failover_quorum), (1, false, true));
    assert_eq!(c.sync.method.as_deref(), Some("ANY"));
    assert_eq!(c.archiving.by, Some(Archiver::Plugin("barman-cloud.cloudnative-pg.io".into())));
    assert_eq!(
        (c.archiving.destination.as_deref(), c.archiving.server_name.as_deref()),
        (Some("s3://b/"), Some("srv"))
    );
    assert!(c.backups.first_recoverability_point.is_some() && c.backups.last_successful.is_some() && c.backups.listed);
    assert_eq!(c.backups.objects.iter().map(|b| b.name.as_str()).collect::<Vec<_>>(), ["b1", "b2"]);
    assert_eq!(c.hibernation, Some(Hibernation::Going));
    assert!(c.reconciliation_disabled && c.fenced.covers(&"old-2".into()) && !c.fenced.covers(&"old-1".into()));
    assert_eq!(c.replica_of.map(|r| r.enabled), Some(false), "it is the primary of its replica pair");
    assert_eq!(c.spread_over_zones, Some(SpreadRule::Required));
    assert_eq!(c.quorum.map(|q| (q.number, q.standbys)), Some((1, names(&["old-2"]))));
    assert!(c.secrets.contains_key("superuser") && !c.parameters.contains_key("some.secret"));
    assert_eq!(c.ready, None, "absent is not zero");
}

#[test]
fn never_half_a_world() {
    let mut w = World::new("aks".into(), [(Kind::Cluster, None), (Kind::Pod, None)]);
    let pod = old_pod("old-1", "primary", "n1");
    assert!(w.apply(ObjectEvent::Restarted(Kind::Cluster, None, &[old_cluster()])).is_empty());
    assert!(w.apply(ObjectEvent::ListBegun(Kind::Pod, None)).is_empty());
    assert!(w.apply(ObjectEvent::Listed(Kind::Pod, None, &pod)).is_empty());
    let all = w.apply(ObjectEvent::ListDone(Kind::Pod, None));
    assert_eq!(all.clusters.into_iter().collect::<Vec<_>>(), [key()]);
    // The list is read again: until it is whole, the old one stands.
    assert!(w.apply(ObjectEvent::ListBegun(Kind::Pod, None)).is_empty());
    assert!(picture(&w, &key()).unwrap().instances[0].pod.is_some());
    let gone = w.apply(ObjectEvent::ListDone(Kind::Pod, None));
    assert!(gone.clusters.contains(&key()));
    assert!(picture(&w, &key()).unwrap().instances[0].pod.is_none());
}

#[test]
fn a_forbidden_kind_is_not_waited_for() {
    let mut w = World::new("aks".into(), [(Kind::Cluster, Some("db".into())), (Kind::Node, None)]);
    w.apply(ObjectEvent::Absent(Kind::Node, None));
    let all = w.apply(ObjectEvent::Restarted(Kind::Cluster, Some("db"), &[old_cluster()]));
    assert!(all.clusters.contains(&key()) && w.is_absent(Kind::Node, ""));
}

#[test]
fn a_list_of_one_namespace_leaves_the_others() {
    let mut elsewhere = old_cluster();
    elsewhere["metadata"]["namespace"] = "other".into();
    let mut w = World::new("aks".into(), [(Kind::Cluster, Some("db".into())), (Kind::Cluster, Some("other".into()))]);
    w.apply(ObjectEvent::Restarted(Kind::Cluster, Some("db"), &[old_cluster()]));
    w.apply(ObjectEvent::Restarted(Kind::Cluster, Some("other"), &[elsewhere]));
    let changed = w.apply(ObjectEvent::Restarted(Kind::Cluster, Some("db"), &[]));
    assert_eq!(changed.clusters.len(), 1);
    assert_eq!(w.keys().map(|k| k.namespace.to_string()).collect::<Vec<_>>(), ["other"]);
}

#[test]
fn only_what_changed_is_looked_at_again() {
    let mut w = old_world();
    let same = w.apply(ObjectEvent::Applied(Kind::Pod, &old_pod("old-1", "primary", "n1")));
    assert_eq!(same, Changed::default());
    let role = w.apply(ObjectEvent::Applied(Kind::Pod, &old_pod("old-1", "unhealthy", "n1")));
    assert!(role.clusters.contains(&key()) && !role.nodes);
    let mut cordoned = node("n1", "z1");
    cordoned["spec"] = json!({"unschedulable": true});
    let nodes = w.apply(ObjectEvent::Applied(Kind::Node, &cordoned));
    assert!(nodes.nodes && nodes.clusters.is_empty(), "a cordon moves nobody");
    let moved = w.apply(ObjectEvent::Applied(Kind::Node, &node("n1", "z9")));
    assert!(moved.clusters.contains(&key()));
    let empty = json!({"metadata": {"name": "old-rw", "namespace": "db"}});
    let service = w.apply(ObjectEvent::Applied(Kind::Endpoints, &empty));
    assert!(service.clusters.contains(&key()), "endpoints without labels are known by their service");
    let stranger = json!({"metadata": {"name": "x", "namespace": "db", "labels": {"cnpg.io/cluster": "nobody"}}});
    assert!(w.apply(ObjectEvent::Applied(Kind::Pod, &stranger)).is_empty());
    let deleted = w.apply(ObjectEvent::Deleted(Kind::Cluster, &old_cluster()));
    assert!(deleted.clusters.contains(&key()) && picture(&w, &key()).is_none());
}

#[test]
fn operators_and_nothing_like_them() {
    let deployment = |name: &str, labels: Value, image: &str, args: Value| {
        json!({"metadata": {"name": name, "namespace": "sys", "labels": labels},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": image, "args": args}]}}},
            "status": {"availableReplicas": 1}})
    };
    let cnpg = deployment(
        "cnpg-controller-manager",
        json!({"app.kubernetes.io/name": "cloudnative-pg"}),
        "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0",
        json!(["controller", "--leader-elect"]),
    );
    let pooler =
        deployment("p", json!({"cnpg.io/poolerName": "p"}), "ghcr.io/cloudnative-pg/pgbouncer:1.24", json!(null));
    let plugin = deployment(
        "barman-cloud",
        json!({}),
        "ghcr.io/cloudnative-pg/plugin-barman-cloud:v0.14.0",
        json!(["operator"]),
    );
    let slice = |ready: bool| {
        json!({"metadata": {"name": "cnpg-webhook-service-x", "namespace": "sys",
                "labels": {"kubernetes.io/service-name": "cnpg-webhook-service"}},
            "endpoints": [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": "cnpg-1"}}]})
    };
    let mut w = world(&[(Kind::Deployment, &[cnpg, pooler, plugin]), (Kind::EndpointSlice, &[slice(true)])]);
    let found = w.operators().unwrap();
    assert_eq!((found.len(), found[0].webhook_trouble.clone()), (1, None));
    assert!(w.apply(ObjectEvent::Applied(Kind::EndpointSlice, &slice(false))).operators);
    assert!(w.operators().unwrap()[0].webhook_trouble.as_ref().unwrap().contains("no ready pod"));
    assert_eq!(
        (found[0].version.as_deref(), found[0].context.as_str(), found[0].available),
        (Some("1.30.0"), "aks", 1)
    );
    assert_eq!(world(&[(Kind::Deployment, &[])]).operators(), Some(vec![]), "looked everywhere, found none");
    assert_eq!(world(&[]).operators(), None, "not known");
    let mut one_namespace = World::new("aks".into(), [(Kind::Deployment, Some("db".into()))]);
    one_namespace.apply(ObjectEvent::Restarted(Kind::Deployment, Some("db"), &[]));
    assert_eq!(one_namespace.operators(), None, "it may live in a namespace nobody looked into");
}

#[test]
fn transitions_tell_what_changed() {
    let mut w = old_world();
    let before = picture(&w, &key()).unwrap();
    let mut cluster = old_cluster();
    cluster["status"]["currentPrimary"] = "old-2".into();
    cluster["status"]["timelineID"] = 4.into();
    cluster["status"]["phase"] = "Failing over".into();
    w.apply(ObjectEvent::Applied(Kind::Cluster, &cluster));
    w.apply(ObjectEvent::Deleted(Kind::Pod, &old_pod("old-1", "primary", "n1")));
    let told = transitions(&before, &picture(&w, &key()).unwrap());
    let expected = [
        Transition::Phase { from: Some("Cluster in healthy state".into()), to: Some("Failing over".into()) },
        Transition::Primary { from: Some("old-1".into()), to: Some("old-2".into()) },
        Transition::Timeline { from: None, to: Some(4) },
        Transition::Pod { instance: "old-1".into(), change: "gone".into() },
    ];
    assert_eq!(told, expected);
    assert!(transitions(&before, &before).is_empty());
}

#[test]
fn events_find_their_cluster_even_when_the_pod_is_gone() {
    let w = old_world();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let event = |kind: &str, name: &str| {
        json!({"metadata": {"name": "e", "namespace": "db", "uid": "1"}, "type": "Warning", "reason": "Unhealthy",
            "message": "probe \u{1b}[31m failed", "count": 3, "lastTimestamp": "2026-11-20T22:52:02Z",
            "involvedObject": {"kind": kind, "namespace": "db", "name": name}})
    };
    for (kind, name) in [("Cluster", "old"), ("Pod", "old-1"), ("Pod", "old-7"), ("PersistentVolumeClaim", "old-3-wal")]
    {
        let told = event_happening(&w, &event(kind, name), now).unwrap();
        assert_eq!(told.cluster, Some(key()), "{kind}/{name}");
        let What::Kubernetes { warning, count, message, .. } = told.what else { panic!("{:?}", told.what) };
        assert!(warning && count == 3 && !message.contains('\u{1b}'));
    }
    for name in ["older-1", "old", "old-pooler-5c9", "stranger-1"] {
        assert_eq!(event_happening(&w, &event("Pod", name), now), None, "{name}");
    }
    assert!(event_happening(&w, &event("Node", "n1"), now).unwrap().cluster.is_none());
}

/// JSON of no particular shape, with the names the adapters look for among its fields.
fn shapeless() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        Just(json!("2026-11-20T22:50:04Z")),
        Just(json!("[\"*\"]")),
    ];
    let field = prop_oneof![
        Just("metadata"),
        Just("name"),
        Just("namespace"),
        Just("labels"),
        Just("annotations"),
        Just("ownerReferences"),
        Just("cnpg.io/cluster"),
        Just("cnpg.io/fencedInstances"),
        Just("spec"),
        Just("status"),
        Just("conditions"),
        Just("type"),
        Just("instanceNames"),
        Just("containerStatuses"),
        Just("state"),
        Just("terminated"),
        Just("exitCode"),
        Just("plugins"),
        Just("parameters"),
        Just("backup"),
        Just("barmanObjectStore"),
        Just("postgresql"),
        Just("synchronous"),
        Just("endpoints"),
        Just("targetRef"),
        Just("involvedObject"),
        Just("kind"),
        Just("cluster"),
        Just("selector"),
        Just("resources"),
        Just("requests"),
        Just("storage"),
        Just("template"),
        Just("containers"),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(field.clone(), inner, 0..6)
                .prop_map(|m| Value::Object(m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_shape_panics(objects in prop::collection::vec((0usize..Kind::ALL.len(), shapeless()), 1..8), lists: bool) {
        let mut w = old_world();
        for (kind, mut object) in objects {
            let kind = Kind::ALL[kind];
            if let Some(o) = object.as_object_mut() {
                // Half of them get far enough to be kept.
                o.entry("metadata").or_insert_with(|| json!({"name": "old", "namespace": "db", "labels": {"cnpg.io/cluster": "old"}}));
            }
            let before = picture(&w, &key());
            if lists {
                w.apply(ObjectEvent::Restarted(kind, None, std::slice::from_ref(&object)));
            } else {
                w.apply(ObjectEvent::Applied(kind, &object));
            }
            let _ = event_happening(&w, &object, jiff::Timestamp::UNIX_EPOCH);
            if let (Some(before), Some(after)) = (before, picture(&w, &key())) {
                let _ = transitions(&before, &after);
            }
            w.apply(ObjectEvent::Deleted(kind, &object));
        }
    }
}
