//! One query, once, for a person who walks a runbook: its rows as text.
//!
//! Whatever the text says, it can't change data: it runs as the source of a `SELECT`, alone, in a read-only transaction
//! with a time limit. The first way that is open and shows everything answers.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use tokio::time::timeout;

use super::login::Kept;
use super::sampler::{Logins, Way, ways};
use super::wire::{self, Refusal, Session};
use crate::adapters::kubernetes::exec;
use crate::domain::cluster::{Cluster, Pod};
use crate::domain::names::InstanceName;
use crate::procedure::question::{ROWS, Told};
use crate::text::{clean, shorten};

/// How long the server may work on it, in milliseconds.
const STATEMENT: u32 = 5_000;
/// How long its answer may take.
const PATIENCE: Duration = Duration::from_secs(7);
/// The longest cell that is kept.
const CELL: usize = 400;

/// An answer and the way it came.
pub struct Heard {
    /// The rows.
    pub told: Told,
    /// `by SQL as app`, `by psql in its pod`.
    pub by: String,
}

/// Why a way did not answer.
enum No {
    /// Another way may do better.
    Closed(String),
    /// The server's own answer: another way would say the same.
    Final(String),
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        // Also where the server itself said no: a place kept for superusers may be left when all others are taken.
        No::Closed(refusal.silence.why)
    }
}

/// Asks an instance.
///
/// # Errors
/// Why there is no answer, in words.
pub async fn ask(
    client: &kube::Client,
    (cluster, of, pod): (&Cluster, &InstanceName, &Pod),
    logins: &Logins,
    text: &str,
    monitor: bool,
) -> Result<Heard, String> {
    let mut closed = Vec::new();
    let wrapped = wrapped(text);
    for way in ways(cluster, of, logins) {
        let answer = match &way {
            Way::Exec => by_exec(client, cluster, pod, &wrapped).await,
            Way::Dsn { text, any } => {
                let here = cluster.primary.as_ref() == Some(of);
                match wire::by_dsn(text).await {
                    Ok(session) if *any && !session.is_on(pod, here) => {
                        Err(No::Closed("the connection string leads to another instance".into()))
                    }
                    Ok(session) => by_session(&session, &wrapped, monitor).await,
                    Err(refusal) => Err(refusal.into()),
                }
            }
            Way::Tunnel(secret) => match Kept::default().access(client, cluster, secret).await {
                Ok(access) => match wire::through_tunnel(client, cluster, pod, &access.0, &access.1).await {
                    Ok(session) => by_session(&session, &wrapped, monitor).await,
                    Err(refusal) => Err(refusal.into()),
                },
                Err(why) => Err(No::Closed(why)),
            },
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(No::Final(why)) => return Err(clean(&why)),
            Err(No::Closed(why)) => closed.push(why),
        }
    }
    Err(clean(&closed.join("; ")))
}

/// The query as the source of a `SELECT` that gives one JSON document. A statement that changes something can't stand there.
fn wrapped(text: &str) -> String {
    let most = ROWS + 1;
    format!(
        "SELECT coalesce(json_agg(row_to_json(q)), '[]'::json)::text \
         FROM (SELECT * FROM (\n{text}\n) AS asked LIMIT {most}) AS q"
    )
}

