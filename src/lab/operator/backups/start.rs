//! A Backup from its creation to the moment its instance manager has it, and whether that one is still there.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::target::{container_id, target};
use super::{InstanceManagers, fail, tell};
use crate::lab::api::resources::{BACKUPS, CLUSTERS, PODS};
use crate::lab::api::{EventType, Resource, Selector, Store};
use crate::lab::controllers::run::{Controller, Key, key_of};
use crate::lab::object::{annotation, is_deleting, is_pod_active, is_pod_ready, list, name, namespace, seconds, text};

/// Whose name the events carry.
const COMPONENT: &str = "cloudnative-pg-backup";
/// How long it waits for a cluster or an instance that is not there.
const RETRY: Duration = Duration::from_secs(30);
/// How long for another backup of the same cluster.
const QUEUE: Duration = Duration::from_secs(10);
/// How often it looks after one that is under way.
const LOOK: Duration = Duration::from_secs(30);

/// The controller of Backup objects.
pub struct Backups {
    pub(super) managers: Arc<dyn InstanceManagers>,
}

impl Controller for Backups {
    fn name(&self) -> &'static str {
        "manager"
    }

    fn watches(&self) -> &'static [&'static Resource] {
        const WATCHED: [&Resource; 2] = [&BACKUPS, &CLUSTERS];
        &WATCHED
    }

    fn concerns(&self, store: &Store, kind: &'static Resource, object: &Value) -> Vec<Key> {
        if kind == &BACKUPS {
            return vec![key_of(object)];
        }
        let all = store.list(&BACKUPS, Some(namespace(object)), &Selector::everything()).items;
        let mine = all.iter().filter(|b| is_executing(b) && text(b, "/spec/cluster/name") == name(object));
        mine.map(|backup| key_of(backup)).collect()
    }

    fn sync(&self, store: &Store, (ns, backup): &Key) -> Option<Duration> {
        let backup = store.get(&BACKUPS, ns, backup).filter(|b| !is_deleting(b) && !is_done(b))?;
        let Some(cluster) = store.get(&CLUSTERS, ns, text(&backup, "/spec/cluster/name")) else {
            let why = format!("Unknown cluster {}, will retry in 30 seconds", text(&backup, "/spec/cluster/name"));
            return wait(store, &backup, "FindingCluster", &why);
        };
        if let Some((reason, why)) = missing(&cluster, &backup) {
            warn(store, &backup, reason, why);
            fail(store, &backup, why);
            return None;
        }
        if is_waiting(&backup) && !is_next(store, &cluster, &backup) {
            tell(store, &backup, &json!({"phase": "pending", "error": null}));
            return Some(QUEUE);
        }
        match self.progress(store, &cluster, &backup) {
            Progress::GoesOn => Some(LOOK),
            Progress::Ended => None,
            Progress::Wanted => self.start(store, &cluster, &backup),
        }
    }
}

/// How far a backup is, by who should be at it.
enum Progress {
    /// Nobody is: it is to be started, or started again.
    Wanted,
    /// Its instance manager is at it.
    GoesOn,
    /// It came to nothing, and that was said.
    Ended,
}

fn is_done(backup: &Value) -> bool {
    matches!(text(backup, "/status/phase"), "completed" | "failed")
}

fn is_executing(backup: &Value) -> bool {
    matches!(text(backup, "/status/phase"), "started" | "running")
}

fn is_waiting(backup: &Value) -> bool {
    matches!(text(backup, "/status/phase"), "" | "pending")
}

fn warn(store: &Store, backup: &Value, reason: &str, why: &str) {
    // An event that can't be written is lost, as in a real cluster.
    drop(store.event(backup, EventType::Warning, reason, why, COMPONENT));
}

fn wait(store: &Store, backup: &Value, reason: &str, why: &str) -> Option<Duration> {
    warn(store, backup, reason, why);
    tell(store, backup, &json!({"phase": "pending", "error": null}));
    Some(RETRY)
}

/// What the cluster lacks for such a backup.
fn missing(cluster: &Value, backup: &Value) -> Option<(&'static str, &'static str)> {
    if annotation(cluster, "cnpg.io/hibernation") == Some("on") {
        return Some(("ClusterIsHibernated", "cannot backup a hibernated cluster"));
    }
    let method = text(backup, "/spec/method");
    if method == "plugin" {
        let why = "cannot proceed with the backup as the cluster has no plugin configured";
        return list(cluster, "/spec/plugins").is_empty().then_some(("ClusterHasNoBackupExecutorPlugin", why));
    }
    let settings = &cluster["spec"]["backup"];
    match method {
        _ if settings.is_null() => {
            Some(("ClusterHasBackupConfigured", "cannot proceed with the backup as the cluster has no backup section"))
        }
        "volumeSnapshot" => Some((
            "ClusterHasNoVolumeSnapshotCRD",
            "cannot proceed with the backup as the Kubernetes cluster has no VolumeSnapshot support",
        )),
        _ if settings["barmanObjectStore"].is_null() => {
            Some(("ClusterHasNoBarmanSection", "no barmanObjectStore section defined on the target cluster"))
        }
        _ => None,
    }
}

