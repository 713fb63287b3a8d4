//! Orders on the wire: a small API of the tests' own, whose answers are a script.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Acts, Ground, Patience};
use crate::adapters::executor::Refusal;
use crate::adapters::kubernetes::client::clients;
use crate::domain::detail::ObjectRef;
use crate::procedure::Rehearsal;
use crate::procedure::order::{Create, Delete, Form, Patch, Target};
use crate::procedure::{Answer, Found, Order, Premise};

/// What is answered to one request.
enum Reply {
    Say(u16, Value),
    Hang,
}
use Reply::{Hang, Say};

/// A request as it came: method, path with query, type, body.
type Came = (String, String, String, Value);

struct Script {
    acts: Acts,
    came: Arc<Mutex<Vec<Came>>>,
    left: Arc<Mutex<VecDeque<Reply>>>,
    _server: JoinSet<()>,
}

impl Script {
    /// Answers requests in this order; none may come after the last.
    async fn of(replies: impl IntoIterator<Item = Reply>) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (came, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(replies.into_iter().collect())));
        let (seen, answers) = (came.clone(), left.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, answers) = (seen.clone(), answers.clone());
                let service = hyper::service::service_fn(move |request| answer(request, seen.clone(), answers.clone()));
                let http = hyper::server::conn::http1::Builder::new();
                connections.spawn(async move { drop(http.serve_connection(TokioIo::new(socket), service).await) });
            }
        });
        let (mut maker, clients) = clients();
        let mut config = kube::Config::new(url.parse().unwrap());
        // As the real client: to ask again is decided here, not by the wire.
        config.default_retry = false;
        maker.offer(kube::Client::try_from(config).unwrap());
        let short = Duration::from_millis(300);
        let patience = Patience { read: Duration::from_secs(5), write: short, budget: Duration::from_secs(20) };
        // The maker may go: the client it offered stays.
        Script { acts: Acts::new(clients, patience), came, left, _server: server }
    }

    fn came(&self) -> Vec<Came> {
        assert!(self.left.lock().unwrap().is_empty(), "not everything was asked: {:#?}", self.came.lock().unwrap());
        self.came.lock().unwrap().clone()
    }
}

async fn answer(
    request: http::Request<Incoming>,
    seen: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Mutex<VecDeque<Reply>>>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let kind = head.headers.get("content-type").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let came = (head.method.to_string(), head.uri.to_string(), kind, serde_json::from_slice(&body).unwrap_or_default());
    seen.lock().unwrap().push(came);
    let next = answers.lock().unwrap().pop_front();
    match next {
        Some(Say(code, value)) => {
            Ok(http::Response::builder().status(code).body(Full::from(value.to_string())).unwrap())
        }
        Some(Hang) => std::future::pending().await,
        None => Ok(http::Response::builder().status(418).body(Full::from("nothing more was expected")).unwrap()),
    }
}

fn no(code: u16, reason: &str, message: &str) -> Reply {
    Say(code, json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}))
}

fn cluster(version: u32, primary: &str) -> Value {
    json!({"kind": "Cluster", "metadata": {"name": "orders", "namespace": "pg", "uid": "c-1", "resourceVersion": version.to_string(),
            "managedFields": [{"time": version}]},
        "status": {"currentPrimary": primary, "targetPrimary": primary}})
}

fn object(kind: &str, name: &str) -> ObjectRef {
    let api_version = if kind == "Pod" { "v1" } else { "postgresql.cnpg.io/v1" };
    ObjectRef {
        context: "c".into(),
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: "pg".into(),
        name: name.into(),
    }
}

fn orders(subresource: Option<&str>) -> Target {
    Target { object: object("Cluster", "orders"), plural: "clusters".into(), subresource: subresource.map(Into::into) }
}

fn promote() -> Order {
    Order::Patch(Patch {
        target: orders(Some("status")),
        form: Form::Merge,
        body: json!({"status": {"targetPrimary": "orders-2"}}),
        refresh: Vec::new(),
        lock: true,
        mark: vec![("/status/targetPrimary".into(), "orders-2".into())],
    })
}

fn gone(name: &str, uid: &str) -> Delete {
    let target = Target { object: object("Pod", name), plural: "pods".into(), subresource: None };
    Delete { target, uid: uid.into(), grace: Some(1) }
}

fn premise(primary: &str) -> Premise {
    Premise { uid: "c-1".into(), values: BTreeMap::from([("/status/currentPrimary".to_owned(), json!(primary))]) }
}

const CLUSTER: &str = "/apis/postgresql.cnpg.io/v1/namespaces/pg/clusters/orders";

