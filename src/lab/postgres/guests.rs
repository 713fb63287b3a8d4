//! Sessions as the application has them, held open for as long as somebody wants them to be.

use std::time::Duration;

use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, NoTls};

use super::{Server, sql::refused};
use crate::problem::Problem;

/// The name under which they are seen in `pg_stat_activity`.
pub const APPLICATION: &str = "howdah-fault";

/// A session of the application's user in its database. Ends when dropped.
#[derive(Debug)]
pub struct Guest {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Guest {
    /// Connects to a server over its socket.
    ///
    /// # Errors
    /// When it refuses, as one without free connections does, or does not answer in time.
    pub async fn connect(server: &Server, within: Duration) -> Result<Guest, Problem> {
        let mut config = Config::new();
        config.host_path(server.machine().sockets()).port(server.address().port());
        config.user("app").dbname("app").application_name(APPLICATION);
        let connected = timeout(within, config.connect(NoTls)).await;
        let (client, connection) = match connected {
            Ok(connected) => connected.map_err(|e| refused(&e))?,
            Err(_) => return Err(Problem::new("the server did not answer")),
        };
        let driver = tokio::spawn(async move {
            // However it ends, the client hears of it.
            let _ = connection.await;
        });
        Ok(Guest { client, driver })
    }

    /// Runs statements in it.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn run(&self, statements: &str) -> Result<(), Problem> {
        self.client.batch_execute(statements).await.map_err(|e| refused(&e))
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}
