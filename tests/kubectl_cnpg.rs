//! What kubectl-cnpg 1.30 sent to a real cluster, sent again to the lab's API. The requests are recordings of our own
//! runs; the answers are compared where they don't depend on that cluster: code, type, and what the command achieves.

mod api_world;

use std::collections::BTreeMap;

use api_world::World;
use futures::StreamExt as _;
use howdah::lab::api::resources::{BACKUPS, CLUSTERS, PODS, PVCS};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

const NS: &str = "pg";

/// The recorded requests of one command, in order.
fn recorded(command: &str) -> Vec<Value> {
    let all =
        include_str!("fixtures/kubectl-cnpg.jsonl").lines().map(|l| serde_json::from_str::<Value>(l).expect("a line"));
    let mine: Vec<Value> = all.filter(|r| r["command"] == command).collect();
    assert!(!mine.is_empty(), "no recording of {command}");
    mine
}

async fn world() -> World {
    let world = World::small_in(NS).await;
    let shop = json!({"metadata": {"name": "shop"}, "spec": {"instances": 2}});
    world.store.create(&CLUSTERS, NS, shop).expect("cluster");
    let claim = json!({"metadata": {"name": "demo-3", "labels": {"app.kubernetes.io/component": "database",
        "app.kubernetes.io/managed-by": "cloudnative-pg", "app.kubernetes.io/name": "postgresql",
        "cnpg.io/instanceName": "demo-3", "cnpg.io/pvcRole": "PG_DATA"}}, "spec": {"volumeName": "pv-3"}});
    world.store.create(&PVCS, NS, claim).expect("claim");
    world
}

/// Sends the requests of a command; the answers by method and path.
async fn replay(world: &World, command: &str) -> BTreeMap<(String, String), Value> {
    let client = world.client().await;
    let mut answers = BTreeMap::new();
    for request in recorded(command) {
        let text = |field: &str| request[field].as_str().unwrap_or_default().to_owned();
        let key = (text("method"), text("path").split('?').next().unwrap_or_default().to_owned());
        if request["upgrade"].is_string() {
            let frames = frames(&client, &text("path")).await;
            answers.insert(key, frames);
            continue;
        }
        let mut sent =
            http::Request::builder().method(text("method").as_str()).uri(text("path")).header("accept", text("accept"));
        if request["content_type"].is_string() {
            sent = sent.header("content-type", text("content_type"));
        }
        let sent = sent.body(Body::from(body(world, &text("body")).into_bytes())).expect("request");
        let answer = client.send(sent).await.expect("answer");
        assert_eq!(u64::from(answer.status().as_u16()), request["status"].as_u64().unwrap_or_default(), "{request}");
        let kind = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        // Protobuf is only preferred: `*/*` stands behind it.
        let wanted = text("answers").replace("application/vnd.kubernetes.protobuf", "application/json");
        assert_eq!(kind, wanted, "{request}");
        let bytes = answer.into_body().collect().await.expect("body").to_bytes();
        answers.insert(key, serde_json::from_slice(&bytes).unwrap_or_default());
    }
    answers
}

/// The recorded resource version belongs to another world: ours takes its place.
fn body(world: &World, recorded: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(recorded) else { return recorded.to_owned() };
    if value["metadata"]["resourceVersion"].is_string() {
        let demo = world.store.get(&CLUSTERS, NS, "demo").expect("demo");
        value["metadata"]["resourceVersion"] = demo["metadata"]["resourceVersion"].clone();
    }
    value.to_string()
}

/// The frames of an exec: channel and text.
async fn frames(client: &kube::Client, path: &str) -> Value {
    let request = http::Request::get(path).body(Vec::new()).expect("request");
    let connection = client.connect(request).await.expect("upgraded");
    assert!(connection.supports_stream_close(), "v5");
    let mut socket = connection.into_stream();
    let mut frames = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() {
            frames.push(json!("closed"));
            break;
        }
        let bytes = message.into_data();
        frames.push(json!([bytes[0], String::from_utf8_lossy(&bytes[1..])]));
    }
    Value::Array(frames)
}

fn cluster(world: &World) -> Value {
    Value::clone(&world.store.get(&CLUSTERS, NS, "demo").expect("demo"))
}

const DEMO: &str = "/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters/demo";

