//! How a restore drill speaks to a server: one session, several statements, each answered by a text or a reason.
//!
//! The most able way first: `psql` in the pod as the superuser over its local socket, as the cnpg plugin does; then a
//! tunnel with the superuser's login, then with the application's. Which one it was is told.

use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

use crate::adapters::kubernetes::client::Clients;
use crate::adapters::kubernetes::exec;
use crate::adapters::postgres::line::{self, Session};
use crate::adapters::postgres::login;
use crate::adapters::postgres::sampler::Logins;
use crate::domain::cluster::{Cluster, Pod};
use crate::text::{clean, shorten};

/// What stands before each statement's answer, on both streams of `psql`.
const TAG: &str = "@howdah ";
/// The longest reason that is kept.
const REASON: usize = 300;

/// A server that can be asked.
pub struct Tongue {
    way: Way,
    /// In words: `psql in pg-1 as postgres`.
    pub by: String,
    database: String,
}

enum Way {
    Exec { client: kube::Client, namespace: String, pod: String, container: String },
    Wire(Box<line::Line>),
}

/// A statement's first value as text, where it gave any, or why not.
pub type Said = Result<Option<String>, String>;

impl Tongue {
    /// Finds a way to this pod's server.
    ///
    /// # Errors
    /// Why none is open.
    pub async fn find(
        clients: &Clients,
        logins: &Logins,
        (cluster, pod): (&Cluster, &Pod),
        database: &str,
    ) -> Result<Tongue, String> {
        const ANSWER: Duration = Duration::from_secs(20);
        let client = clients.get().await.client;
        let exec = Tongue {
            way: Way::Exec {
                client: client.clone(),
                namespace: cluster.key.namespace.to_string(),
                pod: pod.name.clone(),
                container: pod.container.clone(),
            },
            by: format!("psql in {} as postgres", pod.name),
            database: database.to_owned(),
        };
        let mut closed = match exec.ask(&["SELECT 1".into()], ANSWER).await.map(|mut said| said.pop()) {
            Ok(Some(Ok(_))) => return Ok(exec),
            Ok(Some(Err(why))) | Err(why) => vec![why],
            Ok(None) => Vec::new(),
        };
        for secret in login::secrets(cluster, &logins.secrets) {
            let access = tokio::try_join!(
                login::login(&client, &cluster.key.namespace, &secret),
                login::authority(&client, cluster)
            );
            let (mut login, authority) = match access {
                Ok(access) => access,
                Err(why) => {
                    closed.push(why);
                    continue;
                }
            };
            database.clone_into(&mut login.database);
            let session = Session { name: "howdah drill", options: "" };
            match line::through_tunnel(&client, cluster, pod, (&login, &authority), session).await {
                Ok(line) => {
                    let by = format!("SQL on {} as {}", pod.name, login.user);
                    return Ok(Tongue { way: Way::Wire(Box::new(line)), by, database: database.to_owned() });
                }
                Err(refusal) => closed.push(refusal.silence.why),
            }
        }
        Err(shorten(&clean(&closed.join("; ")), REASON))
    }

    /// By a connection string, for servers of a test's own.
    #[cfg(test)]
    pub(super) async fn by_dsn(text: &str) -> Tongue {
        let session = Session { name: "howdah drill", options: "" };
        let line = line::by_dsn(text, session).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        Tongue { way: Way::Wire(Box::new(line)), by: "SQL".into(), database: "postgres".into() }
    }

    /// It may do everything that the server can.
    pub fn is_superuser(&self) -> bool {
        matches!(self.way, Way::Exec { .. }) || self.by.ends_with(" as postgres")
    }

