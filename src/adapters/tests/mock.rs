//! A small Kubernetes API of the tests' own: lists, watches, a pod proxy, and misbehaviour on demand.

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

type Body = BoxBody<Bytes, Infallible>;

/// What is answered instead of the truth.
#[derive(Clone, Debug)]
pub enum Rule {
    /// A Status of this code.
    Status(u16, &'static str),
    /// A body of this code.
    Body(u16, String),
    /// Nothing, for ever.
    Hang,
}

#[derive(Default)]
struct State {
    version: u64,
    /// By the path of their collection, then by name.
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    /// Version, collection, type, object.
    log: Vec<(u64, String, &'static str, Value)>,
    /// Watches from before this version are told that it is too old.
    oldest: u64,
    rules: Vec<(String, Rule)>,
    /// Only these tokens are let in.
    tokens: Option<Vec<String>>,
    requests: Vec<String>,
}

/// The server. Dropped, it ends.
pub struct Mock {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    /// Counts up when all watches are to be cut.
    cut: watch::Sender<u64>,
    dir: tempfile::TempDir,
    url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Server {
    state: Arc<Mutex<State>>,
    changed: watch::Receiver<u64>,
    cut: watch::Receiver<u64>,
}

impl Mock {
    /// Starts one, with a kubeconfig whose context `mock` is set to namespace `pg` and whose token is `good`.
    pub async fn start() -> Mock {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { version: 100, ..State::default() }));
        let (changed, seen) = watch::channel(0);
        let (cut, cuts) = watch::channel(0);
        let server = Server { state: state.clone(), changed: seen, cut: cuts };
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                let server = server.clone();
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.answer(request).await) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        let mock = Mock { state, changed, cut, dir: tempfile::tempdir().unwrap(), url, task };
        mock.token("good");
        mock
    }

    /// Writes the kubeconfig with this token.
    pub fn token(&self, token: &str) {
        let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "mock",
            "clusters": [{"name": "m", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "mock", "context": {"cluster": "m", "user": "u", "namespace": "pg"}}]});
        std::fs::write(self.kubeconfig(), text.to_string()).unwrap();
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the kubeconfig is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// Lets only this token in.
    pub fn only(&self, token: &str) {
        self.state.lock().unwrap().tokens = Some(vec![token.into()]);
    }

    /// Puts an object, as `ADDED` or `MODIFIED`.
    pub fn put(&self, collection: &str, mut object: Value) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let version = state.version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let old = state.objects.entry(collection.into()).or_default().insert(name, object.clone());
        let what = if old.is_some() { "MODIFIED" } else { "ADDED" };
        state.log.push((version, collection.into(), what, object));
        drop(state);
        self.changed.send_replace(version);
    }

    /// Deletes an object. `tell`: watches hear of it; else only a new list shows it.
    pub fn delete(&self, collection: &str, name: &str, tell: bool) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        let version = state.version;
        let object = state.objects.get_mut(collection).unwrap().remove(name).unwrap();
        if tell {
            state.log.push((version, collection.into(), "DELETED", object));
        }
        drop(state);
        self.changed.send_replace(version);
    }

    /// Forgets its history: watches that ask for it are told 410.
    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        state.oldest = state.version;
        state.log.clear();
    }

    /// Cuts all connections of watches in the middle of their bodies.
    pub fn cut(&self) {
        self.cut.send_modify(|n| *n += 1);
    }

    /// From now on answers paths that contain `part` by `rule`. The newest rule counts.
    pub fn rule(&self, part: &str, rule: Rule) {
        self.state.lock().unwrap().rules.insert(0, (part.into(), rule));
    }

    /// How many requests' paths and queries held all of these.
    pub fn asked(&self, parts: &[&str]) -> usize {
        let state = self.state.lock().unwrap();
        state.requests.iter().filter(|r| parts.iter().all(|p| r.contains(p))).count()
    }
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let uri = request.uri().clone();
        let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
        let token = request.headers().get("authorization").and_then(|h| h.to_str().ok()).unwrap_or_default().to_owned();
        let rule = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(format!("{path}?{query}"));
            if state.tokens.as_ref().is_some_and(|ok| !ok.iter().any(|t| token == format!("Bearer {t}"))) {
                return status(401, "Unauthorized");
            }
            state
                .rules
                .iter()
                .find(|(part, _)| format!("{path}?{query}").contains(part.as_str()))
                .map(|(_, r)| r.clone())
        };
        match rule {
            Some(Rule::Status(code, message)) => status(code, message),
            Some(Rule::Body(code, body)) => full(code, body),
            Some(Rule::Hang) => std::future::pending().await,
            None if path == "/version" => full(200, json!({"gitVersion": "v1.33.0"}).to_string()),
            None if query.contains("watch=") => self.watch(&path, &query),
            None => self.list(&path),
        }
    }

    fn list(&self, path: &str) -> Response<Body> {
        let state = self.state.lock().unwrap();
        if let Some((collection, name)) = path.rsplit_once('/')
            && let Some(objects) = state.objects.get(collection)
        {
            return match objects.get(name) {
                Some(object) => full(200, object.to_string()),
                None => status(404, "not found"),
            };
        }
        let items: Vec<_> = state
            .objects
            .iter()
            .filter(|(collection, _)| within(collection, path))
            .flat_map(|(_, objects)| objects.values().cloned())
            .collect();
        full(200, json!({"metadata": {"resourceVersion": state.version.to_string()}, "items": items}).to_string())
    }

    fn watch(&self, path: &str, query: &str) -> Response<Body> {
        let field = |name: &str| query.split('&').find_map(|p| p.strip_prefix(&format!("{name}="))).unwrap_or("0");
        let mut from: u64 = field("resourceVersion").parse().unwrap();
        let spell = Duration::from_secs(field("timeoutSeconds").parse().unwrap());
        let (state, path) = (self.state.clone(), path.to_owned());
        if from < state.lock().unwrap().oldest {
            let gone = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}});
            return full(200, format!("{gone}\n"));
        }
        let (mut changed, mut cut) = (self.changed.clone(), self.cut.clone());
        cut.mark_unchanged();
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(8);
        tokio::spawn(async move {
            let end = tokio::time::sleep(spell);
            tokio::pin!(end);
            loop {
                let mut lines = String::new();
                {
                    let state = state.lock().unwrap();
                    for (version, collection, what, object) in &state.log {
                        if *version > from && within(collection, &path) {
                            lines.push_str(&format!("{}\n", json!({"type": what, "object": object})));
                        }
                    }
                    from = state.version;
                }
                if !lines.is_empty() && sender.send(Ok(Frame::data(lines.into()))).await.is_err() {
                    return;
                }
                tokio::select! {
                    _ = changed.changed() => {}
                    _ = cut.changed() => {
                        let _ = sender.send(Ok(Frame::data("{\"type\":\"MODI".into()))).await;
                        return;
                    }
                    () = &mut end => return,
                }
            }
        });
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver).map(|f| f);
        Response::new(BodyExt::boxed(StreamBody::new(stream)))
    }
}

/// A namespaced collection belongs to the cluster-wide one too.
fn within(collection: &str, path: &str) -> bool {
    if collection == path {
        return true;
    }
    let Some((root, rest)) = collection.split_once("/namespaces/") else { return false };
    rest.split_once('/').is_some_and(|(_, plural)| path == format!("{root}/{plural}"))
}

fn full(code: u16, body: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn status(code: u16, message: &str) -> Response<Body> {
    full(
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code})
            .to_string(),
    )
}
