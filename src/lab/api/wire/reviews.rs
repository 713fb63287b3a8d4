//! Questions about oneself: who am I, may I.

use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::{USER, Wire};
use crate::lab::api::access::Attributes;
use crate::lab::api::error::ApiError;
use crate::lab::api::store::now;

impl Wire {
    /// Answers a review; the question comes back with its answer.
    pub(super) fn review(&self, plural: &str, mut question: Value) -> Result<Answer, ApiError> {
        if !question["metadata"].is_object() {
            question["metadata"] = json!({});
        }
        match plural {
            "selfsubjectaccessreviews" => question["status"] = self.may(&question["spec"])?,
            "selfsubjectrulesreviews" => {
                question["status"] = json!({
                    "resourceRules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }],
                    "nonResourceRules": [{ "verbs": ["*"], "nonResourceURLs": ["*"] }],
                    "incomplete": self.access.is_restricted(),
                });
            }
            _ => {
                question["metadata"]["creationTimestamp"] = json!(now());
                question["status"] = json!({ "userInfo": { "username": USER,
                    "groups": ["system:masters", "system:authenticated"] } });
            }
        }
        Ok(answer::json(201, &question))
    }

    fn may(&self, spec: &Value) -> Result<Value, ApiError> {
        let asked = &spec["resourceAttributes"];
        if asked.is_null() && spec["nonResourceAttributes"].is_null() {
            return Err(ApiError::bad_request(
                "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or \
                 resourceAttributes must be specified",
            ));
        }
        let text = |field: &str| asked[field].as_str().unwrap_or_default().to_owned();
        let wanted = Attributes {
            verb: text("verb"),
            group: text("group"),
            resource: text("resource"),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
        };
        if asked.is_null() || self.access.allows(&wanted) {
            return Ok(json!({ "allowed": true }));
        }
        Ok(json!({ "allowed": false, "reason": "forbidden by a rule of the lab" }))
    }
}
