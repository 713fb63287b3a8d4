//! `howdah lab serve`, ended in every way there is: what it leaves is nothing, or is found and cleared by the next.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::until;
use support::world::{HOWDAH, Kubectl, Lab, PATIENCE};

/// Folders of this test program, away from the index in which other labs of this machine look for remains.
struct Place {
    root: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        // PostgreSQL runs under another account where we are root: it must get through.
        let root = PathBuf::from(format!("/tmp/howdah-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("index")).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(root.join("index"), private).unwrap();
        Place { root }
    }

    /// A command that serves a lab in this folder of the place.
    fn serve(&self, folder: &str) -> Command {
        let mut command = Command::new(HOWDAH);
        command.args(["lab", "serve", "--dir"]).arg(self.root.join(folder));
        command.env("XDG_RUNTIME_DIR", self.root.join("index"));
        command
    }

    fn lab(&self, folder: &str) -> Option<Lab> {
        Lab::serve(self.serve(folder), &self.root.join(folder), |_| {})
    }

    /// Nothing of a lab is left in that folder, nor of its processes, nor does anybody look for it.
    fn nothing_left(&self, folder: &str, remains: &Remains) {
        let folder = self.root.join(folder);
        assert_eq!(processes_in(&folder), [0; 0], "processes");
        assert!(!remains.ports_are_taken(), "ports");
        let shared: Vec<&PathBuf> = remains.shared.iter().filter(|path| path.exists()).collect();
        assert!(shared.is_empty(), "shared memory: {shared:?}");
        let listed = fs::read_dir(self.root.join("index/howdah-labs")).into_iter().flatten().flatten();
        let listed: Vec<String> = listed.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default()).collect();
        assert!(listed.iter().all(|path| Path::new(path) != folder), "{listed:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Process ids of everything that stands in `folder` or names it, by the system's own account.
fn processes_in(folder: &Path) -> Vec<u32> {
    let folder = folder.to_string_lossy().into_owned();
    let stands = |entry: &fs::DirEntry| {
        let cwd = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        cwd.to_string_lossy().starts_with(&folder) || String::from_utf8_lossy(&line).contains(&folder)
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter(stands).filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
}

/// What a running lab has of the machine.
struct Remains {
    /// Sockets, files in shared memory.
    shared: Vec<PathBuf>,
    ports: Vec<u16>,
}

impl Remains {
    fn of(lab: &Lab) -> Remains {
        let running = processes_in(&lab.dir);
        assert!(running.len() >= 15, "three servers run: {running:?}");
        let mut shared = Vec::new();
        for pid in &running {
            let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
            let path =
                |line: &str| line.split_whitespace().nth(5).filter(|p| p.starts_with("/dev/shm/")).map(PathBuf::from);
            shared.extend(maps.lines().filter_map(path));
        }
        let sockets = fs::read_dir(lab.dir.join("s")).into_iter().flatten().flatten().map(|entry| entry.path());
        shared.extend(sockets.filter(|path| path.to_string_lossy().contains(".s.PGSQL")));
        assert!(shared.len() >= 3, "each server has a socket: {shared:?}");
        let kubeconfig = fs::read_to_string(lab.kubeconfig()).unwrap();
        let kubeconfig: serde_json::Value = serde_json::from_str(&kubeconfig).unwrap();
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap();
        let ports = vec![server.rsplit(':').next().unwrap().parse().unwrap()];
        Remains { shared, ports }
    }

    fn ports_are_taken(&self) -> bool {
        self.ports.iter().any(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok())
    }
}

fn is_healthy(lab: &Lab) {
    let Some(kubectl) = Kubectl::find(&lab.kubeconfig()) else { return };
    let clusters = kubectl.ok(&["get", "clusters", "-A"]);
    assert!(clusters.contains("Cluster in healthy state"), "{clusters}");
}

/// The watchdog ends the servers of a killed lab; it can be killed too.
fn kill_watchdog(folder: &Path) {
    for pid in processes_in(folder) {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains("howdah-watchdog") {
            kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
        }
    }
}

#[test]
fn a_killed_lab_is_cleared_away_by_the_next_wherever_that_is() {
    let place = Place::new("killed");
    let Some(mut first) = place.lab("one") else { return };
    let remains = Remains::of(&first);
    kill_watchdog(&first.dir);
    let victims = processes_in(&first.dir);
    first.kill();
    assert!(processes_in(&first.dir).len() >= 12, "nobody has ended its servers");

    // In the same folder.
    let mut second = place.lab("one").unwrap();
    is_healthy(&second);
    let alive: Vec<u32> = processes_in(&second.dir).into_iter().filter(|pid| victims.contains(pid)).collect();
    assert_eq!(alive, [0; 0], "the killed lab's processes are gone");
    assert!(!remains.ports_are_taken() || Remains::of(&second).ports == remains.ports);
    let remains = Remains::of(&second);
    second.kill();

    // In another one.
    let third = place.lab("two").unwrap();
    is_healthy(&third);
    assert!(!second.dir.exists(), "the killed lab's folder");
    place.nothing_left("one", &remains);
    let remains = Remains::of(&third);
    assert!(ended_by(third, Signal::SIGINT).success());
    assert!(!place.root.join("two").exists());
    place.nothing_left("two", &remains);
}

#[test]
fn a_lab_that_is_asked_to_end_leaves_nothing_but_the_folder_it_was_given() {
    let place = Place::new("ended");
    fs::create_dir(place.root.join("given")).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(place.root.join("given"), open).unwrap();
    let Some(lab) = place.lab("given") else { return };
    let remains = Remains::of(&lab);
    assert!(ended_by(lab, Signal::SIGTERM).success());
    place.nothing_left("given", &remains);
    let left: Vec<_> = fs::read_dir(place.root.join("given")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [""; 0], "the folder was there before");

    // While it still comes up: as soon as a first process of PostgreSQL runs.
    let mut child = place.serve("early").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let folder = place.root.join("early");
    let servers = || processes_in(&folder.join("pg")).len();
    until("a process of PostgreSQL", PATIENCE, || (servers() > 0).then_some(()), String::new);
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!folder.exists());
    place.nothing_left("early", &Remains { shared: Vec::new(), ports: Vec::new() });
}

fn ended_by(mut lab: Lab, signal: Signal) -> ExitStatus {
    lab.signal(signal);
    lab.wait()
}
