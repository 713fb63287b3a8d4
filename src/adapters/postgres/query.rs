//! The one statement that reads everything, and what its answer says.
//!
//! It answers with a single JSON document, so that the tunnel and `psql` in the pod are read alike and one round trip is
//! one consistent moment. It works on PostgreSQL 13 to 18 and for users without `pg_monitor`, for whom PostgreSQL puts
//! NULL where it hides something: NULL stays unknown.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::domain::lsn::Lsn;
use crate::domain::replication::{Slot, Standby, SyncRule};
use crate::domain::sample::{ArchiverReading, Receiver, Route, SqlSample};
use crate::text::clean;

/// What the statement may use. Function rights are checked before a statement begins, even for a branch that is never
/// reached, so what this user may not call must not be in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// `server_version_num`, such as 150018.
    pub version: u32,
    /// The user has `pg_monitor`.
    pub sees_all: bool,
    /// The server's own address, where it was reached over the network: which instance a connection string led to.
    pub address: Option<String>,
    /// It takes writes.
    pub primary: bool,
}

/// Asked first of a new connection: one row of version and rights.
pub const WHO: &str = "SELECT pg_catalog.json_build_object('version', pg_catalog.current_setting('server_version_num')::int, \
     'sees_all', pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE'), \
     'address', pg_catalog.host(pg_catalog.inet_server_addr()), 'primary', NOT pg_catalog.pg_is_in_recovery())::text";

/// Reads the answer of [`WHO`].
pub fn who(answer: &str) -> Option<Known> {
    let v: Value = serde_json::from_str(answer.trim()).ok()?;
    Some(Known {
        version: v["version"].as_u64()?.try_into().ok()?,
        sees_all: v["sees_all"].as_bool()?,
        address: text_of(&v["address"]),
        primary: v["primary"].as_bool()?,
    })
}

/// The statement for a server and user.
pub fn text(known: &Known) -> String {
    let ready = if known.sees_all {
        "(SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')"
    } else {
        "NULL"
    };
    let wal_bytes = if known.version >= 140_000 { "(SELECT wal_bytes::text FROM pg_stat_wal)" } else { "NULL" };
    format!(
        "SELECT json_build_object(
 'user', current_user, 'sees_all', pg_has_role(current_user, 'pg_monitor', 'USAGE'),
 'version', current_setting('server_version'), 'in_recovery', pg_is_in_recovery(),
 'system_id', (SELECT system_identifier::text FROM pg_control_system()),
 'started', pg_postmaster_start_time(),
 'timeline', CASE WHEN NOT pg_is_in_recovery()
   THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
 'current', CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END,
 'received', pg_last_wal_receive_lsn(), 'replayed', pg_last_wal_replay_lsn(),
 'replayed_commit', pg_last_xact_replay_timestamp(),
 'replay_paused', CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END,
 'receivers', (SELECT count(*) FROM pg_stat_wal_receiver),
 'receiver', (SELECT json_build_object('status', status, 'timeline', received_tli, 'sender', sender_host, 'slot', slot_name,
   'flushed', flushed_lsn, 'last_message', last_msg_receipt_time) FROM pg_stat_wal_receiver LIMIT 1),
 'sync_names', current_setting('synchronous_standby_names'), 'sync_commit', current_setting('synchronous_commit'),
 'standbys', (SELECT json_agg(json_build_object('name', application_name, 'state', state, 'sent', sent_lsn,
   'write', write_lsn, 'flush', flush_lsn, 'replay', replay_lsn, 'write_lag', extract(epoch FROM write_lag)::float8,
   'flush_lag', extract(epoch FROM flush_lag)::float8, 'replay_lag', extract(epoch FROM replay_lag)::float8,
   'sync', sync_state, 'priority', sync_priority, 'address', host(client_addr)) ORDER BY application_name, pid)
   FROM pg_stat_replication),
 'slots', (SELECT json_agg(json_build_object('name', slot_name, 'kind', slot_type, 'active', active, 'restart', restart_lsn,
   'wal_status', wal_status, 'safe_wal_size', safe_wal_size) ORDER BY slot_name) FROM pg_replication_slots),
 'archiver', (SELECT json_build_object('archived', archived_count, 'last', last_archived_wal, 'last_at', last_archived_time,
   'failed', failed_count, 'last_failed', last_failed_wal, 'last_failed_at', last_failed_time, 'ready', {ready})
   FROM pg_stat_archiver),
 'wal_bytes', {wal_bytes}, 'segment_size', pg_size_bytes(current_setting('wal_segment_size')),
 'connections', (SELECT sum(numbackends) FROM pg_stat_database), 'max_connections', current_setting('max_connections')::int,
 'oldest_transaction', (SELECT extract(epoch FROM clock_timestamp() - min(xact_start))::float8 FROM pg_stat_activity
   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
 'frozen_xid_age', (SELECT max(age(datfrozenxid)) FROM pg_database)
)::text"
    )
}

