//! What a server reads at its start: the files CNPG writes, with CNPG's values where a lab has no reason to differ.
//!
//! `postgresql.conf` (initdb's own) includes `custom.conf` (parameters) and `override.conf` (replication), as in a CNPG
//! pod. Source: `cnpg:pkg/postgres/configuration.go`. They are written before every start: a clone and a rewind bring
//! the other server's.

use std::{collections::BTreeMap, fs, io, net::SocketAddr, path::PathBuf, sync::PoisonError};

use super::{Server, Start};
use crate::{
    lab::postgres::{log, slots::slot_name},
    problem::Problem,
};

const INCLUDES: &str = "# Written by the lab. What follows wins.\ninclude 'custom.conf'\ninclude 'override.conf'\n";

/// The socket is in a folder that only this lab's accounts can enter; everything else proves itself.
const HBA: &str = "\
local all all trust
local replication all trust
hostssl postgres streaming_replica all cert
hostssl replication streaming_replica all cert
host all all all scram-sha-256
";

/// CNPG's values, and the lab's own where a comment says why.
const DEFAULTS: [(&str, &str); 35] = [
    ("archive_mode", "on"),
    ("archive_timeout", "5min"),
    ("full_page_writes", "on"),
    ("hot_standby", "on"),
    ("max_parallel_workers", "32"),
    ("max_replication_slots", "32"),
    ("max_worker_processes", "32"),
    ("restart_after_crash", "off"),
    ("shared_memory_type", "mmap"),
    // Under the data directory, not in /dev/shm: a killed server leaves nothing on the machine.
    ("dynamic_shared_memory_type", "mmap"),
    ("ssl", "on"),
    ("ssl_min_protocol_version", "TLSv1.3"),
    ("ssl_max_protocol_version", "TLSv1.3"),
    ("password_encryption", "scram-sha-256"),
    ("wal_level", "logical"),
    ("wal_log_hints", "on"),
    ("wal_sender_timeout", "5s"),
    ("wal_receiver_timeout", "5s"),
    ("recovery_target_timeline", "latest"),
    ("log_destination", "stderr"),
    // The lab reads the server's standard error itself.
    ("logging_collector", "off"),
    ("log_line_prefix", log::PREFIX),
    ("log_timezone", "UTC"),
    ("timezone", "UTC"),
    ("unix_socket_permissions", "0700"),
    // Small: many servers share a laptop.
    ("shared_buffers", "16MB"),
    ("huge_pages", "off"),
    ("max_connections", "100"),
    ("wal_keep_size", "32MB"),
    ("min_wal_size", "32MB"),
    ("max_wal_size", "256MB"),
    ("autovacuum_max_workers", "1"),
    // A standby that lost its primary asks again at once: the lab's failovers are quick.
    ("wal_retrieve_retry_interval", "500ms"),
    ("jit", "off"),
    ("listen_addresses", "127.0.0.1"),
];

impl Server {
    pub(super) fn certificates(&self) -> PathBuf {
        self.home.join("certificates")
    }

    /// Certificates lie beside the data directory, as in a CNPG pod: a clone must not bring another's.
    pub(super) fn write_certificates(&self) -> Result<(), Problem> {
        let (account, folder, given) = (&self.machine.account, self.certificates(), &self.spec.certificates);
        let write = || -> io::Result<()> {
            account.make_folder(&self.home)?;
            account.make_folder(&folder)?;
            let files = [
                ("ca.crt", &given.ca_cert),
                ("server.crt", &given.server_cert),
                ("server.key", &given.server_key),
                ("streaming_replica.crt", &given.replication_cert),
                ("streaming_replica.key", &given.replication_key),
            ];
            files.iter().try_for_each(|(name, text)| account.write(&folder.join(name), text, 0o600))
        };
        write().map_err(|e| self.problem("its certificates can't be written").because(e))
    }

