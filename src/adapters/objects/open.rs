//! A client for a place: with keys, or as whoever asks.

use async_trait::async_trait;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, resolve_bucket_region};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, Error, GetOptions, GetResult, HeaderValue, ObjectStore, RetryConfig,
};
use std::sync::Arc;
use std::time::Duration;

use super::azure::{Connection, as_whoever_asks};
use super::keys::Keys;
use super::place::{Holder, Place};
use super::reference::{Access, Reference};
use super::trouble;
use crate::problem::Problem;

/// All that is ever asked of a store: nothing that changes it can be said through this.
#[async_trait]
pub trait Store: Send + Sync {
    /// One page of the keys below a prefix.
    ///
    /// # Errors
    /// The store does not answer, or says no.
    async fn page(&self, prefix: &str, options: PaginatedListOptions) -> object_store::Result<PaginatedListResult>;

    /// One object.
    ///
    /// # Errors
    /// It is not there, or as [`Store::page`].
    async fn read(&self, at: &Path) -> object_store::Result<GetResult>;
}

#[async_trait]
impl<T: ObjectStore + PaginatedListStore> Store for T {
    async fn page(&self, prefix: &str, options: PaginatedListOptions) -> object_store::Result<PaginatedListResult> {
        self.list_paginated(Some(prefix), options).await
    }

    async fn read(&self, at: &Path) -> object_store::Result<GetResult> {
        self.get_opts(at, GetOptions::default()).await
    }
}

/// How long a connection, and a request with its answer, may take.
const CONNECT: Duration = Duration::from_secs(5);
const REQUEST: Duration = Duration::from_secs(30);
/// A request that fails by the way or by the store is sent again this often, and not after this time.
const RETRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);

/// What an Amazon client may take from the environment: who to be, and not where.
const AMAZON: [&str; 10] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Makes a client. Nothing of the archive is asked for yet; where a bucket's region is not told, Amazon is asked for it.
///
/// # Errors
/// Keys that can't be used, a certificate that can't be read, or an identity that would be shown to a stranger.
pub async fn open(reference: &Reference, keys: &Keys) -> Result<(Arc<dyn Store>, Place), Problem> {
    // Whoever starts howdah otherwise than by `main` (a test) has not said whose TLS it is.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let place = reference.place()?;
    let options = options(reference, keys, &place)?;
    let failed = |e: Error| trouble::problem("can't open the archive", &place, &e);
    let store: Arc<dyn Store> = match &place.holder {
        Holder::Azure { .. } => Arc::new(azure(&place, &reference.access, keys, options)?.build().map_err(failed)?),
        Holder::S3 { .. } => Arc::new(amazon(&place, &reference.access, keys, options).await?.build().map_err(failed)?),
        Holder::Google { bucket } => {
            let mut builder = GoogleCloudStorageBuilder::new().with_bucket_name(bucket);
            if let Access::Google(key) = &reference.access {
                builder = builder.with_service_account_key(keys.get(key)?.reveal());
            }
            Arc::new(builder.with_client_options(options).with_retry(retries()).build().map_err(failed)?)
        }
        // No destination of a spec leads to one.
        Holder::Folder { .. } => return Err(other_cloud(&place)),
    };
    Ok((store, place))
}

