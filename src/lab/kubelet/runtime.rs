//! What the API server asks a node for ([`PodRuntime`]), and the operator ([`InstanceStatusReader`]).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::Kubelet;
use super::handle::Handle;
use super::roads::{api_server, operator};
use crate::lab::api::ApiError;
use crate::lab::api::runtime::{Connection, ExecRequest, ExecSession, LogRequest, Logs, PodRuntime, ProxyScheme};
use crate::lab::described::is_described;
use crate::lab::fleet;
use crate::lab::instance::web::Answer;
use crate::lab::instance::{Neighbours, PATIENCE};
use crate::lab::object::name;
use crate::lab::operator::InstanceStatusReader;
use crate::lab::operator::backups::InstanceManagers;
use crate::lab::postgres::slots::{self, Slot};
use crate::lab::postgres::{Place, Policy};

/// How long a connection that nobody answers is waited for.
const UNANSWERED: Duration = Duration::from_secs(40);
/// The same, of the API server for a node. Shorter than a real one's 30 s: nobody learns from waiting.
const DIALLING: Duration = Duration::from_secs(10);

fn refused(ip: &str, port: u16) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, format!("dial tcp {ip}:{port}: connect: connection refused"))
}

impl Kubelet {
    /// GET of a path at a port of a pod, over the network as it is now.
    pub(super) async fn reach(&self, from: &Place, pod: &Handle, port: u16, path: &str) -> io::Result<Answer> {
        match self.roads.network().between(from, &pod.place) {
            Policy::Pass => {}
            Policy::Slow { delay, .. } => tokio::time::sleep(delay * 2).await,
            Policy::Blackhole => {
                tokio::time::sleep(UNANSWERED).await;
                let why = format!("dial tcp {}:{port}: i/o timeout", pod.ip);
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            Policy::Cut => return Err(refused(&pod.ip, port)),
        }
        let instance = pod.instance().ok_or_else(|| refused(&pod.ip, port))?;
        match port {
            8000 => Ok(instance.get(path).await),
            9187 => Ok(instance.get_metrics(path).await),
            _ => Err(refused(&pod.ip, port)),
        }
    }

    /// Whether the API server can talk with a node, and how it fails where it can't.
    async fn backend(&self, node: &Place) -> Result<(), ApiError> {
        let why = match self.roads.network().between(&api_server(), node) {
            Policy::Pass | Policy::Slow { .. } => return Ok(()),
            Policy::Blackhole => {
                tokio::time::sleep(DIALLING).await;
                "i/o timeout"
            }
            Policy::Cut => "connect: connection refused",
        };
        Err(ApiError::internal(format!("error dialing backend: dial tcp {}:10250: {why}", node.name)))
    }

    fn running(&self, pod: &Value) -> io::Result<Arc<Handle>> {
        self.handle(pod)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, format!("pod {} has no address yet", name(pod))))
    }
}

impl InstanceManagers for Kubelet {
    fn begin_backup(&self, namespace: &str, pod: &str, backup: &str) -> Result<(), String> {
        let gone = || format!("container not found (\"postgres\") in pod {pod}");
        let handle = self.named(namespace, pod).ok_or_else(gone)?;
        if !self.roads.network().passes(&api_server(), &handle.node) {
            return Err(format!("error dialing backend: dial tcp {}:10250: i/o timeout", handle.node.name));
        }
        handle.instance().ok_or_else(gone)?.begin_backup(backup);
        Ok(())
    }

    fn session(&self, namespace: &str, pod: &str) -> Option<String> {
        let handle = self.named(namespace, pod)?;
        let reached = self.roads.network().passes(&operator(), &handle.place);
        handle.instance().filter(|_| reached).map(|instance| instance.session().to_owned())
    }
}

