//! The new cluster's manifest: the source's, turned into one that begins with a recovery.
//!
//! What makes PostgreSQL what it is stays (image, volumes, tablespaces, resources, parameters, where its pods may run, by
//! which identity it reads the store); what must not be there twice goes: the way the source began, its archive, its
//! certificates and services. Fields nobody here knows stay too: the server's dry run is asked before anything is made.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::origin::{self, ORIGIN, Source, Via, text};
use crate::domain::backup::target::Plotted;
use crate::domain::quantity;
use crate::problem::Problem;
use crate::procedure::plan::{Finding, Weight};
use crate::text::clean;

/// Parts of the spec that are the source's alone.
const DROPPED: [&str; 7] =
    ["bootstrap", "externalClusters", "replica", "backup", "plugins", "certificates", "nodeMaintenanceWindow"];
/// The older way to ask for a failover quorum. It means the same in the new cluster.
const QUORUM: &str = "alpha.cnpg.io/failoverQuorum";

/// What is wanted of the new cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name, in the source's namespace.
    pub name: String,
    /// How the target is reached.
    pub plotted: Plotted,
    /// How many instances.
    pub instances: u32,
    /// The server's folder it archives to; `None`: it archives nothing.
    pub archive_as: Option<String>,
    /// The service account its pods run as, where it shall not be one of its own (CNPG 1.29).
    pub service_account: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// It is thrown away when it was looked at.
    pub scratch: Option<Scratch>,
}

/// A cluster to be looked at and thrown away: it has what a recovery needs and nothing that reaches out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scratch {
    /// The superuser has a password, in the secret `<name>-superuser`.
    pub superuser: bool,
}

/// The new cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The object, as it is sent.
    pub body: Value,
    /// What was changed and what is worth knowing of it.
    pub findings: Vec<Finding>,
}

impl Manifest {
    /// Writes it.
    ///
    /// # Errors
    /// The source's object tells of no archive.
    pub fn of(source: &Source, wanted: &Wanted) -> Result<Manifest, Problem> {
        let origin = source.origin()?;
        let mut findings = Vec::new();
        let mut spec: Map<String, Value> = source.cluster["spec"].as_object().cloned().unwrap_or_default();
        DROPPED.iter().for_each(|field| drop(spec.remove(*field)));
        spec.insert("instances".into(), wanted.instances.into());
        spec.insert("bootstrap".into(), json!({"recovery": recovery(source, wanted, &mut findings)}));
        spec.insert("externalClusters".into(), json!([origin.external()]));
        archive(source, wanted, &origin.via, &mut spec);
        image(source, wanted, &mut spec, &mut findings);
        alone(wanted.instances, &mut spec, &mut findings);
        belongings(source, wanted, &mut spec, &mut findings);
        volumes(wanted, &spec, &mut findings);
        let mut metadata = json!({"name": wanted.name, "namespace": source.namespace()});
        if !wanted.labels.is_empty() {
            metadata["labels"] = json!(wanted.labels);
        }
        let quorum = source.cluster["metadata"]["annotations"].get(QUORUM);
        if let Some(quorum) = quorum.filter(|_| spec.get("postgresql").is_some_and(|p| p.get("synchronous").is_some()))
        {
            metadata["annotations"] = json!({QUORUM: quorum});
        }
        let body =
            json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": metadata, "spec": spec});
        Ok(Manifest { body, findings })
    }

    /// It archives what it writes.
    pub fn archives(&self) -> bool {
        self.body["spec"]["backup"]["barmanObjectStore"].is_object() || origin::plugin(&self.body).is_some()
    }

    /// The service account that its pods run as.
    pub fn service_account(&self) -> &str {
        match text(&self.body, "/spec/serviceAccountName") {
            "" => text(&self.body, "/metadata/name"),
            name => name,
        }
    }
}

fn found(findings: &mut Vec<Finding>, about: &str, weight: Weight, text: impl Into<String>) {
    findings.push(Finding { about: about.into(), weight, text: clean(&text.into()) });
}

