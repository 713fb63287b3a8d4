//! Every fault of the lab: done, seen by kubectl and psql, told by the verdict, its runbook offered and walked to the cause,
//! undone, and the same walk finds nothing more.
//!
//! One lab, one fault after the other. What is expected of each stands here; how it is looked at, in `tests/lab_faults/`.

mod support;

#[path = "lab_faults/stage.rs"]
mod stage;
#[path = "lab_faults/walk.rs"]
mod walk;
#[path = "lab_faults/watching.rs"]
mod watching;

use stage::{Fault, Stage};
use walk::Walk;

#[test]
fn each_fault_is_real_told_and_undone() {
    let Some(stage) = Stage::open(&["--load", "20"]) else { return };
    stage.the_kind_is_one_of_the_api();
    stage.a_bad_wish_is_refused_by_field();

    slow_standby(&stage);
    long_transaction(&stage);
    connections_exhausted(&stage);
    link_cut(&stage);
    wal_volume_nearly_full(&stage);
    freeze_standby(&stage);
    replay_paused(&stage);
    slot_left_behind(&stage);
    nothing_is_archived(&stage, "archive-failing", &|s| s.ready_wal_files() > 0, &|_| true);
    assert!(stage.store_answers());
    nothing_is_archived(&stage, "bucket-unreachable", &|s| !s.store_answers(), &Stage::store_answers);
    stage.an_outage_of_the_api_ends_by_itself();
    kill_primary(&stage);
    a_zone_goes(&stage, "zone-loss");
    stage.close();
}

#[test]
fn a_zone_is_cut_off_and_comes_back() {
    let Some(stage) = Stage::open(&["--load", "20"]) else { return };
    a_zone_goes(&stage, "zone-cut");
    stage.close();
}

fn a_zone_goes(stage: &Stage, kind: &str) {
    let (old, timeline) = (stage.primary(), stage.timeline());
    let archived = stage.archived(timeline);
    stage.fault(&Fault {
        kind,
        set: &[],
        // Kubernetes hears no more of its node, another leads, nobody gets into it, and in the end its own kubelet has
        // stopped a primary that is alone.
        done: &|s| {
            s.node_ready(&old) == "Unknown"
                && s.primary() != old
                && s.psql(&old, "select 1").is_empty()
                && !s.has_postmaster(&old)
        },
        reasons: &["node-not-ready"],
        walk: Walk {
            runbook: "zone-gone",
            way: &["what", "primary", "promise", "operator", "back-soon", "node", "apart", "verify"],
            tells: &[
                ("what", "Every zone has a ready node", "no"),
                ("verify", "Every node under an instance is ready", "no"),
            ],
            shows: &[&format!("{old}: no")],
        },
        undone: &|s| s.node_ready(&old) == "True" && s.streaming() == 2 && s.timeline() == timeline + 1,
    });
    // What it wrote alone would lead a standby that restores it away from the new primary.
    assert_eq!(stage.archived(timeline), archived, "nothing of it got into the object store");
    assert_eq!(stage.psql(&old, "select pg_is_in_recovery()"), "t", "it has rejoined");
}

fn slow_standby(stage: &Stage) {
    let lag =
        "select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint from pg_stat_replication";
    stage.fault(&Fault {
        kind: "slow-standby",
        set: &[],
        done: &|s| s.psql(&s.primary(), lag).parse::<u64>().is_ok_and(|bytes| bytes > 64 << 20),
        reasons: &["standby-lagging"],
        walk: Walk {
            runbook: "standby-far-behind",
            way: &["which", "paused", "streams", "where", "way", "hopeless", "verify"],
            tells: &[
                ("which", "A standby has at least 64 MiB to replay", "yes"),
                ("where", "Most of it has not even arrived there", "yes"),
            ],
            shows: &[&stage.standby()],
        },
        undone: &|s| s.streaming() == 2 && s.psql(&s.primary(), lag).parse::<u64>().is_ok_and(|bytes| bytes < 1 << 20),
    });
}

fn long_transaction(stage: &Stage) {
    let open =
        "select count(*) from pg_stat_activity where application_name = 'howdah-fault' and state like 'idle in%'";
    stage.fault(&Fault {
        kind: "long-transaction",
        set: &[],
        done: &|s| s.psql(&s.primary(), open) == "1",
        reasons: &["long-transaction"],
        walk: Walk {
            runbook: "blocked-or-long-transactions",
            way: &["queue", "long", "limit", "verify"],
            tells: &[("long", "A session is idle in a transaction", "yes")],
            shows: &["howdah-fault"],
        },
        undone: &|s| s.psql(&s.primary(), open) == "0",
    });
}

fn connections_exhausted(stage: &Stage) {
    let guests = "select count(*) from pg_stat_activity where application_name = 'howdah-fault' and usename = 'app'";
    stage.fault(&Fault {
        kind: "connections-exhausted",
        set: &[],
        done: &|s| s.psql(&s.primary(), guests).parse::<u64>().is_ok_and(|n| n > 380) && !s.application_connects(),
        reasons: &["connections-near-limit"],
        walk: Walk {
            runbook: "connections-exhausted",
            way: &["who", "blocked", "commits", "idle", "bound", "later", "verify"],
            tells: &[
                ("who", "At least 85 % are used on the primary", "yes"),
                ("idle", "One application holds most of them and does nothing", "yes"),
            ],
            shows: &["howdah-fault"],
        },
        undone: &|s| s.psql(&s.primary(), guests) == "0" && s.application_connects(),
    });
}

