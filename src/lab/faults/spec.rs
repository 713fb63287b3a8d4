//! What a fault's object asks for: read, completed, or refused with the field's name and the nearest right one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::domain::fault::{FINALIZER, FaultKind, Form, KINDS, LONGEST, Target, kind};
use crate::lab::api::error::Cause;
use crate::lab::api::resources::{CLUSTERS, FAULTS, NODES, PODS};
use crate::lab::api::{ApiError, Selector, Store};
use crate::lab::described::is_described;
use crate::lab::object::{is_deleting, label, list, name, namespace, text};
use crate::text::nearest;

const ZONE: &str = "topology.kubernetes.io/zone";
/// Fields of `spec` that are no parameters.
const COMMON: [&str; 5] = ["kind", "cluster", "instance", "zone", "seconds"];

/// What is to be done to what.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The kind.
    pub kind: &'static FaultKind,
    /// Where the object is, and the cluster with it.
    pub namespace: String,
    /// The cluster.
    pub cluster: String,
    /// Seconds until it ends by itself; 0: when it is deleted.
    pub seconds: u64,
    spec: Value,
}

impl Wish {
    /// Reads an object that was admitted.
    pub fn read(object: &Value) -> Option<Wish> {
        let kind = kind(text(object, "/spec/kind"))?;
        Some(Wish {
            kind,
            namespace: namespace(object).to_owned(),
            cluster: text(object, "/spec/cluster").to_owned(),
            seconds: object["spec"]["seconds"].as_u64().unwrap_or(kind.seconds),
            spec: object["spec"].clone(),
        })
    }

    /// The instance it is done to, or "".
    pub fn instance(&self) -> &str {
        text(&self.spec, "/instance")
    }

    /// The zone it is done to, or "".
    pub fn zone(&self) -> &str {
        text(&self.spec, "/zone")
    }

    /// The other end of a link, where it has one.
    pub fn to(&self) -> Option<&str> {
        Some(text(&self.spec, "/to")).filter(|to| !to.is_empty())
    }

    /// A parameter that is a number; 0 where the kind has none of that name.
    pub fn number(&self, name: &str) -> u64 {
        let form = self.kind.parameters.iter().find(|p| p.name == name).map(|p| p.form);
        match form {
            Some(Form::Number { default, .. }) => self.spec[name].as_u64().unwrap_or(default),
            _ => 0,
        }
    }

    /// A parameter that is a word.
    pub fn word(&self, name: &str) -> &str {
        let form = self.kind.parameters.iter().find(|p| p.name == name).map(|p| p.form);
        match (form, text(&self.spec, &format!("/{name}"))) {
            (Some(Form::Word(words)), "") => words.first().copied().unwrap_or_default(),
            (_, word) => word,
        }
    }

    /// What it is done to, in a few words.
    pub fn target(&self) -> String {
        match (self.kind.target, self.to()) {
            (Target::Zone, _) => self.zone().to_owned(),
            (Target::Cluster, _) => self.cluster.clone(),
            (Target::Api, _) => "api".to_owned(),
            (_, Some(to)) => format!("{} - {to}", self.instance()),
            _ => self.instance().to_owned(),
        }
    }
}

/// Looks at a fault's object that comes over the wire, as a webhook does: completes a new one, refuses what can't be.
///
/// # Errors
/// 422 that names the fields.
pub fn admit(store: &Store, before: Option<&Value>, after: &mut Value) -> Result<(), ApiError> {
    let mut checked = Check { store, causes: Vec::new() };
    match before {
        Some(before) if before["spec"] != after["spec"] => {
            let why = "a fault can't be changed; delete it and make another";
            checked.causes.push(Cause::value("spec", &after["spec"]["kind"], why));
        }
        Some(_) => {}
        None => checked.new_fault(after),
    }
    if checked.causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(&FAULTS, name(after), &checked.causes))
}

/// The cluster as far as faults go by it.
struct Cluster {
    name: String,
    primary: String,
    instances: Vec<String>,
}

struct Check<'a> {
    store: &'a Store,
    causes: Vec<Cause>,
}

