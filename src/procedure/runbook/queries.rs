//! Queries by name: what incidents ask of PostgreSQL again and again. Each is one query that only reads, and works on
//! PostgreSQL 13 to 18.

/// A query.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// What it answers, in a line.
    pub about: &'static str,
    /// Only a member of `pg_monitor` sees all of it.
    pub monitor: bool,
    /// The query.
    pub text: &'static str,
}

/// The query of that name.
pub fn named(name: &str) -> Option<&'static Query> {
    QUERIES.iter().find(|q| q.name == name)
}

/// All of them.
pub const QUERIES: &[Query] = &[
    Query {
        name: "blocked",
        about: "sessions that wait for a lock, by whom they are held up, and how long",
        monitor: true,
        text: "SELECT w.pid, pg_blocking_pids(w.pid)::text AS blocked_by,
  date_trunc('second', clock_timestamp() - w.query_start)::text AS waits, w.usename AS \"user\", w.datname AS database,
  left(w.query, 80) AS query
FROM pg_stat_activity AS w WHERE cardinality(pg_blocking_pids(w.pid)) > 0 ORDER BY w.query_start",
    },
    Query {
        name: "blockers",
        about: "sessions at the head of a queue: they hold others up and wait for nobody",
        monitor: true,
        text: "SELECT b.pid, count(*) AS holds_up, b.state, date_trunc('second', clock_timestamp() - b.xact_start)::text AS transaction,
  b.usename AS \"user\", b.application_name AS application, left(b.query, 80) AS last_query
FROM pg_stat_activity AS b
JOIN (SELECT unnest(pg_blocking_pids(pid)) AS pid FROM pg_stat_activity) AS h ON h.pid = b.pid
WHERE cardinality(pg_blocking_pids(b.pid)) = 0
GROUP BY b.pid, b.state, b.xact_start, b.usename, b.application_name, b.query ORDER BY count(*) DESC, b.xact_start",
    },
    Query {
        name: "long-transactions",
        about: "the oldest open transactions of clients, longer than five minutes",
        monitor: true,
        text: "SELECT pid, date_trunc('second', clock_timestamp() - xact_start)::text AS transaction, state, usename AS \"user\",
  datname AS database, application_name AS application, left(query, 80) AS query
FROM pg_stat_activity WHERE backend_type = 'client backend' AND xact_start < clock_timestamp() - interval '5 min'
  AND pid <> pg_backend_pid() ORDER BY xact_start",
    },
    Query {
        name: "idle-in-transaction",
        about: "sessions that left a transaction open and do nothing, longer than a minute",
        monitor: true,
        text: "SELECT pid, date_trunc('second', clock_timestamp() - state_change)::text AS idle, usename AS \"user\",
  datname AS database, application_name AS application, left(query, 80) AS last_query
FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '1 min'
ORDER BY state_change",
    },
    Query {
        name: "connections",
        about: "connections by user, application and state",
        monitor: true,
        text: "SELECT count(*) AS connections, usename AS \"user\", application_name AS application, state, datname AS database
FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 2, 3, 4, 5 ORDER BY count(*) DESC",
    },
    Query {
        name: "connection-limits",
        about: "how many connections are allowed, and how many are kept for superusers",
        monitor: false,
        text: "SELECT name, setting FROM pg_settings WHERE name IN ('max_connections', 'superuser_reserved_connections',
  'reserved_connections', 'idle_session_timeout', 'idle_in_transaction_session_timeout') ORDER BY name",
    },
    Query {
        name: "waits",
        about: "what the running sessions wait for",
        monitor: true,
        text: "SELECT coalesce(wait_event_type, 'running') AS type, coalesce(wait_event, 'on CPU, most likely') AS event, count(*) AS sessions
FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() GROUP BY 1, 2 ORDER BY count(*) DESC",
    },
    Query {
        name: "sync-waits",
        about: "sessions whose commit waits for a synchronous standby",
        monitor: true,
        text: "SELECT pid, date_trunc('second', clock_timestamp() - state_change)::text AS waits, usename AS \"user\", left(query, 80) AS query
FROM pg_stat_activity WHERE wait_event = 'SyncRep' ORDER BY state_change",
    },
    Query {
        name: "replication",
        about: "everybody who receives WAL from this instance",
        monitor: true,
        text: "SELECT application_name AS name, state, sync_state AS sync, sent_lsn::text AS sent, replay_lsn::text AS replayed,
  pg_size_pretty(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
  replay_lsn)) AS behind, replay_lag::text AS time
