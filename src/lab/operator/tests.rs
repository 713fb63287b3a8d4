//! Decisions on small worlds, one moment each.

mod instances;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::act::{Act, Next};
use super::pass::Pass;
use super::reconcile::{conclude, observe, setup};
use super::report::{Report, Reports};
use super::world::{ClusterObject, World};
use crate::lab::api::Resource;
use crate::lab::api::resources::{FAILOVERQUORUMS, JOBS, PODS, PVCS};
use crate::lab::object::{is_pod_active, name, text};

/// A healthy cluster `c` of three, led by `c-1`, each instance on a node of its own.
struct Small {
    cluster: Value,
    pods: Vec<Value>,
    pvcs: Vec<Value>,
    jobs: Vec<Value>,
    nodes: Vec<Value>,
    quorum: Option<Value>,
    answers: BTreeMap<String, Result<Value, String>>,
}

fn pod(serial: u32) -> Value {
    let me = format!("c-{serial}");
    let role = if serial == 1 { "primary" } else { "replica" };
    json!({
        "metadata": {
            "name": me, "namespace": "n",
            "labels": {"role": role, "cnpg.io/instanceRole": role, "cnpg.io/instanceName": me},
            "annotations": {"cnpg.io/nodeSerial": serial.to_string()},
        },
        "spec": {
            "nodeName": format!("node-{serial}"),
            "volumes": [{"name": "pgdata", "persistentVolumeClaim": {"claimName": me}}],
            "containers": [{"name": "postgres", "image": "x:17"}],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn pvc(serial: u32) -> Value {
    let me = format!("c-{serial}");
    let role = if serial == 1 { "primary" } else { "replica" };
    json!({
        "metadata": {
            "name": me, "namespace": "n",
            "labels": {"cnpg.io/instanceName": me, "role": role, "cnpg.io/instanceRole": role},
            "annotations": {"cnpg.io/nodeSerial": serial.to_string(), "cnpg.io/pvcStatus": "ready"},
        },
        "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Bound"},
    })
}

impl Small {
    fn healthy() -> Self {
        let mut cluster = json!({
            "metadata": {"name": "c", "namespace": "n", "uid": "u", "annotations": {}},
            "spec": {"instances": 3, "imageName": "x:17", "storage": {"size": "1Gi"}},
            "status": {
                "phase": "Cluster in healthy state", "currentPrimary": "c-1", "targetPrimary": "c-1",
                "conditions": [{"type": "Initialized", "status": "True"}],
            },
        });
        super::admission::set_defaults(&mut cluster);
        let primary = json!({"isPrimary": true, "systemID": "7", "timeLineID": 1, "loadedConfigurationHash": "h"});
        let standby = json!({
            "isPrimary": false, "isWalReceiverActive": true, "systemID": "7", "timeLineID": 1,
            "receivedLsn": "0/5000000", "replayLsn": "0/5000000", "loadedConfigurationHash": "h",
        });
        let answers = [("c-1", primary), ("c-2", standby.clone()), ("c-3", standby)];
        Self {
            cluster,
            pods: (1..=3).map(pod).collect(),
            pvcs: (1..=3).map(pvc).collect(),
            jobs: Vec::new(),
            nodes: (1..=3).map(|n| json!({"metadata": {"name": format!("node-{n}")}, "spec": {}})).collect(),
            quorum: None,
            answers: answers.map(|(name, answer)| (name.to_owned(), Ok(answer))).into(),
        }
    }

    /// The primary's pod is on its way out; receivers are up or down.
    fn without_primary(receivers: bool) -> Self {
        let mut small = Self::healthy();
        small.pods[0]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        for standby in ["c-2", "c-3"] {
            small.answer(standby, "isWalReceiverActive", receivers.into());
        }
        small.answer("c-3", "receivedLsn", "0/6000000".into());
        small
    }

    fn answer(&mut self, instance: &str, field: &str, value: Value) {
        if let Some(Ok(answer)) = self.answers.get_mut(instance) {
            answer[field] = value;
        }
    }

    fn annotate(&mut self, key: &str, value: &str) {
        self.cluster["metadata"]["annotations"][key] = value.into();
    }

    fn world(&self) -> World {
        let shared = |objects: &[Value]| objects.iter().cloned().map(Arc::new).collect::<Vec<_>>();
        let mut around = BTreeMap::new();
        if let Some(quorum) = &self.quorum {
            around.insert((FAILOVERQUORUMS.plural, "c".to_owned()), Arc::new(quorum.clone()));
        }
        World {
            now: "2026-11-20T22:00:00Z".parse().expect("a time"),
            cluster: Arc::new(self.cluster.clone()),
            pods: shared(&self.pods),
            pvcs: shared(&self.pvcs),
            jobs: shared(&self.jobs),
            nodes: self.nodes.iter().map(|n| (name(n).to_owned(), Arc::new(n.clone()))).collect(),
            around,
        }
    }

    /// One look without what is made around the cluster: its acts, when to look again, and the cluster afterwards.
    fn look(&self) -> (Vec<Act>, Next, Value) {
        let world = self.world();
        let mut pass = Pass::new(&world);
        if let Some(next) = observe(&mut pass) {
            return (pass.acts, next, pass.cluster);
        }
        let silent = || Err("refused".to_owned());
        let ask = |pod: &Arc<Value>| {
            Report::new(Arc::clone(pod), self.answers.get(name(pod)).cloned().unwrap_or_else(silent))
        };
        let reports = Reports::new(world.pods.iter().filter(|pod| is_pod_active(pod)).map(ask).collect());
        let next = conclude(&mut pass, &reports);
        (pass.acts, next, pass.cluster)
    }
}

fn deleted(acts: &[Act]) -> Vec<(&'static Resource, &str)> {
    let deleted = |act| match act {
        &Act::Delete { resource, ref name } => Some((resource, name.as_str())),
        _ => None,
    };
    acts.iter().filter_map(deleted).collect()
}

fn created(acts: &[Act]) -> Vec<(&'static Resource, &str)> {
    let created = |act| match act {
        &Act::Create { resource, ref object } => Some((resource, name(object))),
        _ => None,
    };
    acts.iter().filter_map(created).collect()
}

fn told(acts: &[Act]) -> Vec<&'static str> {
    let told = |act: &Act| match act {
        Act::Event { reason, .. } => Some(*reason),
        _ => None,
    };
    acts.iter().filter_map(told).collect()
}

#[test]
fn a_healthy_cluster_is_left_in_peace() {
    let mut small = Small::healthy();
    // The first look fills in what a status has to say; the second has nothing to do.
    small.cluster = small.look().2;
    let (acts, next, _) = small.look();
    assert_eq!((acts, next), (Vec::new(), Next::OnChange));
}

#[test]
fn a_failover_waits_for_the_wal_receivers_to_end() {
    let (acts, next, cluster) = Small::without_primary(true).look();
    assert_eq!(told(&acts), ["FailingOver"]);
    assert_eq!(cluster.target_primary(), "pending");
    assert_eq!(cluster.phase(), "Failing over");
    assert!(next != Next::OnChange);
    let marks = |act: &Act| matches!(act, Act::Merge { name, patch, .. } if name == "c-1" && patch["metadata"]["labels"]["role"] == "unhealthy");
    assert!(acts.iter().any(marks), "the old primary leaves the services at once");

    let (acts, _, cluster) = Small::without_primary(false).look();
    assert_eq!(told(&acts), ["FailingOver", "FailoverTarget"]);
    assert_eq!(cluster.target_primary(), "c-3", "the most advanced one");
}

#[test]
fn a_marker_without_a_pod_falls_back_to_the_current_primary() {
    let mut small = Small::without_primary(true);
    small.cluster["status"]["targetPrimary"] = "pending".into();
    let (acts, _, _) = small.look();
    let Some(Act::Status(first)) = acts.first() else { panic!("a status is written first: {acts:?}") };
    assert_eq!(first.patch.as_ref().map(|p| text(p, "/targetPrimary")), Some("c-1"), "the flap of the recordings");
}

#[test]
fn the_quorum_can_forbid_a_failover() {
    let mut small = Small::without_primary(false);
    small.cluster["spec"]["postgresql"]["synchronous"] =
        json!({"method": "any", "number": 1, "failoverQuorum": true, "dataDurability": "required"});
    let quorum = |names: &[&str], number: u32| {
        Some(json!({"metadata": {"name": "c"}, "status": {"standbyNames": names, "standbyNumber": number}}))
    };
    small.quorum = quorum(&["c-2", "c-3"], 1);
    assert_eq!(small.look().2.target_primary(), "c-3", "2 + 1 > 2");
    small.quorum = quorum(&["c-2", "c-3", "c-4"], 1);
    assert_eq!(small.look().2.target_primary(), "c-1", "2 + 1 = 3: an acknowledged commit may be on c-4 alone");
    small.quorum = quorum(&[], 0);
    assert_eq!(small.look().2.target_primary(), "c-1", "nothing is known");
    small.quorum = None;
    assert_eq!(small.look().2.target_primary(), "c-1");
}

#[test]
fn a_failover_delay_is_kept() {
    let mut small = Small::without_primary(false);
    small.cluster["spec"]["failoverDelay"] = 30.into();
    let (_, _, cluster) = small.look();
    assert_eq!(cluster.target_primary(), "c-1");
    assert_eq!(text(&cluster, "/status/currentPrimaryFailingSinceTimestamp"), "2026-11-20T22:00:00.000000Z");
    small.cluster["status"]["currentPrimaryFailingSinceTimestamp"] = "2026-11-20T21:59:00Z".into();
    assert_eq!(small.look().2.target_primary(), "c-3");
}

#[test]
fn a_fenced_primary_is_not_deposed() {
    let mut small = Small::healthy();
    small.annotate("cnpg.io/fencedInstances", "[\"c-1\"]");
    small.answers.insert("c-1".into(), Ok(json!({"isPrimary": false, "mightBeUnavailable": true, "systemID": "7"})));
    let (acts, _, cluster) = small.look();
    assert_eq!(cluster.target_primary(), "c-1");
    assert_eq!(cluster.phase(), "Cluster in healthy state");
    assert!(told(&acts).is_empty());
}

#[test]
fn a_silent_primary_that_kubernetes_calls_ready_is_not_deposed() {
    let mut small = Small::healthy();
    small.answers.insert("c-1".into(), Err("timed out".into()));
    let (acts, _, cluster) = small.look();
    assert_eq!(told(&acts), ["PrimaryStatusCheckFailed"]);
    assert_eq!(cluster.target_primary(), "c-1");
    small.pods[0]["status"]["conditions"][0]["status"] = "False".into();
    assert_eq!(small.look().2.target_primary(), "pending", "now the kubelet says so too");
}

#[test]
fn two_primaries_are_waited_out() {
    let mut small = Small::healthy();
    small.answer("c-2", "isPrimary", true.into());
    let (acts, _, _) = small.look();
    assert!(acts.iter().all(|act| matches!(act, Act::Status(_))), "only the status is brought up to date: {acts:?}");
}

#[test]
fn the_primary_leaves_a_node_that_is_drained() {
    let mut small = Small::healthy();
    small.nodes[0]["spec"]["unschedulable"] = true.into();
    small.nodes[1]["spec"]["unschedulable"] = true.into();
    let (acts, _, cluster) = small.look();
    assert_eq!(told(&acts), ["SwitchingOver"]);
    assert_eq!(cluster.target_primary(), "c-3", "c-2 is about to be drained as well");
    assert_eq!(cluster.phase(), "Switchover in progress");
    small.pods[2]["status"]["conditions"][0]["status"] = "False".into();
    assert_eq!(small.look().2.target_primary(), "c-1", "something else is in progress");
}

#[test]
fn while_a_switchover_runs_nothing_else_is_done() {
    let mut small = Small::healthy();
    small.cluster["status"]["targetPrimary"] = "c-2".into();
    small.cluster["spec"]["instances"] = 2.into();
    let (acts, next, _) = small.look();
    assert!(deleted(&acts).is_empty());
    assert!(next != Next::OnChange);
}

#[test]
fn hibernation_waits_for_health_and_begins_with_the_primary() {
    let mut small = Small::healthy();
    small.annotate("cnpg.io/hibernation", "on");
    let (acts, _, cluster) = small.look();
    assert_eq!(deleted(&acts), [(&PODS, "c-1")]);
    assert_eq!(cluster.phase(), "Cluster in healthy state");
    small.cluster["status"]["phase"] = "Upgrading cluster".into();
    let (acts, _, _) = small.look();
    assert!(deleted(&acts).is_empty());
}

#[test]
fn a_maintenance_window_without_reuse_gives_stuck_pods_up() {
    let mut small = Small::healthy();
    small.pods[2]["status"] = json!({
        "phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
    });
    assert!(deleted(&small.look().0).is_empty());
    small.cluster["spec"]["nodeMaintenanceWindow"] = json!({"inProgress": true, "reusePVC": false});
    let (acts, _, _) = small.look();
    assert_eq!(deleted(&acts), [(&PVCS, "c-3"), (&PODS, "c-3")]);
    assert_eq!(told(&acts), ["DeletePod", "DeletePVCs"]);
}

#[test]
fn a_disabled_loop_does_nothing() {
    let mut small = Small::healthy();
    small.annotate("cnpg.io/reconciliationLoop", "disabled");
    let world = small.world();
    let mut pass = Pass::new(&world);
    assert_eq!(setup(&mut pass), Some(Next::OnChange));
    assert!(pass.acts.is_empty());
}

#[test]
fn budgets_follow_size_and_maintenance() {
    let budgets = |spec: Value| {
        let mut small = Small::healthy();
        json_patch::merge(&mut small.cluster["spec"], &spec);
        let world = small.world();
        let mut pass = Pass::new(&world);
        super::objects::disruption::ensure(&mut pass);
        created(&pass.acts).iter().map(|(_, name)| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(budgets(json!({})), ["c-primary", "c"]);
    assert_eq!(budgets(json!({"instances": 2})), ["c-primary"]);
    assert_eq!(budgets(json!({"nodeMaintenanceWindow": {"inProgress": true, "reusePVC": true}})), ["c-primary"]);
    assert!(budgets(json!({"instances": 1, "nodeMaintenanceWindow": {"inProgress": true}})).is_empty());
    assert!(budgets(json!({"enablePDB": false})).is_empty());
}
