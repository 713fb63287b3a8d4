//! A lab on a stage: what the stories do to it and see of it, by kubectl and psql.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::recorded::changes;
use crate::recorder::{Change, Recorder, Timed};
use crate::support::site::Site;
use crate::support::world::Kubectl;

pub use crate::support::site::{CLUSTER, NS};

/// A running lab.
pub struct Scene {
    site: Site,
    creation: std::cell::RefCell<Option<Vec<Timed>>>,
}

impl std::ops::Deref for Scene {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Scene {
    /// Starts one; `None` where the machine lacks something, which is told on stderr.
    pub fn open(extra: &[&str]) -> Option<Scene> {
        if Command::new("psql").arg("--version").output().is_err() {
            eprintln!("skipped: no psql");
            return None;
        }
        let mut recorder = None;
        let site = Site::start_with(extra, |kubeconfig| {
            recorder = Kubectl::find(kubeconfig).map(|kubectl| Recorder::start(&kubectl));
        })?;
        let names = [("pg-primary-1", "one"), ("pg-primary-2", "two"), ("pg-primary-3", "three"), (CLUSTER, "cluster")];
        let scene = Scene { site, creation: None.into() };
        scene.until("the Jobs are cleared away", || {
            let left = ["jobs", "pods"].map(|kind| scene.get(&[kind])["items"].as_array().map(Vec::len));
            (left == [Some(0), Some(3)]).then_some(())
        });
        scene.creation.replace(recorder.map(|recorder| recorder.changes(0, &names)));
        Some(scene)
    }

    /// How the cluster came to be.
    pub fn creation(&self) -> Vec<Timed> {
        self.creation.borrow_mut().take().unwrap_or_default()
    }

    pub fn record(&self) -> Recorder {
        let recorder = Recorder::start(&self.kubectl);
        self.until("the watches told what is there", || recorder.caught_up().then_some(()));
        recorder
    }

    pub fn pods(&self) -> usize {
        self.get(&["pods"])["items"].as_array().map_or(0, Vec::len)
    }

    pub fn hibernated(&self) -> bool {
        let conditions = &self.cluster()["status"]["conditions"];
        let found = conditions.as_array().into_iter().flatten().find(|c| c["type"] == "cnpg.io/hibernation");
        found.is_some_and(|c| c["status"] == "True")
    }

    /// `/pg/status` by the pod proxy.
    pub fn status(&self, pod: &str) -> Value {
        let path = format!("/api/v1/namespaces/{NS}/pods/https:{pod}:8000/proxy/pg/status");
        serde_json::from_slice(&self.kubectl.run(&["get", "--raw", &path]).stdout).unwrap_or_default()
    }

    pub fn answers(&self, pod: &str) -> bool {
        self.psql(pod, "select 1").is_some()
    }

    pub fn system_id(&self, pod: &str) -> String {
        self.psql(pod, "select system_identifier from pg_control_system()").unwrap_or_default()
    }

    /// When each instance's postmaster started, which tells one process from another.
    pub fn postmasters(&self) -> BTreeMap<String, String> {
        let started = |pod: &String| self.psql(pod, "select pg_postmaster_start_time()");
        self.instances().into_iter().filter_map(|pod| started(&pod).map(|at| (pod, at))).collect()
    }

    /// psql through the load balancer's port, which follows the primary, as the application's user.
    fn through_service(&self, sql: &str) -> Option<String> {
        let service = self.get(&["service", "cnpg-cluster-load-balancer-rw"]);
        let port = service["spec"]["ports"][0]["port"].as_u64()?;
        let secret = self.get(&["secret", "db-user-pass"]);
        let password = base64::engine::general_purpose::STANDARD.decode(secret["data"]["password"].as_str()?).ok()?;
        let target = format!("host=127.0.0.1 port={port} user=app dbname=app sslmode=require connect_timeout=5");
        let out = Command::new("psql")
            .args(["-XAtc", sql, &target])
            .env("PGPASSWORD", String::from_utf8(password).ok()?)
            .output()
            .unwrap();
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// Whom `-rw` leads to: the server says its own name.
    pub fn service_leads_to(&self) -> String {
        self.until("-rw answers", || self.through_service("select current_setting('cluster_name')"))
    }

    /// How many rows of the load were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        numbers(&self.ledger()["acknowledged"]).len() as u64
    }

