//! Watches the lab through kubectl and writes down how the key fields of each object change, in the one order that the
//! resource versions give.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::support::watches::Watches;
use crate::support::world::Kubectl;

const NS: &str = "cnpg-database";

/// One change of one key field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Change {
    /// `Cluster`, `Pod`, …
    pub kind: String,
    /// The object, under its name in the story.
    pub object: String,
    /// `phase=Running`, `added`, …
    pub what: String,
}

impl Change {
    /// The field without its value.
    pub fn field(&self) -> &str {
        self.what.split('=').next().unwrap_or_default()
    }
}

/// A change, and when it arrived: milliseconds since the watches began; 0 what was there already.
pub type Timed = (i64, Change);

/// Running watches.
pub struct Recorder {
    watches: Watches,
}

impl Recorder {
    /// Watches everything a story is told by.
    pub fn start(kubectl: &Kubectl) -> Recorder {
        let paths = [
            format!("/apis/postgresql.cnpg.io/v1/namespaces/{NS}/clusters"),
            format!("/api/v1/namespaces/{NS}/pods"),
            format!("/apis/coordination.k8s.io/v1/namespaces/{NS}/leases"),
            format!("/apis/discovery.k8s.io/v1/namespaces/{NS}/endpointslices"),
            format!("/apis/batch/v1/namespaces/{NS}/jobs"),
            format!("/api/v1/namespaces/{NS}/persistentvolumeclaims"),
            format!("/api/v1/namespaces/{NS}/events"),
        ];
        Recorder { watches: Watches::begin(kubectl, &paths) }
    }

    /// Every watch has told what was there when it began: what comes from now on is news.
    pub fn caught_up(&self) -> bool {
        self.watches.caught_up()
    }

    /// The newest resource version seen.
    pub fn now(&self) -> u64 {
        self.watches.now()
    }

    /// Ends the watches and tells the changes after `since`, with the objects' names replaced.
    pub fn changes(self, since: u64, names: &[(&str, &str)]) -> Vec<Timed> {
        let seen = self.watches.end();
        let mut story =
            Story { names: names.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect(), ..Story::default() };
        seen.into_iter()
            .flat_map(|(version, (at, event))| {
                let changes = story.take(&event);
                let told = if version > since { changes } else { Vec::new() };
                told.into_iter().map(move |change| (at, change))
            })
            .collect()
    }
}

/// Turns objects into changes.
#[derive(Default)]
struct Story {
    names: HashMap<String, String>,
    /// The pods of each Job, in the order in which they came.
    tries: HashMap<String, Vec<String>>,
    known: HashMap<(String, String), BTreeMap<String, String>>,
}

impl Story {
    fn take(&mut self, event: &Value) -> Vec<Change> {
        let object = &event["object"];
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = self.name(&kind, object);
        let change = |what: String| Change { kind: kind.clone(), object: name.clone(), what };
        if kind == "Event" {
            let about = object["involvedObject"]["kind"] == "Cluster";
            let reason = object["reason"].as_str().unwrap_or_default();
            let told = about && !["DisruptionBudget", "CreatingS", "CreatingR"].iter().any(|w| reason.contains(w));
            return if told {
                vec![Change { kind, object: reason.to_owned(), what: String::new() }]
            } else {
                Vec::new()
            };
        }
        let key = (kind.clone(), name.clone());
        if event["type"] == "DELETED" {
            self.known.remove(&key);
            return vec![change("deleted".into())];
        }
        let fresh = self.fields(&kind, object);
        let mut told = Vec::new();
        if !self.known.contains_key(&key) && event["type"] == "ADDED" && kind != "EndpointSlice" {
            told.push(change("added".into()));
        }
        let before = self.known.insert(key, fresh.clone()).unwrap_or_default();
        for (field, value) in &fresh {
            if before.get(field) != Some(value)
                && !matches!((field.as_str(), value.as_str()), ("restarts", "0") | ("started", "False"))
            {
                told.push(change(format!("{field}={value}")));
            }
        }
        for field in before.keys().filter(|f| !fresh.contains_key(*f)) {
            told.push(change(format!("{field}=none")));
        }
        told
    }

