//! How full volumes are, by the word of the kubelets (`nodes/<node>/proxy/stats/summary`).
//!
//! The answer tells of all pods of a node and is large, and few have the right to ask (`nodes/proxy`): it is asked for
//! seldom, and after a refusal not for long. Where it can't be had, nothing is said of disks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::probes::fetch;
use super::read;
use crate::domain::cluster::{Pod, VolumePurpose};
use crate::domain::names::{ClusterKey, InstanceName};
use crate::domain::sample::DiskReading;

/// How long an answer is good for.
const GOOD_FOR: Duration = Duration::from_secs(30);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long nobody is asked after a refusal.
const REFUSED: Duration = Duration::from_secs(300);

/// What was told lately.
#[derive(Default)]
pub struct Volumes {
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    disks: HashMap<(ClusterKey, InstanceName), (Instant, Vec<DiskReading>)>,
    refused: Option<Instant>,
}

impl Volumes {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        // Each change below is whole in itself.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disks of an instance, asked for where that was not done lately. Empty where nobody tells.
    pub async fn of(
        &self,
        client: &kube::Client,
        (key, instance): (&ClusterKey, &InstanceName),
        pod: &Pod,
        claims: &[(String, VolumePurpose)],
    ) -> Vec<DiskReading> {
        let known = self.known(key, instance);
        let (None, Some(node), false) = (&known, &pod.node, claims.is_empty()) else {
            return known.unwrap_or_default();
        };
        let path = format!("/api/v1/nodes/{node}/proxy/stats/summary");
        let answer = timeout(PATIENCE, fetch(client, &path)).await;
        let disks = match &answer {
            Ok(Ok((200, body))) => disks(body, &key.namespace, &pod.name, claims),
            _ => Vec::new(),
        };
        let refused = matches!(&answer, Ok(Ok((401 | 403 | 404 | 405, _))));
        self.heard(key, instance, disks.clone(), refused);
        disks
    }

    /// What was told of this instance's disks a moment ago; `None` when it is time to ask.
    fn known(&self, key: &ClusterKey, instance: &InstanceName) -> Option<Vec<DiskReading>> {
        let told = self.told();
        if told.refused.is_some_and(|at| at.elapsed() < REFUSED) {
            return Some(Vec::new());
        }
        let (at, disks) = told.disks.get(&(key.clone(), instance.clone()))?;
        (at.elapsed() < GOOD_FOR).then(|| disks.clone())
    }

    /// Takes an answer over. A refusal counts for all: the right is one for all nodes.
    fn heard(&self, key: &ClusterKey, instance: &InstanceName, disks: Vec<DiskReading>, refused: bool) {
        let now = Instant::now();
        let mut told = self.told();
        if refused {
            told.refused = Some(now);
        }
        // Instances that are no more are forgotten.
        told.disks.retain(|_, (at, _)| at.elapsed() < REFUSED);
        told.disks.insert((key.clone(), instance.clone()), (now, disks));
    }
}

/// The disks of a pod in a kubelet's summary. `claims` are its claims and what is on them.
pub fn disks(summary: &[u8], namespace: &str, pod: &str, claims: &[(String, VolumePurpose)]) -> Vec<DiskReading> {
    let Ok(summary) = serde_json::from_slice::<Value>(summary) else { return Vec::new() };
    let is = |p: &&Value| {
        read::raw(p, &["podRef", "name"]) == Some(pod) && read::raw(p, &["podRef", "namespace"]) == Some(namespace)
    };
    let rows = read::list(&summary, &["pods"]).iter().find(is).map(|p| read::list(p, &["volume"])).unwrap_or_default();
    let reading = |row: &Value| {
        let claim = read::raw(row, &["pvcRef", "name"])?;
        let (_, purpose) = claims.iter().find(|(name, _)| name == claim)?;
        let bytes = |key: &str| read::at(row, &[key]).and_then(Value::as_u64);
        let (used, size) = (bytes("usedBytes")?, bytes("capacityBytes")?);
        Some(DiskReading { purpose: *purpose, used, size, source: "kubelet stats".into() })
    };
    rows.iter().filter_map(reading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_pods_own_claims_count() {
        let volume = |claim: &str, used: u64| json!({"name": "v", "pvcRef": {"name": claim}, "usedBytes": used, "capacityBytes": 100, "availableBytes": 1});
        let pod = |ns: &str, volumes: Value| json!({"podRef": {"name": "pg-1", "namespace": ns}, "volume": volumes});
        let token = json!({"name": "token", "usedBytes": 1, "capacityBytes": 2});
        let summary = json!({"node": {}, "pods": [
            pod("other", json!([volume("pg-1", 1)])),
            pod("db", json!([volume("pg-1", 40), volume("pg-1-wal", 90), volume("foreign", 5), token])),
        ]});
        let claims = [("pg-1".to_owned(), VolumePurpose::Data), ("pg-1-wal".to_owned(), VolumePurpose::Wal)];
        let disks = disks(summary.to_string().as_bytes(), "db", "pg-1", &claims);
        let seen: Vec<_> = disks.iter().map(|d| (d.purpose, d.used, d.size)).collect();
        assert_eq!(seen, [(VolumePurpose::Data, 40, 100), (VolumePurpose::Wal, 90, 100)]);
        assert!(super::disks(b"nonsense", "db", "pg-1", &claims).is_empty());
    }

    #[test]
    fn a_refusal_counts_for_all_and_an_answer_for_a_while() {
        let (volumes, key, one) = (Volumes::default(), ClusterKey::new("c", "db", "pg"), InstanceName::from("pg-1"));
        assert_eq!(volumes.known(&key, &one), None);
        volumes.heard(&key, &one, Vec::new(), false);
        assert_eq!(volumes.known(&key, &one), Some(Vec::new()));
        let two = InstanceName::from("pg-2");
        assert_eq!(volumes.known(&key, &two), None);
        volumes.heard(&key, &one, Vec::new(), true);
        assert_eq!(volumes.known(&key, &two), Some(Vec::new()));
    }
}
