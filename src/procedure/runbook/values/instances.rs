//! Fields of one instance.

use super::{Eye, Field, Item, optional, share, text};
use crate::domain::cluster::{Instance, Pod, VolumePurpose};
use crate::domain::health::evidence::Voice;
use crate::domain::picture::{Follows, InstancePicture, belongs};
use crate::domain::sample::SqlSample;
use crate::domain::source::Witness;
use crate::procedure::runbook::language::{Datum, Kind};

pub(super) const FIELDS: &[Field] = &[
    field("pod", Kind::Text, "its pod's phase; none without a pod", |e, i| {
        e.object(Witness::Pod(i.name.clone()), Ok(optional(i.pod.as_ref().map(|p| &p.phase))))
    }),
    field("ready", Kind::Flag, "its pod is ready", |e, i| by_pod(e, i, |p| Datum::Flag(p.ready))),
    field("deleting", Kind::Flag, "its pod is being deleted", |e, i| {
        by_pod(e, i, |p| Datum::Flag(p.deleting.is_some()))
    }),
    field("trouble", Kind::Text, "why its pod waits or ended; none when nothing is wrong with it", |e, i| {
        by_pod(e, i, |p| optional(p.trouble.as_ref()))
    }),
    field("restarts", Kind::Count, "restarts of its PostgreSQL container", |e, i| {
        by_pod(e, i, |p| Datum::Number(p.restarts.into()))
    }),
    field("limits", Kind::Text, "its memory and CPU limits", |e, i| by_pod(e, i, |p| optional(p.limits.as_deref()))),
    field("node", Kind::Text, "the node it is on", |e, i| {
        e.object(
            Witness::Pod(i.name.clone()),
            Ok(optional(i.pod.as_ref().and_then(|p| p.node.as_ref()).map(|n| n.as_str()))),
        )
    }),
    field("zone", Kind::Text, "the zone of its node", |e, i| {
        e.object(Witness::Pod(i.name.clone()), Ok(optional(i.zone.as_ref().map(|z| z.as_str()))))
    }),
    field("node-ready", Kind::Flag, "its node is ready", |e, i| {
        let node = e.sight.facts.node_of(e.cluster(), &i.name);
        let name = node.map_or("?".to_owned(), |n| n.name.to_string());
        // A kubelet that no longer reports is not ready, whatever was true last.
        e.object(
            Witness::Node(name),
            node.map(|n| Datum::Flag(n.ready == Some(true))).ok_or_else(|| "it is on no known node".into()),
        )
    }),
    field("node-pressure", Kind::Text, "pressure its node reports: disk, memory, processes", |e, i| {
        let node = e.sight.facts.node_of(e.cluster(), &i.name);
        let name = node.map_or("?".to_owned(), |n| n.name.to_string());
        e.object(
            Witness::Node(name),
            node.map(|n| text(n.pressure.join(", "))).ok_or_else(|| "it is on no known node".into()),
        )
    }),
    field("volumes", Kind::Text, "its volume claims and their phases", |e, i| {
        let own = e.cluster().volumes.iter().filter(|v| v.instance.as_ref() == Some(&i.name));
        let said: Vec<_> = own.map(|v| format!("{} {}", v.name, v.phase)).collect();
        e.object(Witness::Object("PersistentVolumeClaim".into()), Ok(text(said.join(", "))))
    }),
    field("fenced", Kind::Flag, "it is fenced: its PostgreSQL is stopped on purpose", |e, i| {
        e.told(Some(Datum::Flag(e.cluster().fenced.covers(&i.name))))
    }),
    field("answers", Kind::Flag, "PostgreSQL on it answers", answers),
    field("takes-writes", Kind::Flag, "it is out of recovery, by its own word", |e, i| {
        seen(e, i, |p| p.own.map(|own| Datum::Flag(own.primary)))
    }),
    field("streaming", Kind::Flag, "it streams from the primary", streaming),
    field("state", Kind::Text, "its row in the primary's pg_stat_replication: streaming, catchup, …", |e, i| {
        by_primary(e, i, |p| Some(optional(p.row.and_then(|r| r.state.as_ref()))))
    }),
    field("sync", Kind::Text, "how commits wait for it: sync, quorum, potential, async", |e, i| {
        by_primary(e, i, |p| Some(optional(p.sync.map(|s| s.word()))))
    }),
    field("lag", Kind::Bytes, "WAL it has not replayed yet", |e, i| {
        by_primary(e, i, |p| p.lag.bytes.map(Datum::Bytes))
    }),
    field("lag-time", Kind::Time, "time until it has replayed what is written now", |e, i| {
        by_primary(e, i, |p| p.lag.time.map(Datum::Time))
    }),
    field("lsn", Kind::Text, "where it writes, or has replayed to", |e, i| {
        seen(e, i, |p| p.lsn.map(|l| text(l.to_string())))
    }),
    field("timeline", Kind::Count, "the timeline it writes or receives", |e, i| {
        seen(e, i, |p| p.timeline.map(|t| Datum::Number(t.into())))
    }),
    field("same-timeline", Kind::Flag, "it is on the primary's timeline", |e, i| {
        let leads = e.picture.primary.as_ref().and_then(|p| e.picture.get(p)?.timeline);
        seen(e, i, |p| Some(Datum::Flag(p.timeline? == leads?)))
    }),
    field("paused", Kind::Flag, "replay is paused by hand", |e, i| seen(e, i, |p| Some(Datum::Flag(p.replay_paused)))),
    field("slot", Kind::Text, "the state of its slot on the primary: reserved, extended, unreserved, lost", |e, i| {
        by_slot(e, i, |s, _| Some(optional(s.wal_status.as_ref())))
    }),
    field("slot-active", Kind::Flag, "its slot on the primary is in use", |e, i| {
        by_slot(e, i, |s, _| Some(Datum::Flag(s.active)))
    }),
    field("slot-holds", Kind::Bytes, "WAL the primary keeps for it", |e, i| {
        by_slot(e, i, |s, current| s.retained(current?).map(Datum::Bytes))
    }),
    field("disk-data", Kind::Percent, "how full its data volume is", |e, i| disk(e, i, VolumePurpose::Data)),
    field("disk-wal", Kind::Percent, "how full its WAL volume is", |e, i| disk(e, i, VolumePurpose::Wal)),
    field("connections", Kind::Percent, "connections used of those allowed", |e, i| {
        by_sql(e, i, "pg_stat_activity", |s| s.connections.and_then(|(used, of)| share(used.into(), of.into())))
    }),
    field("connections-used", Kind::Count, "connections used", |e, i| {
        by_sql(e, i, "pg_stat_activity", |s| s.connections.map(|(used, _)| Datum::Number(used.into())))
    }),
    field("oldest-transaction", Kind::Time, "how long its oldest transaction has run", |e, i| {
        by_sql(e, i, "pg_stat_activity", |s| match s.oldest_transaction {
            Some(age) => Some(Datum::Time(age)),
            None => s.sees_all.then_some(Datum::Nothing),
        })
    }),
    field("xid-age", Kind::Count, "age of its oldest unfrozen transaction id", |e, i| {
        by_sql(e, i, "pg_database", |s| s.frozen_xid_age.map(|n| Datum::Number(n as f64)))
    }),
    field("pending-restart", Kind::Flag, "a changed parameter waits for its restart", |e, i| {
        let status = e.evidence.samples(&i.name).and_then(|s| s.status.as_ref());
        let value = status.and_then(|p| p.value()).map(|s| Datum::Flag(s.pending_restart));
        e.sampled(Witness::Status(i.name.clone()), status.map(|p| p.at), value)
    }),
];

