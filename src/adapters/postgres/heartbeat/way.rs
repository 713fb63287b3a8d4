//! How the present primary and the standbys are found and reached, anew after each failure.
//!
//! Found by what the watches show (the `-rw` endpoints, the operator's word, the pods' labels), and believed only when the
//! server itself says that it takes writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::adapters::inbox::Outbox;
use crate::adapters::kubernetes::client::Clients;
use crate::adapters::kubernetes::gather::Pictures;
use crate::adapters::postgres::line::{self, Line, Session};
use crate::adapters::postgres::login::{self, Login};
use crate::adapters::postgres::sampler::Logins;
use crate::adapters::postgres::wire::Refusal;
use crate::domain::cluster::{Cluster, Instance, Pod, Role, ServicePurpose, Target};
use crate::domain::names::InstanceName;
use crate::domain::sample::SilenceKind;
use crate::procedure::heartbeat::Heartbeat;

/// What is known and held of the context.
#[derive(Clone)]
pub struct Around {
    /// Its client.
    pub clients: Clients,
    /// Its clusters.
    pub pictures: watch::Receiver<Pictures>,
    /// How to log in.
    pub logins: Arc<Logins>,
    /// Where the pulse is told.
    pub outbox: Outbox,
}

/// Which instances are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rooms {
    /// The one that takes writes.
    Primary,
    /// Those that `-ro` leads to.
    Standbys,
}

/// Why nobody was reached.
#[derive(Debug)]
pub enum Lost {
    /// Our own way to the cluster is cut.
    Blind(String),
    /// The cluster did not let us in.
    No(String),
}

/// A connection, and what it is called: `app through a port-forward`.
pub struct Open {
    /// The connection.
    pub line: Line,
    /// In words.
    pub via: String,
}

/// The way to a cluster.
pub struct Way {
    /// The context.
    pub around: Around,
    heart: Heartbeat,
    access: Mutex<Access>,
}

/// The login that works, and how many of those that may work were refused.
#[derive(Default)]
struct Access {
    known: Option<Arc<(Login, Vec<u8>)>>,
    refused: usize,
}

enum Door {
    Dsn(String),
    Pod(Arc<Pod>),
}

/// How long one attempt may take.
pub fn patience(heart: &Heartbeat) -> Duration {
    Duration::try_from(heart.patience).unwrap_or_default().max(Duration::from_millis(100))
}

impl Way {
    /// The way to the cluster of a heartbeat.
    pub fn new(around: Around, heart: &Heartbeat) -> Self {
        Way { around, heart: heart.clone(), access: Mutex::default() }
    }

    fn picture(&self) -> Option<Arc<Cluster>> {
        self.around.pictures.borrow().get(&self.heart.cluster).cloned()
    }

    /// Opens a connection to one of them: `turn` says which where there are several. Bounded by the heartbeat's patience, and
    /// given up when another one comes to the front.
    pub async fn open(&self, rooms: Rooms, turn: usize, options: &str) -> Result<Open, Lost> {
        let Some(cluster) = self.picture() else { return Err(Lost::Blind("the cluster is not known yet".into())) };
        let names = in_order(&cluster, rooms);
        let front = names.first().cloned();
        let mut doors = self.doors(&cluster, &names);
        if doors.is_empty() {
            return Err(Lost::No(nobody(rooms).into()));
        }
        let door = doors.swap_remove(turn % doors.len());
        let knock = self.knock(&cluster, door, rooms, options);
        let knocked = tokio::select! {
            knocked = timeout(patience(&self.heart), knock) => knocked,
            () = self.another_in_front(rooms, front) => return Err(Lost::No("another instance came to the front".into())),
        };
        let why = match knocked {
            Ok(Ok(open)) => return Ok(open),
            Ok(Err(refusal)) if !silent(&refusal) => return Err(Lost::No(refusal.silence.why)),
            Ok(Err(refusal)) => refusal.silence.why,
            Err(_) => format!("no answer within {:#}", self.heart.patience),
        };
        // Nothing was heard: is it them, or us?
        Err(if self.around.clients.answers().await { Lost::No(why) } else { Lost::Blind(why) })
    }

