//! A lab of the real binary, and the tools to look at it with: kubectl and psql, never howdah.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The binary under test.
pub const HOWDAH: &str = env!("CARGO_BIN_EXE_howdah");

/// How long the lab may take for anything. Generous: it bounds a failure, it times nothing.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// `howdah lab serve`, running. Ended with SIGTERM when dropped, and by itself when this process is gone.
pub struct Lab {
    pub dir: PathBuf,
    child: Child,
    /// Held open: the lab ends with it.
    _input: ChildStdin,
}

impl Lab {
    /// Starts a lab and waits until it says `ready`. `None`, with the reason on stderr, where the machine has no
    /// PostgreSQL server binaries.
    pub fn start(extra: &[&str]) -> Option<Lab> {
        Lab::start_with(extra, |_| {})
    }

    /// As [`Lab::start`], and calls `early` with the kubeconfig as soon as the API answers, before the cluster is there.
    pub fn start_with(extra: &[&str], early: impl FnMut(&Path)) -> Option<Lab> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Made by the lab itself, with the rights it needs: PostgreSQL runs under another account where we are root.
        let dir = PathBuf::from(format!("/tmp/howdah-test-{}-{number}", std::process::id()));
        let mut command = Command::new(HOWDAH);
        command.args(["lab", "serve", "--until-input-ends", "--dir"]).arg(&dir).args(extra);
        Lab::serve(command, &dir, early)
    }

    /// As [`Lab::start_with`], by a command of one's own that serves it in `dir`.
    pub fn serve(mut command: Command, dir: &Path, mut early: impl FnMut(&Path)) -> Option<Lab> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let errors = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            BufReader::new(errors).lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
        });
        let ready = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).any(|line| {
            if let Some(kubeconfig) = line.strip_prefix("kubeconfig ") {
                early(Path::new(kubeconfig));
            }
            line == "ready"
        });
        if !ready {
            let _ = child.wait();
            let errors = errors.join().unwrap();
            if errors.contains("no PostgreSQL server") {
                eprintln!("skipped: {errors}");
                return None;
            }
            panic!("the lab did not get ready:\n{errors}");
        }
        let input = child.stdin.take().unwrap();
        Some(Lab { dir: dir.to_path_buf(), child, _input: input })
    }

    /// The kubeconfig it wrote.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// Runs howdah on it.
    pub fn howdah(&self, args: &[&str]) -> Output {
        Command::new(HOWDAH).arg("--kubeconfig").arg(self.kubeconfig()).args(args).output().unwrap()
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let _ = self.child.wait();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
    }

    /// Kills it: it can't clear away anything.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        let _ = self.child.wait();
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// The process that serves it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// kubectl on a kubeconfig; `None`, with the reason on stderr, where there is none of 1.27 or newer.
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// The kubectl of `$KUBECTL` or the PATH.
    pub fn find(kubeconfig: &Path) -> Option<Kubectl> {
        let program = std::env::var_os("KUBECTL").map_or_else(|| "kubectl".into(), PathBuf::from);
        let version = Command::new(&program).args(["version", "--client", "-o", "json"]).output().ok();
        let minor = version.and_then(|out| {
            let v: serde_json::Value = serde_json::from_slice(&out.stdout).ok()?;
            v["clientVersion"]["minor"].as_str()?.trim_end_matches('+').parse::<u32>().ok()
        });
        match minor {
            Some(minor) if minor >= 27 => Some(Kubectl { program, kubeconfig: kubeconfig.into() }),
            found => {
                eprintln!("skipped: no kubectl of version 1.27 or newer (minor found: {found:?})");
                None
            }
        }
    }

    /// It, ready to be run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(args);
        command
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it, wants success, gives what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}
