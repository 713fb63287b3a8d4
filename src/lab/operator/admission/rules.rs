//! The rules a Cluster must keep, by itself and in a change, and what it is warned about. In the webhook's words.

use serde_json::Value;

use super::{Fault, parameters, recovery};
use crate::domain::quantity::kubernetes;
use crate::lab::object::{flag, list, number, text};
use crate::lab::operator::words::annotation;
use crate::lab::operator::world::{ClusterObject, major_of};

/// Everything that is wrong with a Cluster by itself.
pub fn check(cluster: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    bootstrap(cluster, &mut faults);
    recovery::check(cluster, &mut faults);
    image(cluster, &mut faults);
    strategy(cluster, &mut faults);
    legacy_synchronous(cluster, &mut faults);
    storage(cluster, &mut faults);
    name(cluster, &mut faults);
    anti_affinity(cluster, &mut faults);
    configuration(cluster, &mut faults);
    synchronous(cluster, &mut faults);
    hibernation(cluster, &mut faults);
    faults
}

/// Everything that is wrong with the way from `old` to `new`.
pub fn check_change(new: &Value, old: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    major_change(new, old, &mut faults);
    storage_change(new, old, "storage", &mut faults);
    let had_wal = old.has_wal_storage();
    if had_wal && !new.has_wal_storage() {
        faults.push(Fault::invalid("spec.walStorage", &Value::Null, "walStorage cannot be disabled once configured"));
    } else if had_wal {
        storage_change(new, old, "walStorage", &mut faults);
    }
    let ids = ["postgresUID", "postgresGID"];
    for field in ids {
        let path = format!("/spec/{field}");
        if old.pointer(&path).is_some() && old.pointer(&path) != new.pointer(&path) {
            let value = new.pointer(&path).cloned().unwrap_or_default();
            let why = format!("{field} is an immutable field in the spec");
            faults.push(Fault::invalid(&format!("spec.{field}"), &value, why));
        }
    }
    slots_change(new, old, &mut faults);
    let level = |cluster: &Value| text(cluster, "/spec/postgresql/parameters/wal_level").to_owned();
    if level(new) == "minimal" && !level(old).is_empty() && level(old) != "minimal" {
        let why =
            format!("Change of `wal_level` to `minimal` not allowed on an existing cluster (from {})", level(old));
        faults.push(Fault::invalid("spec.postgresql.parameters.wal_level", &"minimal".into(), why));
    }
    faults
}

fn bootstrap(cluster: &Value, faults: &mut Vec<Fault>) {
    let methods = ["initdb", "recovery", "pg_basebackup"];
    let there = methods.iter().filter(|m| cluster.pointer(&format!("/spec/bootstrap/{m}")).is_some()).count();
    if there > 1 {
        faults.push(Fault::forbidden("spec.bootstrap", "Only one bootstrap method can be specified at a time"));
    }
}

fn image(cluster: &Value, faults: &mut Vec<Fault>) {
    let image = text(cluster, "/spec/imageName");
    if image.is_empty() {
        return;
    }
    let tag = image.rsplit('/').next().and_then(|i| i.split('@').next()).and_then(|i| i.split_once(':'));
    let why = match tag.map(|(_, tag)| tag) {
        None | Some("") => "Can't use just the image sha as we can't detect upgrades",
        Some("latest") => "Can't use 'latest' as image tag as we can't detect upgrades",
        Some(_) => match major_of(image) {
            None => "invalid version tag",
            Some(major) if major < 13 => "Unsupported PostgreSQL version. Versions 13 or newer are supported",
            Some(_) => return,
        },
    };
    faults.push(Fault::invalid("spec.imageName", &image.into(), why));
}

fn strategy(cluster: &Value, faults: &mut Vec<Fault>) {
    let strategy = text(cluster, "/spec/primaryUpdateStrategy");
    let why = match strategy {
        "" | "unsupervised" => return,
        "supervised" if cluster.wanted() > 1 => return,
        "supervised" => "supervised update strategy is not allowed for clusters with a single instance",
        _ => "primaryUpdateStrategy should be empty, 'supervised' or 'unsupervised'",
    };
    faults.push(Fault::invalid("spec.primaryUpdateStrategy", &strategy.into(), why));
}

fn legacy_synchronous(cluster: &Value, faults: &mut Vec<Fault>) {
    let min = number(cluster, "/spec/minSyncReplicas").unwrap_or(0);
    let max = number(cluster, "/spec/maxSyncReplicas").unwrap_or(0);
    let mut wrong = |field: &str, value: i64, why: &str| faults.push(Fault::invalid(field, &value.into(), why));
    if min < 0 {
        wrong("spec.minSyncReplicas", min, "minSyncReplicas must be a non negative integer");
    }
    if min > max {
        wrong("spec.minSyncReplicas", min, "minSyncReplicas cannot be greater than maxSyncReplicas");
    }
    if max < 0 {
        wrong("spec.maxSyncReplicas", max, "maxSyncReplicas must be a non negative integer");
    }
    if usize::try_from(max).is_ok_and(|max| max >= cluster.wanted()) && max > 0 {
        wrong("spec.maxSyncReplicas", max, "maxSyncReplicas must be lower than the number of instances");
    }
}

