//! Whether an object may be stored.

use serde_json::Value;

use super::writer::Strictness;
use crate::lab::api::error::{ApiError, Cause};
use crate::lab::api::resources::Resource;
use crate::lab::api::schema;

/// Names must be usable in DNS and in paths.
pub(super) fn name(resource: &Resource, object: &Value) -> Result<(), ApiError> {
    let metadata = &object["metadata"];
    let Some(name) = metadata["name"].as_str().filter(|n| !n.is_empty()) else { return Ok(()) };
    let loose = matches!(resource.group, "rbac.authorization.k8s.io");
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = name.len() <= 253 && name.chars().all(good) && name.starts_with(ends) && name.ends_with(ends);
    if fits || loose && !name.contains(['/', '%']) && name != "." && name != ".." {
        return Ok(());
    }
    let why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
               start and end with an alphanumeric character";
    Err(ApiError::invalid(resource, name, &[Cause::value("metadata.name", &Value::from(name), why)]))
}

/// How an object came, which decides the words of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Whole: POST, PUT.
    Whole,
    /// As the result of a patch.
    Patched,
    /// As an apply configuration, which may be partial.
    Applied,
}

/// Holds an object to its kind's fields: unknown ones are told, refused or dropped; values of wrong types and values
/// out of range are refused.
pub(super) fn fields(
    resource: &Resource,
    object: &mut Value,
    strictness: Strictness,
    came: Came,
) -> Result<Vec<String>, ApiError> {
    let sent =
        if strictness == Strictness::Strict && came == Came::Patched { object.to_string() } else { String::new() };
    let found = schema::check(resource, object, came != Came::Applied);
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    mistyped(resource, name, &found)?;
    if !found.unknown.is_empty() && strictness == Strictness::Strict {
        return Err(unknown(resource, name, &found.unknown, came, &sent));
    }
    if !found.refused.is_empty() {
        return Err(ApiError::invalid(resource, name, &found.refused));
    }
    let told = if strictness == Strictness::Warn { found.unknown } else { Vec::new() };
    Ok(told.into_iter().map(|path| format!("unknown field \"{path}\"")).collect())
}

fn mistyped(resource: &Resource, name: &str, found: &schema::Found) -> Result<(), ApiError> {
    let Some((path, wanted, is)) = found.mistyped.first() else { return Ok(()) };
    if !resource.custom {
        let (kind, version) = (resource.kind, resource.version);
        return Err(ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: json: cannot unmarshal {is} into Go struct \
             field {kind}.{path} of type {wanted}"
        )));
    }
    let causes: Vec<Cause> = found
        .mistyped
        .iter()
        .map(|(path, wanted, is)| {
            let message = format!("Invalid value: \"{is}\": {path} in body must be of type {wanted}: \"{is}\"");
            Cause { reason: "FieldValueTypeInvalid", message, field: path.clone() }
        })
        .collect();
    Err(ApiError::invalid(resource, name, &causes))
}

fn unknown(resource: &Resource, name: &str, paths: &[String], came: Came, sent: &str) -> ApiError {
    let all: Vec<String> = paths.iter().map(|p| format!("unknown field \"{p}\"")).collect();
    let all = all.join(", ");
    let (kind, version) = (resource.kind, resource.version);
    match came {
        Came::Whole => ApiError::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {all}"
        )),
        Came::Applied => ApiError::bad_request(format!(
            "failed to create typed patch object ({name}; {}, Kind={kind}): .{}: field not declared in schema",
            resource.api_version(),
            paths[0]
        )),
        Came::Patched => {
            let message = format!("Invalid value: {}: strict decoding error: {all}", Value::from(sent));
            let cause = serde_json::json!({ "reason": "FieldValueInvalid", "message": message, "field": "patch" });
            ApiError::new(422, "Invalid", format!(" \"\" is invalid: patch: {message}"))
                .with(serde_json::json!({ "causes": [cause] }))
        }
    }
}
