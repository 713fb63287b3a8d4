//! The objects of a described cluster, in the shapes of its operator's version. Small: what nobody reads is left out.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::moods::Mood;
use super::plan::{Plan, Sync};
use crate::lab::api::Resource;
use crate::lab::api::resources::{ENDPOINTSLICES, LEASES, SERVICES};
use crate::lab::described::LABEL;
use crate::lab::object::{micros, seconds};

/// What changes with a mood.
pub struct Scene {
    pub pods: Vec<Value>,
    pub claims: Vec<Value>,
    pub others: Vec<(&'static Resource, Value)>,
    pub status: Value,
    /// Merged into the cluster's annotations.
    pub annotations: Value,
}

pub fn namespace(plan: &Plan) -> Value {
    json!({"metadata": {"name": plan.namespace, "labels": {LABEL: "true"}}})
}

fn labels(plan: &Plan) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert(LABEL.into(), "true".into());
    labels.insert("cnpg.io/cluster".into(), plan.name.clone().into());
    if plan.since(28) {
        labels.insert("app.kubernetes.io/managed-by".into(), "cloudnative-pg".into());
        labels.insert("app.kubernetes.io/name".into(), "postgresql".into());
    }
    labels
}

fn metadata(plan: &Plan, name: &str, more: &[(&str, &str)]) -> Value {
    let mut labels = labels(plan);
    labels.extend(more.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    json!({
        "name": name, "namespace": plan.namespace, "labels": labels,
        "annotations": {"cnpg.io/operatorVersion": plan.operator_version()},
    })
}

/// The cluster itself, without status.
pub fn cluster(plan: &Plan) -> Value {
    let mut spec = json!({
        "instances": plan.instances,
        "imageName": format!("ghcr.io/cloudnative-pg/postgresql:{}", plan.postgres),
        "storage": {"size": "100Gi", "storageClass": "managed-csi-premium"},
        "bootstrap": {"initdb": {"database": "app", "owner": "app"}},
        "primaryUpdateStrategy": "unsupervised",
        "postgresql": {"parameters": {"max_connections": "200", "shared_buffers": "4GB"}},
        "replicationSlots": {"highAvailability": {"enabled": true, "slotPrefix": "_cnpg_"}, "updateInterval": 30},
    });
    if plan.wal_storage {
        spec["walStorage"] = json!({"size": "20Gi", "storageClass": "managed-csi-premium"});
    }
    match &plan.sync {
        Sync::None => {}
        Sync::Legacy(min, max) => {
            spec["minSyncReplicas"] = (*min).into();
            spec["maxSyncReplicas"] = (*max).into();
        }
        Sync::Declared(method, number, required) => {
            spec["postgresql"]["synchronous"] = json!({"method": method, "number": number});
            if plan.since(25) {
                let durability = if *required { "required" } else { "preferred" };
                spec["postgresql"]["synchronous"]["dataDurability"] = durability.into();
            }
        }
    }
    match plan.backup {
        Some("plugin") => {
            let parameters = json!({"barmanObjectName": format!("{}-store", plan.name)});
            let plugin =
                json!({"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": true, "parameters": parameters});
            spec["plugins"] = json!([plugin]);
        }
        Some(_) => {
            let store = json!({"destinationPath": format!("https://backups.blob.core.windows.net/{}", plan.name)});
            spec["backup"] = json!({"barmanObjectStore": store, "retentionPolicy": "30d"});
        }
        None => {}
    }
    json!({"metadata": metadata(plan, &plan.name, &[]), "spec": spec})
}

/// Objects that never change.
pub fn fixed(plan: &Plan) -> Vec<(&'static Resource, Value)> {
    let service = |suffix: &str, selector: Value| {
        let spec = json!({
            "type": "ClusterIP", "selector": selector,
            "ports": [{"name": "postgres", "port": 5432, "targetPort": 5432, "protocol": "TCP"}],
        });
        json!({"metadata": metadata(plan, &format!("{}-{suffix}", plan.name), &[]), "spec": spec})
    };
    let role = |role: &str| json!({"cnpg.io/cluster": plan.name, "cnpg.io/instanceRole": role});
    vec![
        (&SERVICES, service("rw", role("primary"))),
        (&SERVICES, service("ro", role("replica"))),
        (&SERVICES, service("r", json!({"cnpg.io/cluster": plan.name, "cnpg.io/podRole": "instance"}))),
    ]
}

/// Whether an instance's pod is there, and ready.
fn presence(plan: &Plan, mood: &Mood, serial: u32) -> Option<bool> {
    match mood {
        Mood::Hibernated => None,
        Mood::Missing(missing) if *missing == serial => None,
        Mood::FailsOver(_) if plan.primary == serial => None,
        Mood::Recovers(left) if serial == old_primary(plan) => (*left < 5).then_some(*left == 0),
        Mood::Unknown => Some(false),
        _ => Some(true),
    }
}

fn old_primary(plan: &Plan) -> u32 {
    if plan.primary == 1 { plan.instances } else { plan.primary - 1 }
}

/// How the cluster looks in a mood.
pub fn scene(plan: &Plan, mood: &Mood, nodes: &[String], now: Timestamp) -> Scene {
    let mut pods = Vec::new();
    let mut claims = Vec::new();
    for serial in 1..=plan.instances {
        if let Some(ready) = presence(plan, mood, serial) {
            pods.push(pod(plan, mood, serial, ready, nodes));
        }
        claims.push(claim(plan, serial, "PG_DATA"));
        if plan.wal_storage {
            claims.push(claim(plan, serial, "PG_WAL"));
        }
    }
    let mut others = vec![(&ENDPOINTSLICES, slice(plan, mood))];
    if plan.since(30) {
        others.push((&LEASES, lease(plan, mood, now)));
    }
    let hibernation = if *mood == Mood::Hibernated { json!("on") } else { Value::Null };
    let fenced = match mood {
        Mood::Fenced(serial) => json!([plan.instance(*serial)]).to_string().into(),
        _ => Value::Null,
    };
    let annotations = json!({"cnpg.io/hibernation": hibernation, "cnpg.io/fencedInstances": fenced});
    Scene { pods, claims, others, status: status(plan, mood, now), annotations }
}

fn pod(plan: &Plan, mood: &Mood, serial: u32, ready: bool, nodes: &[String]) -> Value {
    let me = plan.instance(serial);
    let role = if serial == plan.primary { "primary" } else { "replica" };
    let shift = usize::try_from(plan.salt % 1024).unwrap_or(0) + serial as usize;
    let node = nodes.get(shift % nodes.len().max(1)).cloned().unwrap_or_default();
    let mut metadata = metadata(
        plan,
        &me,
        &[
            ("cnpg.io/instanceName", &me),
            ("cnpg.io/podRole", "instance"),
            ("role", role),
            ("cnpg.io/instanceRole", role),
        ],
    );
    metadata["annotations"]["cnpg.io/nodeSerial"] = serial.to_string().into();
    let lag = matches!(mood, Mood::Lags(behind) if *behind == serial);
    metadata["annotations"]["lab.howdah.dev/lags"] = if lag { "true".into() } else { Value::Null };
    let mut command = vec!["/controller/manager", "instance", "run"];
    if plan.since(24) {
        command.push("--status-port-tls");
    }
    let standing = if ready { "True" } else { "False" };
    let conditions: Vec<Value> = ["Initialized", "PodScheduled"]
        .iter()
        .map(|kind| json!({"type": kind, "status": "True"}))
        .chain(["Ready", "ContainersReady"].iter().map(|kind| json!({"type": kind, "status": standing})))
        .collect();
    let address = format!("10.24{}.{}.{}", plan.salt % 8, plan.salt / 8 % 250, 10 + serial);
    let began = seconds(plan.made);
    json!({
        "metadata": metadata,
        "spec": {
            "nodeName": node,
            "volumes": [{"name": "pgdata", "persistentVolumeClaim": {"claimName": me}}],
            "containers": [{
                "name": "postgres", "image": format!("ghcr.io/cloudnative-pg/postgresql:{}", plan.postgres),
                "command": command, "ports": [{"name": "postgresql", "containerPort": 5432}],
            }],
        },
        "status": {
            "phase": "Running", "podIP": address, "conditions": conditions, "startTime": began,
            "containerStatuses": [{
                "name": "postgres", "ready": ready, "started": ready, "restartCount": plan.salt % 3,
                "image": "postgresql", "imageID": "", "state": {"running": {"startedAt": began}},
            }],
        },
    })
}

fn claim(plan: &Plan, serial: u32, pvc_role: &str) -> Value {
    let instance = plan.instance(serial);
    let (name, size) =
        if pvc_role == "PG_WAL" { (format!("{instance}-wal"), "20Gi") } else { (instance.clone(), "100Gi") };
    let role = if serial == plan.primary { "primary" } else { "replica" };
    let more =
        [("cnpg.io/instanceName", instance.as_str()), ("cnpg.io/pvcRole", pvc_role), ("cnpg.io/instanceRole", role)];
    let mut metadata = metadata(plan, &name, &more);
    metadata["annotations"]["cnpg.io/pvcStatus"] = "ready".into();
    metadata["annotations"]["cnpg.io/nodeSerial"] = serial.to_string().into();
    json!({
        "metadata": metadata,
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}},
            "storageClassName": "managed-csi-premium", "volumeName": format!("pvc-{}-{serial}", plan.salt),
        },
        "status": {"phase": "Bound", "capacity": {"storage": size}},
    })
}

