//! A lab, its faults by howdah's command line, and what kubectl and psql see of them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::until;
use crate::support::world::{HOWDAH, Kubectl, Lab, PATIENCE};

const NS: &str = "cnpg-database";
const CLUSTER: &str = "pg-primary";

/// Settings under which a transaction counts as long when it is not an hour old.
fn config(lab: &Lab) -> PathBuf {
    let file = std::env::temp_dir().join(format!("howdah-config-{}.toml", lab.pid()));
    std::fs::write(&file, "[limits]\ntransaction-warn = \"5s\"\n").unwrap();
    file
}

/// What a `howdah status --watch` beside the test has told so far: each report's reasons.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Vec<String>>>>);

impl Told {
    fn reports(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The last report has nothing to tell.
    fn quiet(&self) -> bool {
        self.0.lock().unwrap().last().is_some_and(Vec::is_empty)
    }

    /// A reason of one of these codes, in the reports after the first `from`.
    fn since(&self, from: usize, codes: &[&str]) -> Option<String> {
        let of = |told: &&String| codes.iter().any(|code| told.starts_with(&format!("{code}:")));
        self.0.lock().unwrap().iter().skip(from).flatten().find(of).cloned()
    }
}

/// A `howdah status --watch`, ended when dropped.
struct Watching {
    process: Child,
    config: PathBuf,
    told: Told,
}

impl Watching {
    fn start(lab: &Lab) -> Watching {
        let mut command = Command::new(HOWDAH);
        let config = config(lab);
        command.arg("--kubeconfig").arg(lab.kubeconfig()).arg("--config").arg(&config);
        command.args(["status", "--watch", "-o", "json"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (told, lines) = (Told::default(), process.stdout.take().map(BufReader::new).map(BufReader::lines));
        let hear = told.clone();
        std::thread::spawn(move || {
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                hear.0.lock().unwrap().push(said(&serde_json::from_str(&line).unwrap_or_default()));
            }
        });
        Watching { process, config, told }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

pub struct Stage {
    kubectl: Kubectl,
    lab: Lab,
    watching: Watching,
}

impl Stage {
    /// Starts a lab; `None` where the machine lacks something, which is told on stderr.
    pub fn open(extra: &[&str]) -> Option<Stage> {
        Kubectl::find(&PathBuf::new())?;
        let lab = Lab::start(extra)?;
        let kubectl = Kubectl::find(&lab.kubeconfig())?;
        let watching = Watching::start(&lab);
        let stage = Stage { kubectl, lab, watching };
        stage.until_ok("at the beginning");
        Some(stage)
    }

    fn until_told(&self, kind: &str, from: usize, reasons: &[&str]) {
        let reason =
            self.until(&format!("{kind} is told as one of {reasons:?}"), || self.watching.told.since(from, reasons));
        eprintln!("    {reason}");
    }

    /// Ends the lab; nothing may be left of it.
    pub fn close(mut self) {
        let dir = self.lab.dir.clone();
        self.lab.stop();
        assert!(!dir.exists(), "its folder is still there");
    }

    fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        until(what, PATIENCE, look, || {
            let shown = self.kubectl.run(&["-n", NS, "get", "faults,clusters,pods,nodes", "-o", "wide"]);
            let verdict = self.reasons().1.join("\n");
            format!("{}\n{verdict}", String::from_utf8_lossy(&shown.stdout))
        })
    }

    fn get(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = ["-n", NS, "get"].iter().chain(args).chain(&["-o", "json"]).copied().collect();
        serde_json::from_slice(&self.kubectl.run(&args).stdout).unwrap_or_default()
    }

    fn cluster(&self) -> Value {
        self.get(&["cluster", CLUSTER])
    }

    pub fn primary(&self) -> String {
        self.cluster()["status"]["currentPrimary"].as_str().unwrap_or_default().to_owned()
    }

    /// The standby that a fault takes where none is named.
    pub fn standby(&self) -> String {
        let (cluster, primary) = (self.cluster(), self.primary());
        let names = cluster["status"]["instanceNames"].as_array().cloned().unwrap_or_default();
        let mut names = names.iter().filter_map(Value::as_str);
        names.find(|name| *name != primary).unwrap_or_default().to_owned()
    }

    pub fn condition(&self, kind: &str) -> String {
        let conditions = self.cluster()["status"]["conditions"].clone();
        let found = conditions.as_array().into_iter().flatten().find(|c| c["type"] == kind).cloned();
        found.unwrap_or_default()["status"].as_str().unwrap_or_default().to_owned()
    }

    fn pod(&self, name: &str) -> Value {
        self.get(&["pod", name])
    }

    pub fn is_ready(&self, pod: &str) -> bool {
        let pod = self.pod(pod);
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
    }

    /// Restarts of all instances' containers.
    pub fn restarts(&self) -> u64 {
        let pods = self.get(&["pods", "-l", "cnpg.io/cluster=pg-primary"]);
        let each = pods["items"].as_array().into_iter().flatten();
        each.filter_map(|p| p["status"]["containerStatuses"][0]["restartCount"].as_u64()).sum()
    }

    /// One value from an instance's own psql; empty when it can't be asked.
    pub fn psql(&self, pod: &str, sql: &str) -> String {
        let out = self.kubectl.run(&["-n", NS, "exec", pod, "-c", "postgres", "--", "psql", "-XAtc", sql]);
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    pub fn streaming(&self) -> usize {
        let sql = "select count(*) from pg_stat_replication where state = 'streaming'";
        self.psql(&self.primary(), sql).parse().unwrap_or_default()
    }

    pub fn ready_wal_files(&self) -> usize {
        let sql = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'";
        self.psql(&self.primary(), sql).parse().unwrap_or(usize::MAX)
    }

    pub fn timeline(&self) -> u64 {
        self.cluster()["status"]["timelineID"].as_u64().unwrap_or_default()
    }

    /// The `Ready` condition of the node that a pod is on.
    pub fn node_ready(&self, pod: &str) -> String {
        let pod = self.pod(pod);
        let node = self.get(&["node", pod["spec"]["nodeName"].as_str().unwrap_or_default()]);
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|c| c["type"] == "Ready").cloned().unwrap_or_default();
        ready["status"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether an instance's manager can be reached through the API.
    pub fn answers(&self, pod: &str) -> bool {
        let path = format!("/api/v1/namespaces/{NS}/pods/https:{pod}:8000/proxy/pg/status");
        self.kubectl.run(&["get", "--raw", &path, "--request-timeout=3s"]).status.success()
    }

    /// How full an instance's volume of WAL is, in percent, by its kubelet's word.
    pub fn wal_volume(&self, instance: &str) -> u64 {
        let pod = self.pod(instance);
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        let path = format!("/api/v1/nodes/{node}/proxy/stats/summary");
        let summary = self.kubectl.run(&["get", "--raw", &path]);
        let summary: Value = serde_json::from_slice(&summary.stdout).unwrap_or_default();
        let pods = summary["pods"].as_array().into_iter().flatten();
        let volumes = pods.flat_map(|p| p["volume"].as_array().into_iter().flatten());
        let mut volumes = volumes.filter(|v| v["pvcRef"]["name"] == format!("{instance}-wal"));
        let bytes = |v: &Value, key: &str| v[key].as_u64().unwrap_or_default();
        volumes.next().map_or(100, |v| bytes(v, "usedBytes") * 100 / bytes(v, "capacityBytes").max(1))
    }

    /// Whether another session of the application's user can be had.
    pub fn application_connects(&self) -> bool {
        let command = ["psql", "-U", "app", "-d", "app", "-XAtc", "select 1"];
        let exec = ["-n", NS, "exec", &self.primary(), "-c", "postgres", "--"];
        self.kubectl.run(&[&exec[..], &command].concat()).status.success()
    }

    /// Whether the postmaster of that instance is stopped (state T).
    pub fn is_stopped(&self, instance: &str) -> bool {
        let file = self.lab.dir.join("pg").join(format!("{NS}.{instance}/data/postmaster.pid"));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let out = Command::new("ps").args(["-o", "stat=", "-p", text.lines().next().unwrap_or("0")]).output().unwrap();
        String::from_utf8_lossy(&out.stdout).trim().starts_with('T')
    }

    /// howdah's verdict: its level, and the codes of its reasons with their words.
    fn reasons(&self) -> (String, Vec<String>) {
        let out = self.lab.howdah(&["status", "-o", "json"]);
        let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
        (report["level"].as_str().unwrap_or_default().to_owned(), said(&report))
    }

    /// Whoever asks anew and whoever has watched all the time say so.
    fn until_ok(&self, when: &str) {
        self.until(&format!("the verdict is ok {when}"), || {
            (self.watching.told.quiet() && self.reasons().0 == "ok").then_some(())
        });
    }

    fn faults(&self) -> Vec<Value> {
        self.get(&["faults"])["items"].as_array().cloned().unwrap_or_default()
    }

    /// Starts a fault, looks at it with other eyes first, then for one of `reasons` in the verdict; stops it, and looks
    /// again.
    pub fn fault(
        &self,
        kind: &str,
        set: &[&str],
        done: impl Fn(&Stage) -> bool,
        reasons: &[&str],
        undone: impl Fn(&Stage) -> bool,
    ) {
        eprintln!("{kind}");
        let from = self.watching.told.reports();
        let set: Vec<&str> = set.iter().flat_map(|pair| ["--set", *pair]).collect();
        let args = ["lab", "fault", "start", kind, "--name", "trouble"];
        let out = self.lab.howdah(&[&args[..], &set].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        self.until(&format!("{kind} is done"), || done(self).then_some(()));
        assert_eq!(self.faults()[0]["status"]["state"], "Active");
        self.until_told(kind, from, reasons);
        let out = self.lab.howdah(&["lab", "fault", "stop", "trouble"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(self.faults().is_empty());
        self.until(&format!("{kind} is undone"), || undone(self).then_some(()));
        self.until_ok(&format!("after {kind}"));
    }

    pub fn the_kind_is_one_of_the_api(&self) {
        let crds = self.kubectl.ok(&["get", "crd"]);
        assert!(crds.contains("faults.lab.howdah.dev"), "{crds}");
        let explained = self.kubectl.ok(&["explain", "faults.spec"]);
        assert!(explained.contains("freeze-standby") && explained.contains("bytesPerSecond"), "{explained}");
        let manifest = format!(
            "apiVersion: lab.howdah.dev/v1\nkind: Fault\nmetadata: {{name: by-hand, namespace: {NS}}}\n\
             spec: {{kind: replay-paused, seconds: 600}}\n"
        );
        let file = std::env::temp_dir().join(format!("howdah-fault-{}.yaml", std::process::id()));
        std::fs::write(&file, manifest).unwrap();
        self.kubectl.ok(&["apply", "-f", &file.to_string_lossy()]);
        std::fs::remove_file(&file).unwrap();
        let shown = self.until("kubectl shows it", || {
            let shown = self.kubectl.ok(&["-n", NS, "get", "faults"]);
            shown.contains("Active").then_some(shown)
        });
        let head: Vec<&str> = shown.lines().next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(head, ["NAME", "KIND", "TARGET", "STATE", "AGE"]);
        assert!(shown.contains(&self.standby()), "{shown}");
        self.kubectl.ok(&["-n", NS, "delete", "fault", "by-hand"]);
        assert_eq!(self.psql(&self.standby(), "select pg_is_wal_replay_paused()"), "f", "undone before it was gone");
    }

    pub fn a_bad_wish_is_refused_by_field(&self) {
        let out = self.lab.howdah(&["lab", "fault", "start", "freze-standby"]);
        let why = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{why}");
        assert!(why.contains("spec.kind") && why.contains("did you mean freeze-standby?"), "{why}");
        let out = self.lab.howdah(&["lab", "fault", "start", "freeze-standby", "--read-only"]);
        assert_eq!(out.status.code(), Some(3));
        assert!(self.faults().is_empty());
    }

    /// Whoever watches hears that it can see nothing; whoever asks then can't; and the fault is gone with the outage.
    pub fn an_outage_of_the_api_ends_by_itself(&self) {
        eprintln!("api-outage");
        let from = self.watching.told.reports();
        let out = self.lab.howdah(&["lab", "fault", "start", "api-outage", "--set", "seconds=20"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        self.until("kubectl is refused", || (!self.kubectl.run(&["get", "nodes"]).status.success()).then_some(()));
        assert_eq!(self.lab.howdah(&["status", "--timeout", "2s"]).status.code(), Some(4));
        self.until_told("api-outage", from, &["stale", "cant-be-asked"]);
        self.until("the API answers again", || self.kubectl.run(&["get", "nodes"]).status.success().then_some(()));
        self.until("the fault is gone", || self.faults().is_empty().then_some(()));
        self.until_ok("after api-outage");
    }
}

/// `code: words` of every reason in a report.
fn said(report: &Value) -> Vec<String> {
    let clusters = report["clusters"].as_array().into_iter().flatten();
    let verdicts = clusters.flat_map(|c| [&c["availability"], &c["recoverability"]]);
    let reasons = verdicts.flat_map(|v| v["reasons"].as_array().into_iter().flatten());
    reasons
        .map(|r| {
            let word = |key: &str| r[key].as_str().unwrap_or_default();
            format!("{}: {}", word("code"), word("text"))
        })
        .collect()
}
