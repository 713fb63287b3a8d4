//! The heartbeat: what a drill writes and reads, and how it is counted.
//!
//! Several connections insert numbered rows into a table of their own through the tunnel, each row a commit; a number is
//! *acknowledged* when its commit was answered, *unknown* when the connection broke before the answer came (it may be
//! there or not), *refused* when the server said no or could not be reached. A reader asks the standbys beside it. After
//! the drill the table is read: an acknowledged number that is not there is a lost write.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::order::Request;
use crate::domain::names::ClusterKey;

/// What to write and read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The cluster whose primary is written to, found anew after each failure.
    pub cluster: ClusterKey,
    /// The database; `app` for CNPG.
    pub database: String,
    /// The table, its own, derived from the run: `howdah_drill_20261121_031500`.
    pub table: String,
    /// Connections that write.
    pub writers: u8,
    /// The pause between two writes of one connection: the resolution of every outage.
    pub every: SignedDuration,
    /// Connections that read from standbys (`-ro`).
    pub readers: u8,
    /// How long one attempt may take before it counts as failed.
    pub patience: SignedDuration,
    /// `synchronous_commit` of the writers where the drill asks for another one than the server's: `off`, `local`.
    pub commit: Option<String>,
    /// Keep the table.
    pub keep: bool,
}

impl Heartbeat {
    /// The statement that makes its table.
    pub fn create_table(&self) -> String {
        format!(
            "CREATE TABLE IF NOT EXISTS {} (writer int, n bigint, at timestamptz DEFAULT clock_timestamp(), \
             PRIMARY KEY (writer, n))",
            self.table
        )
    }

    /// What is done at its beginning.
    pub fn request_begin(&self) -> Request {
        let (table, made) = (&self.table, self.create_table());
        self.sql(format!(
            "{made}; INSERT INTO {table} (writer, n) VALUES ($1, $2) -- {} connections, every {:#}",
            self.writers, self.every
        ))
    }

    /// What is asked at its end.
    pub fn request_count(&self) -> Request {
        self.sql(format!("SELECT writer, n, count(*) FROM {} GROUP BY writer, n", self.table))
    }

    /// What cleans up after it.
    pub fn request_sweep(&self) -> Request {
        self.sql(format!("DROP TABLE IF EXISTS {}", self.table))
    }

    fn sql(&self, text: String) -> Request {
        let path = format!("{} database {}", self.cluster, self.database);
        Request { method: "SQL".into(), path, content_type: None, body: Some(text.into()) }
    }
}
