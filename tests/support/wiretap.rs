//! A tap on the wire to a Kubernetes API: everything that passes is written down and passed on, upgrades too.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

type Body = BoxBody<Bytes, hyper::Error>;

/// A request that passed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Passed {
    pub method: String,
    pub path: String,
    pub query: String,
    /// It asked to become something else: a tunnel, a program's streams.
    pub upgrade: bool,
}

/// The tap. Its own runtime ends with it.
pub struct Wiretap {
    passed: Arc<Mutex<Vec<Passed>>>,
    kubeconfig: PathBuf,
    _dir: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

/// The far end.
struct Far {
    address: String,
    tls: TlsConnector,
}

impl Wiretap {
    /// A tap in front of the server of a kubeconfig.
    pub fn on(kubeconfig: &Path) -> Wiretap {
        let mut config: Value = serde_saphyr::from_str(&std::fs::read_to_string(kubeconfig).unwrap()).unwrap();
        let cluster = &mut config["clusters"][0]["cluster"];
        let address = cluster["server"].as_str().unwrap().strip_prefix("https://").unwrap().to_owned();
        let authority = BASE64_STANDARD.decode(cluster["certificate-authority-data"].as_str().unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        *cluster = serde_json::json!({"server": format!("http://{}", listener.local_addr().unwrap())});
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("kubeconfig");
        std::fs::write(&own, config.to_string()).unwrap();
        let passed = Arc::new(Mutex::new(Vec::new()));
        let far = Arc::new(Far { address, tls: trusting(&authority) });
        runtime.spawn(serve(listener, far, passed.clone()));
        Wiretap { passed, kubeconfig: own, _dir: dir, _runtime: runtime }
    }

    /// A kubeconfig that leads through it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Everything that passed.
    pub fn passed(&self) -> Vec<Passed> {
        self.passed.lock().unwrap().clone()
    }
}

fn trusting(pem: &[u8]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    CertificateDer::pem_slice_iter(pem).for_each(|c| roots.add(c.unwrap()).unwrap());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

async fn serve(listener: TcpListener, far: Arc<Far>, passed: Arc<Mutex<Vec<Passed>>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (far, passed) = (far.clone(), passed.clone());
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (far, passed) = (far.clone(), passed.clone());
            async move {
                let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
                passed.lock().unwrap().push(Passed {
                    method: request.method().to_string(),
                    path: request.uri().path().to_owned(),
                    query: text(request.uri().query()),
                    upgrade: request.headers().contains_key(header::UPGRADE),
                });
                let answer = pass(request, &far).await.unwrap_or_else(|e| {
                    let body = Full::from(e.to_string()).map_err(|never| match never {}).boxed();
                    let mut answer = Response::new(body);
                    *answer.status_mut() = StatusCode::BAD_GATEWAY;
                    answer
                });
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let http = hyper::server::conn::http1::Builder::new();
        tokio::spawn(async move { drop(http.serve_connection(TokioIo::new(socket), service).with_upgrades().await) });
    }
}

async fn pass(
    mut request: Request<Incoming>,
    far: &Far,
) -> Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>> {
    let name = ServerName::try_from(far.address.split(':').next().unwrap_or_default().to_owned())?;
    let socket = far.tls.connect(name, TcpStream::connect(&far.address).await?).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    let near = request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(&far.address)?);
    let mut answer = sender.send_request(request).await?;
    if let (Some(near), StatusCode::SWITCHING_PROTOCOLS) = (near, answer.status()) {
        let away = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            let (Ok(near), Ok(away)) = tokio::join!(near, away) else { return };
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(near), &mut TokioIo::new(away)).await;
        });
    }
    Ok(answer.map(BodyExt::boxed))
}
