//! From a cluster to its archive: what its spec says now, the keys that opens it with, and a client.
//!
//! The spec is asked for anew each time and not kept: what opens an archive is nobody else's business.

use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

use super::keys;
use super::open::{Store, open};
use super::place::Place;
use super::reference::{Lead, Reference};
use crate::adapters::kubernetes::client::{Clients, get};
use crate::adapters::kubernetes::kinds::Kind;
use crate::adapters::kubernetes::trouble::{Trouble, TroubleKind};
use crate::domain::names::ClusterKey;
use crate::problem::Problem;

/// How long an object may take.
const ANSWER: Duration = Duration::from_secs(5);

/// A client for a cluster's archive, and where that is.
///
/// # Errors
/// It has none, its objects or secrets can't be read (with the right that is missing), or they make no client.
pub async fn opened(clients: &Clients, key: &ClusterKey) -> Result<(Arc<dyn Store>, Place), Problem> {
    let client = clients.get().await.client;
    let reference = reference(&client, key).await?;
    let keys = keys::read(&client, &key.namespace, &reference).await?;
    open(&reference, &keys).await
}

async fn reference(client: &kube::Client, key: &ClusterKey) -> Result<Reference, Problem> {
    let cluster = object(client, Kind::Cluster, &key.namespace, &key.name).await?;
    let none = |because: String| {
        Problem::new(format!("{key} has no archive that howdah can read"))
            .because(because)
            .try_this("spec.backup.barmanObjectStore or the Barman Cloud plugin give it one")
    };
    match Lead::of_cluster(&cluster) {
        Some(Lead::Here(reference)) => Ok(*reference),
        Some(Lead::Store { name, server }) => {
            let store = object(client, Kind::ObjectStore, &key.namespace, &name).await?;
            Reference::of_store(&store, server).ok_or_else(|| none(format!("ObjectStore {name} says no destination")))
        }
        None => Err(none("its spec names no object store".into())),
    }
}

async fn object(client: &kube::Client, kind: Kind, namespace: &str, name: &str) -> Result<Value, Problem> {
    let (group, version, plural, word) = kind.api();
    let path = format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}/{name}");
    let trouble = match timeout(ANSWER, client.request::<Value>(get(&path))).await {
        Ok(Ok(object)) => return Ok(object),
        Ok(Err(e)) => Trouble::from(e),
        Err(_) => Trouble::timed_out(ANSWER.as_secs_f64()),
    };
    let problem = trouble.problem(&format!("can't read {word} {namespace}/{name}, which says where the archive is"));
    Err(match trouble.kind {
        TroubleKind::Forbidden => {
            problem.try_this(format!("ask for the right `get` on {plural}.{group} in {namespace}"))
        }
        _ => problem,
    })
}
