//! Which lists are more than lists: those whose elements have a name of their own.

use serde_json::Value;

use crate::lab::api::resources::{Resource, SERVICES};

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// As one value.
    Atomic,
    /// Each value is there or not.
    Set,
    /// Each element is an object, known by these fields.
    Map(&'static [&'static str]),
}

/// The kind of the list that this path leads to (names of fields; elements of lists leave no trace in it).
pub(crate) fn list_kind(resource: &Resource, path: &[&str]) -> ListKind {
    use ListKind::{Atomic, Map, Set};
    match path {
        ["metadata", "ownerReferences"] => return Map(&["uid"]),
        ["metadata", "finalizers"] => return Set,
        _ if resource.custom => return Atomic,
        _ => {}
    }
    let Some((field, parents)) = path.split_last() else { return Atomic };
    match *field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "resourceClaims"
        | "webhooks" => Map(&["name"]),
        "secrets" if parents.is_empty() => Map(&["name"]),
        "volumeMounts" => Map(&["mountPath"]),
        "volumeDevices" => Map(&["devicePath"]),
        "hostAliases" | "podIPs" | "hostIPs" => Map(&["ip"]),
        "conditions" => Map(&["type"]),
        "topologySpreadConstraints" => Map(&["topologyKey", "whenUnsatisfiable"]),
        "addresses" if parents == ["status"] => Map(&["type"]),
        "ports" if resource == &SERVICES => Map(&["port", "protocol"]),
        "ports" if parents.last().is_some_and(|p| p.ends_with("ontainers")) => Map(&["containerPort", "protocol"]),
        "podCIDRs" | "volumesInUse" => Set,
        _ => Atomic,
    }
}

/// The kind of this very list: one with an element that lacks its keys can only be taken whole.
pub(crate) fn kind_of(resource: &Resource, path: &[&str], list: &[Value]) -> ListKind {
    match list_kind(resource, path) {
        ListKind::Map(keys) if !list.iter().all(|e| keys.iter().all(|k| key_of(e, k).is_some())) => ListKind::Atomic,
        kind => kind,
    }
}

/// Whether the map that this path leads to is one value.
pub(crate) fn atomic_map(resource: &Resource, path: &[&str]) -> bool {
    let Some((field, _)) = path.split_last() else { return false };
    if resource.custom {
        return false;
    }
    matches!(
        *field,
        "selector"
            | "nodeSelector"
            | "labelSelector"
            | "fieldRef"
            | "secretKeyRef"
            | "configMapKeyRef"
            | "resourceFieldRef"
            | "secretRef"
            | "configMapRef"
            | "involvedObject"
            | "claimRef"
            | "roleRef"
    )
}

/// One key of an element. The protocol may be left out.
pub(crate) fn key_of(element: &Value, key: &str) -> Option<Value> {
    match element.get(key) {
        Some(value) if !value.is_null() => Some(value.clone()),
        _ if key == "protocol" => Some(Value::from("TCP")),
        _ => None,
    }
}

/// Whether two elements are the same one.
pub(crate) fn same(a: &Value, b: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|k| match (key_of(a, k), key_of(b, k)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    })
}
