//! Where a cluster's base backups and WAL lie, as its object says.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::text::clean;

/// The plugin that does what `barmanObjectStore` did.
pub const BARMAN_CLOUD: &str = "barman-cloud.cloudnative-pg.io";
/// What the external cluster is called in the new manifest.
pub const ORIGIN: &str = "origin";
/// How many segments are fetched at a time where nothing is said: one after the other makes a restore several times longer.
const PARALLEL: u32 = 8;

/// The objects a restore is made from, as the API has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The Cluster.
    pub cluster: Value,
    /// The ObjectStore that its plugin is given, where there is one and it could be read.
    pub object_store: Option<Value>,
}

/// By what a cluster archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// `spec.backup.barmanObjectStore`, gone with CNPG 1.31.
    InTree,
    /// The plugin, with this ObjectStore.
    Plugin(String),
}

/// Where a cluster's base backups and WAL lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// By what they got there.
    pub via: Via,
    /// The server's folder.
    pub server: String,
    /// The store: `barmanObjectStore`, or the ObjectStore's `configuration`; null where that could not be read.
    pub section: Value,
}

impl Source {
    /// The cluster's name.
    pub fn name(&self) -> &str {
        text(&self.cluster, "/metadata/name")
    }

    /// The cluster's namespace.
    pub fn namespace(&self) -> &str {
        text(&self.cluster, "/metadata/namespace")
    }

    /// The ObjectStore that would have to be read beside a Cluster.
    pub fn store_of(cluster: &Value) -> Option<&str> {
        let name = text(plugin(cluster)?, "/parameters/barmanObjectName");
        (!name.is_empty()).then_some(name)
    }

    /// Where it archives.
    ///
    /// # Errors
    /// Nowhere that its object tells of.
    pub fn origin(&self) -> Result<Origin, Problem> {
        let server = |told: &str| if told.is_empty() { self.name() } else { told }.to_owned();
        if let Some(plugin) = plugin(&self.cluster) {
            let store = text(plugin, "/parameters/barmanObjectName");
            if !store.is_empty() {
                let section = self.object_store.as_ref().map_or(Value::Null, |o| o["spec"]["configuration"].clone());
                let server = server(text(plugin, "/parameters/serverName"));
                return Ok(Origin { via: Via::Plugin(store.to_owned()), server, section });
            }
        }
        let section = &self.cluster["spec"]["backup"]["barmanObjectStore"];
        if section.is_object() {
            return Ok(Origin {
                via: Via::InTree,
                server: server(text(section, "/serverName")),
                section: section.clone(),
            });
        }
        Err(Problem::refused(format!("nothing can be restored of {}", clean(self.name()))).because(
            "its object names no object store: neither spec.backup.barmanObjectStore nor the barman-cloud plugin",
        ))
    }
}

impl Origin {
    /// The entry of `spec.externalClusters`.
    pub fn external(&self) -> Value {
        match &self.via {
            Via::Plugin(store) => {
                let parameters = json!({"barmanObjectName": store, "serverName": self.server});
                json!({"name": ORIGIN, "plugin": {"name": BARMAN_CLOUD, "parameters": parameters}})
            }
            Via::InTree => {
                let mut section = self.section.clone();
                section["serverName"] = self.server.as_str().into();
                if section["wal"]["maxParallel"].is_null() {
                    section["wal"]["maxParallel"] = PARALLEL.into();
                }
                json!({"name": ORIGIN, "barmanObjectStore": section})
            }
        }
    }

    /// It is reached by an Azure identity that is bound to a service account.
    pub fn by_azure_identity(&self) -> bool {
        self.section.pointer("/azureCredentials/inheritFromAzureAD") == Some(&Value::Bool(true))
    }

    /// It is reached by a role of AWS or GCP that is bound to a service account.
    pub fn by_cloud_role(&self) -> bool {
        let on = |pointer: &str| self.section.pointer(pointer) == Some(&Value::Bool(true));
        on("/s3Credentials/inheritFromIAMRole") || on("/googleCredentials/gkeEnvironment")
    }
}

/// The barman-cloud plugin of a Cluster: the one that archives, else any that is switched on.
pub(super) fn plugin(cluster: &Value) -> Option<&Value> {
    let all = || cluster["spec"]["plugins"].as_array().into_iter().flatten().filter(|p| is_barman(p));
    all().find(|p| p["isWALArchiver"] == true).or_else(|| all().next())
}

/// It is the barman-cloud plugin, switched on.
pub(super) fn is_barman(plugin: &Value) -> bool {
    text(plugin, "/name") == BARMAN_CLOUD && plugin["enabled"] != false
}

/// A text in an object; empty where there is none.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
