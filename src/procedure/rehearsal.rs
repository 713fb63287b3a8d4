//! What a change would do, as the API server itself said when asked with a dry run.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

use super::plan::word;
use crate::text::clean;

/// What a change would do. As text: one line per value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// In a line: `the API server would take it: 3 values change`.
    pub said: String,
    /// What would be different.
    pub changes: Vec<Change>,
}

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

impl Rehearsal {
    /// What differs between an object before and after.
    pub fn between(before: &Value, after: &Value) -> Rehearsal {
        let mut changes = Vec::new();
        compare("", Some(&quiet(before)), Some(&quiet(after)), &mut changes);
        let said = match changes.len() {
            0 => "the API server would take it, and nothing would change".into(),
            1 => "the API server would take it: one value changes".into(),
            n => format!("the API server would take it: {n} values change"),
        };
        Rehearsal { said, changes }
    }

    /// The API server would take it, and there is nothing to compare.
    pub fn only(said: impl Into<String>) -> Rehearsal {
        Rehearsal { said: said.into(), changes: Vec::new() }
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

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(f, "+ {}: {}", self.at, word(to)),
            (Some(from), None) => write!(f, "- {}: {}", self.at, word(from)),
            (from, to) => {
                let text = |v: &Option<Value>| v.as_ref().map_or_else(|| "absent".into(), word);
                write!(f, "~ {}: {} → {}", self.at, text(from), text(to))
            }
        }
    }
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.said)?;
        self.changes.iter().try_for_each(|change| write!(f, "\n  {change}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_matters_and_by_name() {
        let before = json!({"metadata": {"name": "demo", "resourceVersion": "1", "generation": 3, "managedFields": [1]},
            "status": {"targetPrimary": "demo-1", "conditions": [{"type": "Init", "status": "True"}, {"type": "Ready", "status": "True"}]}});
        let after = json!({"metadata": {"name": "demo", "resourceVersion": "2", "generation": 4, "annotations": {"cnpg.io/hibernation": "on"}},
            "status": {"targetPrimary": "demo-2", "conditions": [{"type": "Init", "status": "True"}, {"type": "Ready", "status": "False"}]}});
        let rehearsal = Rehearsal::between(&before, &after);
        assert_eq!(
            rehearsal.to_string(),
            "the API server would take it: 3 values change\n  \
             + metadata.annotations[cnpg.io/hibernation]: on\n  \
             ~ status.conditions[Ready].status: True → False\n  \
             ~ status.targetPrimary: demo-1 → demo-2"
        );
        assert!(Rehearsal::between(&after, &after).changes.is_empty());
    }

    #[test]
    fn lists_without_names_are_compared_by_place() {
        let changes = Rehearsal::between(&json!({"a": [1, 2]}), &json!({"a": [1, 3, 4]})).changes;
        let lines: Vec<_> = changes.iter().map(Change::to_string).collect();
        assert_eq!(lines, ["~ a[1]: 2 → 3", "+ a[2]: 4"]);
    }
}
