//! Starting and stopping the API. While it is stopped the world goes on; only nobody outside can see it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::certificates::Certificates;
use super::runtime::PodRuntime;
use super::store::Store;
use super::wire::Wire;

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
        let listener = bind(options.listen)?;
        let addr = listener.local_addr()?;
        let wire = Arc::new(Wire::new(store, runtime, options.token, options.access));
        let handle = ServerHandle { addr, tls: TlsAcceptor::from(tls), wire, running: Mutex::new(None) };
        *handle.running.lock().await = Some(handle.serve(listener));
        Ok(handle)
    }
}

/// A server that was started. Dropping it stops it.
pub struct ServerHandle {
    addr: SocketAddr,
    tls: TlsAcceptor,
    wire: Arc<Wire>,
    running: Mutex<Option<Running>>,
}

struct Running {
    /// Everything that belongs to this run listens to it: connections, watches, tunnels.
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.accepting.abort();
    }
}

impl ServerHandle {
    /// The address it answers at (or did, while it is stopped).
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `https://…`, as a kubeconfig names it.
    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// Whether it answers.
    pub async fn is_running(&self) -> bool {
        self.running.lock().await.is_some()
    }

    /// Stops answering and cuts all connections. Nothing else stops.
    pub async fn stop(&self) {
        let Some(mut running) = self.running.lock().await.take() else { return };
        running.stop.cancel();
        // The listener must be closed when this returns; an aborted task's join error says nothing more.
        running.accepting.abort();
        let _ = (&mut running.accepting).await;
    }

    /// Answers again, at the same address.
    ///
    /// # Errors
    /// When the address was taken meanwhile.
    pub async fn start(&self) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = Some(self.serve(bind(self.addr)?));
        }
        Ok(())
    }

    fn serve(&self, listener: TcpListener) -> Running {
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept(listener, self.tls.clone(), Arc::clone(&self.wire), stop.clone()));
        Running { stop, accepting }
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of the run before may still linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(1024)
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, wire: Arc<Wire>, stop: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tls, wire, stop) = (tls.clone(), Arc::clone(&wire), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection(stream, tls, wire, stop.clone()) => {}
                    }
                });
            }
            // Out of file descriptors, most likely: wait for some to come free.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
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