/// `spec.bootstrap.recovery`, with the application's database and owner, whose password the operator then sets.
fn recovery(source: &Source, wanted: &Wanted, findings: &mut Vec<Finding>) -> Value {
    let plotted = &wanted.plotted;
    let mut recovery = json!({
        "source": ORIGIN,
        "recoveryTarget": plotted.target.for_cnpg(&plotted.base.id, plotted.lead_to),
    });
    let ways = ["initdb", "recovery", "pg_basebackup"];
    let began = ways.iter().find_map(|way| source.cluster["spec"]["bootstrap"].get(*way)).unwrap_or(&Value::Null);
    let (database, owner) = (text(began, "/database"), text(began, "/owner"));
    if database.is_empty() || owner.is_empty() {
        return recovery;
    }
    recovery["database"] = database.into();
    recovery["owner"] = owner.into();
    match text(began, "/secret/name") {
        "" => {
            let text = format!("{owner} of database {database} gets a new password, in the secret {}-app", wanted.name);
            found(findings, "application", Weight::Good, text);
        }
        secret => {
            recovery["secret"] = began["secret"].clone();
            let text = format!("{owner} of database {database} keeps the password in the secret {secret}");
            found(findings, "application", Weight::Good, text);
        }
    }
    recovery
}

/// Where it archives to, if it does: the same store, in another server's folder. Other plugins stay, but for a scratch cluster.
fn archive(source: &Source, wanted: &Wanted, via: &Via, spec: &mut Map<String, Value>) {
    let plugins = source.cluster["spec"]["plugins"].as_array().into_iter().flatten();
    let stays =
        |p: &&Value| wanted.scratch.is_none() && text(p, "/name") != origin::BARMAN_CLOUD && p["isWALArchiver"] != true;
    let mut plugins: Vec<Value> = plugins.filter(stays).cloned().collect();
    if let Some(server) = &wanted.archive_as {
        match via {
            Via::Plugin(store) => plugins.push(json!({
                "name": origin::BARMAN_CLOUD, "isWALArchiver": true,
                "parameters": {"barmanObjectName": store, "serverName": server},
            })),
            Via::InTree => {
                let mut backup = source.cluster["spec"]["backup"].clone();
                backup["barmanObjectStore"]["serverName"] = server.as_str().into();
                spec.insert("backup".into(), backup);
            }
        }
    }
    if !plugins.is_empty() {
        spec.insert("plugins".into(), plugins.into());
    }
}

/// Another major version of PostgreSQL can't read the base backup. Without an image the operator would take its newest.
fn image(source: &Source, wanted: &Wanted, spec: &mut Map<String, Value>, findings: &mut Vec<Finding>) {
    let status = &source.cluster["status"];
    if !spec.contains_key("imageName") && !spec.contains_key("imageCatalogRef") {
        let running = text(status, "/image");
        if !running.is_empty() {
            spec.insert("imageName".into(), running.into());
        }
    }
    let runs = status["pgDataImageInfo"]["majorVersion"].as_u64().or_else(|| major(spec.get("imageName")?.as_str()?));
    let taken = wanted.plotted.base.version.map(|v| u64::from(v / 10_000));
    if let (Some(runs), Some(taken)) = (runs, taken)
        && runs != taken
    {
        let text = format!("the base backup is of PostgreSQL {taken}, the image is of {runs}, which can't read it");
        found(findings, "PostgreSQL", Weight::Blocks, text);
    }
}

