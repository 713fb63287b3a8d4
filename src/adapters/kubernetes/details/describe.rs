//! An object in words, with its events, in the spirit of `kubectl describe`.

use jiff::Timestamp;
use kube::core::params::ListParams;
use kube::core::request::Request;
use serde_json::Value;
use tokio::time::timeout;

use super::super::decode::event_time;
use super::super::read::{at, count, flag, list, message, raw, text as word, time};
use super::page::{Page, plain};
use super::yaml::tidy;
use crate::domain::detail::ObjectRef;
use crate::domain::quantity::age;

/// The events about an object, newest first; why not, where they can't be read.
pub async fn events(client: &kube::Client, object: &ObjectRef, value: &Value) -> Result<Vec<Value>, String> {
    let uid = raw(value, &["metadata", "uid"]).unwrap_or_default();
    let namespace = if object.namespace.is_empty() { "default" } else { &object.namespace };
    let params = ListParams {
        // Nodes' events carry the node's name where others carry a uid.
        field_selector: Some(format!("involvedObject.name={},involvedObject.kind={}", object.name, object.kind)),
        limit: Some(500),
        ..ListParams::default()
    };
    let path = format!("/api/v1/namespaces/{namespace}/events");
    let request = Request::new(path).list(&params).map_err(|e| e.to_string())?;
    let answer = match timeout(super::ANSWER, client.request::<Value>(request)).await {
        Ok(answer) => answer.map_err(|e| super::Trouble::from(e).why)?,
        Err(_) => return Err("no answer".into()),
    };
    let mut events: Vec<Value> = list(&answer, &["items"])
        .iter()
        .filter(|e| {
            object.kind == "Node" || raw(e, &["involvedObject", "uid"]).is_none_or(|u| u == uid || u.is_empty())
        })
        .cloned()
        .collect();
    events.sort_by_cached_key(|e| std::cmp::Reverse(event_time(e)));
    Ok(events)
}

/// The description.
pub fn text(object: &Value, events: &Result<Vec<Value>, String>) -> String {
    let mut object = object.clone();
    tidy(&mut object);
    let mut page = Page::default();
    head(&mut page, &object);
    match raw(&object, &["kind"]).unwrap_or_default() {
        "Pod" => pod(&mut page, &object),
        "Node" => node(&mut page, &object),
        "Cluster" => cluster(&mut page, &object),
        _ => {
            for (name, value) in object.as_object().into_iter().flatten() {
                if !matches!(name.as_str(), "kind" | "apiVersion" | "metadata") {
                    page.tree(0, &capital(name), value);
                }
            }
        }
    }
    told(&mut page, events);
    page.finish()
}

fn head(page: &mut Page, v: &Value) {
    let now = Timestamp::now();
    page.field(0, "Name", plain(&v["metadata"]["name"]));
    page.field(0, "Namespace", plain(&v["metadata"]["namespace"]));
    page.field(0, "Kind", format!("{} ({})", plain(&v["kind"]), plain(&v["apiVersion"])));
    page.entries("Labels", at(v, &["metadata", "labels"]));
    page.entries("Annotations", at(v, &["metadata", "annotations"]));
    let aged = |name: &[&str]| time(v, name).map(|t| format!("{t} ({} ago)", age(t, now)));
    page.field(0, "Created", aged(&["metadata", "creationTimestamp"]).unwrap_or_default());
    page.field(0, "Being deleted", aged(&["metadata", "deletionTimestamp"]).unwrap_or_default());
    let owners: Vec<_> = list(v, &["metadata", "ownerReferences"])
        .iter()
        .map(|o| format!("{}/{}", plain(&o["kind"]), plain(&o["name"])))
        .collect();
    page.field(0, "Controlled by", owners.join(", "));
}

