//! The body of `/pg/status`: what the operator, kubectl-cnpg and howdah read from an instance.
//!
//! Field names, their order and what is left out when empty are CNPG 1.30's (`pkg/postgres/status.go`; the recordings'
//! `wire/proxy-pg-status*.http`).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::lab::postgres::Reading;

/// The version of CNPG that the instance manager behaves as.
pub const VERSION: &str = "1.30.0";

/// What the instance manager adds to the server's own reading.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The pod's name.
    pub pod: String,
    /// A hash over the configuration the server runs with.
    pub configuration_hash: String,
    /// A UUID for this run of the instance manager.
    pub session: String,
    /// `pg_rewind` runs just now.
    pub rewinding: bool,
    /// PostgreSQL is down on purpose (fenced, restarting in place): silence is no failure.
    pub excused: bool,
    /// The instance manager's executable, as a hash.
    pub executable_hash: String,
}

/// The answer while PostgreSQL answers.
pub fn answer(id: &Identity, reading: &Reading) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    if let Some(lsn) = reading.current_lsn {
        put("currentLsn", json!(lsn));
    }
    if let Some(lsn) = reading.received_lsn {
        put("receivedLsn", json!(lsn));
    }
    if let Some(lsn) = reading.replay_lsn {
        put("replayLsn", json!(lsn));
    }
    put("systemID", json!(reading.system_id));
    put("isPrimary", json!(reading.is_primary));
    put("replayPaused", json!(reading.replay_paused));
    put("pendingRestart", json!(reading.pending_restart));
    put("pendingRestartForDecrease", json!(reading.pending_restart_for_decrease));
    put("isWalReceiverActive", json!(reading.wal_receiver_active));
    put("isPgRewindRunning", json!(id.rewinding));
    put("mightBeUnavailable", json!(id.excused));
    archiver(reading, &mut put);
    put("node", json!(""));
    put("pod", json!({"metadata": {"name": id.pod}, "spec": {"containers": null}, "status": {}}));
    put("loadedConfigurationHash", json!(id.configuration_hash));
    let archive = &reading.archiver;
    if let Some(wal) = &archive.last_archived_wal {
        put("lastArchivedWAL", json!(wal));
    }
    put("lastArchivedWALTime", json!(moment(archive.last_archived_time)));
    if let Some(wal) = &archive.last_failed_wal {
        put("lastFailedWAL", json!(wal));
    }
    put("lastFailedWALTime", json!(moment(archive.last_failed_time)));
    if let Some(wal) = &reading.current_wal {
        put("currentWAL", json!(wal));
    }
    if reading.is_primary && reading.ready_wal_files > 0 {
        put("readyWalFiles", json!(reading.ready_wal_files));
    }
    put("timeLineID", json!(reading.timeline));
    primary_lists(reading, &mut put);
    put("executableHash", json!(id.executable_hash));
    put("instanceManagerVersion", json!(VERSION));
    put("instanceArch", json!(architecture()));
    put("isInstanceManagerUpgrading", json!(false));
    put("sessionID", json!(id.session));
    put("isPodReady", json!(false));
    Value::Object(out)
}

fn archiver(reading: &Reading, put: &mut impl FnMut(&str, Value)) {
    if reading.archiver.is_archiving {
        put("isArchivingWAL", json!(true));
    }
}

fn primary_lists(reading: &Reading, put: &mut impl FnMut(&str, Value)) {
    if !reading.is_primary {
        return;
    }
    if !reading.replication.is_empty() {
        let rows = reading.replication.iter().map(|s| {
            json!({
                "applicationName": s.application_name, "state": s.state, "receivedLsn": s.sent_lsn,
                "writeLsn": s.write_lsn, "flushLsn": s.flush_lsn, "replayLsn": s.replay_lsn,
                "writeLag": s.write_lag, "flushLag": s.flush_lag, "replayLag": s.replay_lag,
                "syncState": s.sync_state, "syncPriority": s.sync_priority.to_string(),
            })
        });
        put("replicationInfo", rows.map(without_nulls).collect());
    }
    if !reading.slots.is_empty() {
        let rows = reading.slots.iter().map(|s| {
            json!({
                "slotName": s.name, "plugin": s.plugin, "slotType": s.slot_type, "database": s.database,
                "restartLsn": s.restart_lsn, "walStatus": s.wal_status, "safeWalSize": s.safe_wal_size,
                "active": s.active,
            })
        });
        put("replicationSlotsInfo", rows.map(without_nulls).collect());
    }
    if !reading.base_backups.is_empty() {
        let rows = reading.base_backups.iter().map(|b| {
            json!({
                "usename": b.usename, "application_name": b.application_name,
                "backend_start": b.backend_start.map(|t| t.to_string()), "phase": b.phase,
                "backup_total": b.backup_total, "backup_streamed": b.backup_streamed,
                "tablespaces_total": b.tablespaces_total, "tablespaces_streamed": b.tablespaces_streamed,
            })
        });
        put("pgStatBasebackupsInfo", rows.map(without_nulls).collect());
    }
}

