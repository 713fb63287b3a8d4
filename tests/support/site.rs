//! A lab and its cluster as a person meets them: howdah's command line with folders of its own, and what kubectl and psql
//! say of it, never howdah.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::terminal::Terminal;
use super::until;
use super::world::{HOWDAH, Kubectl, Lab, PATIENCE};

/// The namespace of the lab's cluster.
pub const NS: &str = "cnpg-database";
/// Its name.
pub const CLUSTER: &str = "pg-primary";

/// A running lab.
pub struct Site {
    pub lab: Lab,
    pub kubectl: Kubectl,
    /// howdah's settings and state.
    pub home: tempfile::TempDir,
}

impl Site {
    /// Starts a lab; `None` where the machine lacks something, which is told on stderr.
    pub fn start(extra: &[&str]) -> Option<Site> {
        Site::start_with(extra, |_| {})
    }

    /// As [`Site::start`], and calls `early` with the kubeconfig before the cluster is there.
    pub fn start_with(extra: &[&str], early: impl FnMut(&Path)) -> Option<Site> {
        Kubectl::find(Path::new(""))?;
        let lab = Lab::start_with(extra, early)?;
        let kubectl = Kubectl::find(&lab.kubeconfig())?;
        Some(Site { lab, kubectl, home: tempfile::tempdir().unwrap() })
    }

    /// howdah on this lab, with nobody at its input.
    pub fn howdah(&self, args: &[&str]) -> Command {
        let mut command = Command::new(HOWDAH);
        command.arg("--kubeconfig").arg(self.lab.kubeconfig()).args(args);
        command.envs(self.environment()).stdin(Stdio::null());
        command
    }

