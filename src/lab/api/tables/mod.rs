//! The rows `kubectl get` prints: a kind's columns and an object's cells, as a real API server makes them.

mod age;
mod custom;
mod network;
mod nodes;
mod rest;
mod storage;
mod workloads;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resources::Resource;
use crate::domain::fault;

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub name: &'static str,
    /// `string`, `integer`, `date` or `boolean`.
    pub kind: &'static str,
    /// Shown only with `-o wide`.
    pub wide: bool,
    pub about: &'static str,
}

const fn column(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: "string", wide: false, about }
}

const fn number(name: &'static str, about: &'static str) -> Column {
    Column { kind: "integer", ..column(name, about) }
}

const fn wide(name: &'static str, about: &'static str) -> Column {
    Column { wide: true, ..column(name, about) }
}

const AGE: Column = column("Age", "Time since the object was created.");

/// The cells of an object, without its name.
type Cells = fn(&Value, Timestamp) -> Vec<Value>;

/// How a kind's rows are made.
pub(crate) struct Printer {
    /// Without the name, which is always first.
    pub columns: &'static [Column],
    pub cells: Cells,
}

fn printer(resource: &Resource) -> Printer {
    let made = match resource.group {
        "postgresql.cnpg.io" | fault::GROUP => Some(custom::printer(resource.plural)),
        "" => core(resource.plural),
        _ => workloads::printer(resource.plural).or_else(|| rest::printer(resource.plural)),
    };
    let made = made.or_else(|| storage::printer(resource.plural)).or_else(|| network::printer(resource.plural));
    made.unwrap_or(Printer { columns: &[AGE], cells: |object, now| vec![age::since_creation(object, now)] })
}

fn core(plural: &str) -> Option<Printer> {
    workloads::printer(plural)
        .or_else(|| nodes::printer(plural))
        .or_else(|| network::printer(plural))
        .or_else(|| storage::printer(plural))
        .or_else(|| rest::printer(plural))
}

/// `columnDefinitions`.
pub(crate) fn definitions(resource: &Resource) -> Value {
    let name = json!({ "name": "Name", "type": "string", "format": "name",
        "description": "Name must be unique within a namespace.", "priority": 0 });
    let rest = printer(resource).columns.iter().map(|c| {
        json!({ "name": c.name, "type": c.kind, "format": "", "description": c.about, "priority": i32::from(c.wide) })
    });
    std::iter::once(name).chain(rest).collect()
}

/// One row; `object` is what the row carries along.
pub(crate) fn row(resource: &Resource, object: &Value, now: Timestamp, carried: Value) -> Value {
    let mut cells = vec![object["metadata"]["name"].clone()];
    if resource.plural == "storageclasses" && storage::is_default(object) {
        cells[0] = json!(format!("{} (default)", text(&cells[0])));
    }
    cells.extend((printer(resource).cells)(object, now));
    let mut row = json!({ "cells": cells });
    if resource.plural == "pods" || resource.plural == "jobs" {
        let done = workloads::finished(object);
        if let Some(phase) = done {
            row["conditions"] = json!([{ "type": "Completed", "status": "True", "reason": phase,
                "message": "The object has completed." }]);
        }
    }
    if !carried.is_null() {
        row["object"] = carried;
    }
    row
}

// What the printers share.

/// A text, empty where there is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A text or `<none>`.
fn or_none(value: &Value) -> Value {
    match text(value) {
        "" => json!("<none>"),
        some => json!(some),
    }
}

/// The elements of a list.
fn each(value: &Value) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn int(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// Texts joined with commas, or `<none>`.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    let texts: Vec<&str> = texts.filter(|t| !t.is_empty()).collect();
    if texts.is_empty() { json!("<none>") } else { json!(texts.join(",")) }
}

/// `a=b,c=d`, or `<none>`.
fn pairs(map: &Value) -> Value {
    let pairs: Vec<String> = map.as_object().into_iter().flatten().map(|(k, v)| format!("{k}={}", text(v))).collect();
    joined(pairs.iter().map(String::as_str))
}

/// A LabelSelector as text.
fn selector(selector: &Value) -> Value {
    pairs(&selector["matchLabels"])
}

fn names<'a>(list: &'a Value, field: &'a str) -> Value {
    joined(each(list).map(move |c| text(&c[field])))
}

#[cfg(test)]
mod tests;
