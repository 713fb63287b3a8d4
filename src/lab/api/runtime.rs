//! What a pod does, as the API server needs it: its log, commands in it, its ports. The kubelet implements this.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::error::ApiError;

/// One line a container wrote, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub text: Bytes,
}

/// Which log is wanted. The API has resolved the container already, and cuts by time and number itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRequest {
    pub container: String,
    /// The run before the last restart.
    pub previous: bool,
    pub follow: bool,
}

/// A log: what was written so far, and, when followed, what comes. No line is in both and none is lost between.
pub struct Logs {
    pub past: Vec<LogLine>,
    /// Ends when the container ends.
    pub coming: Option<BoxStream<'static, LogLine>>,
}

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecRequest {
    pub container: String,
    pub command: Vec<String>,
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub tty: bool,
}

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    pub width: u16,
    pub height: u16,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecExit {
    /// The exit code; 0 is success. Death by signal N is 128 + N, as a shell says it.
    Code(i32),
    /// It could not be run at all, or was lost.
    Failed(String),
}

/// A running command. Dropping `stdin` closes the command's input; dropping the whole kills the command.
pub struct ExecSession {
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Absent with a terminal: there both come as one.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Present with a terminal.
    pub resize: Option<mpsc::Sender<TerminalSize>>,
    pub exit: BoxFuture<'static, ExecExit>,
}

/// A connection to a port of a pod.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// How the proxy speaks to the pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyScheme {
    #[default]
    Http,
    Https,
}

/// What the kubelet can do with a pod. The pod is given as the stored object.
pub trait PodRuntime: Send + Sync + 'static {
    /// The log of a container.
    fn logs(&self, pod: Arc<Value>, request: LogRequest) -> BoxFuture<'_, Result<Logs, ApiError>>;

    /// Starts a command.
    fn exec(&self, pod: Arc<Value>, request: ExecRequest) -> BoxFuture<'_, Result<ExecSession, ApiError>>;

    /// What the kubelet of a node tells at `stats/summary`.
    fn summary(&self, node: Arc<Value>) -> BoxFuture<'_, Result<Value, ApiError>> {
        let why = format!("the kubelet of {} tells nothing", node["metadata"]["name"]);
        Box::pin(async move { Err(ApiError::unavailable(why)) })
    }

    /// Connects to a port as `kubectl port-forward` does: from inside the pod, past its network.
    fn dial(&self, pod: Arc<Value>, port: u16) -> BoxFuture<'_, io::Result<Box<dyn Connection>>>;

    /// Asks a port over HTTP(S) on behalf of the pod proxy. The request's URI is a path with its query. An `Err` is
    /// a pod that could not be reached; its text becomes `error trying to reach service: …`. An answer with an error
    /// code is an answer.
    fn proxy(
        &self,
        pod: Arc<Value>,
        scheme: ProxyScheme,
        port: u16,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, io::Result<http::Response<Bytes>>>;
}
