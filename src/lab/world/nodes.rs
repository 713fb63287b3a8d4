//! Six virtual machines in three zones, as AKS shows them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::lab::api::resources::{LEASES, NODES};
use crate::lab::api::{ApiError, Store};
use crate::lab::object::{micros, seconds};

/// The region of the guides.
const REGION: &str = "westus3";
/// What `kubectl get nodes` shows as their version.
const KUBELET: &str = "v1.36.2";

/// Makes the nodes and their leases.
pub fn populate(store: &Store) -> Result<(), ApiError> {
    let pools = [("systempool", "System", "Standard_D2s_v3", 2, 8), ("postgres", "User", "Standard_D4s_v3", 4, 16)];
    for (pool_number, (pool, mode, size, cpus, memory)) in pools.into_iter().enumerate() {
        for number in 0..3 {
            let name = format!("aks-{pool}-27729{pool_number}41-vmss00000{number}");
            let address = format!("10.224.0.{}", 4 + pool_number * 3 + number);
            let machine = Machine { name, address, pool, mode, size, cpus, memory, zone: number + 1 };
            store.create(&NODES, "", machine.node())?;
            store.create(&LEASES, "kube-node-lease", machine.lease())?;
        }
    }
    Ok(())
}

/// The conditions of a node that is well.
pub fn conditions(now: Timestamp) -> Value {
    let now = seconds(now);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let has = |what: &str, noun: &str| format!("kubelet has {what} {noun} available");
    json!([
        condition("MemoryPressure", "False", "KubeletHasSufficientMemory", &has("sufficient", "memory")),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", &has("sufficient", "PID")),
        condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ])
}

struct Machine {
    name: String,
    address: String,
    pool: &'static str,
    mode: &'static str,
    size: &'static str,
    cpus: u32,
    memory: u32,
    zone: usize,
}

impl Machine {
    fn node(&self) -> Value {
        let zone = format!("{REGION}-{}", self.zone);
        let mut labels = json!({
            "agentpool": self.pool, "kubernetes.azure.com/agentpool": self.pool,
            "kubernetes.azure.com/mode": self.mode.to_lowercase(), "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/role": "agent",
            "node.kubernetes.io/instance-type": self.size, "topology.disk.csi.azure.com/zone": zone,
            "topology.kubernetes.io/region": REGION, "topology.kubernetes.io/zone": zone,
        });
        if self.pool == "postgres" {
            labels["workload"] = json!("postgres");
        }
        json!({
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"podCIDR": format!("10.244.{}.0/24", self.zone),
                     "providerID": format!("azure:///subscriptions/lab/virtualMachines/{}", self.name)},
            "status": self.status(),
        })
    }

    fn status(&self) -> Value {
        let capacity = json!({"cpu": self.cpus.to_string(), "memory": format!("{}Gi", self.memory), "pods": "110",
                              "ephemeral-storage": "129886128Ki"});
        json!({
            "addresses": [{"type": "InternalIP", "address": self.address}, {"type": "Hostname", "address": self.name}],
            "capacity": capacity, "allocatable": capacity,
            "conditions": conditions(Timestamp::now()),
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "containerd://1.7.27-1",
                "kernelVersion": "5.15.0-1089-azure", "kubeProxyVersion": KUBELET, "kubeletVersion": KUBELET,
                "machineID": "", "operatingSystem": "linux", "osImage": "Ubuntu 22.04.5 LTS", "systemUUID": "",
            },
        })
    }

    fn lease(&self) -> Value {
        let now = micros(Timestamp::now());
        json!({"metadata": {"name": self.name},
               "spec": {"holderIdentity": self.name, "leaseDurationSeconds": 40, "renewTime": now}})
    }
}
