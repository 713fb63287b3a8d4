//! A small world for tests of the lab's API: the real server on a port of its own, objects put in by hand, and pods
//! that are made of nothing (an echo, a fixed log, a fixed answer).
#![expect(dead_code, reason = "each test binary uses its own part of this")]

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use howdah::lab::api::resources::{self, CLUSTERS, NAMESPACES, NODES, PDBS, PODS, SERVICES};
use howdah::lab::api::runtime::{
    Connection, ExecExit, ExecRequest, ExecSession, LogLine, LogRequest, Logs, ProxyScheme,
};
use howdah::lab::api::store::now;
use howdah::lab::api::{
    Access, ApiError, Certificates, PodRuntime, Server, ServerHandle, ServerOptions, Store, Token, kubeconfig,
    write_kubeconfig,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A running server and how to reach it.
pub struct World {
    pub store: Store,
    pub access: Access,
    pub server: ServerHandle,
    pub dir: tempfile::TempDir,
    ca_pem: String,
    token: Token,
}

impl World {
    /// Starts a server over an empty world; clients mean this namespace when they name none.
    pub async fn empty(ns: &str) -> World {
        let store = Store::new();
        let access = Access::default();
        let certificates = Certificates::generate(&["127.0.0.1", "localhost"]).expect("certificates");
        let ca_pem = certificates.ca_pem.clone();
        let token = Token::generate();
        let listen = "127.0.0.1:0".parse().expect("address");
        let options = ServerOptions { listen, certificates, token: token.clone(), access: access.clone() };
        let server = Server::start(store.clone(), Arc::new(Pods), options).await.expect("server");
        let dir = tempfile::tempdir().expect("dir");
        let entry = kubeconfig::Entry {
            name: "lab".into(),
            server: server.url(),
            ca_pem: ca_pem.clone(),
            token: token.0.clone(),
            namespace: ns.into(),
        };
        write_kubeconfig(&dir.path().join("kubeconfig"), &entry).expect("kubeconfig");
        World { store, access, server, dir, ca_pem, token }
    }

    /// Starts a server over three nodes and a cluster of three.
    pub async fn small() -> World {
        World::small_in("cnpg-database").await
    }

    /// The same with the cluster in this namespace.
    pub async fn small_in(ns: &str) -> World {
        let world = World::empty(ns).await;
        fill(&world.store, ns);
        world
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// A kube-rs client.
    pub async fn client(&self) -> kube::Client {
        let config = kube::config::Kubeconfig::read_from(self.kubeconfig()).expect("kubeconfig");
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options).await.expect("config");
        kube::Client::try_from(config).expect("client")
    }

    /// One request on a connection of its own, as it is: without the retries of a client.
    pub async fn ask(
        &self,
        mut request: http::Request<http_body_util::Full<Bytes>>,
    ) -> http::Response<hyper::body::Incoming> {
        use rustls::pki_types::pem::PemObject as _;
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(rustls::pki_types::CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).expect("authority"))
            .expect("root");
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(self.server.addr()).await.expect("connected");
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("name");
        let stream = tokio_rustls::TlsConnector::from(Arc::new(tls)).connect(name, stream).await.expect("handshake");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.expect("http");
        tokio::spawn(connection);
        let bearer = format!("Bearer {}", self.token.0).parse().expect("header");
        request.headers_mut().insert("authorization", bearer);
        request.headers_mut().insert("host", "localhost".parse().expect("header"));
        sender.send_request(request).await.expect("answer")
    }

    /// A kubectl that talks to this world only; its caches stay in the world's folder.
    pub fn command(&self, kubectl: &str, args: &[&str]) -> Command {
        let mut command = Command::new(kubectl);
        command.env("KUBECONFIG", self.kubeconfig()).env("HOME", self.dir.path()).env_remove("KUBECTL");
        command.args(["--cache-dir".as_ref(), self.dir.path().join("cache").as_os_str()]).args(args);
        command.stdin(Stdio::null());
        command
    }

    /// Runs kubectl off the runtime's threads.
    pub async fn kubectl(&self, kubectl: &str, args: &[&str]) -> Answer {
        self.kubectl_with(kubectl, args, "").await
    }

    /// The same with something on its standard input.
    pub async fn kubectl_with(&self, kubectl: &str, args: &[&str], input: &str) -> Answer {
        let mut command = self.command(kubectl, args);
        let input = input.to_owned();
        let output = tokio::task::spawn_blocking(move || -> io::Result<Output> {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn()?;
            if let Some(mut stdin) = child.stdin.take() {
                let _ = io::Write::write_all(&mut stdin, input.as_bytes());
            }
            child.wait_with_output()
        });
        let output = output.await.expect("joined").expect("kubectl runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// What kubectl said.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// Its output, when it went well.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out
    }

    /// Its complaint, when it went wrong.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_ne!(self.code, 0, "{self:#?}");
        self.err
    }
}

