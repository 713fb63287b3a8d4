//! `psql` on an instance: a port on this machine that leads to it, and the login in the program's environment.

use std::net::Ipv4Addr;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::client::Clients;
use super::tunnel;
use crate::adapters::live::Child;
use crate::adapters::postgres::login;
use crate::adapters::postgres::sampler::Logins;
use crate::domain::cluster::Cluster;
use crate::domain::names::InstanceName;
use crate::problem::Problem;

/// Prepares `psql`.
///
/// # Errors
/// `psql` is not installed, there is no login, or no port can be opened here.
pub async fn prepare(
    clients: &Clients,
    cluster: &Cluster,
    instance: &InstanceName,
    logins: &Logins,
    read_only: bool,
) -> Result<Child, Problem> {
    let what = format!("can't open psql on {instance}");
    if !on_path("psql") {
        return Err(Problem::new(what)
            .because("there is no psql on PATH")
            .try_this("apt install postgresql-client, dnf install postgresql, or brew install libpq"));
    }
    let pod = cluster.instance(instance).and_then(|i| i.pod.as_ref());
    let pod = pod.ok_or_else(|| Problem::new(&what).because("it has no pod"))?.name.clone();
    let client = clients.get().await.client;
    let mut why = Vec::new();
    let mut found = None;
    for secret in login::secrets(cluster, &logins.secrets) {
        match login::login(&client, &cluster.key.namespace, &secret).await {
            Ok(login) => {
                found = Some(login);
                break;
            }
            Err(e) => why.push(e),
        }
    }
    let login = found.ok_or_else(|| {
        Problem::new(&what)
            .because(why.join("; "))
            .try_this("name a secret with username and password in the settings, or ask for the right to read secrets")
    })?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|e| Problem::new(&what).because(e))?;
    let port = listener.local_addr().map_err(|e| Problem::new(&what).because(e))?.port();
    let tunnel = tokio::spawn(serve(listener, clients.clone(), cluster.key.namespace.to_string(), pod));
    let mode = if read_only { ", read-only" } else { "" };
    let mut env = vec![
        ("PGHOST".into(), Ipv4Addr::LOCALHOST.to_string()),
        ("PGPORT".into(), port.to_string()),
        ("PGUSER".into(), login.user.clone()),
        ("PGPASSWORD".into(), login.password),
        ("PGDATABASE".into(), login.database),
        // The tunnel is encrypted and ends inside the pod; the certificate names the cluster's services, not this port.
        ("PGSSLMODE".into(), "prefer".into()),
        ("PGAPPNAME".into(), "howdah psql".into()),
        ("PGCONNECT_TIMEOUT".into(), "10".into()),
    ];
    if read_only {
        env.push(("PGOPTIONS".into(), "-c default_transaction_read_only=on".into()));
    }
    Ok(Child {
        program: "psql".into(),
        args: Vec::new(),
        env,
        title: format!("psql on {instance} as {}{mode}", login.user),
        tunnel: Some(tunnel),
    })
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Carries every connection to the pod, until dropped.
async fn serve(listener: TcpListener, clients: Clients, namespace: String, pod: String) {
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    carried.spawn(carry(socket, clients.clone(), namespace.clone(), pod.clone()));
                }
                // No descriptors left, most likely: a moment later there may be.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            },
            Some(_) = carried.join_next() => {}
        }
    }
}

async fn carry(mut socket: TcpStream, clients: Clients, namespace: String, pod: String) {
    let client = clients.get().await.client;
    match tunnel::open(&client, &namespace, &pod, tunnel::POSTGRES).await {
        Ok((_tunnel, _words, mut stream)) => {
            // Both ends say themselves what went wrong, in psql.
            let _ = tokio::io::copy_bidirectional(&mut socket, &mut stream).await;
        }
        Err(trouble) => tracing::warn!(pod, why = trouble.why, "the tunnel for psql could not be opened"),
    }
}
