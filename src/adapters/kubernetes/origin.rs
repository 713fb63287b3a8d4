//! The objects that a restore is made from, as the API has them.

use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

use super::client::{Clients, get};
use super::trouble::{Trouble, TroubleKind};
use crate::domain::names::ClusterKey;
use crate::problem::Problem;
use crate::procedure::catalog::restore::Source;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

/// Reads a Cluster, and the ObjectStore that its plugin names.
///
/// # Errors
/// The Cluster can't be read. An ObjectStore that can't be is left out.
pub async fn read(clients: &Clients, key: &ClusterKey) -> Result<Source, Problem> {
    let client = clients.get().await.client;
    let object = async |group_version: &str, plural: &str, name: &str| {
        let path = format!("/apis/{group_version}/namespaces/{}/{plural}/{name}", key.namespace);
        match timeout(ANSWER, client.request::<Value>(get(&path))).await {
            Ok(answer) => answer.map_err(|e| Trouble::from(&e)),
            Err(_) => Err(Trouble::new(TroubleKind::TimedOut, "no answer in time")),
        }
    };
    let cluster = object("postgresql.cnpg.io/v1", "clusters", &key.name).await;
    let cluster = cluster.map_err(|trouble| trouble.problem(&format!("can't read {key}")))?;
    let object_store = match Source::store_of(&cluster) {
        Some(name) => object("barmancloud.cnpg.io/v1", "objectstores", name).await.ok(),
        None => None,
    };
    Ok(Source { cluster, object_store })
}
