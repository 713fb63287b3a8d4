//! CNPG's kinds, read from `cnpg.txt`: a description in our own words of the fields that users write and operators
//! report.
//!
//! A line is `name type [options] | description`, its children stand below it, two spaces further in. Types:
//! `string int bool quantity any object`, `map` and `list` of one of them (`list object` has children), and `ref` for a
//! named secret, config map or the like. Options: `required`, `min=N`, `one-of=a,b`, `open` (other fields are kept).

use serde_json::{Map, Value, json};

use super::{PREFIX, Schemas};
use crate::lab::api::resources::ALL;

const TEXT: &str = include_str!("cnpg.txt");

pub(super) fn add(schemas: &mut Schemas) {
    let lines = lines();
    for (i, line) in lines.iter().enumerate().filter(|(_, l)| l.depth == 0) {
        let mut schema = json!({ "type": "object", "description": line.about, "properties": {} });
        children(&lines, i, &mut schema);
        describe_object(&mut schema["properties"]);
        let Some(resource) = ALL.iter().find(|r| r.custom && r.kind == line.name) else { continue };
        let name = format!("io.cnpg.postgresql.v1.{}", line.name);
        schemas.components.insert(name.clone(), schema);
        schemas.add_kind(resource, name);
    }
}

/// What every object has.
pub(super) fn describe_object(properties: &mut Value) {
    let meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    properties["apiVersion"] = json!({ "type": "string", "description": "The group and version of this kind." });
    properties["kind"] = json!({ "type": "string", "description": "The kind of this object." });
    properties["metadata"] =
        json!({ "allOf": [{ "$ref": format!("{PREFIX}{meta}") }], "description": "Standard object's metadata." });
}

struct Line {
    depth: usize,
    name: &'static str,
    words: Vec<&'static str>,
    about: &'static str,
}

fn lines() -> Vec<Line> {
    TEXT.lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
        .map(|line| {
            let (head, about) = line.split_once('|').unwrap_or((line, ""));
            let depth = (line.len() - line.trim_start().len()) / 2;
            let mut words: Vec<&'static str> = head.split_whitespace().collect();
            let name = if words.is_empty() { "" } else { words.remove(0) };
            Line { depth, name, words, about: about.trim() }
        })
        .collect()
}

/// Adds the children of line `at` to its schema.
fn children(lines: &[Line], at: usize, schema: &mut Value) {
    let depth = lines[at].depth;
    let below = lines.iter().enumerate().skip(at + 1).take_while(|(_, l)| l.depth > depth);
    let mut required = Vec::new();
    for (i, line) in below.filter(|(_, l)| l.depth == depth + 1) {
        let mut child = schema_of(lines, i);
        if !line.about.is_empty() {
            child["description"] = json!(line.about);
        }
        if line.words.contains(&"required") {
            required.push(line.name);
        }
        schema["properties"][line.name] = child;
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
}

fn schema_of(lines: &[Line], at: usize) -> Value {
    let words = &lines[at].words;
    let (first, second) = (words.first().copied().unwrap_or("any"), words.get(1).copied().unwrap_or("any"));
    let mut schema = match first {
        "list" => json!({ "type": "array", "items": single(lines, at, second) }),
        "map" => json!({ "type": "object", "additionalProperties": single(lines, at, second) }),
        other => single(lines, at, other),
    };
    for word in words {
        match word.split_once('=') {
            Some(("min", n)) => schema["minimum"] = json!(n.parse::<i64>().unwrap_or_default()),
            Some(("one-of", values)) => schema["enum"] = values.split(',').collect(),
            _ => {}
        }
    }
    schema
}

fn single(lines: &[Line], at: usize, kind: &str) -> Value {
    match kind {
        "string" => json!({ "type": "string" }),
        "int" => json!({ "type": "integer" }),
        "bool" => json!({ "type": "boolean" }),
        "quantity" => json!({ "x-kubernetes-int-or-string": true }),
        "ref" => {
            let about = |text: &str| json!({ "type": "string", "description": text });
            json!({ "type": "object", "properties": { "name": about("Name of the object."),
                "key": about("Which entry of it is meant.") } })
        }
        "object" => {
            let mut schema = json!({ "type": "object", "properties": Map::new() });
            children(lines, at, &mut schema);
            if lines[at].words.contains(&"open") {
                schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
            }
            schema
        }
        _ => json!({ "x-kubernetes-preserve-unknown-fields": true }),
    }
}
