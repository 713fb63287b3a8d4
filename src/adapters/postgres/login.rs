//! Who to be on a server: the logins that a cluster's secrets hold, and the authority that signs its certificates.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::adapters::kubernetes::client::get;
use crate::adapters::kubernetes::trouble::Trouble;
use crate::domain::cluster::Cluster;
use crate::domain::names::ClusterKey;

/// A name and a password. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The role.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The database to connect to.
    pub database: String,
    /// The secret it is from.
    pub secret: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// How long reading a secret may take.
const ANSWER: Duration = Duration::from_secs(3);

/// The secrets that may hold a login, the most able first: the configured one, the superuser's, the application's.
pub fn secrets(cluster: &Cluster, configured: &BTreeMap<String, String>) -> Vec<String> {
    let mut names = Vec::new();
    let own = cluster.key.to_string();
    let chosen =
        configured.get(&own).or_else(|| configured.get("*")).map(|name| name.replace("{cluster}", &cluster.key.name));
    // Without superuser access there is no such secret, and asking for it would only cost time.
    let told = |role: &str| match cluster.secrets.is_empty() {
        true => Some(format!("{}-{role}", cluster.key.name)),
        false => cluster.secrets.get(role).cloned(),
    };
    let in_order = [chosen, told("superuser"), told("app")];
    for name in in_order.into_iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Reads a login from a secret.
///
/// # Errors
/// It can't be read, or holds no name and password.
pub async fn login(client: &kube::Client, namespace: &str, secret: &str) -> Result<Login, String> {
    let data = data(client, namespace, secret).await?;
    let field = |name: &str| decoded(&data, name).and_then(|bytes| String::from_utf8(bytes).ok());
    let (Some(user), Some(password)) = (field("username").or_else(|| field("user")), field("password")) else {
        return Err(format!("secret {secret} holds no username and password"));
    };
    let database = field("dbname").filter(|d| !d.is_empty() && d != "*").unwrap_or_else(|| "postgres".into());
    Ok(Login { user, password, database, secret: secret.to_owned() })
}

/// The certificate authority of a cluster's servers, as PEM.
///
/// # Errors
/// It can't be read.
pub async fn authority(client: &kube::Client, cluster: &Cluster) -> Result<Vec<u8>, String> {
    let secret = cluster.secrets.get("ca").cloned().unwrap_or_else(|| format!("{}-ca", cluster.key.name));
    let data = data(client, &cluster.key.namespace, &secret).await?;
    decoded(&data, "ca.crt").ok_or_else(|| format!("secret {secret} holds no ca.crt"))
}

/// A login with the authority that signs the servers' certificates, or why there is none.
type Access = Result<Arc<(Login, Vec<u8>)>, String>;

/// What was read of secrets, for a while: all instances of a cluster ask for the same, and at the same time.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<(ClusterKey, String), (Instant, Access)>>);

/// How long what was read is good for: a password may be changed.
const FRESH: Duration = Duration::from_secs(30);

impl Kept {
    /// Reads a login and the authority, or gives what was read a moment ago.
    ///
    /// # Errors
    /// One of the secrets can't be read.
    pub async fn access(&self, client: &kube::Client, cluster: &Cluster, secret: &str) -> Access {
        // Held while reading, so that whoever else asks waits for this answer.
        let mut kept = self.0.lock().await;
        let id = (cluster.key.clone(), secret.to_owned());
        if let Some((at, access)) = kept.get(&id)
            && at.elapsed() < FRESH
        {
            return access.clone();
        }
        let read = tokio::try_join!(login(client, &cluster.key.namespace, secret), authority(client, cluster));
        let access = read.map(Arc::new);
        kept.retain(|_, (at, _)| at.elapsed() < FRESH);
        kept.insert(id, (Instant::now(), access.clone()));
        access
    }
}

async fn data(client: &kube::Client, namespace: &str, secret: &str) -> Result<Value, String> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{secret}");
    let answer = match timeout(ANSWER, client.request::<Value>(get(&path))).await {
        Ok(answer) => answer.map_err(|e| format!("secret {secret}: {}", Trouble::from(e).why))?,
        Err(_) => return Err(format!("secret {secret}: {}", Trouble::timed_out(ANSWER.as_secs_f64()).why)),
    };
    Ok(answer.get("data").cloned().unwrap_or_default())
}

fn decoded(data: &Value, field: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(data.get(field)?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::Operator;

    #[test]
    fn the_most_able_login_first() {
        let mut cluster = Cluster::named(ClusterKey::new("c", "pg", "demo"), Operator::Cnpg);
        assert_eq!(secrets(&cluster, &BTreeMap::new()), ["demo-superuser", "demo-app"]);
        cluster.secrets.insert("app".into(), "owner".into());
        let configured = BTreeMap::from([("pg/demo".to_owned(), "monitor".to_owned())]);
        assert_eq!(secrets(&cluster, &configured), ["monitor", "owner"], "there is no superuser access");
        cluster.secrets.insert("superuser".into(), "root".into());
        assert_eq!(secrets(&cluster, &configured), ["monitor", "root", "owner"]);
        let every = BTreeMap::from([("*".to_owned(), "{cluster}-monitor".to_owned())]);
        assert_eq!(secrets(&cluster, &every)[0], "demo-monitor");
    }

    #[test]
    fn passwords_are_never_shown() {
        let login =
            Login { user: "app".into(), password: "hunter2".into(), database: "app".into(), secret: "demo-app".into() };
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
