//! What runs on this machine: numbers, parents and start times, so that a number is never mistaken for a process.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// One process of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// When it started, in a form that only has to be compared. Two processes of one number never share it.
    pub started: String,
    /// Ended, and not yet asked about by its parent.
    pub zombie: bool,
    /// The program's short name.
    pub program: String,
}

/// Everything that runs, or nothing where the system can't be asked.
pub fn all() -> Vec<Seen> {
    if cfg!(target_os = "linux") { from_proc() } else { from_ps(&[]) }
}

/// One process, if there is one of that number.
pub fn one(pid: u32) -> Option<Seen> {
    if cfg!(target_os = "linux") {
        read_proc(pid, &boot_id())
    } else {
        from_ps(&["-p", &pid.to_string()]).into_iter().next()
    }
}

/// Whether the process of that number and start still lives (a zombie doesn't).
pub fn lives(pid: u32, started: &str) -> bool {
    one(pid).is_some_and(|seen| !seen.zombie && seen.started == started)
}

/// `pid` and everything below it.
pub fn family(pid: u32) -> Vec<Seen> {
    let everyone = all();
    let mut numbers = BTreeSet::from([pid]);
    loop {
        let before = numbers.len();
        numbers.extend(everyone.iter().filter(|p| numbers.contains(&p.parent)).map(|p| p.pid).collect::<Vec<_>>());
        if numbers.len() == before {
            break;
        }
    }
    everyone.into_iter().filter(|p| numbers.contains(&p.pid) && !p.zombie).collect()
}

/// PostgreSQL processes whose working directory is at or below `folder`: a postmaster and its children stand in their
/// data directory, even when their parent is gone. Only Linux tells.
pub fn servers_in(folder: &Path) -> Vec<Seen> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    all()
        .into_iter()
        .filter(|p| !p.zombie && p.program.starts_with("postgres"))
        .filter(|p| working_directory(p.pid).is_some_and(|cwd| cwd.starts_with(folder)))
        .collect()
}

/// Sends a signal if the process is still the one that was seen.
pub fn signal(seen: &Seen, signal: Signal) {
    if lives(seen.pid, &seen.started) {
        let _ = kill(Pid::from_raw(seen.pid as i32), signal);
    }
}

/// Kills a whole family at once: all are stopped first, so that none can start another in between.
pub fn kill_family(pid: u32) {
    let mut stopped: Vec<Seen> = Vec::new();
    // A child may have been born while the others were being stopped; three rounds are more than it takes.
    for _ in 0..3 {
        let members = family(pid);
        if members.len() == stopped.len() {
            break;
        }
        members.iter().for_each(|member| signal(member, Signal::SIGSTOP));
        stopped = members;
    }
    stopped.iter().for_each(|member| signal(member, Signal::SIGKILL));
}

fn working_directory(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().chars().take(8).collect()
}

fn from_proc() -> Vec<Seen> {
    let boot = boot_id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter_map(|pid| read_proc(pid, &boot)).collect()
}

fn read_proc(pid: u32, boot: &str) -> Option<Seen> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, boot)
}

/// `proc(5)`: `pid (comm) state ppid … starttime(22) …`; comm may hold blanks and brackets.
fn parse_stat(stat: &str, boot: &str) -> Option<Seen> {
    let (pid, rest) = stat.split_once(" (")?;
    let (program, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Seen {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        started: format!("{boot}-{}", fields.get(19)?),
        zombie: matches!(*fields.first()?, "Z" | "X"),
        program: program.to_owned(),
    })
}

fn from_ps(which: &[&str]) -> Vec<Seen> {
    let mut command = Command::new("ps");
    command.env("LC_ALL", "C").args(["-A", "-o", "pid=,ppid=,stat=,lstart=,ucomm="]);
    if !which.is_empty() {
        command = Command::new("ps");
        command.env("LC_ALL", "C").args(["-o", "pid=,ppid=,stat=,lstart=,ucomm="]).args(which);
    }
    let Ok(output) = command.output() else { return Vec::new() };
    String::from_utf8_lossy(&output.stdout).lines().filter_map(parse_ps).collect()
}

/// `  501   1 Ss   Sat Nov 21 00:14:21 2026 postgres`
fn parse_ps(line: &str) -> Option<Seen> {
    let mut words = line.split_whitespace();
    let pid = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let state = words.next()?;
    let started = words.by_ref().take(5).collect::<Vec<_>>().join(" ");
    Some(Seen { pid, parent, started, zombie: state.starts_with('Z'), program: words.collect::<Vec<_>>().join(" ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_with_brackets_in_the_name() {
        let line = "4242 (odd) name) S 17 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3";
        let seen = parse_stat(line, "boot").unwrap();
        assert_eq!((seen.pid, seen.parent, &*seen.program, &*seen.started), (4242, 17, "odd) name", "boot-987654"));
        assert!(parse_stat("4242 (x) S", "boot").is_none());
    }

    #[test]
    fn a_line_of_ps() {
        let seen = parse_ps("  501     1 Zs   Sat Nov 21 00:14:21 2026 postgres").unwrap();
        assert_eq!((seen.pid, seen.parent, seen.zombie, &*seen.program), (501, 1, true, "postgres"));
        assert_eq!(seen.started, "Sat Nov 21 00:14:21 2026");
    }

    #[test]
    fn this_process_lives_and_a_stranger_of_its_number_does_not() {
        let me = one(std::process::id()).unwrap();
        assert!(lives(me.pid, &me.started));
        assert!(!lives(me.pid, "another time"));
        assert!(family(me.parent).iter().any(|p| p.pid == me.pid));
    }
}
