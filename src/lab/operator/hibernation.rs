//! Hibernation: pods go one at a time, the primary first, and claims stay. The phase stays what it was; only the
//! condition `cnpg.io/hibernation` tells.

use serde_json::{Value, json};

use super::act::Next;
use super::pass::Pass;
use super::words::{annotation, phase};
use super::world::{ClusterObject, World, is_labelled_primary};
use crate::lab::api::resources::PODS;
use crate::lab::object::{ConditionText, condition, is_deleting, name, remove_condition, set_condition, text};

/// The condition's type.
pub const CONDITION: &str = "cnpg.io/hibernation";

fn reason(cluster: &Value) -> Option<&str> {
    condition(cluster, CONDITION).map(|c| text(c, "/reason"))
}

/// Puts the condition into the cluster's status, by annotation and pods.
pub fn enrich(cluster: &mut Value, world: &World) {
    let asked = cluster.annotated(annotation::HIBERNATION) == Some("on");
    let ongoing = matches!(reason(cluster), Some("DeletingPods" | "WaitingPodsDeletion" | "Hibernated"));
    let healthy = cluster.phase() == phase::HEALTHY;
    if cluster.get("status").is_none() {
        cluster["status"] = json!({});
    }
    let status = &mut cluster["status"];
    if !asked {
        remove_condition(status, CONDITION);
        return;
    }
    let going = world.pods.iter().find(|pod| is_deleting(pod));
    let said = if !healthy && !ongoing {
        let why = "Waiting for the cluster to be healthy before proceeding with hibernation";
        ConditionText::new(CONDITION, false, "WaitingForHealthy", why)
    } else if world.pods.is_empty() {
        ConditionText::new(CONDITION, true, "Hibernated", "Cluster has been hibernated")
    } else if let Some(pod) = going {
        let why = format!("Waiting for {} to be deleted", name(pod));
        ConditionText::new(CONDITION, false, "WaitingPodsDeletion", &why)
    } else {
        ConditionText::new(CONDITION, false, "DeletingPods", "Hibernation is in progress")
    };
    set_condition(status, &said, world.now);
}

/// Goes one step into hibernation. `None`: not asked for (or not yet possible), the pass goes on.
pub fn step(pass: &mut Pass<'_>) -> Option<Next> {
    match reason(&pass.cluster)? {
        "DeletingPods" => {
            let pods = &pass.world.pods;
            let pod = pods.iter().rev().find(|pod| is_labelled_primary(pod)).or_else(|| pods.first());
            if let Some(pod) = pod {
                pass.delete(&PODS, name(pod));
            }
            Some(Next::millis(5000))
        }
        "WaitingPodsDeletion" => Some(Next::millis(5000)),
        "WaitingForHealthy" => None,
        _ => Some(Next::OnChange),
    }
}