/// Reads the statement's answer.
///
/// # Errors
/// The answer is not the JSON that was asked for.
pub fn read(answer: &str, via: Route) -> Result<SqlSample, String> {
    let v: Value = serde_json::from_str(answer.trim()).map_err(|e| format!("the answer can't be read: {e}"))?;
    let in_recovery = v["in_recovery"].as_bool().ok_or("the answer lacks in_recovery")?;
    let sees_all = v["sees_all"].as_bool().unwrap_or(false);
    let receiver = receiver(&v, in_recovery, sees_all);
    let timeline = number(&v["timeline"]).or(receiver.as_ref().and_then(|r| r.timeline));
    Ok(SqlSample {
        via,
        user: text_of(&v["user"]).unwrap_or_default(),
        sees_all,
        version: text_of(&v["version"]),
        in_recovery,
        timeline,
        system_id: text_of(&v["system_id"]),
        started: time(&v["started"]),
        current: lsn(&v["current"]),
        received: lsn(&v["received"]),
        replayed: lsn(&v["replayed"]),
        replayed_commit: time(&v["replayed_commit"]),
        replay_paused: v["replay_paused"].as_bool(),
        receiver,
        sync_rule: v["sync_names"].as_str().map(|names| SyncRule::parse(&clean(names))),
        synchronous_commit: text_of(&v["sync_commit"]),
        standbys: rows(&v["standbys"]).filter_map(standby).collect(),
        slots: rows(&v["slots"]).filter_map(slot).collect(),
        archiver: archiver(&v["archiver"]).map(Box::new),
        wal_bytes: v["wal_bytes"].as_str().and_then(|s| s.parse().ok()),
        segment_size: v["segment_size"].as_u64(),
        connections: number(&v["connections"]).zip(number(&v["max_connections"])),
        // Without pg_monitor, that of the user's own sessions: the oldest is at least as old.
        oldest_transaction: seconds(&v["oldest_transaction"]),
        frozen_xid_age: v["frozen_xid_age"].as_u64(),
    })
}

/// A receiver that is hidden is not known; one that is not there is known not to be.
fn receiver(v: &Value, in_recovery: bool, sees_all: bool) -> Option<Receiver> {
    if !in_recovery {
        return None;
    }
    let r = &v["receiver"];
    if let Some(status) = text_of(&r["status"]) {
        return Some(Receiver {
            status: Some(status),
            timeline: number(&r["timeline"]),
            sender: text_of(&r["sender"]),
            slot: text_of(&r["slot"]),
            flushed: lsn(&r["flushed"]),
            last_message: time(&r["last_message"]),
        });
    }
    // Its row is there for everyone, so its absence is no secret either.
    (v["receivers"].as_u64() == Some(0) || (sees_all && r.is_null())).then(Receiver::default)
}

fn standby(r: &Value) -> Option<Standby> {
    Some(Standby {
        // Without a name it can't be told whose row it is: hidden from this user.
        name: text_of(&r["name"])?,
        state: text_of(&r["state"]),
        sent: lsn(&r["sent"]),
        write: lsn(&r["write"]),
        flush: lsn(&r["flush"]),
        replay: lsn(&r["replay"]),
        write_lag: seconds(&r["write_lag"]),
        flush_lag: seconds(&r["flush_lag"]),
        replay_lag: seconds(&r["replay_lag"]),
        sync: r["sync"].as_str().and_then(|s| s.parse().ok()),
        priority: r["priority"].as_i64().and_then(|n| n.try_into().ok()),
        address: text_of(&r["address"]),
    })
}

fn slot(r: &Value) -> Option<Slot> {
    Some(Slot {
        name: text_of(&r["name"])?,
        kind: text_of(&r["kind"]).unwrap_or_default(),
        active: r["active"].as_bool().unwrap_or(false),
        restart: lsn(&r["restart"]),
        wal_status: text_of(&r["wal_status"]),
        safe_wal_size: r["safe_wal_size"].as_i64(),
    })
}

fn archiver(r: &Value) -> Option<ArchiverReading> {
    let file = |name: &str, at: &str| text_of(&r[name]).zip(time(&r[at]));
    Some(ArchiverReading {
        archived: r["archived"].as_u64()?,
        last_archived: file("last", "last_at"),
        failed: r["failed"].as_u64()?,
        last_failed: file("last_failed", "last_failed_at"),
        ready: r["ready"].as_u64(),
    })
}

fn rows(v: &Value) -> impl Iterator<Item = &Value> {
    v.as_array().into_iter().flatten()
}

fn text_of(v: &Value) -> Option<String> {
    v.as_str().filter(|s| !s.is_empty()).map(clean)
}

fn lsn(v: &Value) -> Option<Lsn> {
    v.as_str()?.parse().ok()
}

fn time(v: &Value) -> Option<Timestamp> {
    v.as_str()?.parse().ok()
}

fn number(v: &Value) -> Option<u32> {
    v.as_u64()?.try_into().ok()
}

fn seconds(v: &Value) -> Option<SignedDuration> {
    SignedDuration::try_from_secs_f64(v.as_f64()?).ok()
}
