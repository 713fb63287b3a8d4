//! Where a pod may run: the scheduler's rules, without the scheduler.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::lab::api::Selector;
use crate::lab::object::{flag, is_deleting, is_pod_finished, label, list, name, namespace, number, text};

/// What the scheduler looks at.
pub struct Scene<'a> {
    pub nodes: &'a [Arc<Value>],
    /// All pods of the cluster.
    pub pods: &'a [Arc<Value>],
    /// The volumes the pod's claims are bound to.
    pub volumes: &'a [Arc<Value>],
}

/// Why a node can't take a pod, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    Unschedulable,
    Selector,
    Taint,
    Volume,
    Spread,
    AntiAffinity,
}

impl Refusal {
    fn words(self) -> &'static str {
        match self {
            Refusal::Unschedulable => "node(s) were unschedulable",
            Refusal::Selector => "node(s) didn't match Pod's node affinity/selector",
            Refusal::Taint => "node(s) had untolerated taint(s)",
            Refusal::Volume => "node(s) didn't match PersistentVolume's node affinity",
            Refusal::Spread => "node(s) didn't match pod topology spread constraints",
            Refusal::AntiAffinity => "node(s) didn't match pod anti-affinity rules",
        }
    }
}

/// Chooses a node for a pod.
///
/// # Errors
/// The message of `FailedScheduling` when no node takes it.
pub fn place(pod: &Value, scene: &Scene<'_>) -> Result<String, String> {
    let mut refused: BTreeMap<Refusal, usize> = BTreeMap::new();
    let mut fitting: Vec<&Arc<Value>> = Vec::new();
    for node in scene.nodes {
        match refusal(pod, node, scene) {
            None => fitting.push(node),
            Some(why) => *refused.entry(why).or_default() += 1,
        }
    }
    let best =
        fitting.into_iter().min_by_key(|node| (crowd(pod, node, scene), load(node, scene), name(node).to_owned()));
    match best {
        Some(node) => Ok(name(node).to_owned()),
        None => Err(failure(scene.nodes.len(), &refused)),
    }
}

fn failure(nodes: usize, refused: &BTreeMap<Refusal, usize>) -> String {
    let reasons: Vec<String> = refused.iter().map(|(why, count)| format!("{count} {}", why.words())).collect();
    let help = format!("preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling.");
    format!("0/{nodes} nodes are available: {}. {help}", reasons.join(", "))
}

fn refusal(pod: &Value, node: &Value, scene: &Scene<'_>) -> Option<Refusal> {
    let checks: [(Refusal, bool); 6] = [
        (Refusal::Unschedulable, flag(node, "/spec/unschedulable") && !tolerates_cordon(pod)),
        (Refusal::Selector, !matches_selector(pod, node)),
        (Refusal::Taint, !tolerates_taints(pod, node)),
        (Refusal::Volume, !scene.volumes.iter().all(|volume| reaches(volume, node))),
        (Refusal::Spread, breaks_spread(pod, node, scene)),
        (Refusal::AntiAffinity, breaks_anti_affinity(pod, node, scene)),
    ];
    checks.into_iter().find(|(_, broken)| *broken).map(|(why, _)| why)
}

fn tolerates(pod: &Value, key: &str, value: &str, effect: &str) -> bool {
    list(pod, "/spec/tolerations").iter().any(|t| {
        let same_effect = text(t, "/effect").is_empty() || text(t, "/effect") == effect;
        let same_key = text(t, "/key").is_empty() || text(t, "/key") == key;
        let same_value = text(t, "/operator") == "Exists" || text(t, "/value") == value;
        same_effect && same_key && same_value
    })
}

fn tolerates_cordon(pod: &Value) -> bool {
    tolerates(pod, "node.kubernetes.io/unschedulable", "", "NoSchedule")
}