    /// Where howdah has its settings and its state.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"]
            .map(|name| (name, self.home.path().to_string_lossy().into_owned()))
    }

    /// howdah on this lab in a terminal of that size, as somebody types it.
    pub fn terminal(&self, args: &[&str], size: (u16, u16)) -> Terminal {
        let kubeconfig = self.lab.kubeconfig().to_string_lossy().into_owned();
        let args = [&["--kubeconfig", kubeconfig.as_str()], args].concat();
        let home = self.environment();
        let env = home.each_ref().map(|(name, value)| (*name, value.as_str()));
        Terminal::start(HOWDAH, &args, size, &env)
    }

    /// The journals on disk, oldest first, each with its run's name. A line that is just being written is none yet.
    pub fn journals(&self) -> Vec<(String, Vec<Value>)> {
        let runs = std::fs::read_dir(self.home.path().join("howdah/runs"));
        let mut folders: Vec<_> = runs.into_iter().flatten().flatten().map(|e| e.path()).collect();
        folders.sort();
        let name = |folder: &Path| folder.file_name().unwrap().to_string_lossy().into_owned();
        folders.iter().map(|folder| (name(folder), lines(&folder.join("journal.jsonl")))).collect()
    }

    /// The audit trail, oldest first.
    pub fn audit(&self) -> Vec<Value> {
        lines(&self.home.path().join("howdah/audit.jsonl"))
    }

    /// What the audit trail tells of faults, oldest first: the kind, how it was asked, and the outcome.
    pub fn faults_told(&self) -> Vec<String> {
        let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let told = |done: &Value| {
            let place = (done["context"].as_str(), done["cluster"].as_str());
            // Where the lab is left to choose the cluster, nobody knows it before its answer.
            let chosen = !done["spec"]["cluster"].is_null();
            let cluster = if chosen { "cnpg-database/pg-primary" } else { "cnpg-database" };
            assert_eq!(place, (Some("howdah-lab"), Some(cluster)), "{done:#}");
            assert!(done["by"].as_str().is_some_and(|by| by.contains('@')), "{done:#}");
            format!("{} {} {}", word(&done["spec"]["kind"]), word(&done["request"]["method"]), word(&done["outcome"]))
        };
        self.audit().iter().filter(|done| done["fault"].is_string()).map(told).collect()
    }

    /// Tables that a drill has left in the database.
    pub fn left_behind(&self) -> String {
        let sql = "SELECT coalesce(string_agg(relname, ','), '') FROM pg_class WHERE relname LIKE 'howdah_drill%'";
        self.psql_in("app", &self.primary(), sql).unwrap_or_else(|| panic!("the primary was not asked"))
    }

    /// Runs howdah on this lab.
    pub fn run(&self, args: &[&str]) -> Output {
        self.howdah(args).output().unwrap()
    }

    /// Runs howdah on this lab and wants success.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "howdah {args:?}: {}", told(&out));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// What `kubectl get` in the cluster's namespace gives; nothing when it fails.
    pub fn get(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = ["-n", NS, "get"].iter().chain(args).chain(&["-o", "json"]).copied().collect();
        serde_json::from_slice(&self.kubectl.run(&args).stdout).unwrap_or_default()
    }

    /// The cluster's object.
    pub fn cluster(&self) -> Value {
        self.get(&["cluster", CLUSTER])
    }

    /// Who leads, by the operator's word.
    pub fn primary(&self) -> String {
        self.cluster()["status"]["currentPrimary"].as_str().unwrap_or_default().to_owned()
    }

    /// The timeline, by the operator's word.
    pub fn timeline(&self) -> u64 {
        self.cluster()["status"]["timelineID"].as_u64().unwrap_or_default()
    }

    /// The instances, by the operator's word.
    pub fn instances(&self) -> Vec<String> {
        let names = &self.cluster()["status"]["instanceNames"];
        names.as_array().into_iter().flatten().filter_map(|n| n.as_str().map(str::to_owned)).collect()
    }

    /// The instances that do not lead.
    pub fn standbys(&self) -> Vec<String> {
        let primary = self.primary();
        self.instances().into_iter().filter(|name| *name != primary).collect()
    }

    /// The first of them: the one that a fault takes where none is named.
    pub fn standby(&self) -> String {
        self.standbys().into_iter().next().unwrap_or_default()
    }

    /// One value from an instance's own psql; `None` when it can't be asked.
    pub fn psql(&self, pod: &str, sql: &str) -> Option<String> {
        self.psql_in("postgres", pod, sql)
    }

    /// The same in another database.
    pub fn psql_in(&self, database: &str, pod: &str, sql: &str) -> Option<String> {
        let psql = ["psql", "-XAtd", database, "-c", sql];
        let out = self.kubectl.run(&[&["-n", NS, "exec", pod, "-c", "postgres", "--"][..], &psql].concat());
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// How many standbys stream from the primary.
    pub fn streaming(&self) -> usize {
        let sql = "select count(*) from pg_stat_replication where state = 'streaming' and application_name like 'pg-%'";
        self.psql(&self.primary(), sql).and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// The operator is through with what it had to do.
    pub fn is_calm(&self) -> bool {
        self.cluster()["status"]["phase"] == "Cluster in healthy state"
    }

    /// The operator is content, and three instances are ready.
    pub fn until_healthy(&self) {
        let ready = || self.cluster()["status"]["readyInstances"] == 3;
        self.until("three healthy instances", || (self.is_calm() && ready()).then_some(()));
    }

    /// Both standbys stream.
    pub fn until_streaming(&self) {
        self.until("both standbys stream", || (self.streaming() == 2).then_some(()));
    }

    /// Waits, and tells what kubectl sees when it was in vain.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        until(what, PATIENCE, look, || {
            let kinds = "clusters,pods,nodes,endpointslices,leases,faults";
            let shown = self.kubectl.run(&["-n", NS, "get", kinds, "-o", "wide"]);
            String::from_utf8_lossy(&shown.stdout).into_owned()
        })
    }

    /// Ends the lab; nothing may be left of it.
    pub fn close(mut self) {
        let dir = self.lab.dir.clone();
        self.lab.stop();
        assert!(!dir.exists(), "its folder is still there");
        let shown = Command::new("ps").args(["-eo", "args"]).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        let marker = dir.to_string_lossy().into_owned();
        let left: Vec<&str> = shown.lines().filter(|l| l.contains(&marker)).collect();
        assert!(left.is_empty(), "still running: {left:?}");
    }
}

/// A file of JSON, a value a line; nothing where there is no file.
fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Everything a command said.
pub fn told(out: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout))
}
