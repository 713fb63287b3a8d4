//! Server-side apply: a manager says what it wants, and owns just that.

use serde_json::{Map, Value, json};

use super::fields::{Fields, difference, element_name};
use super::lists::{ListKind, atomic_map, kind_of, list_kind, same};
use super::managed::{self, Owner, Who};
use crate::lab::api::error::ApiError;
use crate::lab::api::resources::Resource;

/// Applies a configuration to an object (an empty one when it is to be created).
///
/// # Errors
/// 409 with the causes when others own a field that would change, unless forced.
pub(crate) fn apply(
    resource: &Resource,
    live: &Value,
    config: &Value,
    who: Who,
    force: bool,
    now: &str,
) -> Result<Value, ApiError> {
    let mut owners = managed::owners(live);
    if owners.is_empty() && live["metadata"]["uid"].is_string() {
        owners.push(before_first_apply(resource, live, now));
    }
    let wanted = Fields::of(resource, &managed::ownable(config));
    let last = owners.iter().find(|o| o.is(who)).map(|o| o.fields.clone()).unwrap_or_default();
    let mut merged = live.clone();
    merge(resource, &mut Vec::new(), &mut merged, config);
    let others = owners.iter().filter(|o| !o.is(who)).fold(Fields::default(), |all, o| all.or(&o.fields));
    prune(resource, &mut Vec::new(), &mut merged, &last, &wanted, &others);
    let change = difference(resource, &managed::ownable(live), &managed::ownable(&merged));
    if !force {
        refuse(&owners, who, &change.set)?;
    }
    for owner in owners.iter_mut().filter(|o| !o.is(who)) {
        owner.fields = owner.fields.without(&change.set).without(&change.gone);
    }
    let time = match owners.iter().find(|o| o.is(who)) {
        Some(own) if own.fields == wanted && change.set.is_empty() && change.gone.is_empty() => own.time.clone(),
        _ => json!(now),
    };
    let own = Owner {
        manager: who.manager.to_owned(),
        applies: true,
        subresource: who.subresource.to_owned(),
        api_version: resource.api_version(),
        time,
        fields: wanted,
    };
    match owners.iter_mut().find(|o| o.is(who)) {
        Some(slot) => *slot = own,
        None => owners.insert(0, own),
    }
    managed::put(&mut merged, &owners);
    Ok(merged)
}

/// What was there before anybody applied belongs to a manager of its own, so that it is not taken unnoticed.
fn before_first_apply(resource: &Resource, live: &Value, now: &str) -> Owner {
    Owner {
        manager: "before-first-apply".into(),
        applies: false,
        subresource: String::new(),
        api_version: resource.api_version(),
        time: json!(now),
        fields: Fields::of(resource, &managed::ownable(live)),
    }
}

fn refuse(owners: &[Owner], who: Who, change: &Fields) -> Result<(), ApiError> {
    let mut conflicts: Vec<(String, String)> = Vec::new();
    for owner in owners.iter().filter(|o| !o.is(who)) {
        let paths = owner.fields.and(change).paths();
        conflicts.extend(paths.into_iter().map(|path| (owner.shown(), path)));
    }
    let message = match conflicts.as_slice() {
        [] => return Ok(()),
        [(owner, path)] => format!("Apply failed with 1 conflict: conflict with {owner}: {path}"),
        many => {
            let mut names: Vec<&String> = many.iter().map(|(owner, _)| owner).collect();
            names.sort();
            names.dedup();
            let mut lines = Vec::new();
            for name in names {
                lines.push(format!("conflicts with {name}:"));
                lines.extend(many.iter().filter(|(owner, _)| owner == name).map(|(_, path)| format!("- {path}")));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|(owner, path)| {
            json!({ "reason": "FieldManagerConflict", "message": format!("conflict with {owner}"), "field": path })
        })
        .collect();
    Err(ApiError::new(409, "Conflict", message).with(json!({ "causes": causes })))
}

/// Lays a configuration over an object.
fn merge<'a>(resource: &Resource, path: &mut Vec<&'a str>, into: &mut Value, config: &'a Value) {
    match config {
        Value::Object(map) if into.is_object() && !atomic_map(resource, path) => {
            for (key, value) in map {
                path.push(key);
                merge(resource, path, &mut into[key.as_str()], value);
                path.pop();
            }
        }
        Value::Array(list) if into.is_array() => match kind_of(resource, path, list) {
            ListKind::Atomic => *into = config.clone(),
            kind => {
                let Some(all) = into.as_array_mut() else { return };
                for element in list {
                    let found = match kind {
                        ListKind::Map(keys) => all.iter_mut().find(|e| same(e, element, keys)),
                        _ => all.iter_mut().find(|e| *e == element),
                    };
                    match found {
                        Some(found) if kind != ListKind::Set => merge(resource, path, found, element),
                        Some(_) => {}
                        None => all.push(element.clone()),
                    }
                }
            }
        },
        other => *into = other.clone(),
    }
}

/// Takes away what the manager wanted last time, wants no longer, and nobody else owns.
fn prune<'a>(
    resource: &Resource,
    path: &mut Vec<&'a str>,
    value: &mut Value,
    last: &'a Fields,
    wanted: &Fields,
    others: &Fields,
) {
    let none = Fields::default();
    for (name, was) in &last.below {
        let (now, theirs) = (wanted.below.get(name).unwrap_or(&none), others.below.get(name).unwrap_or(&none));
        if was.member && now.is_empty() && theirs.is_empty() {
            remove(resource, path, value, name);
            continue;
        }
        if let Some(field) = name.strip_prefix("f:") {
            path.push(field);
            let emptied = match value.get_mut(field) {
                Some(child) => {
                    let had = !is_empty(child);
                    prune(resource, path, child, was, now, theirs);
                    had && is_empty(child) && now.is_empty() && theirs.is_empty()
                }
                None => false,
            };
            path.pop();
            if emptied {
                remove(resource, path, value, name);
            }
        } else if let Some(child) = find(resource, path, value, name) {
            prune(resource, path, child, was, now, theirs);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

fn find<'v>(resource: &Resource, path: &[&str], list: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    let kind = list_kind(resource, path);
    list.as_array_mut()?.iter_mut().find(|e| element_name(kind, e).as_deref() == Some(name))
}

fn remove(resource: &Resource, path: &[&str], value: &mut Value, name: &str) {
    match (value, name.strip_prefix("f:")) {
        (Value::Object(map), Some(field)) => drop(map.remove(field)),
        (Value::Array(list), None) => {
            let kind = list_kind(resource, path);
            list.retain(|e| element_name(kind, e).as_deref() != Some(name));
        }
        _ => {}
    }
}