fn slice(plan: &Plan, mood: &Mood) -> Value {
    let name = format!("{}-rw-fleet", plan.name);
    let service = format!("{}-rw", plan.name);
    let primary = plan.instance(plan.primary);
    let ready = presence(plan, mood, plan.primary) == Some(true);
    let address = format!("10.24{}.{}.{}", plan.salt % 8, plan.salt / 8 % 250, 10 + plan.primary);
    let endpoint = json!({
        "addresses": [address], "conditions": {"ready": true, "serving": true, "terminating": false},
        "targetRef": {"kind": "Pod", "name": primary, "namespace": plan.namespace},
    });
    json!({
        "metadata": metadata(plan, &name, &[("kubernetes.io/service-name", &service)]),
        "addressType": "IPv4",
        "endpoints": if ready { json!([endpoint]) } else { json!([]) },
    })
}

fn lease(plan: &Plan, mood: &Mood, now: Timestamp) -> Value {
    let held = presence(plan, mood, plan.primary) == Some(true);
    json!({
        "metadata": metadata(plan, &plan.name, &[]),
        "spec": {
            "holderIdentity": if held { plan.instance(plan.primary) } else { String::new() },
            "leaseDurationSeconds": 15, "leaseTransitions": plan.timeline, "renewTime": micros(now),
        },
    })
}

