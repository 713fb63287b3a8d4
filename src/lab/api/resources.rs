//! The kinds this API serves, as one table. A kind that is not in it does not exist.

use crate::domain::fault;

/// One row of the table: a kind, the names it goes by and what it can do.
#[derive(Debug)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub kind: &'static str,
    /// What kubectl accepts instead of the plural.
    pub short: &'static [&'static str],
    pub categories: &'static [&'static str],
    pub namespaced: bool,
    /// Has a `status` subresource: then a write to the main resource leaves `status` alone, and the other way round.
    pub status: bool,
    /// Where `scale` reads and writes, for kinds that have it.
    pub scale: Option<Scale>,
    /// Whether a change of `spec` counts `metadata.generation` up.
    pub generation: bool,
    /// Custom resources have no strategic merge patch and get their managed fields by structure alone.
    pub custom: bool,
}

/// The paths of a scale subresource (dotted, without the leading dot).
#[derive(Debug)]
pub struct Scale {
    pub spec_replicas: &'static str,
    pub status_replicas: &'static str,
    /// Empty when the selector is `spec.selector` itself.
    pub selector: &'static str,
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.group == other.group && self.plural == other.plural
    }
}

impl Eq for Resource {}

impl Resource {
    /// `v1`, or `apps/v1`: what stands in `apiVersion`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `pods`, or `deployments.apps`: how messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Pod`, or `Cluster.postgresql.cnpg.io`: how messages about invalid objects name it.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.to_owned() } else { format!("{}.{}", self.kind, self.group) }
    }
}

const fn core(kind: &'static str, plural: &'static str, singular: &'static str) -> Resource {
    Resource {
        group: "",
        version: "v1",
        plural,
        singular,
        kind,
        short: &[],
        categories: &[],
        namespaced: true,
        status: false,
        scale: None,
        generation: false,
        custom: false,
    }
}

const fn of(group: &'static str, kind: &'static str, plural: &'static str, singular: &'static str) -> Resource {
    Resource { group, generation: true, ..core(kind, plural, singular) }
}

const CNPG: &str = "postgresql.cnpg.io";

const fn cnpg(kind: &'static str, plural: &'static str, singular: &'static str) -> Resource {
    Resource { status: true, custom: true, ..of(CNPG, kind, plural, singular) }
}

const REPLICAS: Option<Scale> =
    Some(Scale { spec_replicas: "spec.replicas", status_replicas: "status.replicas", selector: "" });

pub static PODS: Resource =
    Resource { short: &["po"], categories: &["all"], status: true, generation: true, ..core("Pod", "pods", "pod") };
pub static NODES: Resource =
    Resource { short: &["no"], namespaced: false, status: true, ..core("Node", "nodes", "node") };
pub static NAMESPACES: Resource =
    Resource { short: &["ns"], namespaced: false, status: true, ..core("Namespace", "namespaces", "namespace") };
pub static SERVICES: Resource =
    Resource { short: &["svc"], categories: &["all"], status: true, ..core("Service", "services", "service") };
pub static ENDPOINTS: Resource = Resource { short: &["ep"], ..core("Endpoints", "endpoints", "endpoints") };
pub static CONFIGMAPS: Resource = Resource { short: &["cm"], ..core("ConfigMap", "configmaps", "configmap") };
pub static SECRETS: Resource = core("Secret", "secrets", "secret");
pub static SERVICEACCOUNTS: Resource =
    Resource { short: &["sa"], ..core("ServiceAccount", "serviceaccounts", "serviceaccount") };
pub static PVCS: Resource = Resource {
    short: &["pvc"],
    status: true,
    ..core("PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim")
};
pub static PVS: Resource = Resource {
    short: &["pv"],
    namespaced: false,
    status: true,
    ..core("PersistentVolume", "persistentvolumes", "persistentvolume")
};
pub static EVENTS: Resource = Resource { short: &["ev"], ..core("Event", "events", "event") };

pub static DEPLOYMENTS: Resource = Resource {
    short: &["deploy"],
    categories: &["all"],
    status: true,
    scale: REPLICAS,
    ..of("apps", "Deployment", "deployments", "deployment")
};
pub static STATEFULSETS: Resource = Resource {
    short: &["sts"],
    categories: &["all"],
    status: true,
    scale: REPLICAS,
    ..of("apps", "StatefulSet", "statefulsets", "statefulset")
};
pub static REPLICASETS: Resource = Resource {
    short: &["rs"],
    categories: &["all"],
    status: true,
    scale: REPLICAS,
    ..of("apps", "ReplicaSet", "replicasets", "replicaset")
};
pub static JOBS: Resource = Resource { categories: &["all"], status: true, ..of("batch", "Job", "jobs", "job") };
pub static CRONJOBS: Resource =
    Resource { short: &["cj"], categories: &["all"], status: true, ..of("batch", "CronJob", "cronjobs", "cronjob") };
pub static LEASES: Resource = Resource { generation: false, ..of("coordination.k8s.io", "Lease", "leases", "lease") };
pub static ENDPOINTSLICES: Resource = of("discovery.k8s.io", "EndpointSlice", "endpointslices", "endpointslice");
/// The same objects as [`EVENTS`], in the newer words; the wire translates.
pub static EVENTS_V1: Resource =
    Resource { short: &["ev"], generation: false, ..of("events.k8s.io", "Event", "events", "event") };
