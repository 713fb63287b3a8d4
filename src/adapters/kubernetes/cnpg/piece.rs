//! The one piece of a picture that nearly every event is about: a pod that is known already, or the lease being renewed.
//!
//! In a storm the events are of such pieces, thousands a second, and a whole picture for each would be most of the work.

use crate::adapters::kubernetes::decode::Said;
use crate::adapters::kubernetes::kinds::Kind;
use crate::adapters::kubernetes::objects::World;
use crate::domain::cluster::{Cluster, Instance, Lease};
use crate::domain::event::Transition;

use super::{picture, transitions};

/// A piece of a picture as it looks now.
#[derive(Debug)]
pub(in crate::adapters) enum Piece {
    /// The instance at this place.
    Instance(usize, Instance),
    /// The lease.
    Lease(Lease),
}

/// What an object that was modified changes in the picture of its cluster. `None` where it may change more than a piece:
/// then the whole picture has to be made anew.
pub(in crate::adapters) fn piece(world: &World, shown: &Cluster, kind: Kind, name: &str) -> Option<Piece> {
    let part = world.part(kind, &shown.key.namespace, name)?;
    match &part.said {
        Said::Pod(part) => {
            // Who was not shown yet may be another one of the cluster's, and another version may be its newest.
            let place = shown.instances.iter().position(|i| i.pod.as_ref().is_some_and(|p| *p.name == *name))?;
            let before = &shown.instances[place];
            let same = part.instance.as_ref() == Some(&before.name) && part.operator_version == shown.operator_version;
            let zone = picture::zone_of(world, &part.pod);
            let now = Instance { name: before.name.clone(), role: part.role, pod: Some(part.pod.clone()), zone };
            same.then_some(Piece::Instance(place, now))
        }
        Said::Lease(lease) => {
            let same = *name == *shown.key.name && shown.lease.is_some();
            same.then(|| Piece::Lease((**lease).clone()))
        }
        _ => None,
    }
}

impl Piece {
    /// What becomes different with it; `None` where nothing does, not even what nobody tells.
    pub fn transitions(&self, shown: &Cluster) -> Option<Vec<Transition>> {
        let mut out = Vec::new();
        match self {
            Piece::Instance(place, now) => {
                let before = &shown.instances[*place];
                if before == now {
                    return None;
                }
                transitions::instance(&now.name, Some(before), Some(now), &mut out);
            }
            Piece::Lease(now) => {
                if shown.lease.as_ref() == Some(now) {
                    return None;
                }
                out.extend(transitions::lease(shown.lease.as_ref(), Some(now)));
            }
        }
        Some(out)
    }

    /// Puts it in its place.
    pub fn put(self, shown: &mut Cluster) {
        match self {
            Piece::Instance(place, now) => shown.instances[place] = now,
            Piece::Lease(now) => shown.lease = Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::adapters::kubernetes::objects::ObjectEvent;
    use crate::adapters::kubernetes::tests::world;
    use crate::domain::names::ClusterKey;

    fn labelled(name: &str, cluster: usize, more: Value) -> Value {
        let mut labels = json!({"cnpg.io/cluster": format!("c{cluster}")});
        if let (Some(labels), Value::Object(more)) = (labels.as_object_mut(), more) {
            labels.extend(more);
        }
        json!({"name": name, "namespace": "db", "uid": "u", "labels": labels})
    }

    /// One of few pods, as one of few instances, of one of two clusters; now and then of another version or a job.
    fn pod((n, instance, cluster, node, restarts): (usize, usize, usize, usize, u32)) -> Value {
        let labels = match instance {
            0 => json!({"job-name": "join"}),
            _ => json!({"cnpg.io/podRole": "instance", "cnpg.io/instanceName": format!("i{instance}"),
                "role": if restarts == 0 { "primary" } else { "replica" }}),
        };
        let mut metadata = labelled(&format!("p{n}"), cluster, labels);
        metadata["annotations"] = json!({"cnpg.io/operatorVersion": format!("1.{}", node / 2)});
        json!({"metadata": metadata, "spec": {"nodeName": format!("n{node}")}, "status": {"phase": "Running",
            "containerStatuses": [{"name": "postgres", "restartCount": restarts}]}})
    }

    fn lease(cluster: usize, holder: usize) -> Value {
        json!({"metadata": labelled(&format!("c{cluster}"), cluster, json!({})),
            "spec": {"holderIdentity": format!("i{holder}"), "leaseDurationSeconds": 15}})
    }

    #[derive(Clone, Debug)]
    enum Step {
        Pod((usize, usize, usize, usize, u32)),
        Gone(usize),
        Lease(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0usize..3, 0usize..4, 0usize..2, 0usize..4, 0u32..3).prop_map(Step::Pod),
            1 => (0usize..3).prop_map(Step::Gone),
            2 => (0usize..2, 0usize..3).prop_map(|(c, h)| Step::Lease(c, h)),
        ]
    }

    fn check(steps: &[Step]) -> Result<usize, TestCaseError> {
        let clusters: Vec<_> =
            (0..2).map(|n| json!({"metadata": {"name": format!("c{n}"), "namespace": "db"}})).collect();
        let nodes: Vec<_> = (0..4)
            .map(|n| json!({"metadata": {"name": format!("n{n}"), "labels": {"topology.kubernetes.io/zone": format!("z{n}")}}}))
            .collect();
        let mut w = world(&[(Kind::Cluster, &clusters), (Kind::Node, &nodes), (Kind::Pod, &[]), (Kind::Lease, &[])]);
        let mut pieces = 0;
        for step in steps {
            let shown: Vec<_> = w.keys().filter_map(|k| super::picture::picture(&w, &k)).collect();
            let (kind, object) = match step {
                Step::Pod(of) => (Kind::Pod, pod(*of)),
                Step::Gone(n) => (Kind::Pod, pod((*n, 1, 0, 0, 0))),
                Step::Lease(cluster, holder) => (Kind::Lease, lease(*cluster, *holder)),
            };
            if matches!(step, Step::Gone(_)) {
                w.apply(ObjectEvent::Deleted(kind, &object));
                continue;
            }
            let changed = w.apply(ObjectEvent::Applied(kind, &object));
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let [key] = &changed.clusters.iter().collect::<Vec<_>>()[..] else { continue };
            let key: &ClusterKey = key;
            let Some(mut before) = shown.into_iter().find(|c| c.key == *key) else { continue };
            let Some(piece) = piece(&w, &before, kind, name) else { continue };
            let Some(whole) = super::picture::picture(&w, key) else { continue };
            let told = piece.transitions(&before);
            prop_assert_eq!(told.clone().unwrap_or_default(), transitions::transitions(&before, &whole));
            prop_assert_eq!(told.is_none(), before == whole);
            piece.put(&mut before);
            prop_assert_eq!(before, whole);
            pieces += 1;
        }
        Ok(pieces)
    }

    proptest! {
        #[test]
        fn a_piece_makes_the_same_picture_and_tells_the_same_as_the_whole(
            steps in prop::collection::vec(step(), 1..60),
        ) {
            check(&steps)?;
        }
    }

    #[test]
    fn a_known_pod_and_a_held_lease_are_pieces() {
        let pod = |restarts| Step::Pod((1, 2, 0, 1, restarts));
        let steps = [pod(0), pod(1), pod(2), Step::Lease(0, 1), Step::Lease(0, 2)];
        assert_eq!(check(&steps).unwrap(), 3);
    }
}
