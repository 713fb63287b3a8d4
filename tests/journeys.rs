//! howdah on a living lab, through a failover, a frozen standby and an API that goes away.
//!
//! What the world does is made and measured with kubectl, psql and signals; howdah only says what it sees, and is held
//! to that. One lab, one story: each chapter begins where the one before it ended well.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use support::terminal::Terminal;
use support::until;
use support::world::{HOWDAH, Kubectl, Lab, PATIENCE};

const NAMESPACE: &str = "cnpg-database";

struct World {
    lab: Lab,
    kubectl: Kubectl,
}

impl World {
    /// `howdah status -o json`: its cluster and its exit code.
    fn status(&self) -> (Value, Option<i32>) {
        let out = self.lab.howdah(&["status", "-o", "json"]);
        let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
        (report["clusters"][0].clone(), out.status.code())
    }

    /// Waits until `status` satisfies the condition.
    fn status_until(&self, what: &str, condition: impl Fn(&Value, Option<i32>) -> bool) -> Value {
        let last = std::cell::RefCell::new(String::new());
        until(
            what,
            PATIENCE,
            || {
                let (cluster, exit) = self.status();
                let found = condition(&cluster, exit);
                *last.borrow_mut() = format!("{cluster:#}\nexit {exit:?}");
                found.then_some(cluster)
            },
            || last.borrow().clone(),
        )
    }

    /// psql in a pod, by kubectl: the world's own word.
    fn psql(&self, pod: &str, sql: &str) -> Option<String> {
        let args = ["exec", "-n", NAMESPACE, pod, "-c", "postgres", "--", "psql", "-XtA", "-d", "app", "-c", sql];
        let out = self.kubectl.run(&args);
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// The pod that is labelled primary.
    fn primary(&self) -> Option<String> {
        let args = ["get", "pods", "-n", NAMESPACE, "-l", "cnpg.io/instanceRole=primary", "-o", "name"];
        let name = String::from_utf8_lossy(&self.kubectl.run(&args).stdout).trim().to_owned();
        name.strip_prefix("pod/").map(str::to_owned)
    }
}

fn instances(cluster: &Value) -> &[Value] {
    cluster["instances"].as_array().map_or(&[], Vec::as_slice)
}

fn healthy(cluster: &Value, exit: Option<i32>) -> bool {
    cluster["level"] == "ok" && exit == Some(0) && cluster["ready"] == 3
}

/// Processes of an instance's server: the postmaster of its data directory and its children.
fn server_processes(dir: &Path, instance: &str) -> Vec<i32> {
    let mut found = Vec::new();
    let mut postmasters = Vec::new();
    for entry in walk(dir) {
        if entry.file_name().is_some_and(|n| n == "postmaster.pid") && entry.to_string_lossy().contains(instance) {
            let text = std::fs::read_to_string(&entry).unwrap_or_default();
            postmasters.extend(text.lines().next().and_then(|l| l.trim().parse::<i32>().ok()));
        }
    }
    for postmaster in postmasters {
        let children = Command::new("pgrep").args(["-P", &postmaster.to_string()]).output().unwrap();
        found.extend(String::from_utf8_lossy(&children.stdout).lines().filter_map(|l| l.parse::<i32>().ok()));
        found.push(postmaster);
    }
    found
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut all = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            // A data directory's tables are of no interest here.
            Ok(kind) if kind.is_dir() && path.file_name().is_some_and(|n| n != "base" && n != "pg_wal") => {
                all.extend(walk(&path))
            }
            Ok(kind) if kind.is_file() => all.push(path),
            _ => {}
        }
    }
    all
}

fn signal(pids: &[i32], signal: nix::sys::signal::Signal) {
    assert!(!pids.is_empty(), "no server processes were found");
    for pid in pids {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), signal);
    }
}

#[test]
fn a_night_on_call() {
    let Some(lab) = Lab::start(&["--load", "40"]) else { return };
    let Some(kubectl) = Kubectl::find(&lab.kubeconfig()) else { return };
    let world = World { lab, kubectl };

    the_first_look(&world);
    let session = tempfile::tempdir().unwrap();
    let recording = session.path().join("session.jsonl");
    let mut screen = open_console(&world, &recording);
    let watched = Watched::start(&world);
    the_primary_dies(&world, &mut screen);
    let watched = watched.end();
    a_standby_freezes(&world);
    the_api_goes_away(&world, &mut screen);
    the_session_replays(&mut screen, &recording);
    watched.agrees_with(&recording);
}

/// `kubectl get pods -w` beside the console, for a while.
struct Watched {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
    from: Timestamp,
}

/// What it told: of each pod, the Ready condition as it came and went.
struct Told {
    ready: BTreeMap<String, Vec<bool>>,
    from: Timestamp,
    until: Timestamp,
}

impl Watched {
    fn start(world: &World) -> Watched {
        let columns = r#"custom-columns=NAME:.metadata.name,READY:.status.conditions[?(@.type=="Ready")].status"#;
        let mut command = world.kubectl.command(&["get", "pods", "-n", NAMESPACE, "-w", "--no-headers", "-o", columns]);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Watched { child, lines, from: Timestamp::now() }
    }

