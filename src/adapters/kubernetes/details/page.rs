//! Lines of a description: names on the left, values in a column, things indented under others.

use serde_json::Value;

/// Text being written.
#[derive(Default)]
pub struct Page(String);

/// Where values stand, in characters from their name's beginning.
const COLUMN: usize = 18;

impl Page {
    /// `Name:             value`, indented by `depth` steps. Nothing for an empty value.
    pub fn field(&mut self, depth: usize, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        if !value.is_empty() {
            let name = format!("{name}:");
            self.line(depth, &format!("{name:<COLUMN$}{value}"));
        }
    }

    /// A heading on a line of its own.
    pub fn heading(&mut self, depth: usize, name: &str) {
        self.line(depth, &format!("{name}:"));
    }

    /// A line.
    pub fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(text.trim_end());
        self.0.push('\n');
    }

    /// A map's entries, one on each line, the first beside the name.
    pub fn entries(&mut self, name: &str, map: Option<&Value>) {
        let entries = map.and_then(Value::as_object).into_iter().flatten();
        for (n, (key, value)) in entries.enumerate() {
            let name = if n == 0 { format!("{name}:") } else { String::new() };
            self.line(0, &format!("{name:<COLUMN$}{key}={}", plain(value)));
        }
    }

    /// Rows under headings, columns as wide as they need.
    pub fn table(&mut self, depth: usize, heads: &[&str], rows: &[Vec<String>]) {
        let width = |n: usize| {
            rows.iter().filter_map(|r| r.get(n)).map(|c| c.chars().count()).chain([heads[n].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let row = |cells: &mut dyn Iterator<Item = &str>| {
            cells.zip(&widths).map(|(c, w)| format!("{c:<w$}")).collect::<Vec<_>>().join("  ")
        };
        self.line(depth, &row(&mut heads.iter().copied()));
        for cells in rows {
            self.line(depth, &row(&mut cells.iter().map(String::as_str)));
        }
    }

    /// A value as nested lines, as deep as it goes.
    pub fn tree(&mut self, depth: usize, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(map) if map.is_empty() => {}
            Value::Array(list) if list.is_empty() => {}
            Value::Object(map) => {
                self.heading(depth, name);
                for (key, value) in map {
                    self.tree(depth + 1, key, value);
                }
            }
            Value::Array(list) if list.iter().all(|v| !v.is_object() && !v.is_array()) => {
                self.field(depth, name, list.iter().map(plain).collect::<Vec<_>>().join(", "));
            }
            Value::Array(list) => {
                self.heading(depth, name);
                for (n, value) in list.iter().enumerate() {
                    let label = value.get("name").or_else(|| value.get("type")).map_or_else(|| format!("#{n}"), plain);
                    self.tree(depth + 1, &label, value);
                }
            }
            scalar => self.field(depth, name, plain(scalar)),
        }
    }

    /// The text.
    pub fn finish(self) -> String {
        crate::text::clean_lines(&self.0)
    }
}

/// A value in a line.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
