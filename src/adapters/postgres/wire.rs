//! The ways to a server: a connection string, a tunnel, or `psql` inside the pod.

use std::time::Duration;
use tokio::time::timeout;

use super::line::{self, CONNECT, Line};
use super::login::Login;
use super::query::{self, Known};
use crate::adapters::kubernetes::trouble::{Trouble, TroubleKind};
use crate::domain::cluster::{Cluster, Pod};
use crate::domain::sample::{Route, Silence, SilenceKind, SqlSample};
use crate::text::clean;

/// Settings of every session: it changes nothing, waits for no lock, and ends before the next question.
const OPTIONS: &str = "-c default_transaction_read_only=on -c statement_timeout=900 -c lock_timeout=300";
const SAMPLING: line::Session<'static> = line::Session { name: "howdah", options: OPTIONS };

/// Why a way leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is told about the instance.
    pub silence: Silence,
    /// The way itself is closed (no right, no login), so another one may do better. An instance that is down is down on
    /// every way.
    pub try_another: bool,
}

impl Refusal {
    /// The way is closed.
    pub fn closed(why: impl AsRef<str>) -> Self {
        Refusal { silence: Silence { kind: SilenceKind::Forbidden, why: clean(why.as_ref()) }, try_another: true }
    }

    /// The instance is not there.
    pub(super) fn silent(kind: SilenceKind, why: impl AsRef<str>) -> Self {
        Refusal { silence: Silence { kind, why: clean(why.as_ref()) }, try_another: false }
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble.kind {
            TroubleKind::Forbidden | TroubleKind::Unauthorized | TroubleKind::Plugin => Refusal::closed(trouble.why),
            // A server or a proxy in between that can't switch to a websocket.
            TroubleKind::Other => {
                Refusal { silence: Silence { kind: SilenceKind::Unreachable, why: trouble.why }, try_another: true }
            }
            TroubleKind::TimedOut => Refusal::silent(SilenceKind::TimedOut, trouble.why),
            _ => Refusal::silent(SilenceKind::Unreachable, trouble.why),
        }
    }
}

/// An open session.
pub struct Session {
    line: Line,
    question: Question,
    known: Known,
    via: Route,
}

/// The statement. The first time it is asked at once, in one round trip, because a command asks only once; from the
/// second time on prepared, which spares the server from reading it each second.
struct Question {
    text: String,
    asked: bool,
    prepared: Option<tokio_postgres::Statement>,
}

/// Opens a session through a tunnel.
///
/// # Errors
/// See [`Refusal`].
pub async fn through_tunnel(
    client: &kube::Client,
    cluster: &Cluster,
    pod: &Pod,
    login: &Login,
    authority: &[u8],
) -> Result<Session, Refusal> {
    ready(line::through_tunnel(client, cluster, pod, (login, authority), SAMPLING).await?, Route::Tunnel).await
}

/// Opens a session by a connection string.
///
/// # Errors
/// See [`Refusal`].
pub async fn by_dsn(text: &str) -> Result<Session, Refusal> {
    ready(line::by_dsn(text, SAMPLING).await?, Route::Dsn).await
}

/// Finds out what may be asked.
async fn ready(line: Line, via: Route) -> Result<Session, Refusal> {
    let who = async {
        let row = line.client.query_typed_one(query::WHO, &[]).await?;
        Ok::<_, tokio_postgres::Error>(query::who(row.try_get(0)?).unwrap_or_default())
    };
    match timeout(CONNECT, who).await {
        Ok(Ok(known)) => {
            let question = Question { text: query::text(&known), asked: false, prepared: None };
            Ok(Session { line, question, known, via })
        }
        Ok(Err(e)) => Err(refusal(&e)),
        Err(_) => Err(late()),
    }
}

#[cfg(test)]
impl Session {
    pub(super) async fn execute_for_test(&self, text: &str) -> Result<(), String> {
        let done = self.line.client.batch_execute(text).await;
        done.map_err(|e| e.as_db_error().map_or_else(|| e.to_string(), |d| d.message().to_owned()))
    }
}

impl Session {
    /// Is this a session on that instance? A connection string may lead to any: the server's own address tells, and where
    /// it is translated on the way, whether it takes writes.
    pub fn is_on(&self, pod: &Pod, is_primary: bool) -> bool {
        match (&self.known.address, &pod.ip) {
            (Some(address), Some(ip)) if address == ip => true,
            _ => is_primary && self.known.primary,
        }
    }

    /// Its login is in `pg_monitor`: nothing is hidden from it.
    pub(super) fn sees_all(&self) -> bool {
        self.known.sees_all
    }

    /// The connection itself.
    pub(super) fn client(&self) -> &tokio_postgres::Client {
        &self.line.client
    }

