//! A lab, what is recovered from its cluster, and what is left of that.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::site::{CLUSTER, NS, Site};
use crate::support::until;
use crate::support::world::PATIENCE;

/// Everything that can belong to a cluster.
const KINDS: &str = "clusters,pods,jobs,persistentvolumeclaims,secrets,services,endpoints,endpointslices,leases,\
                     poddisruptionbudgets,serviceaccounts,roles,rolebindings,backups";

/// A running lab with a cluster of two.
pub struct Stage {
    site: Site,
}

impl std::ops::Deref for Stage {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Stage {
    /// Starts one; `None` where the machine lacks something, which is told on stderr.
    pub fn open() -> Option<Stage> {
        Some(Stage { site: Site::start(&["--instances", "2"])? })
    }

    /// Ends the lab; nothing may be left of it.
    pub fn close(self) {
        self.site.close();
    }

    /// SQL on the lab's cluster, in the application's database.
    pub fn sql(&self, sql: &str) -> String {
        let primary = self.primary();
        self.psql_in("app", &primary, sql).unwrap_or_else(|| panic!("{primary} refused {sql}"))
    }

    /// The time on the lab's cluster, as a recovery target.
    pub fn time(&self) -> String {
        self.sql("select clock_timestamp()")
    }

    /// Waits until all that was written so far is in the archive.
    pub fn until_archived(&self) {
        let wal = self.sql("select pg_walfile_name(pg_switch_wal())");
        let archived = format!("select coalesce(last_archived_wal >= '{wal}', false) from pg_stat_archiver");
        self.until("the WAL is archived", || (self.sql(&archived) == "t").then_some(()));
    }

