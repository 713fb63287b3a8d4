//! The jobs that make an instance's data directory: `initdb` or `full-recovery` for the first, `join` for the others.

use serde_json::{Value, json};

use super::instance::{common, container};
use super::{app_labels, blocking_owner};
use crate::lab::controllers::pod_defaults::with_defaults;
use crate::lab::instance::credentials::application_of;
use crate::lab::object::{flag, text};
use crate::lab::operator::words::{VERSION, annotation, instance_name, label};
use crate::lab::operator::world::ClusterObject;

/// The first instance's job.
pub fn initdb(cluster: &Value, serial: u32) -> Value {
    let name = format!("{}-initdb", instance_name(cluster.name(), serial));
    let mut container = container(cluster, &name, "initdb");
    let bootstrap = |field: &str| text(cluster, &format!("/spec/bootstrap/initdb/{field}"));
    let (database, owner) = application_of(cluster).unwrap_or(("app", "app"));
    let mut flags = format!(
        "--encoding={} --lc-collate={} --lc-ctype={}",
        bootstrap("encoding"),
        bootstrap("localeCollate"),
        bootstrap("localeCType")
    );
    if flag(cluster, "/spec/bootstrap/initdb/dataChecksums") {
        flags.push_str(" --data-checksums");
    }
    if cluster.has_wal_storage() {
        flags.push_str(" --waldir=/var/lib/postgresql/wal/pg_wal");
    }
    container["command"] = json!([
        "/controller/manager",
        "instance",
        "init",
        "--initdb-flags",
        flags,
        "--app-db-name",
        database,
        "--app-user",
        owner,
        "--log-level=info",
    ]);
    if let Some(env) = container["env"].as_array_mut() {
        let secret = format!("{}-app", cluster.name());
        env.push(json!({
            "name": "APP_USERNAME",
            "valueFrom": {"secretKeyRef": {"name": secret, "key": "username", "optional": false}},
        }));
    }
    job(cluster, serial, &name, "initdb", container)
}

/// The first instance's job where the cluster begins with another's backup.
pub fn recovery(cluster: &Value, serial: u32) -> Value {
    let name = format!("{}-full-recovery", instance_name(cluster.name(), serial));
    let mut container = container(cluster, &name, "full-recovery");
    let mut command = vec!["/controller/manager", "instance", "restore"];
    if cluster.has_wal_storage() {
        command.extend(["--pg-wal", "/var/lib/postgresql/wal/pg_wal"]);
    }
    command.push("--log-level=info");
    container["command"] = json!(command);
    job(cluster, serial, &name, "full-recovery", container)
}

/// A standby's job.
pub fn join(cluster: &Value, serial: u32) -> Value {
    let name = format!("{}-join", instance_name(cluster.name(), serial));
    let mut container = container(cluster, &name, "join");
    let parent = format!("{}-rw", cluster.name());
    container["command"] =
        json!(["/controller/manager", "instance", "join", "--parent-node", parent, "--log-level=info"]);
    job(cluster, serial, &name, "join", container)
}

fn job(cluster: &Value, serial: u32, name: &str, role: &str, container: Value) -> Value {
    let instance = instance_name(cluster.name(), serial);
    let mut labels = app_labels(cluster);
    let fixed = [(label::CLUSTER, cluster.name()), (label::INSTANCE_NAME, &instance), (label::JOB_ROLE, role)];
    labels.extend(fixed.map(|(key, value)| (key.to_owned(), Value::from(value))));
    let annotations = json!({annotation::OPERATOR_VERSION: VERSION});
    let mut spec = common(cluster, &instance, name, container);
    spec["restartPolicy"] = "Never".into();
    json!({
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [blocking_owner(cluster)],
        },
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "manualSelector": false,
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": with_defaults(spec),
            },
            "completionMode": "NonIndexed",
            "suspend": false,
            "podReplacementPolicy": "TerminatingOrFailed",
        },
        "status": {},
    })
}