    /// Asks once.
    ///
    /// # Errors
    /// The silence that is told; after it the session is of no more use.
    pub async fn ask(&mut self, patience: Duration) -> Result<SqlSample, Silence> {
        let row = match timeout(patience, self.row()).await {
            Ok(row) => row.map_err(|e| refusal(&e).silence)?,
            Err(_) => return Err(Silence { kind: SilenceKind::TimedOut, why: timed_out(patience) }),
        };
        let text: &str = row.try_get(0).map_err(|e| refusal(&e).silence)?;
        query::read(text, self.via).map_err(|why| Silence { kind: SilenceKind::Garbled, why: clean(&why) })
    }

    async fn row(&mut self) -> Result<tokio_postgres::Row, tokio_postgres::Error> {
        let question = &mut self.question;
        if std::mem::replace(&mut question.asked, true) && question.prepared.is_none() {
            question.prepared = Some(self.line.client.prepare(&question.text).await?);
        }
        match &question.prepared {
            Some(statement) => self.line.client.query_one(statement, &[]).await,
            None => self.line.client.query_typed_one(&question.text, &[]).await,
        }
    }
}

/// Asks once by `psql` in the pod, as the superuser over the local socket: what the cnpg plugin does. `known` is what an
/// earlier answer told of the server.
///
/// # Errors
/// See [`Refusal`].
pub async fn by_exec(
    client: &kube::Client,
    cluster: &Cluster,
    pod: &Pod,
    known: &mut Option<Known>,
    patience: Duration,
) -> Result<SqlSample, Refusal> {
    let conninfo = format!("dbname=postgres user=postgres application_name=howdah options='{OPTIONS}'");
    let psql = async |text: &str| {
        let command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &conninfo, "-c", text];
        let run =
            super::super::kubernetes::exec::run(client, &cluster.key.namespace, &pod.name, &pod.container, &command);
        match timeout(patience, run).await {
            Ok(said) => {
                let said = said?;
                if said.well { Ok(said.out) } else { Err(of_psql(&said.err)) }
            }
            Err(_) => Err(Refusal::silent(SilenceKind::TimedOut, timed_out(patience))),
        }
    };
    let now = match known {
        Some(now) => now,
        None => known.insert(query::who(&psql(query::WHO).await?).unwrap_or_default()),
    };
    let answer = psql(&query::text(now)).await?;
    query::read(&answer, Route::Exec).map_err(|why| Refusal::silent(SilenceKind::Garbled, why))
}

/// `psql: error: connection to server on socket "…" failed: FATAL:  the database system is shutting down`.
fn of_psql(err: &str) -> Refusal {
    let last = err.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("psql failed and said nothing");
    let why = last.rsplit("FATAL:").next().unwrap_or(last).trim();
    if last.contains("not found") || last.contains("no such file or directory: psql") {
        return Refusal::closed(why);
    }
    Refusal::silent(SilenceKind::NotServing, why)
}

pub(super) fn late() -> Refusal {
    Refusal::silent(SilenceKind::TimedOut, timed_out(CONNECT))
}

fn timed_out(patience: Duration) -> String {
    format!("no answer within {:.1} s", patience.as_secs_f64())
}

/// What an error comes to.
pub(super) fn refusal(error: &tokio_postgres::Error) -> Refusal {
    if let Some(db) = error.as_db_error() {
        let code = db.code().code();
        return match code {
            // No such role, wrong password, no entry in pg_hba.conf, no such database, no right to connect.
            _ if code.starts_with("28") || code == "3D000" || code == "42501" => Refusal::closed(db.message()),
            // Canceled by our own statement_timeout.
            "57014" => Refusal::silent(SilenceKind::TimedOut, db.message()),
            _ => Refusal::silent(SilenceKind::NotServing, db.message()),
        };
    }
    let mut why = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        why = cause.to_string();
        next = cause.source();
    }
    if why.contains("invalid peer certificate") || why.contains("password") || why.contains("authentication") {
        return Refusal::closed(why);
    }
    Refusal::silent(SilenceKind::Unreachable, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_psql_says() {
        let down = of_psql(
            "psql: error: connection to server on socket \"/controller/run/.s.PGSQL.5432\" failed: FATAL:  the database system is shutting down\n",
        );
        assert_eq!((down.silence.why.as_str(), down.try_another), ("the database system is shutting down", false));
        assert!(of_psql("exec: \"psql\": executable file not found in $PATH").try_another);
    }

    #[tokio::test]
    async fn a_broken_connection_string_is_not_quoted() {
        let e = by_dsn("postgresql://me:hunter2@[/x").await.err().unwrap();
        assert!(!e.silence.why.contains("hunter2"), "{e:?}");
    }
}