    /// Takes a base backup of the lab's cluster, and waits until it is there.
    pub fn back_up(&self, name: &str) {
        let spec = json!({"cluster": {"name": CLUSTER}, "method": "barmanObjectStore"});
        self.apply(&json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup", "metadata": {"name": name, "namespace": NS},
            "spec": spec,
        }));
        self.until("the backup is completed", || {
            (self.get(&["backup", name])["status"]["phase"] == "completed").then_some(())
        });
    }

    /// Cuts the data of all base backups in half.
    pub fn tear_base_backups(&self) {
        let bases = std::fs::read_dir(self.lab.dir.join("store").join(CLUSTER).join("base")).unwrap();
        for base in bases {
            let data = std::fs::OpenOptions::new().write(true).open(base.unwrap().path().join("data.tar")).unwrap();
            data.set_len(data.metadata().unwrap().len() / 2).unwrap();
        }
    }

    /// A manifest of the lab's own cluster, cut down to what another needs.
    pub fn manifest(&self, name: &str, instances: u32, recovery: Value) -> Value {
        let cluster = self.cluster();
        let spec = &cluster["spec"];
        let mut origin = spec["backup"]["barmanObjectStore"].clone();
        origin["serverName"] = json!(CLUSTER);
        json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": name, "namespace": NS},
            "spec": {
                "instances": instances, "imageName": spec["imageName"], "storage": {"size": "1Gi"}, "stopDelay": 30,
                "bootstrap": {"recovery": recovery},
                "externalClusters": [{"name": "origin", "barmanObjectStore": origin}],
            },
        })
    }

    /// Has a cluster recovered by the plugin, from an ObjectStore that says the same.
    pub fn by_plugin(&self, manifest: &mut Value) {
        let configuration = self.cluster()["spec"]["backup"]["barmanObjectStore"].clone();
        self.apply(&json!({
            "apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore", "metadata": {"name": "store", "namespace": NS},
            "spec": {"configuration": configuration},
        }));
        let parameters = json!({"barmanObjectName": "store", "serverName": CLUSTER});
        let plugin = json!({"name": "barman-cloud.cloudnative-pg.io", "parameters": parameters});
        manifest["spec"]["externalClusters"] = json!([{"name": "origin", "plugin": plugin}]);
    }

    /// `kubectl apply -f -`.
    pub fn apply(&self, manifest: &Value) {
        let mut command = self.kubectl.command(&["apply", "-f", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(manifest.to_string().as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// Waits until a recovered cluster is healthy with that many instances.
    pub fn until_recovered(&self, name: &str, instances: u64) {
        self.until(&format!("{name} is healthy"), || {
            let status = &self.get(&["cluster", name])["status"];
            let whole = status["phase"] == "Cluster in healthy state" && status["readyInstances"] == instances;
            whole.then_some(())
        });
    }

    /// A recovered cluster has so many rows of the guide's table, a way of its own, and lets the application in.
    pub fn until_holds(&self, name: &str, instances: u64, rows: &str) {
        self.until_recovered(name, instances);
        let primary = format!("{name}-1");
        let count = self.psql_in("app", &primary, "select count(*) from datasample");
        assert_eq!(count.as_deref(), Some(rows), "{name}");
        let timeline = self.psql(&primary, "select timeline_id from pg_control_checkpoint()");
        assert_eq!(timeline.as_deref(), Some("2"), "{name} goes a way of its own");
        assert!(self.lets_the_application_in(name), "{name} has the password that its application was told");
    }

    /// How often the Job that recovers a cluster has failed.
    pub fn failures(&self, name: &str) -> u64 {
        let job = self.get(&["job", &format!("{name}-1-full-recovery")]);
        job["status"]["failed"].as_u64().unwrap_or_default()
    }

    /// What the first pod of that Job has logged: each line's logger, message, error, and PostgreSQL's own words.
    pub fn told(&self, name: &str) -> String {
        let pods = self.get(&[
            "pods",
            "-l",
            &format!("job-name={name}-1-full-recovery"),
            "--sort-by=.metadata.creationTimestamp",
        ]);
        let pod = pods["items"][0]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let log = self.kubectl.ok(&["-n", NS, "logs", &pod]);
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let word = |at: &str| line.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            ["/logger", "/msg", "/error", "/record/error_severity", "/record/message"]
                .map(word)
                .join(" ")
                .trim()
                .to_owned()
        };
        log.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Whether the application's user gets in by the password in the secret that its manifest names, else in the cluster's
    /// own.
    pub fn lets_the_application_in(&self, name: &str) -> bool {
        let cluster = self.get(&["cluster", name]);
        let named = cluster["spec"]["bootstrap"]["recovery"]["secret"]["name"].as_str().map(str::to_owned);
        let secret = self.get(&["secret", &named.unwrap_or_else(|| format!("{name}-app"))]);
        let word = |key: &str| {
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let (user, password) = (word("username"), word("password"));
        let database = cluster["spec"]["bootstrap"]["recovery"]["database"].as_str().unwrap_or("app");
        let line = format!("PGPASSWORD={password} psql -XAtc 'select current_user' -h 127.0.0.1 -U {user} {database}");
        let pod = self.get(&["cluster", name])["status"]["currentPrimary"].as_str().unwrap_or_default().to_owned();
        let out = self.kubectl.run(&["-n", NS, "exec", &pod, "-c", "postgres", "--", "sh", "-c", &line]);
        String::from_utf8_lossy(&out.stdout).trim() == user
    }

    /// Deletes clusters and waits until nothing is left of them.
    pub fn delete(&self, names: &[&str]) {
        self.kubectl.ok(&[&["-n", NS, "delete", "cluster", "--wait=false"], names].concat());
        for name in names {
            let gone = || self.left_of(name).is_empty().then_some(());
            until(&format!("nothing is left of {name}"), PATIENCE, gone, || self.left_of(name).join("\n"));
        }
    }

    /// Objects, volumes, folders and processes of a cluster.
    fn left_of(&self, name: &str) -> Vec<String> {
        let mine = |found: &str| found == name || found.starts_with(&format!("{name}-"));
        let names = |list: &Value, at: &str| -> Vec<String> {
            let items = list["items"].as_array().into_iter().flatten();
            items
                .map(|item| {
                    format!("{}/{}", item["kind"], item.pointer(at).and_then(Value::as_str).unwrap_or_default())
                })
                .collect()
        };
        let mut found = names(&self.get(&[KINDS]), "/metadata/name");
        found.extend(names(&self.get(&["persistentvolumes"]), "/spec/claimRef/name"));
        let mut left: Vec<String> = found.into_iter().filter(|at| at.rsplit('/').next().is_some_and(mine)).collect();
        let folders = std::fs::read_dir(self.lab.dir.join("pg")).unwrap().flatten();
        let folders = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
        left.extend(folders.filter(|folder| folder.split_once('.').is_some_and(|(_, claim)| mine(claim))));
        let shown = Command::new("ps").args(["-eo", "args"]).output().unwrap();
        let home = format!("{}/pg/{NS}.{name}-", self.lab.dir.display());
        left.extend(String::from_utf8_lossy(&shown.stdout).lines().filter(|l| l.contains(&home)).map(str::to_owned));
        left
    }
}
