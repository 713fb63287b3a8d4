//! The lab's API, request by request: errors in the words of a real server (our own recordings), dry runs, watches,
//! limits, and bodies that make no sense.

mod api_world;

use std::time::{Duration, Instant};

use api_world::World;
use futures::AsyncBufReadExt as _;
use howdah::lab::api::Part;
use howdah::lab::api::resources::{CLUSTERS, CONFIGMAPS, NODES, PODS};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

const DEMO: &str = "/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters/demo";
const CLUSTERS_PATH: &str = "/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters";
const MERGE: &str = "application/merge-patch+json";

struct Ask {
    world: World,
    client: kube::Client,
}

/// Code, headers and body of an answer.
struct Got {
    code: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

async fn begin() -> Ask {
    let world = World::small_in("pg").await;
    let client = world.client().await;
    Ask { world, client }
}

impl Ask {
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Got {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = http_body_util::Full::new(bytes::Bytes::from(body.into()));
        let answer = self.world.ask(request.body(body).expect("request")).await;
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.expect("body").to_bytes();
        Got { code: parts.status.as_u16(), headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    async fn get(&self, path: &str) -> Got {
        self.send("GET", path, &[("accept", "application/json")], "").await
    }

    async fn patch(&self, path: &str, kind: &str, body: &Value) -> Got {
        self.send("PATCH", path, &[("accept", "application/json"), ("content-type", kind)], body.to_string()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }
}

fn failure(code: u16, reason: &str, message: &str, details: Option<Value>) -> Value {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code});
    if let Some(details) = details {
        status["details"] = details;
    }
    status
}

fn cluster(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": name, "namespace": "pg"}, "spec": spec})
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_the_words_of_a_real_server() {
    let ask = begin().await;
    let named = |name: &str| Some(json!({"name": name, "group": "postgresql.cnpg.io", "kind": "clusters"}));

    let got = ask.get(&format!("{CLUSTERS_PATH}/nope")).await;
    assert_eq!(got.json(), failure(404, "NotFound", "clusters.postgresql.cnpg.io \"nope\" not found", named("nope")));
    let got = ask.get("/api/v1/namespaces/pg/pods/nope").await;
    assert_eq!(
        got.json(),
        failure(404, "NotFound", "pods \"nope\" not found", Some(json!({"name": "nope", "kind": "pods"})))
    );
    let got = ask.get("/apis/postgresql.cnpg.io/v1/namespaces/pg/nopes").await;
    assert_eq!((got.code, got.text.as_str()), (404, "404 page not found\n"));

    let got = ask.send("GET", "/api/v1/namespaces/pg/pods", &[("accept", "text/plain")], "").await;
    assert_eq!((got.code, got.json()["reason"].clone()), (406, json!("NotAcceptable")));
    assert!(got.text.contains("406: Not Acceptable\\n\\nAvailable representations: application/json"));

    let got = ask.post(CLUSTERS_PATH, &cluster("demo", json!({"instances": 1}))).await;
    assert_eq!(
        got.json(),
        failure(409, "AlreadyExists", "clusters.postgresql.cnpg.io \"demo\" already exists", named("demo"))
    );

    let got = ask.patch(DEMO, "application/strategic-merge-patch+json", &json!({})).await;
    let message = "the body of the request was in an unknown format - accepted media types include: \
                   application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
    assert_eq!(got.json(), failure(415, "UnsupportedMediaType", message, None));

    let got = ask.post(CLUSTERS_PATH, &cluster("bad", json!({"instances": 0}))).await;
    let why = "Invalid value: 0: spec.instances in body should be greater than or equal to 1";
    let details = json!({"name": "bad", "group": "postgresql.cnpg.io", "kind": "Cluster",
        "causes": [{"reason": "FieldValueInvalid", "message": why, "field": "spec.instances"}]});
    let message = format!("Cluster.postgresql.cnpg.io \"bad\" is invalid: spec.instances: {why}");
    assert_eq!(got.json(), failure(422, "Invalid", &message, Some(details)));

    let got = ask.patch(&format!("{DEMO}?fieldValidation=Strict"), MERGE, &json!({"spec": {"nope": 1}})).await;
    assert_eq!(got.code, 422);
    let message = got.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with(" \"\" is invalid: patch: Invalid value: \"{\\\"apiVersion\\\""), "{message}");
    assert!(message.ends_with("strict decoding error: unknown field \"spec.nope\""), "{message}");
    let got = ask.patch(&format!("{DEMO}?fieldValidation=Warn&dryRun=All"), MERGE, &json!({"spec": {"nope": 1}})).await;
    let warning = got.headers.get("warning").and_then(|w| w.to_str().ok());
    assert_eq!((got.code, warning), (200, Some("299 - \"unknown field \\\"spec.nope\\\"\"")));
    assert!(got.json()["spec"]["nope"].is_null());

    let before = Instant::now();
    let got = ask.get(&format!("{CLUSTERS_PATH}?resourceVersion=99999999")).await;
    let current = ask.world.store.resource_version();
    let details = json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1});
    assert_eq!(
        got.json(),
        failure(
            504,
            "Timeout",
            &format!("Timeout: Too large resource version: 99999999, current: {current}"),
            Some(details)
        )
    );
    assert!(before.elapsed() > Duration::from_secs(2), "it waits before it gives up");

