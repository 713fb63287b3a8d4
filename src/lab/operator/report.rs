//! What the instances say of themselves (`/pg/status`), and the order in which they would lead.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::lsn::Lsn;
use crate::lab::object::{flag, is_pod_active, is_pod_ready, name, number, text};

/// One instance pod and its answer, if it gave one.
#[derive(Clone, Debug)]
pub struct Report {
    pub pod: Arc<Value>,
    /// Why there is no answer.
    pub error: Option<String>,
    pub is_primary: bool,
    pub timeline: Option<i64>,
    pub system_id: String,
    pub received: Option<Lsn>,
    pub replayed: Option<Lsn>,
    pub wal_receiver_active: bool,
    pub pending_restart: bool,
    pub pending_restart_for_decrease: bool,
    pub might_be_unavailable: bool,
    pub configuration_hash: String,
}

impl Report {
    /// Reads an answer of `/pg/status` (fields: `pkg/postgres/status.go`).
    pub fn new(pod: Arc<Value>, answer: Result<Value, String>) -> Self {
        let (body, error) = match answer {
            Ok(body) => (body, None),
            Err(why) => (Value::Null, Some(why)),
        };
        let lsn = |pointer| text(&body, pointer).parse().ok();
        Self {
            pod,
            error,
            is_primary: flag(&body, "/isPrimary"),
            timeline: number(&body, "/timeLineID").filter(|t| *t > 0),
            system_id: text(&body, "/systemID").into(),
            received: lsn("/receivedLsn"),
            replayed: lsn("/replayLsn"),
            wal_receiver_active: flag(&body, "/isWalReceiverActive"),
            pending_restart: flag(&body, "/pendingRestart"),
            pending_restart_for_decrease: flag(&body, "/pendingRestartForDecrease"),
            might_be_unavailable: flag(&body, "/mightBeUnavailable"),
            configuration_hash: text(&body, "/loadedConfigurationHash").into(),
        }
    }

    pub fn name(&self) -> &str {
        name(&self.pod)
    }

    pub fn node(&self) -> &str {
        text(&self.pod, "/spec/nodeName")
    }

    /// The kubelet's word, not the instance's.
    pub fn is_ready(&self) -> bool {
        is_pod_ready(&self.pod)
    }

    pub fn answered(&self) -> bool {
        self.error.is_none()
    }
}

/// All reports of a cluster: answers before silence, primaries before standbys, then the most advanced first.
#[derive(Clone, Debug, Default)]
pub struct Reports(Vec<Report>);

impl Reports {
    pub fn new(mut reports: Vec<Report>) -> Self {
        reports.sort_by(order);
        Self(reports)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Report> {
        self.0.iter()
    }

    pub fn first(&self) -> Option<&Report> {
        self.0.first()
    }

    pub fn get(&self, name: &str) -> Option<&Report> {
        self.0.iter().find(|r| r.name() == name)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everybody answered.
    pub fn is_complete(&self) -> bool {
        self.0.iter().all(Report::answered)
    }

    /// How many lead by their own word.
    pub fn primaries(&self) -> usize {
        self.0.iter().filter(|r| r.is_primary).count()
    }

    /// Nobody but `primary` receives WAL any more.
    pub fn wal_receivers_are_down(&self, primary: &str) -> bool {
        self.0.iter().filter(|r| r.name() != primary).all(|r| !r.wal_receiver_active)
    }

    /// How many are ready, or fenced and excused.
    pub fn reporting(&self) -> usize {
        self.0.iter().filter(|r| (is_pod_active(&r.pod) && r.is_ready()) || r.might_be_unavailable).count()
    }

    /// There are ready instances, and none of them answers.
    pub fn all_ready_are_silent(&self) -> bool {
        let mut ready = self.0.iter().filter(|r| is_pod_active(&r.pod) && r.is_ready()).peekable();
        ready.peek().is_some() && ready.all(|r| !r.answered())
    }

    /// Whether all run the same configuration; unknown when one doesn't say.
    pub fn configuration_is_uniform(&self) -> Option<bool> {
        if self.0.iter().any(|r| r.configuration_hash.is_empty()) {
            return None;
        }
        Some(self.0.iter().map(|r| &r.configuration_hash).collect::<BTreeSet<_>>().len() == 1)
    }
}

fn order(a: &Report, b: &Report) -> Ordering {
    b.answered()
        .cmp(&a.answered())
        .then_with(|| b.is_primary.cmp(&a.is_primary))
        .then_with(|| if a.is_primary && b.is_primary { Ordering::Equal } else { b.received.cmp(&a.received) })
        .then_with(|| if a.is_primary && b.is_primary { Ordering::Equal } else { b.replayed.cmp(&a.replayed) })
        .then_with(|| a.name().cmp(b.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(name: &str, answer: Result<Value, String>) -> Report {
        Report::new(Arc::new(json!({"metadata": {"name": name}, "status": {"phase": "Running"}})), answer)
    }

    fn names(reports: &Reports) -> Vec<&str> {
        reports.iter().map(Report::name).collect()
    }

    #[test]
    fn the_most_advanced_standby_that_answers_comes_first() {
        let reports = Reports::new(vec![
            report("c-1", Err("timed out".into())),
            report("c-2", Ok(json!({"receivedLsn": "0/9000060", "replayLsn": "0/9000060"}))),
            report("c-3", Ok(json!({"receivedLsn": "0/A000000", "replayLsn": "0/9000000"}))),
        ]);
        assert_eq!(names(&reports), ["c-3", "c-2", "c-1"]);
        let reports = Reports::new(vec![
            report("c-2", Ok(json!({"receivedLsn": "0/A000000", "replayLsn": "0/9000060"}))),
            report("c-3", Ok(json!({"receivedLsn": "0/A000000", "replayLsn": "0/9000061"}))),
            report("c-1", Ok(json!({"isPrimary": true, "currentLsn": "0/A000000"}))),
        ]);
        assert_eq!(names(&reports), ["c-1", "c-3", "c-2"]);
        assert_eq!(reports.primaries(), 1);
    }

    #[test]
    fn the_primarys_own_receiver_does_not_count() {
        let reports = Reports::new(vec![
            report("c-1", Ok(json!({"isWalReceiverActive": true}))),
            report("c-2", Ok(json!({"isWalReceiverActive": false}))),
        ]);
        assert!(reports.wal_receivers_are_down("c-1"));
        assert!(!reports.wal_receivers_are_down("c-2"));
    }
}
