//! A lab, its faults by howdah's command line, and what kubectl and psql see of them.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::site::{CLUSTER, NS, Site};
use crate::support::terminal::Terminal;
use crate::support::until;
use crate::support::world::{HOWDAH, PATIENCE};
use crate::walk::{Transcript, Walk};
use crate::watching::{Reason, Watching, said};

/// A fault and what comes of it.
pub struct Fault<'a> {
    pub kind: &'a str,
    /// Its parameters, as `KEY=VALUE`.
    pub set: &'a [&'a str],
    /// What kubectl and psql see when it is done.
    pub done: &'a dyn Fn(&Stage) -> bool,
    /// What the verdict says: one of these, and it offers the runbook that is walked.
    pub reasons: &'a [&'a str],
    pub walk: Walk<'a>,
    /// What kubectl and psql see when it is undone.
    pub undone: &'a dyn Fn(&Stage) -> bool,
}

pub struct Stage {
    watching: Watching,
    site: Site,
}

impl std::ops::Deref for Stage {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Stage {
    /// Starts a lab; `None` where the machine lacks something, which is told on stderr.
    pub fn open(extra: &[&str]) -> Option<Stage> {
        let site = Site::start(extra)?;
        let stage = Stage { watching: Watching::start(&site), site };
        stage.until_ok("at the beginning");
        Some(stage)
    }

    /// The verdict has one of these reasons, and the reason offers this runbook.
    fn until_told(&self, kind: &str, from: usize, reasons: &[&str], runbook: &str) {
        let told = || self.watching.told.since(from, reasons, runbook);
        let reason = self.until(&format!("{kind} is told as one of {reasons:?}, with {runbook}"), told);
        eprintln!("    {}: {} -> {runbook}", reason.code, reason.text);
    }

    /// howdah's command line with the settings of this stage.
    fn runbook(&self, args: &[&str]) -> Output {
        let config = self.watching.config.to_string_lossy().into_owned();
        self.run(&[&["--config", &config, "runbook"], args, &["-o", "json"]].concat())
    }

    pub fn walk(&self, runbook: &str) -> Transcript {
        Transcript::of(&self.runbook(&["run", runbook, CLUSTER]))
    }

    /// Whoever asks which runbooks the cluster needs is told of this one, because of one of these reasons.
    fn until_listed(&self, runbook: &str, reasons: &[&str]) {
        let because = |row: &Value| {
            let because = row["because"].as_array().into_iter().flatten();
            because.filter_map(|b| b["code"].as_str()).any(|code| reasons.contains(&code))
        };
        self.until(&format!("{runbook} is listed"), || {
            let rows: Value = serde_json::from_slice(&self.runbook(&["list", CLUSTER]).stdout).ok()?;
            rows.as_array()?.iter().any(|row| row["runbook"] == runbook && because(row)).then_some(())
        });
    }

    /// Walks until the walk is as it should be.
    fn until_walked(&self, what: &str, runbook: &str, good: impl Fn(&Transcript) -> bool) {
        let last = std::cell::RefCell::new(String::new());
        let walked = || {
            let transcript = self.walk(runbook);
            let good = good(&transcript);
            *last.borrow_mut() = transcript.to_string();
            good.then_some(())
        };
        until(what, PATIENCE, walked, || last.borrow().clone());
    }

    /// Ends the lab; nothing may be left of it.
    pub fn close(self) {
        drop(self.watching);
        self.site.close();
    }

    /// As the site's, and tells the verdict as well when it was in vain.
    fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        until(what, PATIENCE, look, || {
            let shown = self.kubectl.run(&["-n", NS, "get", "faults,clusters,pods,nodes", "-o", "wide"]);
            format!("{}\n{:#?}", String::from_utf8_lossy(&shown.stdout), self.reasons().1)
        })
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
        self.site.psql(pod, sql).unwrap_or_default()
    }

