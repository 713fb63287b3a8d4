//! The operator's work at Backup and ScheduledBackup objects, as in CloudNativePG 1.30.
//!
//! It chooses the instance, tells its instance manager to begin, and looks whether that one is still there; what a backup
//! is, and how it went, the instance manager writes. It knows of pods only what their objects say, and reaches instance
//! managers through [`InstanceManagers`] alone.

mod cron;
mod schedule;
mod start;
mod target;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::lab::api::resources::{BACKUPS, CLUSTERS};
use crate::lab::api::{ApiError, Part, Store};
use crate::lab::controllers::run::Controller;
use crate::lab::object::{ConditionText, name, namespace, seconds, set_condition, text};

pub use cron::Schedule;
pub use schedule::Schedules;
pub use start::Backups;

/// The plugin that archives to and backs up into an object store (CNPG-I).
pub const BARMAN_CLOUD: &str = "barman-cloud.cloudnative-pg.io";

/// The instance managers, as the operator reaches them.
pub trait InstanceManagers: Send + Sync + 'static {
    /// Has the one in that pod begin a backup (`/controller/manager backup <name>` in its container), which it then goes on
    /// with by itself.
    ///
    /// # Errors
    /// When the command can't be run there.
    fn begin_backup(&self, namespace: &str, pod: &str, backup: &str) -> Result<(), String>;

    /// The id of the run of the one in that pod; `None` when it does not say.
    fn session(&self, namespace: &str, pod: &str) -> Option<String>;
}

/// The controllers of both kinds.
pub fn controllers(managers: Arc<dyn InstanceManagers>) -> Vec<Arc<dyn Controller>> {
    vec![Arc::new(Backups { managers }), Arc::new(Schedules)]
}

/// Changes a Backup's status. One that is gone needs none.
fn tell(store: &Store, backup: &Value, status: &Value) -> Option<Arc<Value>> {
    let edit = |backup: &mut Value| {
        if !backup["status"].is_object() {
            backup["status"] = json!({});
        }
        json_patch::merge(&mut backup["status"], status);
        Ok::<(), ApiError>(())
    };
    store.change(&BACKUPS, namespace(backup), name(backup), Part::Status, edit).ok()
}

/// A backup that can't be: in its own status, and in what its Cluster says of the last one.
pub fn fail(store: &Store, backup: &Value, why: &str) {
    let now = jiff::Timestamp::now();
    let status = json!({
        "phase": "failed", "error": why, "method": backup["spec"]["method"],
        "reconciliationTerminatedAt": seconds(now),
    });
    tell(store, backup, &status);
    let (ns, cluster) = (namespace(backup), text(backup, "/spec/cluster/name"));
    let write = |edit: &dyn Fn(&mut Value)| {
        drop(store.change(&CLUSTERS, ns, cluster, Part::Status, |cluster| {
            edit(&mut cluster["status"]);
            Ok::<(), ApiError>(())
        }));
    };
    // Two writes, as recorded.
    write(&|status| status["lastFailedBackup"] = json!(seconds(now)));
    let failed = ConditionText::new("LastBackupSucceeded", false, "LastBackupFailed", why);
    write(&|status| {
        set_condition(status, &failed, now);
    });
}
