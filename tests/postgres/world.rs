//! Servers and relays for a test, and eyes that are not the lab's.

use std::{net::SocketAddr, process::Command, sync::Arc, time::Duration};

use howdah::lab::{
    dir::LabDir,
    postgres::{
        Binaries, Certificates, Machine, MachineOptions, Passwords, Place, Relay, Server, ServerSpec, Start, Store,
        slots,
    },
};

use crate::until::eventually;

pub const SOON: Duration = Duration::from_secs(20);
pub const APP_PASSWORD: &str = "an app's secret";

pub struct World {
    pub machine: Arc<Machine>,
    pub certificates: Certificates,
    pub servers: Vec<Arc<Server>>,
    /// Each server's way to its primary.
    pub links: Vec<Relay>,
}

pub async fn world() -> Option<World> {
    if let Err(problem) = Binaries::find() {
        println!("skipped: {problem}");
        return None;
    }
    let machine = Machine::new(Arc::new(LabDir::open(None).unwrap()), MachineOptions::default()).unwrap();
    let certificates = Certificates::generate("pg", "default").unwrap();
    let (mut servers, mut links) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        let instance = format!("pg-{number}");
        let place = Place::new(&instance, &format!("zone-{number}"));
        links.push(machine.network.relay(&instance, place.clone()).await.unwrap());
        let spec = ServerSpec {
            volume: instance.clone(),
            instance,
            place,
            certificates: certificates.clone(),
            store: Some(Store { root: machine.store_dir(), server: "pg".into() }),
            parameters: Vec::new(),
        };
        servers.push(Server::new(&machine, spec).unwrap());
    }
    Some(World { machine, certificates, servers, links })
}

impl World {
    /// A primary and standbys, `count` servers in all.
    pub async fn create(&self, count: usize) {
        let passwords = Passwords { superuser: None, app: APP_PASSWORD.into() };
        let primary = &self.servers[0];
        primary.initdb(&passwords).await.unwrap();
        primary.start(&Start::Primary).await.unwrap();
        primary.ready(Duration::from_secs(20)).await.unwrap();
        slots::keep(primary, &self.names()[..count], Duration::from_secs(5)).await.unwrap();
        self.lead(0);
        let joins = (1..count).map(|n| async move {
            self.servers[n].clone_primary(self.upstream(n)).await.unwrap();
            self.servers[n].start(&Start::Standby { upstream: self.upstream(n) }).await.unwrap();
            self.servers[n].ready(Duration::from_secs(20)).await.unwrap();
        });
        futures::future::join_all(joins).await;
    }

    /// All links lead to that server.
    pub fn lead(&self, primary: usize) {
        self.links.iter().for_each(|link| link.lead_to(vec![self.servers[primary].target()]));
    }

    pub fn upstream(&self, server: usize) -> SocketAddr {
        self.links[server].address()
    }

    pub fn names(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.spec().instance.clone()).collect()
    }
}

/// What psql prints, or its error. Through the server's socket.
pub async fn psql(server: &Server, statement: &str) -> String {
    psql_in("postgres", server, statement).await
}

/// As [`psql`], in that database.
pub async fn psql_in(database: &str, server: &Server, statement: &str) -> String {
    let database = database.to_owned();
    let environment = server.environment();
    let program = server.machine().binaries.program("psql");
    let statement = statement.to_owned();
    tokio::task::spawn_blocking(move || {
        let output = Command::new(program)
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", &statement])
            .envs(environment)
            .env("PGDATABASE", database)
            .env("PGCONNECT_TIMEOUT", "5")
            .output()
            .unwrap();
        let text = if output.status.success() { output.stdout } else { output.stderr };
        String::from_utf8_lossy(&text).trim().to_owned()
    })
    .await
    .unwrap()
}

/// Waits for a condition, at most half a minute.
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually(what, Duration::from_secs(30), condition, String::new).await;
}

/// Waits until exactly these standbys stream from it, in the order of their names.
pub async fn streaming(primary: &Server, names: &str) {
    let statement = "select coalesce(string_agg(application_name, ',' order by application_name), '') \
                     from pg_stat_replication where state = 'streaming'";
    until(&format!("streaming: {names:?}"), || async { psql(primary, statement).await == names }).await;
}