    /// Held against the load's own account: each acknowledged row is there, on every instance in the end, and each row that
    /// is there was acknowledged, or is one of those whose answer the load never got.
    pub fn nothing_acknowledged_is_lost(&self) {
        let before = self.ledger();
        let acknowledged = numbers(&before["acknowledged"]);
        let numbers_there = |pod: &str, what: &str| {
            self.until(what, || {
                let sql = "select n from howdah_load";
                let line = ["exec", pod, "-c", "postgres", "--", "psql", "-XAtd", "app", "-c", sql];
                let out = self.kubectl.run(&[&["-n", NS], &line[..]].concat());
                out.status.success().then(|| {
                    String::from_utf8_lossy(&out.stdout).lines().map(|n| n.parse().unwrap()).collect::<BTreeSet<u64>>()
                })
            })
        };
        let primary = self.primary();
        let there = numbers_there(&primary, "the rows can be read");
        let lost: Vec<&u64> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}\n{before}");
        // The load went on meanwhile: what is there by now is in its account by now.
        let after = self.ledger();
        let mut known = numbers(&after["acknowledged"]);
        known.extend(numbers(&after["unanswered"]));
        known.extend(after["under_way"].as_u64());
        let unknown: Vec<&u64> = there.difference(&known).collect();
        assert!(unknown.is_empty(), "there, and nobody wrote them: {unknown:?}\n{after}");
        assert_eq!(after["since"], 0, "the account goes back to the first row");
        for pod in self.instances() {
            self.until(&format!("{pod} has all rows"), || {
                acknowledged.is_subset(&numbers_there(&pod, "the rows can be read")).then_some(())
            });
        }
    }