/// Whether no other backup of the cluster is under way, and none waits longer.
fn is_next(store: &Store, cluster: &Value, backup: &Value) -> bool {
    let all = store.list(&BACKUPS, Some(namespace(cluster)), &Selector::everything()).items;
    let mut all: Vec<_> = all.iter().filter(|b| text(b, "/spec/cluster/name") == name(cluster)).collect();
    all.sort_by_key(|b| (text(b, "/metadata/creationTimestamp").to_owned(), name(b).to_owned()));
    match all.iter().find(|b| is_executing(b)) {
        Some(other) => name(other) == name(backup),
        None => all.iter().find(|b| !is_done(b)).is_some_and(|first| name(first) == name(backup)),
    }
}

impl Backups {
    fn progress(&self, store: &Store, cluster: &Value, backup: &Value) -> Progress {
        let chosen = text(backup, "/status/instanceID/podName");
        if is_waiting(backup) || chosen.is_empty() {
            return Progress::Wanted;
        }
        let again = |message: String| {
            drop(store.event(backup, EventType::Normal, "ReStarting", &message, COMPONENT));
            Progress::Wanted
        };
        let Some(pod) = store.get(&PODS, namespace(backup), chosen) else {
            return again(format!(
                "Could not find the elected backup pod. Restarting backup for cluster {} on instance {chosen}",
                name(cluster)
            ));
        };
        let fits = text(backup, "/spec/target") != "primary" || chosen == text(cluster, "/status/targetPrimary");
        let same = container_id(&pod) == text(backup, "/status/instanceID/ContainerID");
        if !fits || !same || !is_pod_active(&pod) {
            return again(format!("Restarted backup for cluster {} on instance {chosen}", name(cluster)));
        }
        let before = text(backup, "/status/instanceID/sessionID");
        if self.managers.session(namespace(backup), chosen).is_some_and(|now| now != before) {
            let told = format!("Backup failed: instance manager was restarted on pod {chosen}");
            warn(store, backup, "InstanceManagerRestarted", &told);
            fail(store, backup, &format!("instance manager was restarted during backup on pod {chosen}"));
            return Progress::Ended;
        }
        if !list(cluster, "/status/instancesStatus/healthy").iter().any(|healthy| healthy == chosen) {
            let why = format!("target pod {chosen} is not healthy for backup in cluster {}", name(cluster));
            fail(store, backup, &format!("while ensuring target pod is healthy: {why}"));
            let told = format!("Error ensuring target pod is healthy: {why}");
            warn(store, backup, "TargetPodNotHealthy", &told);
            return Progress::Ended;
        }
        Progress::GoesOn
    }

    fn start(&self, store: &Store, cluster: &Value, backup: &Value) -> Option<Duration> {
        let ns = namespace(backup);
        let major = major_version(cluster);
        if backup["status"]["majorVersion"] != major {
            tell(store, backup, &json!({"majorVersion": major}));
        }
        let primary = text(cluster, "/status/targetPrimary");
        let Some(pod) = target(store, cluster, backup) else {
            let why = format!("Couldn't find target pod {primary}, will retry in 30 seconds");
            return wait(store, backup, "FindingPod", &why);
        };
        if !is_pod_ready(&pod) {
            let why = format!("Backup target pod not ready: {primary}");
            return wait(store, backup, "BackupPending", &why);
        }
        let said = format!("Starting backup for cluster {}", name(cluster));
        drop(store.event(backup, EventType::Normal, "Starting", &said, COMPONENT));
        let session = self.managers.session(ns, name(&pod)).unwrap_or_default();
        let started = json!({
            "phase": "started", "error": null, "method": backup["spec"]["method"],
            "instanceID": {"podName": name(&pod), "ContainerID": container_id(&pod), "sessionID": session},
            "reconciliationStartedAt": seconds(Timestamp::now()),
        });
        tell(store, backup, &started);
        if let Err(why) = self.managers.begin_backup(ns, name(&pod), name(backup)) {
            tell(store, backup, &json!({"commandError": format!("with stderr: {why}, with stdout: ")}));
            fail(store, backup, &why);
            return None;
        }
        Some(LOOK)
    }
}

