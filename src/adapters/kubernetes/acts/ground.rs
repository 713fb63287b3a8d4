//! What a restore is planned from: the source's own object, the ObjectStore it names, and what is left under the new name.
//!
//! Asked once, when the plan is made: whole specs are not watched.

use serde_json::Value;
use std::time::Duration;

use super::super::client::{Clients, get};
use super::super::read::{list, text};
use super::ask::{Fault, ask};
use crate::domain::detail::ObjectRef;
use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::catalog::restore::{Ground, Source};
use crate::procedure::order::Target;

/// How long an object may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Reads it.
///
/// # Errors
/// The source's object can't be read. What else can't be read is not known, and the plan says so.
pub async fn ground(clients: &Clients, cluster: &ClusterKey, new: &str) -> Result<Ground, Problem> {
    let own = target(cluster, "postgresql.cnpg.io/v1", "Cluster", "clusters", &cluster.name);
    let object = read(clients, &own.path()).await.map_err(|fault| fault.problem("can't read", &own))?;
    let object_store = match Source::store_of(&object) {
        None => None,
        Some(name) => {
            let store = target(cluster, "barmancloud.cnpg.io/v1", "ObjectStore", "objectstores", name);
            read(clients, &store.path()).await.ok()
        }
    };
    let claims = target(cluster, "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "");
    let path = format!("{}?labelSelector=cnpg.io%2Fcluster%3D{new}", claims.collection());
    let claims = read(clients, &path)
        .await
        .ok()
        .map(|found| list(&found, &["items"]).iter().filter_map(|claim| text(claim, &["metadata", "name"])).collect());
    Ok(Ground { source: Source { cluster: object, object_store }, claims })
}

async fn read(clients: &Clients, path: &str) -> Result<Value, Fault> {
    ask(clients, get(path), ANSWER).await
}

fn target(cluster: &ClusterKey, api: &str, kind: &str, plural: &str, name: &str) -> Target {
    let object = ObjectRef {
        context: cluster.context.clone(),
        api_version: api.into(),
        kind: kind.into(),
        namespace: cluster.namespace.to_string(),
        name: name.into(),
    };
    Target { object, plural: plural.into(), subresource: None }
}
