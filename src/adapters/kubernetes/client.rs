//! A client for one context, made anew when its credentials are refused.
//!
//! Credential plugins (kubelogin, aws, gke) run without a terminal: no standard input, standard error captured, so that
//! they never write over the screen; what they say becomes a [`Problem`].

use http::{Request, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use kube::config::{ExecInteractiveMode, KubeConfigOptions};
use kube::{Client, Config};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, timeout};

use super::kubeconfig::{self, IN_CLUSTER, Target};
use super::trouble::{Trouble, TroubleKind};
use crate::problem::Problem;

/// How long a TCP and TLS connection to an API server may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer to "are you there?" may take, and how long it is good for.
const CHECK: Duration = Duration::from_millis(1500);
const MOMENT: Duration = Duration::from_millis(500);
/// How long a credential plugin may take: kubelogin may wait for a device code that nobody enters.
const PLUGIN: Duration = Duration::from_secs(60);

/// A client, the namespace its context is set to, and how often it has been made anew.
#[derive(Clone)]
pub struct Connected {
    /// The client.
    pub client: Client,
    /// The context's own namespace.
    pub namespace: Arc<str>,
    /// Counts up with each new client.
    pub generation: u64,
}

/// The client of one context, shared by all its sources.
#[derive(Clone)]
pub struct Clients {
    now: watch::Receiver<Option<Connected>>,
    refused: Arc<Notify>,
    checked: Arc<Mutex<Option<(Instant, bool)>>>,
}

/// The end that makes the clients.
pub struct Maker {
    now: watch::Sender<Option<Connected>>,
    refused: Arc<Notify>,
    generation: u64,
}

/// A place for a client that is not there yet.
pub fn clients() -> (Maker, Clients) {
    let (sender, now) = watch::channel(None);
    let refused = Arc::new(Notify::new());
    (Maker { now: sender, refused: refused.clone(), generation: 0 }, Clients { now, refused, checked: Arc::default() })
}

impl Clients {
    /// The client, as soon as there is one. Never returns when its maker is gone.
    pub async fn get(&self) -> Connected {
        let mut now = self.now.clone();
        loop {
            if let Some(connected) = now.borrow_and_update().clone() {
                return connected;
            }
            if now.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The client, where there is one now.
    pub fn now(&self) -> Option<Connected> {
        self.now.borrow().clone()
    }

    /// Does the API server itself answer? Asked when an instance did not: a way that is cut here says nothing about what
    /// is at its end. One question answers all who ask within a moment.
    pub async fn answers(&self) -> bool {
        // Held while asking, so that whoever else wants to know waits for this answer.
        let mut checked = self.checked.lock().await;
        if let Some((at, answers)) = *checked
            && at.elapsed() < MOMENT
        {
            return answers;
        }
        let client = self.get().await.client;
        let answers = match timeout(CHECK, client.request_text(get("/version"))).await {
            Ok(Ok(_)) => true,
            // Whatever it says, it says something.
            Ok(Err(e)) => matches!(e, kube::Error::Api(_)),
            Err(_) => false,
        };
        *checked = Some((Instant::now(), answers));
        answers
    }

    /// Does the API serve this group and version?
    pub async fn serves(&self, group_version: &str) -> bool {
        let client = self.get().await.client;
        let request = self::get(&format!("/apis/{group_version}"));
        matches!(timeout(CHECK, client.request_text(request)).await, Ok(Ok(_)))
    }

    /// Says that the server refused this client's credentials (401): a new one is made, once for all who say so.
    pub fn refused(&self, generation: u64) {
        if self.now().is_some_and(|c| c.generation == generation) {
            self.refused.notify_one();
        }
    }
}

impl Maker {
    /// Offers a new client to everyone.
    pub fn offer(&mut self, client: Client) {
        self.generation += 1;
        let namespace = client.default_namespace().into();
        self.now.send_replace(Some(Connected { client, namespace, generation: self.generation }));
    }

    /// Waits until someone's credentials are refused.
    pub async fn refused(&self) {
        self.refused.notified().await;
    }
}

/// A client just made, and the proxy its way leads through (host and port, no credentials).
pub struct Made {
    /// The client.
    pub client: Client,
    /// `proxy.example:3128`
    pub proxy: Option<String>,
}

/// Makes a client for `target`, reading its kubeconfig anew.
///
/// # Errors
/// The kubeconfig, the proxy or the credential plugin.
pub async fn connect(target: &Target) -> Result<Made, Problem> {
    let what = format!("can't connect to {}", target.context);
    let config = config(target).await?;
    let proxy = config.proxy_url.as_ref().and_then(|uri| {
        let port = uri.port_u16().map(|p| format!(":{p}")).unwrap_or_default();
        Some(format!("{}{port}", uri.host()?))
    });
    // Building a client may run a credential plugin and wait for it.
    let built = tokio::task::spawn_blocking(move || Client::try_from(config));
    match timeout(PLUGIN, built).await {
        Ok(Ok(Ok(client))) => Ok(Made { client, proxy }),
        Ok(Ok(Err(e))) => Err(Trouble::from(e).problem(&what)),
        Ok(Err(e)) => Err(Problem::new(what).because(e)),
        Err(_) => Err(Trouble::new(
            TroubleKind::Plugin,
            format!("the credential plugin did not end within {} s", PLUGIN.as_secs()),
        )
        .problem(&what)),
    }
}

async fn config(target: &Target) -> Result<Config, Problem> {
    let what = format!("can't use context {}", target.context);
    let mut config = if target.context == *IN_CLUSTER && target.files.is_empty() {
        Config::incluster().map_err(|e| Problem::usage(&what).because(e))?
    } else {
        let mut kubeconfig = kubeconfig::read(&target.files)?;
        for user in &mut kubeconfig.auth_infos {
            if let Some(exec) = user.auth_info.as_mut().and_then(|info| info.exec.as_mut()) {
                exec.interactive_mode = Some(ExecInteractiveMode::Never);
            }
        }
        let own_proxy = has_own_proxy(&kubeconfig, target.context.as_str());
        let options =
            KubeConfigOptions { context: Some(target.context.as_str().to_owned()), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|e| Problem::usage(&what).because(e).try_this("kubectl config view --minify"))?;
        if !own_proxy {
            config.proxy_url = proxy(&config.cluster_url);
        }
        config
    };
    config.connect_timeout = Some(CONNECT);
    // A pod that does not answer is answered with 503: to ask again is the source's decision, not the wire's.
    config.default_retry = false;
    Ok(config)
}

fn has_own_proxy(kubeconfig: &kube::config::Kubeconfig, context: &str) -> bool {
    let cluster = kubeconfig.contexts.iter().find(|c| c.name == context).and_then(|c| c.context.as_ref());
    kubeconfig
        .clusters
        .iter()
        .filter(|c| cluster.is_some_and(|named| named.cluster == c.name))
        .any(|c| c.cluster.as_ref().is_some_and(|c| c.proxy_url.as_ref().is_some_and(|p| !p.is_empty())))
}

/// The environment's proxy for this server, with `NO_PROXY` asked about the server (kube 5 asks it about the proxy), and
/// never for loopback, as Go's clients do.
fn proxy(server: &Uri) -> Option<Uri> {
    let host = server.host()?.trim_matches(['[', ']']);
    if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        return None;
    }
    Matcher::from_env().intercept(server).map(|i| i.uri().clone())
}

/// An empty GET of `path`.
pub fn get(path: &str) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    // A path that is no URI can only come of a name that the API server could not have accepted either.
    *request.uri_mut() = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::Context;

