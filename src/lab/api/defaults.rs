//! What a real API server fills in when an object leaves it out.

use rand::RngExt as _;
use serde_json::{Map, Value, json};

use super::resources::Resource;

/// Completes a new object.
pub(crate) fn complete(resource: &Resource, object: &mut Value) {
    match (resource.group, resource.plural) {
        ("", "pods") => pod(object),
        ("", "namespaces") => namespace(object),
        ("", "services") => service(object),
        ("", "secrets") => set(object, "type", || json!("Opaque")),
        ("", "persistentvolumeclaims") => {
            set(section(object, "spec"), "volumeMode", || json!("Filesystem"));
            set(section(object, "status"), "phase", || json!("Pending"));
        }
        ("", "persistentvolumes") => {
            let spec = section(object, "spec");
            set(spec, "volumeMode", || json!("Filesystem"));
            set(spec, "persistentVolumeReclaimPolicy", || json!("Retain"));
            set(section(object, "status"), "phase", || json!("Available"));
        }
        ("apps", "deployments") => {
            let spec = section(object, "spec");
            set(spec, "replicas", || json!(1));
            set(spec, "revisionHistoryLimit", || json!(10));
            set(spec, "progressDeadlineSeconds", || json!(600));
            set(
                spec,
                "strategy",
                || json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } }),
            );
            template(spec);
        }
        ("apps", "statefulsets") => {
            let spec = section(object, "spec");
            set(spec, "replicas", || json!(1));
            set(spec, "podManagementPolicy", || json!("OrderedReady"));
            set(spec, "revisionHistoryLimit", || json!(10));
            template(spec);
        }
        ("apps", "replicasets") => {
            let spec = section(object, "spec");
            set(spec, "replicas", || json!(1));
            template(spec);
        }
        ("batch", "jobs") => {
            let spec = section(object, "spec");
            set(spec, "parallelism", || json!(1));
            set(spec, "completions", || json!(1));
            set(spec, "backoffLimit", || json!(6));
            set(spec, "completionMode", || json!("NonIndexed"));
            set(spec, "suspend", || json!(false));
            template(spec);
        }
        ("batch", "cronjobs") => {
            let spec = section(object, "spec");
            set(spec, "concurrencyPolicy", || json!("Allow"));
            set(spec, "suspend", || json!(false));
            set(spec, "successfulJobsHistoryLimit", || json!(3));
            set(spec, "failedJobsHistoryLimit", || json!(1));
        }
        ("storage.k8s.io", "storageclasses") => {
            set(object, "reclaimPolicy", || json!("Delete"));
            set(object, "volumeBindingMode", || json!("Immediate"));
        }
        ("postgresql.cnpg.io", "backups") => set(section(object, "spec"), "method", || json!("barmanObjectStore")),
        _ => {}
    }
}

/// A part of an object, made when it is missing.
fn section<'a>(object: &'a mut Value, name: &str) -> &'a mut Value {
    if !object[name].is_object() {
        object[name] = Value::Object(Map::new());
    }
    &mut object[name]
}

fn set(object: &mut Value, field: &str, value: impl FnOnce() -> Value) {
    if object[field].is_null() && object.is_object() {
        object[field] = value();
    }
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    set(section(object, "status"), "phase", || json!("Active"));
    set(section(object, "spec"), "finalizers", || json!(["kubernetes"]));
    section(&mut object["metadata"], "labels")["kubernetes.io/metadata.name"] = name;
}

fn service(object: &mut Value) {
    let spec = section(object, "spec");
    set(spec, "type", || json!("ClusterIP"));
    set(spec, "sessionAffinity", || json!("None"));
    if spec["type"] != "ExternalName" {
        set(spec, "clusterIP", || {
            let mut rng = rand::rng();
            json!(format!("10.96.{}.{}", rng.random_range(0..=255u8), rng.random_range(1..=254u8)))
        });
        let ip = spec["clusterIP"].clone();
        set(spec, "clusterIPs", || json!([ip]));
        set(spec, "ipFamilies", || json!(["IPv4"]));
        set(spec, "ipFamilyPolicy", || json!("SingleStack"));
        set(spec, "internalTrafficPolicy", || json!("Cluster"));
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        set(port, "protocol", || json!("TCP"));
        let own = port["port"].clone();
        set(port, "targetPort", || own);
    }
    set(section(object, "status"), "loadBalancer", || json!({}));
}

