//! What a recovery begins with: a place in the object store, and a base backup there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::target::{Target, choose};
use crate::lab::api::resources::BACKUPS;
use crate::lab::instance::{Setup, credentials};
use crate::lab::object::{annotation, list, text};
use crate::lab::postgres::{Base, Store};
use crate::lab::{ACCOUNT, CONTAINER};
use crate::problem::Problem;

/// How long a store may take to take a connection.
const ANSWER: Duration = Duration::from_secs(2);

/// A base backup, and where it and its WAL are.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The server's part of the store.
    pub store: Store,
    /// The store, as the manifest names it.
    pub destination: String,
    /// The base backup.
    pub backup: String,
    /// The first segment it needs.
    pub begin_wal: String,
}

impl Setup {
    /// A new cluster must not write among another's WAL. (`cnpg:pkg/management/postgres/restore.go`,
    /// `checkBackupDestination`; the words are Barman's.)
    ///
    /// # Errors
    /// When its own archive is not empty, or can't be looked at.
    pub(super) async fn destination_is_empty(&self, cluster: &Value) -> Result<(), Problem> {
        const PROGRAM: &str = "barman-cloud-check-wal-archive";
        const WHAT: &str = "unexpected failure invoking barman-cloud-wal-archive";
        let section = &cluster["spec"]["backup"]["barmanObjectStore"];
        if !section.is_object() {
            return Ok(());
        }
        credentials::store(&self.store, &self.namespace, section).map_err(|problem| {
            Problem::new(format!("can't get credentials for cluster {}", self.cluster)).because(problem.line())
        })?;
        if annotation(cluster, "cnpg.io/skipEmptyWalArchiveCheck") == Some("enabled") {
            return Ok(());
        }
        self.log.info(&format!("{PROGRAM} checking the first wal"), &[]);
        let store = self.named(section, &self.cluster);
        let trouble = match self.reach(&store, text(section, "/destinationPath")).await {
            Err(why) => Some((why, 2)),
            Ok(()) => match store.has_wal() {
                Ok(false) => None,
                Ok(true) => {
                    let what = format!("WAL archive check failed for server {}: Expected empty archive", store.server);
                    Some((what, 1))
                }
                Err(why) => Some((format!("Barman cloud WAL archive check exception: {why}"), 4)),
            },
        };
        let Some((words, code)) = trouble else { return Ok(()) };
        self.log.complaint(PROGRAM, &format!("ERROR: {words}"));
        let failure = format!("exit status {code}");
        self.log.error(&format!("Error invoking {PROGRAM}"), &failure);
        Err(Problem::new(format!("{WHAT}: {failure}")))
    }

    /// Where to recover from: the Backup object, or the external cluster that `spec.bootstrap.recovery` names.
    ///
    /// # Errors
    /// When it is not there, can't be reached, or has no base backup for the target.
    pub(super) async fn origin(&self, cluster: &Value) -> Result<Origin, Problem> {
        let recovery = &cluster["spec"]["bootstrap"]["recovery"];
        match text(recovery, "/backup/name") {
            "" => self.origin_of_source(cluster, recovery).await,
            name => self.origin_of_backup(name),
        }
    }

    fn origin_of_backup(&self, name: &str) -> Result<Origin, Problem> {
        let missing = || Problem::new(format!("backups.postgresql.cnpg.io \"{name}\" not found"));
        let backup = self.store.get(&BACKUPS, &self.namespace, name).ok_or_else(missing)?;
        let status = &backup["status"];
        credentials::store(&self.store, &self.namespace, status)?;
        self.log.info("Recovering existing backup", &[("backup", (*backup).clone())]);
        Ok(Origin {
            store: self.named(status, text(&backup, "/spec/cluster/name")),
            destination: text(status, "/destinationPath").to_owned(),
            backup: text(status, "/backupId").to_owned(),
            begin_wal: text(status, "/beginWal").to_owned(),
        })
    }

