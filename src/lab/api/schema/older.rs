//! OpenAPI v2 in protobuf (`openapi.v2.Document`): kubectl before 1.29 asks for nothing else.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{PREFIX, Schemas};
use crate::lab::api::resources::{ALL, Resource};

/// What the document calls itself.
pub(crate) const CONTENT_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The document, made once.
pub(crate) fn older_document(version: &str) -> &'static [u8] {
    static DOCUMENT: OnceLock<Vec<u8>> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let schemas = Schemas::all();
        let mut definitions = Message::default();
        for (name, schema) in &schemas.components {
            definitions.message(1, named(name, definition(schema)));
        }
        let mut paths = Message::default();
        for resource in ALL {
            paths.message(2, named(&path(resource), patch(resource)));
        }
        let mut document = Message::default();
        document.text(1, "2.0");
        let mut info = Message::default();
        info.text(1, "Kubernetes");
        info.text(2, version);
        document.message(2, info);
        document.message(8, paths);
        document.message(9, definitions);
        document.0
    })
}

/// A protobuf message as far as this document needs one: fields of texts, flags and messages.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or(0));
    }

    fn bytes(&mut self, field: usize, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: usize, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: usize, inner: Message) {
        self.bytes(field, &inner.0);
    }
}

/// `NamedSchema`, `NamedPathItem`, `NamedAny`.
fn named(name: &str, value: Message) -> Message {
    let mut named = Message::default();
    named.text(1, name);
    named.message(2, value);
    named
}

/// An `Any`: YAML, of which JSON is a part.
fn any(value: &Value) -> Message {
    let mut any = Message::default();
    any.text(2, &value.to_string());
    any
}

/// `Schema`.
fn definition(schema: &Value) -> Message {
    let mut made = Message::default();
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    if let Some(name) = reference.and_then(|r| r.strip_prefix(PREFIX)) {
        made.text(1, &format!("#/definitions/{name}"));
    }
    let either = schema["x-kubernetes-int-or-string"] == true;
    if let Some(format) = schema["format"].as_str().or(either.then_some("int-or-string")) {
        made.text(2, format);
    }
    if let Some(about) = schema["description"].as_str() {
        made.text(4, about);
    }
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        made.text(19, field);
    }
    if schema["additionalProperties"].is_object() {
        let mut rest = Message::default();
        rest.message(1, definition(&schema["additionalProperties"]));
        made.message(21, rest);
    }
    if let Some(kind) = schema["type"].as_str().or(either.then_some("string")) {
        let mut item = Message::default();
        item.text(1, kind);
        made.message(22, item);
    }
    if schema["items"].is_object() {
        let mut items = Message::default();
        items.message(1, definition(&schema["items"]));
        made.message(23, items);
    }
    if let Some(fields) = schema["properties"].as_object() {
        let mut properties = Message::default();
        for (name, field) in fields {
            properties.message(1, named(name, definition(field)));
        }
        made.message(25, properties);
    }
    for (name, value) in schema.as_object().into_iter().flatten().filter(|(n, _)| n.starts_with("x-")) {
        made.message(31, named(name, any(value)));
    }
    made
}

fn path(resource: &Resource) -> String {
    let root = if resource.group.is_empty() { "/api" } else { "/apis" };
    let place = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    format!("{root}/{}{place}/{}/{{name}}", resource.api_version(), resource.plural)
}

/// A `PathItem` with its PATCH alone: by that clients find out what the server can check.
fn patch(resource: &Resource) -> Message {
    let mut operation = Message::default();
    for parameter in ["dryRun", "fieldManager", "fieldValidation"] {
        let mut query = Message::default();
        query.text(2, "query");
        query.text(4, parameter);
        query.text(6, "string");
        // Query parameter, not in the body, a parameter and no reference.
        for field in [3, 2, 1] {
            let mut outer = Message::default();
            outer.message(field, std::mem::take(&mut query));
            query = outer;
        }
        operation.message(8, query);
    }
    let kind = json!({ "group": resource.group, "version": resource.version, "kind": resource.kind });
    operation.message(13, named("x-kubernetes-group-version-kind", any(&kind)));
    operation.message(13, named("x-kubernetes-action", any(&json!("patch"))));
    let mut item = Message::default();
    item.message(8, operation);
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding() {
        let mut message = Message::default();
        message.text(1, "ab");
        message.message(25, Message(vec![0; 200]));
        assert_eq!(message.0[..4], [0x0a, 2, b'a', b'b']);
        assert_eq!(message.0[4..8], [0xca, 0x01, 0xc8, 0x01], "field 25 and length 200 take two bytes each");
        let document = older_document("v1.33.1");
        assert_eq!(document[..5], [0x0a, 3, b'2', b'.', b'0']);
        let text = String::from_utf8_lossy(document);
        assert!(text.contains("#/definitions/io.k8s.api.core.v1.PodSpec") && text.contains("fieldValidation"));
    }
}
