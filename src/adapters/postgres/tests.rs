//! The statement, asked of real servers: a primary and a standby of the test's own, as someone who sees all and as
//! someone who does not. Skipped, and said so, where no PostgreSQL server is installed.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::wire::{Session, by_dsn};
use crate::domain::lsn::Lsn;
use crate::domain::replication::SyncMethod;
use crate::domain::sample::{Route, SilenceKind};

const PATIENCE: Duration = Duration::from_secs(5);

/// A folder and an account for servers, which never run as root.
pub(super) struct Place {
    bin: PathBuf,
    dir: tempfile::TempDir,
    account: Option<(u32, u32)>,
}

pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        // SIGQUIT: at once, without a checkpoint.
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT);
        let _ = self.child.wait();
    }
}

impl Place {
    pub(super) fn find() -> Option<Place> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let known = versions.map(|v| v.path().join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = known.chain(std::env::split_paths(&path)).find(|b| b.join("initdb").exists())?;
        let dir = tempfile::Builder::new().prefix("howdah-sql-").tempdir_in("/tmp").unwrap();
        let account = nix::unistd::geteuid().is_root().then(|| {
            let user = nix::unistd::User::from_name("postgres").unwrap();
            let user = user.or_else(|| nix::unistd::User::from_name("nobody").unwrap()).unwrap();
            (user.uid.as_raw(), user.gid.as_raw())
        });
        if let Some((uid, gid)) = account {
            chown(dir.path(), Some(uid), Some(gid)).unwrap();
        }
        Some(Place { bin, dir, account })
    }

    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.current_dir(self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn serve(&self, data: &Path) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = self.program("postgres");
        command.arg("-D").arg(data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.arg("-c").arg(format!("unix_socket_directories={}", self.dir.path().display()));
        command.args(["-c", "fsync=off", "-c", "hot_standby=on"]);
        Server { child: command.spawn().unwrap(), port }
    }
}

pub(super) fn dsn(port: u16, user: &str) -> String {
    format!("host=127.0.0.1 port={port} user={user} dbname=postgres sslmode=disable")
}

pub(super) async fn open(port: u16, user: &str) -> Session {
    let mut last = None;
    for _ in 0..150 {
        match by_dsn(&dsn(port, user)).await {
            Ok(session) => return session,
            Err(e) => last = Some(e),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("never answered: {last:?}")
}

pub(super) async fn sql(port: u16, text: &str) {
    let (client, connection) = tokio_postgres::connect(&dsn(port, "postgres"), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(text).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn real_servers_are_read_by_who_sees_all_and_by_who_does_not() {
    let Some(place) = Place::find() else {
        eprintln!("skipped: no PostgreSQL server is installed");
        return;
    };
    let (first, second) = (place.data("first"), place.data("second"));
    let made = place.program("initdb").arg("-D").arg(&first).args(["-U", "postgres", "-A", "trust", "-N"]).status();
    assert!(made.unwrap().success(), "initdb");
    let primary = place.serve(&first);
    let mut all = open(primary.port, "postgres").await;
    sql(primary.port, "CREATE ROLE plain LOGIN; SELECT pg_create_physical_replication_slot('second', true)").await;
    let copied = place
        .program("pg_basebackup")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &primary.port.to_string(),
            "-U",
            "postgres",
            "-X",
            "stream",
            "-c",
            "fast",
            "-R",
        ])
        .args(["-S", "second", "-d", "application_name=second"])
        .arg("-D")
        .arg(&second)
        .status();
    assert!(copied.unwrap().success(), "pg_basebackup");
    let standby = place.serve(&second);
    let mut on_standby = open(standby.port, "postgres").await;
    sql(primary.port, "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (\"second\", third)'").await;
    sql(primary.port, "SELECT pg_reload_conf(); CREATE TABLE t AS SELECT generate_series(1, 1000) n").await;

    let mut sample = all.ask(PATIENCE).await.unwrap();
    for _ in 0..50 {
        let caught_up =
            sample.standbys.iter().any(|s| s.replay == sample.current && s.sync.is_some_and(|s| s.word() == "quorum"));
        if caught_up {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        sample = all.ask(PATIENCE).await.unwrap();
    }
    assert_eq!((sample.via, sample.user.as_str(), sample.sees_all), (Route::Dsn, "postgres", true));
    assert_eq!((sample.in_recovery, sample.timeline, sample.segment_size), (false, Some(1), Some(16 << 20)));
    assert!(sample.current.is_some_and(|l| l > Lsn(0)) && sample.received.is_none() && sample.receiver.is_none());
    let rule = sample.sync_rule.clone().unwrap().unwrap().unwrap();
    assert_eq!((rule.method, rule.number, rule.names), (SyncMethod::Any, 1, vec!["second".into(), "third".into()]));
    let row = &sample.standbys[0];
    assert_eq!((row.name.as_str(), row.state.as_deref()), ("second", Some("streaming")));
    assert_eq!((row.replay, row.sync.map(|s| s.word())), (sample.current, Some("quorum")));
    assert!(sample.slots.iter().any(|s| s.name == "second" && s.active && s.restart.is_some()), "{:?}", sample.slots);
    let archiver = sample.archiver.clone().unwrap();
    assert_eq!((archiver.archived, archiver.last_archived, archiver.ready), (0, None, Some(0)));
    assert!(sample.connections.is_some_and(|(used, max)| used >= 1 && max == 100), "{:?}", sample.connections);
    assert!(sample.frozen_xid_age.is_some() && sample.started.is_some() && sample.wal_bytes.is_some());

    let follower = on_standby.ask(PATIENCE).await.unwrap();
    assert!(follower.in_recovery && follower.replayed.is_some() && follower.current.is_none());
    assert_eq!(follower.system_id, sample.system_id);
    let receiver = follower.receiver.clone().unwrap();
    assert_eq!((receiver.status.as_deref(), receiver.timeline), (Some("streaming"), Some(1)));
    assert_eq!((receiver.slot.as_deref(), follower.timeline), (Some("second"), Some(1)));

    // Who may not see gets nothing instead of a wrong figure, and is told so.
    let plain = open(primary.port, "plain").await.ask(PATIENCE).await.unwrap();
    assert!(!plain.sees_all);
    assert_eq!((plain.oldest_transaction, plain.archiver.and_then(|a| a.ready)), (None, None));
    assert!(plain.standbys.iter().all(|s| s.replay.is_none() && s.sync.is_none()), "{:?}", plain.standbys);
    assert!(plain.current.is_some() && !plain.slots.is_empty());
    let hidden = open(standby.port, "plain").await.ask(PATIENCE).await.unwrap();
    assert_eq!(hidden.receiver, None, "a receiver that is hidden is not known");

    // Nothing can be changed by mistake, and a server that goes is silent at once.
    let changed = all.execute_for_test("CREATE TABLE no (n int)").await;
    assert!(changed.unwrap_err().contains("read-only"), "sessions are read-only");
    drop(standby);
    assert_eq!(on_standby.ask(PATIENCE).await.unwrap_err().kind, SilenceKind::Unreachable);
    let refused = by_dsn(&dsn(primary.port, "nobody_of_that_name")).await.err().unwrap();
    assert!(refused.try_another, "{refused:?}");
}
