//! What a cluster's spec says of its archive: where, which server in it, and which secrets open it.
//!
//! In-tree (`spec.backup.barmanObjectStore`) and the plugin's `ObjectStore` (`spec.configuration`) have the same fields.

use serde_json::Value;

use super::place::Place;
use crate::adapters::kubernetes::read::{at, flag, list, raw};
use crate::problem::Problem;
use crate::text::clean;

/// The plugin that archives with Barman.
const PLUGIN: &str = "barman-cloud.cloudnative-pg.io";

/// Where a Cluster's spec leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// It says all itself.
    Here(Box<Reference>),
    /// An `ObjectStore` of this name says it, for this server.
    Store {
        /// The object's name, in the cluster's namespace.
        name: String,
        /// The server's name in it.
        server: String,
    },
}

/// An archive as a spec describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// `destinationPath`.
    pub destination: String,
    /// `endpointURL`.
    pub endpoint: Option<String>,
    /// `endpointCA`: who signs that endpoint's certificate.
    pub authority: Option<Named>,
    /// The server's name: its folder.
    pub server: String,
    /// How it is opened.
    pub access: Access,
}

/// A key of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The secret, in the cluster's namespace.
    pub secret: String,
    /// The key in it.
    pub key: String,
}

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// `inheritFromAzureAD`, `useDefaultAzureCredentials`: as whoever asks.
    AzureIdentity,
    /// `connectionString`.
    AzureConnection(Named),
    /// `storageKey`, and `storageAccount` where it is told.
    AzureKey { account: Option<Named>, key: Named },
    /// `storageSasToken`, and `storageAccount` where it is told.
    AzureToken { account: Option<Named>, token: Named },
    /// `accessKeyId`, `secretAccessKey`, `sessionToken`, `region`.
    Amazon { id: Named, secret: Named, session: Option<Named>, region: Option<Named> },
    /// `inheritFromIAMRole`: as whoever asks; the region may be told.
    AmazonRole { region: Option<Named> },
    /// `applicationCredentials`.
    Google(Named),
    /// `gkeEnvironment`: as whoever asks.
    GoogleEnvironment,
    /// Nothing is said: as whoever asks.
    Untold,
}

impl Access {
    /// Every key that it needs.
    pub fn needs(&self) -> Vec<&Named> {
        match self {
            Access::AzureIdentity | Access::GoogleEnvironment | Access::Untold => Vec::new(),
            Access::AzureConnection(one) | Access::Google(one) => vec![one],
            Access::AzureKey { account, key: own } | Access::AzureToken { account, token: own } => {
                account.iter().chain([own]).collect()
            }
            Access::Amazon { id, secret, session, region } => {
                [id, secret].into_iter().chain(session).chain(region).collect()
            }
            Access::AmazonRole { region } => region.iter().collect(),
        }
    }
}

impl Lead {
    /// Where a Cluster's spec leads; `None`: it has no archive that Barman keeps.
    pub fn of_cluster(cluster: &Value) -> Option<Lead> {
        let own = || raw(cluster, &["metadata", "name"]).map(str::to_owned);
        let on = |p: &&Value| at(p, &["enabled"]).and_then(Value::as_bool) != Some(false);
        let plugins = || list(cluster, &["spec", "plugins"]).iter().filter(on);
        let barman = |p: &&Value| raw(p, &["name"]) == Some(PLUGIN);
        let plugin = plugins().find(|p| barman(p) && flag(p, &["isWALArchiver"])).or_else(|| plugins().find(barman));
        if let Some(plugin) = plugin {
            let parameter = |k| raw(plugin, &["parameters", k]).map(str::to_owned);
            let (name, server) = (parameter("barmanObjectName")?, parameter("serverName").or_else(own)?);
            return Some(Lead::Store { name, server });
        }
        let spec = at(cluster, &["spec", "backup", "barmanObjectStore"])?;
        let server = raw(spec, &["serverName"]).map(str::to_owned).or_else(own)?;
        Reference::read(spec, server).map(Box::new).map(Lead::Here)
    }
}

