//! Schemas against objects as users send them.

use serde_json::{Value, json};

use super::*;
use crate::lab::api::error::Cause;
use crate::lab::api::resources::{ALL, CLUSTERS, DEPLOYMENTS, PODS};

#[test]
fn every_kind_has_a_schema_and_every_reference_leads_somewhere() {
    let schemas = Schemas::all();
    for resource in ALL {
        assert!(schemas.of(resource).is_some(), "{}", resource.qualified());
        let path = match resource.group {
            "" => "api/v1".to_owned(),
            group => format!("apis/{group}/v1"),
        };
        let document = document(&path, "v1.33.1").expect("a document");
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"").skip(1).filter_map(|r| r.split('"').next()) {
            let name = reference.strip_prefix(PREFIX).unwrap_or(reference);
            assert!(document["components"]["schemas"][name].is_object(), "{reference}");
        }
    }
    assert!(document("apis/none/v1", "v").is_none());
    assert!(index("h")["paths"]["apis/postgresql.cnpg.io/v1"].is_object());
}

#[test]
fn every_field_of_ours_says_what_it_is() {
    let cluster = Schemas::all().of(&CLUSTERS).cloned().unwrap_or_default();
    let properties = &cluster["properties"]["spec"]["properties"];
    let about = |name: &str| properties[name]["description"].as_str().unwrap_or_default().to_owned();
    assert_eq!(properties["instances"]["minimum"], 1);
    assert!(about("instances").starts_with("How many"));
    assert_eq!(
        properties["postgresql"]["properties"]["synchronous"]["properties"]["method"]["enum"],
        json!(["any", "first"])
    );
    assert!(properties.as_object().is_some_and(|p| p.keys().all(|name| !about(name).is_empty())));
}

#[test]
fn unknown_fields_are_found_and_taken_out() {
    let mut cluster = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": {"instances": 3, "nope": 1, "storage": {"size": "1Gi"}, "affinity": {"tolerations": [{"key": "k"}]},
            "postgresql": {"parameters": {"work_mem": "4MB"}}}});
    let found = check(&CLUSTERS, &mut cluster, true);
    assert_eq!(found, Found { unknown: vec!["spec.nope".into()], ..Found::default() });
    assert_eq!(cluster["spec"]["nope"], Value::Null);
    let mut deployment = json!({"metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": [
        {"name": "a", "imge": "b", "resources": {"limits": {"cpu": 1}}, "livenessProbe": {"httpGet": {"port": "http"}}}]}}}});
    let found = check(&DEPLOYMENTS, &mut deployment, true);
    assert_eq!(found.unknown, ["spec.template.spec.containers[0].imge"]);
    assert!(found.mistyped.is_empty() && found.refused.is_empty());
}

#[test]
fn wrong_values_are_named() {
    let mut cluster =
        json!({"metadata": {"name": "bad"}, "spec": {"instances": 0, "logLevel": "loud", "enablePDB": "yes"}});
    let found = check(&CLUSTERS, &mut cluster, true);
    let texts: Vec<String> = found.refused.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
    assert!(texts.contains(
        &"spec.instances: Invalid value: 0: spec.instances in body should be greater than or equal to 1".into()
    ));
    assert!(
        texts.iter().any(|t| t.starts_with("spec.logLevel: Unsupported value: \"loud\": supported values: \"error\""))
    );
    assert_eq!(found.mistyped, [("spec.enablePDB".into(), "boolean", "string")]);
    let missing = check(&CLUSTERS, &mut json!({"metadata": {"name": "x"}, "spec": {}}), true);
    assert_eq!(missing.refused, [Cause::required("spec.instances", "")]);
    assert_eq!(check(&CLUSTERS, &mut json!({"spec": {}}), false), Found::default());
    let pod = check(&PODS, &mut json!({"metadata": "x", "spec": {"containers": {}}}), true);
    assert_eq!(pod.mistyped.len(), 2);
}
