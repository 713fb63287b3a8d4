//! What differs between an object before and after, value by value.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::word;
use crate::text::clean;

/// One value that would be different.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where: `status.conditions[Ready].status`.
    pub at: String,
    /// What is there; `None`: nothing.
    pub from: Option<Value>,
    /// What would be there; `None`: nothing.
    pub to: Option<Value>,
}

/// Fields of `metadata` that change with every write and say nothing.
const NOISE: [&str; 4] = ["managedFields", "resourceVersion", "generation", "creationTimestamp"];

impl Change {
    /// What differs, without what changes with every write. Each value is one change, in the order of the fields' names.
    pub fn between(before: &Value, after: &Value) -> Vec<Change> {
        let mut changes = Vec::new();
        compare("", Some(&quiet(before)), Some(&quiet(after)), &mut changes);
        changes
    }

    /// As lines of a diff: `- status.targetPrimary: pg-1`, `+ status.targetPrimary: pg-2`.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let line =
            |sign: char, value: &Option<Value>| value.as_ref().map(|v| format!("{sign} {}: {}", self.at, word(v)));
        [line('-', &self.from), line('+', &self.to)].into_iter().flatten()
    }
}

fn quiet(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| !NOISE.contains(&field.as_str()));
    }
    object
}

fn compare(at: &str, from: Option<&Value>, to: Option<&Value>, into: &mut Vec<Change>) {
    match (from, to) {
        (from, to) if from == to => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                compare(&below(at, name), old.get(name), new.get(name), into);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => list(at, old, new, into),
        // Something whole comes or goes: each value of it is a line.
        (Some(Value::Object(old)), None) if !old.is_empty() => {
            old.iter().for_each(|(name, v)| compare(&below(at, name), Some(v), None, into));
        }
        (None, Some(Value::Object(new))) if !new.is_empty() => {
            new.iter().for_each(|(name, v)| compare(&below(at, name), None, Some(v), into));
        }
        (from, to) => into.push(Change { at: at.into(), from: from.cloned(), to: to.cloned() }),
    }
}

/// Lists of objects with a type or a name are compared by it, all others by place.
fn list(at: &str, old: &[Value], new: &[Value], into: &mut Vec<Change>) {
    let Some((old_names, new_names)) = names(old).zip(names(new)) else {
        for i in 0..old.len().max(new.len()) {
            compare(&format!("{at}[{i}]"), old.get(i), new.get(i), into);
        }
        return;
    };
    let find = |name: &str, names: &[&str], values: &[Value]| {
        names.iter().position(|n| *n == name).and_then(|i| values.get(i)).cloned()
    };
    let added = new_names.iter().filter(|n| !old_names.contains(n));
    for name in old_names.iter().chain(added) {
        let (from, to) = (find(name, &old_names, old), find(name, &new_names, new));
        compare(&format!("{at}[{}]", clean(name)), from.as_ref(), to.as_ref(), into);
    }
}

/// What tells the elements apart, where something does.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let by = |field: &str| {
        let names: Option<Vec<_>> = list.iter().map(|v| v.get(field).and_then(Value::as_str)).collect();
        names.filter(|names| names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len())
    };
    by("type").or_else(|| by("name"))
}

fn below(at: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match (at, plain) {
        ("", true) => name.into(),
        (_, true) => format!("{at}.{name}"),
        (_, false) => format!("{at}[{}]", clean(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(before: &Value, after: &Value) -> Vec<String> {
        Change::between(before, after).iter().flat_map(|c| c.lines().collect::<Vec<_>>()).collect()
    }

    #[test]
    fn only_what_matters_and_by_name() {
        let before = json!({"metadata": {"name": "demo", "resourceVersion": "1", "generation": 3, "managedFields": [1]},
            "status": {"targetPrimary": "demo-1", "conditions": [{"type": "Init", "status": "True"}, {"type": "Ready", "status": "True"}]}});
        let after = json!({"metadata": {"name": "demo", "resourceVersion": "2", "generation": 4, "annotations": {"cnpg.io/hibernation": "on"}},
            "status": {"targetPrimary": "demo-2", "conditions": [{"type": "Init", "status": "True"}, {"type": "Ready", "status": "False"}]}});
        let expected = [
            "+ metadata.annotations[cnpg.io/hibernation]: on",
            "- status.conditions[Ready].status: True",
            "+ status.conditions[Ready].status: False",
            "- status.targetPrimary: demo-1",
            "+ status.targetPrimary: demo-2",
        ];
        assert_eq!(lines(&before, &after), expected);
        assert!(lines(&after, &after).is_empty());
    }

    #[test]
    fn lists_without_names_are_compared_by_place() {
        assert_eq!(lines(&json!({"a": [1, 2]}), &json!({"a": [1, 3, 4]})), ["- a[1]: 2", "+ a[1]: 3", "+ a[2]: 4"]);
    }
}
