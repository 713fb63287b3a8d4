//! The part of the cluster's status that follows from the objects alone: instances, claims, topology, certificates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::certificates::{expiry, pem_of};
use super::hibernation;
use super::pass::{Pass, set_or_drop};
use super::words::{OPERATOR_IMAGE, PENDING, annotation, instance_name};
use super::world::{ClusterObject, World, serial};
use crate::lab::api::Resource;
use crate::lab::api::resources::{CONFIGMAPS, SECRETS};
use crate::lab::object::{
    ConditionText, annotation as noted, claims, condition, is_deleting, is_pod_active, is_pod_ready, list, micros,
    name, set_condition, text,
};

/// Brings the status up to the objects, in one write that fails when somebody else was faster.
pub fn refresh(pass: &mut Pass<'_>) {
    let world = pass.world;
    let mut status = pass.status();
    claims_and_instances(&mut status, &pass.cluster, world);
    let mut cluster = pass.cluster.clone();
    cluster["status"] = status;
    hibernation::enrich(&mut cluster, world);
    let mut status = cluster["status"].take();
    put_count(&mut status, "jobCount", world.jobs.len());
    status["topology"] = topology(&pass.cluster, world);
    let name = pass.name();
    status["writeService"] = format!("{name}-rw").into();
    status["readService"] = format!("{name}-r").into();
    status["selector"] = format!("cnpg.io/cluster={name},cnpg.io/podRole=instance").into();
    forget_a_lost_target(&mut status, world);
    status["certificates"] = certificates(&pass.cluster, world);
    operator(&mut status, &pass.cluster);
    versions(&mut status, &pass.cluster, world);
    initialized(&mut status, world);
    pass.write_status(status, true);
}

/// What the operator says of itself.
fn operator(status: &mut Value, cluster: &Value) {
    let hash = fingerprint(OPERATOR_IMAGE);
    status["cloudNativePGCommitHash"] = hash[..9].into();
    status["cloudNativePGOperatorHash"] = hash.clone().into();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    status["availableArchitectures"] = json!([{"goArch": architecture, "hash": hash}]);
    status["poolerIntegrations"] = json!({"pgBouncerIntegration": {}});
    status["managedRolesStatus"] = status.get("managedRolesStatus").cloned().unwrap_or_else(|| json!({}));
    let switching = status.get("switchReplicaClusterStatus").cloned().unwrap_or_else(|| json!({}));
    status["switchReplicaClusterStatus"] = switching;
    if status.get("image").is_none() {
        set_or_drop(status, "image", cluster.image());
    }
}

