//! An instance's pod.

use serde_json::{Value, json};

use super::{app_labels, blocking_owner, inherited};
use crate::lab::controllers::pod_defaults::with_defaults;
use crate::lab::object::{list, number, text};
use crate::lab::operator::status::fingerprint;
use crate::lab::operator::words::{OPERATOR_IMAGE, VERSION, annotation, instance_name, label};
use crate::lab::operator::world::ClusterObject;

/// Where the claims are mounted.
const DATA_PATH: &str = "/var/lib/postgresql/data";
const WAL_PATH: &str = "/var/lib/postgresql/wal";

/// The pod of an instance, as it is sent to the API.
pub fn pod(cluster: &Value, serial: u32) -> Value {
    let name = instance_name(cluster.name(), serial);
    let wanted = spec(cluster, &name);
    let mut labels = app_labels(cluster);
    let fixed = [(label::CLUSTER, cluster.name()), (label::INSTANCE_NAME, &name), (label::POD_ROLE, "instance")];
    labels.extend(fixed.map(|(key, value)| (key.to_owned(), Value::from(value))));
    let mut annotations = inherited(cluster, "annotations");
    let environment = fingerprint(&wanted["containers"][0]["env"].to_string());
    let fixed = [
        (annotation::NODE_SERIAL, serial.to_string()),
        (annotation::OPERATOR_VERSION, VERSION.to_owned()),
        (annotation::POD_ENV_HASH, environment[..9].to_owned()),
        (annotation::POD_SPEC, wanted.to_string()),
    ];
    annotations.extend(fixed.map(|(key, value)| (key.to_owned(), Value::from(value))));
    if let Some(restarted) = cluster.annotated(annotation::RESTARTED_AT) {
        annotations.insert(annotation::RESTARTED_AT.into(), restarted.into());
    }
    json!({
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [blocking_owner(cluster)],
        },
        "spec": with_defaults(wanted),
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    })
}

/// The spec of an instance's pod before the API fills in its defaults: what `cnpg.io/podSpec` remembers.
pub fn spec(cluster: &Value, instance: &str) -> Value {
    let mut container = container(cluster, instance, "postgres");
    container["command"] = json!(["/controller/manager", "instance", "run", "--status-port-tls", log_level(cluster)]);
    container["ports"] = json!([
        {"name": "postgresql", "containerPort": 5432, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 9187, "protocol": "TCP"},
        {"name": "status", "containerPort": 8000, "protocol": "TCP"},
    ]);
    container["livenessProbe"] = probe(cluster, "liveness", "/healthz", None);
    container["readinessProbe"] = probe(cluster, "readiness", "/readyz", None);
    let delay = number(cluster, "/spec/startDelay").unwrap_or(3600);
    container["startupProbe"] = probe(cluster, "startup", "/startupz", Some((delay / 10).max(1)));
    let mut spec = common(cluster, instance, instance, container);
    spec["terminationGracePeriodSeconds"] = number(cluster, "/spec/stopDelay").unwrap_or(1800).into();
    spec
}

fn log_level(cluster: &Value) -> String {
    let level = text(cluster, "/spec/logLevel");
    format!("--log-level={}", if level.is_empty() { "info" } else { level })
}

fn probe(cluster: &Value, kind: &str, path: &str, failures: Option<i64>) -> Value {
    let mut probe = json!({
        "httpGet": {"path": path, "port": 8000, "scheme": "HTTPS"}, "timeoutSeconds": 5, "periodSeconds": 10,
    });
    if let Some(failures) = failures {
        probe["failureThreshold"] = failures.into();
    }
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        if let Some(given) = number(cluster, &format!("/spec/probes/{kind}/{field}")) {
            probe[field] = given.into();
        }
    }
    probe
}