fn template(spec: &mut Value) {
    if spec["template"]["spec"].is_object() {
        pod_spec(&mut spec["template"]["spec"]);
    }
}

fn pod(object: &mut Value) {
    pod_spec(section(object, "spec"));
    set(&mut object["spec"], "serviceAccountName", || json!("default"));
    let class = quality(&object["spec"]);
    let status = section(object, "status");
    set(status, "phase", || json!("Pending"));
    set(status, "qosClass", || json!(class));
}

fn pod_spec(spec: &mut Value) {
    set(spec, "restartPolicy", || json!("Always"));
    set(spec, "dnsPolicy", || json!("ClusterFirst"));
    set(spec, "terminationGracePeriodSeconds", || json!(30));
    set(spec, "schedulerName", || json!("default-scheduler"));
    set(spec, "securityContext", || json!({}));
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            set(container, "resources", || json!({}));
            set(container, "terminationMessagePath", || json!("/dev/termination-log"));
            set(container, "terminationMessagePolicy", || json!("File"));
            let image = container["image"].as_str().unwrap_or_default();
            let latest = image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains(':');
            set(container, "imagePullPolicy", || json!(if latest { "Always" } else { "IfNotPresent" }));
            for port in container["ports"].as_array_mut().into_iter().flatten() {
                set(port, "protocol", || json!("TCP"));
            }
        }
    }
}

/// Guaranteed when every container's limits are its requests, BestEffort when none has any.
fn quality(spec: &Value) -> &'static str {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let part = |c: &Value, side: &str, what: &str| c["resources"][side][what].clone();
    let none = |c: &Value| {
        ["limits", "requests"].iter().all(|side| ["cpu", "memory"].iter().all(|what| part(c, side, what).is_null()))
    };
    let full = |c: &Value| {
        ["cpu", "memory"].iter().all(|what| {
            let limit = part(c, "limits", what);
            let request = part(c, "requests", what);
            !limit.is_null() && (request.is_null() || request == limit)
        })
    };
    if containers.iter().all(none) {
        "BestEffort"
    } else if containers.iter().all(full) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::resources::{BACKUPS, NAMESPACES, PODS, SERVICES};

    #[test]
    fn what_is_left_out_is_filled_in() {
        let mut made = json!({"metadata": {"name": "db"}});
        complete(&NAMESPACES, &mut made);
        assert_eq!(
            (&made["status"]["phase"], &made["metadata"]["labels"]["kubernetes.io/metadata.name"]),
            (&json!("Active"), &json!("db"))
        );
        let mut made = json!({"spec": {"ports": [{"port": 5432}], "clusterIP": "None"}});
        complete(&SERVICES, &mut made);
        assert_eq!(made["spec"]["ports"][0], json!({"port": 5432, "protocol": "TCP", "targetPort": 5432}));
        assert_eq!((&made["spec"]["clusterIP"], &made["spec"]["type"]), (&json!("None"), &json!("ClusterIP")));
        let mut made = json!({"spec": {"containers": [{"image": "r:5000/x", "resources": {"requests": {"cpu": 1}}}]}});
        complete(&PODS, &mut made);
        assert_eq!(made["spec"]["containers"][0]["imagePullPolicy"], "Always");
        assert_eq!((&made["status"]["qosClass"], &made["status"]["phase"]), (&json!("Burstable"), &json!("Pending")));
        let mut made = json!({"spec": {"cluster": {"name": "demo"}}});
        complete(&BACKUPS, &mut made);
        assert_eq!(made["spec"]["method"], "barmanObjectStore");
    }
}
