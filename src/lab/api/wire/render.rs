//! Objects and lists in the form that was asked for.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::accept::{Form, Wanted};
use super::answer::{self, Answer};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::Resource;
use crate::lab::api::tables;

/// What a table's rows carry along: `includeObject`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carry {
    #[default]
    Metadata,
    Object,
    Nothing,
}

impl Carry {
    pub fn of(text: Option<&str>) -> Result<Carry, ApiError> {
        match text {
            None | Some("Metadata") => Ok(Carry::Metadata),
            Some("Object") => Ok(Carry::Object),
            Some("None") => Ok(Carry::Nothing),
            Some(other) => Err(ApiError::bad_request(format!("unrecognized includeObject value: \"{other}\""))),
        }
    }
}

/// Metadata alone.
pub(crate) fn metadata(object: &Value) -> Value {
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] })
}

fn carried(object: &Value, carry: Carry) -> Value {
    match carry {
        Carry::Metadata => {
            let mut partial = metadata(object);
            // A row is for printing: what no printer shows stays at home.
            if let Some(metadata) = partial["metadata"].as_object_mut() {
                metadata.remove("managedFields");
            }
            partial
        }
        Carry::Object => object.clone(),
        Carry::Nothing => Value::Null,
    }
}

/// A table of these objects. Columns are sent once in a watch.
pub(crate) fn table(resource: &Resource, items: &[Arc<Value>], carry: Carry, columns: bool, meta: Value) -> Value {
    let now = Timestamp::now();
    let rows: Vec<Value> = items.iter().map(|o| tables::row(resource, o, now, carried(o, carry))).collect();
    let columns = if columns { tables::definitions(resource) } else { Value::Null };
    json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": columns, "rows": rows })
}

/// One object.
pub(crate) fn object(
    code: u16,
    resource: &Resource,
    object: &Arc<Value>,
    wanted: Wanted,
    carry: Carry,
) -> Result<Answer, ApiError> {
    match wanted.form {
        Form::Whole => value(code, object, wanted.yaml),
        Form::Metadata => value(code, &metadata(object), wanted.yaml),
        Form::Table => {
            let meta = json!({ "resourceVersion": object["metadata"]["resourceVersion"] });
            value(code, &table(resource, std::slice::from_ref(object), carry, true, meta), wanted.yaml)
        }
    }
}

/// A list.
pub(crate) fn list(
    resource: &Resource,
    items: &[Arc<Value>],
    meta: Value,
    wanted: Wanted,
    carry: Carry,
) -> Result<Answer, ApiError> {
    match wanted.form {
        Form::Table => value(200, &table(resource, items, carry, true, meta), wanted.yaml),
        Form::Metadata => {
            let items: Vec<Value> = items.iter().map(|o| metadata(o)).collect();
            let list = json!({ "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": meta, "items": items });
            value(200, &list, wanted.yaml)
        }
        Form::Whole if wanted.yaml => {
            let items: Vec<&Value> = items.iter().map(|o| &**o).collect();
            let list = json!({ "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(),
                "metadata": meta, "items": items });
            value(200, &list, true)
        }
        Form::Whole => Ok(answer::whole(200, "application/json", list_text(resource, items, &meta))),
    }
}

/// Written piece by piece: a list of ten thousand pods is not built twice. Items of built-in kinds don't repeat what
/// the list's own kind says.
fn list_text(resource: &Resource, items: &[Arc<Value>], meta: &Value) -> String {
    let mut text = format!(
        r#"{{"kind":"{}List","apiVersion":"{}","metadata":{meta},"items":["#,
        resource.kind,
        resource.api_version()
    );
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        match item.as_object() {
            Some(map) if !resource.custom => {
                text.push('{');
                let mut first = true;
                for (key, value) in map.iter().filter(|(k, _)| *k != "kind" && *k != "apiVersion") {
                    if !std::mem::take(&mut first) {
                        text.push(',');
                    }
                    text.push_str(&Value::String(key.clone()).to_string());
                    text.push(':');
                    text.push_str(&value.to_string());
                }
                text.push('}');
            }
            _ => text.push_str(&item.to_string()),
        }
    }
    text.push_str("]}\n");
    text
}

/// Any value as JSON or YAML.
pub(crate) fn value(code: u16, value: &Value, yaml: bool) -> Result<Answer, ApiError> {
    if !yaml {
        return Ok(answer::json(code, value));
    }
    let text = serde_saphyr::to_string(value).map_err(ApiError::internal)?;
    Ok(answer::whole(code, "application/yaml", text))
}
