//! Four ways to change an object by saying only what is different: merge patch, JSON patch, strategic merge patch and
//! server-side apply, and the ownership of fields that the last one needs. Values in, values out; no store, no clock.

pub(crate) mod apply;
pub(crate) mod fields;
pub(crate) mod lists;
pub(crate) mod managed;
pub(crate) mod strategic;

use serde_json::Value;

use super::error::ApiError;

/// JSON merge patch, RFC 7386.
pub(crate) fn merge(object: &mut Value, patch: &Value) {
    json_patch::merge(object, patch);
}

/// JSON patch, RFC 6902.
///
/// # Errors
/// 400 when the patch can't be read, 422 when it can't be applied; the object is then as it was.
pub(crate) fn json(object: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let patch: json_patch::Patch = serde_json::from_value(patch.clone())
        .map_err(|e| ApiError::bad_request(format!("error decoding patch: {e}")))?;
    if patch.0.len() > 10_000 {
        let message = "The allowed maximum operations in a JSON patch is 10000";
        return Err(ApiError::new(413, "RequestEntityTooLarge", message));
    }
    json_patch::patch(object, &patch).map_err(|e| {
        let details =
            serde_json::json!({ "causes": [{ "reason": "UnexpectedServerResponse", "message": e.to_string() }] });
        ApiError::new(422, "Invalid", "the server rejected our request due to an error in our request").with(details)
    })
}

#[cfg(test)]
mod tests;
