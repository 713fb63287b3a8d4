//! An open connection to a server, and what it goes through.

use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::login::Login;
use super::tls;
use super::wire::{Refusal, late, refusal};
use crate::adapters::kubernetes::tunnel::{self, Tunnel};
use crate::domain::cluster::{Cluster, Pod};
use crate::domain::sample::SilenceKind;

/// How long connecting may take, login included.
pub const CONNECT: Duration = Duration::from_secs(3);

/// An open connection. Dropped, it closes with its tunnel.
pub struct Line {
    /// The connection.
    pub client: tokio_postgres::Client,
    driver: AbortHandle,
    tunnel: Option<Tunnel>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
        self.tunnel = None;
    }
}

/// What a session says of itself when it begins.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// `application_name`.
    pub name: &'a str,
    /// Its settings: `-c name=value …`.
    pub options: &'a str,
}

/// Connects through a tunnel, with TLS that trusts the cluster's own authority. A server without TLS is spoken to in the
/// clear: the tunnel itself is encrypted and ends inside the pod.
///
/// # Errors
/// See [`Refusal`].
pub async fn through_tunnel(
    client: &kube::Client,
    cluster: &Cluster,
    pod: &Pod,
    (login, authority): (&Login, &[u8]),
    session: Session<'_>,
) -> Result<Line, Refusal> {
    let tls = tls::trusting(authority).map_err(Refusal::closed)?;
    // CNPG's server certificates name the cluster's services, not its pods.
    let name = format!("{}-rw", cluster.key.name);
    let mut config = tokio_postgres::Config::new();
    config.user(&login.user).password(&login.password).dbname(&login.database).ssl_mode(SslMode::Prefer);
    config.application_name(session.name).options(session.options);
    let (tunnel, words, stream) = tunnel::open(client, &cluster.key.namespace, &pod.name, tunnel::POSTGRES).await?;
    match over(&config, stream, tls, &name).await {
        Ok(mut line) => {
            line.tunnel = Some(tunnel);
            Ok(line)
        }
        Err(refusal) if refusal.silence.kind == SilenceKind::Unreachable => match words.heard().await {
            Some(words) => Err(Refusal::silent(SilenceKind::Unreachable, words)),
            None => Err(refusal),
        },
        Err(refusal) => Err(refusal),
    }
}

/// Connects by a connection string.
///
/// # Errors
/// See [`Refusal`].
pub async fn by_dsn(text: &str, session: Session<'_>) -> Result<Line, Refusal> {
    let (text, root) = without_root(text);
    // tokio-postgres's own message may quote the string, and with it the password.
    let mut config = tokio_postgres::Config::from_str(&text).map_err(|_| {
        Refusal::closed("the connection string can't be understood (sslmode: disable, prefer, require)")
    })?;
    let tls = match root {
        Some(file) => {
            // A file may lie on a network that hangs.
            let read = timeout(CONNECT, tokio::fs::read(&file)).await.map_err(|_| late())?;
            let pem = read.map_err(|e| Refusal::closed(format!("sslrootcert {file}: {e}")))?;
            tls::trusting(&pem)
        }
        None => tls::unverified(),
    }
    .map_err(Refusal::closed)?;
    config.application_name(session.name).options(session.options).connect_timeout(CONNECT);
    let connected = timeout(CONNECT, config.connect(tls)).await;
    let (client, connection) = connected.map_err(|_| late())?.map_err(|e| refusal(&e))?;
    let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    Ok(Line { client, driver, tunnel: None })
}

async fn over<S>(
    config: &tokio_postgres::Config,
    stream: S,
    mut tls: MakeRustlsConnect,
    name: &str,
) -> Result<Line, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connector = <MakeRustlsConnect as MakeTlsConnect<S>>::make_tls_connect(&mut tls, name)
        .map_err(|e| Refusal::closed(e.to_string()))?;
    let connected = timeout(CONNECT, config.connect_raw(stream, connector)).await;
    let (client, connection) = connected.map_err(|_| late())?.map_err(|e| refusal(&e))?;
    let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    Ok(Line { client, driver, tunnel: None })
}

/// Takes `sslrootcert` out of a connection string, which tokio-postgres does not know, and with it `verify-ca` and
/// `verify-full`, which come to the same here.
fn without_root(text: &str) -> (String, Option<String>) {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let (head, tail, separator) = match (is_url, text.split_once('?')) {
        (true, Some((head, tail))) => (format!("{head}?"), tail.to_owned(), '&'),
        (true, None) => return (text.to_owned(), None),
        (false, _) => (String::new(), text.to_owned(), ' '),
    };
    let mut root = None;
    let mut kept = Vec::new();
    for part in tail.split(separator) {
        match part.split_once('=') {
            Some(("sslrootcert", file)) => root = Some(file.trim_matches('\'').to_owned()),
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(part),
        }
    }
    (format!("{head}{}", kept.join(&separator.to_string())), root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_certificate_is_taken_out() {
        assert_eq!(
            without_root("host=db sslmode=verify-full sslrootcert=/etc/ca.pem user=me"),
            ("host=db sslmode=require user=me".into(), Some("/etc/ca.pem".into()))
        );
        assert_eq!(
            without_root("postgresql://me@db/app?sslmode=verify-ca&sslrootcert=ca.pem"),
            ("postgresql://me@db/app?sslmode=require".into(), Some("ca.pem".into()))
        );
        assert_eq!(without_root("postgresql://me@db/app"), ("postgresql://me@db/app".into(), None));
    }
}