/// The kubectl to test with: `KUBECTL`, else the one on PATH; none when there is none or it is older than 1.27.
pub fn find_kubectl() -> Option<String> {
    let kubectl = std::env::var("KUBECTL").unwrap_or_else(|_| "kubectl".into());
    let output = Command::new(&kubectl).args(["version", "--client", "-o", "json"]).output().ok()?;
    let version: Value = serde_json::from_slice(&output.stdout).ok()?;
    let minor = version["clientVersion"]["minor"].as_str()?.trim_end_matches('+').parse::<u32>().ok()?;
    (minor >= 27).then_some(kubectl)
}

/// The minor version of the kubectl that will really run against the lab's API (a dispatcher picks one by `/version`).
pub fn says_skipped(test: &str) {
    eprintln!("{test}: skipped, no kubectl of version 1.27 or newer on PATH or in KUBECTL");
}

/// Three nodes in three zones, a namespace and a cluster with its pods.
pub fn fill(store: &Store, ns: &str) {
    for (i, zone) in ["1", "2", "3"].iter().enumerate() {
        let name = format!("node-{}", i + 1);
        let node = json!({"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": format!("westeurope-{zone}"),
            "kubernetes.io/hostname": name, "workload": "postgres"}},
            "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ok",
                "lastHeartbeatTime": now(), "lastTransitionTime": now()}],
                "nodeInfo": {"kubeletVersion": "v1.33.1", "osImage": "lab", "architecture": "amd64", "operatingSystem": "linux"},
                "addresses": [{"type": "InternalIP", "address": format!("10.0.{i}.4")}],
                "capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"}, "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"}}});
        store.create(&NODES, "", node).expect("node");
    }
    for ns in ["default", ns] {
        store.create(&NAMESPACES, "", json!({"metadata": {"name": ns}})).expect("namespace");
    }
    let cluster = json!({"metadata": {"name": "demo"}, "spec": {"instances": 3, "storage": {"size": "1Gi"}},
        "status": {"instances": 3, "readyInstances": 3, "phase": "Cluster in healthy state", "currentPrimary": "demo-1",
            "targetPrimary": "demo-1"}});
    let cluster = store.as_manager("cloudnative-pg").create(&CLUSTERS, ns, cluster).expect("cluster");
    for i in 1..=3 {
        store.create(&PODS, ns, pod(i, &cluster)).expect("pod");
    }
    let service = json!({"metadata": {"name": "demo-rw", "labels": {"cnpg.io/cluster": "demo"}}, "spec": {
        "selector": {"cnpg.io/instanceRole": "primary"}, "ports": [{"name": "postgres", "port": 5432}]}});
    store.create(&SERVICES, ns, service).expect("service");
    let budget = json!({"metadata": {"name": "demo-primary"}, "spec": {"minAvailable": 1, "selector": {
        "matchLabels": {"cnpg.io/cluster": "demo", "cnpg.io/instanceRole": "primary"}}},
        "status": {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}});
    store.create(&PDBS, ns, budget).expect("budget");
}

fn pod(i: usize, cluster: &Value) -> Value {
    let role = if i == 1 { "primary" } else { "replica" };
    json!({"metadata": {"name": format!("demo-{i}"), "labels": {"cnpg.io/cluster": "demo", "cnpg.io/instanceRole": role,
            "cnpg.io/podRole": "instance", "cnpg.io/instanceName": format!("demo-{i}")},
            "ownerReferences": [howdah::lab::api::store::Ref::controller(&resources::CLUSTERS, cluster)]},
        "spec": {"nodeName": format!("node-{i}"), "containers": [{"name": "postgres", "image": "postgresql:17",
            "ports": [{"containerPort": 5432, "name": "postgresql"}, {"containerPort": 9187, "name": "metrics"}]}]},
        "status": {"phase": "Running", "podIP": format!("10.244.{i}.10"), "startTime": now(),
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}],
            "containerStatuses": [{"name": "postgres", "ready": true, "started": true, "restartCount": 0,
                "image": "postgresql:17", "imageID": "x", "state": {"running": {"startedAt": now()}}}]}})
}

