//! PodDisruptionBudgets: one for the primary, one for the replicas of a cluster of three or more.

use serde_json::{Value, json};

use super::metadata;
use crate::lab::api::resources::PDBS;
use crate::lab::object::number;
use crate::lab::operator::pass::Pass;
use crate::lab::operator::words::{label, role};
use crate::lab::operator::world::ClusterObject;

pub fn ensure(pass: &mut Pass<'_>) {
    let enabled = pass.cluster.pointer("/spec/enablePDB").and_then(Value::as_bool).unwrap_or(true);
    let instances = pass.cluster.wanted();
    // In a maintenance window that keeps the claims, replicas may be drained; a lone primary too.
    let drained = pass.cluster.maintenance() && pass.cluster.reuses_pvc();
    let primary = enabled && !(drained && instances == 1);
    let replicas = enabled && !drained && instances >= 3;
    let name = pass.name().to_owned();
    budget(pass, &format!("{name}-primary"), primary.then_some((1, role::PRIMARY)));
    budget(pass, &name, replicas.then_some((instances.saturating_sub(2), role::REPLICA)));
}

fn budget(pass: &mut Pass<'_>, name: &str, wanted: Option<(usize, &str)>) {
    let standing = pass.world.get(&PDBS, name);
    match (wanted, standing) {
        (Some((min_available, role)), None) => {
            pass.event("CreatingPodDisruptionBudget", format!("Creating PodDisruptionBudget {name}"));
            let budget = json!({
                "metadata": metadata(&pass.cluster, name),
                "spec": {
                    "minAvailable": min_available,
                    "selector": {"matchLabels": {
                        label::CLUSTER: pass.cluster.name(), label::INSTANCE_ROLE: role,
                    }},
                },
                "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
            });
            pass.create(&PDBS, budget);
        }
        (Some((min_available, _)), Some(standing)) => {
            let min_available = i64::try_from(min_available).unwrap_or(i64::MAX);
            if number(standing, "/spec/minAvailable") != Some(min_available) {
                pass.merge(&PDBS, name, json!({"spec": {"minAvailable": min_available}}));
            }
        }
        (None, Some(_)) => {
            pass.event("DeletingPodDisruptionBudget", format!("Deleting Pod Disruption Budget {name}"));
            pass.delete(&PDBS, name);
        }
        (None, None) => {}
    }
}