    /// Whether somebody listens where the Cluster says that its object store is.
    pub fn store_answers(&self) -> bool {
        let url = self.cluster()["spec"]["backup"]["barmanObjectStore"]["destinationPath"].clone();
        let address = url.as_str().and_then(|url| url.strip_prefix("http://")?.split('/').next());
        std::net::TcpStream::connect(address.unwrap()).is_ok()
    }

    pub fn ready_wal_files(&self) -> usize {
        let sql = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'";
        self.psql(&self.primary(), sql).parse().unwrap_or(usize::MAX)
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
        self.postmaster(instance).starts_with('T')
    }

    /// Whether PostgreSQL of that instance runs, as this machine sees it.
    pub fn has_postmaster(&self, instance: &str) -> bool {
        !self.postmaster(instance).is_empty()
    }

    /// The state of an instance's postmaster in the list of processes; empty when there is none.
    fn postmaster(&self, instance: &str) -> String {
        let file = self.lab.dir.join("pg").join(format!("{NS}.{instance}/data/postmaster.pid"));
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let out = Command::new("ps").args(["-o", "stat=", "-p", text.lines().next().unwrap_or("0")]).output().unwrap();
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// The whole WAL segments of a timeline that are in the object store.
    pub fn archived(&self, timeline: u64) -> BTreeSet<String> {
        let wals = self.lab.dir.join("store").join(CLUSTER).join("wals");
        let folders = std::fs::read_dir(wals).into_iter().flatten().flatten();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(&format!("{timeline:08X}")) && name.len() == 24).collect()
    }

