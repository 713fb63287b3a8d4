//! The operator's fixed words: labels, annotations, phases. (CloudNativePG 1.30, `pkg/utils/labels_annotations.go`,
//! `api/v1/cluster_types.go`; every one of them is also in the recordings.)

/// The version this operator claims to be, in annotations.
pub const VERSION: &str = "1.30.0";
/// The image of the operator and of its instance manager.
pub const OPERATOR_IMAGE: &str = "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0";
/// `apiVersion` of its kinds.
pub const API_VERSION: &str = "postgresql.cnpg.io/v1";
/// What stands in `managed-by`.
pub const MANAGER: &str = "cloudnative-pg";

pub mod label {
    pub const CLUSTER: &str = "cnpg.io/cluster";
    pub const INSTANCE_NAME: &str = "cnpg.io/instanceName";
    pub const INSTANCE_ROLE: &str = "cnpg.io/instanceRole";
    /// Deprecated, still written beside the newer one.
    pub const ROLE: &str = "role";
    pub const POD_ROLE: &str = "cnpg.io/podRole";
    pub const PVC_ROLE: &str = "cnpg.io/pvcRole";
    pub const JOB_ROLE: &str = "cnpg.io/jobRole";
    pub const RELOAD: &str = "cnpg.io/reload";
    pub const USER_TYPE: &str = "cnpg.io/userType";
}

pub mod annotation {
    pub const OPERATOR_VERSION: &str = "cnpg.io/operatorVersion";
    pub const NODE_SERIAL: &str = "cnpg.io/nodeSerial";
    pub const PVC_STATUS: &str = "cnpg.io/pvcStatus";
    pub const POD_SPEC: &str = "cnpg.io/podSpec";
    pub const POD_ENV_HASH: &str = "cnpg.io/podEnvHash";
    pub const LAST_APPLIED_SPEC: &str = "cnpg.io/lastAppliedSpec";
    pub const MANAGED_SECRETS: &str = "cnpg.io/managedSecrets";
    pub const HIBERNATION: &str = "cnpg.io/hibernation";
    pub const FENCED: &str = "cnpg.io/fencedInstances";
    pub const RECONCILIATION_LOOP: &str = "cnpg.io/reconciliationLoop";
    pub const RECONCILE_POD_SPEC: &str = "cnpg.io/reconcilePodSpec";
    pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
    pub const UNRECOVERABLE: &str = "alpha.cnpg.io/unrecoverable";
    /// The form of `synchronous.failoverQuorum` before 1.28.
    pub const FAILOVER_QUORUM: &str = "alpha.cnpg.io/failoverQuorum";
}

pub mod phase {
    pub const HEALTHY: &str = "Cluster in healthy state";
    pub const SWITCHOVER: &str = "Switchover in progress";
    pub const FAILING_OVER: &str = "Failing over";
    pub const FIRST_PRIMARY: &str = "Setting up primary";
    pub const CREATING_REPLICA: &str = "Creating a new replica";
    /// Written by whoever sees it first, an instance manager or the operator.
    pub const APPLYING: &str = "Applying configuration";
    pub const UPGRADING: &str = "Upgrading cluster";
    pub const WAITING_FOR_USER: &str = "Waiting for user action";
    /// The instance manager restarts PostgreSQL in its pod, and writes the healthy phase afterwards itself.
    pub const RESTARTING_IN_PLACE: &str = "Primary instance is being restarted in-place";
    /// The operator deletes the primary's pod and makes it again, without electing another.
    pub const RESTARTING_PRIMARY_POD: &str = "Primary instance is being restarted without a switchover";
    pub const WAITING_FOR_INSTANCES: &str = "Waiting for the instances to become active";
    pub const UNRECOVERABLE: &str = "Cluster is unrecoverable and needs manual intervention";
    pub const NO_DISK_SPACE: &str = "Not enough disk space";
    pub const STATUS_UNREACHABLE: &str = "Instance Status Extraction Error: HTTP communication issue";
}

/// The marker in `status.targetPrimary` while a failover waits for its candidate.
pub const PENDING: &str = "pending";

/// Roles an instance pod can be labelled with.
pub mod role {
    pub const PRIMARY: &str = "primary";
    pub const REPLICA: &str = "replica";
    pub const UNHEALTHY: &str = "unhealthy";
}

/// The name of an instance: cluster and serial.
pub fn instance_name(cluster: &str, serial: u32) -> String {
    format!("{cluster}-{serial}")
}