    fn name(&mut self, kind: &str, object: &Value) -> String {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if kind == "EndpointSlice" {
            let service = object["metadata"]["labels"]["kubernetes.io/service-name"].as_str().unwrap_or(name);
            return service.strip_prefix("pg-primary-").unwrap_or(service).to_owned();
        }
        for job in ["initdb", "full-recovery", "join"] {
            if let Some((instance, _)) = name.split_once(&format!("-{job}")) {
                let pod = if kind == "Pod" { self.pod_of(&format!("{instance}-{job}"), name) } else { String::new() };
                return format!("{}-{job}{pod}", self.names.get(instance).map_or(instance, String::as_str));
            }
        }
        self.known_as(name)
    }

    /// `-pod`, `-pod-2`, …: the pods of a Job by their order, since their names end at random.
    fn pod_of(&mut self, job: &str, name: &str) -> String {
        let tries = self.tries.entry(job.to_owned()).or_default();
        let at = tries.iter().position(|known| known == name).unwrap_or_else(|| {
            tries.push(name.to_owned());
            tries.len() - 1
        });
        if at == 0 { "-pod".to_owned() } else { format!("-pod-{}", at + 1) }
    }

    fn known_as(&self, name: &str) -> String {
        self.names.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn fields(&self, kind: &str, object: &Value) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let (meta, status) = (&object["metadata"], &object["status"]);
        let mut put = |field: &str, value: &Value, name: bool| {
            let text = match value {
                Value::String(s) => s.clone(),
                Value::Null => return,
                other => other.to_string(),
            };
            let text = if text.is_empty() { "none".to_owned() } else { text };
            out.insert(field.to_owned(), if name { self.known_as(&text) } else { text });
        };
        match kind {
            "Cluster" => {
                put("phase", &status["phase"], false);
                put("current", &status["currentPrimary"], true);
                put("target", &status["targetPrimary"], true);
                put("tl", &status["timelineID"], false);
                put("ready", &status["readyInstances"], false);
                put("fenced", &meta["annotations"]["cnpg.io/fencedInstances"], false);
                put("hibernation", &meta["annotations"]["cnpg.io/hibernation"], false);
                if let Some(c) = condition(status, "cnpg.io/hibernation") {
                    let text = format!("{}/{}", c["status"].as_str().unwrap(), c["reason"].as_str().unwrap());
                    put("cond:cnpg.io/hibernation", &Value::String(text), false);
                }
            }
            "Lease" => put("holder", &object["spec"]["holderIdentity"], true),
            "Job" => {
                put("active", &status["active"], false);
                put("succeeded", &status["succeeded"], false);
                put("failed", &status["failed"], false);
            }
            "PersistentVolumeClaim" => put("pvcStatus", &meta["annotations"]["cnpg.io/pvcStatus"], false),
            "Pod" => {
                put("phase", &status["phase"], false);
                put("role", &meta["labels"]["cnpg.io/instanceRole"], false);
                put("Ready", &condition(status, "Ready").map_or(Value::Null, |c| c["status"].clone()), false);
                if meta["deletionTimestamp"].is_string() {
                    put("deleting", &Value::String("True".into()), false);
                }
                let container = &status["containerStatuses"][0];
                put("restarts", &container["restartCount"], false);
                if let Some(started) = container["started"].as_bool() {
                    put("started", &Value::String(if started { "True" } else { "False" }.into()), false);
                }
            }
            "EndpointSlice" => {
                for end in object["endpoints"].as_array().into_iter().flatten() {
                    let who = self.known_as(end["targetRef"]["name"].as_str().unwrap_or_default());
                    let ready = if end["conditions"]["ready"] == true { "R" } else { "-" };
                    let going = if end["conditions"]["terminating"] == true { "T" } else { "" };
                    put(&who, &Value::String(format!("{ready}{going}")), false);
                }
            }
            _ => {}
        }
        out
    }
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|c| c["type"] == kind)
}
