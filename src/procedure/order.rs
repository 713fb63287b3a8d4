//! Orders: the few things a step can do to the world, as data.
//!
//! An order is the exact request, so that it can be shown, journaled and repeated without harm: Kubernetes writes carry the
//! object's uid or a fresh resourceVersion, and a mark by which this very write is known again.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

use super::heartbeat::Heartbeat;
use super::refresh::Refresh;
use super::trial::{Answers, Trial};
use crate::domain::detail::ObjectRef;

/// Something a step does to the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Changes an object.
    Patch(Patch),
    /// Makes an object. Its name is derived from the run, so that a repeat finds it there.
    Create(Create),
    /// Deletes an object.
    Delete(Delete),
    /// Asks Kubernetes to evict a pod: a budget may say no.
    Evict(Delete),
    /// Begins to write a heartbeat and to read beside it, until [`Order::Count`].
    Heartbeat(Heartbeat),
    /// Ends the heartbeat and counts what is there of what was acknowledged.
    Count(Heartbeat),
    /// Drops what the heartbeat left in the database.
    Sweep(Heartbeat),
    /// Does a part of a restore drill.
    Trial(Box<Trial>),
}

/// An object as it is addressed on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which object.
    pub object: ObjectRef,
    /// Its kind's plural, as paths say it: `clusters`, `pods`.
    pub plural: String,
    /// `status`, where it is not the object itself.
    pub subresource: Option<String>,
}

/// A change of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patch {
    /// Which.
    pub target: Target,
    /// What kind of patch.
    pub form: Form,
    /// Its body, without the resourceVersion that `lock` adds and what `refresh` fills in.
    pub body: Value,
    /// Parts of the body that can only be told from the object read last, filled in right before it is sent. Of a merge
    /// patch only, and only with `lock`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refresh: Vec<Refresh>,
    /// The newest `metadata.resourceVersion` is read right before, the plan's premise is asked of that object, and the
    /// version goes into the body: whoever changes it in between makes the API refuse (409), and it is read anew.
    pub lock: bool,
    /// Values by JSON pointer that the object has once this very patch was made: how an interrupted run finds out.
    pub mark: Vec<(String, Value)>,
}

/// Forms of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `application/merge-patch+json`.
    Merge,
    /// `application/json-patch+json`.
    Json,
    /// `application/strategic-merge-patch+json`.
    Strategic,
}

impl Form {
    /// The header's value.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::Merge => "application/merge-patch+json",
            Form::Json => "application/json-patch+json",
            Form::Strategic => "application/strategic-merge-patch+json",
        }
    }

    /// `kubectl patch --type`.
    pub fn word(self) -> &'static str {
        match self {
            Form::Merge => "merge",
            Form::Json => "json",
            Form::Strategic => "strategic",
        }
    }
}

/// A new object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Create {
    /// Which.
    pub target: Target,
    /// The whole object.
    pub body: Value,
}

/// The end of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    /// Which.
    pub target: Target,
    /// Only the object of this identity: one made anew under the same name is left alone. Empty: whichever has the name,
    /// which is this run's own.
    pub uid: String,
    /// `gracePeriodSeconds`.
    pub grace: Option<u32>,
}

/// A request as it is shown before it is sent, and journaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// `PATCH`, `POST`, `DELETE`, or `SQL`.
    pub method: String,
    /// The path with its query; for SQL where it is sent to.
    pub path: String,
    /// The body's type.
    pub content_type: Option<String>,
    /// The body; for SQL the statements.
    pub body: Option<Value>,
}

/// A right that an order needs, as RBAC words it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Right {
    /// `patch`, `delete`, `create`, …
    pub verb: String,
    /// The API group; empty for core.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// The subresource, where one is meant.
    pub subresource: Option<String>,
    /// The namespace; empty for cluster-wide.
    pub namespace: String,
    /// The object's name; empty for any.
    pub name: String,
}

/// A body of more characters than this is read as YAML.
const LARGE: usize = 400;

impl Request {
    /// The body as it is read: statements and small objects as they are sent, a large object as YAML.
    pub fn body_lines(&self) -> Vec<String> {
        let text = match &self.body {
            None => return Vec::new(),
            Some(Value::String(text)) => text.clone(),
            Some(body) => {
                let sent = body.to_string();
                // What YAML can't say is still JSON.
                if sent.len() > LARGE { serde_saphyr::to_string(body).unwrap_or(sent) } else { sent }
            }
        };
        text.lines().map(str::to_owned).collect()
    }
}

impl fmt::Display for Right {
    /// As RBAC's errors say it: `patch clusters.postgresql.cnpg.io/status in pg`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(sub) = &self.subresource {
            write!(f, "/{sub}")?;
        }
        if !self.namespace.is_empty() {
            write!(f, " in {}", self.namespace)?;
        }
        Ok(())
    }
}

