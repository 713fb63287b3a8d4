//! Do the standbys stream, keep up, and keep the promise of synchronous commit?

use jiff::{SignedDuration, Timestamp};

use super::evidence::{Answer, Evidence, ONE_MOMENT, Voice};
use super::{Level, Reason, ReasonCode};
use crate::domain::history::Stage;
use crate::domain::lsn::Lsn;
use crate::domain::names::InstanceName;
use crate::domain::quantity;
use crate::domain::replication::{Standby, SyncState};
use crate::domain::source::Witness;

pub(super) fn rules(e: &Evidence, out: &mut Vec<Reason>) {
    if e.hibernating() {
        return;
    }
    let primary = e.primary();
    for name in e.standbys() {
        streams(e, primary.as_ref(), name, out);
        follows(e, primary.as_ref(), name, out);
        lags(e, primary.as_ref(), name, out);
    }
    if let Some(p) = primary {
        promise(e, &p, out);
        slots(e, &p, out);
    }
}

/// What somebody says of a standby's streaming.
struct Word {
    streams: bool,
    detail: String,
    witness: Witness,
    at: Timestamp,
}

/// Does it stream? Two witnesses: the primary's list and the standby's own receiver. Of one moment the worse one counts,
/// else the newer one.
fn streams(e: &Evidence, primary: Option<&Answer>, name: &InstanceName, out: &mut Vec<Reason>) {
    let words: Vec<Word> =
        [primary.and_then(|p| primarys_word(p, name)), own_word(e, name)].into_iter().flatten().collect();
    let newest = words.iter().map(|w| w.at).max();
    let fresh = words.iter().filter(|w| newest.is_some_and(|n| n.duration_since(w.at) <= ONE_MOMENT));
    let Some(word) = fresh.min_by_key(|w| w.streams) else {
        // A silent or unasked standby was told already; a primary that hides its list was not.
        if matches!(e.voice(name), Voice::Serves(_)) {
            let text = format!("whether {name} streams is hidden: the user needs pg_monitor");
            let witness = Witness::Sources;
            out.push(about(name, e.by(witness, e.now, ReasonCode::CantBeAsked, Level::Unknown, text)));
        }
        return;
    };
    if word.streams {
        return;
    }
    // How long: since a primary last saw it stream. Where none did, it could have streamed since both were there.
    let pod = e.cluster.instance(name).and_then(|i| i.pod.as_ref());
    let began = [pod.and_then(|p| p.created), e.cluster.primary_since].into_iter().flatten().max();
    let seen = e.samples(name).and_then(|s| s.streamed).filter(|t| began.is_none_or(|b| *t >= b));
    let late = seen.or(began).is_some_and(|t| e.age(t) > e.limits.not_streaming_bad);
    // Without a primary it has nobody to follow: that is told by itself.
    let level = if late && primary.is_some() { Level::Bad } else { Level::Warn };
    let since = seen.map(|t| format!(" for {}", quantity::age(t, e.now))).unwrap_or_default();
    let text = format!("{name} does not stream{}{since}", word.detail);
    out.push(about(name, e.by(word.witness.clone(), word.at, ReasonCode::StandbyNotStreaming, level, text)));
}

/// A primary's fresh list counts it among those that stream.
pub(super) fn seen_streaming(e: &Evidence, name: &InstanceName) -> bool {
    e.primary().and_then(|p| primarys_word(&p, name)).is_some_and(|word| word.streams)
}

fn primarys_word(primary: &Answer, name: &InstanceName) -> Option<Word> {
    let (rows, sees_all, witness, at) = primary.standbys()?;
    let row = rows.iter().find(|r| *name == *r.name);
    let state = match row {
        Some(row) => row.state.as_deref(),
        None if sees_all => Some("absent"),
        None => None,
    }?;
    let detail = if state == "absent" { String::new() } else { format!(" ({state})") };
    Some(Word { streams: state == "streaming", detail, witness, at })
}

