//! Holding an object against its kind's schema.

use serde_json::Value;

use super::Schemas;
use crate::lab::api::error::Cause;
use crate::lab::api::resources::Resource;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// Paths of fields that the kind doesn't have. They were taken out.
    pub unknown: Vec<String>,
    /// Values of the wrong type: path, the type wanted, the type found.
    pub mistyped: Vec<(String, &'static str, &'static str)>,
    /// Values that are not allowed.
    pub refused: Vec<Cause>,
}

/// Checks an object and takes out what doesn't belong. `whole` also asks for what is required.
pub(crate) fn check(resource: &Resource, object: &mut Value, whole: bool) -> Found {
    let schemas = Schemas::all();
    let mut found = Found::default();
    if let Some(schema) = schemas.of(resource) {
        Walk { schemas, whole, custom: resource.custom, found: &mut found }.value(schema, object, "");
    }
    found
}

struct Walk<'a> {
    schemas: &'a Schemas,
    whole: bool,
    custom: bool,
    found: &'a mut Found,
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

impl Walk<'_> {
    fn value(&mut self, schema: &Value, value: &mut Value, path: &str) {
        let named = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str()).unwrap_or_default();
        let schema = self.schemas.resolve(schema);
        if value.is_null() || self.free(schema, named, value) {
            return;
        }
        if let Some(wanted) = schema["type"].as_str()
            && let Some(mistake) = mistype(wanted, value)
        {
            self.found.mistyped.push((path.to_owned(), mistake.0, mistake.1));
            return;
        }
        self.allowed(schema, value, path);
        match value {
            Value::Object(map) => {
                let properties = schema["properties"].as_object();
                let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
                let rest = &schema["additionalProperties"];
                if properties.is_none() && rest.is_null() {
                    return;
                }
                map.retain(|field, inner| {
                    if let Some(known) = properties.and_then(|p| p.get(field)) {
                        self.value(known, inner, &join(path, field));
                    } else if rest.is_object() {
                        self.value(rest, inner, &join(path, field));
                    } else if !open {
                        self.found.unknown.push(join(path, field));
                        return false;
                    }
                    true
                });
                if self.whole && self.custom {
                    self.required(schema, map, path);
                }
            }
            Value::Array(list) => {
                for (i, inner) in list.iter_mut().enumerate() {
                    self.value(&schema["items"], inner, &format!("{path}[{i}]"));
                }
            }
            _ => {}
        }
    }

    /// Values whose type says nothing: numbers or words, quantities, anything.
    fn free(&self, schema: &Value, named: &str, value: &Value) -> bool {
        let either = schema["x-kubernetes-int-or-string"] == true || named.ends_with(".Quantity");
        either && (value.is_string() || value.is_number())
    }

    fn allowed(&mut self, schema: &Value, value: &Value, path: &str) {
        if let (Some(minimum), Some(is)) = (schema["minimum"].as_i64(), value.as_i64())
            && is < minimum
        {
            let why = format!("{path} in body should be greater than or equal to {minimum}");
            self.found.refused.push(Cause::value(path, value, why));
        }
        if let (Some(values), true) = (schema["enum"].as_array(), self.custom)
            && !values.contains(value)
        {
            let all: Vec<String> = values.iter().map(Value::to_string).collect();
            let message = format!("Unsupported value: {value}: supported values: {}", all.join(", "));
            self.found.refused.push(Cause { reason: "FieldValueNotSupported", message, field: path.to_owned() });
        }
    }

    fn required(&mut self, schema: &Value, map: &serde_json::Map<String, Value>, path: &str) {
        for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if map.get(field).is_none_or(Value::is_null) {
                self.found.refused.push(Cause::required(join(path, field), ""));
            }
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The type wanted and the type found, when they don't fit.
fn mistype(wanted: &str, value: &Value) -> Option<(&'static str, &'static str)> {
    let is = kind_of(value);
    let wanted = match wanted {
        "boolean" => "boolean",
        "integer" => "integer",
        "number" => "number",
        "string" => "string",
        "array" => "array",
        "object" => "object",
        _ => return None,
    };
    let fits = is == wanted || (wanted == "number" && is == "integer");
    (!fits).then_some((wanted, is))
}
