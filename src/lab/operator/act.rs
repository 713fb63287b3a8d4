//! What a pass of the operator decides to do, as data, in the order it is to be done.

use std::time::Duration;

use serde_json::Value;

use crate::lab::api::Resource;
use crate::lab::object::ConditionText;

/// One write. All are within the cluster's namespace.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Makes an object; one of that name already there is not an error (the pass looked too early).
    Create { resource: &'static Resource, object: Value },
    /// Merges (RFC 7386) into metadata or spec.
    Merge { resource: &'static Resource, name: String, patch: Value },
    /// Begins a deletion with the object's own grace period.
    Delete { resource: &'static Resource, name: String },
    /// Writes the cluster's status.
    Status(StatusWrite),
    /// Tells.
    Event { warning: bool, reason: &'static str, message: String },
}

/// A change of the cluster's status: a merge patch for the fields, conditions one by one. Conditions are never
/// written as a whole list, since the instance managers write theirs at the same time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusWrite {
    /// RFC 7386, relative to `status`.
    pub patch: Option<Value>,
    pub set: Vec<ConditionText>,
    pub remove: Vec<String>,
    /// Only onto the version that was read; when somebody was faster the pass ends and begins anew.
    pub only_if_unchanged: bool,
}

/// When to look at the cluster again, unless a change brings it up earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// All is as wanted: only a change brings it back.
    OnChange,
    After(Duration),
}

impl Next {
    pub fn millis(millis: u64) -> Self {
        Self::After(Duration::from_millis(millis))
    }
}