    #[test]
    fn loopback_needs_no_proxy() {
        assert_eq!(proxy(&Uri::from_static("https://127.0.0.1:6443")), None);
        assert_eq!(proxy(&Uri::from_static("https://[::1]:6443")), None);
        assert_eq!(proxy(&Uri::from_static("https://localhost:6443")), None);
    }

    fn with_plugin(dir: &std::path::Path, script: &str) -> Target {
        use std::os::unix::fs::PermissionsExt;
        let plugin = dir.join("plugin");
        std::fs::write(&plugin, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = dir.join("config");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: a\n  cluster: {{server: 'https://127.0.0.1:1'}}\n\
             users:\n- name: u\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: {}\n      args: [--secret, hunter2]\n\
             contexts:\n- name: c\n  context: {{cluster: a, user: u}}\n",
            plugin.display()
        );
        std::fs::write(&file, text).unwrap();
        Target { context: Context::from("c"), files: vec![file] }
    }

    #[tokio::test]
    async fn a_failing_plugin_is_told_without_its_arguments() {
        let dir = tempfile::tempdir().unwrap();
        let target = with_plugin(dir.path(), "echo 'AADSTS70043: the refresh token has expired' >&2; exit 1");
        let e = connect(&target).await.err().unwrap();
        let said = e.to_string();
        assert!(said.contains("AADSTS70043"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[tokio::test]
    async fn a_plugin_gets_no_terminal() {
        let dir = tempfile::tempdir().unwrap();
        // It would wait for ever if its standard input were the terminal's.
        let script = "read line; [ -z \"$line\" ] || exit 7; echo \"$KUBERNETES_EXEC_INFO\" | grep -q '\"interactive\":false' || exit 8; \
                      echo '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}'";
        let target = with_plugin(dir.path(), script);
        connect(&target).await.map(drop).unwrap();
    }

    #[tokio::test]
    async fn one_refusal_of_many_asks_for_one_new_client() {
        let (mut maker, clients) = clients();
        assert!(clients.now().is_none());
        maker.offer(Client::try_from(Config::new(Uri::from_static("http://127.0.0.1:1"))).unwrap());
        let generation = clients.get().await.generation;
        clients.refused(generation);
        clients.refused(generation);
        maker.refused().await;
        maker.offer(Client::try_from(Config::new(Uri::from_static("http://127.0.0.1:1"))).unwrap());
        clients.refused(generation);
        let again = timeout(Duration::from_millis(50), maker.refused()).await;
        assert!(again.is_err(), "an old client's refusal says nothing about the new one");
    }
}
