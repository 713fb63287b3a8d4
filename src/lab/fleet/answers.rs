//! What a described instance would answer to `/pg/status`: it follows from the objects around it and the clock, so that
//! nothing has to run.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::lsn::Lsn;
use crate::lab::api::resources::{CLUSTERS, PODS};
use crate::lab::api::{Selector, Store};
use crate::lab::object::{
    annotation, condition, flag, is_pod_ready, label, name, namespace, number, seconds, text, uid,
};
use crate::lab::operator::world::ClusterObject;

/// A WAL segment, in bytes.
const SEGMENT: u64 = 16 * 1024 * 1024;

/// What an instance says.
///
/// # Errors
/// When it would not answer: its server is not up.
pub fn answer(store: &Store, pod: &Arc<Value>, now: Timestamp) -> Result<Value, String> {
    let cluster = label(pod, "cnpg.io/cluster").unwrap_or_default();
    let cluster = store.get(&CLUSTERS, namespace(pod), cluster).ok_or("no such cluster")?;
    if !is_pod_ready(pod) {
        return Err("connect: connection refused".to_owned());
    }
    let me = name(pod);
    if cluster.is_fenced(me) {
        return Ok(json!({"isPrimary": false, "mightBeUnavailable": true, "systemID": "", "isPodReady": false}));
    }
    let written = position(&cluster, now);
    let mut said = json!({
        "systemID": text(&cluster, "/status/systemID"),
        "timeLineID": number(&cluster, "/status/timelineID").unwrap_or(1),
        "node": text(pod, "/spec/nodeName"),
        "isPodReady": true,
        "instanceManagerVersion": annotation(pod, "cnpg.io/operatorVersion").unwrap_or_default(),
        "loadedConfigurationHash": uid(&cluster), "executableHash": uid(&cluster),
    });
    if cluster.current_primary() == me {
        primary(&mut said, store, &cluster, pod, written, now);
    } else {
        let behind = Lsn(written.0.saturating_sub(lag(pod, now)));
        said["isPrimary"] = false.into();
        said["isWalReceiverActive"] = (cluster.target_primary() == cluster.current_primary()).into();
        said["receivedLsn"] = behind.to_string().into();
        said["replayLsn"] = behind.to_string().into();
    }
    Ok(said)
}

/// A number that is the cluster's own.
fn salt(object: &Value) -> u64 {
    uid(object).bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Bytes of WAL a second.
fn rate(cluster: &Value) -> u64 {
    10_000 + salt(cluster) % 3_000_000
}

/// Where the cluster's WAL ends by now.
fn position(cluster: &Value, now: Timestamp) -> Lsn {
    // Since the beginning of 2026: small enough to be read, and never backwards.
    let millis = u64::try_from(now.as_millisecond() - 1_767_225_600_000).unwrap_or(0);
    Lsn((millis / 1000).wrapping_mul(rate(cluster)).wrapping_add(millis % 1000 * rate(cluster) / 1000)
        & 0xffff_ffff_ffff)
}

/// How many bytes a standby is behind.
fn lag(pod: &Value, now: Timestamp) -> u64 {
    let noise = salt(pod).wrapping_add(u64::try_from(now.as_second()).unwrap_or(0).wrapping_mul(2_654_435_761));
    if annotation(pod, "lab.howdah.dev/lags") == Some("true") {
        // It falls further behind for ten minutes, and catches up.
        let seconds = u64::try_from(now.as_second()).unwrap_or(0) % 600;
        return 40_000_000 + seconds * 2_000_000;
    }
    if noise.is_multiple_of(4) { noise % 65_536 } else { 0 }
}

fn wal_name(timeline: i64, lsn: Lsn) -> String {
    let segment = lsn.0 / SEGMENT;
    format!("{timeline:08X}{:08X}{:08X}", segment / 256, segment % 256)
}

fn primary(said: &mut Value, store: &Store, cluster: &Value, pod: &Value, written: Lsn, now: Timestamp) {
    let timeline = number(cluster, "/status/timelineID").unwrap_or(1);
    let archives = condition(cluster, "ContinuousArchiving").is_none_or(|c| text(c, "/status") == "True");
    let archived = Lsn(written.0.saturating_sub(if archives { SEGMENT } else { SEGMENT * 90 }));
    said["isPrimary"] = true.into();
    said["currentLsn"] = written.to_string().into();
    said["currentWAL"] = wal_name(timeline, written).into();
    said["isArchivingWAL"] = archives.into();
    said["lastArchivedWAL"] = wal_name(timeline, archived).into();
    let age = if archives { 20 } else { 840 };
    let at = |seconds_ago: i64| Timestamp::from_second(now.as_second() - seconds_ago).map(seconds).unwrap_or_default();
    said["lastArchivedWALTime"] = at(age).into();
    if !archives {
        said["lastFailedWAL"] = wal_name(timeline, Lsn(archived.0 + SEGMENT)).into();
        said["lastFailedWALTime"] = at(5).into();
        said["readyWalFiles"] = 89.into();
    }
    let me = Selector::matching([("cnpg.io/cluster", cluster.name())]);
    let pods = store.list(&PODS, Some(namespace(pod)), &me).items;
    let standbys: Vec<&Arc<Value>> = pods
        .iter()
        .filter(|other| name(other) != name(pod) && is_pod_ready(other) && !cluster.is_fenced(name(other)))
        .collect();
    let slots = flag(cluster, "/spec/replicationSlots/highAvailability/enabled");
    said["replicationInfo"] = standbys.iter().map(|s| sender(cluster, s, written, now)).collect();
    said["replicationSlotsInfo"] = if slots {
        cluster.instance_names().iter().filter(|i| **i != name(pod)).map(|i| slot(i, &standbys, written, now)).collect()
    } else {
        json!([])
    };
}

fn sender(cluster: &Value, standby: &Value, written: Lsn, now: Timestamp) -> Value {
    let behind = lag(standby, now);
    let replayed = Lsn(written.0.saturating_sub(behind)).to_string();
    let delay = format!("00:00:{:02}.{:06}", (behind / rate(cluster)).min(59), behind % 1_000_000);
    let method = text(cluster, "/spec/postgresql/synchronous/method");
    let legacy = number(cluster, "/spec/minSyncReplicas").unwrap_or(0) > 0;
    let state = match method {
        "any" => "quorum",
        "first" => "sync",
        _ if legacy => "quorum",
        _ => "async",
    };
    json!({
        "applicationName": name(standby), "state": "streaming", "receivedLsn": written.to_string(),
        "writeLsn": replayed, "flushLsn": replayed, "replayLsn": replayed,
        "writeLag": delay, "flushLag": delay, "replayLag": delay,
        "syncState": state, "syncPriority": if state == "async" { "0" } else { "1" },
    })
}

fn slot(instance: &str, standbys: &[&Arc<Value>], written: Lsn, now: Timestamp) -> Value {
    let standby = standbys.iter().find(|s| name(s) == instance);
    // A slot without its standby keeps what was written in the last hours.
    let kept = standby.map_or(900_000_000, |standby| lag(standby, now));
    json!({
        "slotName": format!("_cnpg_{}", instance.replace('-', "_")), "slotType": "physical",
        "restartLsn": Lsn(written.0.saturating_sub(kept)).to_string(), "walStatus": "reserved", "active": standby.is_some(),
    })
}
