//! A thousand clusters of ten instances, as JSON of the size and shape an API server sends: a pod is some 10 kB, most of
//! it field managers, mounts, probes and environment.

use serde_json::{Value, json};

pub const CLUSTERS: usize = 1_000;
pub const INSTANCES: usize = 10;
pub const PODS: usize = CLUSTERS * INSTANCES;
const NODES: usize = 60;

pub fn name(n: usize) -> String {
    format!("pg-{n:04}")
}

pub fn namespace(n: usize) -> String {
    format!("team-{:02}", n % 40)
}

fn metadata(n: usize, name: &str, labels: Value) -> Value {
    let mut all = json!({
        "cnpg.io/cluster": self::name(n), "app.kubernetes.io/managed-by": "cloudnative-pg",
        "app.kubernetes.io/name": "postgresql", "app.kubernetes.io/component": "database",
    });
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), labels) {
        all.extend(more);
    }
    json!({
        "name": name, "namespace": namespace(n), "uid": format!("0d1f7a52-9a1c-4b7e-8a53-{:012x}", n * 4096 + name.len()),
        "resourceVersion": (900_000 + n).to_string(), "generation": 1, "creationTimestamp": "2026-11-20T22:50:02Z",
        "labels": all, "annotations": {"cnpg.io/operatorVersion": "1.30.0", "cnpg.io/nodeSerial": "1"},
        "ownerReferences": [{"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": self::name(n),
            "uid": "0d1f7a52-9a1c-4b7e-8a53-1c5a9e1b7d10", "controller": true, "blockOwnerDeletion": true}],
        "managedFields": managed(if labels_are_of_a_pod(name) { 36 } else { 6 }),
    })
}

fn labels_are_of_a_pod(name: &str) -> bool {
    name.rsplit('-').next().is_some_and(|serial| serial.len() < 3 && serial.chars().all(|c| c.is_ascii_digit()))
}

fn managed(fields: usize) -> Value {
    let fields: serde_json::Map<_, _> = (0..fields)
        .map(|n| (format!("f:cnpg.io/field-of-a-manager-{n}"), json!({"f:name": {}, "f:value": {}, ".": {}})))
        .collect();
    json!([{"manager": "manager", "operation": "Update", "apiVersion": "v1", "time": "2026-11-20T22:50:02Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": fields}}])
}

/// An instance's pod that was restarted so many times.
pub fn pod(n: usize, serial: usize, restarts: u32) -> Value {
    let me = format!("{}-{serial}", name(n));
    let role = if serial == 1 { "primary" } else { "replica" };
    let labels = json!({"cnpg.io/instanceName": me, "cnpg.io/podRole": "instance", "cnpg.io/instanceRole": role,
        "role": role, "app.kubernetes.io/instance": name(n), "app.kubernetes.io/version": "17"});
    let env: Vec<_> = (0..16)
        .map(|v| json!({"name": format!("A_VARIABLE_{v}"), "value": format!("/controller/some/path/number/{v}")}))
        .collect();
    let mounts: Vec<_> = (0..8)
        .map(|v| json!({"name": format!("volume-{v}"), "mountPath": format!("/var/lib/postgresql/{v}")}))
        .collect();
    let volumes: Vec<_> = (0..8).map(|v| json!({"name": format!("volume-{v}"), "emptyDir": {}})).collect();
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8000, "scheme": "HTTPS"}, "timeoutSeconds": 5,
        "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "lastProbeTime": null, "observedGeneration": 1,
        "lastTransitionTime": "2026-11-20T22:50:13Z"})
    };
    let conditions =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
    let state = |container: &str| {
        json!({"name": container, "ready": true, "started": true, "restartCount": restarts,
        "image": "ghcr.io/cloudnative-pg/postgresql:17.4", "containerID": "containerd://0123456789abcdef0123456789abcdef",
        "imageID": "ghcr.io/cloudnative-pg/postgresql@sha256:0123456789abcdef0123456789abcdef0123456789abcdef",
        "state": {"running": {"startedAt": "2026-11-20T22:50:03Z"}}, "lastState": {}})
    };
    let container = |container: &str| {
        json!({"name": container, "image": "ghcr.io/cloudnative-pg/postgresql:17.4",
        "imagePullPolicy": "IfNotPresent", "command": ["/controller/manager", "instance", "run", "--status-port-tls"],
        "ports": [{"name": "postgresql", "containerPort": 5432, "protocol": "TCP"}, {"name": "metrics", "containerPort": 9187}],
        "env": env, "volumeMounts": mounts, "livenessProbe": probe, "readinessProbe": probe, "startupProbe": probe,
        "resources": {"limits": {"cpu": "4", "memory": "16Gi"}, "requests": {"cpu": "4", "memory": "16Gi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"})
    };
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata(n, &me, labels),
        "spec": {
            "nodeName": format!("aks-postgres-vmss{:06}", (n + serial) % NODES), "hostname": me, "volumes": volumes,
            "initContainers": [container("bootstrap-controller")], "containers": [container("postgres")],
            "serviceAccountName": name(n), "restartPolicy": "Always", "terminationGracePeriodSeconds": 1800,
            "schedulerName": "default-scheduler", "priority": 0, "dnsPolicy": "ClusterFirst",
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100,
                "podAffinityTerm": {"topologyKey": "topology.kubernetes.io/zone",
                    "labelSelector": {"matchLabels": {"cnpg.io/cluster": name(n), "cnpg.io/podRole": "instance"}}}}]}},
            "tolerations": [{"key": "workload", "operator": "Equal", "value": "postgres", "effect": "NoSchedule"}],
        },
        "status": {
            "phase": "Running", "podIP": format!("10.244.{}.{}", n % 250, serial), "hostIP": "10.224.0.5", "qosClass": "Guaranteed",
            "conditions": conditions,
            "startTime": "2026-11-20T22:50:02Z", "containerStatuses": [state("postgres")],
            "initContainerStatuses": [state("bootstrap-controller")],
        },
    })
}

