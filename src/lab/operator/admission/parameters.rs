//! PostgreSQL's parameters in a Cluster: what the operator sets, and what nobody else may.

use serde_json::Value;

/// Defaults for clusters of version 13 and newer. (`pkg/postgres/configuration.go`; recorded in 1-create)
const DEFAULTS: &[(&str, &str)] = &[
    ("archive_timeout", "5min"),
    ("dynamic_shared_memory_type", "posix"),
    ("full_page_writes", "on"),
    ("log_destination", "csvlog"),
    ("log_directory", "/controller/log"),
    ("log_filename", "postgres"),
    ("log_rotation_age", "0"),
    ("log_rotation_size", "0"),
    ("log_truncate_on_rotation", "false"),
    ("logging_collector", "on"),
    ("max_parallel_workers", "32"),
    ("max_replication_slots", "32"),
    ("max_worker_processes", "32"),
    ("shared_memory_type", "mmap"),
    ("shared_preload_libraries", ""),
    ("ssl_max_protocol_version", "TLSv1.3"),
    ("ssl_min_protocol_version", "TLSv1.3"),
    ("wal_keep_size", "512MB"),
    ("wal_level", "logical"),
    ("wal_log_hints", "on"),
    ("wal_receiver_timeout", "5s"),
    ("wal_sender_timeout", "5s"),
];

/// Parameters a user can't set to anything but the operator's own value.
const FIXED: &[&str] = &[
    "allow_system_table_mods",
    "archive_cleanup_command",
    "archive_command",
    "archive_mode",
    "bonjour",
    "bonjour_name",
    "cluster_name",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "event_source",
    "external_pid_file",
    "hba_file",
    "hot_standby",
    "ident_file",
    "jit_provider",
    "listen_addresses",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_rotation_age",
    "log_rotation_size",
    "log_truncate_on_rotation",
    "logging_collector",
    "port",
    "primary_conninfo",
    "primary_slot_name",
    "promote_trigger_file",
    "recovery_end_command",
    "recovery_min_apply_delay",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "restart_after_crash",
    "restore_command",
    "shared_preload_libraries",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_file",
    "ssl_dh_params_file",
    "ssl_ecdh_curve",
    "ssl_key_file",
    "ssl_passphrase_command",
    "ssl_passphrase_command_supports_reload",
    "ssl_prefer_server_ciphers",
    "stats_temp_directory",
    "synchronized_standby_slots",
    "synchronous_standby_names",
    "syslog_facility",
    "syslog_ident",
    "syslog_sequence_numbers",
    "syslog_split_messages",
    "temp_tablespaces",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
];

/// Fills in the parameters that aren't set.
pub fn set_defaults(parameters: &mut Value, archiving: bool) {
    let Some(map) = parameters.as_object_mut() else { return };
    for (name, value) in DEFAULTS {
        map.entry(*name).or_insert_with(|| Value::from(*value));
    }
    map.entry("archive_mode").or_insert_with(|| Value::from(if archiving { "on" } else { "off" }));
}

/// Whether a user may set a parameter to this value.
pub fn may_set(name: &str, value: &str) -> bool {
    if !FIXED.contains(&name) {
        return true;
    }
    name == "archive_mode" && matches!(value, "on" | "off")
        || DEFAULTS.iter().any(|(fixed, standard)| *fixed == name && *standard == value)
}

/// A parameter's name as PostgreSQL's configuration file spells one: a name, or two with a dot between.
pub fn is_a_name(name: &str) -> bool {
    let word = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
    };
    match name.split_once('.') {
        Some((space, name)) => word(space) && word(name),
        None => word(name),
    }
}
