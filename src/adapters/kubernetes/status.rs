//! The answer of `/pg/status` → what it says. Source: cloudnative-pg `pkg/postgres/status.go` and `probes.go`.

use jiff::SignedDuration;
use serde_json::Value;
use std::str::FromStr;

use super::read::{at, count, flag, list, parse_time, raw, text};
use crate::domain::replication::{Slot, Standby};
use crate::domain::sample::{InstanceStatus, Silence, SilenceKind};
use crate::text::{clean, shorten};

/// Reads an answer of `GET …/pods/<scheme>:<pod>:8000/proxy/pg/status`: its HTTP status and body.
///
/// 500 is PostgreSQL's own error (shutting down, starting up), 502 to 504 and 404 the proxy's (nobody listens there), 401
/// and 403 the API server's.
pub fn read(http: u16, body: &[u8]) -> Result<InstanceStatus, Silence> {
    let silence = |kind| Err(Silence { kind, why: why(http, body) });
    match http {
        200..=299 => match serde_json::from_slice::<Value>(body) {
            Ok(v) if v.is_object() => Ok(status(&v)),
            Ok(_) => {
                Err(Silence { kind: SilenceKind::Garbled, why: "/pg/status answered, but not with an object".into() })
            }
            Err(e) => {
                Err(Silence { kind: SilenceKind::Garbled, why: clean(&format!("/pg/status can't be read: {e}")) })
            }
        },
        401 | 403 => silence(SilenceKind::Forbidden),
        404 | 502..=504 => silence(SilenceKind::Unreachable),
        _ => silence(SilenceKind::NotServing),
    }
}

/// The error in words: of a Kubernetes Status its message, of PostgreSQL the part that says what is wrong.
pub fn why(http: u16, body: &[u8]) -> String {
    let said = String::from_utf8_lossy(body);
    let said = match serde_json::from_slice::<Value>(body) {
        Ok(v) => raw(&v, &["message"]).map(str::to_owned).unwrap_or_else(|| said.into_owned()),
        Err(_) => said.into_owned(),
    };
    let short = ["server error: ", "dial error: "].iter().find_map(|cut| said.split_once(cut).map(|(_, s)| s));
    let short = clean(short.unwrap_or(&said).trim());
    if short.is_empty() { format!("HTTP {http}") } else { shorten(&short, 200) }
}

fn status(v: &Value) -> InstanceStatus {
    let lsn = |field| parsed(v, field);
    let boolean = |field| at(v, &[field]).and_then(Value::as_bool);
    let wal = |name, time| text(v, &[name]).map(|n| (n, raw(v, &[time]).and_then(parse_time)));
    InstanceStatus {
        is_primary: boolean("isPrimary"),
        current: lsn("currentLsn"),
        received: lsn("receivedLsn"),
        replayed: lsn("replayLsn"),
        timeline: count(v, &["timeLineID"]).filter(|t| *t > 0),
        system_id: text(v, &["systemID"]),
        replay_paused: flag(v, &["replayPaused"]),
        pending_restart: flag(v, &["pendingRestart"]),
        receiver_active: boolean("isWalReceiverActive"),
        rewinding: flag(v, &["isPgRewindRunning"]),
        might_be_unavailable: flag(v, &["mightBeUnavailable"]).then(|| {
            let hidden = raw(v, &["mightBeUnavailableMaskedError"]).unwrap_or_default();
            let short = hidden.rsplit("server error: ").next().and_then(|s| s.rsplit("dial error: ").next());
            shorten(&clean(short.unwrap_or_default()), 200)
        }),
        is_archiving: boolean("isArchivingWAL"),
        last_archived: wal("lastArchivedWAL", "lastArchivedWALTime"),
        last_failed: wal("lastFailedWAL", "lastFailedWALTime"),
        current_wal: text(v, &["currentWAL"]),
        ready_wal_files: at(v, &["readyWalFiles"]).and_then(Value::as_u64),
        standbys: at(v, &["replicationInfo"]).and_then(Value::as_array).map(|a| a.iter().filter_map(standby).collect()),
        slots: at(v, &["replicationSlotsInfo"]).and_then(Value::as_array).map(|a| a.iter().filter_map(slot).collect()),
        manager_version: text(v, &["instanceManagerVersion"]),
        cloning: list(v, &["pgStatBasebackupsInfo"]).len().try_into().unwrap_or(u32::MAX),
    }
}

fn parsed<T: FromStr>(v: &Value, field: &str) -> Option<T> {
    raw(v, &[field])?.parse().ok()
}

/// A row of `pg_stat_replication`. Its `receivedLsn` is `sent_lsn`.
fn standby(v: &Value) -> Option<Standby> {
    Some(Standby {
        name: text(v, &["applicationName"])?,
        state: text(v, &["state"]),
        sent: parsed(v, "receivedLsn"),
        write: parsed(v, "writeLsn"),
        flush: parsed(v, "flushLsn"),
        replay: parsed(v, "replayLsn"),
        write_lag: interval(v, "writeLag"),
        flush_lag: interval(v, "flushLag"),
        replay_lag: interval(v, "replayLag"),
        sync: parsed(v, "syncState"),
        priority: parsed(v, "syncPriority").or_else(|| at(v, &["syncPriority"])?.as_i64()?.try_into().ok()),
        address: text(v, &["clientAddr"]),
    })
}

