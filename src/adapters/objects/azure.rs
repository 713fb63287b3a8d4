//! Who to be at Azure, where a store is opened as whoever asks; and what a connection string says.

use async_trait::async_trait;
use object_store::azure::{AzureConfigKey, AzureCredentialProvider, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::{CredentialProvider, Error};
use std::sync::Arc;

use super::keys::Hidden;
use crate::problem::Problem;

/// What the environment says of an identity; nothing of an account, whose name is the archive's.
const IDENTITY: [(&str, AzureConfigKey); 6] = [
    ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
    ("AZURE_CLIENT_SECRET", AzureConfigKey::ClientSecret),
    ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
    ("AZURE_AUTHORITY_HOST", AzureConfigKey::AuthorityHost),
    ("AZURE_FEDERATED_TOKEN_FILE", AzureConfigKey::FederatedTokenFile),
    ("IDENTITY_ENDPOINT", AzureConfigKey::MsiEndpoint),
];

/// Ways to be somebody, as the first that can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A federated token: a pod with workload identity.
    Workload,
    /// A service principal's secret in the environment.
    Secret,
    /// `az login`.
    Cli,
    /// The machine's own identity.
    Managed,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Way::Workload => "workload_identity",
            Way::Secret => "client_secret",
            Way::Cli => "azure_cli",
            Way::Managed => "managed_identity",
        }
    }
}

/// The ways that may be gone here. Where the environment names one, it is meant.
pub fn ways(env: impl Fn(&str) -> Option<String>) -> Vec<Way> {
    let told = |name: &str| env(name).is_some_and(|v| !v.is_empty());
    let principal = told("AZURE_CLIENT_ID") && told("AZURE_TENANT_ID");
    if principal && told("AZURE_FEDERATED_TOKEN_FILE") {
        vec![Way::Workload]
    } else if principal && told("AZURE_CLIENT_SECRET") {
        vec![Way::Secret]
    } else if told("IDENTITY_ENDPOINT") {
        vec![Way::Managed]
    } else {
        vec![Way::Cli, Way::Managed]
    }
}

/// Puts the identity of whoever asks into a builder.
///
/// # Errors
/// The library's.
pub fn as_whoever_asks(
    builder: MicrosoftAzureBuilder,
    env: impl Fn(&str) -> Option<String> + Copy,
) -> object_store::Result<MicrosoftAzureBuilder> {
    let told = |b: MicrosoftAzureBuilder| {
        IDENTITY.iter().fold(b, |b, (name, key)| match env(name).filter(|v| !v.is_empty()) {
            Some(value) => b.with_config(*key, value),
            None => b,
        })
    };
    let provider = |way: Way| -> object_store::Result<AzureCredentialProvider> {
        let store: MicrosoftAzure = told(builder.clone()).with_credential_type(way.word()).build()?;
        Ok(store.credentials().clone())
    };
    let chain = ways(env).into_iter().map(|way| Ok((way, provider(way)?))).collect::<object_store::Result<Vec<_>>>()?;
    Ok(builder.with_credentials(Arc::new(Chain(chain))))
}

/// One way after the other.
#[derive(Debug)]
struct Chain(Vec<(Way, AzureCredentialProvider)>);

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = object_store::azure::AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<Self::Credential>> {
        let mut why = Vec::new();
        for (way, provider) in &self.0 {
            let got = match way {
                Way::Cli => aside(provider.clone()).await,
                _ => provider.get_credential().await,
            };
            match got {
                Ok(credential) => return Ok(credential),
                Err(e) => why.push(e.to_string()),
            }
        }
        Err(Error::Unauthenticated { path: String::new(), source: why.join("; ").into() })
    }
}

/// The library waits for `az` with its thread: it gets one to wait with.
async fn aside(provider: AzureCredentialProvider) -> object_store::Result<Arc<object_store::azure::AzureCredential>> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(provider.get_credential())).await?
}

/// What a connection string says beside where it leads.
#[derive(Debug)]
pub enum Connection {
    /// `AccountKey`
    Key(Hidden),
    /// `SharedAccessSignature`
    Token(Hidden),
}

impl Connection {
    /// Reads a connection string. The place is the destination's; only what opens it is taken.
    ///
    /// # Errors
    /// It holds neither a key nor a signature.
    pub fn read(text: &Hidden) -> Result<Connection, Problem> {
        let part = |name: &str| {
            let mut pairs = text.reveal().split(';').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(k, v)| k.trim().eq_ignore_ascii_case(name) && !v.is_empty())
                .map(|(_, v)| Hidden::new(v.trim()))
        };
        match (part("AccountKey"), part("SharedAccessSignature")) {
            (Some(key), _) => Ok(Connection::Key(key)),
            (None, Some(token)) => Ok(Connection::Token(token)),
            (None, None) => Err(Problem::new("can't open the archive")
                .because("the connection string holds neither AccountKey nor SharedAccessSignature")
                .try_this("az storage account show-connection-string prints one")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + Copy + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn where_the_environment_names_a_way_it_is_meant() {
        let principal = [("AZURE_CLIENT_ID", "id"), ("AZURE_TENANT_ID", "t")];
        assert_eq!(ways(env(&principal)), [Way::Cli, Way::Managed]);
        let with = |more: (&'static str, &'static str)| [principal[0], principal[1], more];
        assert_eq!(ways(env(&with(("AZURE_FEDERATED_TOKEN_FILE", "/f")))), [Way::Workload]);
        assert_eq!(ways(env(&with(("AZURE_CLIENT_SECRET", "s")))), [Way::Secret]);
        assert_eq!(ways(env(&[("IDENTITY_ENDPOINT", "http://169.254.0.1")])), [Way::Managed]);
        assert_eq!(ways(env(&[("AZURE_CLIENT_SECRET", "s")])), [Way::Cli, Way::Managed]);
    }

    #[test]
    fn a_connection_string_gives_what_opens() {
        let key =
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=aHVudGVyMg==;EndpointSuffix=core.windows.net";
        let read = |text: &str| Connection::read(&Hidden::new(text));
        assert!(matches!(read(key), Ok(Connection::Key(k)) if k.reveal() == "aHVudGVyMg=="));
        let token = "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=2022&sig=a%3D";
        assert!(matches!(read(token), Ok(Connection::Token(t)) if t.reveal() == "sv=2022&sig=a%3D"));
        let problem = read("AccountName=hunter2").unwrap_err();
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
        assert!(!format!("{:?}", read(key)).contains("aHVud"));
    }
}