/// 64 hexadecimal digits that stand for a text. Not cryptographic: only its sameness counts.
pub fn fingerprint(text: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut digits = String::with_capacity(64);
    for round in 0..4u64 {
        for byte in text.bytes().chain(round.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        digits.push_str(&format!("{hash:016x}"));
    }
    digits
}

fn initialized(status: &mut Value, world: &World) {
    let has_instances = status.get("instances").and_then(Value::as_i64).unwrap_or(0) > 0;
    if has_instances {
        let said = ConditionText::new("Initialized", true, "BootstrapCompleted", "Cluster has been bootstrapped");
        set_condition(status, &said, world.now);
    } else if condition(&json!({"status": status}), "Initialized").is_none() {
        let said =
            ConditionText::new("Initialized", false, "BootstrapPending", "Cluster has not been bootstrapped yet");
        set_condition(status, &said, world.now);
    }
}

/// A target that isn't active will never be promoted: fall back to the current primary. This is what makes the
/// target flap in a failover (`pending` is no pod).
fn forget_a_lost_target(status: &mut Value, world: &World) {
    let current = text(status, "/currentPrimary").to_owned();
    let target = text(status, "/targetPrimary").to_owned();
    if current.is_empty() || target == current {
        return;
    }
    let someone_is_ready = status.get("readyInstances").and_then(Value::as_i64).unwrap_or(0) > 0;
    let found =
        target != PENDING && someone_is_ready && world.pods.iter().any(|pod| is_pod_active(pod) && name(pod) == target);
    if !found {
        status["targetPrimary"] = current.into();
        status["targetPrimaryTimestamp"] = micros(world.now).into();
    }
}

fn claims_and_instances(status: &mut Value, cluster: &Value, world: &World) {
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for pvc in world.pvcs.iter().filter(|pvc| !is_deleting(pvc)) {
        let phase = text(pvc, "/status/phase");
        if !matches!(phase, "" | "Pending" | "Bound") {
            continue;
        }
        let Some(serial) = serial(pvc) else { continue };
        groups.entry(instance_name(cluster.name(), serial)).or_default().push(pvc);
    }
    let mut classes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (instance, group) in &groups {
        for pvc in group {
            if let Some(class) = classify(pvc, group, instance, cluster, world) {
                classes.entry(class).or_default().insert(name(pvc));
            }
        }
    }
    for class in ["initializingPVC", "resizingPVC", "danglingPVC", "healthyPVC", "unusablePVC"] {
        put_list(status, class, classes.remove(class).unwrap_or_default());
    }
    put_count(status, "instances", groups.len());
    put_list(status, "instanceNames", groups.keys().map(String::as_str).collect());
    let ready = world.pods.iter().filter(|pod| is_pod_active(pod) && is_pod_ready(pod)).count();
    put_count(status, "readyInstances", ready);
    put_count(status, "pvcCount", world.pvcs.len());
    set_object(status, "instancesStatus", instances_status(world));
}

/// Where a claim stands: which status list it belongs to.
fn classify(pvc: &Value, group: &[&Value], instance: &str, cluster: &Value, world: &World) -> Option<&'static str> {
    if !matches!(noted(pvc, annotation::PVC_STATUS), None | Some("" | "ready" | "initializing")) {
        return None;
    }
    let expected = cluster.claims_of(instance);
    let mine = name(pvc);
    if expected.len() > group.len() || !expected.iter().any(|e| e == mine) {
        return Some("unusablePVC");
    }
    let mounts = |spec: Option<&Value>| spec.is_some_and(|spec| claims(spec).any(|c| c == mine));
    if world.pods.iter().any(|pod| mounts(pod.get("spec"))) {
        return Some("healthyPVC");
    }
    let job = world.jobs.iter().find(|job| mounts(job.pointer("/spec/template/spec")));
    if job.is_some_and(|job| !job_is_complete(job)) {
        return Some("initializingPVC");
    }
    Some("danglingPVC")
}

/// A job with a success. (A pod that ended is not enough: the Job controller counts.)
pub fn job_is_complete(job: &Value) -> bool {
    job.pointer("/status/succeeded").and_then(Value::as_i64) == Some(1)
}

fn instances_status(world: &World) -> Map<String, Value> {
    let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pod in world.pods.iter().filter(|pod| !is_deleting(pod)) {
        let list = if is_pod_ready(pod) {
            "healthy"
        } else if is_pod_active(pod) {
            "replicating"
        } else {
            "failed"
        };
        lists.entry(list).or_default().push(name(pod));
    }
    lists.into_iter().map(|(list, names)| (list.to_owned(), json!(names))).collect()
}

/// Which instances run where, by the node labels the cluster cares for. Unknown as long as one pod has no node.
fn topology(cluster: &Value, world: &World) -> Value {
    let keys: Vec<&str> = list(cluster, "/spec/postgresql/syncReplicaElectionConstraint/nodeLabelsAntiAffinity")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mut instances = Map::new();
    let mut used = BTreeSet::new();
    for pod in &world.pods {
        let Some(node) = world.nodes.get(text(pod, "/spec/nodeName")) else { return json!({}) };
        used.insert(name(node));
        let labels: Map<String, Value> = keys
            .iter()
            .map(|key| ((*key).to_owned(), crate::lab::object::label(node, key).unwrap_or_default().into()))
            .collect();
        instances.insert(name(pod).to_owned(), Value::Object(labels));
    }
    let mut topology = json!({"successfullyExtracted": true});
    if !instances.is_empty() {
        topology["instances"] = Value::Object(instances);
        topology["nodesUsed"] = used.len().into();
    }
    topology
}

