//! `/metrics` on port 9187, under CNPG's metric names, read from the server when asked.
//!
//! Names and help texts' meaning: CNPG's collector (`cnpg_collector_*`) and its default monitoring queries
//! (`cnpg_pg_*`). A query that fails is left out and counted in `cnpg_collector_last_collection_error`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::{Instance, Intent, PATIENCE};
use crate::lab::postgres::sql::Row;

/// One query whose columns become metrics: `cnpg_<name>_<column>`.
struct Query {
    name: &'static str,
    sql: &'static str,
    labels: &'static [&'static str],
    counters: &'static [&'static str],
    /// The PostgreSQL major versions it runs on.
    versions: std::ops::Range<u32>,
}

const ALL: std::ops::Range<u32> = 13..u32::MAX;

const QUERIES: &[Query] = &[
    Query {
        name: "backends",
        sql: "select coalesce(datname, '') as datname, coalesce(usename, '') as usename, application_name, state, \
              count(*) as total, coalesce(max(extract(epoch from now() - xact_start)), 0) as max_tx_duration_seconds \
              from pg_stat_activity where usename is not null and state is not null group by 1, 2, 3, 4",
        labels: &["datname", "usename", "application_name", "state"],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "backends_waiting",
        sql: "select count(distinct pid) as total from pg_locks where not granted",
        labels: &[],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "pg_database",
        sql: "select datname, pg_database_size(datname) as size_bytes, age(datfrozenxid) as xid_age, \
              mxid_age(datminmxid) as mxid_age from pg_database where datallowconn",
        labels: &["datname"],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "pg_postmaster",
        sql: "select extract(epoch from pg_postmaster_start_time()) as start_time",
        labels: &[],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "pg_replication",
        sql: "select case when not pg_is_in_recovery() or pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0 \
              else greatest(0, extract(epoch from now() - pg_last_xact_replay_timestamp())) end as lag, \
              pg_is_in_recovery()::int as in_recovery, \
              (select count(*) from pg_stat_wal_receiver) as is_wal_receiver_up, \
              (select count(*) from pg_stat_replication) as streaming_replicas",
        labels: &[],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "pg_replication_slots",
        sql: "select slot_name, slot_type, coalesce(database, '') as database, active::int as active, \
              pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() \
              else pg_current_wal_lsn() end, restart_lsn) as pg_wal_lsn_diff \
              from pg_replication_slots where not temporary",
        labels: &["slot_name", "slot_type", "database"],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "pg_stat_archiver",
        sql: "select archived_count, failed_count, \
              coalesce(extract(epoch from now() - last_archived_time), -1) as seconds_since_last_archival, \
              coalesce(extract(epoch from now() - last_failed_time), -1) as seconds_since_last_failure, \
              coalesce(extract(epoch from last_archived_time), -1) as last_archived_time, \
              coalesce(extract(epoch from last_failed_time), -1) as last_failed_time, \
              coalesce(('x' || right(split_part(last_archived_wal, '.', 1), 16))::bit(64)::int8, -1) \
              as last_archived_wal_start_lsn, \
              coalesce(('x' || right(split_part(last_failed_wal, '.', 1), 16))::bit(64)::int8, -1) \
              as last_failed_wal_start_lsn, extract(epoch from stats_reset) as stats_reset_time \
              from pg_stat_archiver where not pg_is_in_recovery()",
        labels: &[],
        counters: &["archived_count", "failed_count"],
        versions: ALL,
    },
    Query {
        name: "pg_stat_bgwriter",
        sql: "select checkpoints_timed, checkpoints_req, checkpoint_write_time, checkpoint_sync_time, \
              buffers_checkpoint, buffers_clean, maxwritten_clean, buffers_backend, buffers_alloc from pg_stat_bgwriter",
        labels: &[],
        counters: &[
            "checkpoints_timed",
            "checkpoints_req",
            "checkpoint_write_time",
            "checkpoint_sync_time",
            "buffers_checkpoint",
            "buffers_clean",
            "maxwritten_clean",
            "buffers_backend",
            "buffers_alloc",
        ],
        versions: 13..17,
    },
    Query {
        name: "pg_stat_database",
        sql: "select coalesce(datname, '') as datname, xact_commit, xact_rollback, blks_read, blks_hit, tup_returned, \
              tup_fetched, tup_inserted, tup_updated, tup_deleted, conflicts, temp_files, temp_bytes, deadlocks, \
              blk_read_time, blk_write_time from pg_stat_database where datname is not null",
        labels: &["datname"],
        counters: &[
            "xact_commit",
            "xact_rollback",
            "blks_read",
            "blks_hit",
            "tup_returned",
            "tup_fetched",
            "tup_inserted",
            "tup_updated",
            "tup_deleted",
            "conflicts",
            "temp_files",
            "temp_bytes",
            "deadlocks",
            "blk_read_time",
            "blk_write_time",
        ],
        versions: ALL,
    },
    Query {
        name: "pg_stat_replication",
        sql: "select usename, application_name, coalesce(client_addr::text, '') as client_addr, \
              coalesce(client_port::text, '') as client_port, \
              pg_wal_lsn_diff(pg_current_wal_lsn(), sent_lsn) as sent_diff_bytes, \
              pg_wal_lsn_diff(pg_current_wal_lsn(), write_lsn) as write_diff_bytes, \
              pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn) as flush_diff_bytes, \
              coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0) as replay_diff_bytes, \
              coalesce(extract(epoch from write_lag), 0) as write_lag_seconds, \
              coalesce(extract(epoch from flush_lag), 0) as flush_lag_seconds, \
              coalesce(extract(epoch from replay_lag), 0) as replay_lag_seconds \
              from pg_stat_replication where not pg_is_in_recovery()",
        labels: &["usename", "application_name", "client_addr", "client_port"],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "collector",
        sql: "select wal_records, wal_fpi, wal_bytes, wal_buffers_full, stats_reset::text as stats_reset from pg_stat_wal",
        labels: &["stats_reset"],
        counters: &[],
        versions: 14..u32::MAX,
    },
    Query {
        name: "collector",
        sql: "select v.value, v.pg_wal from (select count(*) as n, coalesce(sum(size), 0) as size from pg_ls_waldir() \
              where name ~ '^[0-9A-F]{24}$') w, lateral (values ('count', w.n::numeric), ('size', w.size), \
              ('min', (select setting::numeric from pg_settings where name = 'min_wal_size')), \
              ('max', (select setting::numeric from pg_settings where name = 'max_wal_size')), \
              ('keep', (select setting::numeric from pg_settings where name = 'wal_keep_size'))) v(value, pg_wal)",
        labels: &["value"],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "collector",
        sql: "select k as value, count(f.name) as pg_wal_archive_status from unnest(array['ready', 'done']) k \
              left join pg_ls_archive_statusdir() f on f.name like '%.' || k group by 1",
        labels: &["value"],
        counters: &[],
        versions: ALL,
    },
    Query {
        name: "collector",
        sql: "select v.value, v.sync_replicas from (select substring(current_setting('synchronous_standby_names') \
              from '^(?:ANY|FIRST) ([0-9]+)') as n) s, lateral (values ('expected', coalesce(s.n::int, 0)), \
              ('observed', (select count(*)::int from pg_stat_replication where sync_state in ('sync', 'quorum')))) \
              v(value, sync_replicas) where not pg_is_in_recovery()",
        labels: &["value"],
        counters: &[],
        versions: ALL,
    },
];