fn storage(cluster: &Value, faults: &mut Vec<Fault>) {
    for part in ["storage", "walStorage"] {
        let Some(storage) = cluster.pointer(&format!("/spec/{part}")).filter(|s| s.is_object()) else {
            if part == "storage" {
                let why = "Size not configured. Please add it, or a storage request in the pvcTemplate.";
                faults.push(Fault::invalid("spec.storage.size", &"".into(), why));
            }
            continue;
        };
        let size = text(storage, "/size");
        let field = format!("spec.{part}.size");
        if size.is_empty() && storage.pointer("/pvcTemplate/resources/requests/storage").is_none() {
            let why = "Size not configured. Please add it, or a storage request in the pvcTemplate.";
            faults.push(Fault::invalid(&field, &"".into(), why));
        } else if !size.is_empty() && kubernetes(size).is_none() {
            faults.push(Fault::invalid(&field, &size.into(), "Size value isn't valid"));
        }
    }
}

fn name(cluster: &Value, faults: &mut Vec<Fault>) {
    let name = ClusterObject::name(cluster);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 63
        && name.chars().all(plain);
    if !is_label {
        let why = "cluster name must be a valid DNS label";
        faults.push(Fault::invalid("metadata.name", &name.into(), why));
    }
    if name.len() > 50 {
        let why = "the maximum length of a cluster name is 50 characters";
        faults.push(Fault::invalid("metadata.name", &name.into(), why));
    }
}

fn anti_affinity(cluster: &Value, faults: &mut Vec<Fault>) {
    let kind = text(cluster, "/spec/affinity/podAntiAffinityType");
    if !matches!(kind, "" | "preferred" | "required") {
        let why = "pod anti-affinity type must be 'preferred' (default if empty) or 'required'";
        faults.push(Fault::invalid("spec.affinity.podAntiAffinityType", &kind.into(), why));
    }
}

fn configuration(cluster: &Value, faults: &mut Vec<Fault>) {
    const AT: &str = "spec.postgresql.parameters";
    let Some(given) = cluster.pointer("/spec/postgresql/parameters").and_then(Value::as_object) else { return };
    for (key, value) in given {
        let field = format!("{AT}.{key}");
        if !parameters::is_a_name(key) {
            let why = "must be a valid PostgreSQL configuration parameter name (a GUC name, optionally namespaced \
                       with a single dot)";
            faults.push(Fault::invalid(&field, &key.as_str().into(), why));
        } else if !parameters::may_set(key, value.as_str().unwrap_or_default()) {
            faults.push(Fault::invalid(&field, value, "Can't set fixed configuration parameter"));
        }
    }
    let value = |key: &str| given.get(key).and_then(Value::as_str).unwrap_or_default();
    let level = value("wal_level");
    let field = format!("{AT}.wal_level");
    if !matches!(level, "logical" | "replica" | "minimal") {
        let why = "unrecognized `wal_level` value - allowed values: `logical`, `replica`, `minimal`";
        faults.push(Fault::invalid(&field, &level.into(), why));
    } else if level == "minimal" && (cluster.wanted() > 1 || value("archive_mode") != "off") {
        let why = "`wal_level` should be set at `logical` or `replica` when `archive_mode` is `on`, '.instances' \
                   field is greater than 1, or this is a replica cluster";
        faults.push(Fault::invalid(&field, &level.into(), why));
    }
    if matches!(value("wal_log_hints"), "off" | "false" | "no" | "0") && cluster.wanted() > 1 {
        let why = "`wal_log_hints` must be set to `on` when `instances` > 1";
        faults.push(Fault::invalid(&format!("{AT}.wal_log_hints"), &value("wal_log_hints").into(), why));
    }
}

