-- Everything CNPG's /pg/status says about a server, as one JSON value.
-- $CLUSTER: a pattern of the standbys' names, as cnpg:pkg/management/postgres/probes.go has it.
with r as (select pg_is_in_recovery() as standby)
select json_build_object(
  'system_id', (select system_identifier::text from pg_control_system()),
  'is_primary', not standby,
  'current_lsn', case when not standby then pg_current_wal_lsn()::text end,
  'received_lsn', case when standby then pg_last_wal_receive_lsn()::text end,
  'replay_lsn', case when standby then pg_last_wal_replay_lsn()::text end,
  'replay_paused', case when standby then pg_is_wal_replay_paused() else false end,
  'pending_restart', exists (select from pg_settings where pending_restart),
  'pending_restart_for_decrease', exists (
    select from pg_settings s join pg_file_settings f on f.name = s.name and f.error is not null
    where s.pending_restart and f.setting ~ '^[0-9]+$' and s.setting ~ '^[0-9]+$' and f.setting::bigint < s.setting::bigint
      and s.name in ('max_connections', 'max_prepared_transactions', 'max_wal_senders', 'max_worker_processes',
                     'max_locks_per_transaction')),
  'wal_receiver_active', exists (select from pg_stat_wal_receiver),
  'received_timeline', (select received_tli from pg_stat_wal_receiver),
  'timeline', (select timeline_id from pg_control_checkpoint()),
  'current_wal', case when not standby then pg_walfile_name(pg_current_wal_lsn()) end,
  'ready_wal_files', (select count(*) from pg_ls_archive_statusdir() where name like '%.ready'),
  'archiver', (
    select json_build_object(
      'archived_count', archived_count, 'last_archived_wal', last_archived_wal, 'last_archived_time', last_archived_time,
      'failed_count', failed_count, 'last_failed_wal', last_failed_wal, 'last_failed_time', last_failed_time,
      'is_archiving', coalesce(last_archived_time, '-infinity') > coalesce(last_failed_time, '-infinity'))
    from pg_stat_archiver),
  'replication', coalesce((
    select json_agg(json_build_object(
      'application_name', application_name, 'state', coalesce(state, ''), 'sent_lsn', sent_lsn::text,
      'write_lsn', write_lsn::text, 'flush_lsn', flush_lsn::text, 'replay_lsn', replay_lsn::text,
      'write_lag', coalesce(write_lag, '0'::interval)::text, 'flush_lag', coalesce(flush_lag, '0'::interval)::text,
      'replay_lag', coalesce(replay_lag, '0'::interval)::text, 'sync_state', coalesce(sync_state, ''),
      'sync_priority', coalesce(sync_priority, 0)) order by application_name)
    from pg_stat_replication where application_name ~ '$CLUSTER' and usename = 'streaming_replica'), '[]'),
  'slots', coalesce((
    select json_agg(json_build_object(
      'name', slot_name, 'plugin', plugin, 'slot_type', slot_type, 'database', database, 'restart_lsn', restart_lsn::text,
      'wal_status', wal_status, 'safe_wal_size', safe_wal_size, 'active', active) order by slot_name)
    from pg_replication_slots where not temporary and not standby), '[]'),
  'base_backups', coalesce((
    select json_agg(json_build_object(
      'usename', usename, 'application_name', application_name, 'backend_start', backend_start, 'phase', phase,
      'backup_total', backup_total, 'backup_streamed', backup_streamed, 'tablespaces_total', tablespaces_total,
      'tablespaces_streamed', tablespaces_streamed))
    from pg_stat_progress_basebackup b join pg_stat_activity a on a.pid = b.pid
    where application_name ~ '-join$'), '[]'))
from r
