//! How full volumes are, as a node's kubelet tells (`stats/summary`): what lies on them against what their claims say.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Kubelet, volume};
use crate::domain::quantity::kubernetes;
use crate::lab::api::resources::{PODS, PVCS};
use crate::lab::api::{Selector, Store};
use crate::lab::described::is_described;
use crate::lab::object::{label, list, name, namespace, seconds, text, uid};
use crate::lab::postgres::Machine;
use crate::lab::postgres::volume::Volume;

/// A claim's size in bytes: what was given, else what was asked for.
fn claimed(claim: &Value) -> Option<u64> {
    let texts = ["/status/capacity/storage", "/spec/resources/requests/storage"].map(|at| text(claim, at));
    let bytes = texts.into_iter().find_map(kubernetes)?;
    // A size is far below what a float holds exactly.
    (bytes >= 0.0).then_some(bytes as u64)
}

/// The volumes of an instance: what is on them, by the name of its first claim.
pub fn volumes_of(machine: &Machine, ns: &str, claim: &str) -> Volume {
    Volume::at(machine.servers_dir().join(volume(ns, claim)))
}

/// Bytes used and claimed of an instance's volume of WAL. `None` where WAL has no volume of its own.
pub fn wal_volume(store: &Store, machine: &Machine, ns: &str, instance: &str) -> Option<(u64, u64)> {
    let all = store.list(&PVCS, Some(ns), &Selector::everything()).items;
    let mine = |pvc: &&std::sync::Arc<Value>| label(pvc, "cnpg.io/instanceName") == Some(instance);
    let role = |role: &'static str| all.iter().filter(mine).find(|pvc| label(pvc, "cnpg.io/pvcRole") == Some(role));
    let size = claimed(role("PG_WAL")?)?;
    Some((volumes_of(machine, ns, name(role("PG_DATA")?)).wal(), size))
}

impl Kubelet {
    /// The body of `stats/summary`, as far as volumes go.
    pub(super) fn summary(&self, node: &Value) -> Value {
        let all = self.store.list(&PODS, None, &Selector::everything()).items;
        let here = all.iter().filter(|pod| text(pod, "/spec/nodeName") == name(node) && !is_described(pod));
        let pods: Vec<Value> = here
            .map(|pod| {
                json!({"podRef": {"name": name(pod), "namespace": namespace(pod), "uid": uid(pod)},
                       "volume": self.volumes(pod)})
            })
            .collect();
        json!({"node": {"nodeName": name(node)}, "pods": pods})
    }

    fn volumes(&self, pod: &Value) -> Vec<Value> {
        let ns = namespace(pod);
        let mounted = list(pod, "/spec/volumes");
        let claims = mounted.iter().map(|v| (text(v, "/name"), text(v, "/persistentVolumeClaim/claimName")));
        let claims: Vec<(&str, &str)> = claims.filter(|(_, claim)| !claim.is_empty()).collect();
        let Some((_, first)) = claims.first() else { return Vec::new() };
        let there = volumes_of(&self.machine, ns, first);
        let now = seconds(Timestamp::now());
        let row = |(volume, claim): &(&str, &str)| {
            let pvc = self.store.get(&PVCS, ns, claim)?;
            let size = claimed(&pvc)?;
            let used = match (label(&pvc, "cnpg.io/pvcRole"), claims.len()) {
                (Some("PG_WAL"), _) => there.wal(),
                (_, 1) => there.data() + there.wal(),
                _ => there.data(),
            };
            Some(json!({
                "time": now, "name": volume, "pvcRef": {"name": claim, "namespace": ns}, "capacityBytes": size,
                "usedBytes": used, "availableBytes": size.saturating_sub(used),
            }))
        };
        claims.iter().filter_map(row).collect()
    }
}