fn pod(page: &mut Page, v: &Value) {
    page.field(0, "Status", [plain(&v["status"]["phase"]), plain(&v["status"]["reason"])].join(" ").trim());
    page.field(0, "Message", plain(&v["status"]["message"]));
    page.field(0, "Node", plain(&v["spec"]["nodeName"]));
    page.field(0, "IP", plain(&v["status"]["podIP"]));
    page.field(0, "Service account", plain(&v["spec"]["serviceAccountName"]));
    for (title, specs, statuses) in [
        ("Init containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ] {
        let specs = list(v, &["spec", specs]);
        if !specs.is_empty() {
            page.heading(0, title);
        }
        for spec in specs {
            let status = list(v, &["status", statuses]).iter().find(|s| s["name"] == spec["name"]);
            container(page, spec, status.unwrap_or(&Value::Null));
        }
    }
    conditions(page, v);
    let volumes: Vec<Vec<String>> = list(v, &["spec", "volumes"])
        .iter()
        .map(|volume| {
            let kind = volume.as_object().into_iter().flatten().find(|(key, _)| *key != "name");
            let (kind, of) = kind.map_or_else(Default::default, |(k, v)| {
                let of = ["claimName", "secretName", "name", "path"].iter().find_map(|f| word(v, &[f]));
                (k.clone(), of.unwrap_or_default())
            });
            vec![plain(&volume["name"]), kind, of]
        })
        .collect();
    if !volumes.is_empty() {
        page.heading(0, "Volumes");
        page.table(1, &["NAME", "KIND", "OF"], &volumes);
    }
}

fn container(page: &mut Page, spec: &Value, status: &Value) {
    page.heading(1, &plain(&spec["name"]));
    page.field(2, "Image", plain(&spec["image"]));
    page.field(2, "Ready", plain(&status["ready"]));
    page.field(2, "Restarts", plain(&status["restartCount"]));
    for (name, field) in [("State", "state"), ("Last state", "lastState")] {
        for (state, detail) in status[field].as_object().into_iter().flatten() {
            let mut said = state.clone();
            for key in ["reason", "exitCode", "signal", "startedAt", "finishedAt", "message"] {
                match plain(&detail[key]) {
                    text if text.is_empty() => {}
                    text => said.push_str(&format!("  {key} {text}")),
                }
            }
            page.field(2, name, said);
        }
    }
    for (name, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let of: Vec<_> = at(spec, &["resources", field])
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(k, v)| format!("{k} {}", plain(v)))
            .collect();
        page.field(2, name, of.join(", "));
    }
    let ports: Vec<_> = list(spec, &["ports"])
        .iter()
        .map(|p| format!("{} {}", plain(&p["containerPort"]), plain(&p["name"])).trim().to_owned())
        .collect();
    page.field(2, "Ports", ports.join(", "));
}

fn node(page: &mut Page, v: &Value) {
    page.field(0, "Unschedulable", if flag(v, &["spec", "unschedulable"]) { "yes (cordoned)" } else { "no" });
    let taints: Vec<_> = list(v, &["spec", "taints"])
        .iter()
        .map(|t| format!("{}={}:{}", plain(&t["key"]), plain(&t["value"]), plain(&t["effect"])))
        .collect();
    page.field(0, "Taints", taints.join(", "));
    conditions(page, v);
    page.tree(0, "Addresses", &v["status"]["addresses"]);
    page.tree(0, "Capacity", &v["status"]["capacity"]);
    page.tree(0, "Allocatable", &v["status"]["allocatable"]);
    page.tree(0, "System", &v["status"]["nodeInfo"]);
}

fn cluster(page: &mut Page, v: &Value) {
    let s = &v["status"];
    page.field(0, "Phase", plain(&s["phase"]));
    page.field(0, "Reason", plain(&s["phaseReason"]));
    let number = |field: &str| count(s, &[field]).map_or_else(|| "?".to_owned(), |n| n.to_string());
    page.field(0, "Instances", format!("{} of {} ready", number("readyInstances"), number("instances")));
    page.field(0, "Primary", plain(&s["currentPrimary"]));
    if s["targetPrimary"] != s["currentPrimary"] {
        page.field(0, "Target primary", plain(&s["targetPrimary"]));
    }
    page.field(0, "Timeline", plain(&s["timelineID"]));
    page.field(0, "Image", s.get("image").or_else(|| v["spec"].get("imageName")).map(plain).unwrap_or_default());
    conditions(page, v);
    page.tree(0, "Spec", &v["spec"]);
    let rest = s.as_object().into_iter().flatten().filter(|(name, _)| {
        !matches!(
            name.as_str(),
            "phase"
                | "phaseReason"
                | "readyInstances"
                | "instances"
                | "currentPrimary"
                | "timelineID"
                | "image"
                | "conditions"
        )
    });
    page.heading(0, "Status");
    for (name, value) in rest {
        page.tree(1, name, value);
    }
}