impl Instance {
    /// The whole page.
    pub async fn metrics(self: &Arc<Self>) -> String {
        let begun = Instant::now();
        let mut page = Page::default();
        let fenced = self.shared().intent == Intent::Fenced;
        page.gauge("collector_fencing_on", &[], if fenced { "1" } else { "0" });
        let view = self.view();
        page.gauge("collector_manual_switchover_required", &[], "0");
        page.gauge("collector_replica_mode", &[], "0");
        page.gauge("collector_nodes_used", &[], &view.nodes_used.unwrap_or(-1).to_string());
        let cluster = ("cluster", self.setup.cluster.as_str());
        let names = ["first_recoverability_point", "last_available_backup_timestamp", "last_failed_backup_timestamp"];
        for (name, at) in names.iter().zip(&view.backups) {
            let at = at.as_ref().and_then(|t| t.parse::<Timestamp>().ok());
            page.gauge(&format!("collector_{name}"), &[], &at.map_or(0, Timestamp::as_second).to_string());
        }
        if fenced {
            return page.text;
        }
        let up = self.server.pid().is_some() && self.server.sql().rows("postgres", "select 1", PATIENCE).await.is_ok();
        page.gauge("collector_up", &[cluster], if up { "1" } else { "0" });
        let failed = if up { self.queries(&mut page).await } else { true };
        page.gauge("collector_last_collection_error", &[], if failed { "1" } else { "0" });
        let binaries = &self.setup.machine.binaries;
        let version = binaries.version();
        page.gauge("collector_postgres_version", &[cluster, ("full", &version)], &version);
        let took = begun.elapsed().as_secs_f64();
        page.gauge("collector_collection_duration_seconds", &[("collector", "Collect.up")], &took.to_string());
        page.text
    }