    /// howdah's verdict: its level and its reasons.
    fn reasons(&self) -> (String, Vec<Reason>) {
        let out = self.run(&["status", "-o", "json"]);
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

    /// Starts a fault, looks at it with other eyes first, then for its reason in the verdict and the runbook that the reason
    /// offers; walks the runbook to the cause; stops the fault, looks again, and walks once more.
    pub fn fault(&self, fault: &Fault<'_>) {
        let kind = fault.kind;
        eprintln!("{kind}");
        let from = self.watching.told.reports();
        self.start(kind, fault.set);
        self.until(&format!("{kind} is done"), || (fault.done)(self).then_some(()));
        assert_eq!(self.faults()[0]["status"]["state"], "Active");
        let walk = &fault.walk;
        self.until_told(kind, from, fault.reasons, walk.runbook);
        self.until_listed(walk.runbook, fault.reasons);
        self.until_walked(&format!("the walk finds {kind}"), walk.runbook, |t| t.finds(walk));
        self.end(fault);
    }

    fn start(&self, kind: &str, set: &[&str]) {
        let set: Vec<&str> = set.iter().flat_map(|pair| ["--set", *pair]).collect();
        let args = ["lab", "fault", "start", kind, "--name", "trouble"];
        self.ok(&[&args[..], &set].concat());
    }

    /// Stops a fault, and sees that nothing is left of it.
    fn end(&self, fault: &Fault<'_>) {
        let kind = fault.kind;
        self.ok(&["lab", "fault", "stop", "trouble"]);
        assert!(self.faults().is_empty());
        self.until(&format!("{kind} is undone"), || (fault.undone)(self).then_some(()));
        self.until_ok(&format!("after {kind}"));
        let walk = &fault.walk;
        self.until_walked(&format!("the walk finds nothing after {kind}"), walk.runbook, |t| t.is_over(walk));
    }

    /// As [`Stage::fault`], for a fault that mends itself within moments: walks beside it all the time, one after the other,
    /// until one of them has found it.
    pub fn moment(&self, fault: &Fault<'_>) {
        let kind = fault.kind;
        eprintln!("{kind}");
        let from = self.watching.told.reports();
        let walk = &fault.walk;
        std::thread::scope(|scope| {
            let (walked, begun) = std::sync::mpsc::channel();
            scope.spawn(move || {
                self.until_walked(&format!("a walk finds {kind}"), walk.runbook, |t| {
                    let _ = walked.send(());
                    t.finds(walk)
                });
            });
            begun.recv().unwrap();
            self.start(kind, fault.set);
            self.until(&format!("{kind} is done"), || (fault.done)(self).then_some(()));
            self.until_told(kind, from, fault.reasons, walk.runbook);
        });
        self.end(fault);
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
        let out = self.run(&["lab", "fault", "start", "freze-standby"]);
        let why = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{why}");
        assert!(why.contains("spec.kind") && why.contains("did you mean freeze-standby?"), "{why}");
        let out = self.run(&["lab", "fault", "start", "freeze-standby", "--read-only"]);
        assert_eq!(out.status.code(), Some(3));
        assert!(self.faults().is_empty());
    }

    /// Whoever watches hears that it can see nothing; whoever asks then can't; whoever walks the runbook is led to the API and
    /// further when it is back; and the fault is gone with the outage.
    pub fn an_outage_of_the_api_ends_by_itself(&self) {
        eprintln!("api-outage");
        let from = self.watching.told.reports();
        // Nobody can begin a walk without the API; one that is under way goes on.
        let mut walk = self.walk_at_a_terminal("no-insight");
        walk.wait_for("1/8");
        walk.wait_for("The Kubernetes API answers: yes");
        self.ok(&["lab", "fault", "start", "api-outage", "--set", "seconds=20"]);
        self.until("kubectl is refused", || (!self.kubectl.run(&["get", "nodes"]).status.success()).then_some(()));
        assert_eq!(self.run(&["status", "--timeout", "2s"]).status.code(), Some(4));
        look_again_until(&mut walk, "The Kubernetes API answers: no");
        walk.keys("\n");
        walk.wait_for("Reach the Kubernetes API");
        self.until_told("api-outage", from, &["stale", "cant-be-asked"], "no-insight");
        self.until("the API answers again", || self.kubectl.run(&["get", "nodes"]).status.success().then_some(()));
        self.until("the fault is gone", || self.faults().is_empty().then_some(()));
        self.until_ok("after api-outage");
        walk.keys("y\n");
        walk.wait_for("Do you have the rights?");
        look_again_until(&mut walk, "Every source answers: yes");
        for title in ["Does SQL show everything?", "Read the logs where they are", "Do the collectors run?"] {
            walk.keys("\n");
            walk.wait_for(title);
        }
        walk.keys("\n");
        walk.wait_for("See every source answer");
        look_again_until(&mut walk, "Every source answers: yes");
        walk.keys("\n");
        assert!(walk.wait_end().success(), "its reasons are gone: {}", walk.text());
    }

    /// A walk as a person at a terminal has it.
    fn walk_at_a_terminal(&self, runbook: &str) -> Terminal {
        let kubeconfig = self.lab.kubeconfig();
        let args = ["--kubeconfig", &kubeconfig.to_string_lossy(), "runbook", "run", runbook, CLUSTER];
        let home = self.environment();
        let env = home.each_ref().map(|(name, value)| (*name, value.as_str()));
        Terminal::start(HOWDAH, &args, (120, 60), &env)
    }
}

/// Looks at a step of a walk again and again, until a check on it says so.
fn look_again_until(walk: &mut Terminal, says: &str) {
    let prompts = |walk: &Terminal| walk.written().matches("? help").count();
    let newest = |walk: &Terminal| walk.text().rsplit("q leave]").nth(1).unwrap_or_default().to_owned();
    let last = std::cell::RefCell::new(String::new());
    let again = || {
        let newest = newest(walk);
        if newest.contains(says) {
            return Some(());
        }
        *last.borrow_mut() = newest;
        let before = prompts(walk);
        walk.keys("a\n");
        walk.wait_until("another prompt", |_| prompts(walk) > before);
        None
    };
    until(says, PATIENCE, again, || last.borrow().clone());
}
