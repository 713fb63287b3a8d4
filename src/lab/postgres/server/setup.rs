//! How a data directory comes to be: initdb, a clone, a rewind.

use std::{fs, net::SocketAddr, time::Duration};

use tokio::process::Command;

use super::{Passwords, Server, Start};
use crate::{lab::postgres::process::remains, problem::Problem};

/// A helper that takes longer than this hangs.
const LONGEST: Duration = Duration::from_secs(120);

impl Server {
    /// Makes a new cluster: checksums, UTF-8, locale C; roles `postgres`, `app`, `streaming_replica`; database `app`.
    /// The server is stopped afterwards.
    ///
    /// # Errors
    /// When there is a data directory already, or a program fails; what that has made is removed then.
    pub async fn initdb(&self, passwords: &Passwords) -> Result<(), Problem> {
        let _act = self.begin("initdb").await?;
        if self.data.read_dir().is_ok_and(|mut files| files.next().is_some()) {
            return Err(self.problem("initdb is not possible").because("there is a data directory already"));
        }
        let mut command = self.program("initdb");
        command
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums"])
            .arg(format!("--wal-segsize={}", self.machine.options.wal_segment_mib))
            .arg("--pgdata")
            .arg(&self.data);
        if !self.machine.options.fsync {
            command.arg("--no-sync");
        }
        let made = async {
            self.helper("initdb", command).await?;
            self.configure(&Start::Primary)?;
            self.single_user("postgres", &roles(passwords)).await
        };
        self.or_clean(made.await)
    }

    /// Clones the primary behind `upstream` (`pg_basebackup`, as `streaming_replica`).
    ///
    /// # Errors
    /// When it can't be reached or copied; the data directory is removed then.
    pub async fn clone_primary(&self, upstream: SocketAddr) -> Result<(), Problem> {
        let _act = self.begin("clone").await?;
        self.no_orphans().await?;
        self.clean()?;
        let mut command = self.program("pg_basebackup");
        command
            .args(["--checkpoint=fast", "--wal-method=stream", "--no-password", "--pgdata"])
            .arg(&self.data)
            .arg("--dbname")
            .arg(self.conninfo(upstream, &format!("{}-join", self.spec.instance)));
        if !self.machine.options.fsync {
            command.arg("--no-sync");
        }
        let cloned = self.helper("pg_basebackup", command).await;
        self.or_clean(cloned)
    }

    /// Makes a former primary a standby of the one behind `upstream` (`pg_rewind`; recovers from a crash first).
    /// A server that is not ahead is left as it is.
    ///
    /// # Errors
    /// When the histories can't be joined: clone then. The data directory may be unusable.
    pub async fn rewind(&self, upstream: SocketAddr) -> Result<(), Problem> {
        let _act = self.begin("pg_rewind").await?;
        self.no_orphans().await?;
        self.no_pid_file();
        // pg_rewind's own recovery starts a single-user server, which refuses to be a standby.
        self.configure(&Start::Primary)?;
        let mut command = self.program("pg_rewind");
        command
            .arg("--target-pgdata")
            .arg(&self.data)
            .arg("--source-server")
            .arg(self.conninfo(upstream, &format!("{}-rewind", self.spec.instance)));
        if !self.machine.options.fsync {
            command.arg("--no-sync");
        }
        if self.spec.store.is_some() {
            // Back to where the histories part, its own WAL may be in the archive only.
            command.arg("--restore-target-wal");
        }
        self.helper("pg_rewind", command).await
    }

    /// Makes a running server that was recovered from another's backup a cluster's own: the owner's role and the database
    /// where they are missing, and the passwords. (`cnpg:pkg/management/postgres/initdb.go`, `ConfigureNewInstance`.)
    ///
    /// # Errors
    /// When it can't be asked, or refuses.
    pub async fn adopt(
        &self,
        database: &str,
        owner: &str,
        passwords: &Passwords,
        within: Duration,
    ) -> Result<(), Problem> {
        // The statements hold passwords: an error must not repeat them in the log.
        const QUIET: &str = "set log_statement = none; set log_min_error_statement = panic; ";
        let one = |what: &str| format!("select 1 from {what}");
        let role = one(&format!("pg_catalog.pg_roles where rolname = {}", literal(owner)));
        if self.sql.value("postgres", &role, within).await?.is_none() {
            self.sql.rows("postgres", &format!("create role {} login", identifier(owner)), within).await?;
        }
        let superuser = passwords.superuser.as_deref().map_or("null".to_owned(), literal);
        let change = format!(
            "{QUIET}alter role {} password {}; alter role postgres password {superuser}",
            identifier(owner),
            literal(&passwords.app)
        );
        self.sql.rows("postgres", &change, within).await?;
        let there = one(&format!("pg_catalog.pg_database where datname = {}", literal(database)));
        if self.sql.value("postgres", &there, within).await?.is_none() {
            let make = format!("create database {} owner {}", identifier(database), identifier(owner));
            self.sql.rows("postgres", &make, within).await?;
        }
        Ok(())
    }