impl Target {
    /// `/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters/orders/status`.
    pub fn path(&self) -> String {
        let mut path = self.collection();
        path.push('/');
        path.push_str(&self.object.name);
        if let Some(sub) = &self.subresource {
            path.push('/');
            path.push_str(sub);
        }
        path
    }

    /// The path of its list, where objects are made.
    pub fn collection(&self) -> String {
        let ObjectRef { api_version, namespace, .. } = &self.object;
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let within = if namespace.is_empty() { String::new() } else { format!("/namespaces/{namespace}") };
        format!("/{root}/{api_version}{within}/{}", self.plural)
    }

    fn group(&self) -> &str {
        self.object.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    fn right(&self, verb: &str, subresource: Option<&str>) -> Right {
        Right {
            verb: verb.into(),
            group: self.group().into(),
            resource: self.plural.clone(),
            subresource: subresource.map(str::to_owned),
            namespace: self.object.namespace.clone(),
            name: self.object.name.clone(),
        }
    }

    /// As kubectl addresses it: `clusters.postgresql.cnpg.io/orders -n pg`.
    fn for_kubectl(&self) -> String {
        let group = self.group();
        let dot = if group.is_empty() { "" } else { "." };
        let within = match self.object.namespace.as_str() {
            "" => String::new(),
            ns => format!(" -n {ns}"),
        };
        format!("{}{dot}{group} {}{within}", self.plural, self.object.name)
    }
}

impl Order {
    /// The request as it is sent, but for what a patch takes at the last moment: the resourceVersion of a locked one, and
    /// what it refreshes.
    pub fn request(&self) -> Request {
        let sent = |method: &str, path: String, content_type: &str, body: Value| Request {
            method: method.into(),
            path,
            content_type: Some(content_type.into()),
            body: Some(body),
        };
        let json = "application/json";
        match self {
            Order::Patch(p) => sent("PATCH", managed(p.target.path()), p.form.content_type(), p.body.clone()),
            Order::Create(c) => sent("POST", managed(c.target.collection()), json, c.body.clone()),
            Order::Delete(d) => sent("DELETE", d.target.path(), json, d.options()),
            Order::Evict(d) => {
                let body = json!({"apiVersion": "policy/v1", "kind": "Eviction",
                    "metadata": {"name": d.target.object.name, "namespace": d.target.object.namespace},
                    "deleteOptions": d.options()});
                sent("POST", format!("{}/eviction", d.target.path()), json, body)
            }
            Order::Heartbeat(h) => h.request_begin(),
            Order::Count(h) => h.request_count(),
            Order::Sweep(h) => h.request_sweep(),
            Order::Trial(t) => t.request(&Answers::new()),
        }
    }

    /// The request as it is sent, given what earlier steps of its run answered.
    pub fn request_after(&self, answers: &Answers) -> Request {
        match self {
            Order::Trial(t) => t.request(answers),
            order => order.request(),
        }
    }

    /// The line that does the same by hand: kubectl or SQL. Secrets are never part of it.
    pub fn by_hand(&self) -> String {
        match self {
            Order::Patch(p) => {
                let sub = p.target.subresource.as_ref().map(|s| format!(" --subresource={s}")).unwrap_or_default();
                let body = p.body.to_string().replace('\'', r"'\''");
                format!("kubectl patch {}{sub} --type={} -p '{body}'", p.target.for_kubectl(), p.form.word())
            }
            Order::Create(c) => {
                let body = c.body.to_string().replace('\'', r"'\''");
                format!("kubectl create -f - <<<'{body}'")
            }
            Order::Delete(d) => {
                let grace = d.grace.map(|g| format!(" --grace-period={g}")).unwrap_or_default();
                format!("kubectl delete {}{grace}", d.target.for_kubectl())
            }
            Order::Evict(d) => format!(
                "kubectl create --raw {}/eviction -f - <<<'{}'",
                d.target.path(),
                self.request().body.unwrap_or_default()
            ),
            Order::Trial(t) => t.by_hand(),
            Order::Heartbeat(_) | Order::Count(_) | Order::Sweep(_) => match self.request().body {
                Some(Value::String(sql)) => sql,
                _ => String::new(),
            },
        }
    }

    /// The same beside its body: a large object is not said twice.
    pub fn by_hand_beside(&self) -> String {
        let whole = self.by_hand();
        match whole.split_once(" <<<") {
            Some((line, object)) if object.len() > LARGE => format!("{line}   (with the object above)"),
            _ => whole,
        }
    }

    /// The rights it needs of Kubernetes. SQL needs what the sampling needs, which is known already.
    pub fn rights(&self) -> Vec<Right> {
        match self {
            Order::Patch(p) => {
                vec![p.target.right("get", None), p.target.right("patch", p.target.subresource.as_deref())]
            }
            Order::Create(c) => vec![Right { name: String::new(), ..c.target.right("create", None) }],
            Order::Delete(d) => vec![d.target.right("delete", None)],
            Order::Evict(d) => vec![d.target.right("create", Some("eviction"))],
            Order::Trial(t) => t.rights(),
            Order::Heartbeat(_) | Order::Count(_) | Order::Sweep(_) => Vec::new(),
        }
    }

