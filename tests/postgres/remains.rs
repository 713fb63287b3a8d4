//! What is left of a lab: nothing, however it ended.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use howdah::{
    lab::{dir::LabDir, postgres::Machine},
    problem::Exit,
};

use super::world::{SOON, psql, until, world};

/// Says to [`helper`] what to do.
const ROLE: &str = "HOWDAH_TEST_LAB_HELPER";

/// `pid user-id` of everything whose working directory is at or below `folder`, by the system's own account.
fn processes_in(folder: &Path) -> Vec<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let Ok(cwd) = fs::read_link(entry.path().join("cwd")) else { continue };
        // The link of a folder that is gone ends in " (deleted)".
        if cwd.starts_with(folder) || cwd.to_string_lossy().starts_with(&*folder.to_string_lossy()) {
            found.push((pid, fs::metadata(entry.path()).map_or(0, |meta| meta.uid())));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_a_lab_ends() {
    let Some(world) = world().await else { return };
    world.create(2).await;
    let root = world.machine.dir().path().to_path_buf();
    let running = processes_in(&root);
    assert!(running.len() >= 8 || cfg!(not(target_os = "linux")), "{running:?}");
    assert!(running.iter().all(|(_, uid)| *uid != 0), "PostgreSQL runs as root: {running:?}");
    // One that can't even take a signal.
    world.servers[1].freeze().unwrap();
    let sockets = world.machine.sockets().to_path_buf();
    drop(world);
    assert_eq!(processes_in(&root), []);
    assert!(!root.exists() && !sockets.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_labs_side_by_side() {
    let (Some(one), Some(two)) = (world().await, world().await) else { return };
    tokio::join!(one.create(2), two.create(2));
    psql(&one.servers[0], "create table only_here (n int)").await;
    assert_eq!(psql(&two.servers[0], "select to_regclass('only_here') is null").await, "t");
    let [a, b] = [&one, &two].map(|world| world.servers[0].sql());
    let identifier = "select system_identifier from pg_control_system()";
    assert_ne!(a.value("postgres", identifier, SOON).await, b.value("postgres", identifier, SOON).await);
    drop(one);
    assert_eq!(psql(&two.servers[1], "select pg_is_in_recovery()").await, "t", "the other lab lives on");

    let taken = LabDir::open(Some(two.machine.dir().path())).unwrap_err();
    assert_eq!((taken.exit, &*taken.because.unwrap()), (Exit::Refused, "two labs never share a folder"));
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    assert_eq!(LabDir::open(Some(folder.path())).unwrap_err().exit, Exit::Usage);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    // What someone puts into a lab's folder stays when the lab goes.
    let inside = folder.path().join("lab");
    fs::create_dir(&inside).unwrap();
    let lab = LabDir::open(Some(&inside)).unwrap();
    fs::write(lab.join("kubeconfig"), "the lab's").unwrap();
    fs::write(inside.join("notes.txt"), "a trainee's").unwrap();
    drop(lab);
    let left: Vec<_> = fs::read_dir(&inside).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
}

/// Not a test of its own: the process that is killed below, and the one that comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn helper() {
    match std::env::var(ROLE).as_deref() {
        Ok("serve") => {
            let Some(world) = world().await else { return };
            world.create(2).await;
            println!("lab {}", world.machine.dir().path().display());
            std::future::pending::<()>().await;
        }
        Ok("next") => {
            let dir = LabDir::open(None).unwrap();
            Machine::new(Arc::new(dir), Default::default()).unwrap();
        }
        _ => {}
    }
}

/// Runs this very test program as [`helper`], with an index of labs of its own.
fn helper_process(role: &str, index: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres::remains::helper", "--nocapture"])
        .env(ROLE, role)
        .env("XDG_RUNTIME_DIR", index)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_labs_servers_end_at_once_and_the_next_lab_removes_the_files() {
    let index = tempfile::tempdir().unwrap();
    let Some((mut victim, root)) = victim(index.path()) else { return };
    victim.kill().unwrap();
    victim.wait().unwrap();
    if cfg!(target_os = "linux") {
        until("the watchdog has ended them", || async { processes_in(&root).is_empty() }).await;
    }
    assert!(root.exists());
    next_lab_clears(index.path(), &root).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_lab_ends_what_no_watchdog_could() {
    let index = tempfile::tempdir().unwrap();
    let Some((mut victim, root)) = victim(index.path()) else { return };
    kill_watchdog(&root);
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(processes_in(&root).len() >= 8 || cfg!(not(target_os = "linux")), "nobody ends them but the next lab");
    // A lab on the same folder needs no index to find them.
    let same = tokio::task::spawn_blocking({
        let root = root.clone();
        move || LabDir::open(Some(&root)).unwrap()
    });
    let same = same.await.unwrap();
    assert_eq!(processes_in(&root), []);
    let left: Vec<_> = fs::read_dir(&root).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".howdah-lab"]);
    drop(same);
    assert!(!root.exists());
    // The index of the killed one still names the folder.
    next_lab_clears(index.path(), &root).await;
}

/// By its number, which is found by its arguments: it is the one that names that lab.
fn kill_watchdog(root: &Path) {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments);
        if arguments.contains("howdah-watchdog") && arguments.contains(&*root.to_string_lossy()) {
            let pid = entry.file_name().to_string_lossy().parse().unwrap();
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    }
}

/// A lab in another process, to be killed; and its folder.
fn victim(index: &Path) -> Option<(Child, PathBuf)> {
    if howdah::lab::postgres::Binaries::find().is_err() {
        println!("skipped: no PostgreSQL on this machine");
        return None;
    }
    let mut victim = helper_process("serve", index);
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let root = lines.find_map(|line| line.unwrap().split_once("lab ").map(|(_, path)| PathBuf::from(path))).unwrap();
    let running = processes_in(&root);
    assert!(running.len() >= 8 || cfg!(not(target_os = "linux")), "{running:?}");
    Some((victim, root))
}

async fn next_lab_clears(index: &Path, root: &Path) {
    let mut next = helper_process("next", index);
    let status = tokio::task::spawn_blocking(move || next.wait().unwrap()).await.unwrap();
    assert!(status.success());
    assert_eq!(processes_in(root), []);
    assert!(!root.exists());
    assert_eq!(fs::read_dir(index).unwrap().count(), 0, "the index went with the last lab");
}
