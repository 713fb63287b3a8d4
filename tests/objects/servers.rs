//! Azurite and moto's S3, each on a port of its own, with an empty container in it. `make stores` installs them. Where they
//! are missing a test says so and is skipped, but not where `CI` is set.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A server. Dropped, it ends.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    _process: Child,
}

/// Azurite's well-known account and its key.
pub const ACCOUNT: &str = "devstoreaccount1";
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Azurite, keeping everything in memory.
pub async fn azurite(test: &str) -> Option<Server> {
    let program = installed(test, "node_modules/.bin/azurite-blob")?;
    let mut command = Command::new(program);
    command.args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]);
    command.args(["--skipApiVersionCheck", "--disableTelemetry", "--silent"]);
    Some(start(command, "listens on ").await)
}

/// moto's S3.
pub async fn moto(test: &str) -> Option<Server> {
    let program = installed(test, "moto/bin/moto_server")?;
    let mut command = Command::new(program);
    command.args(["-H", "127.0.0.1", "-p", "0"]);
    Some(start(command, "Running on ").await)
}

/// Where `make stores` puts things.
fn installed(test: &str, program: &str) -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    let stores = std::env::var_os("HOWDAH_STORES").map_or_else(|| cache.join("howdah/stores"), PathBuf::from);
    let path = stores.join(program);
    if path.is_file() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{test}: there is no {}; `make stores` installs it", path.display());
    eprintln!("{test}: skipped, there is no {}; `make stores` installs it", path.display());
    None
}

/// Starts a server and waits for the line that says where it listens.
async fn start(mut command: Command, says: &str) -> Server {
    // No proxy stands before one's own ports.
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.env("NO_PROXY", "127.0.0.1").env("PYTHONUNBUFFERED", "1").spawn().unwrap();
    let mut out = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut err = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut heard = Vec::new();
    let listening = async {
        loop {
            let line = tokio::select! {
                Ok(Some(line)) = out.next_line() => line,
                Ok(Some(line)) = err.next_line() => line,
                else => return None,
            };
            if let Some((_, url)) = line.split_once(says) {
                return Some(url.trim().to_owned());
            }
            heard.push(line);
        }
    };
    let url = tokio::time::timeout(Duration::from_secs(120), listening).await.ok().flatten();
    let url = url.unwrap_or_else(|| panic!("it does not say `{says}`: {heard:#?}"));
    // Its pipes are read to their ends, or it would stop to write.
    tokio::spawn(async move { while let Ok(Some(_)) = out.next_line().await {} });
    tokio::spawn(async move { while let Ok(Some(_)) = err.next_line().await {} });
    Server { url, _process: process }
}

/// Makes a container in Azurite, by a signed request.
pub async fn container(server: &Server, name: &str) {
    use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
    let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).unwrap());
    let mut request = http::Request::put(format!("{}/{ACCOUNT}/{name}?restype=container", server.url));
    request = request.header("content-length", "0");
    let mut request = request.body(object_store::client::HttpRequestBody::empty()).unwrap();
    AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).unwrap();
    let client = object_store::client::HttpClient::new(client());
    assert_eq!(client.execute(request).await.unwrap().status(), 201);
}

/// A client of its own that fills a container of Azurite.
pub fn azure(server: &Server, container: &str) -> object_store::azure::MicrosoftAzure {
    let endpoint = format!("{}/{ACCOUNT}", server.url);
    let store = object_store::azure::MicrosoftAzureBuilder::new().with_account(ACCOUNT).with_access_key(KEY);
    store.with_endpoint(endpoint).with_container_name(container).with_allow_http(true).build().unwrap()
}

/// A client of its own that fills a bucket of moto.
pub fn amazon(server: &Server, bucket: &str) -> object_store::aws::AmazonS3 {
    let store = object_store::aws::AmazonS3Builder::new().with_access_key_id("AKIAEXAMPLE").with_region("eu-west-1");
    let store = store.with_secret_access_key("secret").with_endpoint(&server.url).with_bucket_name(bucket);
    store.with_allow_http(true).build().unwrap()
}

/// A shared access signature that reads one blob of a container.
pub async fn token(server: &Server, container: &str) -> String {
    use object_store::signer::Signer;
    let blob = object_store::path::Path::from("backups/one");
    let url = azure(server, container).signed_url(http::Method::GET, &blob, Duration::from_secs(600)).await.unwrap();
    url.query().unwrap().to_owned()
}

/// Makes a bucket in moto, which lets everyone in.
pub async fn bucket(server: &Server, name: &str) {
    let answer = client().put(format!("{}/{name}", server.url)).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