    /// The load's own account, by the lab's control socket.
    fn ledger(&self) -> Value {
        let mut socket = UnixStream::connect(self.lab.dir.join("control.sock")).unwrap();
        socket.write_all(b"\"load\"\n").unwrap();
        let mut answer = String::new();
        BufReader::new(socket).read_line(&mut answer).unwrap();
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer["load"].is_object(), "{answer}");
        answer["load"].take()
    }

    pub fn three_ready_in_three_zones(&self) {
        let nodes = self.get(&["nodes"]);
        let zone = |node: &str| {
            let found = nodes["items"].as_array().unwrap().iter().find(|n| n["metadata"]["name"] == node).unwrap();
            found["metadata"]["labels"]["topology.kubernetes.io/zone"].as_str().unwrap().to_owned()
        };
        let pods = self.get(&["pods", "-l", "cnpg.io/cluster=pg-primary"]);
        let pods = pods["items"].as_array().unwrap();
        let mut zones: Vec<String> = pods.iter().map(|p| zone(p["spec"]["nodeName"].as_str().unwrap())).collect();
        zones.sort_unstable();
        assert_eq!(zones, ["westus3-1", "westus3-2", "westus3-3"]);
        let primaries = pods.iter().filter(|p| p["metadata"]["labels"]["cnpg.io/instanceRole"] == "primary");
        assert_eq!(primaries.count(), 1);
        let sync = "select string_agg(distinct sync_state, ',') from pg_stat_replication where state = 'streaming'";
        assert_eq!(self.psql(&self.primary(), sync).as_deref(), Some("quorum"));
        assert_eq!(self.streaming(), 2);
        let backups = self.get(&["backups"]);
        assert_eq!(backups["items"][0]["status"]["phase"], "completed");
        assert!(self.cluster()["status"]["firstRecoverabilityPoint"].is_string());
    }

    /// What `kubectl cnpg promote` sends.
    pub fn promote(&self, instance: &str) {
        let cluster = self.cluster();
        let mut conditions = cluster["status"]["conditions"].clone();
        for condition in conditions.as_array_mut().unwrap() {
            if condition["type"] == "Ready" {
                condition["status"] = json!("False");
                condition["reason"] = json!("ClusterIsNotReady");
                condition["message"] = json!("Cluster Is Not Ready");
            }
        }
        let patch = json!({"metadata": {"resourceVersion": cluster["metadata"]["resourceVersion"]}, "status": {
            "conditions": conditions, "phase": "Switchover in progress",
            "phaseReason": format!("Switching over to {instance}"), "targetPrimary": instance,
            "targetPrimaryTimestamp": "2026-11-20T22:52:51.125777Z"}});
        let done = self.kubectl.run(&[
            "-n",
            NS,
            "patch",
            "cluster",
            CLUSTER,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch.to_string(),
        ]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn annotate(&self, what: &str) {
        self.kubectl.ok(&["-n", NS, "annotate", "--overwrite", "cluster", CLUSTER, what]);
    }

    pub fn fence(&self, instance: Option<&str>) {
        match instance {
            Some(instance) => self.annotate(&format!("cnpg.io/fencedInstances=[\"{instance}\"]")),
            None => self.annotate("cnpg.io/fencedInstances-"),
        }
    }

    pub fn hibernate(&self, on: bool) {
        self.annotate(&format!("cnpg.io/hibernation={}", if on { "on" } else { "off" }));
    }

    fn pod(&self, name: &str) -> Value {
        self.get(&["pod", name])
    }

    pub fn a_deleted_standby_comes_back(&self, standby: &str) {
        let (uid, primary) = (self.pod(standby)["metadata"]["uid"].clone(), self.primary());
        self.kubectl.ok(&["-n", NS, "delete", "pod", standby, "--wait=false"]);
        self.until("a new pod of that name", || (self.pod(standby)["metadata"]["uid"] != uid).then_some(()));
        self.until_healthy();
        assert_eq!(self.primary(), primary);
        self.until_streaming();
    }

    /// As recorded in 2c: the phase never leaves healthy, nobody else leads, the container is started again.
    pub fn a_killed_postmaster_restarts_its_container(&self) {
        let primary = self.primary();
        let restarts = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or_default();
        let before = restarts(&self.pod(&primary));
        let recorder = self.record();
        let start = recorder.now();
        let kill = "kill -9 $(head -1 /var/lib/postgresql/data/pgdata/postmaster.pid)";
        self.kubectl.ok(&["-n", NS, "exec", &primary, "-c", "postgres", "--", "sh", "-c", kill]);
        self.until("its container is started again", || (restarts(&self.pod(&primary)) == before + 1).then_some(()));
        self.until_healthy();
        self.until_streaming();
        let story = changes(&recorder.changes(start, &[(CLUSTER, "cluster")]));
        let phases: Vec<&Change> = story.iter().filter(|c| c.object == "cluster" && c.field() == "phase").collect();
        assert!(phases.is_empty(), "the phase says nothing of it: {phases:?}");
        assert_eq!(self.primary(), primary);
        let holders: Vec<&str> = story.iter().filter(|c| c.field() == "holder").map(|c| c.what.as_str()).collect();
        assert_eq!(holders, ["holder=none".to_owned(), format!("holder={primary}")]);
    }

    pub fn scales_down_and_up(&self) {
        let scale =
            |n: &str| self.kubectl.ok(&["-n", NS, "scale", "clusters.postgresql.cnpg.io", CLUSTER, "--replicas", n]);
        scale("2");
        self.until("two instances", || {
            let status = &self.cluster()["status"];
            (status["phase"] == "Cluster in healthy state" && status["readyInstances"] == 2).then_some(())
        });
        self.until("the third one's volume is gone", || {
            (self.instances().len() == 2 && self.get(&["pvc"])["items"].as_array()?.len() == 4).then_some(())
        });
        scale("3");
        self.until_healthy();
        self.until_streaming();
    }

    pub fn the_api_alone_can_stop(&self) {
        let primary = self.primary();
        let dir = self.lab.dir.to_string_lossy().into_owned();
        let api = |what: &str| self.ok(&["lab", "api", what, "--dir", &dir]);
        api("stop");
        assert!(!self.kubectl.run(&["get", "nodes", "--request-timeout=2s"]).status.success());
        api("start");
        self.until("the API answers again", || self.kubectl.run(&["get", "nodes"]).status.success().then_some(()));
        assert_eq!(self.primary(), primary, "the world went on meanwhile");
    }

    /// Ends the lab; nothing may be left of it.
    pub fn close(self) {
        self.site.close();
    }
}

/// The numbers of spans `[first, last]`.
fn numbers(spans: &Value) -> BTreeSet<u64> {
    let spans: Vec<(u64, u64)> = serde_json::from_value(spans.clone()).unwrap();
    spans.into_iter().flat_map(|(first, last)| first..=last).collect()
}
