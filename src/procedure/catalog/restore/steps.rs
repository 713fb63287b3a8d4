//! What is done: the new cluster is made, recovers, leads, and has its standbys.

use jiff::SignedDuration;

use super::manifest::{Manifest, Wanted};
use crate::domain::detail::ObjectRef;
use crate::domain::names::ClusterKey;
use crate::procedure::catalog::making::{Making, POD, SOON};
use crate::procedure::check::Check;
use crate::procedure::order::{Create, Delete, Order, Target};
use crate::procedure::plan::{Gate, Step};

/// A base backup is unpacked, and WAL replayed, at no less than this many bytes a second: what the slowest managed disk of
/// the guides takes.
const RATE: u64 = 20 << 20;

pub(super) fn all(m: &Making<'_>, source: &ClusterKey, wanted: &Wanted, manifest: &Manifest) -> Vec<Step> {
    let new = ClusterKey::new(source.context.clone(), &source.namespace, &wanted.name);
    let plotted = &wanted.plotted;
    let within = recovery_time(wanted);
    let mut steps = vec![
        Step::new(
            "create",
            format!("make cluster {}", wanted.name),
            format!("{} is not touched and goes on as it is. Undone, the new cluster is deleted with its volumes.", source.name),
        )
        .gated(Gate::Approve)
        .does(create(&new, manifest))
        .undone_by(delete(&new))
        .proven_by(Check::There.of(&new), SOON),
        Step::new(
            "recovering",
            format!("recover it to {}", plotted.target),
            format!(
                "A job unpacks base backup {} and replays {}. The cluster's status does not say when it fails: the job's \
                 pods do, and it is tried again a few times. Waits up to {within:#}.",
                plotted.base.id,
                plotted.replay.words()
            ),
        )
        .after(&["create"])
        .proven_by(Check::Recovered.of(&new), within),
        Step::new(
            "leads",
            format!("{} takes writes", wanted.name),
            "PostgreSQL has left recovery by its own word, on a timeline of its own, and the service for writes leads to it.",
        )
        .after(&["recovering"])
        .proven_by(Check::LeadsOn { after: plotted.base.timeline }.of(&new), POD),
    ];
    if wanted.instances > 1 {
        let clones = i32::try_from(wanted.instances - 1).unwrap_or(100).clamp(1, 100);
        let within = m.clone_time() * clones;
        let step = Step::new(
            "redundant",
            format!("all {} instances stream", wanted.instances),
            format!("Standbys are cloned from the new primary, one after the other. Waits up to {within:#}."),
        );
        let check = Check::FullyRedundant { instances: wanted.instances };
        steps.push(step.after(&["leads"]).proven_by(check.of(&new), within));
    }
    steps
}

/// Unpacking and replaying at a slow rate, twice: what fails is tried again; and the time pods and volumes take.
fn recovery_time(wanted: &Wanted) -> SignedDuration {
    let base = &wanted.plotted.base;
    let bytes = base.data.or(base.stored).unwrap_or(100 << 30).saturating_add(wanted.plotted.replay.bytes);
    let seconds = i64::try_from(bytes.saturating_mul(2) / RATE).unwrap_or(i64::MAX / 4);
    POD + SignedDuration::from_secs(seconds)
}

fn target(new: &ClusterKey) -> Target {
    let object = ObjectRef {
        context: new.context.clone(),
        api_version: "postgresql.cnpg.io/v1".into(),
        kind: "Cluster".into(),
        namespace: new.namespace.to_string(),
        name: new.name.to_string(),
    };
    Target { object, plural: "clusters".into(), subresource: None }
}

fn create(new: &ClusterKey, manifest: &Manifest) -> Order {
    Order::Create(Create { target: target(new), body: manifest.body.clone() })
}

fn delete(new: &ClusterKey) -> Order {
    Order::Delete(Delete { target: target(new), uid: String::new(), grace: None })
}