#[tokio::test]
async fn a_locked_patch_is_read_anew_when_somebody_was_faster() {
    let mut done = cluster(8, "orders-1");
    done["status"]["targetPrimary"] = json!("orders-2");
    let script = Script::of([
        Say(200, cluster(6, "orders-1")),
        no(409, "Conflict", "the object has been modified"),
        Say(200, cluster(7, "orders-1")),
        Say(200, done),
    ])
    .await;
    let (premise, target) = (premise("orders-1"), orders(None));
    let ground = Ground { premise: &premise, cluster: &target };
    let answer = script.acts.perform(&promote(), Some(ground), None).await.unwrap();
    assert_eq!(answer, Answer::Taken { version: "8".into(), uid: "c-1".into() });
    let came = script.came();
    let path = format!("{CLUSTER}/status?fieldManager=howdah");
    assert_eq!((came[0].0.as_str(), came[0].1.as_str()), ("GET", CLUSTER));
    assert_eq!((came[3].0.as_str(), came[3].1.as_str()), ("PATCH", path.as_str()));
    assert_eq!(came[3].2, "application/merge-patch+json");
    let versions: Vec<_> = [&came[1], &came[3]].map(|c| c.3["metadata"]["resourceVersion"].clone()).into();
    assert_eq!(versions, ["6", "7"], "each try is locked at what was just read");
}

#[tokio::test]
async fn nothing_is_sent_when_the_world_moved() {
    let (premise, target) = (premise("orders-1"), orders(None));
    let ground = Ground { premise: &premise, cluster: &target };
    // At once, and between two tries.
    let script = Script::of([
        Say(200, cluster(6, "orders-1")),
        no(409, "Conflict", "the object has been modified"),
        Say(200, cluster(7, "orders-3")),
    ])
    .await;
    let Err(Refusal::Nothing(problem)) = script.acts.perform(&promote(), Some(ground), None).await else { panic!() };
    assert_eq!(problem.because.as_deref(), Some("/status/currentPrimary was orders-1, is orders-3"));
    assert_eq!(problem.exit.code(), 3);
    assert_eq!(script.came().iter().filter(|c| c.0 == "PATCH").count(), 1);

    // An order that doesn't read the cluster itself asks it right before.
    let script = Script::of([Say(200, cluster(6, "orders-3"))]).await;
    let delete = Order::Delete(gone("orders-1", "u-1"));
    let Err(Refusal::Nothing(_)) = script.acts.perform(&delete, Some(ground), None).await else { panic!() };
    assert_eq!(script.came()[0].1, CLUSTER);
}

#[tokio::test]
async fn what_was_done_already_is_not_done_again() {
    let mut done = cluster(8, "orders-1");
    done["status"]["targetPrimary"] = json!("orders-2");
    let script = Script::of([Say(200, done.clone()), Say(200, done), Say(200, cluster(6, "orders-1"))]).await;
    let Ok(Answer::Already(what)) = script.acts.perform(&promote(), None, None).await else { panic!() };
    assert_eq!(what, "/status/targetPrimary is orders-2");
    assert!(matches!(script.acts.find(&promote()).await, Found::Done(_)));
    assert_eq!(script.acts.find(&promote()).await, Found::NotDone);
    assert!(script.came().iter().all(|c| c.0 == "GET"));
}

#[tokio::test]
async fn only_the_object_of_that_identity_is_deleted() {
    let pod = |uid: &str| Say(200, json!({"kind": "Pod", "metadata": {"name": "orders-1", "uid": uid}}));
    let conflict = || no(409, "Conflict", "Precondition failed: UID in precondition: u-1, UID in object meta: u-2");
    let script =
        Script::of([conflict(), pod("u-2"), no(404, "NotFound", "not found"), pod("u-1"), pod("u-2"), pod("u-1")])
            .await;
    let delete = Order::Delete(gone("orders-1", "u-1"));
    let answers = [script.acts.perform(&delete, None, None).await, script.acts.perform(&delete, None, None).await];
    assert!(answers.iter().all(|a| matches!(a, Ok(Answer::Already(_)))), "{answers:?}");
    assert!(matches!(script.acts.perform(&delete, None, None).await, Ok(Answer::Taken { .. })));
    assert!(matches!(script.acts.find(&delete).await, Found::Done(_)));
    assert_eq!(script.acts.find(&delete).await, Found::NotDone);
    let came = script.came();
    let body =
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "u-1"}, "gracePeriodSeconds": 1});
    assert_eq!((came[0].0.as_str(), &came[0].3), ("DELETE", &body));
}