pub fn cluster(n: usize) -> Value {
    let names: Vec<_> = (1..=INSTANCES).map(|s| format!("{}-{s}", name(n))).collect();
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Fine", "message": "Cluster is Ready",
        "lastTransitionTime": "2026-11-20T22:50:13Z"})
    };
    json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": metadata(n, &name(n), json!({})),
        "spec": {"instances": INSTANCES, "imageName": "ghcr.io/cloudnative-pg/postgresql:17.4",
            "storage": {"size": "100Gi", "storageClass": "managed-csi-premium"},
            "postgresql": {"parameters": {"max_connections": "400", "wal_keep_size": "512MB"},
                "synchronous": {"method": "any", "number": 1, "dataDurability": "required"}}},
        "status": {"phase": "Cluster in healthy state", "instances": INSTANCES, "readyInstances": INSTANCES,
            "instanceNames": names, "instancesStatus": {"healthy": names}, "healthyPVC": names,
            "currentPrimary": names[0], "targetPrimary": names[0], "timelineID": 1, "pvcCount": INSTANCES,
            "systemID": "7710389708369129491", "writeService": format!("{}-rw", name(n)),
            "conditions": [condition("Ready"), condition("ContinuousArchiving")],
            "certificates": {"expirations": {format!("{}-ca", name(n)): "2027-02-18 22:44:56 +0000 UTC"}}},
    })
}

pub fn claim(n: usize, serial: usize) -> Value {
    let me = format!("{}-{serial}", name(n));
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": metadata(n, &me, json!({"cnpg.io/instanceName": me, "cnpg.io/pvcRole": "PG_DATA"})),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Gi"}},
            "storageClassName": "managed-csi-premium", "volumeName": format!("pvc-{n}-{serial}")},
        "status": {"phase": "Bound", "capacity": {"storage": "100Gi"}}})
}

pub fn service(n: usize, suffix: &str) -> Value {
    let selector = match suffix {
        "rw" => json!({"cnpg.io/cluster": name(n), "cnpg.io/instanceRole": "primary"}),
        "ro" => json!({"cnpg.io/cluster": name(n), "cnpg.io/instanceRole": "replica"}),
        _ => json!({"cnpg.io/cluster": name(n), "cnpg.io/podRole": "instance"}),
    };
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata(n, &format!("{}-{suffix}", name(n)), json!({})),
        "spec": {"type": "ClusterIP", "selector": selector, "ports": [{"name": "postgres", "port": 5432}]}})
}

pub fn slice(n: usize, suffix: &str) -> Value {
    let service = format!("{}-{suffix}", name(n));
    let behind = match suffix {
        "rw" => 1..=1,
        "ro" => 2..=INSTANCES,
        _ => 1..=INSTANCES,
    };
    let endpoints: Vec<_> = behind
        .map(|s| {
            json!({"addresses": ["10.244.0.1"], "conditions": {"ready": true, "serving": true},
            "targetRef": {"kind": "Pod", "name": format!("{}-{s}", name(n))}})
        })
        .collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "endpoints": endpoints,
        "metadata": metadata(n, &format!("{service}-x7k2p"), json!({"kubernetes.io/service-name": service}))})
}

pub fn lease(n: usize) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata(n, &name(n), json!({})),
        "spec": {"holderIdentity": format!("{}-1", name(n)), "leaseDurationSeconds": 15, "leaseTransitions": 1}})
}

/// A warning of one pod.
pub fn event(n: usize) -> Value {
    let about = format!("{}-2", name(n));
    json!({"apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "Unhealthy", "count": 3,
        "metadata": {"name": format!("{about}.18799"), "namespace": namespace(n), "uid": format!("event-{n}")},
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 500",
        "lastTimestamp": "2026-11-20T22:50:13Z",
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": about, "namespace": namespace(n)}})
}

pub fn nodes() -> impl Iterator<Item = Value> {
    (0..NODES).map(|n| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("aks-postgres-vmss{n:06}"),
                "labels": {"topology.kubernetes.io/zone": format!("westus3-{}", n % 3 + 1), "workload": "postgres"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.33.5"}}})
    })
}
