//! The instances' service account and what it may do.

use serde_json::{Value, json};

use super::{owner, plain};
use crate::lab::api::resources::{ROLEBINDINGS, ROLES, SERVICEACCOUNTS};
use crate::lab::object::{list, text};
use crate::lab::operator::pass::Pass;
use crate::lab::operator::status::CertificateSecrets;
use crate::lab::operator::words::{MANAGER, annotation};
use crate::lab::operator::world::ClusterObject;

pub fn ensure(pass: &mut Pass<'_>) {
    let name = pass.name().to_owned();
    if !pass.world.has(&SERVICEACCOUNTS, &name) {
        pass.event("CreatingServiceAccount", "Creating ServiceAccount");
        let mut metadata = plain(&pass.cluster, &name);
        metadata["labels"]["app.kubernetes.io/managed-by"] = MANAGER.into();
        metadata["annotations"][annotation::MANAGED_SECRETS] = "[]".into();
        pass.create(&SERVICEACCOUNTS, json!({"metadata": metadata}));
    }
    if !pass.world.has(&ROLES, &name) {
        pass.event("CreatingRole", "Creating Cluster Role");
        let role = json!({"metadata": bare(&pass.cluster), "rules": rules(&pass.cluster)});
        pass.create(&ROLES, role);
    }
    if !pass.world.has(&ROLEBINDINGS, &name) {
        let binding = json!({
            "metadata": bare(&pass.cluster),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": pass.cluster.namespace()}],
        });
        pass.create(&ROLEBINDINGS, binding);
    }
}

fn bare(cluster: &Value) -> Value {
    json!({
        "name": cluster.name(),
        "labels": {"app.kubernetes.io/managed-by": MANAGER},
        "ownerReferences": [owner(cluster)],
    })
}

fn rules(cluster: &Value) -> Value {
    const CNPG: &str = "postgresql.cnpg.io";
    let name = cluster.name();
    let secrets = CertificateSecrets::of(cluster);
    let mut readable = vec![secrets.replication_tls, secrets.client_ca, secrets.server_ca, secrets.server_tls];
    readable.dedup();
    readable.extend([format!("{name}-app"), format!("{name}-superuser")]);
    let maps: Vec<&str> =
        list(cluster, "/spec/monitoring/customQueriesConfigMap").iter().map(|map| text(map, "/name")).collect();
    let rule = |group: &str, resource: &str, verbs: &[&str], names: Value| {
        let mut rule = json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
        if !names.is_null() {
            rule["resourceNames"] = names;
        }
        rule
    };
    let all = Value::Null;
    let mut rules = vec![
        rule("", "configmaps", &["get", "watch"], json!(maps)),
        rule("", "secrets", &["get", "watch"], json!(readable)),
        rule(CNPG, "clusters", &["get", "list", "watch"], json!([name])),
        rule(CNPG, "clusters/status", &["get", "patch", "update", "watch"], json!([name])),
        rule(CNPG, "backups", &["list", "get", "delete"], all.clone()),
        rule(CNPG, "backups/status", &["get", "patch", "update"], all.clone()),
        rule("", "events", &["create", "patch"], all.clone()),
    ];
    for kind in ["databases", "publications", "subscriptions"] {
        rules.push(rule(CNPG, kind, &["get", "update", "list", "watch"], all.clone()));
        rules.push(rule(CNPG, &format!("{kind}/status"), &["get", "patch", "update"], all.clone()));
    }
    rules.push(rule("coordination.k8s.io", "leases", &["get", "update"], json!([name])));
    rules.push(rule(CNPG, "failoverquorums", &["get", "list", "watch"], json!([name])));
    rules.push(rule(CNPG, "failoverquorums/status", &["get", "patch", "update", "watch"], json!([name])));
    Value::Array(rules)
}
