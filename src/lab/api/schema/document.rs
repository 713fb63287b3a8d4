//! OpenAPI v3 documents, one per group and version.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{PREFIX, Schemas};
use crate::lab::api::resources::{ALL, Resource};

/// The list of documents; `hash` makes clients ask again when the API changes.
pub(crate) fn index(hash: &str) -> Value {
    let mut paths = Map::new();
    for resource in ALL {
        let path = base(resource);
        let url = format!("/openapi/v3/{path}?hash={hash}");
        paths.insert(path, json!({ "serverRelativeURL": url }));
    }
    json!({ "paths": paths })
}

/// `api/v1`, `apis/apps/v1`.
fn base(resource: &Resource) -> String {
    let root = if resource.group.is_empty() { "api" } else { "apis" };
    format!("{root}/{}", resource.api_version())
}

/// The document of a group and version, or nothing.
pub(crate) fn document(path: &str, version: &str) -> Option<Value> {
    let schemas = Schemas::all();
    let kinds: Vec<&Resource> = ALL.iter().copied().filter(|r| base(r) == path).collect();
    if kinds.is_empty() {
        return None;
    }
    let mut paths = Map::new();
    let mut wanted = BTreeSet::new();
    for resource in kinds {
        let Some(name) = schemas.kinds.get(&(resource.group, resource.kind)) else { continue };
        reach(schemas, name, &mut wanted);
        add_paths(resource, name, &mut paths);
    }
    let components: Map<String, Value> =
        wanted.iter().filter_map(|name| Some((name.clone(), schemas.components.get(name)?.clone()))).collect();
    Some(json!({ "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": version },
        "paths": paths, "components": { "schemas": components } }))
}

/// A component and all that it refers to.
fn reach(schemas: &Schemas, name: &str, wanted: &mut BTreeSet<String>) {
    if !wanted.insert(name.to_owned()) {
        return;
    }
    if let Some(schema) = schemas.components.get(name) {
        references(schema, &mut |reference| reach(schemas, reference, wanted));
    }
}

fn references(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner.as_str().filter(|_| key == "$ref").and_then(|r| r.strip_prefix(PREFIX)) {
                    Some(name) => found(name),
                    None => references(inner, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

fn add_paths(resource: &Resource, component: &str, paths: &mut Map<String, Value>) {
    let kind = json!({ "group": resource.group, "version": resource.version, "kind": resource.kind });
    let schema = json!({ "$ref": format!("{PREFIX}{component}") });
    let content = |types: &[&str]| -> Value {
        let entries = types.iter().map(|t| ((*t).to_owned(), json!({ "schema": schema })));
        json!({ "content": entries.collect::<Map<_, _>>() })
    };
    let mut answer = content(&["application/json", "application/yaml"]);
    answer["description"] = json!("OK");
    let operation = |action: &str, parameters: Value, body: Option<Value>| {
        let mut operation = json!({ "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind,
            "parameters": parameters, "responses": { "200": answer } });
        if let Some(body) = body {
            operation["requestBody"] = body;
        }
        operation
    };
    let query = |names: &[&str]| -> Value {
        let each = names.iter().map(|n| json!({ "name": n, "in": "query", "schema": { "type": "string" } }));
        each.collect()
    };
    let writing = ["dryRun", "fieldManager", "fieldValidation"];
    let json_body = || Some(content(&["application/json", "application/yaml"]));
    let mut patches =
        vec!["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
    if !resource.custom {
        patches.push("application/strategic-merge-patch+json");
    }
    let root = format!("/{}", base(resource));
    let collection = match resource.namespaced {
        true => format!("{root}/namespaces/{{namespace}}/{}", resource.plural),
        false => format!("{root}/{}", resource.plural),
    };
    let listing = query(&["continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "watch"]);
    paths.insert(format!("{collection}/{{name}}"), json!({
        "get": operation("get", query(&[]), None),
        "put": operation("put", query(&writing), json_body()),
        "patch": operation("patch", query(&["dryRun", "fieldManager", "fieldValidation", "force"]), Some(content(&patches))),
        "delete": operation("delete", query(&["dryRun", "gracePeriodSeconds", "propagationPolicy"]), None),
    }));
    paths.insert(
        collection,
        json!({
            "get": operation("list", listing.clone(), None),
            "post": operation("post", query(&writing), json_body()),
            "delete": operation("deletecollection", query(&["dryRun", "labelSelector"]), None),
        }),
    );
    if resource.namespaced {
        paths.insert(format!("{root}/{}", resource.plural), json!({ "get": operation("list", listing, None) }));
    }
}