impl PodRuntime for Kubelet {
    fn logs(&self, pod: Arc<Value>, request: LogRequest) -> BoxFuture<'_, Result<Logs, ApiError>> {
        async move {
            if let Some(handle) = self.handle(&pod) {
                self.backend(&handle.node).await?;
            }
            let book = self.handle(&pod).and_then(|h| h.log(&request.container, request.previous));
            let why = || {
                let what = if request.previous { "previous terminated container" } else { "container" };
                format!("{what} \"{}\" in pod \"{}\" not found", request.container, name(&pod))
            };
            book.map(|b| b.read(request.follow)).ok_or_else(|| ApiError::bad_request(why()))
        }
        .boxed()
    }

    fn exec(&self, pod: Arc<Value>, request: ExecRequest) -> BoxFuture<'_, Result<ExecSession, ApiError>> {
        async move {
            let gone = || ApiError::bad_request(format!("container not found (\"{}\")", request.container));
            let handle = self.handle(&pod).ok_or_else(gone)?;
            self.backend(&handle.node).await?;
            let instance = handle.instance().ok_or_else(gone)?;
            super::exec::start(&instance, &request).await
        }
        .boxed()
    }

    fn summary(&self, node: Arc<Value>) -> BoxFuture<'_, Result<Value, ApiError>> {
        async move {
            self.backend(&self.node_place(name(&node))).await?;
            Ok(Kubelet::summary(self, &node))
        }
        .boxed()
    }

    fn dial(&self, pod: Arc<Value>, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Connection>>> {
        async move {
            let handle = self.running(&pod)?;
            if port != 5432 {
                return Err(refused("127.0.0.1", port));
            }
            let road = self.roads.to_pod(&handle.namespace, &handle.name, api_server()).await;
            let road = road.map_err(|p| io::Error::other(p.line()))?;
            let stream = tokio::net::TcpStream::connect(road.address()).await?;
            Ok(Box::new(super::exec::Kept::new(stream, road)) as Box<dyn Connection>)
        }
        .boxed()
    }

    fn proxy(
        &self,
        pod: Arc<Value>,
        scheme: ProxyScheme,
        port: u16,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, io::Result<http::Response<Bytes>>> {
        async move {
            if is_described(&pod) {
                let tls = scheme == ProxyScheme::Https;
                let (code, content, body) = fleet::serve(&self.store, &pod, tls, port, request.uri().path());
                let response = http::Response::builder().status(code).header("Content-Type", content);
                return response.body(Bytes::from(body)).map_err(io::Error::other);
            }
            let handle = self.running(&pod)?;
            let answer = match (port, scheme) {
                (8000, ProxyScheme::Http) => Answer {
                    code: 400,
                    content: "text/plain; charset=utf-8",
                    body: "Client sent an HTTP request to an HTTPS server.\n".to_owned(),
                },
                (9187, ProxyScheme::Https) => {
                    return Err(io::Error::other("http: server gave HTTP response to HTTPS client"));
                }
                _ => self.reach(&api_server(), &handle, port, request.uri().path()).await?,
            };
            let response = http::Response::builder().status(answer.code).header("Content-Type", answer.content);
            response.body(Bytes::from(answer.body)).map_err(io::Error::other)
        }
        .boxed()
    }
}

impl InstanceStatusReader for Kubelet {
    fn read(&self, pod: Arc<Value>) -> BoxFuture<'_, Result<Value, String>> {
        async move {
            let handle = self.running(&pod).map_err(|why| why.to_string())?;
            let answer = self.reach(&operator(), &handle, 8000, "/pg/status").await.map_err(|why| why.to_string())?;
            if answer.code != 200 {
                return Err(format!("{}: {}", answer.code, answer.body.trim_end()));
            }
            serde_json::from_str(&answer.body).map_err(|why| why.to_string())
        }
        .boxed()
    }
}

impl Neighbours for Kubelet {
    fn slots_of<'a>(&'a self, ns: &'a str, instance: &'a str, from: &'a Place) -> BoxFuture<'a, Option<Vec<Slot>>> {
        async move {
            let pod = self.named(ns, instance)?;
            let open = matches!(self.roads.network().between(from, &pod.place), Policy::Pass | Policy::Slow { .. });
            let instance = pod.instance().filter(|_| open)?;
            slots::list(instance.server(), PATIENCE).await.ok()
        }
        .boxed()
    }
}
