//! Recordings of a real cluster (CNPG 1.30 on Kubernetes 1.36), played through the adapters and judged every 100 ms.
//!
//! Each recording has a table of stretches in time with the level expected and the reason and witness that must be among
//! those that make it. In most of them the operator's phase says "healthy", or just "setting up", while the truth is
//! otherwise. `tests/recordings/README.md` says what was done in each.
//!
//! Recordings without `pg-status-poll` have no instance's own word, so their healthy stretches are unknown, not ok. The
//! recorded context has one node without a zone label, and cluster `demo` has no backup: a spread that was never promised
//! is not missed, and recoverability is a warning throughout.

#[path = "recordings/play.rs"]
mod play;

use howdah::domain::health::Level::{Bad, Ok as Fine, Unknown, Warn};
use howdah::domain::health::ReasonCode::*;
use play::{Expected, expect, nothing, phases, says, story};

/// From this millisecond until the next row: this level of availability, for this reason, by this witness.
fn row(
    from: i64,
    level: howdah::domain::health::Level,
    code: howdah::domain::health::ReasonCode,
    by: &'static str,
) -> Expected {
    Expected { from, level, because: Some((code, by)) }
}

/// From this millisecond: ok, with nothing said against it.
fn ok(from: i64) -> Expected {
    Expected { from, level: Fine, because: None }
}

#[test]
fn failover_after_the_primarys_pod_is_deleted() {
    expect(
        "2-failover",
        "demo",
        "availability",
        &[
            ok(-1300),
            // The phase says healthy for another 370 ms.
            row(84, Bad, PrimaryNotReady, "pod demo-1"),
            row(914, Bad, NoPrimary, "Lease/demo"),
            row(1377, Bad, FailingOver, "cluster status"),
            // Writes work again; the phase says "Failing over" for another 300 ms.
            row(2847, Warn, StandbyNotStreaming, "/pg/status of demo-3"),
            row(7700, Warn, InstanceNotReady, "pod demo-1"),
            row(13_760, Warn, PhaseNotHealthy, "cluster status"),
            ok(14_230),
        ],
    );
}

