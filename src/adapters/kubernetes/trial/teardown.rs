//! The end of a scratch cluster: deleted, and waited for until nothing of it is left, to the last claim and secret.
//!
//! The garbage collector takes what the cluster owns. What it leaves is deleted here, one by one, by its identity.

use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::{ANSWER, belonging, cluster, read};
use crate::adapters::executor::Refusal;
use crate::adapters::kubernetes::acts::erase;
use crate::adapters::kubernetes::client::Clients;
use crate::adapters::kubernetes::read::{label, list, raw};
use crate::adapters::kubernetes::trouble::{Trouble, TroubleKind};
use crate::domain::trial::TornDown;
use crate::problem::Problem;
use crate::procedure::trial::{LABEL, Trial};

/// Everything that the operator makes for a cluster, with the label of its name.
const KINDS: [(&str, &str, &str); 12] = [
    ("v1", "Pod", "pods"),
    ("batch/v1", "Job", "jobs"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("v1", "Secret", "secrets"),
    ("v1", "Service", "services"),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("rbac.authorization.k8s.io/v1", "Role", "roles"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("coordination.k8s.io/v1", "Lease", "leases"),
    ("v1", "ConfigMap", "configmaps"),
];
/// What bears no such label everywhere, by what its name has behind the cluster's.
const NAMED: [(&str, &str, &str, &str); 5] = [
    ("v1", "ServiceAccount", "serviceaccounts", ""),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", ""),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", ""),
    ("coordination.k8s.io/v1", "Lease", "leases", ""),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "-primary"),
];
/// So often nothing must be found: an operator that was in the middle of a pass makes things for a cluster that is gone.
const SURE: u32 = 3;
/// How often it is looked at.
const AGAIN: Duration = Duration::from_secs(1);
/// What is still there so long after the cluster's object has gone is deleted by hand.
const COLLECTED: Duration = Duration::from_secs(15);

/// Something that is left: its path and its identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Left {
    name: String,
    path: String,
    uid: String,
}

/// Deletes a scratch cluster and waits until nothing of it is left.
///
/// # Errors
/// It is none of this drill's; or something is left after this time, by name.
pub async fn tear_down(clients: &Clients, trial: &Trial, patience: Duration) -> Result<TornDown, Refusal> {
    let what = format!("something of {} may be left", trial.scratch.name);
    let hint = format!(
        "kubectl delete clusters.postgresql.cnpg.io {0} -n {1}; kubectl get all,pvc,secrets -n {1} -l cnpg.io/cluster={0}",
        trial.scratch.name, trial.scratch.namespace
    );
    let refused = |why: &str| Refusal::Nothing(Problem::new(&what).because(why).try_this(&hint));
    let end = Instant::now() + patience;
    let mut torn = TornDown::default();
    let mut gone: BTreeSet<String> = BTreeSet::new();
    let mut by_hand: BTreeSet<String> = BTreeSet::new();
    let (mut away, mut nothing): (Option<Instant>, u32) = (None, 0);
    loop {
        let why = match round(clients, trial, &mut torn, &mut away).await {
            Err(Stop::Alien) => return Err(refused("a cluster of that name is there that this drill did not make")),
            Err(Stop::Trouble(trouble)) => trouble.why,
            Ok(left) => {
                gone.extend(left.iter().map(|l| l.name.clone()));
                nothing = if left.is_empty() { nothing + 1 } else { 0 };
                if nothing == SURE {
                    torn.gone = gone.into_iter().collect();
                    torn.by_hand = by_hand.into_iter().collect();
                    return Ok(torn);
                }
                if away.is_some_and(|at| at.elapsed() > COLLECTED) {
                    for one in &left {
                        if erase(clients, &one.path, &one.uid, ANSWER).await.is_ok() {
                            by_hand.insert(one.name.clone());
                        }
                    }
                }
                let names: Vec<_> = left.iter().map(|l| l.name.as_str()).collect();
                format!("left: {}", names.join(", "))
            }
        };
        if Instant::now() >= end {
            return Err(refused(&format!("after {} s: {why}", patience.as_secs())));
        }
        sleep(AGAIN).await;
    }
}

/// Why a round found nothing out.
enum Stop {
    /// The cluster there is another's.
    Alien,
    Trouble(Trouble),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Stop::Trouble(trouble)
    }
}

/// Asks for the cluster's end where it still stands, and gives what is left.
async fn round(
    clients: &Clients,
    trial: &Trial,
    torn: &mut TornDown,
    away: &mut Option<Instant>,
) -> Result<Vec<Left>, Stop> {
    let path = cluster(&trial.scratch);
    let object = read(clients, &path).await?;
    if object.as_ref().is_some_and(|o| label(o, LABEL) != Some(&*trial.scratch.name)) {
        return Err(Stop::Alien);
    }
    // Listed before its end is asked for: what is told to be gone was there.
    let mut left = belongings(clients, trial, torn).await?;
    match object {
        Some(object) => {
            let uid = raw(&object, &["metadata", "uid"]).unwrap_or_default().to_owned();
            if raw(&object, &["metadata", "deletionTimestamp"]).is_none() {
                erase(clients, &path, &uid, ANSWER).await?;
            }
            left.insert(0, Left { name: format!("Cluster/{}", trial.scratch.name), path, uid });
        }
        None => {
            away.get_or_insert_with(Instant::now);
        }
    }
    Ok(left)
}

/// Everything that bears the cluster's name as its label.
async fn belongings(clients: &Clients, trial: &Trial, torn: &mut TornDown) -> Result<Vec<Left>, Trouble> {
    let (mut left, mut unseen) = (Vec::new(), Vec::new());
    for (group_version, kind, plural) in KINDS {
        match read(clients, &belonging(&trial.scratch, group_version, plural)).await {
            Ok(listed) => {
                let listed = listed.unwrap_or_default();
                left.extend(
                    list(&listed, &["items"]).iter().filter_map(|o| one(o, trial, (group_version, kind, plural))),
                );
            }
            Err(t) if t.kind == TroubleKind::Forbidden => unseen.push(plural.to_owned()),
            Err(t) => return Err(t),
        }
    }
    for (group_version, kind, plural, behind) in NAMED {
        let root = if group_version.contains('/') { "apis" } else { "api" };
        let (namespace, name) = (&trial.scratch.namespace, &trial.scratch.name);
        let path = format!("/{root}/{group_version}/namespaces/{namespace}/{plural}/{name}{behind}");
        match read(clients, &path).await {
            Ok(object) => left.extend(object.and_then(|o| one(&o, trial, (group_version, kind, plural)))),
            Err(t) if t.kind == TroubleKind::Forbidden => unseen.push(plural.to_owned()),
            Err(t) => return Err(t),
        }
    }
    left.sort();
    left.dedup();
    unseen.sort();
    unseen.dedup();
    torn.unseen = unseen;
    Ok(left)
}

fn one(object: &Value, trial: &Trial, (group_version, kind, plural): (&str, &str, &str)) -> Option<Left> {
    let name = raw(object, &["metadata", "name"])?;
    let root = if group_version.contains('/') { "apis" } else { "api" };
    Some(Left {
        name: format!("{kind}/{}", crate::text::clean(name)),
        path: format!("/{root}/{group_version}/namespaces/{}/{plural}/{name}", trial.scratch.namespace),
        uid: raw(object, &["metadata", "uid"]).unwrap_or_default().to_owned(),
    })
}