fn link_cut(stage: &Stage) {
    let standby = stage.standby();
    stage.fault(&Fault {
        kind: "link-cut",
        set: &[&format!("instance={standby}")],
        done: &|s| s.streaming() == 1 && !s.answers(&standby),
        reasons: &["standby-not-streaming"],
        walk: Walk {
            runbook: "replication-does-not-work",
            way: &["commits", "alive", "silent", "network", "restart-one", "promise", "verify"],
            tells: &[
                ("alive", "PostgreSQL answers on every standby", "unknown"),
                ("sender", "Every standby streams", "no"),
            ],
            // It is well, as it says in its own pod: only nobody gets to it.
            shows: &[&format!("{standby} by psql in its pod"), "no answer within"],
        },
        undone: &|s| s.streaming() == 2 && s.answers(&standby),
    });
}

fn wal_volume_nearly_full(stage: &Stage) {
    stage.fault(&Fault {
        kind: "wal-volume-nearly-full",
        set: &["percent=93"],
        done: &|s| (92..=95).contains(&s.wal_volume(&s.primary())),
        reasons: &["disk-filling"],
        walk: Walk {
            runbook: "wal-volume-filling",
            way: &["which", "never", "enlarge", "wal-or-data", "archive", "slot", "settings", "stranger", "verify"],
            tells: &[
                ("which", "A WAL volume is at least 80 % full", "yes"),
                ("wal-or-data", "It is the WAL volume", "yes"),
            ],
            shows: &[&stage.primary()],
        },
        undone: &|s| s.wal_volume(&s.primary()) < 60,
    });
}

fn freeze_standby(stage: &Stage) {
    let standby = stage.standby();
    stage.fault(&Fault {
        kind: "freeze-standby",
        set: &[],
        done: &|s| s.is_stopped(&standby),
        reasons: &["standby-not-streaming"],
        walk: Walk {
            runbook: "replication-does-not-work",
            way: &[
                "commits",
                "alive",
                "silent",
                "hangs",
                "sender",
                "receiver",
                "wal-or-timeline",
                "settings",
                "network",
                "restart-one",
                "promise",
                "verify",
            ],
            tells: &[
                ("alive", "PostgreSQL answers on every standby", "unknown"),
                ("silent", "PostgreSQL answers inside its own pod", "unknown"),
                ("sender", "Every standby streams", "no"),
            ],
            shows: &[&standby],
        },
        undone: &|s| !s.is_stopped(&standby) && s.streaming() == 2,
    });
}

fn replay_paused(stage: &Stage) {
    let standby = stage.standby();
    stage.fault(&Fault {
        kind: "replay-paused",
        set: &[],
        done: &|s| s.psql(&standby, "select pg_is_wal_replay_paused()") == "t",
        reasons: &["replay-paused"],
        walk: Walk {
            runbook: "standby-far-behind",
            way: &["which", "paused", "resume", "verify"],
            tells: &[("paused", "Replay is paused somewhere", "yes")],
            shows: &[&format!("{standby}: yes")],
        },
        undone: &|s| s.psql(&standby, "select pg_is_wal_replay_paused()") == "f",
    });
}

fn slot_left_behind(stage: &Stage) {
    let slots = "select count(*) from pg_replication_slots where slot_name = 'howdah_left_behind' and not active";
    let primary = stage.primary();
    stage.fault(&Fault {
        kind: "slot-left-behind",
        set: &[],
        done: &|s| s.psql(&primary, slots) == "1",
        reasons: &["slot-inactive"],
        walk: Walk {
            runbook: "slot-holds-wal",
            // Not the step that would bring a standby back: it is none's.
            way: &["which", "time", "whose", "logical", "limit", "verify"],
            tells: &[
                ("which", "An inactive slot holds at least 256 MiB", "yes"),
                ("logical", "A slot that belongs to no standby, and that nobody reads", "yes"),
            ],
            shows: &["howdah_left_behind"],
        },
        undone: &|s| s.psql(&primary, slots) == "0",
    });
}

/// Two faults that an archiver can't tell apart: the same walk leads to either.
fn nothing_is_archived(stage: &Stage, kind: &str, done: &dyn Fn(&Stage) -> bool, undone: &dyn Fn(&Stage) -> bool) {
    stage.fault(&Fault {
        kind,
        set: &["retrySeconds=1"],
        done: &|s| done(s) && s.condition("ContinuousArchiving") == "False",
        reasons: &["archive-failing"],
        walk: Walk {
            runbook: "wal-archiving-failing",
            way: &["since", "volume", "log", "rights", "way", "occupied", "try", "gap", "verify"],
            tells: &[("since", "The last attempt went well", "no"), ("try", "The last attempt went well", "no")],
            shows: &["last_failed"],
        },
        undone: &|s| undone(s) && s.condition("ContinuousArchiving") == "True" && s.ready_wal_files() == 0,
    });
}

/// Its node starts it again within moments, so the walk has to be there when it happens.
fn kill_primary(stage: &Stage) {
    let (primary, before) = (stage.primary(), stage.restarts());
    stage.moment(&Fault {
        kind: "kill-primary",
        set: &[],
        done: &|s| s.restarts() > before || !s.is_ready(&primary),
        reasons: &["primary-not-answering", "primary-not-ready", "writes-lead-nowhere"],
        walk: Walk {
            runbook: "primary-down",
            // By its first answers it depends on the moment whether PostgreSQL is back before its service.
            way: &["…", "tended", "waits-for", "old-primary", "gone-node", "pod", "switch", "verify"],
            tells: &[("service", "The write service leads to the primary", "no")],
            shows: &[],
        },
        // Whether the operator sees it soon enough to fail over is a matter of moments.
        undone: &|s| s.restarts() > before && s.is_ready(&primary) && s.streaming() == 2,
    });
}
