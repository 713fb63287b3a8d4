//! A program run inside a pod, to its end.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::trouble::{Trouble, TroubleKind};

/// The most that is read of what a program says.
const MOST: u64 = 4 * 1024 * 1024;

/// What a program said and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// It ended well.
    pub well: bool,
}

/// Runs `command` in a container, without input.
///
/// # Errors
/// The API server or the kubelet refuses, or the connection breaks.
pub async fn run(
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    container: &str,
    command: &[&str],
) -> Result<Said, Trouble> {
    run_with(client, namespace, pod, container, command, None).await
}

/// Runs `command` in a container, and has it read `input`. The program must know by itself where its input ends: not every
/// API server can tell it.
///
/// # Errors
/// The API server or the kubelet refuses, or the connection breaks.
pub async fn run_with(
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    container: &str,
    command: &[&str],
    input: Option<&str>,
) -> Result<Said, Trouble> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let how = AttachParams::default().container(container).stdin(input.is_some()).stdout(true).stderr(true);
    let mut process = pods.exec(pod, command.iter().copied(), &how).await?;
    // Held until the program has ended: dropped, it would end the input, and with it some servers the connection.
    let mut stdin = process.stdin();
    let (out, err, status) = (process.stdout(), process.stderr(), process.take_status());
    let read = async |from: Option<_>| {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            tokio::io::AsyncReadExt::take(from, MOST).read_to_end(&mut bytes).await?;
        }
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let broke = |e: std::io::Error| Trouble::new(TroubleKind::Unreachable, e.to_string());
    let write = async {
        if let (Some(stdin), Some(input)) = (&mut stdin, input) {
            // A program that has ended early reads no more; its end is told otherwise.
            let _ = stdin.write_all(input.as_bytes()).await;
            let _ = stdin.flush().await;
        }
        Ok(())
    };
    let (out, err, ()) = tokio::try_join!(read(out), read(err), write).map_err(broke)?;
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    let well = status.as_ref().is_some_and(|s| s.status.as_deref() == Some("Success"));
    let err = if err.trim().is_empty() && !well { status.and_then(|s| s.message).unwrap_or_default() } else { err };
    Ok(Said { out, err, well })
}
