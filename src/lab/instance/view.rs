//! What an instance manager reads from its Cluster object: only the fields it acts on, all of them optional.

use serde_json::Value;

/// Marks a failover whose target is not chosen yet, in `status.targetPrimary`.
pub const PENDING: &str = "pending";

/// How many standbys must have a commit, and which ones may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synchronous {
    /// `ANY` or `FIRST`.
    pub method: &'static str,
    /// How many.
    pub number: u64,
    /// Whether commits wait when there are not enough standbys (`dataDurability: required`).
    pub required: bool,
    /// At most that many names from the cluster.
    pub most: Option<usize>,
    /// Names put before the cluster's own.
    pub before: Vec<String>,
    /// Names put after them.
    pub after: Vec<String>,
}

/// The Cluster, as one of its instances sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Who leads (`status.currentPrimary`).
    pub current: Option<String>,
    /// Who should lead (`status.targetPrimary`), `pending` included.
    pub target: Option<String>,
    /// All instances that have a volume (`status.instanceNames`).
    pub instances: Vec<String>,
    /// Those of them that are healthy (`status.instancesStatus.healthy`).
    pub healthy: Vec<String>,
    /// What the annotation `cnpg.io/fencedInstances` names.
    pub(super) fenced: Vec<String>,
    /// `status.phase`.
    pub phase: String,
    /// `spec.postgresql.parameters`.
    pub parameters: Vec<(String, String)>,
    /// `spec.postgresql.pg_hba`.
    pub hba: Vec<String>,
    /// What commits wait for.
    pub synchronous: Option<Synchronous>,
    /// Whether the primary keeps a slot for each standby, and their prefix.
    pub slot_prefix: Option<String>,
    /// Seconds between two synchronizations of slots to the standbys.
    pub slot_interval: u64,
    /// Seconds a deleted instance waits for its clients to leave (`spec.smartShutdownTimeout`).
    pub smart_shutdown: u64,
    /// Seconds a deleted instance may take in all (`spec.stopDelay`).
    pub stop_delay: u64,
    /// Whether WAL goes to an object store.
    pub archives: bool,
    /// Its name in the object store.
    pub server_name: String,
    /// `status.firstRecoverabilityPoint`, `lastSuccessfulBackup`, `lastFailedBackup`.
    pub backups: [Option<String>; 3],
    /// `status.topology.nodesUsed`.
    pub nodes_used: Option<i64>,
    /// Primary lease: duration, renewal deadline and retry period in seconds.
    pub lease: Lease,
}

/// `spec.primaryLease`, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// How long a holder that is silent keeps it.
    pub duration: u64,
    /// How often it is renewed or asked for.
    pub retry: u64,
}

impl Default for Lease {
    fn default() -> Self {
        Lease { duration: 15, retry: 2 }
    }
}

fn text(at: &Value) -> Option<String> {
    at.as_str().filter(|s| !s.is_empty()).map(str::to_owned)
}

