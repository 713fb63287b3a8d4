//! A steady writer through the `-rw` relay: what applications feel.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_postgres::{Client, Config, Statement, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Certificates, Ledger};
use crate::problem::Problem;

/// A write that is not answered by then counts as failed: it may be there or not.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(200);
/// Rows that stay in the table.
const KEPT: u64 = 100_000;
/// How often older rows are removed: every so many writes.
const TIDY: u64 = 10_000;

/// What the writer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadCount {
    /// Rows the server acknowledged.
    pub acknowledged: u64,
    /// Writes that failed or were not answered in time: such a row may exist or not.
    pub failed: u64,
    /// The highest row number that was acknowledged.
    pub last: u64,
    /// The highest row number that was tried.
    pub tried: u64,
}

/// The running writer. Stops when dropped.
#[derive(Debug)]
pub struct Load {
    /// Its count, live.
    pub count: watch::Receiver<LoadCount>,
    ledger: Arc<Mutex<Ledger>>,
    task: JoinHandle<()>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Load {
    /// Writes `per_second` rows a second into `howdah_load` of database `app` as `app`, each a transaction of its own,
    /// through `relay` with TLS. Reconnects for ever; never more than one connection; writes that were due while it
    /// could not are left out.
    ///
    /// # Errors
    /// When the certificates can't be used.
    pub fn start(
        per_second: u32,
        relay: SocketAddr,
        password: &str,
        certificates: &Certificates,
    ) -> Result<Load, Problem> {
        Load::start_as(per_second, &relay.ip().to_string(), relay, password, certificates)
    }

    /// As [`Load::start`], with the server's certificate expected to be good for `host`: the service's name, where the
    /// certificate is the operator's and names no address.
    ///
    /// # Errors
    /// As [`Load::start`].
    pub fn start_as(
        per_second: u32,
        host: &str,
        relay: SocketAddr,
        password: &str,
        certificates: &Certificates,
    ) -> Result<Load, Problem> {
        let tls = MakeRustlsConnect::new(trusting(&certificates.ca_cert)?);
        let mut config = Config::new();
        config
            .host(host)
            .hostaddr(relay.ip())
            .port(relay.port())
            .user("app")
            .password(password)
            .dbname("app")
            .application_name("howdah-load")
            .ssl_mode(SslMode::Require);
        let (tell, count) = watch::channel(LoadCount::default());
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let period = Duration::from_secs(1) / per_second.max(1);
        let writer = Writer { config, tls, tell, ledger: Arc::clone(&ledger), period };
        Ok(Load { count, ledger, task: tokio::spawn(writer.run()) })
    }

    /// Which rows were acknowledged and which were not, as of now.
    pub fn ledger(&self) -> Ledger {
        whole(&self.ledger).clone()
    }
}

/// The account. Its changes are single calls, which leave it whole.
fn whole(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn trusting(ca: &str) -> Result<ClientConfig, Problem> {
    let trouble = |e: &dyn std::fmt::Display| Problem::new("the cluster's authority can't be used").because(e);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(certificate.map_err(|e| trouble(&e))?).map_err(|e| trouble(&e))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(|e| trouble(&e))?.with_root_certificates(roots).with_no_client_auth())
}

struct Writer {
    config: Config,
    tls: MakeRustlsConnect,
    tell: watch::Sender<LoadCount>,
    ledger: Arc<Mutex<Ledger>>,
    period: Duration,
}

impl Writer {
    async fn run(self) {
        loop {
            // An error here is the weather: the server is not there, or not read-write yet.
            if let Ok(Ok((client, last, driver))) = timeout(PATIENCE, self.connect()).await {
                self.tell.send_modify(|count| count.tried = count.tried.max(last));
                self.write(&client).await;
                driver.0.abort();
            }
            sleep(AGAIN).await;
        }
    }

    async fn connect(&self) -> Result<(Client, u64, Driver), tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        let driver = Driver(tokio::spawn(async move {
            let _ = connection.await;
        }));
        client
            .batch_execute(
                "create table if not exists howdah_load \
                 (n bigint primary key, at timestamptz not null default clock_timestamp(), pad text)",
            )
            .await?;
        let last: i64 = client.query_one("select coalesce(max(n), 0) from howdah_load", &[]).await?.get(0);
        Ok((client, u64::try_from(last).unwrap_or(0), driver))
    }

    /// Until a write fails.
    async fn write(&self, client: &Client) {
        let statement = client.prepare("insert into howdah_load (n, pad) values ($1, repeat('x', 200))");
        let Ok(Ok(statement)) = timeout(PATIENCE, statement).await else { return };
        let mut due = interval(self.period);
        due.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            due.tick().await;
            // A number is never used twice: a write that failed may have arrived.
            let n = self.tell.borrow().tried + 1;
            whole(&self.ledger).send(n);
            let done = timeout(PATIENCE, insert(client, &statement, n)).await.is_ok_and(|done| done.is_ok());
            whole(&self.ledger).answer(done);
            self.tell.send_modify(|count| {
                count.tried = n;
                if done {
                    (count.acknowledged, count.last) = (count.acknowledged + 1, n);
                } else {
                    count.failed += 1;
                }
            });
            if !done {
                return;
            }
            if n.is_multiple_of(TIDY) {
                let old = n.saturating_sub(KEPT);
                // Before they go: what is accounted for has to be there.
                whole(&self.ledger).forget(old);
                // Rows that stay are tidied away the next time.
                let _ = timeout(PATIENCE, tidy(client, old)).await;
            }
        }
    }
}

/// The task that drives a connection; gone with it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn insert(client: &Client, statement: &Statement, n: u64) -> Result<(), tokio_postgres::Error> {
    client.execute(statement, &[&number(n)]).await.map(drop)
}

async fn tidy(client: &Client, upto: u64) -> Result<(), tokio_postgres::Error> {
    client.execute("delete from howdah_load where n <= $1", &[&number(upto)]).await.map(drop)
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_authority_is_trusted_and_nonsense_refused() {
        let certificates = Certificates::generate("shop", "prod").unwrap();
        assert!(trusting(&certificates.ca_cert).is_ok());
        assert!(trusting("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