fn interval(v: &Value, field: &str) -> Option<SignedDuration> {
    parse_interval(raw(v, &[field])?)
}

/// PostgreSQL's `interval` as text: `[-][n days ]hh:mm:ss[.ffffff]`.
pub fn parse_interval(text: &str) -> Option<SignedDuration> {
    let (days, clock) = match text.trim().rsplit_once(' ') {
        Some((days, clock)) => {
            let mut words = days.split_whitespace();
            let n: i64 = words.next()?.parse().ok()?;
            (words.next()?.starts_with("day") && words.next().is_none()).then_some((n, clock))?
        }
        None => (0, text.trim()),
    };
    let (negative, clock) = clock.strip_prefix('-').map_or((false, clock), |c| (true, c));
    let mut parts = clock.split(':');
    let hours: i64 = parts.next()?.parse().ok().filter(|h| *h >= 0)?;
    let minutes: i64 = parts.next()?.parse().ok().filter(|m| (0..60).contains(m))?;
    let seconds: f64 = parts.next()?.parse().ok().filter(|s| (0.0..61.0).contains(s))?;
    if parts.next().is_some() {
        return None;
    }
    let whole = hours.checked_mul(3600)?.checked_add(minutes * 60)?;
    let clock = SignedDuration::from_secs(whole).checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?)?;
    let clock = if negative { clock.checked_neg()? } else { clock };
    SignedDuration::from_secs(days.checked_mul(86_400)?).checked_add(clock)
}

fn slot(v: &Value) -> Option<Slot> {
    Some(Slot {
        name: text(v, &["slotName"])?,
        kind: text(v, &["slotType"]).unwrap_or_default(),
        active: flag(v, &["active"]),
        restart: parsed(v, "restartLsn"),
        wal_status: text(v, &["walStatus"]),
        safe_wal_size: at(v, &["safeWalSize"]).and_then(Value::as_i64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_primary_of_cnpg_1_30() {
        let body = br#"{"currentLsn":"0/6057CB0","systemID":"77","isPrimary":true,"isWalReceiverActive":false,
          "isArchivingWAL":true,"lastArchivedWAL":"000000010000000000000005.00000028.backup",
          "lastArchivedWALTime":"2026-11-20T22:50:35.570623Z","lastFailedWALTime":"-infinity","timeLineID":1,
          "replicationInfo":[{"applicationName":"demo-2","state":"streaming","receivedLsn":"0/6057CB0",
          "flushLsn":"0/6057CB0","replayLag":"00:00:00.023366","syncState":"async","syncPriority":"0"}],
          "replicationSlotsInfo":[{"slotName":"_cnpg_demo_2","slotType":"physical","restartLsn":"0/6057CB0",
          "walStatus":"reserved","active":true}]}"#;
        let s = read(200, body).unwrap();
        assert_eq!((s.is_primary, s.timeline, s.current), (Some(true), Some(1), "0/6057CB0".parse().ok()));
        let row = &s.standbys.as_ref().unwrap()[0];
        assert_eq!((row.replay_lag, row.priority), (Some(SignedDuration::from_micros(23_366)), Some(0)));
        assert_eq!(row.write, None, "a missing field is unknown, not zero");
        assert!(s.slots.unwrap()[0].active && s.last_failed.is_none() && s.last_archived.unwrap().1.is_some());
    }

    #[test]
    fn silences_are_told_apart() {
        let kind = |http, body: &str| read(http, body.as_bytes()).unwrap_err().kind;
        let down = "failed to connect to `user=postgres`: /run (/run): server error: FATAL: the database system is shutting down (SQLSTATE 57P03)\n";
        assert_eq!(kind(500, down), SilenceKind::NotServing);
        assert_eq!(
            read(500, down.as_bytes()).unwrap_err().why,
            "FATAL: the database system is shutting down (SQLSTATE 57P03)"
        );
        assert_eq!(
            kind(503, r#"{"kind":"Status","message":"dial tcp: connection refused"}"#),
            SilenceKind::Unreachable
        );
        assert_eq!(kind(403, "{}"), SilenceKind::Forbidden);
        assert_eq!(kind(200, "<html>"), SilenceKind::Garbled);
        assert_eq!(kind(200, "[]"), SilenceKind::Garbled);
    }

    #[test]
    fn intervals() {
        let secs = |s| parse_interval(s).map(|d| d.as_secs_f64());
        assert_eq!(secs("00:00:00"), Some(0.0));
        assert_eq!(secs("00:00:01.5"), Some(1.5));
        assert_eq!(secs("1 day 02:00:00"), Some(93_600.0));
        assert_eq!(secs("-00:00:01"), Some(-1.0));
        for bad in ["", "x", "1 week 00:00:00", "00:61:00", "1:2:3:4", "days 1"] {
            assert_eq!(secs(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(http in any::<u16>(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(http, &body);
        }
        #[test]
        fn no_text_panics(s in any::<String>()) {
            let _ = parse_interval(&s);
            let _ = read(200, serde_json::json!({"replicationInfo": [{"applicationName": s, "replayLag": s, "flushLsn": s}],
                "replicationSlotsInfo": [{"slotName": s}], "lastArchivedWAL": s, "lastArchivedWALTime": s}).to_string().as_bytes());
        }
    }
}