#[test]
fn failover_with_the_default_grace_goes_the_same_way() {
    expect(
        "2b-failover-default-grace",
        "demo",
        "availability",
        &[
            ok(-900),
            row(90, Bad, PrimaryNotReady, "pod demo-1"),
            row(118, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(471, Bad, NoPrimary, "Lease/demo"),
            row(874, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(1916, Bad, NoPrimary, "/pg/status of demo-2"),
            row(2129, Warn, InstanceNotReady, "pod demo-1"),
            row(12_950, Warn, PhaseNotHealthy, "cluster status"),
            ok(13_300),
        ],
    );
}

/// The phase says healthy throughout.
#[test]
fn a_killed_postmaster_that_no_phase_tells() {
    expect(
        "2c-postgres-killed",
        "demo",
        "availability",
        &[
            ok(-900),
            row(290, Bad, NoPrimary, "Lease/demo"),
            row(468, Bad, PrimaryNotAnswering, "/pg/status of demo-2"),
            row(1060, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(2850, Bad, PrimaryNotReady, "pod demo-2"),
            // Ready 3 of 3, and both standbys still without a stream.
            row(11_296, Warn, StandbyNotStreaming, "/pg/status of demo-2"),
            ok(16_100),
        ],
    );
}

/// A healthy standby's `timeLineID` stays at 1 while the primary writes timeline 3: that must not count against it.
#[test]
fn switchover_and_a_standby_with_an_old_timeline_id() {
    expect(
        "3-switchover",
        "demo",
        "availability",
        &[
            ok(-1100),
            row(376, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(652, Bad, PrimaryNotAnswering, "/pg/status of demo-3"),
            row(1016, Bad, NoPrimary, "Lease/demo"),
            row(2500, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(5320, Warn, SwitchingOver, "cluster status"),
            ok(18_820),
        ],
    );
}

/// Phase, readyInstances and the pod's readiness do not change at all.
#[test]
fn a_fenced_standby() {
    expect(
        "4a-fencing",
        "demo",
        "availability",
        &[
            ok(-900),
            row(341, Warn, Fenced, "cluster status"),
            row(15_665, Warn, InstanceNotServing, "/pg/status of demo-2"),
            ok(21_100),
        ],
    );
}

/// The phase says healthy and Ready is True while no pod runs.
#[test]
fn hibernation_on_purpose_is_never_ok() {
    expect(
        "4b-hibernation",
        "demo",
        "availability",
        &[
            row(-2400, Unknown, CantBeAsked, "howdah's sources"),
            row(430, Warn, Hibernated, "cluster status"),
            row(11_900, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(15_450, Bad, PrimaryNotReady, "pod demo-1"),
            row(22_800, Warn, InstancesMissing, "cluster status"),
            row(26_700, Warn, InstanceNotReady, "pod demo-3"),
            row(37_810, Warn, PhaseNotHealthy, "cluster status"),
            row(38_000, Unknown, CantBeAsked, "howdah's sources"),
        ],
    );
}

/// The phase says healthy throughout, and nobody fails over.
#[test]
fn a_fenced_primary_and_all_fenced() {
    expect(
        "4c-fence-primary-and-all",
        "demo",
        "availability",
        &[
            row(-2300, Unknown, CantBeAsked, "howdah's sources"),
            row(61, Bad, Fenced, "cluster status"),
            row(8330, Unknown, CantBeAsked, "howdah's sources"),
            row(16_543, Bad, Fenced, "cluster status"),
            row(24_833, Unknown, CantBeAsked, "howdah's sources"),
        ],
    );
}

/// The phase says "Setting up primary" throughout; the recovery job fails twice.
#[test]
fn a_recovery_whose_job_fails() {
    expect(
        "6d-pitr-recovery",
        "shop-restored",
        "availability",
        &[
            row(90, Warn, SettingUp, "cluster status"),
            row(9996, Bad, RecoveryFailing, "Job/shop-restored-1-full-recovery"),
            row(73_200, Warn, NoPrimary, "cluster status"),
            row(74_822, Bad, PrimaryNotReady, "pod shop-restored-1"),
            row(84_190, Warn, PhaseNotHealthy, "cluster status"),
            row(84_270, Unknown, CantBeAsked, "howdah's sources"),
        ],
    );
}

/// Within a moment of each failure: how often, why, and when it goes on. The recording has the log of the first attempt only.
#[test]
fn a_recovery_that_fails_is_told_with_its_reason_while_it_happens() {
    let early = "recovery ended before configured recovery target was reached";
    let code = "Error: full-recovery ended with exit code 1";
    says(
        "6d-pitr-recovery",
        "shop-restored",
        RecoveryFailing,
        &[
            (10_000, &format!("recovery has failed once: {code}; next attempt in ~8s")),
            (10_200, &format!("recovery has failed once: {early}; next attempt in ~8s")),
            (18_600, &format!("{early}; the next attempt is due")),
            (18_800, &format!("{early}; attempt 2 is under way")),
            (31_100, &format!("recovery has failed 2 times: {code}; next attempt in ~18s")),
            (49_800, "attempt 3 is under way"),
            (73_100, "recovery has failed 2 times"),
        ],
    );
    let story = story("6d-pitr-recovery", "shop-restored");
    let told: Vec<_> = story.iter().filter(|t| t.starts_with("attempt")).collect();
    assert_eq!(
        told,
        [
            &format!("attempt 1 failed: {code}"),
            &format!("attempt 1 failed: {early}"),
            &format!("attempt 2 failed: {code}")
        ]
    );
}

/// The phase says healthy throughout. Before, and where no instance says that WAL is archived, that is unknown.
#[test]
fn an_object_store_that_is_down() {
    expect(
        "6e-object-store-down",
        "shop",
        "recoverability",
        &[
            row(900, Unknown, CantBeAsked, "howdah's sources"),
            row(83_570, Warn, ArchiveFailing, "cluster status"),
            row(86_300, Warn, BackupFailed, "cluster status"),
            row(143_150, Bad, ArchiveFailing, "cluster status"),
            row(174_090, Warn, BackupFailed, "cluster status"),
        ],
    );
    nothing("6e-object-store-down", "shop", "availability", Fine);
}

/// The phase says "Setting up primary" for ever; the reason is in pods and claims only.
#[test]
fn clusters_that_will_never_come_up() {
    expect(
        "9d-bad-clusters",
        "bad-image",
        "availability",
        &[row(100, Warn, NoPrimary, "cluster status"), row(2690, Bad, JobFailing, "Job/bad-image-1-initdb")],
    );
    expect(
        "9d-bad-clusters",
        "bad-storage",
        "availability",
        &[
            row(110, Warn, NoPrimary, "cluster status"),
            row(268, Bad, JobFailing, "Job/bad-storage-1-initdb"),
            row(1000, Bad, PodTrouble, "PersistentVolumeClaim/bad-storage-1"),
        ],
    );
}

/// The phase says healthy for the first 28 s.
#[test]
fn a_primary_that_is_cut_off() {
    expect(
        "9f-primary-network-cut",
        "demo",
        "availability",
        &[
            ok(-900),
            row(2030, Warn, PrimaryNotAnswering, "/pg/status of demo-2"),
            // Its standby lost it, too: no doubt is left, 25 s before the operator.
            row(3090, Bad, PrimaryNotAnswering, "/pg/status of demo-2"),
            row(26_240, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(28_480, Bad, FailingOver, "cluster status"),
            row(45_540, Bad, WritesLeadNowhere, "Service/demo-rw"),
            row(49_730, Warn, StandbyNotStreaming, "/pg/status of demo-1"),
            row(75_340, Bad, StandbyNotStreaming, "/pg/status of demo-1"),
            row(103_600, Warn, InstanceNotReady, "pod demo-2"),
            row(111_250, Warn, FailingOver, "cluster status"),
            ok(111_440),
        ],
    );
}

#[test]
fn creation_destruction_and_scaling() {
    expect(
        "1-create",
        "demo",
        "availability",
        &[
            row(150, Warn, NoPrimary, "cluster status"),
            row(7866, Bad, PrimaryNotReady, "pod demo-1"),
            row(17_200, Warn, InstancesMissing, "cluster status"),
            row(42_600, Warn, PhaseNotHealthy, "cluster status"),
            row(53_788, Unknown, CantBeAsked, "howdah's sources"),
        ],
    );
    expect(
        "5a-destroy",
        "demo",
        "availability",
        &[
            row(-400, Unknown, CantBeAsked, "howdah's sources"),
            row(277, Warn, InstancesMissing, "cluster status"),
            row(4909, Warn, InstanceNotReady, "pod demo-3"),
            row(15_687, Warn, PhaseNotHealthy, "cluster status"),
            row(16_011, Unknown, CantBeAsked, "howdah's sources"),
        ],
    );
    expect(
        "9a-scale",
        "demo",
        "availability",
        &[
            row(-1000, Unknown, CantBeAsked, "howdah's sources"),
            row(530, Warn, InstanceNotReady, "pod demo-3"),
            row(1274, Warn, PhaseNotHealthy, "cluster status"),
            row(1399, Unknown, CantBeAsked, "howdah's sources"),
            row(4660, Warn, InstancesMissing, "cluster status"),
            row(9128, Warn, PhaseNotHealthy, "cluster status"),
            row(20_202, Unknown, CantBeAsked, "howdah's sources"),
        ],
    );
}

#[test]
fn restarts_and_a_changed_setting() {
    expect(
        "5b-restart",
        "demo",
        "availability",
        &[
            row(-400, Unknown, CantBeAsked, "howdah's sources"),
            row(465, Warn, InstancesMissing, "cluster status"),
            row(1773, Warn, PhaseNotHealthy, "cluster status"),
            row(24_899, Bad, PrimaryNotReady, "pod demo-1"),
            row(25_716, Bad, NoPrimary, "cluster status"),
            row(25_827, Bad, PrimaryNotReady, "pod demo-1"),
            row(36_754, Warn, PhaseNotHealthy, "cluster status"),
            row(36_960, Unknown, CantBeAsked, "howdah's sources"),
            row(43_051, Warn, InstancesMissing, "cluster status"),
            row(43_855, Warn, InstanceNotReady, "pod demo-2"),
            row(54_778, Warn, PhaseNotHealthy, "cluster status"),
            row(54_943, Unknown, CantBeAsked, "howdah's sources"),
        ],
    );
    nothing("9c-config-change", "demo", "availability", Fine);
}

/// A cluster without a backup could not be brought back: said at every moment, and as a warning, since nothing fails.
#[test]
fn a_cluster_without_backup_is_never_recoverable() {
    for recording in ["2-failover", "3-switchover", "4a-fencing", "9f-primary-network-cut"] {
        expect(recording, "demo", "recoverability", &[row(-900, Warn, ArchiveNotConfigured, "cluster status")]);
    }
}

/// The target flaps, the lease is given up first, the writes follow the promotion, the timeline comes late.
#[test]
fn a_failover_is_told_in_order() {
    let told = [
        "pod demo-1 deleting",
        "writes nowhere",
        "phase Failing over",
        "target pending",
        "target demo-1",
        "lease nobody",
        "target pending",
        "target demo-3",
        "pod demo-1 not ready",
        "lease demo-3",
        "pod demo-1 gone",
        "primary demo-3",
        "timeline 2",
        "pod demo-1 created",
        "writes demo-3",
        "phase Waiting for the instances to become active",
        "demo-1 streams true",
        "demo-2 streams true",
        "pod demo-1 ready",
        "phase Cluster in healthy state",
    ];
    assert_eq!(story("2-failover", "demo"), told);
}

/// A drill's phases come from what is watched, in the order a real operator brings it, and never from the phase alone.
#[test]
fn a_drills_phases_on_a_real_operator() {
    for (recording, leader, within) in [
        ("2-failover", "demo-3", [0..600, 900..2_000, 1_000..2_900]),
        ("2b-failover-default-grace", "demo-2", [0..600, 400..2_000, 400..2_300]),
        ("3-switchover", "demo-1", [0..900, 0..900, 900..5_400]),
        ("9f-primary-network-cut", "demo-1", [20_000..29_000, 26_000..46_000, 40_000..50_000]),
    ] {
        let (seen, led) = phases(recording, "demo");
        println!("{recording}: {seen:?} {led}");
        assert_eq!(led, leader, "{recording}");
        for (name, (at, within)) in ["detected", "elected", "promoted"].iter().zip(seen.iter().zip(within)) {
            assert!(at.is_some_and(|at| within.contains(&at)), "{recording}: {name} at {at:?}, expected in {within:?}");
        }
        assert!(seen.is_sorted(), "{recording}: {seen:?}");
    }
}
