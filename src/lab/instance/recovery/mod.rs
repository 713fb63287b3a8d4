//! `instance restore`: the Job that makes a new cluster out of a base backup and archived WAL.
//!
//! [`target`] says where to end and what to begin with, [`origin`] finds that; the rest is PostgreSQL's. It is told in the
//! container's log as CNPG 1.30 tells it, since the Cluster's status says nothing of a recovery that fails.

mod origin;
pub mod target;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::view::View;
use super::{Setup, credentials, parameters};
use crate::lab::api::resources::CLUSTERS;
use crate::lab::postgres::server::restore::enforced;
use crate::lab::postgres::{LogRecord, Server, Start, Stop};
use crate::problem::Problem;

use origin::Origin;
use target::Target;

/// How long PostgreSQL may take to stop before it is killed, and to answer.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(30);

/// A server that must not outlive the container it was started in.
struct Running(Arc<Server>);

impl Drop for Running {
    fn drop(&mut self) {
        // Mostly it has ended: then there is nothing to kill.
        let _ = self.0.kill_all();
    }
}

impl Setup {
    /// `instance restore`. The exit code.
    pub async fn restore(&self) -> i32 {
        match self.bring_back().await {
            Ok(()) => {
                self.log.info("restore command execution completed without errors", &[]);
                0
            }
            Err(problem) => {
                self.log.error("Error while restoring a backup", &problem.line());
                self.log.error("restore error", &format!("while restoring cluster: {}", problem.line()));
                1
            }
        }
    }

    async fn bring_back(&self) -> Result<(), Problem> {
        let gone = || Problem::new(format!("cluster {} is not there", self.cluster));
        let cluster = self.store.get(&CLUSTERS, &self.namespace, &self.cluster).ok_or_else(gone)?;
        self.destination_is_empty(&cluster).await?;
        let origin = self.origin(&cluster).await?;
        self.has_begin(&origin).await?;
        let server = self.server(&View::of(&cluster))?;
        self.unpack(&server, &origin).await?;
        self.recover(&server, &cluster, &origin).await
    }

    /// The base backup. What an earlier attempt has left goes: this Job is the beginning.
    async fn unpack(&self, server: &Server, origin: &Origin) -> Result<(), Problem> {
        const PROGRAM: &str = "barman-cloud-restore";
        let (place, id) = (&origin.store, &origin.backup);
        let options = json!([origin.section["destinationPath"], place.server, id, server.data()]);
        self.log.info(&format!("Starting {PROGRAM}"), &[("options", options)]);
        let (words, failure) = match origin::data(origin) {
            None => (format!("Unknown backup '{id}' for server '{}'", place.server), "Operation error (exit code 1)"),
            Some(data) => match server.unpack(&data).await {
                Ok(()) => {
                    self.log.info("Restore completed", &[]);
                    return Ok(());
                }
                Err(problem) => {
                    (format!("Barman cloud restore exception: {}", problem.line()), "General error (exit code 4)")
                }
            },
        };
        self.log.complaint(PROGRAM, &format!("ERROR: {words}"));
        self.log.error("Can't restore backup", failure);
        Err(Problem::new(failure))
    }

    /// Starts PostgreSQL on it, waits until it has recovered to the target, and makes it this cluster's own.
    async fn recover(&self, server: &Arc<Server>, cluster: &Value, origin: &Origin) -> Result<(), Problem> {
        self.configure(server, &View::of(cluster)).await?;
        let settings = self.settings(cluster, origin);
        let (_, coming) = server.logs();
        let over = CancellationToken::new();
        let mut helpers = JoinSet::new();
        helpers.spawn(copy(coming, self.log.clone(), over.clone()));
        let _running = Running(Arc::clone(server));
        let done = tokio::select! {
            done = async {
                self.log.info("Starting up instance", &[("pgdata", json!(server.data()))]);
                server.start(&Start::Recovery { settings }).await?;
                server.recovered().await.map_err(|problem| {
                    Problem::new("while waiting for PostgreSQL to stop recovery mode").because(problem.line())
                })?;
                self.own(server, cluster).await?;
                server.stop(Stop::Fast, STOP_WITHIN).await
            } => done,
            never = self.follow_store(server) => match never {},
        };
        // All that PostgreSQL has said is told before the verdict.
        over.cancel();
        drop(helpers.join_next().await);
        done
    }

    /// The parameters for a recovery: none lower than the backup's, nobody to wait for, and nothing archived. What is ready
    /// for the archive by the end waits for the instance, which archives it. (CNPG has `archive_command = 'false'`; without
    /// one, PostgreSQL does not count it as failures, which would outlive the recovery.)
    async fn configure(&self, server: &Server, view: &View) -> Result<(), Problem> {
        let alone = |(name, _): &(String, String)| name != "synchronous_standby_names";
        let wanted: Vec<(String, String)> = parameters(view).into_iter().filter(alone).collect();
        let mut all = enforced(&wanted, &server.control_data().await?.all);
        if all != wanted {
            let why = "Aligned PostgreSQL configuration to satisfy both pg_controldata and cluster spec";
            self.log.info(why, &[]);
        }
        all.push(("archive_command".to_owned(), String::new()));
        server.reload(all)
    }

    fn settings(&self, cluster: &Value, origin: &Origin) -> Vec<(String, String)> {
        let mut settings = vec![
            ("recovery_target_action".to_owned(), "promote".to_owned()),
            ("restore_command".to_owned(), origin.store.restore_command(&self.machine)),
        ];
        let target = Target::of(&cluster["spec"]["bootstrap"]["recovery"]);
        settings.extend(target.iter().flat_map(Target::settings));
        let told: String = settings.iter().map(|(name, value)| format!("{name} = '{value}'\n")).collect();
        self.log.info("Generated recovery configuration", &[("configuration", json!(told))]);
        settings
    }

    /// The application's role and database, where they are missing, and this cluster's passwords.
    async fn own(&self, server: &Server, cluster: &Value) -> Result<(), Problem> {
        self.log.info("Configuring new PostgreSQL instance", &[]);
        let Some((database, owner)) = credentials::application_of(cluster) else { return Ok(()) };
        let passwords = credentials::passwords(&self.store, &self.namespace, &self.cluster)?;
        server
            .adopt(database, owner, &passwords, ANSWER)
            .await
            .map_err(|problem| Problem::new("while configuring restored instance").because(problem.line()))
    }
}

/// Copies PostgreSQL's log into the container's, to the last line that was there when it was over.
async fn copy(mut coming: Receiver<Arc<LogRecord>>, log: Log, over: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            record = coming.recv() => match record {
                Ok(record) => log.record(&record),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            () = over.cancelled() => return,
        }
    }
}