    async fn knock(&self, cluster: &Cluster, door: Door, rooms: Rooms, options: &str) -> Result<Open, Refusal> {
        let session = Session { name: "howdah drill", options };
        let open = match door {
            Door::Dsn(text) => Open { line: line::by_dsn(&text, session).await?, via: "a connection string".into() },
            Door::Pod(pod) => {
                let client = self.around.clients.get().await.client;
                let access = self.access(&client, cluster).await?;
                let opened = line::through_tunnel(&client, cluster, &pod, (&access.0, &access.1), session).await;
                let line = opened.inspect_err(|refusal| self.maybe_another_login(refusal))?;
                Open { line, via: format!("{} through a port-forward", access.0.user) }
            }
        };
        if rooms == Rooms::Primary {
            let asked = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool";
            let row = open.line.client.query_one(asked, &[]).await.map_err(|e| super::super::wire::refusal(&e))?;
            if row.try_get(0).unwrap_or(true) {
                return Err(Refusal::silent(SilenceKind::NotServing, "it takes no writes"));
            }
        }
        Ok(open)
    }

    /// The login, read once: a way that is down for a while must not depend on reading secrets again.
    async fn access(&self, client: &kube::Client, cluster: &Cluster) -> Result<Arc<(Login, Vec<u8>)>, Refusal> {
        let skip = {
            let access = self.held();
            if let Some(known) = &access.known {
                return Ok(known.clone());
            }
            access.refused
        };
        let secrets = secrets(cluster, &self.around.logins);
        let mut why = Vec::new();
        for i in 0..secrets.len() {
            let secret = &secrets[(skip + i) % secrets.len()];
            let namespace = &cluster.key.namespace;
            match tokio::try_join!(login::login(client, namespace, secret), login::authority(client, cluster)) {
                Ok((mut login, authority)) => {
                    login.database.clone_from(&self.heart.database);
                    let known = Arc::new((login, authority));
                    self.held().known = Some(known.clone());
                    return Ok(known);
                }
                Err(e) => why.push(e),
            }
        }
        // Whether it is a missing right or a server that is away: it is asked of the server.
        Err(Refusal::silent(SilenceKind::Unreachable, why.join("; ")))
    }

    /// A server that refuses a login is asked with another one, or with the same secret read anew.
    fn maybe_another_login(&self, refusal: &Refusal) {
        if refusal.try_another && refusal.silence.kind == SilenceKind::Forbidden {
            let mut access = self.held();
            access.known = None;
            access.refused += 1;
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doors(&self, cluster: &Cluster, names: &[InstanceName]) -> Vec<Door> {
        let own = cluster.key.to_string();
        let full = format!("{}:{own}", cluster.key.context);
        let strings = || self.around.logins.dsn.iter().filter(|d| d.cluster == own || d.cluster == full);
        let any = strings().filter(|d| d.instance.is_none()).map(|d| Door::Dsn(d.text.clone()));
        let each = names.iter().filter_map(|name| {
            let string = strings().find(|d| d.instance.as_ref() == Some(name));
            string.map(|d| Door::Dsn(d.text.clone())).or_else(|| {
                let pod = cluster.instance(name)?.pod.clone()?;
                (pod.phase == "Running").then_some(Door::Pod(pod))
            })
        });
        any.chain(each).collect()
    }

    async fn another_in_front(&self, rooms: Rooms, front: Option<InstanceName>) {
        let mut pictures = self.around.pictures.clone();
        loop {
            if pictures.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if rooms == Rooms::Primary && self.picture().is_some_and(|c| in_order(&c, rooms).first() != front.as_ref())
            {
                return;
            }
        }
    }

    /// Does a statement on the present primary, tried for a while. Where it fails: whether it may have been done all the
    /// same, and why.
    pub async fn statement(&self, text: &str, time: Duration) -> Result<(), (bool, String)> {
        let end = Instant::now() + time;
        let (mut turn, mut maybe) = (0, false);
        loop {
            let why = match self.open(Rooms::Primary, turn, "-c lock_timeout=5000").await {
                Ok(open) => match timeout(Duration::from_secs(10), open.line.client.batch_execute(text)).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(e)) => {
                        maybe |= e.as_db_error().is_none();
                        let refusal = super::super::wire::refusal(&e);
                        self.maybe_another_login(&refusal);
                        refusal.silence.why
                    }
                    Err(_) => {
                        maybe = true;
                        "no answer within 10 s".into()
                    }
                },
                Err(Lost::Blind(why) | Lost::No(why)) => why,
            };
            if Instant::now() >= end {
                return Err((maybe, why));
            }
            turn += 1;
            sleep(Duration::from_millis(250)).await;
        }
    }
}