fn synchronous(cluster: &Value, faults: &mut Vec<Fault>) {
    const AT: &str = "spec.postgresql.synchronous";
    let Some(given) = cluster.pointer("/spec/postgresql/synchronous").filter(|s| s.is_object()) else {
        if flag(cluster, "/spec/postgresql/synchronous/failoverQuorum")
            || cluster.annotated(annotation::FAILOVER_QUORUM) == Some("true")
        {
            let why = "Invalid failoverQuorum configuration: synchronous replication configuration is required.";
            faults.push(Fault::required(AT, why));
        }
        return;
    };
    let legacy = ["minSyncReplicas", "maxSyncReplicas"]
        .iter()
        .any(|field| number(cluster, &format!("/spec/{field}")).unwrap_or(0) > 0);
    if legacy {
        let why = "Can't have both legacy synchronous replica configuration and new one";
        faults.push(Fault::invalid(AT, given, why));
    }
    let outside = list(given, "/standbyNamesPre").len() + list(given, "/standbyNamesPost").len();
    let wanted = usize::try_from(number(given, "/number").unwrap_or(0)).unwrap_or(0);
    if wanted >= cluster.wanted() + outside {
        let why = "Invalid synchronous configuration: the number of synchronous replicas must be less than the total \
                   number of instances and the provided standby names.";
        faults.push(Fault::invalid(AT, given, why));
    }
    if flag(given, "/failoverQuorum") && wanted <= outside {
        let why = "Invalid failoverQuorum configuration: spec.postgresql.synchronous.number must be greater than the \
                   total number of instances in spec.postgresql.synchronous.standbyNamesPre and \
                   spec.postgresql.synchronous.standbyNamesPost to allow automatic failover.";
        faults.push(Fault::invalid(AT, given, why));
    }
}

fn hibernation(cluster: &Value, faults: &mut Vec<Fault>) {
    let Some(value) = cluster.annotated(annotation::HIBERNATION) else { return };
    if !matches!(value, "on" | "off") {
        let why = "Annotation value for hibernation should be \"on\" or \"off\"";
        let field = format!("metadata.annotations.{}", annotation::HIBERNATION);
        faults.push(Fault::invalid(&field, &value.into(), why));
    }
}

fn major_change(new: &Value, old: &Value, faults: &mut Vec<Fault>) {
    let before = number(old, "/status/pgDataImageInfo/majorVersion");
    let (Some(after), Some(before)) = (new.major_version().map(i64::from), before) else { return };
    let why = if before > after {
        format!("can't downgrade from major {before} to {after}")
    } else if before < after && after < 16 {
        "major upgrades are only supported to version 16 or higher".to_owned()
    } else {
        return;
    };
    faults.push(Fault::invalid("spec.imageName", &after.to_string().into(), why));
}

fn storage_change(new: &Value, old: &Value, part: &str, faults: &mut Vec<Fault>) {
    let path = format!("/spec/{part}/size");
    let (before, after) = (text(old, &path), text(new, &path));
    if let (Some(b), Some(a)) = (kubernetes(before), kubernetes(after))
        && b > a
    {
        let why = format!("can't shrink existing storage from {before} to {after}");
        faults.push(Fault::invalid(&format!("spec.{part}"), &after.into(), why));
    }
}

fn slots_change(new: &Value, old: &Value, faults: &mut Vec<Fault>) {
    const PATH: &str = "/spec/replicationSlots/highAvailability/slotPrefix";
    if !flag(old, "/spec/replicationSlots/highAvailability/enabled") || text(old, PATH) == text(new, PATH) {
        return;
    }
    let why = "Cannot change replication slot prefix while highAvailability is enabled";
    faults.push(Fault::invalid("spec.replicationSlots.highAvailability.slotPrefix", &text(new, PATH).into(), why));
}

/// What the user should know.
pub fn warnings(cluster: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    if cluster.pointer("/spec/nodeMaintenanceWindow").is_some() {
        warnings.push("Consider using `.spec.enablePDB` instead of the node maintenance window feature".to_owned());
    }
    let mut barman: Vec<String> = Vec::new();
    if cluster.pointer("/spec/backup/barmanObjectStore").is_some() {
        barman.push("spec.backup.barmanObjectStore".into());
    }
    for (index, external) in list(cluster, "/spec/externalClusters").iter().enumerate() {
        if external.get("barmanObjectStore").is_some() {
            barman.push(format!("spec.externalClusters.{index}.barmanObjectStore"));
        }
    }
    if !barman.is_empty() {
        warnings.push(format!(
            "Native support for Barman Cloud backups and recovery is deprecated and will be completely removed in \
             CloudNativePG 1.31.0. Found usage in: {}. Please migrate existing clusters to the new Barman Cloud \
             Plugin to ensure a smooth transition.",
            barman.join(", ")
        ));
    }
    let buffers = text(cluster, "/spec/postgresql/parameters/shared_buffers");
    if !buffers.is_empty() && buffers.chars().all(|c| c.is_ascii_digit()) {
        warnings.push(format!(
            "`shared_buffers` value '{buffers}' is missing a unit (e.g., MB, GB). While this is currently allowed, \
             future releases will require an explicit unit. Please update your configuration to specify a valid unit, \
             such as '{buffers}MB'."
        ));
    }
    if flag(cluster, "/spec/monitoring/enablePodMonitor") {
        warnings.push(
            "spec.monitoring.enablePodMonitor is deprecated and will be removed in a future release. Please migrate \
             to manually managing your PodMonitor resources. Set this field to false and create a PodMonitor resource \
             for your cluster as described in the documentation."
                .to_owned(),
        );
    }
    warnings
}