    /// Puts statements one after the other in one session. What one of them meets does not keep the next from being put.
    ///
    /// # Errors
    /// The session broke: nothing is known of any of them.
    pub async fn ask(&self, statements: &[String], patience: Duration) -> Result<Vec<Said>, String> {
        let late = |_| format!("no answer within {} s", patience.as_secs());
        match &self.way {
            Way::Exec { client, namespace, pod, container } => {
                let conninfo = format!(
                    "dbname='{}' user=postgres application_name='howdah drill'",
                    self.database.replace('\\', r"\\").replace('\'', r"\'")
                );
                let command = ["psql", "-XAtq", "-d", &conninfo];
                let script = script(statements);
                let run = exec::run_with(client, namespace, pod, container, &command, Some(&script));
                let said = timeout(patience, run).await.map_err(late)?.map_err(|trouble| trouble.why)?;
                read(&said.out, &said.err, statements.len())
            }
            Way::Wire(line) => {
                let mut all = Vec::new();
                for statement in statements {
                    let put = line.client.simple_query(statement);
                    let said = match timeout(patience, put).await.map_err(late)? {
                        Ok(messages) => Ok(first(&messages)),
                        Err(e) => match e.as_db_error() {
                            Some(db) => Err(shorten(&clean(db.message()), REASON)),
                            None => return Err(clean(&e.to_string())),
                        },
                    };
                    all.push(said);
                }
                Ok(all)
            }
        }
    }

    /// Puts one statement.
    ///
    /// # Errors
    /// It was refused, or the session broke.
    pub async fn one(&self, statement: &str, patience: Duration) -> Said {
        let mut said = self.ask(&[statement.to_owned()], patience).await?;
        said.pop().unwrap_or_else(|| Err("no answer".into()))
    }
}

fn first(messages: &[SimpleQueryMessage]) -> Option<String> {
    messages.iter().find_map(|m| match m {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

/// What `psql` reads. Each statement's place is marked on both of its streams.
fn script(statements: &[String]) -> String {
    let one = |(n, statement): (usize, &String)| format!("\\echo {TAG}{n}\n\\warn {TAG}{n}\n{statement}\n;\n");
    let all: String = statements.iter().enumerate().map(one).collect();
    format!("{all}\\echo {TAG}end\n\\q\n")
}

/// What `psql` said, statement by statement.
fn read(out: &str, err: &str, statements: usize) -> Result<Vec<Said>, String> {
    let complaints = sections(err);
    let complaint = |n: usize| complaints.iter().find(|(tag, _)| *tag == n.to_string()).map(|(_, lines)| lines);
    let answers = sections(out);
    if !answers.iter().any(|(tag, _)| tag == "end") {
        let last = err.lines().map(str::trim).rfind(|l| !l.is_empty() && !l.starts_with(TAG));
        return Err(shorten(&clean(last.unwrap_or("psql ended early and said nothing")), REASON));
    }
    let one = |n: usize| {
        let words = |line: &String| line.split_once("ERROR:").map(|(_, words)| words.trim().to_owned());
        let trouble = complaint(n).and_then(|lines| lines.iter().find_map(words));
        if let Some(trouble) = trouble {
            return Err(shorten(&clean(&trouble), REASON));
        }
        let lines = answers.iter().find(|(tag, _)| *tag == n.to_string()).map(|(_, lines)| lines.join("\n"));
        Ok(lines.filter(|l| !l.is_empty()))
    };
    Ok((0..statements).map(one).collect())
}

fn sections(text: &str) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(TAG), all.last_mut()) {
            (Some(tag), _) => all.push((tag.trim().to_owned(), Vec::new())),
            (None, Some((_, lines))) => lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_has_its_answer() {
        let out = "@howdah 0\n1\n@howdah 1\n@howdah 2\n[{\"a\": 1}, \n {\"a\": 2}]\n@howdah end\n";
        let err = "@howdah 0\n@howdah 1\npsql:<stdin>:6: ERROR:  relation \"x\" does not exist\nLINE 1: …\n@howdah 2\n";
        let said = read(out, err, 3).unwrap();
        assert_eq!(said[0], Ok(Some("1".into())));
        assert_eq!(said[1], Err("relation \"x\" does not exist".into()));
        assert_eq!(said[2], Ok(Some("[{\"a\": 1}, \n {\"a\": 2}]".into())));
    }

    #[test]
    fn a_session_that_broke_has_none() {
        let err = "@howdah 0\npsql: error: connection to server on socket failed: FATAL:  the database system is shutting down\n";
        assert!(read("@howdah 0\n", err, 2).unwrap_err().contains("shutting down"));
        assert!(read("", "", 1).is_err());
    }

    #[test]
    fn a_script_marks_every_statement_and_leaves() {
        assert_eq!(
            script(&["SELECT 1".into()]),
            "\\echo @howdah 0\n\\warn @howdah 0\nSELECT 1\n;\n\\echo @howdah end\n\\q\n"
        );
    }
}