fn texts(at: &Value) -> Vec<String> {
    at.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

impl View {
    /// Reads a Cluster object.
    pub fn of(cluster: &Value) -> Self {
        let (meta, spec, status) = (&cluster["metadata"], &cluster["spec"], &cluster["status"]);
        let parameters = spec["postgresql"]["parameters"].as_object();
        let slots = &spec["replicationSlots"];
        let fenced = meta["annotations"]["cnpg.io/fencedInstances"].as_str().unwrap_or("[]");
        View {
            name: text(&meta["name"]).unwrap_or_default(),
            namespace: text(&meta["namespace"]).unwrap_or_default(),
            current: text(&status["currentPrimary"]),
            target: text(&status["targetPrimary"]),
            instances: texts(&status["instanceNames"]),
            healthy: texts(&status["instancesStatus"]["healthy"]),
            fenced: serde_json::from_str(fenced).unwrap_or_default(),
            phase: text(&status["phase"]).unwrap_or_default(),
            parameters: parameters
                .into_iter()
                .flatten()
                .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
                .collect(),
            hba: texts(&spec["postgresql"]["pg_hba"]),
            synchronous: synchronous(spec),
            slot_prefix: (slots["highAvailability"]["enabled"] != Value::Bool(false))
                .then(|| text(&slots["highAvailability"]["slotPrefix"]).unwrap_or_else(|| "_cnpg_".to_owned())),
            slot_interval: slots["updateInterval"].as_u64().unwrap_or(30),
            smart_shutdown: spec["smartShutdownTimeout"].as_u64().unwrap_or(180),
            stop_delay: spec["stopDelay"].as_u64().unwrap_or(1800),
            archives: spec["backup"]["barmanObjectStore"].is_object() || has_archiver(spec),
            server_name: super::server_name(cluster),
            backups: ["firstRecoverabilityPoint", "lastSuccessfulBackup", "lastFailedBackup"].map(|k| text(&status[k])),
            nodes_used: status["topology"]["nodesUsed"].as_i64(),
            lease: Lease {
                duration: spec["primaryLease"]["leaseDurationSeconds"].as_u64().unwrap_or(15),
                retry: spec["primaryLease"]["retryPeriodSeconds"].as_u64().unwrap_or(2),
            },
        }
    }

    /// Whether this instance must not run PostgreSQL.
    pub fn is_fenced(&self, instance: &str) -> bool {
        self.fenced.iter().any(|name| name == "*" || name == instance)
    }

    /// The HA slot of an instance: prefix and name, with everything that a slot's name can't have as underscores.
    pub fn slot_of(&self, instance: &str) -> Option<String> {
        let clean = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' };
        self.slot_prefix.as_ref().map(|prefix| format!("{prefix}{}", instance.chars().map(clean).collect::<String>()))
    }

    /// Who may answer for a commit, in the order of `synchronous_standby_names`.
    ///
    /// With `required`, every instance of the cluster may, whether it is up or not; with `preferred` (and the older
    /// `minSyncReplicas`) only healthy ones count, so that commits never wait for nobody.
    pub fn standbys(&self) -> Vec<String> {
        let Some(sync) = &self.synchronous else { return Vec::new() };
        let primary = self.current.as_ref();
        let mut names: Vec<String> = self.healthy.iter().filter(|n| Some(*n) != primary).cloned().collect();
        names.sort_unstable();
        if !sync.required {
            names.truncate(sync.most.unwrap_or(usize::MAX));
            return names;
        }
        let mut rest = self.instances.clone();
        rest.retain(|name| !names.contains(name) && Some(name) != primary);
        rest.sort_unstable();
        names.extend(rest);
        names.extend(primary.filter(|p| self.healthy.contains(p)).cloned());
        names.truncate(sync.most.unwrap_or(usize::MAX));
        let mut all = sync.before.clone();
        all.extend(names);
        all.extend(sync.after.iter().cloned());
        if all.is_empty() {
            // An empty list would mean that nothing is required at all.
            all.push(format!("{}-placeholder", self.name));
        }
        all
    }

    /// What `synchronous_standby_names` has to be on the primary now.
    pub fn standby_names(&self) -> String {
        let Some(sync) = &self.synchronous else { return String::new() };
        let names = self.standbys();
        let number = if sync.required { sync.number } else { sync.number.min(names.len() as u64) };
        if names.is_empty() || number == 0 {
            return String::new();
        }
        let quoted: Vec<String> = names.iter().map(|n| format!("\"{}\"", n.replace('"', "\"\""))).collect();
        format!("{} {number} ({})", sync.method, quoted.join(","))
    }
}

/// Whether a plugin archives WAL.
fn has_archiver(spec: &Value) -> bool {
    let plugins = spec["plugins"].as_array();
    plugins.into_iter().flatten().any(|p| p["isWALArchiver"] == Value::Bool(true) && p["enabled"] != Value::Bool(false))
}

fn synchronous(spec: &Value) -> Option<Synchronous> {
    let new = &spec["postgresql"]["synchronous"];
    if new.is_object() {
        let method =
            if new["method"].as_str().is_some_and(|m| m.eq_ignore_ascii_case("first")) { "FIRST" } else { "ANY" };
        return Some(Synchronous {
            method,
            number: new["number"].as_u64().unwrap_or(1),
            required: new["dataDurability"].as_str() != Some("preferred"),
            most: new["maxStandbyNamesFromCluster"].as_u64().and_then(|n| usize::try_from(n).ok()),
            before: texts(&new["standbyNamesPre"]),
            after: texts(&new["standbyNamesPost"]),
        });
    }
    let most = spec["maxSyncReplicas"].as_u64().unwrap_or(0);
    (most > 0).then(|| Synchronous {
        method: "ANY",
        number: most,
        required: false,
        most: None,
        before: Vec::new(),
        after: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view(postgresql: Value, healthy: &[&str]) -> View {
        View::of(&json!({
            "metadata": {"name": "demo", "namespace": "pg"},
            "spec": {"postgresql": postgresql},
            "status": {"currentPrimary": "demo-1", "instanceNames": ["demo-1", "demo-2", "demo-3"],
                       "instancesStatus": {"healthy": healthy}},
        }))
    }

    #[test]
    fn required_names_everybody_the_ready_first_and_the_primary_last() {
        let required = json!({"synchronous": {"method": "any", "number": 1}});
        let one_down = view(required.clone(), &["demo-1", "demo-3"]);
        assert_eq!(one_down.standby_names(), r#"ANY 1 ("demo-3","demo-2","demo-1")"#);
        let all_down = view(required, &[]);
        assert_eq!(all_down.standby_names(), r#"ANY 1 ("demo-2","demo-3")"#);
    }

    #[test]
    fn required_never_becomes_an_empty_list() {
        let mut alone = view(json!({"synchronous": {"method": "first", "number": 1}}), &[]);
        alone.instances = vec!["demo-1".to_owned()];
        assert_eq!(alone.standby_names(), r#"FIRST 1 ("demo-placeholder")"#);
    }

    #[test]
    fn preferred_asks_only_for_those_that_are_there() {
        let preferred = json!({"synchronous": {"method": "any", "number": 2, "dataDurability": "preferred"}});
        assert_eq!(view(preferred.clone(), &["demo-1", "demo-2"]).standby_names(), r#"ANY 1 ("demo-2")"#);
        assert_eq!(view(preferred, &["demo-1"]).standby_names(), "");
    }

    #[test]
    fn the_older_form_is_read_too() {
        let old = View::of(&json!({"spec": {"minSyncReplicas": 1, "maxSyncReplicas": 1},
            "status": {"currentPrimary": "demo-1", "instancesStatus": {"healthy": ["demo-1", "demo-2", "demo-3"]}}}));
        assert_eq!(old.standby_names(), r#"ANY 1 ("demo-2","demo-3")"#);
    }

    #[test]
    fn fenced_by_name_or_all() {
        let fenced = |list: &str| View::of(&json!({"metadata": {"annotations": {"cnpg.io/fencedInstances": list}}}));
        assert!(fenced(r#"["demo-2"]"#).is_fenced("demo-2"));
        assert!(!fenced(r#"["demo-2"]"#).is_fenced("demo-1"));
        assert!(fenced(r#"["*"]"#).is_fenced("demo-1"));
        assert!(!fenced("nonsense").is_fenced("demo-1"));
    }

    #[test]
    fn slots_are_named_after_instances() {
        let view = view(json!({}), &[]);
        assert_eq!(view.slot_of("pg-primary-2").as_deref(), Some("_cnpg_pg_primary_2"));
    }
}
