//! Zones as columns, nodes in them, instances on the nodes.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::cluster::{Cluster, Node};
use crate::domain::facts::Facts;
use crate::domain::names::{InstanceName, NodeName, ZoneName};

/// A zone with what is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The zone; `None`: of these instances it is not known.
    pub zone: Option<ZoneName>,
    /// Its nodes, those with instances first.
    pub nodes: Vec<Place>,
}

/// A node with the instances on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The node; `None`: the instances have no pod, or nobody says where it is.
    pub node: Option<NodeName>,
    /// Something is wrong with the node, in words.
    pub trouble: Option<String>,
    /// What kind of node it is.
    pub workload: Option<String>,
    /// Instances, by name.
    pub instances: Vec<InstanceName>,
}

impl Column {
    /// Its instances, from top to bottom.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceName> {
        self.nodes.iter().flat_map(|n| &n.instances)
    }

    /// What its head says.
    pub fn title(&self) -> &str {
        self.zone.as_ref().map_or("zone not known", ZoneName::as_str)
    }
}

/// The columns of a cluster: every zone of its context that has nodes for databases or instances of it, by name; what
/// has no zone comes last.
pub fn columns(facts: &Facts, cluster: &Cluster) -> Vec<Column> {
    let nodes: &[Node] = facts.nodes.get(&cluster.key.context).map_or(&[], |n| n.as_slice());
    let mut places: BTreeMap<(bool, Option<ZoneName>), BTreeMap<Option<NodeName>, Place>> = BTreeMap::new();
    for node in nodes.iter().filter(|n| n.zone.is_some()) {
        let place = Place {
            node: Some(node.name.clone()),
            trouble: trouble(node),
            workload: node.workload.clone(),
            instances: vec![],
        };
        places.entry((false, node.zone.clone())).or_default().insert(Some(node.name.clone()), place);
    }
    for instance in &cluster.instances {
        let node = instance.pod.as_ref().and_then(|p| p.node.clone());
        let known = node.as_ref().and_then(|name| nodes.iter().find(|n| n.name == *name));
        // An instance without a pod still has its volume somewhere.
        let by_volume = || {
            cluster.volumes.iter().find(|v| v.instance.as_ref() == Some(&instance.name)).and_then(|v| v.zone.clone())
        };
        let zone = instance.zone.clone().or_else(|| known.and_then(|n| n.zone.clone())).or_else(by_volume);
        let fresh = Place {
            node: node.clone(),
            trouble: known.and_then(trouble),
            workload: known.and_then(|n| n.workload.clone()),
            instances: vec![],
        };
        let place = places.entry((zone.is_none(), zone)).or_default().entry(node).or_insert(fresh);
        place.instances.push(instance.name.clone());
    }
    let mut columns: Vec<Column> = places
        .into_iter()
        .map(|((_, zone), nodes)| {
            let mut nodes: Vec<Place> = nodes.into_values().collect();
            nodes.sort_by_key(|n| (n.instances.is_empty(), n.workload.is_none(), n.node.clone()));
            Column { zone, nodes }
        })
        .collect();
    let used: BTreeSet<Option<ZoneName>> =
        columns.iter().filter(|c| c.instances().next().is_some()).map(|c| c.zone.clone()).collect();
    // A region has at most a handful of zones; a context over many regions shows those that matter.
    if columns.len() > 5 {
        columns.retain(|c| used.contains(&c.zone));
    }
    columns
}

fn trouble(node: &Node) -> Option<String> {
    match node.ready {
        Some(false) => return Some("not ready".into()),
        None => return Some("no longer reports".into()),
        Some(true) => {}
    }
    if let Some(pressure) = node.pressure.first() {
        return Some(pressure.clone());
    }
    node.unschedulable.then(|| "cordoned".into())
}
