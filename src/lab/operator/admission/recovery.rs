//! The rules for `spec.bootstrap.recovery`. In the webhook's words (`cnpg:internal/webhook/v1/cluster_webhook.go`).

use serde_json::Value;

use super::Fault;
use crate::domain::lsn::Lsn;
use crate::lab::instance::recovery::target::moment;
use crate::lab::object::{list, text};

const TARGET: &str = "spec.bootstrap.recovery.recoveryTarget";

/// Everything that is wrong with a recovery.
pub fn check(cluster: &Value, faults: &mut Vec<Fault>) {
    let Some(recovery) = cluster.pointer("/spec/bootstrap/recovery").filter(|r| r.is_object()) else { return };
    application(recovery, faults);
    source(cluster, recovery, faults);
    if let Some(given) = recovery.get("recoveryTarget").filter(|t| t.is_object()) {
        target(recovery, given, faults);
    }
}

fn application(recovery: &Value, faults: &mut Vec<Fault>) {
    let (database, owner) = (text(recovery, "/database"), text(recovery, "/owner"));
    if !database.is_empty() && owner.is_empty() {
        let why = "You need to specify the database owner user";
        faults.push(Fault::invalid("spec.bootstrap.recovery.owner", &"".into(), why));
    }
    if database.is_empty() && !owner.is_empty() {
        let why = "You need to specify the database name";
        faults.push(Fault::invalid("spec.bootstrap.recovery.database", &"".into(), why));
    }
}

fn source(cluster: &Value, recovery: &Value, faults: &mut Vec<Fault>) {
    const FIELD: &str = "spec.bootstrap.recovery.source";
    let source = text(recovery, "/source");
    if source.is_empty() {
        return;
    }
    let found = list(cluster, "/spec/externalClusters").iter().find(|c| text(c, "/name") == source);
    if found.is_none() {
        let why = format!("External cluster {source} not found");
        faults.push(Fault::invalid(FIELD, &source.into(), why));
    }
    let ways = ["connectionParameters", "barmanObjectStore", "plugin"];
    if !found.is_some_and(|external| ways.iter().any(|way| external.get(way).is_some_and(Value::is_object))) {
        let why = format!(
            "External cluster {source} cannot be used for recovery: missing connection parameters, Barman, or CNPG-i \
             configuration"
        );
        faults.push(Fault::invalid(FIELD, &source.into(), why));
    }
}

fn target(recovery: &Value, given: &Value, faults: &mut Vec<Fault>) {
    let word = |field: &str| text(given, field);
    let is_set = |field: &str| match given.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    let ends = ["targetImmediate", "targetLSN", "targetName", "targetXID", "targetTime"];
    if ends.iter().filter(|field| is_set(field)).count() > 1 {
        faults.push(Fault::invalid(TARGET, given, "Recovery target options are mutually exclusive"));
    }
    let mut wrong = |field: &str, value: &str, why: &str| {
        let field = if field.is_empty() { TARGET.to_owned() } else { format!("{TARGET}.{field}") };
        faults.push(Fault::invalid(&field, &value.into(), why));
    };
    if is_set("targetTime") && moment(word("/targetTime")).is_none() {
        wrong("", word("/targetTime"), "The format of TargetTime is invalid");
    }
    if is_set("targetLSN") && word("/targetLSN").parse::<Lsn>().is_err() {
        wrong("", word("/targetLSN"), "Invalid TargetLSN");
    }
    if is_set("targetXID") && word("/targetXID").parse::<u32>().is_err() {
        wrong("targetXID", word("/targetXID"), "recovery target xid must be a non-negative 32-bit integer");
    }
    if word("/targetName").len() >= 64 {
        wrong("targetName", word("/targetName"), "recovery target name must be shorter than 64 bytes");
    }
    if word("/targetName").chars().any(|c| c.is_ascii_control()) {
        let why = "recovery target name must not contain ASCII control characters";
        wrong("targetName", word("/targetName"), why);
    }
    let named = ["targetName", "targetXID", "targetImmediate"].iter().any(|field| is_set(field));
    if named && recovery.get("volumeSnapshots").is_none() && !is_set("backupID") {
        faults.push(Fault::required(TARGET, "BackupID is missing"));
    }
    let timeline = word("/targetTLI");
    if !matches!(timeline, "" | "latest") && !timeline.parse::<u32>().is_ok_and(|number| number > 0) {
        let why = "recovery target timeline can be set to 'latest' or a positive integer";
        faults.push(Fault::invalid(&format!("{TARGET}.targetTLI"), given, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(recovery: Value) -> Vec<String> {
        let external =
            json!([{"name": "origin", "barmanObjectStore": {"destinationPath": "http://x"}}, {"name": "empty"}]);
        let cluster = json!({"spec": {"bootstrap": {"recovery": recovery}, "externalClusters": external}});
        let mut faults = Vec::new();
        check(&cluster, &mut faults);
        faults.into_iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect()
    }

    #[test]
    fn a_recovery_as_people_write_it_is_right() {
        let full =
            |target: Value| json!({"source": "origin", "database": "app", "owner": "app", "recoveryTarget": target});
        for target in [
            json!({"targetTime": "2026-11-20 22:57:22.985094+00"}),
            json!({"targetTime": "2026-11-20 22:57:22"}),
            json!({"targetTime": "2026-11-20T22:57:22.985Z", "exclusive": true}),
            json!({"targetLSN": "0/3000028", "targetTLI": "latest"}),
            json!({"backupID": "20261120T225646", "targetImmediate": true}),
            json!({"backupID": "20261120T225646", "targetName": "before the flood"}),
        ] {
            assert_eq!(told(full(target.clone())), Vec::<String>::new(), "{target}");
        }
        assert_eq!(told(json!({"backup": {"name": "b"}, "database": "app", "owner": "app"})), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_recovered_is_refused() {
        let target = |target: Value| told(json!({"source": "origin", "recoveryTarget": target})).join("\n");
        assert!(told(json!({"source": "other"}))[0].ends_with("External cluster other not found"));
        assert!(told(json!({"source": "empty"}))[0].contains("cannot be used for recovery"));
        assert!(target(json!({"targetTime": "soon"})).contains("The format of TargetTime is invalid"));
        assert!(
            target(json!({"targetTime": "2026-11-20 22:57:22", "targetLSN": "0/1"})).contains("mutually exclusive")
        );
        assert!(target(json!({"targetLSN": "here"})).contains("Invalid TargetLSN"));
        assert!(target(json!({"targetXID": "-1", "backupID": "b"})).contains("non-negative 32-bit integer"));
        assert!(target(json!({"targetName": "x"})).contains("Required value: BackupID is missing"));
        assert!(target(json!({"targetImmediate": true})).contains("BackupID is missing"));
        assert!(target(json!({"targetTLI": "0"})).contains("'latest' or a positive integer"));
        assert!(told(json!({"database": "app"})).join("").contains("You need to specify the database owner user"));
    }
}