const fn field(name: &'static str, kind: Kind, about: &'static str, read: fn(&Eye, &Instance) -> Item) -> Field {
    Field { name, kind, about, read }
}

fn by_pod(e: &Eye, i: &Instance, read: impl Fn(&Pod) -> Datum) -> Item {
    let value = i.pod.as_ref().map(|p| read(p)).ok_or_else(|| "it has no pod".to_owned());
    e.object(Witness::Pod(i.name.clone()), value)
}

fn answers(e: &Eye, i: &Instance) -> Item {
    let Some(instance) = e.cluster().instance(&i.name).filter(|i| i.pod.is_some()) else {
        return e.object(Witness::Pod(i.name.clone()), Ok(Datum::Flag(false)));
    };
    let item = |value, witness, seen| Item { who: None, value, witness, seen };
    match e.evidence.voice(&instance.name) {
        Voice::Serves(a) => {
            let (witness, at) = a.source();
            item(Ok(Datum::Flag(true)), witness, at)
        }
        Voice::Down { witness, at, .. } | Voice::Silent { witness, at, spoke: true, .. } => {
            item(Ok(Datum::Flag(false)), witness, at)
        }
        Voice::Silent { why, witness, at, .. } | Voice::Closed { why, witness, at } => item(Err(why), witness, at),
        Voice::Stale { witness, at } => item(Err("its last answer is too old".into()), witness, at),
        Voice::Unasked => e.unknown("nobody has asked it"),
    }
}

