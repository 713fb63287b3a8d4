//! Volumes, claims and storage classes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{AGE, Column, Printer, age, column, each, joined, text, wide};

pub(super) fn printer(plural: &str) -> Option<Printer> {
    match plural {
        "persistentvolumeclaims" => Some(Printer { columns: CLAIMS, cells: claim }),
        "persistentvolumes" => Some(Printer { columns: VOLUMES, cells: volume }),
        "storageclasses" => Some(Printer { columns: CLASSES, cells: class }),
        _ => None,
    }
}

const MODE: Column = wide("VolumeMode", "volumeMode defines what type of volume is required by the claim.");
const ATTRIBUTES: Column = column("VolumeAttributesClass", "VolumeAttributesClass of the pvc");

const CLAIMS: &[Column] = &[
    column("Status", "phase represents the current phase of PersistentVolumeClaim."),
    column("Volume", "volumeName is the binding reference to the PersistentVolume backing this claim."),
    column("Capacity", "capacity represents the actual resources of the underlying volume."),
    column("Access Modes", "accessModes contains the actual access modes the volume backing the PVC has."),
    column("StorageClass", "StorageClass of the pvc"),
    ATTRIBUTES,
    AGE,
    MODE,
];

/// `RWO,ROX`.
fn modes(list: &Value) -> Value {
    let short = |mode: &str| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "",
    };
    let all: Vec<&str> = each(list).map(|m| short(text(m))).filter(|m| !m.is_empty()).collect();
    json!(all.join(","))
}

fn unset(value: &Value) -> Value {
    if text(value).is_empty() { json!("<unset>") } else { value.clone() }
}

fn phase(object: &Value) -> Value {
    if object["metadata"]["deletionTimestamp"].is_string() {
        json!("Terminating")
    } else {
        object["status"]["phase"].clone()
    }
}

fn claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let bound = !text(&spec["volumeName"]).is_empty();
    vec![
        phase(object),
        json!(text(&spec["volumeName"])),
        json!(if bound { text(&status["capacity"]["storage"]) } else { "" }),
        if bound { modes(&status["accessModes"]) } else { json!("") },
        json!(text(&spec["storageClassName"])),
        unset(&spec["volumeAttributesClassName"]),
        age::since_creation(object, now),
        json!(text(&spec["volumeMode"])),
    ]
}

const VOLUMES: &[Column] = &[
    column("Capacity", "capacity is the description of the persistent volume's resources and capacity."),
    column("Access Modes", "accessModes contains all ways the volume can be mounted."),
    column("Reclaim Policy", "What happens to a persistent volume when released from its claim."),
    column("Status", "phase indicates if a volume is available, bound to a claim, or released by a claim."),
    column("Claim", "claimRef is part of a bi-directional binding between volume and claim."),
    column("StorageClass", "StorageClass of the pv"),
    ATTRIBUTES,
    column("Reason", "A brief string that describes any failure."),
    AGE,
    MODE,
];

fn volume(object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let claim = &spec["claimRef"];
    let claim = match text(&claim["name"]) {
        "" => String::new(),
        name => format!("{}/{name}", text(&claim["namespace"])),
    };
    vec![
        json!(text(&spec["capacity"]["storage"])),
        modes(&spec["accessModes"]),
        json!(text(&spec["persistentVolumeReclaimPolicy"])),
        phase(object),
        json!(claim),
        json!(text(&spec["storageClassName"])),
        unset(&spec["volumeAttributesClassName"]),
        json!(text(&status["reason"])),
        age::since_creation(object, now),
        json!(text(&spec["volumeMode"])),
    ]
}

const CLASSES: &[Column] = &[
    column("Provisioner", "provisioner indicates the type of the provisioner."),
    column("ReclaimPolicy", "reclaimPolicy controls the reclaimPolicy for dynamically provisioned volumes."),
    column("VolumeBindingMode", "How PersistentVolumeClaims should be provisioned and bound."),
    Column {
        kind: "boolean",
        ..column("AllowVolumeExpansion", "allowVolumeExpansion shows whether the storage class allow volume expand.")
    },
    AGE,
];

/// Whether claims that name no class get this one.
pub(super) fn is_default(object: &Value) -> bool {
    object["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
}

fn class(object: &Value, now: Timestamp) -> Vec<Value> {
    let or =
        |value: &Value, other: &str| joined([if text(value).is_empty() { other } else { text(value) }].into_iter());
    vec![
        json!(text(&object["provisioner"])),
        or(&object["reclaimPolicy"], "Delete"),
        or(&object["volumeBindingMode"], "Immediate"),
        json!(object["allowVolumeExpansion"] == true),
        age::since_creation(object, now),
    ]
}