    async fn origin_of_source(&self, cluster: &Value, recovery: &Value) -> Result<Origin, Problem> {
        let source = text(recovery, "/source");
        if source.is_empty() {
            return Err(Problem::new("recovery source not specified"));
        }
        self.log.info("Recovering from external cluster", &[("sourceName", json!(source))]);
        let external = list(cluster, "/spec/externalClusters").iter().find(|c| text(c, "/name") == source);
        let external = external.ok_or_else(|| Problem::new(format!("missing external cluster: {source}")))?;
        let section = external
            .get("barmanObjectStore")
            .filter(|section| section.is_object())
            .ok_or_else(|| Problem::new(format!("missing barman object store configuration for source: {source}")))?;
        credentials::store(&self.store, &self.namespace, section)?;
        let store = self.named(section, source);
        let reached = self.reach(&store, text(section, "/destinationPath")).await.map_err(|why| (why, 2));
        let bases = reached
            .and_then(|()| store.bases().map_err(|why| (format!("Barman cloud backup list exception: {why}"), 4)));
        let bases = bases.map_err(|(words, code)| {
            self.log.complaint("barman-cloud-backup-list", &format!("ERROR: {words}"));
            let failure = format!("exit status {code}");
            self.log.error("Can't extract backup id", &failure);
            Problem::new(failure)
        })?;
        let base = choose(&bases, Target::of(recovery).as_ref())?;
        self.log.info("Target backup found", &[("backup", told(base))]);
        Ok(Origin {
            store,
            destination: text(section, "/destinationPath").to_owned(),
            backup: base.id.clone(),
            begin_wal: base.begin_wal.clone(),
        })
    }

    /// The first segment must be there, or nothing of it can be replayed.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn has_begin(&self, origin: &Origin) -> Result<(), Problem> {
        const WHAT: &str = "encountered an error while checking the presence of first needed WAL in the archive";
        let wal = &origin.begin_wal;
        if let Err(why) = self.reach(&origin.store, &origin.destination).await {
            self.log.complaint("barman-cloud-wal-restore", &format!("ERROR: {why}"));
            return Err(Problem::new(format!("{WHAT}: connectivity failure")));
        }
        match origin.store.wal_path(wal).exists() {
            true => Ok(()),
            false => Err(Problem::new(format!("{WHAT}: object storage or file not found {wal}: WAL not found"))),
        }
    }

    /// A server's part of the store that a `barmanObjectStore` (or a Backup's status) names.
    fn named(&self, section: &Value, or: &str) -> Store {
        let server = Some(text(section, "/serverName")).filter(|name| !name.is_empty()).unwrap_or(or);
        self.place(text(section, "/destinationPath"), server)
    }

    /// Whether the store can be reached from here; if not, Barman's words for it.
    async fn reach(&self, store: &Store, destination: &str) -> Result<(), String> {
        const WHAT: &str = "Can't connect to cloud provider";
        if !self.reaches_store() || store.unreachable().exists() {
            return Err(format!("{WHAT}: Connection timed out"));
        }
        let Some((address, container)) = endpoint(destination) else {
            return Err(format!("{WHAT}: {destination}: Name or service not known"));
        };
        match timeout(ANSWER, TcpStream::connect(address)).await {
            Ok(Ok(_)) if container == format!("{ACCOUNT}/{CONTAINER}") => Ok(()),
            Ok(Ok(_)) => Err(format!("Bucket {container} does not exist")),
            Ok(Err(why)) => Err(format!("{WHAT}: {destination}: {why}")),
            Err(_) => Err(format!("{WHAT}: {destination}: Connection timed out")),
        }
    }
}

/// Address and container in `http://127.0.0.1:10000/account/container/prefix`.
fn endpoint(destination: &str) -> Option<(SocketAddr, String)> {
    let uri: http::Uri = destination.parse().ok()?;
    let container: Vec<&str> = uri.path().trim_matches('/').splitn(3, '/').take(2).collect();
    Some((uri.authority()?.as_str().parse().ok()?, container.join("/")))
}

/// A base backup as CNPG logs it.
fn told(base: &Base) -> Value {
    let iso = |at: Option<jiff::Timestamp>| at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string());
    json!({
        "backup_name": base.name, "backup_label": base.label, "begin_time_iso": iso(base.begin_time),
        "end_time_iso": iso(base.end_time), "begin_wal": base.begin_wal, "end_wal": base.end_wal,
        "begin_xlog": base.begin_lsn, "end_xlog": base.end_lsn, "systemid": base.system_id, "backup_id": base.id,
        "error": base.error, "timeline": base.timeline,
    })
}

/// Where a base backup's data is.
pub(super) fn data(origin: &Origin) -> Option<PathBuf> {
    origin.store.data_of(&origin.backup)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_an_address_and_a_container() {
        let at = |destination| endpoint(destination).map(|(address, container)| format!("{address} {container}"));
        assert_eq!(at("http://127.0.0.1:10000/lab/backups").as_deref(), Some("127.0.0.1:10000 lab/backups"));
        assert_eq!(at("http://127.0.0.1:10000/lab/backups/a/b/").as_deref(), Some("127.0.0.1:10000 lab/backups"));
        assert_eq!(at("https://lab.blob.core.windows.net/backups"), None);
        assert_eq!(at("s3://bucket/"), None);
    }
}
