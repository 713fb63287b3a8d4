//! Sets of fields, as `managedFields` holds them (`fieldsV1`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::lists::{ListKind, atomic_map, key_of, kind_of, list_kind};
use crate::lab::api::resources::Resource;

/// A set of fields: a tree of path elements (`f:name`, `k:{"name":"x"}`, `v:"x"`). A node may itself be in the set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub member: bool,
    pub below: BTreeMap<String, Fields>,
}

impl Fields {
    /// All fields of a value.
    pub fn of(resource: &Resource, value: &Value) -> Fields {
        let mut fields = Fields::default();
        fields.collect(resource, &mut Vec::new(), value);
        fields.member = false;
        fields
    }

    fn collect<'a>(&mut self, resource: &Resource, path: &mut Vec<&'a str>, value: &'a Value) {
        match value {
            Value::Object(map) if !map.is_empty() && !atomic_map(resource, path) => {
                for (key, inner) in map {
                    path.push(key);
                    self.below.entry(format!("f:{key}")).or_default().collect(resource, path, inner);
                    path.pop();
                }
            }
            Value::Array(list) if !list.is_empty() => match kind_of(resource, path, list) {
                ListKind::Atomic => self.member = true,
                kind => {
                    for element in list {
                        let Some(name) = element_name(kind, element) else { continue };
                        let child = self.below.entry(name).or_default();
                        if kind != ListKind::Set {
                            child.collect(resource, path, element);
                        }
                        child.member = true;
                    }
                }
            },
            _ => self.member = true,
        }
    }

    pub fn is_empty(&self) -> bool {
        !self.member && self.below.values().all(Fields::is_empty)
    }

    /// What is in both.
    pub fn and(&self, other: &Fields) -> Fields {
        let below = self.below.iter().filter_map(|(name, mine)| {
            let both = mine.and(other.below.get(name)?);
            (!both.is_empty()).then(|| (name.clone(), both))
        });
        Fields { member: self.member && other.member, below: below.collect() }
    }

    /// What is in this one only.
    pub fn without(&self, other: &Fields) -> Fields {
        let below = self.below.iter().filter_map(|(name, mine)| {
            let left = other.below.get(name).map_or_else(|| mine.clone(), |theirs| mine.without(theirs));
            (!left.is_empty()).then(|| (name.clone(), left))
        });
        Fields { member: self.member && !other.member, below: below.collect() }
    }

    /// What is in either.
    pub fn or(&self, other: &Fields) -> Fields {
        let mut both = self.clone();
        both.member |= other.member;
        for (name, theirs) in &other.below {
            let mine = both.below.entry(name.clone()).or_default();
            *mine = mine.or(theirs);
        }
        both
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.below.is_empty() {
            map.insert(".".into(), json!({}));
        }
        for (name, child) in &self.below {
            map.insert(name.clone(), child.to_json());
        }
        Value::Object(map)
    }

    /// From JSON. What makes no sense is left out.
    pub fn from_json(value: &Value) -> Fields {
        let map = value.as_object();
        let below: BTreeMap<_, _> = map
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != ".")
            .map(|(name, child)| (name.clone(), Fields::from_json(child)))
            .collect();
        let member = below.is_empty() || map.is_some_and(|m| m.contains_key("."));
        Fields { member, below }
    }

    /// The members as paths, as messages name them: `.spec.containers[name="x"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.walk("", &mut paths);
        paths
    }

    fn walk(&self, at: &str, paths: &mut Vec<String>) {
        if self.member {
            paths.push(at.to_owned());
        }
        for (name, child) in &self.below {
            child.walk(&format!("{at}{}", shown(name)), paths);
        }
    }
}

fn shown(name: &str) -> String {
    match name.split_once(':') {
        Some(("f", field)) => format!(".{field}"),
        Some(("v", value)) => format!("[={value}]"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let pairs: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", pairs.join(","))
        }
        _ => format!("[{name}]"),
    }
}