async fn by_session(session: &Session, wrapped: &str, monitor: bool) -> Result<Heard, No> {
    if monitor && !session.sees_all() {
        return Err(No::Closed("this login does not see everything: it is not in pg_monitor".into()));
    }
    let client = session.client();
    let settings = format!("BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {STATEMENT}");
    let asked = async {
        client.batch_execute(&settings).await?;
        // Prepared: a text of several statements is refused by the protocol itself.
        let row = client.query_one(wrapped, &[]).await?;
        let user = client.query_one("SELECT current_user::text", &[]).await?;
        client.batch_execute("ROLLBACK").await?;
        Ok::<_, tokio_postgres::Error>((row.try_get::<_, String>(0)?, user.try_get::<_, String>(0)?))
    };
    let (answer, user) = match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|e| no(&e))?,
        Err(_) => return Err(No::Final(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    Ok(Heard { told: rows(&answer).map_err(No::Final)?, by: format!("by SQL as {}", clean(&user)) })
}

fn no(error: &tokio_postgres::Error) -> No {
    match error.as_db_error() {
        Some(db) if db.code().code() == "42501" => No::Closed(db.message().to_owned()),
        Some(db) => No::Final(db.message().to_owned()),
        None => No::Final(error.to_string()),
    }
}

/// `psql` in the pod, as the superuser over the local socket: what the cnpg plugin does.
async fn by_exec(client: &kube::Client, cluster: &Cluster, pod: &Pod, wrapped: &str) -> Result<Heard, No> {
    let options = format!("-c default_transaction_read_only=on -c statement_timeout={STATEMENT} -c lock_timeout=300");
    let conninfo = format!("dbname=postgres user=postgres application_name=howdah options='{options}'");
    let command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &conninfo, "-c", wrapped];
    let run = exec::run(client, &cluster.key.namespace, &pod.name, &pod.container, &command);
    let said = match timeout(PATIENCE, run).await {
        Ok(said) => said.map_err(|trouble| No::from(Refusal::from(trouble)))?,
        Err(_) => return Err(No::Final(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    if !said.well {
        let last = said.err.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("psql failed and said nothing");
        let words = said.err.lines().find_map(|l| l.split_once("ERROR:")).map_or(last, |(_, words)| words.trim());
        return Err(No::Closed(words.to_owned()));
    }
    Ok(Heard { told: rows(&said.out).map_err(No::Final)?, by: "by psql in its pod".into() })
}

/// A JSON object with its fields in their order.
struct Row(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Row(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Reads the JSON document.
fn rows(answer: &str) -> Result<Told, String> {
    let all: Vec<Row> = serde_json::from_str(answer.trim()).map_err(|e| format!("the answer can't be read: {e}"))?;
    let columns = all.first().map(|r| r.0.iter().map(|(name, _)| clean(name)).collect()).unwrap_or_default();
    let more = all.len() > ROWS;
    let cell = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(shorten(&clean(&text), CELL)),
        other => Some(shorten(&clean(&other.to_string()), CELL)),
    };
    let rows = all.into_iter().take(ROWS).map(|r| r.0.into_iter().map(|(_, value)| cell(value)).collect()).collect();
    Ok(Told::Rows { columns, rows, more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_the_order_of_their_columns() {
        let told = rows(r#"[{"z":1,"a":"x\u001b[2J","m":null,"b":true},{"z":2,"a":"y","m":{"k":[1]},"b":false}]"#);
        let Ok(Told::Rows { columns, rows, more }) = told else { panic!("{told:?}") };
        assert_eq!(columns, ["z", "a", "m", "b"]);
        assert_eq!(rows[0], [Some("1".into()), Some(clean("x\u{1b}[2J")), None, Some("true".into())]);
        assert_eq!(rows[1][2].as_deref(), Some(r#"{"k":[1]}"#));
        assert!(!more);
    }

    #[test]
    fn no_rows_and_too_many() {
        assert_eq!(rows(" []\n"), Ok(Told::Rows { columns: vec![], rows: vec![], more: false }));
        let many = format!("[{}]", vec![r#"{"a":1}"#; ROWS + 1].join(","));
        assert!(matches!(rows(&many), Ok(Told::Rows { rows, more: true, .. }) if rows.len() == ROWS));
        assert!(rows("").is_err() && rows("[1]").is_err());
    }

    #[test]
    fn a_comment_at_the_end_ends_with_its_line() {
        assert!(wrapped("SELECT 1 -- why").contains("SELECT 1 -- why\n) AS asked"));
    }
}
