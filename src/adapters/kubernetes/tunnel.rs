//! A byte stream to a port of a pod, through the API server.

use futures::future::BoxFuture;
use futures::{Future, FutureExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Portforwarder};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::time::timeout;

use super::trouble::{Trouble, TroubleKind};

/// PostgreSQL's port in every pod of CNPG and PGO.
pub const POSTGRES: u16 = 5432;
/// How long the API server may take to open a tunnel.
const OPEN: Duration = Duration::from_secs(3);
/// How long the far end's own words are waited for when a connection fails: they say more than "connection closed".
const WORDS: Duration = Duration::from_millis(150);

/// A tunnel. Dropped, it closes.
pub struct Tunnel(Portforwarder);

/// What the far end may say about a failure.
pub struct Words(Option<BoxFuture<'static, Option<String>>>);

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a tunnel to a port of a pod. Nothing has been sent yet: whether something listens there is seen later.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn open(
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<(Tunnel, Words, DuplexStream), Trouble> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut forwarder = match timeout(OPEN, pods.portforward(pod, &[port])).await {
        Ok(opened) => opened?,
        Err(_) => return Err(Trouble::timed_out(OPEN.as_secs_f64())),
    };
    let said = forwarder.take_error(port).map(FutureExt::boxed);
    match forwarder.take_stream(port) {
        Some(stream) => Ok((Tunnel(forwarder), Words(said), stream)),
        None => Err(Trouble::new(TroubleKind::Other, "the tunnel has no stream")),
    }
}

impl Words {
    /// What it said, where it says so soon.
    pub async fn heard(self) -> Option<String> {
        within(self.0?).await
    }
}

async fn within(said: impl Future<Output = Option<String>>) -> Option<String> {
    let text = timeout(WORDS, said).await.ok()??;
    // "error forwarding port 5432 to pod …: failed to connect to localhost:5432 inside namespace …: connect: connection
    // refused …": the part after the last "connect: " is what went wrong.
    let short = text.split("connect: ").nth(1).map_or(text.as_str(), |t| t.split(" IPv6").next().unwrap_or(t));
    Some(short.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kubelets_words_are_cut_to_the_point() {
        let real = "error forwarding port 5999 to pod 8a07, uid : failed to execute portforward in network namespace \
                    \"/var/run/netns/cni-2\": failed to connect to localhost:5999 inside namespace \"8a07\", IPv4: dial tcp4 \
                    127.0.0.1:5999: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found ";
        assert_eq!(within(async { Some(real.to_owned()) }).await.as_deref(), Some("connection refused"));
        assert_eq!(within(async { Some("lost".to_owned()) }).await.as_deref(), Some("lost"));
        assert_eq!(within(std::future::pending()).await, None);
    }
}
