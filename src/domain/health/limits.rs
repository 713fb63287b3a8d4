//! Where a figure becomes a warning, and where it becomes bad. Settings may change each of them.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Thresholds of the verdicts. Durations are written like `30s`, `5m`, `26h`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// A watched value is stale when its watch was last proven alive longer ago than this. Default 30 s: the watches are
    /// proven by bookmarks or a cheap request at least every 10 s.
    pub watch_stale: SignedDuration,
    /// An instance's answer is stale after this. Default 25 s: clusters out of sight are asked every 10 s.
    pub sample_stale: SignedDuration,
    /// An instance that answered before may be silent this long before it counts as gone, where nobody else says so.
    /// Default 10 s.
    pub silence_bad: SignedDuration,
    /// A standby's silence is not told this long while the primary sees it stream. Default 5 s.
    pub silence_excused: SignedDuration,
    /// A standby may be without its stream this long before that is bad. Default 30 s: a restart takes some ten.
    pub not_streaming_bad: SignedDuration,
    /// Archiving may fail this long before that is bad. Default 60 s: it also fails for a moment in every failover.
    pub archive_failing_bad: SignedDuration,
    /// Replay lag in bytes. Default 64 MiB (four WAL segments) and 1 GiB.
    pub lag_bytes_warn: u64,
    /// See [`Limits::lag_bytes_warn`].
    pub lag_bytes_bad: u64,
    /// Replay lag in time. Default 30 s and 5 min.
    pub lag_time_warn: SignedDuration,
    /// See [`Limits::lag_time_warn`].
    pub lag_time_bad: SignedDuration,
    /// Lag that rises at least this many bytes a second over [`Limits::trend_over`] is told. Default 64 kiB/s.
    pub lag_rise_warn: u64,
    /// How far a trend looks back. Default 2 min.
    pub trend_over: SignedDuration,
    /// WAL an inactive slot keeps back. Default 256 MiB and 4 GiB.
    pub slot_bytes_warn: u64,
    /// See [`Limits::slot_bytes_warn`].
    pub slot_bytes_bad: u64,
    /// WAL files waiting to be archived. Default 4 and 64.
    pub ready_wal_warn: u64,
    /// See [`Limits::ready_wal_warn`].
    pub ready_wal_bad: u64,
    /// WAL may wait for the archive this long while none of it leaves. Default 30 s: programs that archive try again for
    /// more than a minute before PostgreSQL hears of a failure, and the operator later still.
    pub archive_wait_warn: SignedDuration,
    /// Age of the last archived WAL while WAL waits. Default 10 min (twice the usual `archive_timeout`) and 1 h.
    pub archive_age_warn: SignedDuration,
    /// See [`Limits::archive_age_warn`].
    pub archive_age_bad: SignedDuration,
    /// Age of the last good backup. Default 26 h (a daily one and its run) and 7 days.
    pub backup_age_warn: SignedDuration,
    /// See [`Limits::backup_age_warn`].
    pub backup_age_bad: SignedDuration,
    /// A certificate's remaining time. Default 6 days and 1 day: CNPG renews 7 days ahead, so with less
    /// than that nobody renews.
    pub certificate_warn: SignedDuration,
    /// See [`Limits::certificate_warn`].
    pub certificate_bad: SignedDuration,
    /// How full a volume is, in percent. Default 80 and 92.
    pub disk_warn: u8,
    /// See [`Limits::disk_warn`].
    pub disk_bad: u8,
    /// Connections used, in percent of those allowed. Default 85 and 97.
    pub connections_warn: u8,
    /// See [`Limits::connections_warn`].
    pub connections_bad: u8,
    /// Age of the oldest frozen transaction id. Default 1.0 and 1.6 thousand million (it stops at about 2.1).
    pub frozen_age_warn: u64,
    /// See [`Limits::frozen_age_warn`].
    pub frozen_age_bad: u64,
    /// Age of the oldest running transaction. Default 1 h; never bad by itself.
    pub transaction_warn: SignedDuration,
    /// A cluster may be set up, or an instance built, this long before it is a warning; twice as long is bad. Default
    /// 10 min.
    pub setup_time: SignedDuration,
    /// A complaint (a warning event) counts this long after it was last said. Default 5 min.
    pub complaint_age: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        let (s, m, h) = (SignedDuration::from_secs, SignedDuration::from_mins, SignedDuration::from_hours);
        Limits {
            watch_stale: s(30),
            sample_stale: s(25),
            silence_bad: s(10),
            silence_excused: s(5),
            not_streaming_bad: s(30),
            archive_failing_bad: s(60),
            lag_bytes_warn: 64 << 20,
            lag_bytes_bad: 1 << 30,
            lag_time_warn: s(30),
            lag_time_bad: m(5),
            lag_rise_warn: 64 << 10,
            trend_over: m(2),
            slot_bytes_warn: 256 << 20,
            slot_bytes_bad: 4 << 30,
            ready_wal_warn: 4,
            ready_wal_bad: 64,
            archive_wait_warn: s(30),
            archive_age_warn: m(10),
            archive_age_bad: h(1),
            backup_age_warn: h(26),
            backup_age_bad: h(24 * 7),
            certificate_warn: h(24 * 6),
            certificate_bad: h(24),
            disk_warn: 80,
            disk_bad: 92,
            connections_warn: 85,
            connections_bad: 97,
            frozen_age_warn: 1_000_000_000,
            frozen_age_bad: 1_600_000_000,
            transaction_warn: h(1),
            setup_time: m(10),
            complaint_age: m(5),
        }
    }
}
