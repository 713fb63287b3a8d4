//! The lab's SQL: over a server's own socket, as superuser, always with a time limit.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::problem::Problem;

/// One row as text: column name → value, `None` for NULL.
pub type Row = BTreeMap<String, Option<String>>;

/// Connections that wait for the next question. More may be at work at one time.
const IDLE: usize = 4;

/// Connections to one server, made when needed and kept. Each question has one for itself: a slow one (a promotion, a
/// checkpoint) holds no other up, and one that is given up takes no other with it.
#[derive(Debug)]
pub struct Sql {
    folder: PathBuf,
    port: Arc<AtomicU16>,
    idle: Mutex<Vec<Connection>>,
}

/// A connection and the task that drives it. Dropping it ends the task, even where the server never answers.
#[derive(Debug)]
struct Connection {
    database: String,
    port: u16,
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Sql {
    pub(super) fn new(folder: PathBuf, port: Arc<AtomicU16>) -> Sql {
        Sql { folder, port, idle: Mutex::default() }
    }

    /// Runs one or more statements as text and gives the rows of all of them. `within` covers connecting too.
    ///
    /// # Errors
    /// When the server can't be asked in time, or says no. The statements' text is not in the error.
    pub async fn rows(&self, database: &str, statements: &str, within: Duration) -> Result<Vec<Row>, Problem> {
        match timeout(within, self.ask(database, statements)).await {
            Ok(answer) => answer.map_err(|error| refused(&error)),
            Err(_) => {
                let waited = format!("waited {} ms", within.as_millis());
                Err(Problem::new("the server did not answer").because(waited))
            }
        }
    }

    /// The first column of the first row.
    ///
    /// # Errors
    /// As [`Sql::rows`].
    pub async fn value(&self, database: &str, statement: &str, within: Duration) -> Result<Option<String>, Problem> {
        let rows = self.rows(database, statement, within).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_values().next()).flatten())
    }

    /// Closes the connections that wait: a server that is asked to stop smartly waits for them.
    pub fn close(&self) {
        self.waiting().clear();
    }

    /// On a connection that was kept, else a new one. A statement is never sent twice: it may have been heard.
    async fn ask(&self, database: &str, statements: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        let connection = match self.kept(database) {
            Some(kept) => kept,
            None => self.connect(database).await?,
        };
        let answer = connection.client.simple_query(statements).await;
        // What the server refused leaves the connection as good as before; simple_query ends a failed transaction.
        if answer.as_ref().err().is_none_or(|error| error.as_db_error().is_some()) {
            let mut idle = self.waiting();
            if idle.len() < IDLE {
                idle.push(connection);
            }
        }
        Ok(answer?.into_iter().filter_map(row).collect())
    }

    fn kept(&self, database: &str) -> Option<Connection> {
        let port = self.port.load(Ordering::Relaxed);
        let mut idle = self.waiting();
        idle.retain(|kept| kept.port == port && !kept.client.is_closed());
        let at = idle.iter().position(|kept| kept.database == database)?;
        Some(idle.swap_remove(at))
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, database: &str) -> Result<Connection, tokio_postgres::Error> {
        let port = self.port.load(Ordering::Relaxed);
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
        Ok(Connection { database: database.to_owned(), port, client, driver })
    }
}

fn row(message: SimpleQueryMessage) -> Option<Row> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    let columns = row.columns().iter().enumerate();
    Some(columns.map(|(i, column)| (column.name().to_owned(), row.get(i).map(str::to_owned))).collect())
}

pub(super) fn refused(error: &tokio_postgres::Error) -> Problem {
    let why = match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        }
    };
    Problem::new("the server could not be asked").because(why)
}
