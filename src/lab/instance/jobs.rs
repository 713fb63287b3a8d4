//! The two Jobs that make an instance's data: `instance init` and `instance join`.

use serde_json::json;

use super::{Setup, credentials};
use crate::lab::postgres::Server;
use crate::problem::Problem;

impl Setup {
    /// `instance init`: a new cluster on this volume. The exit code.
    pub async fn init(&self) -> i32 {
        self.log.info("Creating new data directory", &[("pgdata", json!(self.volume))]);
        let done = self.make().await;
        self.told(done, "Data directory created", "Error while bootstrapping data directory")
    }

    async fn make(&self) -> Result<(), Problem> {
        let view = self.view().ok_or_else(|| Problem::new(format!("cluster {} is not there", self.cluster)))?;
        let passwords = credentials::passwords(&self.store, &self.namespace, &self.cluster)?;
        let server = self.server(&view)?;
        if server.exists() {
            // What an earlier attempt has left: this Job is the beginning.
            std::fs::remove_dir_all(server.data())
                .map_err(|e| Problem::new("the old data is in the way").because(e))?;
        }
        // The first statements must not wait for standbys that are not there yet.
        let alone = |(name, _): &(String, String)| name != "synchronous_standby_names";
        server.reload(server.parameters().into_iter().filter(alone).collect())?;
        server.initdb(&passwords).await
    }

    /// `instance join`: a clone of the primary on this volume. The exit code.
    pub async fn join(&self) -> i32 {
        self.log.info("Joining instance to cluster", &[("parent", json!(format!("{}-rw", self.cluster)))]);
        let done = self.copy().await;
        self.told(done, "Instance joined", "Error joining node")
    }

    async fn copy(&self) -> Result<(), Problem> {
        let view = self.view().ok_or_else(|| Problem::new(format!("cluster {} is not there", self.cluster)))?;
        let server = self.server(&view)?;
        server.clone_primary(self.upstream.address()).await?;
        self.follow(&server)
    }

    /// Marks a data directory as a standby's, before its first start as one.
    pub(super) fn follow(&self, server: &Server) -> Result<(), Problem> {
        let signal = server.data().join("standby.signal");
        let written = self.machine.account.write(&signal, "", 0o600);
        written.map_err(|e| Problem::new("standby.signal can't be written").because(e))
    }

    fn told(&self, done: Result<(), Problem>, well: &str, badly: &str) -> i32 {
        match done {
            Ok(()) => {
                self.log.info(well, &[]);
                0
            }
            Err(problem) => {
                self.log.error(badly, &problem.line());
                1
            }
        }
    }
}
