//! What a recovery begins with: a place in the object store, and a base backup there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::target::{Target, choose};
use crate::lab::api::resources::{BACKUPS, OBJECTSTORES};
use crate::lab::instance::{Setup, credentials, server_name};
use crate::lab::object::{annotation, flag, list, text};
use crate::lab::operator::backups::BARMAN_CLOUD;
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
    /// The store, as it is named: with its `destinationPath`.
    pub section: Value,
    /// The base backup.
    pub backup: String,
    /// The first segment it needs.
    pub begin_wal: String,
}

/// A server's part of a store that a manifest names.
#[derive(Clone, Debug)]
struct Named {
    /// A `barmanObjectStore`, the `configuration` of an ObjectStore, or the status of a Backup.
    section: Value,
    /// Barman's name of the server.
    server: String,
}

impl Setup {
    /// A new cluster must not write among another's WAL. (`cnpg:pkg/management/postgres/restore.go`,
    /// `checkBackupDestination`; the words are Barman's.)
    ///
    /// # Errors
    /// When its own archive is not empty, or can't be looked at.
    pub(super) async fn destination_is_empty(&self, cluster: &Value) -> Result<(), Problem> {
        const PROGRAM: &str = "barman-cloud-check-wal-archive";
        let Some(named) = self.destination(cluster)? else { return Ok(()) };
        credentials::store(&self.store, &self.namespace, &named.section).map_err(|problem| {
            Problem::new(format!("can't get credentials for cluster {}", self.cluster)).because(problem.line())
        })?;
        if annotation(cluster, "cnpg.io/skipEmptyWalArchiveCheck") == Some("enabled") {
            return Ok(());
        }
        self.log.info(&format!("{PROGRAM} checking the first wal"), &[]);
        let store = self.place(&named.server);
        let (words, code) = match self.reach(&store, &named.section).await {
            Err(why) => (why, 2),
            Ok(()) => match store.has_wal() {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    (format!("WAL archive check failed for server {}: Expected empty archive", store.server), 1)
                }
                Err(why) => (format!("Barman cloud WAL archive check exception: {why}"), 4),
            },
        };
        self.log.complaint(PROGRAM, &format!("ERROR: {words}"));
        let failure = format!("exit status {code}");
        self.log.error(&format!("Error invoking {PROGRAM}"), &failure);
        Err(Problem::new(format!("unexpected failure invoking barman-cloud-wal-archive: {failure}")))
    }

    /// Where the new cluster will archive, if it does.
    fn destination(&self, cluster: &Value) -> Result<Option<Named>, Problem> {
        let server = server_name(cluster);
        let section = &cluster["spec"]["backup"]["barmanObjectStore"];
        if section.is_object() {
            return Ok(Some(Named { section: section.clone(), server }));
        }
        let archiver = |plugin: &&Value| {
            text(plugin, "/name") == BARMAN_CLOUD && flag(plugin, "/isWALArchiver") && plugin["enabled"] != json!(false)
        };
        let Some(plugin) = list(cluster, "/spec/plugins").iter().find(archiver) else { return Ok(None) };
        Ok(Some(Named { section: self.object_store(plugin)?, server }))
    }

    /// What the ObjectStore says that a plugin is given.
    fn object_store(&self, plugin: &Value) -> Result<Value, Problem> {
        let name = text(plugin, "/parameters/barmanObjectName");
        let missing = || Problem::new(format!("ObjectStore.barmancloud.cnpg.io \"{name}\" not found"));
        let object = self.store.get(&OBJECTSTORES, &self.namespace, name).ok_or_else(missing)?;
        Ok(object["spec"]["configuration"].clone())
    }

    /// Where to recover from: the Backup object, or the external cluster that `spec.bootstrap.recovery` names.
    ///
    /// # Errors
    /// When it is not there, can't be reached, or has no base backup for the target.
    pub(super) async fn origin(&self, cluster: &Value) -> Result<Origin, Problem> {
        let recovery = &cluster["spec"]["bootstrap"]["recovery"];
        match text(recovery, "/backup/name") {
            "" => {
                let named = self.source(cluster, text(recovery, "/source"))?;
                self.chosen(named, recovery).await
            }
            name => self.backup(name),
        }
    }

    fn backup(&self, name: &str) -> Result<Origin, Problem> {
        let missing = || Problem::new(format!("backups.postgresql.cnpg.io \"{name}\" not found"));
        let backup = self.store.get(&BACKUPS, &self.namespace, name).ok_or_else(missing)?;
        let status = &backup["status"];
        credentials::store(&self.store, &self.namespace, status)?;
        self.log.info("Recovering existing backup", &[("backup", (*backup).clone())]);
        let server = [text(status, "/serverName"), text(&backup, "/spec/cluster/name")];
        Ok(Origin {
            store: self.place(server.into_iter().find(|name| !name.is_empty()).unwrap_or_default()),
            section: status.clone(),
            backup: text(status, "/backupId").to_owned(),
            begin_wal: text(status, "/beginWal").to_owned(),
        })
    }

    fn source(&self, cluster: &Value, source: &str) -> Result<Named, Problem> {
        if source.is_empty() {
            return Err(Problem::new("recovery source not specified"));
        }
        let external = list(cluster, "/spec/externalClusters").iter().find(|c| text(c, "/name") == source);
        let external = external.ok_or_else(|| Problem::new(format!("missing external cluster: {source}")))?;
        let or_source = |server: &str| if server.is_empty() { source } else { server }.to_owned();
        let plugin = &external["plugin"];
        if text(plugin, "/name") == BARMAN_CLOUD {
            self.log.info("Restore through plugin detected, proceeding...", &[]);
            let server = or_source(text(plugin, "/parameters/serverName"));
            return Ok(Named { section: self.object_store(plugin)?, server });
        }
        self.log.info("Recovering from external cluster", &[("sourceName", json!(source))]);
        let section = external
            .get("barmanObjectStore")
            .filter(|section| section.is_object())
            .ok_or_else(|| Problem::new(format!("missing barman object store configuration for source: {source}")))?;
        Ok(Named { section: section.clone(), server: or_source(text(section, "/serverName")) })
    }

    async fn chosen(&self, named: Named, recovery: &Value) -> Result<Origin, Problem> {
        credentials::store(&self.store, &self.namespace, &named.section)?;
        let store = self.place(&named.server);
        let reached = self.reach(&store, &named.section).await.map_err(|why| (why, 2));
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
        Ok(Origin { store, section: named.section, backup: base.id.clone(), begin_wal: base.begin_wal.clone() })
    }

    /// The first segment must be there, or nothing of it can be replayed.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn has_begin(&self, origin: &Origin) -> Result<(), Problem> {
        const WHAT: &str = "encountered an error while checking the presence of first needed WAL in the archive";
        let wal = &origin.begin_wal;
        if let Err(why) = self.reach(&origin.store, &origin.section).await {
            self.log.complaint("barman-cloud-wal-restore", &format!("ERROR: {why}"));
            return Err(Problem::new(format!("{WHAT}: connectivity failure")));
        }
        match origin.store.wal_path(wal).exists() {
            true => Ok(()),
            false => Err(Problem::new(format!("{WHAT}: object storage or file not found {wal}: WAL not found"))),
        }
    }

    fn place(&self, server: &str) -> Store {
        Store { root: self.machine.store_dir(), server: server.to_owned() }
    }

    /// Whether the store can be reached from here; if not, Barman's words for it.
    async fn reach(&self, store: &Store, section: &Value) -> Result<(), String> {
        const WHAT: &str = "Can't connect to cloud provider";
        let destination = text(section, "/destinationPath");
        if !self.reaches_store() || !store.answers().await {
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

/// Address and container in `http://127.0.0.1:10000/account/container`. (The lab keeps nothing below a prefix.)
fn endpoint(destination: &str) -> Option<(SocketAddr, String)> {
    let uri: http::Uri = destination.parse().ok()?;
    Some((uri.authority()?.as_str().parse().ok()?, uri.path().trim_matches('/').to_owned()))
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
        assert_eq!(at("http://127.0.0.1:10000/lab/backups/").as_deref(), Some("127.0.0.1:10000 lab/backups"));
        assert_eq!(at("https://lab.blob.core.windows.net/backups"), None);
        assert_eq!(at("s3://bucket/"), None);
    }
}
