//! Commands in an instance's container: run on this machine, as the lab's unprivileged account, in the environment of that
//! instance. The paths that a CNPG pod has are translated, both ways where it is cheap.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::lab::api::ApiError;
use crate::lab::api::runtime::{ExecExit, ExecRequest, ExecSession};
use crate::lab::instance::Instance;
use crate::lab::postgres::{Process, Relay};

/// The data directory of every CNPG pod.
const PGDATA: &str = "/var/lib/postgresql/data/pgdata";
/// The socket directory of every CNPG pod.
const SOCKETS: &str = "/controller/run";

/// Starts a command.
///
/// # Errors
/// 400 without a command, 500 when it can't be started.
pub async fn start(instance: &Arc<Instance>, request: &ExecRequest) -> Result<ExecSession, ApiError> {
    let server = instance.server();
    let environment = server.environment();
    let value = |key: &str| environment.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default();
    let paths = [(PGDATA.to_owned(), value("PGDATA")), (SOCKETS.to_owned(), value("PGHOST"))];
    let mut words = request.command.iter().map(|word| translate(word, &paths));
    let program = words.next().ok_or_else(|| ApiError::bad_request("you must specify at least one command"))?;
    let title = Path::new(&program).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(file) = find(&program, &value("PATH")) else { return Ok(refused(&program)) };
    let processes = &server.machine().processes;
    let mut command = processes.command(file);
    command.args(words).envs(environment.iter().cloned());
    if server.data().is_dir() {
        command.current_dir(server.data());
    }
    command.stdin(if request.stdin { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let what = format!("{title} in {}", instance.name());
    let mut process = processes.spawn(&what, command).map_err(|p| ApiError::new(500, "InternalError", p.line()))?;
    let stdin = process.stdin.take().map(|s| Box::new(s) as Box<dyn AsyncWrite + Send + Unpin>);
    // The other way: what the command prints about its place is told in the pod's words.
    let back: Vec<(String, String)> = paths.iter().map(|(pod, host)| (host.clone(), pod.clone())).collect();
    let stdout = process.stdout.take().map(|s| told(s, back.clone()));
    let stderr = process.stderr.take().map(|s| told(s, back));
    Ok(ExecSession { stdin, stdout, stderr, resize: None, exit: wait(process).boxed() })
}

/// Replaces the first paths by the second.
fn translate(word: &str, paths: &[(String, String)]) -> String {
    let usable = paths.iter().filter(|(from, _)| !from.is_empty());
    usable.fold(word.to_owned(), |word, (from, to)| word.replace(from.as_str(), to))
}

/// Where a program is: at its path, or by its name in the instance's PATH and this machine's usual places.
fn find(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|p| p.is_file());
    }
    let all = format!("{path}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    std::env::split_paths(&all).map(|dir| dir.join(program)).find(|p| p.is_file())
}

/// The session of a command that is not in the container.
fn refused(program: &str) -> ExecSession {
    let why = format!(
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{program}\": executable file \
         not found in $PATH"
    );
    ExecSession { stdin: None, stdout: None, stderr: None, resize: None, exit: async { ExecExit::Failed(why) }.boxed() }
}

/// Reads all that a pipe gives, with paths told in the pod's words, line by line.
fn told<R>(pipe: R, paths: Vec<(String, String)>) -> Box<dyn AsyncRead + Send + Unpin>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let (mut pipe, mut out) = (pipe, ours);
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let Ok(n @ 1..) = pipe.read(&mut chunk).await else { return };
            let text = match std::str::from_utf8(&chunk[..n]) {
                Ok(text) => translate(text, &paths).into_bytes(),
                Err(_) => chunk[..n].to_vec(),
            };
            if tokio::io::AsyncWriteExt::write_all(&mut out, &text).await.is_err() {
                return;
            }
        }
    });
    Box::new(theirs)
}

/// Ends the command's process group when the session is dropped.
struct Guard(Process);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.ended.borrow().is_none()
            && let Ok(pid) = i32::try_from(self.0.pid)
        {
            // It may just have ended: then there is nobody to signal.
            let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

async fn wait(process: Process) -> ExecExit {
    use std::os::unix::process::ExitStatusExt as _;
    let mut guard = Guard(process);
    match guard.0.ended.wait_for(Option::is_some).await.map(|status| *status) {
        Ok(Some(status)) => ExecExit::Code(status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(1)),
        _ => ExecExit::Failed("the command was lost".to_owned()),
    }
}

/// A connection that keeps the relay it goes through.
pub struct Kept<S> {
    stream: S,
    _road: Arc<Relay>,
}

impl<S> Kept<S> {
    /// Keeps `road` as long as `stream` lives.
    pub fn new(stream: S, road: Arc<Relay>) -> Self {
        Kept { stream, _road: road }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Kept<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Kept<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_pod() {
        let paths = [(PGDATA.to_owned(), "/tmp/lab/pg/pg-primary-1/data".to_owned())];
        assert_eq!(
            translate("/var/lib/postgresql/data/pgdata/PG_VERSION", &paths),
            "/tmp/lab/pg/pg-primary-1/data/PG_VERSION"
        );
        assert_eq!(translate("-sLh", &paths), "-sLh");
    }

    #[test]
    fn an_empty_path_replaces_nothing() {
        assert_eq!(translate("abc", &[(String::new(), "x".to_owned())]), "abc");
    }
}
