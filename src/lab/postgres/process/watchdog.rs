//! A small process that outlives us only to end the servers when we are killed.
//!
//! `kill -9` and the kernel's out-of-memory killer leave no time to clean up. What it can't do (other systems than Linux,
//! files, a watchdog that was killed too) the next lab does: see [`super::remains`].

use std::{
    path::Path,
    process::{Child, ChildStdin, Stdio},
};

use super::Processes;

/// Reads a pipe that nobody writes to: its end means that we are gone. A number is believed only if that process stands
/// in one of this lab's data directories.
const WATCH: &str = r#"
while read -r _; do :; done
for record in "$1"/[0-9]*; do
  pid=${record##*/}
  case $(readlink "/proc/$pid/cwd" 2>/dev/null) in
    "$2"/*) kill -QUIT "$pid"; kill -CONT "$pid" ;;
  esac
done
"#;

/// The running watchdog. It ends with this value.
#[derive(Debug)]
pub(in crate::lab::postgres) struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    /// Starts it, with the servers' account. `None` where that is not possible: it is a help, not a need.
    pub(in crate::lab::postgres) fn start(processes: &Processes, records: &Path, servers: &Path) -> Option<Watchdog> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let mut command = processes.command("/bin/sh").into_std();
        command.args(["-c", WATCH, "howdah-watchdog"]).arg(records).arg(servers).stdin(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let pipe = child.stdin.take();
        Some(Watchdog { child, pipe })
    }
}

impl Drop for Watchdog {
    /// After the servers: it finds nothing to do.
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.child.wait();
    }
}
