//! Objects that are only described: a fleet's clusters have no pods that run, and no controller looks after them.

use serde_json::Value;

use super::object::label;

/// The label every described object carries.
pub const LABEL: &str = "lab.howdah.dev/described";

/// Whether nobody may act on the object but the one who describes it.
pub fn is_described(object: &Value) -> bool {
    label(object, LABEL) == Some("true")
}