/// PostgreSQL's major version, by the cluster's image.
fn major_version(cluster: &Value) -> Value {
    let image = [text(cluster, "/status/image"), text(cluster, "/spec/imageName")];
    let image = image.into_iter().find(|image| !image.is_empty()).unwrap_or_default();
    let tag = image.rsplit_once(':').map(|(_, tag)| tag).unwrap_or_default();
    let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u64>().map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Instance managers that take note of what they are told.
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl InstanceManagers for Told {
        fn begin_backup(&self, _: &str, pod: &str, backup: &str) -> Result<(), String> {
            self.0.lock().unwrap().push(format!("{backup} on {pod}"));
            Ok(())
        }

        fn session(&self, _: &str, _: &str) -> Option<String> {
            Some("s".to_owned())
        }
    }

    fn world() -> (Store, Arc<Told>, Backups) {
        let store = Store::new();
        let cluster = json!({
            "metadata": {"name": "shop"},
            "spec": {"imageName": "localhost/postgresql:17.11", "backup": {"barmanObjectStore": {"destinationPath": "x"}}},
            "status": {"targetPrimary": "shop-1", "instancesStatus": {"healthy": ["shop-1"]}}});
        store.create(&CLUSTERS, "pg", cluster).unwrap();
        let owner = json!([{"kind": "Cluster", "name": "shop", "controller": true, "uid": "1",
                            "apiVersion": "postgresql.cnpg.io/v1"}]);
        let pod = json!({
            "metadata": {"name": "shop-1", "labels": {"cnpg.io/podRole": "instance"}, "ownerReferences": owner},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                       "containerStatuses": [{"name": "postgres", "containerID": "containerd://1"}]}});
        store.create(&PODS, "pg", pod).unwrap();
        let told = Arc::new(Told::default());
        let backups = Backups { managers: Arc::clone(&told) as Arc<dyn InstanceManagers> };
        (store, told, backups)
    }

    fn ask(store: &Store, name: &str, method: &str) -> Key {
        let backup = json!({"metadata": {"name": name}, "spec": {"cluster": {"name": "shop"}, "method": method}});
        store.create(&BACKUPS, "pg", backup).unwrap();
        ("pg".to_owned(), name.to_owned())
    }

    fn phase(store: &Store, name: &str) -> String {
        text(&store.get(&BACKUPS, "pg", name).unwrap(), "/status/phase").to_owned()
    }

    #[test]
    fn one_backup_after_the_other() {
        let (store, told, backups) = world();
        let (a, b) = (ask(&store, "a", "barmanObjectStore"), ask(&store, "b", "barmanObjectStore"));
        assert_eq!(backups.sync(&store, &b), Some(QUEUE));
        backups.sync(&store, &a);
        assert_eq!((phase(&store, "a"), phase(&store, "b")), ("started".to_owned(), "pending".to_owned()));
        // A second look at what goes on changes nothing.
        let before = store.resource_version();
        assert_eq!(backups.sync(&store, &a), Some(LOOK));
        assert_eq!(store.resource_version(), before);
        assert_eq!(*told.0.lock().unwrap(), ["a on shop-1"]);
        let status = json!({"phase": "completed"});
        tell(&store, &store.get(&BACKUPS, "pg", "a").unwrap(), &status);
        backups.sync(&store, &b);
        assert_eq!(*told.0.lock().unwrap(), ["a on shop-1", "b on shop-1"]);
        let b = store.get(&BACKUPS, "pg", "b").unwrap();
        assert_eq!(b["status"]["majorVersion"], 17);
        assert_eq!(text(&b, "/status/instanceID/ContainerID"), "containerd://1");
    }

    #[test]
    fn what_the_cluster_is_not_set_up_for_fails_with_the_reason() {
        let (store, told, backups) = world();
        for (name, method, why) in
            [("a", "plugin", "no plugin configured"), ("b", "volumeSnapshot", "no VolumeSnapshot support")]
        {
            let key = ask(&store, name, method);
            assert_eq!(backups.sync(&store, &key), None);
            let backup = store.get(&BACKUPS, "pg", name).unwrap();
            assert_eq!(text(&backup, "/status/phase"), "failed");
            assert!(text(&backup, "/status/error").contains(why), "{backup}");
        }
        let cluster = store.get(&CLUSTERS, "pg", "shop").unwrap();
        assert!(cluster["status"]["lastFailedBackup"].is_string());
        assert_eq!(text(&cluster, "/status/conditions/0/reason"), "LastBackupFailed");
        assert!(told.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_pod_that_is_gone_or_unwell_is_noticed() {
        let (store, told, backups) = world();
        let key = ask(&store, "a", "barmanObjectStore");
        backups.sync(&store, &key);
        let merge = |kind: &'static Resource, name: &str, patch: Value| {
            store.change(kind, "pg", name, crate::lab::api::Part::Status, |o| {
                json_patch::merge(&mut o["status"], &patch);
                Ok(())
            })
        };
        merge(&PODS, "shop-1", json!({"containerStatuses": [{"name": "postgres", "containerID": "containerd://2"}]}))
            .unwrap();
        backups.sync(&store, &key);
        assert_eq!(told.0.lock().unwrap().len(), 2, "started again in the new container");
        merge(&CLUSTERS, "shop", json!({"instancesStatus": {"healthy": []}})).unwrap();
        assert_eq!(backups.sync(&store, &key), None);
        assert_eq!(phase(&store, "a"), "failed");
    }
}
