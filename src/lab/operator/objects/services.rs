//! Services `-r`, `-ro` and `-rw`.

use serde_json::{Value, json};

use super::metadata;
use crate::lab::api::resources::SERVICES;
use crate::lab::object::list;
use crate::lab::operator::pass::Pass;
use crate::lab::operator::words::{annotation, label, role};
use crate::lab::operator::world::ClusterObject;

pub fn ensure(pass: &mut Pass<'_>) {
    let disabled: Vec<String> = list(&pass.cluster, "/spec/managed/services/disabledDefaultServices")
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    for suffix in ["r", "ro", "rw"] {
        let name = format!("{}-{suffix}", pass.name());
        let wanted = !disabled.iter().any(|d| d == suffix);
        let there = pass.world.has(&SERVICES, &name);
        if wanted && !there {
            let service = service(&pass.cluster, suffix);
            pass.create(&SERVICES, service);
        } else if !wanted && there {
            pass.delete(&SERVICES, &name);
        }
    }
}

/// The pods a service leads to.
fn selector(cluster: &Value, suffix: &str) -> Value {
    match suffix {
        "rw" => json!({label::CLUSTER: cluster.name(), label::INSTANCE_ROLE: role::PRIMARY}),
        "ro" => json!({label::CLUSTER: cluster.name(), label::INSTANCE_ROLE: role::REPLICA}),
        _ => json!({label::CLUSTER: cluster.name(), label::POD_ROLE: "instance"}),
    }
}

/// A default service (`r`, `ro`, `rw`) of a cluster.
pub fn service(cluster: &Value, suffix: &str) -> Value {
    let name = format!("{}-{suffix}", cluster.name());
    let mut spec = json!({
        "ports": [{"name": "postgres", "protocol": "TCP", "port": 5432, "targetPort": 5432}],
        "selector": selector(cluster, suffix),
        "type": "ClusterIP",
    });
    let mut metadata = metadata(cluster, &name);
    metadata["annotations"][annotation::LAST_APPLIED_SPEC] = spec.to_string().into();
    let address = cluster_address(cluster.namespace(), &name);
    spec["clusterIP"] = address.clone().into();
    spec["clusterIPs"] = json!([address]);
    spec["sessionAffinity"] = "None".into();
    spec["ipFamilies"] = json!(["IPv4"]);
    spec["ipFamilyPolicy"] = "SingleStack".into();
    spec["internalTrafficPolicy"] = "Cluster".into();
    json!({"metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}})
}

/// An address in the services' usual range, 10.96.0.0/12. It follows from the name, so that it stays the same when a
/// service is made again.
fn cluster_address(namespace: &str, name: &str) -> String {
    let text = format!("{namespace}/{name}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let [.., a, b, c] = hash.to_be_bytes();
    format!("10.{}.{}.{}", 96 + (a & 0x0f), b, 1 + c % 254)
}