/// How a set names an element of a list; none for an element without its keys.
pub(crate) fn element_name(kind: ListKind, element: &Value) -> Option<String> {
    match kind {
        ListKind::Atomic => None,
        ListKind::Set => Some(format!("v:{element}")),
        ListKind::Map(keys) => {
            let mut named = Map::new();
            for key in keys {
                named.insert((*key).to_owned(), key_of(element, key)?);
            }
            Some(format!("k:{}", Value::Object(named)))
        }
    }
}

/// What a change set, and what it took away.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Difference {
    pub set: Fields,
    pub gone: Fields,
}

/// The difference between two values.
pub(crate) fn difference(resource: &Resource, before: &Value, after: &Value) -> Difference {
    let mut found = Difference::default();
    compare(resource, &mut Vec::new(), before, after, &mut found.set, &mut found.gone);
    found
}

fn compare<'a>(
    resource: &Resource,
    path: &mut Vec<&'a str>,
    before: &'a Value,
    after: &'a Value,
    set: &mut Fields,
    gone: &mut Fields,
) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if !atomic_map(resource, path) => {
            for (key, value) in new {
                let was = old.get(key).unwrap_or(&Value::Null);
                path.push(key);
                descend(set, gone, &format!("f:{key}"), |s, g| compare(resource, path, was, value, s, g));
                path.pop();
            }
            for (key, was) in old.iter().filter(|(k, _)| !new.contains_key(*k)) {
                path.push(key);
                descend(set, gone, &format!("f:{key}"), |s, g| compare(resource, path, was, &Value::Null, s, g));
                path.pop();
            }
        }
        (Value::Array(old), Value::Array(new))
            if kind_of(resource, path, old) != ListKind::Atomic && kind_of(resource, path, new) != ListKind::Atomic =>
        {
            compare_lists(resource, path, old, new, set, gone);
        }
        (old, new) => {
            if !new.is_null() {
                let mut all = Fields::default();
                all.collect(resource, path, new);
                // A map that was not there before belongs to who brought it.
                all.member |= old.is_null() && new.is_object() || all.below.is_empty();
                *set = set.or(&all);
            }
            if !old.is_null() {
                let mut all = Fields::default();
                all.collect(resource, path, old);
                all.member = true;
                *gone = gone.or(&all.without(set));
            }
        }
    }
}

fn compare_lists<'a>(
    resource: &Resource,
    path: &mut Vec<&'a str>,
    old: &'a [Value],
    new: &'a [Value],
    set: &mut Fields,
    gone: &mut Fields,
) {
    let kind = list_kind(resource, path);
    let find = |list: &'a [Value], name: &str| list.iter().find(|e| element_name(kind, e).as_deref() == Some(name));
    for element in new {
        let Some(name) = element_name(kind, element) else { continue };
        match find(old, &name) {
            Some(was) => descend(set, gone, &name, |s, g| compare(resource, path, was, element, s, g)),
            None => descend(set, gone, &name, |s, g| {
                if kind != ListKind::Set {
                    compare(resource, path, &Value::Null, element, s, g);
                }
                s.member = true;
            }),
        }
    }
    for element in old {
        let Some(name) = element_name(kind, element) else { continue };
        if find(new, &name).is_none() {
            descend(set, gone, &name, |s, g| {
                if kind != ListKind::Set {
                    compare(resource, path, element, &Value::Null, s, g);
                }
                g.member = true;
            });
        }
    }
}

/// Goes into a child of both sets, and leaves no empty one behind.
fn descend(set: &mut Fields, gone: &mut Fields, name: &str, go: impl FnOnce(&mut Fields, &mut Fields)) {
    let (mut below_set, mut below_gone) = (Fields::default(), Fields::default());
    go(&mut below_set, &mut below_gone);
    for (all, below) in [(set, below_set), (gone, below_gone)] {
        if !below.is_empty() {
            all.below.insert(name.to_owned(), below);
        }
    }
}
