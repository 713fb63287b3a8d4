//! Metadata: identifiers, times, references.

use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::lab::api::resources::Resource;

/// Now, as Kubernetes writes it: whole seconds, UTC.
pub fn now() -> String {
    stamp(Timestamp::now())
}

/// A time as Kubernetes writes it.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A random (version 4) UUID.
pub(crate) fn uid() -> String {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Five characters as `generateName` appends them: no vowels, nothing that looks like another.
pub(crate) fn suffix() -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rng = rand::rng();
    (0..5).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

pub(crate) fn set_version(object: &mut Value, version: u64) {
    object["metadata"]["resourceVersion"] = json!(version.to_string());
}

/// A text of `metadata`, empty where absent.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Whether it is being deleted.
pub(crate) fn terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Whether finalizers hold it.
pub(crate) fn held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty())
}

/// Makes references to objects.
pub struct Ref;

impl Ref {
    /// An `ownerReferences` entry that makes `owner` the controller.
    pub fn controller(resource: &Resource, owner: &Value) -> Value {
        json!({
            "apiVersion": resource.api_version(), "kind": resource.kind,
            "name": text(owner, "name"), "uid": text(owner, "uid"),
            "controller": true, "blockOwnerDeletion": true,
        })
    }

    /// An object reference as Events carry it.
    pub fn involved(object: &Value) -> Value {
        let mut reference = json!({
            "kind": object["kind"], "apiVersion": object["apiVersion"], "name": text(object, "name"),
            "uid": text(object, "uid"), "resourceVersion": text(object, "resourceVersion"),
        });
        if !text(object, "namespace").is_empty() {
            reference["namespace"] = json!(text(object, "namespace"));
        }
        reference
    }
}
