//! The schemas of built-in kinds, from the types of `k8s_openapi`.

use k8s_openapi::api::admissionregistration::v1 as admission;
use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::{coordination, discovery, events, policy, rbac, storage};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::Schemas;
use crate::lab::api::patch::lists::{ListKind, list_kind};
use crate::lab::api::resources::{self as kinds, Resource};

struct Making {
    generator: SchemaGenerator,
    kinds: Vec<(&'static Resource, String)>,
}

impl Making {
    fn add<T: JsonSchema>(&mut self, resource: &'static Resource) {
        self.generator.subschema_for::<T>();
        self.kinds.push((resource, T::schema_name().into_owned()));
    }
}

pub(super) fn schemas() -> Schemas {
    let mut making = Making { generator: SchemaSettings::openapi3().into_generator(), kinds: Vec::new() };
    making.add::<core::Pod>(&kinds::PODS);
    making.add::<core::Node>(&kinds::NODES);
    making.add::<core::Namespace>(&kinds::NAMESPACES);
    making.add::<core::Service>(&kinds::SERVICES);
    making.add::<core::Endpoints>(&kinds::ENDPOINTS);
    making.add::<core::ConfigMap>(&kinds::CONFIGMAPS);
    making.add::<core::Secret>(&kinds::SECRETS);
    making.add::<core::ServiceAccount>(&kinds::SERVICEACCOUNTS);
    making.add::<core::PersistentVolumeClaim>(&kinds::PVCS);
    making.add::<core::PersistentVolume>(&kinds::PVS);
    making.add::<core::Event>(&kinds::EVENTS);
    making.add::<apps::Deployment>(&kinds::DEPLOYMENTS);
    making.add::<apps::StatefulSet>(&kinds::STATEFULSETS);
    making.add::<apps::ReplicaSet>(&kinds::REPLICASETS);
    making.add::<batch::Job>(&kinds::JOBS);
    making.add::<batch::CronJob>(&kinds::CRONJOBS);
    making.add::<coordination::v1::Lease>(&kinds::LEASES);
    making.add::<discovery::v1::EndpointSlice>(&kinds::ENDPOINTSLICES);
    making.add::<events::v1::Event>(&kinds::EVENTS_V1);
    making.add::<policy::v1::PodDisruptionBudget>(&kinds::PDBS);
    making.add::<storage::v1::StorageClass>(&kinds::STORAGECLASSES);
    making.add::<rbac::v1::Role>(&kinds::ROLES);
    making.add::<rbac::v1::RoleBinding>(&kinds::ROLEBINDINGS);
    making.add::<extensions::CustomResourceDefinition>(&kinds::CRDS);
    making.add::<admission::ValidatingWebhookConfiguration>(&kinds::VALIDATING_WEBHOOKS);
    making.add::<admission::MutatingWebhookConfiguration>(&kinds::MUTATING_WEBHOOKS);
    let mut components = making.generator.take_definitions(true);
    for (name, schema) in &mut components {
        describe_references(schema);
        name_elements(name.rsplit('.').next().unwrap_or_default(), schema);
    }
    let mut schemas = Schemas { components, kinds: std::collections::BTreeMap::new() };
    for (resource, name) in making.kinds {
        schemas.add_kind(resource, name);
    }
    schemas
}

/// A reference with a description beside it is written `allOf`, as Kubernetes does it.
fn describe_references(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("description")
                && let Some(reference @ Value::String(_)) = map.remove("$ref")
            {
                map.insert("allOf".into(), json!([{ "$ref": reference }]));
            }
            map.values_mut().for_each(describe_references);
        }
        Value::Array(list) => list.iter_mut().for_each(describe_references),
        _ => {}
    }
}

/// Says of lists whose elements have names which fields name them: clients make their patches by that.
fn name_elements(component: &str, schema: &mut Value) {
    let (resource, parents): (&Resource, &[&str]) = match component {
        "Container" | "EphemeralContainer" => (&kinds::PODS, &["containers"]),
        "ServiceSpec" => (&kinds::SERVICES, &["spec"]),
        "NodeStatus" => (&kinds::NODES, &["status"]),
        "ObjectMeta" => (&kinds::PODS, &["metadata"]),
        "ServiceAccount" | "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => (&kinds::PODS, &[]),
        _ => (&kinds::PODS, &["spec"]),
    };
    for (field, list) in schema["properties"].as_object_mut().into_iter().flatten() {
        if list["type"] != "array" {
            continue;
        }
        let path: Vec<&str> = parents.iter().copied().chain([field.as_str()]).collect();
        match list_kind(resource, &path) {
            ListKind::Atomic => list["x-kubernetes-list-type"] = json!("atomic"),
            ListKind::Set => {
                list["x-kubernetes-list-type"] = json!("set");
                list["x-kubernetes-patch-strategy"] = json!("merge");
            }
            ListKind::Map(keys) => {
                list["x-kubernetes-list-type"] = json!("map");
                list["x-kubernetes-list-map-keys"] = json!(keys);
                list["x-kubernetes-patch-merge-key"] = json!(keys[0]);
                list["x-kubernetes-patch-strategy"] =
                    json!(if field == "volumes" { "merge,retainKeys" } else { "merge" });
            }
        }
    }
}
