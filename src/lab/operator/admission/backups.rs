//! The webhooks of Backup and ScheduledBackup, and what their definitions say of changes.

use serde_json::{Value, json};

use crate::lab::api::error::Cause;
use crate::lab::api::resources::{BACKUPS, SCHEDULEDBACKUPS};
use crate::lab::api::{ApiError, Resource};
use crate::lab::object::{list, name, text};
use crate::lab::operator::backups::Schedule;

const NO_SNAPSHOTS: &str = "Cannot use volumeSnapshot backup method due to missing VolumeSnapshot CRD. If you installed \
                            the CRD after having started the operator, please restart it to enable VolumeSnapshot support";

/// Admits a Backup: `new` as it would be stored, `old` as it is stored (none when it is created).
///
/// # Errors
/// 422 with the field that is wrong.
pub fn admit_backup(new: &Value, old: Option<&Value>) -> Result<(), ApiError> {
    if old.is_some_and(|old| old["spec"] != new["spec"]) {
        let cause = Cause::value("spec", &json!("object"), "BackupSpec is immutable once set");
        return Err(ApiError::invalid(&BACKUPS, name(new), &[cause]));
    }
    let mut causes = method(new, "the backup method");
    if text(new, "/spec/method") == "plugin" && text(new, "/spec/pluginConfiguration/name").is_empty() {
        let why = "cannot be empty when the backup method is plugin";
        causes.push(Cause::value("spec.pluginConfiguration", &Value::Null, why));
    }
    refuse("vbackup.cnpg.io", &BACKUPS, new, causes)
}

/// Completes and admits a ScheduledBackup.
///
/// # Errors
/// 422 with the field that is wrong.
pub fn admit_scheduled(new: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    for (field, value) in [("method", "barmanObjectStore"), ("backupOwnerReference", "none")] {
        if new["spec"][field].is_null() && new["spec"].is_object() {
            new["spec"][field] = json!(value);
        }
    }
    if old.is_some_and(|old| old["spec"]["cluster"] != new["spec"]["cluster"]) {
        let cause = Cause::value("spec.cluster", &json!("object"), "cluster reference is immutable after creation");
        return Err(ApiError::invalid(&SCHEDULEDBACKUPS, name(new), &[cause]));
    }
    let mut causes = method(new, "the method");
    if let Err(why) = Schedule::parse(text(new, "/spec/schedule")) {
        causes.insert(0, Cause::value("spec.schedule", &new["spec"]["schedule"], why));
    }
    refuse("vscheduledbackup.cnpg.io", &SCHEDULEDBACKUPS, new, causes)
}

fn method(object: &Value, called: &str) -> Vec<Cause> {
    let spec = &object["spec"];
    let mut causes = Vec::new();
    match text(object, "/spec/method") {
        "volumeSnapshot" => causes.push(Cause::value("spec.method", &spec["method"], NO_SNAPSHOTS)),
        "barmanObjectStore" => {
            for (field, title) in [("online", "Online"), ("onlineConfiguration", "OnlineConfiguration")] {
                if !spec[field].is_null() {
                    let why = format!("{title} parameter can be specified only if {called} is volumeSnapshot");
                    causes.push(Cause::value(format!("spec.{field}"), &spec[field], why));
                }
            }
        }
        _ => {}
    }
    causes
}

fn refuse(hook: &str, kind: &'static Resource, object: &Value, causes: Vec<Cause>) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    let invalid = ApiError::invalid(kind, name(object), &causes);
    let message = format!("admission webhook {hook:?} denied the request: {}", invalid.message);
    Err(ApiError { message, ..invalid })
}

/// What is wrong with a Cluster's plugins beside its `spec.backup`.
pub(super) fn archivers(cluster: &Value) -> Vec<super::Fault> {
    let on = |plugin: &&Value| plugin["isWALArchiver"] == json!(true) && plugin["enabled"] != json!(false);
    let archivers = list(cluster, "/spec/plugins").iter().filter(on).count();
    let in_tree = cluster.pointer("/spec/backup/barmanObjectStore").is_some();
    let why = match (archivers, in_tree) {
        (1.., true) => "Cannot enable a WAL archiver plugin when barmanObjectStore is configured",
        (2.., _) => "Cannot enable more than one WAL archiver plugin",
        _ => return Vec::new(),
    };
    vec![super::Fault::invalid("spec.plugins", &cluster["spec"]["plugins"], why)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(spec: Value) -> Result<(), ApiError> {
        admit_backup(&json!({"metadata": {"name": "b"}, "spec": spec}), None)
    }

    #[test]
    fn a_backup_that_cannot_be_is_refused() {
        assert!(backup(json!({"method": "barmanObjectStore"})).is_ok());
        for (spec, says) in [
            (json!({"method": "volumeSnapshot"}), "missing VolumeSnapshot CRD"),
            (json!({"method": "plugin"}), "cannot be empty when the backup method is plugin"),
            (json!({"method": "barmanObjectStore", "online": true}), "only if the backup method is volumeSnapshot"),
        ] {
            let denied = backup(spec).unwrap_err();
            assert!(denied.message.contains(says) && denied.message.contains("vbackup.cnpg.io"), "{}", denied.message);
        }
        let old = json!({"metadata": {"name": "b"}, "spec": {"cluster": {"name": "a"}}});
        let new = json!({"metadata": {"name": "b"}, "spec": {"cluster": {"name": "b"}}});
        assert!(admit_backup(&new, Some(&old)).unwrap_err().message.contains("immutable"));
    }

    #[test]
    fn a_schedule_must_be_one() {
        let scheduled = |schedule: &str| {
            let mut object = json!({"metadata": {"name": "s"}, "spec": {"schedule": schedule}});
            admit_scheduled(&mut object, None).map(|()| object)
        };
        let object = scheduled("0 15 * ? * *").unwrap();
        assert_eq!(text(&object, "/spec/backupOwnerReference"), "none");
        let denied = scheduled("15 *").unwrap_err();
        assert!(
            denied.message.contains("spec.schedule: Invalid value: \"15 *\": Expected 5 to 6"),
            "{}",
            denied.message
        );
    }
}
