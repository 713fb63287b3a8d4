//! Lines a person types at a cluster, and the answers a real one gives.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use crate::scene::{CLUSTER, NS, Scene};

fn manifest(instances: u32, more: &str) -> String {
    format!(
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {{name: {CLUSTER}, namespace: {NS}}}\nspec:\n  \
         instances: {instances}\n{more}"
    )
}

/// A kubectl that goes on, and what it has said so far.
struct Followed {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Followed {
    fn start(scene: &Scene, line: &[&str]) -> Followed {
        let args: Vec<&str> = ["-n", NS].iter().chain(line).copied().collect();
        let mut command = scene.kubectl.command(&args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (lines, said) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::new(Mutex::new(String::new())));
        let into = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *into.lock().unwrap() += &(line + "\n");
            }
        });
        Followed { child, said }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn has(&self, text: &str) -> bool {
        self.said().contains(text)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Scene {
    fn k(&self, line: &str) -> String {
        let args: Vec<&str> = ["-n", NS].into_iter().chain(line.split(' ')).collect();
        self.kubectl.ok(&args)
    }

    /// With a manifest on standard input: exit code, and all it said.
    fn fed(&self, line: &str, input: &str) -> (Option<i32>, String) {
        let mut command = self.kubectl.command(&line.split(' ').collect::<Vec<_>>());
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        (out.status.code(), [out.stdout, out.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat())
    }

    fn spec(&self, field: &str) -> String {
        self.k(&format!("get cluster {CLUSTER} -o jsonpath={{.spec.{field}}}"))
    }

    /// What only looks.
    pub fn reads_as_on_a_real_cluster(&self) {
        let primary = self.primary();
        let nodes = self.k("get nodes -L topology.kubernetes.io/zone");
        assert!(nodes.lines().count() == 7 && nodes.contains("westus3-3"), "{nodes}");
        let pods = self.k("get pods -L cnpg.io/instanceRole");
        assert!(pods.lines().any(|l| l.starts_with(&primary) && l.ends_with("primary")), "{pods}");
        let clusters = self.k("get clusters");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let head = clusters.lines().next().map(words).unwrap_or_default();
        assert_eq!(head, ["NAME", "AGE", "INSTANCES", "READY", "STATUS", "PRIMARY"]);
        assert!(clusters.contains("Cluster in healthy state") && clusters.contains(&primary), "{clusters}");
        assert!(self.k(&format!("describe cluster {CLUSTER}")).contains("Current Primary:"));
        let pod = self.k(&format!("describe pod {primary}"));
        assert!(pod.contains(&format!("Controlled By:  Cluster/{CLUSTER}")) && pod.contains("Scheduled"), "{pod}");
        assert!(self.k("get events").contains("CreatingInstance"));
        assert!(self.k("explain cluster.spec.instances").contains("FIELD: instances <integer>"));
        self.k(&format!("wait --for=condition=Ready cluster/{CLUSTER} --timeout=20s"));
        assert!(self.k(&format!("logs {primary} --tail=1")).contains("\"logging_pod\""));
        let proxy = |port: &str| format!("get --raw /api/v1/namespaces/{NS}/pods/{port}");
        assert!(self.k(&proxy(&format!("https:{primary}:8000/proxy/pg/status"))).contains("\"isPrimary\":true"));
        assert!(self.k(&proxy(&format!("{primary}:9187/proxy/metrics"))).contains("cnpg_collector_up"));
        let refused = self.kubectl.run(&["--token=wrong", "get", "pods"]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("Unauthorized"), "{refused:?}");
    }

    /// What changes the Cluster's manifest, each with its answer.
    pub fn changes_as_on_a_real_cluster(&self) {
        let level = |level: &str| manifest(3, &format!("  logLevel: {level}\n"));
        let (code, said) = self.fed("apply --server-side --dry-run=server --force-conflicts -f -", &level("debug"));
        assert!(code == Some(0) && said.contains("(server dry run)"), "{said}");
        assert_eq!(self.spec("logLevel"), "info", "a dry run changes nothing");
        let (code, said) = self.fed("diff --server-side --force-conflicts -f -", &level("debug"));
        assert!(code == Some(1) && said.contains("+  logLevel: debug"), "{said}");
        self.fed("apply --server-side --force-conflicts --field-manager=one -f -", &level("debug"));
        assert_eq!(self.spec("logLevel"), "debug");
        let (code, said) = self.fed("apply --server-side --field-manager=two -f -", &level("trace"));
        assert!(code == Some(1) && said.contains("conflict with \"one\"") && said.contains(".spec.logLevel"), "{said}");
        self.fed("apply --server-side --force-conflicts --field-manager=two -f -", &level("trace"));
        assert_eq!(self.spec("logLevel"), "trace");
        let patch = |kind: &str, body: &str| {
            self.kubectl.ok(&["-n", NS, "patch", "cluster", CLUSTER, "--type", kind, "-p", body])
        };
        patch("merge", r#"{"spec":{"logLevel":"debug"}}"#);
        patch("json", r#"[{"op":"replace","path":"/spec/logLevel","value":"info"}]"#);
        let mut edit = self.kubectl.command(&["-n", NS, "edit", "cluster", CLUSTER]);
        let edited = edit.env("KUBE_EDITOR", "sed -i s/logLevel:.info/logLevel:\\ debug/").output().unwrap();
        assert!(edited.status.success(), "{edited:?}");
        assert_eq!(self.spec("logLevel"), "debug");
        let standby = self.instances().into_iter().find(|i| *i != self.primary()).unwrap();
        // The new log level replaces pods one after the other meanwhile.
        let label = ["-n", NS, "patch", "pod", &standby, "-p", r#"{"metadata":{"labels":{"x":"y"}}}"#];
        self.until("a pod with a label of ours", || {
            let patched = self.kubectl.run(&label).status.success();
            (patched && self.k("get pods -l x=y -o name") == format!("pod/{standby}\n")).then_some(())
        });
        self.until_healthy();
    }

    /// The primary leaves a node that is drained, and comes back when it may.
    pub fn drains_the_primarys_node(&self) {
        let old = self.primary();
        let node = self.k(&format!("get pod {old} -o jsonpath={{.spec.nodeName}}"));
        self.k(&format!("cordon {node}"));
        let said = self.k(&format!("drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=60s"));
        assert!(said.contains("drained"), "{said}");
        self.until("another instance leads", || (self.primary() != old).then_some(()));
        self.k(&format!("uncordon {node}"));
        self.until_healthy();
        self.until("both standbys stream", || (self.streaming() == 2).then_some(()));
    }

    /// A setting that no standby may have lower than its primary, lowered and raised again.
    pub fn settings_that_need_a_restart_arrive_everywhere(&self) {
        for value in ["100", "200"] {
            let body = format!(r#"{{"spec":{{"postgresql":{{"parameters":{{"max_connections":"{value}"}}}}}}}}"#);
            self.kubectl.ok(&["-n", NS, "patch", "cluster", CLUSTER, "--type=merge", "-p", &body]);
            for pod in self.instances() {
                let has = || self.psql(&pod, "show max_connections").filter(|v| v == value);
                self.until(&format!("{pod} allows {value} connections"), has);
            }
            self.until_healthy();
        }
        self.until("both standbys stream", || (self.streaming() == 2).then_some(()));
    }

    /// What stays open: a watch, a followed log, a forwarded port.
    pub fn follows_as_on_a_real_cluster(&self) {
        let primary = self.primary();
        let pods = Followed::start(self, &["get", "pods", "-w"]);
        self.until("the watch tells what is there", || pods.has(&primary).then_some(()));
        let log = Followed::start(self, &["logs", "-f", "--tail=1", &primary]);
        self.psql(&primary, "do $$ begin raise log 'said for the one who follows'; end $$");
        self.until("the log's follower reads it", || log.has("said for the one who follows").then_some(()));
        let standby = self.instances().into_iter().find(|i| *i != primary).unwrap();
        self.k(&format!("delete pod {standby} --wait=false"));
        self.until("the watch tells that it goes", || pods.has("Terminating").then_some(()));
        self.until_healthy();

        let forwarded = Followed::start(self, &["port-forward", &format!("pod/{primary}"), ":5432"]);
        let address = self.until("the port is forwarded", || {
            let said = forwarded.said();
            let line = said.lines().find(|l| l.starts_with("Forwarding from 127.0.0.1:"))?.to_owned();
            line.split_whitespace().nth(2).map(str::to_owned)
        });
        // PostgreSQL's own answer to "do you speak TLS?".
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"S");
        self.until("both standbys stream", || (self.streaming() == 2).then_some(()));
    }

    /// What kubectl-cnpg writes for `reload`, `restart` (all, and the primary in place) and `destroy`, each to its end.
    pub fn obeys_the_plugins_writes(&self) {
        let (primary, before) = (self.primary(), self.postmasters());
        self.k(&format!("annotate cluster {CLUSTER} cnpg.io/reloadedAt=2026-11-20T23:01:33.843994Z"));
        self.until_healthy();
        assert_eq!(self.postmasters(), before, "a reload restarts nobody");

        self.k(&format!("annotate cluster {CLUSTER} kubectl.kubernetes.io/restartedAt=2026-11-20T23:00:53Z"));
        let all_new =
            |now: &BTreeMap<String, String>| now.len() == 3 && before.iter().all(|(k, v)| now.get(k) != Some(v));
        self.until("every server was restarted", || all_new(&self.postmasters()).then_some(()));
        self.until_healthy();
        assert_eq!(self.primary(), primary, "a restart does not switch over");

        let before = self.postmasters();
        let body = r#"{"status":{"phase":"Primary instance is being restarted in-place","phaseReason":"Requested by the user"}}"#;
        self.kubectl.ok(&["-n", NS, "patch", "cluster", CLUSTER, "--subresource=status", "--type=merge", "-p", body]);
        self.until("the primary was restarted", || {
            let now = self.postmasters();
            (now.contains_key(&primary) && now.get(&primary) != before.get(&primary)).then_some(())
        });
        self.until_healthy();
        assert_eq!(self.primary(), primary);
        self.until("both standbys stream", || (self.streaming() == 2).then_some(()));

        let standby = self.instances().into_iter().find(|i| *i != primary).unwrap();
        let uid =
            |what: &str| self.k(&format!("get {what} {standby} -o jsonpath={{.metadata.uid}} --ignore-not-found"));
        let old = uid("pvc");
        self.k(&format!("delete pvc {standby} {standby}-wal --wait=false"));
        self.k(&format!("delete pod {standby} --wait=false"));
        self.until("the instance is cloned anew under its name", || {
            let new = uid("pvc");
            (!new.is_empty() && new != old).then_some(())
        });
        self.until("both standbys stream", || (self.streaming() == 2).then_some(()));
        self.until_healthy();
    }

    /// The Cluster goes at once, its pods and volumes after it.
    pub fn a_deleted_cluster_leaves_nothing(&self) {
        self.k(&format!("delete cluster {CLUSTER}"));
        self.until("its objects are gone", || {
            self.k("get pods,pvc,jobs,leases,poddisruptionbudgets -o name").is_empty().then_some(())
        });
    }
}