/// What its own newest answer shows.
fn seen(e: &Eye, i: &Instance, read: impl Fn(&InstancePicture<'_>) -> Option<Datum>) -> Item {
    let picture = e.picture.get(&i.name);
    e.sampled(e.own_word(&i.name), picture.and_then(|p| p.seen), picture.and_then(read))
}

/// Whether it streams: by the primary's list where that is known, else by its own receiver.
fn streaming(e: &Eye, i: &Instance) -> Item {
    let read = |p: &InstancePicture<'_>| match p.follows {
        Follows::Streaming => Some(Datum::Flag(true)),
        Follows::CatchingUp | Follows::Broken => Some(Datum::Flag(false)),
        Follows::Unknown => None,
    };
    match e.picture.rows.is_some() {
        true => by_primary(e, i, read),
        false => seen(e, i, read),
    }
}

/// What the primary says of it.
fn by_primary(e: &Eye, i: &Instance, read: impl Fn(&InstancePicture<'_>) -> Option<Datum>) -> Item {
    let told = e.picture.rows.is_some();
    let value = e.picture.get(&i.name).and_then(read).filter(|_| told);
    e.sampled(e.primarys_word("pg_stat_replication"), e.picture.primary_seen, value)
}

fn by_slot(
    e: &Eye,
    i: &Instance,
    read: impl Fn(&crate::domain::replication::Slot, Option<crate::domain::lsn::Lsn>) -> Option<Datum>,
) -> Item {
    let value = e.picture.slots.and_then(|all| match all.iter().find(|s| belongs(s, &i.name)) {
        Some(slot) => read(slot, e.picture.current),
        None => Some(Datum::Nothing),
    });
    e.sampled(e.primarys_word("pg_replication_slots"), e.picture.primary_seen, value)
}

fn disk(e: &Eye, i: &Instance, purpose: VolumePurpose) -> Item {
    let probe = e.evidence.samples(&i.name).and_then(|s| s.metrics.as_ref());
    let full = e.picture.get(&i.name).and_then(|p| p.disk(purpose)).map(|share| Datum::Percent(share * 100.0));
    e.sampled(Witness::Metrics(i.name.clone()), probe.map(|p| p.at), full)
}

fn by_sql(e: &Eye, i: &Instance, view: &str, read: impl Fn(&SqlSample) -> Option<Datum>) -> Item {
    let probe = e.evidence.samples(&i.name).and_then(|s| s.sql.as_ref());
    let witness = Witness::Sql(i.name.clone(), view.into());
    match probe.map(|p| &p.answer) {
        Some(Err(silence)) => Item { witness, ..e.unknown(&silence.why) },
        Some(Ok(sample)) if read(sample).is_none() && !sample.sees_all => {
            Item { witness, ..e.unknown(&format!("hidden from {}, which is not in pg_monitor", sample.user)) }
        }
        Some(Ok(sample)) => e.sampled(witness, probe.map(|p| p.at), read(sample)),
        None => e.sampled(witness, None, None),
    }
}
