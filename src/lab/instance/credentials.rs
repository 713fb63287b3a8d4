//! The cluster's secrets, read as the instance manager reads them: certificates and passwords.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::lab::api::Store;
use crate::lab::api::resources::{CLUSTERS, SECRETS};
use crate::lab::object::{flag, text};
use crate::lab::postgres::{Certificates, Passwords};
use crate::problem::Problem;

/// One entry of a Secret.
fn entry(store: &Store, ns: &str, secret: &str, key: &str) -> Result<String, Problem> {
    let missing = || Problem::new(format!("secret {ns}/{secret} has no {key}"));
    let object = store.get(&SECRETS, ns, secret).ok_or_else(missing)?;
    let encoded = object["data"][key].as_str().ok_or_else(missing)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| missing().because("it is not base64"))?;
    String::from_utf8(bytes).map_err(|_| missing().because("it is not text"))
}

/// The certificates of a cluster: from the secrets its status names, else those CNPG names by itself.
///
/// # Errors
/// When a secret or one of its entries is missing.
pub fn certificates(store: &Store, ns: &str, cluster: &str) -> Result<Certificates, Problem> {
    let object = store.get(&CLUSTERS, ns, cluster);
    let name = |field: &str, suffix: &str| {
        let named = object.as_deref().map(|o| text(o, &format!("/status/certificates/{field}"))).unwrap_or_default();
        if named.is_empty() { format!("{cluster}-{suffix}") } else { named.to_owned() }
    };
    let (server, replication) = (name("serverTLSSecret", "server"), name("replicationTLSSecret", "replication"));
    Ok(Certificates {
        ca_cert: entry(store, ns, &name("serverCASecret", "ca"), "ca.crt")?,
        server_cert: entry(store, ns, &server, "tls.crt")?,
        server_key: entry(store, ns, &server, "tls.key")?,
        replication_cert: entry(store, ns, &replication, "tls.crt")?,
        replication_key: entry(store, ns, &replication, "tls.key")?,
    })
}

/// The ways a cluster can begin; one of them is in its `spec.bootstrap`.
const METHODS: [&str; 3] = ["initdb", "recovery", "pg_basebackup"];

/// The application's database and its owner, of whichever bootstrap method.
pub fn application_of(cluster: &Value) -> Option<(&str, &str)> {
    METHODS.into_iter().find_map(|method| {
        let database = text(cluster, &format!("/spec/bootstrap/{method}/database"));
        let owner = text(cluster, &format!("/spec/bootstrap/{method}/owner"));
        (!database.is_empty()).then_some((database, if owner.is_empty() { database } else { owner }))
    })
}

/// The secret with the application user's password that the cluster's manifest names.
pub fn given_secret(cluster: &Value) -> Option<&str> {
    let named = |method| text(cluster, &format!("/spec/bootstrap/{method}/secret/name"));
    METHODS.into_iter().map(named).find(|name| !name.is_empty())
}

/// The name of the secret with the application user's password.
pub fn app_secret(cluster: &Value, name: &str) -> String {
    given_secret(cluster).map_or_else(|| format!("{name}-app"), str::to_owned)
}

/// Looks whether what an object store's section (or a Backup's status) needs to open it is there.
///
/// # Errors
/// When a secret it names, or the entry in it, is missing: in CNPG's words.
pub fn store(store: &Store, ns: &str, section: &Value) -> Result<(), Problem> {
    for kind in ["azureCredentials", "s3Credentials", "googleCredentials"] {
        for selector in section[kind].as_object().into_iter().flatten().map(|(_, selector)| selector) {
            let (name, key) = (text(selector, "/name"), text(selector, "/key"));
            if name.is_empty() {
                continue;
            }
            let secret = store
                .get(&SECRETS, ns, name)
                .ok_or_else(|| Problem::new(format!("while getting secret {name}: secrets \"{name}\" not found")))?;
            if secret["data"][key].as_str().is_none() {
                return Err(Problem::new(format!("missing key {key}, inside secret {name}")));
            }
        }
    }
    Ok(())
}

/// The passwords of a cluster's roles.
///
/// # Errors
/// When a secret or its password is missing.
pub fn passwords(store: &Store, ns: &str, cluster: &str) -> Result<Passwords, Problem> {
    let object = store.get(&CLUSTERS, ns, cluster);
    let object = object.as_deref().unwrap_or(&Value::Null);
    let superuser = match flag(object, "/spec/enableSuperuserAccess") {
        true => Some(entry(store, ns, &format!("{cluster}-superuser"), "password")?),
        false => None,
    };
    Ok(Passwords { superuser, app: entry(store, ns, &app_secret(object, cluster), "password")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_password_comes_from_the_secret_that_the_cluster_names() {
        let store = Store::new();
        let secret = |name: &str, password: &str| json!({"metadata": {"name": name}, "data": {"password": STANDARD.encode(password)}});
        store.create(&SECRETS, "pg", secret("db-user-pass", "s3cret")).unwrap();
        let cluster = json!({"metadata": {"name": "demo"}, "spec": {"bootstrap": {"initdb": {"secret": {"name": "db-user-pass"}}}}});
        store.create(&CLUSTERS, "pg", cluster).unwrap();
        let read = passwords(&store, "pg", "demo").unwrap();
        assert_eq!((read.app.as_str(), read.superuser.as_deref()), ("s3cret", None));
        let problem = certificates(&store, "pg", "demo").unwrap_err();
        assert_eq!(problem.what, "secret pg/demo-ca has no ca.crt");
    }
}