fn at<'a>(answers: &'a BTreeMap<(String, String), Value>, method: &str, path: &str) -> &'a Value {
    &answers[&(method.to_owned(), path.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_psql() {
    let world = world().await;
    let answers = replay(&world, "status").await;
    let pods = at(&answers, "GET", "/api/v1/namespaces/pg/pods");
    assert_eq!(
        (&pods["kind"], &pods["apiVersion"], pods["items"].as_array().map(Vec::len)),
        (&json!("PodList"), &json!("v1"), Some(3))
    );
    let status =
        |i: u8| at(&answers, "GET", &format!("/api/v1/namespaces/pg/pods/https:demo-{i}:8000/proxy/pg/status")).clone();
    assert_eq!((status(1)["isPrimary"].clone(), status(2)["isPrimary"].clone()), (json!(true), json!(false)));
    assert_eq!(at(&answers, "GET", DEMO)["status"]["phase"], "Cluster in healthy state");
    let budgets = at(&answers, "GET", "/apis/policy/v1/namespaces/pg/poddisruptionbudgets");
    assert_eq!((&budgets["kind"], &budgets["items"]), (&json!("PodDisruptionBudgetList"), &json!([])), "by label");
    // The pods of this test don't know du: what counts is the order of the frames.
    let exec = at(&answers, "GET", "/api/v1/namespaces/pg/pods/demo-1/exec");
    assert_eq!((&exec[0], &exec[1][0], &exec[2]), (&json!([1, ""]), &json!(3), &json!("closed")));

    let answers = replay(&world, "psql").await;
    let pods = at(&answers, "GET", "/api/v1/namespaces/pg/pods");
    assert_eq!(pods["items"].as_array().map(Vec::len), Some(3));
    assert!(at(&answers, "GET", "/version")["gitVersion"].as_str().is_some_and(|v| v.starts_with("v1.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn promote_writes_status_only_and_only_once() {
    let world = world().await;
    let before = cluster(&world);
    let answers = replay(&world, "promote").await;
    let after = cluster(&world);
    assert_eq!(after["status"]["targetPrimary"], "demo-1");
    assert_eq!(after["status"]["phase"], "Switchover in progress");
    assert_eq!(after["status"]["currentPrimary"], "demo-1", "what the patch doesn't name stays");
    assert_eq!(
        (&after["spec"], &after["metadata"]["generation"]),
        (&before["spec"], &before["metadata"]["generation"])
    );
    assert_eq!(at(&answers, "PATCH", &format!("{DEMO}/status")), &after);

    let stale =
        json!({"metadata": {"resourceVersion": before["metadata"]["resourceVersion"]}, "status": {"phase": "x"}});
    let request = http::Request::patch(format!("{DEMO}/status")).header("content-type", "application/merge-patch+json");
    let refused =
        world.client().await.send(request.body(Body::from(stale.to_string().into_bytes())).expect("request")).await;
    let refused = refused.expect("answer");
    assert_eq!(refused.status(), 409);
    let status: Value =
        serde_json::from_slice(&refused.into_body().collect().await.expect("body").to_bytes()).expect("JSON");
    let wanted = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Conflict",
        "message": "Operation cannot be fulfilled on clusters.postgresql.cnpg.io \"demo\": the object has been modified; please \
            apply your changes to the latest version and try again",
        "details": {"name": "demo", "group": "postgresql.cnpg.io", "kind": "clusters"}, "code": 409});
    assert_eq!(status, wanted);
    replay(&world, "restart-primary").await;
    assert_eq!(cluster(&world)["status"]["phase"], "Primary instance is being restarted in-place");
}

#[tokio::test(flavor = "multi_thread")]
async fn annotations_say_the_rest() {
    let world = world().await;
    let annotation = |name: &str| cluster(&world)["metadata"]["annotations"][name].clone();
    replay(&world, "fencing-on").await;
    assert_eq!(annotation("cnpg.io/fencedInstances"), "[\"demo-2\"]");
    replay(&world, "fencing-off").await;
    assert_eq!(annotation("cnpg.io/fencedInstances"), Value::Null);
    replay(&world, "hibernate-on").await;
    assert_eq!(annotation("cnpg.io/hibernation"), "on");
    replay(&world, "hibernate-off").await;
    assert_eq!(annotation("cnpg.io/hibernation"), "off");
    replay(&world, "reload").await;
    assert!(annotation("cnpg.io/reloadedAt").is_string());
    replay(&world, "restart-cluster").await;
    assert!(annotation("kubectl.kubernetes.io/restartedAt").is_string());
    assert_eq!(cluster(&world)["metadata"]["generation"], 1, "none of them touches the spec");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_claims_and_backups() {
    let world = world().await;
    replay(&world, "restart-instance").await;
    let pod = world.store.get(&PODS, NS, "demo-2").expect("still ending");
    assert_eq!(
        pod["metadata"]["deletionGracePeriodSeconds"], 30,
        "a protobuf body is ignored: the pod's own grace counts"
    );
    let answers = replay(&world, "destroy").await;
    let deleted = at(&answers, "DELETE", "/api/v1/namespaces/pg/pods/demo-3");
    assert_eq!((&deleted["kind"], deleted["metadata"]["deletionTimestamp"].is_string()), (&json!("Pod"), true));
    assert!(world.store.get(&PVCS, NS, "demo-3").is_none());
    let answers = replay(&world, "backup").await;
    let made = at(&answers, "POST", "/apis/postgresql.cnpg.io/v1/namespaces/pg/backups");
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let kept = world.store.get(&BACKUPS, NS, name).expect("kept");
    assert_eq!(
        (&kept["spec"]["method"], &kept["status"]),
        (&json!("barmanObjectStore"), &Value::Null),
        "a new object has no status"
    );
}
