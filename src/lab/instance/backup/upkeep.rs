//! What follows a backup: those beyond the retention policy go, Backup objects whose backup is gone go with them, and the
//! Cluster or the ObjectStore tells from when on it can be recovered.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::place::{Form, Place};
use super::{COMPONENT, Instance};
use crate::lab::api::resources::{BACKUPS, CLUSTERS, OBJECTSTORES};
use crate::lab::api::{ApiError, DeleteOptions, EventType, Part, Selector};
use crate::lab::object::{name, seconds, text, uid};
use crate::lab::operator::backups::BARMAN_CLOUD;
use crate::lab::postgres::Base;
use crate::lab::postgres::retention::Policy;

/// How long the list of backups takes: between `completed` and what it changes in the Cluster it was 0.8 s in the recording.
const LISTING: Duration = Duration::from_millis(700);
/// How often the plugin looks after its store where its object says nothing, in seconds.
const PLUGIN_EVERY: u64 = 1800;

impl Instance {
    /// After an in-tree backup, whether it went well or not.
    pub(super) async fn keep_up(&self, place: &Place) {
        self.apply_retention(place).await;
        let Some(bases) = self.catalog(place).await else { return };
        let destination = |backup: &Value| {
            let status = &backup["status"];
            place.shown.as_object().into_iter().flatten().all(|(key, value)| status[key] == *value)
        };
        self.forget(&bases, destination);
        let ends = ends(&bases);
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return };
        let (first, last) = (seconds(*first), seconds(*last));
        self.setup.write(|status, _| {
            for (field, at) in [("firstRecoverabilityPoint", &first), ("lastSuccessfulBackup", &last)] {
                status[field] = json!(at);
                status[format!("{field}ByMethod")] = json!({"barmanObjectStore": at});
            }
        });
    }

    /// Has the plugin's store kept up by the primary, again and again, for ever.
    pub(in crate::lab::instance) async fn keep_plugin_store(self: Arc<Self>) {
        let setup = &self.setup;
        let read = || setup.store.get(&CLUSTERS, &setup.namespace, &setup.cluster).unwrap_or_default();
        let mut clusters = setup.store.news(&CLUSTERS);
        loop {
            clusters.mark_unchanged();
            let cluster = read();
            let wait = self.keep_up_plugin(&cluster).await;
            let is_other = |now: &Value| {
                now["status"]["currentPrimary"] != cluster["status"]["currentPrimary"]
                    || now["spec"]["plugins"] != cluster["spec"]["plugins"]
            };
            let other = async {
                while clusters.changed().await.is_ok() {
                    if is_other(&read()) {
                        return;
                    }
                }
            };
            tokio::select! {
                () = sleep(Duration::from_secs(wait)) => {}
                () = other => {}
            }
        }
    }

    /// One round of it, where this instance leads. In how many seconds the next one is.
    async fn keep_up_plugin(&self, cluster: &Value) -> u64 {
        let setup = &self.setup;
        let leads = text(cluster, "/status/currentPrimary") == setup.instance;
        let Ok(Some(place)) = Place::by_plugin(&setup.store, cluster, BARMAN_CLOUD) else { return PLUGIN_EVERY };
        if leads {
            self.apply_retention(&place).await;
            if let Some(bases) = self.catalog(&place).await {
                let mine = |backup: &Value| {
                    text(backup, "/status/pluginMetadata/clusterUID") == uid(cluster)
                        && text(backup, "/status/pluginMetadata/pluginName") == BARMAN_CLOUD
                };
                self.forget(&bases, mine);
                self.write_window(&place, &window(&bases));
            }
        }
        let Form::Plugin(store) = &place.form else { return PLUGIN_EVERY };
        let object = setup.store.get(&OBJECTSTORES, &setup.namespace, store).unwrap_or_default();
        let every = &object["spec"]["instanceSidecarConfiguration"]["retentionPolicyIntervalSeconds"];
        every.as_u64().filter(|every| *every > 0).unwrap_or(PLUGIN_EVERY)
    }

    async fn apply_retention(&self, place: &Place) {
        let setup = &self.setup;
        let Some(policy) = Policy::parse(&place.retention) else { return };
        setup.log.info("Applying backup retention policy", &[("retentionPolicy", json!(place.retention))]);
        let store = place.store(setup);
        let reached = setup.reaches_store() && store.answers().await;
        let done =
            if reached { store.retain(policy, Timestamp::now()) } else { Err(std::io::ErrorKind::TimedOut.into()) };
        if let Err(why) = done {
            setup.log.error("Error while applying the retention policy", &why.to_string());
            if let Some(cluster) = setup.store.get(&CLUSTERS, &setup.namespace, &setup.cluster) {
                let message = "Retention policy failed";
                drop(setup.store.event(&cluster, EventType::Warning, "RetentionPolicyFailed", message, COMPONENT));
            }
        }
    }

    /// The finished base backups in the store; `None` when it does not answer.
    async fn catalog(&self, place: &Place) -> Option<Vec<Base>> {
        let store = place.store(&self.setup);
        if !self.setup.reaches_store() || !store.answers().await {
            return None;
        }
        sleep(LISTING).await;
        match store.bases() {
            Ok(bases) => Some(bases.into_iter().filter(Base::is_done).collect()),
            Err(why) => {
                self.setup.log.error("Error while reading the backup list", &why.to_string());
                None
            }
        }
    }

    /// Deletes Backup objects of this cluster that are `here` and whose backup is not in the store any more.
    fn forget(&self, bases: &[Base], here: impl Fn(&Value) -> bool) {
        let setup = &self.setup;
        for backup in setup.store.list(&BACKUPS, Some(&setup.namespace), &Selector::everything()).items {
            let mine = text(&backup, "/spec/cluster/name") == setup.cluster;
            let gone = !bases.iter().any(|base| base.id == text(&backup, "/status/backupId"));
            if mine && gone && text(&backup, "/status/phase") == "completed" && here(&backup) {
                setup.log.info("Deleting backup not in the catalog", &[("backup", json!(name(&backup)))]);
                // Gone already is as good.
                drop(setup.store.delete(&BACKUPS, &setup.namespace, name(&backup), &DeleteOptions::default()));
            }
        }
    }

    /// In the ObjectStore: from when on this server can be recovered.
    pub(super) async fn tell_window(&self, place: &Place) {
        if let Some(bases) = self.catalog(place).await {
            self.write_window(place, &window(&bases));
        }
    }

    /// In the ObjectStore: that a backup failed just now.
    pub(super) fn tell_failure(&self, place: &Place) {
        let mut patch = Map::new();
        patch.insert("lastFailedBackupTime".to_owned(), json!(seconds(Timestamp::now())));
        self.write_window(place, &patch);
    }

    fn write_window(&self, place: &Place, window: &Map<String, Value>) {
        let Form::Plugin(object) = &place.form else { return };
        let patch = json!({"serverRecoveryWindow": {&place.server: window}});
        let done = self.setup.store.change(&OBJECTSTORES, &self.setup.namespace, object, Part::Status, |store| {
            json_patch::merge(&mut store["status"], &patch);
            Ok::<(), ApiError>(())
        });
        if let Err(why) = done {
            self.setup.log.error("Error while updating the recovery window", &why.message);
        }
    }
}

/// When they ended, the earliest first.
fn ends(bases: &[Base]) -> Vec<Timestamp> {
    let mut ends: Vec<Timestamp> = bases.iter().filter_map(|base| base.end_time).collect();
    ends.sort_unstable();
    ends
}

fn window(bases: &[Base]) -> Map<String, Value> {
    let ends = ends(bases);
    let at = |end: Option<&Timestamp>| end.map_or(Value::Null, |end| json!(seconds(*end)));
    [("firstRecoverabilityPoint", at(ends.first())), ("lastSuccessfulBackupTime", at(ends.last()))]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}