    let got = ask
        .post(
            "/api/v1/namespaces/pg/pods/demo-1/eviction",
            &json!({"metadata": {"name": "demo-1"}, "delete_options": null}),
        )
        .await;
    let details = json!({"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget demo-primary needs 1 healthy pods and has 1 currently"}]});
    assert_eq!(
        got.json(),
        failure(
            429,
            "TooManyRequests",
            "Cannot evict pod as it would violate the pod's disruption budget.",
            Some(details)
        )
    );

    let got = ask.get("/api/v1/namespaces/pg/pods/https:demo-1:8111/proxy/").await;
    assert_eq!((got.code, got.json()["reason"].clone()), (503, json!("ServiceUnavailable")));
    assert!(got.json()["message"].as_str().is_some_and(|m| m.starts_with("error trying to reach service: ")));
    let got = ask.get("/api/v1/namespaces/pg/pods/demo-1:8000/proxy/pg/status").await;
    assert_eq!((got.code, got.text.as_str()), (400, "Client sent an HTTP request to an HTTPS server.\n"));
    let got = ask.get("/api/v1/namespaces/pg/pods/demo-1/exec?command=true&container=postgres&stdout=true").await;
    assert_eq!(got.json(), failure(400, "BadRequest", "Upgrade request required", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_form() {
    let ask = begin().await;
    let refused = async |method: &str, path: &str, kind: &str, body: &[u8], code: u16| {
        let got = ask.send(method, path, &[("content-type", kind)], body).await;
        assert_eq!(got.code, code, "{method} {path} {kind}: {}", got.text);
        assert_eq!(
            (got.json()["kind"].clone(), got.json()["code"].clone()),
            (json!("Status"), json!(code)),
            "{}",
            got.text
        );
    };
    for body in [
        &b"{"[..],
        b"[]",
        b"null",
        b"\xff\xfe",
        b"",
        b"{\"metadata\":1}",
        b"{\"kind\":\"Pod\"}",
        b"{\"apiVersion\":\"v9\"}",
    ] {
        refused("POST", CLUSTERS_PATH, "application/json", body, 400).await;
    }
    refused("POST", CLUSTERS_PATH, "application/vnd.kubernetes.protobuf", b"k8s\0", 415).await;
    refused("POST", CLUSTERS_PATH, "text/html", b"x", 415).await;
    refused(
        "POST",
        CLUSTERS_PATH,
        "application/json",
        br#"{"metadata":{"name":"UPPER/x"},"spec":{"instances":1}}"#,
        422,
    )
    .await;
    refused("POST", CLUSTERS_PATH, "application/json", br#"{"metadata":{},"spec":{"instances":1}}"#, 422).await;
    refused(
        "POST",
        &CLUSTERS_PATH.replace("/pg/", "/none/"),
        "application/json",
        br#"{"metadata":{"name":"x"},"spec":{"instances":1}}"#,
        404,
    )
    .await;
    refused("POST", CLUSTERS_PATH, "application/json", &vec![b'x'; 4 << 20], 413).await;
    refused("PATCH", DEMO, MERGE, b"[1]", 400).await;
    refused("PATCH", DEMO, "application/json-patch+json", b"{}", 400).await;
    refused("PATCH", DEMO, "application/json-patch+json", br#"[{"op":"remove","path":"/nope"}]"#, 422).await;
    refused("PATCH", DEMO, MERGE, br#"{"metadata":{"name":"other"}}"#, 400).await;
    refused("PATCH", DEMO, MERGE, br#"{"spec":{"instances":"three"}}"#, 422).await;
    refused("PATCH", &format!("{DEMO}?dryRun=Some"), MERGE, b"{}", 422).await;
    refused("PATCH", DEMO, "application/apply-patch+yaml", b"a: [", 400).await;
    refused("PATCH", &format!("{DEMO}?fieldManager=x"), "application/apply-patch+yaml", b"a: [", 400).await;
    refused("PATCH", &format!("{DEMO}?fieldManager=x"), "application/apply-patch+yaml", b"a: 1", 400).await;
    refused("PUT", DEMO, "application/json", br#"{"metadata":{"name":"demo"},"spec":{"instances":1}}"#, 422).await;
    refused(
        "PUT",
        &format!("{CLUSTERS_PATH}/x"),
        "application/json",
        br#"{"metadata":{"name":"x","resourceVersion":"1"},"spec":{"instances":1}}"#,
        404,
    )
    .await;
    refused("DELETE", DEMO, "application/json", b"{", 400).await;
    refused("DELETE", DEMO, "application/json", br#"{"preconditions":{"uid":"other"}}"#, 409).await;
    refused("POST", DEMO, "application/json", b"{}", 405).await;
    refused("PATCH", CLUSTERS_PATH, MERGE, b"{}", 405).await;
    refused("PATCH", &format!("{DEMO}/scale"), MERGE, br#"{"spec":{"replicas":-1}}"#, 422).await;
    for query in [
        "labelSelector=a%20b",
        "fieldSelector=x=1",
        "limit=x",
        "resourceVersion=x",
        "continue=x",
        "resourceVersionMatch=Exact",
        "watch=1&resourceVersion=x",
    ] {
        refused("GET", &format!("{CLUSTERS_PATH}?{query}"), "", b"", 400).await;
    }
    assert_eq!(
        ask.world.store.get(&CLUSTERS, "pg", "demo").map(|c| c["spec"].clone()),
        Some(json!({"instances": 3, "storage": {"size": "1Gi"}}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let ask = begin().await;
    let before = ask.world.store.resource_version();
    let dry = |path: &str| format!("{path}?dryRun=All&fieldManager=m&force=true");
    let made = ask.post(&dry(CLUSTERS_PATH), &cluster("new", json!({"instances": 1}))).await;
    assert_eq!((made.code, made.json()["metadata"]["uid"].is_string()), (201, true));
    let patched = ask.patch(&dry(DEMO), MERGE, &json!({"spec": {"instances": 9}})).await;
    assert_eq!((patched.code, patched.json()["spec"]["instances"].clone()), (200, json!(9)));
    assert_eq!(
        ask.patch(&dry(DEMO), "application/apply-patch+yaml", &cluster("demo", json!({"instances": 7}))).await.code,
        200
    );
    assert_eq!(
        ask.patch(
            &dry(&format!("{CLUSTERS_PATH}/fresh")),
            "application/apply-patch+yaml",
            &cluster("fresh", json!({"instances": 7}))
        )
        .await
        .code,
        201
    );
    assert_eq!(ask.patch(&dry(&format!("{DEMO}/status")), MERGE, &json!({"status": {"phase": "x"}})).await.code, 200);
    assert_eq!(ask.patch(&dry(&format!("{DEMO}/scale")), MERGE, &json!({"spec": {"replicas": 8}})).await.code, 200);
    assert_eq!(ask.send("DELETE", &dry(DEMO), &[], "").await.code, 200);
    assert_eq!(
        ask.send("DELETE", DEMO, &[("content-type", "application/json")], r#"{"dryRun":["All"]}"#).await.code,
        200
    );
    assert_eq!(ask.send("DELETE", &dry("/api/v1/namespaces/pg/pods"), &[], "").await.code, 200);
    assert_eq!(ask.post(&dry("/api/v1/namespaces/pg/pods/demo-2/eviction"), &json!({})).await.code, 201);
    assert_eq!(ask.world.store.resource_version(), before);
    assert!(ask.world.store.get(&PODS, "pg", "demo-2").is_some_and(|p| p["metadata"]["deletionTimestamp"].is_null()));
}

/// The events of a watch with a short time-out.
async fn watched(ask: &Ask, path: &str) -> Vec<Value> {
    let request = http::Request::get(path).body(Vec::new()).expect("request");
    let mut lines = std::pin::pin!(ask.client.request_stream(request).await.expect("watch").lines());
    let mut events = Vec::new();
    while let Some(Ok(line)) = futures::StreamExt::next(&mut lines).await {
        events.push(serde_json::from_str(&line).expect("a JSON line"));
    }
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|e| e["type"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_begin_where_they_are_told() {
    let ask = begin().await;
    let path = |query: &str| format!("{CLUSTERS_PATH}?watch=true&timeoutSeconds=1&{query}");
    assert_eq!(kinds(&watched(&ask, &path("")).await), ["ADDED"]);
    let streamed =
        watched(&ask, &path("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")).await;
    assert_eq!(kinds(&streamed), ["ADDED", "BOOKMARK"]);
    let mark = &streamed[1]["object"];
    assert_eq!(
        (&mark["metadata"]["annotations"]["k8s.io/initial-events-end"], &mark["kind"]),
        (&json!("true"), &json!("Cluster"))
    );
    let since = ask.world.store.resource_version();
    let touched = |label: &str| {
        let label = label.to_owned();
        let done = ask.world.store.change(&CLUSTERS, "pg", "demo", Part::Main, |c| {
            c["metadata"]["labels"] = json!({"mark": label});
            Ok(())
        });
        done.expect("changed");
    };
    touched("a");
    touched("b");
    ask.world.store.remove(&CLUSTERS, "pg", "demo");
    let all = watched(&ask, &path(&format!("resourceVersion={since}"))).await;
    assert_eq!(kinds(&all), ["MODIFIED", "MODIFIED", "DELETED"]);
    let versions: Vec<u64> =
        all.iter().filter_map(|e| e["object"]["metadata"]["resourceVersion"].as_str()?.parse().ok()).collect();
    assert!(versions.is_sorted() && versions.len() == 3, "{versions:?}");
    let selected = watched(&ask, &path(&format!("resourceVersion={since}&labelSelector=mark%3Da"))).await;
    assert_eq!(kinds(&selected), ["ADDED", "DELETED"], "it came into the selection and left it");
    for round in 0..5000 {
        let done = ask.world.store.change(&NODES, "", "node-1", Part::Main, |n| {
            n["metadata"]["labels"]["round"] = json!(round.to_string());
            Ok(())
        });
        done.expect("changed");
    }
    let late = watched(&ask, "/api/v1/nodes?watch=true&timeoutSeconds=5&resourceVersion=1").await;
    assert_eq!(kinds(&late), ["ERROR"]);
    let gone = &late[0]["object"];
    assert_eq!((&gone["code"], &gone["reason"]), (&json!(410), &json!("Expired")));
    assert!(gone["message"].as_str().is_some_and(|m| m.starts_with("too old resource version: 1 (")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_metadata_and_yaml() {
    let ask = begin().await;
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
    let got = ask.send("GET", CLUSTERS_PATH, &[("accept", table)], "").await.json();
    let names: Vec<&str> =
        got["columnDefinitions"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["Name", "Age", "Instances", "Ready", "Status", "Primary"]);
    assert_eq!(got["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert!(got["rows"][0]["object"]["spec"].is_null());
    let whole =
        ask.send("GET", &format!("{CLUSTERS_PATH}?includeObject=Object"), &[("accept", table)], "").await.json();
    assert_eq!(whole["rows"][0]["object"]["spec"]["instances"], 3);
    let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let got = ask.send("GET", CLUSTERS_PATH, &[("accept", partial)], "").await.json();
    assert_eq!(
        (&got["kind"], &got["items"][0]["kind"]),
        (&json!("PartialObjectMetadataList"), &json!("PartialObjectMetadata"))
    );
    let yaml = ask.send("GET", DEMO, &[("accept", "application/yaml")], "").await;
    assert!(yaml.text.contains("kind: Cluster") && yaml.headers["content-type"] == "application/yaml", "{}", yaml.text);
    let sent = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y\ndata:\n  a: \"1\"\n";
    let got = ask.send("POST", "/api/v1/namespaces/pg/configmaps", &[("content-type", "application/yaml")], sent).await;
    assert_eq!(got.code, 201, "{}", got.text);
    assert_eq!(ask.world.store.get(&CONFIGMAPS, "pg", "y").map(|c| c["data"]["a"].clone()), Some(json!("1")));
    assert_eq!(ask.get("/livez").await.text, "ok");
    assert!(ask.get("/").await.json()["paths"].as_array().is_some_and(|p| p.contains(&json!("/apis/apps/v1"))));
}
