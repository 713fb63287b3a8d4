//! A data directory out of a base backup, and its recovery out of the archive. PostgreSQL does both steps that matter:
//! it replays the WAL it asks for, and ends where it was told to.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use tokio::time::sleep;

use super::{Server, State};
use crate::problem::Problem;

/// How often it is asked whether its recovery is over.
const LOOK: Duration = Duration::from_millis(250);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Unpacking that takes longer than this hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// Settings that a server in recovery must not have lower than the one whose WAL it replays, by their names in
/// `pg_controldata`, and what they are where nobody names them.
pub const NEVER_LOWER: [(&str, &str, u64); 5] = [
    ("max_connections", "max_connections setting", 100),
    ("max_worker_processes", "max_worker_processes setting", 32),
    ("max_wal_senders", "max_wal_senders setting", 10),
    ("max_prepared_transactions", "max_prepared_xacts setting", 0),
    ("max_locks_per_transaction", "max_locks_per_xact setting", 64),
];

/// The parameters, with those raised that the control file has higher.
pub fn enforced(wanted: &[(String, String)], control: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut all = wanted.to_vec();
    for (name, key, default) in NEVER_LOWER {
        let Some(least) = control.get(key).and_then(|value| value.parse::<u64>().ok()) else { continue };
        match all.iter_mut().rev().find(|(n, _)| n == name) {
            Some((_, value)) if value.parse::<u64>().is_ok_and(|n| n < least) => *value = least.to_string(),
            // A setting no longer named may have been higher than its default. One that was not is not written: to take it
            // out of the file again would count as a change that waits for a restart.
            None if default < least => all.push((name.to_owned(), least.to_string())),
            _ => {}
        }
    }
    all
}

impl Server {
    /// Makes its data directory out of a base backup's `data.tar`. What is there is removed first.
    ///
    /// # Errors
    /// When it can't be unpacked, with tar's own words; what there is of it is removed then.
    pub async fn unpack(&self, archive: &Path) -> Result<(), Problem> {
        let _act = self.begin("a restore").await?;
        self.no_orphans().await?;
        self.clean()?;
        let made = self.machine.account.make_folder(&self.data);
        made.map_err(|e| self.problem("its data directory can't be made").because(e))?;
        let mut command = self.machine.processes.command("tar");
        command.arg("--extract").arg("--preserve-permissions").arg("--file").arg(archive).arg("--directory");
        command.arg(&self.data);
        let what = format!("unpacking the base backup for {}", self.spec.instance);
        let unpacked = self.machine.processes.run(&what, command, LONGEST).await.map(drop);
        self.or_clean(unpacked)
    }

    /// Waits until a server that was started in recovery has promoted itself.
    ///
    /// # Errors
    /// When it ends before that.
    pub async fn recovered(&self) -> Result<(), Problem> {
        let mut state = self.state();
        loop {
            if let State::Ended { status, .. } = &*state.borrow_and_update() {
                return Err(self.problem("PostgreSQL ended before its recovery was over").because(status));
            }
            let asked = self.sql.value("postgres", "select pg_is_in_recovery()", ANSWER).await;
            if asked.is_ok_and(|answer| answer.as_deref() == Some("f")) {
                return Ok(());
            }
            tokio::select! {
                _ = state.changed() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// What a start in recovery needs on disk.
    pub(super) fn signal_recovery(&self) -> std::io::Result<()> {
        // A backup of a standby brings this, and it would win.
        let _ = fs::remove_file(self.data.join("standby.signal"));
        self.machine.account.write(&self.data.join("recovery.signal"), "", 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_recovery_starts_no_lower_than_its_control_file() {
        let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect::<Vec<_>>();
        let control = own(&[
            ("max_connections setting", "400"),
            ("max_prepared_xacts setting", "100"),
            ("max_wal_senders setting", "10"),
        ]);
        let control: BTreeMap<String, String> = control.into_iter().collect();
        let wanted = own(&[("max_connections", "200"), ("max_prepared_transactions", "400"), ("work_mem", "4MB")]);
        let raised = own(&[("max_connections", "400"), ("max_prepared_transactions", "400"), ("work_mem", "4MB")]);
        assert_eq!(enforced(&wanted, &control), raised);
        assert_eq!(enforced(&wanted, &BTreeMap::new()), wanted);
        let dropped = enforced(&own(&[("max_prepared_transactions", "400")]), &control);
        assert_eq!(dropped, own(&[("max_prepared_transactions", "400"), ("max_connections", "400")]));
    }
}
