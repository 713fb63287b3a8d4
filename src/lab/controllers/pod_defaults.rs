//! What the API server adds to a pod's spec before it is stored: its defaults.

use serde_json::{Value, json};

/// Fills in what wasn't said.
pub fn with_defaults(mut spec: Value) -> Value {
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            container_defaults(container);
        }
    }
    put(&mut spec, "restartPolicy", json!("Always"));
    put(&mut spec, "terminationGracePeriodSeconds", json!(30));
    put(&mut spec, "dnsPolicy", json!("ClusterFirst"));
    put(&mut spec, "schedulerName", json!("default-scheduler"));
    put(&mut spec, "priority", json!(0));
    put(&mut spec, "enableServiceLinks", json!(true));
    put(&mut spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    put(&mut spec, "securityContext", json!({}));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        put(&mut spec, "serviceAccount", account);
    }
    tolerate_short_absence(&mut spec);
    spec
}

fn put(object: &mut Value, key: &str, value: Value) {
    if object.get(key).is_none() {
        object[key] = value;
    }
}

fn container_defaults(container: &mut Value) {
    put(container, "terminationMessagePath", json!("/dev/termination-log"));
    put(container, "terminationMessagePolicy", json!("File"));
    let latest = container.get("image").and_then(Value::as_str).is_some_and(|image| image.ends_with(":latest"));
    put(container, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
    put(container, "resources", json!({}));
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            let defaults =
                [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)];
            for (key, value) in defaults {
                put(probe, key, json!(value));
            }
        }
    }
}

/// A pod stays five minutes on a node that isn't ready or can't be reached.
fn tolerate_short_absence(spec: &mut Value) {
    put(spec, "tolerations", json!([]));
    let Some(tolerations) = spec["tolerations"].as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|t| t["key"] == key) {
            tolerations
                .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stays_and_what_is_not_gets_the_usual() {
        let spec = with_defaults(json!({
            "containers": [{"name": "c", "image": "x:latest", "livenessProbe": {"timeoutSeconds": 5}}],
            "restartPolicy": "Never",
        }));
        assert_eq!(spec["restartPolicy"], "Never");
        assert_eq!(spec["containers"][0]["imagePullPolicy"], "Always");
        assert_eq!(spec["containers"][0]["livenessProbe"]["timeoutSeconds"], 5);
        assert_eq!(spec["containers"][0]["livenessProbe"]["failureThreshold"], 3);
        assert_eq!(spec["tolerations"].as_array().map(Vec::len), Some(2));
        assert_eq!(with_defaults(spec.clone()), spec, "twice is once");
    }
}