fn security() -> Value {
    json!({
        "capabilities": {"drop": ["ALL"]}, "privileged": false, "runAsNonRoot": true,
        "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

fn mounts(cluster: &Value) -> Value {
    let mut mounts = json!([
        {"name": "pgdata", "mountPath": DATA_PATH},
        {"name": "scratch-data", "mountPath": "/run"},
        {"name": "scratch-data", "mountPath": "/controller"},
        {"name": "shm", "mountPath": "/dev/shm"},
    ]);
    if cluster.has_wal_storage() {
        push(&mut mounts, json!({"name": "pg-wal", "mountPath": WAL_PATH}));
    }
    mounts
}

fn volumes(cluster: &Value, instance: &str) -> Value {
    let mut volumes = json!([
        {"name": "pgdata", "persistentVolumeClaim": {"claimName": instance}},
        {"name": "scratch-data", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]);
    if cluster.has_wal_storage() {
        push(
            &mut volumes,
            json!({"name": "pg-wal", "persistentVolumeClaim": {"claimName": format!("{instance}-wal")}}),
        );
    }
    volumes
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}

/// A container of the server's image, in the environment that all of them share. `pod` is what it calls itself.
pub(super) fn container(cluster: &Value, pod: &str, name: &str) -> Value {
    let mut env = json!([
        {"name": "PGDATA", "value": format!("{DATA_PATH}/pgdata")},
        {"name": "POD_NAME", "value": pod},
        {"name": "NAMESPACE", "value": cluster.namespace()},
        {"name": "CLUSTER_NAME", "value": cluster.name()},
        {"name": "PSQL_HISTORY", "value": "/controller/tmp/.psql_history"},
        {"name": "PGPORT", "value": "5432"},
        {"name": "PGHOST", "value": "/controller/run"},
        {"name": "TMPDIR", "value": "/controller/tmp"},
    ]);
    for given in list(cluster, "/spec/env") {
        push(&mut env, given.clone());
    }
    let resources = cluster.pointer("/spec/resources").filter(|r| r.is_object()).cloned().unwrap_or_else(|| json!({}));
    let mut container = json!({
        "name": name,
        "image": cluster.image(),
        "command": [],
        "env": env,
        "resources": resources,
        "volumeMounts": mounts(cluster),
        "securityContext": security(),
    });
    if !text(cluster, "/spec/imagePullPolicy").is_empty() {
        container["imagePullPolicy"] = text(cluster, "/spec/imagePullPolicy").into();
    }
    container
}

/// The pod spec around a container: volumes, the instance manager's copy, identity and placement.
pub(super) fn common(cluster: &Value, instance: &str, hostname: &str, container: Value) -> Value {
    let user = number(cluster, "/spec/postgresUID").unwrap_or(26);
    let group = number(cluster, "/spec/postgresGID").unwrap_or(26);
    let bootstrap = json!({
        "name": "bootstrap-controller",
        "image": OPERATOR_IMAGE,
        "command": ["/manager", "bootstrap", "/controller/manager", log_level(cluster)],
        "resources": container["resources"].clone(),
        "volumeMounts": mounts(cluster),
        "securityContext": security(),
    });
    let mut spec = json!({
        "volumes": volumes(cluster, instance),
        "initContainers": [bootstrap],
        "containers": [container],
        "terminationGracePeriodSeconds": 30,
        "serviceAccountName": cluster.name(),
        "securityContext": {
            "runAsUser": user, "runAsGroup": group, "runAsNonRoot": true, "fsGroup": group,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "hostname": hostname,
    });
    place(cluster, &mut spec);
    spec
}

/// Where the pod may run.
fn place(cluster: &Value, spec: &mut Value) {
    if let Some(affinity) = affinity(cluster) {
        spec["affinity"] = affinity;
    }
    let copied = [
        ("/spec/affinity/nodeSelector", "nodeSelector"),
        ("/spec/affinity/tolerations", "tolerations"),
        ("/spec/topologySpreadConstraints", "topologySpreadConstraints"),
        ("/spec/schedulerName", "schedulerName"),
        ("/spec/priorityClassName", "priorityClassName"),
    ];
    for (from, to) in copied {
        if let Some(given) = cluster.pointer(from).filter(|v| !v.is_null()) {
            spec[to] = given.clone();
        }
    }
}

fn affinity(cluster: &Value) -> Option<Value> {
    let given = cluster.pointer("/spec/affinity")?;
    let mut affinity = json!({});
    if given.get("enablePodAntiAffinity").and_then(Value::as_bool).unwrap_or(true) {
        let key = match text(given, "/topologyKey") {
            "" => "kubernetes.io/hostname",
            key => key,
        };
        let term = json!({
            "labelSelector": {"matchExpressions": [
                {"key": label::CLUSTER, "operator": "In", "values": [cluster.name()]},
                {"key": label::POD_ROLE, "operator": "In", "values": ["instance"]},
            ]},
            "topologyKey": key,
        });
        affinity["podAntiAffinity"] = if text(given, "/podAntiAffinityType") == "required" {
            json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]})
        } else {
            json!({"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]})
        };
    }
    for (from, to) in [("nodeAffinity", "nodeAffinity"), ("additionalPodAffinity", "podAffinity")] {
        if let Some(more) = given.get(from).filter(|v| v.is_object()) {
            affinity[to] = more.clone();
        }
    }
    affinity.as_object().is_some_and(|a| !a.is_empty()).then_some(affinity)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The spec of 1-create's demo-1, from the recorded annotation `cnpg.io/podSpec`, but for the image names.
    #[test]
    fn a_pods_spec_is_the_recorded_one() {
        let recorded = include_str!("../../../../tests/fixtures/lab/instance-pod-spec.json");
        let recorded: Value = serde_json::from_str(recorded).expect("JSON");
        let mut cluster = json!({
            "metadata": {"name": "demo", "namespace": "pg", "uid": "u"},
            "spec": {"instances": 3, "imageName": "localhost/postgresql:17.11", "storage": {"size": "1Gi"}},
        });
        crate::lab::operator::admission::set_defaults(&mut cluster);
        let mut made = spec(&cluster, "demo-1");
        made["initContainers"][0]["image"] = "localhost/cnpg:1.30.0".into();
        assert_eq!(made, recorded);
    }

    #[test]
    fn wal_gets_a_volume_and_placement_is_copied() {
        let cluster = json!({
            "metadata": {"name": "c", "namespace": "n"},
            "spec": {
                "imageName": "x:17", "storage": {"size": "2Gi"}, "walStorage": {"size": "1Gi"},
                "affinity": {"nodeSelector": {"workload": "postgres"}, "enablePodAntiAffinity": false},
                "topologySpreadConstraints": [{"maxSkew": 1}],
            },
        });
        let pod = pod(&cluster, 2);
        assert_eq!(pod["spec"]["volumes"][3]["persistentVolumeClaim"]["claimName"], "c-2-wal");
        assert_eq!(pod["spec"]["nodeSelector"]["workload"], "postgres");
        assert_eq!(pod["spec"]["topologySpreadConstraints"][0]["maxSkew"], 1);
        assert_eq!(pod["spec"].get("affinity"), None);
    }
}
