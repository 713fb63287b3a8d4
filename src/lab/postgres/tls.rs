//! Certificates as CNPG makes them: an authority per cluster, the servers' certificate, the streaming replica's.

use crate::problem::Problem;

/// What a server needs for TLS, as PEM texts. Never shown by Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The authority: clients check the server with it, the server checks client certificates with it.
    pub ca_cert: String,
    /// The servers' certificate (names of `-rw`, `-ro`, `-r`, localhost, 127.0.0.1).
    pub server_cert: String,
    /// Its key.
    pub server_key: String,
    /// The certificate of the role `streaming_replica`.
    pub replication_cert: String,
    /// Its key.
    pub replication_key: String,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates(…)")
    }
}

impl Certificates {
    /// A fresh set for one cluster.
    ///
    /// # Errors
    /// When the keys can't be made.
    pub fn generate(cluster: &str, namespace: &str) -> Result<Certificates, Problem> {
        Err(Problem::new(format!("certificates of {namespace}/{cluster}: not built yet")))
    }
}
