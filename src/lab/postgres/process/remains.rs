//! What a lab leaves when it is killed, and how that is found and ended.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::census::{self, Seen};

/// How long servers may take to end by themselves (SIGQUIT: they remove their shared memory), before they are killed.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// Writes a process down: `<records>/<pid>` holds its start time and what it is.
pub(super) fn note(records: &Path, pid: u32, what: &str) {
    if let Some(seen) = census::one(pid) {
        let _ = fs::write(records.join(pid.to_string()), format!("{}\n{what}\n", seen.started));
    }
}

/// Strikes it out.
pub(super) fn forget(records: &Path, pid: u32) {
    let _ = fs::remove_file(records.join(pid.to_string()));
}

/// Ends every process that is written down in `records` and still is the one that was meant, with all its children.
pub(super) fn end(records: &Path) {
    let mine: Vec<Seen> = recorded(records);
    let mut families: Vec<Seen> = mine.iter().flat_map(|seen| census::family(seen.pid)).collect();
    for seen in &families {
        // A stopped process takes no signal but this one.
        census::signal(seen, Signal::SIGCONT);
    }
    for seen in &mine {
        let server = seen.program.starts_with("postgres");
        census::signal(seen, if server { Signal::SIGQUIT } else { Signal::SIGTERM });
    }
    if !gone(&families, PATIENCE) {
        // What was started since is a child of one that is still there.
        mine.iter().for_each(|seen| census::kill_family(seen.pid));
        families.iter().for_each(|seen| census::signal(seen, Signal::SIGKILL));
    }
    families.retain(|seen| census::lives(seen.pid, &seen.started));
    gone(&families, GONE);
    for seen in mine {
        forget(records, seen.pid);
    }
}

/// Ends what a killed lab left: what it wrote down, and servers that stand in its folder `servers`.
pub fn clear(records: &Path, servers: &Path) {
    end(records);
    let left = census::servers_in(servers);
    left.iter().for_each(|seen| census::signal(seen, Signal::SIGKILL));
    gone(&left, GONE);
    data_directories(servers).for_each(|data| free_shared_memory(&data));
}

fn recorded(records: &Path) -> Vec<Seen> {
    let files = fs::read_dir(records).into_iter().flatten().flatten();
    files
        .filter_map(|file| {
            let pid: u32 = file.file_name().to_str()?.parse().ok()?;
            let started = fs::read_to_string(file.path()).ok()?;
            census::one(pid).filter(|seen| !seen.zombie && Some(seen.started.as_str()) == started.lines().next())
        })
        .collect()
}

/// Waits, bounded, until none of them lives.
fn gone(who: &[Seen], within: Duration) -> bool {
    let until = Instant::now() + within;
    loop {
        if who.iter().all(|seen| !census::lives(seen.pid, &seen.started)) {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A postmaster that was killed leaves a System V segment of a few bytes, its interlock, named in `postmaster.pid`
/// (line 7: key and id). Its next start takes that over; where there will be none, the system's own tool takes it away,
/// which it only does for its owner and for root.
pub fn free_shared_memory(data: &Path) {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return };
    if let Some(id) = segment_of(&text) {
        let _ = Command::new("ipcrm")
            .args(["-m", &id.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

fn segment_of(postmaster_pid: &str) -> Option<u32> {
    postmaster_pid.lines().nth(6)?.split_whitespace().nth(1)?.parse().ok()
}

fn data_directories(servers: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(servers).into_iter().flatten().flatten().map(|home| home.path().join("data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;

    #[test]
    fn the_segment_in_a_pid_file() {
        let text = "4242\n/tmp/l/pg/a/data\n1763683461\n45001\n/tmp/l/s\n127.0.0.1\n 12345678    65538\nready   \n";
        assert_eq!(segment_of(text), Some(65538));
        assert_eq!(segment_of("4242\n/tmp\n"), None);
    }

    #[test]
    fn ends_what_is_written_down_and_never_a_stranger_of_that_number() {
        let records = tempfile::tempdir().unwrap();
        let mut mine = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let mut stranger = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        note(records.path(), mine.id(), "mine");
        fs::write(records.path().join(stranger.id().to_string()), "another time\nold\n").unwrap();
        let child = mine.id();
        // Reaped by a thread, as a dead lab's children are by the system.
        let reaper = std::thread::spawn(move || mine.wait());
        end(records.path());
        assert!(census::one(child).is_none_or(|seen| seen.zombie));
        assert!(reaper.join().unwrap().is_ok());
        assert!(stranger.try_wait().unwrap().is_none(), "a stranger was killed");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