    /// Runs all queries that this version has. Says whether one failed.
    async fn queries(&self, page: &mut Page) -> bool {
        let major = self.setup.machine.binaries.major;
        let mut failed = false;
        for query in QUERIES.iter().filter(|q| q.versions.contains(&major)) {
            match self.server.sql().rows("postgres", query.sql, PATIENCE).await {
                Ok(rows) => page.rows(query, &rows),
                Err(_) => failed = true,
            }
        }
        failed
    }
}

/// The page in Prometheus' text format.
#[derive(Default)]
struct Page {
    text: String,
    typed: std::collections::BTreeSet<String>,
}

impl Page {
    fn gauge(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.put(name, "gauge", labels, value);
    }

    fn put(&mut self, name: &str, kind: &str, labels: &[(&str, &str)], value: &str) {
        let name = format!("cnpg_{name}");
        if self.typed.insert(name.clone()) {
            // Writing to a String can't fail.
            let _ = writeln!(self.text, "# TYPE {name} {kind}");
        }
        let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }

    /// The rows of a query, column by column, so that the samples of a metric stand together.
    fn rows(&mut self, query: &Query, rows: &[Row]) {
        let Some(first) = rows.first() else { return };
        for column in first.keys().filter(|c| !query.labels.contains(&c.as_str())) {
            let kind = if query.counters.contains(&column.as_str()) { "counter" } else { "gauge" };
            for row in rows {
                let Some(Some(value)) = row.get(column) else { continue };
                let text = |key: &str| row.get(key).and_then(|v| v.as_deref()).unwrap_or_default();
                let labels: Vec<(&str, &str)> = query.labels.iter().map(|key| (*key, text(key))).collect();
                self.put(&format!("{}_{column}", query.name), kind, &labels, value);
            }
        }
    }
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_samples_with_labels_and_one_type_line_each() {
        let row = |slot: &str, bytes: Option<&str>| {
            Row::from([
                ("slot_name".to_owned(), Some(slot.to_owned())),
                ("pg_wal_lsn_diff".to_owned(), bytes.map(str::to_owned)),
            ])
        };
        let query = QUERIES.iter().find(|q| q.name == "pg_replication_slots").unwrap();
        let query = Query { labels: &["slot_name"], sql: query.sql, versions: query.versions.clone(), ..*query };
        let mut page = Page::default();
        page.rows(&query, &[row("_cnpg_demo_2", Some("120")), row("a\"b", Some("0")), row("gone", None)]);
        assert_eq!(
            page.text,
            "# TYPE cnpg_pg_replication_slots_pg_wal_lsn_diff gauge\n\
             cnpg_pg_replication_slots_pg_wal_lsn_diff{slot_name=\"_cnpg_demo_2\"} 120\n\
             cnpg_pg_replication_slots_pg_wal_lsn_diff{slot_name=\"a\\\"b\"} 0\n"
        );
    }
}