impl Check<'_> {
    fn refuse(&mut self, field: &str, value: &str, why: String) {
        self.causes.push(Cause::value(format!("spec.{field}"), &json!(value), why));
    }

    fn new_fault(&mut self, fault: &mut Value) {
        let Some(kind) = self.kind(&fault["spec"]) else { return };
        let ns = namespace(fault).to_owned();
        let Some(cluster) = self.cluster(&ns, &fault["spec"]) else { return };
        fault["spec"]["cluster"] = json!(cluster.name);
        self.instance(kind, &cluster, &mut fault["spec"]);
        self.zone(kind, &ns, &cluster, &mut fault["spec"]);
        self.parameters(kind, &cluster, &mut fault["spec"]);
        if self.causes.is_empty() {
            self.no_other(kind, fault);
        }
        let finalizers = &mut fault["metadata"]["finalizers"];
        if !finalizers.is_array() {
            *finalizers = json!([]);
        }
        if let Some(list) = finalizers.as_array_mut()
            && !list.iter().any(|f| f == FINALIZER)
        {
            list.push(json!(FINALIZER));
        }
    }

    fn kind(&mut self, spec: &Value) -> Option<&'static FaultKind> {
        let named = text(spec, "/kind");
        let found = kind(named);
        if found.is_none() {
            let names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
            let why = format!("there is no such kind; {}", hint(named, &names));
            self.refuse("kind", named, why);
        }
        found
    }

    fn cluster(&mut self, ns: &str, spec: &Value) -> Option<Cluster> {
        let everything = self.store.list(&CLUSTERS, None, &Selector::everything()).items;
        let real: Vec<_> = everything.into_iter().filter(|c| !is_described(c)).collect();
        let here: Vec<_> = real.iter().filter(|c| namespace(c) == ns).collect();
        let names: Vec<&str> = here.iter().map(|c| name(c)).collect();
        let wanted = text(spec, "/cluster");
        let found = match (wanted, here.as_slice()) {
            ("", [only]) => Some(only),
            ("", _) => None,
            (wanted, all) => all.iter().find(|c| name(c) == wanted),
        };
        let Some(cluster) = found else {
            let why = match (wanted, names.as_slice()) {
                (_, []) => {
                    let places: BTreeSet<&str> = real.iter().map(|c| namespace(c)).collect();
                    let places: Vec<&str> = places.into_iter().collect();
                    format!("namespace {ns} has no cluster; there is one in {}", places.join(", "))
                }
                ("", names) => format!("say which: {}", names.join(", ")),
                (wanted, names) => format!("there is no such cluster; {}", hint(wanted, names)),
            };
            self.refuse("cluster", wanted, why);
            return None;
        };
        let instances = list(cluster, "/status/instanceNames").iter().filter_map(Value::as_str).map(str::to_owned);
        Some(Cluster {
            name: name(cluster).to_owned(),
            primary: text(cluster, "/status/currentPrimary").to_owned(),
            instances: instances.collect(),
        })
    }

    fn instance(&mut self, kind: &FaultKind, cluster: &Cluster, spec: &mut Value) {
        let named = text(spec, "/instance").to_owned();
        let wants = matches!(kind.target, Target::Primary | Target::Standby | Target::Instance);
        match (named.as_str(), wants) {
            ("", false) => return,
            (named, false) => {
                let why = format!("{} is done to {}, not to an instance", kind.name, kind.target.words());
                return self.refuse("instance", named, why);
            }
            _ => {}
        }
        let primary = cluster.primary.as_str();
        if named.is_empty() {
            let standby = cluster.instances.iter().map(String::as_str).find(|i| *i != primary).unwrap_or_default();
            let chosen = if kind.target == Target::Standby { standby } else { primary };
            if chosen.is_empty() {
                return self.refuse("instance", "", format!("{} has no such instance now", cluster.name));
            }
            spec["instance"] = json!(chosen);
            return;
        }
        self.is_instance("instance", cluster, &named);
        match kind.target {
            Target::Primary if named != primary => {
                self.refuse("instance", &named, format!("it is not the primary; {primary} is"));
            }
            Target::Standby if named == primary => {
                let others: Vec<&str> =
                    cluster.instances.iter().map(String::as_str).filter(|i| *i != primary).collect();
                self.refuse("instance", &named, format!("it is the primary; standbys are {}", others.join(", ")));
            }
            _ => {}
        }
    }

    fn is_instance(&mut self, field: &str, cluster: &Cluster, named: &str) {
        if !cluster.instances.iter().any(|i| i == named) {
            let names: Vec<&str> = cluster.instances.iter().map(String::as_str).collect();
            let why = format!("{} has no such instance; {}", cluster.name, hint(named, &names));
            self.refuse(field, named, why);
        }
    }

    fn zone(&mut self, kind: &FaultKind, ns: &str, cluster: &Cluster, spec: &mut Value) {
        let named = text(spec, "/zone").to_owned();
        if kind.target != Target::Zone {
            if !named.is_empty() {
                let why = format!("{} is done to {}, not to a zone", kind.name, kind.target.words());
                self.refuse("zone", &named, why);
            }
            return;
        }
        let nodes = self.store.list(&NODES, None, &Selector::everything()).items;
        let zones: BTreeSet<&str> =
            nodes.iter().filter(|n| !is_described(n)).filter_map(|node| label(node, ZONE)).collect();
        if named.is_empty() {
            let pod = self.store.get(&PODS, ns, &cluster.primary);
            let node = pod.and_then(|pod| self.store.get(&NODES, "", text(&pod, "/spec/nodeName")));
            match node.as_deref().and_then(|node| label(node, ZONE)) {
                Some(zone) => spec["zone"] = json!(zone),
                None => self.refuse("zone", "", "the primary is in no zone now".to_owned()),
            }
        } else if !zones.contains(named.as_str()) {
            let zones: Vec<&str> = zones.into_iter().collect();
            let why = format!("there is no such zone; {}", hint(&named, &zones));
            self.refuse("zone", &named, why);
        }
    }

    fn parameters(&mut self, kind: &FaultKind, cluster: &Cluster, spec: &mut Value) {
        let given: Vec<String> = spec.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
        let known: Vec<&str> = kind.parameters.iter().map(|p| p.name).collect();
        for field in given.iter().filter(|f| !COMMON.contains(&f.as_str()) && !known.contains(&f.as_str())) {
            let takes = if known.is_empty() { "nothing but its target".to_owned() } else { known.join(", ") };
            let message = format!("Forbidden: {} does not take it; it takes {takes}", kind.name);
            self.causes.push(Cause { reason: "FieldValueForbidden", message, field: format!("spec.{field}") });
        }
        for parameter in kind.parameters {
            self.parameter(parameter.name, parameter.form, cluster, spec);
        }
        let least = u64::from(kind.seconds > 0);
        self.bounded("seconds", least, LONGEST, spec);
        if spec["seconds"].is_null() && kind.seconds > 0 {
            spec["seconds"] = json!(kind.seconds);
        }
    }

    fn parameter(&mut self, field: &str, form: Form, cluster: &Cluster, spec: &mut Value) {
        let word = text(spec, &format!("/{field}")).to_owned();
        match form {
            Form::Number { least, most, .. } => self.bounded(field, least, most, spec),
            Form::Word(words) if !word.is_empty() && !words.contains(&word.as_str()) => {
                self.refuse(field, &word, format!("one of {}", words.join(", ")));
            }
            Form::Instance if !word.is_empty() && word == text(spec, "/instance") => {
                self.refuse(field, &word, "it is the instance itself".to_owned());
            }
            Form::Instance if !word.is_empty() => self.is_instance(field, cluster, &word),
            _ => {}
        }
    }

    fn bounded(&mut self, field: &str, least: u64, most: u64, spec: &Value) {
        let value = &spec[field];
        if !value.is_null() && !value.as_u64().is_some_and(|n| (least..=most).contains(&n)) {
            let why = format!("it must be between {least} and {most}");
            self.causes.push(Cause::value(format!("spec.{field}"), value, why));
        }
    }

    /// Two of one place on one target would undo each other.
    fn no_other(&mut self, kind: &FaultKind, fault: &Value) {
        let Some(wish) = Wish::read(fault) else { return };
        let others = self.store.list(&FAULTS, Some(namespace(fault)), &Selector::everything()).items;
        let same = |other: &Value| {
            let other = Wish::read(other);
            other.is_some_and(|o| o.kind.place == kind.place && o.target() == wish.target())
        };
        if let Some(other) = others.iter().find(|other| !is_deleting(other) && same(other)) {
            let why = format!("fault {} stands in its place; stop that one first", name(other));
            self.refuse("kind", kind.name, why);
        }
    }
}

/// The nearest name, or all of them.
fn hint(typed: &str, names: &[&str]) -> String {
    match nearest(typed, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
