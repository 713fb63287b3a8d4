//! What CloudNativePG's webhooks do to a Cluster that is created or changed: fill in defaults, refuse, warn.
//!
//! [`admit`] is the hook for the API: it sees the object as it would be stored, and the stored one if there is one.

mod backups;
mod defaults;
mod parameters;
mod recovery;
mod rules;

use serde_json::{Value, json};

use super::world::ClusterObject;
use crate::domain::quantity::kubernetes;
use crate::lab::api::ApiError;

pub use backups::{admit_backup, admit_scheduled};
pub use defaults::set_defaults;

/// An object that may be stored, and what the user should know (`Warning: 299` on the wire).
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    pub object: Value,
    pub warnings: Vec<String>,
}

/// Admits a Cluster: `new` as it would be stored, `old` as it is stored (none when it is created).
///
/// # Errors
/// 422 as the API server relays the webhook's denial.
pub fn admit(mut new: Value, old: Option<&Value>) -> Result<Admitted, ApiError> {
    set_defaults(&mut new);
    let mut faults = rules::check(&new);
    faults.extend(backups::archivers(&new));
    if let Some(old) = old {
        faults.extend(rules::check_change(&new, old));
    }
    if faults.is_empty() {
        let warnings = rules::warnings(&new);
        return Ok(Admitted { object: new, warnings });
    }
    Err(denial(new.name(), &faults))
}

/// Whether one size of storage is larger than another; false when either can't be read.
pub fn is_larger(size: &str, than: &str) -> bool {
    matches!((kubernetes(size), kubernetes(than)), (Some(size), Some(than)) if size > than)
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub field: String,
    pub message: String,
    pub reason: &'static str,
}

impl Fault {
    fn invalid(field: &str, value: &Value, why: impl AsRef<str>) -> Self {
        let shown = if value.is_null() { "null".to_owned() } else { value.to_string() };
        let message = format!("Invalid value: {shown}: {}", why.as_ref());
        Self { field: field.into(), message, reason: "FieldValueInvalid" }
    }

    fn forbidden(field: &str, why: &str) -> Self {
        Self { field: field.into(), message: format!("Forbidden: {why}"), reason: "FieldValueForbidden" }
    }

    fn required(field: &str, why: &str) -> Self {
        Self { field: field.into(), message: format!("Required value: {why}"), reason: "FieldValueRequired" }
    }
}

fn denial(name: &str, faults: &[Fault]) -> ApiError {
    const HOOK: &str = "admission webhook \"vcluster.cnpg.io\" denied the request: ";
    let told: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.field, f.message)).collect();
    let told = if told.len() == 1 { told.concat() } else { format!("[{}]", told.join(", ")) };
    let causes: Vec<Value> =
        faults.iter().map(|f| json!({"reason": f.reason, "message": f.message, "field": f.field})).collect();
    let message = format!("{HOOK}Cluster.cluster.cnpg.io \"{name}\" is invalid: {told}");
    ApiError::new(422, "Invalid", message)
        .with(json!({"name": name, "group": "cluster.cnpg.io", "kind": "Cluster", "causes": causes}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(spec: Value) -> Value {
        json!({"metadata": {"name": "demo", "namespace": "pg"}, "spec": spec})
    }

    fn small() -> Value {
        json!({"instances": 3, "imageName": "localhost/postgresql:17.11", "storage": {"size": "1Gi", "storageClass": "manual"}})
    }

    /// The spec of 1-create as the recording's first line has it.
    #[test]
    fn a_small_spec_gets_the_recorded_defaults() {
        let recorded = include_str!("../../../../tests/fixtures/lab/cluster-spec-defaulted.json");
        let recorded: Value = serde_json::from_str(recorded).expect("JSON");
        let admitted = admit(cluster(small()), None).expect("it is right");
        assert_eq!(admitted.object["spec"], recorded);
        let again = admit(admitted.object.clone(), Some(&admitted.object)).expect("twice is once");
        assert_eq!(again, admitted);
    }

    /// Word for word as recorded in wire/err-webhook-denied.http.
    #[test]
    fn a_smaller_volume_is_refused() {
        let old = admit(cluster(small()), None).expect("it is right").object;
        let mut new = old.clone();
        new["spec"]["storage"]["size"] = "500Mi".into();
        let denied = admit(new, Some(&old)).expect_err("it is wrong");
        assert_eq!(
            denied.message,
            "admission webhook \"vcluster.cnpg.io\" denied the request: Cluster.cluster.cnpg.io \"demo\" is invalid: \
             spec.storage: Invalid value: \"500Mi\": can't shrink existing storage from 1Gi to 500Mi"
        );
        assert_eq!(
            denied.details.expect("details"),
            json!({"name": "demo", "group": "cluster.cnpg.io", "kind": "Cluster", "causes": [{
                "reason": "FieldValueInvalid", "field": "spec.storage",
                "message": "Invalid value: \"500Mi\": can't shrink existing storage from 1Gi to 500Mi",
            }]})
        );
        assert_eq!(denied.code, 422);
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let refused = |edit: fn(&mut Value), says: &str| {
            let mut wrong = cluster(small());
            edit(&mut wrong);
            let denied = admit(wrong, None).expect_err(says);
            assert!(denied.message.contains(says), "{} should say {says}", denied.message);
        };
        refused(|c| c["spec"]["imageName"] = "x:latest".into(), "Can't use 'latest' as image tag");
        refused(|c| c["spec"]["imageName"] = "x:12.1".into(), "Versions 13 or newer are supported");
        refused(|c| c["spec"]["storage"] = json!({}), "Size not configured");
        refused(|c| c["spec"]["storage"]["size"] = "much".into(), "Size value isn't valid");
        refused(|c| c["metadata"]["name"] = "a.b".into(), "cluster name must be a valid DNS label");
        refused(|c| c["spec"]["maxSyncReplicas"] = 3.into(), "maxSyncReplicas must be lower");
        refused(|c| c["spec"]["minSyncReplicas"] = 1.into(), "minSyncReplicas cannot be greater");
        refused(
            |c| c["spec"]["postgresql"] = json!({"parameters": {"port": "5433"}}),
            "Can't set fixed configuration parameter",
        );
        refused(
            |c| c["spec"]["postgresql"] = json!({"parameters": {"wal_level": "minimal"}}),
            "`wal_level` should be set at `logical` or `replica`",
        );
        refused(
            |c| c["spec"]["postgresql"] = json!({"synchronous": {"method": "any", "number": 3}}),
            "the number of synchronous replicas must be less than",
        );
        refused(
            |c| c["spec"]["bootstrap"] = json!({"initdb": {}, "recovery": {"source": "x"}}),
            "Only one bootstrap method",
        );
        refused(
            |c| c["metadata"]["annotations"] = json!({"cnpg.io/hibernation": "yes"}),
            "Annotation value for hibernation should be",
        );
    }

    #[test]
    fn old_habits_are_warned_about() {
        let mut old_form = cluster(small());
        old_form["spec"]["backup"] = json!({"barmanObjectStore": {"destinationPath": "s3://x"}});
        let admitted = admit(old_form, None).expect("still allowed");
        assert!(admitted.warnings[0].starts_with("Native support for Barman Cloud backups"), "{:?}", admitted.warnings);
        assert_eq!(admitted.object["spec"]["backup"]["target"], "prefer-standby");
    }
}
