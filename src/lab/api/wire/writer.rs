//! Who writes, how strictly, and whether it counts.

use http::HeaderMap;
use http::header::USER_AGENT;
use serde_json::Value;

use super::path::{Objects, Query};
use crate::lab::api::error::{ApiError, Cause};
use crate::lab::api::store::Store;

/// What happens to fields that a kind doesn't have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Strictness {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// One writing request.
pub(crate) struct Writer {
    /// The store under this writer's name; a dry run's store keeps nothing.
    pub store: Store,
    pub manager: String,
    pub force: bool,
    pub strictness: Strictness,
}

impl Writer {
    /// # Errors
    /// 422 for values that are none.
    pub fn of(store: &Store, at: &Objects, query: &Query, headers: &HeaderMap) -> Result<Writer, ApiError> {
        let dry = dry_run(at, query.all("dryRun"))?;
        let agent = headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("unknown");
        let agent = agent.split('/').next().unwrap_or("unknown");
        let manager = query.get("fieldManager").unwrap_or(agent).to_owned();
        if manager.len() > 128 || manager.chars().any(char::is_control) {
            return Err(refused(at, "fieldManager", &manager, "may not be more than 128 bytes, all of them printable"));
        }
        let strictness = match query.get("fieldValidation") {
            None | Some("Warn") => Strictness::Warn,
            Some("Ignore") => Strictness::Ignore,
            Some("Strict") => Strictness::Strict,
            Some(other) => {
                return Err(refused(
                    at,
                    "fieldValidation",
                    other,
                    "supported values: \"Ignore\", \"Strict\", \"Warn\"",
                ));
            }
        };
        let store = store.as_manager(&manager).dry_run(dry);
        let store = match at.sub.as_deref() {
            Some("status") => store.through("status"),
            Some("scale") => store.through("scale"),
            _ => store,
        };
        Ok(Writer { store, manager, force: query.flag("force"), strictness })
    }
}

/// Whether the values of `dryRun` say so.
pub(crate) fn dry_run<'a>(at: &Objects, values: impl Iterator<Item = &'a str>) -> Result<bool, ApiError> {
    let mut dry = false;
    for value in values.filter(|v| !v.is_empty()) {
        if value != "All" {
            return Err(refused(at, "dryRun", value, "supported values: \"All\""));
        }
        dry = true;
    }
    Ok(dry)
}

fn refused(at: &Objects, field: &str, value: &str, why: &str) -> ApiError {
    ApiError::invalid(at.resource, at.object(), &[Cause::value(field, &Value::from(value), why)])
}