fn conditions(page: &mut Page, v: &Value) {
    let now = Timestamp::now();
    let rows: Vec<Vec<String>> = list(v, &["status", "conditions"])
        .iter()
        .map(|c| {
            let since = time(c, &["lastTransitionTime"]).map(|t| age(t, now)).unwrap_or_default();
            vec![plain(&c["type"]), plain(&c["status"]), since, plain(&c["reason"]), message(c, &["message"])]
        })
        .collect();
    if !rows.is_empty() {
        page.heading(0, "Conditions");
        page.table(1, &["TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"], &rows);
    }
}

fn told(page: &mut Page, events: &Result<Vec<Value>, String>) {
    match events {
        Err(why) => page.field(0, "Events", format!("can't be read: {why}")),
        Ok(events) if events.is_empty() => page.field(0, "Events", "none"),
        Ok(events) => {
            let now = Timestamp::now();
            let rows: Vec<Vec<String>> = events
                .iter()
                .map(|e| {
                    let times = count(e, &["series", "count"]).or_else(|| count(e, &["count"])).unwrap_or(1);
                    let repeated = if times > 1 { format!(" (×{times})") } else { String::new() };
                    let when = event_time(e).map(|t| age(t, now)).unwrap_or_default();
                    vec![when, plain(&e["type"]), plain(&e["reason"]) + &repeated, message(e, &["message"])]
                })
                .collect();
            page.heading(0, "Events");
            page.table(1, &["AGE", "TYPE", "REASON", "MESSAGE"], &rows);
        }
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_in_words() {
        let pod = json!({"kind": "Pod", "apiVersion": "v1",
            "metadata": {"name": "demo-1", "namespace": "pg", "labels": {"cnpg.io/cluster": "demo", "role": "primary"},
                "ownerReferences": [{"kind": "Cluster", "name": "demo"}]},
            "spec": {"nodeName": "node1", "containers": [{"name": "postgres", "image": "postgresql:17.11",
                "resources": {"limits": {"memory": "1Gi"}}}],
                "volumes": [{"name": "pgdata", "persistentVolumeClaim": {"claimName": "demo-1"}}]},
            "status": {"phase": "Running", "podIP": "10.244.0.24",
                "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "x"}],
                "containerStatuses": [{"name": "postgres", "ready": false, "restartCount": 1,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        let events = Ok(vec![
            json!({"type": "Warning", "reason": "BackOff", "message": "Back-off \u{1b}[31mrestarting", "count": 3}),
        ]);
        let said = text(&pod, &events);
        for part in [
            "Name:             demo-1",
            "Labels:           cnpg.io/cluster=demo",
            "                  role=primary",
            "Controlled by:    Cluster/demo",
            "State:            waiting  reason CrashLoopBackOff",
            "Limits:           memory 1Gi",
            "pgdata  persistentVolumeClaim  demo-1",
            "Ready  False",
            "BackOff (×3)",
        ] {
            assert!(said.contains(part), "{part:?} is missing in\n{said}");
        }
        assert!(!said.contains('\u{1b}'));
    }

    #[test]
    fn anything_else_as_it_is() {
        let said = text(
            &json!({"kind": "Lease", "metadata": {"name": "demo"}, "spec": {"holderIdentity": "demo-1", "leaseDurationSeconds": 15}}),
            &Err("forbidden".into()),
        );
        assert!(said.contains("holderIdentity:   demo-1"), "{said}");
        assert!(said.contains("can't be read: forbidden"), "{said}");
    }
}
