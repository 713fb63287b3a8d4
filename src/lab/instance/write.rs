//! The few fields of the Cluster's status that instance managers write themselves, as in CNPG 1.30.

use jiff::Timestamp;
use serde_json::json;

use super::Setup;
use crate::lab::api::resources::{CLUSTERS, FAILOVERQUORUMS};
use crate::lab::api::{ApiError, Part};
use crate::lab::object::{ConditionText, micros, set_condition, text};

/// The phase CNPG calls healthy.
const HEALTHY: &str = "Cluster in healthy state";

impl Setup {
    /// Changes the Cluster's status. A cluster that is gone needs no status.
    pub(super) fn write(&self, mut edit: impl FnMut(&mut serde_json::Value, Timestamp)) {
        if !self.reaches_api() {
            self.log.error("Error while updating the cluster status", "the API server does not answer");
            return;
        }
        let now = Timestamp::now();
        let done = self.store.change(&CLUSTERS, &self.namespace, &self.cluster, Part::Status, |cluster| {
            if !cluster["status"].is_object() {
                cluster["status"] = json!({});
            }
            edit(&mut cluster["status"], now);
            Ok::<(), ApiError>(())
        });
        if let Err(why) = done {
            self.log.error("Error while updating the cluster status", &why.message);
        }
    }

    /// `status.currentPrimary`: this instance leads.
    pub fn announce(&self) {
        self.write(|status, now| {
            if text(status, "/currentPrimary") != self.instance {
                status["currentPrimary"] = json!(self.instance);
                status["currentPrimaryTimestamp"] = json!(micros(now));
            }
        });
    }

    /// The condition `ContinuousArchiving`.
    pub fn archiving(&self, failure: Option<&str>) {
        let text = match failure {
            None => ConditionText::new(
                "ContinuousArchiving",
                true,
                "ContinuousArchivingSuccess",
                "Continuous archiving is working",
            ),
            Some(why) => ConditionText::new("ContinuousArchiving", false, "ContinuousArchivingFailing", why),
        };
        self.write(|status, now| {
            set_condition(status, &text, now);
        });
    }

    /// The phase after the primary was restarted inside its container.
    pub fn restarted_in_place(&self) {
        let ready = ConditionText::new("Ready", true, "ClusterIsReady", "Cluster is Ready");
        self.write(|status, now| {
            status["phase"] = json!(HEALTHY);
            status["phaseReason"] = json!("Primary instance restarted in-place");
            set_condition(status, &ready, now);
        });
    }

    /// The phase that tells the operator that a new setting wants restarts.
    pub fn configuration_changed(&self) {
        let ready = ConditionText::new("Ready", false, "ClusterIsNotReady", "Cluster Is Not Ready");
        self.write(|status, now| {
            status["phase"] = json!("Applying configuration");
            status["phaseReason"] = json!("PostgreSQL configuration changed");
            set_condition(status, &ready, now);
        });
    }

    /// The FailoverQuorum's status, where the operator has made one: what this primary's commits wait for.
    pub fn failover_quorum(&self, method: &str, number: u64, names: &[String]) {
        let status = json!({
            "method": method, "standbyNumber": number, "standbyNames": names, "primary": self.instance,
        });
        if !self.reaches_api() || self.store.get(&FAILOVERQUORUMS, &self.namespace, &self.cluster).is_none() {
            return;
        }
        let done = self.store.change(&FAILOVERQUORUMS, &self.namespace, &self.cluster, Part::Status, |object| {
            object["status"] = status.clone();
            Ok(())
        });
        if let Err(why) = done {
            self.log.error("Error while updating the failover quorum", &why.message);
        }
    }
}