    /// Takes the turn, and refuses while a postmaster runs.
    pub(super) async fn begin(&self, what: &str) -> Result<tokio::sync::MutexGuard<'_, ()>, Problem> {
        let act = self.act.lock().await;
        match self.pid() {
            Some(pid) => {
                Err(self.problem(&format!("{what} is not possible")).because(format!("it runs (process {pid})")))
            }
            None => Ok(act),
        }
    }

    pub(super) fn program(&self, name: &str) -> Command {
        self.machine.processes.command(self.machine.binaries.program(name))
    }

    async fn helper(&self, name: &str, command: Command) -> Result<(), Problem> {
        self.machine.processes.run(&format!("{name} of {}", self.spec.instance), command, LONGEST).await.map(drop)
    }

    /// SQL into a data directory without a running server. The statements come by standard input, and an error does
    /// not repeat them in the log: they may hold passwords.
    async fn single_user(&self, database: &str, statements: &str) -> Result<(), Problem> {
        let mut command = self.program("postgres");
        command.arg("--single").arg("-j").arg("-D").arg(&self.data);
        for setting in ["log_min_error_statement=panic", "log_line_prefix=", "exit_on_error=on", "archive_mode=off"] {
            command.args(["-c", setting]);
        }
        command.arg(database);
        let what = format!("first statements of {}", self.spec.instance);
        self.machine.processes.run_with(&what, command, Some(statements), LONGEST).await.map(drop)
    }

    pub(super) fn or_clean(&self, done: Result<(), Problem>) -> Result<(), Problem> {
        if done.is_err() {
            // The first error is the one to tell.
            let _ = self.clean();
        }
        done
    }

    pub(super) fn clean(&self) -> Result<(), Problem> {
        remains::free_shared_memory(&self.data);
        match fs::remove_dir_all(&self.data) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(self.problem("its data directory can't be removed").because(e))
            }
            _ => Ok(()),
        }
    }
}

/// A text as SQL has it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace(['\n', '\0'], ""))
}

/// A name as SQL has it.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\"").replace('\0', ""))
}

/// As CNPG sets them up: `streaming_replica` may read files for `pg_rewind`, and nothing else.
/// Source: `cnpg:pkg/management/postgres/instance.go`, `ConfigureStreamingReplicationRole` and its grants.
fn roles(passwords: &Passwords) -> String {
    let superuser = passwords.superuser.as_deref().map(|p| format!("ALTER ROLE postgres PASSWORD {}", literal(p)));
    let statements = superuser.into_iter().chain([
        format!("CREATE ROLE app LOGIN PASSWORD {}", literal(&passwords.app)),
        "CREATE DATABASE app OWNER app".to_owned(),
        "CREATE ROLE streaming_replica LOGIN REPLICATION".to_owned(),
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO streaming_replica".to_owned(),
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO streaming_replica".to_owned(),
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO streaming_replica".to_owned(),
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO streaming_replica"
            .to_owned(),
    ]);
    // With -j a statement ends at a semicolon, a line end and an empty line.
    statements.map(|statement| format!("{statement};\n\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_literals() {
        let sql = roles(&Passwords { superuser: None, app: "it's;\n\nDROP".into() });
        assert!(sql.contains("PASSWORD 'it''s;DROP';\n\n"), "{sql}");
        assert!(!sql.contains("ALTER ROLE postgres"));
        let sql = roles(&Passwords { superuser: Some("x".into()), app: "y".into() });
        assert!(sql.starts_with("ALTER ROLE postgres PASSWORD 'x';\n\n"));
    }
}
