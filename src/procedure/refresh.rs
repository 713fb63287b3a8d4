//! What of a patch can only be told from the object read last.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::order::{Form, Patch};

/// A part of a merge patch's body that is made of the object read last, right before the patch is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refresh {
    /// `status.conditions`, whole, with one condition set as Kubernetes' own helper sets it: in its place or at the end, and
    /// `lastTransitionTime` moves only when its status does. Where nothing changes, the list is left out.
    Condition {
        /// `Ready`.
        kind: String,
        /// It is so.
        status: bool,
        /// `ClusterIsNotReady`.
        reason: String,
        /// `Cluster Is Not Ready`.
        message: String,
    },
    /// The moment of sending at this JSON pointer, as RFC 3339 in UTC with microseconds: `/status/targetPrimaryTimestamp`.
    Now {
        /// Where it goes.
        pointer: String,
    },
    /// An annotation that holds a JSON list of texts: with these added and those taken out, sorted; `null` when none is
    /// left. Whoever is on the list for another reason stays on it.
    List {
        /// The annotation.
        annotation: String,
        /// To be on it.
        add: BTreeSet<String>,
        /// Not to be on it.
        remove: BTreeSet<String>,
    },
}

impl Patch {
    /// The object must be read before this can be sent.
    pub fn needs_object(&self) -> bool {
        self.lock || !self.refresh.is_empty()
    }

    /// The body as it is sent at `now`, made for this object: what `refresh` fills in, and with `lock` the object's
    /// resourceVersion (in a JSON patch as a first `test`).
    pub fn filled(&self, object: &Value, now: Timestamp) -> Value {
        let mut body = self.body.clone();
        for refresh in &self.refresh {
            match refresh {
                Refresh::Condition { kind, status, reason, message } => {
                    let status = if *status { "True" } else { "False" };
                    if let Some(conditions) = conditions(object, kind, status, reason, message, now) {
                        put(&mut body, "/status/conditions", conditions);
                    }
                }
                Refresh::List { annotation, add, remove } => {
                    let pointer = format!("/metadata/annotations/{}", escaped(annotation));
                    let there = object.pointer(&pointer).and_then(Value::as_str);
                    let mut names: BTreeSet<String> =
                        there.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
                    names.retain(|n| !remove.contains(n));
                    names.extend(add.iter().cloned());
                    put(&mut body, &pointer, list(&names));
                }
                Refresh::Now { pointer } => put(&mut body, pointer, format!("{now:.6}").into()),
            }
        }
        if self.lock {
            let version = object["metadata"]["resourceVersion"].clone();
            match (self.form, &mut body) {
                (Form::Json, Value::Array(operations)) => {
                    let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
                    operations.insert(0, test);
                }
                _ => put(&mut body, "/metadata/resourceVersion", version),
            }
        }
        body
    }
}

/// A JSON list in a text, as annotations hold it; `null` for an empty one, which takes the annotation away.
pub fn list(names: &BTreeSet<String>) -> Value {
    if names.is_empty() { Value::Null } else { json!(names).to_string().into() }
}

