//! The lab's SQL: over a server's own socket, as superuser, always with a time limit.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::problem::Problem;

/// One row as text: column name → value, `None` for NULL.
pub type Row = BTreeMap<String, Option<String>>;

/// Connections to one server, made when needed and kept, one per database.
#[derive(Debug)]
pub struct Sql {
    folder: PathBuf,
    port: Arc<AtomicU16>,
    open: Mutex<BTreeMap<String, Open>>,
}

/// A connection and the task that drives it. Dropping it ends the task, even where the server never answers.
#[derive(Debug)]
struct Open {
    client: Arc<Client>,
    port: u16,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Sql {
    pub(super) fn new(folder: PathBuf, port: Arc<AtomicU16>) -> Sql {
        Sql { folder, port, open: Mutex::default() }
    }

    /// Runs one or more statements as text and gives the rows of all of them. `within` covers connecting too.
    /// Callers side by side share a connection; their statements follow each other.
    ///
    /// # Errors
    /// When the server can't be asked in time, or says no. The statements' text is not in the error.
    pub async fn rows(&self, database: &str, statements: &str, within: Duration) -> Result<Vec<Row>, Problem> {
        let asked = async {
            let client = self.client(database).await?;
            client.simple_query(statements).await
        };
        let messages = match timeout(within, asked).await {
            Ok(Ok(messages)) => messages,
            Ok(Err(error)) => {
                if error.is_closed() || error.as_db_error().is_none() {
                    self.forget(database).await;
                }
                return Err(refused(&error));
            }
            Err(_) => {
                // What is on its way on this connection would be waited for by the next caller too.
                self.forget(database).await;
                return Err(
                    Problem::new("the server did not answer").because(format!("waited {} ms", within.as_millis()))
                );
            }
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }

    /// The first column of the first row.
    ///
    /// # Errors
    /// As [`Sql::rows`].
    pub async fn value(&self, database: &str, statement: &str, within: Duration) -> Result<Option<String>, Problem> {
        let rows = self.rows(database, statement, within).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_values().next()).flatten())
    }

    /// Closes its connections: a server that is asked to stop smartly waits for them.
    pub async fn close(&self) {
        self.open.lock().await.clear();
    }

    async fn forget(&self, database: &str) {
        self.open.lock().await.remove(database);
    }

    async fn client(&self, database: &str) -> Result<Arc<Client>, tokio_postgres::Error> {
        let port = self.port.load(Ordering::Relaxed);
        let mut open = self.open.lock().await;
        if let Some(kept) = open.get(database).filter(|kept| kept.port == port && !kept.client.is_closed()) {
            return Ok(kept.client.clone());
        }
        open.remove(database);
        let (client, connection) = Config::new()
            .host_path(&self.folder)
            .port(port)
            .user("postgres")
            .dbname(database)
            .application_name("instance_manager")
            .connect(NoTls)
            .await?;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        let client = Arc::new(client);
        open.insert(database.to_owned(), Open { client: client.clone(), port, driver });
        Ok(client)
    }
}

fn row(message: SimpleQueryMessage) -> Option<Row> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    let columns = row.columns().iter().enumerate();
    Some(columns.map(|(i, column)| (column.name().to_owned(), row.get(i).map(str::to_owned))).collect())
}

fn refused(error: &tokio_postgres::Error) -> Problem {
    let why = match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        }
    };
    Problem::new("the server could not be asked").because(why)
}
