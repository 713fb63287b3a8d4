//! The lab's PostgreSQL processes, as the operating system shows them.

use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The postmaster of an instance, by the file that PostgreSQL keeps in its data directory.
pub fn postmaster(dir: &Path, instance: &str) -> i32 {
    let mut found = Vec::new();
    walk(dir, &mut found);
    let of = |file: &&PathBuf| file.iter().any(|part| part == instance || part.to_string_lossy().contains(instance));
    let text =
        std::fs::read_to_string(found.iter().find(of).unwrap_or_else(|| panic!("no postmaster.pid of {instance}")))
            .unwrap();
    text.lines().next().unwrap().trim().parse().unwrap()
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            // A data directory's tables are of no interest here.
            Ok(kind) if kind.is_dir() && path.file_name().is_some_and(|n| n != "base" && n != "pg_wal") => {
                walk(&path, into)
            }
            Ok(kind) if kind.is_file() && path.file_name().is_some_and(|n| n == "postmaster.pid") => into.push(path),
            _ => {}
        }
    }
}

/// The children of a process whose command line holds `word`.
pub fn children(pid: i32, word: &str) -> Vec<i32> {
    let listed = Command::new("pgrep").args(["-a", "-P", &pid.to_string()]).output().unwrap();
    let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
    lines.lines().filter(|l| l.contains(word)).filter_map(|l| l.split(' ').next()?.parse().ok()).collect()
}

/// Signals them. A process that went meanwhile needs none.
pub fn signal(pids: &[i32], signal: Signal) {
    assert!(!pids.is_empty(), "no server processes were found");
    for pid in pids {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), signal);
    }
}