/// Nothing was heard of the server itself.
fn silent(refusal: &Refusal) -> bool {
    matches!(refusal.silence.kind, SilenceKind::Unreachable | SilenceKind::TimedOut)
}

fn nobody(rooms: Rooms) -> &'static str {
    match rooms {
        Rooms::Primary => "no instance runs",
        Rooms::Standbys => "no standby runs",
    }
}

/// The application's own login first, then the configured one, then the superuser's.
fn secrets(cluster: &Cluster, logins: &Logins) -> Vec<String> {
    let mut names = login::secrets(cluster, &logins.secrets);
    let app = cluster.secrets.get("app").cloned().unwrap_or_else(|| format!("{}-app", cluster.key.name));
    names.sort_by_key(|name| *name != app);
    names
}

/// The instances of which one takes writes, the likeliest first.
pub fn front(cluster: &Cluster) -> Vec<InstanceName> {
    in_order(cluster, Rooms::Primary)
}

/// Instances, the likeliest first.
fn in_order(cluster: &Cluster, rooms: Rooms) -> Vec<InstanceName> {
    let purpose = if rooms == Rooms::Primary { ServicePurpose::ReadWrite } else { ServicePurpose::ReadOnly };
    let services = cluster.services.iter().filter(|s| s.purpose == purpose);
    let mut names: Vec<_> = services.flat_map(|s| s.leads_to.iter().flatten()).cloned().collect();
    let leads = |i: &Instance| i.role == Some(Role::Primary) || cluster.primary.as_ref() == Some(&i.name);
    match rooms {
        Rooms::Primary => {
            names.extend(cluster.primary.clone());
            names.extend(cluster.instances.iter().filter(|i| leads(i)).map(|i| i.name.clone()));
            if let Some(Target::Instance(target)) = &cluster.target {
                names.push(target.clone());
            }
            names.extend(cluster.instances.iter().map(|i| i.name.clone()));
        }
        Rooms::Standbys => {
            names.extend(cluster.instances.iter().filter(|i| !leads(i)).map(|i| i.name.clone()));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| cluster.instance(name).is_some() && seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::{Operator, Service};
    use crate::domain::names::ClusterKey;

    #[test]
    fn the_likeliest_first_and_everyone_once() {
        let mut cluster = Cluster::named(ClusterKey::new("c", "pg", "demo"), Operator::Cnpg);
        let instance = |name: &str, role| Instance { name: name.into(), role: Some(role), pod: None, zone: None };
        cluster.instances = vec![
            instance("demo-1", Role::Unhealthy),
            instance("demo-2", Role::Primary),
            instance("demo-3", Role::Replica),
        ];
        cluster.primary = Some("demo-1".into());
        assert_eq!(in_order(&cluster, Rooms::Primary), ["demo-1", "demo-2", "demo-3"]);
        assert_eq!(in_order(&cluster, Rooms::Standbys), ["demo-3"]);
        cluster.services.push(Service {
            name: "demo-rw".into(),
            purpose: ServicePurpose::ReadWrite,
            kind: "ClusterIP".into(),
            external: Vec::new(),
            ports: vec![5432],
            leads_to: Some(vec!["demo-2".into()]),
        });
        assert_eq!(in_order(&cluster, Rooms::Primary), ["demo-2", "demo-1", "demo-3"]);
    }
}