impl Reference {
    /// What an `ObjectStore` says, for a server in it.
    pub fn of_store(store: &Value, server: String) -> Option<Reference> {
        Reference::read(at(store, &["spec", "configuration"])?, server)
    }

    fn read(spec: &Value, server: String) -> Option<Reference> {
        Some(Reference {
            destination: raw(spec, &["destinationPath"])?.to_owned(),
            endpoint: raw(spec, &["endpointURL"]).map(str::to_owned),
            authority: named(spec, "endpointCA"),
            access: access(spec),
            server,
        })
    }

    /// Where it is.
    ///
    /// # Errors
    /// [`Place::read`].
    pub fn place(&self) -> Result<Place, Problem> {
        Place::read(&self.destination, self.endpoint.as_deref(), &self.server)
    }

    /// Every key that opens it.
    pub fn needs(&self) -> impl Iterator<Item = &Named> {
        self.access.needs().into_iter().chain(&self.authority)
    }
}

fn access(spec: &Value) -> Access {
    if let Some(azure) = at(spec, &["azureCredentials"]) {
        let own = |field| named(azure, field);
        let identity = flag(azure, &["inheritFromAzureAD"]) || flag(azure, &["useDefaultAzureCredentials"]);
        return match (own("connectionString"), own("storageKey"), own("storageSasToken")) {
            _ if identity => Access::AzureIdentity,
            (Some(text), ..) => Access::AzureConnection(text),
            (None, Some(key), _) => Access::AzureKey { account: own("storageAccount"), key },
            (None, None, Some(token)) => Access::AzureToken { account: own("storageAccount"), token },
            (None, None, None) => Access::Untold,
        };
    }
    if let Some(s3) = at(spec, &["s3Credentials"]) {
        let own = |field| named(s3, field);
        let region = own("region");
        return match (own("accessKeyId"), own("secretAccessKey")) {
            _ if flag(s3, &["inheritFromIAMRole"]) => Access::AmazonRole { region },
            (Some(id), Some(secret)) => Access::Amazon { id, secret, session: own("sessionToken"), region },
            _ => Access::Untold,
        };
    }
    if let Some(google) = at(spec, &["googleCredentials"]) {
        return match named(google, "applicationCredentials") {
            Some(key) if !flag(google, &["gkeEnvironment"]) => Access::Google(key),
            _ => Access::GoogleEnvironment,
        };
    }
    Access::Untold
}