fn condition(kind: &str, good: bool, reason: &str, message: &str, at: Timestamp) -> Value {
    let status = if good { "True" } else { "False" };
    json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": seconds(at)})
}

fn status(plan: &Plan, mood: &Mood, now: Timestamp) -> Value {
    if *mood == Mood::Unknown {
        return json!({"instances": plan.instances});
    }
    let names: Vec<String> = (1..=plan.instances).map(|serial| plan.instance(serial)).collect();
    let ready: Vec<String> = (1..=plan.instances)
        .filter(|serial| presence(plan, mood, *serial) == Some(true))
        .map(|serial| plan.instance(serial))
        .collect();
    let primary = plan.instance(plan.primary);
    let (phase, reason) = match mood {
        Mood::FailsOver(_) => ("Failing over", format!("Failing over from {primary}")),
        Mood::Recovers(_) | Mood::Missing(_) => {
            ("Waiting for the instances to become active", "Some instances are not yet active. Please wait.".to_owned())
        }
        Mood::Strange => ("Polishing the elephant", "A phase of a version to come".to_owned()),
        _ => ("Cluster in healthy state", String::new()),
    };
    let healthy = phase == "Cluster in healthy state";
    let archives = *mood != Mood::ArchiverFails;
    let mut conditions = vec![
        if healthy {
            condition("Ready", true, "ClusterIsReady", "Cluster is Ready", plan.made)
        } else {
            condition("Ready", false, "ClusterIsNotReady", "Cluster Is Not Ready", plan.made)
        },
        if archives {
            condition(
                "ContinuousArchiving",
                true,
                "ContinuousArchivingSuccess",
                "Continuous archiving is working",
                plan.made,
            )
        } else {
            condition("ContinuousArchiving", false, "ContinuousArchivingFailing", "exit status 2", ago(now, FAILS_FOR))
        },
    ];
    if *mood == Mood::Hibernated {
        conditions.push(condition("cnpg.io/hibernation", true, "Hibernated", "Cluster has been hibernated", plan.made));
    }
    let mut status = json!({
        "phase": phase, "instances": plan.instances, "instanceNames": names, "pvcCount": plan.instances,
        "instancesStatus": {"healthy": ready}, "currentPrimary": primary,
        "targetPrimary": if matches!(mood, Mood::FailsOver(_)) { "pending".to_owned() } else { primary.clone() },
        "timelineID": plan.timeline, "conditions": conditions, "healthyPVC": names,
        "writeService": format!("{}-rw", plan.name), "readService": format!("{}-r", plan.name),
        "certificates": {"expirations": {format!("{}-ca", plan.name): "2027-02-18 22:44:56 +0000 UTC"}},
        "image": format!("ghcr.io/cloudnative-pg/postgresql:{}", plan.postgres),
    });
    if !ready.is_empty() {
        status["readyInstances"] = ready.len().into();
    }
    if !reason.is_empty() {
        status["phaseReason"] = reason.into();
    }
    by_version(plan, now, &mut status);
    status
}

/// How long archiving has failed where it fails: as the instance's own answer says it.
const FAILS_FOR: SignedDuration = SignedDuration::from_mins(14);

fn ago(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.saturating_sub(time).unwrap_or(now)
}

/// Fields that came or went with a version of the operator.
fn by_version(plan: &Plan, now: Timestamp, status: &mut Value) {
    if plan.since(27) {
        status["systemID"] = plan.system_id.clone().into();
    }
    if plan.since(30) {
        let selector = format!("cnpg.io/cluster={},cnpg.io/podRole=instance", plan.name);
        status["selector"] = selector.into();
        if let Some(conditions) = status["conditions"].as_array_mut() {
            let said = "Cluster has been bootstrapped";
            conditions.push(condition("Initialized", true, "BootstrapCompleted", said, plan.made));
        }
    } else {
        status["latestGeneratedNode"] = plan.instances.into();
    }
    if plan.backup == Some("barmanObjectStore") {
        // One each night, kept for 30 days.
        let last = ago(now, SignedDuration::from_hours((plan.salt % 24) as i64));
        status["firstRecoverabilityPoint"] =
            seconds(ago(last, SignedDuration::from_hours(30 * 24)).max(plan.made)).into();
        status["lastSuccessfulBackup"] = seconds(last.max(plan.made)).into();
    }
}