/// The major version in an image's tag: `…/postgresql:17.4-bookworm`.
fn major(image: &str) -> Option<u64> {
    let tag = image.rsplit('/').next()?.split('@').next()?.split_once(':')?.1;
    tag.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// With fewer instances, what was promised of standbys may not be possible; the operator would refuse the cluster.
fn alone(instances: u32, spec: &mut Map<String, Value>, findings: &mut Vec<Finding>) {
    let instances = u64::from(instances);
    let about = "synchronous commit";
    let count = |v: &Value, field: &str| v[field].as_array().map_or(0, |names| names.len() as u64);
    if let Some(postgresql) = spec.get_mut("postgresql").and_then(Value::as_object_mut)
        && let Some(sync) = postgresql.get("synchronous")
    {
        let outside = count(sync, "standbyNamesPre") + count(sync, "standbyNamesPost");
        let number = sync["number"].as_u64().unwrap_or(1);
        if outside > 0 || number >= instances {
            postgresql.remove("synchronous");
            let text = match outside {
                0 => format!("commits wait for no standby: {number} would be needed, of {instances} instances"),
                _ => "commits wait for no standby: the source's rule names servers that follow the source".into(),
            };
            found(findings, about, Weight::Heed, text);
        }
    }
    let most = spec.get("maxSyncReplicas").and_then(Value::as_u64).unwrap_or(0);
    if most > 0 && most >= instances {
        ["minSyncReplicas", "maxSyncReplicas"].iter().for_each(|field| drop(spec.remove(*field)));
        found(findings, about, Weight::Heed, format!("commits wait for no standby, of {instances} instances"));
    }
    if instances == 1 && spec.get("primaryUpdateStrategy").is_some_and(|s| s == "supervised") {
        spec.remove("primaryUpdateStrategy");
    }
}

/// What belongs to the source by name, and what reaches out.
fn belongings(source: &Source, wanted: &Wanted, spec: &mut Map<String, Value>, findings: &mut Vec<Finding>) {
    if let Some(managed) = spec.get_mut("managed").and_then(Value::as_object_mut) {
        if managed.get("services").is_some_and(|s| s.get("additional").is_some()) {
            found(findings, "services", Weight::Heed, "its additional services are left out: their names are taken");
        }
        managed.remove("services");
        // Roles go along: their secrets are there, and a role without its password lets nobody in.
        if managed.is_empty() {
            spec.remove("managed");
        }
    }
    if source.cluster["spec"]["certificates"].is_object() {
        let text = "the source's own certificates are left out: they name the source. The operator makes new ones";
        found(findings, "certificates", Weight::Heed, text);
    }
    for field in ["topologySpreadConstraints", "affinity"] {
        if let Some(part) = spec.get_mut(field) {
            follow(part, source.name(), &wanted.name);
        }
    }
    if let Some(account) = &wanted.service_account {
        spec.remove("serviceAccountTemplate");
        spec.insert("serviceAccountName".into(), account.as_str().into());
    }
    if let Some(scratch) = wanted.scratch {
        ["managed", "superuserSecret", "monitoring"].iter().for_each(|field| drop(spec.remove(*field)));
        spec.insert("enableSuperuserAccess".into(), scratch.superuser.into());
    }
}

/// Rules for where pods may run that select the cluster's own pods select the new one's.
fn follow(part: &mut Value, from: &str, to: &str) {
    match part {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "cnpg.io/cluster" && text == from => to.clone_into(text),
                    value => follow(value, from, to),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| follow(value, from, to)),
        _ => {}
    }
}

/// The base backup must fit into the volumes, and its tablespaces must have some.
fn volumes(wanted: &Wanted, spec: &Map<String, Value>, findings: &mut Vec<Finding>) {
    let base = &wanted.plotted.base;
    let size = spec.get("storage").map(|s| text(s, "/size")).unwrap_or_default();
    if let (Some(volume), Some(data)) = (quantity::kubernetes(size), base.data) {
        let told = quantity::storage(data);
        // Recovery also keeps WAL there, where that has no volume of its own.
        match volume {
            v if v < data as f64 => {
                found(findings, "volume", Weight::Blocks, format!("{told} of data do not fit into a volume of {size}"));
            }
            v if v < data as f64 * 1.2 => {
                let text = format!("{told} of data leave less than a fifth of a volume of {size}");
                found(findings, "volume", Weight::Justify, text);
            }
            _ => found(findings, "volume", Weight::Good, format!("{told} of data, a volume of {size}")),
        }
    }
    let planned: Vec<&str> = spec
        .get("tablespaces")
        .and_then(Value::as_array)
        .map(|all| all.iter().map(|t| text(t, "/name")).collect())
        .unwrap_or_default();
    let missing: Vec<&str> =
        base.tablespaces.iter().map(String::as_str).filter(|name| !planned.contains(name)).collect();
    if !missing.is_empty() {
        let text =
            format!("the base backup has tablespaces that the cluster no longer declares: {}", missing.join(", "));
        found(findings, "tablespaces", Weight::Blocks, text);
    }
    let later: Vec<&str> =
        planned.into_iter().filter(|name| !base.tablespaces.iter().any(|known| known == name)).collect();
    if !later.is_empty() {
        let text = format!(
            "made after the base backup: {}. Replaying their creation fails; a later base backup has them",
            later.join(", ")
        );
        found(findings, "tablespaces", Weight::Justify, text);
    }
}