/// A reference to a secret's key. A name becomes part of a request's path: what can't be one is none.
fn named(of: &Value, field: &str) -> Option<Named> {
    let name = raw(of, &[field, "name"])?;
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    (name.len() <= 253 && name.chars().all(fit))
        .then(|| Some(Named { secret: name.to_owned(), key: clean(raw(of, &[field, "key"])?) }))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(secret: &str, key: &str) -> Named {
        Named { secret: secret.into(), key: key.into() }
    }

    fn of(credentials: Value) -> Access {
        let mut store = json!({"destinationPath": "s3://b"});
        store.as_object_mut().unwrap().extend(credentials.as_object().unwrap().clone());
        access(&store)
    }

    fn r(name: &str) -> Value {
        json!({"name": "creds", "key": name})
    }

    #[test]
    fn every_way_to_open_a_store() {
        let k = |name| key("creds", name);
        let account = Some(k("AZURE_STORAGE_ACCOUNT"));
        for (spec, access) in [
            (json!({"azureCredentials": {"inheritFromAzureAD": true}}), Access::AzureIdentity),
            (json!({"azureCredentials": {"useDefaultAzureCredentials": true}}), Access::AzureIdentity),
            (json!({"azureCredentials": {"connectionString": r("C")}}), Access::AzureConnection(k("C"))),
            (
                json!({"azureCredentials": {"storageAccount": r("AZURE_STORAGE_ACCOUNT"), "storageKey": r("K")}}),
                Access::AzureKey { account: account.clone(), key: k("K") },
            ),
            (
                json!({"azureCredentials": {"storageAccount": r("AZURE_STORAGE_ACCOUNT"), "storageSasToken": r("T")}}),
                Access::AzureToken { account, token: k("T") },
            ),
            (
                json!({"s3Credentials": {"accessKeyId": r("I"), "secretAccessKey": r("S"), "sessionToken": r("T"), "region": r("R")}}),
                Access::Amazon { id: k("I"), secret: k("S"), session: Some(k("T")), region: Some(k("R")) },
            ),
            (json!({"s3Credentials": {"inheritFromIAMRole": true}}), Access::AmazonRole { region: None }),
            (json!({"googleCredentials": {"applicationCredentials": r("G")}}), Access::Google(k("G"))),
            (json!({"googleCredentials": {"gkeEnvironment": true}}), Access::GoogleEnvironment),
            (json!({}), Access::Untold),
            (
                json!({"s3Credentials": {"accessKeyId": {"name": "../x", "key": "I"}, "secretAccessKey": r("S")}}),
                Access::Untold,
            ),
        ] {
            assert_eq!(of(spec.clone()), access, "{spec}");
        }
        assert_eq!(of(json!({"azureCredentials": {"storageKey": r("K")}})).needs(), [&k("K")]);
    }

    #[test]
    fn in_tree_the_cluster_says_it() {
        let mut cluster = json!({"metadata": {"name": "shop"}, "spec": {"backup": {"barmanObjectStore": {
            "destinationPath": "http://10.0.0.9:10000/acme/backups/deep", "endpointCA": {"name": "ca", "key": "ca.crt"},
            "azureCredentials": {"inheritFromAzureAD": true}}}}});
        let Some(Lead::Here(reference)) = Lead::of_cluster(&cluster) else { panic!() };
        assert_eq!(reference.place().unwrap().folder, "deep/shop");
        assert_eq!(reference.needs().collect::<Vec<_>>(), [&key("ca", "ca.crt")]);
        cluster["spec"]["backup"]["barmanObjectStore"]["serverName"] = json!("shop-2");
        let Some(Lead::Here(reference)) = Lead::of_cluster(&cluster) else { panic!() };
        assert_eq!(reference.place().unwrap().folder, "deep/shop-2");
    }

    #[test]
    fn with_the_plugin_the_object_store_says_it() {
        let plugin = |name: &str, more: Value| {
            let mut p = json!({"name": name, "parameters": {"barmanObjectName": format!("{name}-store")}});
            p.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            p
        };
        let cluster = |plugins: Vec<Value>| {
            json!({"metadata": {"name": "shop"}, "spec": {"plugins": plugins,
            "backup": {"barmanObjectStore": {"destinationPath": "s3://old"}}}})
        };
        let lead = |plugins| Lead::of_cluster(&cluster(plugins)).unwrap();
        let store = Lead::Store { name: format!("{PLUGIN}-store"), server: "shop".into() };
        assert_eq!(lead(vec![plugin("other", json!({})), plugin(PLUGIN, json!({"isWALArchiver": true}))]), store);
        assert_eq!(lead(vec![plugin(PLUGIN, json!({}))]), store);
        assert!(matches!(lead(vec![plugin(PLUGIN, json!({"enabled": false}))]), Lead::Here(_)));
        let object =
            json!({"spec": {"configuration": {"destinationPath": "s3://b/p", "endpointURL": "https://minio"}}});
        let reference = Reference::of_store(&object, "shop".into()).unwrap();
        assert_eq!(reference.place().unwrap().folder, "p/shop");
        assert_eq!(reference.endpoint.as_deref(), Some("https://minio"));
    }

    #[test]
    fn no_archive_is_none() {
        assert_eq!(Lead::of_cluster(&json!({"metadata": {"name": "x"}, "spec": {}})), None);
        assert_eq!(Reference::of_store(&json!({"spec": {}}), "x".into()), None);
    }
}