FROM pg_stat_replication ORDER BY application_name",
    },
    Query {
        name: "receiver",
        about: "the WAL receiver of a standby",
        monitor: true,
        text: "SELECT status, received_tli AS timeline, sender_host AS from_host, slot_name AS slot, flushed_lsn::text AS flushed,
  date_trunc('second', clock_timestamp() - last_msg_receipt_time)::text AS silent_for FROM pg_stat_wal_receiver",
    },
    Query {
        name: "replication-settings",
        about: "settings that replication needs",
        monitor: false,
        text: "SELECT name, setting, unit, pending_restart FROM pg_settings WHERE name IN ('wal_level', 'max_wal_senders',
  'max_replication_slots', 'wal_keep_size', 'max_slot_wal_keep_size', 'hot_standby', 'wal_sender_timeout',
  'wal_receiver_timeout', 'synchronous_standby_names', 'synchronous_commit') ORDER BY name",
    },
    Query {
        name: "conflicts",
        about: "queries that replay cancelled, and settings that let them hold replay up",
        monitor: false,
        text: "SELECT 'cancelled on ' || datname AS what, (confl_tablespace + confl_lock + confl_snapshot + confl_bufferpin + confl_deadlock)::text AS value
FROM pg_stat_database_conflicts WHERE datname IS NOT NULL
UNION ALL SELECT name, setting || coalesce(unit, '') FROM pg_settings
WHERE name IN ('max_standby_streaming_delay', 'max_standby_archive_delay', 'hot_standby_feedback', 'recovery_min_apply_delay')",
    },
    Query {
        name: "standby-queries",
        about: "queries on a standby that have run for more than a minute: replay may wait for them",
        monitor: true,
        text: "SELECT pid, date_trunc('second', clock_timestamp() - query_start)::text AS runs, usename AS \"user\", left(query, 80) AS query
FROM pg_stat_activity WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND query_start < clock_timestamp() - interval '1 min' ORDER BY query_start",
    },
    Query {
        name: "slots",
        about: "replication slots and the WAL each holds",
        monitor: false,
        text: "SELECT slot_name AS slot, slot_type AS type, active, wal_status AS wal,
  CASE WHEN NOT pg_is_in_recovery() THEN pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) END AS holds,
  pg_size_pretty(safe_wal_size) AS still_safe, database FROM pg_replication_slots ORDER BY restart_lsn NULLS FIRST",
    },
    Query {
        name: "archiver",
        about: "what pg_stat_archiver says",
        monitor: false,
        text: "SELECT archived_count AS archived, last_archived_wal AS last, last_archived_time::text AS at, failed_count AS failed,
  last_failed_wal AS last_failed, last_failed_time::text AS failed_at FROM pg_stat_archiver",
    },
    Query {
        name: "wal-size",
        about: "how much WAL lies on the volume, and what would keep it there",
        monitor: true,
        text: "SELECT (SELECT pg_size_pretty(sum(size)) FROM pg_ls_waldir()) AS wal,
  (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS wait_for_archive,
  (SELECT count(*) FROM pg_replication_slots WHERE NOT active) AS idle_slots,
  current_setting('max_wal_size') AS max_wal_size, current_setting('wal_keep_size') AS wal_keep_size",
    },
    Query {
        name: "sizes",
        about: "the largest databases",
        monitor: true,
        text: "SELECT datname AS database, pg_size_pretty(pg_database_size(oid)) AS size FROM pg_database
ORDER BY pg_database_size(oid) DESC",
    },
    Query {
        name: "temporary-files",
        about: "databases that spill to disk",
        monitor: false,
        text: "SELECT datname AS database, temp_files AS files, pg_size_pretty(temp_bytes) AS written FROM pg_stat_database
WHERE temp_bytes > 0 ORDER BY temp_bytes DESC",
    },
    Query {
        name: "xid-by-database",
        about: "databases by the age of their oldest unfrozen transaction id",
        monitor: false,
        text: "SELECT datname AS database, age(datfrozenxid) AS age, round(100 * age(datfrozenxid) / 2146483648.0, 1) AS percent_used,
  mxid_age(datminmxid) AS multixact_age FROM pg_database ORDER BY age(datfrozenxid) DESC",
    },
    Query {
        name: "xid-by-table",
        about: "tables of this database by the age of their oldest unfrozen transaction id",
        monitor: false,
        text: "SELECT c.oid::regclass::text AS \"table\", age(c.relfrozenxid) AS age, pg_size_pretty(pg_table_size(c.oid)) AS size
FROM pg_class AS c WHERE c.relkind IN ('r', 'm', 't') ORDER BY age(c.relfrozenxid) DESC",
    },
    Query {
        name: "xid-holders",
        about: "what keeps old rows from being frozen: transactions, prepared transactions, slots, standbys with feedback",
        monitor: true,
        text: "SELECT * FROM (
 SELECT 'transaction' AS what, pid::text AS which, greatest(age(backend_xmin), age(backend_xid)) AS age,
  coalesce(usename, backend_type) AS whose FROM pg_stat_activity WHERE backend_xmin IS NOT NULL OR backend_xid IS NOT NULL
 UNION ALL SELECT 'prepared transaction', gid, age(transaction), owner FROM pg_prepared_xacts
 UNION ALL SELECT 'slot', slot_name, greatest(age(xmin), age(catalog_xmin)), slot_type FROM pg_replication_slots
  WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
 UNION ALL SELECT 'standby', application_name, age(backend_xmin), 'hot_standby_feedback' FROM pg_stat_replication
  WHERE backend_xmin IS NOT NULL) AS h ORDER BY age DESC NULLS LAST",
    },
    Query {
        name: "vacuums",
        about: "vacuums under way",
        monitor: true,
        text: "SELECT p.pid, p.datname AS database, p.relid::regclass::text AS \"table\", p.phase,
  round(100.0 * p.heap_blks_scanned / nullif(p.heap_blks_total, 0), 1) AS percent,
  date_trunc('second', clock_timestamp() - a.xact_start)::text AS runs FROM pg_stat_progress_vacuum AS p
JOIN pg_stat_activity AS a USING (pid)",
    },
    Query {
        name: "vacuum-settings",
        about: "settings of autovacuum",
        monitor: false,
        text: "SELECT name, setting, unit FROM pg_settings WHERE name IN ('autovacuum', 'autovacuum_max_workers', 'autovacuum_freeze_max_age',
  'autovacuum_vacuum_cost_limit', 'autovacuum_vacuum_cost_delay', 'vacuum_failsafe_age', 'maintenance_work_mem') ORDER BY name",
    },
    Query {
        name: "prepared",
        about: "prepared transactions that nobody has ended",
        monitor: false,
        text: "SELECT gid, date_trunc('second', clock_timestamp() - prepared)::text AS age, owner, database FROM pg_prepared_xacts ORDER BY prepared",
    },
    Query {
        name: "pending-restart",
        about: "parameters that wait for a restart",
        monitor: false,
        text: "SELECT name, setting, unit, sourcefile FROM pg_settings WHERE pending_restart ORDER BY name",
    },
    Query {
        name: "recovery",
        about: "whether this instance follows, how far it has replayed, and whether replay is paused",
        monitor: false,
        text: "SELECT pg_is_in_recovery() AS follows, pg_last_wal_receive_lsn()::text AS received, pg_last_wal_replay_lsn()::text AS replayed,
  CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END AS paused,
  date_trunc('second', clock_timestamp() - pg_last_xact_replay_timestamp())::text AS last_replayed_commit",
    },
    Query {
        name: "history",
        about: "the newest rows of the table statistics: when tables were last written",
        monitor: false,
        text: "SELECT schemaname || '.' || relname AS \"table\", n_live_tup AS rows, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_del AS deleted
FROM pg_stat_user_tables ORDER BY n_tup_del DESC, n_tup_upd DESC",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_is_one_that_reads_and_has_its_own_name() {
        for (n, q) in QUERIES.iter().enumerate() {
            assert_eq!(super::super::sql::wrong(q.text), None, "{}", q.name);
            assert!(QUERIES[..n].iter().all(|other| other.name != q.name), "{} twice", q.name);
        }
    }
}
