//! The scale subresource.

use serde_json::{Map, Value, json};

use super::Wire;
use super::answer::{self, Answer};
use super::body::{self, content_type};
use super::write::Sent;
use super::writer::Writer;
use crate::lab::api::error::{ApiError, Cause};
use crate::lab::api::patch;
use crate::lab::api::resources::{Resource, Scale};
use crate::lab::api::store::Part;

impl Wire {
    /// Reads or changes how many there should be.
    pub(super) fn scale(&self, sent: &Sent, verb: &str) -> Result<Answer, ApiError> {
        let at = sent.at;
        let Some(paths) = &at.resource.scale else { return Ok(answer::not_found_path()) };
        let found = self.store.get(at.resource, at.namespace(), at.object());
        let found = found.ok_or_else(|| ApiError::not_found(at.resource, at.object()))?;
        if verb == "get" {
            return Ok(answer::json(200, &shown(at.resource, paths, &found)));
        }
        let edit: Value = match (verb, content_type(sent.headers).as_str()) {
            ("update", _) => body::object(sent.headers, &sent.body)?,
            (
                _,
                "application/json-patch+json"
                | "application/merge-patch+json"
                | "application/strategic-merge-patch+json",
            ) => body::json(&sent.body)?,
            (_, other) => {
                return Err(body::unsupported(other, "application/json-patch+json, application/merge-patch+json"));
            }
        };
        let operations = content_type(sent.headers) == "application/json-patch+json";
        let writer = Writer::of(&self.store, at, sent.query, sent.headers)?;
        let done = writer.store.change(at.resource, at.namespace(), at.object(), Part::Main, |object| {
            let mut scale = shown(at.resource, paths, object);
            match (verb, operations) {
                ("update", _) => scale = edit.clone(),
                (_, true) => patch::json(&mut scale, &edit)?,
                (_, false) => patch::merge(&mut scale, &edit),
            }
            object["metadata"]["resourceVersion"] = match &scale["metadata"]["resourceVersion"] {
                Value::String(version) if !version.is_empty() => json!(version),
                _ => object["metadata"]["resourceVersion"].clone(),
            };
            set(object, paths.spec_replicas, wanted(at.object(), &scale)?);
            let before = object.clone();
            writer.store.admission(at.resource, Some(&before), object)
        })?;
        Ok(answer::json(200, &shown(at.resource, paths, &done)))
    }
}

fn wanted(name: &str, scale: &Value) -> Result<u64, ApiError> {
    let replicas = &scale["spec"]["replicas"];
    if replicas.is_null() {
        return Ok(0);
    }
    replicas.as_u64().filter(|n| *n <= u64::from(u32::MAX >> 1)).ok_or_else(|| {
        let cause = Cause::value("spec.replicas", replicas, "must be greater than or equal to 0");
        let text = format!("Scale.autoscaling \"{name}\" is invalid: spec.replicas: {}", cause.message);
        ApiError::new(422, "Invalid", text).with(json!({ "name": name, "group": "autoscaling", "kind": "Scale",
            "causes": [{ "reason": cause.reason, "message": cause.message, "field": cause.field }] }))
    })
}

fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(object, |value, step| &value[step])
}

fn set(object: &mut Value, path: &str, value: u64) {
    let mut slot = object;
    for step in path.split('.') {
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        slot = &mut slot[step];
    }
    *slot = json!(value);
}

/// The Scale object of an object.
fn shown(resource: &Resource, paths: &Scale, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut own = Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if !metadata[field].is_null() {
            own.insert(field.into(), metadata[field].clone());
        }
    }
    let number = |path: &str| at(object, path).as_u64().unwrap_or_default();
    let mut status = json!({ "replicas": number(paths.status_replicas) });
    let selector = selector(resource, paths, object);
    if !selector.is_empty() {
        status["selector"] = json!(selector);
    }
    json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": own,
        "spec": { "replicas": number(paths.spec_replicas) }, "status": status })
}

fn selector(resource: &Resource, paths: &Scale, object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if resource.custom {
        let stored = object["status"]["selector"].as_str().map(str::to_owned);
        return stored.unwrap_or_else(|| paths.selector.replace("{name}", name));
    }
    let labels = object["spec"]["selector"]["matchLabels"].as_object();
    let pairs = labels.into_iter().flatten().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()));
    pairs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::api::resources::{CLUSTERS, DEPLOYMENTS};

    #[test]
    fn a_cluster_as_recorded() {
        let cluster = json!({"metadata": {"name": "demo", "namespace": "pg", "uid": "u", "resourceVersion": "2699",
            "creationTimestamp": "2026-11-20T22:49:56Z", "labels": {}}, "spec": {"instances": 3}, "status": {"instances": 3}});
        let scale = CLUSTERS.scale.as_ref().map(|paths| shown(&CLUSTERS, paths, &cluster));
        let wanted = json!({"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"demo","namespace":"pg","uid":"u",
            "resourceVersion":"2699","creationTimestamp":"2026-11-20T22:49:56Z"},"spec":{"replicas":3},
            "status":{"replicas":3,"selector":"cnpg.io/cluster=demo,cnpg.io/podRole=instance"}});
        assert_eq!(scale, Some(wanted));
        let other = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}}});
        let scale = DEPLOYMENTS.scale.as_ref().map(|paths| shown(&DEPLOYMENTS, paths, &other)["status"].clone());
        assert_eq!(scale, Some(json!({"replicas": 0, "selector": "a=b"})));
    }

    #[test]
    fn numbers_only() {
        for bad in [json!(-1), json!("3"), json!(1.5), json!(99_999_999_999_u64)] {
            assert_eq!(wanted("x", &json!({"spec": {"replicas": bad}})).map_err(|e| e.code), Err(422));
        }
        assert_eq!(wanted("x", &json!({"spec": {}})), Ok(0));
    }
}
