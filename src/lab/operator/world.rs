//! What a pass of the operator sees: one cluster and everything around it, read at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::words::{annotation, label};
use crate::lab::api::Resource;
use crate::lab::object::{self, annotation as noted, flag, list, number, text};

/// The world around one cluster.
#[derive(Clone, Debug)]
pub struct World {
    pub now: Timestamp,
    pub cluster: Arc<Value>,
    /// Instance pods (the pods the cluster controls), by name.
    pub pods: Vec<Arc<Value>>,
    /// Claims the cluster controls, by name.
    pub pvcs: Vec<Arc<Value>>,
    /// Jobs the cluster controls, by name.
    pub jobs: Vec<Arc<Value>>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Arc<Value>>,
    /// Objects with fixed names around the cluster (secrets, services, …), by kind's plural and name.
    pub around: BTreeMap<(&'static str, String), Arc<Value>>,
}

impl World {
    /// An object around the cluster.
    pub fn get(&self, resource: &Resource, name: &str) -> Option<&Arc<Value>> {
        self.around.get(&(resource.plural, name.to_owned()))
    }

    pub fn has(&self, resource: &Resource, name: &str) -> bool {
        self.get(resource, name).is_some()
    }

    /// Whether a node takes no new pods. A node that isn't there does not hold a primary either.
    pub fn is_unschedulable(&self, node: &str) -> bool {
        const DRAIN_TAINTS: [&str; 3] =
            ["node.kubernetes.io/unschedulable", "ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"];
        self.nodes.get(node).is_some_and(|node| {
            flag(node, "/spec/unschedulable")
                || list(node, "/spec/taints").iter().any(|t| DRAIN_TAINTS.contains(&text(t, "/key")))
        })
    }
}

/// Reading a Cluster. All defaults are those of the webhook, for objects that came past it.
pub trait ClusterObject {
    fn json(&self) -> &Value;

    fn name(&self) -> &str {
        object::name(self.json())
    }

    fn namespace(&self) -> &str {
        object::namespace(self.json())
    }

    /// Instances asked for.
    fn wanted(&self) -> usize {
        count(number(self.json(), "/spec/instances").unwrap_or(1))
    }

    /// Instances there are (claims with a serial).
    fn instances(&self) -> usize {
        count(number(self.json(), "/status/instances").unwrap_or(0))
    }

    fn ready_instances(&self) -> usize {
        count(number(self.json(), "/status/readyInstances").unwrap_or(0))
    }

    fn instance_names(&self) -> Vec<&str> {
        list(self.json(), "/status/instanceNames").iter().filter_map(Value::as_str).collect()
    }

    fn phase(&self) -> &str {
        text(self.json(), "/status/phase")
    }

    fn current_primary(&self) -> &str {
        text(self.json(), "/status/currentPrimary")
    }

    fn target_primary(&self) -> &str {
        text(self.json(), "/status/targetPrimary")
    }

    fn annotated(&self, key: &str) -> Option<&str> {
        noted(self.json(), key)
    }

    fn maintenance(&self) -> bool {
        flag(self.json(), "/spec/nodeMaintenanceWindow/inProgress")
    }

    fn reuses_pvc(&self) -> bool {
        self.json().pointer("/spec/nodeMaintenanceWindow/reusePVC").and_then(Value::as_bool).unwrap_or(true)
    }

    /// Whether an instance is fenced, by name or by `*`.
    fn is_fenced(&self, instance: &str) -> bool {
        let fenced = self.annotated(annotation::FENCED).unwrap_or_default();
        let fenced: Vec<String> = serde_json::from_str(fenced).unwrap_or_default();
        fenced.iter().any(|f| f == "*" || f == instance)
    }

    /// Whether a failover needs the quorum's consent.
    fn wants_quorum(&self) -> bool {
        flag(self.json(), "/spec/postgresql/synchronous/failoverQuorum")
            || (self.json().pointer("/spec/postgresql/synchronous").is_some()
                && self.annotated(annotation::FAILOVER_QUORUM) == Some("true"))
    }

    /// The server's image: the status knows the resolved one.
    fn image(&self) -> &str {
        match text(self.json(), "/spec/imageName") {
            "" => text(self.json(), "/status/image"),
            image => image,
        }
    }

    /// PostgreSQL's major version by the image's tag; `None` when the tag doesn't say.
    fn major_version(&self) -> Option<u32> {
        major_of(self.image())
    }

    fn has_wal_storage(&self) -> bool {
        self.json().pointer("/spec/walStorage").is_some_and(|w| !w.is_null())
    }

    /// The claims an instance needs.
    fn claims_of(&self, instance: &str) -> Vec<String> {
        let mut claims = vec![instance.to_owned()];
        if self.has_wal_storage() {
            claims.push(format!("{instance}-wal"));
        }
        claims
    }
}

impl ClusterObject for Value {
    fn json(&self) -> &Value {
        self
    }
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// The major version an image's tag names: `…:17.4-bookworm` is 17.
pub fn major_of(image: &str) -> Option<u32> {
    let tag = image.rsplit('/').next()?.split('@').next()?.split_once(':')?.1;
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The serial of an instance, from its claim or pod.
pub fn serial(object: &Value) -> Option<u32> {
    noted(object, annotation::NODE_SERIAL)?.parse().ok()
}

/// Whether a pod or claim is labelled as the primary's.
pub fn is_labelled_primary(object: &Value) -> bool {
    let role = object::label(object, label::INSTANCE_ROLE).or_else(|| object::label(object, label::ROLE));
    role == Some(super::words::role::PRIMARY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_tell_their_major_version() {
        assert_eq!(major_of("ghcr.io/cloudnative-pg/postgresql:17.4-3-bookworm"), Some(17));
        assert_eq!(major_of("localhost:5000/postgresql:15"), Some(15));
        assert_eq!(major_of("localhost:5000/postgresql"), None);
        assert_eq!(major_of("postgresql:16@sha256:0123"), Some(16));
    }

    #[test]
    fn fencing_is_by_name_or_for_all() {
        let cluster = |fenced: &str| json!({"metadata": {"annotations": {"cnpg.io/fencedInstances": fenced}}});
        assert!(cluster(r#"["c-2"]"#).is_fenced("c-2"));
        assert!(!cluster(r#"["c-2"]"#).is_fenced("c-1"));
        assert!(cluster(r#"["*"]"#).is_fenced("c-1"));
        assert!(!cluster("not json").is_fenced("c-1"));
    }
}
