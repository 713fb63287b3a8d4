//! A scratch cluster of a restore drill at the Kubernetes API: its recovery followed, and its end seen to.
//!
//! Only what bears the drill's label, or belongs to a cluster that bears it, is ever deleted. It must not know what is
//! compared, or what a report makes of it.

mod recover;
mod teardown;

pub use recover::recover;
pub use teardown::tear_down;

use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

use super::client::{Clients, get};
use super::trouble::Trouble;
use crate::domain::names::ClusterKey;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// The label that the operator puts on everything of a cluster.
const CLUSTER: &str = "cnpg.io/cluster";

/// One object or list; `None`: there is none.
async fn read(clients: &Clients, path: &str) -> Result<Option<Value>, Trouble> {
    let client = clients.get().await.client;
    match timeout(ANSWER, client.request::<Value>(get(path))).await {
        Ok(Ok(value)) => Ok(Some(value)),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
        Ok(Err(e)) => Err(Trouble::from(&e)),
        Err(_) => Err(Trouble::timed_out(ANSWER.as_secs_f64())),
    }
}

/// The path of a cluster's object.
fn cluster(key: &ClusterKey) -> String {
    format!("/apis/postgresql.cnpg.io/v1/namespaces/{}/clusters/{}", key.namespace, key.name)
}

/// The list of everything of this kind that belongs to a cluster.
fn belonging(key: &ClusterKey, group_version: &str, plural: &str) -> String {
    let root = if group_version.contains('/') { "apis" } else { "api" };
    format!(
        "/{root}/{group_version}/namespaces/{}/{plural}?labelSelector={}%3D{}",
        key.namespace,
        CLUSTER.replace('/', "%2F"),
        key.name
    )
}
