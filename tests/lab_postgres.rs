//! The lab's PostgreSQL for real: servers, links, archive. Everything is looked at with `psql` and the system's own
//! eyes, never with the lab's.

#[expect(dead_code, reason = "the same for tests that hold up a thread")]
#[path = "support/until.rs"]
mod until;

mod postgres {
    mod remains;
    pub mod world;
}

use std::{fs, process::Command, time::Duration};

use howdah::lab::postgres::{
    Load, LoadCount, Place, Policy, Scope, Server, ServerSpec, Start, Stop, backup, slots, status,
};
use postgres::world::{APP_PASSWORD, SOON, World, psql, psql_in, streaming, until, world};

/// Skips, with the reason, where this machine has no server programs.
macro_rules! world_or_skip {
    () => {
        match world().await {
            Some(world) => world,
            None => return,
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_and_the_way_back() {
    let world = world_or_skip!();
    let began = std::time::Instant::now();
    world.create(3).await;
    streaming(&world.servers[0], "pg-2,pg-3").await;
    println!("three servers, both standbys streaming, after {:?}", began.elapsed());
    let (one, two, three) = (&world.servers[0], &world.servers[1], &world.servers[2]);

    assert_eq!(psql(one, "show data_checksums").await, "on");
    let owner = "select rolname from pg_database d join pg_roles r on r.oid = datdba where datname = 'app'";
    assert_eq!(psql(one, owner).await, "app");
    let encrypted = "select count(*) from pg_stat_ssl s join pg_stat_replication r using (pid) where ssl";
    assert_eq!(psql(one, encrypted).await, "2");
    psql(one, "create table t (n int); insert into t select generate_series(1, 1000)").await;
    until("both have the rows", || async {
        psql(two, "select count(*) from t").await == "1000" && psql(three, "select count(*) from t").await == "1000"
    })
    .await;

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
    streaming(two, "pg-1,pg-3").await;
    until("pg-1 has the new row", || async { psql(one, "select count(*) from t").await == "1001" }).await;
    // A server that was killed can be made anew, and leaves no shared memory behind.
    let segment = fs::read_to_string(three.data().join("postmaster.pid")).unwrap();
    let segment = segment.lines().nth(6).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    three.kill_all().unwrap();
    assert!(three.ended(SOON).await);
    three.clone_primary(world.upstream(2)).await.unwrap();
    assert!(!shared_memory().contains(&segment), "segment {segment} is left");
    three.start(&Start::Standby { upstream: world.upstream(2) }).await.unwrap();
    streaming(two, "pg-1,pg-3").await;
    for server in &world.servers {
        server.stop(Stop::Fast, SOON).await.unwrap();
        assert_eq!(server.control_data().await.unwrap().system_id, identifier);
    }
}

/// The numbers of all System V segments, where the system lists them.
fn shared_memory() -> Vec<String> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_are_cut_swallowed_and_mended() {
    let world = world_or_skip!();
    world.create(2).await;
    let primary = &world.servers[0];
    streaming(primary, "pg-2").await;
    let network = &world.machine.network;

    network.set(Scope::Link("pg-1".into(), "pg-2".into()), Policy::Cut);
    streaming(primary, "").await;
    network.set(Scope::Link("pg-1".into(), "pg-2".into()), Policy::Pass);
    streaming(primary, "pg-2").await;

    // Nobody is told: only the sender's own time-out (5 s) finds out.
    network.set(Scope::Zone("zone-2".into()), Policy::Blackhole);
    psql(primary, "create table t (n int)").await;
    streaming(primary, "").await;
    assert_eq!(psql(&world.servers[1], "select to_regclass('t') is null").await, "t", "nothing came through");
    network.clear();
    streaming(primary, "pg-2").await;
    until("the table arrives", || async {
        psql(&world.servers[1], "select to_regclass('t') is not null").await == "t"
    })
    .await;

    network.set(Scope::Place("pg-2".into()), Policy::Slow { delay: Duration::from_millis(200), bytes_per_second: 0 });
    psql(primary, "insert into t select generate_series(1, 100)").await;
    until("a lag that can be measured", || async {
        psql(primary, "select flush_lag > '150 ms' from pg_stat_replication").await == "t"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_standby_falls_behind_and_catches_up() {
    let world = world_or_skip!();
    world.create(2).await;
    let (primary, standby) = (&world.servers[0], &world.servers[1]);
    streaming(primary, "pg-2").await;
    standby.freeze().unwrap();
    psql(primary, "create table t as select generate_series(1, 20000) n").await;
    let behind = "select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > 500000 from pg_replication_slots";
    until("its slot falls behind", || async { psql(primary, behind).await == "t" }).await;
    standby.thaw().unwrap();
    until("it catches up", || async { psql(standby, "select count(*) from t").await == "20000" }).await;
    // A server that is frozen can be ended too.
    standby.freeze().unwrap();
    standby.stop(Stop::Fast, Duration::from_millis(300)).await.unwrap();
    assert_eq!(standby.pid(), None);
    standby.start(&Start::Standby { upstream: world.upstream(1) }).await.unwrap();
    standby.ready(SOON).await.unwrap();
    streaming(primary, "pg-2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_and_a_backup_that_can_be_restored() {
    let world = world_or_skip!();
    world.create(2).await;
    let (primary, standby) = (&world.servers[0], &world.servers[1]);
    let store = primary.spec().store.clone().unwrap();
    psql(primary, "create table t (n int); insert into t select generate_series(1, 100)").await;
    let segment = psql(primary, "select pg_walfile_name(pg_current_wal_lsn()) from pg_switch_wal()").await;
    let archived = store.wal_path(&segment);
    until("the segment is archived", || async { archived.exists() }).await;
    assert_eq!(fs::metadata(&archived).unwrap().len(), 16 << 20);
    assert_eq!(archived.parent().unwrap().file_name().unwrap().to_str().unwrap(), &segment[..16]);

    // At once: both are whole, each in a folder of its own.
    let both =
        tokio::join!(backup::base_backup(primary, &store, "primary"), backup::base_backup(standby, &store, "standby"),);
    for (server, expected, info) in [(primary, "primary", both.0.unwrap()), (standby, "standby", both.1.unwrap())] {
        let folder = store.backup_folder(&info.id);
        let text = fs::read_to_string(folder.join("backup.info")).unwrap();
        let line = |key: &str| {
            text.lines()
                .find_map(|l| l.strip_prefix(&format!("{key}=")))
                .unwrap_or_else(|| panic!("no {key}"))
                .to_owned()
        };
        assert!(line("backup_label").contains(&format!("BACKUP FROM: {expected}")), "{text}");
        assert_eq!(line("status"), "DONE");
        assert_eq!(line("systemid"), psql(server, "select system_identifier from pg_control_system()").await);
        assert_eq!(line("size"), fs::metadata(folder.join("data.tar")).unwrap().len().to_string());
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        psql(primary, "insert into t values (0); select pg_switch_wal()").await;
        let end = store.wal_path(&info.end_wal.to_string());
        until("its last segment is archived", || async { end.exists() }).await;
        assert_eq!(restored(&world, &folder).await, "t", "the rows are there");
    }

    // The store goes: archiving fails and says so, and works again when it is back.
    let (here, gone) = (world.machine.store_dir(), world.machine.store_dir().with_extension("gone"));
    fs::rename(&here, &gone).unwrap();
    psql(primary, "insert into t values (1); select pg_switch_wal()").await;
    until("a failure is counted", || async {
        psql(primary, "select failed_count > 0 from pg_stat_archiver").await == "t"
    })
    .await;
    let failed = psql(primary, "select last_failed_wal from pg_stat_archiver").await;
    assert!(backup::base_backup(primary, &store, "without a store").await.is_err());
    fs::rename(&gone, &here).unwrap();
    until("archived after all", || async { store.wal_path(&failed).exists() }).await;
}

/// Starts a server from a backup and the archive alone; `t` where it has the rows.
async fn restored(world: &World, folder: &std::path::Path) -> String {
    let first = world.servers[0].spec();
    let spec = ServerSpec {
        instance: "pg-restored".into(),
        volume: format!("restored-{}", folder.file_name().unwrap().to_str().unwrap()),
        place: Place::outside("restored"),
        store: None,
        ..first.clone()
    };
    let command = first.store.as_ref().unwrap().restore_command(&world.machine);
    let server = Server::new(&world.machine, spec).unwrap();
    world.machine.account.make_folder(server.data()).unwrap();
    let untar =
        Command::new("tar").arg("xf").arg(folder.join("data.tar")).arg("-C").arg(server.data()).status().unwrap();
    assert!(untar.success());
    fs::write(server.data().join("recovery.signal"), "").unwrap();
    server.reload(vec![("restore_command".into(), command), ("archive_mode".into(), "off".into())]).unwrap();
    server.start(&Start::Primary).await.unwrap();
    until("it is recovered", || async { psql(&server, "select pg_is_in_recovery()").await == "f" }).await;
    let rows = psql(&server, "select count(*) >= 100 from t").await;
    server.stop(Stop::Immediate, SOON).await.unwrap();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_row_survives_a_failover() {
    let world = world_or_skip!();
    world.create(3).await;
    let (one, two, three) = (&world.servers[0], &world.servers[1], &world.servers[2]);
    let quorum = |others: &str| vec![("synchronous_standby_names".to_owned(), format!("ANY 1 ({others})"))];
    one.reload(quorum("\"pg-2\",\"pg-3\"")).unwrap();
    until("two quorum standbys", || async {
        psql(one, "select count(*) from pg_stat_replication where sync_state = 'quorum'").await == "2"
    })
    .await;

    let rw = world.machine.network.relay("pg-rw", Place::outside("clients")).await.unwrap();
    rw.lead_to(vec![one.target()]);
    let load = Load::start(200, rw.address(), APP_PASSWORD, &world.certificates).unwrap();
    let written = |more: u64| {
        let mut count = load.count.clone();
        async move {
            let from = count.borrow().acknowledged;
            let enough = |now: &LoadCount| now.acknowledged >= from + more;
            tokio::time::timeout(SOON, count.wait_for(enough)).await.expect("rows in time").unwrap();
        }
    };
    written(100).await;
    one.kill().unwrap();
    assert!(one.ended(SOON).await);
    rw.lead_to(Vec::new());
    let at =
        |server| async move { psql(server, "select pg_last_wal_receive_lsn() - '0/0'").await.parse::<u64>().unwrap() };
    let (best, other, index) = if at(two).await >= at(three).await { (two, "pg-3", 1) } else { (three, "pg-2", 2) };
    best.reload(quorum(&format!("\"{other}\",\"pg-1\""))).unwrap();
    best.promote(SOON).await.unwrap();
    slots::keep(best, &world.names(), SOON).await.unwrap();
    world.lead(index);
    rw.lead_to(vec![best.target()]);
    written(50).await;
    let counted = *load.count.borrow();
    drop(load);
    println!("{counted:?}");
    let there: u64 = psql_in("app", best, "select count(*) from howdah_load").await.parse().unwrap();
    assert!(there >= counted.acknowledged, "{there} rows of {counted:?}");
    assert!(there <= counted.acknowledged + counted.failed + 1, "{there} rows of {counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_agree_with_psql() {
    let world = world_or_skip!();
    world.create(2).await;
    let (primary, standby) = (&world.servers[0], &world.servers[1]);
    streaming(primary, "pg-2").await;
    slots::follow(standby, &slots::list(primary, SOON).await.unwrap(), SOON).await.unwrap();
    // A segment may end between two readings: ours lies between two of psql's. Names of one timeline are in their order.
    let segment = || psql(primary, "select pg_walfile_name(pg_current_wal_lsn())");
    let before = segment().await;
    let now = status::read(primary, "pg", SOON).await.unwrap();
    let after = segment().await;
    assert!(now.is_primary && !now.wal_receiver_active);
    assert_eq!(now.system_id, psql(primary, "select system_identifier from pg_control_system()").await);
    let current = now.current_wal.clone().unwrap();
    assert!(before <= current && current <= after, "{before} {current} {after}");
    assert_eq!(now.replication.len(), 1);
    assert_eq!((&*now.replication[0].application_name, &*now.replication[0].sync_state), ("pg-2", "async"));
    assert_eq!(now.slots.len(), 1);
    assert!(now.slots[0].active && now.slots[0].name == "_cnpg_pg_2", "{:?}", now.slots);

    let then = status::read(standby, "pg", SOON).await.unwrap();
    assert!(!then.is_primary && then.wal_receiver_active && then.current_lsn.is_none());
    assert_eq!((then.timeline, then.received_timeline), (1, Some(1)));
    assert!(then.received_lsn >= now.current_lsn.min(then.received_lsn) && then.replay_lsn.is_some());

    // A parameter that waits for a restart, down and up.
    primary.reload(vec![("max_connections".into(), "50".into())]).unwrap();
    until("it waits for a restart", || async {
        let now = status::read(primary, "pg", SOON).await.unwrap();
        now.pending_restart && now.pending_restart_for_decrease
    })
    .await;
    // A frozen server is unknown within the time that was given, not later.
    primary.freeze().unwrap();
    let asked = std::time::Instant::now();
    assert!(status::read(primary, "pg", Duration::from_millis(300)).await.is_err());
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    primary.thaw().unwrap();
    primary.ready(SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_log_carry_their_fields() {
    let world = world_or_skip!();
    world.create(1).await;
    let (before, mut stream) = world.servers[0].logs();
    assert!(before.iter().any(|r| r.message.contains("ready to accept connections") && r.backend_type == "postmaster"));
    psql(&world.servers[0], "select * from not_there").await;
    let record = tokio::time::timeout(SOON, async {
        loop {
            let record = stream.recv().await.unwrap();
            if record.error_severity == "ERROR" {
                return record;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!((&*record.sql_state_code, &*record.user_name, &*record.application_name), ("42P01", "postgres", "psql"));
    assert_eq!(record.query, "select * from not_there");
}