    fn end(mut self) -> Told {
        let until = Timestamp::now();
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut ready: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for line in self.lines.iter() {
            let mut words = line.split_whitespace();
            let (Some(pod), state) = (words.next(), words.next() == Some("True")) else { continue };
            // Jobs' pods are not instances.
            if pod.matches('-').count() == 2 {
                note(ready.entry(pod.to_owned()).or_default(), state);
            }
        }
        Told { ready, from: self.from, until }
    }
}

fn note(story: &mut Vec<bool>, state: bool) {
    if story.last() != Some(&state) {
        story.push(state);
    }
}

impl Told {
    /// The console saw each pod come and go as kubectl did.
    fn agrees_with(&self, recording: &Path) {
        let mut seen: BTreeMap<String, Vec<bool>> = self.ready.keys().map(|pod| (pod.clone(), vec![true])).collect();
        for line in std::fs::read_to_string(recording).unwrap().lines() {
            let msg: Value = serde_json::from_str(line).unwrap_or_default();
            for news in msg["news"].as_array().into_iter().flatten() {
                let happening = &news["happening"];
                let change = &happening["what"]["transition"]["pod"];
                let at = happening["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
                let (Some(pod), Some(at)) = (change["instance"].as_str(), at) else { continue };
                if (self.from..=self.until).contains(&at) {
                    let state = change["change"] == "ready";
                    let tells = ["ready", "not ready", "gone", "created"].iter().any(|word| change["change"] == *word);
                    if tells {
                        note(seen.entry(pod.to_owned()).or_default(), state);
                    }
                }
            }
        }
        assert!(self.ready.values().any(|story| *story == [true, false, true]), "{:?}", self.ready);
        assert_eq!(seen, self.ready);
    }
}

/// Three instances in three zones, one primary, quorum standbys with figures, archiving, ok; and under load the bytes
/// agree with what psql computes.
fn the_first_look(world: &World) {
    let cluster = world.status_until("the cluster is ok", healthy);
    assert_eq!(instances(&cluster).len(), 3);
    let zones: std::collections::BTreeSet<_> = instances(&cluster).iter().map(|i| i["zone"].to_string()).collect();
    assert_eq!(zones.len(), 3, "{zones:?}");
    let primaries: Vec<_> = instances(&cluster).iter().filter(|i| i["role"] == "primary").collect();
    assert_eq!(primaries.len(), 1);
    assert_eq!(primaries[0]["name"].as_str().map(str::to_owned), world.primary());
    let sync = instances(&cluster).iter().filter(|i| i["sync"] == "quorum" || i["sync"] == "sync");
    let sync: Vec<_> = sync.collect();
    assert!((1..=2).contains(&sync.len()), "{sync:?}");
    for standby in sync {
        assert!(standby["lag_bytes"].is_u64() && standby["replay_lag_s"].is_number(), "{standby}");
    }
    assert_eq!(cluster["archiving"]["working"], true);

    // howdah's figure lies within one segment of psql's, asked before and after it.
    let primary = world.primary().unwrap();
    let sql =
        "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint from pg_stat_replication";
    let before: i64 = world.psql(&primary, sql).unwrap().parse().unwrap();
    let (cluster, _) = world.status();
    let after: i64 = world.psql(&primary, sql).unwrap().parse().unwrap();
    let segment = 16 * 1024 * 1024;
    let said = instances(&cluster).iter().filter_map(|i| i["lag_bytes"].as_i64()).max().unwrap();
    assert!(said >= before.min(after) - segment && said <= before.max(after) + segment, "{before} … {said} … {after}");
}

fn open_console(world: &World, recording: &Path) -> Terminal {
    let kubeconfig = world.lab.kubeconfig();
    let home = recording.parent().unwrap().to_str().unwrap();
    let args = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--record", recording.to_str().unwrap()];
    let mut screen = Terminal::start(
        HOWDAH,
        &args,
        (120, 40),
        &[("HOME", home), ("XDG_CONFIG_HOME", home), ("XDG_STATE_HOME", home)],
    );
    screen.wait_until("the fleet shows the cluster as ok", |s| s.contains("●  cnpg-database/pg-primary"));
    screen.keys("2");
    screen.wait_until("the topology is complete", |s| s.contains("● ok") && s.contains("3/3 ready"));
    screen
}

/// A pod is deleted; another one leads within 20 s on the next timeline, nothing acknowledged is lost, the old one is back.
fn the_primary_dies(world: &World, screen: &mut Terminal) {
    let old = world.primary().unwrap();
    let others: Vec<String> = (1..=3).map(|n| format!("pg-primary-{n}")).filter(|n| *n != old).collect();
    let identity = "select pg_postmaster_start_time() || ' ' || system_identifier from pg_control_system()";
    let identities: Vec<_> = others.iter().map(|pod| (pod.clone(), world.psql(pod, identity).unwrap())).collect();
    world.psql(&old, "create table if not exists ledger (n int primary key)").unwrap();
    // Each insert is acknowledged before the next one is sent.
    let rows = 50;
    for n in 0..rows {
        world.psql(&old, &format!("insert into ledger values ({n})")).expect("an acknowledged write");
    }
    let before = world.status().0["timeline"].as_i64().unwrap();
    world.kubectl.ok(&["delete", "pod", "-n", NAMESPACE, &old, "--grace-period=1", "--wait=false"]);

    let twenty = Duration::from_secs(20);
    let found = until(
        "status names another primary on the next timeline",
        twenty,
        || {
            let (cluster, _) = world.status();
            let leads = instances(&cluster).iter().find(|i| i["role"] == "primary")?["name"].as_str()?.to_owned();
            (leads != old && cluster["timeline"].as_i64() == Some(before + 1)).then_some(leads)
        },
        || format!("{:#}", world.status().0),
    );
    let cluster = world.status_until("three ready instances again", healthy);
    assert_eq!(cluster["primary"].as_str(), Some(found.as_str()));
    assert_eq!(
        world.psql(&found, "select count(*) from ledger"),
        Some(rows.to_string()),
        "every acknowledged row is there"
    );
    let kept = identities.iter().find(|(pod, _)| *pod == found).map(|(_, identity)| identity.clone());
    assert_eq!(world.psql(&found, identity), kept, "the promoted server kept its process and system id");
    let rw = cluster["services"].as_array().unwrap().iter().find(|s| s["name"] == "pg-primary-rw").unwrap();
    assert_eq!(rw["leads_to"], serde_json::json!([found]));

    screen.wait_until("the topology tells the new leader", |s| s.contains(&format!("★ {found}")) && s.contains("● ok"));
    // Events tell the story in order.
    screen.keys("8");
    screen.wait_until("the story stands in the timeline", |s| {
        let at = |word: &str| s.find(word);
        matches!((at("FailingOver"), at("FailoverTarget")), (Some(a), Some(b)) if a < b)
            || (s.contains("Primary") && s.contains(&found))
    });
    screen.keys("2");
}

/// A standby's processes are stopped: the verdict turns warn and then bad with that reason, and recovers with them.
fn a_standby_freezes(world: &World) {
    let primary = world.primary().unwrap();
    let standby = (1..=3).map(|n| format!("pg-primary-{n}")).find(|n| *n != primary).unwrap();
    let pids = server_processes(&world.lab.dir, &standby);
    signal(&pids, nix::sys::signal::Signal::SIGSTOP);
    let codes = [
        "standby-lagging",
        "standby-lag-rising",
        "standby-not-streaming",
        "instance-not-answering",
        "instance-not-ready",
    ];
    let about = |cluster: &Value| {
        let reasons = cluster["availability"]["reasons"].as_array().cloned().unwrap_or_default();
        reasons.iter().any(|r| r["instance"] == standby.as_str() && codes.iter().any(|c| r["code"] == *c))
    };
    let warned = std::cell::Cell::new(false);
    world.status_until("the frozen standby is a reason to warn and then worse", |cluster, exit| {
        let level = cluster["availability"]["level"].as_str().filter(|_| about(cluster));
        warned.set(warned.get() || level == Some("warn"));
        level == Some("bad") && exit == Some(1)
    });
    assert!(warned.get(), "it was bad at once");
    signal(&pids, nix::sys::signal::Signal::SIGCONT);
    world.status_until("it recovers", healthy);
}

/// The API stops and starts again under the console: what is shown gets old and says so, then it is true again.
fn the_api_goes_away(world: &World, screen: &mut Terminal) {
    let dir = world.lab.dir.to_str().unwrap();
    let stopped = Command::new(HOWDAH).args(["lab", "api", "stop", "--dir", dir]).output().unwrap();
    assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    screen.wait_until("the source of truth is not live", |s| {
        s.lines().next().is_some_and(|header| header.contains("kube") && !header.contains("kube ●"))
    });
    let (_, exit) = world.status();
    assert_eq!(exit, Some(4), "out of reach is not a verdict");
    let started = Command::new(HOWDAH).args(["lab", "api", "start", "--dir", dir]).output().unwrap();
    assert!(started.status.success());
    screen.wait_until("everything is live again", |s| {
        s.lines().next().is_some_and(|header| header.contains("kube ●")) && s.contains("● ok")
    });
    world.status_until("status agrees", healthy);
}

/// What was recorded ends on the same screen, and holds every transition.
fn the_session_replays(screen: &mut Terminal, recording: &Path) {
    screen.keys("1");
    screen.wait_for("PRIMARY");
    screen.keys("q");
    assert!(screen.wait_end().success());
    screen.assert_restored();
    let out = Command::new(HOWDAH).arg("replay").arg(recording).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("PRIMARY") && text.contains("●  cnpg-database/pg-primary"), "{text}");
    let recorded = std::fs::read_to_string(recording).unwrap();
    for transition in [
        r#""target":{"from":"pg-primary-1","to":"pending"}"#,
        r#""primary":{"from":"pg-primary-1""#,
        r#""timeline":{"from":1,"to":2}"#,
    ] {
        assert!(recorded.contains(transition), "{transition} was not posted");
    }
}
