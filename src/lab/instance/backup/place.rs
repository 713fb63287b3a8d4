//! Where a cluster's backups go: the object store of its own `spec.backup`, or the one its plugin names.

use serde_json::{Value, json};

use crate::lab::api::Store as Objects;
use crate::lab::api::resources::OBJECTSTORES;
use crate::lab::instance::Setup;
use crate::lab::object::{list, name, namespace, text, uid};
use crate::lab::operator::backups::BARMAN_CLOUD;
use crate::lab::postgres::{BackupInfo, Store};

/// The plugin's version and its own name of itself, which it writes beside each backup.
const PLUGIN_VERSION: &str = "0.14.0";
const PLUGIN_TITLE: &str = "BarmanCloudInstance";

/// Which of the two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `spec.backup.barmanObjectStore`.
    InTree,
    /// The plugin, with the ObjectStore of that name.
    Plugin(String),
}

/// Where backups go.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The way.
    pub form: Form,
    /// Barman's name of the server.
    pub server: String,
    /// How long backups stay; empty: for ever.
    pub retention: String,
    /// What a Backup's status tells of the place.
    pub shown: Value,
}

impl Place {
    /// Where this backup of this cluster goes.
    ///
    /// # Errors
    /// When a plugin is asked for that the cluster has not, or an ObjectStore that is not there.
    pub fn of(objects: &Objects, cluster: &Value, backup: &Value) -> Result<Place, String> {
        if text(backup, "/spec/method") != "plugin" {
            return Ok(Place::in_tree(cluster));
        }
        let wanted = text(backup, "/spec/pluginConfiguration/name");
        Place::by_plugin(objects, cluster, wanted)?
            .ok_or_else(|| format!("requested plugin is not available: {wanted}"))
    }

    /// The store of `spec.backup`.
    pub fn in_tree(cluster: &Value) -> Place {
        let settings = &cluster["spec"]["backup"]["barmanObjectStore"];
        let server = server_name(cluster);
        let mut shown = json!({"serverName": server});
        for key in ["destinationPath", "endpointURL", "endpointCA", "azureCredentials", "s3Credentials"] {
            if !settings[key].is_null() {
                shown[key] = settings[key].clone();
            }
        }
        let retention = text(cluster, "/spec/backup/retentionPolicy").to_owned();
        Place { form: Form::InTree, server, retention, shown }
    }

    /// The store that the plugin of that name is given; `None` where the cluster has no such plugin.
    ///
    /// # Errors
    /// When its ObjectStore is not there.
    pub fn by_plugin(objects: &Objects, cluster: &Value, wanted: &str) -> Result<Option<Place>, String> {
        let Some(plugin) = plugin(cluster).filter(|_| wanted == BARMAN_CLOUD) else { return Ok(None) };
        let store = text(plugin, "/parameters/barmanObjectName");
        let Some(object) = objects.get(&OBJECTSTORES, namespace(cluster), store) else {
            return Err(format!("ObjectStore.barmancloud.cnpg.io \"{store}\" not found"));
        };
        Ok(Some(Place {
            form: Form::Plugin(store.to_owned()),
            server: server_name(cluster),
            retention: text(&object, "/spec/retentionPolicy").to_owned(),
            shown: Value::Null,
        }))
    }

    /// Its folder in the lab's store.
    pub fn store(&self, setup: &Setup) -> Store {
        Store { root: setup.machine.store_dir(), server: self.server.clone() }
    }
}

/// The plugin that writes to object stores, where the cluster has it.
pub fn plugin(cluster: &Value) -> Option<&Value> {
    let all = list(cluster, "/spec/plugins").iter();
    all.filter(|plugin| plugin["enabled"] != json!(false)).find(|plugin| text(plugin, "/name") == BARMAN_CLOUD)
}

/// Barman's name of the server: what the plugin or the store is told, else the cluster's name.
pub fn server_name(cluster: &Value) -> String {
    let by_plugin = plugin(cluster).map(|plugin| text(plugin, "/parameters/serverName")).unwrap_or_default();
    let told = [by_plugin, text(cluster, "/spec/backup/barmanObjectStore/serverName"), name(cluster)];
    told.into_iter().find(|told| !told.is_empty()).unwrap_or_default().to_owned()
}

/// What the plugin writes into a Backup's status about itself.
pub fn metadata(cluster: &Value, info: &BackupInfo) -> Value {
    json!({
        "timeline": info.timeline.to_string(), "version": PLUGIN_VERSION, "name": BARMAN_CLOUD,
        "displayName": PLUGIN_TITLE, "clusterUID": uid(cluster), "pluginName": BARMAN_CLOUD,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_name_is_the_clusters_unless_said_otherwise() {
        let named = |spec: Value| server_name(&json!({"metadata": {"name": "shop"}, "spec": spec}));
        assert_eq!(named(json!({})), "shop");
        assert_eq!(named(json!({"backup": {"barmanObjectStore": {"serverName": "shop-2"}}})), "shop-2");
        let plugin = |enabled: bool| {
            json!({"plugins": [{"name": BARMAN_CLOUD, "enabled": enabled,
            "parameters": {"barmanObjectName": "store", "serverName": "shop-3"}}]})
        };
        assert_eq!(named(plugin(true)), "shop-3");
        assert_eq!(named(plugin(false)), "shop");
    }

    #[test]
    fn a_plugins_store_must_be_there() {
        let objects = Objects::new();
        let cluster = json!({"metadata": {"name": "shop", "namespace": "pg"}, "spec": {"plugins": [
            {"name": BARMAN_CLOUD, "parameters": {"barmanObjectName": "store"}}]}});
        let backup = |plugin: &str| json!({"spec": {"method": "plugin", "pluginConfiguration": {"name": plugin}}});
        let why = Place::of(&objects, &cluster, &backup(BARMAN_CLOUD)).unwrap_err();
        assert_eq!(why, "ObjectStore.barmancloud.cnpg.io \"store\" not found");
        assert!(Place::of(&objects, &cluster, &backup("other")).unwrap_err().contains("not available"));
        let store = json!({"metadata": {"name": "store"}, "spec": {"retentionPolicy": "7d", "configuration": {}}});
        objects.create(&OBJECTSTORES, "pg", store).unwrap();
        let place = Place::of(&objects, &cluster, &backup(BARMAN_CLOUD)).unwrap();
        assert_eq!((place.form, place.retention.as_str()), (Form::Plugin("store".to_owned()), "7d"));
    }
}
