//! What `pg_controldata` says: the truth of a data directory, running or not.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::Server;
use crate::{domain::lsn::Lsn, lab::postgres::Machine, problem::Problem};

/// What `pg_controldata` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlData {
    /// Database system identifier.
    pub system_id: String,
    /// `in production`, `shut down`, `shut down in recovery`, `in archive recovery`, …
    pub state: String,
    /// Latest checkpoint's timeline.
    pub timeline: u32,
    /// Latest checkpoint location.
    pub checkpoint: Lsn,
    /// Latest checkpoint's REDO WAL file.
    pub redo_wal: String,
    /// All lines, key → value.
    pub all: BTreeMap<String, String>,
}

impl Server {
    /// `pg_controldata`; works on a stopped server too.
    ///
    /// # Errors
    /// When there is no data directory, or it can't be read.
    pub async fn control_data(&self) -> Result<ControlData, Problem> {
        let mut command = self.machine.processes.command(self.machine.binaries.program("pg_controldata"));
        command.arg("-D").arg(&self.data);
        let what = format!("pg_controldata of {}", self.spec.instance);
        let output = self.machine.processes.run(&what, command, Duration::from_secs(10)).await?;
        parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
            self.problem("its control file can't be read").because("pg_controldata's answer has no known form")
        })
    }
}

/// The same of any data directory.
pub(in crate::lab::postgres) async fn control_data_of(machine: &Machine, data: &Path) -> Result<ControlData, Problem> {
    let mut command = machine.processes.command(machine.binaries.program("pg_controldata"));
    command.arg("-D").arg(data);
    let what = format!("pg_controldata of {}", data.display());
    let output = machine.processes.run(&what, command, Duration::from_secs(10)).await?;
    parse(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Problem::new(format!("{what} failed")).because("its answer has no known form"))
}

fn parse(text: &str) -> Option<ControlData> {
    let all: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let get = |key: &str| all.get(key).cloned();
    Some(ControlData {
        system_id: get("Database system identifier")?,
        state: get("Database cluster state")?,
        timeline: get("Latest checkpoint's TimeLineID")?.parse().ok()?,
        checkpoint: get("Latest checkpoint location")?.parse().ok()?,
        redo_wal: get("Latest checkpoint's REDO WAL file")?,
        all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_the_program_prints_them() {
        let text = "pg_control version number:            1300\n\
            Database system identifier:           7710389708369129491\n\
            Database cluster state:               in production\n\
            pg_control last modified:             Sat 21 Nov 2026 12:30:45 AM UTC\n\
            Latest checkpoint location:           0/3000098\n\
            Latest checkpoint's REDO WAL file:    000000010000000000000003\n\
            Latest checkpoint's TimeLineID:       1\n";
        let data = parse(text).unwrap();
        assert_eq!((&*data.system_id, data.timeline, data.checkpoint), ("7710389708369129491", 1, Lsn(0x300_0098)));
        assert_eq!(data.all["pg_control last modified"], "Sat 21 Nov 2026 12:30:45 AM UTC");
        assert_eq!(parse("nonsense"), None);
    }
}
