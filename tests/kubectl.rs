//! The real kubectl against the lab's API. Pods are made of nothing here: what is asked is whether kubectl is served as
//! on a real cluster. Without kubectl 1.27 or newer each test says so and is skipped.

mod api_world;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use api_world::{World, find_kubectl, says_skipped};
use howdah::lab::api::resources::{CLUSTERS, NAMESPACES, NODES, PODS};
use howdah::lab::api::{EventType, Part};
use serde_json::json;

const NS: &str = "cnpg-database";

/// The world and the kubectl to ask it with.
async fn begin(test: &str) -> Option<(World, String)> {
    let Some(kubectl) = find_kubectl() else {
        says_skipped(test);
        return None;
    };
    Some((World::small().await, kubectl))
}

fn manifest(instances: u32, more: &str) -> String {
    format!(
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata:\n  name: shop\n  namespace: {NS}\nspec:\n  \
         instances: {instances}\n  storage:\n    size: 1Gi\n{more}"
    )
}

/// Columns of the row that begins with `name`.
#[track_caller]
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let line = table.lines().find(|l| l.split_whitespace().next() == Some(name));
    line.unwrap_or_else(|| panic!("no row {name} in:\n{table}"))
        .split("  ")
        .map(str::trim)
        .filter(|c| !c.is_empty())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_as_on_a_real_cluster() {
    let Some((world, kubectl)) = begin("it_reads_as_on_a_real_cluster").await else { return };
    let k = |args: &'static [&'static str]| world.kubectl(&kubectl, args);

    let nodes = k(&["get", "nodes", "-L", "topology.kubernetes.io/zone"]).await.ok();
    assert_eq!(
        nodes.lines().next().map(|l| l.split_whitespace().collect::<Vec<_>>()),
        Some(vec!["NAME", "STATUS", "ROLES", "AGE", "VERSION", "ZONE"])
    );
    assert_eq!(row(&nodes, "node-2")[5], "westeurope-2");
    let pods = k(&["get", "pods", "-n", NS, "-L", "cnpg.io/instanceRole"]).await.ok();
    assert_eq!((row(&pods, "demo-1")[1], row(&pods, "demo-1")[5]), ("1/1", "primary"));
    let clusters = k(&["get", "clusters"]).await.ok();
    assert_eq!(row(&clusters, "demo")[2..], ["3", "3", "Cluster in healthy state", "demo-1"]);
    let wide = k(&["get", "pods", "-A", "-o", "wide", "-l", "cnpg.io/instanceRole=replica"]).await.ok();
    assert_eq!(wide.lines().count(), 3, "{wide}");
    assert!(k(&["get", "all"]).await.ok().contains("service/demo-rw"));
    assert_eq!(k(&["get", "pods", "-o", "name", "--chunk-size=1"]).await.ok(), "pod/demo-1\npod/demo-2\npod/demo-3\n");
    assert!(k(&["get", "cluster/demo", "-o", "yaml"]).await.ok().contains("currentPrimary: demo-1"));
    let resources = k(&["api-resources", "--api-group=postgresql.cnpg.io"]).await.ok();
    assert_eq!(row(&resources, "poolers")[1..], ["postgresql.cnpg.io/v1", "true", "Pooler"]);

    let about = world.store.get(&PODS, NS, "demo-1").expect("pod");
    world.store.event(&about, EventType::Warning, "Unhealthy", "Readiness probe failed", "kubelet").expect("event");
    let described = k(&["describe", "pod", "demo-1"]).await.ok();
    assert!(
        described.contains("Controlled By:    Cluster/demo") && described.contains("Readiness probe failed"),
        "{described}"
    );
    assert!(k(&["describe", "cluster", "demo"]).await.ok().contains("Current Primary:  demo-1"));
    assert!(k(&["describe", "node", "node-1"]).await.ok().contains("Non-terminated Pods:"));
    let events = k(&["get", "events"]).await.ok();
    assert!(events.contains("Warning") && events.contains("pod/demo-1"), "{events}");
    assert!(k(&["events", "--for", "pod/demo-1"]).await.ok().contains("Unhealthy"));
    assert!(k(&["get", "events.events.k8s.io"]).await.ok().contains("Readiness probe failed"));

    assert!(k(&["explain", "cluster.spec.instances"]).await.ok().contains("FIELD: instances <integer>"));
    assert!(k(&["explain", "pod.spec.containers"]).await.ok().contains("<[]Container>"));
    let refused = k(&["get", "cluster", "nope"]).await.refused();
    assert_eq!(refused.trim(), "Error from server (NotFound): clusters.postgresql.cnpg.io \"nope\" not found");
    assert!(k(&["get", "nopes"]).await.refused().contains("the server doesn't have a resource type \"nopes\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_watches_and_waits() {
    let Some((world, kubectl)) = begin("it_watches_and_waits").await else { return };
    let mut child = world
        .command(&kubectl, &["get", "pods", "-w", "--no-headers", "-l", "cnpg.io/instanceRole=primary"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("kubectl runs");
    let out = child.stdout.take().expect("piped");
    let (send, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
    let mut next = async || {
        tokio::time::timeout(Duration::from_secs(30), lines.recv()).await.expect("in time").unwrap_or_default()
    };
    assert_eq!(next().await.split_whitespace().take(3).collect::<Vec<_>>(), ["demo-1", "1/1", "Running"]);
    let label = |name: &'static str, role: &'static str| {
        let done = world.store.change(&PODS, NS, name, Part::Main, |pod| {
            pod["metadata"]["labels"]["cnpg.io/instanceRole"] = json!(role);
            Ok(())
        });
        done.expect("labelled");
    };
    label("demo-1", "unhealthy");
    assert!(next().await.starts_with("demo-1"), "it leaves the selection");
    label("demo-2", "primary");
    assert!(next().await.starts_with("demo-2"), "it enters the selection");
    child.kill().expect("killed");
    child.wait().expect("reaped");

    world.kubectl(&kubectl, &["wait", "--for=condition=Ready", "pod/demo-1", "--timeout=20s"]).await.ok();
    let store = world.store.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let done = store.change(&CLUSTERS, NS, "demo", Part::Status, |c| {
            c["status"]["currentPrimary"] = json!("demo-2");
            Ok(())
        });
        done.expect("changed");
    });
    let args = ["wait", "--for=jsonpath={.status.currentPrimary}=demo-2", "cluster/demo", "--timeout=20s"];
    world.kubectl(&kubectl, &args).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_applies_diffs_and_knows_who_owns_what() {
    let Some((world, kubectl)) = begin("it_applies_diffs_and_knows_who_owns_what").await else { return };
    let apply = async |text: String, args: &[&str]| {
        let all: Vec<&str> = ["apply", "-f", "-"].iter().chain(args).copied().collect();
        world.kubectl_with(&kubectl, &all, &text).await
    };
    let instances = || world.store.get(&CLUSTERS, NS, "shop").map(|c| c["spec"]["instances"].clone());

    let dry = apply(manifest(2, ""), &["--dry-run=server"]).await.ok();
    assert!(dry.contains("created (server dry run)") && instances().is_none(), "{dry}");
    assert!(apply(manifest(2, ""), &[]).await.ok().contains("created"));
    assert!(apply(manifest(2, ""), &[]).await.ok().contains("unchanged"));
    let before = world.store.resource_version();
    let diff = world.kubectl_with(&kubectl, &["diff", "-f", "-"], &manifest(3, "  logLevel: debug\n")).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    assert!(diff.out.contains("-  instances: 2") && diff.out.contains("+  logLevel: debug"), "{}", diff.out);
    assert_eq!(world.store.resource_version(), before, "a diff changes nothing");
    assert_eq!(world.kubectl_with(&kubectl, &["diff", "-f", "-"], &manifest(2, "")).await.code, 0);

    let conflict = apply(manifest(3, "  logLevel: debug\n"), &["--server-side"]).await.refused();
    assert!(
        conflict.contains("conflict with \"kubectl-client-side-apply\" using postgresql.cnpg.io/v1: .spec.instances"),
        "{conflict}"
    );
    assert_eq!(instances(), Some(json!(2)));
    apply(manifest(3, "  logLevel: debug\n"), &["--server-side", "--force-conflicts"]).await.ok();
    assert_eq!(instances(), Some(json!(3)));
    let other = apply(manifest(1, ""), &["--server-side", "--field-manager=other"]).await.refused();
    assert!(other.contains("conflict with \"kubectl\": .spec.instances"), "{other}");
    apply(manifest(3, ""), &["--server-side"]).await.ok();
    let shop = world.store.get(&CLUSTERS, NS, "shop").expect("there");
    assert!(shop["spec"]["logLevel"].is_null(), "a field dropped from the manifest goes: {shop}");

    let unknown = apply(manifest(3, "  nope: 1\n"), &["--server-side"]).await.refused();
    assert!(unknown.contains("nope"), "{unknown}");
    let wrong = apply(manifest(0, "").replace("shop", "bad"), &[]).await.refused();
    assert!(wrong.contains("spec.instances in body should be greater than or equal to 1"), "{wrong}");
    assert!(apply("a: [".into(), &[]).await.code != 0);

    let deployment = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {NS}}}\nspec:\n  selector: \
         {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: \
         [{{name: web, image: \"nginx:1\"}}]}}\n"
    );
    assert!(apply(deployment.clone(), &[]).await.ok().contains("deployment.apps/web created"));
    assert!(apply(deployment.replace("nginx:1", "nginx:2"), &[]).await.ok().contains("configured"));
    assert!(apply(deployment.replace("nginx:1", "nginx:2"), &[]).await.ok().contains("unchanged"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_changes_single_things() {
    let Some((world, kubectl)) = begin("it_changes_single_things").await else { return };
    let k = |args: &'static [&'static str]| world.kubectl(&kubectl, args);
    let cluster = || world.store.get(&CLUSTERS, NS, "demo").expect("there");

    k(&["annotate", "cluster", "demo", "cnpg.io/hibernation=on"]).await.ok();
    assert_eq!(cluster()["metadata"]["annotations"]["cnpg.io/hibernation"], "on");
    k(&["annotate", "cluster", "demo", "cnpg.io/hibernation-"]).await.ok();
    k(&["label", "pod", "demo-1", "x=y"]).await.ok();
    k(&["patch", "pod", "demo-1", "-p", r#"{"metadata":{"labels":{"x":null,"z":"1"}}}"#]).await.ok();
    let labels = world.store.get(&PODS, NS, "demo-1").expect("there")["metadata"]["labels"].clone();
    assert_eq!((&labels["x"], &labels["z"]), (&json!(null), &json!("1")));
    k(&["patch", "cluster", "demo", "--type=merge", "-p", r#"{"spec":{"instances":2}}"#]).await.ok();
    assert_eq!(cluster()["metadata"]["generation"], 2);
    k(&["patch", "cluster", "demo", "--type=json", "-p", r#"[{"op":"replace","path":"/spec/instances","value":5}]"#])
        .await
        .ok();
    assert_eq!(cluster()["spec"]["instances"], 5);
    assert!(
        k(&["patch", "cluster", "demo", "-p", "{}"])
            .await
            .refused()
            .contains("strategic-merge-patch+json is not supported")
    );
    k(&[
        "patch",
        "cluster",
        "demo",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status":{"targetPrimary":"demo-2"},"spec":{"instances":9}}"#,
    ])
    .await
    .ok();
    assert_eq!((&cluster()["status"]["targetPrimary"], &cluster()["spec"]["instances"]), (&json!("demo-2"), &json!(5)));
    assert!(k(&["scale", "cluster", "demo", "--replicas=3"]).await.ok().contains("scaled"));
    assert_eq!(cluster()["spec"]["instances"], 3);
    let mut editing = world.command(&kubectl, &["edit", "cluster", "demo"]);
    editing.env("KUBE_EDITOR", "sed -i s/instances:\\ 3/instances:\\ 4/");
    let edited = tokio::task::spawn_blocking(move || editing.output()).await.expect("joined").expect("runs");
    assert!(edited.status.success(), "{edited:?}");
    assert_eq!(cluster()["spec"]["instances"], 4);

    k(&["cordon", "node-1"]).await.ok();
    assert!(k(&["get", "node", "node-1"]).await.ok().contains("Ready,SchedulingDisabled"));
    let drained = k(&["drain", "node-1", "--ignore-daemonsets", "--force", "--timeout=3s"]).await.refused();
    assert!(drained.contains("Cannot evict pod as it would violate the pod's disruption budget."), "{drained}");
    // A replica is not under that budget; the test's kubelet takes it away when it is marked.
    let store = world.store.clone();
    let kubelet = tokio::spawn(async move {
        let mut watch = store.watch(&PODS, Some(NS));
        loop {
            let pod = watch.next().await.object;
            if pod["metadata"]["deletionTimestamp"].is_string() {
                store.remove(&PODS, NS, pod["metadata"]["name"].as_str().unwrap_or_default());
            }
        }
    });
    assert!(k(&["drain", "node-2", "--ignore-daemonsets", "--force", "--timeout=20s"]).await.ok().contains("drained"));
    k(&["uncordon", "node-1", "node-2"]).await.ok();
    assert!(world.store.get(&NODES, "", "node-1").expect("there")["spec"]["unschedulable"].is_null());
    assert!(k(&["delete", "pod", "demo-3", "--grace-period=1"]).await.ok().contains("deleted"));
    assert!(k(&["delete", "cluster", "demo"]).await.ok().contains("deleted"));
    kubelet.abort();
    assert!(world.store.get(&CLUSTERS, NS, "demo").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reaches_into_pods() {
    let Some((world, kubectl)) = begin("it_reaches_into_pods").await else { return };
    let k = |args: &'static [&'static str]| world.kubectl(&kubectl, args);

    assert_eq!(k(&["logs", "demo-1", "--tail=2"]).await.ok(), "two\nthree\n");
    assert_eq!(k(&["logs", "-f", "demo-1"]).await.ok(), "one\ntwo\nthree\nfour\nfive\n");
    assert!(k(&["logs", "demo-1", "--previous"]).await.refused().contains("previous terminated container"));
    assert!(k(&["logs", "demo-1", "-c", "x"]).await.refused().contains("container x is not valid for pod demo-1"));
    assert_eq!(k(&["exec", "demo-2", "--", "where"]).await.ok(), "demo-2\n");
    let failed = k(&["exec", "demo-1", "-c", "postgres", "--", "fail", "3"]).await;
    assert_eq!((failed.code, failed.out.as_str()), (3, "out\n"));
    assert_eq!(failed.err, "err\ncommand terminated with exit code 3\n");
    let echoed = world.kubectl_with(&kubectl, &["exec", "-i", "demo-1", "--", "cat"], "hello\n").await;
    assert_eq!(echoed.ok(), "hello\n");
    let path = "/api/v1/namespaces/cnpg-database/pods/https:demo-1:8000/proxy/pg/status";
    assert_eq!(world.kubectl(&kubectl, &["get", "--raw", path]).await.ok(), "{\"isPrimary\":true}");
    let path = "/api/v1/namespaces/cnpg-database/pods/demo-1:9187/proxy/metrics?a=b";
    assert_eq!(world.kubectl(&kubectl, &["get", "--raw", path]).await.ok(), "up{q=\"a=b\"} 1\n");
    let closed = "/api/v1/namespaces/cnpg-database/pods/https:demo-1:8111/proxy/";
    assert!(
        world.kubectl(&kubectl, &["get", "--raw", closed]).await.refused().contains("error trying to reach service")
    );
    forwarded(&world, &kubectl).await;
}

/// `kubectl port-forward` speaks SPDY: the echo behind the port answers, twice; a closed port is told.
async fn forwarded(world: &World, kubectl: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut child =
        tokio::process::Command::from(world.command(kubectl, &["port-forward", "demo-1", ":5432", ":5999"]))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kubectl runs");
    let out = tokio::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut lines = tokio::io::AsyncBufReadExt::lines(out);
    let mut port = async |of: &str| loop {
        let line = lines.next_line().await.expect("read").unwrap_or_default();
        if let Some(port) = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|l| l.strip_suffix(of)) {
            return port.parse::<u16>().expect("a port");
        }
        assert!(!line.is_empty(), "kubectl gave up");
    };
    let (open, closed) = (port(" -> 5432").await, port(" -> 5999").await);
    for _ in 0..2 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", open)).await.expect("connected");
        stream.write_all(&[b'x'; 200_000]).await.expect("written");
        let mut back = vec![0; 200_000];
        tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut back))
            .await
            .expect("in time")
            .expect("echoed");
        assert!(back.iter().all(|b| *b == b'x'));
    }
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", closed)).await.expect("connected");
    let _ = stream.write_all(b"x").await;
    let mut complaints =
        tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().expect("piped")));
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        while let Ok(Some(line)) = complaints.next_line().await {
            if line.contains("error forwarding port 5999") && line.contains("connection refused") {
                return true;
            }
        }
        false
    });
    assert!(told.await.expect("in time"), "a closed port is told");
    child.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_and_a_stopped_server_are_told() {
    let Some((world, kubectl)) = begin("a_wrong_token_and_a_stopped_server_are_told").await else { return };
    let refused = world.kubectl(&kubectl, &["--token=wrong", "get", "pods"]).await.refused();
    assert!(refused.contains("Unauthorized") || refused.contains("must be logged in"), "{refused}");
    world.store.create(&NAMESPACES, "", json!({"metadata": {"name": "other"}})).expect("made");
    world.server.stop().await;
    assert!(!world.server.is_running().await);
    assert!(world.kubectl(&kubectl, &["get", "ns"]).await.refused().contains("refused"));
    world.server.start().await.expect("started again");
    assert!(world.kubectl(&kubectl, &["get", "ns"]).await.ok().contains("other"));
}
