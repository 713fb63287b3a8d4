//! What carries clusters: nodes and operators.

use serde::{Deserialize, Serialize};

use crate::domain::names::{Context, NodeName, ZoneName};

/// Who runs the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// CloudNativePG.
    Cnpg,
    /// Crunchy Postgres for Kubernetes.
    Pgo,
}

impl Operator {
    /// The short name shown in tables.
    pub fn short(self) -> &'static str {
        match self {
            Operator::Cnpg => "cnpg",
            Operator::Pgo => "pgo",
        }
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Its zone.
    pub zone: Option<ZoneName>,
    /// Its Ready condition; `None` is Unknown (the kubelet no longer reports).
    pub ready: Option<bool>,
    /// Cordoned.
    pub unschedulable: bool,
    /// `workload=postgres` and other labels worth telling nodes apart by.
    pub workload: Option<String>,
    /// The kubelet's version.
    pub version: Option<String>,
    /// Pressure conditions that are true (`DiskPressure`, …).
    pub pressure: Vec<String>,
    /// The AKS or EKS pool it belongs to.
    pub pool: Option<String>,
}

/// The zones of these nodes, each once. They are a handful, whatever the number of nodes: a list finds them fastest.
pub fn zones<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Vec<&'a ZoneName> {
    let mut zones: Vec<&ZoneName> = Vec::new();
    for zone in nodes.into_iter().filter_map(|n| n.zone.as_ref()) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    zones
}

/// An operator's own deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorState {
    /// Which operator.
    pub operator: Operator,
    /// The context it runs in.
    pub context: Context,
    /// Namespace and name of its deployment.
    pub deployment: String,
    /// Its version, from the image's tag.
    pub version: Option<String>,
    /// Pods wanted and available.
    pub wanted: u32,
    /// Available now.
    pub available: u32,
    /// Its webhook refuses or does not answer, in words.
    pub webhook_trouble: Option<String>,
}