/// Pods made of nothing.
pub struct Pods;

impl PodRuntime for Pods {
    fn logs(&self, _: Arc<Value>, request: LogRequest) -> BoxFuture<'_, Result<Logs, ApiError>> {
        Box::pin(async move {
            if request.previous {
                return Err(ApiError::bad_request("previous terminated container \"postgres\" in pod not found"));
            }
            let line =
                |text: &'static str| LogLine { at: jiff::Timestamp::now(), text: Bytes::from_static(text.as_bytes()) };
            let coming = futures::stream::iter(["four", "five"]).map(line).boxed();
            Ok(Logs { past: vec![line("one"), line("two"), line("three")], coming: request.follow.then_some(coming) })
        })
    }

    fn exec(&self, pod: Arc<Value>, request: ExecRequest) -> BoxFuture<'_, Result<ExecSession, ApiError>> {
        Box::pin(async move { Ok(command(&pod, &request)) })
    }

    fn dial(&self, _: Arc<Value>, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Connection>>> {
        Box::pin(async move {
            if port == 5999 {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            let (near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(far);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            Ok(Box::new(near) as Box<dyn Connection>)
        })
    }

    fn proxy(
        &self,
        pod: Arc<Value>,
        scheme: ProxyScheme,
        port: u16,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, io::Result<http::Response<Bytes>>> {
        Box::pin(async move {
            let answer = |code: u16, kind: &'static str, body: String| {
                http::Response::builder()
                    .status(code)
                    .header("content-type", kind)
                    .body(Bytes::from(body))
                    .map_err(io::Error::other)
            };
            match (scheme, port, request.uri().path()) {
                (ProxyScheme::Https, 8000, "/pg/status") => {
                    let primary = pod["metadata"]["labels"]["cnpg.io/instanceRole"] == "primary";
                    answer(200, "application/json", json!({"isPrimary": primary}).to_string())
                }
                (ProxyScheme::Https, 8000, "/healthz") => answer(200, "text/plain", "OK".into()),
                (ProxyScheme::Http, 9187, "/metrics") => {
                    answer(200, "text/plain", format!("up{{q=\"{}\"}} 1\n", request.uri().query().unwrap_or_default()))
                }
                (ProxyScheme::Http, 8000, _) => {
                    answer(400, "text/plain", "Client sent an HTTP request to an HTTPS server.\n".into())
                }
                (_, 8000 | 9187, _) => answer(404, "text/plain", "404 page not found\n".into()),
                _ => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            }
        })
    }
}

/// `echo …`, `cat`, `fail N`, `where`.
fn command(pod: &Value, request: &ExecRequest) -> ExecSession {
    let (stdin_near, mut stdin_far) = tokio::io::duplex(4096);
    let (stdout_near, mut stdout_far) = tokio::io::duplex(4096);
    let (stderr_near, mut stderr_far) = tokio::io::duplex(4096);
    let words = request.command.clone();
    let pod = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let (send, exit) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut code = 0;
        match words[0].as_str() {
            "echo" => drop(stdout_far.write_all(format!("{}\n", words[1..].join(" ")).as_bytes()).await),
            "where" => drop(stdout_far.write_all(format!("{pod}\n").as_bytes()).await),
            "cat" => {
                let mut buffer = [0; 512];
                while let Ok(n @ 1..) = stdin_far.read(&mut buffer).await {
                    let _ = stdout_far.write_all(&buffer[..n]).await;
                }
            }
            "fail" => {
                let _ = stderr_far.write_all(b"err\n").await;
                let _ = stdout_far.write_all(b"out\n").await;
                code = words.get(1).and_then(|c| c.parse().ok()).unwrap_or(1);
            }
            _ => code = 127,
        }
        let _ = send.send(code);
    });
    ExecSession {
        stdin: request.stdin.then(|| Box::new(stdin_near) as _),
        stdout: request.stdout.then(|| Box::new(stdout_near) as _),
        stderr: request.stderr.then(|| Box::new(stderr_near) as _),
        resize: None,
        exit: Box::pin(async { exit.await.map_or_else(|_| ExecExit::Failed("lost".into()), ExecExit::Code) }),
    }
}