#[tokio::test]
async fn a_budget_is_asked_again_and_named_when_time_is_up() {
    let budget = || {
        Say(
            429,
            json!({"kind": "Status", "code": 429, "reason": "TooManyRequests", "message": "Cannot evict pod",
            "details": {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget orders-primary needs 1 healthy pods and has 1 currently"}]}}),
        )
    };
    let script = Script::of([budget(), Say(201, json!({"kind": "Status", "status": "Success"}))]).await;
    let evict = Order::Evict(gone("orders-1", "u-1"));
    assert!(matches!(script.acts.perform(&evict, None, None).await, Ok(Answer::Taken { .. })));
    assert_eq!(script.came()[1].1, "/api/v1/namespaces/pg/pods/orders-1/eviction");
    let script = Script::of([budget()]).await;
    let Err(Refusal::Nothing(problem)) = script.acts.perform(&evict, None, Some(Duration::ZERO)).await else {
        panic!()
    };
    assert!(problem.line().contains("orders-primary"), "{problem}");
}

#[tokio::test]
async fn an_object_made_twice_is_there_once() {
    let body = json!({"apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup", "metadata": {"name": "run-1", "namespace": "pg"},
        "spec": {"cluster": {"name": "orders"}}});
    let target = Target { object: object("Backup", "run-1"), plural: "backups".into(), subresource: None };
    let create = Order::Create(Create { target, body: body.clone() });
    let mut there = body.clone();
    there["metadata"]["uid"] = json!("b-1");
    there["spec"]["method"] = json!("plugin");
    let mut other = there.clone();
    other["spec"]["cluster"]["name"] = json!("shop");
    let exists = || no(409, "AlreadyExists", "backups \"run-1\" already exists");
    let script = Script::of([Say(201, there.clone()), exists(), Say(200, there), exists(), Say(200, other)]).await;
    assert!(matches!(script.acts.perform(&create, None, None).await, Ok(Answer::Taken { uid, .. }) if uid == "b-1"));
    assert!(matches!(script.acts.perform(&create, None, None).await, Ok(Answer::Already(_))));
    assert!(matches!(script.acts.perform(&create, None, None).await, Err(Refusal::Nothing(_))));
    assert_eq!(script.came()[0].3, body);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unknown_and_a_missing_right_is_named() {
    let script = Script::of([Say(200, cluster(6, "orders-1")), Hang]).await;
    assert!(matches!(script.acts.perform(&promote(), None, None).await, Err(Refusal::Unknown(_))));
    let script = Script::of([Say(200, cluster(6, "orders-1")), Say(504, json!("gateway timeout"))]).await;
    let late = script.acts.perform(&promote(), None, None).await;
    assert!(matches!(late, Err(Refusal::Unknown(_))), "{late:?}");
    let text = "clusters.postgresql.cnpg.io \"orders\" is forbidden: User \"dev\" cannot patch resource \"clusters/status\" in API group \
                \"postgresql.cnpg.io\" in the namespace \"pg\"";
    let script = Script::of([Say(200, cluster(6, "orders-1")), no(403, "Forbidden", text)]).await;
    let Err(Refusal::Nothing(problem)) = script.acts.perform(&promote(), None, None).await else { panic!() };
    assert_eq!(
        problem.to_string(),
        "can't patch cluster orders (status) in pg\n  because: you have no right to patch clusters.postgresql.cnpg.io/status\n  \
         try:     ask for the right to patch clusters.postgresql.cnpg.io/status: kubectl auth can-i patch clusters.postgresql.cnpg.io/status"
    );
    // Where nothing listens, nothing was sent.
    let mut script = Script::of([]).await;
    script._server.shutdown().await;
    assert!(matches!(script.acts.perform(&Order::Delete(gone("a", "u")), None, None).await, Err(Refusal::Nothing(_))));
}

#[tokio::test]
async fn a_rehearsal_shows_what_would_change() {
    let mut after = cluster(6, "orders-1");
    after["status"]["targetPrimary"] = json!("orders-2");
    after["metadata"]["managedFields"] = json!([{"manager": "howdah"}]);
    let script = Script::of([
        Say(200, cluster(6, "orders-1")),
        Say(200, after),
        no(404, "NotFound", "pods \"orders-1\" not found"),
        Say(200, json!({"kind": "Pod"})),
    ])
    .await;
    let diff = script.acts.rehearse(&promote(), None).await.unwrap();
    let lines = ["- status.targetPrimary: orders-1".to_owned(), "+ status.targetPrimary: orders-2".to_owned()];
    assert_eq!(diff, Rehearsal::Diff(lines.into()));
    let delete = Order::Delete(gone("orders-1", "u-1"));
    assert_eq!(script.acts.rehearse(&delete, None).await.unwrap(), Rehearsal::Diff(Vec::new()));
    let lines = vec!["- pod orders-1 in pg (uid u-1)".to_owned()];
    assert_eq!(script.acts.rehearse(&delete, None).await.unwrap(), Rehearsal::Diff(lines));
    assert!(script.came().iter().filter(|c| c.0 != "GET").all(|c| c.1.contains("dryRun=All")));
}

#[tokio::test]
async fn rights_are_asked_once_a_minute() {
    let says = |allowed: bool| Say(201, json!({"status": {"allowed": allowed}}));
    let script = Script::of([says(true), says(false)]).await;
    let rights = promote().rights();
    let missing = script.acts.may(&rights).await.unwrap();
    assert_eq!(missing.len(), 1);
    assert_eq!(script.acts.may(&rights).await.unwrap(), missing);
    let came = script.came();
    assert!(came.iter().all(|c| c.1 == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"));
    assert!(came.iter().any(|c| c.3["spec"]["resourceAttributes"]["subresource"] == "status"));
}