/// The DNS names the server certificate is good for.
pub fn alternative_names(cluster: &Value) -> Vec<String> {
    let (name, namespace) = (cluster.name(), cluster.namespace());
    let mut names = Vec::new();
    for service in ["rw", "r", "ro"] {
        let short = format!("{name}-{service}");
        names.push(short.clone());
        names.push(format!("{short}.{namespace}"));
        names.push(format!("{short}.{namespace}.svc"));
        names.push(format!("{short}.{namespace}.svc.cluster.local"));
    }
    names
        .extend(list(cluster, "/spec/certificates/serverAltDNSNames").iter().filter_map(Value::as_str).map(Into::into));
    names
}

/// The names of the secrets that hold the certificates, as the spec says or by default.
pub struct CertificateSecrets {
    pub server_ca: String,
    pub server_tls: String,
    pub client_ca: String,
    pub replication_tls: String,
}

impl CertificateSecrets {
    pub fn of(cluster: &Value) -> Self {
        let name = cluster.name();
        let given = |field: &str, suffix: &str| match text(cluster, &format!("/spec/certificates/{field}")) {
            "" => format!("{name}-{suffix}"),
            given => given.to_owned(),
        };
        Self {
            server_ca: given("serverCASecret", "ca"),
            server_tls: given("serverTLSSecret", "server"),
            client_ca: given("clientCASecret", "ca"),
            replication_tls: given("replicationTLSSecret", "replication"),
        }
    }
}

fn certificates(cluster: &Value, world: &World) -> Value {
    let secrets = CertificateSecrets::of(cluster);
    let mut expirations = Map::new();
    let keys = [
        (&secrets.server_ca, "ca.crt"),
        (&secrets.server_tls, "tls.crt"),
        (&secrets.client_ca, "ca.crt"),
        (&secrets.replication_tls, "tls.crt"),
    ];
    for (secret, key) in keys {
        let end = world.get(&SECRETS, secret).and_then(|s| pem_of(s, key)).and_then(|pem| expiry(&pem));
        if let Some(end) = end {
            expirations.insert(secret.clone(), end.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string().into());
        }
    }
    json!({
        "clientCASecret": secrets.client_ca,
        "expirations": expirations,
        "replicationTLSSecret": secrets.replication_tls,
        "serverAltDNSNames": alternative_names(cluster),
        "serverCASecret": secrets.server_ca,
        "serverTLSSecret": secrets.server_tls,
    })
}

fn versions(status: &mut Value, cluster: &Value, world: &World) {
    let version = |resource: &Resource, name: &str| -> Option<Value> {
        Some(world.get(resource, name)?.pointer("/metadata/resourceVersion")?.clone())
    };
    let secrets = CertificateSecrets::of(cluster);
    let named = [
        ("applicationSecretVersion", format!("{}-app", cluster.name())),
        ("superuserSecretVersion", format!("{}-superuser", cluster.name())),
        ("clientCaSecretVersion", secrets.client_ca),
        ("replicationSecretVersion", secrets.replication_tls),
        ("serverCaSecretVersion", secrets.server_ca),
        ("serverSecretVersion", secrets.server_tls),
    ];
    let found: Map<String, Value> =
        named.iter().filter_map(|(key, name)| Some(((*key).to_owned(), version(&SECRETS, name)?))).collect();
    status["secretsResourceVersion"] = Value::Object(found);
    let metrics: Map<String, Value> = list(cluster, "/spec/monitoring/customQueriesConfigMap")
        .iter()
        .map(|map| text(map, "/name"))
        .map(|name| (name.to_owned(), version(&CONFIGMAPS, name).unwrap_or_else(|| "".into())))
        .collect();
    status["configMapResourceVersion"] = if metrics.is_empty() { json!({}) } else { json!({"metrics": metrics}) };
}

/// A number that is left out when it is nought.
fn put_count(status: &mut Value, key: &str, count: usize) {
    let Some(map) = status.as_object_mut() else { return };
    if count == 0 {
        map.remove(key);
    } else {
        map.insert(key.into(), count.into());
    }
}

fn put_list(status: &mut Value, key: &str, list: BTreeSet<&str>) {
    let Some(map) = status.as_object_mut() else { return };
    if list.is_empty() {
        map.remove(key);
    } else {
        map.insert(key.into(), json!(list));
    }
}

fn set_object(status: &mut Value, key: &str, object: Map<String, Value>) {
    let Some(map) = status.as_object_mut() else { return };
    if object.is_empty() {
        map.remove(key);
    } else {
        map.insert(key.into(), Value::Object(object));
    }
}
