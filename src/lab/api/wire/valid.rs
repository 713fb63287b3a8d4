//! Whether an object may be stored.

use serde_json::Value;

use super::writer::Strictness;
use crate::lab::api::error::{ApiError, Cause};
use crate::lab::api::resources::Resource;

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

/// Fields that the kind doesn't have: told, refused or dropped.
pub(super) fn fields(_: &Resource, _: &mut Value, _: Strictness) -> Result<Vec<String>, ApiError> {
    Ok(Vec::new())
}

/// Values that the kind doesn't allow.
pub(super) fn values(_: &Resource, _: &Value) -> Result<(), ApiError> {
    Ok(())
}