    /// Everything the postmaster reads but the port.
    pub(super) fn configure(&self, how: &Start) -> Result<(), Problem> {
        let write = || -> io::Result<()> {
            let account = &self.machine.account;
            let main = self.data.join("postgresql.conf");
            let text = fs::read_to_string(&main).unwrap_or_default();
            if !text.ends_with(INCLUDES) {
                account.write(&main, &format!("{text}\n{INCLUDES}"), 0o600)?;
            }
            account.write(&self.data.join("pg_hba.conf"), HBA, 0o600)?;
            self.write_custom()?;
            let signal = self.data.join("standby.signal");
            let replication = match how {
                Start::Primary => {
                    let _ = fs::remove_file(&signal);
                    render(&self.restore())
                }
                Start::Standby { upstream } => {
                    account.write(&signal, "", 0o600)?;
                    self.replication(*upstream)
                }
                Start::Recovery { settings } => {
                    self.signal_recovery()?;
                    render(&settings.iter().cloned().collect())
                }
            };
            account.write(&self.data.join("override.conf"), &replication, 0o600)
        };
        write().map_err(|e| self.problem("its configuration can't be written").because(e))
    }

    /// `custom.conf` from the parameters it has now.
    pub(super) fn write_custom(&self) -> io::Result<()> {
        let mut settings: BTreeMap<String, String> =
            DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        settings.extend(self.own_settings());
        settings.extend(self.parameters.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        self.machine.account.write(&self.data.join("custom.conf"), &render(&settings), 0o600)
    }

    fn own_settings(&self) -> Vec<(String, String)> {
        let certificate = |name: &str| self.certificates().join(name).to_string_lossy().into_owned();
        let archive = self.spec.store.as_ref().map_or("/bin/true".to_owned(), |s| s.archive_command(&self.machine));
        [
            ("cluster_name", self.spec.instance.clone()),
            ("archive_command", archive),
            ("ssl_ca_file", certificate("ca.crt")),
            ("ssl_cert_file", certificate("server.crt")),
            ("ssl_key_file", certificate("server.key")),
            ("unix_socket_directories", self.machine.sockets().to_string_lossy().into_owned()),
            ("fsync", if self.machine.options.fsync { "on" } else { "off" }.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn replication(&self, upstream: SocketAddr) -> String {
        let mut settings = self.restore();
        settings.insert("primary_conninfo".to_owned(), self.conninfo(upstream, &self.spec.instance));
        settings.insert("primary_slot_name".to_owned(), slot_name(&self.spec.instance));
        render(&settings)
    }

    /// A primary does not restore, but `pg_rewind` asks it for this.
    fn restore(&self) -> BTreeMap<String, String> {
        let store = self.spec.store.iter();
        store.map(|store| ("restore_command".to_owned(), store.restore_command(&self.machine))).collect()
    }

    /// How this server's side connects to the primary: as `streaming_replica`, by certificate. Holds no secret.
    pub(super) fn conninfo(&self, upstream: SocketAddr, application_name: &str) -> String {
        let file = |name: &str| {
            let path = self.certificates().join(name).to_string_lossy().into_owned();
            format!("'{}'", path.replace('\\', r"\\").replace('\'', r"\'"))
        };
        format!(
            "host={} port={} user=streaming_replica dbname=postgres application_name={application_name} sslmode=verify-ca \
             sslrootcert={} sslcert={} sslkey={} connect_timeout=10",
            upstream.ip(),
            upstream.port(),
            file("ca.crt"),
            file("streaming_replica.crt"),
            file("streaming_replica.key"),
        )
    }
}

/// `name = 'value'` lines, quoted as `postgresql.conf` wants it. A name that is none is left out: it comes from a
/// manifest, and must not become another setting.
fn render(settings: &BTreeMap<String, String>) -> String {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    settings
        .iter()
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| {
            let value = value.replace('\'', "''").replace('\n', " ");
            // Only the prefix of log lines means its backslashes.
            let value = if name == "log_line_prefix" { value } else { value.replace('\\', r"\\") };
            format!("{name} = '{value}'\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_strange_names_left_out() {
        let settings = [("a.b", r"it's \n"), ("log_line_prefix", r"\037%m"), ("x = 1\ny", "1"), ("", "2")];
        let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(render(&settings), "a.b = 'it''s \\\\n'\nlog_line_prefix = '\\037%m'\n");
    }

    #[test]
    fn no_setting_twice() {
        let names: std::collections::BTreeSet<_> = DEFAULTS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), DEFAULTS.len());
    }
}
