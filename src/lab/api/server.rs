//! Starting and stopping the API. While it is stopped the world goes on; only nobody outside can see it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::certificates::Certificates;
use super::runtime::PodRuntime;
use super::store::Store;
use super::wire::Wire;
use crate::lab::door::{Bound, Door};

/// Where and as whom the API answers.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Port 0 takes a free one; it is kept over stop and start.
    pub listen: SocketAddr,
    pub certificates: Certificates,
    /// The bearer token every request must carry.
    pub token: Token,
    pub access: Access,
}

/// A bearer token. Debug output never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A new random one.
    pub fn generate() -> Self {
        use rand::RngExt as _;
        let bytes: [u8; 24] = rand::rng().random();
        Token(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }
}

/// The API server.
pub struct Server;

impl Server {
    /// Begins to answer.
    ///
    /// # Errors
    /// When the address is taken or the certificates are no good.
    pub async fn start(store: Store, runtime: Arc<dyn PodRuntime>, options: ServerOptions) -> io::Result<ServerHandle> {
        let tls = options.certificates.server_config().map_err(io::Error::other)?;
        let tls = TlsAcceptor::from(tls);
        let bound = Bound::at(options.listen)?;
        let wire = Arc::new(Wire::new(store, runtime, options.token, options.access));
        let door = bound.open(move |stream, stop| connection(stream, tls.clone(), Arc::clone(&wire), stop));
        Ok(ServerHandle { door })
    }
}

/// A server that was started. Dropping it stops it.
pub struct ServerHandle {
    door: Door,
}

impl ServerHandle {
    /// The address it answers at (or did, while it is stopped).
    pub fn addr(&self) -> SocketAddr {
        self.door.addr()
    }

    /// `https://…`, as a kubeconfig names it.
    pub fn url(&self) -> String {
        format!("https://{}", self.addr())
    }

    /// Whether it answers.
    pub async fn is_running(&self) -> bool {
        self.door.is_open().await
    }

    /// Stops answering and cuts all connections. Nothing else stops.
    pub async fn stop(&self) {
        self.door.close().await;
    }

    /// Answers again, at the same address.
    ///
    /// # Errors
    /// When the address was taken meanwhile.
    pub async fn start(&self) -> io::Result<()> {
        self.door.reopen().await
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, wire: Arc<Wire>, stop: CancellationToken) {
    // Small frames of a tunnel must not wait for each other.
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(std::time::Duration::from_secs(10), tls.accept(stream));
    let Ok(Ok(stream)) = handshake.await else { return };
    let service = service_fn(move |request| {
        let (wire, stop) = (Arc::clone(&wire), stop.clone());
        async move { Ok::<_, Infallible>(wire.answer(request, stop).await) }
    });
    // How a client leaves is its own affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}
