//! Every fault of the lab: done, seen by kubectl and psql, told by the verdict, undone.
//!
//! One lab, one fault after the other. What is expected of each stands in `tests/lab_faults/`.

mod support;

#[path = "lab_faults/stage.rs"]
mod stage;

use stage::Stage;

#[test]
fn each_fault_is_real_told_and_undone() {
    let Some(stage) = Stage::open(&["--load", "20"]) else { return };
    stage.the_kind_is_one_of_the_api();
    stage.a_bad_wish_is_refused_by_field();

    let standby = stage.standby();
    let lag =
        "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint from pg_stat_replication";
    stage.fault(
        "slow-standby",
        &[],
        |s| s.psql(&s.primary(), lag).parse::<u64>().is_ok_and(|bytes| bytes > 64 << 20),
        &["standby-lagging"],
        |s| s.streaming() == 2 && s.psql(&s.primary(), lag).parse::<u64>().is_ok_and(|bytes| bytes < 1 << 20),
    );
    let open =
        "select count(*) from pg_stat_activity where application_name = 'howdah-fault' and state like 'idle in%'";
    stage.fault(
        "long-transaction",
        &[],
        |s| s.psql(&s.primary(), open) == "1",
        &["long-transaction"],
        |s| s.psql(&s.primary(), open) == "0",
    );
    let guests = "select count(*) from pg_stat_activity where application_name = 'howdah-fault' and usename = 'app'";
    stage.fault(
        "connections-exhausted",
        &[],
        |s| s.psql(&s.primary(), guests).parse::<u64>().is_ok_and(|n| n > 380) && !s.application_connects(),
        &["connections-near-limit"],
        |s| s.psql(&s.primary(), guests) == "0" && s.application_connects(),
    );
    stage.fault(
        "link-cut",
        &[&format!("instance={standby}")],
        |s| s.streaming() == 1 && !s.answers(&standby),
        &["instance-not-answering", "standby-not-streaming"],
        |s| s.streaming() == 2 && s.answers(&standby),
    );
    stage.fault(
        "wal-volume-nearly-full",
        &["percent=93"],
        |s| (92..=95).contains(&s.wal_volume(&s.primary())),
        &["disk-filling"],
        |s| s.wal_volume(&s.primary()) < 60,
    );
    stage.fault(
        "freeze-standby",
        &[],
        |s| s.is_stopped(&standby),
        &["instance-not-answering", "standby-not-streaming", "cant-be-asked"],
        |s| !s.is_stopped(&standby) && s.streaming() == 2,
    );
    stage.fault(
        "replay-paused",
        &[],
        |s| s.psql(&standby, "select pg_is_wal_replay_paused()") == "t",
        &["replay-paused"],
        |s| s.psql(&standby, "select pg_is_wal_replay_paused()") == "f",
    );
    let slots = "select count(*) from pg_replication_slots where slot_name = 'howdah_left_behind' and not active";
    let primary = stage.primary();
    stage.fault(
        "slot-left-behind",
        &[],
        |s| s.psql(&primary, slots) == "1",
        &["slot-inactive"],
        |s| s.psql(&primary, slots) == "0",
    );
    stage.fault(
        "archive-failing",
        &["retrySeconds=1"],
        |s| s.condition("ContinuousArchiving") == "False" && s.ready_wal_files() > 0,
        &["archive-failing"],
        |s| s.condition("ContinuousArchiving") == "True" && s.ready_wal_files() == 0,
    );
    stage.an_outage_of_the_api_ends_by_itself();
    let (primary, before) = (stage.primary(), stage.restarts());
    stage.fault(
        "kill-primary",
        &[],
        |s| s.restarts() > before || !s.is_ready(&primary),
        &["primary-not-answering", "primary-not-ready", "writes-lead-nowhere"],
        // Whether the operator sees it soon enough to fail over is a matter of moments.
        |s| s.restarts() > before && s.is_ready(&primary) && s.streaming() == 2,
    );
    a_zone_goes(&stage, "zone-loss");
    stage.close();
}

/// Each part of it holds by itself; but once a standby did not stream again within two minutes after the zone was back.
/// Until it is known why, this is asked for by name: `cargo test --test lab_faults -- --ignored`.
#[test]
#[ignore = "a standby was once seen not to stream again after the zone was back"]
fn a_zone_is_cut_off_and_comes_back() {
    let Some(stage) = Stage::open(&["--load", "20"]) else { return };
    a_zone_goes(&stage, "zone-cut");
    stage.close();
}

fn a_zone_goes(stage: &Stage, kind: &str) {
    let (old, timeline) = (stage.primary(), stage.timeline());
    stage.fault(
        kind,
        &[],
        // Kubernetes hears no more of its node, another leads, and nobody gets into it.
        |s| s.node_ready(&old) == "Unknown" && s.primary() != old && s.psql(&old, "select 1").is_empty(),
        &["node-not-ready"],
        |s| s.node_ready(&old) == "True" && s.streaming() == 2 && s.timeline() == timeline + 1,
    );
    assert_eq!(stage.psql(&old, "select pg_is_in_recovery()"), "t", "it has rejoined");
}