    /// It changes Kubernetes' objects, not only a drill's own table and its own scratch cluster.
    pub fn changes_cluster(&self) -> bool {
        match self {
            Order::Heartbeat(_) | Order::Count(_) | Order::Sweep(_) => false,
            Order::Trial(t) => t.makes(),
            _ => true,
        }
    }

    /// It changes nothing: left in the middle, nothing is unknown.
    pub fn only_waits(&self) -> bool {
        matches!(self, Order::Trial(t) if t.only_waits())
    }

    /// Performing it again changes nothing more, whatever became of the first time.
    pub fn harmless_again(&self) -> bool {
        match self {
            // The uid: what was meant is gone, or goes.
            Order::Delete(_) | Order::Evict(_) => true,
            // The name: it is there already.
            Order::Create(_) => true,
            Order::Heartbeat(_) | Order::Count(_) | Order::Sweep(_) | Order::Trial(_) => true,
            Order::Patch(p) => !p.mark.is_empty(),
        }
    }
}

/// Says who writes: the API server notes it at every field that is set.
fn managed(path: String) -> String {
    format!("{path}?fieldManager=howdah")
}

impl Delete {
    fn options(&self) -> Value {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        if !self.uid.is_empty() {
            options["preconditions"] = json!({"uid": self.uid});
        }
        if self.target.plural == "jobs" {
            // Else its pods would be left behind: the default of `batch/v1` orphans them.
            options["propagationPolicy"] = "Background".into();
        }
        if let Some(grace) = self.grace {
            options["gracePeriodSeconds"] = grace.into();
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(subresource: Option<&str>) -> Target {
        Target {
            object: ObjectRef {
                context: "aks".into(),
                api_version: "postgresql.cnpg.io/v1".into(),
                kind: "Cluster".into(),
                namespace: "pg".into(),
                name: "orders".into(),
            },
            plural: "clusters".into(),
            subresource: subresource.map(str::to_owned),
        }
    }

    #[test]
    fn a_promotion_is_a_patch_of_the_status() {
        let order = Order::Patch(Patch {
            target: cluster(Some("status")),
            form: Form::Merge,
            body: json!({"status": {"targetPrimary": "orders-2"}}),
            refresh: Vec::new(),
            lock: true,
            mark: vec![("/status/targetPrimary".into(), "orders-2".into())],
        });
        let request = order.request();
        assert_eq!(request.method, "PATCH");
        assert_eq!(
            request.path,
            "/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters/orders/status?fieldManager=howdah"
        );
        assert_eq!(
            order.by_hand(),
            "kubectl patch clusters.postgresql.cnpg.io orders -n pg --subresource=status --type=merge \
             -p '{\"status\":{\"targetPrimary\":\"orders-2\"}}'"
        );
        let rights = order.rights();
        assert_eq!(rights[1].subresource.as_deref(), Some("status"));
        assert_eq!((rights[1].verb.as_str(), rights[1].group.as_str()), ("patch", "postgresql.cnpg.io"));
    }

    #[test]
    fn a_large_object_is_read_as_yaml_and_said_once() {
        let create = |size: usize| {
            let body = json!({"kind": "Cluster", "spec": {"words": vec!["a word"; size]}});
            Order::Create(Create { target: cluster(None), body })
        };
        assert_eq!(create(1).request().body_lines(), [r#"{"kind":"Cluster","spec":{"words":["a word"]}}"#]);
        assert_eq!(create(1).by_hand_beside(), create(1).by_hand());
        let lines = create(100).request().body_lines();
        assert_eq!((lines[0].as_str(), lines[1].as_str(), lines.len()), ("kind: Cluster", "spec:", 103));
        assert_eq!(create(100).by_hand_beside(), "kubectl create -f -   (with the object above)");
        assert!(create(100).by_hand().contains("a word"));
    }

    #[test]
    fn a_pod_is_deleted_by_its_identity() {
        let object = ObjectRef { api_version: "v1".into(), kind: "Pod".into(), ..cluster(None).object };
        let target = Target { object, plural: "pods".into(), subresource: None };
        let delete = Delete { target, uid: "u-1".into(), grace: Some(1) };
        let request = Order::Delete(delete.clone()).request();
        assert_eq!(request.path, "/api/v1/namespaces/pg/pods/orders");
        assert_eq!(request.body.unwrap()["preconditions"]["uid"], "u-1");
        let evict = Order::Evict(delete).request();
        assert_eq!(
            (evict.method.as_str(), evict.path.as_str()),
            ("POST", "/api/v1/namespaces/pg/pods/orders/eviction")
        );
        assert_eq!(evict.body.unwrap()["deleteOptions"]["gracePeriodSeconds"], 1);
    }
}
