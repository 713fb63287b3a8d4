//! The kinds of objects that are watched, and where the API keeps them.

/// A watched kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// CNPG clusters.
    Cluster,
    /// CNPG backups.
    Backup,
    /// CNPG backup schedules.
    ScheduledBackup,
    /// CNPG connection poolers.
    Pooler,
    /// CNPG's record of the failover quorum (1.27).
    FailoverQuorum,
    /// The Barman Cloud plugin's object stores.
    ObjectStore,
    /// Pods.
    Pod,
    /// Services.
    Service,
    /// Endpoints: only where EndpointSlices can't be read.
    Endpoints,
    /// EndpointSlices: where services lead.
    EndpointSlice,
    /// Persistent volume claims.
    Pvc,
    /// Nodes.
    Node,
    /// Leases: who leads.
    Lease,
    /// Jobs that build instances.
    Job,
    /// Events.
    Event,
    /// The operators' own deployments.
    Deployment,
    /// Snapshots of volumes: what backups by snapshot consist of.
    VolumeSnapshot,
}

impl Kind {
    /// All of them, in the order in which their watches are worth starting.
    pub const ALL: [Kind; 17] = [
        Kind::Cluster,
        Kind::Pod,
        Kind::Node,
        Kind::EndpointSlice,
        Kind::Service,
        Kind::Lease,
        Kind::Pvc,
        Kind::Job,
        Kind::Backup,
        Kind::ScheduledBackup,
        Kind::ObjectStore,
        Kind::Pooler,
        Kind::FailoverQuorum,
        Kind::VolumeSnapshot,
        Kind::Deployment,
        Kind::Event,
        Kind::Endpoints,
    ];

    /// API group, version, plural and the object's `kind`.
    pub fn api(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Kind::Cluster => ("postgresql.cnpg.io", "v1", "clusters", "Cluster"),
            Kind::Backup => ("postgresql.cnpg.io", "v1", "backups", "Backup"),
            Kind::ScheduledBackup => ("postgresql.cnpg.io", "v1", "scheduledbackups", "ScheduledBackup"),
            Kind::Pooler => ("postgresql.cnpg.io", "v1", "poolers", "Pooler"),
            Kind::FailoverQuorum => ("postgresql.cnpg.io", "v1", "failoverquorums", "FailoverQuorum"),
            Kind::ObjectStore => ("barmancloud.cnpg.io", "v1", "objectstores", "ObjectStore"),
            Kind::Pod => ("", "v1", "pods", "Pod"),
            Kind::Service => ("", "v1", "services", "Service"),
            Kind::Endpoints => ("", "v1", "endpoints", "Endpoints"),
            Kind::EndpointSlice => ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
            Kind::Pvc => ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
            Kind::Node => ("", "v1", "nodes", "Node"),
            Kind::Lease => ("coordination.k8s.io", "v1", "leases", "Lease"),
            Kind::Job => ("batch", "v1", "jobs", "Job"),
            Kind::Event => ("", "v1", "events", "Event"),
            Kind::Deployment => ("apps", "v1", "deployments", "Deployment"),
            Kind::VolumeSnapshot => ("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot"),
        }
    }

    /// The plural, as in URLs. It also names the watch in [`crate::domain::source::SourceId::Watch`].
    pub fn plural(self) -> &'static str {
        self.api().2
    }

    /// The label that marks CNPG's objects of this kind, where the API can select by it and nothing is lost. Services made
    /// by hand (a load balancer for writes) and their endpoints carry none, nor do claims: these are not selected.
    pub fn selector(self) -> Option<&'static str> {
        matches!(self, Kind::Pod | Kind::Job | Kind::VolumeSnapshot).then_some("cnpg.io/cluster")
    }

    /// Nodes belong to no namespace.
    pub fn namespaced(self) -> bool {
        self != Kind::Node
    }

    /// The kind of this plural.
    pub fn of_plural(plural: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.plural() == plural)
    }
}
