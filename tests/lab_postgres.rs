//! The lab's PostgreSQL for real: servers, links, archive, what is left behind. Everything is looked at with `psql` and
//! the system's own eyes, never with the lab's.

mod postgres {
    pub mod world;
}

use std::time::Duration;

use howdah::lab::postgres::{Start, Stop, slots};
use postgres::world::{World, psql, until, world};

const SOON: Duration = Duration::from_secs(20);

/// Skips, with the reason, where this machine has no server programs.
macro_rules! world_or_skip {
    () => {
        match world().await {
            Some(world) => world,
            None => return,
        }
    };
}

async fn streaming(world: &World, primary: usize, names: &str) {
    until("streaming", || async {
        psql(
            &world.servers[primary],
            "select string_agg(application_name, ',' order by application_name) from pg_stat_replication where state = 'streaming'",
        )
        .await
            == names
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_and_the_way_back() {
    let world = world_or_skip!();
    let began = std::time::Instant::now();
    world.create(3).await;
    println!("three servers after {:?}", began.elapsed());
    streaming(&world, 0, "pg-2,pg-3").await;
    println!("both streaming after {:?}", began.elapsed());
    let (one, two, three) = (&world.servers[0], &world.servers[1], &world.servers[2]);

    assert_eq!(psql(one, "show data_checksums").await, "on");
    assert_eq!(psql(one, "select datname || ' ' || rolname from pg_database d join pg_roles r on r.oid = datdba where datname = 'app'").await, "app app");
    assert_eq!(
        psql(one, "select count(*) from pg_stat_ssl s join pg_stat_replication r using (pid) where ssl").await,
        "2"
    );
    psql(one, "create table t (n int); insert into t select generate_series(1, 1000)").await;

    let pid = two.pid();
    let identifier = psql(one, "select system_identifier from pg_control_system()").await;
    one.kill_all().unwrap();
    assert!(one.ended(SOON).await);
    two.promote(SOON).await.unwrap();
    assert_eq!(psql(two, "select pg_is_in_recovery(), timeline_id from pg_control_checkpoint()").await, "f|2");
    assert_eq!(psql(two, "select count(*) from t").await, "1000");
    assert_eq!(two.pid(), pid, "the promoted server kept its process");
    assert_eq!(psql(two, "select system_identifier from pg_control_system()").await, identifier);

    slots::keep(two, &world.names(), SOON).await.unwrap();
    world.lead(1);
    until("pg-3 follows on timeline 2", || async {
        psql(three, "select received_tli from pg_stat_wal_receiver where status = 'streaming'").await == "2"
    })
    .await;

    psql(two, "insert into t values (1001)").await;
    one.rewind(world.upstream(0)).await.unwrap();
    one.start(&Start::Standby { upstream: world.upstream(0) }).await.unwrap();
    one.ready(SOON).await.unwrap();
    streaming(&world, 1, "pg-1,pg-3").await;
    until("pg-1 has the new row", || async { psql(one, "select count(*) from t").await == "1001" }).await;
    for server in &world.servers {
        server.stop(Stop::Fast, SOON).await.unwrap();
        assert_eq!(server.control_data().await.unwrap().system_id, identifier);
    }
}