/// `timeLineID` of `/pg/status` is no witness: it stays old on a healthy standby until its next restartpoint.
fn own_word(e: &Evidence, name: &InstanceName) -> Option<Word> {
    let instance = e.cluster.instance(name)?;
    let Voice::Serves(a) = e.voice(&instance.name) else { return None };
    let by_sql = a.sql.and_then(|(s, at)| {
        let receiver = s.receiver.as_ref()?;
        let streams = receiver.status.as_deref() == Some("streaming");
        Some(Word {
            streams,
            detail: String::new(),
            witness: Witness::Sql(name.clone(), "pg_stat_wal_receiver".into()),
            at,
        })
    });
    let by_status = a.status.and_then(|(s, at)| {
        let streams = s.receiver_active?;
        Some(Word { streams, detail: String::new(), witness: Witness::Status(name.clone()), at })
    });
    by_sql.or(by_status)
}

/// Same timeline as the primary, by the receiver's word; replay not paused.
fn follows(e: &Evidence, primary: Option<&Answer>, name: &InstanceName, out: &mut Vec<Reason>) {
    let Some(instance) = e.cluster.instance(name) else { return };
    let Voice::Serves(a) = e.voice(&instance.name) else { return };
    if let Some((s, at)) = a.sql
        && let Some(own) = s.receiver.as_ref().and_then(|r| r.timeline).or(s.timeline)
        && let Some(leads) = primary.and_then(|p| p.sql).and_then(|(p, _)| p.timeline)
        && own != leads
    {
        let text = format!("{name} follows timeline {own}, the primary writes {leads}");
        let witness = Witness::Sql(name.clone(), "pg_stat_wal_receiver".into());
        out.push(about(name, e.by(witness, at, ReasonCode::StandbyOnOtherTimeline, Level::Warn, text)));
    }
    let paused = a
        .sql
        .filter(|(s, _)| s.replay_paused == Some(true))
        .map(|(_, at)| (Witness::Sql(name.clone(), "pg_is_wal_replay_paused()".into()), at));
    let paused =
        paused.or(a.status.filter(|(s, _)| s.replay_paused).map(|(_, at)| (Witness::Status(name.clone()), at)));
    if let Some((witness, at)) = paused {
        out.push(about(
            name,
            e.by(witness, at, ReasonCode::ReplayPaused, Level::Warn, format!("replay is paused on {name}")),
        ));
    }
}

/// How far behind, in bytes and in time, and whether it gets worse.
fn lags(e: &Evidence, primary: Option<&Answer>, name: &InstanceName, out: &mut Vec<Reason>) {
    let Some(p) = primary else { return };
    let Some(current) = p.current() else { return };
    let listed =
        p.standbys().and_then(|(rows, _, witness, at)| Some((rows.iter().find(|r| *name == *r.name)?, witness, at)));
    let by_row =
        listed.as_ref().and_then(|(row, witness, at)| Some((row.replay?, row.replay_lag, witness.clone(), *at, "")));
    let Some((position, time, witness, at, bound)) = by_row.or_else(|| by_slot(e, p, name)) else { return };
    let bytes = current.since(position);
    let l = e.limits;
    let level = match time {
        _ if bytes >= l.lag_bytes_bad => Level::Bad,
        Some(t) if t >= l.lag_time_bad => Level::Bad,
        _ if bytes >= l.lag_bytes_warn => Level::Warn,
        Some(t) if t >= l.lag_time_warn => Level::Warn,
        _ => Level::Ok,
    };
    if level > Level::Ok {
        let time = time.map(|t| format!(", {}", quantity::span(t))).unwrap_or_default();
        let text = format!("{name} is {bound}{}{time} behind", quantity::bytes(bytes));
        out.push(about(name, e.by(witness.clone(), at, ReasonCode::StandbyLagging, level, text)));
    }
    if let Some(rate) = rising(e, name, bytes) {
        let text = format!("lag of {name} rises {}/s", quantity::bytes(rate));
        out.push(about(name, e.by(witness, at, ReasonCode::StandbyLagRising, Level::Warn, text)));
    }
}

/// Its row is gone (`wal_sender_timeout`), its slot is not: a lower bound. Time runs since it last streamed, as long as
/// there is something it has not got.
fn by_slot(
    e: &Evidence,
    p: &Answer,
    name: &InstanceName,
) -> Option<(Lsn, Option<SignedDuration>, Witness, Timestamp, &'static str)> {
    let (slots, witness, at) = p.slots()?;
    let wanted = e.cluster.slot_of(name)?;
    let restart = slots.iter().find(|s| s.name == wanted)?.restart?;
    let behind = p.current().is_some_and(|c| c > restart);
    let time = e.samples(name).and_then(|s| s.streamed).filter(|_| behind).map(|t| e.age(t));
    Some((restart, time, witness, at, "at least "))
}