/// A name as part of a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The object's conditions with one of them set, or `None` where it is so already.
fn conditions(object: &Value, kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> Option<Value> {
    let mut all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let new = json!({"type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": format!("{now:.0}")});
    match all.iter_mut().find(|c| c["type"] == kind) {
        None => all.push(new),
        Some(old) => {
            if old["status"] == status && old["reason"] == reason && old["message"] == message {
                return None;
            }
            if old["status"] != status {
                old["lastTransitionTime"] = new["lastTransitionTime"].clone();
            }
            for field in ["status", "reason", "message"] {
                old[field] = new[field].clone();
            }
        }
    }
    Some(all.into())
}

/// Sets a value by JSON pointer, making the objects on the way.
fn put(body: &mut Value, pointer: &str, value: Value) {
    let mut at = body;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use super::super::order::Target;
    use super::*;
    use crate::domain::detail::ObjectRef;

    fn patch(form: Form, body: Value, refresh: Vec<Refresh>) -> Patch {
        let object = ObjectRef {
            context: "aks".into(),
            api_version: "postgresql.cnpg.io/v1".into(),
            kind: "Cluster".into(),
            namespace: "pg".into(),
            name: "demo".into(),
        };
        let target = Target { object, plural: "clusters".into(), subresource: Some("status".into()) };
        Patch { target, form, body, refresh, lock: true, mark: Vec::new() }
    }

    /// The body that `kubectl cnpg promote demo demo-1` of CNPG 1.30 was recorded to send, field by field.
    #[test]
    fn a_promotion_is_what_the_operators_own_tool_sends() {
        let recorded = json!({"metadata":{"resourceVersion":"850"},"status":{"conditions":[
            {"lastTransitionTime":"2026-11-20T22:49:56Z","message":"Cluster has been bootstrapped","reason":"BootstrapCompleted","status":"True","type":"Initialized"},
            {"lastTransitionTime":"2026-11-20T22:50:05Z","message":"A single, unique system ID was found across reporting instances.","reason":"Unique","status":"True","type":"ConsistentSystemID"},
            {"lastTransitionTime":"2026-11-20T22:52:51Z","message":"Cluster Is Not Ready","reason":"ClusterIsNotReady","status":"False","type":"Ready"},
            {"lastTransitionTime":"2026-11-20T22:52:06Z","message":"Continuous archiving is working","reason":"ContinuousArchivingSuccess","status":"True","type":"ContinuousArchiving"}],
            "phase":"Switchover in progress","phaseReason":"Switching over to demo-1","targetPrimary":"demo-1","targetPrimaryTimestamp":"2026-11-20T22:52:51.125777Z"}});
        let mut object =
            json!({"metadata": {"resourceVersion": "850"}, "status": {"conditions": recorded["status"]["conditions"]}});
        object["status"]["conditions"][2] = json!({"lastTransitionTime": "2026-11-20T22:52:30Z", "message": "Cluster is Ready",
            "reason": "ClusterIsReady", "status": "True", "type": "Ready"});
        let body = json!({"status": {"phase": "Switchover in progress", "phaseReason": "Switching over to demo-1", "targetPrimary": "demo-1"}});
        let promote = patch(
            Form::Merge,
            body,
            vec![not_ready(), Refresh::Now { pointer: "/status/targetPrimaryTimestamp".into() }],
        );
        let now: Timestamp = "2026-11-20T22:52:51.125777Z".parse().unwrap();
        assert_eq!(promote.filled(&object, now), recorded);

        // It was not ready before: its time stays, and a list that would not change is not sent.
        object["status"]["conditions"][2]["status"] = json!("False");
        let sent = promote.filled(&object, now);
        assert_eq!(sent["status"]["conditions"][2]["lastTransitionTime"], "2026-11-20T22:52:30Z");
        object["status"]["conditions"] = sent["status"]["conditions"].clone();
        assert!(promote.filled(&object, now)["status"].get("conditions").is_none());
    }

    fn not_ready() -> Refresh {
        Refresh::Condition {
            kind: "Ready".into(),
            status: false,
            reason: "ClusterIsNotReady".into(),
            message: "Cluster Is Not Ready".into(),
        }
    }

    #[test]
    fn a_list_is_merged_with_what_is_there_now() {
        let change = |there: Value, add: &[&str], remove: &[&str]| {
            let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
            let refresh = Refresh::List { annotation: "cnpg.io/x".into(), add: set(add), remove: set(remove) };
            let body = json!({"metadata": {"annotations": {"cnpg.io/x": "as planned"}}});
            let object = json!({"metadata": {"resourceVersion": "7", "annotations": {"cnpg.io/x": there}}});
            let sent = patch(Form::Merge, body, vec![refresh]).filled(&object, Timestamp::UNIX_EPOCH);
            sent["metadata"]["annotations"]["cnpg.io/x"].clone()
        };
        assert_eq!(change(Value::Null, &["b"], &[]), r#"["b"]"#);
        assert_eq!(change(r#"["c", "a"]"#.into(), &["b"], &[]), r#"["a","b","c"]"#);
        assert_eq!(change(r#"["c","a"]"#.into(), &[], &["a"]), r#"["c"]"#);
        assert_eq!(change(r#"["a"]"#.into(), &[], &["a"]), Value::Null, "the last one takes the annotation with it");
    }

    #[test]
    fn a_json_patch_is_locked_by_a_test() {
        let patch = patch(Form::Json, json!([{"op": "remove", "path": "/spec/x"}]), Vec::new());
        let sent = patch.filled(&json!({"metadata": {"resourceVersion": "7"}}), Timestamp::UNIX_EPOCH);
        assert_eq!(sent[0], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}));
        assert_eq!(sent.as_array().unwrap().len(), 2);
    }
}