pub static PDBS: Resource = Resource {
    short: &["pdb"],
    status: true,
    ..of("policy", "PodDisruptionBudget", "poddisruptionbudgets", "poddisruptionbudget")
};
pub static STORAGECLASSES: Resource = Resource {
    short: &["sc"],
    namespaced: false,
    generation: false,
    ..of("storage.k8s.io", "StorageClass", "storageclasses", "storageclass")
};
pub static ROLES: Resource = Resource { generation: false, ..of("rbac.authorization.k8s.io", "Role", "roles", "role") };
pub static ROLEBINDINGS: Resource =
    Resource { generation: false, ..of("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", "rolebinding") };
pub static CRDS: Resource = Resource {
    short: &["crd", "crds"],
    categories: &["api-extensions"],
    namespaced: false,
    status: true,
    ..of("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", "customresourcedefinition")
};
pub static VALIDATING_WEBHOOKS: Resource = Resource {
    categories: &["api-extensions"],
    namespaced: false,
    ..of(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "validatingwebhookconfiguration",
    )
};
pub static MUTATING_WEBHOOKS: Resource = Resource {
    categories: &["api-extensions"],
    namespaced: false,
    ..of(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "mutatingwebhookconfiguration",
    )
};

pub static CLUSTERS: Resource = Resource {
    scale: Some(Scale {
        spec_replicas: "spec.instances",
        status_replicas: "status.instances",
        selector: "cnpg.io/cluster={name},cnpg.io/podRole=instance",
    }),
    ..cnpg("Cluster", "clusters", "cluster")
};
pub static BACKUPS: Resource = cnpg("Backup", "backups", "backup");
pub static SCHEDULEDBACKUPS: Resource = cnpg("ScheduledBackup", "scheduledbackups", "scheduledbackup");
pub static POOLERS: Resource = Resource {
    scale: Some(Scale { spec_replicas: "spec.instances", status_replicas: "status.instances", selector: "" }),
    ..cnpg("Pooler", "poolers", "pooler")
};
pub static IMAGECATALOGS: Resource =
    Resource { status: false, ..cnpg("ImageCatalog", "imagecatalogs", "imagecatalog") };
pub static CLUSTERIMAGECATALOGS: Resource = Resource {
    status: false,
    namespaced: false,
    ..cnpg("ClusterImageCatalog", "clusterimagecatalogs", "clusterimagecatalog")
};
pub static DATABASES: Resource = cnpg("Database", "databases", "database");
pub static PUBLICATIONS: Resource = cnpg("Publication", "publications", "publication");
pub static SUBSCRIPTIONS: Resource = cnpg("Subscription", "subscriptions", "subscription");
pub static FAILOVERQUORUMS: Resource = cnpg("FailoverQuorum", "failoverquorums", "failoverquorum");

/// The kind of the barman-cloud plugin.
pub static OBJECTSTORES: Resource =
    Resource { status: true, custom: true, ..of("barmancloud.cnpg.io", "ObjectStore", "objectstores", "objectstore") };

/// The lab's own kind: faults that are being done to it.
pub static FAULTS: Resource =
    Resource { status: true, custom: true, ..of(fault::GROUP, fault::KIND, fault::PLURAL, "fault") };

/// Every kind, in the order of discovery: core first, then the groups.
pub static ALL: &[&Resource] = &[
    &CONFIGMAPS,
    &ENDPOINTS,
    &EVENTS,
    &NAMESPACES,
    &NODES,
    &PVCS,
    &PVS,
    &PODS,
    &SECRETS,
    &SERVICEACCOUNTS,
    &SERVICES,
    &DEPLOYMENTS,
    &REPLICASETS,
    &STATEFULSETS,
    &EVENTS_V1,
    &CRONJOBS,
    &JOBS,
    &PDBS,
    &ROLEBINDINGS,
    &ROLES,
    &STORAGECLASSES,
    &MUTATING_WEBHOOKS,
    &VALIDATING_WEBHOOKS,
    &CRDS,
    &LEASES,
    &ENDPOINTSLICES,
    &BACKUPS,
    &CLUSTERIMAGECATALOGS,
    &CLUSTERS,
    &DATABASES,
    &FAILOVERQUORUMS,
    &IMAGECATALOGS,
    &POOLERS,
    &PUBLICATIONS,
    &SCHEDULEDBACKUPS,
    &SUBSCRIPTIONS,
    &OBJECTSTORES,
    &FAULTS,
];

/// Finds a kind by its plural (`pods`), kind (`Pod`) or qualified plural (`clusters.postgresql.cnpg.io`).
pub fn resource(name: &str) -> Option<&'static Resource> {
    ALL.iter().copied().find(|r| r.plural == name || r.kind == name || r.qualified() == name)
}

/// Finds a kind as a path names it: `/apis/<group>/<version>/…/<plural>`.
pub fn at(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    ALL.iter().copied().find(|r| r.group == group && r.version == version && r.plural == plural)
}

/// Finds a kind as an object names itself.
pub fn of_object(api_version: &str, kind: &str) -> Option<&'static Resource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ALL.iter().copied().find(|r| r.group == group && r.version == version && r.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_kinds() {
        assert_eq!(resource("Pod").map(|r| r.plural), Some("pods"));
        assert_eq!(resource("clusters.postgresql.cnpg.io").map(|r| r.kind), Some("Cluster"));
        assert_eq!(resource("events").map(|r| r.group), Some(""), "the core kind wins where two share a name");
        assert_eq!(at("apps", "v1", "deployments").map(Resource::qualified_kind), Some("Deployment.apps".into()));
        assert!(at("apps", "v2", "deployments").is_none());
        assert_eq!(of_object("v1", "Node"), Some(&NODES));
    }
}