/// Bytes a second by which the lag rises, where that is worth telling.
fn rising(e: &Evidence, name: &InstanceName, bytes: u64) -> Option<u64> {
    const NOTICEABLE: u64 = 1 << 20;
    let series = e.history?.standbys.get(name)?.bytes.get(&Stage::Replay)?;
    let slope = series.slope(e.limits.trend_over)?;
    let rate = if slope > 0.0 { slope as u64 } else { 0 };
    (bytes >= NOTICEABLE && rate >= e.limits.lag_rise_warn).then_some(rate)
}

/// What synchronous commit promises, from the live setting where it can be read, else from the spec.
fn promise(e: &Evidence, p: &Answer, out: &mut Vec<Reason>) {
    let live = p.sql.and_then(|(s, at)| Some((s.sync_rule.as_ref()?.as_ref().ok()?, at)));
    let (wanted, witness, at) = match live {
        Some((rule, at)) => (
            rule.as_ref().map_or(0, |r| r.number),
            Witness::Sql(p.name.clone(), "synchronous_standby_names".into()),
            at,
        ),
        None => (e.cluster.sync.number, Witness::ClusterObject, e.proven),
    };
    let spec = &e.cluster.sync;
    let several = e.cluster.wanted.is_some_and(|n| n > 1);
    if wanted == 0 && spec.number == 0 {
        if several {
            let text = "commits wait for no standby: a failover may lose acknowledged writes";
            out.push(e.by(witness, at, ReasonCode::SyncNotPromised, Level::Ok, text));
        }
        return;
    }
    let Some((rows, true, row_witness, row_at)) = p.standbys() else { return };
    let named = |r: &&Standby| live.and_then(|(rule, _)| rule.as_ref()).is_none_or(|rule| rule.names(&r.name));
    let confirming = rows
        .iter()
        .filter(named)
        .filter(|r| r.state.as_deref() == Some("streaming"))
        .filter(|r| matches!(r.sync, Some(SyncState::Sync | SyncState::Quorum)))
        .count();
    let confirming = u32::try_from(confirming).unwrap_or(u32::MAX);
    let wanted = wanted.max(spec.number);
    if confirming >= wanted {
        return;
    }
    // Required: commits hang. Preferred (and the old min/max form): they go on, and nothing is promised.
    let (level, then) = if spec.preferred {
        (Level::Warn, "commits no longer wait")
    } else {
        (Level::Bad, "commits wait until one returns")
    };
    let text = format!("{confirming} of {wanted} synchronous standbys: {then}");
    out.push(e.by(row_witness, row_at, ReasonCode::SyncPromiseNotMet, level, text));
}

/// Slots nobody uses hold WAL back until the disk is full.
fn slots(e: &Evidence, p: &Answer, out: &mut Vec<Reason>) {
    let (Some((slots, witness, at)), Some(current)) = (p.slots(), p.current()) else { return };
    for slot in slots {
        if matches!(slot.wal_status.as_deref(), Some("lost")) {
            let text = format!("slot {} has lost WAL it needs: its standby must be built anew", slot.name);
            out.push(e.by(witness.clone(), at, ReasonCode::SlotLost, Level::Bad, text));
            continue;
        }
        let Some(kept) = slot.retained(current).filter(|_| !slot.active) else { continue };
        let level = match kept {
            n if n >= e.limits.slot_bytes_bad => Level::Bad,
            n if n >= e.limits.slot_bytes_warn || slot.wal_status.as_deref() == Some("unreserved") => Level::Warn,
            _ => continue,
        };
        let text = format!("slot {} is inactive and holds {} of WAL", slot.name, quantity::bytes(kept));
        out.push(e.by(witness.clone(), at, ReasonCode::SlotInactive, level, text));
    }
}

fn about(name: &InstanceName, reason: Reason) -> Reason {
    Reason { instance: Some(name.clone()), ..reason }
}
