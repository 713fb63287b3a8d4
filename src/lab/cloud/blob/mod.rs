//! Azure Blob Storage on this machine, to be read from: one account, one container, over the files of a folder.
//!
//! `http://127.0.0.1:<port>/<account>/<container>/<name>`, as its emulators are addressed. Blobs are listed, asked for
//! their properties and read; every request must be signed with the account's key, or carry a signature made with it. Writing is refused: what is in the
//! folder is put there by others, and what is not finished has a name that begins with a dot.

mod answer;
mod list;
mod read;
mod sas;
mod signature;
mod walk;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::request::Parts;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lab::api::decode;
use answer::{Answer, Refusal};

/// A storage account. Debug output never shows its key.
#[derive(Clone)]
pub struct Account {
    /// Its name.
    pub name: String,
    key: Vec<u8>,
}

impl Account {
    /// One with a new key.
    pub fn generate(name: &str) -> Self {
        let key: [u8; 64] = std::array::from_fn(|_| rand::random());
        Account { name: name.to_owned(), key: key.to_vec() }
    }

    /// The key as it is given to those who may read.
    pub fn key(&self) -> String {
        STANDARD.encode(&self.key)
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is served.
#[derive(Debug)]
struct Site {
    account: Account,
    container: String,
    root: PathBuf,
    endpoint: String,
}

/// The running service, or one that was stopped: its address stays. Dropping it stops it.
pub struct BlobService {
    addr: SocketAddr,
    site: Arc<Site>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.accepting.abort();
    }
}

impl BlobService {
    /// Serves the files below `root` as the blobs of a container, at a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(root: PathBuf, account: Account, container: &str) -> io::Result<BlobService> {
        let listener = bind(([127, 0, 0, 1], 0).into())?;
        let addr = listener.local_addr()?;
        let endpoint = format!("http://{addr}/{}", account.name);
        let site = Arc::new(Site { account, container: container.to_owned(), root, endpoint });
        let service = BlobService { addr, site, running: Mutex::new(None) };
        *service.running.lock().await = Some(service.serve(listener));
        Ok(service)
    }

    /// The account that it serves.
    pub fn account(&self) -> &Account {
        &self.site.account
    }

    /// Where the container is: `http://127.0.0.1:<port>/<account>/<container>`.
    pub fn url(&self) -> String {
        format!("{}/{}", self.site.endpoint, self.site.container)
    }

    /// Answers no more: connections are cut, new ones refused.
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
    pub async fn resume(&self) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = Some(self.serve(bind(self.addr)?));
        }
        Ok(())
    }

    fn serve(&self, listener: TcpListener) -> Running {
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&self.site), stop.clone()));
        Running { stop, accepting }
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections of the run before may still linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(128)
}

async fn accept(listener: TcpListener, site: Arc<Site>, stop: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (site, stop) = (Arc::clone(&site), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection(stream, site) => {}
                    }
                });
            }
            // Out of file descriptors, most likely: wait for some to come free.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, site: Arc<Site>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(&request.into_parts().0).await) }
    });
    // How a client leaves is its own affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Site {
    async fn answer(&self, request: &Parts) -> Answer {
        let done = self.act(request).await;
        let mut answer = done.unwrap_or_else(|refusal| refusal.answer(&request.method));
        answer::sign_off(&mut answer, &request.headers);
        answer
    }

    async fn act(&self, request: &Parts) -> Result<Answer, Refusal> {
        let query = parameters(request.uri.query());
        let is = |name: &str, value: &str| query.iter().any(|(k, v)| k == name && v == value);
        let path = decode(request.uri.path(), false);
        let mut parts = path.trim_start_matches('/').splitn(3, '/');
        let (account, container) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let blob = parts.next().unwrap_or_default();
        let permission = if blob.is_empty() { 'l' } else { 'r' };
        let now = Timestamp::now();
        match query.iter().any(|(name, _)| name == "sig") {
            true => sas::verify(&self.account, &query, sas::Asked { container, blob, permission }, now)?,
            false => signature::verify(&self.account, request, &query, now)?,
        }
        if account != self.account.name || container != self.container {
            return Err(Refusal::no_container());
        }
        match request.method {
            Method::GET | Method::HEAD => {}
            Method::PUT | Method::POST | Method::DELETE => return Err(Refusal::forbidden()),
            _ => return Err(Refusal::unsupported()),
        }
        if !blob.is_empty() {
            let file = walk::file_of(&self.root, blob).ok_or_else(Refusal::no_blob)?;
            return read::read(&file, request).await;
        }
        if !is("restype", "container") {
            return Err(Refusal::bad_parameter("restype"));
        }
        match is("comp", "list") {
            true => list::list(&self.root, &self.endpoint, container, &query).await,
            false if query.iter().any(|(k, _)| k == "comp") => Err(Refusal::bad_parameter("comp")),
            // Get Container Properties: it is there.
            false => Ok(answer::empty()),
        }
    }
}

/// The parameters of a query, decoded.
fn parameters(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

#[cfg(test)]
mod tests;
