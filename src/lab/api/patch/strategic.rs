//! Strategic merge patch: a merge patch that knows which lists have elements with names, with its directives.

use serde_json::{Map, Value};

use super::lists::{ListKind, list_kind};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::Resource;

const DIRECTIVE: &str = "$patch";
const ORDER: &str = "$setElementOrder/";
const DROP: &str = "$deleteFromPrimitiveList/";
const RETAIN: &str = "$retainKeys";

/// Patches an object of a built-in kind.
///
/// # Errors
/// 400 for a directive or an element that makes no sense; the object may then be half patched.
pub(crate) fn merge(resource: &Resource, object: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let Some(patch) = patch.as_object() else {
        return Err(ApiError::bad_request("a strategic merge patch must be an object"));
    };
    merge_map(resource, &mut Vec::new(), object, patch)
}

fn merge_map<'a>(
    resource: &Resource,
    path: &mut Vec<&'a str>,
    object: &mut Value,
    patch: &'a Map<String, Value>,
) -> Result<(), ApiError> {
    match patch.get(DIRECTIVE).and_then(Value::as_str) {
        Some("replace") => {
            *object = Value::Object(plain(patch));
            return Ok(());
        }
        Some("delete") => {
            *object = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(ApiError::bad_request(format!("unknown patch type '{other}' found"))),
    }
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(map) = object.as_object_mut() else { return Ok(()) };
    if let Some(kept) = patch.get(RETAIN).and_then(Value::as_array) {
        map.retain(|key, _| kept.iter().any(|k| k == key));
    }
    for (key, value) in patch.iter().filter(|(k, _)| !k.starts_with('$')) {
        if value.is_null() {
            map.remove(key);
            continue;
        }
        path.push(key);
        let slot = map.entry(key.clone()).or_insert(Value::Null);
        match value {
            Value::Object(inner) => merge_map(resource, path, slot, inner)?,
            Value::Array(list) => merge_list(resource, path, slot, list)?,
            other => *slot = other.clone(),
        }
        path.pop();
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix(DROP)
            && let (Some(list), Some(gone)) = (map.get_mut(field).and_then(Value::as_array_mut), value.as_array())
        {
            list.retain(|v| !gone.contains(v));
        }
        if let Some(field) = key.strip_prefix(ORDER)
            && let (Some(list), Some(order)) = (map.get_mut(field).and_then(Value::as_array_mut), value.as_array())
        {
            path.push(field);
            reorder(list_kind(resource, path), list, order);
            path.pop();
        }
    }
    Ok(())
}

fn merge_list<'a>(
    resource: &Resource,
    path: &mut Vec<&'a str>,
    slot: &mut Value,
    patch: &'a [Value],
) -> Result<(), ApiError> {
    let kind = list_kind(resource, path);
    let replace = patch.iter().any(|e| e.get(DIRECTIVE).is_some_and(|d| d == "replace"));
    if kind == ListKind::Atomic || replace || !slot.is_array() && !patch.iter().any(Value::is_object) {
        let whole = patch.iter().filter(|e| e.get(DIRECTIVE).is_none());
        *slot = Value::Array(whole.cloned().collect());
        return Ok(());
    }
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    let Some(list) = slot.as_array_mut() else { return Ok(()) };
    for element in patch {
        match kind {
            ListKind::Map(keys) => merge_element(resource, path, list, element, keys[0])?,
            ListKind::Set | ListKind::Atomic => {
                if !list.contains(element) {
                    list.push(element.clone());
                }
            }
        }
    }
    Ok(())
}

fn merge_element<'a>(
    resource: &Resource,
    path: &mut Vec<&'a str>,
    list: &mut Vec<Value>,
    element: &'a Value,
    key: &str,
) -> Result<(), ApiError> {
    let Some(map) = element.as_object() else {
        return Err(ApiError::bad_request("map: an element of a list with names must be an object"));
    };
    let Some(name) = map.get(key) else {
        return Err(ApiError::bad_request(format!("map: {element} does not contain declared merge key: {key}")));
    };
    if map.get(DIRECTIVE).is_some_and(|d| d == "delete") {
        list.retain(|e| e.get(key) != Some(name));
        return Ok(());
    }
    match list.iter_mut().find(|e| e.get(key) == Some(name)) {
        Some(found) => merge_map(resource, path, found, map),
        None => {
            let mut fresh = Value::Object(Map::new());
            merge_map(resource, path, &mut fresh, map)?;
            list.push(fresh);
            Ok(())
        }
    }
}

/// The elements named in `order` first, as named; the others after them, as they were.
fn reorder(kind: ListKind, list: &mut [Value], order: &[Value]) {
    let place = |element: &Value| match kind {
        ListKind::Map(keys) => order.iter().position(|o| o.get(keys[0]) == element.get(keys[0])),
        _ => order.iter().position(|o| o == element),
    };
    list.sort_by_key(|element| place(element).unwrap_or(usize::MAX));
}

fn plain(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().filter(|(k, _)| !k.starts_with('$')).map(|(k, v)| (k.clone(), v.clone())).collect()
}