fn options(reference: &Reference, keys: &Keys, place: &Place) -> Result<ClientOptions, Problem> {
    let mut options = ClientOptions::new()
        .with_user_agent(HeaderValue::from_static(concat!("howdah/", env!("CARGO_PKG_VERSION"))))
        .with_connect_timeout(CONNECT)
        .with_timeout(REQUEST)
        .with_allow_http(place.is_plain());
    if let Some(authority) = &reference.authority {
        let pem = keys.get(authority)?.reveal();
        let bad = |e| Problem::new(format!("can't read the certificates in secret {}", authority.secret)).because(e);
        for certificate in Certificate::from_pem_bundle(pem.as_bytes()).map_err(bad)? {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

fn retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: PATIENCE }
}

fn azure(
    place: &Place,
    access: &Access,
    keys: &Keys,
    options: ClientOptions,
) -> Result<MicrosoftAzureBuilder, Problem> {
    let Holder::Azure { endpoint, account, container } = &place.holder else { return Err(other_cloud(place)) };
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(container)
        .with_endpoint(endpoint.clone())
        .with_client_options(options)
        .with_retry(retries());
    if place.is_loopback() && place.is_plain() {
        builder = builder.with_http_connector(Direct);
    }
    // A shared access signature may have been pasted with the `?` before it.
    let token = |b: MicrosoftAzureBuilder, t: &str| {
        b.with_config(object_store::azure::AzureConfigKey::SasKey, t.trim_start_matches('?'))
    };
    Ok(match access {
        Access::AzureKey { key, .. } => builder.with_access_key(keys.get(key)?.reveal()),
        Access::AzureToken { token: sas, .. } => token(builder, keys.get(sas)?.reveal()),
        Access::AzureConnection(text) => match Connection::read(keys.get(text)?)? {
            Connection::Key(key) => builder.with_access_key(key.reveal()),
            Connection::Token(sas) => token(builder, sas.reveal()),
        },
        Access::AzureIdentity | Access::Untold if place.is_microsofts() => {
            let env = |name: &str| std::env::var(name).ok();
            as_whoever_asks(builder, env).map_err(|e| trouble::problem("can't open the archive", place, &e))?
        }
        Access::AzureIdentity | Access::Untold => return Err(stranger(place)),
        _ => return Err(other_cloud(place)),
    })
}

async fn amazon(
    place: &Place,
    access: &Access,
    keys: &Keys,
    options: ClientOptions,
) -> Result<AmazonS3Builder, Problem> {
    let Holder::S3 { bucket, endpoint } = &place.holder else { return Err(other_cloud(place)) };
    let mut builder = AmazonS3Builder::new().with_bucket_name(bucket).with_retry(retries());
    let region = match access {
        Access::Amazon { id, secret, session, region } => {
            builder = builder.with_access_key_id(keys.get(id)?.reveal());
            builder = builder.with_secret_access_key(keys.get(secret)?.reveal());
            if let Some(session) = session {
                builder = builder.with_token(keys.get(session)?.reveal());
            }
            region.as_ref()
        }
        Access::AmazonRole { .. } | Access::Untold => {
            for name in AMAZON {
                let key = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
                if let (Ok(key), Ok(value)) = (key, std::env::var(name)) {
                    builder = builder.with_config(key, value);
                }
            }
            if let Access::AmazonRole { region } = access { region.as_ref() } else { None }
        }
        _ => return Err(other_cloud(place)),
    };
    match (region, endpoint) {
        (Some(region), _) => builder = builder.with_region(keys.get(region)?.reveal()),
        // Stores that only speak like Amazon's have no regions, or one.
        (None, Some(_)) => {}
        (None, None) => {
            if let Ok(region) = resolve_bucket_region(bucket, &options).await {
                builder = builder.with_region(region);
            }
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if place.is_loopback() && place.is_plain() {
        builder = builder.with_http_connector(Direct);
    }
    Ok(builder.with_client_options(options))
}

fn stranger(place: &Place) -> Problem {
    Problem::new(format!("won't show your Azure identity to {}", place.holder))
        .because("the cluster's spec asks for it, and that host is none of Azure's")
        .try_this("name a storageKey or storageSasToken in azureCredentials")
}

fn other_cloud(place: &Place) -> Problem {
    Problem::new("can't open the archive")
        .because(format!("the credentials in the spec are another cloud's than {}", place.holder))
        .try_this("destinationPath and the credentials beside it must be of one cloud")
}

/// A way to this machine's own ports that no proxy is asked for.
#[derive(Debug)]
struct Direct;

impl HttpConnector for Direct {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let builder = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT).timeout(REQUEST);
        let client = builder.build().map_err(|e| Error::Generic { store: "loopback", source: Box::new(e) })?;
        Ok(HttpClient::new(client))
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Hidden;
    use super::super::reference::Named;
    use super::*;

    fn reference(destination: &str, access: Access) -> Reference {
        Reference { destination: destination.into(), endpoint: None, authority: None, server: "pg".into(), access }
    }

    fn named(key: &str) -> Named {
        Named { secret: "creds".into(), key: key.into() }
    }

    #[tokio::test]
    async fn an_identity_is_not_shown_to_a_stranger() {
        let at = reference("https://evil.example/acme/c", Access::AzureIdentity);
        let problem = open(&at, &Keys::default()).await.map(drop).unwrap_err();
        assert!(problem.what.contains("won't show your Azure identity to https://evil.example/acme/c"), "{problem}");
        let own = reference("https://acme.blob.core.windows.net/c", Access::AzureIdentity);
        assert_eq!(open(&own, &Keys::default()).await.unwrap().1.folder, "pg");
    }

    #[tokio::test]
    async fn credentials_of_another_cloud_are_told() {
        let azure = reference("https://acme.blob.core.windows.net/c", Access::AmazonRole { region: None });
        let amazon = reference("s3://b", Access::AzureIdentity);
        for reference in [azure, amazon] {
            let problem = open(&reference, &Keys::default()).await.map(drop).unwrap_err();
            assert!(problem.because.unwrap().contains("another cloud's"));
        }
    }

    #[tokio::test]
    async fn keys_that_are_none_are_told_without_them() {
        let key = named("K");
        let at =
            reference("https://acme.blob.core.windows.net/c", Access::AzureKey { account: None, key: key.clone() });
        let keys = Keys::of([(key, Hidden::new("hunter2!"))]);
        let problem = open(&at, &keys).await.map(drop).unwrap_err().to_string();
        assert!(problem.starts_with("can't open the archive") && !problem.contains("hunter2"), "{problem}");
        let mut tls = reference("https://acme.blob.core.windows.net/c", Access::AzureIdentity);
        tls.authority = Some(named("ca.crt"));
        let keys = Keys::of([(named("ca.crt"), Hidden::new("-----BEGIN CERTIFICATE-----\nhunter2\n"))]);
        let problem = open(&tls, &keys).await.map(drop).unwrap_err().to_string();
        assert!(problem.contains("secret creds") && !problem.contains("hunter2"), "{problem}");
    }
}