/// The answer of an instance whose PostgreSQL is down on purpose. `error` is what connecting to it said.
pub fn excused(id: &Identity, error: &str) -> Value {
    json!({
        "systemID": "", "isPrimary": false, "replayPaused": false, "pendingRestart": false,
        "pendingRestartForDecrease": false, "isWalReceiverActive": false, "isPgRewindRunning": id.rewinding,
        "mightBeUnavailable": true, "node": "",
        "pod": {"metadata": {"name": id.pod}, "spec": {"containers": null}, "status": {}},
        "mightBeUnavailableMaskedError": error, "executableHash": id.executable_hash,
        "instanceManagerVersion": VERSION, "instanceArch": architecture(), "isInstanceManagerUpgrading": false,
        "sessionID": "", "isPodReady": false,
    })
}

/// PostgreSQL's text of a moment that may never have been: `-infinity`, as CNPG's query has it.
fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-infinity".to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

fn without_nulls(mut row: Value) -> Value {
    if let Some(fields) = row.as_object_mut() {
        fields.retain(|_, v| !v.is_null());
    }
    row
}

/// Go's name for this machine's processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// How a connection to the instance's socket fails, in the words of CNPG's driver. `state` is what the server said.
pub fn connection_error(state: Silence) -> String {
    let socket = "/controller/run/.s.PGSQL.5432";
    let what = match state {
        Silence::NoSocket => format!("dial error: dial unix {socket}: connect: no such file or directory"),
        Silence::StartingUp => fatal("the database system is starting up", "57P03"),
        Silence::ShuttingDown => fatal("the database system is shutting down", "57P03"),
        Silence::TooSlow => "timeout: context deadline exceeded".to_owned(),
    };
    format!("failed to connect to `user=postgres database=postgres`: {socket} (/controller/run): {what}")
}

fn fatal(message: &str, code: &str) -> String {
    format!("server error: FATAL: {message} (SQLSTATE {code})")
}

/// Why a server does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// No postmaster.
    NoSocket,
    /// It recovers, or has just started.
    StartingUp,
    /// It was asked to stop.
    ShuttingDown,
    /// It does not say anything in time.
    TooSlow,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::postgres::status::{Archiver, Sender, SlotReading};

    fn identity() -> Identity {
        Identity { pod: "demo-1".to_owned(), session: "s".to_owned(), ..Identity::default() }
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_primary_answers_with_the_fields_of_the_real_one() {
        let reading = Reading {
            system_id: "7710389708369129491".to_owned(),
            is_primary: true,
            current_lsn: Some("0/E000110".parse().unwrap()),
            current_wal: Some("00000003000000000000000E".to_owned()),
            timeline: 3,
            archiver: Archiver {
                is_archiving: true,
                last_archived_wal: Some("00000003000000000000000D".to_owned()),
                last_archived_time: Some("2026-11-20T23:06:20.656989Z".parse().unwrap()),
                ..Archiver::default()
            },
            replication: vec![Sender {
                application_name: "demo-2".to_owned(),
                sync_state: "quorum".to_owned(),
                ..Sender::default()
            }],
            slots: vec![SlotReading { name: "_cnpg_demo_2".to_owned(), active: true, ..SlotReading::default() }],
            ..Reading::default()
        };
        let mut seen = answer(&identity(), &reading);
        let mut wanted: Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/wire/pg-status-primary.json")).unwrap();
        assert_eq!(seen["lastArchivedWALTime"], wanted["lastArchivedWALTime"]);
        assert_eq!(seen["lastFailedWALTime"], "-infinity");
        let (mut ours, mut theirs) = (keys(&seen), keys(&wanted));
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
        for list in ["replicationInfo", "replicationSlotsInfo"] {
            let row = |v: &mut Value| v[list][0].take();
            let known = row(&mut wanted);
            for key in keys(&row(&mut seen)) {
                assert!(known.get(key).is_some(), "{list}.{key}");
            }
        }
    }

    #[test]
    fn a_standby_shows_what_it_received_and_no_lists() {
        let reading = Reading {
            received_lsn: Some("0/E000110".parse().unwrap()),
            replay_lsn: Some("0/E000110".parse().unwrap()),
            wal_receiver_active: true,
            timeline: 3,
            ..Reading::default()
        };
        let seen = answer(&identity(), &reading);
        let wanted: Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/wire/pg-status-replica.json")).unwrap();
        let (mut ours, mut theirs) = (keys(&seen), keys(&wanted));
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_fenced_instance_is_excused_and_says_what_it_masks() {
        let seen = excused(&identity(), &connection_error(Silence::NoSocket));
        assert_eq!(seen["mightBeUnavailable"], true);
        assert!(seen["mightBeUnavailableMaskedError"].as_str().unwrap().ends_with("no such file or directory"));
        assert_eq!(seen.get("timeLineID"), None);
    }
}