fn tolerates_taints(pod: &Value, node: &Value) -> bool {
    list(node, "/spec/taints")
        .iter()
        .filter(|taint| matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute"))
        .all(|taint| tolerates(pod, text(taint, "/key"), text(taint, "/value"), text(taint, "/effect")))
}

fn matches_selector(pod: &Value, node: &Value) -> bool {
    let wanted = pod.pointer("/spec/nodeSelector").and_then(Value::as_object);
    let plain = wanted.is_none_or(|w| w.iter().all(|(key, value)| label(node, key) == value.as_str()));
    let required = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    plain && pod.pointer(required).is_none_or(|terms| matches_terms(terms, node))
}

/// Node selector terms: one of them must hold, with all its expressions.
fn matches_terms(selector: &Value, node: &Value) -> bool {
    list(selector, "/nodeSelectorTerms")
        .iter()
        .any(|term| list(term, "/matchExpressions").iter().all(|expression| holds(expression, node)))
}

fn holds(expression: &Value, node: &Value) -> bool {
    let value = label(node, text(expression, "/key"));
    let among = |value: &str| list(expression, "/values").iter().any(|v| v == value);
    match text(expression, "/operator") {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

/// Whether a volume can be used from a node.
fn reaches(volume: &Value, node: &Value) -> bool {
    volume.pointer("/spec/nodeAffinity/required").is_none_or(|terms| matches_terms(terms, node))
}

/// Pods that count: placed, neither ended nor going, of the same namespace and selected.
fn counted<'a>(scene: &'a Scene<'_>, pod: &'a Value, selector: &'a Selector) -> impl Iterator<Item = &'a Arc<Value>> {
    scene.pods.iter().filter(move |other| {
        namespace(other) == namespace(pod)
            && !text(other, "/spec/nodeName").is_empty()
            && !is_deleting(other)
            && !is_pod_finished(other)
            && selector.matches(other)
    })
}

fn node_of<'a>(scene: &'a Scene<'_>, pod: &Value) -> Option<&'a Arc<Value>> {
    scene.nodes.iter().find(|node| name(node) == text(pod, "/spec/nodeName"))
}

/// How many counted pods each domain of a topology key holds; only domains with a node the pod could select count.
fn domains(pod: &Value, key: &str, selector: &Selector, scene: &Scene<'_>) -> BTreeMap<String, i64> {
    let eligible = scene.nodes.iter().filter(|node| matches_selector(pod, node));
    let mut counts: BTreeMap<String, i64> =
        eligible.filter_map(|node| label(node, key)).map(|domain| (domain.to_owned(), 0)).collect();
    for other in counted(scene, pod, selector) {
        let domain = node_of(scene, other).and_then(|node| label(node, key));
        if let Some(count) = domain.and_then(|domain| counts.get_mut(domain)) {
            *count += 1;
        }
    }
    counts
}

fn breaks_spread(pod: &Value, node: &Value, scene: &Scene<'_>) -> bool {
    let hard = list(pod, "/spec/topologySpreadConstraints")
        .iter()
        .filter(|c| text(c, "/whenUnsatisfiable") != "ScheduleAnyway");
    hard.into_iter().any(|constraint| {
        let key = text(constraint, "/topologyKey");
        let Some(domain) = label(node, key) else { return true };
        let selector = Selector::object(&constraint["labelSelector"]);
        let counts = domains(pod, key, &selector, scene);
        let fewest = counts.values().min().copied().unwrap_or(0);
        let here = counts.get(domain).copied().unwrap_or(0) + i64::from(selector.matches(pod));
        here - fewest > number(constraint, "/maxSkew").unwrap_or(1)
    })
}

fn breaks_anti_affinity(pod: &Value, node: &Value, scene: &Scene<'_>) -> bool {
    let at = "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    list(pod, at).iter().any(|term| neighbours(pod, node, term, scene) > 0)
}

/// How many pods that a term selects share the node's domain.
fn neighbours(pod: &Value, node: &Value, term: &Value, scene: &Scene<'_>) -> usize {
    let key = text(term, "/topologyKey");
    let Some(domain) = label(node, key) else { return 0 };
    let selector = Selector::object(&term["labelSelector"]);
    counted(scene, pod, &selector)
        .filter(|other| node_of(scene, other).and_then(|n| label(n, key)) == Some(domain))
        .count()
}

/// How little a pod would like a node: neighbours it would rather not have, weighed.
fn crowd(pod: &Value, node: &Value, scene: &Scene<'_>) -> i64 {
    let at = "/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution";
    let avoided: i64 = list(pod, at)
        .iter()
        .map(|preferred| {
            let near = i64::try_from(neighbours(pod, node, &preferred["podAffinityTerm"], scene)).unwrap_or(i64::MAX);
            near.saturating_mul(number(preferred, "/weight").unwrap_or(1))
        })
        .sum();
    let spread: i64 = list(pod, "/spec/topologySpreadConstraints")
        .iter()
        .map(|constraint| {
            let key = text(constraint, "/topologyKey");
            let counts = domains(pod, key, &Selector::object(&constraint["labelSelector"]), scene);
            label(node, key).and_then(|domain| counts.get(domain)).copied().unwrap_or(0)
        })
        .sum();
    avoided + spread * 100
}

fn load(node: &Value, scene: &Scene<'_>) -> usize {
    scene.pods.iter().filter(|pod| text(pod, "/spec/nodeName") == name(node) && !is_pod_finished(pod)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, zone: &str, workload: &str) -> Arc<Value> {
        Arc::new(json!({"metadata": {"name": name, "labels": {
            "topology.kubernetes.io/zone": zone, "workload": workload, "kubernetes.io/hostname": name,
        }}, "spec": {}}))
    }

    fn six_nodes() -> Vec<Arc<Value>> {
        let mut nodes = Vec::new();
        for zone in 1..=3 {
            nodes.push(node(&format!("sys-{zone}"), &format!("z{zone}"), "system"));
            nodes.push(node(&format!("pg-{zone}"), &format!("z{zone}"), "postgres"));
        }
        nodes
    }

    fn pod(name: &str, node: &str, hard: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": name, "namespace": "n", "labels": {"cnpg.io/cluster": "c"}},
            "spec": {
                "nodeName": node,
                "nodeSelector": {"workload": "postgres"},
                "topologySpreadConstraints": [{
                    "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": hard,
                    "labelSelector": {"matchLabels": {"cnpg.io/cluster": "c"}},
                }],
            },
            "status": {"phase": "Running"},
        }))
    }

    #[test]
    fn three_instances_go_to_three_zones() {
        let nodes = six_nodes();
        let mut pods: Vec<Arc<Value>> = Vec::new();
        for serial in 1..=3 {
            let new = pod(&format!("c-{serial}"), "", "DoNotSchedule");
            let scene = Scene { nodes: &nodes, pods: &pods, volumes: &[] };
            let chosen = place(&new, &scene).expect("there is room");
            pods.push(pod(&format!("c-{serial}"), &chosen, "DoNotSchedule"));
        }
        let mut chosen: Vec<&str> = pods.iter().map(|p| text(p, "/spec/nodeName")).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, ["pg-1", "pg-2", "pg-3"]);
    }

    #[test]
    fn a_cordoned_zone_holds_a_spread_pod_up_but_not_a_willing_one() {
        let mut nodes = six_nodes();
        let mut cordoned = (*nodes[5]).clone();
        cordoned["spec"]["unschedulable"] = true.into();
        nodes[5] = Arc::new(cordoned);
        let pods = vec![pod("c-1", "pg-1", "DoNotSchedule"), pod("c-2", "pg-2", "DoNotSchedule")];
        let scene = Scene { nodes: &nodes, pods: &pods, volumes: &[] };
        let why = place(&pod("c-3", "", "DoNotSchedule"), &scene).expect_err("no room");
        assert_eq!(
            why,
            "0/6 nodes are available: 1 node(s) were unschedulable, 3 node(s) didn't match Pod's node \
             affinity/selector, 2 node(s) didn't match pod topology spread constraints. preemption: 0/6 nodes are \
             available: 6 Preemption is not helpful for scheduling."
        );
        assert_eq!(place(&pod("c-3", "", "ScheduleAnyway"), &scene).as_deref(), Ok("pg-1"));
    }

    #[test]
    fn a_volume_holds_its_pod_in_its_zone() {
        let nodes = six_nodes();
        let volume = Arc::new(json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{
            "matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["z3"]}],
        }]}}}}));
        let scene = Scene { nodes: &nodes, pods: &[], volumes: &[volume] };
        assert_eq!(place(&pod("c-1", "", "DoNotSchedule"), &scene).as_deref(), Ok("pg-3"));
    }

    #[test]
    fn required_anti_affinity_keeps_instances_apart() {
        let nodes = vec![node("a", "z1", "postgres")];
        let with = |name: &str, node: &str| {
            let mut pod = (*pod(name, node, "ScheduleAnyway")).clone();
            pod["spec"]["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": {"matchLabels": {"cnpg.io/cluster": "c"}}, "topologyKey": "kubernetes.io/hostname",
            }]}});
            Arc::new(pod)
        };
        let pods = vec![with("c-1", "a")];
        let scene = Scene { nodes: &nodes, pods: &pods, volumes: &[] };
        let why = place(&with("c-2", ""), &scene).expect_err("taken");
        assert!(why.contains("1 node(s) didn't match pod anti-affinity rules"), "{why}");
    }
}
