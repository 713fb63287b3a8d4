//! Pods and their servers: gone, made anew, restarted, settled; nodes and zones.

use jiff::Timestamp;

use super::asked::{Asked, Told, missing};
use super::redundant::leads_or_streams;
use crate::domain::names::{InstanceName, NodeName, ZoneName};

/// The pod of this identity is gone.
pub(super) fn gone(a: &Asked<'_>, name: &InstanceName, uid: &str) -> Told {
    a.watched("pods")?;
    match a.pod(name) {
        Some(pod) if pod.uid == uid => {
            missing(format!("pod {name} is {}", if pod.deleting.is_some() { "being deleted" } else { "still there" }))
        }
        Some(_) => Ok(vec![format!("pod {name} is another one than before")]),
        None => Ok(vec![format!("pod {name} is gone")]),
    }
}

/// Another pod, ready, that leads or streams.
pub(super) fn replaced(a: &Asked<'_>, name: &InstanceName, uid: &str) -> Told {
    let mut evidence = gone(a, name, uid)?;
    let pod = a.ready_pod(name)?;
    evidence.push(format!("pod {name} is ready{}", pod.node.as_ref().map(|n| format!(" on {n}")).unwrap_or_default()));
    evidence.extend(leads_or_streams(a, name)?);
    Ok(evidence)
}

/// PostgreSQL started after `then`, and answers. The server tells when it started; where it can't be asked, a container
/// that started later does, too.
///
/// The pod may be the same as before and its watch has nothing to tell: the answers since prove that it lives.
pub(super) fn restarted(a: &Asked<'_>, name: &InstanceName, then: Timestamp) -> Told {
    a.ready_pod(name)?;
    let by_sql = match a.sql(name) {
        Some((Ok(s), _)) => s.started.map(|at| (at, format!("SQL on {name}: PostgreSQL started {at:.0}"))),
        _ => None,
    };
    let by_pod =
        a.pod(name).and_then(|p| p.started).map(|at| (at, format!("pod {name}: its container started {at:.0}")));
    match by_sql.or(by_pod) {
        Some((at, text)) if at > then => {
            let mut evidence = vec![text];
            evidence.extend(leads_or_streams(a, name)?);
            Ok(evidence)
        }
        Some((_, text)) => missing(text),
        None => missing(format!("when PostgreSQL on {name} started is not known: {}", a.silence(name))),
    }
}

/// Every instance answers, and none waits for a restart. Only `/pg/status` tells the latter.
pub(super) fn settled(a: &Asked<'_>) -> Told {
    let mut evidence = Vec::new();
    for name in a.cluster.instances.iter().filter(|i| i.pod.is_some()).map(|i| &i.name) {
        match a.status(name) {
            Some((Ok(s), _)) if s.might_be_unavailable.is_some() => {
                return missing(format!("/pg/status of {name}: PostgreSQL is not available"));
            }
            Some((Ok(s), _)) if s.pending_restart => {
                return missing(format!("/pg/status of {name}: waits for a restart"));
            }
            Some((Ok(_), _)) => evidence.push(format!("/pg/status of {name}: answers, waits for no restart")),
            _ => return missing(a.silence(name)),
        }
    }
    if evidence.is_empty() { missing("no instance has a pod") } else { Ok(evidence) }
}

/// The node takes no new pods, or does.
pub(super) fn cordoned(a: &Asked<'_>, node: &NodeName, yes: bool) -> Told {
    a.watched("nodes")?;
    let nodes = a.facts.nodes.get(&a.cluster.key.context);
    match nodes.and_then(|all| all.iter().find(|n| n.name == *node)) {
        Some(n) if n.unschedulable == yes => {
            Ok(vec![format!("node {node}: {}", if yes { "cordoned" } else { "takes pods" })])
        }
        Some(_) => missing(format!("node {node}: {}", if yes { "still takes pods" } else { "still cordoned" })),
        // A node that is gone takes no pods either.
        None if yes && nodes.is_some() => Ok(vec![format!("node {node} is gone")]),
        None => missing(format!("node {node} is not known")),
    }
}

/// No ready pod of the cluster is in this zone.
pub(super) fn zone_left(a: &Asked<'_>, zone: &ZoneName) -> Told {
    a.watched("pods")?;
    a.watched("nodes")?;
    let ready = |name: &InstanceName| a.pod(name).is_some_and(|p| p.ready && p.deleting.is_none());
    for i in a.cluster.instances.iter().filter(|i| ready(&i.name)) {
        match &i.zone {
            Some(z) if z == zone => return missing(format!("pod {} is ready in {zone}", i.name)),
            Some(_) => {}
            None => return missing(format!("the zone of {} is not known", i.name)),
        }
    }
    Ok(vec![format!("no ready pod of {} is in {zone}", a.cluster.key.name)])
}
