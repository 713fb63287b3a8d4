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
use tokio::net::TcpStream;

use crate::lab::api::decode;
use crate::lab::door::{Bound, Door};
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
    door: Door,
    site: Arc<Site>,
}

impl BlobService {
    /// Serves the files below `root` as the blobs of a container, at a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(root: PathBuf, account: Account, container: &str) -> io::Result<BlobService> {
        let bound = Bound::at(([127, 0, 0, 1], 0).into())?;
        let endpoint = format!("http://{}/{}", bound.addr(), account.name);
        let site = Arc::new(Site { account, container: container.to_owned(), root, endpoint });
        let served = Arc::clone(&site);
        let door = bound.open(move |stream, _| connection(stream, Arc::clone(&served)));
        Ok(BlobService { door, site })
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
        self.door.close().await;
    }

    /// Answers again, at the same address.
    ///
    /// # Errors
    /// When the address was taken meanwhile.
    pub async fn resume(&self) -> io::Result<()> {
        self.door.reopen().await
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
