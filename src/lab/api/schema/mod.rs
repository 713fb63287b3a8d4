//! What fields the kinds have: for `kubectl explain`, for validation, for pruning. Built-in kinds come from the types
//! of `k8s_openapi`, CNPG's from a description of our own, the lab's own from its table of faults.

mod builtin;
mod check;
mod custom;
mod document;
mod faults;
mod older;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::resources::Resource;

pub(crate) use check::{Found, check};
pub(crate) use document::{document, index};
pub use faults::spec as fault_spec;
pub(crate) use older::{CONTENT_TYPE as OLDER_CONTENT_TYPE, older_document};

/// Where components are referred to.
const PREFIX: &str = "#/components/schemas/";

/// All schemas, made once.
pub(crate) struct Schemas {
    /// By name, such as `io.k8s.api.core.v1.Pod`.
    components: Map<String, Value>,
    /// Group and kind to the name of the component.
    kinds: BTreeMap<(&'static str, &'static str), String>,
}

impl Schemas {
    /// The schemas of this API.
    pub fn all() -> &'static Schemas {
        static ALL: OnceLock<Schemas> = OnceLock::new();
        ALL.get_or_init(|| {
            let mut schemas = builtin::schemas();
            custom::add(&mut schemas);
            faults::add(&mut schemas);
            schemas
        })
    }

    /// The schema of a kind.
    pub fn of(&self, resource: &Resource) -> Option<&Value> {
        self.components.get(self.kinds.get(&(resource.group, resource.kind))?)
    }

    /// Follows a reference, also one inside an `allOf`.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
        match reference.and_then(|r| self.components.get(r.strip_prefix(PREFIX)?)) {
            Some(target) => target,
            None => schema,
        }
    }

    fn add_kind(&mut self, resource: &'static Resource, name: String) {
        if let Some(schema) = self.components.get_mut(&name) {
            let kind = json!({ "group": resource.group, "version": resource.version, "kind": resource.kind });
            schema["x-kubernetes-group-version-kind"] = json!([kind]);
        }
        self.kinds.insert((resource.group, resource.kind), name);
    }
}

#[cfg(test)]
mod tests;
