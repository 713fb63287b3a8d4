//! `metadata.managedFields`: who owns what of an object.

use serde_json::{Value, json};

use super::fields::{Fields, difference};
use crate::lab::api::resources::Resource;

/// One owner's fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Owner {
    pub manager: String,
    /// Server-side apply, or any other write.
    pub applies: bool,
    pub subresource: String,
    pub api_version: String,
    pub time: Value,
    pub fields: Fields,
}

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub manager: &'a str,
    pub applies: bool,
    pub subresource: &'a str,
}

impl Owner {
    pub fn is(&self, who: Who) -> bool {
        self.manager == who.manager && self.applies == who.applies && self.subresource == who.subresource
    }

    /// As conflict messages name it.
    pub fn shown(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text.push_str(&format!(" with subresource {:?}", self.subresource));
        }
        if !self.applies {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }

    fn from_json(entry: &Value) -> Option<Owner> {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let fields = entry["fieldsV1"].as_object().map(|_| Fields::from_json(&entry["fieldsV1"]))?;
        Some(Owner {
            manager: text("manager"),
            applies: entry["operation"] == "Apply",
            subresource: text("subresource"),
            api_version: text("apiVersion"),
            time: entry["time"].clone(),
            fields,
        })
    }

    fn to_json(&self) -> Value {
        let mut entry = json!({
            "manager": self.manager, "operation": if self.applies { "Apply" } else { "Update" },
            "apiVersion": self.api_version, "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_json(),
        });
        if self.time.is_string() {
            entry["time"] = self.time.clone();
        }
        if !self.subresource.is_empty() {
            entry["subresource"] = json!(self.subresource);
        }
        entry
    }
}

/// The owners an object names.
pub(crate) fn owners(object: &Value) -> Vec<Owner> {
    let list = object["metadata"]["managedFields"].as_array();
    list.into_iter().flatten().filter_map(Owner::from_json).collect()
}

/// Writes them into an object, those without fields left out.
pub(crate) fn put(object: &mut Value, owners: &[Owner]) {
    let list: Vec<Value> = owners.iter().filter(|o| !o.fields.is_empty()).map(Owner::to_json).collect();
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    if list.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), Value::Array(list));
    }
}

/// An object without what nobody owns: identity, and what the server itself keeps.
pub(crate) fn ownable(object: &Value) -> Value {
    let mut rest = object.clone();
    if let Some(map) = rest.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    if let Some(metadata) = rest["metadata"].as_object_mut() {
        for own in [
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "managedFields",
        ] {
            metadata.remove(own);
        }
    }
    if let Some(map) = rest.as_object_mut()
        && map.get("metadata").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
    {
        map.remove("metadata");
    }
    rest
}

/// The owners to start from: those the request set itself, or the stored ones when it set none; none at all when it
/// asked for a fresh start with one empty entry.
pub(crate) fn base(before: &Value, after: &Value) -> Vec<Owner> {
    match after["metadata"]["managedFields"].as_array().map(Vec::as_slice) {
        Some([Value::Object(only)]) if only.is_empty() => Vec::new(),
        Some(list) if !list.is_empty() => owners(after),
        _ => owners(before),
    }
}

/// After a plain write: what changed belongs to the writer alone, what is gone to nobody.
pub(crate) fn update(resource: &Resource, before: &Value, after: &mut Value, who: Who, now: &str) {
    let mut owners = base(before, after);
    let change = difference(resource, &ownable(before), &ownable(after));
    if change.set.is_empty() && change.gone.is_empty() {
        put(after, &owners);
        return;
    }
    for owner in owners.iter_mut().filter(|o| !o.is(who)) {
        owner.fields = owner.fields.without(&change.set).without(&change.gone);
    }
    match owners.iter_mut().find(|o| o.is(who)) {
        Some(own) => {
            own.fields = own.fields.without(&change.gone).or(&change.set);
            own.time = json!(now);
            own.api_version = resource.api_version();
        }
        None => owners.push(Owner {
            manager: who.manager.to_owned(),
            applies: who.applies,
            subresource: who.subresource.to_owned(),
            api_version: resource.api_version(),
            time: json!(now),
            fields: change.set,
        }),
    }
    put(after, &owners);
}
